// SPDX-License-Identifier: Apache-2.0
// Every precondition of every host, what was seen, and what to do; what is wrong comes first.
import { read } from "./api.js";
import { currentCluster } from "./cluster.js";
import { dot, mark, nothing, panel } from "./parts.js";
import { changed, store } from "./store.js";
import { h } from "preact";
import { age, plural } from "./words.js";

const ORDER = { fail: 0, warn: 1, pass: 2 };
const MOODS = { fail: ["bad", "Fail"], warn: ["busy", "Warning"], pass: ["good", "Pass"] };
let report = { id: "", answers: [], trouble: "" };

export async function watchDoctor() {
  const { page, id } = store.place;
  if (page === "doctor" && store.session === "open" && !document.hidden) {
    try {
      report = { id, answers: (await read(id, "doctor", { host: 0 })).answers, trouble: "" };
    } catch (problem) {
      report = { id, answers: [], trouble: problem.message };
    }
    changed();
  }
  setTimeout(watchDoctor, 1500);
}

function check(one) {
  const [mood, text] = MOODS[one.status];
  return h("li", { key: one.id, class: `check ${one.status}` }, mark(mood, text),
    h("div", {}, h("b", {}, one.id), h("p", {}, one.detail), one.remedy ? h("p", { class: "remedy" },
        one.remedy) : null));
}

function ofHost({ host, answer }) {
  if (answer.error) return panel(`Host ${host}`, "", h("p", { class: "trouble" }, answer.error.message));
  const checks = [...(answer.checks || [])].sort((one, other) => ORDER[one.status] - ORDER[other.status]);
  if (checks.length === 0) return panel(`Host ${host}`, "", nothing("It is being examined …"));
  const number = (status) => checks.filter((one) => one.status === status).length;
  const summary = `${plural(number("fail"), "failure")}, ${plural(number("warn"), "warning")}, ${number("pass")} ok`;
  const bad = checks.filter((one) => one.status !== "pass"),
      fine = checks.filter((one) => one.status === "pass");
  return panel(`Host ${host}`, `${summary} · examined ${age(answer.age_ms)}`,
    bad.length ? h("ul", { class: "checks" }, bad.map(check)) : h("p", { class: "well" }, dot(host),
        " Nothing is wrong."),
    answer.unjudged?.length ? h("p", { class: "note" },
        `Only root can judge ${answer.unjudged.join(", ")}: run \`nlb doctor\` on the host.`) : null,
    h("details", {}, h("summary", {}, `${plural(fine.length, "check")} passed`), h("ul", { class: "checks" },
        fine.map(check))));
}

export function doctorPage(id) {
  const cluster = currentCluster(id);
  const here = report.id === id ? report : { answers: [], trouble: "" };
  return h("div", { class: "page", key: `doctor ${id}` },
    h("header", { class: "title" }, h("h1", {}, "Doctor"),
      h("p", { class: "note" },
          `What every host of cluster ${cluster.name} needs, examined by its own daemon.`)),
    here.trouble ? h("p", { class: "trouble", role: "alert" }, here.trouble) : null,
    here.answers.length === 0 && !here.trouble ?
        nothing("The hosts are being asked …") : here.answers.map(ofHost));
}
