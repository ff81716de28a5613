// SPDX-License-Identifier: Apache-2.0
// New connections a second, one area a host upon the other, with the changes of membership as marks; below it,
// when each host was in the view. One axis of time for both.
import { changesOf, staysOf, windowOf } from "./model.js";
import { rate } from "./words.js";

const LEFT = 44, TOP = 18, AXIS = 18, LANE = 14, RIGHT = 6;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function niceTop(value) {
  if (value <= 1) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((one) => one * step).find((one) => one >= value);
}

function stackOf(samples, ids, from) {
  return samples.filter((sample) => sample.time_ms >= from - 2000 &&
      Object.keys(sample.hosts).length).map((sample) => {
    let sum = 0;
    const tops = ids.map((id) => (sum += sample.hosts[id]?.opens || 0));
    return { time: sample.time_ms, tops, sum };
  });
}

function plot(canvas, lanes) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = `11px ${css("--font")}`;
  return { pen, width, height, bottom: height - AXIS - lanes * LANE - (lanes ? 6 : 0) };
}

function drawGrid({ pen, width, bottom }, top, x, now, span) {
  pen.fillStyle = css("--quiet");
  pen.strokeStyle = css("--line");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  for (const part of [0, 0.5, 1]) {
    const y = Math.round(bottom - part * (bottom - TOP)) + 0.5;
    pen.beginPath();
    pen.moveTo(LEFT, y);
    pen.lineTo(width - RIGHT, y);
    pen.stroke();
    pen.fillText(rate(part * top), LEFT - 6, y + 4);
  }
  pen.textAlign = "center";
  for (let part = 1; part <= 3; ++part) {
    const seconds = (part * span) / 4000;
    pen.fillText(seconds % 60 ? `−${seconds} s` : `−${seconds / 60} min`, x(now - seconds * 1000),
        bottom + 13);
  }
  pen.textAlign = "right";
  pen.fillText("now", width - RIGHT, bottom + 13);
}

function drawAreas({ pen, bottom }, stack, ids, x, y) {
  for (let index = ids.length - 1; index >= 0; --index) {
    pen.beginPath();
    pen.moveTo(x(stack[0].time), bottom);
    for (const point of stack) pen.lineTo(x(point.time), y(point.tops[index]));
    pen.lineTo(x(stack.at(-1).time), bottom);
    pen.closePath();
    pen.fillStyle = css(`--host-${((ids[index] - 1) % 8) + 1}`);
    pen.fill();
  }
}

function drawMarks({ pen, bottom }, marks, x) {
  pen.textAlign = "left";
  let free = -Infinity;
  for (const mark of marks) {
    const at = Math.round(x(mark.time)) + 0.5;
    if (at < LEFT) continue;
    pen.strokeStyle = css("--text");
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(at, TOP - 4);
    pen.lineTo(at, bottom);
    pen.stroke();
    pen.setLineDash([]);
    if (at < free || !mark.text) continue;
    pen.fillStyle = css("--text");
    pen.fillText(mark.text, at + 3, TOP - 6);
    free = at + pen.measureText(mark.text).width + 10;
  }
}

function drawLanes({ pen, width, bottom }, ids, history, x, now, span) {
  ids.forEach((id, index) => {
    const y = bottom + AXIS + index * LANE;
    pen.fillStyle = css("--quiet");
    pen.textAlign = "right";
    pen.fillText(String(id), LEFT - 6, y + 9);
    pen.fillStyle = css("--line");
    pen.fillRect(LEFT, y + 4, width - LEFT - RIGHT, 2);
    pen.fillStyle = css(`--host-${((id - 1) % 8) + 1}`);
    for (const stay of staysOf(history, id, now, span)) {
      const begin = Math.max(LEFT, x(stay.from));
      pen.fillRect(begin, y, Math.max(1, x(stay.to) - begin), 10);
    }
  });
}

export function drawChart(canvas, samples, cluster) {
  const now = samples.at(-1)?.time_ms || Date.now();
  const ids = cluster.hosts.map((host) => host.id);
  const span = windowOf(samples);
  const lanes = ids.length <= 16 ? ids : [];
  const area = plot(canvas, lanes.length);
  const stack = stackOf(samples, ids, now - span);
  const top = niceTop(Math.max(1, ...stack.map((point) => point.sum)));
  const x = (time) => LEFT + ((time - now + span) / span) * (area.width - LEFT - RIGHT);
  const y = (value) => area.bottom - (value / top) * (area.bottom - TOP);
  area.pen.save();
  area.pen.beginPath();
  area.pen.rect(LEFT, 0, area.width - LEFT - RIGHT, area.bottom);
  area.pen.clip();
  if (stack.length > 1) drawAreas(area, stack, ids, x, y);
  area.pen.restore();
  drawGrid(area, top, x, now, span);
  drawMarks(area, changesOf(cluster.history, now, span), x);
  drawLanes(area, lanes, cluster.history, x, now, span);
}

export const chartHeight = (hosts) => 176 + (hosts <= 16 ? hosts * LANE : 0);
