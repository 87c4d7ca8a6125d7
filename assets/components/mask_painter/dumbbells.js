// What may come next: a ring where it was, a disc where it is, violet where it rose, ochre where it fell.
// data.next: [name, now, before or null, now in words, before in words].

import { drawn } from "../shared/draw.js";
import { directionOf, widthOf } from "../shared/paint.js";

export function drawDumbbells(svg, pen, data, theme, width, k) {
  svg.replaceChildren();
  const rows = data.next;
  const step = 40 * k;
  const size = 13 * k;
  const names = Math.min(92 * k, Math.max(...rows.map(([name]) => widthOf(pen, name, 14 * k)), 20));
  const left = names + 14 * k;
  const right = width - 44 * k;
  const top = 30 * k;
  const height = top + rows.length * step + 4 * k;
  const most = Math.max(...rows.map(([, now, before]) => Math.max(now, before || 0)));
  const end = [0.05, 0.1, 0.2, 0.5, 1].find((limit) => most <= limit) || 1;
  const x = (share) => left + ((right - left) * share) / end;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const style = (weight, tone, px = size) => ({ "font-size": px, "font-weight": weight, fill: tone });
  for (const part of [0, 0.5, 1]) {
    drawn("line", svg, { x1: x(part * end), x2: x(part * end), y1: top - 6 * k, y2: height - 4 * k, stroke: theme.rule });
    const said = `${+(100 * part * end).toFixed(1)} %`;
    drawn("text", svg, { x: x(part * end), y: top - 13 * k, "text-anchor": "middle", ...style(400, theme.ink2, 11.5 * k) }, said);
  }
  const first = rows.reduce((best, row, n) => (row[1] > rows[best][1] ? n : best), 0);
  rows.forEach(([name, now, before, nowSaid, beforeSaid], n) => {
    const y = top + (n + 0.5) * step;
    const group = drawn("g", svg, { class: "dumbbell" });
    const rtl = directionOf(name) === "rtl";
    const label = { x: left - 14 * k, y: y + 5 * k, direction: rtl ? "rtl" : "ltr", "text-anchor": rtl ? "start" : "end" };
    const wide = widthOf(pen, name, 14 * k) > names ? { textLength: names, lengthAdjust: "spacingAndGlyphs" } : {};
    drawn("text", group, { ...label, ...wide, ...style(n === first ? 600 : 400, theme.ink, 14 * k) }, name);
    const changed = before !== null;
    const up = changed && now > before;
    const tone = changed && now !== before ? (up ? theme.change[7] : theme.change[1]) : theme.ink2;
    const [a, b] = [x(now), x(changed ? before : now)];
    if (changed) {
      drawn("line", group, { x1: b, x2: a, y1: y, y2: y, stroke: tone, "stroke-width": 3.5 * k });
      drawn("circle", group, { cx: b, cy: y, r: 5 * k, fill: theme.bg, stroke: theme.ink2, "stroke-width": 1.75 * k });
    }
    drawn("circle", group, { cx: a, cy: y, r: 5.5 * k, fill: tone });
    if (!changed) drawn("text", group, { x: a + 11 * k, y: y + 4.5 * k, ...style(n === first ? 600 : 400, theme.ink) }, nowSaid);
    else if (Math.abs(a - b) < 16 * k) {
      const after = Math.max(a, b) + 11 * k;
      const said = `${beforeSaid} → ${nowSaid}`;
      const long = widthOf(pen, said, size);
      const fits = after + long <= width;
      const where = fits ? { x: after, y: y + 4.5 * k } : { x: width, y: y - 10 * k, "text-anchor": "end" };
      drawn("text", group, { ...where, ...style(400, theme.ink2) }, said);
    } else {
      const close = Math.abs(a - b) < 56 * k;
      const anchor = (mine, other) => (close ? (mine < other ? "end" : "start") : "middle");
      const shift = (mine, other) => (close ? (mine < other ? 8 * k : -8 * k) : 0);
      drawn("text", group, { x: a + shift(a, b), y: y - 10 * k, "text-anchor": anchor(a, b), ...style(600, theme.ink) }, nowSaid);
      drawn("text", group, { x: b + shift(b, a), y: y - 10 * k, "text-anchor": anchor(b, a), ...style(400, theme.ink2) }, beforeSaid);
    }
  });
  const said = rows.map(([name, , before, now, was]) => (before === null ? `${name} ${now}` : `${name} from ${was} to ${now}`));
  svg.setAttribute("aria-label", `${data.title} ${data.where}: ${said.join(", ")}.`);
}
