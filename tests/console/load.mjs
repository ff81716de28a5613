// SPDX-License-Identifier: Apache-2.0
// What the largest cluster costs a browser: the longest task of the page, how long it takes to appear, its memory.
// Begun by load.py; prints one JSON document.
import { readFileSync } from "node:fs";

import { Stage, need } from "./stage.mjs";

const stage = new Stage(JSON.parse(process.argv[2]));
try {
  await stage.open();
  const { page } = stage;
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map((one) => one.duration)))
      .observe({ type: "longtask", buffered: true });
  });
  await page.goto(stage.url);
  await page.getByLabel("Token").fill(readFileSync(stage.token, "utf8").trim());
  const begin = performance.now();
  await page.keyboard.press("Enter");
  await stage.see("64 of 64 hosts converged");
  await page.waitForFunction(() => document.querySelectorAll(".owners li").length === 64);
  const appears = performance.now() - begin;
  const look = async () => {
    await page.evaluate(() => { globalThis.tasks.length = 0; });
    await page.waitForTimeout(500 * stage.seconds);
    return page.evaluate(() => [globalThis.tasks.length, Math.max(0, ...globalThis.tasks),
      globalThis.tasks.reduce((sum, one) => sum + one, 0)]);
  };
  const found = {};
  for (const [place, what] of [["cluster", "Buckets by owner"], ["configure", "Cluster IP addresses"]]) {
    await stage.go(place, "cluster-web");
    await stage.see(what);
    const [number, longest, sum] = await look();
    found[`page ${place}: longest task; tasks over 50 ms`] = `${longest.toFixed(0)} ms; ${number} in ` +
      `${(stage.seconds / 2).toFixed(0)} s, ${(sum / (5 * stage.seconds)).toFixed(0)} % of the time`;
  }
  const client = await stage.context.newCDPSession(page);
  await client.send("HeapProfiler.collectGarbage");
  const { usedSize } = await client.send("Runtime.getHeapUsage");
  need(stage.said.length === 0, stage.said.join("\n"));
  need(usedSize < 64 * 1048576, `the page's scripts hold ${(usedSize / 1048576).toFixed(0)} MiB`);
  process.stdout.write(`${JSON.stringify({ "page: from the login to all 64 hosts and their buckets":
    `${appears.toFixed(0)} ms`, ...found, "page: memory of its scripts": `${(usedSize / 1048576).toFixed(1)} MiB` })}\n`);
} finally {
  await stage.close();
}
