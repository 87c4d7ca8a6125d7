// A pair of sentences, A and B: which rows look at which keys. The quarter chosen stays as it is, the rest of the map fades and
// has no lines. No weight is changed: a row's share is its weight on the keys of the quarter, beside all of its weight.

import { percent } from "./numbers.js";

export const QUARTERS = { all: "All", aa: "A→A", ab: "A→B", ba: "B→A", bb: "B→B" };
const VEIL = 0.86; // how much of a faded cell is covered by the ground

// The quarter in view; null where all is shown, or where this attention is not inside a pair.
export function quarterOf({ state, model }) {
  return state.quarter !== "all" && isPair(model) ? state.quarter : null;
}

export function isPair(model) {
  return Boolean(model.rows.sentence && model.columns.sentence);
}

// Runs [first, one past the last] of the places that `is` holds for.
function spans(count, is) {
  const found = [];
  for (let place = 0; place < count; place++) {
    const first = place;
    while (place < count && is(place)) place++;
    if (place > first) found.push([first, place]);
  }
  return found;
}

// What fades, as blocks [first row, end, first key, end]. rows and keys: the names along the sides.
function outside(rows, keys, quarter) {
  const [from, to] = quarter;
  const away = spans(keys.length, (key) => keys[key].sentence !== to);
  const near = spans(rows.length, (q) => rows[q].sentence === from).flatMap(([a, b]) => away.map(([c, d]) => [a, b, c, d]));
  return [...spans(rows.length, (q) => rows[q].sentence !== from).map(([a, b]) => [a, b, 0, keys.length]), ...near];
}

// Cover what fades of a map whose first cell is at (x, y), in cells of `wide` by `tall` px.
export function drawVeil(context, colours, { rows, keys, quarter }, x, y, wide, tall) {
  if (!quarter) return;
  context.save();
  context.globalAlpha = VEIL;
  context.fillStyle = colours.bg;
  for (const [a, b, c, d] of outside(rows, keys, quarter)) context.fillRect(x + c * wide, y + a * tall, (d - c) * wide, (b - a) * tall);
  context.restore();
}

// The first row and key of the quarter in view: where a window that is smaller than the map looks first.
export function quarterStart({ rowNames, keyNames, quarter }) {
  const first = (names, sentence) => Math.max(0, names.findIndex((name) => name.sentence === sentence));
  return quarter ? { q: first(rowNames, quarter[0]), k: first(keyNames, quarter[1]) } : { q: 0, k: 0 };
}

// Where the other sentence begins.
export function borders(names) {
  return spans(names.length, (place) => place > 0 && names[place].sentence !== names[place - 1].sentence).map(([first]) => first);
}

// What is shown, in words; "" where all is.
export function quarterSaid(view) {
  const { pattern } = view;
  const quarter = quarterOf(view);
  if (!quarter) return "";
  const [from, to] = quarter.toUpperCase();
  const said = `${QUARTERS[quarter]}: rows of ${from} that look at ${to}. Everything else is faded, no weight is changed. `;
  if (pattern.pooled) return `${said}Click the head to read its shares.`;
  const about = pattern.exact ? "" : "≈ ";
  const { q } = view.focus();
  const mine = q === null || !pattern.rowInside(q) ? "" : `, “${pattern.rowNames[q].text}” ${about}${percent(pattern.shares[q])}`;
  return `${said}A row of ${from} gives ${to} ${about}${percent(pattern.shareMean)} of its weight on average${mine}.`;
}
