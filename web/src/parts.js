// SPDX-License-Identifier: Apache-2.0
// Small things that several pages show.
import { Component, h } from "preact";
import { clock, colourOf, stateWords } from "./words.js";

export const dot = (host) => h("span", { class: "dot", style: { background: colourOf(host) },
    "aria-hidden": "true" });

export function badge(state, isDefault) {
  const { text, mood } = stateWords(state, isDefault);
  return h("span", { class: `badge ${mood}` }, text);
}

export const mark = (mood, text) => h("span", { class: `badge ${mood}` }, text);

export function panel(title, note, ...content) {
  const id = `panel-${title.toLowerCase().replace(/\W+/g, "-")}`;
  return h("section", { class: "panel", "aria-labelledby": id, key: title },
    h("header", {}, h("h2", { id }, title), note ? h("span", { class: "note" }, note) : null), content);
}

export const nothing = (text) => h("p", { class: "nothing" }, text);

/** A table that scrolls by itself where the page is narrow. */
export function table(label, heads, rows) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, heads.map((head, index) =>
        h("th", { key: index, scope: "col", class: head.number ? "number" : "" }, head.text ?? head)))),
      h("tbody", {}, rows)));
}

class Kept extends Component {
  shouldComponentUpdate(next) { return next.shown !== this.props.shown; }
  render({ draw }) { return draw(); }
}

/** Drawn anew when `shown` is another one, not with every frame. (A drawing that is itself kept, and used again in
    later frames, leads to the whole page of the first one, which is then kept as well.) */
export const kept = (key, shown, draw) => h(Kept, { key, shown, draw });

/** An event never changes. */
export const eventRow = (event) => kept(event.arrival, event, () => h("li", { class: event.severity },
  h("time", { datetime: event.time }, clock(event.time)),
  h("span", { class: "who" }, event.host ? [dot(event.host), ` ${event.host}`] : ""),
  h("span", { class: "number", title: event.name }, String(event.number)),
  h("span", { class: "said" },
    h("strong", {}, event.name.replaceAll("_", " ")), event.text ? ` — ${event.text}` : "",
    event.remedy ? h("span", { class: "remedy" }, event.remedy) : null)));
