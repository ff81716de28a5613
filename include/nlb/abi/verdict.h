/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every way a frame can end, once. This list feeds the counters of the kernel programs, the names in C++, the
 * metrics and the manual. Append only: a counter's place is its number.
 *
 *   X(name, action, expected, text)
 *   action    what the hook does with the frame (enum nlb_action)
 *   expected  1: counts in healthy operation; 0: should stay zero in production */
#ifndef NLB_ABI_VERDICT_H
#define NLB_ABI_VERDICT_H

#define NLB_VERDICTS(X)                                                                                \
  /* ingress */                                                                                        \
  X(passed, PASS, 1, "not for a virtual IP address")                                                   \
  X(heartbeat, PASS, 1, "a heartbeat")                                                                 \
  X(vlan, PASS, 1, "carries a VLAN tag: for another device")                                           \
  X(host, HOST, 1, "for the host itself, by the masked MAC or the adapter's former MAC")               \
  X(owned, ACCEPT, 1, "accepted: this host owns the bucket")                                           \
  X(held, ACCEPT, 1, "accepted: bucket in transition, the connection is here")                         \
  X(cookie, ACCEPT, 1, "accepted: bucket in transition, the SYN cookie is ours")                       \
  X(icmp_error, ACCEPT, 1, "accepted: ICMP error about a packet of a virtual IP address")              \
  X(fragment, ACCEPT, 1, "accepted: the first fragment was")                                           \
  X(arp_answered, ANSWER, 1, "ARP request for a virtual IP address, answered with the cluster MAC")    \
  X(arp_to_vip, HOST, 1, "ARP reply to a virtual IP address or to the cluster MAC")                    \
  X(arp_peer, DROP_LATE, 1, "ARP by a peer: a virtual IP address at the cluster MAC")                  \
  X(foreign, DROP, 1, "dropped: another host owns the bucket")                                         \
  X(stray, DROP, 1, "dropped: bucket in transition, the connection is not here")                       \
  X(no_lease, DROP, 0, "dropped: the lease is over, no new flow is accepted")                          \
  X(not_bound, DROP, 1, "dropped: this host does not serve the virtual IP address")                    \
  X(rule_disabled, DROP, 1, "dropped: the port rule's filtering mode is disabled")                     \
  X(not_vip, DROP, 1, "dropped: to the cluster MAC, but not for a virtual IP address")                 \
  X(bad_header, DROP, 0, "dropped: truncated or malformed header")                                     \
  X(fragment_unknown, DROP, 1, "dropped: the first fragment was not accepted here")                    \
  X(icmp_unrelated, DROP, 0, "dropped: ICMP error about a packet no virtual IP address sent")          \
  X(vip_conflict, DROP_LATE, 0, "dropped: ARP or ND that claims a virtual IP address for another MAC") \
  /* egress */                                                                                         \
  X(sent, PASS, 1, "sent as it was")                                                                   \
  X(masked, PASS, 1, "sent: the cluster MAC as source was masked")                                     \
  X(arp_mended, PASS, 1, "sent: the sender fields of ARP were mended")                                 \
  X(arp_blocked, DROP, 0, "not sent: ARP that would bind a virtual IP address wrongly")                \
  X(rarp_blocked, DROP, 0, "not sent: RARP with the cluster MAC")                                      \
  X(reset_held, DROP, 1,                                                                               \
    "not sent yet: reset to a segment without a connection, provoked for the first time")              \
  X(reset_sent, PASS, 1, "sent: reset to a segment without a connection, provoked again")              \
  X(nd_mended, PASS, 1, "sent: the link-layer address option of neighbour discovery was mended")       \
  X(answer_late, DROP, 1, "not sent: SYN-ACK of a bucket that may be another host's by now")           \
  /* IPv6, ingress */                                                                                  \
  X(nd_answered, ANSWER, 1,                                                                            \
    "neighbour solicitation for a virtual IP address, answered with the cluster MAC")                  \
  X(nd_to_vip, ACCEPT, 1, "neighbour discovery's answer to a virtual IP address or the cluster MAC")   \
  X(nd_peer, DROP_LATE, 1, "neighbour discovery by a peer: a virtual IP address at the cluster MAC")   \
  X(header_chain, DROP, 0, "dropped: IPv6 extension headers that are cut off or too many")             \
  /* IPv6, egress */                                                                                   \
  X(nd_blocked, DROP, 0, "not sent: neighbour discovery that would bind a virtual IP address wrongly") \
  /* heartbeats, ingress */                                                                            \
  X(heartbeat_excess, DROP, 0, "dropped: heartbeats that no member sent, beyond their budget")         \
  X(heartbeat_replayed, DROP, 0, "dropped: old heartbeats of a member, beyond their budget")           \
  /* translated connections, ingress */                                                                \
  X(asked, ASK, 1, "to connection tracking: bucket in transition, no socket; a translated connection goes on")

enum nlb_action {
  NLB_ACTION_PASS,   /* goes on untouched */
  NLB_ACTION_HOST,   /* packet type := HOST */
  NLB_ACTION_ACCEPT, /* packet type := HOST, mark |= NLB_MARK */
  NLB_ACTION_ASK, /* as ACCEPT, and mark |= NLB_MARK_ASK: the guard drops what is no translated connection */
  NLB_ACTION_ANSWER, /* turned into its answer and sent back; XDP leaves that to tc */
  NLB_ACTION_DROP,
  NLB_ACTION_DROP_LATE, /* tc drops it; XDP passes it on, so that packet sockets (conflict detection) hear it
                         */
};

enum nlb_verdict {
#define NLB_VERDICT_NUMBER(name, action, expected, text) NLB_VERDICT_##name,
  NLB_VERDICTS(NLB_VERDICT_NUMBER)
#undef NLB_VERDICT_NUMBER
      NLB_VERDICT_COUNT
};

#endif
