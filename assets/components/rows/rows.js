// What the drawings of Generate share: the rows of one query, a line for each head.

import { element } from "../shared/build.js";
import { font, sized } from "../shared/canvas.js";
import { cssOf, mixed, pageScale } from "../shared/draw.js";

export function percent(value) {
  const share = 100 * value;
  if (share > 0 && share < 0.1) return "< 0.1\u00a0%";
  return `${share.toFixed(share < 9.95 ? 1 : 0)}\u00a0%`;
}

// One stream's rows. `lit` hears which key is pointed at, or null.
class Rows {
  constructor(parent, lit = () => {}) {
    this.box = element("div", parent, "rows");
    this.title = element("h3", this.box);
    this.scroller = element("div", this.box, "scroller");
    this.canvas = element("canvas", this.scroller);
    this.canvas.setAttribute("role", "img");
    this.canvas.tabIndex = 0;
    this.reading = element("p", this.box, "how reading");
    this.lit = lit;
    this.cursor = null;
    this.canvas.addEventListener("pointermove", (event) => this.pointed(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("blur", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.typed(event));
  }

  show(spec, names, theme) {
    this.spec = spec;
    this.names = names;
    this.theme = theme;
    this.raw = atob(spec.codes);
    this.title.textContent = spec.title;
    this.title.className = spec.stream;
    this.where = [];
    spec.heads.forEach((count, layer) => {
      for (let head = 0; head < count; head += 1) this.where.push([layer, head]);
    });
    if (this.cursor && (this.cursor[0] > this.where.length || this.cursor[1] >= spec.keys)) this.cursor = null;
    this.draw();
    this.say();
  }

  weight(line, key) {
    const code = this.raw.charCodeAt(line * this.spec.keys + key) / 255;
    return code * code;
  }

  layout() {
    const { keys } = this.spec;
    const scale = pageScale();
    const lines = this.where.length;
    const left = 92 * scale;
    const g = this.canvas.getContext("2d");
    g.font = font(12.5 * scale);
    const longest = Math.max(...this.names.map((one) => g.measureText(one.text).width), 10);
    const top = Math.min(84 * scale, longest * 0.72) + 14 * scale;
    const room = Math.max(120, this.scroller.clientWidth) - left - 30 * scale;
    const cell = Math.max(10, Math.min(30 * scale, Math.floor(room / Math.max(keys, 1))));
    const high = (lines > 60 ? 7 : lines > 24 ? 10 : 14) * scale;
    return { scale, left, top, cell, high, gap: 5 * scale, lines };
  }

  y(line, at) {
    if (line === 0) return at.top;
    const [layer] = this.where[line - 1];
    return at.top + at.high * line + at.gap * (layer + 1);
  }

  draw() {
    if (!this.spec || !this.scroller.clientWidth) return;
    const at = this.layout();
    this.at = at;
    const { keys, heads } = this.spec;
    const width = at.left + at.cell * keys + 30 * at.scale;
    const g = sized(this.canvas, width, at.top + at.high * (at.lines + 1) + at.gap * (heads.length + 1));
    const { theme } = this;
    g.textBaseline = "middle";
    g.font = font(12.5 * at.scale);
    const every = Math.ceil((11 * at.scale) / at.cell);
    this.names.forEach((one, key) => {
      const here = this.cursor && this.cursor[1] === key;
      if (key % every && !here) return;
      g.save();
      g.translate(at.left + (key + 0.5) * at.cell, at.top - 7 * at.scale);
      g.rotate(-Math.PI / 4);
      g.fillStyle = here ? theme.ink : theme.ink2;
      if (here) g.font = font(12.5 * at.scale, 600);
      g.fillText(one.text.length > 14 ? `${one.text.slice(0, 13)}\u2026` : one.text, 0, 0);
      g.restore();
    });
    for (let line = 0; line <= at.lines; line += 1) {
      const y = this.y(line, at);
      g.textAlign = "right";
      const head = line ? this.where[line - 1][1] : 0;
      if (!line || !head) {
        g.fillStyle = theme.ink2;
        g.font = font(12 * at.scale);
        g.fillText(line ? `layer ${this.where[line - 1][0] + 1}` : "mean of all", at.left - (line ? 24 : 6) * at.scale, y + at.high / 2 + 1);
      }
      if (line && at.high >= 10 * at.scale) {
        g.fillStyle = theme.ink3;
        g.font = font(11 * at.scale);
        g.fillText(String(head + 1), at.left - 6 * at.scale, y + at.high / 2 + 1);
      }
      g.textAlign = "left";
      for (let key = 0; key < keys; key += 1) {
        const value = this.weight(line, key);
        g.fillStyle = cssOf(mixed(theme.weights, value));
        g.fillRect(at.left + key * at.cell, y, at.cell - 1, at.high - 1);
        if (value < 0.04) {
          g.strokeStyle = theme.rule;
          g.lineWidth = 0.6;
          g.strokeRect(at.left + key * at.cell + 0.3, y + 0.3, at.cell - 1.6, at.high - 1.6);
        }
      }
    }
    if (this.cursor) {
      const [line, key] = this.cursor;
      g.strokeStyle = theme.ink;
      g.lineWidth = 1.5;
      g.strokeRect(at.left + key * at.cell - 0.5, this.y(line, at) - 0.5, at.cell, at.high);
    }
    this.canvas.setAttribute("aria-label", `${this.spec.title}: ${at.lines} heads, a line each, over ${keys} tokens. ${this.summary()}`);
  }

  best() {
    let found = [1, 0, -1];
    for (let line = 1; line <= this.where.length; line += 1) {
      for (let key = 0; key < this.spec.keys; key += 1) if (this.weight(line, key) > found[2]) found = [line, key, this.weight(line, key)];
    }
    return found;
  }

  name(line) {
    return line ? `Layer ${this.where[line - 1][0] + 1}, head ${this.where[line - 1][1] + 1}` : "The mean of all heads";
  }

  sentence(line, key) {
    return `${this.name(line)} looks at \u201c${this.names[key].text}\u201d with ${percent(this.weight(line, key))}.`;
  }

  summary() {
    const [line, key] = this.best();
    return `Strongest: ${this.sentence(line, key)}`;
  }

  say() {
    this.reading.textContent = this.cursor ? this.sentence(...this.cursor) : this.summary();
  }

  pointed(event) {
    if (!this.at) return;
    const box = this.canvas.getBoundingClientRect();
    const key = Math.floor((event.clientX - box.left - this.at.left) / this.at.cell);
    const down = event.clientY - box.top;
    let line = -1;
    for (let n = 0; n <= this.at.lines; n += 1) if (down >= this.y(n, this.at) && down < this.y(n, this.at) + this.at.high) line = n;
    this.point(line < 0 || key < 0 || key >= this.spec.keys ? null : [line, key]);
  }

  point(cell) {
    if (String(cell) === String(this.cursor)) return;
    this.cursor = cell;
    this.lit(cell ? cell[1] : null);
    this.draw();
    this.say();
  }

  typed(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "Escape") this.point(null);
    else if (event.key in moves) {
      const [line, key] = this.cursor || [0, this.spec.keys - 1];
      const [down, right] = this.cursor ? moves[event.key] : [0, 0];
      this.point([Math.max(0, Math.min(this.where.length, line + down)), Math.max(0, Math.min(this.spec.keys - 1, key + right))]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// The rows of several streams under each other, with their one colour bar.
export class Looks {
  constructor(parent, lit) {
    this.box = element("div", parent, "looks");
    this.streams = [];
    this.lit = lit;
    this.legend = element("div", this.box, "legend");
  }

  show(specs, names, theme) {
    while (this.streams.length < specs.length) {
      const stream = specs[this.streams.length].stream;
      const rows = new Rows(this.box, (key) => this.lit && this.lit(stream, key));
      this.streams.push(rows);
    }
    this.box.append(this.legend);
    this.streams.forEach((rows, n) => {
      rows.box.hidden = n >= specs.length;
      if (n < specs.length) rows.show(specs[n], names[specs[n].stream], theme);
    });
    this.legend.hidden = !specs.length;
    this.legend.style.background = `linear-gradient(90deg, ${theme.weights.join(",")})`;
  }

  draw() {
    this.streams.forEach((rows) => rows.draw());
  }
}
