// SPDX-License-Identifier: Apache-2.0
#include "nlbd/path_probe.hh"

#include <poll.h>

#include <algorithm>
#include <array>

#include "wire/arp.hh"
#include "wire/heartbeat.hh"
#include "wire/nd.hh"

namespace nlb {
namespace {

constexpr uint16_t kArp = 0x0806;
constexpr int kTurnMs = 10;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress kAllNodes{{0x33, 0x33, 0, 0, 0, 1}};

// On the interface, heard before our own filter judges them.
struct Sockets {
  std::unique_ptr<FrameSocket> arp, heartbeats, discovery;

  static Result<Sockets> open(const std::string& interface, const std::vector<MacAddress>& macs) {
    Sockets sockets;
    for (auto& [socket, type] : {std::pair{&sockets.arp, kArp}, {&sockets.heartbeats, wire::kEtherType}}) {
      auto opened = FrameSocket::open(interface, type, std::nullopt, Hearing::before_filters);
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
  void wait() const {
    std::array<pollfd, 3> waiting{
        {{arp->fd(), POLLIN, 0}, {heartbeats->fd(), POLLIN, 0}, {discovery->fd(), POLLIN, 0}}};
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

Result<core::PathVerdict> prove_path(const std::string& interface, const core::PathPlan& plan,
                                     const Neighbours& neighbours, const std::atomic<bool>& stop) {
  auto sockets = Sockets::open(interface, {plan.own, plan.cluster, plan.masked});
  if (!sockets) return tl::unexpected(sockets.error());
  core::PathProof proof(plan, boottime_now());
  while (!proof.over(boottime_now()) && !stop) {
    for (const auto& question : proof.on_tick(neighbours(), boottime_now()))
      // A frame that cannot be sent is like one that is not answered.
      (void)sockets->arp->send(question.source, kBroadcast, arp_probe(question.payload, question.target));
    sockets->wait();
    while (const auto frame = sockets->arp->receive())
      if (const auto answer = parse_arp_reply(frame->payload))
        proof.on_answer(frame->destination, answer->address, boottime_now());
    while (const auto frame = sockets->heartbeats->receive())
      if (frame->destination == plan.cluster) proof.on_frame_to_cluster_mac();
  }
  return proof.verdict();
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
