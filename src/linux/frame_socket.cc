// SPDX-License-Identifier: Apache-2.0
// Whole Ethernet frames of one EtherType by an AF_PACKET socket. The source MAC is the caller's choice:
// heartbeats and probes are sent from the masked MAC, which the kernel would not do by itself.
#include "linux/frame_socket.hh"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace nlb {
namespace {

constexpr std::size_t kHeaderBytes = 14;
constexpr std::size_t kLargestFrame = 9216;  // jumbo; what is longer arrives cut, and no signature fits it
constexpr std::size_t kFramesPerRead = 32;   // one system call under a flood
// A second of 64 hosts at 10 ms is 6,400 frames, each charged with up to some 2.5 KB of kernel memory; the
// kernel doubles what is asked for. A limit, not an allocation.
constexpr int kReceiveBufferBytes = 8 << 20;
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

tl::unexpected<Error> failed(const std::string& interface, const char* what, int error) {
  return fail(interface + ": " + what + ": " + std::strerror(error), error);
}

struct Kind {
  uint16_t ether_type = 0;
  std::optional<MacAddress> group = std::nullopt;  // of frames to groups, only those
  Hearing hearing = Hearing::behind_filters;
  bool discovery = false;
  uint8_t protocol = 0;  // of IP; 0 = whole frames of the EtherType
};

class PacketSocket final : public FrameSocket {
 public:
  PacketSocket(int fd, std::string interface, const Kind& kind)
      : fd_(fd), interface_(std::move(interface)), kind_(kind), buffer_(kFramesPerRead * kLargestFrame) {
    for (std::size_t i = 0; i < kFramesPerRead; ++i) {
      pieces_[i] = {buffer_.data() + i * kLargestFrame, kLargestFrame};
      messages_[i].msg_hdr.msg_iov = &pieces_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
      messages_[i].msg_hdr.msg_name = &senders_[i];
    }
  }
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;
  ~PacketSocket() override { close(fd_); }

  [[nodiscard]] int fd() const override { return fd_; }
  [[nodiscard]] Result<void> also_receive(const MacAddress& mac) override {
    return join(mac, (mac.octets[0] & 1) != 0 ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST);
  }
  [[nodiscard]] std::optional<ReceivedFrame> receive() override;
  [[nodiscard]] Result<void> send(const MacAddress& source, const MacAddress& destination,
                                  std::span<const uint8_t> payload) override;
  [[nodiscard]] uint64_t dropped() override;

  [[nodiscard]] Result<void> set_up();

 private:
  [[nodiscard]] Result<void> join(const MacAddress& mac, uint16_t kind);
  [[nodiscard]] Result<void> hear_one_ether_type();
  [[nodiscard]] Result<void> hear_discovery();
  [[nodiscard]] Result<void> hear_one_protocol();
  [[nodiscard]] Result<void> attach(std::span<sock_filter> code);
  [[nodiscard]] bool read_more();  // false: the queue is empty
  // The adapter may be promiscuous: other clusters' groups are none of ours. Unicast is for the caller to
  // judge, who knows which MACs are this host's.
  [[nodiscard]] bool wanted(const MacAddress& destination) const {
    return (destination.octets[0] & 1) == 0 || destination == kBroadcast || destination == kind_.group ||
           (kind_.discovery && destination.octets[0] == 0x33) || (kind_.protocol != 0 && !kind_.group);
  }

  int fd_;
  std::string interface_;
  Kind kind_;
  std::vector<uint8_t> buffer_;
  std::array<iovec, kFramesPerRead> pieces_{};
  std::array<sockaddr_ll, kFramesPerRead> senders_{};
  std::array<mmsghdr, kFramesPerRead> messages_{};
  std::size_t next_ = 0, read_ = 0;  // of messages_
  Nanos read_at_ = 0;
};

Result<void> PacketSocket::join(const MacAddress& mac, uint16_t kind) {
  packet_mreq membership{};
  membership.mr_ifindex = static_cast<int>(if_nametoindex(interface_.c_str()));
  membership.mr_type = kind;
  membership.mr_alen = 6;
  std::copy(mac.octets.begin(), mac.octets.end(), membership.mr_address);
  if (setsockopt(fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) != 0)
    return failed(interface_, ("cannot receive frames to " + mac.text()).c_str(), errno);
  return {};
}

// Before the filters all EtherTypes come by; the kernel sorts out ours.
Result<void> PacketSocket::hear_one_ether_type() {
  sock_filter code[] = {
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kind_.ether_type},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  return attach(code);
}

// Straight behind the IPv6 header, where every stack puts it.
Result<void> PacketSocket::hear_discovery() {
  constexpr uint32_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136;
  sock_filter code[] = {
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
      {BPF_JMP | BPF_JEQ | BPF_K, 6, 0, ETH_P_ARP},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 6, ETH_P_IPV6},
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, kHeaderBytes + 6},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, kIcmpv6},
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, kHeaderBytes + 40},
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, kSolicitation},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kAdvertisement},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  return attach(code);
}

