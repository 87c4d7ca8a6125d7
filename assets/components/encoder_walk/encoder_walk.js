// The walk: tokens to choose from, the figure, what the chosen box did, and the paths. Everything is drawn here from one message;
// a click is drawn at once and told to the page, which keeps it in the link and in its sentences.

import { element } from "../shared/build.js";
import { pageScale } from "../shared/draw.js";
import { THEMES } from "../shared/themes.js";
import { Turns } from "../shared/turns.js";
import { BOXES, boxesOf, Figure } from "./figure.js";
import { PANELS } from "./panel.js";
import { PathsView } from "./paths.js";
import { unpack } from "./strips.js";

class Walk {
  constructor(root) {
    this.state = { token: 0, layer: 0, head: 0, box: "sum0", lit: null };
    this.turns = new Turns();
    this.box = element("section", root, "walk");
    this.box.setAttribute("aria-label", "A walk through the encoder");
    this.probe = element("span", this.box, "probe");
    const top = element("div", this.box, "top");
    this.tokens = element("div", top, "tokens");
    this.tokens.setAttribute("role", "group");
    this.tokens.setAttribute("aria-label", "Choose a token of the text");
    const pickers = (this.pickers = element("div", top, "pickers"));
    this.inside = element("div", this.box, "inside");
    this.layers = this.picker(pickers, "Layer");
    this.heads = this.picker(pickers, "Head");
    this.figure = new Figure(this.inside, (change) => {
      this.choose(change);
      this.reveal();
    });
    this.panel = element("section", this.inside, "panel");
    const steps = element("div", this.panel, "steps");
    this.steps = [-1, 1].map((step) => {
      const made = element("button", steps, "toggle");
      made.type = "button";
      made.addEventListener("click", () => this.choose({ box: BOXES[BOXES.indexOf(this.state.box) + step] }));
      return made;
    });
    this.up = element("button", steps, "toggle up", "\u2191 Figure");
    this.up.type = "button";
    this.up.addEventListener("click", () => this.figure.buttons[this.state.box].scrollIntoView({ block: "center" }));
    this.found = element("div", this.panel, "found");
    this.found.setAttribute("aria-live", "polite");
    this.paths = new PathsView(this.box, { lit: (token) => this.light(token), choose: (change) => this.choose(change) });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
    this.probe.addEventListener("transitionend", () => this.draw());
    this.arrived = () => this.adopt();
    document.addEventListener("lookback-walk", this.arrived);
  }

  picker(parent, name) {
    const made = element("div", parent, "picker");
    made.setAttribute("role", "group");
    made.setAttribute("aria-label", name);
    made.name = name;
    return made;
  }

  open(data) {
    if (!this.data || this.data.version !== data.version) {
      this.data = data;
      this.state.lit = null;
      this.state.token = Math.min(this.state.token, data.tokens.length - 1);
      if (data.held.length && !data.held.includes(this.state.token)) [this.state.token] = data.held;
      this.state.layer = Math.min(this.state.layer, Math.max(0, data.layers - 1));
      this.state.head = Math.min(this.state.head, Math.max(0, data.heads - 1));
    }
    this.adopt();
    this.draw();
  }

  // What the page says is chosen: a link, a preset, or an echo of what was clicked here, which may be late.
  adopt() {
    const chosen = globalThis.lookbackWalk;
    if (!chosen || !this.data || chosen.version !== this.data.version || !this.turns.news(chosen.turns)) return;
    const { token, layer, head, box } = chosen;
    Object.assign(this.state, { token, layer, head, box });
    this.draw();
  }

  choose(change) {
    const before = JSON.stringify(this.state);
    Object.assign(this.state, change, { lit: null });
    const { token, layer, head, box } = this.state;
    if (JSON.stringify(this.state) !== before) {
      this.turns.next().send("choice", { version: this.data.version, token, layer, head, box });
    }
    this.draw();
  }

  // What a box did stands under the figure: where that is out of sight, the page goes there.
  reveal() {
    const { top, bottom } = this.panel.getBoundingClientRect();
    const sight = Math.min(bottom, innerHeight) - Math.max(top, 0);
    if (sight >= Math.min(bottom - top, 240 * this.k)) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.panel.scrollIntoView({ block: bottom - top < innerHeight ? "nearest" : "start", behavior: calm ? "instant" : "smooth" });
  }

