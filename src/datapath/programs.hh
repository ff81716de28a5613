// SPDX-License-Identifier: Apache-2.0
// The kernel programs, loaded. The only place that includes the skeletons.
#pragma once

#include <memory>

#include "datapath/maps.hh"

namespace nlb {

class Programs {
 public:
  // Loads all four. Maps in `reuse` are taken over by name; the others are made.
  [[nodiscard]] static Result<std::unique_ptr<Programs>> load(const MapSet& reuse);
  [[nodiscard]] static std::map<std::string, MapShape> expected_maps();
  [[nodiscard]] static uint32_t abi_version();
  ~Programs();

  [[nodiscard]] int xdp() const;
  [[nodiscard]] int ingress() const;
  [[nodiscard]] int egress() const;
  [[nodiscard]] const MapSet& maps() const { return maps_; }
  // Runs the socket iterator once over the calling thread's network namespace.
  [[nodiscard]] Result<void> walk_sockets() const;

 private:
  struct Objects;
  Programs();
  std::unique_ptr<Objects> objects_;
  MapSet maps_;
};

}  // namespace nlb
