// The view itself: what is chosen, what is shown, and when something is drawn. Python is told of a choice, never of a hover.

import { pageScale } from "../shared/draw.js";
import { forgetWidths } from "../shared/paint.js";
import { Turns } from "../shared/turns.js";
import { choiceOf, readChoice, START } from "./choice.js";
import { build, fillSort, fillTabs, showControls, showDrawn, showScale } from "./controls.js";
import { onChips, onControls, onHeads, onKeys, onLines, onMap } from "./gestures.js";
import { drawHeads, drawRings, headsLayout } from "./heads.js";
import { drawLines, drawLinesFocus, drawPins, drawPinsFocus, linesLayout } from "./lines.js";
import { canMove, drawMap, drawMapFocus, mapLayout } from "./map.js";
import { collect, modelOf, shelf, unpack } from "./messages.js";
import { lineFloors, patternOf } from "./numbers.js";
import { palette } from "./paint.js";
import { quarterOf, quarterSaid, quarterStart } from "./quarter.js";
import { chips, fillTable, hiddenSaid, lightChips, nameOf, tell, title } from "./words.js";

const TELL_AFTER = 140; // ms of quiet before a choice made by keyboard is sent: a walk with the arrow keys is one message
const NEED_AFTER = 900; // ms after which numbers that never came are asked for (again)
const NOWHERE = { q: null, k: null };

class View {
  constructor(host) {
    Object.assign(this, { state: { ...START }, preview: null, last: 0, hovered: null, resting: true, zoom: 1, ox: 0, oy: 0, quarterSeen: null });
    Object.assign(this, { model: null, around: {}, turns: new Turns(), patterns: new Map(), litChips: new Map(), chipsOf: [], dirty: new Set(), frame: 0 });
    Object.assign(this, build(this));
    this.pen = document.createElement("canvas").getContext("2d");
    [onHeads, onMap, onLines, onChips, onKeys, onControls].forEach((listen) => listen(this));
    host.append(this.root);
    this.box = (host.host || host).closest("[class*='st-key-'][class*='-box']");
    this.sizes = new ResizeObserver(() => this.width !== this.root.clientWidth && this.draw("all"));
    this.sizes.observe(this.root);
    this.parts.probe.addEventListener("transitionend", () => this.draw("all"));
    document.fonts.ready.then(() => {
      forgetWidths();
      this.draw("all");
    });
    this.root.addEventListener("pointerdown", () => (this.byPointer = true), true);
    this.root.addEventListener("keydown", () => (this.byPointer = false), true);
    shelf.views.add(this);
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    clearTimeout(this.later);
    this.sizes.disconnect();
    shelf.views.delete(this);
  }

  // A message of part "overview": another text, mask or stream. What still fits of the choice stays.
  open(message) {
    if (this.model && this.model.id === message.header.id) return this.draw("all");
    const before = this.model;
    this.model = modelOf(message);
    this.patterns.clear();
    this.litChips = new Map();
    const { state, model } = this;
    const kept = (index) => (before ? model.index(before.heads[index].layer, before.heads[index].head) : index);
    const inside = (index) => index >= 0 && index < model.heads.length;
    state.pins = state.pins.map(kept).filter(inside);
    state.mixed = state.mixed.map(kept).filter(inside);
    state.locked = state.locked === null ? null : Math.max(0, kept(state.locked));
    this.last = before && inside(kept(this.last)) ? kept(this.last) : 0;
    if (!before || before.stream !== model.stream) state.cell = null;
    if (state.cell && (state.cell.q >= model.queries || state.cell.k >= model.keys)) state.cell = null;
    Object.assign(this, { hovered: null, preview: null, resting: true, zoom: 1, ox: 0, oy: 0, asked: null });
    for (const part of (shelf.parts.get(model.id) || new Map()).values()) this.arrived(part);
    fillTabs(this);
    fillSort(this);
    this.fresh = true;
    this.root.classList.remove("leaving");
    this.draw("all");
  }

