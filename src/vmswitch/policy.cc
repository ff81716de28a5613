// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/policy.hh"

#include <algorithm>
#include <sstream>

namespace nlb::vmswitch {
namespace {

void put(__u8 (&place)[6], const MacAddress& mac) {
  std::copy(mac.octets.begin(), mac.octets.end(), place);
}

nlb_guard_mac_key mac_key(uint16_t bridge, uint16_t vlan, const MacAddress& mac) {
  nlb_guard_mac_key key{};
  key.bridge = bridge;
  key.vlan = vlan;
  put(key.mac, mac);
  return key;
}

nlb_guard_address_key address_key(uint16_t bridge, uint16_t vlan, const IpAddress& address) {
  nlb_guard_address_key key{};
  key.bridge = bridge;
  key.vlan = vlan;
  std::copy(address.octets.begin(), address.octets.end(), key.address);
  return key;
}

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.octets[0] == 0xfe && (address.octets[1] & 0xc0) == 0x80;
}

// Windows and most of today's Linux form link-local addresses that do not follow from the MAC. They are open
// to a port unless its list shows that link-local addresses were thought of.
bool any_link_local(const GuestPort& port) {
  return std::none_of(port.addresses.begin(), port.addresses.end(), is_link_local);
}

bool is_unicast_nlb(const DeclaredCluster& cluster) {
  return cluster.type == ClusterType::nlb && cluster.mode == ClusterMode::unicast;
}

// The cluster that a port takes part in: under "off" it is only prepared.
const DeclaredCluster* cluster_of(const SwitchConfig& config, const GuestPort& port) {
  return port.mac_spoofing == MacSpoofing::off || port.cluster.empty() ? nullptr
                                                                       : config.cluster(port.cluster);
}

MacAddress masked_mac_of(const DeclaredCluster* cluster, const GuestPort& port) {
  const bool has = cluster != nullptr && is_unicast_nlb(*cluster) && port.host_id != 0;
  return has ? masked_mac(cluster->vips.front(), port.host_id) : MacAddress{};
}

uint32_t flags_of(const GuestPort& port, const DeclaredCluster* cluster) {
  uint32_t flags = 0;
  if (port.dhcp_guard) flags |= NLB_GUARD_PORT_DHCP_GUARD;
  if (port.router_guard) flags |= NLB_GUARD_PORT_ROUTER_GUARD;
  if (port.addresses_given) flags |= NLB_GUARD_PORT_ADDRESSES_SET;
  if (port.sticky) flags |= NLB_GUARD_PORT_STICKY;
  if (any_link_local(port)) flags |= NLB_GUARD_PORT_ANY_LINK_LOCAL;
  // Windows NLB gives the adapter the cluster MAC and answers for all its addresses with it.
  if (cluster != nullptr && is_unicast_nlb(*cluster)) flags |= NLB_GUARD_PORT_CLUSTER_DEDICATED;
  return flags;
}

nlb_guard_port guest_value(const GuestPort& port, const DeclaredCluster* cluster, uint16_t number) {
  nlb_guard_port value{};
  value.role = NLB_GUARD_ROLE_GUEST;
  value.spoofing = static_cast<__u8>(port.mac_spoofing);
  value.violation = static_cast<__u8>(port.violation);
  value.flags = flags_of(port, cluster);
  value.storm_limit_pps = port.storm_limit_pps;
  value.max_macs = port.max_macs;
  value.vlan = port.vlan;
  value.cluster = number;
  value.host_id = cluster != nullptr ? port.host_id : HostId{0};
  put(value.mac, port.mac);
  put(value.masked_mac, masked_mac_of(cluster, port));
  return value;
}
static_assert(static_cast<int>(MacSpoofing::cluster) == NLB_GUARD_SPOOFING_CLUSTER);
static_assert(static_cast<int>(MacSpoofing::on) == NLB_GUARD_SPOOFING_ON);
static_assert(static_cast<int>(ViolationAction::report) == NLB_GUARD_VIOLATION_REPORT);
static_assert(static_cast<int>(ViolationAction::shutdown) == NLB_GUARD_VIOLATION_SHUTDOWN);

nlb_guard_port nameless_value(nlb_guard_spoofing spoofing) {
  nlb_guard_port value{};
  value.role = NLB_GUARD_ROLE_GUEST;
  value.flags = NLB_GUARD_PORT_ANY_LINK_LOCAL;
  value.violation = NLB_GUARD_VIOLATION_DROP;
  value.spoofing = static_cast<__u8>(spoofing);
  return value;
}

// Without a policy a port passes nothing; in audit nothing may be dropped.
std::optional<nlb_guard_port> closed_value(const GuardedSwitch& guarded) {
  if (guarded.policy == SwitchPolicy::enforce) return std::nullopt;
  return nameless_value(NLB_GUARD_SPOOFING_OFF);
}

// A guest port that no [[port]] names.
std::optional<nlb_guard_port> unknown_value(const GuardedSwitch& guarded) {
  nlb_guard_port value = nameless_value(NLB_GUARD_SPOOFING_ON);
  switch (guarded.unknown_ports) {
    case UnknownPorts::allow:
      return value;
    case UnknownPorts::sticky:
      value.max_macs = 1;
      value.flags |= NLB_GUARD_PORT_STICKY;
      return value;
    case UnknownPorts::deny:
      break;
  }
  return closed_value(guarded);
}

// Whether members of a cluster cannot be but on the bridge itself and where this port's frames come from.
bool directs(const GuardedSwitch& guarded, const nlb_guard_port& port) {
  if (!guarded.steering || guarded.policy != SwitchPolicy::enforce) return false;
  return guarded.uplinks.size() == (port.role == NLB_GUARD_ROLE_UPLINK ? 1U : 0U);
}

// Of a set that cannot be told in full: nothing goes to one member alone.
nlb_steering_members nobody(nlb_steering_members set) {
  std::fill(std::begin(set.ifindex), std::end(set.ifindex), 0U);
  set.count = 0;
  return set;
}

nlb_steering_members united(nlb_steering_members set, const nlb_steering_members& other) {
  const bool same_mac = std::equal(std::begin(set.mac), std::end(set.mac), std::begin(other.mac));
  if (set.count == 0 || other.count == 0 || !same_mac) return nobody(set);
  const std::size_t of_set = set.count;
  for (std::size_t i = 0; i < other.count; ++i) {
    if (std::count(set.ifindex, set.ifindex + of_set, other.ifindex[i]) != 0) continue;
    if (set.count == std::size(set.ifindex)) return nobody(set);
    set.ifindex[set.count++] = other.ifindex[i];
  }
  return set;
}

constexpr uint32_t kElsewhere = 0;  // the interface index of a port that is not here

class Compiler {
 public:
  Compiler(const SwitchConfig& config, const std::vector<BridgePort>& present, const ClusterNumbers& numbers)
      : config_(config), numbers_(numbers) {
    for (bridge_ = 1; bridge_ <= config_.switches.size(); ++bridge_) {
      nameless_vlans_ = nameless_vlans(config_.switches[bridge_ - 1U].bridge, present);
      filters_vlans_ = std::any_of(present.begin(), present.end(), [&](const BridgePort& port) {
        return port.bridge == config_.switches[bridge_ - 1U].bridge && port.vlans.has_value();
      });
      for (const auto& cluster : config_.clusters) add_cluster(cluster);
      for (const auto& port : config_.ports)
        if (!is_here(port, present) && port.refused.empty())
          add_guest_addresses(kElsewhere, port, cluster_of(config_, port), vlans_of(port.vlan));
      for (const auto& port : present)
        if (port.bridge == config_.switches[bridge_ - 1U].bridge)
          add_port(port, config_.switches[bridge_ - 1U]);
      if (config_.switches[bridge_ - 1U].steering) add_members();
    }
  }
  [[nodiscard]] Policy result() && { return std::move(policy_); }

