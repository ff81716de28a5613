// SPDX-License-Identifier: Apache-2.0
// The one list of events: log, journal, its catalog and the manual are made of it. Numbers are those that
// Windows NLB publishes where an event means the same; own ones begin at 1000.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nlb {

// X(identifier, number, severity, cause, remedy). Append only; numbers are never given a new meaning. After a
// change: NLB_WRITE_CATALOG=1 build/tests/event_catalog_test writes packaging/journal/opennlb.catalog.
#define NLB_EVENTS(X)                                                                                       \
  X(joined, 5, info, "This host became an active member of its cluster.", "")                               \
  X(left, 6, info, "This host is no longer an active member of its cluster.", "")                           \
  X(duplicate_host_id, 17, error,                                                                           \
    "Another host of the cluster uses the host id (host priority) of this one.",                            \
    "give each host an id of its own ([host] id) and run `nlb reload` or restart")                          \
  X(duplicate_priority, 20, error,                                                                          \
    "Two hosts have the same handling priority for a port rule of mode single. The one with the lower "     \
    "host id goes before the other; Windows NLB would not converge.",                                       \
    "give each host a handling priority of its own for this rule (`priority` in its [[port_rule]]) and "    \
    "run `nlb reload`")                                                                                     \
  X(rule_enabled, 23, info, "This host takes new traffic for the port rule.", "")                           \
  X(rule_disabled, 24, info, "This host takes no traffic for the port rule any more.", "")                  \
  X(converged, 28, info, "The members agree on who they are and which of them serves what.", "")            \
  X(converged_as_default, 29, info, "As 28; this host is the default host.", "")                            \
  X(reloaded, 36, info, "The configuration was read again and is in force.", "")                            \
  X(rule_drained, 39, info, "The port rule takes no new connections; those that it has go on.", "")         \
  X(drain_started, 44, info, "This host takes no new connections and stops when the last one has ended.",   \
    "")                                                                                                     \
  X(bind_refused, 53, error,                                                                                \
    "The cluster cannot be bound to the adapter: the adapter, or the switch that it is connected to, does " \
    "not support the change of MAC addresses that the cluster needs, or an address is in the way. The "     \
    "field NLB_REASON says which. Adapter and addresses are as they were found.",                           \
    "do what `nlb display` and `nlb doctor` give as remedy for this platform; this host tries again by "    \
    "itself")                                                                                               \
  X(config_mismatch, 68, error,                                                                             \
    "A host of this cluster has another configuration; it does not share a view "                           \
    "with this one.",                                                                                       \
    "make mode, vips, rules, seed and heartbeat profile equal on all hosts")                                \
  X(peer_leaving, 69, info, "A member leaves; its share goes to the others.", "")                           \
  X(started, 1000, info, "nlbd runs.", "")                                                                  \
  X(stopped, 1001, info, "nlbd ends.", "")                                                                  \
  X(state_changed, 1002, info, "The state of this host changed.", "")                                       \
  X(view_changed, 1003, info, "The set of members changed; the cluster converges.", "")                     \
  X(peer_silent, 1004, warning, "Nothing was heard of a member for the time in which failure is detected.", \
    "look at that host: `nlb query` there; when it runs, at the network between the two")                   \
  X(peer_evicted, 1005, warning, "A member was left out of the view; the others take over its share.",      \
    "look at that host: it joins again by itself when it is heard")                                         \
  X(peer_joined, 1006, info, "A host joined the cluster.", "")                                              \
  X(daemon_late, 1007, warning, "nlbd was not run in time, and counted itself as the failed one.",          \
    "give nlbd real-time priority (CAP_SYS_NICE) or choose a slower heartbeat")                             \
  X(receive_filtered, 1008, error,                                                                          \
    "Other members are heard, but not by the cluster MAC: a switch or the "                                 \
    "hypervisor does not deliver it to this adapter. This host owns nothing meanwhile.",                    \
    "frames to the cluster MAC do not arrive: see `nlb display` and the switch")                            \
  X(kernel_of_peer_lives, 1009, info,                                                                       \
    "A silent member's kernel still answers: its connections are respected.", "")                           \
  X(kernel_of_peer_gone, 1010, info, "A silent member's kernel answers no more: its connections are over.", \
    "")                                                                                                     \
  X(nobody_owns, 1011, warning,                                                                             \
    "No host takes the traffic of a port rule: all have weight 0 or are drained.",                          \
    "start a host, or give one a weight above 0")                                                           \
  X(drained, 1012, info, "The last connection of a draining host or rule has ended.", "")                   \
  X(reload_refused, 1013, error, "The new configuration is wrong.",                                         \
    "correct the named lines and run `nlb reload`; the old configuration stays")                            \
  X(filter_detached, 1014, error, "The kernel filter was taken off the adapter by somebody else.",          \
    "somebody detached the filter; it was attached again")                                                  \
  X(guard_removed, 1015, error, "The nftables guard was removed or changed by somebody else.",              \
    "somebody removed the nftables guard; it was put back")                                                 \
  X(vip_removed, 1016, warning, "A VIP was taken off the adapter by somebody else.",                        \
    "somebody removed the VIP; it was put back")                                                            \
  X(mac_changed, 1017, error, "MAC addresses of the adapter were changed by somebody else.",                \
    "somebody changed the adapter's MAC addresses; they were put back")                                     \
  X(carrier_lost, 1018, warning, "The adapter has no carrier; this host owns nothing meanwhile.",           \
    "connect the adapter: the cable, the switch port, or the virtual adapter")                              \
  X(carrier_back, 1019, info, "The adapter has its carrier back.", "")                                      \
  X(frames_refused, 1020, warning,                                                                          \
    "Heartbeats arrived that are not signed by a key of this cluster, or are "                              \
    "malformed or replayed.",                                                                               \
    "compare `key` lines of both hosts' key files; else another cluster, or an attacker")                   \
  X(key_accepted, 1021, info, "A new key is accepted from now on; it signs later.",                         \
    "copy the key file to all hosts and run `nlb reload` there")                                            \
  X(key_signs, 1022, info, "Heartbeats are signed with the newest key from now on.", "")                    \
  X(bound, 1023, info, "The cluster is bound to the adapter: path proven, MAC and VIPs in force.", "")      \
  X(vip_by_hand, 1024, warning, "Somebody added a VIP to an adapter that the cluster is not bound to.",     \
    "remove it: nlbd adds the VIP when the cluster MAC can be used")                                        \
  X(ip_conflict, 1025, error, "A device outside the cluster uses a VIP.",                                   \
    "find the device with that MAC and give it another address")                                            \
  X(state_not_saved, 1026, error,                                                                           \
    "The state of this host could not be written; a restart would not know it.",                            \
    "make room, or make the state directory writable")                                                      \
  X(interface_gone, 1027, error, "The cluster's interface vanished.",                                       \
    "bring the interface back under its name; this host goes on by itself")                                 \
  X(switch_policy, 1028, info,                                                                              \
    "The guard of the hypervisor's switch told what this host's port allows, for the first time or "        \
    "otherwise than before. A host that is refused tries again at once.",                                   \
    "")                                                                                                     \
  X(gateway_silent, 1029, warning,                                                                          \
    "No other host is heard, and the gateway does not answer: this host may be the one that is cut off, "   \
    "and serves nobody.",                                                                                   \
    "look at this host's port and at the gateway; where the gateway never answers ARP, on_unproven = "      \
    "\"bind\" in [host] does without it")                                                                   \
  X(receive_works, 1030, info, "Frames to the cluster MAC arrive again.", "")                               \
  X(commanded, 1031, info, "Somebody gave a command that changes something; the text says who.", "")        \
  X(metrics_not_served, 1032, warning, "The address for metrics cannot be listened on; all else goes on.",  \
    "free the address, or correct `listen` in [metrics]; it is tried again by itself")                      \
  X(mac_followed, 1033, warning,                                                                            \
    "The adapter's own MAC address was changed by somebody else; this host goes by the new one.",           \
    "where nobody meant to, find out who sets it: NetworkManager (`nlb netcfg`), a .link file, a script")   \
  X(cluster_mac_in_use, 1034, error,                                                                        \
    "A machine outside the cluster sends from the cluster MAC. A switch that learns addresses delivers "    \
    "the cluster's traffic to that machine alone.",                                                         \
    "find the machine, by its address or by the switch port that has learned the cluster MAC, and give "    \
    "it a MAC of its own; a port guarded by nlb-vmswitch refuses such frames")                              \
  X(echo_missing, 1035, warning,                                                                            \
    "Heartbeats that are signed by a key of this cluster keep coming and do not echo this host: their "     \
    "sender does not hear it, or somebody sends recordings. This host does not count on them. One that "    \
    "starts does not serve beside a sender that serves, for as long as the kernel there answers ARP.",      \
    "`nlb query` at the sender: where it does not list this host, find what keeps frames of EtherType "     \
    "0x88B5 of this host from it, at the switch's port or in a firewall")                                   \
  X(change_begun, 1040, info, "A change of the configuration on all members was asked for.", "")            \
  X(change_made, 1041, info, "A change of the configuration on all members is in force.", "")               \
  X(change_refused, 1042, warning,                                                                          \
    "A change of the configuration on all members was not possible on each of them; nothing was changed.",  \
    "do what the text says of each host, and repeat the command")                                           \
  X(change_failed, 1043, error, "A change that all members have agreed on could not be put in force here.", \
    "mend what the text says; it is tried again until then")                                                \
  X(health_rule_out, 1050, warning,                                                                         \
    "A health check of a port rule fails: this host takes no new connections for the rule; those that it "  \
    "has go on.",                                                                                           \
    "look at the service on this host: the text says what was asked and what came of it; the rule comes "   \
    "back by itself when the check holds again")                                                            \
  X(health_rule_back, 1051, info, "The health checks of a port rule hold again: this host serves it.", "")  \
  X(health_host_out, 1052, warning,                                                                         \
    "A health check with on_failure = \"host\" fails: this host takes no new connections at all; those "    \
    "that it has go on.",                                                                                   \
    "look at the service on this host: the text says what was asked and what came of it; the host comes "   \
    "back by itself when the check holds again")                                                            \
  X(health_host_back, 1053, info, "The health checks of the whole host hold again: it serves.", "")         \
  X(rule_unserved, 1054, error,                                                                             \
    "Every host fails a health check of a port rule: nobody takes its traffic, as all_down is \"closed\" "  \
    "there.",                                                                                               \
    "mend the service, on one host at least; where all fail at once, suspect what they share, or the "      \
    "check itself")                                                                                         \
  X(rule_served_as_last, 1055, error,                                                                       \
    "Every host fails a health check of a port rule: its traffic is spread as if all were well, as "        \
    "all_down is \"open\" there.",                                                                          \
    "mend the service, on one host at least; where all fail at once, suspect what they share, or the "      \
    "check itself")                                                                                         \
  X(rule_served, 1056, info, "A host has a port rule's service again, after all had failed its check.", "") \
  /* nlb-vmswitch */                                                                                        \
  X(switch_started, 1100, info, "nlb-vmswitch runs.", "")                                                   \
  X(switch_stopped, 1101, info, "nlb-vmswitch ends.", "the policy stays in force")                          \
  X(port_joined, 1102, info, "A guest's port joined a guarded bridge.", "")                                 \
  X(port_left, 1103, info, "A guest's port left a guarded bridge.", "")                                     \
  X(port_closed, 1104, error, "A port passes nothing.",                                                     \
    "do what the text says; the port opens by itself then")                                                 \
  X(programs_removed, 1105, error, "The guard's programs were taken off a port by somebody else.",          \
    "they are attached again; find out who detached them")                                                  \
  X(gate_removed, 1106, error, "The guard's nftables rules were removed by somebody else.",                 \
    "find out who flushes nftables, and let it spare tables nlb_switch_…")                                  \
  X(maps_changed, 1107, error, "The guard's maps were changed by somebody else.",                           \
    "find out who writes to the guard's maps")                                                              \
  X(violation, 1108, warning, "A guest sent what its port does not allow.",                                 \
    "see `nlb vmswitch violations`: the guest, or its setting, is to be changed")                           \
  X(port_shut_down, 1109, error, "A port was shut down for a violation.",                                   \
    "it recovers by itself after recover_s")                                                                \
  X(port_recovered, 1110, info, "A port that was shut down is open again.", "")                             \
  X(spoofing_changed, 1111, info, "The property \"Enable spoofing of MAC address\" of an adapter changed.", \
    "")                                                                                                     \
  X(spoofing_changed_live, 1112, warning,                                                                   \
    "The property \"Enable spoofing of MAC address\" of a running VM changed.",                             \
    "the VM ran while its property was changed")                                                            \
  X(not_on_bridge, 1113, warning, "A configured interface is not on a guarded bridge.",                     \
    "attach the interface to a guarded bridge, or correct its [[port]]")                                    \
  X(not_in_force, 1114, error, "The policy is not in force as a whole.",                                    \
    "the policy could not be put in force as a whole; it is tried again")                                   \
  X(guest_refused, 1120, error, "The definition of a virtual machine cannot be followed.",                  \
    "correct the named element (virsh edit); until then its settings are off, or its port is closed")       \
  X(guest_attached, 1121, info, "A virtual machine was handed over by its manager.", "")                    \
  X(guest_detached, 1122, info, "A virtual machine ended.", "")                                             \
  X(port_fenced, 1123, warning, "A member's port went down and is fenced.",                                 \
    "look why its machine ended or its interface went down; it is let in again when its nlbd begins anew")  \
  X(fence_ended, 1124, info, "The fence of a member's port has ended.", "")                                 \
  X(peer_fenced, 1125, warning, "The switch has fenced a peer's port: its buckets are taken at once.",      \
    "look at the peer's machine, and at `nlb vmswitch events` on the hypervisor")                           \
  X(fenced, 1126, warning, "The switch has fenced this host's port: it begins anew.",                       \
    "its port on the hypervisor was down; look at `nlb vmswitch events` there")

enum class Severity : uint8_t { info, warning, error };
enum class EventId : uint8_t {
#define NLB_EVENT_ENUM(name, number, severity, cause, remedy) name,
  NLB_EVENTS(NLB_EVENT_ENUM)
#undef NLB_EVENT_ENUM
};

inline constexpr std::size_t kEventCount = 0
#define NLB_EVENT_ONE(name, number, severity, cause, remedy) +1
    NLB_EVENTS(NLB_EVENT_ONE)
#undef NLB_EVENT_ONE
    ;

struct EventKind {
  const char* name;
  int number;
  Severity severity;
  const char* cause;
  const char* remedy;
};
[[nodiscard]] const EventKind& kind_of(EventId id);
[[nodiscard]] const char* name_of(Severity severity);
// What journald knows the event by: 32 hex digits, the last four of them the event's number.
[[nodiscard]] std::string message_id_of(int number);
// What `journalctl -x` shows: the text of packaging/journal/opennlb.catalog.
[[nodiscard]] std::string catalog_text();
// The entries of docs/operating/runbook.md, one an event.
[[nodiscard]] std::string runbook_text();

}  // namespace nlb