  light(token) {
    if (this.state.lit === token) return;
    this.state.lit = token;
    this.lightChips();
    this.paths.draw(this.data, this.state, this.theme, this.k);
  }

  lightChips() {
    const shown = this.state.lit;
    [...this.tokens.querySelectorAll("button")].forEach((chip, token) => chip.classList.toggle("lit", token === shown));
  }

  buttons(parent, count, chosen, name) {
    parent.replaceChildren();
    element("span", parent, "name", parent.name);
    for (let place = 0; place < count; place += 1) {
      const made = element("button", parent, "toggle", String(place + 1));
      made.type = "button";
      made.setAttribute("aria-label", `${parent.name} ${place + 1}`);
      made.setAttribute("aria-pressed", String(place === chosen));
      made.addEventListener("click", () => this.choose({ [name]: place }));
    }
  }

  chips() {
    const focused = this.box.getRootNode().activeElement?.dataset?.chip;
    this.tokens.replaceChildren();
    element("span", this.tokens, "name", "Token");
    this.data.tokens.forEach((token, place) => {
      const made = element("button", this.tokens, `chip${token.special ? " special" : ""}${token.joins ? " joins" : ""}`);
      made.type = "button";
      made.dataset.chip = place;
      element("bdi", made, "", token.text);
      made.setAttribute("aria-pressed", String(place === this.state.token));
      made.setAttribute("aria-label", `${token.text}, token ${place + 1}`);
      made.tabIndex = place === this.state.token ? 0 : -1; // one stop for Tab, arrows go on from there
      made.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        this.tokens.querySelector(`[data-chip="${place + step}"]`)?.focus();
      });
      made.addEventListener("click", () => this.choose({ token: place }));
      made.addEventListener("pointerenter", () => this.light(place));
      made.addEventListener("pointerleave", () => this.light(null));
    });
    if (focused !== undefined) this.tokens.querySelector(`[data-chip="${focused}"]`)?.focus({ preventScroll: true });
  }

  draw() {
    if (!this.data || !this.box.isConnected || !this.box.clientWidth) return;
    const { data, state } = this;
    this.k = pageScale();
    this.theme = THEMES[getComputedStyle(this.probe).color === "rgb(255, 255, 255)" ? "dark" : "light"];
    this.box.style.setProperty("--accent", this.theme[data.stream]);
    this.box.classList.toggle("narrow", this.box.clientWidth / this.k < 740);
    this.chips();
    this.lightChips();
    this.inside.hidden = this.pickers.hidden = !data.walk;
    const at = data.held.indexOf(state.token);
    if (data.walk && at >= 0) {
      const focus = this.box.getRootNode().activeElement;
      const inPicker = [this.layers, this.heads].find((one) => one.contains(focus));
      const name = focus?.getAttribute?.("aria-label");
      this.buttons(this.layers, data.layers, state.layer, "layer");
      this.buttons(this.heads, data.heads, state.head, "head");
      if (inPicker) [...inPicker.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === name)?.focus();
      this.figure.draw(data, state, this.theme, this.k);
      const shown = JSON.stringify([data.version, state.token, state.layer, state.head, state.box, this.theme.name]);
      if (shown !== this.shown) {
        this.shown = shown;
        this.found.replaceChildren();
        this.named();
        PANELS[state.box](this.found, {
          data: Object.assign(data, { theme: this.theme }), at, ...state, k: this.k, word: `\u201c${data.tokens[state.token].text}\u201d`,
          send: (change) => this.choose(change),
        });
      }
    }
    this.paths.draw(data, state, this.theme, this.k);
  }

  // The two buttons that walk on from the box in view.
  named() {
    const { names } = boxesOf(this.data, this.state);
    this.steps.forEach((made, place) => {
      const name = BOXES[BOXES.indexOf(this.state.box) + 2 * place - 1];
      const title = name && (names[name][0] === "+" ? "Add" : names[name][0]);
      made.hidden = !name;
      made.textContent = place ? `${title} \u2192` : `\u2190 ${title}`;
    });
  }

  close() {
    this.watch.disconnect();
    document.removeEventListener("lookback-walk", this.arrived);
    this.box.remove();
  }
}

const walks = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!walks.has(parentElement)) walks.set(parentElement, new Walk(parentElement));
  const walk = walks.get(parentElement);
  walk.turns.trigger = setTriggerValue;
  walk.open(unpack(data));
  return () => {
    walk.close();
    walks.delete(parentElement);
  };
}