Result<void> PacketSocket::hear_one_protocol() {
  const uint32_t place = kind_.ether_type == ETH_P_IP ? 9 : 6;
  sock_filter code[] = {
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<uint32_t>(kHeaderBytes) + place},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kind_.protocol},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  return attach(code);
}

Result<void> PacketSocket::attach(std::span<sock_filter> code) {
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return failed(interface_, "cannot filter a packet socket", errno);
  return {};
}

// Bound last: nothing is queued before the socket is as it should be.
Result<void> PacketSocket::set_up() {
  const auto ifindex = static_cast<int>(if_nametoindex(interface_.c_str()));
  if (ifindex == 0) return failed(interface_, "no such network interface", errno);
  const int bytes = kReceiveBufferBytes;
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  const int on = 1;
  setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);  // receive() checks again
  if (kind_.group && kind_.protocol == 0)
    if (auto joined = join(*kind_.group, PACKET_MR_MULTICAST); !joined) return joined;
  const bool before = kind_.hearing == Hearing::before_filters;
  if (before)
    if (auto filtered = kind_.discovery ? hear_discovery() : hear_one_ether_type(); !filtered)
      return filtered;
  if (kind_.protocol != 0)
    if (auto filtered = hear_one_protocol(); !filtered) return filtered;
  sockaddr_ll local{};
  local.sll_family = AF_PACKET;
  local.sll_protocol = htons(before ? uint16_t{ETH_P_ALL} : kind_.ether_type);
  local.sll_ifindex = ifindex;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0)
    return failed(interface_, "cannot bind a packet socket", errno);
  return {};
}

bool PacketSocket::read_more() {
  for (mmsghdr& message : messages_) message.msg_hdr.msg_namelen = sizeof(sockaddr_ll);
  int got = 0;
  // A link that went down is reported once as an error; the queue behind it may hold frames.
  do got = recvmmsg(fd_, messages_.data(), kFramesPerRead, MSG_DONTWAIT, nullptr);
  while (got < 0 && (errno == EINTR || errno == ENETDOWN));
  next_ = 0;
  read_ = got > 0 ? static_cast<std::size_t>(got) : 0;
  read_at_ = boottime_now();
  return read_ > 0;
}

std::optional<ReceivedFrame> PacketSocket::receive() {
  while (next_ < read_ || read_more()) {
    const std::size_t at = next_++;
    const uint8_t* const bytes = buffer_.data() + at * kLargestFrame;
    const std::size_t length = messages_[at].msg_len;
    if (senders_[at].sll_pkttype == PACKET_OUTGOING || length < kHeaderBytes) continue;
    ReceivedFrame frame;
    std::copy_n(bytes, 6, frame.destination.octets.begin());
    std::copy_n(bytes + 6, 6, frame.source.octets.begin());
    if (!wanted(frame.destination)) continue;
    frame.received_at = read_at_;
    frame.payload.assign(bytes + kHeaderBytes, bytes + length);
    return frame;
  }
  return std::nullopt;
}

Result<void> PacketSocket::send(const MacAddress& source, const MacAddress& destination,
                                std::span<const uint8_t> payload) {
  std::vector<uint8_t> frame;
  frame.reserve(kHeaderBytes + payload.size());
  frame.insert(frame.end(), destination.octets.begin(), destination.octets.end());
  frame.insert(frame.end(), source.octets.begin(), source.octets.end());
  frame.push_back(static_cast<uint8_t>(kind_.ether_type >> 8));
  frame.push_back(static_cast<uint8_t>(kind_.ether_type));
  frame.insert(frame.end(), payload.begin(), payload.end());
  ssize_t put = 0;
  do put = ::send(fd_, frame.data(), frame.size(), MSG_DONTWAIT);
  while (put < 0 && errno == EINTR);
  if (put < 0) return failed(interface_, "cannot send a frame", errno);
  return {};
}

uint64_t PacketSocket::dropped() {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) return 0;
  return stats.tp_drops;  // reading resets it
}

Result<std::unique_ptr<FrameSocket>> open_socket(const std::string& interface, const Kind& kind) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed(interface, "cannot open a packet socket (CAP_NET_RAW is needed)", errno);
  auto socket = std::make_unique<PacketSocket>(fd, interface, kind);
  if (auto ready = socket->set_up(); !ready) return tl::unexpected(ready.error());
  return socket;
}

}  // namespace

Result<std::unique_ptr<FrameSocket>> FrameSocket::open(const std::string& interface, uint16_t ether_type,
                                                       std::optional<MacAddress> group, Hearing hearing) {
  return open_socket(interface, {.ether_type = ether_type, .group = group, .hearing = hearing});
}

Result<std::unique_ptr<FrameSocket>> FrameSocket::open_discovery(const std::string& interface) {
  return open_socket(interface,
                     {.ether_type = ETH_P_IPV6, .hearing = Hearing::before_filters, .discovery = true});
}

Result<std::unique_ptr<FrameSocket>> FrameSocket::open_ip(const std::string& interface, uint16_t ether_type,
                                                          uint8_t protocol, std::optional<MacAddress> group) {
  return open_socket(interface, {.ether_type = ether_type, .group = group, .protocol = protocol});
}

}  // namespace nlb
