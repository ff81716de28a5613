// SPDX-License-Identifier: Apache-2.0
#include "linux/arp_question.hh"

#include <net/ethernet.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "linux/frame_socket.hh"
#include "wire/arp.hh"
#include "wire/nd.hh"

namespace nlb {
namespace {

constexpr int kRounds = 3;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress kAllNodes{{0x33, 0x33, 0, 0, 0, 1}};

class Question {
 public:
  Question(const std::string& interface, std::vector<IpAddress> targets)
      : interface_(interface), targets_(std::move(targets)) {}

  [[nodiscard]] Result<void> open() {
    auto arp = FrameSocket::open(interface_, ETHERTYPE_ARP, std::nullopt);
    if (!arp) return tl::unexpected(arp.error());
    auto discovery = FrameSocket::open_discovery(interface_);
    if (!discovery) return tl::unexpected(discovery.error());
    arp_ = std::move(*arp);
    discovery_ = std::move(*discovery);
    return discovery_->also_receive(kAllNodes);
  }

  [[nodiscard]] Result<void> ask(const MacAddress& sender, const MacAddress& nonce) {
    for (const IpAddress& target : targets_) {
      auto sent = target.is_v4()
                      ? arp_->send(sender, kBroadcast, arp_probe(sender, target))
                      : discovery_->send(sender, group_mac(solicited_node(target)), nd_probe(nonce, target));
      if (!sent) return sent;
    }
    return {};
  }

  void listen(Nanos end) {
    for (Nanos now = boottime_now(); now < end; now = boottime_now()) {
      std::array<pollfd, 2> waiting{{{arp_->fd(), POLLIN, 0}, {discovery_->fd(), POLLIN, 0}}};
      (void)poll(waiting.data(), waiting.size(), static_cast<int>((end - now) / kMillisecond) + 1);
      while (const auto frame = arp_->receive())
        if (const auto answer = parse_arp_reply(frame->payload)) take(answer->address, answer->mac);
      while (const auto frame = discovery_->receive())
        if (const auto said = parse_nd(frame->payload); said && !said->solicitation)
          take(said->target, said->mac.value_or(frame->source));
    }
  }

  [[nodiscard]] const ArpAnswers& answers() const { return answers_; }

 private:
  void take(const IpAddress& address, const MacAddress& mac) {
    if (std::find(targets_.begin(), targets_.end(), address) != targets_.end()) answers_[address].insert(mac);
  }

  std::string interface_;
  std::vector<IpAddress> targets_;
  std::unique_ptr<FrameSocket> arp_, discovery_;
  ArpAnswers answers_;
};

}  // namespace

Result<ArpAnswers> ask_neighbours(const std::string& interface, const MacAddress& sender,
                                  const MacAddress& nonce, const std::vector<IpAddress>& targets,
                                  int round_ms) {
  if (targets.empty()) return ArpAnswers{};
  Question question(interface, targets);
  if (auto opened = question.open(); !opened) return tl::unexpected(opened.error());
  for (int round = 0; round < kRounds; ++round) {
    if (auto asked = question.ask(sender, nonce); !asked) return tl::unexpected(asked.error());
    question.listen(boottime_now() + round_ms * kMillisecond);
  }
  return question.answers();
}

}  // namespace nlb
