// SPDX-License-Identifier: Apache-2.0
// What a person should be able to read later: numbered events in a ring, and as lines on stderr. The
// published Windows NLB numbers are used where one exists; own numbers begin at 1000.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace nlb {

// X(identifier, number, severity, remedy). Append only; numbers are never given a new meaning.
#define NLB_EVENTS(X)                                                                                       \
  X(joined, 5, info, "")                                                                                    \
  X(left, 6, info, "")                                                                                      \
  X(duplicate_host_id, 17, error,                                                                           \
    "give each host an id of its own ([host] id) and run `nlb reload` or restart")                          \
  X(rule_enabled, 23, info, "")                                                                             \
  X(rule_disabled, 24, info, "")                                                                            \
  X(converged, 28, info, "")                                                                                \
  X(converged_as_default, 29, info, "")                                                                     \
  X(reloaded, 36, info, "")                                                                                 \
  X(rule_drained, 39, info, "")                                                                             \
  X(drain_started, 44, info, "")                                                                            \
  X(bind_refused, 53, error, "see `nlb display` for what failed; `nlb reload` or a restart tries again")    \
  X(config_mismatch, 68, error, "make mode, vips, rules, seed and heartbeat profile equal on all hosts")    \
  X(peer_leaving, 69, info, "")                                                                             \
  X(started, 1000, info, "")                                                                                \
  X(stopped, 1001, info, "")                                                                                \
  X(state_changed, 1002, info, "")                                                                          \
  X(view_changed, 1003, info, "")                                                                           \
  X(peer_silent, 1004, warning, "")                                                                         \
  X(peer_evicted, 1005, warning, "")                                                                        \
  X(peer_joined, 1006, info, "")                                                                            \
  X(daemon_late, 1007, warning, "give nlbd real-time priority (CAP_SYS_NICE) or choose a slower heartbeat") \
  X(receive_filtered, 1008, error,                                                                          \
    "frames to the cluster MAC do not arrive: see `nlb display` and the switch")                            \
  X(kernel_of_peer_lives, 1009, info, "")                                                                   \
  X(kernel_of_peer_gone, 1010, info, "")                                                                    \
  X(nobody_owns, 1011, warning, "start a host, or give one a weight above 0")                               \
  X(drained, 1012, info, "")                                                                                \
  X(reload_refused, 1013, error,                                                                            \
    "correct the named lines and run `nlb reload`; the old configuration stays")                            \
  X(filter_detached, 1014, error, "somebody detached the filter; it was attached again")                    \
  X(guard_removed, 1015, error, "somebody removed the nftables guard; it was put back")                     \
  X(vip_removed, 1016, warning, "somebody removed the VIP; it was put back")                                \
  X(mac_changed, 1017, error, "somebody changed the adapter's MAC addresses; they were put back")           \
  X(carrier_lost, 1018, warning, "")                                                                        \
  X(carrier_back, 1019, info, "")                                                                           \
  X(frames_refused, 1020, warning,                                                                          \
    "compare `key` lines of both hosts' key files; else another cluster, or an attacker")                   \
  X(key_accepted, 1021, info, "copy the key file to all hosts and run `nlb reload` there")                  \
  X(key_signs, 1022, info, "")                                                                              \
  X(bound, 1023, info, "")                                                                                  \
  X(vip_by_hand, 1024, warning, "remove it: nlbd adds the VIP when the cluster MAC can be used")            \
  X(ip_conflict, 1025, error, "find the device with that MAC and give it another address")                  \
  X(state_not_saved, 1026, error, "make room, or make the state directory writable")                        \
  X(interface_gone, 1027, error, "bring the interface back under its name; this host goes on by itself")    \
  /* nlb-vmswitch */                                                                                        \
  X(switch_started, 1100, info, "")                                                                         \
  X(switch_stopped, 1101, info, "the policy stays in force")                                                \
  X(port_joined, 1102, info, "")                                                                            \
  X(port_left, 1103, info, "")                                                                              \
  X(port_closed, 1104, error, "do what the text says; the port opens by itself then")                       \
  X(programs_removed, 1105, error, "they are attached again; find out who detached them")                   \
  X(gate_removed, 1106, error, "find out who flushes nftables, and let it spare tables nlb_switch_…")       \
  X(maps_changed, 1107, error, "find out who writes to the guard's maps")                                   \
  X(violation, 1108, warning, "see `nlb vmswitch violations`: the guest, or its setting, is to be changed") \
  X(port_shut_down, 1109, error, "it recovers by itself after recover_s")                                   \
  X(port_recovered, 1110, info, "")                                                                         \
  X(spoofing_changed, 1111, info, "")                                                                       \
  X(spoofing_changed_live, 1112, warning, "the VM ran while its property was changed")                      \
  X(not_on_bridge, 1113, warning, "attach the interface to a guarded bridge, or correct its [[port]]")      \
  X(not_in_force, 1114, error, "the policy could not be put in force as a whole; it is tried again")

enum class Severity : uint8_t { info, warning, error };
enum class EventId : uint8_t {
#define NLB_EVENT_ENUM(name, number, severity, remedy) name,
  NLB_EVENTS(NLB_EVENT_ENUM)
#undef NLB_EVENT_ENUM
};

class EventLog {
 public:
  EventLog();
  // Never blocks on output: any thread may call it, the real-time one too. The line waits for write_lines().
  void add(EventId id, const std::string& text, std::map<std::string, std::string> fields = {});
  // Writes what waits to stderr. For the main thread: a stalled journal may stall it, and nothing else.
  void write_lines();
  // The answer to `events` of docs/control.md, without the fields common to all answers.
  [[nodiscard]] nlohmann::json since(const std::string& log, uint64_t after, bool has_after,
                                     uint64_t limit) const;

 private:
  struct Event;
  struct Line;
  mutable std::mutex mutex_;
  std::string life_;  // names this life of the ring
  uint64_t last_ = 0;
  std::deque<Event> ring_;
  std::deque<Line> waiting_;  // not written yet

 public:
  ~EventLog();
};

}  // namespace nlb
