// Where the vectors move: every token's path through the layers on two axes, and who is near at each depth.

import { element } from "../shared/build.js";
import { drawn } from "../shared/draw.js";
import { bars, heading, named } from "./panel.js";
import { number, percent, pick, say } from "./strips.js";

function placed(points, width, height, pad) {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]);
    right = Math.max(right, points[i]);
    low = Math.min(low, points[i + 1]);
    high = Math.max(high, points[i + 1]);
  }
  const x = (value) => pad.left + ((value - left) / (right - left || 1)) * (width - pad.left - pad.right);
  const y = (value) => height - pad.bottom - ((value - low) / (high - low || 1)) * (height - pad.top - pad.bottom);
  return { x, y };
}

const VIEWS = { words: "Words only", all: "All tokens", apart: "Words, without what all share" };
const EXPLAINED = {
  words: "Special tokens, which often lie far off, are left out. ",
  all: "",
  apart: "At each depth the mean of all words was taken off first: what is left is how they differ from each other. ",
};

export class PathsView {
  constructor(parent, { lit, choose }) {
    this.lit = lit;
    this.choose = choose;
    this.box = element("section", parent, "moves");
    this.left = element("div", this.box, "moves-left");
    this.title = element("h3", this.left, "over", "Where the vectors move");
    element("span", this.title, "", " from layer to layer");
    this.view = "words";
    const row = element("div", this.left, "pickers");
    this.modes = ["words", "all", "apart"].map((view) => {
      const made = element("button", row, "toggle", VIEWS[view]);
      made.type = "button";
      made.addEventListener("click", () => {
        this.view = view;
        this.again();
      });
      return [view, made];
    });
    this.svg = drawn("svg", this.left, { class: "paths", role: "group" });
    this.svg.addEventListener("focusout", (event) => {
      if (!this.drawing && !this.svg.contains(event.relatedTarget)) this.lit(null);
    });
    this.words = element("div", this.left);
    this.right = element("div", this.box, "moves-right");
  }

  draw(data, state, theme, k) {
    this.again = () => this.draw(data, state, theme, k);
    if (!data.views[this.view]) this.view = "all";
    for (const [view, button] of this.modes) {
      button.hidden = !data.views[view];
      button.setAttribute("aria-pressed", String(this.view === view));
    }
    this.paths(data, state, theme, k);
    this.table(data, state);
  }

