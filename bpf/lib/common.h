/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every program of this directory includes first. */
#ifndef NLB_BPF_COMMON_H
#define NLB_BPF_COMMON_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <nlb/abi/filter.h>
#include <nlb/abi/hash.h>
#include <nlb/abi/verdict.h>

#define nlb_inline inline __attribute__((always_inline))

/* Not a verdict: the question was not for the function that was asked. */
#define NLB_UNDECIDED NLB_VERDICT_COUNT

/* Longest header that a decision reads: Ethernet, two tags, IP with options, ICMP, an IP header with options.
 */
#define NLB_HEADER_BYTES 192

#endif
