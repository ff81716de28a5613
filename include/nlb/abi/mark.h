/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The bit of the packet mark by which the filter says "this packet for a VIP was judged here and accepted".
 * The nftables guard drops packets for a VIP without it and clears it afterwards, so that nobody else meets
 * it. */
#ifndef NLB_ABI_MARK_H
#define NLB_ABI_MARK_H

#define NLB_MARK 0x40000000U
/* "Only if connection tracking knows a translated connection of this segment": judged and cleared by the
 * guard, behind connection tracking and before any translation (decisions/0012). */
#define NLB_MARK_ASK 0x10000000U

#endif
