// A plane with arrows from its origin: drawn once, moved by changing attributes, so that a drag costs well under a frame.
const SIDE = 300; // of the picture, in its own units
const PAD = 8;

function element(name, parent, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function drawn(name, parent, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

class Plane {
  constructor(parent, title, reach) {
    this.figure = element("figure", parent, "plane");
    this.caption = element("figcaption", this.figure);
    element("b", this.caption, "", title);
    this.says = element("span", this.caption);
    this.svg = drawn("svg", this.figure, { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "group", "aria-label": title });
    this.reach = reach;
    this.unit = (SIDE / 2 - PAD) / reach;
    const step = reach > 8 ? 5 : 1;
    for (let at = -Math.floor(reach / step) * step; at <= reach; at += step) {
      const [x, y] = this.place([at, at]);
      const kind = at === 0 ? "axis" : "grid";
      drawn("line", this.svg, { class: kind, x1: x, x2: x, y1: PAD, y2: SIDE - PAD });
      drawn("line", this.svg, { class: kind, y1: y, y2: y, x1: PAD, x2: SIDE - PAD });
      if (at !== 0 && at % (2 * step) === 0) {
        drawn("text", this.svg, { class: "tick", x, y: SIDE / 2 + 13, "text-anchor": "middle" }).textContent = String(at).replace("-", "\u2212");
        drawn("text", this.svg, { class: "tick", x: SIDE / 2 - 5, y: y + 4, "text-anchor": "end" }).textContent = String(at).replace("-", "\u2212");
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
    const x = ((event.clientX - box.left) / box.width) * SIDE;
    const y = ((event.clientY - box.top) / box.height) * SIDE;
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
    const wide = 6.6 * label.length;
    const right = ux >= -0.2;
    const left = right ? x + 12 : x - 12 - wide;
    Object.assign(it, { x, y, wide, left: Math.max(2, Math.min(SIDE - 2 - wide, left)), base: Math.max(12, Math.min(SIDE - 4, y + (Math.abs(ux) < 0.5 ? (uy < 0 ? -9 : 18) : 4))) });
  }

  // Names are pushed apart where they would cover each other.
  settle() {
    const all = [...this.arrows.values()].sort((a, b) => a.base - b.base);
    all.forEach((it, n) => {
      for (const other of all.slice(0, n)) {
        const apart = it.left > other.left + other.wide + 3 || other.left > it.left + it.wide + 3;
        if (!apart && Math.abs(it.base - other.base) < 14) it.base = other.base + 14;
      }
      it.text.setAttribute("x", it.left);
      it.text.setAttribute("y", Math.min(SIDE - 3, it.base));
    });
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
