// SPDX-License-Identifier: Apache-2.0
// The kernel programs: loaded, or taken over from a daemon before this one that was built of the same objects
// (the kernel's verifier takes longer than all the rest of a start). The only place that includes the
// skeletons.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "datapath/maps.hh"
#include "datapath/program_pins.hh"

namespace nlb {

class Programs {
 public:
  // Loads all four. Maps in `reuse` are taken over by name; the others are made.
  [[nodiscard]] static Result<std::unique_ptr<Programs>> load(const MapSet& reuse);
  // Those that are pinned there, if all four were made of our objects and given just these maps; else none.
  [[nodiscard]] static std::unique_ptr<Programs> pinned(const std::string& directory, MapSet maps);
  [[nodiscard]] static std::map<std::string, MapShape> expected_maps();
  [[nodiscard]] static uint32_t abi_version();

  [[nodiscard]] int xdp() const { return fds_[kXdp].get(); }
  [[nodiscard]] int ingress() const { return fds_[kIngress].get(); }
  [[nodiscard]] int egress() const { return fds_[kEgress].get(); }
  [[nodiscard]] const MapSet& maps() const { return maps_; }
  [[nodiscard]] std::vector<ProgramPin> pins() const;  // of all four, to be made
  // Runs the socket iterator once over the calling thread's network namespace.
  [[nodiscard]] Result<void> walk_sockets() const;

 private:
  enum : std::size_t { kIngress, kXdp, kEgress, kIterator, kCount };
  using Identities = std::array<std::string, kCount>;
  [[nodiscard]] static Identities identities(const MapSet& maps);
  Programs() = default;
  std::array<FileDescriptor, kCount> fds_;
  MapSet maps_;
};

}  // namespace nlb
