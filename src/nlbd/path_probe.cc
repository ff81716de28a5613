// SPDX-License-Identifier: Apache-2.0
#include "nlbd/path_probe.hh"

#include <poll.h>

#include <algorithm>
#include <array>

#include "wire/arp.hh"
#include "wire/carrier.hh"
#include "wire/heartbeat.hh"
#include "wire/igmp.hh"
#include "wire/nd.hh"

namespace nlb {
namespace {

constexpr uint16_t kArp = 0x0806;
constexpr int kTurnMs = 10;
constexpr Nanos kQuerierPatience = 300 * kMillisecond;  // it asks at once, or within a slow switch's turn
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress kAllNodes{{0x33, 0x33, 0, 0, 0, 1}};

// On the interface, heard before our own filter judges them.
struct Sockets {
  std::unique_ptr<FrameSocket> arp, heartbeats, discovery;

  static Result<Sockets> open(const std::string& interface, const std::vector<MacAddress>& macs,
                              std::optional<MacAddress> group = std::nullopt) {
    Sockets sockets;
    for (auto& [socket, type] : {std::pair{&sockets.arp, kArp}, {&sockets.heartbeats, wire::kEtherType}}) {
      auto opened = FrameSocket::open(interface, type, group, Hearing::before_filters);
      if (!opened) return tl::unexpected(opened.error());
      *socket = std::move(*opened);
    }
    auto discovery = FrameSocket::open_discovery(interface);
    if (!discovery) return tl::unexpected(discovery.error());
    sockets.discovery = std::move(*discovery);
    for (const MacAddress& mac : macs)
      if (auto accepted = sockets.arp->also_receive(mac); !accepted) return tl::unexpected(accepted.error());
    return sockets;
  }
  void wait(int more_fd = -1) const {
    std::array<pollfd, 4> waiting{{{arp->fd(), POLLIN, 0},
                                   {heartbeats->fd(), POLLIN, 0},
                                   {discovery->fd(), POLLIN, 0},
                                   {more_fd, POLLIN, 0}}};
    (void)poll(waiting.data(), waiting.size(), kTurnMs);
  }
};

void probe(const Sockets& sockets, const core::Claimants& ours, const IpAddress& vip) {
  if (vip.is_v4())
    (void)sockets.arp->send(ours.own, kBroadcast, arp_probe(ours.cluster, vip));
  else
    (void)sockets.discovery->send(ours.own, group_mac(solicited_node(vip)), nd_probe(ours.cluster, vip));
}

}  // namespace

std::optional<core::AddressConflict> claim_of_stranger(const ReceivedFrame& frame,
                                                       const std::vector<IpAddress>& vips,
                                                       const core::Claimants& ours, bool probing) {
  if (const auto arp = parse_arp(frame.payload))
    return core::conflict_in(vips, ours, arp->request, arp->sender_mac, arp->sender, arp->target, probing);
  if (const auto message = parse_nd(frame.payload))
    return core::conflict_in(vips, ours, *message, frame.source, probing);
  return std::nullopt;
}

std::string words_of_user(const core::AddressConflict& conflict) {
  return "VIP " + conflict.address.text() + " is used by " + conflict.mac.text() +
         ", which is no host of this cluster";
}

IpAddress speaker_of(const ReceivedFrame& frame) {
  if (const auto arp = parse_arp(frame.payload)) return arp->sender;
  if (const auto message = parse_nd(frame.payload)) return message->source;
  return {};
}

namespace {

// What comes to the cluster's group in IP, heard where the IP stack would.
struct GroupSockets {
  std::unique_ptr<FrameSocket> carried, igmp;

