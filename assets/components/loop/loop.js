// The auto-regressive loop: what is read, what could come, what was chosen, and how it joins the input. All steps are sent once.

import { Looks, percent } from "../rows/rows.js";
import { button, dress, element, mounted, speak } from "../shared/build.js";
import { font, sized } from "../shared/canvas.js";
import { pageScale } from "../shared/draw.js";

const BEAT = 1300; // ms a step at speed 1
const SPEEDS = [0.5, 1, 2, 4];

class Loop {
  constructor(root) {
    this.box = element("section", root, "loop");
    this.box.tabIndex = 0;
    this.box.setAttribute("aria-label", "Generation, step by step");
    this.lead = element("p", this.box, "step-says");
    this.lead.setAttribute("aria-live", "polite");
    this.source = element("div", this.box, "words from");
    this.words = element("div", this.box, "words into");
    this.joining = element("div", this.box, "joining");
    const bar = element("div", this.box, "transport");
    this.buttons = {};
    for (const [name, label, said] of [["first", "\u25c0\ufe0e\u25c0\ufe0e", "First step"], ["back", "\u25c0\ufe0e", "Step back"],
      ["toggle", "\u25b6\ufe0e Play", "Play"], ["next", "\u25b6\ufe0e", "Step"], ["last", "\u25b6\ufe0e\u25b6\ufe0e", "Last step"]]) {
      this.buttons[name] = button(bar, name, label, () => this.press(name), said);
    }
    this.speed = element("select", bar, "speed");
    this.speed.setAttribute("aria-label", "Speed");
    for (const value of SPEEDS) element("option", this.speed, "", `${value}\u00d7`).value = String(value);
    this.speed.value = "1";
    this.speed.addEventListener("change", () => {
      if (!this.playing) return;
      this.stop();
      this.toggle();
    });
    this.scrub = element("input", bar, "scrub");
    this.scrub.type = "range";
    this.scrub.min = "0";
    this.scrub.setAttribute("aria-label", "Step");
    this.scrub.addEventListener("input", () => {
      this.stop();
      this.go(Number(this.scrub.value));
    });
    element("p", this.box, "how", "Space plays, \u2190 \u2192 step, drag the dot to go anywhere. Under a token: its surprisal, \u2212log\u2082 of its probability, in bits: 1 for one in two, 10 for one in a thousand. The log-probability above is the natural logarithm of the probability of all of them together, in nats (\u22120.69 for one in two): nearer to 0 is likelier.");
    const panes = element("div", this.box, "panes");
    const left = element("div", panes);
    element("h3", left, "", "What could come next");
    this.key = element("p", left, "how keys");
    this.spectrum = element("canvas", left, "spectrum");
    this.spectrum.setAttribute("role", "img");
    this.cuts = element("p", left, "how cuts");
    this.list = element("div", left, "candidates");
    this.rest = element("p", left, "how");
    element("p", left, "how", "Click another token to write it instead: the text branches there.");
    const right = element("div", panes);
    this.looks = new Looks(right, (stream, key) => this.light(stream, key));
    const cache = element("div", right, "cache");
    element("h3", cache, "", "What the cache spares");
    this.cacheSays = element("p", cache, "how");
    this.table = element("table", cache);
    this.counted = element("details", cache, "how");
    element("summary", this.counted, "", "How these are counted");
    this.formulas = element("div", this.counted, "formulas");
    this.box.addEventListener("keydown", (event) => this.typed(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    const other = !this.data || this.data.version !== data.version;
    this.data = data;
    if (other) {
      this.stop();
      this.step = Math.min(data.at || 0, data.steps.length - 1);
    }
    this.step = Math.max(0, Math.min(this.step, data.steps.length - 1));
    this.scrub.max = String(data.steps.length - 1);
    this.draw();
  }

  press(name) {
    if (name === "toggle") return this.toggle();
    this.stop();
    this.go({ first: 0, back: this.step - 1, next: this.step + 1, last: this.data.steps.length - 1 }[name]);
  }

  go(step) {
    const from = this.step;
    this.step = Math.max(0, Math.min(this.data.steps.length - 1, step));
    if (this.step === this.data.steps.length - 1) this.stop();
    const start = this.fresh && this.step === from + 1 ? this.fresh.getBoundingClientRect() : null;
    this.draw();
    if (start) this.fly(start);
  }

  // The token that was written moves to its place in the input.
  fly(start) {
    const joined = this.words.querySelector(".chip.last");
    if (!joined || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const end = joined.getBoundingClientRect();
    joined.animate(
      [{ transform: `translate(${start.left - end.left}px, ${start.top - end.top}px)` }, { transform: "none" }],
      { duration: 450, easing: "ease-in-out" },
    );
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return this.draw();
    }
    if (this.step === this.data.steps.length - 1) this.step = 0;
    this.playing = setInterval(() => this.go(this.step + 1), BEAT / Number(this.speed.value));
    this.draw();
  }

  close() {
    this.stop();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
  }

  typed(event) {
    if (["INPUT", "SELECT"].includes(event.target.tagName) || (event.key === " " && event.target.tagName === "BUTTON")) return;
    const jumps = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.data.steps.length - 1 };
    if (event.key === " ") this.toggle();
    else if (event.key in jumps) {
      this.stop();
      this.go(jumps[event.key]);
    } else return;
    event.preventDefault();
  }

  // What is read at this step: the prompt, and everything written before.
  input() {
    return [...this.data.prompt, ...this.data.steps.slice(0, this.step).map((step) => step.written)];
  }

  light(stream, key) {
    const row = stream === "cross" ? this.source : this.words;
    [...row.querySelectorAll(".chip")].forEach((chip, n) => chip.classList.toggle("lit", n === key));
    if (key === null) for (const chip of this.box.querySelectorAll(".chip.lit")) chip.classList.remove("lit");
  }

  chip(parent, one, kind) {
    const made = element("span", parent, `chip ${kind}${one.special ? " special" : ""}${one.joins ? " joins" : ""}`);
    element("bdi", made, "", one.text);
    if (one.bits !== undefined) element("small", made, "", one.bits === null ? "\u00a0" : one.bits.toFixed(1));
    return made;
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const step = this.data.steps[this.step];
    const input = this.input();
    this.drawLead(step, input);
    this.source.replaceChildren();
    this.source.hidden = !this.data.source.length;
    element("span", this.source, "row-name", "Source");
    for (const one of this.data.source) this.chip(this.source, one, "source");
    this.words.replaceChildren();
    element("span", this.words, "row-name", this.data.source.length ? "Written" : "Input");
    input.forEach((one, at) => {
      const made = this.chip(this.words, one, at < this.data.prompt.length ? (one.forced ? "forced" : "given") : "grown");
      if (at === input.length - 1) made.classList.add("last");
    });
    const slot = element("span", this.words, "chip slot");
    element("bdi", slot, "", step.written.text);
    this.joining.replaceChildren();
    this.fresh = this.chip(this.joining, step.written, "new");
    element("span", this.joining, "joins-says", step.finished ? "ends the text" : "\u2191 joins the input, bits under it");
    this.joining.style.paddingLeft = "0";
    const needs = this.joining.lastChild.getBoundingClientRect().right - this.joining.getBoundingClientRect().left;
    const place = slot.getBoundingClientRect().left - this.joining.getBoundingClientRect().left;
    this.joining.style.paddingLeft = `${Math.max(0, Math.min(place, this.box.clientWidth - needs - 8))}px`;
    slot.classList.toggle("ends", step.finished);
    this.buttons.toggle.textContent = this.playing ? "\u2759\u2759 Pause" : "\u25b6\ufe0e Play";
    this.buttons.toggle.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.scrub.value = String(this.step);
    this.scrub.setAttribute("aria-valuetext", `step ${this.step + 1}: ${step.written.text}`);
    this.drawSpectrum(step.spectrum);
    this.drawList(step);
    this.looks.show(step.looks, { decoder: input, cross: this.data.source }, this.theme);
    this.drawCache(step.cache);
  }

  drawLead(step, input) {
    speak(this.lead, [
      `Step ${this.step + 1} of ${this.data.steps.length}: it reads ${input.length} ${input.length === 1 ? "token" : "tokens"} and writes \u201c`,
      [step.written.text], "\u201d, to which it gave ", [step.written.said],
      step.finished ? "; there it stops." : ". The token joins the input, and the model is asked again.",
    ]);
  }

  drawSpectrum(it) {
    const { theme } = this;
    const scale = pageScale();
    const cuts = it.cuts.filter((cut, n) => cut.kept < (n ? it.cuts[n - 1].kept : it.all) || cut.name === "greedy");
    const last = cuts.length ? cuts[cuts.length - 1].kept : it.all;
    // as many as hold nearly everything, the cuts and the choice among them
    let held = 0;
    let wide = 0;
    while (wide < it.before.length && held < 0.97) held += it.before[wide++];
    const inView = cuts.filter((cut) => cut.kept < it.before.length).map((cut) => cut.kept + 3);
    const count = Math.min(it.before.length, Math.max(16, wide, it.chosen + 1, ...inView));
    const width = Math.max(200, this.spectrum.parentElement.clientWidth);
    const height = 136 * scale;
    const left = 40 * scale;
    const base = height - 24 * scale;
    const top = 16 * scale;
    const g = sized(this.spectrum, width, height);
    const most = 1.04 * Math.max(...it.before, ...(this.data.greedy ? [] : [...it.heat, ...it.after]), 1e-9);
    const slot = (width - left - 6) / count;
    const x = (rank) => left + rank * slot;
    const y = (share) => base - (Math.min(share, most) / most) * (base - top);
    g.font = font(11 * scale);
    g.textBaseline = "middle";
    g.fillStyle = theme.ink2;
    g.textAlign = "right";
    g.fillText(percent(most / 1.04), left - 5, top + 0.04 * (base - top));
    g.fillText("0", left - 5, base);
    if (last < count) {
      g.save();
      g.beginPath();
      g.rect(x(last), top, x(count) - x(last), base - top);
      g.clip();
      g.strokeStyle = theme.hatch;
      g.globalAlpha = 0.45;
      g.lineWidth = 1;
      for (let at = x(last) - (base - top); at < x(count); at += 7) {
        g.beginPath();
        g.moveTo(at, base);
        g.lineTo(at + base - top, top);
        g.stroke();
      }
      g.restore();
    }
    for (let rank = 0; rank < count; rank += 1) {
      g.fillStyle = theme.fade;
      g.fillRect(x(rank), y(it.before[rank]), Math.max(1, slot - 1), base - y(it.before[rank]));
      if (!this.data.greedy && it.after[rank] > 0) {
        g.fillStyle = theme.decoder;
        g.fillRect(x(rank) + slot * 0.2, y(it.after[rank]), Math.max(1, slot * 0.6 - 1), base - y(it.after[rank]));
      }
      if (this.data.heated) {
        g.strokeStyle = theme.ink;
        g.lineWidth = 1;
        g.beginPath();
        g.moveTo(x(rank), y(it.heat[rank]));
        g.lineTo(x(rank) + slot - 1, y(it.heat[rank]));
        g.stroke();
      }
    }
    g.strokeStyle = theme.ink3;
    g.beginPath();
    g.moveTo(left, base + 0.5);
    g.lineTo(x(count), base + 0.5);
    g.stroke();
    g.textAlign = "center";
    g.fillStyle = theme.ink2;
    for (const rank of count > 20 ? [1, 10, 20, 30, 40, 50] : [1, 5, 10, 15, 20]) if (rank <= count) g.fillText(rank === 1 ? "1st" : String(rank), x(rank - 0.5), base + 15 * scale);
    g.fillStyle = theme.ink;
    const chosen = x(it.chosen + 0.5);
    g.beginPath();
    g.moveTo(chosen - 4 * scale, base + 7 * scale);
    g.lineTo(chosen + 4 * scale, base + 7 * scale);
    g.lineTo(chosen, base + 2);
    g.fill();
    if (it.rank > it.before.length) {
      g.textAlign = "right";
      g.fillText(`written: number ${it.rank.toLocaleString("en")}`, chosen - 6 * scale, base - 9 * scale);
    }
    cuts.forEach((cut, n) => {
      const inside = cut.kept < count;
      const at = inside ? x(cut.kept) : x(count);
      g.strokeStyle = theme.ink;
      g.lineWidth = 1.5;
      if (inside) {
        g.setLineDash(n === cuts.length - 1 ? [] : [4, 3]);
        g.beginPath();
        g.moveTo(at, 4);
        g.lineTo(at, base);
        g.stroke();
        g.setLineDash([]);
      }
    });
    for (const cut of it.cuts) {
      if (!cut.level) continue;
      g.strokeStyle = theme.ink;
      g.setLineDash([2, 3]);
      g.beginPath();
      g.moveTo(left, y(cut.level));
      g.lineTo(x(count), y(cut.level));
      g.stroke();
      g.setLineDash([]);
    }
    cuts.forEach((cut, n) => {
      const at = cut.kept < count ? x(cut.kept) : x(count);
      const words = cut.kept < count ? `${cut.name} cuts` : `${cut.name} cuts further right`;
      const long = g.measureText(words).width;
      const from = at + long + 8 < width ? at + 4 : at - long - 6;
      const down = top + (7 + 15 * n) * scale;
      g.fillStyle = theme.bg;
      g.fillRect(from - 1, down - 7 * scale, long + 4, 14 * scale);
      g.fillStyle = theme.ink;
      g.textAlign = "left";
      g.fillText(words, from + 1, down);
    });
    const said = it.cuts.map((cut) => cut.said).join("; ") || "nothing is cut";
    this.spectrum.setAttribute("aria-label", `Probability of the ${count} likeliest of ${it.all} tokens, likeliest first, from ${percent(it.before[0])} down. ${said}. The one written is number ${it.rank}.`);
    this.cuts.textContent = it.cuts.length ? `The cut: ${said}.` : `Nothing is cut: any of ${it.all.toLocaleString("en")} tokens may be drawn.`;
  }

  drawList(step) {
    const { greedy, heated } = this.data;
    this.key.replaceChildren();
    const swatch = (kind, text) => {
      element("i", this.key, `swatch ${kind}`);
      this.key.append(text);
    };
    swatch("before", " as the model says ");
    if (heated) swatch("heat", " after temperature ");
    if (!greedy) swatch("after", " what is drawn from ");
    swatch("chosen", " written ");
    this.list.replaceChildren();
    const most = Math.max(...step.candidates.map((one) => Math.max(one.before, greedy ? 0 : one.after)), 1e-9);
    const { cuts, all } = step.spectrum;
    step.candidates.forEach((one, n) => {
      cuts.forEach((cut, m) => {
        if (cut.kept !== n || cut.kept >= (m ? cuts[m - 1].kept : all)) return;
        element("div", this.list, "cutline", `${cut.name} cuts what is below`);
      });
      const mine = one.id === step.written.id;
      const row = button(this.list, `candidate${mine ? " chosen" : ""}${one.cut ? " cut" : ""}`, "", () => this.branch(one.id));
      row.disabled = mine;
      element("bdi", row, "", one.text);
      const bars = element("span", row, "bars");
      element("i", bars, "before").style.width = `${(100 * one.before) / most}%`;
      if (!greedy && one.after > 0) element("i", bars, "after").style.width = `${(100 * one.after) / most}%`;
      element("span", row, "said", one.said);
      row.title = mine ? "this one was written" : "write this one instead";
    });
    this.rest.textContent = step.rest;
  }

  branch(id) {
    this.stop();
    this.turns.next().send("branch", { version: this.data.version, step: this.step, id });
  }

  drawCache(cache) {
    const kept = `${cache.held} of keys and values are held.`;
    this.cacheSays.textContent = !cache.held
      ? `No keys and values are kept for this model: every step reads all ${cache.new} tokens anew.`
      : cache.anew
      ? `${cache.anew}, so nothing can be reused: all ${cache.new} are computed anew.`
      : cache.reused
        ? `A token that was read leaves a key and a value in every layer; they do not change when a token joins, so they are kept. ${kept}`
        : `The first step reads everything and fills the cache. ${kept}`;
    this.table.replaceChildren();
    this.table.hidden = !cache.rows.length;
    const head = element("tr", element("thead", this.table));
    for (const text of ["", "from the cache", "new in this step"]) element("th", head, "", text).scope = "col";
    const body = element("tbody", this.table);
    for (const [name, old, fresh] of cache.rows) {
      const row = element("tr", body);
      element("th", row, "", name).scope = "row";
      element("td", row, "", old);
      element("td", row, "", fresh);
    }
    this.counted.hidden = !cache.formulas.length;
    this.formulas.replaceChildren();
    for (const line of cache.formulas) element("p", this.formulas, "", line);
  }
}

export default mounted(Loop);
