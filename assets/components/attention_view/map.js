// One head large: cells, numbers, hatching; labels, spread and received in the margins; its own window that can be zoomed.

import { font } from "../shared/canvas.js";
import { inkOn } from "../shared/draw.js";
import { hatching, prepare, shortened, widest, write } from "../shared/paint.js";
import { glanceMay } from "./heads.js";
import { closedRuns, labelled, picture } from "./paint.js";
import { borders, drawVeil, isPair } from "./quarter.js";

// Where everything stands, in CSS px. cell: a cell's side; [ox, oy]: the first px of the map that is in the window.
export function mapLayout(view, pattern, width) {
  const { k, narrow } = view;
  const pen = view.pen;
  const size = 13 * k;
  const longest = narrow ? 10 : 14;
  const rowsWide = Math.min(112 * k, widest(pen, pattern.rowNames, size, longest) + 16 * k);
  const left = Math.ceil(Math.max(rowsWide, (narrow ? 44 : 66) * k));
  const right = (narrow ? 58 : 80) * k;
  const room = Math.max(60 * k, width - left - right);
  const tall = (narrow ? 420 : 520) * k;
  let fit = Math.min((narrow ? 40 : 36) * k, room / pattern.keys, Math.max(tall / pattern.rows, 1 / view.ratio));
  if (narrow && Math.max(pattern.rows, pattern.keys) <= 64) fit = Math.max(fit, 21 * k);
  if (fit >= 6) fit = Math.floor(fit);
  const cell = Math.min(Math.max(48 * k, fit), fit * view.zoom);
  const shown = { width: Math.min(room, fit * pattern.keys), height: Math.min(tall, fit * pattern.rows) };
  const columnWide = widest(pen, pattern.keyNames, size, longest);
  const tilted = columnWide * 0.94 > fit - (narrow ? 4 : 1) * k; // measured in bold, mostly written in regular
  const top = Math.ceil(tilted ? Math.min(columnWide, 112 * k) * 0.77 + 16 * k : 24 * k);
  const limit = { x: Math.max(0, cell * pattern.keys - shown.width), y: Math.max(0, cell * pattern.rows - shown.height) };
  view.ox = Math.min(Math.max(view.ox, 0), limit.x);
  view.oy = Math.min(Math.max(view.oy, 0), limit.y);
  const bottom = (pattern.pooled ? 22 : 46) * k;
  return {
    cell, fit, left, top, right, tilted, longest, limit, size, bottom,
    across: shown.width, down: shown.height, width: left + shown.width + right, height: top + shown.height + 46 * k,
    rows: pattern.rows, keys: pattern.keys,
  };
}

export function canMove({ map }) {
  return map.limit.x > 0.5 || map.limit.y > 0.5;
}

export function visible(map, view) {
  return {
    q0: Math.floor(view.oy / map.cell), q1: Math.min(map.rows, Math.ceil((view.oy + map.down) / map.cell)),
    k0: Math.floor(view.ox / map.cell), k1: Math.min(map.keys, Math.ceil((view.ox + map.across) / map.cell)),
  };
}

function cellX(map, view, key) {
  return map.left + key * map.cell - view.ox;
}

function cellY(map, view, query) {
  return map.top + query * map.cell - view.oy;
}

export function drawMap(view) {
  const { map, pattern, colours, ratio, k } = view;
  const context = prepare(view.parts.mapBase, map.width, map.height, ratio);
  context.save();
  context.beginPath();
  context.rect(map.left, map.top, map.across, map.down);
  context.clip();
  drawCells(context, view, pattern, map, view);
  const seen = visible(map, view);
  if (map.cell >= 16 * k) drawGaps(context, view, pattern, map, seen);
  if (map.cell >= 20 * k) drawNumbers(context, view, pattern, map, seen);
  if (isPair(view.model)) drawBorders(context, view, pattern, map);
  context.restore();
  if (!pattern.pooled) drawMargins(context, view, pattern, map, seen);
  if (map.cell < 16 * k) {
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    context.strokeRect(map.left - 0.5, map.top - 0.5, map.across + 1, map.down + 1);
  }
}

