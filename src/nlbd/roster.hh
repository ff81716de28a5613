// SPDX-License-Identifier: Apache-2.0
// Who belongs to the cluster, as far as this host has ever heard: a host that is down is missed by name, and
// a change for all hosts is not made behind its back. Kept in STATE/members.json; a host goes from it only by
// `nlb forget`.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/net.hh"

namespace nlb {

class Roster {
 public:
  // Reads the file, if there is one.
  explicit Roster(std::string file);
  // True when the host is new here, or has another name than it had; then the file is to be saved.
  bool note(HostId host, const std::string& name);
  bool forget(HostId host);
  // What is known by then; one at a time, whichever threads ask. False with a reason in `problem`.
  [[nodiscard]] bool save(std::string& problem) const;

  [[nodiscard]] HostSet hosts() const;
  [[nodiscard]] std::string name_of(HostId host) const;  // "" = not known
  [[nodiscard]] std::string text_of(HostId host) const;  // "host 3 (web3)"

 private:
  std::string file_;
  mutable std::mutex saving_;  // the file; taken before the other
  mutable std::mutex mutex_;   // the names
  std::map<HostId, std::string> names_;
};

}  // namespace nlb
