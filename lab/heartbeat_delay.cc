// SPDX-License-Identifier: Apache-2.0
// Heartbeats that come late, without a qdisc that could hold them back (netem is in few kernels).
//
// The switch drops the host's heartbeats, both ways, and this process delivers them instead: a packet socket
// sees a frame that enters a port before nftables drops it there, and what the process sends carries a mark
// that nftables lets pass. A heartbeat goes to a group or to a MAC that the switch has not learned, so to all
// ports: that is what is done here. Whether a duplicate comes besides the frame or instead of it is the only
// difference between the kinds; nftables drops nothing for duplicates.
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "lab/exchange.hh"
#include "lab/link_faults.hh"
#include "lab/packet_socket.hh"
#include "lab/process.hh"

namespace nlb::lab {
namespace {

using Frame = std::vector<uint8_t>;
constexpr int kMark = 0x0de1;
constexpr Monotonic kMs = 1'000'000;

const std::map<Lateness, const char*> kNames = {
    {Lateness::delay, "delay"}, {Lateness::reorder, "reorder"}, {Lateness::duplicate, "duplicate"}};

std::string pid_file(const Node& host) {
  return runtime_directory(host.host_id) + "/delay.pid";
}
std::string table_of(const std::string& port) {
  return "delay_" + port;
}

Result<void> drop_heartbeats(const std::string& port, bool late) {
  std::string rules = fmt::format("table netdev {} {{\n", table_of(port));
  for (const auto* hook : {"ingress", "egress"})
    if (late)
      rules += fmt::format(
          "  chain {0} {{ type filter hook {0} device \"{1}\" priority 0; meta mark {3} accept; "
          "ether type {2:#x} drop; meta l4proto {4} drop; }}\n",
          hook, port, kHeartbeatType, kMark, kHeartbeatProtocol);
  return must_run({"nft", "-f", "-"}, rules + "}\n");
}

bool table_exists(const std::string& port) {
  const auto listed = run({"nft", "list", "table", "netdev", table_of(port)}, "", kSwitch);
  return listed && listed->exit_code == 0;
}

// Heartbeats alone wake this process; the lab's other traffic is much more.
void hear_heartbeats_only(int receiver) {
  constexpr uint32_t kProtocolPlace = ETH_HLEN + 9, kNextHeaderPlace = ETH_HLEN + 6;
  std::array<sock_filter, 10> filter{{{BPF_LD | BPF_H | BPF_ABS, 0, 0, 2 * ETH_ALEN},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 6, 0, kHeartbeatType},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_P_IP},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 2, 5, ETH_P_IPV6},
                                      {BPF_LD | BPF_B | BPF_ABS, 0, 0, kProtocolPlace},
                                      {BPF_JMP | BPF_JA, 0, 0, 1},
                                      {BPF_LD | BPF_B | BPF_ABS, 0, 0, kNextHeaderPlace},
                                      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kHeartbeatProtocol},
                                      {BPF_RET | BPF_K, 0, 0, 0xffff},
                                      {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog program{filter.size(), filter.data()};
  setsockopt(receiver, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

std::vector<int> ports_of_switch() {
  std::vector<int> ports;
  const auto* const list = if_nameindex();
  for (const auto* one = list; one != nullptr && one->if_index != 0; ++one)
    if (std::strcmp(one->if_name, "lo") != 0 && std::strcmp(one->if_name, kBridge) != 0)
      ports.push_back(static_cast<int>(one->if_index));
  if_freenameindex(const_cast<struct if_nameindex*>(list));  // NOLINT: its own type is not const
  return ports;
}

class LateDelivery {
 public:
  LateDelivery(int wire, int port, Lateness how, unsigned ms)
      : wire_(wire), port_(port), how_(how), ms_(ms) {}

  void take(const Frame& frame, int from) {
    const auto ports = ports_of_switch();
    if (std::find(ports.begin(), ports.end(), from) == ports.end())
      return;  // the bridge hears its ports, too
    for (const int to : ports)
      if (to != from && (from == port_ || to == port_)) waiting_.emplace(due(), Copy{frame, to});
  }
  // Sends what is due; how long the next one has, ms; -1 = none waits.
  int deliver() {
    while (!waiting_.empty() && waiting_.begin()->first <= monotonic_now()) {
      const auto& [frame, to] = waiting_.begin()->second;
      sockaddr_ll at{};
      at.sll_family = AF_PACKET;
      at.sll_ifindex = to;
      (void)sendto(wire_, frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&at), sizeof at);
      waiting_.erase(waiting_.begin());
    }
    if (waiting_.empty()) return -1;
    return static_cast<int>((waiting_.begin()->first - monotonic_now()) / kMs) + 1;
  }

 private:
  struct Copy {
    Frame frame;
    int to;
  };
  Monotonic due() {
    const auto range =
        how_ == Lateness::reorder ? std::uniform_int_distribution<unsigned>(0, ms_)(random_) : ms_;
    return monotonic_now() + range * kMs;
  }

  int wire_, port_;
  Lateness how_;
  unsigned ms_;
  std::mt19937 random_{std::random_device{}()};
  std::multimap<Monotonic, Copy> waiting_;
};

Result<void> end_delay(const Node& host) {
  if (const auto process = read_pid_file(pid_file(host))) {
    send_signal(*process, SIGKILL);
    wait_gone(*process, 2000);
    std::filesystem::remove(pid_file(host));
  }
  if (!table_exists(host.port)) return {};
  return must_run({"nft", "delete", "table", "netdev", table_of(host.port)}, "", kSwitch);
}

}  // namespace

int serve_delay(const std::string& port, Lateness how, unsigned ms) {
  const int index = static_cast<int>(if_nametoindex(port.c_str()));
  const int wire = packet_socket(0, ETH_P_ALL);
  const int mark = kMark;
  if (index == 0 || wire < 0 || setsockopt(wire, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
    fmt::print(stderr, "nlb lab: {}: heartbeats cannot be delayed: {}\n", port, std::strerror(errno));
    return 1;
  }
  hear_heartbeats_only(wire);
  if (auto dropped = drop_heartbeats(port, how != Lateness::duplicate); !dropped) {
    fmt::print(stderr, "nlb lab: {}: {}\n", port, dropped.error().message);
    return 1;
  }
  LateDelivery delivery(wire, index, how, ms);
  pollfd waiting{wire, POLLIN, 0};
  while (if_nametoindex(port.c_str()) == static_cast<unsigned>(index)) {  // it ends with its port
    const int left = delivery.deliver();
    if (poll(&waiting, 1, left < 0 ? 1000 : left) <= 0) continue;
    Frame frame(2048);
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        recvfrom(wire, frame.data(), frame.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
    frame.resize(static_cast<std::size_t>(got));
    delivery.take(frame, from.sll_ifindex);
  }
  return 0;
}

Result<void> delay_heartbeats(const Node& host, Lateness how, unsigned ms) {
  if (auto ended = end_delay(host); !ended || ms == 0) return ended;
  const auto started = start_daemon({own_program(), "lab", "delay", "--port", host.port, "--how",
                                     kNames.at(how), "--ms", std::to_string(ms)},
                                    kSwitch, runtime_directory(host.host_id) + "/delay.log");
  if (!started) return tl::unexpected<Error>(started.error());
  if (auto written = write_pid_file(pid_file(host), *started); !written) return written;
  for (int turn = 0; turn < 200 && is_alive(*started); ++turn) {
    if (table_exists(host.port)) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return fail(fmt::format("{}: its heartbeats cannot be delayed; see {}/delay.log", host.name,
                          runtime_directory(host.host_id)));
}

}  // namespace nlb::lab