// Hatching first, then the cells over it: what may not be looked at stays hatched, what is hidden stays plain.
export function drawCells(context, view, pattern, map, window) {
  const { colours, ratio } = view;
  const seen = visible(map, window);
  context.fillStyle = hatching(context, colours, ratio);
  for (const [q, first, last] of closedRuns(pattern.may, pattern.rows, pattern.keys)) {
    if (q < seen.q0 || q >= seen.q1) continue;
    context.fillRect(cellX(map, window, first), cellY(map, window, q), (last - first) * map.cell, map.cell + 0.5);
  }
  context.fillStyle = colours.field;
  for (let key = seen.k0; pattern.hiddenKeys && key < seen.k1; key++) {
    if (pattern.hiddenKeys[key]) context.fillRect(cellX(map, window, key), cellY(map, window, 0), map.cell, map.cell * pattern.rows);
  }
  const [rows, keys] = pattern.pooled ? pattern.side : [pattern.rows, pattern.keys];
  const may = pattern.pooled ? glanceMay(view.model, pattern.index, rows, keys) : pattern.may;
  const most = [map.cell * pattern.rows * ratio, map.cell * pattern.keys * ratio];
  const small = picture(pattern, { codes: pattern.codes, may, rows, keys, hiddenKeys: pattern.hiddenKeys }, colours, most);
  context.imageSmoothingEnabled = false;
  const corner = [cellX(map, window, 0), cellY(map, window, 0)];
  context.drawImage(small, ...corner, map.cell * pattern.keys, map.cell * pattern.rows);
  drawVeil(context, colours, { rows: pattern.rowNames, keys: pattern.keyNames, quarter: pattern.quarter }, ...corner, map.cell, map.cell);
}

// Where one sentence of a pair ends, across rows and columns.
function drawBorders(context, view, pattern, map) {
  context.fillStyle = view.colours.ink3;
  for (const q of borders(pattern.rowNames)) context.fillRect(map.left, cellY(map, view, q) - 0.5, map.across, 1);
  for (const key of borders(pattern.keyNames)) context.fillRect(cellX(map, view, key) - 0.5, map.top, 1, map.down);
}

function drawGaps(context, view, pattern, map, seen) {
  const { colours } = view;
  context.strokeStyle = colours.rule;
  context.lineWidth = 0.6;
  context.beginPath();
  for (let q = seen.q0; q < seen.q1; q++) {
    for (let key = seen.k0; key < seen.k1; key++) {
      if (pattern.value(q, key) >= 0.04 || !pattern.mayLook(q, key) || !pattern.inside(q, key)) continue;
      context.rect(cellX(map, view, key) + 1, cellY(map, view, q) + 1, map.cell - 2, map.cell - 2);
    }
  }
  context.stroke();
  context.fillStyle = colours.bg;
  for (let q = seen.q0; q <= seen.q1; q++) context.fillRect(map.left, cellY(map, view, q) - 0.5, map.across, 1);
  for (let key = seen.k0; key <= seen.k1; key++) context.fillRect(cellX(map, view, key) - 0.5, map.top, 1, map.down);
}

function drawNumbers(context, view, pattern, map, seen) {
  const { colours, k, narrow } = view;
  context.font = font(map.cell >= 26 * k ? 12.5 * k : 11 * k);
  context.textBaseline = "alphabetic";
  const least = narrow ? 0.3 : 0.1;
  for (let q = seen.q0; q < seen.q1; q++) {
    for (let key = seen.k0; key < seen.k1; key++) {
      const value = pattern.value(q, key);
      if (value < least || !pattern.inside(q, key) || (pattern.hiddenKeys && pattern.hiddenKeys[key])) continue;
      const pixel = colours.colours[Math.min(255, Math.round(255 * Math.sqrt(value)))];
      context.fillStyle = inkOn([pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255]);
      write(context, (100 * value).toFixed(0), cellX(map, view, key) + map.cell / 2, cellY(map, view, q) + map.cell / 2 + 4 * k, "center");
    }
  }
}