  paths(data, state, theme, k) {
    const width = this.left.clientWidth / k;
    if (!width) return;
    const height = Math.max(280, Math.min(400, width * 0.66));
    const { positions, share } = data.views[this.view];
    const n = positions.length;
    const name = `points.${this.view}`;
    const [, [depths]] = data.arrays[name];
    const all = pick(data, name);
    const { x, y } = placed(all, width, height, { left: 76, right: 76, top: 20, bottom: 40 });
    const shown = state.lit ?? state.token;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.style.height = `${height * k}px`;
    this.svg.setAttribute("aria-label", `Paths of ${n} vectors over ${depths} depths on the first two principal axes`);
    const focused = this.root().activeElement?.dataset?.token;
    this.drawing = true;
    this.svg.replaceChildren();
    drawn("text", this.svg, { x: 16, y: height - 8, fill: theme.ink2, class: "axis" }, `\u2192 axis 1: ${percent(share[0])} of all differences (variance)`);
    drawn("text", this.svg, { x: 12, y: height - 34, fill: theme.ink2, class: "axis", transform: `rotate(-90 12 ${height - 34})` }, `\u2192 axis 2: ${percent(share[1])}`);
    const order = Array.from(positions.keys()).sort((a, b) => (positions[a] === shown) - (positions[b] === shown));
    const stop = positions.includes(state.token) ? state.token : positions[0]; // one stop for Tab, arrows go on from there
    const labels = [];
    for (const index of order) {
      const token = positions[index];
      const on = token === shown;
      const colour = on ? theme.ink : theme[data.stream];
      const spots = Array.from({ length: depths }, (_, depth) => {
        const at = 2 * (depth * n + index);
        return [x(all[at]), y(all[at + 1])];
      });
      const path = drawn("g", this.svg, {
        class: "path", tabindex: token === stop ? 0 : -1, role: "button", opacity: on ? 1 : n > 20 ? 0.25 : 0.5, "data-token": token,
        "aria-label": `${data.tokens[token].text}, token ${token + 1}${on ? ", shown" : ""}`,
      });
      drawn("polyline", path, { points: spots.map((spot) => spot.join()).join(" "), class: "hit" });
      for (let depth = 1; depth < depths; depth += 1) {
        const [[x1, y1], [x2, y2]] = [spots[depth - 1], spots[depth]];
        drawn("line", path, { x1, y1, x2, y2, stroke: colour, "stroke-width": on ? 2.4 : 1.3 });
        const turn = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
        if (Math.hypot(x2 - x1, y2 - y1) > 9) {
          drawn("path", path, { d: "M0,0 L-9,-4 L-9,4 Z", fill: colour, transform: `translate(${x2},${y2}) rotate(${turn})` });
        }
        if (on) drawn("text", path, { x: x2, y: y2 - 8, fill: theme.ink, class: "axis strong", "text-anchor": "middle" }, String(depth));
      }
      drawn("circle", path, { cx: spots[0][0], cy: spots[0][1], r: on ? 4 : 3, fill: theme.bg, stroke: colour, "stroke-width": 1.5 });
      labels.push({ token, on, at: spots[depths - 1], leftward: depths > 1 && spots[depths - 1][0] < spots[depths - 2][0] });
      path.addEventListener("pointerenter", () => this.lit(token));
      path.addEventListener("pointerleave", () => this.lit(null));
      path.addEventListener("focus", () => this.lit(token));
      path.addEventListener("click", () => this.choose({ token }));
      path.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (step || event.key === "Enter" || event.key === " ") event.preventDefault();
        if (step) this.svg.querySelector(`[data-token="${positions[positions.indexOf(token) + step]}"]`)?.focus();
        else if (event.key === "Enter" || event.key === " ") this.choose({ token });
      });
    }
    this.labels(labels, data, theme, height);
    if (focused !== undefined) this.svg.querySelector(`[data-token="${focused}"]`)?.focus({ preventScroll: true });
    this.drawing = false;
    this.words.replaceChildren();
    say(this.words, `Each line is one token: the *ring* is its start before any layer, each *arrow head* is one layer further. ` +
      `The two axes are the directions in which the ${n} \u00d7 ${depths} vectors of this text differ most (principal components, fitted on all of them at once); together they show ` +
      `*${percent(share[0] + share[1])}* of the differences, and each axis has its own scale. ${EXPLAINED[this.view]}` +
      `*Point* at a line, or go from one to the next with the *arrow keys*, to light it; *click* or *Enter* chooses it.` +
      (positions.includes(state.token) ? "" : ` \u201c${data.tokens[state.token].text}\u201d is a special token: *All tokens* shows it.`));
  }

  root() {
    return this.box.getRootNode();
  }

  // Names at the ends, pushed apart; where there are too many only some are written.
  labels(labels, data, theme, height) {
    const sorted = labels.sort((a, b) => a.at[1] - b.at[1]);
    const room = Math.floor((height - 30) / 14);
    const kept = sorted.filter((one, place) => one.on || sorted.length <= room || place % Math.ceil(sorted.length / room) === 0);
    let from = 8;
    for (const one of kept) {
      one.y = Math.max(from, one.at[1] + 4);
      from = one.y + 14;
    }
    let to = height - 24;
    for (const one of kept.reverse()) {
      one.y = Math.min(one.y, to);
      to = one.y - 14;
    }
    const layer = drawn("g", this.svg, { "aria-hidden": "true", class: "names" });
    for (const one of kept) {
      drawn("text", layer, {
        x: one.at[0] + (one.leftward ? -10 : 10), y: one.y, "text-anchor": one.leftward ? "end" : "start", fill: one.on ? theme.ink : theme.ink2,
        class: one.on ? "axis strong" : "axis",
      }, data.tokens[one.token].text);
    }
  }

  table(data, state) {
    const shown = state.lit ?? state.token;
    const n = data.tokens.length;
    const [, [depths]] = data.arrays.cosines;
    this.right.replaceChildren();
    const word = `\u201c${data.tokens[shown].text}\u201d`;
    heading(this.right, "Neighbours", `of ${word} in this text`);
    if (n > 1) {
      const table = element("table", element("div", this.right, "scroller"));
      element("caption", table, "", "cosine of the angle between two vectors: 1 is the same direction");
      const body = element("tbody", table);
      for (let depth = 0; depth < depths; depth += 1) {
        const row = pick(data, "cosines", depth).subarray(shown * n, (shown + 1) * n);
        const order = Array.from(row.keys()).filter((other) => other !== shown).sort((a, b) => row[b] - row[a]).slice(0, 3);
        const line = element("tr", body);
        element("th", line, "", depth ? `after layer ${depth}` : "at the start").scope = "row";
        for (const other of order) {
          const cell = element("td", line, "near");
          element("bdi", cell, "", named(data, other));
          element("span", cell, "", ` ${number(row[other])}`);
        }
      }
    }
    heading(this.right, "In the table of embeddings", `nearest to ${word}, anywhere`);
    if (data.near[shown].length) {
      bars(this.right, data.near[shown], number);
    } else say(this.right, "This model gives no table of embeddings.");
  }
}
