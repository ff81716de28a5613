// SPDX-License-Identifier: Apache-2.0
// Which host serves a client, and why: the same question is put to every host, and the answers stand together.
import { read } from "./api.js";
import { currentCluster } from "./cluster.js";
import { dot, mark, nothing, panel, table } from "./parts.js";
import { changed, store } from "./store.js";
import { h } from "preact";

const form = { client: "", client_port: "51000", vip: "", port: "80", protocol: "tcp", flags: "syn" };
let outcome = null;

async function explain(id, event) {
  event.preventDefault();
  const question = { host: 0, client: form.client.trim(), vip: form.vip, protocol: form.protocol };
  if (form.protocol === "tcp") question.flags = form.flags;
  if (form.protocol !== "icmp") Object.assign(question, { port: form.port, client_port: form.client_port });
  for (const [name, value] of Object.entries(question)) if (value === "") delete question[name];
  try {
    outcome = { id, question, answers: (await read(id, "filter", question)).answers };
  } catch (problem) {
    outcome = { id, question, trouble: problem.message };
  }
  changed();
}

function field(label, name, properties) {
  return h("label", { key: name }, label, h("input", { type: "text", value: form[name], autocomplete: "off",
      name,
    onInput: (event) => { form[name] = event.target.value; }, ...properties }));
}

function choose(label, name, values) {
  return h("label", { key: name }, label, h("select", { name, onChange: (event) =>
      { form[name] = event.target.value; changed(); } },
    values.map(([value, text]) => h("option", { key: value, value, selected: value === form[name] }, text))));
}

const step = (name, value, note) => h("li", { key: name }, h("span", {}, name), h("b", {}, value),
    note ? h("small", {}, note) : null);

function answerPanel(cluster) {
  if (!outcome || outcome.id !== cluster.id) return null;
  if (outcome.trouble) return panel("Answer", "", h("p", { class: "trouble", role: "alert" },
      outcome.trouble));
  const told = outcome.answers.filter((one) => !one.answer.error);
  if (told.length === 0) return panel("Answer", "", h("p", { class: "trouble", role: "alert" },
      outcome.answers[0]?.answer.error.message || "Nobody answers."));
  const { rule, bucket, host } = told[0].answer;
  const { client, client_port: port, vip } = outcome.question;
  return panel("Answer", "", h("ol", { class: "path" },
    step("Client", `${client}${port ? `:${port}` : ""}`, `to ${vip}`),
    step("Port rule", rule),
    step("Bucket", bucket < 0 ? "none" : String(bucket), "of 4096, by hash of the client"),
    step("Served by", host ? `Host ${host}` : "nobody", told.find((one) =>
        one.host === host)?.answer.reason || told[0].answer.reason)),
  table("Answers of all hosts", ["Host", "Verdict", "Why"], outcome.answers.map(({ host: id, answer }) =>
    h("tr", { key: id }, h("th", { scope: "row" }, dot(id), ` Host ${id}`),
      h("td", {}, answer.error ? "–" : mark(answer.verdict === "accept" ? "good" : "off", answer.verdict)),
      h("td", {}, answer.error ? answer.error.message : answer.reason)))));
}

export function explainPage(id) {
  const cluster = currentCluster(id);
  const vips = (cluster.display?.vips || []).map((vip) => [vip.address, vip.address]);
  if (vips.length && !vips.some(([vip]) => vip === form.vip)) form.vip = vips[0][0];
  return h("div", { class: "page", key: `explain ${id}` },
    h("header", { class: "title" }, h("h1", {}, "Explain"), h("p", { class: "note" },
        `Which host of cluster ${cluster.name} serves a client, and why.`)),
    panel("Question", "", vips.length === 0 ?
        nothing("The cluster has not told its virtual IP addresses yet.") :
      h("form", { class: "question", onSubmit: (event) => explain(id, event) },
        field("Client IP address", "client", { required: true, placeholder: "198.51.100.7" }),
        choose("Protocol", "protocol", [["tcp", "TCP"], ["udp", "UDP"], ["icmp", "ICMP echo"]]),
        form.protocol === "icmp" ? null : field("Client's port", "client_port", { inputmode: "numeric",
            class: "short" }),
        choose("Cluster IP address", "vip", vips),
        form.protocol === "icmp" ? null : field("Port", "port", { inputmode: "numeric", class: "short" }),
        form.protocol === "tcp" ? choose("Segment", "flags", [["syn", "SYN: a new connection"],
            ["ack", "ACK: of an open connection"]]) : null,
        h("button", { type: "submit", class: "primary" }, "Explain"))),
    answerPanel(cluster));
}
