/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* IP protocols besides TCP, UDP and ICMP that a rule can have, and the ports whose rule that is
 * (docs/operating/protocols.md). */
#ifndef NLB_ABI_PORTLESS_H
#define NLB_ABI_PORTLESS_H

/* IANA's assigned numbers */
#define NLB_PROTOCOL_GRE 47
#define NLB_PROTOCOL_ESP 50
#define NLB_PROTOCOL_AH 51
#define NLB_PROTOCOL_SCTP 132

#define NLB_PORT_PPTP 1723 /* TCP; RFC 2637 */
#define NLB_PORT_IKE 500   /* UDP; RFC 7296 */

#define NLB_SCTP_HEADER_BYTES 12 /* RFC 9260; the ports stand first, as in TCP and UDP */

#endif
