// SPDX-License-Identifier: Apache-2.0
// A real bridge in a namespace of its own, with the whole of the guard on it, and live frames to try it by.
//
//     guest1 ── tap1 ┐
//     guest2 ── tap2 ┤ br0 (the host's own)
//     wire   ── eno1 ┘ uplink
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/frame_socket.hh"
#include "shell.hh"
#include "vmswitch/enforcement.hh"

namespace nlb::vmswitch {

using nlb::testing::kBroadcast;
using nlb::testing::sh;

inline constexpr uint16_t kEtherType = 0x88b7;  // of nobody in particular
inline constexpr uint16_t kArp = 0x0806;
inline const MacAddress kGuest1 = *MacAddress::parse("52:54:00:00:00:01");
inline const MacAddress kGuest2 = *MacAddress::parse("52:54:00:00:00:02");
inline const MacAddress kOther = *MacAddress::parse("52:54:00:00:00:99");
inline const MacAddress kNobody = *MacAddress::parse("52:54:00:00:00:97");
inline const MacAddress kCluster = *MacAddress::parse("02:bf:0a:4d:00:64");
inline const MacAddress kMasked1 = *MacAddress::parse("02:01:0a:4d:00:64");

inline constexpr const char* kConfig = R"([[switch]]
bridge = "br0"
uplinks = ["eno1"]
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100"]
hosts = [1, 2]
[[port]]
vm = "web1"
interface = "tap1"
mac = "52:54:00:00:00:01"
cluster = "web"
host_id = 1
[[port]]
vm = "web2"
interface = "tap2"
mac = "52:54:00:00:00:02"
)";

// That 10.77.0.N is at this MAC.
inline std::vector<uint8_t> arp_reply(const MacAddress& mac, uint8_t n) {
  std::vector<uint8_t> reply{0, 1, 8, 0, 6, 4, 0, 2};
  const auto add = [&](const auto& octets) { reply.insert(reply.end(), octets.begin(), octets.end()); };
  add(mac.octets);
  add(std::array<uint8_t, 4>{10, 77, 0, n});
  add(kNobody.octets);
  add(std::array<uint8_t, 4>{10, 77, 0, 200});
  reply.resize(46);
  return reply;
}

class GuardedBridge : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1\n"
       "ip link set lo up\n"
       "ip link add br0 type bridge\n"
       "ip link set br0 up\n"
       "ip link add tap1 type veth peer name guest1 address 52:54:00:00:00:01\n"
       "ip link add tap2 type veth peer name guest2 address 52:54:00:00:00:02\n"
       "ip link add eno1 type veth peer name wire address 52:54:00:00:00:aa\n"
       "for i in guest1 guest2 wire tap1 tap2 eno1; do ip link set $i up; done\n"
       "for i in tap1 tap2 eno1; do ip link set $i master br0; done");
    for (const char* name : {"guest1", "guest2", "wire", "br0"}) nlb::testing::wait_for_carrier(name);
    one_ = std::move(*FrameSocket::open("guest1", kEtherType, std::nullopt));
    two_ = std::move(*FrameSocket::open("guest2", kEtherType, std::nullopt));
    wire_ = std::move(*FrameSocket::open("wire", kEtherType, std::nullopt));
    for (const char* name : {"guest1", "guest2", "wire"})
      sh(std::string("ip link set ") + name + " promisc on");
    configure(kConfig);
  }
  void configure(const std::string& text) {
    auto read = parse_switch_config({"f", text}, {});
    ASSERT_TRUE(read.has_value()) << text_of(read.error());
    config_ = *read;
    numbers_.follow(config_.clusters);
  }
  // As a daemon's start does; the one before it is gone, as after kill -9.
  void start(bool may_use_tcx = true) {
    guard_.reset();
    EnforcementOptions options;
    options.may_use_tcx = may_use_tcx;
    auto started = Enforcement::start(options, config_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    guard_ = std::move(*started);
    look();
  }
  std::vector<Finding> look() {
    auto found = guard_->look_again(config_, numbers_);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found.value_or(std::vector<Finding>{});
  }
  bool passes(FrameSocket& from, const MacAddress& source, const MacAddress& destination, FrameSocket& to) {
    return passes(from, source, destination, to, {1, 2, 3, static_cast<uint8_t>(++count_)});
  }
  bool claims(FrameSocket& from, uint8_t n, FrameSocket& to, const MacAddress& mac = kGuest2) {
    while (to.receive()) {
    }
    return passes(from, mac, kBroadcast, to, arp_reply(mac, n));
  }
  static bool passes(FrameSocket& from, const MacAddress& source, const MacAddress& destination,
                     FrameSocket& to, const std::vector<uint8_t>& payload) {
    EXPECT_TRUE(from.send(source, destination, payload));
    bool arrived = false;
    // On a busy or slow kernel ksoftirqd delivers it, some time after send() has returned.
    for (int turn = 0; turn < 20 && !arrived; ++turn) {
      if (turn != 0) usleep(1000);
      while (auto frame = to.receive()) arrived = arrived || frame->payload == payload;
    }
    return arrived;
  }
  static bool said(const std::vector<Finding>& findings, Finding::Kind kind, const std::string& where) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.kind == kind && finding.where == where;
    });
  }
  const PortStatus& port(const std::string& interface) {
    return *std::find_if(guard_->ports().begin(), guard_->ports().end(),
                         [&](const PortStatus& status) { return status.at.interface == interface; });
  }
  void expect_guarded() {
    EXPECT_TRUE(passes(*one_, kGuest1, kGuest2, *two_));
    EXPECT_TRUE(passes(*one_, kGuest1, kBroadcast, *wire_));
    EXPECT_TRUE(passes(*wire_, kOther, kGuest2, *two_));
    EXPECT_FALSE(passes(*one_, kOther, kGuest2, *two_));  // spoofed
    EXPECT_FALSE(passes(*one_, kGuest2, kBroadcast, *wire_));
    EXPECT_FALSE(passes(*one_, kMasked1, kBroadcast, *two_));  // a member only when the setting says so
    EXPECT_FALSE(passes(*wire_, kOther, kGuest2, *one_));      // promiscuous, flooded or not
    EXPECT_FALSE(passes(*wire_, kOther, kNobody, *one_));      // unknown unicast
    EXPECT_FALSE(passes(*wire_, kGuest2, kBroadcast, *one_));  // a guest's MAC from outside
  }

  SwitchConfig config_;
  ClusterNumbers numbers_;
  std::unique_ptr<Enforcement> guard_;
  int count_ = 0;
  std::unique_ptr<FrameSocket> one_, two_, wire_;
};

}  // namespace nlb::vmswitch
