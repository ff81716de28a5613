/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Bounds that the kernel programs and user space share. */
#ifndef NLB_ABI_LIMITS_H
#define NLB_ABI_LIMITS_H

#define NLB_MAX_HOSTS 64 /* host ids are 1..64; bit id-1 in a members bitmap */
#define NLB_MAX_RULES 64 /* configured port rules: slots 0..63 */
#define NLB_SLOT_DEFAULT \
  64                     /* implicit: traffic for a VIP that no rule matches (one owner, the default host) */
#define NLB_SLOT_ECHO 65 /* implicit: ICMP echo (single affinity, equal weights) */
#define NLB_MAX_SLOTS 66
#define NLB_BUCKET_COUNT 4096 /* a power of two */
#define NLB_MAX_VIPS 64

#define NLB_MAX_EXTENSION_HEADERS 8 /* IPv6; more are refused */
#define NLB_MAX_ND_OPTIONS 192      /* neighbour discovery: more than 1500 octets hold; more are refused */

#endif
