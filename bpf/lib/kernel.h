/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kernel's own structs, as far as they are read here. Offsets are corrected at load time (CO-RE), so one
 * object runs on every kernel with BTF and the build needs no vmlinux.h. */
#ifndef NLB_BPF_KERNEL_H
#define NLB_BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr___kernel { /* libbpf looks past the three underscores; <linux/in6.h> has the plain name */
  union {
    __be32 u6_addr32[4];
  } in6_u;
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  struct in6_addr___kernel skc_v6_daddr;
  struct in6_addr___kernel skc_v6_rcv_saddr;
  __u32 skc_tw_rcv_nxt;
  __u32 skc_tw_snd_nxt;
};

struct inet_timewait_sock {
  struct sock_common __tw_common;
};

struct tcp_timewait_sock {
  struct inet_timewait_sock tw_sk;
};

struct tcp_request_sock {
  __u32 snt_isn;
  __u32 rcv_nxt;
};

struct tcp_sock {
  __u32 snd_una;
  __u32 snd_nxt;
  __u32 rcv_nxt;
  __u32 rcv_wnd;
  __u32 max_window;
  __u64 bytes_acked;
};

struct bpf_iter__tcp {
  struct sock_common* sk_common;
};

#pragma clang attribute pop

#endif
