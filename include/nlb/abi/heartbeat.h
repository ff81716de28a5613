/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the filter knows of heartbeats (docs/protocol/heartbeat.md, "The tag"): enough to tell those of the
 * cluster from what anybody else sends with their EtherType, before the daemon spends time on either.
 *
 * A frame carries, behind its stated length, a tag over its header and its signature. Who has the cluster's
 * key has made it. The daemon names the incarnations that it believes; a believed sender's next number passes
 * without a limit. Everything else has a budget:
 *
 *   index                        who                                           frames a second
 *   0                            all strangers together                        16,000
 *   NLB_BUDGET_STRANGER + 0..63  strangers whose source MAC falls there        1,000
 *   NLB_BUDGET_NEWCOMER + id     tagged, of an incarnation not believed (yet)  1,000
 *   NLB_BUDGET_REPLAYED + id     tagged, believed, the number not newer        1,000
 *
 * So a flood without the key takes nothing from members; a replay of what a member said in a former life
 * contests the return of that member alone. Old numbers are not dropped at once: a machine that was set back
 * to a snapshot uses them, and the daemon tells it so. A budget is one number: the instant at which it is
 * whole again, never more than NLB_BUDGET_FRAMES intervals ahead (generic cell rate algorithm, ITU-T I.371).
 */
#ifndef NLB_ABI_HEARTBEAT_H
#define NLB_ABI_HEARTBEAT_H

#include <linux/types.h>

#include "hash.h"
#include "limits.h"

#define NLB_HEARTBEAT_SIGNATURE_BYTES 16
#define NLB_HEARTBEAT_TAG_BYTES 8
#define NLB_HEARTBEAT_MOST_BYTES 1500
#define NLB_TAG_KEYS 16     /* a rotation needs two */
#define NLB_SENDERS_MAX 128 /* one incarnation a host id, and room for a change */

/* Of an IP packet for a virtual IP address that carries a heartbeat (RFC 3692); from this segment, or another
 * number would stand in its hop limit (RFC 5082). To the group of mode igmp, 239.255.y.z of the cluster MAC
 * 01-00-5e-7f-y-z, it says that no router is to pass it on. */
#define NLB_HEARTBEAT_PROTOCOL 253
#define NLB_HEARTBEAT_HOP_LIMIT 255
#define NLB_GROUP_HOP_LIMIT 1
#define NLB_GROUP_PREFIX 0xefff0000

#define NLB_STRANGER_SLOTS 64 /* a power of two */
#define NLB_BUDGET_ALL_STRANGERS 0
#define NLB_BUDGET_STRANGER 1
#define NLB_BUDGET_NEWCOMER (NLB_BUDGET_STRANGER + NLB_STRANGER_SLOTS)
#define NLB_BUDGET_REPLAYED (NLB_BUDGET_NEWCOMER + NLB_MAX_HOSTS + 1)
#define NLB_BUDGET_COUNT (NLB_BUDGET_REPLAYED + NLB_MAX_HOSTS + 1)

#define NLB_BUDGET_FRAMES 256ULL         /* at once, after a pause */
#define NLB_ALL_STRANGERS_FRAMES 4096ULL /* at once, of all strangers */
#define NLB_BUDGET_INTERVAL_NS 1000000ULL
#define NLB_ALL_STRANGERS_INTERVAL_NS 62500ULL

/* As on the wire: big-endian, at any alignment. */
struct nlb_heartbeat_header {
  __u8 magic[4];
  __u8 version[2];
  __u8 type;
  __u8 sender;
  __u8 total_bytes[2];
  __u8 reserved[2];
  __u8 key_id[8];
  __u8 cluster_id[8];
  __u8 incarnation[8];
  __u8 sequence[8];
};

/* What the tag is computed over: 64 bytes. */
union nlb_tagged {
  struct {
    struct nlb_heartbeat_header header;
    __u8 signature[NLB_HEARTBEAT_SIGNATURE_BYTES];
    __u8 zero[4];
  } frame;
  __u64 words[8];
};

struct nlb_tag_id {
  __u8 octets[8]; /* the key id */
};

struct nlb_tag_key {
  __u64 words[2]; /* the 16 bytes as two little-endian numbers */
};

struct nlb_sender {
  __u64 incarnation;
  __u64 id;
};

#ifdef __cplusplus
static_assert(sizeof(nlb_heartbeat_header) == 44 && sizeof(nlb_tagged) == 64);
#else
_Static_assert(sizeof(struct nlb_heartbeat_header) == 44 && sizeof(union nlb_tagged) == 64, "no padding");
#endif

static inline __attribute__((always_inline)) __u64 nlb_little_endian(__u64 word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return __builtin_bswap64(word);
#else
  return word;
#endif
}

static inline __attribute__((always_inline)) __u64 nlb_big_endian_8(const __u8* octets) {
  __u64 value = 0;

  for (int i = 0; i < 8; ++i) value = value << 8 | octets[i];
  return value;
}

/* SipHash-2-4 of the 64 bytes. The tag on the wire is this number, lowest byte first. */
static inline __attribute__((always_inline)) __u64 nlb_heartbeat_tag(const struct nlb_tag_key* key,
                                                                     const union nlb_tagged* tagged) {
  NLB_SIP_START(key->words[0], key->words[1], a, b, c, d);

  for (int i = 0; i <= 8; ++i) {
    __u64 word = i < 8 ? nlb_little_endian(tagged->words[i]) : (__u64)sizeof(*tagged) << 56;

    d ^= word;
    NLB_SIP_ROUND(a, b, c, d);
    NLB_SIP_ROUND(a, b, c, d);
    a ^= word;
  }
  c ^= 0xff;
  NLB_SIP_ROUND(a, b, c, d);
  NLB_SIP_ROUND(a, b, c, d);
  NLB_SIP_ROUND(a, b, c, d);
  NLB_SIP_ROUND(a, b, c, d);
  return a ^ b ^ c ^ d;
}

/* Keyed by the bucket hash's seed: a stranger cannot pick the slot that he shares with somebody. */
static inline __attribute__((always_inline)) __u32 nlb_stranger_budget(__u64 k0, __u64 k1, const __u8* mac) {
  __u32 high = (__u32)mac[0] << 24 | (__u32)mac[1] << 16 | (__u32)mac[2] << 8 | mac[3];
  __u32 low = (__u32)mac[4] << 8 | mac[5];

  return NLB_BUDGET_STRANGER +
         (nlb_bucket_v4(k0, k1, NLB_AFFINITY_NONE, high, low) & (NLB_STRANGER_SLOTS - 1));
}

#endif
