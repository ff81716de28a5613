// SPDX-License-Identifier: Apache-2.0
#include "sim/switch.hh"

#include "core/planted.hh"

namespace nlb::sim {

void Switch::plug(Port port, HostId member, const MacAddress& mac) {
  plugs_[port] = {member, mac, masked_mac(vip_, member), true};
  if (member != 0) members_ |= bit_of(port);
}

void Switch::unplug(Port port) {
  plugs_[port] = {};
  members_ &= ~bit_of(port);
  std::erase_if(table_, [&](const auto& entry) { return entry.second == port; });
}

std::optional<std::string> Switch::refusal(Port port, const MacAddress& source) {
  const Plug& plug = plugs_[port];
  if (source != plug.mac && !core::planted(core::Bug::guard_asleep) &&
      !(plug.member != 0 && source == plug.masked))
    return "port " + std::to_string(port) + " sends from " + source.text() + ", which is not its own";
  table_[source] = port;
  return std::nullopt;
}

HostSet Switch::ports_for(Port from, const MacAddress& destination) const {
  const HostSet others = members_ & ~(from == 0 ? 0 : bit_of(from));
  if (destination == macs_.heartbeat_group || destination == macs_.unicast) return others;
  const auto known = table_.find(destination);
  if (known != table_.end()) return known->second == from ? 0 : bit_of(known->second);
  HostSet owners = 0;  // flooded; an adapter takes what is sent to its own MAC
  for_each_host(others, [&](Port port) {
    if (plugs_[port].mac == destination) owners |= bit_of(port);
  });
  return owners;
}

}  // namespace nlb::sim
