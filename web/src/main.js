// SPDX-License-Identifier: Apache-2.0
// The frame around the pages: login, the tree of clusters and switches, what is live and what is not.
import { buckets, watchBuckets } from "./buckets.js";
import { clusterPage, currentCluster } from "./cluster.js";
import { showDialog } from "./dialog.js";
import { configurationPage, watchConfiguration } from "./configure.js";
import { doctorPage, watchDoctor } from "./doctor.js";
import { explainPage } from "./explain.js";
import { theme } from "./look.js";
import { dot, nothing } from "./parts.js";
import { begin, changed, clusters, login, logout, onChange, placeOf, readPlace, store,
    switches } from "./store.js";
import { switchPage } from "./switch.js";
import { h, render } from "preact";
import { stateWords } from "./words.js";

const GLOW_MS = 1600;

function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  changed();
}

const logo = () => h("svg", { viewBox: "0 0 32 32", class: "logo", "aria-hidden": "true" },
  h("path", { d: "M16 3v7M16 10L6 19M16 10v9M16 10l10 9", class: "wire" }),
  h("rect", { x: 2, y: 19, width: 8, height: 9, rx: 2, class: "one" }),
  h("rect", { x: 12, y: 19, width: 8, height: 9, rx: 2, class: "two" }),
  h("rect", { x: 22, y: 19, width: 8, height: 9, rx: 2, class: "three" }));

const focus = (element) => element?.focus();  // one function: called when the field comes, not with every drawing

function loginPage() {
  const submit = (event) => {
    event.preventDefault();
    login(new FormData(event.target).get("token").trim());
  };
  return h("main", { class: "login", key: "login" }, h("form", { onSubmit: submit },
    logo(), h("h1", {}, "OpenNLB console"),
    h("label", {}, "Token", h("input", { type: "password", name: "token", required: true,
        autocomplete: "current-password", ref: focus })),
    store.loginTrouble ? h("p", { class: "trouble", role: "alert" }, store.loginTrouble) :
      h("p", { class: "note" },
          "It is in a file on the console's host; the program says where when it starts."),
    h("button", { type: "submit", class: "primary" }, "Log in")));
}

const here = (page, id) => (store.place.page === page && store.place.id === id ? "page" : null);

function treeOfCluster(one) {
  const cluster = currentCluster(one.id);
  return h("li", { key: one.id },
    h("a", { href: placeOf("cluster", one.id), "aria-current": here("cluster", one.id) },
      h("span", { class: "kind" }, "Cluster"), ` ${one.name}`),
    h("ul", {}, cluster.hosts.map((host) => h("li", { key: host.id },
      h("a", { href: placeOf("cluster", one.id, String(host.id)) }, dot(host.id), ` Host ${host.id}`,
        h("span", { class: `tiny ${stateWords(host.state).mood}` }, stateWords(host.state).text))))),
    h("a", { href: placeOf("configure", one.id), class: "sub", "aria-current": here("configure", one.id) },
        "Configuration"),
    h("a", { href: placeOf("explain", one.id), class: "sub", "aria-current": here("explain", one.id) },
        "Explain"),
    h("a", { href: placeOf("doctor", one.id), class: "sub", "aria-current": here("doctor", one.id) },
        "Doctor"));
}

function tree() {
  return h("nav", { class: "tree", "aria-label": "Clusters and switches" }, h("ul", {},
    clusters().map(treeOfCluster),
    switches().map((one) => h("li", { key: one.id },
      h("a", { href: placeOf("switch", one.id), "aria-current": here("switch", one.id) }, h("span",
          { class: "kind" }, "Switch"), ` ${one.name}`)))),
  store.silent.map((one) => h("p", { key: one.socket, class: "silent" }, h("b", {}, one.socket),
      ` ${one.error}`)));
}

function content() {
  const { page, id, detail } = store.place;
  if (store.targets.size === 0)
    return nothing(store.silent.length ?
        "No daemon answers behind the control sockets of this console." : "Looking for clusters and switches …");
  if (!store.targets.has(id)) {
    const first = clusters()[0] || switches()[0];
    if (!id) location.replace(placeOf(first.kind, first.id));
    return nothing(id ? `${id} has not answered yet.` : "");
  }
  const kind = store.targets.get(id).kind;
  if (kind === "switch") return switchPage(id);
  const pages = { explain: explainPage, doctor: doctorPage, configure: configurationPage };
  return (pages[page] || clusterPage)(id, detail);
}

function application() {
  if (store.session === "unknown") return h("p", { key: "wait", class: "nothing" }, "…");
  if (store.session === "none") return loginPage();
  return h("div", { class: "frame", key: "frame" },
    h("a", { href: "#main", class: "skip", onClick: (event) =>
        { event.preventDefault(); document.getElementById("main").focus(); } }, "To the content"),
    h("header", { class: "top" }, logo(), h("span", { class: "brand" }, "OpenNLB"),
      h("span", { class: store.connected ? "live" : "live lost", role: "status" },
          store.connected ? "live" : "not connected: what is shown is old"),
      h("button", { type: "button", class: "small", onClick: switchTheme,
          "aria-label": `switch to ${theme() === "dark" ? "light" : "dark"} colours` },
        theme() === "dark" ? "Light" : "Dark"),
      h("button", { type: "button", class: "small", onClick: logout }, "Log out")),
    tree(),
    h("main", { id: "main", tabindex: -1 }, content()),
    store.notice ? h("p", { class: `notice ${store.notice.bad ? "bad" : ""}`, role: "status", key: "notice" },
        store.notice.text) : null,
    showDialog());
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
const saved = localStorage.getItem("theme");
if (saved) document.documentElement.dataset.theme = saved;
const root = document.getElementById("root");
onChange(() => render(application(), root));
addEventListener("hashchange", () => {
  readPlace();
  scrollTo(0, 0);
});
// Buckets that changed hands fade; ages grow.
setInterval(() => {
  if (performance.now() - Math.max(...buckets.changed) < GLOW_MS) changed();
}, 60);
setInterval(changed, 1000);
readPlace();
begin();
watchBuckets();
watchDoctor();
watchConfiguration();
