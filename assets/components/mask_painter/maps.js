// Two maps over the same tokens: the pattern with its mask, to paint on, and how the pattern moved. They share one focus.

import { font } from "../shared/canvas.js";
import { cssOf, inkOn, mixed } from "../shared/draw.js";
import { hatching, prepare, widthOf, write } from "../shared/paint.js";

// Where everything stands, in CSS px.
export function layoutOf(pen, data, width, k, most) {
  const size = 13 * k;
  const longest = Math.max(...data.rows.map((text) => widthOf(pen, text, size)), 10);
  const left = Math.ceil(Math.min(110 * k, longest) + 12 * k);
  const tallest = Math.max(...data.columns.map((text) => widthOf(pen, text, size)), 10);
  const room = Math.max(80 * k, width - left - 2);
  const lean = Math.min(widthOf(pen, data.columns[data.columns.length - 1], size), 110 * k) * 0.72; // what the last name hangs over
  const fit = Math.min(most * k, (room - lean) / data.columns.length, Math.max((520 * k) / data.rows.length, 6 * k));
  const cell = Math.max(6 * k, fit >= 8 ? Math.floor(fit) : fit);
  const tilted = tallest > cell - 4 * k;
  const top = Math.ceil(tilted ? Math.min(tallest, 110 * k) * 0.72 + 16 * k : 26 * k);
  const over = tilted ? Math.min(tallest, 110 * k) * 0.72 : 2;
  return {
    left, top, cell, tilted, size, k, gap: cell >= 12 * k ? 1 : 0,
    width: left + cell * data.columns.length + Math.ceil(over), height: top + cell * data.rows.length + 3,
    x: (key) => left + key * cell, y: (query) => top + query * cell,
  };
}

function hatchCell(context, place, q, c, theme, ratio) {
  context.fillStyle = hatching(context, theme, ratio);
  context.fillRect(place.x(c), place.y(q), place.cell - place.gap, place.cell - place.gap);
}

function printed(context, place, q, c, text, ink) {
  context.font = font((place.cell >= 26 * place.k ? 12.5 : 11) * place.k);
  context.fillStyle = ink;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.direction = "ltr";
  context.fillText(text, place.x(c) + (place.cell - place.gap) / 2, place.y(q) + place.cell / 2 + place.k * 0.5);
}

// The pattern: weights in violet, hatched where nobody may look, a dot where that differs from training.
export function drawPattern(canvas, place, data, allowed, theme, ratio) {
  const context = prepare(canvas, place.width, place.height, ratio);
  const [rows, keys] = [data.rows.length, data.columns.length];
  const side = place.cell - place.gap;
  const least = place.narrow ? 0.3 : 0.1;
  for (let q = 0; q < rows; q++) {
    for (let c = 0; c < keys; c++) {
      const at = q * keys + c;
      const [x, y] = [place.x(c), place.y(q)];
      if (!allowed[at]) hatchCell(context, place, q, c, theme, ratio);
      else if (!data.allowed[at]) {
        context.strokeStyle = theme.ink3; // newly allowed: its weight is not known before the run
        context.lineWidth = 1;
        context.setLineDash([2, 2]);
        context.strokeRect(x + 1, y + 1, side - 2, side - 2);
        context.setLineDash([]);
      } else {
        const value = data.now[at];
        const colour = mixed(theme.weights, value);
        context.fillStyle = cssOf(colour);
        context.fillRect(x, y, side, side);
        if (value < 0.04 && place.gap) {
          context.strokeStyle = theme.rule;
          context.lineWidth = 0.6;
          context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
        }
        if (place.cell >= 20 * place.k && value >= least) printed(context, place, q, c, String(Math.round(100 * value)), inkOn(colour));
      }
      if (allowed[at] !== data.native[at]) {
        context.fillStyle = theme.ink;
        context.beginPath();
        const r = Math.max(1.2, Math.min(2.5 * place.k, place.cell / 9));
        context.arc(x + side - 2 * r, y + 2 * r, r, 0, 7);
        context.fill();
      }
    }
  }
}