 private:
  [[nodiscard]] bool is_here(const GuestPort& guest, const std::vector<BridgePort>& present) const {
    return !guest.incoming && std::any_of(present.begin(), present.end(), [&](const BridgePort& port) {
      return port.interface == guest.interface && switch_of(config_, port.bridge) != nullptr;
    });
  }

  // Untagged at ports for which no VLAN is declared.
  [[nodiscard]] std::set<uint16_t> nameless_vlans(const std::string& bridge,
                                                  const std::vector<BridgePort>& present) const {
    std::set<uint16_t> vlans;
    for (const auto& port : present) {
      const auto* guest = config_.port_on(port.interface);
      if (port.bridge == bridge && (guest == nullptr || guest->vlan == 0)) add_untagged(vlans, port);
    }
    if (vlans.empty()) vlans.insert(0);
    return vlans;
  }

  static void add_untagged(std::set<uint16_t>& vlans, const BridgePort& port) {
    if (!port.vlans) return;
    if (port.vlans->pvid != 0) vlans.insert(port.vlans->pvid);
    vlans.insert(port.vlans->untagged.begin(), port.vlans->untagged.end());
  }

  // In which something that was declared for this VLAN is to be found.
  [[nodiscard]] std::set<uint16_t> vlans_of(uint16_t declared) const {
    return declared != 0 ? std::set<uint16_t>{declared} : nameless_vlans_;
  }

