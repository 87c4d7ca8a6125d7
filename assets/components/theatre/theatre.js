// The encoder–decoder theatre: two sentences, ribbons between them, three linked maps, and a scrubber over the steps. What was
// computed is sent once; playing, scrubbing, hovering and choosing heads happen here.

import { button, dress, element, mounted, speak } from "../shared/build.js";
import { pageScale } from "../shared/draw.js";
import { buildTheatre, TITLES } from "./elements.js";
import { approx, Block, drawMap, drawScale, fillHeads, roomOf } from "./figures.js";
import { described, gridOf } from "./grids.js";
import { drawRibbons } from "./ribbons.js";

const BEAT = 900; // ms a step at speed 1
const NARROW = 560; // px of width below which the sentences become two columns
const TALL = 640; // px that the rows of a map may take together, times the page's scale, where cells need not be as large as a finger
const WAITING = 15; // words not yet written that a phone's column shows
const HOW =
  "Point at a word or a cell, or touch it: it lights in both sentences, the ribbons and the maps. A row is named by the token " +
  "being written, its columns are the tokens it reads. Click a row or a target word to jump to its step.";

class Theatre {
  constructor(root) {
    this.hovered = null;
    this.shown = { layer: null, head: null };
    this.all = false;
    this.tab = "cross";
    this.speed = 1;
    this.playing = null;
    this.choosing = null;
    buildTheatre(this, root);
    this.box.tabIndex = 0;
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("pointerdown", (event) => event.target.closest(".chip, canvas") || this.hover(null));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  open(data, theme) {
    this.theme = theme;
    if (!this.data || this.data.version !== data.version) {
      this.stop();
      this.data = data;
      this.choosing = this.sided = this.hovered = null;
      this.status.textContent = "";
      this.blocks = { encoder: new Block(data.encoder), decoder: new Block(data.decoder), cross: new Block(data.cross) };
      this.last = data.steps.length - 1;
      this.step = Math.min(this.last, Math.max(0, data.at));
      this.shown = fillHeads(this.select, this.blocks.cross, data.best);
      this.chips();
    }
    dress(this.box, theme);
    this.draw();
  }

  chips() {
    const fill = (row, names, side) => {
      row.list.replaceChildren();
      names.forEach((name, index) => {
        const chip = button(row.list, "chip", "", () => this.chosen(side, index));
        element("bdi", chip, "", name.text);
        for (const kind of ["special", "joins", "forced"]) chip.classList.toggle(kind, Boolean(name[kind]));
        chip.addEventListener("pointerenter", () => this.hover({ side, index }));
        chip.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.hover(null));
        chip.addEventListener("focus", () => this.hover({ side, index }));
        chip.addEventListener("blur", () => this.hover(null));
      });
    };
    fill(this.sourceRow, this.data.source, "s");
    fill(this.targetRow, this.data.steps.map((step) => step.written), "t");
    this.stops.replaceChildren();
    for (let n = 0; n <= this.last; n += 1) element("i", this.stops);
    this.scrub.setAttribute("aria-valuemin", "1");
    this.scrub.setAttribute("aria-valuemax", String(this.last + 1));
  }

  // A click on a word: a target word is jumped to; a source word is opened or shut while one chooses what may be read.
  chosen(side, index) {
    if (side === "t") {
      this.stop();
      this.go(index);
    } else if (this.choosing) {
      if (!this.choosing.delete(index)) this.choosing.add(index);
      this.draw();
    }
  }

  choose(begin) {
    const { only } = this.data.steps[this.step];
    this.stop();
    this.choosing = begin ? new Set(only || this.data.source.keys()) : null;
    this.draw();
    (begin ? this.agree : this.narrowing).focus();
  }

  ask(what) {
    this.stop();
    this.status.textContent = "The model writes on from here\u2026";
    this.choosing = null;
    this.draw();
    this.turns.next().send("branch", { version: this.data.version, ...what });
  }

