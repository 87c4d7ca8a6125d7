// What the theatre and the duet share: codes, colours, elements, and a map drawn on a canvas.

import { element } from "../shared/build.js";
import { font, sized } from "../shared/canvas.js";
import { shade } from "../shared/draw.js";

export const LEAST = 0.12; // weight from which a ribbon is drawn
const PRINTED = 17; // px of a cell from which its number is printed, times the page's scale

function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
  return out;
}

// One block of attention: 8-bit codes of the square root, [layer, head, query, key], and what may be looked at, [query, key].
export class Block {
  constructor({ layers, heads, queries, keys, codes, may }) {
    Object.assign(this, { layers, heads, queries, keys });
    this.codes = bytes(codes);
    this.open = bytes(may);
    this.cache = new Map();
  }

  // The mean over the heads asked for: layer and head are numbers, or null for all.
  mean(layer, head) {
    const name = `${layer}.${head}`;
    if (this.cache.has(name)) return this.cache.get(name);
    const size = this.queries * this.keys;
    const out = new Float32Array(size);
    const layers = layer === null ? [...Array(this.layers).keys()] : [Math.min(layer, this.layers - 1)];
    const heads = head === null ? [...Array(this.heads).keys()] : [Math.min(head, this.heads - 1)];
    const share = 1 / (layers.length * heads.length);
    for (const l of layers) {
      for (const h of heads) {
        const from = (l * this.heads + h) * size;
        for (let i = 0; i < size; i += 1) out[i] += share * (this.codes[from + i] / 255) ** 2;
      }
    }
    this.cache.set(name, out);
    return out;
  }

  may(query, key) {
    return this.open[query * this.keys + key] > 0;
  }

  // The key that a row looks at most.
  top(values, query) {
    let best = 0;
    for (let k = 1; k < this.keys; k += 1) if (values[query * this.keys + k] > values[query * this.keys + best]) best = k;
    return best;
  }
}

export function approx(weight) {
  return weight < 0.005 ? "less than 1 %" : `≈ ${Math.round(100 * weight)} %`;
}

function shortened(g, text, most) {
  let said = text;
  while (said.length > 2 && g.measureText(said).width > most) said = `${said.slice(0, -2)}…`;
  return said;
}

function hatched(g, theme, x, y, size) {
  g.fillStyle = theme.hatch_ground;
  g.fillRect(x, y, size, size);
  g.strokeStyle = theme.hatch;
  g.lineWidth = 0.7;
  g.beginPath();
  const step = Math.max(4, size / 3);
  for (let at = step; at < 2 * size; at += step) {
    g.moveTo(x + Math.max(0, at - size), y + Math.min(at, size));
    g.lineTo(x + Math.min(at, size), y + Math.max(0, at - size));
  }
  g.stroke();
}

// Where a map's cells begin, what its slanted names need at the right, and how large a cell is.
export function roomOf(canvas, { rows, columns }, { room, most, least, k, label = 88, over = [], tall = Infinity, cell = 0 }) {
  const probe = canvas.getContext("2d");
  probe.font = font(12.5 * k);
  const widest = (names) => Math.max(...names.map((one) => probe.measureText(one.text).width), 10);
  const left = Math.ceil(Math.min(label * k, widest(rows)) + 8 * k);
  const long = Math.min(84 * k, widest([...columns, ...over]) + 4 * k);
  const [top, right] = [Math.ceil(long * 0.72 + 14 * k), Math.ceil(long * 0.72)];
  const fits = Math.min(most * k, Math.floor((room - left - right) / columns.length), Math.floor(tall / rows.length));
  return { left, top, right, cell: cell || Math.max(least * k, fits) };
}