// Everything that follows the focus: labels, margins, frames. Redrawn alone on hover.
export function drawMapFocus(view) {
  const { map, pattern, colours, ratio, k } = view;
  const focus = view.focus();
  const seen = visible(map, view);
  const context = prepare(view.parts.mapOver, map.width, map.height, ratio);
  context.textBaseline = "alphabetic";
  drawRowLabels(context, view, pattern, map, seen, focus);
  drawColumnLabels(context, view, pattern, map, seen, focus);
  context.font = font(11.5 * k);
  context.fillStyle = colours.ink2;
  if (map.left >= 60 * k) write(context, "looks ↓ at →", map.left - 8 * k, map.top - 7 * k, "right", map.left - 6 * k);
  if (!pattern.pooled) drawMarginFocus(context, view, pattern, focus);
  frames(context, view, map, focus, map.left, map.top, map.across, map.down);
}

export function frames(context, view, map, focus, left, top, across, down) {
  const { colours } = view;
  context.save();
  context.beginPath();
  context.rect(left - 2, top - 2, across + 4, down + 4);
  context.clip();
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.5;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const box = (x0, y0, x1, y1) => {
    const [a, b] = [clamp(x0, left, left + across), clamp(x1, left, left + across)];
    const [c, d] = [clamp(y0, top, top + down), clamp(y1, top, top + down)];
    if (b - a < 0.5 || d - c < 0.2) return;
    context.beginPath();
    context.roundRect(a - 0.75, c - 0.75, b - a + 1.5, d - c + 1.5, 2);
    context.stroke();
  };
  const window = { ox: map.ox ?? view.ox, oy: map.oy ?? view.oy };
  if (focus.q !== null) {
    const y = top + focus.q * map.cell - window.oy;
    box(left, y, left + across, y + map.cell);
  }
  if (focus.k !== null) {
    const x = left + focus.k * map.cell - window.ox;
    box(x, top, x + map.cell, top + down);
  }
  context.restore();
}

function drawRowLabels(context, view, pattern, map, seen, focus) {
  const { colours, k } = view;
  const size = map.cell >= 14 * k ? map.size : 11 * k;
  for (const q of labelled(pattern.rows, map.cell, [focus.q], seen.q0, seen.q1, 13 * k)) {
    const y = cellY(map, view, q) + map.cell / 2;
    if (y < map.top - 1 || y > map.top + map.down + 1) continue;
    const name = pattern.rowNames[q];
    context.font = font(size, q === focus.q ? 600 : 400);
    context.fillStyle = q === focus.q ? colours.ink : name.special || !pattern.rowInside(q) ? colours.ink3 : colours.ink2;
    write(context, shortened(name.text, map.longest), map.left - 8 * k, y + 4.5 * k, "right", map.left - 8 * k);
  }
}

function drawColumnLabels(context, view, pattern, map, seen, focus) {
  const { colours, k } = view;
  const size = map.cell >= 14 * k ? map.size : 11 * k;
  for (const key of labelled(pattern.keys, map.cell, [focus.k], seen.k0, seen.k1, map.tilted ? 15 * k : 13 * k)) {
    const x = cellX(map, view, key) + map.cell / 2;
    if (x < map.left - 1 || x > map.left + map.across + 1) continue;
    const name = pattern.keyNames[key];
    context.font = font(size, key === focus.k ? 600 : 400);
    const quiet = name.special || !pattern.keyInside(key) || (pattern.hiddenKeys && pattern.hiddenKeys[key]);
    context.fillStyle = key === focus.k ? colours.ink : quiet ? colours.ink3 : colours.ink2;
    if (!map.tilted) {
      write(context, shortened(name.text, map.longest), x, map.top - 8 * k, "center", map.cell + 6 * k);
      continue;
    }
    context.save();
    context.translate(x + 4 * k, map.top - 6 * k);
    context.rotate(-0.87);
    write(context, shortened(name.text, map.longest), 0, 0, "left", 112 * k);
    context.restore();
  }
}

// What stands beside a row: its effective tokens, or in a quarter of a pair the share of its weight that goes there.
function besideRow({ shares, spread, spreadMost }, q) {
  const [value, most] = shares ? [shares[q], 1] : [spread[q], spreadMost];
  return { part: value / most, said: shares ? `${(100 * value).toFixed(0)} %` : value.toFixed(1) };
}

