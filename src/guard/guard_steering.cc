// SPDX-License-Identifier: Apache-2.0
// Steering in the model: rules and rows as the member has said them, rule by rule.
#include <algorithm>

#include "datapath/client_bucket.hh"
#include "guard/guard_trial.hh"

namespace nlb {
namespace {

using octets::ipv6;
using octets::number;

struct Flow {
  IpAddress client, vip;
  uint16_t client_port = 0, vip_port = 0;
  bool tcp = false;
};

constexpr uint8_t kTcp = 6, kUdp = 17;

std::optional<Flow> with_ports(Flow flow, uint8_t protocol, Octets rest) {
  if ((protocol != kTcp && protocol != kUdp) || rest.size() < 4) return std::nullopt;
  flow.tcp = protocol == kTcp;
  flow.client_port = static_cast<uint16_t>(number(rest, 0, 2));
  flow.vip_port = static_cast<uint16_t>(number(rest, 2, 2));
  return flow;
}

std::optional<Flow> flow_in(uint16_t type, Octets packet) {
  if (type == 0x0800) {
    if (packet.size() < 20 || packet[0] != 0x45 || (number(packet, 6, 2) & 0x3fff) != 0) return std::nullopt;
    return with_ports({IpAddress::v4(number(packet, 12, 4)), IpAddress::v4(number(packet, 16, 4))}, packet[9],
                      packet.subspan(20));
  }
  if (packet.size() < 40 || packet[0] >> 4 != 6 || ipv6(packet, 8).is_v4()) return std::nullopt;
  return with_ports({ipv6(packet, 8), ipv6(packet, 24)}, packet[6], packet.subspan(40));
}

}  // namespace

// What is not sure goes to every member.
nlb_guard_reason GuardModel::Trial::steer(const TaggedFrame& whole) const {
  const auto said = model_.steering_.find(ifindex_);
  const bool ip = frame_->type == 0x0800 || frame_->type == 0x86dd;
  if (said == model_.steering_.end() || !ip) return NLB_GUARD_REASON_passed;
  const auto& [generation, content] = said->second;
  const State& state = model_.states_[ifindex_];
  if (state.announced != generation || now_ - state.announced_at > static_cast<Nanos>(NLB_STEERING_FRESH_NS))
    return NLB_GUARD_REASON_flooded;
  if (frame_->nested) return NLB_GUARD_REASON_flooded;
  const auto flow = flow_in(frame_->type, whole.octets.subspan(frame_->payload_at));
  if (!flow) return NLB_GUARD_REASON_flooded;
  const auto& rules = content.rules;
  const auto vip = std::find(rules.vips.begin(), rules.vips.end(), flow->vip);
  if (vip == rules.vips.end()) return NLB_GUARD_REASON_flooded;
  const auto number_of_vip = vip - rules.vips.begin() + 1;
  uint8_t slot = NLB_SLOT_DEFAULT;
  for (const auto& ports : rules.ports) {
    if (!(flow->tcp ? ports.tcp : ports.udp) || (ports.vip != 0 && ports.vip != number_of_vip)) continue;
    if (flow->vip_port < ports.first || flow->vip_port > ports.last) continue;
    slot = ports.slot;
    break;
  }
  const auto row = content.rows.find(slot);
  if (row == content.rows.end()) return NLB_GUARD_REASON_flooded;
  const auto affinity = static_cast<Affinity>(rules.affinities[slot]);
  const uint32_t bucket = client_bucket(rules.seed, affinity, flow->client, flow->client_port);
  if (!row->second[bucket]) return NLB_GUARD_REASON_steered_away;
  const auto& earlier = model_.earlier_[ifindex_];
  const auto other = earlier.find(slot);
  return other != earlier.end() && other->second[bucket] ? NLB_GUARD_REASON_replicated
                                                         : NLB_GUARD_REASON_steered;
}

// Of a member of an NLB cluster, without a tag, to the group that no bridge forwards.
Refusal GuardModel::Trial::announcement(const TaggedFrame& whole) {
  const Octets said = whole.octets.subspan(std::min<std::size_t>(frame_->payload_at, whole.octets.size()));
  const bool plain = frame_->payload_at == 14 && !whole.tag;
  const bool member =
      is_guest() && port_.spoofing == NLB_GUARD_SPOOFING_CLUSTER && port_.cluster != 0 && port_.host_id != 0;
  if (!plain || !member || frame_->destination != *MacAddress::parse("01:80:c2:00:00:0e") ||
      said.size() < 16 || said[4] != 1)
    return NLB_GUARD_REASON_forged_announcement;
  constexpr uint32_t kOfBuckets = 0x4f4e4c4f, kOfItself = 0x4f4e4c4d;
  const uint32_t magic = number(said, 0, 4);
  if (magic != kOfBuckets && magic != kOfItself) return NLB_GUARD_REASON_forged_announcement;
  State& state = model_.states_[ifindex_];
  if (magic == kOfBuckets) {
    state.announced = number(said, 8, 4);
    state.announced_at = now_;
  }
  if (!fits(state.announcements_until, NLB_STEERING_PARTS_PER_SECOND))
    return NLB_GUARD_REASON_announcement_storm;
  return NLB_GUARD_REASON_announced;
}

}  // namespace nlb