  // Another part of the text in view: numbers asked for, or a choice made outside.
  arrived(message) {
    if (message.header.part === "choice") return message.box === this.box && this.adopt(message.header);
    const gained = this.model.addNumbers(message);
    for (const [name, pattern] of this.patterns) if (pattern.heads.some((index) => gained.has(index))) this.patterns.delete(name);
    if (this.pattern && gained.size) this.draw("map");
  }

  // A choice from Python, and what stands around the sentence. What it sent before our newest gesture is late.
  adopt(header) {
    this.around = { before: header.before, after: header.after };
    const before = JSON.stringify(choiceOf(this));
    if (this.turns.news(header.turns)) {
      this.state = { ...this.state, ...readChoice(this, header.choice) };
      this.lastSaid = JSON.stringify(choiceOf(this)); // both know it: to come back to an earlier choice is news again
    }
    if (this.state.locked !== null) this.last = this.state.locked;
    if (!this.layout || JSON.stringify(choiceOf(this)) !== before) this.draw("all");
    else this.draw("rings");
    this.askAgain(NEED_AFTER);
  }

  askAgain(after) {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.needs() && this.tellPython(undefined, true), after);
  }
  tellPython(stream, insist = false) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const choice = choiceOf(this, stream);
      const said = JSON.stringify(choice);
      if (said === this.lastSaid && !insist) return;
      this.lastSaid = said;
      this.turns.send("choice", { choice, need: this.needs() });
      this.askAgain(6 * NEED_AFTER);
    }, stream || this.byPointer ? 0 : TELL_AFTER);
  }

  // Whether float32 numbers of what is locked are not here yet.
  needs() {
    const { state, model } = this;
    if (model.approximate || state.locked === null) return false;
    const missing = (index) => {
      const held = model.exact(index);
      const query = state.cell ? state.cell.q : 0;
      return !held || (held.rows < model.queries && (query < held.first || query >= held.first + held.rows));
    };
    return (state.mixed.length ? state.mixed : [state.locked]).some(missing);
  }

  goTo(stream) {
    if (stream === this.model.stream) return;
    this.root.classList.add("leaving");
    this.turns.next();
    this.tellPython(stream);
  }

  // ---- what is shown

  current() {
    return this.preview ?? this.state.locked ?? this.last;
  }

  shownHeads() {
    return this.preview === null && this.state.mixed.length > 1 ? this.state.mixed : [this.current()];
  }

  patternFor(heads) {
    const { words, special, sinks } = this.state;
    const quarter = quarterOf(this);
    const name = `${heads.join(",")}|${words}|${special}|${sinks}|${quarter}`;
    if (!this.patterns.has(name)) {
      if (this.patterns.size >= 24) this.patterns.delete(this.patterns.keys().next().value);
      const pattern = patternOf(this.model, { heads, words, special, sinks, quarter });
      Object.assign(pattern, { heads, index: heads[0] });
      this.patterns.set(name, pattern);
    }
    return this.patterns.get(name);
  }

  // The focused row and key on screen (words count as one there): hovered, else locked, else where a reader starts.
  focus() {
    if (this.hovered) return this.hovered;
    const { cell } = this.state;
    const { rowOf, keyOf } = this.pattern;
    if (cell) return { q: rowOf ? rowOf[cell.q] : cell.q, k: keyOf ? keyOf[cell.k] : cell.k };
    if (!this.resting || this.pattern.pooled) return NOWHERE;
    const { rowNames } = this.pattern;
    const last = rowNames.findLastIndex((name, q) => !name.special && this.pattern.rowInside(q));
    const q = last < 0 ? rowNames.length - 1 : last;
    return { q, k: this.pattern.strongest(q) };
  }

  waiting() {
    return this.preview === null && this.needs();
  }

  // ---- verbs

  show(index) {
    const next = index === this.state.locked ? null : index;
    if (next === this.preview) return;
    if (this.state.locked === null && index !== null) this.last = index;
    this.preview = this.state.locked === null ? null : next;
    this.draw("map", "rings");
  }

  lock(index) {
    Object.assign(this, { preview: null, last: index });
    this.choose({ locked: index, mixed: [] }, "rings");
  }

  release() {
    const { locked, mixed } = this.state;
    if (this.preview !== null) this.preview = null;
    else if (mixed.length) return this.choose({ mixed: [] }, "rings");
    else if (locked !== null) {
      this.last = locked;
      return this.choose({ locked: null }, "rings");
    } else return this.releaseCell();
    this.draw("map", "rings");
  }

  releaseCell() {
    Object.assign(this, { hovered: null, resting: false });
    this.choose({ cell: null });
  }

  pickHead(number) {
    const { layer } = this.model.heads[this.current()];
    const index = this.model.index(layer, number - 1);
    if (index >= 0) this.lock(index);
    return index >= 0;
  }

  pin(index) {
    const { pins } = this.state;
    const next = pins.includes(index) ? pins.filter((one) => one !== index) : [...pins, index];
    if (next.length > 4) return this.announce("Four heads are pinned already; unpin one first.");
    this.announce(`${nameOf(this, index)} ${next.length > pins.length ? "pinned" : "unpinned"}.`);
    this.choose({ pins: next }, "rings");
  }

  unpin(place) {
    this.choose({ pins: this.state.pins.filter((_, one) => one !== place) }, "rings");
    this.parts.heads.focus();
  }

  // Add a head to the mean, or take it out again; the first one brings the head in view along.
  mix(index) {
    const { mixed, locked } = this.state;
    const from = mixed.length || locked === null ? mixed : [locked];
    const next = from.includes(index) && from.length > 1 ? from.filter((one) => one !== index) : [...new Set([...from, index])];
    this.preview = null;
    if (next.length === 1) return this.lock(next[0]);
    this.choose({ mixed: next, locked: locked ?? next[0] }, "rings");
  }

  hover(here) {
    if (here === null ? this.hovered === null : this.hovered && this.hovered.q === here.q && this.hovered.k === here.k) return;
    this.hovered = here;
    this.draw("focus");
  }

  lockCell({ q, k }) {
    if (q === null && k === null) return;
    const { pattern } = this;
    const [row, key] = [q ?? pattern.mostDevoted(k), k ?? pattern.strongest(q)];
    this.hovered = null;
    this.choose({ cell: { q: pattern.rowOf ? pattern.rowOf.indexOf(row) : row, k: pattern.keyOf ? pattern.keyOf.indexOf(key) : key } });
  }

  step(down, right) {
    const { q, k } = this.focus();
    const clamp = (value, most) => Math.min(Math.max(value, 0), most - 1);
    const next = { q: clamp((q ?? 0) + (q === null ? 0 : down), this.pattern.rows), k: clamp((k ?? 0) + (k === null ? 0 : right), this.pattern.keys) };
    const { map } = this;
    const seen = (offset, at, room) => Math.min(Math.max(offset, (at + 1) * map.cell - room), at * map.cell);
    const [ox, oy] = [seen(this.ox, next.k, map.across), seen(this.oy, next.q, map.down)];
    if (ox !== this.ox || oy !== this.oy) this.moveTo(ox, oy);
    this.lockCell(next);
  }

  choose(changes, ...what) {
    Object.assign(this.state, changes);
    this.turns.next();
    const light = what.includes("lines") || what.includes("heads");
    this.draw(...(light ? what : ["map", ...what]));
    this.tellPython();
  }

  moveTo(ox, oy) {
    Object.assign(this, { ox, oy });
    this.draw("map");
  }

  zoomTo(zoom, x = this.map.left + this.map.across / 2, y = this.map.top + this.map.down / 2) {
    const { map } = this;
    const next = Math.min(Math.max(zoom, 1), Math.max(1, (48 * this.k) / map.fit));
    const scale = next / this.zoom;
    const hold = (offset, at) => (offset + at) * scale - at;
    Object.assign(this, { zoom: next, ox: hold(this.ox, x - map.left), oy: hold(this.oy, y - map.top) });
    this.draw("map");
  }

  scrollToHead() {
    const { heads } = this.parts;
    const item = this.layout.items.find((one) => one.index === this.current());
    if (item.y < heads.scrollTop) heads.scrollTop = item.y - 8;
    else if (item.y + this.layout.side > heads.scrollTop + heads.clientHeight) heads.scrollTop = item.y + this.layout.side + 8 - heads.clientHeight;
  }

  // ---- drawing

  draw(...what) {
    what.forEach((one) => this.dirty.add(one));
    if (!this.frame) this.frame = requestAnimationFrame(() => this.drawNow());
  }

  measure() {
    this.k = pageScale();
    this.ratio = Math.min(3, window.devicePixelRatio || 1);
    this.width = this.root.clientWidth;
    const scaled = this.width / this.k;
    this.narrow = scaled < 620;
    this.root.classList.toggle("narrow", this.narrow);
    this.root.classList.toggle("middle", !this.narrow && scaled < 900);
    const dark = getComputedStyle(this.parts.probe).color === "rgb(255, 255, 255)";
    this.colours = palette(dark ? "dark" : "light", this.model.stream);
    showScale(this);
  }

  drawNow() {
    this.frame = 0;
    if (!this.model || !this.root.isConnected || !this.root.clientWidth) return;
    const { dirty } = this;
    const all = dirty.has("all");
    if (all) this.measure();
    if (this.fresh) this.fresh = chips(this);
    if (all || dirty.has("heads")) {
      this.layout = headsLayout(this.model, this.parts.heads.clientWidth - 2, this.k, this.state.sort, this.narrow);
      drawHeads(this);
    }
    if (all || dirty.has("heads") || dirty.has("rings")) drawRings(this);
    if (all || dirty.has("map")) this.drawHead();
    else if (dirty.has("lines")) this.drawFiltered();
    drawMapFocus(this);
    drawLinesFocus(this);
    if (dirty.has("focus")) drawPinsFocus(this);
    lightChips(this);
    tell(this);
    this.parts.hidden.textContent = hiddenSaid(this);
    this.parts.quarterSaid.textContent = quarterSaid(this);
    if (dirty.size > (dirty.has("focus") ? 1 : 0)) {
      showControls(this);
      fillTable(this);
    }
    dirty.clear();
  }

  drawHead() {
    this.pattern = this.patternFor(this.shownHeads());
    if (this.hovered && (this.hovered.q >= this.pattern.rows || this.hovered.k >= this.pattern.keys)) this.hovered = null;
    this.map = mapLayout(this, this.pattern, this.parts.map.clientWidth);
    if (this.quarterSeen !== this.pattern.quarter) this.lookAtQuarter();
    this.parts.mapOver.style.touchAction = this.map.limit.y > 0.5 ? "none" : "pan-y";
    this.parts.mapOver.style.cursor = canMove(this) ? "grab" : "pointer";
    this.lines = linesLayout(this, this.pattern, this.parts.lines.clientWidth);
    drawMap(this);
    this.drawFiltered();
    drawPins(this);
    title(this);
  }

  // A quarter that was just chosen may lie outside the window.
  lookAtQuarter() {
    const { map, pattern } = this;
    const { q, k } = quarterStart(pattern);
    this.quarterSeen = pattern.quarter;
    Object.assign(this, { ox: Math.min(k * map.cell, map.limit.x), oy: Math.min(q * map.cell, map.limit.y) });
  }

  drawFiltered() {
    this.floors = lineFloors(this.pattern, this.state.lines);
    this.drawn = drawLines(this);
    showDrawn(this);
  }
}

const views = new WeakMap();

// Called by Streamlit at every mount and whenever the data or the appearance changed.
export default function ({ data, parentElement, setTriggerValue }) {
  collect();
  if (!views.has(parentElement)) views.set(parentElement, new View(parentElement));
  const view = views.get(parentElement);
  view.turns.trigger = setTriggerValue;
  view.open(unpack(data));
  return () => {
    view.close();
    view.root.remove();
    views.delete(parentElement);
  };
}
