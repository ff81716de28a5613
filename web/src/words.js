// SPDX-License-Identifier: Apache-2.0
// How things are called and written: the words of NLB Manager and of the adapter's settings in Hyper-V.

export const HOST_COLOURS = 8;
/** A host has its colour wherever it is shown. */
export const colourOf = (host) => `var(--host-${((host - 1) % HOST_COLOURS) + 1})`;

const STATES = {
  converged: ["Converged", "good"],
  converging: ["Converging", "busy"],
  draining: ["Draining", "busy"],
  stopped: ["Stopped", "off"],
  suspended: ["Suspended", "off"],
  refused: ["Refused", "bad"],
  silent: ["Not heard", "bad"],
};

export function stateWords(state, isDefault) {
  const [text, mood] = STATES[state] || [state || "Unknown", "off"];
  return { text: isDefault && state === "converged" ? "Converged (default)" : text, mood };
}

export const percent = (share) => (share === undefined ? "–" : `${(100 * share).toFixed(1)} %`);
// Made once: a formatter is dear.
const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour12: false, timeStyle: "medium" });

export const count = (number) => (number === undefined ? "–" : NUMBER.format(Math.round(number)));

export function rate(number) {
  if (number === undefined) return "–";
  return number > 0 && number < 10 ? number.toFixed(1) : count(number);
}

export function age(ms) {
  if (ms === undefined || ms === null) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms ago`;
  if (ms < 120000) return `${Math.round(ms / 1000)} s ago`;
  return `${Math.round(ms / 60000)} min ago`;
}

export const clock = (time) => CLOCK.format(new Date(time));
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

export function hostName(host, name, all) {
  const unlike = name && all.filter((one) => one === name).length < 2;
  return unlike ? `${host} · ${name}` : `Host ${host}`;
}

/** Keys of a port rule, in the words of NLB Manager. */
const FIELDS = { vip: "Cluster IP", ports: "Port range", protocol: "Protocol", mode: "Filtering mode",
  affinity: "Affinity", weight: "Load weight", priority: "Handling priority", timeout_s: "Timeout, seconds" };
export const fieldName = (key) => FIELDS[key] || key;

// Of include/nlb/abi/verdict.h; a test holds them to it.
export const VERDICTS = {
  passed: "not for a virtual IP address",
  heartbeat: "a heartbeat",
  vlan: "carries a VLAN tag: for another device",
  host: "for the host itself, by the masked MAC or the adapter's former MAC",
  owned: "accepted: this host owns the bucket",
  held: "accepted: bucket in transition, the connection is here",
  cookie: "accepted: bucket in transition, the SYN cookie is ours",
  icmp_error: "accepted: ICMP error about a packet of a virtual IP address",
  fragment: "accepted: the first fragment was",
  arp_answered: "ARP request for a virtual IP address, answered with the cluster MAC",
  arp_to_vip: "ARP reply to a virtual IP address or to the cluster MAC",
  arp_peer: "ARP by a peer: a virtual IP address at the cluster MAC",
  foreign: "dropped: another host owns the bucket",
  stray: "dropped: bucket in transition, the connection is not here",
  no_lease: "dropped: the lease is over, no new flow is accepted",
  not_bound: "dropped: this host does not serve the virtual IP address",
  rule_disabled: "dropped: the port rule's filtering mode is disabled",
  not_vip: "dropped: to the cluster MAC, but not for a virtual IP address",
  bad_header: "dropped: truncated or malformed header",
  fragment_unknown: "dropped: the first fragment was not accepted here",
  icmp_unrelated: "dropped: ICMP error about a packet no virtual IP address sent",
  vip_conflict: "dropped: ARP or ND that claims a virtual IP address for another MAC",
  sent: "sent as it was",
  masked: "sent: the cluster MAC as source was masked",
  arp_mended: "sent: the sender fields of ARP were mended",
  arp_blocked: "not sent: ARP that would bind a virtual IP address wrongly",
  rarp_blocked: "not sent: RARP with the cluster MAC",
  reset_held: "not sent yet: reset to a segment without a connection, provoked for the first time",
  reset_sent: "sent: reset to a segment without a connection, provoked again",
  nd_mended: "sent: the link-layer address option of neighbour discovery was mended",
  answer_late: "not sent: SYN-ACK of a bucket that may be another host's by now",
  nd_answered: "neighbour solicitation for a virtual IP address, answered with the cluster MAC",
  nd_to_vip: "neighbour discovery's answer to a virtual IP address or the cluster MAC",
  nd_peer: "neighbour discovery by a peer: a virtual IP address at the cluster MAC",
  header_chain: "dropped: IPv6 extension headers that are cut off or too many",
  nd_blocked: "not sent: neighbour discovery that would bind a virtual IP address wrongly",
  heartbeat_excess: "dropped: heartbeats that no member sent, beyond their budget",
  heartbeat_replayed: "dropped: old heartbeats of a member, beyond their budget",
  asked: "to connection tracking: bucket in transition, no socket; a translated connection goes on",
};
/** Should stay zero in production. */
export const UNEXPECTED = new Set(["no_lease", "bad_header", "icmp_unrelated", "vip_conflict", "arp_blocked",
  "rarp_blocked", "header_chain", "nd_blocked", "heartbeat_excess",
  "heartbeat_replayed"]);
