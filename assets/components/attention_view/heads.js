// All heads as thumbnails: layers are rows and heads columns, or one flow when sorted by a score or on a phone.

import { font } from "../shared/canvas.js";
import { hatching, prepare, write } from "../shared/paint.js";
import { names } from "./numbers.js";
import { picture } from "./paint.js";
import { drawVeil, quarterOf } from "./quarter.js";

// Where each thumbnail stands: { width, height, side, items: [{ index, x, y, caption }], marks: [{ text, x, y, align }] }.
export function headsLayout(model, width, k, sort, narrow) {
  const heads = Math.max(...model.header.heads);
  const order = sortedHeads(model, sort);
  return sort === "grid" && !narrow ? headGrid(model, width, k, heads) : headFlow(model, width, k, order, sort);
}

function sortedHeads(model, sort) {
  const score = model.header.scores.find((one) => one.name === sort);
  const order = model.heads.map((one) => one.index);
  if (!score) return order;
  const sign = score.ascending ? 1 : -1;
  return order.sort((a, b) => sign * (score.values[a] - score.values[b]) || a - b);
}

function headGrid(model, width, k, heads) {
  const gap = heads > 8 ? 2 * k : 5 * k;
  const left = 26 * k;
  const top = 20 * k;
  const least = heads <= 4 ? 30 : heads <= 12 ? 15 : 14;
  const side = Math.floor(Math.min(50 * k, Math.max(least * k, (width - left) / heads - gap)));
  const items = model.heads.map((one) => ({ index: one.index, x: left + one.head * (side + gap), y: top + one.place * (side + gap) }));
  const every = side >= 40 * k ? 1 : side >= 22 * k ? 2 : 3;
  const marks = [];
  for (let head = 0; head < heads; head += every) {
    marks.push({ text: side >= 40 * k ? `head ${head + 1}` : `${head + 1}`, x: left + head * (side + gap) + side / 2, y: top - 6 * k, align: "center" });
  }
  model.header.layers.forEach((layer, place) => {
    if (side < 14 * k && place % 2) return;
    marks.push({ text: `L${layer + 1}`, x: left - 6 * k, y: top + place * (side + gap) + side / 2 + 4 * k, align: "right" });
  });
  return { width: left + heads * (side + gap), height: top + model.header.layers.length * (side + gap), side, columns: heads, items, marks };
}

function headFlow(model, width, k, order, sort) {
  const gap = 6 * k;
  const caption = 14 * k;
  const columns = 4;
  const side = Math.floor(Math.min(76 * k, (width - 2 * k) / columns - gap));
  const score = model.header.scores.find((one) => one.name === sort);
  const items = order.map((index, place) => {
    const { layer, head } = model.heads[index];
    const value = score ? ` ${score.values[index].toFixed(score.values[index] < 10 ? 2 : 1).replace(/^0\./, ".")}` : "";
    return {
      index, x: 2 * k + (place % columns) * (side + gap), y: 2 * k + Math.floor(place / columns) * (side + gap + caption),
      caption: `L${layer + 1}H${head + 1}${value}`,
    };
  });
  const lines = Math.ceil(order.length / columns);
  return { width, height: 2 * k + lines * (side + gap + caption), side, columns, items, marks: [] };
}

export function drawHeads(view) {
  const { model, layout, colours, k, ratio } = view;
  const context = prepare(view.parts.headsBase, layout.width + 3 * k, layout.height + 3 * k, ratio);
  const hatch = hatching(context, colours, ratio);
  context.imageSmoothingEnabled = false;
  const veiled = { rows: names(model.rows), keys: names(model.columns), quarter: quarterOf(view) };
  for (const item of layout.items) {
    const { rows, keys, codes } = model.glance(item.index);
    context.fillStyle = hatch;
    context.fillRect(item.x, item.y, layout.side, layout.side);
    const most = [layout.side * ratio, layout.side * ratio];
    const may = model.whole ? model.may(item.index) : glanceMay(model, item.index, rows, keys);
    context.drawImage(picture({}, { codes, may, rows, keys }, colours, most), item.x, item.y, layout.side, layout.side);
    drawVeil(context, colours, veiled, item.x, item.y, layout.side / model.keys, layout.side / model.queries);
    context.strokeStyle = colours.rule;
    context.lineWidth = 1;
    context.strokeRect(item.x - 0.5, item.y - 0.5, layout.side + 1, layout.side + 1);
  }
  context.font = font(11 * k);
  context.fillStyle = colours.ink2;
  for (const item of layout.items) if (item.caption) write(context, item.caption, item.x, item.y + layout.side + 12 * k, "left", layout.side + 5 * k);
  for (const mark of layout.marks) write(context, mark.text, mark.x, mark.y, mark.align);
}

