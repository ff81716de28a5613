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

export const VERDICTS = {
  owned: "accepted: this host owns the bucket",
  held: "accepted: bucket in transition, the connection is here",
  cookie: "accepted: bucket in transition, the SYN cookie is ours",
  foreign: "dropped: another host owns the bucket",
  stray: "dropped: bucket in transition, the connection is not here",
  no_lease: "dropped: the lease is over, no new flow is accepted",
  not_bound: "dropped: this host does not serve the virtual IP address",
  rule_disabled: "dropped: the port rule's filtering mode is disabled",
  not_vip: "dropped: to the cluster MAC, but not for a virtual IP address",
  vip_conflict: "dropped: ARP or ND claims a virtual IP address for another MAC",
  arp_answered: "ARP request for a virtual IP address, answered",
  heartbeat: "a heartbeat",
  passed: "not for a virtual IP address",
  sent: "sent as it was",
  masked: "sent: the cluster MAC as source was masked",
};
/** Should stay zero in production. */
export const UNEXPECTED = new Set(["no_lease", "bad_header", "icmp_unrelated", "vip_conflict", "arp_blocked",
  "rarp_blocked", "nd_blocked", "header_chain", "heartbeat_excess", "heartbeat_replayed"]);
