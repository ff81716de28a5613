// SPDX-License-Identifier: Apache-2.0
// The configuration of a cluster: virtual IP addresses and port rules, as every host's daemon has them. Each
// change is first judged by the daemon, which says what it will cause; then it is made on all hosts or on none.
import { changeFields, command, read } from "./api.js";
import { currentCluster } from "./cluster.js";
import { ask } from "./dialog.js";
import { dot, mark, nothing, panel, table } from "./parts.js";
import { changesOfRule, formOf, ruleFields, valuesOf, valueText } from "./rule_form.js";
import { changed, store } from "./store.js";
import { h } from "preact";
import { fieldName, plural } from "./words.js";

let fields = null;
let known = { id: "", answers: [], trouble: "" };

async function look(id) {
  try {
    fields ??= await changeFields();
    known = { id, answers: (await read(id, "params", { host: 0 })).answers, trouble: "" };
  } catch (problem) {
    known = { id, answers: [], trouble: problem.message };
  }
  changed();
}

export async function watchConfiguration() {
  const { page, id } = store.place;
  if (page === "configure" && store.session === "open" && !document.hidden) await look(id);
  setTimeout(watchConfiguration, 3000);
}

const EFFECT_MOODS = { live: "good", convergence: "busy", rebind: "bad" };
const effectMark = (field) => mark(EFFECT_MOODS[field.effect], field.label);

const listed = (hosts) => hosts.length === 1 ? `host ${hosts[0]}` :
  `hosts ${hosts.slice(0, -1).join(", ")} and ${hosts.at(-1)}`;

/** What the daemon foresees, as a question; on `host` alone where one is given. */
async function propose(id, { title, say, change, host, danger }) {
  const scope = host ? { host, local: true } : {};
  const seen = await command(id, "change", { change, check: true, ...scope });
  const where = host ? `On host ${host} alone.` :
    `Checked by ${listed(seen.members)}, then made on all of them or on none.`;
  const silent = seen.not_heard.length === 0 ? [] :
    [`Not heard now: ${listed(seen.not_heard)}. It will be refused until they are heard or forgotten (nlb forget).`];
  ask({ title, danger: danger || seen.effect === "rebind", label: `Apply on ${listed(seen.members)}`,
    say: () => [...say, `This ${seen.label}. ${seen.text}`, where, ...silent],
    act: async () => {
      const done = await command(id, "change", { change, ...scope });
      look(id);
      return done.message;
    } });
}

const whereField = (cluster, form) => h("label", { key: "where", class: "field" }, h("span", {}, "Where"),
  h("select", { name: "where", onChange: (event) => { form.host = Number(event.target.value); changed(); } },
    h("option", { value: 0, selected: form.host === 0 }, "all hosts, or none"),
    cluster.hosts.map((host) => h("option", { key: host.id, value: host.id, selected: form.host === host.id },
        `host ${host.id} alone`))));

const selectionOf = (rule) => ({ vip: rule.vip, ports: rule.ports, protocol: rule.protocol });
const nameOf = (rule) => `${rule.vip === "all" ? "all addresses" : rule.vip}, port ${rule.ports}, ${rule.protocol}`;

const differences = (set, before) => Object.entries(set).map(([key, value]) =>
  `${fieldName(key)}: ${valueText(before[key])} → ${valueText(value)}`);

function askRuleChange(cluster, vips, rule) {
  const form = formOf(fields.rule, rule);
  ask({ title: `Port rule: ${nameOf(rule)}`, label: "Check", say: () => [],
    fields: () => h("div", { class: "fields" }, whereField(cluster, form),
        ruleFields(fields.rule, form, vips, effectMark)),
    act: () => {
      const set = changesOfRule(fields.rule, form, rule);
      if (Object.keys(set).length === 0) throw new Error("Nothing is changed yet.");
      return propose(cluster.id, { title: `Change the port rule of ${nameOf(rule)}?`, say: differences(set, rule),
        change: { op: "rule-set", select: selectionOf(rule), set }, host: form.host });
    } });
}

function askNewRule(cluster, vips) {
  const form = formOf(fields.rule, { ports: "", protocol: "tcp" });
  ask({ title: "New port rule", label: "Check", say: () => [`A new rule ${fields.rules.label}.`],
    fields: () => h("div", { class: "fields" }, ruleFields(fields.rule, form, vips, () => null)),
    act: () => {
      const rule = valuesOf(fields.rule, form);
      return propose(cluster.id, { title: `Add a port rule for ${nameOf(rule)}?`, say: [],
        change: { op: "rule-add", rule } });
    } });
}

function askRuleRemoval(cluster, rule) {
  ask({ title: `Remove the port rule of ${nameOf(rule)}?`, label: "Check", danger: true,
    say: () => ["What it held goes to the default host from then on."],
    act: () => propose(cluster.id, { title: `Remove the port rule of ${nameOf(rule)}?`, danger: true,
      say: ["What it held goes to the default host from then on."],
      change: { op: "rule-remove", select: selectionOf(rule) } }) });
}

function askWeights(cluster) {
  const weight = fields.rule.find((field) => field.key === "weight");
  const form = { host: 0, mode: "multiple", weight: weight.default };
  ask({ title: "Load weight for every port rule", label: "Check", say: () => [],
    fields: () => h("div", { class: "fields" }, whereField(cluster, form), ruleFields([weight], form, [], effectMark)),
    act: () => {
      const value = valuesOf([weight], form).weight;
      return propose(cluster.id, { title: "Set the load weight of every port rule?", host: form.host,
        say: [`Load weight: ${valueText(value)}`], change: { op: "weight", weight: value } });
    } });
}