  [[nodiscard]] std::set<uint16_t> vlans_of(const GuestPort& guest, const BridgePort& port) const {
    std::set<uint16_t> vlans;
    add_untagged(vlans, port);
    if (guest.vlan != 0 || vlans.empty()) vlans.insert(guest.vlan);
    return vlans;
  }

  void add_port(const BridgePort& port, const GuardedSwitch& guarded) {
    const auto* guest = config_.port_on(port.interface);
    std::optional<nlb_guard_port> value;
    if (is_uplink(guarded, port.interface)) {
      value.emplace();
      value->role = NLB_GUARD_ROLE_UPLINK;
    } else if (guest != nullptr && !guest->refused.empty()) {
      value = closed_value(guarded);
    } else if (guest != nullptr) {
      const auto* cluster = cluster_of(config_, *guest);
      value = guest_value(*guest, cluster, cluster != nullptr ? numbers_.of(cluster->name) : uint16_t{0});
      if (!guest->incoming) add_guest_addresses(port.ifindex, *guest, cluster, vlans_of(*guest, port));
    } else {
      value = unknown_value(guarded);
    }
    if (!value) return;
    if (guarded.policy == SwitchPolicy::audit) value->flags |= NLB_GUARD_PORT_AUDIT;
    if (directs(guarded, *value)) value->flags |= NLB_GUARD_PORT_DIRECTS;
    value->bridge = bridge_;
    if (port.vlans && port.vlans->pvid != 0) value->vlan = port.vlans->pvid;
    policy_.ports[port.ifindex] = *value;
  }

  // The bridge does not know yet that the MAC of a machine which comes from another host is here.
  [[nodiscard]] bool awaits_member(const DeclaredCluster& cluster) const {
    return std::any_of(config_.ports.begin(), config_.ports.end(),
                       [&](const GuestPort& port) { return port.incoming && port.cluster == cluster.name; });
  }

  // Whoever gets a cluster's frames here, also who will never announce: nothing is kept from it then.
  void add_members() {
    for (const auto& cluster : config_.clusters) {
      if (!is_unicast_nlb(cluster)) continue;
      const nlb_steering_members_key key{bridge_, numbers_.of(cluster.name)};
      nlb_steering_members members{};
      put(members.mac, cluster_macs(cluster.vips.front()).unicast);
      std::size_t count = 0;
      for (const auto& [ifindex, port] : policy_.ports) {
        if (port.bridge != bridge_ || port.cluster != key.cluster) continue;
        if (count < std::size(members.ifindex)) members.ifindex[count] = ifindex;
        ++count;
      }
      members.count = static_cast<__u16>(count);
      if (count > std::size(members.ifindex) || awaits_member(cluster)) members = nobody(members);
      if (count > 0) policy_.members[key] = members;
    }
  }

