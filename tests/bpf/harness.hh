// SPDX-License-Identifier: Apache-2.0
// The kernel programs, loaded but attached to nothing; frames go in by BPF_PROG_TEST_RUN and the verdict is
// read from the counters. Runs in a network namespace of its own whose loopback is up.
#pragma once

#include <gtest/gtest.h>
#include <nlb/abi/verdict.h>

#include <memory>

#include "datapath/bank.hh"
#include "datapath/heartbeat_gate.hh"
#include "datapath/filter_model.hh"
#include "datapath/programs.hh"
#include "packets6.hh"

namespace nlb::test {

inline constexpr Nanos kForever = INT64_MAX / 2;

enum class Hook { xdp, ingress, egress };
const char* hook_name(Hook hook);
std::string verdict_name(uint32_t verdict);
nlb_action action_of(uint32_t verdict);

// What a program did with one frame.
struct Outcome {
  bool refused = false;  // the kernel's test facility cannot carry this frame
  uint32_t verdict = NLB_VERDICT_COUNT;
  uint32_t returned = 0;
  uint32_t mark = 0;
  Frame frame;                          // as it came out, without metadata
  uint32_t handed = NLB_VERDICT_COUNT;  // XDP: the verdict in front of the frame
};

class Harness {
 public:
  Harness();
  void configure(const FilterConfig& config);
  void set_lease(Nanos until) { state_.control[0].lease_ns = static_cast<__u64>(until); }
  void set_buckets(std::size_t slot, BucketState state);
  void set_buckets(std::size_t slot, const SlotStates& states);
  void set_all_buckets(BucketState state);
  void forget();  // fragments and resets
  void forget_visits();
  void age_resets(Nanos by);
  HeartbeatGate& heartbeats() { return *heartbeats_; }
  void set_budget(uint32_t index, bool spent);  // whole, or nothing left for an hour
  void set_budgets(bool spent);

  Outcome run(Hook hook, const Frame& frame);
  // Runs and checks one counter only: true when `expected` grew by one. For many packets.
  bool runs_to(Hook hook, const Frame& frame, uint32_t expected, uint32_t* returned);
  uint32_t nanoseconds(Hook hook, const Frame& frame, uint32_t repeat);
  [[nodiscard]] const Programs& programs() const { return *programs_; }
  SharedState& state() { return state_; }

 private:
  int program(Hook hook) const;
  uint64_t packets(uint32_t verdict) const;
  std::unique_ptr<Programs> programs_;
  SharedState state_;
  std::unique_ptr<HeartbeatGate> heartbeats_;
  int counters_ = -1;
  std::vector<uint64_t> seen_;
};

Harness& harness();  // one for the process: loading takes a while
Nanos boot_now();
bool fresh_network();  // a namespace of its own with loopback, VIP and client address

// The cluster that the fixtures talk about.
FilterConfig example_config();
inline const MacAddress kIgmpMac = mac("01:00:5e:7f:00:0a");  // the cluster MAC in mode igmp
inline const uint32_t kIgmpGroup = ip("239.255.0.10");
inline const MacAddress kClusterMac = mac("02:bf:0a:00:00:0a"), kMaskedMac = mac("02:01:0a:00:00:0a"),
                        kAdapterMac = mac("52:54:00:00:00:01"), kClientMac = mac("52:54:00:00:00:99"),
                        kBroadcast = mac("ff:ff:ff:ff:ff:ff"), kNobody = mac("00:00:00:00:00:00");
inline const uint32_t kVip = ip("10.0.0.10"), kOtherVip = ip("10.0.0.11"), kClient = ip("10.0.0.99"),
                      kDedicated = ip("10.0.0.1"), kStranger = ip("10.0.0.77");
inline const IpAddress kVip6 = ip6("2001:db8::10"), kOtherVip6 = ip6("2001:db8::11"),
                       kClient6 = ip6("2001:db8::99"), kDedicated6 = ip6("2001:db8::1"),
                       kStranger6 = ip6("2001:db8::77"), kNone6 = ip6("::"), kAllNodes6 = ip6("ff02::1");

}  // namespace nlb::test
