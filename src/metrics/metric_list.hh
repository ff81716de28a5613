// SPDX-License-Identifier: Apache-2.0
// The one list of metrics: exposition, manual (docs/operating/metrics.md), dashboard and alert rules are held
// to it. Names as Prometheus wants them: base units, `_total` for counters. No label takes values without a
// bound: they come from the configuration, from lists of the program, or are host ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nlb {

// X(identifier, name behind "opennlb_", type, program, labels, help)
// `host`: nlbd; each of its samples has besides the labels `cluster` (its name) and `host` (the host's id).
// `guard`: nlb-vmswitch. Names are never given another meaning. After a change:
// NLB_WRITE_METRICS=1 build/tests/metric_list_test writes the table of docs/operating/metrics.md.
#define NLB_METRICS(X)                                                                                       \
  X(build_info, "build_info", gauge, both, "program,version", "1; the labels say what runs.")                \
  X(start_time, "start_time_seconds", gauge, both, "", "When the daemon began, as Unix time.")               \
  X(events, "events_total", counter, both, "number,name,severity",                                           \
    "Events of the event log since the daemon began.")                                                       \
  X(host_state, "host_state", gauge, host, "state",                                                          \
    "1 for the state that this host is in, 0 for the others.")                                               \
  X(host_default, "host_default", gauge, host, "", "1 when this is the default host.")                       \
  X(bind_state, "bind_state", gauge, host, "state",                                                          \
    "1 for how the cluster is bound to the adapter, 0 for the others.")                                      \
  X(vip_present, "vip_present", gauge, host, "vip", "1 when the adapter has the VIP, as the kernel says.")   \
  X(carrier, "adapter_carrier", gauge, host, "interface", "1 when the adapter has a carrier.")               \
  X(datapath, "datapath_info", gauge, host, "interface,driver,datapath",                                     \
    "1; the labels say where the kernel filter is attached.")                                                \
  X(realtime, "realtime", gauge, host, "", "1 when the protocol thread runs with real-time priority.")       \
  X(lease, "lease_seconds", gauge, host, "",                                                                 \
    "For how long the kernel filter still accepts new flows if no more heartbeats are echoed.")              \
  X(view_number, "view_number", gauge, host, "", "Number of the view that this host is in.")                 \
  X(members, "members", gauge, host, "state", "Members of the view by the state that they say they are in.") \
  X(member_silence, "member_silence_seconds", gauge, host, "member",                                         \
    "Time since a member of the view was last heard.")                                                       \
  X(member_in_service, "member_in_service", gauge, host, "member",                                           \
    "0 when a health check takes the whole member out.")                                                     \
  X(rule_state, "rule_state", gauge, host, "rule,state",                                                     \
    "1 for the state of the port rule on this host, 0 for the others.")                                      \
  X(rule_share, "rule_share_ratio", gauge, host, "rule",                                                     \
    "Part of the rule's buckets that the kernel filter of this host accepts new flows of.")                  \
  X(rule_buckets, "rule_buckets", gauge, host, "rule,kind",                                                  \
    "Buckets of the rule: owned (as the kernel filter says), held for connections that are still here, "     \
    "kept for returning clients.")                                                                           \
  X(rule_connections, "rule_connections", gauge, host, "rule", "Live TCP connections, without TIME_WAIT.")   \
  X(filter_packets, "filter_packets_total", counter, host, "verdict,action,expected",                        \
    "Frames by the kernel filter's verdict. expected=\"no\" should stay 0 in production.")                   \
  X(filter_bytes, "filter_bytes_total", counter, host, "verdict,action,expected",                            \
    "Bytes of the frames by the kernel filter's verdict.")                                                   \
  X(heartbeats_sent, "heartbeats_sent_total", counter, host, "", "Frames of the heartbeat protocol sent.")   \
  X(heartbeats_received, "heartbeats_received_total", counter, host, "",                                     \
    "Frames of the heartbeat protocol received, refused ones among them.")                                   \
  X(heartbeats_refused, "heartbeats_refused_total", counter, host, "reason",                                 \
    "Frames of the heartbeat protocol that were refused.")                                                   \
  X(heartbeat_period, "heartbeat_period_seconds", gauge, host, "", "The configured period.")                 \
  X(detection, "failure_detection_seconds", gauge, host, "",                                                 \
    "Silence after which a member counts as failed: period times tolerance.")                                \
  X(convergence, "convergence_duration_seconds", histogram, host, "",                                        \
    "Convergences that were completed, by the time from the first sign of change.")                          \
  X(check_healthy, "health_check_healthy", gauge, host, "rule,check,type,target",                            \
    "What a health check counts as: 1 healthy.")                                                             \
  X(check_duration, "health_check_duration_seconds", gauge, host, "rule,check,type,target",                  \
    "How long the last run of a health check took.")                                                         \
  X(guard_in_force, "guard_in_force", gauge, guard, "", "1 when the policy is in force as a whole.")         \
  X(guard_ports, "guard_ports", gauge, guard, "bridge,role", "Ports of guarded bridges that are there.")     \
  X(guard_port_ready, "guard_port_ready", gauge, guard, "bridge,port,vm",                                    \
    "1 when the port passes what its policy allows, 0 when it passes nothing.")                              \
  X(guard_frames, "guard_frames_total", counter, guard, "port,vm,direction,reason,expected",                 \
    "Frames at the port by how they ended. expected=\"no\" is a violation.")                                 \
  X(guard_bytes, "guard_bytes_total", counter, guard, "port,vm,direction,reason,expected",                   \
    "Bytes of the frames at the port by how they ended.")                                                    \
  X(guard_violations, "guard_violations_total", counter, guard, "port,vm,adapter,reason",                    \
    "Violations as `nlb vmswitch violations` counts them: over restarts of machine and daemon.")             \
  X(guard_events_lost, "guard_events_lost_total", counter, guard, "",                                        \
    "Violations whose evidence found no room; they are counted all the same.")                               \
  X(guard_problems, "guard_problems", gauge, guard, "",                                                      \
    "What is declared and cannot be so as things are; `nlb vmswitch show` names it.")

enum class MetricType : uint8_t { counter, gauge, histogram };
enum class MetricProgram : uint8_t { host, guard, both };
enum class Metric : uint8_t {
#define NLB_METRIC_ENUM(identifier, name, type, program, labels, help) identifier,
  NLB_METRICS(NLB_METRIC_ENUM)
#undef NLB_METRIC_ENUM
};

struct MetricKind {
  std::string name;  // with "opennlb_"
  MetricType type;
  MetricProgram program;
  std::vector<std::string> labels;
  std::string help;
};
[[nodiscard]] const std::vector<MetricKind>& metric_kinds();  // in the order of the list
[[nodiscard]] const MetricKind& kind_of(Metric metric);
[[nodiscard]] std::string_view name_of(MetricType type);
// The table of docs/operating/metrics.md.
[[nodiscard]] std::string metrics_table();

}  // namespace nlb
