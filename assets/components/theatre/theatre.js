// The encoder–decoder theatre: two sentences, ribbons between them, three linked maps, and a scrubber over the steps. What was
// computed is sent once; playing, scrubbing, hovering and choosing heads happen here.
const BEAT = 900; // ms a step at speed 1
const SPEEDS = [0.5, 1, 2, 4];
const LEAST = 0.12; // weight from which a ribbon is drawn
const THICK = 20; // px of a ribbon of weight 1
const PRINTED = 24; // px of a cell from which its number is printed

function bytes(text) {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) out[i] = raw.charCodeAt(i);
  return out;
}

// One block of attention: 8-bit codes of the square root, [layer, head, query, key].
class Block {
  constructor({ layers, heads, queries, keys, codes }) {
    Object.assign(this, { layers, heads, queries, keys });
    this.codes = bytes(codes);
    this.cache = new Map();
  }

  // The mean over the heads asked for: layer and head are numbers, or null for all.
  mean(layer, head) {
    const name = `${layer}.${head}`;
    if (this.cache.has(name)) return this.cache.get(name);
    const size = this.queries * this.keys;
    const out = new Float32Array(size);
    const layers = layer === null ? [...Array(this.layers).keys()] : [Math.min(layer, this.layers - 1)];
    const heads = head === null ? [...Array(this.heads).keys()] : [Math.min(head, this.heads - 1)];
    const share = 1 / (layers.length * heads.length);
    for (const l of layers) {
      for (const h of heads) {
        const from = (l * this.heads + h) * size;
        for (let i = 0; i < size; i += 1) out[i] += share * (this.codes[from + i] / 255) ** 2;
      }
    }
    this.cache.set(name, out);
    return out;
  }
}

