// The skeleton of the view and its controls. Built once; drawing fills it.

import { element } from "../shared/paint.js";
import { canMove, visible } from "./map.js";
import { percent } from "./numbers.js";
import { isPair, QUARTERS } from "./quarter.js";
import { announcer, STREAMS } from "./words.js";

const HOW_HEADS = [
  ["Hover", "b"], " previews a head. ", ["Click", "b"], " locks it, ", ["Esc", "kbd"], " lets go. ", ["←", "kbd"], " ", ["→", "kbd"], " ", ["↑", "kbd"], " ", ["↓", "kbd"],
  " walk, ", ["1", "kbd"], " … ", ["9", "kbd"], " pick a head of the layer, ", ["P", "kbd"], " pins up to four side by side, ", ["Shift", "kbd"], "+click or ", ["A", "kbd"], " adds a head to the mean.",
];
const HOW_MAP = [
  "Numbers are % of a row, from ", ["10 %", "i"], "; ≈ is rounded, until you click the head. ", ["Hatched", "b"], ": may not look. ",
  ["Hover", "b"], " a cell, a row or a token: only its lines stay. ", ["Click", "b"], " locks it, ", ["Esc", "kbd"], " lets go, arrow keys move. ",
  ["+", "kbd"], " ", ["−", "kbd"], " or pinch zoom, ", ["drag", "b"], " moves, ", ["F", "kbd"], " fits. On touch: tap, then tap again.",
];

function prose(parts) {
  const line = element("p", "how");
  line.append(...parts.map((part) => (typeof part === "string" ? document.createTextNode(part) : element(part[1] === "i" ? "span" : part[1], part[1] === "i" ? "least" : "", part[0]))));
  return line;
}

function twoSheets(name, label, box) {
  const sheet = element("div", "sheet");
  const base = element("canvas", "", null, { "aria-hidden": "true" });
  const over = element("canvas", "over", null, { "aria-hidden": "true" });
  sheet.append(base, over);
  box.append(sheet);
  if (label) for (const [key, value] of Object.entries({ tabindex: "0", role: "application", "aria-label": label })) box.setAttribute(key, value);
  return { [`${name}Base`]: base, [`${name}Over`]: over, [name]: box };
}

function toggle(text, help) {
  return element("button", "toggle", text, { type: "button", "aria-pressed": "false", title: help });
}

export function build(view) {
  const root = element("section", "view", null, { "aria-label": "Attention view" });
  const parts = { lead: element("p", "lead"), texts: element("div", "texts"), panes: element("div", "panes") };
  const [heads, map, lines] = ["heads-column", "map-column", "lines-column"].map((name) => element("div", name));

  parts.tabs = element("div", "tabs", null, { role: "group", "aria-label": "Attention of" });
  Object.assign(parts, twoSheets("heads", "All heads as small maps. Arrow keys walk, digits pick a head of this layer, P pins, A adds to the mean, Escape lets go.", element("div", "heads")));
  parts.sort = element("select", "", null, { "aria-label": "Sort heads by" });
  const sortLine = element("label", "line sort");
  sortLine.append(element("span", "", "Sort by "), parts.sort);
  heads.append(parts.tabs, parts.heads, sortLine, prose(HOW_HEADS));

  parts.heading = element("h2", "heading");
  parts.bar = element("div", "scale", null, { role: "img", "aria-label": "Colour scale: weight from 0, light, to 1, dark" });
  parts.bar.append(element("i", "ramp"), element("span", "", "0"), element("span", "", "weight 0.5"), element("span", "", "1"));
  const top = element("div", "top");
  top.append(parts.heading, parts.bar);
  Object.assign(parts, twoSheets("map", "Map of one head. Arrow keys move from cell to cell, Enter locks, Escape lets go, plus and minus zoom, F fits.", element("div", "map")));
  parts.words = toggle("Whole words", "Tokens of one word as one: keys summed, queries averaged");
  parts.special = toggle("Hide special", "Take start, end and padding tokens out and renormalise each row");
  parts.sinks = toggle("Hide sinks", "Take out tokens that get 30 % or more, on average, of those who may look at them, and renormalise");
  parts.zoomOut = element("button", "toggle", "−", { type: "button", "aria-label": "Zoom out" });
  parts.zoomIn = element("button", "toggle", "+", { type: "button", "aria-label": "Zoom in" });
  parts.fit = element("button", "toggle", "Fit", { type: "button", "aria-label": "Fit: show the whole map" });
  const tools = element("div", "tools");
  const zooms = element("span", "zooms");
  zooms.append(parts.zoomOut, parts.zoomIn, parts.fit);
  tools.append(parts.words, parts.special, parts.sinks, zooms);
  parts.quarters = element("div", "quarters", null, { role: "group", "aria-label": "Which sentence looks at which" });
  parts.quarters.append(...Object.entries(QUARTERS).map(([name, said]) => {
    const names = name === "all" ? "All: both sentences look at both" : `Only sentence ${said[0]} looking at sentence ${said[2]}`;
    return element("button", "toggle", said, { type: "button", "aria-pressed": "false", "aria-label": names, title: names, value: name });
  }));
  parts.quarterSaid = element("p", "how quarter-said");
  parts.hidden = element("p", "how hidden-share");
  parts.legend = element("p", "how legend");

  const linesHeading = element("h2", "heading", "The same head as lines");
  Object.assign(parts, twoSheets("lines", "", element("div", "lines")));
  parts.kind = element("select", "", null, { "aria-label": "Which lines are drawn" });
  parts.kind.append(element("option", "", "lines ≥", { value: "weight" }), element("option", "", "strongest", { value: "share" }));
  parts.range = element("input", "", null, { type: "range", "aria-label": "Threshold for lines" });
  parts.amount = element("output", "amount");
  const filter = element("div", "line filter");
  filter.append(parts.kind, parts.amount, parts.range);
  parts.drawn = element("p", "how drawn");
  lines.append(linesHeading, parts.lines, filter, parts.drawn, prose(HOW_MAP));

  parts.pins = element("div", "pins");
  parts.tableBox = element("details", "table-box");
  parts.table = element("table");
  const tableScroll = element("div", "table", null, { tabindex: "0", role: "region", "aria-label": "The map as a table" });
  tableScroll.append(parts.table);
  parts.tableBox.append(element("summary", "", "The map as a table"), tableScroll);
  map.append(top, parts.map, parts.quarters, parts.quarterSaid, tools, parts.hidden, parts.legend, parts.tableBox);
  parts.live = element("div", "aloud", null, { role: "status", "aria-live": "polite" });
  parts.tip = element("div", "tip", null, { "aria-hidden": "true" });
  parts.tip.hidden = true;
  parts.probe = element("i", "probe", null, { "aria-hidden": "true" });
  parts.panes.append(heads, map, lines);
  root.append(parts.lead, parts.texts, parts.panes, parts.pins, parts.live, parts.tip, parts.probe);
  view.announce = announcer(parts.live);
  return { root, parts };
}

