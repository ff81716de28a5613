// SPDX-License-Identifier: Apache-2.0
// The page of a cluster, after NLB Manager: hosts, port rules, the log; and what NLB Manager never had, pictures
// of what happens now.
import { BUCKETS, buckets, drawBuckets, showSlot } from "./buckets.js";
import { drawChart } from "./chart.js";
import { askHost, askRule } from "./dialog.js";
import { clusterOf, shareOf, sharedAreasOf, verdictsOf } from "./model.js";
import { badge, dot, eventRow, kept, mark, nothing, panel, table } from "./parts.js";
import { changed, store } from "./store.js";
import { h } from "preact";
import { UNEXPECTED, VERDICTS, age, colourOf, count, hostName, percent, plural, rate } from "./words.js";

const known = new Map(); // by target: what was made of its last state and samples; several parts of a page ask

export function currentCluster(id) {
  const state = store.targets.get(id), samples = store.samples.get(id), last = known.get(id);
  if (last && last.state === state && last.samples === samples) return last.cluster;
  const cluster = clusterOf(state, samples);
  known.set(id, { state, samples, cluster });
  return cluster;
}

const names = (cluster) => cluster.hosts.map((host) => host.name);

/** Name and value stay together where a line ends. */
const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

function heading(cluster) {
  const converged = cluster.hosts.filter((host) => host.state === "converged").length;
  const whole = converged === cluster.hosts.length;
  const vips = cluster.display?.vips || [];
  const leader = cluster.hosts.find((host) => host.isDefault);
  return h("header", { class: "title" },
    h("h1", {}, `Cluster ${cluster.name}`),
    mark(whole ? "good" : "busy", `${converged} of ${plural(cluster.hosts.length, "host")} converged`),
    h("dl", { class: "facts" },
      vips.map((vip) => fact("Cluster IP address", vip.address,
        vip.present ? "" : mark("bad", `not on host ${cluster.view.host}`))),
      fact("Cluster MAC", cluster.display?.adapter?.mac_cluster || "–"),
      fact("Default host", leader ? `Host ${leader.id}` : "none"),
      fact("View", String(cluster.view.view ?? "–")),
      fact("Asked", cluster.view.host ? `Host ${cluster.view.host}` : "–")));
}

/** Of many hosts and rules these are most of the page. */
function shareBar(cluster, rule) {
  const shares = new Map((rule.members || []).map((member) => [member.id, member.share]));
  const parts = cluster.hosts.map((host) => ({ host, share: shares.get(host.id) || 0 }));
  const shown = parts.map(({ host, share }) => `${host.id}:${share}`).join(" ");
  return kept("share", shown, () => shareBarOf(parts));
}

const MOST_PARTS = 16;

/** All parts as one picture: of 64 hosts and 64 rules, elements of their own were most of the page's layout. */
function stripes(parts) {
  let sum = 0;
  return parts.map(({ host, share }) => {
    const from = sum;
    sum += share;
    return `${colourOf(host.id)} ${100 * from}% ${100 * sum}%`;
  }).concat(`var(--nobody) ${100 * sum}%`).join(", ");
}

function shareBarOf(parts) {
  const label = parts.map(({ host, share }) => `host ${host.id}: ${percent(share)}`).join(", ");
  if (parts.length > MOST_PARTS)
    return h("div", { class: "share", role: "img", "aria-label": label,
      style: { background: `linear-gradient(to right, ${stripes(parts)})` } });
  return h("div", { class: "share", role: "img", "aria-label": label }, parts.map(({ host, share }) =>
    h("span", { key: host.id, style: { width: `${100 * share}%`, background: colourOf(host.id) } },
      share > 0.08 ? h("b", {}, `${host.id}`) : null)));
}

function bucketPanel(cluster) {
  const owners = [...buckets.counts].sort((one, other) => one[0] - other[0]);
  const note = buckets.trouble || (buckets.at ?
      `each host's kernel was read ${age(Date.now() - buckets.at)}` : "reading …");
  const said = owners.map(([owner, number]) =>
    `${owner > 0 ? `host ${owner}` : owner === 0 ? "nobody" : "several hosts"}: ${number}`).join(", ");
  const choice = h("label", { class: "choice" }, "Rule ",
    h("select", { onChange: (event) => { showSlot(Number(event.target.value)); changed(); } },
      cluster.rules.map((rule) => h("option", { key: rule.slot, value: rule.slot,
          selected: rule.slot === buckets.slot },
        rule.rule))));
  return panel("Buckets by owner", note,
    h("div", { class: "above" }, choice,
      h("span", { class: "note" }, buckets.moved ?
          `last change moved ${plural(buckets.moved, "bucket")}` : "")),
    cluster.rules.length ? shareBar(cluster, cluster.rules.find((rule) => rule.slot === buckets.slot) ||
        cluster.rules[0]) : null,
    h("canvas", { class: "buckets", ref: (canvas) => canvas && drawBuckets(canvas), role: "img",
      "aria-label": `${BUCKETS} buckets by owner: ${said}` }),
    h("ul", { class: "legend owners", tabindex: owners.length > 16 ? 0 : null, // it can be scrolled
      "aria-label": "Buckets of each owner" }, owners.map(([owner, number]) =>
      h("li", { key: owner }, owner > 0 ? dot(owner) : h("span",
          { class: owner === 0 ? "dot nobody" : "dot several" }),
        owner > 0 ? ` Host ${owner} ` : owner === 0 ? " Nobody " : " Several at once ",
        h("b", {}, count(number)), ` · ${percent(number / BUCKETS)}`))));
}