// A pooled mask: a block may be looked at where one of its cells may.
export function glanceMay(model, index, rows, keys) {
  const number = model.header.mask_of[index];
  model.glanceMasks ||= [];
  if (model.glanceMasks[number]) return model.glanceMasks[number];
  const may = model.may(index);
  const out = new Uint8Array(rows * keys);
  for (let q = 0; q < model.queries; q++) {
    const row = Math.min(rows - 1, Math.floor(((q + 1) * rows - 1e-9) / model.queries));
    for (let key = 0; key < model.keys; key++) {
      if (may[q * model.keys + key]) out[row * keys + Math.min(keys - 1, Math.floor(((key + 1) * keys - 1e-9) / model.keys))] = 1;
    }
  }
  return (model.glanceMasks[number] = out);
}

// Rings: the locked head in the stream's accent, the previewed one and the pinned ones in ink, those combined dashed.
export function drawRings(view) {
  const { layout, colours, k, ratio, state } = view;
  const context = prepare(view.parts.headsOver, layout.width + 3 * k, layout.height + 3 * k, ratio);
  const ring = (index, colour, width, dash = []) => {
    const item = layout.items.find((one) => one.index === index);
    if (!item) return;
    context.strokeStyle = colour;
    context.lineWidth = width * k;
    context.setLineDash(dash);
    context.beginPath();
    context.roundRect(item.x - 1.25 * k, item.y - 1.25 * k, layout.side + 2.5 * k, layout.side + 2.5 * k, 3 * k);
    context.stroke();
  };
  state.mixed.forEach((index) => ring(index, colours.accent, 2, [4 * k, 3 * k]));
  if (view.preview !== null) ring(view.preview, colours.ink, 1.5);
  else if (state.locked === null) ring(view.current(), colours.ink, 1.5);
  if (state.locked !== null && !state.mixed.length) ring(state.locked, colours.accent, 2.5);
  context.setLineDash([]);
  state.pins.forEach((index, place) => {
    const item = layout.items.find((one) => one.index === index);
    if (!item) return;
    const size = Math.min(13 * k, layout.side * 0.6);
    context.fillStyle = colours.ink;
    context.beginPath();
    context.arc(item.x + layout.side - size / 2, item.y + size / 2, size / 2, 0, 7);
    context.fill();
    context.fillStyle = colours.bg;
    context.font = font(Math.max(8, size * 0.75), 600);
    write(context, String(place + 1), item.x + layout.side - size / 2, item.y + size * 0.76, "center");
  });
}

export function headAt(view, x, y) {
  const { layout, k } = view;
  const found = layout.items.find((item) => x >= item.x - 2 * k && x < item.x + layout.side + 3 * k && y >= item.y - 2 * k && y < item.y + layout.side + 3 * k);
  return found ? found.index : null;
}

// The head one step away in the order on screen; the ends hold.
export function headBeside(view, index, key) {
  const { layout } = view;
  const place = layout.items.findIndex((item) => item.index === index);
  const here = layout.items[place];
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const next = layout.items[place + (key === "ArrowLeft" ? -1 : 1)];
    return next ? next.index : index;
  }
  const sign = key === "ArrowUp" ? -1 : 1;
  const beyond = layout.items.filter((item) => sign * (item.y - here.y) > 1);
  if (!beyond.length) return index;
  const nearest = Math.min(...beyond.map((item) => sign * (item.y - here.y)));
  const row = beyond.filter((item) => sign * (item.y - here.y) < nearest + 1);
  return row.reduce((best, item) => (Math.abs(item.x - here.x) < Math.abs(best.x - here.x) ? item : best)).index;
}