  void add_guest_addresses(uint32_t ifindex, const GuestPort& port, const DeclaredCluster* cluster,
                           const std::set<uint16_t>& vlans) {
    nlb_guard_mac own{};
    own.ifindex = ifindex;
    own.kind = NLB_GUARD_MAC_PORT;
    own.cluster = cluster != nullptr ? numbers_.of(cluster->name) : uint16_t{0};
    policy_.macs[mac_key(bridge_, NLB_GUARD_ANY_VLAN, port.mac)] = own;
    const MacAddress masked = masked_mac_of(cluster, port);
    if (!masked.is_zero())
      for (const uint16_t vlan : vlans_of(cluster->vlan))
        policy_.macs[mac_key(bridge_, vlan, masked)].ifindex = ifindex;
    if (ifindex != kElsewhere) {
      policy_.pinned.insert({ifindex, port.mac});
      if (!masked.is_zero()) policy_.pinned.insert({ifindex, masked});
      if (cluster != nullptr && cluster->type == ClusterType::nlb && cluster->mode != ClusterMode::unicast)
        policy_.in_groups.insert(ifindex);
    }
    for (const auto& address : port.addresses) {
      nlb_guard_address value{};
      value.ifindex = ifindex;
      value.kind = NLB_GUARD_ADDRESS_OWN;
      if ((flags_of(port, cluster) & NLB_GUARD_PORT_CLUSTER_DEDICATED) != 0) value.cluster = own.cluster;
      value.flags = port.mac_spoofing == MacSpoofing::on ? NLB_GUARD_BIND_ANY : 0;
      put(value.mac, port.mac);
      put(value.other_mac, masked);
      for (const uint16_t vlan : vlans) policy_.addresses[address_key(bridge_, vlan, address)] = value;
    }
  }

  void add_mac(const DeclaredCluster& cluster, const MacAddress& mac, nlb_guard_mac_kind kind,
               HostId host = 0) {
    nlb_guard_mac value{};
    value.cluster = numbers_.of(cluster.name);
    value.kind = static_cast<__u8>(kind);
    value.host_id = host;
    for (const uint16_t vlan : vlans_of(cluster.vlan)) policy_.macs[mac_key(bridge_, vlan, mac)] = value;
    // A bridge that filters no VLANs has one table for all: with whatever tag a stranger sends from such a
    // MAC, it is learned at his port. Who has it in his own VLAN is found there first.
    if (kind == NLB_GUARD_MAC_VIRTUAL && !filters_vlans_)
      policy_.macs.try_emplace(mac_key(bridge_, NLB_GUARD_ANY_VLAN, mac), value);
  }

  void add_vip(const DeclaredCluster& cluster, const IpAddress& vip, const MacAddress& mac, int flags) {
    nlb_guard_address value{};
    value.cluster = numbers_.of(cluster.name);
    value.kind = NLB_GUARD_ADDRESS_VIP;
    value.flags = static_cast<__u8>(flags);
    put(value.mac, mac);
    for (const uint16_t vlan : vlans_of(cluster.vlan))
      policy_.addresses[address_key(bridge_, vlan, vip)] = value;
  }

  void add_nlb(const DeclaredCluster& cluster) {
    const auto& primary = cluster.vips.front();
    const auto macs = cluster_macs(primary);
    add_mac(cluster, macs.heartbeat_group, NLB_GUARD_MAC_GROUP);
    MacAddress bound = macs.multicast;
    if (cluster.mode == ClusterMode::igmp) {
      bound = macs.igmp;
      add_mac(cluster, bound, NLB_GUARD_MAC_GROUP);
    } else if (cluster.mode == ClusterMode::unicast) {
      bound = macs.unicast;
      add_mac(cluster, bound, NLB_GUARD_MAC_CLUSTER);
      policy_.never_learned.insert(bound);
      for_each_host(cluster.hosts,
                    [&](HostId id) { add_mac(cluster, masked_mac(primary, id), NLB_GUARD_MAC_MASKED, id); });
    }
    for (const auto& vip : cluster.vips) add_vip(cluster, vip, bound, 0);
  }

  // Routers without virtual MACs (keepalived's default) announce the VIP with their own.
  void add_virtual_router(const DeclaredCluster& cluster) {
    const MacAddress v4{{0x00, 0x00, 0x5e, 0x00, 0x01, cluster.vrid}};
    const MacAddress v6{{0x00, 0x00, 0x5e, 0x00, 0x02, cluster.vrid}};
    const bool vrrp = cluster.type == ClusterType::vrrp;
    for (const auto& vip : cluster.vips) {
      const auto& mac = vrrp && !vip.is_v4() ? v6 : v4;
      add_mac(cluster, mac, NLB_GUARD_MAC_VIRTUAL);
      add_vip(cluster, vip, mac, vrrp ? NLB_GUARD_BIND_OWN : 0);
    }
  }

