// The auto-regressive loop: what is read, what could come, what was chosen, and how it joins the input. All steps are sent once.
const BEAT = 1100;

function element(name, parent, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

function colour(theme, value) {
  const at = Math.max(0, Math.min(1, value)) * 8;
  const low = Math.min(7, Math.floor(at));
  const hex = (text, n) => parseInt(text.slice(1 + 2 * n, 3 + 2 * n), 16);
  const mix = [0, 1, 2].map((n) => Math.round(hex(theme.weights[low], n) * (1 - at + low) + hex(theme.weights[low + 1], n) * (at - low)));
  return `rgb(${mix.join(",")})`;
}

class Loop {
  constructor(root) {
    this.box = element("section", root, "loop");
    this.box.tabIndex = 0;
    this.box.setAttribute("aria-label", "Generation, step by step");
    this.lead = element("p", this.box, "lead");
    this.lead.setAttribute("aria-live", "polite");
    this.words = element("div", this.box, "words");
    const bar = element("div", this.box, "transport");
    this.buttons = {};
    for (const [name, label, said] of [["first", "\u00ab", "First step"], ["back", "\u2039", "Step back"], ["toggle", "Play", "Play"],
      ["next", "\u203a", "Step"], ["last", "\u00bb", "Last step"]]) {
      const made = element("button", bar, name, label);
      made.type = "button";
      made.setAttribute("aria-label", said);
      made.addEventListener("click", () => this.press(name));
      this.buttons[name] = made;
    }
    this.scrub = element("input", bar, "scrub");
    this.scrub.type = "range";
    this.scrub.setAttribute("aria-label", "Step");
    this.scrub.addEventListener("input", () => {
      this.stop();
      this.go(Number(this.scrub.value));
    });
    const stage = element("div", this.box, "stage");
    const left = element("div", stage);
    element("h3", left, "", "What could come next");
    this.key = element("p", left, "how", "");
    this.list = element("div", left, "candidates");
    const right = element("div", stage);
    element("h3", right, "", "Where this step looks, head by head");
    this.scroller = element("div", right, "scroller");
    this.canvas = element("canvas", this.scroller);
    this.canvas.setAttribute("role", "img");
    this.legend = element("div", right, "legend");
    this.cache = element("p", right, "how");
    this.box.addEventListener("keydown", (event) => this.typed(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  open(data, theme, send) {
    this.theme = theme;
    this.send = send;
    for (const name of ["ink", "ink2", "ink3", "rule", "field", "bg", "encoder", "decoder", "cross", "fade"]) this.box.style.setProperty(`--${name}`, theme[name]);
    this.legend.style.background = `linear-gradient(90deg, ${theme.weights.join(",")})`;
    if (!this.data || this.data.version !== data.version) {
      this.stop();
      this.data = data;
      this.step = 0;
      this.scrub.max = String(data.steps.length - 1);
    }
    this.draw();
  }

  press(name) {
    if (name === "toggle") return this.toggle();
    this.stop();
    this.go({ first: 0, back: this.step - 1, next: this.step + 1, last: this.data.steps.length - 1 }[name]);
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.data.steps.length - 1, step));
    if (this.step === this.data.steps.length - 1) this.stop();
    this.draw();
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return this.draw();
    }
    if (this.step === this.data.steps.length - 1) this.step = 0;
    this.playing = setInterval(() => this.go(this.step + 1), BEAT);
    this.draw();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
  }

  typed(event) {
    if (event.target.tagName === "INPUT" || (event.key === " " && event.target.tagName === "BUTTON")) return;
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

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    const step = this.data.steps[this.step];
    const say = (text, strong) => this.lead.append(strong ? Object.assign(document.createElement("b"), { textContent: text }) : text);
    this.lead.replaceChildren();
    say(`Step ${this.step + 1} of ${this.data.steps.length}: it reads ${this.input().length} ${this.input().length === 1 ? "piece" : "pieces"} and writes \u201c`);
    say(step.written.text, true);
    say("\u201d (");
    say(step.written.said, true);
    say(step.finished ? "), and stops." : "). The piece joins the input, and everything is asked again.");
    this.words.replaceChildren();
    const chip = (one, kind) => {
      const made = element("span", this.words, `chip ${kind}${one.special ? " special" : ""}`);
      element("bdi", made, "", one.text);
      element("small", made, "", one.bits === null ? "\u00a0" : `${one.bits.toFixed(1)} bits`);
      return made;
    };
    this.input().forEach((one, at) => chip(one, at < this.data.prompt.length ? (one.forced ? "forced" : "given") : "grown"));
    element("span", this.words, "arrow", "\u2192");
    chip(step.written, "new");
    this.buttons.toggle.textContent = this.playing ? "Pause" : "Play";
    this.scrub.value = String(this.step);
    this.scrub.setAttribute("aria-valuetext", `step ${this.step + 1}: ${step.written.text}`);
    this.drawList(step);
    this.drawRows(step);
    const { bytes, reused, fresh, products, without } = step.cache;
    this.cache.textContent = `From the cache: keys and values of ${reused} pieces, ${bytes} held. New: ${fresh}. Products q\u00b7k in this step: ${products}` +
      (reused ? `; without the cache ${without}.` : ".");
  }

  drawList(step) {
    this.list.replaceChildren();
    this.key.textContent = this.data.sampled ? "Grey: as the model says. Colour: after temperature and filters. Struck out: cut." : "Greedy: the likeliest is taken.";
    const most = Math.max(...step.candidates.map((one) => Math.max(one.before, one.after)), 1e-9);
    for (const one of step.candidates) {
      const row = element("button", this.list, `candidate${one.id === step.written.id ? " chosen" : ""}${one.cut && this.data.sampled ? " cut" : ""}`);
      row.type = "button";
      row.disabled = one.id === step.written.id;
      element("bdi", row, "", one.text);
      const bars = element("span", row, "bars");
      element("i", bars, "before").style.width = `${(100 * one.before) / most}%`;
      if (this.data.sampled) element("i", bars, "after").style.width = `${(100 * one.after) / most}%`;
      element("span", row, "said", one.said);
      row.title = one.cut && this.data.sampled ? `cut by ${one.cut}` : one.id === step.written.id ? "this one was written" : "write this one instead";
      row.addEventListener("click", () => this.send("branch", { version: this.data.version, step: this.step, id: one.id }));
    }
  }

  drawRows(step) {
    const { theme, data } = this;
    const raw = atob(step.rows);
    const names = this.input();
    const keys = step.keys;
    const lines = data.layers * data.heads;
    const g = this.canvas.getContext("2d");
    g.font = '12.5px "Source Sans", sans-serif';
    const left = 54;
    const top = Math.min(84, Math.max(...names.map((one) => g.measureText(one.text).width), 10) * 0.72) + 14;
    const cell = Math.max(9, Math.min(26, Math.floor((this.scroller.clientWidth - left - 40) / Math.max(keys, 1))));
    const high = lines > 40 ? 7 : lines > 16 ? 11 : 16;
    const gap = 4;
    const width = left + cell * keys + 50;
    const height = top + high * lines + gap * data.layers + 4;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    g.scale(ratio, ratio);
    g.textBaseline = "middle";
    g.font = '12.5px "Source Sans", sans-serif';
    names.forEach((one, k) => {
      if (cell < 11 && k % 2) return;
      g.save();
      g.translate(left + (k + 0.5) * cell, top - 7);
      g.rotate(-Math.PI / 4);
      g.fillStyle = theme.ink2;
      g.fillText(one.text.length > 14 ? `${one.text.slice(0, 13)}\u2026` : one.text, 0, 0);
      g.restore();
    });
    for (let line = 0; line < lines; line += 1) {
      const layer = Math.floor(line / data.heads);
      const y = top + line * high + layer * gap;
      if (line % data.heads === 0) {
        g.fillStyle = theme.ink2;
        g.textAlign = "right";
        g.font = '12px "Source Sans", sans-serif';
        g.fillText(`layer ${layer + 1}`, left - 6, y + high / 2 + 1);
        g.textAlign = "left";
      }
      for (let k = 0; k < keys; k += 1) {
        const code = raw.charCodeAt(line * keys + k) / 255;
        g.fillStyle = colour(theme, code * code);
        g.fillRect(left + k * cell, y, cell - 1, high - 1);
      }
    }
    this.canvas.setAttribute("aria-label", `Step ${this.step + 1}: ${data.layers} layers of ${data.heads} heads, each a row of weights over ${keys} pieces.`);
  }
}

const loops = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!loops.has(parentElement)) loops.set(parentElement, new Loop(parentElement));
  const loop = loops.get(parentElement);
  loop.open(data, THEMES[data.theme === "dark" ? "dark" : "light"], setTriggerValue);
  return () => {
    loop.stop();
    loop.watch.disconnect();
    loop.box.remove();
    loops.delete(parentElement);
  };
}
