// What is said in words: the sentence on top, tokens as chips, titles, the tooltip, the table for screen readers.

import { element, shortened } from "../shared/paint.js";
import { percent, weightSaid } from "./numbers.js";
import { quarterOf, QUARTERS, quarterSaid } from "./quarter.js";

const TABLE = 40; // rows and columns of the table at most; a larger map shows the part around the focus
const CHIPS = 400;
export const STREAMS = { encoder: "Encoder", decoder: "Decoder", cross: "Cross" };

function quoted(name, longest = 24) {
  return `“${shortened(name.text, longest)}”`;
}

export function nameOf(view, index) {
  const { layer, head } = view.model.heads[index];
  return `${STREAMS[view.model.stream]}, layer ${layer + 1}, head ${head + 1}`;
}

// The sentence of the focused cell as [text, strong] parts; only numbers and names, never a cause.
function sentenceParts(view) {
  const { pattern, model, state, around } = view;
  const focus = view.focus();
  if (pattern.pooled) return [["This head is held as a small picture. Click its thumbnail to fetch its numbers.", false]];
  if (focus.q === null && focus.k === null) return [["Point at a cell, a row or a token to read it here.", false]];
  const mean = state.mixed.length > 1 && view.preview === null ? `On average over ${state.mixed.length} heads, ` : "";
  const opening = mean || around.before || "";
  if (focus.q === null) {
    const got = pattern.received[focus.k];
    const about = pattern.exact ? "" : "≈ ";
    const rows = pattern.rowNames.filter((_, q) => pattern.rowInside(q)).length;
    const may = mayLookAt(pattern, focus.k);
    if (!pattern.keyInside(focus.k)) return [["“", false], [pattern.keyNames[focus.k].text, true], [`” belongs to the part that is faded (only ${QUARTERS[pattern.quarter]} is shown).`, false]];
    // a mask that hides the future lets more rows look at an early token than at a late one: only the mean compares them
    const each = may && may < rows ? `; ${may} of them may look at it, and give it ${about}${percent(got / may)} each on average.` : ".";
    return [[opening, false], ["“", false], [pattern.keyNames[focus.k].text, true], ["” receives ", false], [`${about}${got.toFixed(2)}`, true], [` of ${rows} rows’ attention${pattern.quarter ? `, those of ${pattern.quarter[0].toUpperCase()}` : ""}${each}`, false]];
  }
  const key = focus.k === null ? pattern.strongest(focus.q) : focus.k;
  const names = [[pattern.rowNames[focus.q].text, true], [pattern.keyNames[key].text, true]];
  if (!pattern.mayLook(focus.q, key)) return [[`${opening}“`, false], names[0], ["” may not look at “", false], names[1], ["”.", false]];
  if (pattern.hiddenKeys && pattern.hiddenKeys[key]) return [[`${opening}“`, false], names[1], ["” is hidden: the rest of the row adds up to 100 % without it.", false]];
  const value = `${pattern.isExact(focus.q) ? "" : "≈ "}${percent(pattern.value(focus.q, key))}`;
  const what = pattern.hidden ? " of what is left of its attention to “" : " of its attention to “";
  const unit = state.words ? "word" : "token";
  let clause = "";
  if (!pattern.inside(focus.q, key)) clause = ` (faded: only ${QUARTERS[pattern.quarter]} is shown)`;
  else if (model.stream === "cross") clause = `, a ${unit} of the source`;
  else if (!state.words && key > focus.q + model.start) clause = model.stream === "encoder" ? `, a ${unit} it can only see because the encoder looks both ways` : `, a ${unit} it can only see because the mask is off`;
  return [[`${opening}“`, false], names[0], ["” gives ", false], [value, true], [what, false], names[1], [`”${clause}${around.after || ""}.`, false]];
}

// How many of the rows in view may look at a key.
function mayLookAt(pattern, key) {
  let may = 0;
  for (let q = 0; q < pattern.rows; q++) may += pattern.mayLook(q, key) && pattern.rowInside(q) ? 1 : 0;
  return may;
}

