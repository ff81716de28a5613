// SPDX-License-Identifier: Apache-2.0
// The console's pages in Chromium: each page, a drain, a host that dies, a guest that breaks a rule, the property
// set while a machine is stopped; by keyboard, narrow, light and dark. Begun by pages.py.
import { readFileSync } from "node:fs";

import { configuration, reader } from "./configuration.mjs";
import { Stage, need, waitFor } from "./stage.mjs";

const CLUSTER = "cluster-web";
// A frame from client 1 with the cluster's MAC as its source: ARP, the virtual IP address is said to be there.
const FORGED = `import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
ethernet = "ffffffffffff" "02bf0a4d0064" "0806"
arp = "0001080006040001" "02bf0a4d0064" "0a4d0064" "000000000000" "0a4d0064"
s.send(bytes.fromhex((ethernet + arp).ljust(120, "0")))
`;

async function logIn(stage) {
  const { page } = stage;
  await stage.case("login: a wrong token is said to be wrong, the right one opens the cluster's page", async () => {
    await page.goto(stage.url);
    await page.getByLabel("Token").fill("wrong");
    await page.keyboard.press("Enter");
    await stage.see("it is in the file", ".login");
    await stage.accessible("login");
    await page.getByLabel("Token").fill(readFileSync(stage.token, "utf8").trim());
    await page.keyboard.press("Enter");
    await stage.see("3 of 3 hosts converged");
    await stage.see("live", ".live");
    stage.said.length = 0; // the wrong token's 401
  });
}

/** {"Host 1": buckets} as the page shows it. */
async function owners(page) {
  const texts = await page.locator(".owners li").allInnerTexts();
  return Object.fromEntries(texts.map((text) => {
    const [, name, number] = /^\s*(.+?)\s+([\d,]+)\s*·/.exec(text);
    return [name, Number(number.replace(",", ""))];
  }));
}

const ownersAre = (page, number) => page.waitForFunction((wanted) =>
  document.querySelectorAll(".owners li").length === wanted, number, { timeout: 20000 });

