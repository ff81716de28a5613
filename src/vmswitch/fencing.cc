// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/fencing.hh"

#include <algorithm>

namespace nlb::vmswitch {
namespace {

constexpr Nanos kBelievedFor = 3 * kSecond;  // a presence; it is said twice a second
constexpr Nanos kShortestFence = 3 * kSecond;
constexpr Nanos kAdoptedFence = 10 * kSecond;
constexpr int kPeriodsOfSilence = 2;

const Link* link_of(const std::vector<Link>& links, uint32_t ifindex) {
  const auto found =
      std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.ifindex == ifindex; });
  return found == links.end() ? nullptr : &*found;
}

// On another bridge its machine may go on there. On none, as on its way to its end, nothing passes it.
bool is_elsewhere(const std::vector<Link>& links, const Link& link, const std::string& bridge) {
  const auto* master = link_of(links, link.master);
  return master != nullptr && master->name != bridge;
}

}  // namespace

// Unlike a steered one, such a port must be the member's only place: of a machine that is still to arrive the
// member runs elsewhere, and one with a refused definition passes nothing.
FencingPorts fencing_ports(const SwitchConfig& config, const std::vector<BridgePort>& present,
                           const ClusterNumbers& numbers) {
  FencingPorts ports;
  for (const auto& member : member_ports(config, present, numbers)) {
    const auto& guest = member.guest;
    if (member.guarded.fence_notice && !guest.incoming && guest.refused.empty())
      ports[member.at.ifindex] = {member.at.interface, member.at.bridge, member.cluster, guest.host_id};
  }
  return ports;
}

void Fencing::follow(const FencingPorts& ports) {
  std::erase_if(members_, [&](const auto& entry) {
    const auto still = ports.find(entry.first);
    return still == ports.end() || !(still->second == entry.second.port);
  });
  for (const auto& [ifindex, port] : ports) members_.try_emplace(ifindex, Member{port, {}, 0, false});
}

bool Fencing::is_fresh(const Member& member, Nanos now) const {
  return member.presence && now - member.said_at < kBelievedFor;
}

std::vector<SaidNotice> Fencing::take(uint32_t ifindex, const wire::PortPresence& presence, Nanos now) {
  const auto found = members_.find(ifindex);
  if (found == members_.end() || presence.host != found->second.port.host) return {};
  Member& member = found->second;
  member.presence = presence;
  member.said_at = now;
  const auto fence = fences_.find(member.port.interface);
  if (fence == fences_.end()) return {};
  Fence& its = fence->second;
  if (!its.incarnation) its.incarnation = presence.incarnation;
  if (*its.incarnation != presence.incarnation) {  // it has begun anew, or another machine has
    lift(member.port.interface);
    return {};
  }
  its.lasts = std::max(its.lasts, Nanos{presence.silence_ms} * kMillisecond);
  return {{ifindex, {presence.host, presence.incarnation, presence.nonce}}};
}

std::vector<Fencing::Port> Fencing::gone_down(const std::vector<Link>& links, const Silence& silent,
                                              Nanos now) {
  std::vector<Port> ports;
  for (auto& [ifindex, member] : members_) {
    const auto* link = link_of(links, ifindex);
    const bool was_down = member.down;
    member.down = link == nullptr || (!is_elsewhere(links, *link, member.port.bridge) && !link->carrier);
    if (!member.down || was_down || !is_fresh(member, now)) continue;
    const auto silence = silent(ifindex);
    const Nanos longest = kPeriodsOfSilence * Nanos{member.presence->period_ms} * kMillisecond;
    if (!silence || *silence > longest || fences_.contains(member.port.interface)) continue;
    ports.push_back({ifindex, member.port.interface, member.port.host, link == nullptr});
  }
  return ports;
}

std::vector<SaidNotice> Fencing::fence(uint32_t ifindex, Nanos now) {
  const Member& fenced = members_.at(ifindex);
  const Nanos lasts = std::max(kShortestFence, Nanos{fenced.presence->silence_ms} * kMillisecond);
  fences_[fenced.port.interface] = {fenced.presence->incarnation, now, lasts};
  fenced_.insert(fenced.port.interface);
  std::vector<SaidNotice> notices;
  for (const auto& [other, member] : members_)
    if (other != ifindex && member.port.cluster == fenced.port.cluster && !member.down &&
        is_fresh(member, now))
      notices.push_back({other, {fenced.port.host, fenced.presence->incarnation, member.presence->nonce}});
  return notices;
}

std::vector<SaidNotice> Fencing::come_up(const std::vector<Link>& links, Nanos now) {
  std::vector<SaidNotice> notices;
  for (auto& [ifindex, member] : members_) {
    const auto* link = link_of(links, ifindex);
    if (!member.down || link == nullptr || !link->carrier) continue;
    member.down = false;
    if (!fenced_.contains(member.port.interface) || !is_fresh(member, now)) continue;
    const auto& presence = *member.presence;
    notices.push_back({ifindex, {presence.host, presence.incarnation, presence.nonce}});
  }
  return notices;
}

void Fencing::adopt(const std::string& interface, Nanos now) {
  fences_[interface] = {std::nullopt, now, kAdoptedFence};
  fenced_.insert(interface);
}

bool Fencing::expire(Nanos now) {
  std::vector<std::string> over;
  for (const auto& [interface, fence] : fences_)
    if (now - fence.since >= fence.lasts) over.push_back(interface);
  for (const auto& interface : over) lift(interface);
  return !over.empty();
}

void Fencing::lift(const std::string& interface) {
  fences_.erase(interface);
  fenced_.erase(interface);
}

}  // namespace nlb::vmswitch
