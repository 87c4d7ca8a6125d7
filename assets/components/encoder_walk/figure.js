// The drawn walk: boxes that read from the residual stream and add to it. Two layouts of the same boxes: a wide one that goes
// from left to right under the residual stream, and a tall one with the residual stream on the left.

import { element } from "../shared/build.js";
import { drawn } from "../shared/draw.js";
import { limitOf, number, paint, pick, ramp, say } from "./strips.js";

const SUB = "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089";
export const BOXES = ["embedding", "place", "sum0", "norm1", "qkv", "map", "join", "mix", "sum1", "norm2", "neurons", "back", "sum2", "next"];

// What the boxes say, and what leaves each of them: [shape, values].
export function boxesOf(data, { token, layer, head }) {
  const at = data.held.indexOf(token);
  const n = data.tokens.length;
  const { d, heads, headD, dff, layers } = data;
  const own = (name) => pick(data, name, layer, at);
  const fires = pick(data, "firing", layer)[token];
  const last = layer === layers - 1;
  const wide = `${n} \u00d7 ${d}`;
  const out = {
    embedding: [wide, pick(data, "embedding", at)],
    place: [wide, pick(data, "place", at)],
    sum0: [wide, pick(data, "stream", layer, at)],
    norm1: [wide, own("normed")],
    qkv: [`3 \u00d7 ${heads} \u00d7 ${n} \u00d7 ${headD}`, pick(data, "query", layer, at, head)],
    map: [`${heads} \u00d7 ${n} \u00d7 ${headD}`, own("joined").subarray(head * headD, (head + 1) * headD)],
    join: [wide, own("joined")],
    mix: [wide, own("mixed")],
    sum1: [wide, own("summed")],
    norm2: [wide, own("normed2")],
    neurons: [`${n} \u00d7 ${dff}`, own("fired")],
    back: [wide, own("fed")],
    sum2: [wide, pick(data, "stream", layer + 1, at)],
  };
  const names = {
    embedding: ["Embedding", `table row ${data.tokens[token].id}`],
    place: ["Position", data.position ? `waves, place ${token + 1}` : "none added"],
    sum0: ["+", "add"],
    norm1: ["Normalise", "mean 0, deviation 1"],
    qkv: ["Query, key, value", `split into ${heads} heads of ${headD}`],
    map: ["Each head\u2019s own map", `head ${head + 1} is chosen`],
    join: ["Join the heads", `${heads} \u00d7 ${headD} = ${d}`],
    mix: ["Mix them", `table W_O, ${d} \u00d7 ${d}`],
    sum1: ["+", "add"],
    norm2: ["Normalise", "once more"],
    neurons: ["Feed-forward neurons", `${fires} of ${dff} fire`],
    back: [`Back to ${d}`, `table W${SUB[2]}, ${dff} \u00d7 ${d}`],
    sum2: ["+", "add"],
    next: last ? ["The end", data.tail === "decoder" ? "to decoder" : "to output"] : [`Layer ${layer + 2}`, "same again"],
  };
  return { out, names };
}

function wideLayout(width) {
  const w = Math.min(width, 1180);
  const a = 0.235 * w;
  const [b, bw] = [0.285 * w, 0.262 * w];
  const [c, cw] = [0.65 * w, 0.195 * w];
  const s = 34; // the stream's height
  const half = (a - 12) / 2;
  const back1 = b + bw + 22;
  const back2 = c + cw + 22;
  const end = w - 76;
  const plus = (x) => [x - 15, s - 15, 30, 30];
  const x0 = half + 12 + half / 2;
  const boxes = {
    embedding: [0, 90, half, 44], place: [half + 12, 90, half, 44], sum0: plus(x0),
    norm1: [b, 82, bw, 38], qkv: [b, 147, bw, 38], map: [b, 212, bw, 102], join: [b, 341, bw, 38], mix: [b, 406, bw, 38], sum1: plus(back1),
    norm2: [c, 82, cw, 38], neurons: [c, 147, cw, 134], back: [c, 308, cw, 38], sum2: plus(back2), next: [end, s - 22, 76, 44],
  };
  const outs = { mix: [b, 448, bw], back: [c, 350, cw], embedding: [0, 140, half, "column"], place: [half + 12, 140, half, "column"] };
  for (const name of ["norm1", "qkv", "map", "join", "norm2", "neurons"]) {
    const [x, y, w2, h] = boxes[name];
    outs[name] = [x + 34, y + h + 5, w2 - 34];
  }
  const total = (from, to) => [from + 22, s - 25, to - from - 38, "stream"];
  Object.assign(outs, { sum0: total(x0, b + 18), sum1: total(back1, c + 18), sum2: total(back2, end) });
  const v = (x, from, to) => [[x, from], [x, to]];
  const edges = [
    [[half / 2, 90], [half / 2, s], [x0 - 15, s]], v(x0, 90, s + 15),
    [[x0 + 15, s], [back1 - 15, s]], [[back1 + 15, s], [back2 - 15, s]], [[back2 + 15, s], [end, s]],
    v(b + 18, s, 82), v(b + 18, 120, 147), v(b + 18, 185, 212), v(b + 18, 314, 341), v(b + 18, 379, 406),
    [[b + bw, 425], [back1, 425], [back1, s + 15]],
    v(c + 18, s, 82), v(c + 18, 120, 147), v(c + 18, 281, 308), [[c + cw, 327], [back2, 327], [back2, s + 15]],
  ];
  const frame = [b - 22, 60, back2 + 18 - b + 22, 412];
  return { wide: true, height: 474, boxes, outs, edges, frame, name: [back1 + 12, 68, 80], note: [c, 386, cw + 38], help: [0, 232, a - 12] };
}

