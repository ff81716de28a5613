// SPDX-License-Identifier: Apache-2.0
// What the pages make of figures, without a browser: which hosts share an area of the chart and what the areas hold,
// marks, words of the verdicts.
// Usage: node --test model_test.mjs
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { areasOf, changesOf, columnsOf, sharedAreasOf } from "../../web/src/model.js";
import { UNEXPECTED, VERDICTS } from "../../web/src/words.js";

const hosts = (number) => Array.from({ length: number }, (_, index) => index + 1);
/** Host 1 opens 1, host 2 opens 2, … */
const sampleOf = (ids, second) =>
  ({ time_ms: 1000 * second, hosts: Object.fromEntries(ids.map((id) => [id, { opens: id }])) });
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

test("of every number of hosts: each in one area, in order, 16 areas at most, neighbours in other colours", () => {
  for (let number = 0; number <= 64; ++number) {
    const areas = areasOf(hosts(number));
    assert.deepStrictEqual(areas.flatMap((area) => area.ids), hosts(number));
    assert.ok(areas.length <= 16, `${number} hosts: ${areas.length} areas`);
    const sizes = areas.slice(0, -1).map((area) => area.ids.length);
    assert.ok(sizes.every((size) => size === sizes[0]), `${number} hosts: ${sizes}`);
    assert.ok(areas.every((area, index) => area.colour % 8 !== areas[index + 1]?.colour % 8));
  }
});

test("up to 16 hosts each is its own area in its own colour, and nothing has to be said of them", () => {
  assert.deepStrictEqual(areasOf([2, 5, 64]), [{ ids: [2], colour: 2 }, { ids: [5], colour: 5 },
    { ids: [64], colour: 64 }]);
  assert.deepStrictEqual(sharedAreasOf(hosts(16), sampleOf(hosts(16), 1)), []);
});

test("64 hosts: areas of four, named, with what their hosts open together", () => {
  const areas = sharedAreasOf(hosts(64), sampleOf(hosts(64), 1));
  assert.strictEqual(areas.length, 16);
  assert.deepStrictEqual(areas[0], { name: "Hosts 1–4", colour: 1, opens: 10 });
  assert.deepStrictEqual(areas[15], { name: "Hosts 61–64", colour: 16, opens: 250 });
  assert.strictEqual(sum(areas.map((area) => area.opens)), sum(hosts(64)));
});

test("ids with gaps: an area is named after its first and last host, the last one may be alone", () => {
  const ids = [1, 3, ...hosts(64).slice(48)].slice(0, 17);
  const areas = sharedAreasOf(ids, sampleOf(ids, 1));
  assert.strictEqual(areas[0].name, "Hosts 1–3");
  assert.strictEqual(areas.at(-1).name, `Host ${ids.at(-1)}`);
});

test("columns: the whole first, each area's sum above those below it; what was not heard counts as none", () => {
  const silent = sampleOf(hosts(63), 2), nothing = { time_ms: 3000, hosts: {} };
  const [times, whole, ...others] = columnsOf([sampleOf(hosts(64), 1), silent, nothing], hosts(64));
  assert.deepStrictEqual(times, [1, 2]); // a sample of nobody is no second without connections
  assert.deepStrictEqual(whole, [sum(hosts(64)), sum(hosts(63))]);
  assert.strictEqual(others.length, 15);
  assert.deepStrictEqual(others.at(-1), [10, 10]);
  const upTo = [whole, ...others].map((column) => column[0]).reverse();
  assert.deepStrictEqual(upTo, hosts(16).map((area) => sum(hosts(4 * area))));
});

test("marks: who left and who joined by their ids, of many how many", () => {
  const history = [hosts(64), hosts(32), [...hosts(31), 40]]
    .map((members, index) => ({ time_ms: 1000 * index, members }));
  assert.deepStrictEqual(changesOf(history, 5000, 60000).map((mark) => mark.text), ["", "−32 hosts", "−32 +40"]);
});

test("verdicts have the words of the filter's own list, and those that it does not expect are marked", () => {
  const list = readFileSync(new URL("../../include/nlb/abi/verdict.h", import.meta.url), "utf8");
  const rows = [...list.matchAll(/ X\((\w+), \w+, ([01]),[\s\\]*"([^"]*)"\)/g)];
  assert.strictEqual(rows.length, [...list.matchAll(/^  X\(/gm)].length);
  assert.deepStrictEqual(VERDICTS, Object.fromEntries(rows.map(([, name, , text]) => [name, text])));
  assert.deepStrictEqual([...UNEXPECTED], rows.filter(([, , expected]) => expected === "0").map(([, name]) => name));
});
