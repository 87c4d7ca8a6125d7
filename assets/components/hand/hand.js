// Self-attention by hand: take an arrow, and every number that hangs on it follows in the same frame. Nothing goes to the server
// while an arrow moves; when it is let go, one small message tells how the plane stands.

import { dress, element } from "../shared/build.js";
import { drawn, shade } from "../shared/draw.js";
import { THEMES } from "../shared/themes.js";
import { Turns } from "../shared/turns.js";
import { Plane, SIDE } from "./plane.js";
import { Sheet } from "./sheet.js";
import { pair, share, weigh } from "./sums.js";

const PARTS = ["q", "k", "v"];
const NAMED = { q: "query", k: "key", v: "value" };
const REACHED = 26; // how near a finger must come to a tip, in the picture's units
const IDLE = 500; // ms after the last key press until the server is told

class Hand {
  constructor(root, data) {
    this.root = root;
    this.turns = new Turns();
    this.box = element("section", root, "hand");
    this.box.setAttribute("aria-label", "Self-attention in a plane");
    this.lead = element("p", this.box, "lead");
    const bar = element("div", this.box, "tools");
    this.words = element("div", bar, "words");
    this.words.setAttribute("role", "group");
    this.words.setAttribute("aria-label", "Which word looks");
    this.add = this.button(bar, "Add a word", () => this.grow());
    this.less = this.button(bar, "Remove the last", () => this.shrink());
    this.causal = this.button(bar, "Causal mask", () => this.change({ causal: !this.state.causal }));
    this.causal.title = "Each word sees only itself and the words before it";
    this.back = this.button(bar, "Reset", () => this.change(structuredClone(this.data.opened)));
    const panes = element("div", this.box, "panes");
    this.left = new Plane(panes, "Query and keys", data.reach / 10);
    this.right = new Plane(panes, "Values and output", data.reach / 10);
    this.shadow = null;
    this.numbers = element("div", panes, "numbers");
    this.sheet = new Sheet(this.numbers, (row) => this.change({ chosen: row }));
    this.status = element("p", this.box, "status");
    this.status.setAttribute("role", "status");
    this.box.addEventListener("keydown", (event) => this.key(event));
    for (const plane of [this.left, this.right]) {
      const svg = plane.svg;
      svg.addEventListener("pointerdown", (event) => this.down(event, plane));
      // a finger on a tip drags it; anywhere else it scrolls the page
      svg.addEventListener("touchstart", (event) => {
        if (event.cancelable && plane.nearest(plane.at(event.touches[0]).spot, REACHED)) event.preventDefault();
      }, { passive: false });
      svg.addEventListener("pointermove", (event) => this.drag(event, plane));
      svg.addEventListener("pointerup", () => this.up());
      svg.addEventListener("pointercancel", () => this.up());
      svg.addEventListener("focusin", (event) => this.focused(event));
      svg.addEventListener("focusout", () => this.focused(null));
    }
  }

