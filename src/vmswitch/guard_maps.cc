// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/guard_maps.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace nlb::vmswitch {
namespace {

constexpr uint64_t kReportIntervalNs = 200'000'000;

template <typename T>
bool same(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

// Every key of a map. Others may delete while it is walked: the walk then begins anew, so a key may come
// twice.
template <typename Key>
std::vector<Key> keys_of(int map) {
  std::vector<Key> keys;
  Key key{}, next{};
  for (bool first = true; bpf_map_get_next_key(map, first ? nullptr : &key, &next) == 0; first = false) {
    keys.push_back(next);
    key = next;
  }
  return keys;
}

template <typename Map>
Map contents(int map) {
  Map all;
  for (const auto& key : keys_of<typename Map::key_type>(map)) {
    typename Map::mapped_type value{};
    if (bpf_map_lookup_elem(map, &key, &value) == 0) all[key] = value;
  }
  return all;
}

// What is new or changed.
template <typename Map>
Result<void> add(int map, const Map& wanted, const Map& present, const char* name) {
  for (const auto& [key, value] : wanted) {
    const auto old = present.find(key);
    if (old != present.end() && same(old->second, value)) continue;
    if (bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
      return fail(std::string("cannot write to ") + name + " (" + std::to_string(wanted.size()) +
                      " entries are wanted): " + std::strerror(errno),
                  errno);
  }
  return {};
}

template <typename Map>
void remove_others(int map, const Map& wanted, const Map& present) {
  for (const auto& [key, value] : present)
    if (!wanted.contains(key)) bpf_map_delete_elem(map, &key);
}

// What the daemon does not decide but carries over.
nlb_guard_port with_memory_of(nlb_guard_port value, const nlb_guard_port& old) {
  value.recovered_ns = old.recovered_ns;
  value.macs_forgotten = old.macs_forgotten;
  return value;
}

template <typename Key, typename Where>
void delete_where(int map, Where is_gone) {
  for (const auto& key : keys_of<Key>(map))
    if (is_gone(key.ifindex)) bpf_map_delete_elem(map, &key);
}

}  // namespace

Result<GuardMaps> GuardMaps::over(const MapSet& maps) {
  GuardMaps result;
  const auto fd_of = [&](const char* name) {
    const auto found = maps.find(std::string_view(name));
    return found == maps.end() ? -1 : found->second.get();
  };
  auto control = MappedArray<nlb_guard_control>::map(maps, "guard_control", 1);
  if (!control) return tl::unexpected(control.error());
  result.control_ = std::move(*control);
  for (const auto& [name, fd] :
       {std::pair{"guard_ports", &result.ports_}, std::pair{"guard_macs", &result.macs_},
        std::pair{"guard_addresses", &result.addresses_}, std::pair{"guard_states", &result.states_},
        std::pair{"guard_learned", &result.learned_}, std::pair{"guard_counters", &result.counters_},
        std::pair{"guard_reports", &result.reports_}, std::pair{"guard_events", &result.events_},
        std::pair{"guard_parts", &result.announcements_}, std::pair{"guard_members", &result.members_}})
    if ((*fd = fd_of(name)) < 0) return fail(std::string("map ") + name + " is missing");
  result.control_[0].abi_version = NLB_GUARD_ABI_VERSION;
  result.control_[0].report_interval_ns = kReportIntervalNs;
  return result;
}

Result<void> GuardMaps::write(const Policy& policy) {
  std::atomic_ref<__u64> generation(control_[0].generation);
  generation.store((generation.load() | 1), std::memory_order_seq_cst);
  auto done = put(policy);
  if (done) generation.store(generation.load() + 1, std::memory_order_seq_cst);
  return done;
}

Result<void> GuardMaps::put(const Policy& policy) {
  const auto ports = contents<PortMap>(ports_);
  const auto macs = contents<MacMap>(macs_);
  const auto addresses = contents<AddressMap>(addresses_);
  const auto members = contents<MemberMap>(members_);
  const auto both = united(policy.members, members);
  if (auto done = add(members_, both, members, "guard_members"); !done) return done;
  remove_others(ports_, policy.ports, ports);
  if (auto done = add(macs_, policy.macs, macs, "guard_macs"); !done) return done;
  if (auto done = add(addresses_, policy.addresses, addresses, "guard_addresses"); !done) return done;
  if (auto done = put_ports(policy.ports, ports); !done) return done;
  remove_others(macs_, policy.macs, macs);
  remove_others(addresses_, policy.addresses, addresses);
  remove_others(members_, policy.members, members);
  return add(members_, policy.members, both, "guard_members");
}

Result<void> GuardMaps::put_ports(const PortMap& wanted, const PortMap& present) {
  PortMap values;
  for (const auto& [ifindex, value] : wanted) {
    const auto old = present.find(ifindex);
    if (old == present.end()) forget_port(ifindex);
    values[ifindex] = old == present.end() ? value : with_memory_of(value, old->second);
  }
  return add(ports_, values, present, "guard_ports");
}

template <typename Where>
void GuardMaps::forget_where(Where is_gone) {
  delete_where<nlb_guard_learned_key>(learned_, is_gone);
  delete_where<nlb_guard_counter_key>(counters_, is_gone);
  delete_where<nlb_guard_counter_key>(reports_, is_gone);
  for (const uint32_t ifindex : keys_of<uint32_t>(states_))
    if (is_gone(ifindex)) bpf_map_delete_elem(states_, &ifindex);
}

void GuardMaps::forget_port(uint32_t ifindex) {
  forget_where([&](uint32_t one) { return one == ifindex; });
}

// Deleted first, given back then: for a moment a place too few, never one too many.
void GuardMaps::age_learned(uint64_t since) {
  for (const auto& key : keys_of<nlb_guard_learned_key>(learned_)) {
    nlb_guard_learned seen{};
    auto value = port(key.ifindex);
    if (!value || (value->flags & NLB_GUARD_PORT_STICKY) != 0) continue;
    if (bpf_map_lookup_elem(learned_, &key, &seen) != 0 || seen.last_ns >= since) continue;
    if (bpf_map_delete_elem(learned_, &key) != 0) continue;
    ++value->macs_forgotten;
    bpf_map_update_elem(ports_, &key.ifindex, &*value, BPF_EXIST);
  }
}

void GuardMaps::forget_others(const std::set<uint32_t>& here) {
  forget_where([&](uint32_t one) { return !here.contains(one); });
}

bool GuardMaps::holds(const Policy& policy) const {
  const auto ports = contents<PortMap>(ports_);
  const auto equal = [](const auto& a, const auto& b) {
    return same(a.first, b.first) && same(a.second, b.second);
  };
  const auto macs = contents<MacMap>(macs_);
  const auto addresses = contents<AddressMap>(addresses_);
  const auto members = contents<MemberMap>(members_);
  return std::equal(ports.begin(), ports.end(), policy.ports.begin(), policy.ports.end(),
                    [](const auto& is, const auto& wanted) {
                      return is.first == wanted.first &&
                             same(is.second, with_memory_of(wanted.second, is.second));
                    }) &&
         std::equal(macs.begin(), macs.end(), policy.macs.begin(), policy.macs.end(), equal) &&
         std::equal(addresses.begin(), addresses.end(), policy.addresses.begin(), policy.addresses.end(),
                    equal) &&
         std::equal(members.begin(), members.end(), policy.members.begin(), policy.members.end(), equal);
}

uint64_t GuardMaps::packets(uint32_t ifindex, nlb_guard_direction direction, uint16_t reason) const {
  const nlb_guard_counter_key key = {ifindex, static_cast<__u16>(direction), reason};
  std::vector<nlb_guard_counter> by_processor(
      static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
  if (bpf_map_lookup_elem(counters_, &key, by_processor.data()) != 0) return 0;
  uint64_t sum = 0;
  for (const auto& one : by_processor) sum += one.packets;
  return sum;
}

bool GuardMaps::has_sent(uint32_t ifindex) const {
  return packets(ifindex, NLB_GUARD_TRANSMIT, NLB_GUARD_REASON_passed) > 0 ||
         packets(ifindex, NLB_GUARD_TRANSMIT, NLB_GUARD_REASON_directed) > 0;
}

std::vector<ReasonCount> GuardMaps::counters() const {
  std::vector<ReasonCount> all;
  std::vector<nlb_guard_counter> by_processor(
      static_cast<std::size_t>(std::max(libbpf_num_possible_cpus(), 1)));
  for (const auto& key : keys_of<nlb_guard_counter_key>(counters_)) {
    if (bpf_map_lookup_elem(counters_, &key, by_processor.data()) != 0) continue;
    ReasonCount count{key.ifindex, key.direction, key.reason, {}};
    for (const auto& one : by_processor) {
      count.sum.packets += one.packets;
      count.sum.bytes += one.bytes;
    }
    all.push_back(count);
  }
  return all;
}

std::optional<nlb_guard_port> GuardMaps::port(uint32_t ifindex) const {
  nlb_guard_port value{};
  if (bpf_map_lookup_elem(ports_, &ifindex, &value) != 0) return std::nullopt;
  return value;
}

std::optional<nlb_guard_state> GuardMaps::state(uint32_t ifindex) const {
  nlb_guard_state value{};
  if (bpf_map_lookup_elem(states_, &ifindex, &value) != 0) return std::nullopt;
  return value;
}

std::vector<MacAddress> GuardMaps::learned(uint32_t ifindex) const {
  std::vector<MacAddress> macs;
  for (const auto& key : keys_of<nlb_guard_learned_key>(learned_)) {
    if (key.ifindex != ifindex) continue;
    MacAddress mac;
    std::copy(key.mac, key.mac + 6, mac.octets.begin());
    macs.push_back(mac);
  }
  std::sort(macs.begin(), macs.end());
  macs.erase(std::unique(macs.begin(), macs.end()), macs.end());
  return macs;
}

Result<void> GuardMaps::recover(uint32_t ifindex, Nanos now) {
  auto value = port(ifindex);
  if (!value) return {};
  value->recovered_ns = static_cast<uint64_t>(now);
  if (bpf_map_update_elem(ports_, &ifindex, &*value, BPF_EXIST) != 0)
    return fail(std::string("cannot recover a port: ") + std::strerror(errno), errno);
  return {};
}

Result<void> GuardMaps::fence(uint32_t ifindex) {
  auto value = port(ifindex);
  if (!value) return {};
  value->flags |= NLB_GUARD_PORT_FENCED;
  if (bpf_map_update_elem(ports_, &ifindex, &*value, BPF_EXIST) != 0)
    return fail(std::string("cannot fence a port: ") + std::strerror(errno), errno);
  const auto in_force = port(ifindex);
  if (in_force && (in_force->flags & NLB_GUARD_PORT_FENCED) == 0)
    return fail("a port was fenced, and somebody took that back at once");
  return {};
}

}  // namespace nlb::vmswitch
