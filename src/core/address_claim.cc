// SPDX-License-Identifier: Apache-2.0
#include "core/address_claim.hh"

#include <algorithm>

#include "base/limits.hh"

namespace nlb::core {

bool Claimants::contain(const MacAddress& mac) const {
  if (mac == cluster || mac == own) return true;
  for (HostId id = 1; id <= kMaxHosts; ++id)
    if (mac == masked_mac(primary_vip, id)) return true;
  return false;
}

std::optional<AddressConflict> conflict_in(const std::vector<IpAddress>& vips, const Claimants& ours,
                                           bool request, const MacAddress& sender_mac,
                                           const IpAddress& sender, const IpAddress& target, bool probing) {
  const auto is_vip = [&](const IpAddress& address) {
    return std::find(vips.begin(), vips.end(), address) != vips.end();
  };
  const bool probe = request && sender.is_unspecified();
  const IpAddress& claimed = probe ? target : sender;
  if (probe && !probing) return std::nullopt;
  if (!is_vip(claimed) || ours.contain(sender_mac)) return std::nullopt;
  return AddressConflict{claimed, sender_mac};
}

std::optional<AddressConflict> conflict_in(const std::vector<IpAddress>& vips, const Claimants& ours,
                                           const NdMessage& message, const MacAddress& source, bool probing) {
  MacAddress mac = message.mac.value_or(source);
  if (!message.solicitation) return conflict_in(vips, ours, false, mac, message.target, {}, probing);
  if (message.nonce == ours.cluster) mac = ours.cluster;  // a peer that is probing
  return conflict_in(vips, ours, true, mac, message.source, message.target, probing);
}

}  // namespace nlb::core
