/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Is the connection of this segment here? The kernel's socket table is the connection table.
 *
 * The four-tuple alone proves nothing: after a move, the old owner may still have a request socket (or
 * TIME_WAIT) of the same four-tuple while the client has connected to the new owner; its stack would then
 * reset the new connection in window. So the numbers must fit as well:
 *
 * - Established and the like: the acknowledgement lies within what this socket has sent; at the oldest, what
 *   the kernel itself tolerates (RFC 5961 section 5.2: max_window before snd_una).
 * - Request socket: the acknowledgement is the SYN-ACK's number + 1.
 * - TIME_WAIT: the acknowledgement is exact, the sequence number near.
 * - Listener: a SYN cookie that this listener made; a listener alone proves nothing.
 *
 * A translated connection (DNAT, a container) has no socket here. Where such connections are known to be, a
 * segment for which there is no socket, or a listener alone, is left to the guard, which asks connection
 * tracking (NLB_MARK_ASK).
 *
 * A segment without ACK (an old-style reset) is judged by its sequence number against the receive window. */
#ifndef NLB_BPF_SOCKET_H
#define NLB_BPF_SOCKET_H

#include <linux/tcp.h>

#include "bucket.h"
#include "frame.h"
#include "kernel.h"

#define NLB_TIME_WAIT_NEAR 65536U
#define NLB_REQUEST_WINDOW 65536U

/* value lies in first .. first + span, modulo 2^32 */
static nlb_inline int nlb_within(__u32 value, __u32 first, __u32 span) {
  return value - first <= span;
}

static nlb_inline int nlb_fits_connection(struct bpf_sock* sk, const struct tcphdr* tcp) {
  struct tcp_sock* connection = (struct tcp_sock*)bpf_skc_to_tcp_sock(sk);

  if (!connection) return 0;
  if (!tcp->ack) return nlb_within(bpf_ntohl(tcp->seq), connection->rcv_nxt - 1, connection->rcv_wnd + 1);

  __u64 acked = connection->bytes_acked;
  __u32 window = connection->max_window;
  __u32 back = (acked < window ? (__u32)acked : window) + 1;
  __u32 first = connection->snd_una - back;

  return nlb_within(bpf_ntohl(tcp->ack_seq), first, connection->snd_nxt - first);
}

static nlb_inline int nlb_fits_request(struct bpf_sock* sk, const struct tcphdr* tcp) {
  struct tcp_request_sock* request = (struct tcp_request_sock*)bpf_skc_to_tcp_request_sock(sk);

  if (!request) return 0;
  if (!tcp->ack) return nlb_within(bpf_ntohl(tcp->seq), request->rcv_nxt, NLB_REQUEST_WINDOW);
  return bpf_ntohl(tcp->ack_seq) == request->snt_isn + 1;
}

static nlb_inline int nlb_fits_time_wait(struct bpf_sock* sk, const struct tcphdr* tcp) {
  struct tcp_timewait_sock* closed = (struct tcp_timewait_sock*)bpf_skc_to_tcp_timewait_sock(sk);

  if (!closed) return 0;
  if (!nlb_within(bpf_ntohl(tcp->seq), closed->tw_sk.__tw_common.skc_tw_rcv_nxt - NLB_TIME_WAIT_NEAR,
                  2 * NLB_TIME_WAIT_NEAR))
    return 0;
  return !tcp->ack || bpf_ntohl(tcp->ack_seq) == closed->tw_sk.__tw_common.skc_tw_snd_nxt;
}

static nlb_inline __u32 nlb_no_socket(const struct nlb_bank* bank) {
  return bank->flags & NLB_BANK_ASKS ? NLB_VERDICT_asked : NLB_VERDICT_stray;
}

/* `ip` is the IP header without options, `ip_bytes` long. */
static nlb_inline __u32 nlb_judge_socket(struct bpf_sock* sk, const struct nlb_bank* bank, void* ip,
                                         __u32 ip_bytes, struct tcphdr* tcp) {
  switch (sk->state) {
    case BPF_TCP_LISTEN:
      if (tcp->ack && bpf_tcp_check_syncookie(sk, ip, ip_bytes, tcp, sizeof(*tcp)) == 0)
        return NLB_VERDICT_cookie;
      return nlb_no_socket(bank);
    case BPF_TCP_NEW_SYN_RECV:
      return nlb_fits_request(sk, tcp) ? NLB_VERDICT_held : NLB_VERDICT_stray;
    case BPF_TCP_TIME_WAIT:
      return nlb_fits_time_wait(sk, tcp) ? NLB_VERDICT_held : NLB_VERDICT_stray;
    case BPF_TCP_CLOSE:
      return NLB_VERDICT_stray;
    default:
      return nlb_fits_connection(sk, tcp) ? NLB_VERDICT_held : NLB_VERDICT_stray;
  }
}

static nlb_inline struct bpf_sock* nlb_find_socket(struct nlb_context* ctx, const struct nlb_flow* flow,
                                                   struct bpf_sock_tuple* tuple) {
  if (!flow->ipv6) {
    tuple->ipv4.saddr = flow->client[3];
    tuple->ipv4.daddr = flow->vip[3];
    tuple->ipv4.sport = flow->client_port;
    tuple->ipv4.dport = flow->vip_port;
    return bpf_skc_lookup_tcp(ctx, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
  }
  nlb_copy_address6(tuple->ipv6.saddr, flow->client);
  nlb_copy_address6(tuple->ipv6.daddr, flow->vip);
  tuple->ipv6.sport = flow->client_port;
  tuple->ipv6.dport = flow->vip_port;
  return bpf_skc_lookup_tcp(ctx, tuple, sizeof(tuple->ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* held, cookie, stray or asked; `tuple` is room for the question */
static nlb_inline __u32 nlb_find_connection(struct nlb_frame* frame, const struct nlb_bank* bank, void* ip,
                                            __u32 ip_bytes, struct tcphdr* tcp, const struct nlb_flow* flow,
                                            struct bpf_sock_tuple* tuple) {
  struct bpf_sock* sk = nlb_find_socket(frame->ctx, flow, tuple);
  __u32 verdict;

  if (!sk) return nlb_no_socket(bank);
  verdict = nlb_judge_socket(sk, bank, ip, ip_bytes, tcp);
  bpf_sk_release(sk);
  return verdict;
}

#endif
