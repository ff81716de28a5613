// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Counts the live connections of virtual IP addresses by slot and bucket: the truth behind "held". Walks the
 * socket table of the network namespace that the iterator was created in. Request sockets count (the client's
 * ACK will come to this host); listeners, closed and TIME_WAIT do not (TIME_WAIT never keeps a bucket held).
 */
#include "lib/bucket.h"
#include "lib/kernel.h"
#include "lib/visit.h"

#define NLB_AF_INET 2
#define NLB_AF_INET6 10

/* A listener on [::] accepts IPv4 too; its connections carry ::ffff:a.b.c.d. */
static nlb_inline int nlb_mapped_address(const struct in6_addr___kernel* address, __be32* v4) {
  if (address->in6_u.u6_addr32[0] || address->in6_u.u6_addr32[1] ||
      address->in6_u.u6_addr32[2] != bpf_htonl(0xffff))
    return 0;
  *v4 = address->in6_u.u6_addr32[3];
  return 1;
}

static nlb_inline void nlb_take_address(const struct in6_addr___kernel* address, __u32* words) {
  words[0] = address->in6_u.u6_addr32[0];
  words[1] = address->in6_u.u6_addr32[1];
  words[2] = address->in6_u.u6_addr32[2];
  words[3] = address->in6_u.u6_addr32[3];
}

static nlb_inline int nlb_socket_addresses(const struct sock_common* sk, struct nlb_flow* flow) {
  if (sk->skc_family == NLB_AF_INET) {
    flow->vip[3] = sk->skc_rcv_saddr;
    flow->client[3] = sk->skc_daddr;
    return 1;
  }
  if (sk->skc_family != NLB_AF_INET6) return 0;
  if (nlb_mapped_address(&sk->skc_v6_rcv_saddr, &flow->vip[3]) &&
      nlb_mapped_address(&sk->skc_v6_daddr, &flow->client[3]))
    return 1;
  nlb_take_address(&sk->skc_v6_rcv_saddr, flow->vip);
  nlb_take_address(&sk->skc_v6_daddr, flow->client);
  flow->ipv6 = 1;
  return 1;
}

static nlb_inline int nlb_is_live(__u8 state) {
  return state != BPF_TCP_LISTEN && state != BPF_TCP_TIME_WAIT && state != BPF_TCP_CLOSE;
}

SEC("iter/tcp")
int nlb_iter_tcp(struct bpf_iter__tcp* ctx) {
  struct sock_common* sk = ctx->sk_common;
  struct nlb_flow flow = {};
  struct nlb_view view;

  if (!sk || !nlb_is_live(sk->skc_state) || !nlb_socket_addresses(sk, &flow) || !nlb_view_open(&view))
    return 0;
  flow.vip_number = flow.ipv6 ? nlb_vip6_number(view.bank, flow.vip) : nlb_vip_number(view.bank, flow.vip[3]);
  if (!flow.vip_number) return 0;
  flow.vip_port = bpf_htons(sk->skc_num);
  flow.client_port = sk->skc_dport;
  flow.slot = nlb_port_slot(&view, flow.vip_number, NLB_TABLE_TCP, flow.vip_port);

  __u32 slot = flow.slot, bucket = nlb_bucket_of(view.bank, &flow);
  struct nlb_live_row* row = bpf_map_lookup_elem(&nlb_live, &slot);

  if (row) row->connections[bucket & (NLB_BUCKET_COUNT - 1)] += 1;
  if (nlb_is_extended(view.bank, slot) && (nlb_bucket_state(view.bank, &flow) & NLB_BUCKET_OWNED))
    nlb_note_visit(&view, slot,
                   nlb_client_hash(view.bank, &flow)); /* an idle connection is its client's presence */
  return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