  go(step) {
    const next = Math.max(0, Math.min(this.last, step));
    if (next !== this.step) this.choosing = null;
    this.step = next;
    if (this.step === this.last && this.playing) this.stop();
    this.draw();
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return this.draw();
    }
    if (this.step === this.last) this.step = 0;
    this.playing = setInterval(() => this.go(this.step + 1), BEAT / this.speed);
    this.draw();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
  }

  close() {
    this.stop();
    clearTimeout(this.speaking);
  }

  key(event) {
    const { tagName } = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || tagName === "SELECT" || tagName === "INPUT") return;
    if ([" ", "Enter"].includes(event.key) && tagName === "BUTTON") return;
    const jumps = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.last };
    if (event.key === " ") this.toggle();
    else if (event.key in jumps) {
      this.stop();
      this.go(jumps[event.key]);
    } else if (event.key === "Escape" && this.choosing) this.choose(false);
    else if (event.key === "Escape") this.hover(null);
    else return;
    event.preventDefault();
  }

  hover(what) {
    const same = JSON.stringify(what) === JSON.stringify(this.hovered);
    this.hovered = what;
    if (!same) this.draw();
  }

  // The tokens of one word, so that a word of several tokens lights as one.
  wordOf({ side, index }) {
    const names = side === "s" ? this.data.source : this.data.steps.map((step) => step.written);
    if (index < 0 || names[index].word < 0) return [index];
    return names.map((name, i) => i).filter((i) => names[i].word === names[index].word);
  }

  // What is lit: the word pointed at (and the cell's other word), and what is aligned with it: what looks at it most.
  lit() {
    const found = { s: new Set(), t: new Set(), aligned: { s: new Set(), t: new Set() } };
    if (!this.hovered) return found;
    const { side, index, other } = this.hovered;
    for (const i of this.wordOf({ side, index })) found[side].add(i);
    if (other) for (const i of this.wordOf(other)) found[other.side].add(i);
    const cross = this.now("cross");
    for (let t = 0; t <= this.step && !other; t += 1) {
      const best = this.blocks.cross.top(cross, t);
      if (side === "s" && found.s.has(best)) found.aligned.t.add(t);
      if (side === "t" && found.t.has(t)) found.aligned.s.add(best);
    }
    return found;
  }

  now(name) {
    return this.blocks[name].mean(this.shown.layer, this.shown.head);
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    this.k = pageScale();
    this.narrow = this.box.clientWidth < NARROW;
    this.box.classList.toggle("narrow", this.narrow);
    const place = this.narrow ? this.box : this.play;
    if (this.deck.parentElement !== place) place.append(this.deck);
    const lit = this.lit();
    this.drawChips(lit);
    drawRibbons(this, lit);
    this.drawDeck();
    this.drawSide();
    this.drawMaps(lit);
    this.drawWords();
  }

  drawChips(lit) {
    const mark = (row, side) =>
      [...row.list.children].forEach((chip, index) => {
        const ahead = side === "t" && index > this.step;
        const shut = side === "s" && this.choosing && !this.choosing.has(index);
        chip.classList.toggle("ahead", ahead);
        chip.hidden = this.narrow && ahead && index > Math.max(this.step + 2, WAITING);
        chip.classList.toggle("here", side === "t" && index === this.step);
        chip.classList.toggle("lit", lit[side].has(index));
        chip.classList.toggle("aligned", lit.aligned[side].has(index));
        chip.classList.toggle("shut", Boolean(shut));
        if (ahead) chip.setAttribute("aria-label", `step ${index + 1}, not written yet`);
        else chip.removeAttribute("aria-label");
        if (side === "s" && this.choosing) chip.setAttribute("aria-pressed", String(!shut));
        else chip.removeAttribute("aria-pressed");
      });
    mark(this.sourceRow, "s");
    mark(this.targetRow, "t");
    this.box.classList.toggle("choosing", Boolean(this.choosing));
  }

  drawDeck() {
    const box = this.scrub.getBoundingClientRect();
    const chips = [...this.targetRow.list.children].map((chip) => chip.getBoundingClientRect());
    const line = !this.narrow && chips.every((chip) => Math.abs(chip.top - chips[0].top) < 4);
    const begin = (this.narrow ? 14 : 62) * this.k;
    const even = (n) => begin + ((box.width - begin - 14 * this.k) * n) / Math.max(1, this.last);
    this.places = chips.map((chip, n) => (line ? chip.left - box.left + chip.width / 2 : even(n)));
    this.rail.style.left = this.done.style.left = `${this.places[0]}px`;
    this.rail.style.width = `${this.places[this.last] - this.places[0]}px`;
    this.done.style.width = `${this.places[this.step] - this.places[0]}px`;
    [...this.stops.children].forEach((stop, n) => {
      stop.style.left = `${this.places[n]}px`;
      stop.classList.toggle("past", n <= this.step);
    });
    this.knob.style.left = `${this.places[this.step]}px`;
    this.knob.textContent = String(this.step + 1);
    this.scrub.setAttribute("aria-valuenow", String(this.step + 1));
    this.scrub.setAttribute("aria-valuetext", `step ${this.step + 1} of ${this.last + 1}: ${this.data.steps[this.step].written.text}`);
    this.toggler.textContent = this.playing ? "\u2759\u2759 Pause" : "\u25b6\ufe0e Play";
  }

  drawSide() {
    const { candidates, written, flag, only, rest } = this.data.steps[this.step];
    this.agree.hidden = this.cancel.hidden = !this.choosing;
    this.narrowing.hidden = Boolean(this.choosing) || this.data.fixed;
    this.narrowing.textContent = `Choose what step ${this.step + 1} may read`;
    this.agree.disabled = this.choosing !== null && !this.choosing.size;
    if (this.choosing) {
      this.status.textContent = this.choosing.size
        ? "Click the source words: struck through, this step may not read them."
        : "Leave it at least one word to read.";
    } else if (this.status.textContent && !this.status.textContent.startsWith("The model")) this.status.textContent = "";
    if (this.sided === this.step) return;
    this.sided = this.step;
    speak(this.heading, [`Step ${this.step + 1} `]);
    element("span", this.heading, "", "could have written");
    this.candidates.replaceChildren();
    const most = Math.max(...candidates.map((one) => one.p), 1e-9);
    for (const one of candidates) {
      const taken = one.id === written.id;
      const row = button(this.candidates, taken ? "candidate chosen" : "candidate", "", () => this.ask({ step: this.step, id: one.id }));
      element("bdi", row, "", one.text);
      element("i", element("span", row, "bar")).style.width = `${(100 * one.p) / most}%`;
      element("span", row, "said", one.said);
      row.disabled = taken;
      row.title = taken ? "This one was written" : "Write this one instead and go on from here";
    }
    element("p", this.candidates, "rest", rest);
    const shut = only ? `Made to read only ${only.map((i) => `\u201c${this.data.source[i].text}\u201d`).join(", ")} here.` : "";
    this.flag.textContent = [flag, shut].filter(Boolean).join(" ");
    this.flag.hidden = !this.flag.textContent;
  }

  drawMaps(lit) {
    const room = this.row.clientWidth;
    const longest = Math.max(this.data.source.length, this.data.steps.length);
    // as many maps side by side as leave a cell that can be pointed at
    const side = [3, 2].find((count) => (room / count - 160 * this.k) / longest >= 9 * this.k) || 1;
    const over = [...this.data.source, ...this.data.steps.slice(1).map((one) => ({ text: one.reads }))];
    const shown = [];
    for (const panel of this.panels) {
      const visible = this.narrow ? panel.name === this.tab : (panel.name === "all") === this.all;
      panel.figure.hidden = !visible;
      panel.tab.setAttribute("aria-pressed", String(panel.name === this.tab));
      if (!visible) continue;
      const share = panel.name === "all" || this.narrow ? room : room / side - 20 * this.k;
      panel.figure.style.width = side > 1 || this.narrow ? `${share}px` : "auto";
      panel.grid = gridOf(this, panel.name, lit);
      const [most, least, tall] = this.narrow ? [32, 21, Infinity] : [28, 7, TALL * this.k];
      shown.push([panel, { room: share, most, least, tall, k: this.k, narrow: this.narrow, over }]);
    }
    // side by side, one size of cell for all
    const cell = Math.min(...shown.map(([panel, sizes]) => roomOf(panel.canvas, panel.grid, sizes).cell));
    for (const [panel, sizes] of shown) {
      if (side > 1) sizes.cell = cell;
      panel.place = drawMap(panel.canvas, this.theme, panel.grid, sizes);
      panel.canvas.setAttribute("aria-label", `${TITLES[panel.name].join(" ")}. ${described(this, panel.grid)}`);
    }
    this.together.hidden = this.narrow;
    this.together.setAttribute("aria-pressed", String(this.all));
    this.together.textContent = this.all ? "Three maps" : "All in one map";
    drawScale(this.scale, this.theme, this.k);
  }

  // The lead, read aloud at most once a second, and what the maps' cell under the pointer says.
  drawWords() {
    const { written, best, read, candidates } = this.data.steps[this.step];
    const cross = this.now("cross");
    const { keys } = this.blocks.cross;
    const top = this.blocks.cross.top(cross, this.step);
    const { layer, head } = this.shown;
    const whose = layer === null ? "mean of all heads" : head === null ? `layer ${layer + 1}, mean of its heads` : `layer ${layer + 1}, head ${head + 1}`;
    const said = [
      `Step ${this.step + 1} of ${this.last + 1}. `, read ? `After \u201c${read}\u201d, ` : "With nothing written yet, ", "it looks most at \u201c",
      [this.data.source[top].text], `\u201d (${approx(cross[this.step * keys + top])}, ${whose}) and ${written.forced ? "you make it write" : "writes"} \u201c`,
      [written.text], "\u201d (", [best], written.forced && candidates[0].id !== written.id ? `; by itself \u201c${candidates[0].text}\u201d).` : ").",
    ]; // prettier-ignore
    speak(this.lead, said);
    this.whose.textContent = ` step, drag the dot to scrub. Ribbons: looks of 12 % or more, ${whose}.`;
    this.note.textContent = this.data.note;
    this.note.hidden = !this.data.note;
    if (!this.speaking) {
      this.speaking = setTimeout(() => {
        this.speaking = null;
        if (this.aloud.textContent !== this.lead.textContent) this.aloud.textContent = this.lead.textContent;
      }, 1000);
    }
    const cell = this.hovered && this.hovered.cell;
    if (!cell) speak(this.readout, [HOW]);
    else if (!cell.may) speak(this.readout, ["\u201c", [cell.row], "\u201d may not read \u201c", [cell.column], "\u201d."]);
    else speak(this.readout, ["\u201c", [cell.row], "\u201d gives ", [approx(cell.weight)], " of its look to \u201c", [cell.column], "\u201d."]);
  }

  spot(name, event) {
    const { canvas, place, grid } = this.panels.find((one) => one.name === name);
    const box = canvas.getBoundingClientRect();
    const q = Math.floor((event.clientY - box.top - place.top) / place.cell);
    const n = Math.floor((event.clientX - box.left - place.left) / place.cell);
    return { row: grid.rows[q], column: n >= 0 ? grid.columns[n] : undefined, q, n, grid };
  }

  point(name, event) {
    const { row, column, q, n, grid } = this.spot(name, event);
    const real = (one) => one && !one.ahead && one.index >= 0;
    const plain = (one) => ({ side: one.side, index: one.index });
    if (real(row) && column) {
      const cell = { row: row.text, column: column.text, may: Boolean(grid.may(q, n)), weight: grid.weight(q, n) };
      this.hover({ ...plain(row), other: real(column) ? plain(column) : undefined, cell });
    } else if (real(row)) this.hover(plain(row));
    else if (q < 0 && real(column)) this.hover(plain(column));
    else this.hover(null);
  }

  pressed(name, event) {
    const { row } = this.spot(name, event);
    if (row && row.side === "t") {
      this.stop();
      this.go(row.index);
    }
  }
}

export default mounted(Theatre);
