// What the theatre is made of: its elements, built once, and what each of them does.

import { button, element } from "../shared/build.js";
import { readHeads } from "./figures.js";

const SPEEDS = [0.5, 1, 2, 4];
export const TITLES = {
  encoder: ["Encoder", "reads the source: each token looks at all the others"],
  decoder: ["Decoder", "reads what it wrote: each token looks back"],
  cross: ["Cross", "reads the encoder: each written token looks at the source"],
  all: ["All in one", "source above, target below: encoder, cross and decoder in one square"],
};

export function buildTheatre(it, root) {
  it.box = element("section", root, "theatre");
  it.box.setAttribute("aria-label", "Encoder, decoder and cross-attention, step by step");
  it.lead = element("p", it.box, "lead");
  it.aloud = element("p", it.box, "aloud");
  it.aloud.setAttribute("aria-live", "polite");
  it.note = element("p", it.box, "flag");
  const panes = element("div", it.box, "panes");
  it.play = element("div", panes, "play");
  it.texts = element("div", it.play, "texts");
  it.ribbons = element("canvas", it.texts, "ribbons");
  it.ribbons.setAttribute("aria-hidden", "true");
  it.sourceRow = sentenceRow(it.texts, "Source", "encoder");
  it.targetRow = sentenceRow(it.texts, "Target", "decoder");
  buildDeck(it);
  it.side = element("aside", panes, "side");
  buildSide(it);
  element("hr", it.box, "hair");
  buildMaps(it);
}

function sentenceRow(parent, name, stream) {
  const row = element("div", parent, `words ${stream}`);
  element("span", row, "name", name);
  row.list = element("span", row, "list");
  return row;
}

// Transport: the scrubber, whose stops stand under the target's words where those stand in one line, and the buttons.
function buildDeck(it) {
  it.deck = element("div", it.play, "deck");
  it.scrub = element("div", it.deck, "scrub");
  it.scrub.tabIndex = 0;
  it.scrub.setAttribute("role", "slider");
  it.scrub.setAttribute("aria-label", "Step");
  element("span", it.scrub, "name", "Step").setAttribute("aria-hidden", "true");
  it.rail = element("div", it.scrub, "rail");
  it.done = element("div", it.scrub, "done");
  it.stops = element("div", it.scrub, "stops");
  it.knob = element("div", it.scrub, "knob");
  const drag = (event) => {
    it.stop();
    const x = event.clientX - it.scrub.getBoundingClientRect().left;
    const far = it.places.map((place) => Math.abs(place - x));
    it.go(far.indexOf(Math.min(...far)));
  };
  it.scrub.addEventListener("pointerdown", (event) => {
    it.scrub.setPointerCapture(event.pointerId);
    drag(event);
  });
  it.scrub.addEventListener("pointermove", (event) => event.buttons && drag(event));
  const bar = element("div", it.deck, "transport");
  const moved = (act) => () => {
    it.stop();
    act();
  };
  button(bar, "first", "\u25c0\ufe0e\u25c0\ufe0e", moved(() => it.go(0)), "First step");
  button(bar, "back", "\u25c0\ufe0e", moved(() => it.go(it.step - 1)), "Step back");
  it.toggler = button(bar, "toggle", "\u25b6\ufe0e Play", () => it.toggle());
  button(bar, "next", "\u25b6\ufe0e", moved(() => it.go(it.step + 1)), "Step");
  button(bar, "last", "\u25b6\ufe0e\u25b6\ufe0e", moved(() => it.go(it.last)), "Last step");
  const speed = element("select", bar, "speed");
  speed.setAttribute("aria-label", "Speed");
  for (const value of SPEEDS) element("option", speed, "", `${value}\u00d7`).value = String(value);
  speed.value = "1";
  speed.addEventListener("change", () => {
    it.speed = Number(speed.value);
    if (it.playing) {
      it.stop();
      it.toggle();
    }
  });
  const keys = element("span", bar, "keys");
  element("kbd", keys, "", "Space");
  keys.append(" plays, ");
  element("kbd", keys, "", "\u2190");
  element("kbd", keys, "", "\u2192");
  it.whose = element("span", keys);
}

// Beside the stage: what could have been written, a word of one's own, and what a step may read.
function buildSide(it) {
  it.heading = element("h3", it.side);
  it.candidates = element("div", it.side, "candidates");
  it.flag = element("p", it.side, "flag");
  it.typed = element("form", it.side, "typed");
  const input = element("input", it.typed);
  input.type = "text";
  input.maxLength = 60;
  input.placeholder = "or a word of yours";
  input.setAttribute("aria-label", "A word to write at this step");
  input.autocomplete = "off";
  const write = element("button", it.typed, "write", "Write it");
  write.type = "submit";
  it.typed.addEventListener("submit", (event) => {
    event.preventDefault();
    const word = input.value.trim();
    if (!word) return input.focus();
    input.value = "";
    it.ask({ step: it.step, word });
  });
  it.status = element("p", it.side, "how");
  it.status.setAttribute("role", "status");
  it.reading = element("div", it.side, "reading");
  it.narrowing = button(it.reading, "narrowing", "", () => it.choose(true));
  it.agree = button(it.reading, "agree", "Go on from here", () => it.ask({ step: it.step, reads: [...it.choosing].sort((a, b) => a - b) }));
  it.cancel = button(it.reading, "cancel", "Cancel", () => it.choose(false));
}

function buildMaps(it) {
  it.tabs = element("div", it.box, "tabs");
  it.tabs.setAttribute("role", "group");
  it.tabs.setAttribute("aria-label", "Which map");
  it.maps = element("div", it.box, "maps");
  it.row = element("div", it.maps, "row");
  it.panels = ["encoder", "decoder", "cross", "all"].map((name) => {
    const tab = button(it.tabs, `tab ${name}`, TITLES[name][0], () => {
      it.tab = name;
      it.draw();
    });
    const figure = element("figure", it.row, `map ${name}`);
    const caption = element("figcaption", figure);
    element("b", caption, name, TITLES[name][0]);
    caption.append(` ${TITLES[name][1]}`);
    const canvas = element("canvas", element("div", figure, "scroller"));
    canvas.setAttribute("role", "img");
    canvas.addEventListener("pointermove", (event) => it.point(name, event));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && it.hover(null));
    canvas.addEventListener("click", (event) => it.pressed(name, event));
    return { name, figure, canvas, tab };
  });
  const legend = element("div", it.maps, "legend");
  element("label", legend, "", "Maps show").htmlFor = "which";
  it.select = element("select", legend, "which");
  it.select.id = "which";
  it.select.addEventListener("change", () => {
    it.shown = readHeads(it.select);
    it.draw();
  });
  element("span", legend, "name", "A head is one look; a layer takes several side by side.");
  it.together = button(legend, "together", "All in one map", () => {
    it.all = !it.all;
    it.draw();
  });
  element("span", legend, "name", "weight, in % of its row");
  it.scale = element("canvas", legend, "scale");
  it.scale.setAttribute("role", "img");
  it.scale.setAttribute("aria-label", "Colour scale of the weights, from 0 to 1");
  element("span", legend, "name", "Hatched: may not be read. Dots: not written yet.");
  it.readout = element("p", it.box, "readout how");
}
