// What every drawing of a pattern needs: a sharp canvas, hatching, text of any script at any length, elements.

import { font } from "./canvas.js";

// Give a canvas a size in CSS px; returns its context, cleared and scaled. The CSS size changes only when it must.
export function prepare(canvas, width, height, ratio) {
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, w, h);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

const hatches = new Map();

// Rising lines on a quiet ground, as a pattern that fills.
export function hatching(context, colours, ratio) {
  const name = `${colours.name}|${ratio}`;
  if (hatches.has(name)) return hatches.get(name);
  const side = Math.max(4, Math.round(6 * ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = colours.hatch_ground;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colours.hatch;
  pen.lineWidth = Math.max(1, 0.9 * ratio);
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
  }
  pen.stroke();
  const fill = context.createPattern(tile, "repeat");
  fill.setTransform(new DOMMatrix().scale(1 / ratio));
  hatches.set(name, fill);
  return fill;
}

const graphemes = typeof Intl !== "undefined" && Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

function letters(text) {
  return graphemes ? Array.from(graphemes.segment(text), (part) => part.segment) : Array.from(text);
}

const shorter = new Map();

// A long token loses its middle, never half of a letter.
export function shortened(text, longest = 14) {
  if (text.length <= longest) return text;
  const name = `${longest}|${text}`;
  if (shorter.size > 5000) shorter.clear();
  if (!shorter.has(name)) shorter.set(name, cut(text, longest));
  return shorter.get(name);
}

function cut(text, longest) {
  const parts = letters(text);
  if (parts.length <= longest) return text;
  const tail = Math.floor((longest - 1) / 2);
  return `${parts.slice(0, longest - 1 - tail).join("")}…${parts.slice(-tail).join("")}`;
}

const RIGHT_TO_LEFT = /^[^A-Za-z\u00C0-\u02B8\u0900-\u1FFF]*[\u0591-\u08FF\uFB1D-\uFDFD\uFE70-\uFEFC]/;

export function directionOf(text) {
  return RIGHT_TO_LEFT.test(text) ? "rtl" : "ltr";
}

// Write one token: its own direction inside, but its place by the left or right edge as asked.
export function write(context, text, x, y, align, longest = 0) {
  context.textAlign = align;
  context.direction = directionOf(text);
  if (longest > 0 && context.measureText(text).width > longest) context.fillText(text, x, y, longest);
  else context.fillText(text, x, y);
}

const widths = new Map();
let widestOf = new WeakMap();

// What was measured before the fonts had come is wrong.
export function forgetWidths() {
  widths.clear();
  widestOf = new WeakMap();
}

export function widthOf(context, text, size) {
  const name = `${size}|${text}`;
  if (!widths.has(name)) {
    if (widths.size > 5000) widths.clear();
    context.font = font(size, 600);
    widths.set(name, context.measureText(text).width);
  }
  return widths.get(name);
}

export function widest(context, entries, size, longest) {
  const name = `${size}|${longest}`;
  if (!widestOf.has(entries)) widestOf.set(entries, new Map());
  const known = widestOf.get(entries);
  if (!known.has(name)) {
    known.set(name, entries.reduce((most, entry) => Math.max(most, widthOf(context, shortened(entry.text, longest), size)), 0));
  }
  return known.get(name);
}

// An element with text; never markup.
export function element(tag, classes = "", text = null, attributes = {}) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
