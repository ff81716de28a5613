// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/steering.hh"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "vmswitch/steering_table.hh"

namespace nlb::vmswitch {
namespace {

constexpr unsigned kRulesOfCluster = 2;

template <typename Key>
void empty(int map) {
  Key key{};
  while (bpf_map_get_next_key(map, nullptr, &key) == 0)
    if (bpf_map_delete_elem(map, &key) != 0) return;
}

template <typename Key, typename Value>
Result<void> put(int map, const Key& key, const Value& value, const char* what) {
  if (bpf_map_update_elem(map, &key, &value, BPF_ANY) == 0) return {};
  return fail(std::string("cannot write ") + what + ": " + std::strerror(errno), errno);
}

nlb_steering_vip_key vip_key(std::size_t config, const IpAddress& address) {
  nlb_steering_vip_key key{};
  key.config = static_cast<uint32_t>(config);
  std::copy(address.octets.begin(), address.octets.end(), key.address);
  return key;
}

// A program that found the former rules may still be at work; it runs within an RCU read section.
void wait_for_readers() {
  syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

}  // namespace

// Also a port whose machine is still to arrive, or whose definition is refused: what it announces concerns
// its own frames alone, and of who announces nothing, nothing is held back.
SteeredPorts steered_ports(const SwitchConfig& config, const std::vector<BridgePort>& present,
                           const ClusterNumbers& numbers) {
  SteeredPorts steered;
  for (const auto& member : member_ports(config, present, numbers))
    if (member.guarded.steering && member.guarded.announce) steered[member.at.ifindex] = member.cluster;
  return steered;
}

Result<std::unique_ptr<Steering>> Steering::over(const MapSet& maps) {
  std::unique_ptr<Steering> steering(new Steering);
  for (const auto& [name, fd] :
       {std::pair{"guard_steered", &steering->steered_}, std::pair{"guard_rows", &steering->rows_},
        std::pair{"guard_vips", &steering->vips_}, std::pair{"guard_steering", &steering->rules_}}) {
    const auto found = maps.find(std::string_view(name));
    if (found == maps.end()) return fail(std::string("map ") + name + " is missing");
    *fd = found->second.get();
  }
  empty<uint32_t>(steering->steered_);
  empty<nlb_steering_row_key>(steering->rows_);
  empty<nlb_steering_vip_key>(steering->vips_);
  return steering;
}

void Steering::follow(const SteeredPorts& ports) {
  const auto gone = std::erase_if(ports_, [&](const auto& entry) {
    const auto still = ports.find(entry.first);
    if (still != ports.end() && still->second == entry.second.cluster) return false;
    forget(entry.first, entry.second);
    return true;
  });
  for (const auto& [ifindex, cluster] : ports) ports_.try_emplace(ifindex, Port{cluster});
  if (gone == 0) return;
  for (std::size_t config = 0; config < configs_.size(); ++config)
    if (configs_[config].users > 0) count_replicas(config);
}

bool Steering::take(const nlb_steering_part& part) {
  const auto found = ports_.find(part.ifindex);
  if (found == ports_.end() || part.bytes > sizeof part.payload) return false;
  Port& port = found->second;
  if (part.bytes > 3 && part.payload[3] == 'M') return false;  // of itself: fencing.hh
  const auto taken = port.assembly.take({part.payload, part.bytes});
  if (!taken) {
    port.obstacle = std::string("its announcement is refused: ") + std::string(text_of(taken.error()));
    return false;
  }
  port.in_transition = taken->in_transition;
  if (!taken->content || taken->generation == 0 || taken->generation == port.generation) return false;
  if (auto done = put_in_force(part.ifindex, port, taken->generation, *taken->content); !done) {
    port.obstacle = done.error().message;
    return false;
  }
  port.obstacle.clear();
  return true;
}

uint32_t Steering::in_force(uint32_t ifindex) const {
  const auto found = ports_.find(ifindex);
  return found != ports_.end() ? found->second.generation : 0;
}

std::string Steering::why_flooded(uint32_t ifindex) const {
  const auto found = ports_.find(ifindex);
  if (found == ports_.end()) return "its announcements are not asked for";
  const Port& port = found->second;
  if (!port.obstacle.empty()) return port.obstacle;
  if (port.in_transition) return "its buckets are in transition";
  return port.generation == 0 ? "it has announced nothing yet" : "";
}

// The rows first, then what names their generation: until then they are of no generation that counts.
Result<void> Steering::put_in_force(uint32_t ifindex, Port& port, uint32_t generation,
                                    const wire::SteeringContent& content) {
  auto config = config_for(port, content.rules);
  if (!config) return tl::unexpected(config.error());
  ++configs_[*config].users;
  auto done = write_rows(ifindex, port, generation, content);
  if (done)
    done = put(steered_, ifindex, nlb_guard_steered{generation, static_cast<uint32_t>(*config)},
               "what is in force");
  if (!done) {
    leave(*config);
    return done;
  }
  leave(port.config);
  const std::size_t before = std::exchange(port.config, *config);
  port.generation = generation;
  count_replicas(port.config);
  if (before != port.config) count_replicas(before);
  return {};
}

Result<void> Steering::write_rows(uint32_t ifindex, Port& port, uint32_t generation,
                                  const wire::SteeringContent& content) {
  for (const auto& [slot, accepts] : content.rows) {
    const auto row = steering_row_of(generation, accepts);
    if (auto done = put(rows_, nlb_steering_row_key{ifindex, slot}, row, "a member's buckets"); !done)
      return done;
    port.rows[slot] = row;
  }
  std::erase_if(port.rows, [&](const auto& entry) {
    if (content.rows.contains(entry.first)) return false;
    const nlb_steering_row_key key{ifindex, entry.first};
    bpf_map_delete_elem(rows_, &key);
    return true;
  });
  return {};
}

// What the port alone has makes room for its new ones.
Result<std::size_t> Steering::config_for(const Port& port, const wire::SteeringRules& rules) {
  const uint16_t cluster = port.cluster;
  unsigned of_cluster = 0;
  std::size_t oldest = configs_.size();
  for (std::size_t i = 0; i < configs_.size(); ++i) {
    const Rules& one = configs_[i];
    if (one.users > 0 && one.cluster == cluster && one.said == rules) return i;
    const bool goes = i == port.config && one.users == 1;
    if (one.users > 0 && !goes && one.cluster == cluster) ++of_cluster;
    if (one.users == 0 && (oldest == configs_.size() || one.used_at < configs_[oldest].used_at)) oldest = i;
  }
  if (of_cluster >= kRulesOfCluster) return fail("its rules are others than those of its cluster's members");
  if (oldest == configs_.size()) return fail("there is no room for the rules of one more cluster");
  if (auto done = write_config(oldest, rules); !done) return tl::unexpected(done.error());
  configs_[oldest].cluster = cluster;
  return oldest;
}

Result<void> Steering::write_config(std::size_t config, const wire::SteeringRules& rules) {
  Rules& kept = configs_[config];
  for (const IpAddress& vip : kept.said.vips) {
    const auto key = vip_key(config, vip);
    bpf_map_delete_elem(vips_, &key);
  }
  wait_for_readers();
  kept.said = rules;
  const auto made = steering_config_of(rules);
  if (auto done = put(rules_, static_cast<uint32_t>(config), *made, "a cluster's rules"); !done) return done;
  for (std::size_t i = 0; i < rules.vips.size(); ++i)
    if (auto done =
            put(vips_, vip_key(config, rules.vips[i]), static_cast<uint32_t>(i + 1), "a virtual IP address");
        !done)
      return done;
  return {};
}

// A bucket that two members take is one's and held by the other. Only counters follow from it, so that a
// write that fails is left to the next change.
void Steering::count_replicas(std::size_t config) {
  std::map<uint8_t, nlb_steering_row> earlier;
  for (auto& [ifindex, port] : ports_) {
    if (port.config != config) continue;
    for (auto& [slot, row] : port.rows)
      if (mark_replicas(row, earlier[slot]))
        static_cast<void>(put(rows_, nlb_steering_row_key{ifindex, slot}, row, "a member's buckets"));
  }
}

void Steering::leave(std::size_t config) {
  if (config >= configs_.size()) return;
  --configs_[config].users;
  configs_[config].used_at = ++uses_;
}

void Steering::forget(uint32_t ifindex, const Port& port) {
  bpf_map_delete_elem(steered_, &ifindex);
  for (const auto& [slot, row] : port.rows) {
    const nlb_steering_row_key key{ifindex, slot};
    bpf_map_delete_elem(rows_, &key);
  }
  leave(port.config);
}

}  // namespace nlb::vmswitch