// A map. grid: rows and columns [{text, ahead, lit}], weight(q, k), may(q, k), split (where the source ends in the block map).
// Gives where it stands: {left, top, cell}, in CSS px. narrow: numbers from 30 % on only. label: the widest name of a row. over: names
// of other maps' columns, so that all begin at one height. tall: px that all rows together may take. cell: its size, where it is
// settled already.
export function drawMap(canvas, theme, grid, sizes) {
  const { k, narrow } = sizes;
  const { rows, columns } = grid;
  const { left, top, right, cell } = roomOf(canvas, grid, sizes);
  const g = sized(canvas, left + cell * columns.length + right, top + cell * rows.length + 3);
  const tone = (one) => (one.ahead ? theme.fade : one.lit ? theme.ink : theme.ink2);
  g.textBaseline = "middle";
  g.textAlign = "right";
  const every = Math.ceil((12 * k) / cell);
  rows.forEach((one, q) => {
    if (q % every && !one.lit) return;
    g.fillStyle = tone(one);
    g.font = font(12.5 * k, one.lit ? 600 : 400);
    g.fillText(shortened(g, one.text, left - 8 * k), left - 6 * k, top + (q + 0.5) * cell);
  });
  g.textAlign = "left";
  columns.forEach((one, n) => {
    if (n % every && !one.lit) return;
    g.save();
    g.translate(left + (n + 0.4) * cell, top - 5 * k);
    g.rotate(-Math.PI / 4);
    g.font = font(12.5 * k, one.lit ? 600 : 400);
    g.fillStyle = tone(one);
    g.fillText(shortened(g, one.text, 84 * k), 0, 0);
    g.restore();
  });
  rows.forEach((row, q) =>
    columns.forEach((column, n) => {
      const x = left + n * cell;
      const y = top + q * cell;
      const size = cell - (cell >= 12 ? 1 : 0);
      if (row.ahead) {
        g.fillStyle = theme.fade;
        g.fillRect(x + size / 2 - 0.75 * k, y + size / 2 - 0.75 * k, 1.5 * k, 1.5 * k);
        return;
      }
      if (!grid.may(q, n)) return hatched(g, theme, x, y, size);
      const weight = grid.weight(q, n);
      const { fill, ink } = shade(theme, weight);
      g.fillStyle = fill;
      g.fillRect(x, y, size, size);
      if (weight < 0.04) {
        g.strokeStyle = theme.rule;
        g.lineWidth = 0.6;
        g.strokeRect(x + 0.3, y + 0.3, size - 0.6, size - 0.6);
      }
      if (cell >= PRINTED * k && weight >= (narrow ? 0.3 : 0.1)) {
        g.fillStyle = ink;
        g.font = font(11 * k);
        g.textAlign = "center";
        g.fillText(String(Math.round(100 * weight)), x + size / 2, y + size / 2 + 0.5);
      }
    }),
  );
  g.strokeStyle = theme.ink;
  g.lineWidth = 1.5;
  const frame = (x, y, w, h) => g.strokeRect(left + x * cell - 0.5, top + y * cell - 0.5, w * cell, h * cell);
  rows.forEach((one, q) => (one.lit || one.current) && frame(0, q, columns.length, 1));
  columns.forEach((one, n) => one.lit && frame(n, 0, 1, rows.length));
  if (grid.split) {
    g.lineWidth = 1;
    frame(0, 0, grid.split, rows.length);
    frame(0, grid.split, columns.length, rows.length - grid.split);
  }
  return { left, top, cell };
}

// The scale of the weights, 0 to 1.
export function drawScale(canvas, theme, k) {
  const wide = 96 * k;
  const g = sized(canvas, wide + 10 * k, 26 * k);
  const ramp = g.createLinearGradient(4 * k, 0, 4 * k + wide, 0);
  theme.weights.forEach((colour, n) => ramp.addColorStop(n / (theme.weights.length - 1), colour));
  g.fillStyle = ramp;
  g.fillRect(4 * k, 0, wide, 10 * k);
  g.strokeStyle = theme.rule;
  g.strokeRect(4 * k + 0.5, 0.5, wide - 1, 10 * k - 1);
  g.fillStyle = theme.ink2;
  g.font = font(11.5 * k);
  g.textAlign = "center";
  ["0", "0.5", "1"].forEach((said, n) => g.fillText(said, 4 * k + (wide * n) / 2 - (n ? n * 2 : -2) * k, 22 * k));
}

// What can be chosen among a block's heads, in a select: value "layer.head", both empty for the mean of all.
export function fillHeads(select, block, best) {
  const now = select.value;
  select.replaceChildren();
  const add = (value, text) => {
    element("option", select, "", text).value = value;
  };
  add(".", "mean of all heads");
  for (let l = 0; l < block.layers; l += 1) add(`${l}.`, `layer ${l + 1}, mean of its heads`);
  for (let l = 0; l < block.layers; l += 1) for (let h = 0; h < block.heads; h += 1) add(`${l}.${h}`, `layer ${l + 1}, head ${h + 1}`);
  const start = best ? `${best[0]}.${best[1]}` : ".";
  select.value = now && [...select.options].some((option) => option.value === now) ? now : start;
  return readHeads(select);
}

export function readHeads(select) {
  const [layer, head] = select.value.split(".").map((part) => (part === "" ? null : Number(part)));
  return { layer, head };
}