function trafficPanel(cluster, samples) {
  const last = samples.at(-1);
  const total = Object.values(last?.hosts || {}).reduce((sum, host) => sum + (host.opens || 0), 0);
  const areas = sharedAreasOf(cluster.hosts.map((host) => host.id), last);
  return panel("New connections", "counted by each host's TCP; marks: who left, who joined",
    h("p", { class: "figure" }, h("b", {}, rate(total)), " connections/s"),
    h("div", { class: "chart", role: "img", ref: (place) => place && drawChart(place, samples, cluster),
      "aria-label": `New connections of the last five minutes, now ${rate(total)} a second` }),
    areas.length ? h("ul", { class: "legend areas", "aria-label": "Areas, the lowest first" },
      areas.map(({ name, colour, opens }) =>
        h("li", { key: name }, dot(colour), ` ${name} `, h("b", {}, rate(opens))))) : null);
}

function hostButtons(cluster, host) {
  const refused = cluster.role === "read" ? "The console's user may only read here" : host.answered ?
      "" : "The host does not answer";
  const again = { stopped: ["start"], suspended: ["resume"], draining: ["start", "stop"], refused: ["start",
      "stop"] };
  const list = again[host.state] || ["drainstop", "stop", "suspend"];
  return list.map((name) => h("button", { key: name, type: "button", disabled: Boolean(refused),
      title: refused || null,
    class: "small", "aria-label": `${name} host ${host.id}`,
    onClick: () => askHost(() => currentCluster(cluster.id), host.id, name) },
        name[0].toUpperCase() + name.slice(1)));
}

function heard(host) {
  if (host.asked) return "asked";
  return host.lastHeard === undefined ? "–" : age(host.lastHeard);
}

const cell = (head, value) => h("td", { key: head, class: "number", "data-head": head }, value);

function hostRow(cluster, host) {
  const draining = host.drain ? ` · ${plural(host.drain.connections, "connection")} left` : "";
  return h("tr", { key: host.id, class: host.answered ? "" : "faint" },
    h("th", { scope: "row" }, dot(host.id), " ",
      h("a", { href: `#/cluster/${encodeURIComponent(cluster.id)}/${host.id}` }, hostName(host.id, host.name,
          names(cluster))),
      h("small", {}, host.address)),
    h("td", {}, badge(host.state, host.isDefault), draining,
      host.unhealthy.length ? mark("bad", `unhealthy: ${host.unhealthy.join(", ")}`) : null),
    cell("Share", percent(host.share)), cell("Connections", count(host.connections)), cell("New/s",
        rate(host.rates?.opens)),
    cell("Accepted/s", rate(host.rates?.accepted)), cell("Dropped/s",
        h("span", { class: "quiet" }, rate(host.rates?.dropped))),
    cell("Heartbeat", heard(host)),
    h("td", { class: "actions" }, hostButtons(cluster, host)));
}

function hostsPanel(cluster) {
  const number = (text) => ({ text, number: true });
  return panel("Hosts", cluster.view.host ?
      `connections a second, frames a second; heartbeats as host ${cluster.view.host} hears them` : "",
      table("Hosts", ["Host", "State", number("Share"),
    number("Connections"), number("New/s"), number("Accepted/s"), number("Dropped/s"), number("Heartbeat"),
        "Control"], cluster.hosts.map((host) => hostRow(cluster, host))));
}

function ruleRow(cluster, rule) {
  const disabled = cluster.role === "read";
  const open = cluster.hosts.reduce((sum, host) =>
    sum + (host.byRule.get(rule.slot) || 0), 0);
  const mood = { enabled: "good", draining: "busy", unhealthy: "bad" }[rule.state] || "off";
  return h("tr", { key: rule.slot },
    h("th", { scope: "row" }, rule.vip === "all" ? "All" : rule.vip),
    h("td", { "data-head": "Ports" }, rule.ports), h("td", { "data-head": "Protocol" },
        rule.protocol.toUpperCase()),
    h("td", { "data-head": "Filtering mode" }, { multiple: "Multiple", single: "Single",
        disabled: "Disabled" }[rule.mode]),
    h("td", { "data-head": "Affinity" }, rule.affinity ?
        rule.affinity[0].toUpperCase() + rule.affinity.slice(1) : "–"),
    h("td", {}, mark(mood, rule.state[0].toUpperCase() + rule.state.slice(1))),
    cell("Connections", count(open)),
    h("td", { class: "wide" }, shareBar(cluster, rule)),
    h("td", { class: "actions" }, ["enable", "drain", "disable"].map((name) =>
      h("button", { key: name, type: "button", class: "small", disabled,
          "aria-label": `${name} rule ${rule.rule}`,
        onClick: () => askRule(() => currentCluster(cluster.id), rule, name) },
            name[0].toUpperCase() + name.slice(1)))));
}

