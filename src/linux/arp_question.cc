// SPDX-License-Identifier: Apache-2.0
#include "linux/arp_question.hh"

#include <net/ethernet.h>
#include <poll.h>

#include <algorithm>

#include "linux/frame_socket.hh"
#include "wire/arp.hh"

namespace nlb {
namespace {

constexpr int kRounds = 3;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void take_answers(FrameSocket& socket, const std::vector<IpAddress>& targets, ArpAnswers& answers) {
  while (const auto frame = socket.receive()) {
    const auto answer = parse_arp_reply(frame->payload);
    if (answer && std::find(targets.begin(), targets.end(), answer->address) != targets.end())
      answers[answer->address].insert(answer->mac);
  }
}

}  // namespace

Result<ArpAnswers> ask_by_arp(const std::string& interface, const MacAddress& sender,
                              const std::vector<IpAddress>& targets, int round_ms) {
  ArpAnswers answers;
  if (targets.empty()) return answers;
  auto socket = FrameSocket::open(interface, ETHERTYPE_ARP, std::nullopt);
  if (!socket) return tl::unexpected(socket.error());
  for (int round = 0; round < kRounds; ++round) {
    for (const IpAddress& target : targets)
      if (auto sent = (*socket)->send(sender, kBroadcast, arp_probe(sender, target)); !sent)
        return tl::unexpected(sent.error());
    const Nanos end = boottime_now() + round_ms * kMillisecond;
    for (Nanos now = boottime_now(); now < end; now = boottime_now()) {
      pollfd waiting{(*socket)->fd(), POLLIN, 0};
      (void)poll(&waiting, 1, static_cast<int>((end - now) / kMillisecond) + 1);
      take_answers(**socket, targets, answers);
    }
  }
  return answers;
}

}  // namespace nlb
