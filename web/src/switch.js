// SPDX-License-Identifier: Apache-2.0
// The page of a hypervisor's guarded bridges: what is plugged in where, one card an adapter after Hyper-V's
// "Advanced Features", and who breaks the rules right now.
import { command } from "./api.js";
import { ask } from "./dialog.js";
import { eventRow, mark, nothing, panel, table } from "./parts.js";
import { changed, store } from "./store.js";
import { h } from "preact";
import { clock, count, plural } from "./words.js";

const LIT_MS = 10000;
const STATES = { guarded: "good", audit: "busy", open: "busy", closed: "bad", down: "bad", absent: "off" };
const title = (port) => (port.vm ? (port.adapter ? `${port.vm}/${port.adapter}` : port.vm) : port.interface);
const slug = (port) => `card-${title(port).replace(/[^a-z0-9]+/gi, "-")}`;

function violationsOf(view, port) {
  return (view.violations || []).filter((one) => one.port === port.interface);
}

const isLit = (view, port, now) => violationsOf(view, port).some((one) =>
    now - Date.parse(one.last) < LIT_MS);

function portBox(view, port, x, now) {
  const lit = isLit(view, port, now);
  const mood = lit ? "bad" : STATES[port.state] || "off";
  const member = port.mac_spoofing === "cluster" ? `cluster ${port.cluster} · host ${port.host_id}` :
    port.role === "uplink" ? "everything outside" : port.mac_spoofing === "on" ?
        "spoofing on" : port.role === "unknown" ? "unknown port" : "own MAC only";
  return h("g", { key: port.interface, class: `port ${mood}${lit ? " lit" : ""}`,
      transform: `translate(${x} 0)` },
    h("line", { x1: 66, y1: 40, x2: 66, y2: 72 }),
    h("circle", { cx: 66, cy: 40, r: 5 }),
    h("rect", { x: 4, y: 72, width: 124, height: 56, rx: 8 }),
    h("text", { x: 66, y: 94, class: "strong" }, title(port)),
    h("text", { x: 66, y: 110 }, port.interface === title(port) ? port.role : port.interface),
    h("text", { x: 66, y: 123, class: "minor" }, member));
}

const ROLES = { uplink: 0, guest: 1, unknown: 2 };
const order = (one, other) => ROLES[one.role] - ROLES[other.role] || title(one).localeCompare(title(other),
    "en", { numeric: true });