function element(name, parent, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function shade(theme, value) {
  const at = Math.max(0, Math.min(1, value)) * 8;
  const low = Math.min(7, Math.floor(at));
  const part = at - low;
  const hex = (colour, n) => parseInt(colour.slice(1 + 2 * n, 3 + 2 * n), 16);
  const mix = [0, 1, 2].map((n) => Math.round(hex(theme.weights[low], n) * (1 - part) + hex(theme.weights[low + 1], n) * part));
  const light = mix.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
  return { fill: `rgb(${mix.join(",")})`, ink: luminance > 0.2 ? "#1b1b22" : "#ffffff" };
}

class Theatre {
  constructor(root) {
    this.root = root;
    this.hovered = null;
    this.shown = { layer: null, head: null, all: false };
    this.speed = 1;
    this.playing = null;
    this.box = element("section", root, "theatre");
    this.box.setAttribute("aria-label", "Encoder, decoder and cross-attention, step by step");
    this.lead = element("p", this.box, "lead");
    this.lead.setAttribute("aria-live", "polite");
    const stage = element("div", this.box, "stage");
    this.play = element("div", stage, "play");
    this.sourceRow = this.sentence("Source", "encoder");
    this.ribbons = element("canvas", this.play, "ribbons");
    this.ribbons.setAttribute("aria-hidden", "true");
    this.targetRow = this.sentence("Target", "decoder");
    const bar = element("div", this.play, "transport");
    this.buttons = {};
    for (const [name, label, act] of [
      ["first", "\u00ab", () => this.go(0)],
      ["back", "\u2039", () => this.go(this.step - 1)],
      ["toggle", "Play", () => this.toggle()],
      ["next", "\u203a", () => this.go(this.step + 1)],
      ["last", "\u00bb", () => this.go(this.last)],
    ]) {
      const made = element("button", bar, name, label);
      made.type = "button";
      made.setAttribute("aria-label", { first: "First step", back: "Step back", toggle: "Play", next: "Step", last: "Last step" }[name]);
      made.addEventListener("click", () => {
        if (name !== "toggle") this.stop();
        act();
      });
      this.buttons[name] = made;
    }
    this.scrub = element("input", bar, "scrub");
    this.scrub.type = "range";
    this.scrub.setAttribute("aria-label", "Step");
    this.scrub.addEventListener("input", () => {
      this.stop();
      this.go(Number(this.scrub.value));
    });
    const speed = element("select", bar, "speed");
    speed.setAttribute("aria-label", "Speed");
    for (const value of SPEEDS) element("option", speed, "", `${value}\u00d7`).value = String(value);
    speed.value = "1";
    speed.addEventListener("change", () => {
      this.speed = Number(speed.value);
      if (this.playing) {
        this.stop();
        this.toggle();
      }
    });
    const choose = element("div", this.play, "choose");
    element("label", choose, "", "Maps show");
    this.select = element("select", choose, "which");
    this.select.setAttribute("aria-label", "Maps show");
    this.select.addEventListener("change", () => {
      const [layer, head] = this.select.value.split(".").map((v) => (v === "" ? null : Number(v)));
      this.shown = { ...this.shown, layer, head };
      this.draw();
    });
    this.together = element("button", choose, "together", "All in one map");
    this.together.type = "button";
    this.together.addEventListener("click", () => {
      this.shown.all = !this.shown.all;
      this.draw();
    });
    this.side = element("aside", stage, "side");
    this.maps = element("div", this.box, "maps");
    this.panels = ["encoder", "decoder", "cross", "all"].map((name) => this.panel(name));
    this.how = element("p", this.box, "how");
    this.how.textContent =
      "Play, or drag the slider: each step writes one piece. Space plays, \u2190 \u2192 step, Home and End jump. Point at a word: it lights in " +
      "both sentences, the ribbons and all three maps. A row is named by the piece being written, its columns are what it reads.";
    this.box.tabIndex = 0;
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  sentence(name, stream) {
    const row = element("div", this.play, `words ${stream}`);
    element("span", row, "name", name);
    row.list = element("span", row, "list");
    return row;
  }

  panel(name) {
    const figure = element("figure", this.maps, `map ${name}`);
    const caption = element("figcaption", figure);
    const scroller = element("div", figure, "scroller");
    const canvas = element("canvas", scroller);
    canvas.setAttribute("role", "img");
    canvas.addEventListener("pointermove", (event) => this.point(name, event));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => this.pressed(name, event));
    return { name, figure, caption, canvas };
  }

  open(data, theme, send) {
    const fresh = !this.data || this.data.version !== data.version;
    this.theme = theme;
    this.send = send;
    if (fresh) {
      this.stop();
      this.data = data;
      this.blocks = { encoder: new Block(data.encoder), decoder: new Block(data.decoder), cross: new Block(data.cross) };
      this.last = data.steps.length - 1;
      this.step = Math.min(this.last, Math.max(0, data.at));
      this.options();
      this.chips();
    }
    for (const name of ["ink", "ink2", "ink3", "rule", "field", "bg", "encoder", "decoder", "cross", "fade"]) {
      this.box.style.setProperty(`--${name}`, theme[name]);
    }
    this.draw();
  }

  options() {
    const { layers, heads } = this.blocks.cross;
    const now = this.select.value;
    this.select.replaceChildren();
    const add = (value, text) => {
      element("option", this.select, "", text).value = value;
    };
    add(".", "mean of all heads");
    for (let l = 0; l < layers; l += 1) add(`${l}.`, `layer ${l + 1}, mean of its heads`);
    for (let l = 0; l < layers; l += 1) for (let h = 0; h < heads; h += 1) add(`${l}.${h}`, `layer ${l + 1}, head ${h + 1}`);
    const start = this.data.best ? `${this.data.best[0]}.${this.data.best[1]}` : ".";
    this.select.value = [...this.select.options].some((option) => option.value === now) && now ? now : start;
    const [layer, head] = this.select.value.split(".").map((v) => (v === "" ? null : Number(v)));
    this.shown = { ...this.shown, layer, head };
  }

  chips() {
    const fill = (row, names, side) => {
      row.list.replaceChildren();
      names.forEach((name, index) => {
        const chip = element(side === "t" ? "button" : "span", row.list, "chip");
        const text = element("bdi", chip, "", name.text);
        text.title = name.text;
        if (name.special) chip.classList.add("special");
        if (name.joins) chip.classList.add("joins");
        if (name.forced) chip.classList.add("forced");
        if (name.parts) chip.classList.add("parts");
        if (side === "t") {
          chip.type = "button";
          chip.addEventListener("click", () => {
            this.stop();
            this.go(index);
          });
        } else {
          chip.tabIndex = 0;
        }
        chip.addEventListener("pointerenter", () => this.hover({ side, index }));
        chip.addEventListener("pointerleave", () => this.hover(null));
        chip.addEventListener("focus", () => this.hover({ side, index }));
        chip.addEventListener("blur", () => this.hover(null));
      });
    };
    fill(this.sourceRow, this.data.source, "s");
    fill(this.targetRow, this.data.steps.map((step) => step.written), "t");
    this.scrub.max = String(this.last);
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.last, step));
    if (this.step === this.last && this.playing) this.stop();
    this.draw();
  }

  toggle() {
    if (this.playing) return this.stop();
    if (this.step === this.last) this.step = 0;
    this.playing = setInterval(() => this.go(this.step + 1), BEAT / this.speed);
    this.draw();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.buttons.toggle.textContent = "Play";
  }

  key(event) {
    if (event.target.tagName === "SELECT" || (event.target.tagName === "INPUT" && event.key !== " ")) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    const jumps = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.last };
    if (event.key === " ") this.toggle();
    else if (event.key in jumps) {
      this.stop();
      this.go(jumps[event.key]);
    } else if (event.key === "Escape") this.hover(null);
    else return;
    event.preventDefault();
  }

  hover(what) {
    const same = JSON.stringify(what) === JSON.stringify(this.hovered);
    this.hovered = what;
    if (!same) this.draw();
  }

  // The pieces of one word, so that a word of several pieces lights as one.
  wordOf(side, index) {
    const names = side === "s" ? this.data.source : this.data.steps.map((step) => step.written);
    return names.map((name, i) => i).filter((i) => names[i].word === names[index].word);
  }

  lit() {
    const found = { s: new Set(), t: new Set(), aligned: new Set() };
    if (!this.hovered) return found;
    const { side, index } = this.hovered;
    const word = this.wordOf(side, index);
    for (const i of word) found[side].add(i);
    const cross = this.now("cross");
    const { keys } = this.blocks.cross;
    for (let t = 0; t <= this.step; t += 1) {
      let best = 0;
      for (let k = 1; k < keys; k += 1) if (cross[t * keys + k] > cross[t * keys + best]) best = k;
      if (side === "s" && found.s.has(best)) found.aligned.add(t);
      if (side === "t" && found.t.has(t)) found.aligned.add(best);
    }
    return found;
  }

  now(name) {
    return this.blocks[name].mean(this.shown.layer, this.shown.head);
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const lit = this.lit();
    this.drawChips(lit);
    this.drawRibbons(lit);
    this.drawSide();
    for (const panel of this.panels) {
      const visible = (panel.name === "all") === this.shown.all;
      panel.figure.hidden = !visible;
      if (visible) this.drawMap(panel, lit);
    }
    this.together.setAttribute("aria-pressed", String(this.shown.all));
    this.buttons.toggle.textContent = this.playing ? "Pause" : "Play";
    this.scrub.value = String(this.step);
    this.scrub.setAttribute("aria-valuetext", `step ${this.step + 1} of ${this.last + 1}: ${this.data.steps[this.step].written.text}`);
    const { written, best, read } = this.data.steps[this.step];
    this.lead.replaceChildren();
    const say = (text, strong) => this.lead.append(strong ? Object.assign(document.createElement("b"), { textContent: text }) : text);
    const cross = this.now("cross");
    const { keys } = this.blocks.cross;
    let top = 0;
    for (let k = 1; k < keys; k += 1) if (cross[this.step * keys + k] > cross[this.step * keys + top]) top = k;
    const so = read ? `having written \u201c${read}\u201d` : "with nothing written yet";
    say(`Step ${this.step + 1} of ${this.last + 1}: ${so}, it ${written.forced ? "is made to write" : "writes"} \u201c`);
    say(written.text, true);
    say("\u201d (");
    say(best, true);
    say(") and looks most at \u201c");
    say(this.data.source[top].text, true);
    say(`\u201d of the source (\u2248 ${Math.round(100 * cross[this.step * keys + top])} %).`);
  }

  drawChips(lit) {
    const mark = (row, side) =>
      [...row.list.children].forEach((chip, index) => {
        const ahead = side === "t" && index > this.step;
        chip.classList.toggle("ahead", ahead);
        chip.classList.toggle("here", side === "t" && index === this.step);
        chip.classList.toggle("lit", lit[side].has(index));
        const other = this.hovered && this.hovered.side !== side && lit.aligned.has(index);
        chip.classList.toggle("aligned", Boolean(other));
      });
    mark(this.sourceRow, "s");
    mark(this.targetRow, "t");
  }

  drawRibbons(lit) {
    const { theme } = this;
    const box = this.play.getBoundingClientRect();
    const narrow = this.play.clientWidth < 520;
    const height = narrow ? 90 : 130;
    const g = sized(this.ribbons, this.play.clientWidth, height);
    const middle = (chip) => {
      const at = chip.getBoundingClientRect();
      return at.left - box.left + at.width / 2;
    };
    const sources = [...this.sourceRow.list.children].map(middle);
    const targets = [...this.targetRow.list.children].map(middle);
    const cross = this.now("cross");
    const { keys } = this.blocks.cross;
    const order = [...Array(this.step + 1).keys()];
    for (const t of order) {
      for (let k = 0; k < keys; k += 1) {
        const weight = cross[t * keys + k];
        if (weight < LEAST) continue;
        const touched = this.hovered && (this.hovered.side === "s" ? lit.s.has(k) : lit.t.has(t));
        const here = t === this.step;
        g.globalAlpha = this.hovered ? (touched ? 0.9 : 0.15) : here ? 0.8 : 0.45;
        g.strokeStyle = touched || (here && !this.hovered) ? theme.cross : theme.fade;
        g.lineWidth = Math.max(1, (narrow ? 15 : THICK) * weight);
        g.beginPath();
        g.moveTo(sources[k], 2);
        g.bezierCurveTo(sources[k], height / 2, targets[t], height / 2, targets[t], height - 2);
        g.stroke();
        if (here && !narrow && weight >= 0.2) {
          g.globalAlpha = 1;
          g.font = '600 12px "Source Sans", sans-serif';
          g.fillStyle = theme.ink;
          g.textAlign = "center";
          const x = (sources[k] + targets[t]) / 2;
          const said = `${Math.round(100 * weight)} %`;
          const wide = g.measureText(said).width + 6;
          g.fillStyle = theme.bg;
          g.fillRect(x - wide / 2, height / 2 - 8, wide, 16);
          g.fillStyle = theme.ink;
          g.fillText(said, x, height / 2 + 4);
        }
      }
    }
    g.globalAlpha = 1;
  }

  drawSide() {
    const { candidates, written, flag } = this.data.steps[this.step];
    this.side.replaceChildren();
    element("h3", this.side, "", "What it could write here");
    const list = element("div", this.side, "candidates");
    const most = Math.max(...candidates.map((one) => one.p), 1e-9);
    for (const one of candidates) {
      const row = element("button", list, one.id === written.id ? "candidate chosen" : "candidate");
      row.type = "button";
      element("bdi", row, "", one.text);
      const bar = element("i", row);
      bar.style.width = `${(100 * one.p) / most}%`;
      element("span", row, "", one.said);
      row.disabled = one.id === written.id;
      row.title = one.id === written.id ? "This one was written" : "Write this one instead and go on from here";
      row.addEventListener("click", () => this.send("branch", { version: this.data.version, step: this.step, id: one.id }));
    }
    if (flag) element("p", this.side, "flag", flag);
    element("p", this.side, "how", "Click another piece: the model writes on from there. The link keeps it.");
  }

  // Rows, columns and weights of a panel: rows are {name, side, index}.
  grid(name) {
    const s = this.data.source.map((one, index) => ({ text: one.text, side: "s", index }));
    const t = this.data.steps.map((one, index) => ({ text: one.written.text, side: "t", index }));
    const read = this.data.steps.map((one, index) => ({ text: one.reads, side: "t", index: index - 1 }));
    const plain = (block, rows, columns) => {
      const values = this.now(block);
      return { rows, columns, weight: (q, k) => values[q * columns.length + k], may: (q, k) => block !== "decoder" || k <= q || values[q * columns.length + k] > 0 };
    };
    if (name === "encoder") return plain("encoder", s, s);
    if (name === "decoder") return plain("decoder", t, read);
    if (name === "cross") return plain("cross", t, s);
    const parts = { encoder: plain("encoder", s, s), decoder: plain("decoder", t, read), cross: plain("cross", t, s) };
    const n = s.length;
    const part = (q, k) => (q < n ? (k < n ? ["encoder", q, k] : null) : k < n ? ["cross", q - n, k] : ["decoder", q - n, k - n]);
    return {
      rows: [...s, ...t],
      columns: [...s, ...read],
      split: n,
      weight: (q, k) => (part(q, k) ? parts[part(q, k)[0]].weight(part(q, k)[1], part(q, k)[2]) : 0),
      may: (q, k) => Boolean(part(q, k)) && parts[part(q, k)[0]].may(part(q, k)[1], part(q, k)[2]),
    };
  }

  drawMap(panel, lit) {
    const { theme } = this;
    const grid = this.grid(panel.name);
    const { rows, columns } = grid;
    const titles = {
      encoder: ["Encoder", "each source piece reads all of the source"],
      decoder: ["Decoder", "each piece reads what was written before it"],
      cross: ["Cross", "each written piece reads the source"],
      all: ["All in one", "source above, target below"],
    };
    panel.caption.replaceChildren();
    const head = element("b", panel.caption, panel.name, titles[panel.name][0]);
    head.className = panel.name;
    panel.caption.append(` ${titles[panel.name][1]}`);
    const share = panel.name === "all" ? 1 : this.box.clientWidth > 900 ? 3 : this.box.clientWidth > 600 ? 2 : 1;
    const room = this.box.clientWidth / share - 24;
    const probe = panel.canvas.getContext("2d");
    probe.font = '12.5px "Source Sans", sans-serif';
    const widest = (names) => Math.max(...names.map((one) => probe.measureText(one.text).width), 10);
    const left = Math.min(92, widest(rows)) + 10;
    const top = Math.min(80, widest(columns) * 0.72) + 14;
    const cell = Math.max(9, Math.min(panel.name === "all" ? 30 : 28, Math.floor((room - left - 20) / columns.length)));
    const g = sized(panel.canvas, left + cell * columns.length + 34, top + cell * rows.length + 4);
    panel.place = { left, top, cell, rows, columns };
    g.font = '12.5px "Source Sans", sans-serif';
    g.textBaseline = "middle";
    const fit = (text, most) => {
      let said = text;
      while (said.length > 2 && g.measureText(said).width > most) said = `${said.slice(0, -2)}\u2026`;
      return said;
    };
    const isLit = (one) => lit[one.side].has(one.index) || (this.hovered && this.hovered.side !== one.side && lit.aligned.has(one.index));
    rows.forEach((one, q) => {
      g.textAlign = "right";
      g.fillStyle = one.side === "t" && one.index > this.step ? theme.ink3 : isLit(one) ? theme.ink : theme.ink2;
      g.font = `${isLit(one) ? "600 " : ""}12.5px "Source Sans", sans-serif`;
      if (cell >= 10 || q % 2 === 0) g.fillText(fit(one.text, 90), left - 6, top + (q + 0.5) * cell);
    });
    columns.forEach((one, k) => {
      if (cell < 10 && k % 2) return;
      g.save();
      g.translate(left + (k + 0.5) * cell, top - 6);
      g.rotate(-Math.PI / 4);
      g.textAlign = "left";
      g.font = `${isLit(one) ? "600 " : ""}12.5px "Source Sans", sans-serif`;
      g.fillStyle = isLit(one) ? theme.ink : theme.ink2;
      g.fillText(fit(one.text, 100), 0, 0);
      g.restore();
    });
    rows.forEach((row, q) =>
      columns.forEach((column, k) => {
        const x = left + k * cell;
        const y = top + q * cell;
        const size = cell - (cell >= 12 ? 1 : 0);
        if (!grid.may(q, k)) {
          g.fillStyle = theme.hatch_ground;
          g.fillRect(x, y, size, size);
          g.strokeStyle = theme.hatch;
          g.lineWidth = 0.7;
          g.beginPath();
          g.moveTo(x, y + size);
          g.lineTo(x + size, y);
          g.stroke();
          return;
        }
        if (row.side === "t" && row.index > this.step) {
          g.strokeStyle = theme.rule;
          g.lineWidth = 0.6;
          g.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
          return;
        }
        const weight = grid.weight(q, k);
        const { fill, ink } = shade(theme, weight);
        g.fillStyle = fill;
        g.fillRect(x, y, size, size);
        if (weight < 0.04) {
          g.strokeStyle = theme.rule;
          g.lineWidth = 0.6;
          g.strokeRect(x + 0.3, y + 0.3, size - 0.6, size - 0.6);
        }
        if (cell >= PRINTED && weight >= 0.1) {
          g.fillStyle = ink;
          g.font = '11px "Source Sans", sans-serif';
          g.textAlign = "center";
          g.fillText(String(Math.round(100 * weight)), x + size / 2, y + size / 2 + 0.5);
        }
      }),
    );
    g.strokeStyle = theme.ink;
    g.lineWidth = 1.5;
    const frame = (x, y, w, h) => g.strokeRect(left + x * cell - 0.5, top + y * cell - 0.5, w * cell, h * cell);
    rows.forEach((one, q) => isLit(one) && frame(0, q, columns.length, 1));
    columns.forEach((one, k) => isLit(one) && frame(k, 0, 1, rows.length));
    if (!this.hovered) rows.forEach((one, q) => one.side === "t" && one.index === this.step && frame(0, q, columns.length, 1));
    if (grid.split) {
      g.lineWidth = 1;
      frame(0, 0, grid.split, rows.length);
      frame(0, grid.split, columns.length, rows.length - grid.split);
    }
    panel.canvas.setAttribute("aria-label", `${titles[panel.name].join(": ")}. ${rows.length} rows, ${columns.length} columns, at step ${this.step + 1}.`);
  }

  spot(name, event) {
    const panel = this.panels.find((one) => one.name === name);
    const box = panel.canvas.getBoundingClientRect();
    const { left, top, cell, rows, columns } = panel.place;
    const q = Math.floor((event.clientY - box.top - top) / cell);
    const k = Math.floor((event.clientX - box.left - left) / cell);
    return { row: rows[q], column: k >= 0 ? columns[k] : undefined, q, k };
  }

  point(name, event) {
    const { row, column, q } = this.spot(name, event);
    if (row && row.side === "t") this.hover({ side: "t", index: row.index });
    else if (row) this.hover({ side: "s", index: row.index });
    else if (q < 0 && column && column.index >= 0) this.hover({ side: column.side, index: column.index });
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

function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.scale(ratio, ratio);
  return g;
}

const theatres = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!theatres.has(parentElement)) theatres.set(parentElement, new Theatre(parentElement));
  const theatre = theatres.get(parentElement);
  theatre.open(data, THEMES[data.theme === "dark" ? "dark" : "light"], setTriggerValue);
  return () => {
    theatre.stop();
    theatre.watch.disconnect();
    theatre.box.remove();
    theatres.delete(parentElement);
  };
}
