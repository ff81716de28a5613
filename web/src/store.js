// SPDX-License-Identifier: Apache-2.0
// What the page knows, and where the user is. Whatever changes it asks for one drawing of the next frame.
import * as api from "./api.js";

const MOST_SAMPLES = 600, MOST_EVENTS = 1000;

export const store = {
  session: "unknown", // unknown | none | open
  loginTrouble: "",
  connected: false,
  targets: new Map(), // id → the last state
  silent: [],
  samples: new Map(), // id → [sample]
  events: new Map(), // id → [event]
  place: { page: "", id: "", detail: "" },
  dialog: null,
  notice: null, // {text, bad}
  form: {}, // what pages remember of their fields
};

let draw = () => {};
let asked = false;

export function onChange(drawing) {
  draw = drawing;
}

export function changed() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

const UNHURRIED_MS = 200;
let waits = false;

/** For what comes by itself: hosts that all have something to tell are drawn together. */
function changedSoon() {
  if (waits) return;
  waits = true;
  setTimeout(() => {
    waits = false;
    changed();
  }, UNHURRIED_MS);
}

export function tell(text, bad = false) {
  const notice = { text, bad };
  store.notice = notice;
  changed();
  setTimeout(() => {
    if (store.notice === notice) store.notice = null;
    changed();
  }, bad ? 12000 : 5000);
}

export const list = () => [...store.targets.values()].sort((a, b) => a.id.localeCompare(b.id));
export const clusters = () => list().filter((one) => one.kind === "cluster");
export const switches = () => list().filter((one) => one.kind === "switch");

export function readPlace() {
  const [page, id, detail] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  store.place = { page: page || "", id: id || "", detail: detail || "" };
  changed();
}

export function placeOf(page, id, detail) {
  return `#/${[page, id, detail].filter(Boolean).map(encodeURIComponent).join("/")}`;
}

function keep(map, id, news, most, order) {
  const all = [...(map.get(id) || []), ...news];
  if (order) all.sort(order);
  map.set(id, all.slice(-most));
}

let arrived = 0;
// A row stays the same element while others come and go.
const numbered = (events) => events.map((event) => ({ ...event, arrival: ++arrived }));

const byTime = (one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0);

function take(event, data) {
  if (event === "state") {
    const isNew = !store.targets.has(data.id);
    store.targets.set(data.id, data);
    if (isNew) catchUp(data.id);
  }
  if (event === "sample") keep(store.samples, data.target, [data], MOST_SAMPLES);
  if (event === "events") keep(store.events, data.target, numbered(data.events), MOST_EVENTS, byTime);
  changedSoon();
}

// What happened before this page was opened.
async function catchUp(id) {
  try {
    store.events.set(id, numbered((await api.read(id, "events")).events));
    store.samples.set(id, (await api.read(id, "samples")).samples);
    changed();
  } catch (problem) {
    tell(problem.message, true);
  }
}

let source = null;

async function lost(forGood) {
  store.connected = false;
  changed();
  if (!forGood) return;
  source.close();
  try {
    if (await api.openSession()) setTimeout(followLive, 2000);
    else store.session = "none";
  } catch {
    setTimeout(() => lost(true), 2000);
  }
  changed();
}

export function followLive() {
  store.session = "open";
  const opened = () => {
    store.connected = true;
    for (const id of store.targets.keys()) catchUp(id);
    changed();
  };
  source = api.follow(take, opened, lost);
  lookForSilent();
}

async function lookForSilent() {
  if (store.session !== "open") return;
  try {
    store.silent = (await api.targets()).silent;
    changed();
  } catch {
    // the stream says when the console is gone
  }
  setTimeout(lookForSilent, 5000);
}

export async function login(token) {
  store.loginTrouble = "";
  try {
    await api.login(token);
    followLive();
  } catch (problem) {
    store.loginTrouble = problem.message;
  }
  changed();
}

export async function logout() {
  if (source) source.close();
  await api.logout().catch(() => {});
  store.session = "none";
  store.targets.clear();
  changed();
}

export async function begin() {
  try {
    if (await api.openSession()) followLive();
    else store.session = "none";
  } catch (problem) {
    store.session = "none";
    store.loginTrouble = problem.message;
  }
  changed();
}
