// SPDX-License-Identifier: Apache-2.0
// Whose heartbeats pass the filter without a limit, written down for it (nlb/abi/heartbeat.h).
#pragma once

#include <map>
#include <span>

#include "datapath/datapath.hh"
#include "datapath/maps.hh"

namespace nlb {

class HeartbeatGate {
 public:
  explicit HeartbeatGate(const MapSet& maps);  // which outlive this
  void set_keys(std::span<const HeartbeatKey> keys);
  void forget_senders();
  void believe(HostId id, uint64_t incarnation, uint64_t sequence);

 private:
  int keys_, senders_;
  std::map<HostId, uint64_t> believed_;  // incarnations
};

}  // namespace nlb
