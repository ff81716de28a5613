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
  if (type != 0x86dd || packet.size() < 40 || packet[0] >> 4 != 6 || ipv6(packet, 8).is_v4())
    return std::nullopt;
  return with_ports({ipv6(packet, 8), ipv6(packet, 24)}, packet[6], packet.subspan(40));
}

std::optional<Flow> flow_of(const GuardFrame& frame, const TaggedFrame& whole) {
  if (frame.nested) return std::nullopt;
  return flow_in(frame.type, whole.octets.subspan(frame.payload_at));
}

// Where a packet belongs by what a port has said.
struct Place {
  uint8_t slot = NLB_SLOT_DEFAULT;
  uint32_t bucket = 0;
};

std::optional<Place> place_of(const Flow& flow, const wire::SteeringRules& rules) {
  const auto vip = std::find(rules.vips.begin(), rules.vips.end(), flow.vip);
  if (vip == rules.vips.end()) return std::nullopt;
  const auto number_of_vip = vip - rules.vips.begin() + 1;
  Place place;
  for (const auto& ports : rules.ports) {
    if (!(flow.tcp ? ports.tcp : ports.udp) || (ports.vip != 0 && ports.vip != number_of_vip)) continue;
    if (flow.vip_port < ports.first || flow.vip_port > ports.last) continue;
    place.slot = ports.slot;
    break;
  }
  const auto affinity = static_cast<Affinity>(rules.affinities[place.slot]);
  place.bucket = client_bucket(rules.seed, affinity, flow.client, flow.client_port);
  return place;
}

bool takes(const GuardModel::SteeringRows& rows, const Place& place) {
  const auto row = rows.find(place.slot);
  return row != rows.end() && row->second[place.bucket];
}

}  // namespace

// What a port has announced last, while that is in force.
const wire::SteeringContent* GuardModel::said_by(uint32_t ifindex, Nanos now) {
  const auto said = steering_.find(ifindex);
  if (said == steering_.end()) return nullptr;
  const State& state = states_[ifindex];
  const auto& [generation, content] = said->second;
  const bool fresh = now - state.announced_at <= static_cast<Nanos>(NLB_STEERING_FRESH_NS);
  return state.announced == generation && fresh ? &content : nullptr;
}

// What is not sure goes to every member.
nlb_guard_reason GuardModel::Trial::steer(const TaggedFrame& whole) const {
  const bool ip = frame_->type == 0x0800 || frame_->type == 0x86dd;
  if (!model_.steering_.contains(ifindex_) || !ip) return NLB_GUARD_REASON_passed;
  const auto* said = model_.said_by(ifindex_, now_);
  const auto packet = flow_of(*frame_, whole);
  const auto place = said != nullptr && packet ? place_of(*packet, said->rules) : std::nullopt;
  if (!place || !said->rows.contains(place->slot)) return NLB_GUARD_REASON_flooded;
  if (!takes(said->rows, *place)) return NLB_GUARD_REASON_steered_away;
  return takes(model_.earlier_[ifindex_], *place) ? NLB_GUARD_REASON_replicated : NLB_GUARD_REASON_steered;
}

// To one member alone, when all members are of one mind that it is the only one.
Refusal GuardModel::Trial::direct(const TaggedFrame& whole) {
  const nlb_guard_mac* found = owner(frame_->destination);
  if (!has(NLB_GUARD_PORT_DIRECTS) || found == nullptr || found->kind != NLB_GUARD_MAC_CLUSTER)
    return std::nullopt;
  const auto members = model_.members_.find({port_.bridge, found->cluster});
  const auto packet = flow_of(*frame_, whole);
  if (members == model_.members_.end() || members->second.ports.empty() || !packet) return std::nullopt;
  const wire::SteeringRules* rules = nullptr;
  std::vector<uint32_t> takers;
  for (const uint32_t member : members->second.ports) {
    const auto* said = model_.said_by(member, now_);
    if (said == nullptr || (rules != nullptr && !(*rules == said->rules))) return std::nullopt;
    rules = &said->rules;
    const auto place = place_of(*packet, *rules);
    if (!place || !said->rows.contains(place->slot)) return std::nullopt;
    if (takes(said->rows, *place)) takers.push_back(member);
  }
  if (takers.empty()) return NLB_GUARD_REASON_steered_away;
  const auto taker = model_.ports_.find(takers.front());
  if (takers.size() > 1 || taker == model_.ports_.end()) return std::nullopt;
  const auto mac = octets::mac(taker->second.mac, 0);
  if (mac.is_zero()) return std::nullopt;
  decision_.destination = mac;
  return NLB_GUARD_REASON_directed;
}

MacAddress GuardModel::Trial::undirected(const GuardFrame& frame, const TaggedFrame& whole) const {
  const auto members = model_.members_.find({port_.bridge, port_.cluster});
  const auto said = model_.steering_.find(ifindex_);
  if (!is_guest() || !frame.whole || frame.too_deep || !is_own(frame.destination) ||
      !is_member_of(port_.cluster) || members == model_.members_.end() || said == model_.steering_.end())
    return frame.destination;
  const auto packet = flow_of(frame, whole);
  const auto& vips = said->second.second.rules.vips;
  const bool to_vip = packet && std::find(vips.begin(), vips.end(), packet->vip) != vips.end();
  return to_vip ? members->second.mac : frame.destination;
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
