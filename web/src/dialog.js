// SPDX-License-Identifier: Apache-2.0
// Nothing is changed without a question that says what will happen to whom.
import { command } from "./api.js";
import { changed, store, tell } from "./store.js";
import { h } from "preact";
import { count, percent, plural } from "./words.js";

export function close() {
  store.dialog = null;
  changed();
}

/** {title, say: [text], fields: [vnode], act, label, danger} */
export function ask(dialog) {
  store.dialog = { ...dialog, busy: false, trouble: "" };
  changed();
}

async function act(event) {
  event.preventDefault();
  const dialog = store.dialog;
  dialog.busy = true;
  dialog.trouble = "";
  changed();
  try {
    const said = await dialog.act();
    if (said) tell(said);
    if (store.dialog === dialog) close();
  } catch (problem) {
    dialog.trouble = problem.message;
  }
  dialog.busy = false;
  changed();
}

export function showDialog() {
  const dialog = store.dialog;
  if (!dialog) return null;
  const open = (element) => {
    if (element && !element.open) requestAnimationFrame(() => element.isConnected && !element.open &&
        element.showModal());
  };
  return h("dialog", { key: "dialog", ref: open, onCancel: close, "aria-labelledby": "dialog-title" },
    h("form", { onSubmit: act },
      h("h2", { id: "dialog-title" }, dialog.title),
      dialog.say().map((text, index) => h("p", { key: index }, text)),
      dialog.fields ? dialog.fields() : null,
      dialog.trouble ? h("p", { class: "trouble", role: "alert" }, dialog.trouble) : null,
      h("div", { class: "buttons" },
        h("button", { type: "button", onClick: close }, "Cancel"),
        h("button", { type: "submit", class: dialog.danger ? "danger" : "primary", disabled: dialog.busy },
          dialog.busy ? "Working …" : dialog.label))));
}

const openConnections = (host) =>
  host.connections === undefined ? "an unknown number of connections" : plural(host.connections, "open connection");

function othersOf(cluster, host) {
  const serving = cluster.taking.filter((one) => one.id !== host.id && one.state === "converged");
  const ids = serving.map((one) => one.id);
  if (ids.length === 0) return "No other host serves: the virtual IP addresses will be without service.";
  const names = ids.length === 1 ? `host ${ids[0]}` : `hosts ${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
  return `Its share of new connections (${percent(host.share)}) goes to ${names}.`;
}

function stays(cluster) {
  const open = cluster.hosts.reduce((sum, one) => sum + (one.connections || 0), 0);
  return `${plural(open, "open connection")} of the cluster stay where they are.`;
}

const breaks = (host) => `${openConnections(host)} of clients with it will break.`;

const ACTIONS = {
  start: ["Start", (cluster, host) => [
    `Host ${host.id} joins the cluster and takes its share of new connections.`, stays(cluster)]],
  stop: ["Stop", (cluster, host) => [
    `Host ${host.id} leaves at once: ${breaks(host)}`, othersOf(cluster, host),
    "Drainstop lets them end by themselves."]],
  drainstop: ["Drainstop", (cluster, host) => [
    `Host ${host.id} takes no new connections. Its clients may go on with ${openConnections(host)};` +
      " when the last one has ended, the host stops.",
    othersOf(cluster, host)]],
  suspend: ["Suspend", (cluster, host) => [
    `Host ${host.id} stops at once: ${breaks(host)} It does nothing until it is resumed, also after a restart.`,
    othersOf(cluster, host)]],
  resume: ["Resume", (cluster, host) => [
    `Host ${host.id} obeys cluster commands again. It stays stopped until it is started.`]],
};

export function askHost(currentCluster, id, name) {
  const [label, say] = ACTIONS[name];
  const form = { seconds: "" };
  const host = () => currentCluster().hosts.find((one) => one.id === id);
  const limit = () => h("label", {}, "Break what is left after ",
    h("input", { type: "number", min: 1, max: 86400, placeholder: "no limit", class: "short",
      onInput: (event) => { form.seconds = event.target.value; } }), " seconds");
  ask({
    title: `${label} host ${id} of cluster ${currentCluster().name}?`,
    label: `${label} host ${id}`,
    danger: name === "stop" || name === "suspend",
    say: () => (host() ? say(currentCluster(), host()) : []),
    fields: name === "drainstop" ? limit : null,
    act: async () => {
      const body = { host: id };
      if (name === "drainstop" && form.seconds) body.timeout_s = Number(form.seconds);
      const done = await command(currentCluster().id, name, body);
      return `Host ${id}: ${done.message}`;
    },
  });
}

const RULE_ACTIONS = {
  enable: ["Enable", "takes new connections of this rule again."],
  disable: ["Disable", "takes no traffic of this rule any more; its open connections of the rule break."],
  drain: ["Drain", "takes no new connections of this rule; open ones may go on."],
};

export function askRule(currentCluster, rule, name) {
  const [label, effect] = RULE_ACTIONS[name];
  const form = { host: 0 };
  const port = Number(rule.ports.split("-")[0]);
  const choose = () => h("label", {}, "On ",
    h("select", { onChange: (event) => { form.host = Number(event.target.value); changed(); } },
      h("option", { value: 0 }, "all hosts"),
      currentCluster().hosts.map((host) => h("option", { key: host.id, value: host.id },
          `host ${host.id}`))));
  const concerned = () => currentCluster().hosts.filter((host) => form.host === 0 || host.id === form.host);
  ask({
    title: `${label} rule ${rule.rule}?`,
    label,
    danger: name === "disable",
    say: () => {
      const open = concerned().reduce((sum, host) =>
        sum + (host.byRule.get(rule.slot) || 0), 0);
      const who = form.host === 0 ? "Every host" : `Host ${form.host}`;
      return [`${who} ${effect} ${plural(open, "open connection")} of the rule there now.`];
    },
    fields: choose,
    act: async () => {
      const body = { host: form.host, port, vip: rule.vip };
      const done = await command(currentCluster().id, name, body);
      const refused = (done.answers || []).filter((one) => one.answer.error);
      if (refused.length) throw new Error(refused.map((one) =>
          `Host ${one.host}: ${one.answer.error.message}`).join(" · "));
      return `Rule ${rule.rule}: ${name} done.`;
    },
  });
}
