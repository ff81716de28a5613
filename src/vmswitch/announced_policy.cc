// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/announced_policy.hh"

namespace nlb::vmswitch {
namespace {

static_assert(static_cast<int>(MacSpoofing::off) == static_cast<int>(wire::PortSpoofing::off));
static_assert(static_cast<int>(MacSpoofing::cluster) == static_cast<int>(wire::PortSpoofing::cluster));
static_assert(static_cast<int>(MacSpoofing::on) == static_cast<int>(wire::PortSpoofing::on));

void add_declaration(wire::PolicyAnnouncement& told, const GuestPort& guest) {
  told.vm = guest.vm;
  told.adapter = guest.adapter;
  told.mac = guest.mac;
  told.mac_spoofing = static_cast<wire::PortSpoofing>(guest.mac_spoofing);
  told.cluster = guest.cluster;
  told.host_id = guest.host_id;
}

}  // namespace

AnnouncedPolicies announced_policies(const SwitchConfig& config, const std::vector<BridgePort>& present,
                                     const std::string& host) {
  AnnouncedPolicies all;
  for (const auto& port : present) {
    const auto* guarded = switch_of(config, port.bridge);
    if (guarded == nullptr || !guarded->announce || is_uplink(*guarded, port.interface)) continue;
    wire::PolicyAnnouncement told;
    told.host = host;
    told.bridge = port.bridge;
    told.port = port.interface;
    told.audit = guarded->policy == SwitchPolicy::audit;
    told.require_stopped = guarded->require_stopped;
    if (const auto* guest = config.port_on(port.interface))
      add_declaration(told, *guest);
    else if (guarded->unknown_ports == UnknownPorts::allow)  // as it is, though nobody declared it
      told.mac_spoofing = wire::PortSpoofing::on;
    all.emplace(port.ifindex, std::move(told));
  }
  return all;
}

}  // namespace nlb::vmswitch
