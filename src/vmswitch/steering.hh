// SPDX-License-Identifier: Apache-2.0
// Makes the kernel hold what members have announced of their buckets (<nlb/abi/steering.h>,
// docs/decisions/0015). It decides nothing about a frame: a row is in force as long as the kernel finds the
// port's newest announcement to be the one that it was made of.
//
// Rules are kept by what they say, not by who says it: members that agree share one table, and one that
// invents rules has its own, up to two a cluster (the old and the new ones while a change goes round). Who
// finds no room is flooded to.
#pragma once

#include <nlb/abi/steering.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/result.hh"
#include "datapath/maps.hh"
#include "vmswitch/policy.hh"
#include "wire/steering_announcement.hh"

namespace nlb::vmswitch {

// Ports whose announcements are believed, and the number of their cluster: members of NLB clusters on
// switches that steer.
using SteeredPorts = std::map<uint32_t, uint16_t>;
[[nodiscard]] SteeredPorts steered_ports(const SwitchConfig& config, const std::vector<BridgePort>& present,
                                         const ClusterNumbers& numbers);

class Steering {
 public:
  // `maps` must outlive this. What an earlier daemon has put there is forgotten: members say it anew.
  [[nodiscard]] static Result<std::unique_ptr<Steering>> over(const MapSet& maps);

  void follow(const SteeredPorts& ports);
  // True: another generation of that port is in force now.
  bool take(const nlb_steering_part& part);

  [[nodiscard]] bool follows(uint32_t ifindex) const { return ports_.contains(ifindex); }
  [[nodiscard]] uint32_t in_force(uint32_t ifindex) const;  // generation; 0 = none
  // Why every frame of its cluster goes to this port, as far as this daemon knows; "" = it does not.
  [[nodiscard]] std::string why_flooded(uint32_t ifindex) const;

 private:
  struct Port {
    uint16_t cluster = 0;
    wire::SteeringAssembly assembly = {};
    uint32_t generation = 0;  // in force
    std::size_t config = NLB_STEERING_MAX_CONFIGS;
    std::map<uint8_t, nlb_steering_row> rows = {};  // by slot
    bool in_transition = false;
    std::string obstacle = {};
  };
  struct Rules {
    wire::SteeringRules said;
    uint16_t cluster = 0;
    unsigned users = 0;
    uint64_t used_at = 0;  // a count of uses: what was used longest ago is written over first
  };

  Steering() = default;
  [[nodiscard]] Result<void> put_in_force(uint32_t ifindex, Port& port, uint32_t generation,
                                          const wire::SteeringContent& content);
  [[nodiscard]] Result<std::size_t> config_for(const Port& port, const wire::SteeringRules& rules);
  [[nodiscard]] Result<void> write_config(std::size_t config, const wire::SteeringRules& rules);
  [[nodiscard]] Result<void> write_rows(uint32_t ifindex, Port& port, uint32_t generation,
                                        const wire::SteeringContent& content);
  void count_replicas(std::size_t config);
  void leave(std::size_t config);
  void forget(uint32_t ifindex, const Port& port);

  std::map<uint32_t, Port> ports_;
  std::array<Rules, NLB_STEERING_MAX_CONFIGS> configs_;
  uint64_t uses_ = 0;
  int steered_ = -1, rows_ = -1, vips_ = -1, rules_ = -1;
};

}  // namespace nlb::vmswitch