  button(parent, name, act) {
    const made = element("button", parent, "", name);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  open(data) {
    const other = !this.data || this.data.version !== data.version;
    const news = this.turns.news(data.turns) && JSON.stringify(data.now) !== JSON.stringify(this.state);
    this.data = data;
    if (!other && !news) return this.draw();
    this.state = structuredClone(data.now);
    this.held = null;
    this.status.textContent = "";
    this.build();
  }

  get tokens() {
    return this.state.arrows.map((flat) => ({ q: [flat[0] / 10, flat[1] / 10], k: [flat[2] / 10, flat[3] / 10], v: [flat[4] / 10, flat[5] / 10] }));
  }

  // What stands there anew when words come and go.
  build() {
    const { words } = this.data;
    const count = this.state.arrows.length;
    this.words.replaceChildren();
    this.chips = this.state.arrows.map((_, at) => {
      const made = this.button(this.words, "", () => this.change({ chosen: at }));
      element("small", made, "", String(at + 1));
      element("bdi", made, "", words[at]);
      return made;
    });
    for (const plane of [this.left, this.right]) plane.clear();
    this.shadow = drawn("path", this.left.under, { class: "shadow" });
    this.chain = this.state.arrows.map(() => drawn("line", this.right.under, { class: "chain" }));
    for (let at = 0; at < count; at += 1) {
      this.left.arrow(`k${at}`, "key", true);
      this.right.arrow(`v${at}`, "value", true);
    }
    this.left.arrow("q", "query", true);
    this.right.arrow("output", "output", false);
    this.sheet.build(words.slice(0, count));
    this.draw();
  }

  change(changes) {
    this.turns.next();
    const before = this.state.arrows.length;
    Object.assign(this.state, structuredClone(changes));
    if (this.state.arrows.length !== before) this.build();
    else this.draw();
    this.tell();
    this.send();
  }

  grow() {
    const { arrows } = this.state;
    if (arrows.length < this.data.most) this.change({ arrows: [...arrows, this.data.spare[arrows.length - this.data.fewest]] });
  }

  shrink() {
    const arrows = this.state.arrows.slice(0, -1);
    if (arrows.length >= this.data.fewest) this.change({ arrows, chosen: Math.min(this.state.chosen, arrows.length - 1) });
  }

  // Which six-number row and where in it an arrow's two numbers are.
  where(name) {
    return name === "q" ? [this.state.chosen, 0] : [Number(name.slice(1)), 2 * PARTS.indexOf(name[0])];
  }

  set(name, vector) {
    this.turns.next();
    const [row, first] = this.where(name);
    const most = this.data.reach;
    vector.forEach((value, n) => {
      this.state.arrows[row][first + n] = Math.max(-most, Math.min(most, Math.round(10 * value)));
    });
    this.draw();
  }

  down(event, plane) {
    const { spot } = plane.at(event);
    const name = plane.nearest(spot, event.pointerType === "mouse" ? 18 : REACHED);
    if (!name || event.button > 0) return;
    event.preventDefault();
    const [row, first] = this.where(name);
    this.held = { name, plane, was: this.state.arrows[row].slice(), row, first };
    try {
      plane.svg.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is already gone
    }
    plane.arrows.get(name).group.focus({ preventScroll: true });
    this.active = name;
    this.draw();
  }

  drag(event, plane) {
    if (!this.held) return this.hover(event, plane);
    if (this.held.plane === plane) this.set(this.held.name, plane.at(event).vector);
  }

  hover(event, plane) {
    const name = event.pointerType === "mouse" ? plane.nearest(plane.at(event).spot, 18) : null;
    plane.svg.classList.toggle("over", name !== null);
    if (name !== this.hovered) {
      this.hovered = name;
      this.draw();
    }
  }

  up() {
    if (!this.held) return;
    const { was, row } = this.held;
    this.held = null;
    this.draw();
    if (was.some((value, n) => value !== this.state.arrows[row][n])) {
      this.tell();
      this.send();
    }
  }

  focused(event) {
    const name = event && event.target.closest ? event.target.closest(".grip") : null;
    this.active = name ? name.dataset.name : null;
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const grip = event.target.closest && event.target.closest(".grip");
    const digit = Number(event.key);
    if (event.key === "Escape" && this.held) {
      this.state.arrows[this.held.row] = this.held.was;
      this.held = null;
      this.draw();
    } else if (event.key >= "1" && event.key <= "9" && digit <= this.state.arrows.length) {
      this.change({ chosen: digit - 1 });
    } else if (grip && moves[event.key]) {
      const [row, first] = this.where(grip.dataset.name);
      const step = event.shiftKey ? 5 : 1;
      const now = this.state.arrows[row].slice(first, first + 2);
      this.set(grip.dataset.name, now.map((value, n) => (value + step * moves[event.key][n]) / 10));
      clearTimeout(this.later);
      this.later = setTimeout(() => {
        this.tell(grip.dataset.name);
        this.send();
      }, IDLE);
    } else return;
    event.preventDefault();
  }

  // What has just changed, for those who listen: once a gesture, never while it lasts.
  tell(name = null) {
    const { words } = this.data;
    const row = this.sums[this.state.chosen];
    const most = row.weight.indexOf(Math.max(...row.weight));
    const moved = name ? `${this.label(name)}. ` : "";
    this.status.textContent = `${moved}${words[this.state.chosen]} gives ${words[most]} ${share(row.weight[most])}, output ${pair(row.output)}.`;
  }

  label(name) {
    const [row, first] = this.where(name);
    const at = this.state.arrows[row].slice(first, first + 2).map((value) => value / 10);
    return `${NAMED[PARTS[first / 2]]} of ${this.data.words[row]}: ${pair(at, 1)}`;
  }

  send() {
    clearTimeout(this.later);
    const { chosen, causal, arrows } = this.state;
    this.turns.send("moved", { version: this.data.version, chosen, causal, arrows: arrows.map((flat) => flat.slice()) });
  }

  draw() {
    const { theme } = this;
    const { chosen, causal } = this.state;
    const { words } = this.data;
    const tokens = this.tokens;
    this.sums = weigh(tokens, causal);
    const row = this.sums[chosen];
    this.box.classList.toggle("decoder", causal);
    dress(this.box, theme);
    this.chips.forEach((chip, at) => chip.setAttribute("aria-pressed", String(at === chosen)));
    this.causal.setAttribute("aria-pressed", String(causal));
    this.add.disabled = tokens.length >= this.data.most;
    this.less.disabled = tokens.length <= this.data.fewest;
    this.left.move("q", tokens[chosen].q, `q of ${words[chosen]}`);
    tokens.forEach(({ k, v }, at) => {
      this.left.move(`k${at}`, k, row.may[at] ? `${words[at]} ${share(row.weight[at])}` : `${words[at]} hidden`);
      this.right.move(`v${at}`, v, words[at]);
      const key = this.left.arrows.get(`k${at}`);
      key.disc.setAttribute("fill", row.may[at] ? shade(theme, row.weight[at]).fill : theme.hatch_ground);
      for (const it of [key, this.right.arrows.get(`v${at}`)]) it.group.classList.toggle("hidden", !row.may[at]);
    });
    this.right.move("output", row.output, "output");
    let from = [0, 0];
    row.part.forEach((part, at) => {
      const to = [from[0] + part[0], from[1] + part[1]];
      const [x1, y1] = this.right.place(from);
      const [x2, y2] = this.right.place(to);
      for (const [name, value] of Object.entries({ x1, y1, x2, y2, stroke: shade(theme, row.weight[at]).fill })) this.chain[at].setAttribute(name, value);
      from = to;
    });
    for (const plane of [this.left, this.right]) {
      plane.settle();
      for (const [name, it] of plane.arrows) {
        if (!it.hit) continue;
        it.group.dataset.name = name;
        const label = `${this.label(name)}. Arrow keys move it.`;
        if (it.group.getAttribute("aria-label") !== label) it.group.setAttribute("aria-label", label);
        it.group.classList.toggle("lit", name === (this.held ? this.held.name : this.active || this.hovered));
      }
    }
    this.cast(tokens, row);
    const most = row.weight.indexOf(Math.max(...row.weight));
    this.left.says.textContent = ` of \u201c${words[chosen]}\u201d`;
    this.right.says.textContent = ": weight \u00d7 value, end to end";
    this.lead.replaceChildren();
    const bold = (text) => element("b", this.lead, "", text);
    this.lead.append("\u201c");
    bold(words[chosen]);
    const seen = row.weight.filter((_, at) => row.may[at]);
    const alike = seen.length > 1 && Math.max(...seen) - Math.min(...seen) < 1e-9;
    this.lead.append(`\u201d asks with ${pair(tokens[chosen].q, 1)}, looks ${alike ? "at all alike" : "most at \u201c"}`);
    if (!alike) bold(words[most]);
    this.lead.append(alike ? " (" : "\u201d (");
    bold(share(row.weight[most]));
    this.lead.append(`${alike ? " each" : ""}) and comes away with ${pair(row.output)}.`);
    this.sheet.draw(this.sums, chosen, words, theme);
  }

  // The dot product as a shadow: how far a key reaches along the query, times the query's own length.
  cast(tokens, row) {
    const name = this.held ? this.held.name : this.active || this.hovered;
    const at = name && name[0] === "k" ? Number(name.slice(1)) : row.weight.indexOf(Math.max(...row.weight));
    const { q } = tokens[this.state.chosen];
    const { k } = tokens[at];
    const square = q[0] * q[0] + q[1] * q[1];
    if (!square) return this.shadow.setAttribute("d", "");
    const along = (q[0] * k[0] + q[1] * k[1]) / square;
    const [x, y] = this.left.place([q[0] * along, q[1] * along]);
    const [kx, ky] = this.left.place(k);
    this.shadow.setAttribute("d", `M${kx} ${ky}L${x} ${y}L${SIDE / 2} ${SIDE / 2}`);
  }
}

const hands = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const scheme = getComputedStyle(parentElement.host || parentElement).colorScheme;
  const theme = THEMES[data.theme || (scheme.includes("dark") ? "dark" : "light")];
  if (!hands.has(parentElement)) hands.set(parentElement, new Hand(parentElement, data));
  const hand = hands.get(parentElement);
  hand.theme = theme;
  hand.turns.trigger = setTriggerValue;
  hand.open(data);
  return () => {
    clearTimeout(hand.later);
    hand.box.remove();
    hands.delete(parentElement);
  };
}
