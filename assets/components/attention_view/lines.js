// The same head as lines between two columns of tokens, on the map's row height; and the heads pinned beside each other.

import { font } from "../shared/canvas.js";
import { element, prepare, shortened, widest, write } from "../shared/paint.js";
import { drawCells, frames } from "./map.js";
import { percent } from "./numbers.js";
import { labelled } from "./paint.js";

const MOST_LINES = 1200; // drawn at once; the strongest stay, and the caption says so

export function linesLayout(view, pattern, width) {
  const { map, k } = view;
  const pen = view.pen;
  const share = 40 * k;
  const left = Math.min(Math.max(44 * k, widest(pen, pattern.rowNames, 13 * k, map.longest) + 10 * k), width * 0.3);
  const right = Math.min(Math.max(44 * k, widest(pen, pattern.keyNames, 13 * k, map.longest) + 10 * k), width * 0.3);
  // the height of the unzoomed columns, whatever the zoom: nothing below may jump
  const down = Math.min(Math.max(pattern.rows, pattern.keys) * map.fit, Math.max(map.down, 520 * k));
  const top = view.root.classList.contains("middle") || view.narrow ? 24 * k : map.top; // beside the map: level with it
  return { from: left + share * 0.75, to: width - right - share, width, down, top, height: top + down + 6 * k };
}

function leftY(view, q) {
  return view.lines.top + (q + 0.5) * view.map.cell - view.oy;
}

function rightY(view, key) {
  return view.lines.top + (key + 0.5) * view.map.cell - view.ox;
}

function trace(context, lines, y0, y1) {
  const bend = (lines.to - lines.from) * 0.45;
  context.moveTo(lines.from, y0);
  context.bezierCurveTo(lines.from + bend, y0, lines.to - bend, y1, lines.to, y1);
}

function clipLines(context, lines) {
  context.save();
  context.beginPath();
  context.rect(0, lines.top - 1, lines.width, lines.down + 2);
  context.clip();
}

// The cells that the filter leaves as [value, q, key], the strongest MOST_LINES of them: { cells, left, share }. The pattern
// remembers them for the next time.
function strongCells(pattern, floors, filter) {
  const name = `${filter.kind}|${filter.value}`;
  if (pattern.strong && pattern.strong.name === name) return pattern.strong;
  const { codes, keys, rows } = pattern;
  const cells = [];
  let kept = 0;
  for (let q = 0; q < rows; q++) {
    const least = Math.floor(255 * Math.sqrt(floors[q])) - 1; // codes under it need no closer look
    for (let key = 0, cell = q * keys; key < keys; key++, cell++) {
      if (codes[cell] < least) continue;
      const value = pattern.value(q, key);
      if (value < floors[q] || !pattern.inside(q, key)) continue;
      kept += value;
      cells.push([value, q, key]);
    }
  }
  const left = cells.length;
  if (left > MOST_LINES) cells.sort((a, b) => b[0] - a[0]).length = MOST_LINES;
  return (pattern.strong = { name, cells, left, share: pattern.total > 0 ? kept / pattern.total : 0 });
}

// Grey lines of all rows, in a few strengths; and what the filter leaves: { drawn, left, share }.
export function drawLines(view) {
  const { pattern, lines, map, colours, ratio, k, state } = view;
  const context = prepare(view.parts.linesBase, lines.width, lines.height, ratio);
  if (pattern.pooled) return { drawn: 0, left: 0, share: 0 };
  const { cells, left, share } = strongCells(pattern, view.floors, state.lines);
  const outside = (y) => y < lines.top || y > lines.top + lines.down;
  const paths = Array.from({ length: 8 }, () => []);
  for (const [value, q, key] of cells) {
    const [y0, y1] = [leftY(view, q), rightY(view, key)];
    if (!(outside(y0) && outside(y1))) paths[Math.min(7, Math.floor(value * 8))].push([y0, y1]);
  }
  clipLines(context, lines);
  const crowd = Math.min(1, Math.max(0.35, map.cell / (12 * k)));
  paths.forEach((path, step) => {
    context.beginPath();
    for (const [y0, y1] of path) trace(context, lines, y0, y1);
    context.strokeStyle = colours.fade;
    context.globalAlpha = Math.min(0.9, 0.3 + step * 0.1);
    context.lineWidth = Math.max(0.6, (step + 0.5) * 0.75) * k * crowd;
    context.stroke();
  });
  context.restore();
  return { drawn: cells.length, left, share };
}

