// SPDX-License-Identifier: Apache-2.0
// New connections a second, one area a host upon the other, with the changes of membership as marks; below it,
// when each host was in the view. One axis of time for both. Of many hosts neighbours share an area: 64 of them
// would be two pixels each, and each is a picture's width to fill.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { theme, widthOf } from "./look.js";
import { areasOf, changesOf, columnsOf, staysOf, windowOf } from "./model.js";
import { HOST_COLOURS, rate } from "./words.js";

const HEIGHT = 176, LANE = 14, MOST_LANES = 16;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hostColour = (id) => css(`--host-${((id - 1) % HOST_COLOURS) + 1}`);


function drawMarks(plot, { history, now, span }) {
  const { ctx: pen, bbox } = plot, ratio = devicePixelRatio;
  let free = -Infinity;
  pen.save();
  pen.strokeStyle = pen.fillStyle = css("--text");
  pen.font = `${11 * ratio}px ${css("--font")}`;
  pen.textAlign = "left";
  for (const mark of changesOf(history, now, span)) {
    const at = Math.round(plot.valToPos(mark.time / 1000, "x", true));
    if (at < bbox.left) continue;
    pen.setLineDash([3 * ratio, 3 * ratio]);
    pen.beginPath();
    pen.moveTo(at, bbox.top);
    pen.lineTo(at, bbox.top + bbox.height);
    pen.stroke();
    const { width } = pen.measureText(mark.text);
    const from = Math.min(at + 3 * ratio, pen.canvas.width - width); // the newest would leave the picture
    if (from < free || !mark.text) continue;
    pen.fillText(mark.text, from, bbox.top - 4 * ratio);
    free = from + width + 7 * ratio;
  }
  pen.restore();
}

function drawLanes(plot, { history, now, span, lanes }) {
  const { ctx: pen, bbox } = plot, ratio = devicePixelRatio;
  const bottom = plot.ctx.canvas.height - lanes.length * LANE * ratio;
  pen.save();
  pen.font = `${11 * ratio}px ${css("--font")}`;
  pen.textAlign = "right";
  lanes.forEach((id, index) => {
    const y = bottom + index * LANE * ratio;
    pen.fillStyle = css("--quiet");
    pen.fillText(String(id), bbox.left - 6 * ratio, y + 9 * ratio);
    pen.fillStyle = css("--line");
    pen.fillRect(bbox.left, y + 4 * ratio, bbox.width, 2 * ratio);
    pen.fillStyle = hostColour(id);
    for (const stay of staysOf(history, id, now, span)) {
      const begin = Math.max(bbox.left, plot.valToPos(stay.from / 1000, "x", true));
      pen.fillRect(begin, y, Math.max(1, plot.valToPos(stay.to / 1000, "x", true) - begin), 10 * ratio);
    }
  });
  pen.restore();
}

const before = (seconds) => (seconds < 1 ? "now" : seconds % 60 ? `−${seconds} s` : `−${seconds / 60} min`);

function make(place, shown) {
  const quiet = css("--quiet"), line = { stroke: css("--line"), width: 1 }, font = `11px ${css("--font")}`;
  const axis = { stroke: quiet, font, grid: line, ticks: { show: false } };
  return new uPlot({
    width: widthOf(place), height: HEIGHT + shown.lanes.length * LANE, legend: { show: false }, cursor: { show: false },
    padding: [18, 18, shown.lanes.length * LANE + (shown.lanes.length ? 6 : 0), 0],
    scales: { x: { time: false, range: () => [(shown.now - shown.span) / 1000, shown.now / 1000] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [{ ...axis, grid: { show: false }, size: 22,
      splits: () => [0, 1, 2, 3].map((part) => (shown.now - (part * shown.span) / 4) / 1000),
      values: (_, splits) => splits.map((at) => before(Math.round(shown.now / 1000 - at))) },
    { ...axis, size: 44, values: (_, splits) => splits.map(rate) }],
    series: [{}, ...areasOf(shown.ids).map(({ colour }) =>
      ({ fill: hostColour(colour), width: 0, points: { show: false } })).reverse()],
    hooks: { draw: [(plot) => drawMarks(plot, shown), (plot) => drawLanes(plot, shown)] },
  }, columnsOf(shown.samples, shown.ids), place);
}

const plots = new WeakMap(); // by the element that they are in

export function drawChart(place, samples, cluster) {
  const ids = cluster.hosts.map((host) => host.id);
  const lanes = ids.length <= MOST_LANES ? ids : [];
  place.style.height = `${HEIGHT + lanes.length * LANE}px`;
  const look = [ids, widthOf(place), devicePixelRatio, theme()].join(" ");
  let known = plots.get(place);
  if (known?.look !== look) {
    known?.plot.destroy();
    known = { look, shown: { ids, lanes } };
    plots.set(place, known);
  }
  // The same figures give the same picture.
  const last = cluster.history.at(-1);
  const drawn = [samples.length, samples.at(-1)?.time_ms, cluster.history.length, last?.view, last?.duration_ms].join(" ");
  if (known.plot && known.drawn === drawn) return;
  known.drawn = drawn;
  Object.assign(known.shown, { samples, history: cluster.history, span: windowOf(samples),
    now: samples.at(-1)?.time_ms || Date.now() });
  if (known.plot) known.plot.setData(columnsOf(samples, ids));
  else known.plot = make(place, known.shown);
}
