// SPDX-License-Identifier: Apache-2.0
// The configuration in the browser: changed on all hosts or on none, refused with the reason, and locked where
// the console may only read.
import { readFileSync } from "node:fs";

import { need, waitFor } from "./stage.mjs";

const CLUSTER = "cluster-web";

/** What each host's configuration says. */
const parameters = (stage) => Promise.all([1, 2, 3].map(async (host) =>
  (await stage.atHost(host, "params")).in_force));

async function onAllHosts(stage, what, holds) {
  await waitFor(what, async () => (await parameters(stage)).every(holds));
}

export async function configuration(stage) {
  const { page } = stage;
  const dialog = page.getByRole("dialog");
  const press = (name) => dialog.getByRole("button", { name }).click();
  const gone = () => dialog.waitFor({ state: "detached" });
  const rule = (params, port) => params.port_rules.find((one) => one.ports === port);
  await stage.case("configuration: a weight takes effect live, on one host alone", async () => {
    await stage.go("configure", CLUSTER);
    await page.getByRole("button", { name: /^Edit rule .*port 80,/ }).click();
    await dialog.getByLabel("Where").selectOption("2");
    await dialog.getByLabel("Port range").and(page.locator(":disabled")).waitFor(); // a rule is the same everywhere
    const weight = dialog.getByLabel("Load weight");
    await weight.fill("101");
    await press("Check");
    need(!(await weight.evaluate((field) => field.checkValidity())), "a weight of 101 is sent");
    await weight.fill("20");
    await stage.accessible("the form of a rule");
    await stage.picture("console-rule");
    await press("Check");
    await stage.see("This takes effect live", "dialog");
    await stage.see("→ 20", "dialog");
    await press("Apply on host 2");
    await gone();
    await waitFor("the weight at host 2", async () => rule((await parameters(stage))[1], "80").weight === 20);
    const weights = (await parameters(stage)).map((one) => rule(one, "80").weight);
    need(String(weights) === "equal,20,equal" || weights.filter((one) => one === 20).length === 1, String(weights));
    await stage.waitMembers([1, 2, 3]);
  });
  await stage.case("configuration: a rule comes to all hosts, and is said to cause convergence before", async () => {
    await page.getByRole("button", { name: "New port rule" }).click();
    await dialog.getByLabel("Port range").fill("8443-8440");
    await press("Check");
    need(await dialog.getByRole("button", { name: "Check" }).isVisible(), "a reversed range is sent");
    await dialog.getByLabel("Port range").fill("8440-8443");
    await press("Check");
    await stage.see("This causes convergence", "dialog");
    await stage.see("hosts 1, 2 and 3", "dialog");
    await stage.accessible("the question before a change");
    await stage.picture("console-change");
    need((await parameters(stage)).every((one) => !rule(one, "8440-8443")), "it was changed by the check");
    await press(/^Apply on/);
    await gone();
    await onAllHosts(stage, "the rule on all hosts", (one) => rule(one, "8440-8443"));
    await stage.waitMembers([1, 2, 3]);
    await stage.see("8440-8443");
  });
  await stage.case("configuration: what the daemon refuses is shown with its reason, and changes nothing", async () => {
    await page.getByRole("button", { name: "New port rule" }).click();
    await dialog.getByLabel("Port range").fill("8443");
    await press("Check");
    await stage.see("overlaps", "dialog .trouble");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "New address" }).click();
    await dialog.getByLabel("Address").fill("10.77.0.100");
    await press("Check");
    await stage.see("10.77.0.100 is a VIP already", "dialog .trouble");
    await page.keyboard.press("Escape");
    need((await parameters(stage)).every((one) => !rule(one, "8443")), "it was changed");
  });
  await stage.case("configuration: a rule is removed everywhere", async () => {
    await page.getByRole("button", { name: /^Remove rule .*port 8440-8443,/ }).click();
    await press("Check");
    await press(/^Apply on/);
    await gone();
    await onAllHosts(stage, "the rule's end on all hosts", (one) => !rule(one, "8440-8443"));
    await stage.waitMembers([1, 2, 3]);
  });
}

/** A console of a user whom no daemon knows. */
export async function reader(stage) {
  await stage.case("a console that may only read: all is shown, nothing can be pressed, and the API refuses", async () => {
    await stage.page.goto(stage.reader.url);
    await stage.page.getByLabel("Token").fill(readFileSync(stage.reader.token, "utf8").trim());
    await stage.page.keyboard.press("Enter");
    await stage.see("hosts converged");
    await stage.go("configure", CLUSTER);
    await stage.see("has the role read", ".why");
    const buttons = stage.page.locator("main button");
    await buttons.nth(3).waitFor();
    for (const button of await buttons.all()) need(await button.isDisabled(), await button.innerText());
    await stage.accessible("configuration, locked");
    for (const [command, body] of [["change", { change: { op: "weight", weight: 1 } }], ["stop", { host: 1 }]]) {
      const [status, problem] = await stage.page.evaluate(async ([name, sent]) => {
        const { csrf } = await (await fetch("/api/v1/session")).json();
        const answer = await fetch(`/api/v1/targets/cluster-web/commands/${name}`, { method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf }, body: JSON.stringify(sent) });
        return [answer.status, await answer.json()];
      }, [command, body]);
      need(status === 403 && problem.exit === 4 && /needs the role/.test(problem.detail),
        `${command}: ${status} ${JSON.stringify(problem)}`);
    }
  });
}