// What was added to each weight, ochre to violet; returns where the scale ends.
export function drawMoved(canvas, place, data, theme, ratio) {
  const context = prepare(canvas, place.width, place.height, ratio);
  const moved = Array.from(data.now, (value, at) => value - data.before[at]);
  const most = moved.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
  const end = [0.05, 0.1, 0.25, 0.5, 1].find((step) => most <= step) || 1;
  const keys = data.columns.length;
  const side = place.cell - place.gap;
  moved.forEach((value, at) => {
    const [q, c] = [Math.floor(at / keys), at % keys];
    const colour = mixed(theme.change, (value / end + 1) / 2);
    context.fillStyle = cssOf(colour);
    context.fillRect(place.x(c), place.y(q), side, side);
    const points = Math.round(100 * value);
    if (place.cell >= 20 * place.k && Math.abs(points) >= 10) printed(context, place, q, c, signed(points), inkOn(colour));
  });
  return end;
}

function signed(number) {
  return number > 0 ? `+${number}` : String(number).replace("-", "−");
}

// Names, focus, and what a gesture is doing: on a canvas of its own, drawn anew at every move.
export function drawOver(canvas, place, data, theme, ratio, focus, shown) {
  const context = prepare(canvas, place.width, place.height, ratio);
  const { k, cell, left, top } = place;
  const [query, key] = focus;
  context.textBaseline = "middle";
  const every = Math.max(1, Math.ceil((13 * k) / cell));
  data.rows.forEach((name, q) => {
    const here = q === query;
    if (!here && (q % every || (every > 1 && Math.abs(q - query) < every))) return;
    context.font = font(place.size, here ? 600 : 400);
    context.fillStyle = here ? theme.ink : theme.ink2;
    write(context, name, left - 8 * k, place.y(q) + cell / 2, "right", 110 * k);
  });
  data.columns.forEach((name, c) => {
    const here = c === key;
    if (!here && (c % every || (every > 1 && Math.abs(c - key) < every))) return;
    context.save();
    context.font = font(place.size, here ? 600 : 400);
    context.fillStyle = here ? theme.ink : theme.ink2;
    if (place.tilted) {
      context.translate(place.x(c) + cell / 2, top - 7 * k);
      context.rotate(-Math.PI / 4);
      write(context, name, 0, 0, "left", 110 * k);
    } else write(context, name, place.x(c) + (cell - 1) / 2, top - 11 * k, "center");
    context.restore();
  });
  context.strokeStyle = theme.ink;
  context.lineWidth = 1.5;
  context.strokeRect(left - 1, place.y(query) - 1, cell * data.columns.length + 1, cell + 1);
  if (shown.cell) {
    context.lineWidth = 2;
    context.strokeRect(place.x(key) + 1, place.y(query) + 1, cell - place.gap - 2, cell - place.gap - 2);
  }
  if (shown.trail && shown.trail.length) drawTrail(context, place, theme, shown.trail);
  if (shown.refused) drawRefused(context, place, theme, shown.refused);
}

function drawTrail(context, place, theme, trail) {
  const middle = ([q, c]) => [place.x(c) + place.cell / 2, place.y(q) + place.cell / 2];
  context.strokeStyle = theme.ink;
  context.lineWidth = 2 * place.k;
  context.setLineDash([2 * place.k, 3 * place.k]);
  context.beginPath();
  trail.forEach((cell, n) => context[n ? "lineTo" : "moveTo"](...middle(cell)));
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = theme.bg;
  context.beginPath();
  context.arc(...middle(trail[trail.length - 1]), Math.min(8 * place.k, place.cell / 2.4), 0, 7);
  context.fill();
  context.lineWidth = 1.5 * place.k;
  context.stroke();
}

// The last open cell of a row: it shakes, or stands in a thick outline where motion is not wanted.
function drawRefused(context, place, theme, { q, c, still }) {
  const aside = still ? 0 : 3 * place.k * Math.sin(performance.now() / 22);
  const side = place.cell - place.gap;
  if (!still) {
    context.fillStyle = theme.weights[3];
    context.fillRect(place.x(c) + aside, place.y(q), side, side);
  }
  context.strokeStyle = theme.ink;
  context.lineWidth = 3 * place.k;
  context.strokeRect(place.x(c) + aside + 1.5, place.y(q) + 1.5, side - 3, side - 3);
}
