// SPDX-License-Identifier: Apache-2.0
#include "datapath/filter_model.hh"

#include <nlb/abi/filter.h>
#include <nlb/abi/hash.h>
#include <nlb/abi/heartbeat.h>
#include <nlb/abi/portless.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "datapath/client_bucket.hh"
#include "datapath/filter_model_packet.hh"
#include "datapath/model_octets.hh"

namespace nlb {
namespace {

using namespace model;
constexpr auto kNotMine = NLB_VERDICT_COUNT;  // the function asked has no opinion

struct Link {
  uint16_t type = 0;
  bool other_device = false;  // carries a VLAN number
  Bytes network;
};

// nullopt: ends within a tag.
std::optional<Link> read_link(Bytes frame) {
  Link link{word(frame, 12), false, frame.subspan(14)};
  for (int tags = 0; tags < 2 && !link.other_device && (link.type == 0x8100 || link.type == 0x88a8); ++tags) {
    if (link.network.size() < 4) return std::nullopt;
    link.other_device = (word(link.network, 0) & 0xfff) != 0;
    link.type = word(link.network, 2);
    link.network = link.network.subspan(4);
  }
  return link;
}

}  // namespace

bool FilterModel::accepts(nlb_verdict verdict) {
  switch (verdict) {
    case NLB_VERDICT_owned:
    case NLB_VERDICT_held:
    case NLB_VERDICT_cookie:
    case NLB_VERDICT_icmp_error:
    case NLB_VERDICT_asked:
      return true;
    default:
      return false;
  }
}

bool FilterModel::is_vip(const IpAddress& address) const {
  return std::find(config_.vips.begin(), config_.vips.end(), address) != config_.vips.end();
}

bool FilterModel::is_cluster_mac(Bytes mac) const {
  return !config_.cluster_mac.is_zero() && starts_with(mac, config_.cluster_mac);
}

uint32_t FilterModel::bucket_of(const FilterConfig& config, Affinity affinity, const IpAddress& client,
                                uint16_t port) {
  return client_bucket(config.seed, affinity, client, port);
}

std::size_t FilterModel::slot_of(const IpAddress& vip, RuleProtocol protocol, uint16_t port) const {
  std::size_t found = kDefaultSlot;
  for (std::size_t i = 0; i < config_.rules.size(); ++i) {
    const PortRule& rule = config_.rules[i];
    if (rule.protocol != protocol && rule.protocol != RuleProtocol::both) continue;
    if (port < rule.first_port || port > rule.last_port) continue;
    if (rule.vip && *rule.vip == vip) return i;
    if (!rule.vip && found == kDefaultSlot) found = i;
  }
  return found;
}

nlb_verdict FilterModel::judge(Bytes frame, Nanos now) {
  now_ = now;
  if (frame.size() < 14) return NLB_VERDICT_passed;
  const auto link = read_link(frame);
  if (!link) return judge_other(frame);
  if (link->other_device) return NLB_VERDICT_vlan;
  if (link->type == NLB_ETHERTYPE_HEARTBEAT) return judge_heartbeat(link->network, frame.subspan(6, 6));
  if (const std::size_t carrier = carrier_bytes(link->type, link->network); carrier != 0)
    return judge_heartbeat(link->network.subspan(carrier), frame.subspan(6, 6));
  nlb_verdict verdict = kNotMine;
  if (link->type == 0x0800) verdict = judge_ipv4(link->network);
  if (link->type == 0x86dd) verdict = judge_ipv6(link->network, frame);
  if (link->type == 0x0806) verdict = judge_arp(link->network, frame);
  return verdict == kNotMine ? judge_other(frame) : verdict;
}

// A heartbeat that takes the clients' way, in IP for a VIP, or goes to the group of mode igmp.
std::size_t FilterModel::carrier_bytes(uint16_t type, Bytes ip) const {
  const auto is = [&](std::size_t at, unsigned value) { return ip[at] == value; };
  if (type == 0x0800 && ip.size() >= 20 && is(0, 0x45) && is(9, NLB_HEARTBEAT_PROTOCOL) &&
      (word(ip, 6) & 0x3fff) == 0) {
    const IpAddress to = address_v4(ip, 16);
    const bool all = config_.mode == ClusterMode::igmp && to == igmp_group_of(config_.cluster_mac);
    if (all ? is(8, 1) : is(8, NLB_HEARTBEAT_HOP_LIMIT) && is_vip(to)) return 20;
  }
  if (type == 0x86dd && ip.size() >= 40 && ip[0] >> 4 == 6 && is(6, NLB_HEARTBEAT_PROTOCOL) &&
      is(7, NLB_HEARTBEAT_HOP_LIMIT) && is_vip6(address_v6(ip, 24)))
    return 40;
  return 0;
}

bool FilterModel::is_tagged(Bytes payload) const {
  constexpr std::size_t kHeader = sizeof(nlb_heartbeat_header), kSignature = NLB_HEARTBEAT_SIGNATURE_BYTES;
  if (payload.size() < kHeader) return false;
  const auto key = std::find_if(heartbeat_keys_.begin(), heartbeat_keys_.end(), [&](const HeartbeatKey& one) {
    return std::equal(one.id.begin(), one.id.end(), payload.begin() + 12);
  });
  const std::size_t total = word(payload, 8);
  if (key == heartbeat_keys_.end() || total < kHeader + kSignature || total > NLB_HEARTBEAT_MOST_BYTES ||
      total + NLB_HEARTBEAT_TAG_BYTES > payload.size())
    return false;
  nlb_tagged tagged{};
  std::memcpy(&tagged.frame.header, payload.data(), kHeader);
  std::memcpy(tagged.frame.signature, payload.data() + total - kSignature, kSignature);
  nlb_tag_key words{};
  for (std::size_t i = 0; i < key->octets.size(); ++i)
    words.words[i / 8] |= __u64{key->octets[i]} << 8 * (i % 8);
  __u64 stated = 0;
  for (std::size_t i = NLB_HEARTBEAT_TAG_BYTES; i-- > 0;) stated = stated << 8 | payload[total + i];
  return stated == nlb_heartbeat_tag(&words, &tagged);
}

bool FilterModel::spend(std::size_t index) {
  const bool all = index == NLB_BUDGET_ALL_STRANGERS;
  const auto most = static_cast<double>(all ? NLB_ALL_STRANGERS_FRAMES : NLB_BUDGET_FRAMES);
  const auto interval = static_cast<double>(all ? NLB_ALL_STRANGERS_INTERVAL_NS : NLB_BUDGET_INTERVAL_NS);
  Budget& budget = budgets_.try_emplace(index, Budget{most, now_}).first->second;
  budget.frames = std::min(most, budget.frames + static_cast<double>(now_ - budget.at) / interval);
  budget.at = now_;
  if (budget.frames < 1) return false;
  budget.frames -= 1;
  return true;
}

void FilterModel::spend_budgets() {
  for (std::size_t index = 0; index < NLB_BUDGET_COUNT; ++index) budgets_[index] = {-1e9, 0};
}

nlb_verdict FilterModel::judge_heartbeat(Bytes payload, Bytes source_mac) {
  if (is_tagged(payload)) {
    const HostId sender = payload[7];
    const auto incarnation = uint64_t{long_word(payload, 28)} << 32 | long_word(payload, 32);
    const auto sequence = uint64_t{long_word(payload, 36)} << 32 | long_word(payload, 40);
    if (const auto newest = newest_.find({sender, incarnation}); newest != newest_.end()) {
      if (sequence <= newest->second)
        return spend(NLB_BUDGET_REPLAYED + sender) ? NLB_VERDICT_heartbeat : NLB_VERDICT_heartbeat_replayed;
      newest->second = sequence;
      return NLB_VERDICT_heartbeat;
    }
    const bool left = sender <= kMaxHosts && spend(NLB_BUDGET_NEWCOMER + sender);
    return left ? NLB_VERDICT_heartbeat : NLB_VERDICT_heartbeat_excess;
  }
  const std::size_t slot = bucket_of(config_, Affinity::none, address_v4(source_mac, 0), word(source_mac, 4));
  const bool left = spend(NLB_BUDGET_STRANGER + slot % NLB_STRANGER_SLOTS) && spend(NLB_BUDGET_ALL_STRANGERS);
  return left ? NLB_VERDICT_heartbeat : NLB_VERDICT_heartbeat_excess;
}

nlb_verdict FilterModel::judge_other(Bytes frame) const {
  if (is_cluster_mac(frame)) return NLB_VERDICT_not_vip;
  const Bytes destination = frame.first(6);
  const bool own =
      starts_with(destination, config_.masked_mac) || starts_with(destination, config_.adapter_mac);
  return config_.replace && own ? NLB_VERDICT_host : NLB_VERDICT_passed;
}

nlb_verdict FilterModel::judge_arp(Bytes arp, Bytes frame) const {
  if (arp.size() < 28 || word(arp, 0) != 1 || word(arp, 2) != 0x0800 || arp[4] != 6 || arp[5] != 4)
    return kNotMine;
  if (is_vip(address_v4(arp, 14))) {
    return is_cluster_mac(arp.subspan(8)) ? NLB_VERDICT_arp_peer : NLB_VERDICT_vip_conflict;
  }
  const uint16_t operation = word(arp, 6);
  const bool to_vip = is_vip(address_v4(arp, 24));
  if (operation == 1 && to_vip) {
    if (!config_.bound) return NLB_VERDICT_not_bound;
    return lease_valid() ? NLB_VERDICT_arp_answered : NLB_VERDICT_no_lease;
  }
  if (operation == 2 && (to_vip || is_cluster_mac(frame))) return NLB_VERDICT_arp_to_vip;
  return kNotMine;
}

nlb_verdict FilterModel::judge_ipv4(Bytes ip) {
  if (ip.size() < 20) return kNotMine;
  const IpAddress client = address_v4(ip, 12), vip = address_v4(ip, 16);
  const uint8_t protocol = ip[9];
  if (!is_vip(vip)) return protocol == 2 && ip[16] >> 4 == 14 ? NLB_VERDICT_passed : kNotMine;
  if (!config_.bound) return NLB_VERDICT_not_bound;

  const std::size_t header = (ip[0] & 15U) * 4U, total = word(ip, 2);
  if (ip[0] >> 4 != 4 || header < 20 || total < header || total > ip.size()) return NLB_VERDICT_bad_header;
  const uint16_t offset = word(ip, 6) & 0x1fff;
  const bool more = (word(ip, 6) & 0x2000) != 0;
  if (offset == 1 && protocol == 6) return NLB_VERDICT_bad_header;
  const FragmentKey key{client, vip, word(ip, 4), protocol};
  if (offset != 0) return fragments_.contains(key) ? NLB_VERDICT_fragment : NLB_VERDICT_fragment_unknown;

  const Packet packet{client, vip, protocol, more, ip.subspan(header, total - header)};
  const auto verdict = protocol == 1 ? judge_icmp(packet) : judge_ported(packet);
  if (more && accepts(verdict)) fragments_.insert(key);
  return verdict;
}

nlb_verdict FilterModel::judge_ported(const Packet& packet) {
  switch (packet.protocol) {
    case 6:
      return judge_tcp(packet);
    case 17:
      return judge_udp(packet);
    default:
      return judge_portless(packet);
  }
}

nlb_verdict FilterModel::judge_portless(const Packet& packet) {
  std::size_t slot = kDefaultSlot;
  switch (packet.protocol) {
    case NLB_PROTOCOL_GRE:
      slot = slot_of(packet.vip, RuleProtocol::tcp, NLB_PORT_PPTP);
      break;
    case NLB_PROTOCOL_ESP:
    case NLB_PROTOCOL_AH:
      slot = slot_of(packet.vip, RuleProtocol::udp, NLB_PORT_IKE);
      break;
    case NLB_PROTOCOL_SCTP: {
      if (packet.payload.size() < NLB_SCTP_HEADER_BYTES) return NLB_VERDICT_bad_header;
      const uint16_t port = word(packet.payload, 2);
      slot = slot_of(packet.vip, RuleProtocol::tcp, port);
      if (slot != slot_of(packet.vip, RuleProtocol::udp, port)) slot = kDefaultSlot;
      break;
    }
    default:
      break;
  }
  return judge_flow(packet, slot, 0, nullptr);
}

nlb_verdict FilterModel::judge_tcp(const Packet& packet) {
  const Bytes tcp = packet.payload;
  if (tcp.size() < 20) return NLB_VERDICT_bad_header;
  const std::size_t header = (tcp[12] >> 4) * 4U;
  if (header < 20 || header > tcp.size()) return NLB_VERDICT_bad_header;
  const bool syn = tcp[13] & 2, reset = tcp[13] & 4, acknowledges = tcp[13] & 16;
  const uint16_t client_port = word(tcp, 0), vip_port = word(tcp, 2);
  const ModelSegment segment{packet.client,     packet.vip,        client_port, vip_port,
                             long_word(tcp, 4), long_word(tcp, 8), acknowledges};
  const bool begins = syn && !reset && !acknowledges;
  return judge_flow(packet, slot_of(packet.vip, RuleProtocol::tcp, vip_port), client_port,
                    begins ? nullptr : &segment);
}

nlb_verdict FilterModel::judge_udp(const Packet& packet) {
  const Bytes udp = packet.payload;
  if (udp.size() < 8 || word(udp, 4) < 8) return NLB_VERDICT_bad_header;
  if (!packet.first_fragment && word(udp, 4) > udp.size()) return NLB_VERDICT_bad_header;
  return judge_flow(packet, slot_of(packet.vip, RuleProtocol::udp, word(udp, 2)), word(udp, 0), nullptr);
}

nlb_verdict FilterModel::judge_icmp(const Packet& packet) {
  const Bytes icmp = packet.payload;
  if (icmp.size() < 8) return NLB_VERDICT_bad_header;
  const uint8_t type = icmp[0];
  if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12) {
    if (icmp.size() < 28) return NLB_VERDICT_bad_header;
    if (!is_vip(address_v4(icmp, 20))) return NLB_VERDICT_icmp_unrelated;
    return lease_valid() ? NLB_VERDICT_icmp_error : NLB_VERDICT_no_lease;
  }
  return judge_flow(packet, type == 8 ? kEchoSlot : kDefaultSlot, 0, nullptr);
}