  static Result<GroupSockets> open(const PathPlace& place) {
    GroupSockets sockets;
    if (!place.plan.group) return sockets;
    const uint16_t type = place.primary_vip.is_v4() ? wire::kIpv4EtherType : wire::kIpv6EtherType;
    auto carried = FrameSocket::open_ip(place.interface, type, wire::kCarrierProtocol, place.plan.cluster);
    if (!carried) return tl::unexpected(carried.error());
    sockets.carried = std::move(*carried);
    if (place.membership == nullptr) return sockets;
    auto igmp = FrameSocket::open_ip(place.interface, wire::kIpv4EtherType, kIgmpProtocol, std::nullopt);
    if (!igmp) return tl::unexpected(igmp.error());
    sockets.igmp = std::move(*igmp);
    return sockets;
  }
  [[nodiscard]] bool hears_query() const {
    while (const auto frame = igmp->receive())
      if (is_igmp_query(frame->payload)) return true;
    return false;
  }
};

bool is_asked_after(const GroupSockets& group, const Sockets& sockets, const std::atomic<bool>& stop) {
  for (const Nanos end = boottime_now() + kQuerierPatience; boottime_now() < end && !stop;) {
    if (group.hears_query()) return true;
    sockets.wait(group.igmp->fd());
  }
  return false;
}

// Whoever leaves a group is asked after by the querier: is there anybody left? So this host leaves for a
// moment, to learn whether its joins are heard by one. Its adapter lets the group in meanwhile.
Result<std::string> word_of_querier(GroupMembership& membership, const GroupSockets& group,
                                    const Sockets& sockets, const std::atomic<bool>& stop) {
  if (auto left = membership.leave(); !left) return tl::unexpected(left.error());
  const bool asked = is_asked_after(group, sockets, stop);
  if (auto joined = membership.join(); !joined) return tl::unexpected(joined.error());
  return "; joined " + membership.group().text() +
         (asked ? ", and an IGMP querier asked for members"
                : ", but no IGMP querier asked for members: a switch that snoops without one forgets them");
}

void hear(const Sockets& sockets, const GroupSockets& group, const PathPlace& place, core::PathProof& proof) {
  while (const auto frame = sockets.arp->receive())
    if (const auto answer = parse_arp_reply(frame->payload))
      proof.on_answer(frame->destination, answer->address, boottime_now());
  while (const auto frame = sockets.heartbeats->receive())
    if (frame->destination == place.plan.cluster && !place.plan.group) proof.on_frame_to_cluster_mac();
  while (group.carried) {
    const auto frame = group.carried->receive();
    if (!frame) break;
    if (frame->destination == place.plan.cluster && wire::carried_in(frame->payload, place.primary_vip))
      proof.on_frame_to_cluster_mac();
  }
}

}  // namespace

Result<core::PathVerdict> prove_path(const PathPlace& place, const Surroundings& around,
                                     const std::atomic<bool>& stop) {
  const core::PathPlan& plan = place.plan;
  auto sockets = Sockets::open(place.interface, {plan.own, plan.cluster, plan.masked},
                               plan.group ? std::optional(plan.cluster) : std::nullopt);
  if (!sockets) return tl::unexpected(sockets.error());
  auto group = GroupSockets::open(place);
  if (!group) return tl::unexpected(group.error());
  core::PathProof proof(plan, boottime_now());
  while (!proof.over(boottime_now()) && !stop) {
    if (plan.group)
      for (const IpAddress& peer : around.peers()) proof.on_peer(peer, boottime_now());
    for (const auto& question : proof.on_tick(around.neighbours(), boottime_now()))
      // A frame that cannot be sent is like one that is not answered.
      (void)sockets->arp->send(question.source, kBroadcast, arp_probe(question.payload, question.target));
    sockets->wait(group->carried ? group->carried->fd() : -1);
    hear(*sockets, *group, place, proof);
  }
  core::PathVerdict verdict = proof.verdict();
  if (place.membership == nullptr || stop) return verdict;
  auto querier = word_of_querier(*place.membership, *group, *sockets, stop);
  if (!querier) return tl::unexpected(querier.error());
  verdict.evidence += *querier;
  return verdict;
}

Result<std::optional<core::AddressConflict>> claim_addresses(const std::string& interface,
                                                             const std::vector<IpAddress>& vips,
                                                             const core::Claimants& ours, Nanos duration,
                                                             const std::atomic<bool>& stop) {
  std::vector<MacAddress> macs{ours.cluster, kAllNodes};
  for (const IpAddress& vip : vips)
    if (!vip.is_v4()) macs.push_back(group_mac(solicited_node(vip)));  // others who look for duplicates now
  auto sockets = Sockets::open(interface, macs);
  if (!sockets) return tl::unexpected(sockets.error());
  const Nanos begin = boottime_now();
  for (int sent = 0; boottime_now() - begin < duration && !stop;) {
    for (; sent < core::probes_due(boottime_now() - begin, duration); ++sent)
      for (const IpAddress& vip : vips) probe(*sockets, ours, vip);
    sockets->wait();
    while (const auto frame = sockets->discovery->receive())
      if (auto found = claim_of_stranger(*frame, vips, ours, true)) return found;
  }
  return std::nullopt;
}

}  // namespace nlb
