// SPDX-License-Identifier: Apache-2.0
#include "guard/guard_trial.hh"

#include <algorithm>

namespace nlb {
namespace {

MacAddress mac_of(const __u8 (&octets)[6]) {
  MacAddress made;
  std::copy_n(octets, 6, made.octets.begin());
  return made;
}

bool is_group(const MacAddress& mac) {
  return (mac.octets[0] & 1) != 0;
}

bool is_broadcast(const MacAddress& mac) {
  return std::all_of(mac.octets.begin(), mac.octets.end(), [](uint8_t octet) { return octet == 0xff; });
}

bool looks_like_nlb(const MacAddress& mac) {
  return (mac.octets[0] == 2 || mac.octets[0] == 3) && mac.octets[1] == 0xbf;
}

bool is_common(const nlb_guard_mac& owner) {  // of a cluster's members
  return owner.kind != NLB_GUARD_MAC_PORT && owner.kind != NLB_GUARD_MAC_MASKED;
}

bool starts_with(const MacAddress& mac, std::initializer_list<uint8_t> octets) {
  return std::equal(octets.begin(), octets.end(), mac.octets.begin());
}

bool steers_switches(const MacAddress& mac) {
  if (starts_with(mac, {0x01, 0x80, 0xc2, 0x00, 0x00})) return mac.octets[5] < 16;
  return starts_with(mac, {0x01, 0x00, 0x0c, 0xcc, 0xcc}) && (mac.octets[5] == 0xcc || mac.octets[5] == 0xcd);
}

nlb_guard_reason unlisted(Speech speech) {
  return speech == Speech::arp  ? NLB_GUARD_REASON_arp_address
         : speech == Speech::nd ? NLB_GUARD_REASON_nd_address
                                : NLB_GUARD_REASON_ip_address;
}

}  // namespace

GuardModel::Trial::Trial(GuardModel& model, uint32_t ifindex, const nlb_guard_port& port,
                         GuardDecision& decision, Nanos now)
    : model_(model), ifindex_(ifindex), port_(port), decision_(decision), now_(now), own_(mac_of(port.mac)) {}

bool GuardModel::Trial::is_member_of(uint16_t cluster) const {
  return port_.spoofing != NLB_GUARD_SPOOFING_OFF && port_.cluster != 0 && port_.cluster == cluster;
}

bool GuardModel::Trial::is_heartbeat() const {
  return frame_->type == 0x88b5 || frame_->type == 0x886f || frame_->ip_protocol == 253;
}

bool GuardModel::Trial::is_down() const {
  if (port_.violation != NLB_GUARD_VIOLATION_SHUTDOWN || has(NLB_GUARD_PORT_AUDIT)) return false;
  const auto state = model_.states_.find(ifindex_);
  return state != model_.states_.end() && state->second.down > static_cast<Nanos>(port_.recovered_ns);
}

Refusal GuardModel::Trial::blame(nlb_guard_reason reason, const MacAddress& mac) {
  decision_.mac = mac;
  return reason;
}

Refusal GuardModel::Trial::blame(nlb_guard_reason reason, const MacAddress& mac, const IpAddress& address) {
  decision_.address = address;
  return blame(reason, mac);
}

Refusal GuardModel::Trial::transmit(const GuardFrame& frame, const TaggedFrame& whole) {
  const bool is_policy = frame.whole && !frame.too_deep && frame.type == NLB_ETHERTYPE_POLICY;
  if (is_fenced() && !is_policy) return NLB_GUARD_REASON_fenced;
  if (!frame.whole) return NLB_GUARD_REASON_short_frame;
  frame_ = &frame;
  if (frame.too_deep || (is_guest() && frame.nested)) return NLB_GUARD_REASON_double_tagged;
  if (const Refusal refused = source()) return refused;
  if (const Refusal refused = destination(whole)) return refused;
  for (const Saying& saying : frame.payload.sayings) {
    if (const Refusal refused = std::visit([this](const auto& what) { return says(what); }, saying))
      return refused;
  }
  if (const Refusal refused = left_to_do(whole)) return refused;
  const Refusal too_many = is_guest() ? rate() : std::nullopt;
  return too_many ? too_many : direct(whole);
}

Refusal GuardModel::Trial::receive(const GuardFrame& frame, const TaggedFrame& whole) {
  if (!is_guest()) return std::nullopt;
  if (!frame.whole) return NLB_GUARD_REASON_short_frame;
  if (frame.too_deep) return NLB_GUARD_REASON_double_tagged;
  const MacAddress& to = frame.destination;
  if (frame.type == NLB_ETHERTYPE_POLICY) {
    if (to == *MacAddress::parse("01:80:c2:00:00:0e")) return std::nullopt;
    return NLB_GUARD_REASON_forged_announcement;
  }
  if (is_fenced()) return NLB_GUARD_REASON_fenced;
  if (is_own(to) || is_broadcast(to)) return std::nullopt;
  frame_ = &frame;
  const nlb_guard_mac* found = owner(to);
  const bool wanted = found != nullptr ? !declared_mac(*found) : is_group(to) || may_spoof();
  if (!wanted) return NLB_GUARD_REASON_not_for_port;
  if (found == nullptr || !is_common(*found)) return std::nullopt;
  const auto reason = steer(whole);
  return reason == NLB_GUARD_REASON_passed ? Refusal{} : Refusal{reason};
}

// Who sends.

Refusal GuardModel::Trial::source() {
  if (frame_->source.is_zero()) return NLB_GUARD_REASON_source_zero;
  if (is_group(frame_->source)) return NLB_GUARD_REASON_source_multicast;
  return is_guest() ? guest_source() : uplink_source();
}

Refusal GuardModel::Trial::guest_source() {
  if (is_own(frame_->source)) return std::nullopt;
  if (const nlb_guard_mac* found = owner(frame_->source)) {
    if (const Refusal refused = declared_mac(*found)) return refused;
    if (found->kind == NLB_GUARD_MAC_CLUSTER) return NLB_GUARD_REASON_cluster_source;
    return std::nullopt;
  }
  if (looks_like_nlb(frame_->source)) return NLB_GUARD_REASON_rogue_cluster;
  if (may_spoof()) return learn();
  return NLB_GUARD_REASON_source_spoofed;
}

Refusal GuardModel::Trial::learn() {
  if (port_.max_macs == 0) return std::nullopt;
  auto& learned = model_.states_[ifindex_].learned;
  if (learned.contains(frame_->source)) return std::nullopt;
  const std::size_t reserved = own_.is_zero() ? 0 : 1;
  if (learned.size() + reserved >= port_.max_macs) return NLB_GUARD_REASON_too_many_macs;
  learned.insert(frame_->source);
  return std::nullopt;
}

Refusal GuardModel::Trial::uplink_source() const {
  const nlb_guard_mac* found = owner(frame_->source);
  if (found == nullptr) return std::nullopt;
  if (found->kind == NLB_GUARD_MAC_CLUSTER) return NLB_GUARD_REASON_cluster_source;
  if (found->kind == NLB_GUARD_MAC_MASKED && found->ifindex != 0) return NLB_GUARD_REASON_duplicate_host_id;
  if (found->kind == NLB_GUARD_MAC_PORT && found->ifindex != 0) return NLB_GUARD_REASON_neighbour_mac;
  return std::nullopt;
}

Refusal GuardModel::Trial::declared_mac(const nlb_guard_mac& owner) const {
  if (owner.kind == NLB_GUARD_MAC_PORT) {
    if (owner.ifindex == ifindex_) return std::nullopt;
    return NLB_GUARD_REASON_neighbour_mac;
  }
  if (!is_member_of(owner.cluster)) return NLB_GUARD_REASON_foreign_cluster;
  if (owner.kind == NLB_GUARD_MAC_MASKED && owner.host_id != port_.host_id)
    return NLB_GUARD_REASON_duplicate_host_id;
  return std::nullopt;
}

Refusal GuardModel::Trial::undeclared_mac(const MacAddress& mac, nlb_guard_reason otherwise) const {
  if (may_spoof()) {
    if (mac.is_zero() || is_broadcast(mac)) return otherwise;
    return std::nullopt;
  }
  return looks_like_nlb(mac) ? NLB_GUARD_REASON_rogue_cluster : otherwise;
}

// To whom.

Refusal GuardModel::Trial::destination(const TaggedFrame& whole) {
  const MacAddress& to = frame_->destination;
  if (frame_->type == NLB_ETHERTYPE_POLICY) return announcement(whole);
  if (!is_guest()) return std::nullopt;
  if (steers_switches(to) && frame_->type != 0x88cc) return NLB_GUARD_REASON_link_control;
  const nlb_guard_mac* found = is_heartbeat() ? owner(to) : nullptr;
  if (found != nullptr && is_common(*found) && !is_member_of(found->cluster))
    return NLB_GUARD_REASON_foreign_heartbeat;
  return std::nullopt;
}

// As a bucket that leaks: `until` is when it will have run empty.
bool GuardModel::Trial::fits(Nanos& until, uint32_t per_second) const {
  const Nanos drop = kSecond / per_second, brim = std::max(drop, static_cast<Nanos>(NLB_GUARD_BURST_NS));
  const Nanos level = std::max<Nanos>(until - now_, 0);
  if (level + drop > brim) return false;
  until = now_ + level + drop;
  return true;
}

Refusal GuardModel::Trial::rate() {
  if (port_.storm_limit_pps == 0 || !is_group(frame_->destination)) return std::nullopt;
  State& state = model_.states_[ifindex_];
  const nlb_guard_mac* to = owner(frame_->destination);
  if (is_heartbeat() && to != nullptr && is_common(*to) && is_member_of(to->cluster)) {
    if (fits(state.heartbeats_until, NLB_GUARD_HEARTBEAT_PPS)) return std::nullopt;
    return NLB_GUARD_REASON_heartbeat_storm;
  }
  if (fits(state.storm_until, port_.storm_limit_pps)) return std::nullopt;
  return NLB_GUARD_REASON_storm;
}

// What is done to it afterwards must leave alone what was judged. Four octets: the ports.
Refusal GuardModel::Trial::left_to_do(const TaggedFrame& whole) const {
  constexpr int kPorts = 4;
  std::optional<std::size_t> transport = frame_->payload.transport;
  if (!is_guest() && frame_->type == 0x0800) transport = 0;  // not read
  const bool harmless =
      transport ? !whole.checksum ||
                      (whole.checksum->begin >= static_cast<int>(frame_->payload_at + *transport) &&
                       whole.checksum->field >= static_cast<int>(frame_->payload_at + *transport) + kPorts)
                : !whole.checksum && !whole.is_large;
  if (harmless) return std::nullopt;
  return NLB_GUARD_REASON_checksum_offload;
}

// What it says.

Refusal GuardModel::Trial::says(const saying::Broken& what) {
  if (is_guest() || what.from_everybody) return what.reason;
  return std::nullopt;
}

Refusal GuardModel::Trial::says(const saying::UsesAddress& what) {
  if (!is_guest()) return std::nullopt;
  const Refusal refused = address(what.address, what.speech);
  if (refused) decision_.address = what.address;
  return refused;
}

Refusal GuardModel::Trial::says(const saying::Binds& what) {
  if (!is_guest()) return says(saying::Mentions{what.address, what.mac});
  if (!is_own(what.mac)) {
    const nlb_guard_mac* found = owner(what.mac);
    const auto otherwise = what.speech == Speech::arp ? NLB_GUARD_REASON_arp_mac : NLB_GUARD_REASON_nd_mac;
    const Refusal refused = found != nullptr ? declared_mac(*found) : undeclared_mac(what.mac, otherwise);
    if (refused) return blame(*refused, what.mac);
  }
  if (what.address.is_unspecified()) return std::nullopt;
  if (const Refusal refused = address(what.address, what.speech))
    return blame(*refused, what.mac, what.address);
  if (goes_with(what.address, what.mac)) return std::nullopt;
  return blame(NLB_GUARD_REASON_vip_mac, what.mac, what.address);
}

Refusal GuardModel::Trial::says(const saying::Mentions& what) {
  const nlb_guard_address* entry = model_.entry_of(segment(), what.address);
  if (entry == nullptr || !contradicts(*entry, what.mac)) return std::nullopt;
  const bool vip = entry->kind == NLB_GUARD_ADDRESS_VIP;
  return blame(vip ? NLB_GUARD_REASON_vip_mac : NLB_GUARD_REASON_neighbour_address, what.mac, what.address);
}

Refusal GuardModel::Trial::says(const saying::Rarp& what) {
  if (!is_guest() || is_own(what.mac)) return std::nullopt;
  const bool nobodys = !is_group(what.mac) && !what.mac.is_zero() && owner(what.mac) == nullptr;
  if (may_spoof() && nobodys) return std::nullopt;
  return blame(NLB_GUARD_REASON_rarp, what.mac);
}

Refusal GuardModel::Trial::says(const saying::AdvertisesRouter& /*what*/) const {
  if (is_guest() && has(NLB_GUARD_PORT_ROUTER_GUARD)) return NLB_GUARD_REASON_router_advertisement;
  return std::nullopt;
}

Refusal GuardModel::Trial::says(const saying::Redirects& /*what*/) const {
  if (is_guest() && has(NLB_GUARD_PORT_ROUTER_GUARD)) return NLB_GUARD_REASON_redirect;
  return std::nullopt;
}

Refusal GuardModel::Trial::says(const saying::ServesDhcp& /*what*/) const {
  if (is_guest() && has(NLB_GUARD_PORT_DHCP_GUARD)) return NLB_GUARD_REASON_dhcp_server;
  return std::nullopt;
}

Refusal GuardModel::Trial::says(const saying::HidesPort& /*what*/) const {
  if (is_guest() && has(NLB_GUARD_PORT_DHCP_GUARD)) return NLB_GUARD_REASON_header_chain;
  return std::nullopt;
}

Refusal GuardModel::Trial::says(const saying::AdvertisesVirtualRouter& what) const {
  if (!is_guest()) return std::nullopt;
  for (const uint8_t family : {uint8_t{1}, uint8_t{2}}) {
    if (family == 2 && !what.ipv6) break;
    const nlb_guard_mac* found = owner(MacAddress{{0, 0, 0x5e, 0, family, what.number}});
    if (found != nullptr && found->kind == NLB_GUARD_MAC_VIRTUAL && !is_member_of(found->cluster))
      return NLB_GUARD_REASON_foreign_advertisement;
  }
  return std::nullopt;
}

// Whose address, and at which MAC.

bool GuardModel::Trial::is_own_link_local(const IpAddress& address) const {
  const auto& octets = address.octets;
  if (octets[0] != 0xfe || octets[1] >> 6 != 2) return false;
  if (has(NLB_GUARD_PORT_ANY_LINK_LOCAL)) return true;
  const auto& own = own_.octets;
  const std::array<uint8_t, 16> made{
      0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<uint8_t>(own[0] ^ 2),
      own[1], own[2], 0xff, 0xfe, own[3], own[4], own[5]};
  return octets == made;
}

Refusal GuardModel::Trial::address(const IpAddress& address, Speech speech) const {
  if (address.is_unspecified()) return std::nullopt;
  const nlb_guard_address* entry = model_.entry_of(segment(), address);
  if (entry == nullptr) {
    if (!has(NLB_GUARD_PORT_ADDRESSES_SET) || is_own_link_local(address)) return std::nullopt;
    return unlisted(speech);
  }
  if (entry->kind == NLB_GUARD_ADDRESS_OWN) {
    if (entry->ifindex == ifindex_) return std::nullopt;
    return NLB_GUARD_REASON_neighbour_address;
  }
  if (is_member_of(entry->cluster)) return std::nullopt;
  return NLB_GUARD_REASON_foreign_vip;
}

bool GuardModel::Trial::goes_with(const IpAddress& address, const MacAddress& mac) const {
  const nlb_guard_address* entry = model_.entry_of(segment(), address);
  const nlb_guard_mac* found = owner(mac);
  if (entry == nullptr || entry->kind == NLB_GUARD_ADDRESS_OWN) {
    if (is_own(mac) || found == nullptr || !is_common(*found)) return true;
    return has(NLB_GUARD_PORT_CLUSTER_DEDICATED);
  }
  if (mac == mac_of(entry->mac)) return true;
  if (is_own(mac)) return (entry->flags & NLB_GUARD_BIND_OWN) != 0;
  return found != nullptr && found->kind == NLB_GUARD_MAC_VIRTUAL &&
         (entry->flags & NLB_GUARD_BIND_VIRTUAL) != 0;
}

bool GuardModel::Trial::contradicts(const nlb_guard_address& entry, const MacAddress& mac) const {
  if (entry.kind == NLB_GUARD_ADDRESS_OWN && entry.ifindex == 0) return false;
  if (mac.is_zero()) return true;
  if (mac == mac_of(entry.mac)) return false;
  const nlb_guard_mac* found = owner(mac);
  if (entry.kind == NLB_GUARD_ADDRESS_OWN) {
    if (mac == mac_of(entry.other_mac)) return false;
    if (found != nullptr && found->kind == NLB_GUARD_MAC_CLUSTER && entry.cluster != 0 &&
        found->cluster == entry.cluster)
      return false;
    const bool any = (entry.flags & NLB_GUARD_BIND_ANY) != 0 && is_guest();
    return !(any && found == nullptr);
  }
  if (found == nullptr) return (entry.flags & NLB_GUARD_BIND_OWN) == 0;
  if (found->cluster != entry.cluster) return true;
  if (found->kind == NLB_GUARD_MAC_VIRTUAL) return (entry.flags & NLB_GUARD_BIND_VIRTUAL) == 0;
  return found->kind != NLB_GUARD_MAC_PORT || (entry.flags & NLB_GUARD_BIND_OWN) == 0;
}

}  // namespace nlb
