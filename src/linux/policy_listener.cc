// SPDX-License-Identifier: Apache-2.0
#include "linux/policy_listener.hh"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <nlb/abi/guard.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb {
namespace {

constexpr MacAddress kDestination{NLB_GUARD_ANNOUNCEMENT_MAC};
constexpr int kFramesAtOnce = 256;  // a flood must not hold the caller

// The address as its first four octets and its last two. A tag has been taken off before a socket sees the
// frame; of a VLAN that is not here, the kernel marks the frame as somebody else's.
Result<void> hear_untagged_to_group(int fd) {
  const auto& mac = kDestination.octets;
  const auto four = static_cast<uint32_t>(mac[0] << 24 | mac[1] << 16 | mac[2] << 8 | mac[3]);
  const auto two = static_cast<uint32_t>(mac[4] << 8 | mac[5]);
  const auto kind = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},    {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, four},
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 4},    {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, two},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, kind}, {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PACKET_MULTICAST},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},    {BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return fail(std::string("cannot filter a packet socket: ") + std::strerror(errno), errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<PolicyListener>> PolicyListener::open(const std::string& interface) {
  auto socket = FrameSocket::open(interface, NLB_ETHERTYPE_POLICY, kDestination);
  if (!socket) return tl::unexpected(socket.error());
  if (auto filtered = hear_untagged_to_group((*socket)->fd()); !filtered)
    return tl::unexpected(filtered.error().within(interface));
  while ((*socket)->receive()) continue;  // what came in before the filter was there
  return std::unique_ptr<PolicyListener>(new PolicyListener(std::move(*socket)));
}

void PolicyListener::read() {
  for (int taken = 0; taken < kFramesAtOnce; ++taken) {
    const auto frame = socket_->receive();
    if (!frame) return;
    take(*frame);
  }
}

void PolicyListener::take(const ReceivedFrame& frame) {
  const bool from_one = !frame.source.is_zero() && (frame.source.octets[0] & 1) == 0;
  if (frame.destination != kDestination || !from_one) return;
  if (const auto fence = wire::decode_fence_frame(frame.payload)) {
    if (const auto* notice = std::get_if<wire::FenceNotice>(&*fence)) notices_.push_back(*notice);
    return;
  }
  auto policy = wire::decode_policy_announcement(frame.payload);
  if (!policy) return;
  const auto steering = std::exchange(policy->steering, std::nullopt);
  const bool fences = std::exchange(policy->fences, false);
  newest_ = HeardPolicy{std::move(*policy), steering, fences, frame.received_at};
}

std::optional<HeardPolicy> PolicyListener::fresh(Nanos now) const {
  return newest_ && now - newest_->heard_at < kPolicyFresh ? newest_ : std::nullopt;
}

void wait_for_policy(PolicyListener& listener, Nanos until) {
  for (;;) {
    listener.read();
    const Nanos now = boottime_now();
    if (listener.fresh(now) || now >= until) return;
    pollfd waiting{listener.fd(), POLLIN, 0};
    static_cast<void>(poll(&waiting, 1, static_cast<int>((until - now) / kMillisecond) + 1));
  }
}

}  // namespace nlb