export function tell(view) {
  const parts = sentenceParts(view);
  view.parts.lead.replaceChildren(...parts.map(([said, strong]) => {
    if (!strong) return document.createTextNode(said);
    const bold = element("b");
    bold.append(element("bdi", "", shortened(said, 40)));
    return bold;
  }));
  const { q, k: key } = view.focus();
  const place = q !== null && key !== null ? ` ${nameOf(view, view.current())}.` : "";
  view.announce(`${parts.map(([said]) => said).join("")}${place} ${quarterSaid(view)}`.trim());
}

// Read aloud at most once a second, and only when it changed.
export function announcer(node) {
  let last = 0;
  let timer = 0;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (node.textContent !== text) node.textContent = text;
      last = performance.now();
    }, Math.max(250, 1000 - (performance.now() - last)));
  };
}

export function title(view) {
  const { model, state, pattern } = view;
  const { heading } = view.parts;
  const mixed = state.mixed.length > 1 && view.preview === null;
  const said = mixed
    ? `Mean of ${state.mixed.length} heads`
    : nameOf(view, view.current());
  const kind = mixed ? state.mixed.map((index) => `${model.heads[index].layer + 1}.${model.heads[index].head + 1}`).join(", ")
    : view.preview !== null ? "preview" : state.locked === null ? "not locked" : "locked";
  const waits = view.waiting() ? ", fetching its numbers…" : pattern.pooled && view.preview === null ? ", small picture" : "";
  const approx = !pattern.exact && !pattern.pooled && view.preview === null && !view.waiting() ? ", ≈ rounded" : "";
  heading.replaceChildren(document.createTextNode(`${said} `), element("span", "", kind + waits + approx));
}

export function hiddenSaid(view) {
  const { pattern } = view;
  const focus = view.focus();
  if (pattern.pooled && (view.state.special || view.state.sinks || view.state.words)) return "Fetch this head (click) to hide or join its tokens.";
  if (!pattern.hidden) return "";
  const count = pattern.hiddenKeys.reduce((sum, one) => sum + one, 0);
  if (!count) return "Nothing here is a sink: no token gets 30 % or more of those who may look at it.";
  const approx = pattern.exact ? "" : "≈ ";
  const row = focus.q === null ? "" : ` of ${quoted(pattern.rowNames[focus.q], 14)} ${approx}${percent(pattern.hidden[focus.q])},`;
  return `Hidden:${row} on average ${approx}${percent(pattern.hiddenMean)} of a row (${count} ${count === 1 ? "column" : "columns"}); the rest renormalised.`;
}

export function chips(view) {
  const { model, parts } = view;
  parts.texts.replaceChildren();
  view.chipsOf = [];
  for (const text of model.texts) {
    const line = element("div", `chips ${text.stream}`);
    line.append(element(text.sentence ? "b" : "span", "chips-name", text.sentence ? "A" : text.name));
    let word = null;
    text.text.slice(0, CHIPS).forEach((said, place) => {
      const joins = place > 0 && !text.special[place] && !text.special[place - 1] && text.word[place] === text.word[place - 1];
      if (text.sentence && place > 0 && text.sentence[place] > text.sentence[place - 1]) line.append(element("b", "chips-name", "B"));
      if (!joins) line.append((word = element("span", "word")));
      const chip = element("span", `chip${text.special[place] ? " special" : ""}`, null, { title: `${said} · id ${text.ids[place]}` });
      chip.append(element("bdi", "", shortened(said, 24)), element("small", "", String(text.ids[place])));
      Object.assign(chip, { place, rows: text.rows, columns: text.columns });
      word.append(chip);
      view.chipsOf.push(chip);
    });
    if (text.text.length > CHIPS) line.append(element("span", "chips-name", `and ${text.text.length - CHIPS} more`));
    parts.texts.append(line);
  }
  // a long text scrolls in its box, so the box takes the keyboard's focus
  const scrolls = parts.texts.scrollHeight > parts.texts.clientHeight + 1;
  for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "The texts as tokens"]]) {
    if (scrolls) parts.texts.setAttribute(name, value);
    else parts.texts.removeAttribute(name);
  }
}

