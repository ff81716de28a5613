// SPDX-License-Identifier: Apache-2.0
// The fields of a port rule, drawn from the description that the API gives of them: what there is, what is
// allowed and what it causes stands there alone.
import { changed } from "./store.js";
import { h } from "preact";
import { fieldName } from "./words.js";

export const valueText = (value) => (value === undefined || value === "" ? "–" : String(value));

/** What the form holds at first: the rule's values, else the defaults. */
export function formOf(fields, rule) {
  const form = { host: 0 };
  for (const field of fields) form[field.key] = String(rule[field.key] ?? field.default ?? field.least ?? "");
  return form;
}

const applies = (field, form) => !field.modes || field.modes.includes(form.mode);
// Rules have to be the same on all hosts; what does not count for that may be one host's own.
const isLocked = (field, form) => form.host > 0 && field.effect !== "live";

function valueOf(field, form) {
  const text = form[field.key].trim();
  if (field.kind === "number" || (field.kind === "weight" && text !== "equal")) return Number(text);
  return text;
}

/** All that mean something in the chosen mode. */
export function valuesOf(fields, form) {
  return Object.fromEntries(fields.filter((field) => applies(field, form)).map((field) =>
    [field.key, valueOf(field, form)]));
}

/** Those that differ from what the rule has. */
export function changesOfRule(fields, form, rule) {
  return Object.fromEntries(fields.filter((field) => applies(field, form) && !isLocked(field, form)).map((field) =>
    [field.key, valueOf(field, form)]).filter(([key, value]) => value !== rule[key]));
}

function troubleOf(field, text) {
  if (field.kind === "ports") {
    const match = /^(\d+)(?:-(\d+))?$/.exec(text);
    const [first, last] = match ? [Number(match[1]), Number(match[2] ?? match[1])] : [];
    if (!match || first > last || last > field.most)
      return `One port, or the lower and the higher one: 80 or 80-443, 0 to ${field.most}.`;
  }
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  const inRange = number >= field.least && number <= field.most;
  if (field.kind === "number" && !inRange) return `A number from ${field.least} to ${field.most}.`;
  if (field.kind === "weight" && text !== "equal" && !inRange)
    return `"equal", or a number from ${field.least} to ${field.most}.`;
  return "";
}

function input(field, form, vips) {
  const disabled = isLocked(field, form);
  const take = (event) => {
    form[field.key] = event.target.value;
    event.target.setCustomValidity?.(troubleOf(field, form[field.key].trim()));
    changed();
  };
  const choices = field.kind === "choice" ? field.choices : field.kind === "vip" ?
    ["all", ...vips.map((vip) => vip.split("/")[0])] : null;
  if (choices) return h("select", { name: field.key, disabled, onChange: take }, choices.map((value) =>
    h("option", { key: value, value, selected: value === form[field.key] }, value)));
  const check = (element) => element?.setCustomValidity(disabled ? "" : troubleOf(field, form[field.key].trim()));
  return h("input", { type: "text", name: field.key, disabled, value: form[field.key], autocomplete: "off",
    ref: check, inputmode: field.kind === "number" ? "numeric" : null, onInput: take });
}

export function ruleFields(fields, form, vips, note) {
  return fields.filter((field) => applies(field, form)).map((field) => {
    const trouble = isLocked(field, form) ? "" : troubleOf(field, form[field.key].trim());
    const why = isLocked(field, form) ? "the same on all hosts" : field.kind === "ports" && !form.ports ? "" : trouble;
    return h("label", { key: field.key, class: "field" }, h("span", {}, fieldName(field.key)),
      input(field, form, vips), note(field), why ? h("small", { class: trouble ? "wrong" : "" }, why) : null);
  });
}
