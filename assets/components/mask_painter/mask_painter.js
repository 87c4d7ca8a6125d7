// The painter: a map to paint on, what it does to the next token, how the pattern moved. One message goes when a gesture ends.

import { drawn, pageScale } from "../shared/draw.js";
import { element, forgetWidths } from "../shared/paint.js";
import { THEMES } from "../shared/themes.js";
import { Turns } from "../shared/turns.js";
import { Brush } from "./brush.js";
import { drawDumbbells } from "./dumbbells.js";
import { drawMoved, drawOver, drawPattern, layoutOf } from "./maps.js";

const STILL = "(prefers-reduced-motion: reduce)";

class Painter {
  constructor(root) {
    this.brush = new Brush();
    this.turns = new Turns();
    this.pen = document.createElement("canvas").getContext("2d");
    this.root = root;
    this.hover = null;
    this.focus = null;
    this.build();
    this.listen();
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.box);
    document.fonts.ready.then(() => {
      forgetWidths();
      this.draw();
    });
  }

  build() {
    const parts = (this.parts = {});
    this.box = element("div", "painter");
    const map = element("section", "map-column");
    const top = element("div", "top");
    parts.name = element("h2", "heading");
    parts.scale = element("div", "scale");
    parts.scale.append(element("span", "", "weight 0"), element("span", "ramp"), element("span", "", "1"));
    top.append(parts.name, parts.scale);
    const tools = element("div", "tools");
    this.acts = this.choices(tools, "Brush", { forbid: "Forbid", allow: "Allow" }, (act) => (this.brush.act = act));
    this.scopes = this.choices(tools, "For whom", { head: "Head", layer: "Layer", all: "All" }, (scope) => (this.brush.scope = scope));
    parts.undo = this.tool(tools, "Undo", () => this.step("undo"));
    parts.redo = this.tool(tools, "Redo", () => this.step("redo"));
    parts.map = this.sheet("map");
    parts.over.tabIndex = 0;
    parts.over.setAttribute("role", "application");
    parts.read = element("p", "read");
    parts.read.setAttribute("aria-hidden", "true");
    parts.status = element("p", "status");
    parts.status.setAttribute("role", "status");
    const how = element("p", "how");
    const say = ["A row looks, a column is looked at. ", ["b", "Drag"], " over cells to paint, let go to run. ", ["b", "Double-click"], " a token to hide its column from everyone, again to open it. Keys: arrows move, ",
      ["kbd", "Space"], " paints the cell in focus, ", ["kbd", "C"], " its column, ", ["kbd", "F"], " and ", ["kbd", "A"], " choose the brush, ",
      ["kbd", "Ctrl+Z"], " takes back. Numbers: % of a row. Hatched: may not look. A dot: not as trained."];
    how.append(...say.map((part) => (typeof part === "string" ? part : element(part[0], "", part[1]))));
    map.append(top, tools, parts.map, parts.read, parts.status, how);

    const next = element("section", "next-column");
    parts.next = element("h2", "heading");
    parts.dumbbells = drawn("svg", null);
    parts.dumbbells.setAttribute("role", "img");
    parts.legend = element("p", "how legend");
    parts.kl = element("p", "how kl");
    next.append(parts.next, parts.dumbbells, parts.legend, parts.kl);

    const moved = element("section", "moved-column");
    moved.append(element("h2", "heading", "After − before, this head"));
    parts.moved = this.sheet("moved");
    parts.ends = element("div", "scale ends");
    parts.ends.append(element("span", "ramp"), element("span"), element("span", "", "0"), element("span"));
    parts.shift = element("p", "how shift");
    parts.nothing = element("p", "how", "Paint, or choose a card: how the pattern moves stands here.");
    moved.append(parts.moved, parts.ends, parts.shift, parts.nothing);
    this.box.append(map, next, moved);
    this.root.append(this.box);
  }

  choices(bar, name, offered, choose) {
    const group = element("div", "choices");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", name);
    const made = {};
    for (const [value, words] of Object.entries(offered)) {
      made[value] = this.tool(group, words, () => {
        choose(value);
        this.press();
      });
    }
    bar.append(group);
    return made;
  }

  tool(bar, words, act) {
    const made = element("button", "tool", words);
    made.type = "button";
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  }

  // Two canvases one over the other, in a box that scrolls where they are too wide.
  sheet(name) {
    const box = element("div", "scroller");
    const sheet = element("div", `sheet ${name}`);
    const base = element("canvas", "base");
    const over = element("canvas", "over");
    (name === "map" ? over : base).setAttribute("aria-label", "");
    if (name === "map") base.setAttribute("aria-hidden", "true");
    else base.setAttribute("role", "img");
    if (name === "map") this.parts.over = over;
    sheet.append(base, over);
    box.append(sheet);
    return box;
  }

  listen() {
    const { over } = this.parts;
    over.addEventListener("pointerdown", (event) => this.down(event));
    over.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) over.addEventListener(end, () => this.up());
    over.addEventListener("dblclick", (event) => this.double(event));
    this.box.addEventListener("keydown", (event) => this.key(event));
    for (const turn of ["focus", "blur"]) over.addEventListener(turn, () => this.drawOver());
    const other = this.parts.moved.querySelector(".over");
    other.addEventListener("pointermove", (event) => this.point(this.at(event, other, this.small)));
    for (const one of [over, other]) one.addEventListener("pointerleave", () => this.point(null));
  }

  open(message) {
    const size = new DataView(message.buffer, message.byteOffset).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(message.subarray(4, 4 + size)));
    const cells = data.rows.length * data.columns.length;
    const arrays = message.slice(4 + size + ((4 - (size % 4)) % 4)).buffer;
    data.now = new Float32Array(arrays, 0, cells);
    data.before = new Float32Array(arrays, 4 * cells, cells);
    data.allowed = new Uint8Array(arrays, 8 * cells, cells);
    data.native = new Uint8Array(arrays, 9 * cells, cells);
    const fresh = !this.data || this.data.version !== data.version;
    this.data = data;
    this.brush.answered(data);
    if (fresh || !this.focus) this.focus = data.focus;
    if (fresh) this.hover = null;
    const dark = (data.theme || "light") === "dark";
    this.theme = { ...THEMES[dark ? "dark" : "light"] };
    for (const tone of ["ink", "ink2", "ink3", "rule", "field", "bg"]) this.box.style.setProperty(`--${tone}`, this.theme[tone]);
    this.box.style.setProperty("--weights", this.theme.weights.join(","));
    this.box.style.setProperty("--change", this.theme.change.join(","));
    this.tell(data.refused || data.says);
    this.draw();
    // a message sent while a run was under way may have been overtaken: what is still waiting is told again
    clearTimeout(this.again);
    if (this.brush.waiting.length) this.again = setTimeout(() => this.send(), 250);
    this.box.dataset.shown = String(Number(this.box.dataset.shown || 0) + 1);
  }

  tell(words) {
    this.parts.status.textContent = words;
  }

  resize() {
    const wide = this.box.clientWidth;
    if (wide !== this.wide) this.draw();
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const { data, parts, theme } = this;
    this.wide = this.box.clientWidth;
    const k = (this.k = pageScale());
    this.ratio = devicePixelRatio || 1;
    this.box.classList.toggle("middle", this.wide < 880 * k && this.wide >= 620 * k);
    this.box.classList.toggle("narrow", this.wide < 620 * k);
    parts.name.textContent = data.name;
    const [, layer, all] = data.heads;
    this.scopes.head.textContent = "Head";
    this.scopes.layer.textContent = "Layer";
    this.scopes.layer.title = `The ${layer} heads of this layer`;
    this.scopes.all.title = `Every head of the stream: ${all}`;
    this.scopes.head.title = "This head alone";
    this.scopes.all.textContent = `All ${all}`;
    this.place = layoutOf(this.pen, data, parts.map.clientWidth - 6, k, 36);
    this.place.narrow = this.wide < 620 * k;
    parts.over.setAttribute("aria-label",
      `${data.name}: the mask. Rows look, columns are looked at. Arrow keys move, Space forbids or allows, C forbids a column.`);
    this.drawBase();
    parts.next.replaceChildren(data.silent ? "Next token" : `${data.title} `, element("bdi", "", data.silent ? "" : data.where));
    parts.dumbbells.style.display = data.silent ? "none" : "";
    if (!data.silent) drawDumbbells(parts.dumbbells, this.pen, data, theme, parts.next.clientWidth, k);
    parts.legend.textContent = data.silent || (data.changed ? "○ as trained, ● under the mask. Violet: more likely, ochre: less." : "● as trained. Under a mask, ○ will stand where it was.");
    parts.kl.replaceChildren();
    if (data.kl !== null) parts.kl.append("KL(native ‖ this), next token: ", element("b", "", `${data.kl} nats`));
    const shown = data.changed ? "" : "none";
    parts.moved.style.display = parts.ends.style.display = parts.shift.style.display = shown;
    parts.nothing.style.display = data.changed ? "none" : "";
    if (data.changed) {
      const small = parts.moved.querySelector(".base");
      this.small = layoutOf(this.pen, data, parts.moved.clientWidth - 6, k, 26);
      const end = drawMoved(small, this.small, data, theme, this.ratio);
      const [query, key, points] = data.most;
      small.setAttribute("aria-label", `How the pattern moved. It moved most for “${query}” at “${key}”: ${points} points.`);
      parts.ends.children[1].textContent = `−${end}`;
      parts.ends.children[3].textContent = `+${end}`;
      parts.shift.replaceChildren(
        "Ochre: looked at less. Violet: more. In points of % of a row. In all, ", element("b", "", data.shift),
        ` of ${data.rows.length} rows’ attention moved (half the sum of |Δ|), most for “`, element("bdi", "", query), "” at “",
        element("bdi", "", key), `”: ${points}. `, element("b", "", "Point"), " at a cell: it lights in both maps.");
    }
    this.drawOver();
    this.press();
  }

  drawBase() {
    drawPattern(this.parts.map.querySelector(".base"), this.place, this.data, this.brush.allowed, this.theme, this.ratio);
  }

  drawOver() {
    if (!this.place) return;
    const { data, theme, ratio, brush } = this;
    const focus = this.hover || this.focus;
    const cell = Boolean(this.hover) || this.root.activeElement === this.parts.over;
    drawOver(this.parts.over, this.place, data, theme, ratio, focus, { cell, trail: brush.line && brush.line.trail, refused: this.refused });
    if (data.changed) drawOver(this.parts.moved.querySelector(".over"), this.small, data, theme, ratio, focus, { cell });
    this.parts.read.replaceChildren(...this.reading(focus));
  }

  // The cell in focus, in words.
  reading([q, c]) {
    const { data, brush } = this;
    const at = q * data.columns.length + c;
    const head = ["“", element("bdi", "", data.rows[q]), "” looks at “", element("bdi", "", data.columns[c]), "”: "];
    if (!brush.allowed[at]) return [...head, element("b", "", "may not look")];
    if (!data.allowed[at]) return [...head, element("b", "", "allowed"), ", not yet run"];
    const share = (value) => `${(100 * value).toFixed(1)} %`;
    const was = data.changed ? `, was ${share(data.before[at])}` : "";
    return [...head, element("b", "", share(data.now[at])), `${was}`];
  }

  press() {
    for (const [value, button] of Object.entries(this.acts)) button.setAttribute("aria-pressed", String(this.brush.act === value));
    for (const [value, button] of Object.entries(this.scopes)) button.setAttribute("aria-pressed", String(this.brush.scope === value));
    if (!this.data) return;
    const strokes = this.brush.waiting.length;
    this.parts.undo.disabled = !this.data.undo && !strokes;
    this.parts.redo.disabled = !this.data.redo;
  }

  at(event, canvas, place) {
    const box = canvas.getBoundingClientRect();
    const c = Math.floor((event.clientX - box.left - place.left) / place.cell);
    const q = Math.floor((event.clientY - box.top - place.top) / place.cell);
    const inside = q >= 0 && c >= 0 && q < this.data.rows.length && c < this.data.columns.length;
    return { q, c, inside };
  }

  point(spot) {
    this.hover = spot && spot.inside ? [spot.q, spot.c] : null;
    this.drawOver();
  }

  down(event) {
    const { over } = this.parts;
    const { q, c, inside } = this.at(event, over, this.place);
    over.focus({ preventScroll: true, focusVisible: false });
    if (!inside || event.button > 0) return;
    event.preventDefault();
    try {
      over.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is already gone
    }
    this.lasting = null;
    this.focus = [q, c];
    this.refuse(this.brush.begin(q, c));
    this.drawBase();
    this.drawOver();
  }

  move(event) {
    const spot = this.at(event, this.parts.over, this.place);
    if (!this.brush.line) return this.point(spot);
    if (!spot.inside) return;
    this.hover = null;
    this.focus = [spot.q, spot.c];
    this.refuse(this.brush.to(spot.q, spot.c));
    this.drawBase();
    this.drawOver();
  }

  up() {
    if (!this.brush.line) return;
    const stroked = this.brush.end();
    this.drawOver();
    if (stroked) this.send();
  }

  double(event) {
    const { q, c } = this.at(event, this.parts.over, this.place);
    if (q < 0 && c >= 0 && c < this.data.columns.length) this.column(c);
    if (this.data.one && c < 0 && q >= 0 && q < this.data.rows.length) this.column(q);
  }

  column(c) {
    this.lasting = null;
    const before = this.brush.waiting.length;
    this.refuse(this.brush.column(c, this.data.native));
    this.drawBase();
    this.drawOver();
    if (this.brush.waiting.length > before) this.send();
  }

  step(act) {
    if (act === "undo" ? this.parts.undo.disabled : this.parts.redo.disabled) return;
    this.lasting = null;
    this.brush.tell(act);
    this.send();
  }

  send() {
    this.press();
    this.tell(this.lasting || "Running the model under this mask…");
    clearTimeout(this.again);
    if (!this.brush.waiting.length) return;
    this.again = setTimeout(() => this.send(), 8000); // an answer that never comes: ask again, nothing is counted twice
    this.turns.next().send("painted", { strokes: this.brush.waiting, version: this.data.version });
  }

  refuse(cell) {
    if (!cell) return;
    const still = matchMedia(STILL).matches;
    const until = performance.now() + (still ? 900 : 350);
    this.refused = { q: cell[0], c: cell[1], still };
    this.lasting = `“${this.data.rows[cell[0]]}” must keep one token to look at: its weights have to add up to 1. Allow another cell of its row first.`;
    this.tell(this.lasting);
    const shake = () => {
      if (performance.now() >= until) this.refused = null;
      this.drawOver();
      if (!this.refused) return;
      if (still) setTimeout(shake, 100);
      else requestAnimationFrame(shake);
    };
    shake();
  }

  key(event) {
    const [q, c] = this.focus;
    const far = Math.max(this.data.rows.length, this.data.columns.length);
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [-far, -far], End: [far, far] };
    const name = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (name !== "z" && name !== "y") return;
      this.step(name === "y" || event.shiftKey ? "redo" : "undo");
    } else if (event.target !== this.parts.over) return;
    else if (moves[event.key]) {
      const clamp = (value, limit) => Math.max(0, Math.min(limit - 1, value));
      this.focus = [clamp(q + moves[event.key][0], this.data.rows.length), clamp(c + moves[event.key][1], this.data.columns.length)];
      this.hover = null;
      this.drawOver();
      this.tell(this.parts.read.textContent);
      const { map } = this.parts;
      map.scrollLeft = Math.max(Math.min(map.scrollLeft, this.place.x(this.focus[1]) - this.place.left), this.place.x(this.focus[1] + 1) - map.clientWidth);
    } else if (event.key === " ") {
      const at = q * this.data.columns.length + c;
      this.lasting = null;
      this.refuse(this.brush.begin(q, c, this.brush.allowed[at] ? "forbid" : "allow"));
      this.drawBase();
      this.up();
    } else if (name === "c") this.column(c);
    else if (name === "f" || name === "a") {
      this.brush.act = name === "f" ? "forbid" : "allow";
      this.press();
    } else return;
    event.preventDefault();
  }
}

const painters = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!painters.has(parentElement)) painters.set(parentElement, new Painter(parentElement));
  const painter = painters.get(parentElement);
  painter.turns.trigger = setTriggerValue;
  painter.open(data);
  return () => {
    painter.watch.disconnect();
    clearTimeout(painter.again);
    painter.box.remove();
    painters.delete(parentElement);
  };
}
