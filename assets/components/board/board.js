// Points to label by clicking, what four ways make of the labels, and the two matrices the labels travel along. Pointing, the
// way shown and the number of passes stay here; a changed label is one small message.

import { dress, element } from "../shared/build.js";
import { THEMES } from "../shared/themes.js";
import { Turns } from "../shared/turns.js";
import { drawMap, mapOf } from "./maps.js";
import { drawPlot, MARK, nearest, percentOf, toward } from "./plot.js";

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const cells = head.places.length ** 2;
  const floats = new Float32Array(bytes.slice(start, start + 8 * cells).buffer);
  return { ...head, matrices: [floats.subarray(0, cells), floats.subarray(cells)] };
}

class Labels {
  constructor(root) {
    this.turns = new Turns();
    this.box = element("section", root, "labels");
    this.box.setAttribute("aria-label", "Points to label");
    const left = element("div", this.box, "left");
    this.canvas = element("canvas", left, "plot");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.legend = element("p", left, "legend");
    const bar = element("div", left, "passes");
    this.play = element("button", bar, "play", "Play");
    this.play.type = "button";
    this.passText = element("span", bar, "count");
    this.scrub = element("input", bar, "scrub");
    this.scrub.type = "range";
    this.scrub.min = "0";
    this.scrub.setAttribute("aria-label", "How many passes the labels have made");
    this.passes = bar;
    this.status = element("p", left, "status");
    this.status.setAttribute("role", "status");
    element("p", left, "how", "Click a point to label it: each click takes the next class, the last one takes the label away. With the keyboard: arrows go from point to point (Page Up and Page Down through all), 1, 2, 3 give a class, 0 takes it away. Point at one to see where it looks: lines, the thicker the more, by its row of the propagation matrix; with a finger, the first tap looks and the next one labels.");
    const right = element("div", this.box, "right");
    element("h3", right, "", "Right, of the points without a label");
    this.list = element("div", right, "ways");
    this.list.setAttribute("role", "radiogroup");
    this.list.setAttribute("aria-label", "Whose answer is drawn");
    this.list.addEventListener("keydown", (event) => this.walk(event));
    this.maps = element("div", right, "maps");
    this.pictures = [["Propagation: ", "D", "\u22121", "W"], ["Spreading: ", "D", "\u22121/2", "W", "D", "\u22121/2"]].map((title, at) => mapOf(this, title, at));
    element("p", right, "how", "A matrix, a square of numbers: how much each point (its row) looks at each other one (a column), both class by class. The line beside it is the sum of each row; dashed: 1. What D and W are stands under Maths, below.");
    this.canvas.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.point(event));
    this.canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && this.focusOn(null));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.draw());
    this.canvas.addEventListener("blur", () => this.draw());
    this.scrub.addEventListener("input", () => {
      this.stop();
      this.pass = Number(this.scrub.value);
      this.draw();
    });
    this.play.addEventListener("click", () => this.toggle());
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
    this.box.view = this;
    this.way = "spreading";
    this.focus = null;
  }

  open(data) {
    const theme = THEMES[data.theme === "dark" ? "dark" : "light"];
    this.theme = theme;
    dress(this.box, theme);
    this.box.style.setProperty("--wrong", theme.change[1]);
    const other = !this.data || this.data.version !== data.version;
    // an answer to an older message must not take back what was clicked since
    if (this.turns.news(data.turns) || other) this.labels = Array.from(data.labels);
    if (other) {
      this.kept = 0;
      this.focus = null;
    }
    const last = this.data ? this.pass === this.last() : true;
    this.data = data;
    this.tinted = null;
    if (other || last || this.pass > this.last()) this.pass = this.last();
    this.rows();
    this.draw();
  }

  shown() {
    return this.data.ways.find((way) => way.key === this.way) || this.data.ways[0];
  }

  last() {
    return Math.max(0, this.shown().passes.length - 1);
  }

  classes() {
    const way = this.shown();
    return way.passes.length ? way.passes[this.pass].decided : way.decided;
  }

  rows() {
    this.list.replaceChildren();
    for (const way of this.data.ways) {
      const row = element("button", this.list, "way");
      row.type = "button";
      row.setAttribute("role", "radio");
      const chosen = way.key === this.shown().key;
      row.setAttribute("aria-checked", String(chosen));
      row.tabIndex = chosen ? 0 : -1;
      const name = element("span", row, "name", way.title);
      element("small", name, "", way.kind);
      const track = element("span", row, "track");
      element("i", track).style.width = `${100 * (way.share ?? 0)}%`;
      element("b", row, "said", way.said);
      row.addEventListener("click", () => this.choose(way.key));
    }
  }

  choose(way) {
    this.stop();
    this.way = way;
    this.pass = this.last();
    this.rows();
    this.draw();
    this.list.querySelector("[aria-checked=true]").focus();
  }

  // As in every group of radio buttons: one Tab stop, arrows choose.
  walk(event) {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const { ways } = this.data;
    const at = ways.findIndex((way) => way.key === this.shown().key);
    this.choose(ways[(at + by + ways.length) % ways.length].key);
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return this.draw();
    }
    if (this.pass === this.last()) this.pass = 0;
    this.playing = setInterval(() => {
      this.pass = Math.min(this.last(), this.pass + 1);
      if (this.pass === this.last()) this.stop();
      this.draw();
    }, 450);
    this.draw();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
  }

  point(event) {
    this.focusOn(nearest(this, event));
  }

  focusOn(at) {
    if (at === this.focus) return;
    this.focus = at;
    if (at !== null) this.kept = at;
    this.draw();
  }

  click(event) {
    const at = nearest(this, event);
    if (at === null) return;
    // a finger cannot point without touching: its first tap looks, the next one labels
    const looks = event.pointerType === "touch" && this.touched !== at;
    this.touched = at;
    this.kept = at;
    if (looks) return this.focusOn(at);
    this.focus = at;
    this.cycle(at);
  }

  cycle(at) {
    const next = this.labels[at] === "." ? 0 : Number(this.labels[at]) + 1;
    this.label(at, next < this.data.names.length ? String(next) : ".");
  }

  label(at, sign) {
    if (this.labels[at] === sign) return;
    this.labels[at] = sign;
    this.draw();
    this.turns.next().send("labelled", { version: this.data.version, labels: this.labels.join("") });
  }

  key(event) {
    const ways = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const from = this.focus ?? this.kept;
    if (ways[event.key]) this.focusOn(toward(this, from, ways[event.key]));
    else if (event.key === "PageDown") this.focusOn((from + 1) % this.data.places.length);
    else if (event.key === "PageUp") this.focusOn((from + this.data.places.length - 1) % this.data.places.length);
    else if (event.key === "Home") this.focusOn(0);
    else if (event.key === "End") this.focusOn(this.data.places.length - 1);
    else if (event.key === " " || event.key === "Enter") this.cycle(from);
    else if (["0", "Backspace", "Delete"].includes(event.key)) this.label(from, ".");
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= this.data.names.length) this.label(from, String(Number(event.key) - 1));
    else return;
    event.preventDefault();
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    drawPlot(this);
    this.pictures.forEach((picture) => drawMap(this, picture));
    this.speak();
  }

  called(sign) {
    return sign === "." ? "no class: no label has reached it yet" : `${Number(sign) + 1} (${this.data.names[Number(sign)]})`;
  }

  speak() {
    const { data } = this;
    const way = this.shown();
    this.passes.hidden = !way.passes.length;
    this.play.textContent = this.playing ? "Pause" : "Play";
    this.scrub.max = String(this.last());
    this.scrub.value = String(this.pass);
    const classes = this.classes();
    const open = this.labels.map((sign, at) => at).filter((at) => this.labels[at] === ".");
    const right = open.filter((at) => classes[at] === data.truth[at]).length;
    if (way.passes.length) {
      const { number } = way.passes[this.pass];
      const said = number < 0 ? "in the end" : `after ${number} ${number === 1 ? "pass" : "passes"}`;
      this.passText.textContent = `${said}: ${right} of ${open.length} right`;
      this.scrub.setAttribute("aria-valuetext", this.passText.textContent);
    }
    const at = this.focus;
    this.legend.replaceChildren();
    data.names.forEach((name, one) => {
      const item = element("span", this.legend, "item");
      element("i", item, `mark ${MARK[one]}`);
      item.append(`${one + 1} ${name}`);
    });
    element("i", element("span", this.legend, "item"), "mark wrong").after("wrong");
    element("span", this.legend, "item", "large, with a number: labelled");
    if (way.region) element("span", this.legend, "item", "shaded: what the rule says of every place");
    if (at === null) {
      this.status.textContent = `${data.places.length - open.length} labelled, ${open.length} not. ${way.title}: ${right} of ${open.length} right.`;
    } else {
      const n = data.places.length;
      const row = Array.from(data.matrices[0].subarray(at * n, (at + 1) * n), (weight, other) => [weight, other]);
      const others = row.filter(([, other]) => other !== at).sort((a, b) => b[0] - a[0]);
      const text = data.texts.length ? `\u201c${data.texts[at]}\u201d` : `Point ${at + 1}`;
      const what = this.labels[at] !== "." ? `labelled ${this.called(this.labels[at])}`
        : `named ${this.called(classes[at])}${classes[at] === data.truth[at] ? ", right" : `, wrong: it is ${this.called(data.truth[at])}`}`;
      const most = data.texts.length ? `\u201c${data.texts[others[0][1]]}\u201d` : `point ${others[0][1] + 1}`;
      this.status.textContent = `${text}: ${what}. It looks at itself with ${percentOf(row[at][0])}, at others most at ${most}, ${percentOf(others[0][0])}.`;
    }
    this.canvas.setAttribute("aria-label", `${data.places.length} points. ${this.status.textContent} Arrow keys move, digits label, 0 takes a label away.`);
  }
}

const open = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let labels = open.get(parentElement);
  if (!labels) {
    labels = new Labels(parentElement);
    open.set(parentElement, labels);
  }
  labels.turns.trigger = setTriggerValue;
  labels.open(unpack(data));
  return () => {
    labels.stop();
    labels.watch.disconnect();
    open.delete(parentElement);
    labels.box.remove();
  };
}
