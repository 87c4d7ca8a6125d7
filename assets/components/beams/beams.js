// Beam search as a tree: each column a step, each box a prefix that was considered; those that died stay in view.

import { Looks } from "../rows/rows.js";
import { button, dress, element, mounted, speak } from "../shared/build.js";
import { pageScale } from "../shared/draw.js";

class Beams {
  constructor(root) {
    this.box = element("section", root, "beams");
    this.box.setAttribute("aria-label", "Beam search, as a tree");
    this.scroller = element("div", this.box, "scroller tree-scroller");
    this.tree = element("div", this.scroller, "tree");
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.tree.append(this.lines);
    this.tree.addEventListener("keydown", (event) => this.typed(event));
    this.tree.addEventListener("pointerleave", () => this.preview(null));
    const key = element("p", this.box, "how keys");
    for (const [kind, text] of [["alive", "lives on"], ["dead", "died: others were likelier"], ["ended", "ended the text"], ["best", "the likeliest in the end"]]) {
      const pair = element("span", key, "pair");
      element("i", pair, `mark ${kind}`);
      pair.append(text);
    }
    element("p", this.box, "how", "The number is the natural logarithm of the probability of all tokens up to there: nearer to 0 is likelier. Point at a box to see where it looked, click to keep it in view; arrow keys walk the tree.");
    const panes = element("div", this.box, "panes");
    const left = element("div", panes);
    this.says = element("p", left, "node-says");
    this.says.setAttribute("aria-live", "polite");
    this.table = element("table", left);
    this.go = button(left, "go", "Continue from here, step by step", () => this.turns.next().send("branch", { version: this.data.version, node: this.chosen }));
    const right = element("div", panes);
    this.looks = new Looks(right);
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    const other = !this.data || this.data.version !== data.version || this.data.steps !== data.steps;
    this.data = data;
    if (other) {
      this.chosen = data.best;
      this.hovered = null;
    }
    this.build();
    this.draw();
  }

  path(index) {
    const found = [];
    for (let at = index; at >= 0; at = this.data.nodes[at].parent) found.unshift(at);
    return found;
  }

  build() {
    const { nodes } = this.data;
    this.tree.replaceChildren(this.lines);
    this.columns = [];
    nodes.forEach((node, index) => (this.columns[node.step] ||= []).push(index));
    this.heads = this.columns.map((_, step) => element("span", this.tree, "column-name", `step ${step + 1}`));
    const best = new Set(this.path(this.data.best));
    this.boxes = nodes.map((node, index) => {
      const kind = `node ${node.alive ? "alive" : "dead"}${node.ends ? " ended" : ""}${best.has(index) ? " best" : ""}`;
      const made = button(this.tree, kind, "", () => this.choose(index));
      element("bdi", made, "", node.text);
      element("small", made, "", node.total.toFixed(2).replace("-", "\u2212"));
      made.setAttribute("aria-label", `step ${node.step + 1}, ${node.text}, log-probability ${node.total.toFixed(2)}, ${node.alive ? (node.ends ? "ended the text" : "lives on") : "died"}`);
      made.addEventListener("pointerenter", () => this.preview(index));
      made.addEventListener("focus", () => this.preview(index));
      return made;
    });
    this.root = element("span", this.tree, "node root", "\u2026");
    this.root.title = "what was given";
  }

  choose(index) {
    this.chosen = index;
    this.hovered = null;
    this.mark();
  }

  preview(index) {
    if (this.hovered === index) return;
    this.hovered = index;
    this.mark();
  }

