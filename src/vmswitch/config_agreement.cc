// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/config_agreement.hh"

#include <algorithm>
#include <functional>
#include <map>

namespace nlb::vmswitch {
namespace {

// Complains of the later one of two declarations that give the same key; keys that are empty say nothing.
template <typename Key, typename T>
class Once {
 public:
  using Complain = std::function<void(Declared<T>& later, const Declared<T>& earlier)>;
  explicit Once(Complain complain) : complain_(std::move(complain)) {}
  void see(const Key& key, Declared<T>& declared) {
    const auto [earlier, is_new] = first_.try_emplace(key, &declared);
    if (!is_new && earlier->second != &declared) complain_(declared, *earlier->second);
  }

 private:
  Complain complain_;
  std::map<Key, Declared<T>*> first_;
};

using Switch = Declared<GuardedSwitch>;
using Cluster = Declared<DeclaredCluster>;
using Port = Declared<GuestPort>;

std::string vlan_text(uint16_t vlan) {
  return vlan == 0 ? "the untagged VLAN" : "VLAN " + std::to_string(vlan);
}

const DeclaredCluster* named(const Declarations& declared, const std::string& name) {
  const auto found = std::find_if(declared.clusters.begin(), declared.clusters.end(),
                                  [&](const Cluster& cluster) { return cluster.what.name == name; });
  return found == declared.clusters.end() ? nullptr : &found->what;
}

void judge_switches(Declarations& declared) {
  Once<std::string, GuardedSwitch> bridges([](Switch& later, const Switch&) {
    later.section.complain(
        "bridge", "\"" + later.what.bridge + "\" has a [[switch]] already; allowed: one [[switch]] a bridge");
  });
  std::map<std::string, std::string> bridge_of_uplink;
  for (auto& one : declared.switches) {
    if (!one.what.bridge.empty()) bridges.see(one.what.bridge, one);
    for (const auto& uplink : one.what.uplinks) {
      const auto [first, is_new] = bridge_of_uplink.try_emplace(uplink, one.what.bridge);
      if (!is_new && first->second != one.what.bridge)
        one.section.complain("uplinks", "holds " + uplink + ", which is an uplink of " + first->second +
                                            "; allowed: an interface of one bridge");
    }
  }
}

void judge_clusters(Declarations& declared) {
  Once<std::string, DeclaredCluster> names([](Cluster& later, const Cluster&) {
    later.section.complain("name", "\"" + later.what.name + "\" is taken; allowed: each cluster's name once");
  });
  using Address = std::pair<uint16_t, IpAddress>;
  using Mac = std::pair<uint16_t, MacAddress>;
  std::map<Address, const DeclaredCluster*> vips;
  std::map<Mac, const DeclaredCluster*> macs;
  for (auto& one : declared.clusters) {
    auto& cluster = one.what;
    if (!cluster.name.empty()) names.see(cluster.name, one);
    bool clashed = false;
    for (const auto& vip : cluster.vips) {
      const auto [first, is_new] = vips.try_emplace({cluster.vlan, vip}, &cluster);
      if (is_new || first->second == &cluster) continue;
      clashed = true;
      one.section.complain("vips", "holds " + vip.text() + ", a VIP of cluster \"" + first->second->name +
                                       "\" in " + vlan_text(cluster.vlan) +
                                       "; allowed: each VIP in one cluster of a VLAN");
    }
    for (const auto& mac : macs_of(cluster)) {
      const auto [first, is_new] = macs.try_emplace({cluster.vlan, mac}, &cluster);
      if (is_new || first->second == &cluster || clashed) continue;
      clashed = true;
      one.section.complain("name", "\"" + cluster.name + "\" uses " + mac.text() + " as cluster \"" +
                                       first->second->name + "\" does in " + vlan_text(cluster.vlan) +
                                       "; allowed: clusters of one VLAN with no MAC in common");
    }
  }
}

// `whole`: nobody will say more of the port.
void judge_membership(const Declarations& declared, Port& port, bool whole) {
  const auto& what = port.what;
  if (what.cluster.empty()) return;
  const auto* cluster = named(declared, what.cluster);
  if (cluster == nullptr) {
    std::vector<std::string> names;
    for (const auto& one : declared.clusters)
      if (one.what.name.empty()) return;  // its name was refused already, and may be this one
    for (const auto& one : declared.clusters) names.push_back("\"" + one.what.name + "\"");
    return port.section.complain(
        "cluster", "\"" + what.cluster + "\" is not declared; allowed: " +
                       (names.empty() ? "a [[cluster]] of this name, there is none" : joined(names)));
  }
  if (cluster->vlan != what.vlan && (whole || port.section.has("vlan")))
    port.section.complain("cluster", "\"" + what.cluster + "\" is in " + vlan_text(cluster->vlan) +
                                         ", the port in " + vlan_text(what.vlan) +
                                         "; allowed: a cluster of the port's VLAN");
  const bool numbered = cluster->type == ClusterType::nlb;
  if (!numbered && port.section.has("host_id"))
    port.section.complain("host_id", "does not go with cluster \"" + what.cluster + "\" of type \"" +
                                         name_of(cluster->type) + "\"; allowed: only with type \"nlb\"");
  if (!numbered) return;
  if (whole && !port.section.has("host_id") && what.mac_spoofing == MacSpoofing::cluster)
    port.section.complain("cluster",
                          "\"" + what.cluster + "\" needs a host id; allowed: also a line host_id = 1..64");
  if (what.host_id != 0 && cluster->hosts != 0 && (cluster->hosts & bit_of(what.host_id)) == 0)
    port.section.complain("host_id", "is " + std::to_string(what.host_id) +
                                         ", which is not in hosts of cluster \"" + what.cluster +
                                         "\"; allowed: one of its hosts");
}

void judge_names(Declarations& declared) {
  Once<std::pair<std::string, std::string>, GuestPort> adapters([](Port& later, const Port&) {
    later.section.complain("vm", "\"" + later.what.title() +
                                     "\" has a [[port]] already; allowed: one [[port]] for each adapter");
  });
  std::map<std::string, int> ports_of_vm;
  for (auto& port : declared.ports) {
    if (port.what.vm.empty()) continue;
    adapters.see({port.what.vm, port.what.adapter}, port);
    ++ports_of_vm[port.what.vm];
  }
  for (auto& port : declared.ports)
    if (port.what.adapter.empty() && !port.section.has("adapter") && ports_of_vm[port.what.vm] > 1 &&
        std::any_of(declared.ports.begin(), declared.ports.end(), [&](const Port& other) {
          return other.what.vm == port.what.vm && !other.what.adapter.empty();
        }))
      port.section.complain("vm", "\"" + port.what.vm +
                                      "\" has several adapters, this one has no name; allowed: also a line "
                                      "adapter = \"NAME\"");
}

void judge_interfaces(Declarations& declared) {
  Once<std::string, GuestPort> interfaces([](Port& later, const Port& earlier) {
    later.section.complain("interface", "\"" + later.what.interface + "\" is that of " +
                                            earlier.what.title() + "; allowed: one [[port]] an interface");
  });
  for (auto& port : declared.ports) {
    const auto& interface = port.what.interface;
    if (interface.empty()) continue;
    interfaces.see(interface, port);
    for (const auto& one : declared.switches) {
      const auto& uplinks = one.what.uplinks;
      if (std::find(uplinks.begin(), uplinks.end(), interface) != uplinks.end())
        port.section.complain("interface", "\"" + interface + "\" is an uplink of " + one.what.bridge +
                                               "; allowed: the interface of a guest");
      if (one.what.bridge == interface)
        port.section.complain("interface",
                              "\"" + interface + "\" is a guarded bridge; allowed: the interface of a guest");
    }
  }
}

void judge_port_addresses(Declarations& declared) {
  Once<MacAddress, GuestPort> macs([](Port& later, const Port& earlier) {
    later.section.complain("mac", later.what.mac.text() + " is that of " + earlier.what.title() +
                                      "; allowed: a MAC address of its own");
  });
  std::map<std::pair<uint16_t, IpAddress>, const GuestPort*> addresses;
  for (auto& port : declared.ports) {
    const auto& what = port.what;
    if (!what.mac.is_zero()) macs.see(what.mac, port);
    for (const auto& one : declared.clusters) {
      const auto& cluster = one.what;
      const auto theirs = macs_of(cluster);
      if (!what.mac.is_zero() && std::find(theirs.begin(), theirs.end(), what.mac) != theirs.end())
        port.section.complain("mac", what.mac.text() + " belongs to cluster \"" + cluster.name +
                                         "\"; allowed: a MAC address of its own");
    }
    for (const auto& address : what.addresses) {
      const auto [first, is_new] = addresses.try_emplace({what.vlan, address}, &what);
      if (!is_new && first->second != &what)
        port.section.complain("addresses", "holds " + address.text() + ", which is that of " +
                                               first->second->title() + " in " + vlan_text(what.vlan) +
                                               "; allowed: each address at one port of a VLAN");
      for (const auto& one : declared.clusters)
        if (one.what.vlan == what.vlan &&
            std::find(one.what.vips.begin(), one.what.vips.end(), address) != one.what.vips.end())
          port.section.complain("addresses", "holds " + address.text() + ", a VIP of cluster \"" +
                                                 one.what.name +
                                                 "\"; allowed: own addresses (the VIPs of the port's "
                                                 "cluster are implied)");
    }
  }
}

void judge_host_ids(Declarations& declared) {
  Once<std::pair<std::string, HostId>, GuestPort> ids([](Port& later, const Port& earlier) {
    later.section.complain("host_id", "is " + std::to_string(later.what.host_id) + " as that of " +
                                          earlier.what.title() + " in cluster \"" + later.what.cluster +
                                          "\"; allowed: a host id of its own");
  });
  for (auto& port : declared.ports)
    if (!port.what.cluster.empty() && port.what.host_id != 0)
      ids.see({port.what.cluster, port.what.host_id}, port);
}

}  // namespace

std::vector<MacAddress> macs_of(const DeclaredCluster& cluster) {
  if (cluster.type == ClusterType::macs) return cluster.macs;
  if (cluster.type == ClusterType::vrrp || cluster.type == ClusterType::carp) {
    if (cluster.vrid == 0 || cluster.vips.empty()) return {};
    // RFC 5798, 7.3: 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for IPv6. CARP has the first
    // alone.
    std::vector<MacAddress> macs;
    const auto has = [&](bool v4) {
      return std::any_of(cluster.vips.begin(), cluster.vips.end(),
                         [&](const IpAddress& vip) { return vip.is_v4() == v4; });
    };
    if (cluster.type == ClusterType::carp || has(true))
      macs.push_back(MacAddress{{0x00, 0x00, 0x5e, 0x00, 0x01, cluster.vrid}});
    if (cluster.type == ClusterType::vrrp && has(false))
      macs.push_back(MacAddress{{0x00, 0x00, 0x5e, 0x00, 0x02, cluster.vrid}});
    return macs;
  }
  if (cluster.vips.empty()) return {};
  const auto derived = cluster_macs(cluster.vips.front());
  std::vector<MacAddress> macs = {derived.heartbeat_group};
  if (cluster.mode == ClusterMode::igmp) macs.push_back(derived.igmp);
  if (cluster.mode != ClusterMode::unicast) return macs;
  macs.push_back(derived.unicast);
  for_each_host(cluster.hosts, [&](HostId id) { macs.push_back(masked_mac(cluster.vips.front(), id)); });
  return macs;
}

void reject_contradictions(Declarations& declared) {
  judge_switches(declared);
  judge_clusters(declared);
  judge_names(declared);
  judge_interfaces(declared);
  judge_port_addresses(declared);
  judge_host_ids(declared);
  for (auto& port : declared.ports) judge_membership(declared, port, true);
  for (auto& port : declared.waiting) judge_membership(declared, port, false);
}

}  // namespace nlb::vmswitch