function tallLayout(width) {
  const s = 22;
  const b = 58;
  const w = width - b;
  const boxes = {};
  const outs = {};
  const edges = [];
  let y = 0;
  const add = (name, h, gap = 30) => {
    boxes[name] = [b, y, w, h];
    outs[name] = [b + (["embedding", "place", "mix", "back"].includes(name) ? 0 : 34), y + h + 5, w - 34];
    y += h + gap;
  };
  const plus = (name, from) => {
    const [, top, , h] = boxes[from];
    boxes[name] = [s - 15, top + h / 2 - 15, 30, 30];
    edges.push([[b, top + h / 2], [s + 15, top + h / 2]]);
    outs[name] = [b, y + 4, w, "total"];
    y += 34;
  };
  add("embedding", 44);
  edges.push([[b, 22], [s, 22], [s, 22]]);
  add("place", 44);
  plus("sum0", "place");
  const top = y;
  const reads = (name) => edges.push([[s, boxes[name][1] + 22], [b, boxes[name][1] + 22]]);
  const down = (from, to) => edges.push([[b + 18, boxes[from][1] + boxes[from][3]], [b + 18, boxes[to][1]]]);
  y += 30;
  add("norm1", 44);
  reads("norm1");
  add("qkv", 44);
  add("map", 112);
  add("join", 44);
  add("mix", 44);
  plus("sum1", "mix");
  [["norm1", "qkv"], ["qkv", "map"], ["map", "join"], ["join", "mix"]].forEach(([from, to]) => down(from, to));
  y += 8;
  add("norm2", 44);
  reads("norm2");
  add("neurons", 150);
  add("back", 44);
  plus("sum2", "back");
  down("norm2", "neurons");
  down("neurons", "back");
  const bottom = y;
  y += 12;
  boxes.next = [0, y, width, 44];
  const stops = [22, ...["sum0", "sum1", "sum2"].map((name) => boxes[name][1] + 15)];
  stops.forEach((from, place) => {
    const to = place === 3 ? y : stops[place + 1] - 15;
    edges.push([[s, from + (place ? 15 : 0)], [s, to]]);
  });
  const frame = [0, top, width, bottom - top];
  return { wide: false, height: y + 46, boxes, outs, edges, frame, name: [width - 92, top + 5, 84] };
}

export class Figure {
  constructor(parent, chosen) {
    this.box = element("div", parent, "figure");
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", "The encoder, box by box. Arrow keys go from box to box.");
    this.svg = drawn("svg", this.box, { "aria-hidden": "true" });
    this.buttons = {};
    for (const name of BOXES) {
      const made = element("button", this.box, `box ${name}`);
      made.type = "button";
      made.head = element("b", made);
      made.under = element("span", made);
      made.addEventListener("click", (event) => {
        const thumb = event.target.closest("[data-head]");
        chosen(thumb ? { box: name, head: Number(thumb.dataset.head) } : { box: name });
      });
      made.addEventListener("keydown", (event) => this.key(event, name));
      this.buttons[name] = made;
    }
    this.thumbs = element("span", this.buttons.map, "thumbs");
    this.dots = element("canvas", this.buttons.neurons, "dots");
    this.outs = {};
    for (const name of BOXES.slice(0, -1)) {
      const made = element("div", this.box, `out ${name}`);
      made.shape = element("span", made, "shape");
      made.strip = element("canvas", made, "small");
      made.some = element("span", made, "some");
      this.outs[name] = made;
    }
    this.space = element("div", this.box);
    this.frameName = element("span", this.box, "frame-name");
    this.note = element("div", this.box, "note");
    this.help = say(this.box, "*Click* a box to see what it did to the chosen token. *Tab* goes into the figure, *arrow keys* from box to box, *Enter* opens. " +
      "Beside each arrow: its shape (tokens \u00d7 numbers) and the chosen token\u2019s own numbers.", "how help");
  }