// The focused row's lines in the stream's accent, or the lines into the focused key; labels with their shares.
export function drawLinesFocus(view) {
  const { lines, map, colours, ratio, k } = view;
  const focus = view.focus();
  const context = prepare(view.parts.linesOver, lines.width, lines.height, ratio);
  const lit = litLines(view, focus);
  clipLines(context, lines);
  const crowd = Math.min(1, Math.max(0.45, map.cell / (12 * k)));
  context.strokeStyle = colours.accent;
  for (const { q, key, value } of lit) {
    context.globalAlpha = Math.min(1, 0.45 + value);
    context.lineWidth = Math.max(0.8, value * 9) * k * crowd;
    context.beginPath();
    trace(context, lines, leftY(view, q), rightY(view, key));
    context.stroke();
  }
  context.restore();
  context.globalAlpha = 1;
  const strong = (one) => one.value >= 0.1 || (focus.q !== null && one.key === focus.k) || lit.length <= 3;
  const byRow = focus.q !== null;
  drawEnds(context, view, true, byRow ? [focus.q] : lit.filter(strong).map((one) => one.q), byRow ? [] : lit.filter(strong));
  drawEnds(context, view, false, byRow ? lit.filter(strong).map((one) => one.key) : [focus.k], byRow ? lit.filter(strong) : []);
  context.font = font(11.5 * k);
  context.fillStyle = colours.ink2;
  write(context, "looks", lines.from - 8 * k, lines.top - 8 * k, "right");
  write(context, "is looked at", lines.to + 8 * k, lines.top - 8 * k, "left", lines.width - lines.to - 8 * k);
}

function litLines(view, focus) {
  const { pattern, floors } = view;
  const lit = [];
  if (pattern.pooled) return lit;
  const add = (q, key) => {
    const value = pattern.value(q, key);
    if (pattern.mayLook(q, key) && pattern.inside(q, key) && value >= floors[q]) lit.push({ q, key, value });
  };
  if (focus.q !== null) for (let key = 0; key < pattern.keys; key++) add(focus.q, key);
  else if (focus.k !== null) for (let q = 0; q < pattern.rows; q++) add(q, focus.k);
  return lit.sort((a, b) => a.value - b.value);
}

function drawEnds(context, view, left, bold, shares) {
  const { pattern, lines, map, colours, k } = view;
  const entries = left ? pattern.rowNames : pattern.keyNames;
  const offset = left ? view.oy : view.ox;
  const from = Math.floor(offset / map.cell);
  const to = Math.min(entries.length, Math.ceil((offset + lines.down) / map.cell));
  const size = map.cell >= 14 * k ? map.size : 11 * k;
  const strongest = shares.slice(-12).reverse();
  const focused = map.cell >= 13 * k ? bold : strongest.length ? spaced(strongest.map((one) => (left ? one.q : one.key)), map.cell, 13 * k) : bold;
  for (const place of labelled(entries.length, map.cell, focused, from, to, 13 * k)) {
    const y = lines.top + (place + 0.5) * map.cell - offset;
    if (y < lines.top - 1 || y > lines.top + lines.down + 1) continue;
    const mine = focused.includes(place);
    const name = entries[place];
    context.font = font(size, mine ? 600 : 400);
    context.fillStyle = mine ? colours.ink : name.special ? colours.ink3 : colours.ink2;
    const said = shortened(name.text, map.longest);
    const edge = 34 * k;
    if (left) write(context, said, lines.from - 8 * k, y + 4.5 * k, "right", lines.from - 8 * k - (shares.length ? edge : 0));
    else write(context, said, lines.to + 8 * k, y + 4.5 * k, "left", lines.width - lines.to - 10 * k - edge);
    const share = mine && shares.find((one) => (left ? one.q : one.key) === place);
    if (!share) continue;
    context.fillStyle = colours.accent;
    context.font = font(12.5 * k, share.value >= 0.2 ? 600 : 400);
    write(context, `${(100 * share.value).toFixed(0)} %`, left ? 0 : lines.width - 1, y + 4.5 * k, left ? "left" : "right");
  }
}

