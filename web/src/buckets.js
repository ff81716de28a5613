// SPDX-License-Identifier: Apache-2.0
// Who owns which buckets, read from the kernel of each host. A bucket that changes hands lights up as it does.
import { read } from "./api.js";
import { theme, widthOf } from "./look.js";
import { store } from "./store.js";

export const BUCKETS = 4096;
const COLUMNS = 128, ROWS = BUCKETS / COLUMNS;
const OWNED = 1, GLOW_MS = 1500;
const NOBODY = 0, SEVERAL = -1;

export const buckets = { target: "", slot: 0, owners: null, changed: new Float64Array(BUCKETS), rule: "",
    at: 0,
  counts: new Map(), moved: 0, trouble: "", silent: [] };

function ownersOf(answers) {
  const owners = new Int8Array(BUCKETS);
  for (const { host, answer } of answers) {
    if (!answer.states) continue;
    for (let bucket = 0; bucket < BUCKETS; bucket += 2) {
      const digit = parseInt(answer.states[bucket / 2], 16);
      if ((digit >> 2) & OWNED) owners[bucket] = owners[bucket] === NOBODY ? host : SEVERAL;
      if (digit & OWNED) owners[bucket + 1] = owners[bucket + 1] === NOBODY ? host : SEVERAL;
    }
  }
  return owners;
}

function note(answers) {
  const owners = ownersOf(answers);
  const now = performance.now();
  let moved = 0;
  buckets.counts = new Map();
  for (let bucket = 0; bucket < BUCKETS; ++bucket) {
    const owner = owners[bucket];
    buckets.counts.set(owner, (buckets.counts.get(owner) || 0) + 1);
    if (!buckets.owners || buckets.owners[bucket] === owner) continue;
    buckets.changed[bucket] = now;
    ++moved;
  }
  if (moved) buckets.moved = moved;
  if (moved || !buckets.owners) buckets.owners = owners;
  buckets.at = Date.now();
  buckets.rule = answers.find(({ answer }) => answer.rule)?.answer.rule || "";
  buckets.silent = answers.filter(({ answer }) => answer.error).map(({ host }) => host);
}

/** Looks again and again, more often while something moves. */
export async function watchBuckets() {
  const { page, id } = store.place;
  if (page === "cluster" && store.session === "open" && !document.hidden) {
    const { slot } = buckets;
    if (buckets.target !== id) Object.assign(buckets, { target: id, owners: null, moved: 0 });
    try {
      const answer = await read(id, "buckets", { host: 0, slot });
      if (buckets.target === id && buckets.slot === slot) note(answer.answers);
      buckets.trouble = "";
    } catch (problem) {
      buckets.trouble = problem.message;
    }
  }
  setTimeout(watchBuckets, 600);
}

export function showSlot(slot) {
  Object.assign(buckets, { slot, owners: null, moved: 0 });
}

const colours = new Map();

function colour(owner) {
  if (!colours.has(owner)) {
    const name = owner === NOBODY ? "--nobody" : owner === SEVERAL ?
        "--bad" : `--host-${((owner - 1) % 8) + 1}`;
    colours.set(owner, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  }
  return colours.get(owner);
}

const drawn = new WeakMap(); // by canvas: what it shows

export function drawBuckets(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const cell = Math.max(2, Math.floor((widthOf(canvas) * ratio) / COLUMNS));
  const tall = Math.round(cell * 1.75);
  const width = cell * COLUMNS, height = tall * ROWS;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  const gap = cell > 3 ? 1 : 0, now = performance.now();
  const still = now - Math.max(...buckets.changed) > 2 * GLOW_MS; // and once more after the last glow
  const look = [width, buckets.slot, theme()].join(" ");
  if (still && drawn.get(canvas)?.owners === buckets.owners && drawn.get(canvas).look === look) return;
  drawn.set(canvas, { owners: still ? buckets.owners : null, look });
  pen.clearRect(0, 0, width, height);
  colours.clear(); // the theme may have changed
  for (let bucket = 0; bucket < BUCKETS; ++bucket) {
    const x = (bucket % COLUMNS) * cell, y = Math.floor(bucket / COLUMNS) * tall;
    pen.fillStyle = colour(buckets.owners ? buckets.owners[bucket] : NOBODY);
    pen.fillRect(x, y, cell - gap, tall - gap);
    const glow = 1 - (now - buckets.changed[bucket]) / GLOW_MS;
    if (buckets.changed[bucket] === 0 || glow <= 0) continue;
    pen.fillStyle = `rgba(255,255,255,${0.85 * glow})`;
    pen.fillRect(x, y, cell - gap, tall - gap);
  }
}