// The chips of the focused row in ink, those of the focused key framed.
export function lightChips(view) {
  const focus = view.focus();
  const { rowOf, keyOf } = view.pattern;
  const is = (place, of, wanted) => wanted !== null && (of ? of[place] : place) === wanted;
  const lit = new Map();
  for (const chip of view.chipsOf) {
    const looks = chip.rows && is(chip.place, rowOf, focus.q);
    const seen = chip.columns && is(chip.place, keyOf, focus.k);
    if (looks || seen) lit.set(chip, looks ? "chosen" : "seen");
  }
  for (const [chip, kind] of view.litChips) if (lit.get(chip) !== kind) chip.classList.remove(kind);
  for (const [chip, kind] of lit) chip.classList.add(kind);
  view.litChips = lit;
}

// What stands beside the pointer: full names and the weight.
export function tooltip(view, event, place) {
  const tip = view.parts.tip;
  if (!place || event.pointerType === "touch") return void (tip.hidden = true);
  const { pattern } = view;
  const said = [];
  if (place.q !== null && place.k !== null) {
    const names = `“${pattern.rowNames[place.q].text}” → “${pattern.keyNames[place.k].text}”`;
    const hidden = pattern.hiddenKeys && pattern.hiddenKeys[place.k];
    const value = !pattern.mayLook(place.q, place.k) ? "may not look" : hidden ? "hidden" : pattern.pooled ? `${weightSaid(pattern, place.q, place.k)}, the most of a block` : weightSaid(pattern, place.q, place.k);
    said.push([names, false], [value, true]);
  } else {
    const name = place.q !== null ? pattern.rowNames[place.q] : pattern.keyNames[place.k];
    if (!name) return void (tip.hidden = true);
    said.push([`“${name.text}”${name.id === null ? "" : ` · id ${name.id}`}`, false]);
    if (!pattern.pooled) said.push([place.q !== null ? `effective tokens e^entropy: ${pattern.spread[place.q].toFixed(3)}` : `received Σ column: ${pattern.received[place.k].toFixed(3)}`, true]);
  }
  tip.replaceChildren(...said.map(([text, strong]) => element(strong ? "b" : "bdi", "", text)));
  tip.hidden = false;
  const box = view.root.getBoundingClientRect();
  const x = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
  const y = event.clientY - box.top + 18;
  tip.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
}

// The map as a table; built only while it is open.
export function fillTable(view) {
  const { table, tableBox } = view.parts;
  if (!tableBox.open) return;
  const { pattern } = view;
  const quarter = quarterOf(view);
  if (pattern.pooled) return void table.replaceChildren(element("caption", "", "This head is held as a small picture only; lock it to fetch its numbers."));
  const focus = view.focus();
  const near = (names, counts) => names.flatMap((_, place) => (counts(place) ? [place] : []));
  const range = (places, at) => {
    const middle = places.findIndex((place) => place >= (at ?? 0));
    const first = Math.max(0, Math.min(places.length - TABLE, middle - TABLE / 2));
    return places.slice(first, first + TABLE);
  };
  const [allRows, allKeys] = [near(pattern.rowNames, (q) => pattern.rowInside(q)), near(pattern.keyNames, (key) => pattern.keyInside(key))];
  const [rows, keys] = [range(allRows, focus.q), range(allKeys, focus.k)];
  const only = quarter ? ` Only ${QUARTERS[quarter]}.` : "";
  const part = rows.length < allRows.length || keys.length < allKeys.length ? ` Rows ${rows[0] + 1} to ${rows.at(-1) + 1}, columns ${keys[0] + 1} to ${keys.at(-1) + 1}; move the focus to see others.` : "";
  const head = element("tr");
  head.append(element("td"), ...keys.map((key) => named("th", pattern.keyNames[key], { scope: "col" })));
  const body = element("tbody");
  for (const q of rows) {
    const line = element("tr");
    line.append(named("th", pattern.rowNames[q], { scope: "row" }));
    for (const key of keys) {
      line.append(pattern.mayLook(q, key) ? element("td", "", (pattern.isExact(q) ? "" : "≈ ") + pattern.value(q, key).toFixed(pattern.isExact(q) ? 4 : 2)) : element("td", "", "–", { "aria-label": "may not look" }));
    }
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  table.replaceChildren(element("caption", "", `${view.parts.heading.textContent}. Rows look, columns are looked at.${only}${part}`), top, body);
}

function named(tag, name, attributes) {
  const cell = element(tag, "", null, attributes);
  cell.append(element("bdi", "", name.text));
  return cell;
}
