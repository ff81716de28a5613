// SPDX-License-Identifier: Apache-2.0
// The guard's kernel programs, loaded over maps that are found or made. The only place that includes the
// skeletons.
#pragma once

#include <memory>
#include <vector>

#include "datapath/maps.hh"

namespace nlb::vmswitch {

class GuardPrograms {
 public:
  // Maps in `reuse` are taken over by name; the others are made.
  [[nodiscard]] static Result<std::unique_ptr<GuardPrograms>> load(const MapSet& reuse);
  // Whether these maps are of our layout: a daemon goes on with them or makes its own.
  [[nodiscard]] static FoundMaps judge(const MapSet& found);
  ~GuardPrograms();
  // Goes on with attached programs that are the same code over the same maps: each replacement at tcx waits
  // for all processors (some 20 ms), and there may be a thousand ports.
  void prefer(const std::vector<uint32_t>& attached);

  [[nodiscard]] int transmit() const { return transmit_.get(); }
  [[nodiscard]] int receive() const { return receive_.get(); }
  [[nodiscard]] uint32_t transmit_id() const;
  [[nodiscard]] uint32_t receive_id() const;
  [[nodiscard]] const MapSet& maps() const { return maps_; }

 private:
  struct Objects;
  GuardPrograms();
  std::unique_ptr<Objects> objects_;
  MapSet maps_;
  FileDescriptor transmit_, receive_;
};

}  // namespace nlb::vmswitch
