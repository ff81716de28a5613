// SPDX-License-Identifier: Apache-2.0
// `nlb lab forge`: somebody on the segment who records heartbeats and sends them again, as they were or
// spoiled, as fast as asked. Hosts must count them and go on.
#include <fmt/core.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "lab/exchange.hh"
#include "lab/live_frames.hh"
#include "lab/packet_socket.hh"
#include "lab/tools.hh"

namespace nlb::lab {
namespace {

using Frame = std::vector<uint8_t>;
constexpr std::size_t kRecorded = 20, kPrepared = 1024, kBatch = 64, kLiveBatch = 1 << 17;
constexpr std::size_t kVersionOffset = ETH_HLEN + 4;  // docs/protocol/heartbeat.md
constexpr std::size_t kSequenceOffset = ETH_HLEN + 36;
constexpr std::size_t kShortest = 20;  // of a truncated payload

// Heartbeats of others, from the wire; fewer than asked when none came for two seconds.
std::vector<Frame> record(unsigned index) {
  const int listener = packet_socket(index, kHeartbeatType);
  const timeval patience{2, 0};
  setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::vector<Frame> frames;
  while (listener >= 0 && frames.size() < kRecorded) {
    std::array<uint8_t, 2048> buffer{};
    sockaddr_ll from{};
    socklen_t bytes = sizeof from;
    const ssize_t got =
        recvfrom(listener, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &bytes);
    if (got < static_cast<ssize_t>(ETH_HLEN + kShortest)) break;
    if (from.sll_pkttype != PACKET_OUTGOING) frames.emplace_back(buffer.begin(), buffer.begin() + got);
  }
  if (listener >= 0) close(listener);
  return frames;
}

Frame spoiled(Frame frame, Forgery how, std::mt19937& random) {
  const auto below = [&](std::size_t end) { return random() % end; };
  const std::size_t payload = frame.size() - ETH_HLEN;
  switch (how) {
    case Forgery::replay:
      break;
    case Forgery::flip:
      frame[ETH_HLEN + below(payload)] ^= static_cast<uint8_t>(1U << below(8));
      break;
    case Forgery::cut:
      frame.resize(ETH_HLEN + kShortest + below(payload - kShortest));
      break;
    case Forgery::version:
      frame[kVersionOffset] ^= 0x7f;
      break;
    case Forgery::ahead:
      frame[kSequenceOffset + 5] = static_cast<uint8_t>(frame[kSequenceOffset + 5] + 1 + below(100));
      break;
    case Forgery::random:
      std::generate(frame.begin() + ETH_HLEN, frame.end(), [&] { return static_cast<uint8_t>(random()); });
  }
  return frame;
}

// Sends `count` of the frames in turn; how many the kernel took.
std::size_t send_batch(int sender, std::vector<Frame>& frames, std::size_t first, std::size_t count) {
  std::array<iovec, kBatch> pieces{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < count; ++i) {
    Frame& frame = frames[(first + i) % frames.size()];
    pieces[i] = {frame.data(), frame.size()};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int sent = sendmmsg(sender, messages.data(), static_cast<unsigned>(count), 0);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void wait_until(Monotonic instant) {
  const Monotonic left = instant - monotonic_now();
  if (left <= 0) return;
  const timespec pause{left / 1'000'000'000, left % 1'000'000'000};
  nanosleep(&pause, nullptr);
}

}  // namespace

int forge(const ForgeOptions& options) {
  const unsigned index = if_nametoindex(options.interface.c_str());
  const std::string& heard_at = options.listen.empty() ? options.interface : options.listen;
  std::vector<Frame> recorded = record(if_nametoindex(heard_at.c_str()));
  const int sender = packet_socket(index, 0);
  if (recorded.empty() || sender < 0) {
    fmt::print(stderr, "nlb lab forge: {}: {}\n", options.interface,
               sender < 0 ? std::strerror(errno) : "no heartbeat came within 2 s");
    return 1;
  }
  const int on = 1;
  setsockopt(sender, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  std::mt19937 random(20261122);  // NOLINT: the same forgeries each time
  std::vector<Frame> prepared;
  for (std::size_t i = 0; i < kPrepared; ++i)
    prepared.push_back(spoiled(recorded[i % recorded.size()], options.how, random));

  auto live = LiveFrames::open(index);
  if (options.live && !live) {
    fmt::print(stderr, "nlb lab forge: {}\n", live.error().message);
    return 1;
  }
  const Monotonic begin = monotonic_now(), end = begin + static_cast<Monotonic>(options.seconds * 1e9);
  std::size_t sent = 0;
  for (Monotonic now = begin; now < end; now = monotonic_now()) {
    sent += options.live ? live->send(prepared[sent / kLiveBatch % prepared.size()], kLiveBatch)
                         : send_batch(sender, prepared, sent, kBatch);
    if (options.rate > 0) wait_until(begin + static_cast<Monotonic>(sent * 1'000'000'000 / options.rate));
  }
  close(sender);
  const double seconds = static_cast<double>(monotonic_now() - begin) / 1e9;
  fmt::print("{}\n", nlohmann::json({{"schema", 1},
                                     {"sent", sent},
                                     {"seconds", seconds},
                                     {"per_second", static_cast<double>(sent) / seconds}})
                         .dump());
  return 0;
}

}  // namespace nlb::lab
