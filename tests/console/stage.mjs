// SPDX-License-Identifier: Apache-2.0
// What the cases of the pages share: Debian's Chromium under Playwright, the lab behind it, axe-core, and cases
// whose results go to pages.py, one JSON line each.
import { execFile, spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";

const CHROMIUM = "/usr/bin/chromium";
// Serious findings of WCAG 2 A and AA and of axe's own best practices, as sentences.
const AXE = `axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => one.help + ": " + one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")))`;

export function need(condition, text) {
  if (!condition) throw new Error(text);
}

/** Until ask() gives something true; its value. */
export async function waitFor(what, ask, seconds = 15) {
  const end = performance.now() + 1000 * seconds;
  for (;;) {
    const value = await ask();
    if (value) return value;
    need(performance.now() < end, `not within ${seconds} s: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}

export class Stage {
  /** settings: nlb, root, build, url, token, reader (address of a console that may only read), pictures */
  constructor(settings) {
    Object.assign(this, settings);
    this.packages = path.join(this.build, "web/work/node_modules");
    this.said = [];
  }

  async open() {
    const { chromium } = createRequire(`${this.packages}/`)("playwright-core");
    this.browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu",
      "--disable-dev-shm-usage", "--no-proxy-server"] });
    this.context = await this.browser.newContext({ viewport: { width: 1280, height: 900 } });
    this.context.setDefaultTimeout(15000);
    this.page = await this.newPage();
  }

  async newPage() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.said.push(error.stack || error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.said.push(`${message.text()} ${message.location().url}`);
    });
    return page;
  }

  async close() {
    await this.browser?.close();
  }

  /** One case; what its function pushes on the list it gets is printed beside the title. */
  async case(title, judge) {
    const begin = performance.now(), notes = [];
    let failure = null;
    try {
      await judge(notes);
    } catch (problem) {
      const text = await this.page.locator("body").innerText().catch(() => "");
      await this.page.keyboard.press("Escape").catch(() => {}); // no question of this case stands before the next
      failure = `${problem.stack || problem}\nsaid: ${this.said.slice(-2)}\npage: ${text.slice(-600)}`;
    }
    process.stdout.write(`${JSON.stringify({ title, seconds: (performance.now() - begin) / 1000, notes, failure })}\n`);
  }

  /** What a command of nlb prints, read where it is JSON. */
  async nlb(...words) {
    const { stdout } = await promisify(execFile)(this.nlbPath, words.map(String));
    return words.includes("--json") ? JSON.parse(stdout) : stdout;
  }

  atHost(host, ...words) {
    return this.nlb("--socket", `${this.root}/host${host}/control.sock`, "--json", ...words);
  }

  async state(host) {
    return (await this.atHost(host, "query")).state;
  }

  /** Until each of these hosts is converged in one view of exactly these. */
  waitMembers(hosts) {
    return waitFor(`hosts ${hosts} in one view`, async () => {
      const answers = await Promise.all(hosts.map((host) => this.atHost(host, "query").catch(() => ({}))));
      const wanted = String(hosts);
      return answers.every((one) => one.state === "converged" && one.view === answers[0].view &&
        String(one.members.map((member) => member.id).sort()) === wanted);
    });
  }

  /** Streams of clients that run when this returns; `done` ends with them. */
  async streams(count, seconds) {
    const words = ["lab", "exec", "client1", "--", this.nlbPath, "lab", "streams", "--to", "10.77.0.100:80",
      "--count", count, "--seconds", seconds, "--source", "all"];
    const child = spawn(this.nlbPath, words.map(String), { stdio: ["ignore", "ignore", "pipe"] });
    const done = new Promise((ended) => child.on("exit", ended));
    await new Promise((running, failed) => child.stderr.on("data", (text) =>
      String(text).includes("running") ? running() : failed(new Error(`no streams: ${text}`))));
    return done;
  }

  go(...place) {
    return this.page.evaluate((hash) => { location.hash = hash; }, `#/${place.join("/")}`);
  }

  /** Until the element's text, as it is seen, holds this. */
  see(text, selector = "main", seconds = 15) {
    return this.page.locator(selector).filter({ hasText: text }).first()
      .waitFor({ timeout: 1000 * seconds });
  }

  async accessible(what) {
    if (!(await this.page.evaluate("Boolean(window.axe)")))
      await this.page.evaluate(this.axe ??= await (await import("node:fs/promises")).readFile(
        path.join(this.packages, "axe-core/axe.min.js"), "utf8"));
    const complaints = await this.page.evaluate(AXE);
    need(complaints.length === 0, `${what}: ${complaints}`);
  }

  async picture(name) {
    if (!this.pictures) return;
    await this.page.locator(".notice").waitFor({ state: "detached" }); // what was said of the case before
    await this.page.waitForTimeout(1200); // one more second of figures; what glows has faded
    await this.page.screenshot({ path: `${this.pictures}/${name}.png` });
  }
}