nlb_verdict FilterModel::find_connection(const ModelSegment& segment) const {
  const nlb_verdict found = find_ ? find_(segment) : NLB_VERDICT_stray;
  return found == NLB_VERDICT_stray && config_.asks_tracking ? NLB_VERDICT_asked : found;
}

nlb_verdict FilterModel::judge_flow(const Packet& packet, std::size_t slot, uint16_t client_port,
                                    const ModelSegment* segment) {
  Affinity affinity = Affinity::single;
  if (slot < config_.rules.size()) {
    if (config_.rules[slot].mode == FilteringMode::disabled) return NLB_VERDICT_rule_disabled;
    affinity = config_.rules[slot].affinity;
  }
  const uint32_t bucket = bucket_of(config_, affinity, packet.client, client_port);
  const BucketState state = states_[slot][bucket];
  const nlb_verdict verdict = judge_state(state, segment);
  const bool owned = state == BucketState::owned || state == BucketState::owned_checked;
  // Whether there is such a connection is asked later: until then it is nobody's visit.
  if (owned && accepts(verdict) && verdict != NLB_VERDICT_asked) note_visit(packet, slot, bucket);
  return verdict;
}

nlb_verdict FilterModel::judge_state(BucketState state, const ModelSegment* segment) const {
  switch (state) {
    case BucketState::foreign:
      return NLB_VERDICT_foreign;
    case BucketState::owned:
      if (segment != nullptr) return NLB_VERDICT_owned;
      break;
    case BucketState::foreign_checked:
      if (segment == nullptr) return NLB_VERDICT_foreign;
      return find_connection(*segment);
    case BucketState::owned_checked:
      if (segment != nullptr) return find_connection(*segment);
      break;
  }
  return lease_valid() ? NLB_VERDICT_owned : NLB_VERDICT_no_lease;
}

// Who comes to a bucket of a rule with a timeout, and whether that counts: everybody where it is not kept,
// where it is, who has come before.
void FilterModel::note_visit(const Packet& packet, std::size_t slot, std::size_t bucket) {
  if (slot >= config_.rules.size() || !has_extended_affinity(config_.rules[slot])) return;
  IpAddress client = packet.client;
  if (config_.rules[slot].affinity == Affinity::network) {
    const auto host_octets = client.is_v4() ? 1 : 8;
    std::fill(client.octets.end() - host_octets, client.octets.end(), uint8_t{0});
  }
  const std::pair one{slot, client};
  const bool known = remembered_[0].contains(one) || remembered_[1].contains(one);
  if (kept_[slot][bucket] && !known) return;
  remembered_[0].insert(one);
  seen_[slot].set(bucket);
}

}  // namespace nlb