// Where that and a key's received stand in the margins: { x, y, width, height, number: [x, y] }, or null outside.
function besideBar(view, q, mine) {
  const { map, pattern, k, narrow } = view;
  const y = cellY(map, view, q) + map.cell / 2;
  if (y < map.top || y > map.top + map.down || !pattern.rowInside(q)) return null;
  const edge = map.left + map.across + 9 * k;
  const width = Math.max(1, besideRow(pattern, q).part * (narrow ? (pattern.shares ? 12 : 22) : 36) * k);
  const height = Math.max(mine ? 3 * k : 0.6, Math.min(10 * k, map.cell * 0.7));
  return { x: edge, y: y - height / 2, width, height, number: [edge + width + 5 * k, y + 4 * k] };
}

function receivedBar(view, key, mine) {
  const { map, pattern, k } = view;
  const x = cellX(map, view, key) + map.cell / 2;
  if (x < map.left || x > map.left + map.across || !pattern.keyInside(key)) return null;
  const width = Math.max(mine ? 3 * k : 0.6, Math.min(15 * k, map.cell * 0.7));
  const height = Math.max(1, (pattern.received[key] / pattern.receivedMost) * 17 * k);
  const y = map.top + map.down + 6 * k;
  return { x: x - width / 2, y, width, height, number: [x, y + height + 12 * k] };
}

function drawMargins(context, view, pattern, map, seen) {
  const { colours, k } = view;
  context.font = font(11.5 * k);
  context.fillStyle = colours.ink2;
  write(context, pattern.shares ? `to ${pattern.quarter[1].toUpperCase()}` : "eff. tokens", map.left + map.across + 9 * k, map.top - (map.tilted ? 2 : 7) * k, "left");
  write(context, "received", map.left - 8 * k, map.top + map.down + 15 * k, "right", map.left - 8 * k);
  const bars = [];
  for (let q = seen.q0; q < seen.q1; q++) bars.push([besideBar(view, q, false), besideRow(pattern, q).said, map.cell >= 14 * k, "left"]);
  for (let key = seen.k0; key < seen.k1; key++) bars.push([receivedBar(view, key, false), pattern.received[key].toFixed(1), map.cell >= 20 * k, "center"]);
  context.fillStyle = colours.fade;
  for (const [bar] of bars) if (bar) context.fillRect(bar.x, bar.y, bar.width, bar.height);
  context.fillStyle = colours.ink2;
  for (const [bar, said, numbered, align] of bars) if (bar && numbered) write(context, said, ...bar.number, align);
}

// The two bars in focus, in the stream's accent, over the grey ones.
function drawMarginFocus(context, view, pattern, focus) {
  const { colours, k } = view;
  const one = (bar, said, align, wide) => {
    if (!bar) return;
    context.font = font(11.5 * k, 600);
    const [x, y] = bar.number;
    context.fillStyle = colours.bg;
    context.fillRect(align === "left" ? x - 1 : x - wide / 2, y - 10 * k, wide, 13 * k);
    context.fillStyle = colours.accent;
    context.fillRect(bar.x, bar.y, bar.width, bar.height);
    context.fillStyle = colours.ink;
    write(context, said, x, y, align);
  };
  if (focus.q !== null) one(besideBar(view, focus.q, true), besideRow(pattern, focus.q).said, "left", 38 * k);
  if (focus.k !== null) one(receivedBar(view, focus.k, true), pattern.received[focus.k].toFixed(1), "center", Math.max(14 * k, Math.min(24 * k, view.map.cell)));
}

// What lies under a point of the map: { q, k }, either null outside (over a label or a margin bar), or null over nothing.
export function cellAt(view, x, y) {
  const { map } = view;
  const q = Math.floor((y - map.top + view.oy) / map.cell);
  const key = Math.floor((x - map.left + view.ox) / map.cell);
  const inRows = y >= map.top && y < map.top + map.down && q >= 0 && q < map.rows;
  const inKeys = x >= map.left && x < map.left + map.across && key >= 0 && key < map.keys;
  return inRows || inKeys ? { q: inRows ? q : null, k: inKeys ? key : null } : null;
}