// Of places in order of importance those that stand at least `least` px from the ones before.
function spaced(places, cell, least) {
  const kept = [];
  for (const place of places) if (kept.every((other) => Math.abs(other - place) * cell >= least)) kept.push(place);
  return kept;
}

// What a point of the lines belongs to: a row by the left column, a key by the right one.
export function endAt(view, x, y) {
  const { lines, map, pattern } = view;
  if (y < lines.top || y > lines.top + lines.down) return null;
  const q = Math.floor((y - lines.top + view.oy) / map.cell);
  const key = Math.floor((y - lines.top + view.ox) / map.cell);
  if (x < (lines.from + lines.to) / 2) return q >= 0 && q < pattern.rows ? { q, k: null } : null;
  return key >= 0 && key < pattern.keys ? { q: null, k: key } : null;
}

// Up to four heads kept in sight; they share the focus with the large map.
export function drawPins(view) {
  const { state, colours, ratio, k, model } = view;
  const shelfOf = view.parts.pins;
  shelfOf.hidden = state.pins.length === 0;
  while (shelfOf.children.length > state.pins.length) shelfOf.lastChild.remove();
  while (shelfOf.children.length < state.pins.length) shelfOf.append(pinBox(view, shelfOf.children.length));
  const room = (view.width - 3 * 20 * k) / Math.min(4, view.narrow ? 2 : 4);
  state.pins.forEach((index, place) => {
    const box = shelfOf.children[place];
    const pattern = view.patternFor([index]);
    const { layer, head } = model.heads[index];
    box.querySelector(".pin-name").textContent = `Layer ${layer + 1}, head ${head + 1}`;
    box.querySelector("button").setAttribute("aria-label", `Unpin layer ${layer + 1}, head ${head + 1}`);
    const side = Math.min(room, 220 * k) - 2;
    const cell = side / Math.max(pattern.rows, pattern.keys);
    const map = { cell, left: 1, top: 1, across: cell * pattern.keys, down: cell * pattern.rows, rows: pattern.rows, keys: pattern.keys, ox: 0, oy: 0 };
    const context = prepare(box.querySelector("canvas"), map.across + 2, map.down + 2, ratio);
    drawCells(context, view, pattern, map, { ox: 0, oy: 0 });
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, map.across + 1, map.down + 1);
    box.map = map;
    box.pattern = pattern;
  });
  drawPinsFocus(view);
}

export function drawPinsFocus(view) {
  const { state, ratio } = view;
  const focus = view.focus();
  state.pins.forEach((_, place) => {
    const box = view.parts.pins.children[place];
    if (!box || !box.map) return;
    const context = prepare(box.querySelectorAll("canvas")[1], box.map.across + 2, box.map.down + 2, ratio);
    frames(context, view, box.map, focus, 1, 1, box.map.across, box.map.down);
    const said = focus.q !== null && focus.k !== null && focus.q < box.pattern.rows && focus.k < box.pattern.keys;
    box.querySelector(".pin-value").textContent = said ? pinSaid(box.pattern, focus) : "";
  });
}

function pinSaid(pattern, focus) {
  if (!pattern.mayLook(focus.q, focus.k)) return "may not look";
  return (pattern.isExact(focus.q) ? "" : "≈ ") + percent(pattern.value(focus.q, focus.k));
}

function pinBox(view, place) {
  const box = element("figure", "pin");
  const line = element("figcaption");
  const off = element("button", "quiet", "×", { type: "button" });
  off.addEventListener("click", () => view.unpin(place));
  line.append(element("span", "pin-name"), element("span", "pin-value"), off);
  const sheet = element("div", "sheet");
  sheet.append(element("canvas", "", null, { "aria-hidden": "true" }), element("canvas", "over", null, { "aria-hidden": "true" }));
  sheet.addEventListener("pointermove", (event) => {
    const at = sheet.getBoundingClientRect();
    const [q, key] = [event.clientY - at.top, event.clientX - at.left].map((px) => Math.floor((px - 1) / box.map.cell));
    if (q >= 0 && key >= 0 && q < box.map.rows && key < box.map.keys) view.hover({ q, k: key });
  });
  sheet.addEventListener("pointerleave", () => view.hover(null));
  box.append(line, sheet);
  return box;
}
