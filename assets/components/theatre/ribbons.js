// The ribbons between the two sentences of the theatre.

import { font, sized } from "../shared/canvas.js";
import { LEAST } from "./figures.js";

// Each look of weight LEAST or more as a ribbon from the source word to the written one: downwards, or sideways where narrow.
export function drawRibbons(it, lit) {
  const { theme, narrow, k } = it;
  const box = it.texts.getBoundingClientRect();
  const g = sized(it.ribbons, box.width, box.height);
  const end = (chip, first) => {
    const at = chip.getBoundingClientRect();
    if (narrow) return { x: (first ? at.right + 5 : at.left - 5) - box.left, y: at.top + at.height / 2 - box.top };
    return { x: at.left + at.width / 2 - box.left, y: (first ? at.bottom + 1 : at.top - 1) - box.top };
  };
  const sources = [...it.sourceRow.list.children].map((chip) => end(chip, true));
  const targets = [...it.targetRow.list.children].map((chip) => end(chip, false));
  const cross = it.now("cross");
  const { keys } = it.blocks.cross;
  const touches = (t, n) => {
    if (!it.hovered) return t === it.step;
    if (it.hovered.other) return lit.t.has(t) && lit.s.has(n);
    return it.hovered.side === "s" ? lit.s.has(n) : lit.t.has(t);
  };
  const said = [];
  for (const front of [false, true]) {
    for (let t = 0; t <= it.step; t += 1) {
      for (let n = 0; n < keys; n += 1) {
        const weight = cross[t * keys + n];
        if (weight < LEAST || touches(t, n) !== front) continue;
        const from = sources[n];
        const to = targets[t];
        g.globalAlpha = front ? 0.8 : it.hovered ? 0.3 : 0.6;
        g.strokeStyle = front ? theme.cross : theme.fade;
        g.lineWidth = Math.max(1, (narrow ? 15 : 20) * k * weight);
        g.beginPath();
        g.moveTo(from.x, from.y);
        if (narrow) g.bezierCurveTo((from.x + to.x) / 2, from.y, (from.x + to.x) / 2, to.y, to.x, to.y);
        else g.bezierCurveTo(from.x, (from.y + to.y) / 2, to.x, (from.y + to.y) / 2, to.x, to.y);
        g.stroke();
        if (front && weight >= 0.2) said.push({ weight, from, to });
      }
    }
  }
  g.globalAlpha = 1;
  g.font = font(12.5 * k, 600);
  g.textAlign = "center";
  g.textBaseline = "middle";
  // several numbers stand where their ribbons are apart: near the words that differ
  const t = said.length < 2 ? 0.5 : it.hovered && it.hovered.side === "s" ? 0.72 : 0.28;
  const [across, along] = [3 * t ** 2 - 2 * t ** 3, 1.5 * t * (1 - t) + t ** 3].map((part) => (a, b) => a + (b - a) * part);
  for (const { weight, from, to } of said) {
    const x = (narrow ? along : across)(from.x, to.x);
    const y = (narrow ? across : along)(from.y, to.y);
    const text = `${Math.round(100 * weight)} %`;
    const wide = g.measureText(text).width + 8 * k;
    g.fillStyle = theme.bg;
    g.fillRect(x - wide / 2, y - 9 * k, wide, 18 * k);
    g.fillStyle = theme.cross;
    g.fillText(text, x, y + 0.5);
  }
}
