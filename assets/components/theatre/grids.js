// What the theatre's maps show: their rows, columns and weights, and the same in words.

import { approx } from "./figures.js";

// Rows, columns and weights of a map; rows and columns know the word they stand for: {side, index}.
export function gridOf(it, name, lit) {
  const on = (one) => lit[one.side].has(one.index) || lit.aligned[one.side].has(one.index);
  const named = (text, side, index) => ({ text, side, index });
  const s = it.data.source.map((one, index) => named(one.text, "s", index));
  const t = it.data.steps.map((one, index) => named(one.written.text, "t", index));
  const read = it.data.steps.map((one, index) => named(one.reads, "t", index - 1));
  for (const one of [...s, ...t, ...read]) Object.assign(one, { lit: on(one), ahead: one.side === "t" && one.index > it.step });
  for (const one of t) one.current = !it.hovered && one.index === it.step;
  for (const one of read) one.ahead = one.index >= it.step && one.index >= 0;
  const plain = (block, rows, columns) => {
    const values = it.now(block);
    return { rows, columns, weight: (q, n) => values[q * columns.length + n], may: (q, n) => it.blocks[block].may(q, n) };
  };
  const parts = { encoder: plain("encoder", s, s), decoder: plain("decoder", t, read), cross: plain("cross", t, s) };
  if (name !== "all") return parts[name];
  const n = s.length;
  const blockAt = (q, k) => (q < n ? (k < n ? ["encoder", q, k] : null) : k < n ? ["cross", q - n, k] : ["decoder", q - n, k - n]);
  const asked = (what) => (q, k) => {
    const found = blockAt(q, k);
    return found ? parts[found[0]][what](found[1], found[2]) : 0;
  };
  return { rows: [...s, ...t], columns: [...s, ...read], split: n, weight: asked("weight"), may: asked("may") };
}

// A map in words: its size, and the strongest looks of the row in focus (the step's own, or the word pointed at).
export function described(it, { rows, columns, weight, may }) {
  const q = rows.findIndex((one) => one.lit || one.current);
  const size = `${rows.length} rows, ${columns.length} columns, at step ${it.step + 1}.`;
  if (q < 0 || rows[q].ahead) return size;
  const looks = columns.map((one, n) => [may(q, n) ? weight(q, n) : 0, one.text]).sort((a, b) => b[0] - a[0]);
  return `${size} ${rows[q].text} looks at ${looks.slice(0, 3).filter(([share]) => share > 0.01).map(([share, text]) => `${text} ${approx(share)}`).join(", ")}.`;
}