  key(event, name) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const to = BOXES[BOXES.indexOf(name) + step];
    if (to) this.buttons[to].focus();
  }

  draw(data, state, theme, k) {
    const width = this.box.clientWidth / k;
    if (!width) return;
    const layout = width >= 900 ? wideLayout(width) : tallLayout(width);
    this.box.classList.toggle("tall", !layout.wide);
    this.space.style.height = this.svg.style.height = `${layout.height * k}px`;
    const { out, names } = boxesOf(data, state);
    const place = (node, [x, y, w, h]) => {
      node.style.left = `${x * k}px`;
      node.style.top = `${y * k}px`;
      node.style.width = `${w * k}px`;
      if (h) node.style.height = `${h * k}px`;
    };
    for (const name of BOXES) {
      const button = this.buttons[name];
      const [title, sub] = names[name];
      place(button, layout.boxes[name]);
      button.head.textContent = title;
      button.under.textContent = title === "+" ? "" : sub;
      if (title === "+") button.setAttribute("aria-label", `Add, step ${name.slice(3)}`);
      button.setAttribute("aria-pressed", String(state.box === name));
      button.tabIndex = state.box === name ? 0 : -1;
    }
    this.heads(data, state, theme);
    const at = data.held.indexOf(state.token);
    const fired = pick(data, "fired", state.layer, at);
    paint(this.dots, fired, 48, theme, "weights", limitOf(fired));
    for (const [name, made] of Object.entries(this.outs)) {
      const [shape, values] = out[name];
      const [x, y, w, kind] = layout.outs[name];
      place(made, [x, y, w]);
      made.classList.toggle("column", kind === "column");
      made.classList.toggle("on-stream", kind === "stream");
      made.shape.textContent = kind === "total" ? `residual stream ${shape}` : shape;
      paint(made.strip, values, values.length, theme, name === "neurons" ? "weights" : "change", limitOf(values));
      const some = w < 200 ? 2 : 3;
      made.some.textContent = name === "neurons" ? `${names.neurons[1].split(" ")[0]} above 0` : `${Array.from(values.subarray(0, some), (value) => number(value)).join(" ")} \u2026`;
      made.some.hidden = kind === "stream" || (kind === "total" && w < 280);
    }
    this.lines(layout, theme, width);
    this.frameName.textContent = `Layer ${state.layer + 1} of ${data.layers}`;
    place(this.frameName, layout.name);
    this.note.replaceChildren();
    ramp(this.note, theme, "change", 1, "strips: each by its own largest");
    ramp(this.note, theme, "weights", 1, "maps: weight; neurons: by the largest");
    for (const [node, spot] of [[this.note, layout.note], [this.help, layout.help]]) {
      node.removeAttribute("style");
      if (spot) place(node, spot);
    }
  }

  heads(data, state, theme) {
    const n = data.tokens.length;
    this.thumbs.replaceChildren();
    for (let head = 0; head < data.heads; head += 1) {
      const thumb = element("span", this.thumbs, head === state.head ? "thumb chosen" : "thumb");
      thumb.dataset.head = head;
      paint(element("canvas", thumb), pick(data, "pattern", state.layer, head), n, theme, "weights", 1);
      const row = element("i", thumb, "row");
      row.style.top = `${(100 * state.token) / n}%`;
      row.style.height = `${100 / n}%`;
      element("small", thumb, "", String(head + 1));
    }
  }

  lines(layout, theme, width) {
    this.svg.setAttribute("viewBox", `0 0 ${width} ${layout.height}`);
    this.svg.replaceChildren();
    const [x, y, w, h] = layout.frame;
    drawn("rect", this.svg, { x, y, width: w, height: h, rx: 8, fill: theme.field, opacity: 0.6 });
    const tips = drawn("g", this.svg);
    for (const points of layout.edges) {
      const streams = layout.wide ? points[0][1] === 34 && points.at(-1)[1] === 34 : points[0][0] === 22 && points.at(-1)[0] === 22;
      drawn("polyline", this.svg, {
        points: points.map((point) => point.join()).join(" "), fill: "none", stroke: streams ? theme.encoder : theme.ink3,
        "stroke-width": streams ? 3 : 1.3, "stroke-linejoin": "round",
      });
      const [x2, y2] = points.at(-1);
      const [x1, y1] = points.at(-2);
      if (x1 === x2 && y1 === y2) continue;
      const turn = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
      drawn("path", tips, {
        d: "M0,0 L-8,-4.2 L-8,4.2 Z", fill: streams ? theme.encoder : theme.ink3, transform: `translate(${x2},${y2}) rotate(${turn})`,
      });
    }
    this.svg.append(tips);
  }
}