async function cluster(stage) {
  const { page } = stage;
  await stage.case("cluster: hosts, rules, shares and connections are those of the hosts", async (notes) => {
    await ownersAre(page, 3);
    const shown = await owners(page), { rules } = await stage.atHost(2, "queryport", 80);
    const told = Object.fromEntries(rules[0].members.map(({ id, share }) => [`Host ${id}`, Math.round(4096 * share)]));
    need(JSON.stringify(shown) === JSON.stringify(told),
      `the page shows ${JSON.stringify(shown)}, host 2 says ${JSON.stringify(told)}`);
    await page.waitForFunction(() => parseInt(document.querySelector(".figure b").innerText, 10) > 100);
    notes.push(await page.locator(".figure").innerText());
    await stage.see("TCP", "main tbody");
    await stage.accessible("cluster");
  });
  await stage.case("a host that loses its power is seen, and its buckets go to others", async (notes) => {
    await stage.nlb("lab", "fault", "kill", "host2", "host");
    const begin = performance.now();
    await stage.see("2 of 3 hosts converged", "main", 20);
    notes.push(`seen after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    await stage.see("Not heard", ".tree", 20);
    await ownersAre(page, 2);
    const left = await owners(page);
    need(Object.values(left).every((number) => number === 2048), JSON.stringify(left));
    await stage.see("last change moved");
    await stage.see("with hosts 1,3", ".events", 20);
    await stage.picture("console-eviction");
    await stage.nlb("lab", "start", "host2");
    await stage.waitMembers([1, 2, 3]);
    await stage.see("3 of 3 hosts converged");
    await ownersAre(page, 3);
  });
}

async function drain(stage) {
  const { page } = stage;
  const dialog = page.getByRole("dialog");
  await stage.case("drainstop: the question counts the connections; the host drains, and starts again", async () => {
    await stage.go("cluster", CLUSTER);
    const ended = stage.streams(12, 10);
    await waitFor("streams at host 3", async () => (await stage.atHost(3, "connections")).total > 0, 5);
    await page.getByRole("button", { name: "drainstop host 3" }).click();
    await stage.see("takes no new connections", "dialog");
    await stage.see(/[1-9]\d* open connection/, "dialog");
    await stage.see("hosts 1 and 2", "dialog");
    await stage.accessible("dialog");
    await stage.picture("console-drain");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    need((await stage.state(3)) === "converged", "a question that was left did something");
    await page.getByRole("button", { name: "drainstop host 3" }).focus();
    await page.keyboard.press("Enter"); // by keyboard
    await dialog.getByRole("button", { name: "Drainstop host 3" }).focus();
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await waitFor("host 3 drains", async () => /draining|stopped/.test(await stage.state(3)), 10);
    await stage.see(/Draining|Stopped/, ".tree");
    await (await ended);
    await waitFor("host 3 has stopped", async () => (await stage.state(3)) === "stopped", 15);
    await stage.see("Stopped", ".tree");
    await page.getByRole("button", { name: "start host 3" }).click();
    await dialog.getByRole("button", { name: "Start host 3" }).click();
    await stage.waitMembers([1, 2, 3]);
    await stage.see("3 of 3 hosts converged");
  });
}

async function guardedSwitch(stage) {
  const { page } = stage;
  await stage.case("switch: one card an adapter, greyed with the reason while its machine runs", async () => {
    await page.locator(".tree > ul > li:last-child a").click();
    await stage.see("Enable spoofing of MAC address", "#card-web1-net0");
    await stage.see("Changes only while the VM is stopped", "#card-web1-net0");
    need(await page.locator("#card-web1-net0 .option:last-child input").isDisabled(), "not greyed");
    await stage.accessible("switch");
  });
  await stage.case("a guest that claims the cluster's address: its port lights up, with what it did", async () => {
    await stage.nlb("lab", "exec", "client1", "--", "python3", "-c", FORGED);
    await page.locator(".topology .lit").filter({ hasText: "client1" }).waitFor();
    await stage.see("02:bf:0a:4d:00:64", "tr.lit");
    await stage.picture("console-switch");
  });
  await stage.case("the property is set while the machine is stopped, and the switch has it", async () => {
    await stage.nlb("lab", "vm", "stop", "web3");
    await stage.see("VM stopped", "#card-web3-net0");
    await page.locator("#card-web3-net0 input[value=off]").click();
    await stage.see("its own MAC address only", "dialog");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.locator("#card-web3-net0 input[value=off]:checked").waitFor();
    const answer = await stage.nlb("vmswitch", "--json", "--socket", `${stage.root}/switch/control.sock`, "show");
    const ports = [...answer.absent, ...answer.switches.flatMap((one) => one.ports)];
    const set = ports.filter((port) => port.vm === "web3").map((port) => port.mac_spoofing);
    need(String(set) === "off", JSON.stringify(ports));
  });
}

async function explainAndDoctor(stage) {
  const { page } = stage;
  await stage.case("explain: rule, bucket and owner are what `nlb filter` says", async () => {
    await stage.go("explain", CLUSTER);
    await page.getByLabel("Client IP address").fill("10.77.0.201");
    await page.keyboard.press("Enter");
    const told = await stage.atHost(1, "filter", "--client", "10.77.0.201:51000", "--to", "10.77.0.100:80",
      "--protocol", "tcp");
    const shown = await page.locator(".path").innerText();
    need([told.rule, told.bucket, `Host ${told.host}`].every((word) => shown.includes(word)),
      `${shown}; ${JSON.stringify(told)}`);
    await stage.accessible("explain");
    await stage.picture("console-explain");
  });
  await stage.case("doctor: every host is examined by its own daemon", async () => {
    await stage.go("doctor", CLUSTER);
    await page.waitForFunction(() => document.querySelectorAll(".checks .check").length > 20);
    const failed = await page.locator(".check.fail b").allInnerTexts();
    need(!failed.includes("net.filter"), "what only root can see is judged");
    await stage.accessible("doctor");
    await stage.picture("console-doctor");
  });
}

async function looks(stage) {
  const { page } = stage;
  const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
  // axe once for each colours and each width of both pages together: it takes a second each time.
  const judge = async (place, name, colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth);
    if ((place === "cluster") === ((colorScheme === "light") === (width === 390)))
      await stage.accessible(`${place}, ${colorScheme}, ${width}`);
    await stage.picture(`console${name}${width === 1280 ? "" : "-narrow"}-${colorScheme}`);
  };
  await stage.case("narrow, light and dark: nothing overflows, all is legible, the choice is kept", async () => {
    await stage.go("configure", CLUSTER);
    await stage.see("Cluster IP addresses");
    await judge("configuration", "-configuration", "dark", 390);
    await judge("configuration", "-configuration", "light", 1280);
    await stage.go("cluster", CLUSTER);
    await page.locator(".owners li").first().waitFor();
    for (const colours of ["light", "dark"])
      for (const width of [1280, 390]) await judge("cluster", "", colours, width);
    await page.setViewportSize({ width: 1280, height: 900 });
    const before = await background();
    await page.getByRole("button", { name: /^switch to/ }).click();
    await waitFor("other colours", async () => (await background()) !== before);
    await page.reload();
    await page.locator("main td").first().waitFor();
    need((await background()) !== before, "the choice is forgotten");
  });
  await stage.case("no script failed, nothing was blocked or missing", () => {
    // 503: while a host is given up, an answer of all may come too late. 4xx: the changes that are refused.
    const said = stage.said.filter((one) => !/status of (503|400|409)/.test(one));
    need(said.length === 0, said.join("\n"));
  });
}

const stage = new Stage(JSON.parse(process.argv[2]));
try {
  await stage.open();
  for (const part of [logIn, cluster, configuration, drain, guardedSwitch, explainAndDoctor, looks, reader])
    await part(stage);
} finally {
  await stage.close();
}