function topology(view, one, now) {
  const ports = [...one.ports].sort(order);
  const width = Math.max(1, ports.length) * 136;
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Topology of ${one.bridge}` },
    h("svg", { class: "topology", viewBox: `0 0 ${width} 134`, style: { width: `${width}px` }, role: "img",
      "aria-label": `Bridge ${one.bridge} with ${plural(ports.length, "port")}: ${ports.map(title).join(", ")}` },
    h("rect", { class: "bridge", x: 4, y: 6, width: width - 8, height: 34, rx: 8 }),
    h("text", { x: width / 2, y: 27, class: "strong" },
        `${one.bridge} · ${one.policy} · unknown ports: ${one.unknown_ports}`),
    ports.map((port, index) => portBox(view, port, index * 136, now))));
}

const EFFECTS = {
  off: "The guest can send from, and receive for, its own MAC address only. If it is a cluster host, it leaves the cluster.",
  cluster: "The guest may use exactly the addresses of the declared cluster, and nothing else that is not its own.",
  on: "The guest may use any MAC address that is nobody else's. A cluster's own addresses stay forbidden to it.",
};

function spoofingFields(view, one, port, form) {
  const clusters = view.clusters || [];
  const pick = (name, options) => h("select", { name, onChange: (event) =>
      { form[name] = event.target.value; changed(); } },
    options.map(([value, text]) => h("option", { key: value, value, selected: value === form[name] }, text)));
  return h("div", { class: "fields" },
    h("label", { key: "wanted" }, "Setting ", pick("wanted",
        [["off", "Off"], ["cluster", "Cluster"], ["on", "On"]])),
    form.wanted !== "cluster" ? null : [
      h("label", { key: "cluster" }, "Cluster ", pick("cluster",
          clusters.map((cluster) => [cluster.name, cluster.name]))),
      h("label", { key: "host" }, "Host priority ", h("input",
          { type: "number", min: 1, max: 64, class: "short", value: form.host,
        onInput: (event) => { form.host = Number(event.target.value); } }))],
    one.require_stopped && port.running ? h("label", { key: "live" }, h("input",
        { type: "checkbox", name: "live",
      onChange: (event) => { form.live = event.target.checked; } }),
          ` Although the VM runs (${port.running_because}); this is recorded`) : null);
}

function askSpoofing(target, view, one, port, wanted) {
  const form = { wanted, cluster: port.cluster || view.clusters?.[0]?.name || "", host: port.host_id || 1,
      live: false };
  ask({ title: `Spoofing of MAC address of ${title(port)}`, label: "Apply", danger: wanted === "on",
    say: () => [EFFECTS[form.wanted]], fields: () => spoofingFields(view, one, port, form),
    act: async () => {
      const body = { vm: port.vm, adapter: port.adapter, mac_spoofing: form.wanted, live: form.live };
      if (form.wanted === "cluster") Object.assign(body, { cluster: form.cluster, host_id: form.host });
      return (await command(target.id, "set", body)).message;
    } });
}

function spoofingChoice(target, view, one, port) {
  const locked = one.require_stopped && port.running;
  const reader = target.role !== "admin";
  const why = reader ? "The console's user may only read here." :
    locked ? `Changes only while the VM is stopped; it runs: ${port.running_because}.` : "";
  const name = `spoofing ${title(port)}`;
  const option = (value, text) => h("label", { key: value, class: "option" },
    h("input", { type: "radio", name, value, checked: port.mac_spoofing === value, disabled: Boolean(why),
      onClick: (event) => {
        event.preventDefault();
        if (port.mac_spoofing !== value) askSpoofing(target, view, one, port, value);
      } }), ` ${text}`);
  return h("fieldset", { class: why ? "locked" : "" },
    h("legend", {}, "Enable spoofing of MAC address"),
    h("div", { class: "options" }, option("off", "Off"), option("cluster", "Cluster"), option("on", "On")),
    h("p", {}, "Off: only its own MAC address. Cluster: besides, what one declared cluster needs. On: any that is nobody else's."),
    why ? h("p", { class: "why" }, why, locked && !reader ? h("button", { type: "button", class: "small",
      "aria-label": `change ${title(port)} while it runs`,
      onClick: () => askSpoofing(target, view, one, port, port.mac_spoofing) },
          "Change it live …") : null) : null);
}

function setting(name, value, on, sentence) {
  return h("div", { class: `setting ${on ? "on" : ""}`, key: name },
    h("span", { class: "box", "aria-hidden": "true" }, on ? "☑" : "☐"),
    h("span", {}, h("b", {}, name), value ? ` ${value}` : "", h("span", { class: "hidden" },
        on ? " (enabled)" : " (not enabled)"),
      h("p", {}, sentence)));
}

function card(target, view, one, port, now) {
  const lit = isLit(view, port, now);
  const broken = violationsOf(view, port).reduce((sum, each) => sum + each.count, 0);
  return h("article", { class: `card${lit ? " lit" : ""}`, key: title(port), id: slug(port),
      "aria-label": `Adapter ${title(port)}` },
    h("header", {}, h("h3", {}, title(port)), mark(STATES[port.state] || "off", port.state),
      port.running ? mark("good", "VM runs") : mark("off", "VM stopped")),
    h("dl", {}, h("dt", {}, "Port"), h("dd", {}, port.present ?
        `${port.interface} on ${port.bridge} (${port.hook})` : port.interface),
      h("dt", {}, "MAC address"), h("dd", {}, port.mac), h("dt", {}, "IP addresses"),
      h("dd", {}, port.addresses ? port.addresses.join(", ") || "none" : "not checked"),
      broken ? [h("dt", {}, "Violations"), h("dd", { class: "trouble" }, count(broken))] : null),
    port.obstacle ? h("p", { class: "trouble" }, port.obstacle) : null,
    spoofingChoice(target, view, one, port),
    setting("Enable DHCP guard", "", port.dhcp_guard,
        "Drops DHCP server messages from the guest, so that it cannot hand out addresses."),
    setting("Enable router advertisement guard", "", port.router_guard,
        "Drops router advertisements and redirects from the guest."),
    setting("Storm limit", port.storm_limit_pps ? `${port.storm_limit_pps} frames/s` : "",
        port.storm_limit_pps > 0,
      "Broadcast and multicast frames of the guest beyond this rate are dropped."),
    setting("Virtual LAN identification", port.vlan ? String(port.vlan) : "", port.vlan > 0,
        "Frames of this VLAN alone belong to the adapter."),
    h("p", { class: "source" }, `Set in ${port.source}`));
}

function violationTable(view, now) {
  const list = [...(view.violations || [])].sort((one, other) => (one.last < other.last ? 1 : -1));
  if (list.length === 0) return nothing("No guest has broken a rule.");
  return table("Violations", ["Adapter", "Port", "What it did", "Address", { text: "Count", number: true },
      "Last"],
    list.map((one) => h("tr", { key: `${one.port} ${one.reason} ${one.address}`,
        class: now - Date.parse(one.last) < LIT_MS ? "lit" : "" },
      h("th", { scope: "row" }, one.vm ? `${one.vm}/${one.adapter}` : one.port), h("td", {}, one.port),
      h("td", {}, one.text || one.reason, one.dropped === false ? " (let through: audit)" : ""), h("td", {},
          one.address),
      h("td", { class: "number" }, count(one.count)), h("td", {}, clock(one.last)))));
}

export function switchPage(id) {
  const target = store.targets.get(id);
  const view = target.view || {};
  const now = target.time_ms;
  const switches = view.switches || [];
  const guests = switches.flatMap((one) => one.ports.filter((port) =>
      port.role === "guest").sort(order).map((port) => ({ one, port })));
  const absent = (view.absent || []).map((port) => ({ one: switches[0] || {}, port }));
  const events = (store.events.get(id) || []).slice(-100).reverse();
  return h("div", { class: "page", key: `switch ${id}` },
    h("header", { class: "title" }, h("h1", {}, `Switch of ${target.name}`),
      mark(switches.some((one) => one.policy === "audit") ? "busy" : "good",
          switches.map((one) => `${one.bridge}: ${one.policy}`).join(", ") || "no switch")),
    view.error ? h("p", { class: "trouble", role: "alert" }, view.error) : null,
    [...(view.problems || []), ...switches.flatMap((one) => one.warnings)].map((text, index) => h("p",
        { class: "trouble", key: index }, text)),
    panel("Topology", "a port lights up while its guest breaks a rule",
        switches.map((one) => topology(view, one, now))),
    panel("Violations", "newest first", violationTable(view, now)),
    panel("Adapters", "", h("div", { class: "cards" }, [...guests,
        ...absent].map(({ one, port }) => card(target, view, one, port, now)))),
    panel("Event log", "newest first", events.length === 0 ? nothing("Nothing has happened yet.") :
      h("ol", { class: "events", tabindex: 0, "aria-label": "Events" }, events.map(eventRow))));
}