function rulesPanel(cluster) {
  return panel("Port rules", cluster.view.host ? `states as on host ${cluster.view.host}` : "",
      table("Port rules", ["Cluster IP", "Ports", "Protocol", "Filtering mode",
    "Affinity", "State", { text: "Connections", number: true }, "Share of the hosts", "Control"],
    cluster.rules.map((rule) => ruleRow(cluster, rule))));
}

function verdictPanel(cluster, samples) {
  const verdicts = verdictsOf(samples).filter(([name]) => name !== "passed");
  const most = Math.max(1, ...verdicts.map(([, value]) => value));
  return panel("Verdicts of the filters", "frames a second, all hosts together",
    verdicts.length === 0 ? nothing("Nothing is counted yet.") :
      h("ul", { class: "bars" }, verdicts.map(([name, value]) => {
        const mood = UNEXPECTED.has(name) ? "bad" : /^accepted/.test(VERDICTS[name] || "") ? "good" : "plain";
        return h("li", { key: name, class: mood }, h("span", { class: "name" }, name),
          h("span", { class: "bar" }, h("i", { style: { width: `${(100 * value) / most}%` } })),
          h("span", { class: "number" }, rate(value)),
          h("span", { class: "meaning" }, VERDICTS[name] || ""));
      })));
}

function eventPanel(cluster) {
  const wanted = store.form.severity || "info";
  const order = { info: 0, warning: 1, error: 2 };
  const events = (store.events.get(cluster.id) || []).filter((event) =>
      order[event.severity] >= order[wanted]);
  return panel("Event log", "newest first, of all hosts",
    h("div", { class: "above" }, h("label", { class: "choice" }, "Show ",
      h("select", { onChange: (event) => { store.form.severity = event.target.value; changed(); } },
        h("option", { value: "info" }, "everything"), h("option", { value: "warning" },
            "warnings and errors"),
        h("option", { value: "error" }, "errors")))),
    events.length === 0 ? nothing("No such event.") :
      h("ol", { class: "events", tabindex: 0, "aria-label": "Events" },
          events.slice(-200).reverse().map(eventRow)));
}

function hostDetail(cluster, id) {
  const host = cluster.hosts.find((one) => one.id === id);
  if (!host) return nothing(`Cluster ${cluster.name} has no host ${id}.`);
  const adapter = host.display?.adapter || {};
  const wrong = adapter.mac_current && adapter.mac_current !== adapter.mac_expected;
  const facts = [["State", badge(host.state, host.isDefault)], ["Dedicated IP address", host.address || "–"],
    ["Adapter", `${adapter.interface || "–"} (${adapter.driver || "?"})`], ["Filter",
        adapter.datapath || "–"],
    ["Bind", adapter.bind === "bound" ? mark("good", "bound") : mark("bad",
        `${adapter.bind || "?"}: ${adapter.reason || ""}`)],
    ["MAC address, permanent", adapter.mac_permanent], ["MAC address, current",
        wrong ? mark("bad", adapter.mac_current) : adapter.mac_current],
    ["MAC address, expected", adapter.mac_expected], ["Cluster MAC address",
        `${adapter.mac_cluster} in ${adapter.cluster_mac_in}`],
    ["Switch says", adapter.switch ? adapter.switch.text : "nothing (no guarded port, or not told)"],
    ["Version", host.display?.version], ["Configuration", host.display?.file]];
  return panel(`Host ${id}`, host.trouble,
    adapter.evidence ? h("p", { class: "trouble" }, adapter.evidence, " ", adapter.remedy) : null,
    h("dl", { class: "detail" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {},
        value ?? "–")])));
}

export function clusterPage(id, detail) {
  const cluster = currentCluster(id);
  const samples = store.samples.get(id) || [];
  return h("div", { class: "page", key: `cluster ${id}` },
    heading(cluster),
    cluster.error ? h("p", { class: "trouble", role: "alert" }, cluster.error) : null,
    h("div", { class: "pictures" }, bucketPanel(cluster), trafficPanel(cluster, samples)),
    detail ? hostDetail(cluster, Number(detail)) : null,
    hostsPanel(cluster), rulesPanel(cluster),
    h("div", { class: "pictures" }, eventPanel(cluster), verdictPanel(cluster, samples)));
}
