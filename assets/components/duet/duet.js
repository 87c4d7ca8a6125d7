// Two target texts over one source: the one that was given and the one the model wrote. One cursor moves through both; the row of
// cross-attention of each stands below. Everything happens here.

import { button, dress, element, mounted, speak } from "../shared/build.js";
import { pageScale } from "../shared/draw.js";
import { approx, Block, drawMap, drawScale, fillHeads, readHeads } from "../theatre/figures.js";

class Duet {
  constructor(root) {
    this.step = 0;
    this.shown = { layer: null, head: null };
    this.box = element("section", root, "duet");
    this.box.setAttribute("aria-label", "The given text and the model’s own, step by step");
    this.box.tabIndex = 0;
    this.lead = element("p", this.box, "lead");
    const scroller = element("div", this.box, "scroller");
    this.table = element("div", scroller, "table");
    const tools = element("div", this.box, "tools");
    button(tools, "back", "\u25c0\ufe0e", () => this.go(this.step - 1), "Step back");
    button(tools, "next", "\u25b6\ufe0e", () => this.go(this.step + 1), "Step");
    this.jump = button(tools, "jump", "Go to the first difference", () => this.go(this.data.first));
    element("label", tools, "", "Maps show").htmlFor = "duet-which";
    this.select = element("select", tools, "which");
    this.select.id = "duet-which";
    this.select.addEventListener("change", () => {
      this.shown = readHeads(this.select);
      this.draw();
    });
    this.heading = element("h3", this.box);
    const below = element("div", this.box, "below");
    this.canvas = element("canvas", element("div", below, "scroller"), "rows");
    this.canvas.setAttribute("role", "img");
    const legend = element("div", below, "legend");
    element("span", legend, "", "weight, in % of its row");
    this.scale = element("canvas", legend);
    this.scale.setAttribute("aria-hidden", "true");
    this.said = element("p", this.box, "how");
    this.said.setAttribute("aria-live", "polite");
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  open(data, theme) {
    this.theme = theme;
    if (!this.data || this.data.version !== data.version) {
      this.data = data;
      this.blocks = { given: new Block(data.given.cross), free: new Block(data.free.cross) };
      this.last = Math.max(data.given.steps.length, data.free.steps.length) - 1;
      this.step = data.first === null ? 0 : data.first;
      this.shown = fillHeads(this.select, this.blocks.free, data.best);
      this.columns();
    }
    dress(this.box, theme);
    this.draw();
  }

  columns() {
    this.table.replaceChildren();
    this.table.style.gridTemplateColumns = `auto repeat(${this.last + 1}, auto)`;
    this.chips = { given: [], free: [] };
    const names = { given: "yours", free: "its own" };
    element("span", this.table, "name", "step");
    for (let n = 0; n <= this.last; n += 1) element("span", this.table, n === this.data.first ? "number first" : "number", String(n + 1));
    for (const side of ["given", "free"]) {
      element("span", this.table, "name", names[side]);
      for (let n = 0; n <= this.last; n += 1) {
        const one = this.data[side].steps[n];
        if (!one) {
          this.chips[side].push(element("span", this.table, "none", "\u2014"));
          continue;
        }
        const chip = button(this.table, "chip", "", () => this.go(n));
        element("bdi", chip, "", one.text);
        element("small", chip, "", one.said);
        chip.classList.toggle("special", one.special);
        chip.classList.toggle("forced", !one.own);
        chip.classList.toggle("first", n === this.data.first);
        chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.go(n));
        this.chips[side].push(chip);
      }
    }
  }

  key(event) {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const jumps = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.last };
    if (!(event.key in jumps)) return;
    this.go(jumps[event.key]);
    event.preventDefault();
  }

  go(step) {
    const next = Math.max(0, Math.min(this.last, step));
    if (next === this.step) return;
    this.step = next;
    this.draw();
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const { first, given, free, source } = this.data;
    const k = pageScale();
    const narrow = this.box.clientWidth < 560;
    this.box.classList.toggle("narrow", narrow);
    for (const side of ["given", "free"]) this.chips[side].forEach((chip, n) => chip.classList.toggle("here", n === this.step));
    this.jump.hidden = first === null;
    const totals = ["Given step by step, your whole text has a probability of ", [given.odds], "; its own has ", [free.odds], "."];
    if (first === null) speak(this.lead, ["You wrote just what the model writes by itself. ", ...totals]);
    else {
      const mine = given.steps[first];
      const own = free.steps[first];
      speak(this.lead, [
        "They part at step ", [String(first + 1)], ": ", mine ? "you write \u201c" : "you have ended, ", [mine ? mine.text : ""], mine ? "\u201d (" : "",
        [mine ? mine.said : ""], mine ? "), " : "", own ? "by itself it writes \u201c" : "it was stopped", [own ? own.text : ""], own ? "\u201d (" : "",
        [own ? own.said : ""], own ? "). " : ". ", ...totals,
      ]); // prettier-ignore
    }
    this.heading.textContent = `What each reads of the source at step ${this.step + 1}`;
    const rows = ["given", "free"].filter((side) => this.data[side].steps[this.step]);
    const values = Object.fromEntries(rows.map((side) => [side, this.blocks[side].mean(this.shown.layer, this.shown.head)]));
    const names = { given: "yours", free: "its own" };
    const grid = {
      rows: rows.map((side) => ({ text: `${names[side]}: ${this.data[side].steps[this.step].text}` })),
      columns: source.map((one) => ({ text: one.text })),
      weight: (q, n) => values[rows[q]][this.step * source.length + n],
      may: (q, n) => this.blocks[rows[q]].may(this.step, n),
    };
    const room = this.box.clientWidth - (narrow ? 0 : 130 * k);
    drawMap(this.canvas, this.theme, grid, { room, most: 34, least: narrow ? 21 : 9, k, narrow, label: 130 });
    drawScale(this.scale, this.theme, k);
    const top = rows.map((side) => {
      const place = this.blocks[side].top(values[side], this.step);
      return [`\u201c${source[place].text}\u201d (${approx(values[side][this.step * source.length + place])})`];
    });
    const same = first === null || this.step <= first;
    const parts = [];
    if (rows.length < 2) parts.push(rows[0] === "given" ? "The model’s own text has ended. Yours looks most at " : "Your text has ended. The model’s own looks most at ", top[0], ".");
    else if (same) parts.push("Both have read the same words so far, so both rows are the same: most on ", top[1], ".");
    else parts.push("Now they have read different words: yours looks most at ", top[0], ", its own at ", top[1], ".");
    const { best, own, top: chance } = given.steps[this.step] || { own: true };
    if (!own) parts.push(` After your words, the model would have written \u201c${best}\u201d (${chance}) here.`);
    speak(this.said, parts);
    this.canvas.setAttribute("aria-label", this.said.textContent);
  }
}

export default mounted(Duet);
