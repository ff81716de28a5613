// SPDX-License-Identifier: Apache-2.0
// The three hooks of one interface: XDP, tc ingress, tc egress. All are set by netlink, so a program stays
// until somebody takes it off; replacing one is a single atomic step in the kernel. A foreign XDP program is
// never displaced.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hh"
#include "datapath/datapath.hh"
#include "datapath/own_programs.hh"

namespace nlb {

class Hooks {
 public:
  [[nodiscard]] static Result<Hooks> of(const std::string& interface, OwnPrograms own = {});

  // This process has loaded it: from now on it is one of ours.
  void know(int program) { own_.add(program); }

  // Sets or replaces. Egress goes first: it fails where an `ingress` qdisc stands in the way, before anything
  // changed.
  [[nodiscard]] Result<void> set_tc(int ingress_program, int egress_program) const;
  // The best that the driver and `at_most` allow; takes our own off where they forbid it. None is no error:
  // tc alone is correct.
  void set_xdp(int program, DatapathKind at_most) const;
  void remove() const;  // ours only; clsact too when nothing else uses it

  [[nodiscard]] DatapathKind kind() const;  // asked of the kernel
  // Just these are attached; no XDP program of ours will do as well.
  [[nodiscard]] bool hold(int ingress_program, int egress_program, int xdp_program) const;
  [[nodiscard]] bool has_ingress() const;
  [[nodiscard]] bool has_egress() const;
  [[nodiscard]] bool has_foreign_xdp() const;
  [[nodiscard]] std::vector<uint32_t> our_programs() const;  // ids

 private:
  Hooks(std::string interface, int index, OwnPrograms own)
      : interface_(std::move(interface)), index_(index), own_(std::move(own)) {}
  std::string interface_;
  int index_;
  OwnPrograms own_;
};

}  // namespace nlb
