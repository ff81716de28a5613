/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The bucket of a client: SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012; the
 * reduced-round variant that the Linux kernel and Rust use), keyed by the cluster's seed, over the client's
 * address and port.
 *
 * The message holds neither rule nor virtual IP address, so one client has the same bucket in all rules of
 * the same affinity. IPv4 message, 8 bytes: address (network order; masked to /24 for network affinity), port
 * (network order; 0 for single and network affinity), two zero bytes. IPv6 message, 24 bytes: address (masked
 * to /64), port, six zero bytes. See docs/protocol/bucket-hash.md.
 *
 * Arithmetic on values only, never on memory: the same on every architecture. */
#ifndef NLB_ABI_HASH_H
#define NLB_ABI_HASH_H

#include <linux/types.h>

#include "limits.h"

#define NLB_AFFINITY_NONE 0    /* address and port */
#define NLB_AFFINITY_SINGLE 1  /* address */
#define NLB_AFFINITY_NETWORK 2 /* address of the /24 or /64 */

#define NLB_ROTATE(value, bits) (((value) << (bits)) | ((value) >> (64 - (bits))))
#define NLB_SIP_ROUND(a, b, c, d) \
  do {                            \
    a += b;                       \
    b = NLB_ROTATE(b, 13);        \
    b ^= a;                       \
    a = NLB_ROTATE(a, 32);        \
    c += d;                       \
    d = NLB_ROTATE(d, 16);        \
    d ^= c;                       \
    a += d;                       \
    d = NLB_ROTATE(d, 21);        \
    d ^= a;                       \
    c += b;                       \
    b = NLB_ROTATE(b, 17);        \
    b ^= c;                       \
    c = NLB_ROTATE(c, 32);        \
  } while (0)

/* Declares the state; the key's words as little-endian numbers, as in the paper. */
#define NLB_SIP_START(k0, k1, a, b, c, d)                                   \
  __u64 a = (k0) ^ 0x736f6d6570736575ULL, b = (k1) ^ 0x646f72616e646f6dULL; \
  __u64 c = (k0) ^ 0x6c7967656e657261ULL, d = (k1) ^ 0x7465646279746573ULL

#define NLB_SIP13_WORD(word, a, b, c, d) \
  do {                                   \
    d ^= (word);                         \
    NLB_SIP_ROUND(a, b, c, d);           \
    a ^= (word);                         \
  } while (0)
#define NLB_SIP13_END(a, b, c, d) \
  do {                            \
    c ^= 0xff;                    \
    NLB_SIP_ROUND(a, b, c, d);    \
    NLB_SIP_ROUND(a, b, c, d);    \
    NLB_SIP_ROUND(a, b, c, d);    \
  } while (0)

/* SipHash-1-3 of one 8-byte message; message and key words as little-endian numbers, as in the paper. */
static inline __attribute__((always_inline)) __u64 nlb_siphash13_8(__u64 k0, __u64 k1, __u64 message) {
  const __u64 length = (__u64)8 << 56;
  NLB_SIP_START(k0, k1, a, b, c, d);

  NLB_SIP13_WORD(message, a, b, c, d);
  NLB_SIP13_WORD(length, a, b, c, d);
  NLB_SIP13_END(a, b, c, d);
  return a ^ b ^ c ^ d;
}

/* SipHash-1-3 of one 24-byte message. */
static inline __attribute__((always_inline)) __u64 nlb_siphash13_24(__u64 k0, __u64 k1, __u64 first,
                                                                    __u64 second, __u64 third) {
  const __u64 length = (__u64)24 << 56;
  NLB_SIP_START(k0, k1, a, b, c, d);

  NLB_SIP13_WORD(first, a, b, c, d);
  NLB_SIP13_WORD(second, a, b, c, d);
  NLB_SIP13_WORD(third, a, b, c, d);
  NLB_SIP13_WORD(length, a, b, c, d);
  NLB_SIP13_END(a, b, c, d);
  return a ^ b ^ c ^ d;
}

/* In the message: first octet = lowest byte of a little-endian word. */
static inline __attribute__((always_inline)) __u32 nlb_port_bytes(__u32 port) {
  return (port & 0xff) << 8 | (port >> 8 & 0xff);
}

/* client and port in host order. The whole hash: its lowest bits are the bucket. */
static inline __attribute__((always_inline)) __u64 nlb_client_v4(__u64 k0, __u64 k1, __u32 affinity,
                                                                 __u32 client, __u32 port) {
  if (affinity == NLB_AFFINITY_NETWORK) client &= 0xffffff00U;
  if (affinity != NLB_AFFINITY_NONE) port = 0;
  __u32 address = __builtin_bswap32(client); /* first octet = lowest byte of the little-endian message */

  return nlb_siphash13_8(k0, k1, (__u64)nlb_port_bytes(port) << 32 | address);
}

/* The client's four words, each in host order, and its port in host order. */
static inline __attribute__((always_inline)) __u64 nlb_client_v6(__u64 k0, __u64 k1, __u32 affinity,
                                                                 const __u32 client[4], __u32 port) {
  __u64 network = (__u64)__builtin_bswap32(client[1]) << 32 | __builtin_bswap32(client[0]);
  __u64 host = (__u64)__builtin_bswap32(client[3]) << 32 | __builtin_bswap32(client[2]);

  if (affinity == NLB_AFFINITY_NETWORK) host = 0;
  if (affinity != NLB_AFFINITY_NONE) port = 0;
  return nlb_siphash13_24(k0, k1, network, host, nlb_port_bytes(port));
}

static inline __attribute__((always_inline)) __u32 nlb_bucket_of_hash(__u64 hash) {
  return (__u32)(hash & (NLB_BUCKET_COUNT - 1));
}

static inline __attribute__((always_inline)) __u32 nlb_bucket_v4(__u64 k0, __u64 k1, __u32 affinity,
                                                                 __u32 client, __u32 port) {
  return nlb_bucket_of_hash(nlb_client_v4(k0, k1, affinity, client, port));
}

static inline __attribute__((always_inline)) __u32 nlb_bucket_v6(__u64 k0, __u64 k1, __u32 affinity,
                                                                 const __u32 client[4], __u32 port) {
  return nlb_bucket_of_hash(nlb_client_v6(k0, k1, affinity, client, port));
}

#endif