  typed(event) {
    const at = this.boxes.indexOf(event.target);
    if (at < 0) return;
    const { nodes } = this.data;
    const column = this.columns[nodes[at].step];
    const place = column.indexOf(at);
    const children = nodes.map((_, n) => n).filter((n) => nodes[n].parent === at);
    const to = { ArrowUp: column[place - 1], ArrowDown: column[place + 1], ArrowLeft: nodes[at].parent, ArrowRight: children[0] }[event.key];
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    if (to !== undefined && to >= 0) this.boxes[to].focus();
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const scale = pageScale();
    const start = 40 * scale;
    const room = (this.scroller.clientWidth - start) / this.columns.length;
    const wide = Math.max(118 * scale, Math.min(190 * scale, room));
    // a finger needs more height than a pointer; the style sheet gives the boxes theirs at the same width of the page
    const box = (matchMedia("(max-width: 760px)").matches ? 44 : 26) * scale;
    const high = box + 4 * scale;
    const top = 26 * scale;
    const tall = Math.max(...this.columns.map((column) => column.length));
    this.tree.style.width = `${start + wide * this.columns.length}px`;
    this.tree.style.height = `${top + high * tall + 4}px`;
    this.lines.setAttribute("width", String(start + wide * this.columns.length));
    this.lines.setAttribute("height", String(top + high * tall + 4));
    this.spots = this.data.nodes.map((node, index) => {
      const x = start + wide * node.step + 26 * scale;
      const y = top + high * this.columns[node.step].indexOf(index);
      const { style } = this.boxes[index];
      style.left = `${x}px`;
      style.top = `${y}px`;
      style.width = `${wide - 30 * scale}px`;
      return { x, right: x + wide - 30 * scale, y: y + box / 2 };
    });
    this.heads.forEach((head, step) => {
      head.style.left = `${start + wide * step + 26 * scale}px`;
    });
    this.root.style.top = `${top}px`;
    this.rootSpot = { right: 24 * scale, y: top + box / 2 };
    this.mark();
  }

  mark() {
    if (!this.spots) return;
    const { nodes } = this.data;
    const shown = this.hovered ?? this.chosen;
    const lit = new Set(this.path(shown));
    this.boxes.forEach((box, index) => {
      box.classList.toggle("lit", lit.has(index));
      box.classList.toggle("chosen", index === this.chosen);
      box.setAttribute("aria-pressed", String(index === this.chosen));
    });
    this.lines.replaceChildren();
    const edges = nodes.map((node, index) => [node, index]).sort((a, b) => lit.has(a[1]) - lit.has(b[1]));
    for (const [node, index] of edges) {
      const from = node.parent < 0 ? this.rootSpot : this.spots[node.parent];
      const to = this.spots[index];
      const middle = (from.right + to.x) / 2;
      const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      line.setAttribute("d", `M${from.right} ${from.y} C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`);
      line.setAttribute("fill", "none");
      line.setAttribute("stroke", lit.has(index) ? this.theme.ink : node.alive ? this.theme.decoder : this.theme.fade);
      line.setAttribute("stroke-width", lit.has(index) ? "2.5" : node.alive ? "1.5" : "1");
      if (!node.alive) line.setAttribute("stroke-dasharray", "3 3");
      this.lines.append(line);
    }
    this.tell(shown);
  }

  tell(index) {
    const { nodes, prompt, source, views } = this.data;
    const node = nodes[index];
    const path = this.path(index);
    const rank = `, number ${this.columns[node.step].indexOf(index) + 1} of step ${node.step + 1}: `;
    const fate = node.ends && node.alive ? ", and the text ends here."
      : rank + (node.alive ? "it lives on." : `it died here, for ${this.data.width} others were likelier.`);
    speak(this.says, ["\u201c", [path.map((at) => nodes[at].text).join(" ")], "\u201d: ", [`${node.total.toFixed(2).replace("-", "\u2212")} nats`], fate]);
    this.table.replaceChildren();
    const head = element("tr", element("thead", this.table));
    for (const text of ["token", "probability", "log p", "so far"]) element("th", head, "", text).scope = "col";
    const body = element("tbody", this.table);
    for (const at of path) {
      const row = element("tr", body);
      element("bdi", element("th", row), "", nodes[at].text);
      for (const text of [nodes[at].chance, nodes[at].nats.toFixed(2), nodes[at].total.toFixed(2)]) element("td", row, "", text.replace("-", "\u2212"));
    }
    const names = [...prompt, ...path.slice(0, -1).map((at) => nodes[at])];
    this.looks.show(views[String(node.parent)], { decoder: names, cross: source }, this.theme);
  }
}

export default mounted(Beams);
