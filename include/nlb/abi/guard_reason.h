/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every way a frame can end at a guarded port of a bridge, once. This list feeds the kernel programs, the
 * counters, the names in C++, the metrics and the manual. Append only: a counter's place is its number.
 *
 *   X(name, expected, text)
 *   expected  1: counts in healthy operation, never an event; 0: a violation, counted and reported
 *
 * Whose fault it is stands beside the reason: port, direction, MAC and address are in the counter's key and
 * in the event. */
#ifndef NLB_ABI_GUARD_REASON_H
#define NLB_ABI_GUARD_REASON_H

#define NLB_GUARD_REASONS(X)                                                                                \
  X(passed, 1, "let through")                                                                               \
  X(no_policy, 1, "the port has no policy yet: closed")                                                     \
  X(not_for_port, 1, "the destination is none of the port's addresses")                                     \
  X(port_shutdown, 0, "the port is shut down since a violation")                                            \
  /* Ethernet */                                                                                            \
  X(short_frame, 0, "the frame ends within its Ethernet header or tag")                                     \
  X(double_tagged, 0, "more than one VLAN tag, or a tag where none may be")                                 \
  X(source_zero, 0, "the Ethernet source is 00:00:00:00:00:00")                                             \
  X(source_multicast, 0, "the Ethernet source is a group address")                                          \
  X(source_spoofed, 0, "the Ethernet source is none of the port's addresses")                               \
  X(neighbour_mac, 0, "the MAC belongs to another guarded port")                                            \
  X(cluster_source, 0, "the cluster MAC is the Ethernet source: switches would learn it")                   \
  X(duplicate_host_id, 0, "the masked MAC of another host of the same cluster: the host id is used twice")  \
  X(foreign_cluster, 0, "the MAC belongs to a cluster that the port is not a member of")                    \
  X(rogue_cluster, 0, "the MAC is that of an NLB cluster that nobody declared")                             \
  X(too_many_macs, 0, "the port has used as many MAC addresses as it may")                                  \
  X(forged_announcement, 0, "a policy announcement that the hypervisor did not send")                       \
  X(link_control, 0, "a link control frame (spanning tree, LACP, pause) from a guest")                      \
  X(foreign_heartbeat, 0, "a heartbeat for a cluster that the port is not a member of")                     \
  X(foreign_advertisement, 0, "a VRRP or CARP advertisement of a cluster that the port is not a member of") \
  /* address resolution: pairs of address and MAC */                                                        \
  X(arp_malformed, 0, "ARP that is truncated or not for IPv4 over Ethernet")                                \
  X(arp_mac, 0, "ARP names a MAC that is none of the port's")                                               \
  X(arp_address, 0, "ARP claims an address that is not in the port's list")                                 \
  X(rarp, 0, "reverse ARP about another MAC than the adapter's own")                                        \
  X(nd_malformed, 0, "neighbour discovery that is truncated or malformed")                                  \
  X(nd_fragment, 0, "neighbour discovery in fragments (RFC 6980)")                                          \
  X(nd_mac, 0, "neighbour discovery names a MAC that is none of the port's")                                \
  X(nd_address, 0, "neighbour discovery claims an address that is not in the port's list")                  \
  X(foreign_vip, 0, "a virtual IP address of a cluster that the port is not a member of")                   \
  X(vip_mac, 0,                                                                                             \
    "binds a virtual IP address to another MAC than the cluster's, or that MAC to another address")         \
  X(neighbour_address, 0, "the address belongs to another guarded port")                                    \
  /* IP */                                                                                                  \
  X(ip_malformed, 0, "an IP header that is truncated or malformed")                                         \
  X(header_chain, 0, "IPv6 extension headers that are truncated or too many to look behind")                \
  X(ip_address, 0, "the IP source address is not in the port's list")                                       \
  X(router_advertisement, 0, "a router advertisement (router guard)")                                       \
  X(redirect, 0, "an ICMP redirect (router guard)")                                                         \
  X(dhcp_server, 0, "a DHCP server's frame (DHCP guard)")                                                   \
  /* rate */                                                                                                \
  X(storm, 0, "more broadcast and multicast frames than the storm limit")                                   \
  X(heartbeat_storm, 0, "more heartbeats than any cluster sends")                                           \
  /* what is changed after the judgement */                                                                 \
  X(checksum_offload, 0, "a checksum left to the hardware that would be put over what was judged")          \
  /* steering: a cluster's frames to those members whose filter may take them */                            \
  X(announced, 1, "a member's announcement of its buckets: it ends at the port")                            \
  X(announcement_storm, 0, "more announcements than any member sends")                                      \
  X(steered, 1, "let through: the member has announced the bucket")                                         \
  X(flooded, 1, "let through: what the member has announced is not in force, or does not tell")             \
  X(steered_away, 1, "the bucket is none that the member has announced")                                    \
  X(fenced, 1, "the port went down and is fenced: other members were told that it is gone")                 \
  X(replicated, 1, "let through: as steered, and another member here gets the frame, too")                  \
  X(directed, 1, "let through to the one member that has announced the bucket")

enum nlb_guard_reason {
#define NLB_GUARD_REASON_NUMBER(name, expected, text) NLB_GUARD_REASON_##name,
  NLB_GUARD_REASONS(NLB_GUARD_REASON_NUMBER)
#undef NLB_GUARD_REASON_NUMBER
      NLB_GUARD_REASON_COUNT
};

#endif
