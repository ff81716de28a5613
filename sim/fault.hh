// SPDX-License-Identifier: Apache-2.0
// A fault: what goes wrong, when, for how long, with whom. Each one ends by itself and minds no other, so any
// part of a list is a list again: that is what shrinking needs. Text form, one a fault:
//   KIND@AT+FOR[:HOSTS[:HOSTS[:VALUE]]]    times in ms, hosts as 1.2.5, e.g. split@12300+4000:1.2:3
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"
#include "sim/random.hh"

namespace nlb::sim {

//  X(enumerator, name, what happens)
#define NLB_SIM_FAULTS(X)                                                                                   \
  X(loss, "loss", "frames from A to B are lost, VALUE parts in a million")                                  \
  X(sender_loss, "sender-loss", "frames of A are lost for all who should hear them")                        \
  X(burst, "burst", "frames from A to B are lost in bursts: half the time nearly all, else none")           \
  X(delay, "delay", "frames from A to B take up to VALUE us longer")                                        \
  X(late, "late", "all frames from A to B take VALUE us longer")                                            \
  X(reorder, "reorder", "of the frames from A to B, VALUE parts in a million come up to 30 ms late")        \
  X(duplicate, "duplicate", "frames from A to B come twice, VALUE parts in a million")                      \
  X(corrupt, "corrupt", "a bit of frames from A to B is turned over, VALUE parts in a million")             \
  X(split, "split", "A and B are cut from each other, both ways")                                           \
  X(one_way, "one-way", "nothing gets from A to B")                                                         \
  X(bad_pair, "bad-pair", "A and B do not hear each other, and everybody else hears both")                  \
  X(isolate, "isolate", "A is cut from everybody, the gateway and clients included; its link stays up")     \
  X(link_down, "link-down", "the carrier of A is gone")                                                     \
  X(clog, "clog", "frames from A to B wait, and come all at once at the end")                               \
  X(deaf, "deaf", "frames to the cluster MAC do not reach A")                                               \
  X(no_gateway, "no-gateway", "the gateway does not answer A")                                              \
  X(power, "power", "A loses its power and boots at the end; several at once make a storm of joins")        \
  X(crash, "crash", "the daemon of A is killed and started at the end; its kernel goes on")                 \
  X(restart, "restart", "a planned restart of the daemon of A")                                             \
  X(upgrade, "upgrade", "a planned restart of A into the other version of the protocol")                    \
  X(stall, "stall", "the daemon of A stands still; its kernel goes on")                                     \
  X(starve, "starve", "the daemon of A gets its turns late, up to VALUE ms")                                \
  X(pause, "pause", "the machine A stands still, and its clock runs on")                                    \
  X(freeze, "freeze", "the machine A stands still with its clock (kvm-clock)")                              \
  X(snapshot, "snapshot", "A is set back at the end to what it was at the beginning, clock included")       \
  X(drift, "drift", "the clock of A runs at VALUE parts in a million of true time")                         \
  X(drain, "drain", "A is drained, and started again at the end")                                           \
  X(stop, "stop", "A is stopped, and started again at the end")                                             \
  X(weight, "weight", "A offers the load weight VALUE")                                                     \
  X(config, "config", "A has another configuration: VALUE 0 rules, 1 seed, 2 VIPs")                         \
  X(duplicate_id, "duplicate-id", "another machine comes with the id of A")                                 \
  X(forge, "forge", "a stranger on the segment sends frames that it made up")                               \
  X(replay, "replay", "a stranger sends again what it has recorded")                                        \
  X(slow_scan, "slow-scan", "the walk over A's sockets takes up to VALUE ms")                               \
  X(unhealthy, "unhealthy", "a health check of A fails: VALUE 0 a rule, 1 as last, 2 the host, 3 as last")  \
  X(port_down, "port-down", "the switch's port of A is down, and A does not see it; fences alone are told") \
  X(migrate, "migrate", "A stands still, goes on behind another switch at the end, and its port ends")      \
  X(notice_lost, "notice-lost", "what the switch tells A of fences is lost")                                \
  X(notice_late, "notice-late", "what the switch tells A of fences comes VALUE ms late")                    \
  X(notice_twice, "notice-twice", "what the switch tells A of fences comes again up to 3 s later")

enum class FaultKind : uint8_t {
#define NLB_SIM_FAULT_ENUM(name, text, what) name,
  NLB_SIM_FAULTS(NLB_SIM_FAULT_ENUM)
#undef NLB_SIM_FAULT_ENUM
};
inline constexpr std::size_t kFaultKinds = 0
#define NLB_SIM_FAULT_COUNT(name, text, what) +1
    NLB_SIM_FAULTS(NLB_SIM_FAULT_COUNT)
#undef NLB_SIM_FAULT_COUNT
    ;
[[nodiscard]] std::string_view name_of(FaultKind kind);
[[nodiscard]] std::string_view text_of(FaultKind kind);
[[nodiscard]] std::optional<FaultKind> fault_kind(std::string_view name);

struct Fault {
  FaultKind kind = FaultKind::loss;
  Nanos at = 0, duration = 0;
  HostSet a = 0, b = 0;
  int64_t value = 0;
  [[nodiscard]] std::string text() const;
};

using FaultPlan = std::vector<Fault>;
[[nodiscard]] std::string text_of(const FaultPlan& plan);
[[nodiscard]] Result<FaultPlan> parse_faults(std::string_view text);

// What a plan may draw from, and when.
struct FaultMix {
  std::vector<FaultKind> kinds;
  HostId hosts = 3;
  Nanos from = 0, until = 0;  // faults begin and end within
  uint32_t count = 4;
};
[[nodiscard]] FaultPlan draw_faults(const FaultMix& mix, Random& random);

}  // namespace nlb::sim