export function fillTabs(view) {
  const { tabs } = view.parts;
  const streams = view.model.header.streams;
  tabs.hidden = streams.length < 2;
  tabs.replaceChildren(...streams.map((stream) => {
    const tab = element("button", `tab ${stream}`, STREAMS[stream], { type: "button", "aria-pressed": String(stream === view.model.stream) });
    tab.addEventListener("click", () => view.goTo(stream));
    return tab;
  }));
}

export function fillSort(view) {
  const { sort } = view.parts;
  const options = [["grid", "layer and head"], ...view.model.header.scores.map((score) => [score.name, score.label])];
  sort.replaceChildren(...options.map(([value, said]) => element("option", "", said, { value })));
  if (!options.some(([value]) => value === view.state.sort)) view.state.sort = "grid";
}

// Show what is chosen in the controls.
export function showControls(view) {
  const { parts, state, pattern } = view;
  for (const name of ["words", "special", "sinks"]) parts[name].setAttribute("aria-pressed", String(state[name]));
  parts.quarters.hidden = !isPair(view.model);
  for (const one of parts.quarters.children) one.setAttribute("aria-pressed", String(one.value === state.quarter));
  parts.sort.value = state.sort;
  parts.kind.value = state.lines.kind;
  const share = state.lines.kind === "share";
  Object.assign(parts.range, share ? { min: 0.1, max: 1, step: 0.05 } : { min: 0, max: 0.5, step: 0.01 });
  parts.range.value = state.lines.value;
  parts.range.setAttribute("aria-valuetext", share ? `strongest ${percent(state.lines.value)} of each row` : `weights of ${state.lines.value} and more`);
  parts.amount.textContent = share ? percent(state.lines.value) : state.lines.value.toFixed(2);
  const gap = view.narrow ? "30 %" : "10 %";
  const least = parts.lines.parentElement.querySelector(".least");
  if (least.textContent !== gap) least.textContent = gap;
  parts.fit.disabled = view.zoom === 1;
  parts.zoomOut.disabled = view.zoom === 1;
  parts.zoomIn.disabled = view.map.cell >= 47 * view.k;
  showWindow(view);
  const hasSpecial = pattern.keyNames.some((name) => name.special);
  parts.special.disabled = !hasSpecial && !state.special;
}

const SPREAD = "Eff. tokens: the effective number of tokens a row looks at, e to the power of its entropy. Received: a column added up.";

// Where the map is larger than its window, which part is seen and how to see the rest.
function showWindow(view) {
  const { map, parts, pattern } = view;
  const { q0, q1, k0, k1 } = visible(map, view);
  const part = `Rows ${q0 + 1} to ${q1} of ${pattern.rows}, columns ${k0 + 1} to ${k1} of ${pattern.keys}: drag to see others. `;
  const [from, to] = (pattern.quarter || "").toUpperCase();
  const legend = pattern.quarter ? `To ${to}: the share of a row’s weight that ${to} gets. Received: a column added up over the rows of ${from}.` : SPREAD;
  parts.legend.textContent = (canMove(view) ? part : "") + legend;
}

export function showDrawn(view) {
  const { parts, state, drawn, pattern } = view;
  if (pattern.pooled) return void (parts.drawn.textContent = "Lines need the head’s own numbers: click it.");
  const what = state.lines.kind === "share" ? `the fewest that hold ${percent(state.lines.value)} of each row` : `weights of ${state.lines.value.toFixed(2)} and more`;
  const where = pattern.quarter ? `${QUARTERS[pattern.quarter]}, ` : "";
  const cut = drawn.left > drawn.drawn ? `, the strongest ${drawn.drawn.toLocaleString("en")} drawn` : "";
  parts.drawn.textContent = `${drawn.left.toLocaleString("en")} lines: ${where}${what}${cut}. ${percent(drawn.share)} of the weight is kept; the map is not touched.`;
}

export function showScale(view) {
  const { colours, parts } = view;
  parts.bar.firstChild.style.background = `linear-gradient(90deg, ${colours.weights.join(", ")})`;
  for (const name of ["bg", "field", "ink", "ink2", "ink3", "rule", "fade", "accent", "encoder", "decoder", "cross"]) view.root.style.setProperty(`--${name}`, colours[name]);
  view.root.dataset.theme = colours.name;
}