  void add_cluster(const DeclaredCluster& cluster) {
    switch (cluster.type) {
      case ClusterType::nlb:
        return add_nlb(cluster);
      case ClusterType::vrrp:
      case ClusterType::carp:
        return add_virtual_router(cluster);
      case ClusterType::macs:
        for (const auto& mac : cluster.macs) add_mac(cluster, mac, NLB_GUARD_MAC_VIRTUAL);
        for (const auto& vip : cluster.vips) add_vip(cluster, vip, MacAddress{}, NLB_GUARD_BIND_VIRTUAL);
    }
  }

  const SwitchConfig& config_;
  const ClusterNumbers& numbers_;
  // Whose sets are being filled: by the order of the file. It may change at a reload: keys hold the number,
  // so that a port goes from the old entries to the new ones by the single write of its policy.
  uint16_t bridge_ = 0;
  std::set<uint16_t> nameless_vlans_;  // there
  bool filters_vlans_ = false;         // the bridge, by its ports
  Policy policy_;
};

}  // namespace

void ClusterNumbers::follow(const std::vector<DeclaredCluster>& clusters) {
  std::map<std::string, uint16_t> kept;
  std::set<uint16_t> taken;
  for (const auto& cluster : clusters)
    if (const auto number = of(cluster.name); number != 0) {
      kept[cluster.name] = number;
      taken.insert(number);
    }
  uint16_t next = 1;
  for (const auto& cluster : clusters) {
    if (kept.contains(cluster.name)) continue;
    while (taken.contains(next)) ++next;
    kept[cluster.name] = next;
    taken.insert(next);
  }
  numbers_ = std::move(kept);
}

uint16_t ClusterNumbers::of(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? uint16_t{0} : found->second;
}

std::string ClusterNumbers::name_of(uint16_t number) const {
  for (const auto& [name, its_number] : numbers_)
    if (its_number == number) return name;
  return "";
}

std::string ClusterNumbers::text() const {
  std::string text;
  for (const auto& [name, number] : numbers_) text += std::to_string(number) + " " + name + "\n";
  return text;
}

ClusterNumbers ClusterNumbers::parse(const std::string& text) {
  ClusterNumbers result;
  std::set<uint32_t> taken;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    uint32_t number = 0;
    std::string name;
    if (!(words >> number >> name) || number == 0 || number > NLB_GUARD_MAX_CLUSTERS) continue;
    if (taken.insert(number).second) result.numbers_[name] = static_cast<uint16_t>(number);
  }
  return result;
}

Policy compile_policy(const SwitchConfig& config, const std::vector<BridgePort>& present,
                      const ClusterNumbers& numbers) {
  return Compiler(config, present, numbers).result();
}

const GuardedSwitch* switch_of(const SwitchConfig& config, const std::string& bridge) {
  const auto found = std::find_if(config.switches.begin(), config.switches.end(),
                                  [&](const GuardedSwitch& one) { return one.bridge == bridge; });
  return found == config.switches.end() ? nullptr : &*found;
}

bool is_uplink(const GuardedSwitch& guarded, const std::string& interface) {
  return std::find(guarded.uplinks.begin(), guarded.uplinks.end(), interface) != guarded.uplinks.end();
}

MemberMap united(MemberMap sets, const MemberMap& others) {
  for (const auto& [key, other] : others) {
    const auto [place, is_new] = sets.try_emplace(key, other);
    if (!is_new) place->second = united(place->second, other);
  }
  return sets;
}

std::vector<MemberPort> member_ports(const SwitchConfig& config, const std::vector<BridgePort>& present,
                                     const ClusterNumbers& numbers) {
  std::vector<MemberPort> members;
  for (const auto& port : present) {
    const auto* guarded = switch_of(config, port.bridge);
    const auto* guest = config.port_on(port.interface);
    if (guarded == nullptr || guest == nullptr || is_uplink(*guarded, port.interface)) continue;
    if (guest->mac_spoofing != MacSpoofing::cluster) continue;
    const auto* cluster = config.cluster(guest->cluster);
    if (cluster != nullptr && cluster->type == ClusterType::nlb)
      members.push_back({port, *guarded, *guest, numbers.of(cluster->name)});
  }
  return members;
}

}  // namespace nlb::vmswitch