function askVip(cluster) {
  const form = { address: "" };
  ask({ title: "New cluster IP address", label: "Check", say: () => [`A new address ${fields.vips.label}.`],
    fields: () => h("label", { class: "field" }, h("span", {}, "Address, or address/prefix"),
      h("input", { type: "text", name: "address", required: true, pattern: "[0-9a-fA-F:.]+(/[0-9]{1,3})?",
        title: "an IPv4 or IPv6 address, with or without a prefix length", placeholder: "192.0.2.101/24",
        onInput: (event) => { form.address = event.target.value.trim(); } })),
    act: () => propose(cluster.id, { title: `Add the cluster IP address ${form.address}?`, say: [],
      change: { op: "vip-add", address: form.address } }) });
}

function askVipRemoval(cluster, vip) {
  const address = vip.split("/")[0];
  ask({ title: `Remove the cluster IP address ${address}?`, label: "Check", danger: true,
    say: () => ["No host answers for it any more; connections to it end."],
    act: () => propose(cluster.id, { title: `Remove the cluster IP address ${address}?`, danger: true,
      say: ["No host answers for it any more; connections to it end."], change: { op: "vip-remove", address } }) });
}

/** Load weight and handling priority may be each host's own: one value, or one a host. */
function own(key, rule) {
  const values = known.answers.filter((one) => !one.answer.error).map(({ host, answer }) =>
    ({ host, value: answer.in_force.port_rules.find((other) => other.slot === rule.slot)?.[key] }));
  const alike = values.every((one) => one.value === values[0].value);
  return alike ? valueText(rule[key]) : values.map(({ host, value }) =>
    h("span", { key: host, class: "each" }, dot(host), ` ${valueText(value)} `));
}

const column = (key, value) => h("td", { key, "data-head": fieldName(key) }, value);

function ruleRow(cluster, vips, rule, locked) {
  const button = (text, act) => h("button", { type: "button", class: "small", disabled: Boolean(locked),
    title: locked || null, "aria-label": `${text} rule ${nameOf(rule)}`, onClick: act }, text);
  return h("tr", { key: rule.slot }, h("th", { scope: "row" }, rule.vip === "all" ? "All" : rule.vip),
    fields.rule.filter((field) => field.key !== "vip").map(({ key, effect }) =>
      column(key, effect === "live" ? own(key, rule) : valueText(rule[key]))),
    h("td", { class: "actions" }, button("Edit", () => askRuleChange(cluster, vips, rule)),
      button("Remove", () => askRuleRemoval(cluster, rule))));
}

function rulesPanel(cluster, vips, rules, locked) {
  const heads = fields.rule.map(({ key, label, effect }) => ({ text: [fieldName(key), h("small", { class: `effect ${EFFECT_MOODS[effect]}` },
    label)] }));
  return panel("Port rules", "", table("Port rules", [...heads, "Change"],
    rules.map((rule) => ruleRow(cluster, vips, rule, locked))),
  h("div", { class: "buttons" },
    h("button", { type: "button", disabled: Boolean(locked), title: locked || null,
      onClick: () => askWeights(cluster) }, "Load weight of all rules …"),
    h("button", { type: "button", disabled: Boolean(locked), title: locked || null,
      onClick: () => askNewRule(cluster, vips) }, "New port rule …")));
}

function vipPanel(cluster, vips, locked) {
  return panel("Cluster IP addresses", fields.vips.label,
    h("ul", { class: "vips" }, vips.map((vip, index) => h("li", { key: vip }, h("b", {}, vip),
      index === 0 ? h("span", { class: "note" }, "primary: it gives the cluster MAC, and stays") :
        h("button", { type: "button", class: "small", disabled: Boolean(locked), title: locked || null,
          "aria-label": `Remove address ${vip}`, onClick: () => askVipRemoval(cluster, vip) }, "Remove")))),
    h("div", { class: "buttons" }, h("button", { type: "button", disabled: Boolean(locked), title: locked || null,
      onClick: () => askVip(cluster) }, "New address …")));
}

function lockOf(cluster) {
  return cluster.role === "admin" ? "" : `Only a console with the role admin changes the configuration; this one has \
the role ${cluster.role}: [control] admins of the configuration names who has it.`;
}

export function configurationPage(id) {
  const cluster = currentCluster(id);
  const told = known.id === id ? known.answers.filter((one) => !one.answer.error) : [];
  const first = (told.find((one) => one.host === cluster.view.host) || told[0])?.answer.in_force;
  const silent = known.id === id ? known.answers.filter((one) => one.answer.error) : [];
  const locked = lockOf(cluster);
  return h("div", { class: "page", key: `configure ${id}` },
    h("header", { class: "title" }, h("h1", {}, "Configuration"), h("p", { class: "note" },
        `Of cluster ${cluster.name}, as ${plural(told.length, "host")} ${told.length === 1 ? "has" : "have"} it.`)),
    locked ? h("p", { class: "why locked", role: "note" }, locked) : null,
    known.id === id && known.trouble ? h("p", { class: "trouble", role: "alert" }, known.trouble) : null,
    silent.map(({ host, answer }) => h("p", { class: "trouble", key: host },
        `Host ${host}: ${answer.error.message}`)),
    told.filter((one) => one.answer.pending.length > 0).map(({ host, answer }) => h("p", { class: "trouble", key: host },
        `Host ${host}: its file has changes that are not in force (${answer.pending.join(", ")}). \
Run nlb reload there, or take them back: until then every change is refused.`)),
    first ? [vipPanel(cluster, first.cluster.vips, locked), rulesPanel(cluster, first.cluster.vips, first.port_rules,
        locked)] : nothing("The hosts are being asked …"));
}
