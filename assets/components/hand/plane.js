// A plane with arrows from its origin: drawn once, moved by changing attributes, so that a drag costs well under a frame.

import { element } from "../shared/build.js";
import { drawn } from "../shared/draw.js";

export const SIDE = 300; // of the picture, in its own units
const PAD = 8;
const LEFT = 14; // room for the numbers of the axes, outside the arrows' square
const BELOW = 14;

// Lines of a grid stand 1, 2 or 5 apart, times a power of ten, three to six of them a side.
function stride(reach) {
  const ten = 10 ** Math.floor(Math.log10(reach / 3));
  return [5, 2, 1].map((n) => n * ten).find((step) => reach / step >= 2.999) || ten;
}

export class Plane {
  constructor(parent, title, reach) {
    this.figure = element("figure", parent, "plane");
    this.caption = element("figcaption", this.figure);
    element("b", this.caption, "", title);
    this.says = element("span", this.caption);
    this.svg = drawn("svg", this.figure, { viewBox: `${-LEFT} 0 ${SIDE + LEFT} ${SIDE + BELOW}`, role: "group", "aria-label": title });
    this.reach = reach;
    this.unit = (SIDE / 2 - PAD) / reach;
    const step = stride(reach);
    const most = Math.floor(reach / step + 1e-9);
    for (let n = -most; n <= most; n += 1) {
      const [x, y] = this.place([n * step, n * step]);
      const kind = n === 0 ? "axis" : "grid";
      drawn("line", this.svg, { class: kind, x1: x, x2: x, y1: PAD, y2: SIDE - PAD });
      drawn("line", this.svg, { class: kind, y1: y, y2: y, x1: PAD, x2: SIDE - PAD });
      if (most <= 3 || n % 2 === 0) {
        const name = String(Number((n * step).toPrecision(6))).replace("-", "\u2212");
        drawn("text", this.svg, { class: "tick", x, y: SIDE + 8, "text-anchor": "middle" }).textContent = name;
        drawn("text", this.svg, { class: "tick", x: 2, y: y + 4, "text-anchor": "end" }).textContent = name;
      }
    }
    this.under = drawn("g", this.svg);
    this.over = drawn("g", this.svg);
    this.arrows = new Map();
  }

  place([x, y]) {
    return [SIDE / 2 + x * this.unit, SIDE / 2 - y * this.unit];
  }

  // Where a pointer is, in the plane's numbers and in the picture's units.
  at(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * (SIDE + LEFT) - LEFT;
    const y = ((event.clientY - box.top) / box.height) * (SIDE + BELOW);
    return { spot: [x, y], vector: [(x - SIDE / 2) / this.unit, (SIDE / 2 - y) / this.unit] };
  }

  // An arrow by name; `grip` makes it one that can be taken by pointer and keys.
  arrow(name, kind, grip) {
    const group = drawn("g", this.over, { class: `arrow ${kind}` });
    const line = drawn("line", group, { x1: SIDE / 2, y1: SIDE / 2 });
    const head = drawn("path", group, { class: "head" });
    const disc = kind === "key" || kind === "value" ? drawn("circle", group, { class: "disc", r: kind === "key" ? 8 : 5 }) : null;
    const text = drawn("text", group, { class: "name" });
    const made = { group, line, head, disc, text, kind };
    if (grip) {
      made.hit = drawn("circle", group, { class: "hit", r: 22 });
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-roledescription", "arrow to move");
      group.classList.add("grip");
    }
    this.arrows.set(name, made);
    return made;
  }

  move(name, vector, label) {
    const it = this.arrows.get(name);
    const [x, y] = this.place(vector);
    const length = Math.hypot(x - SIDE / 2, y - SIDE / 2);
    const [ux, uy] = length > 0.5 ? [(x - SIDE / 2) / length, (y - SIDE / 2) / length] : [0, 0];
    const size = it.disc ? 0 : Math.min(11, length);
    it.line.setAttribute("x2", x - ux * size * 0.8);
    it.line.setAttribute("y2", y - uy * size * 0.8);
    it.head.setAttribute("d", size ? `M${x} ${y}L${x - ux * size - uy * size * 0.5} ${y - uy * size + ux * size * 0.5}L${x - ux * size + uy * size * 0.5} ${y - uy * size - ux * size * 0.5}Z` : "");
    for (const circle of [it.disc, it.hit]) {
      if (circle) {
        circle.setAttribute("cx", x);
        circle.setAttribute("cy", y);
      }
    }
    it.text.textContent = label;
    Object.assign(it, { x, y, ux, uy, wide: 6.6 * label.length });
  }

  // Each name takes the place beside its tip that covers least: outward first, and the place it has where that is as good.
  settle() {
    const taken = [...this.arrows.values()].map(({ x, y }) => ({ left: x - 8, right: x + 8, top: y - 8, bottom: y + 8 }));
    const over = (one, two) => Math.max(0, Math.min(one.right, two.right) - Math.max(one.left, two.left)) * Math.max(0, Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top));
    const rank = { query: 0, output: 0, key: 1, value: 1 };
    const order = [...this.arrows.values()].sort((one, two) => rank[one.kind] - rank[two.kind]);
    for (const it of order) {
      const { x, y, wide, ux, uy } = it;
      const sides = [[x + 12, y + 4], [x - 12 - wide, y + 4], [x - wide / 2, y - 13], [x - wide / 2, y + 22], [x + 8, y - 11], [x - 8 - wide, y - 11], [x + 8, y + 20], [x - 8 - wide, y + 20]];
      const towards = [[1, 0], [-1, 0], [0, -1], [0, 1], [0.7, -0.7], [-0.7, -0.7], [0.7, 0.7], [-0.7, 0.7]];
      const costs = sides.map(([left, base], n) => {
        const box = { left, right: left + wide, top: base - 11, bottom: base + 3 };
        const outside = Math.max(0, 2 - left, left + wide - SIDE + 2) * 40 + Math.max(0, 2 - box.top, box.bottom - SIDE + 2) * 200;
        const covered = taken.reduce((sum, other) => sum + over(box, other), 0);
        return outside + covered - 25 * (ux * towards[n][0] + uy * towards[n][1]) - (it.side === n ? 20 : 0);
      });
      it.side = costs.indexOf(Math.min(...costs));
      const [left, base] = sides[it.side];
      taken.push({ left, right: left + wide, top: base - 11, bottom: base + 3 });
      it.text.setAttribute("x", left);
      it.text.setAttribute("y", base);
    }
  }

  // The arrow whose tip is nearest to a spot of the picture, among those that can be taken.
  nearest([x, y], within) {
    let best = null;
    for (const [name, it] of this.arrows) {
      const away = it.hit ? Math.hypot(it.x - x, it.y - y) : Infinity;
      if (away <= within && (!best || away < best.away)) best = { name, away };
    }
    return best && best.name;
  }

  clear() {
    this.arrows.clear();
    this.under.replaceChildren();
    this.over.replaceChildren();
  }
}
