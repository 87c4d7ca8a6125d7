// Small builders for components that put elements on the page. Text goes in as text, never as markup.

import { THEMES } from "./themes.js";
import { Turns } from "./turns.js";

export function element(name, parent, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// The theme's colours as the style sheet's variables; set only when they change, since that restyles everything inside.
export function dress(box, theme) {
  if (box.dataset.theme === theme.name) return;
  box.dataset.theme = theme.name;
  for (const [name, value] of Object.entries(theme)) if (typeof value === "string") box.style.setProperty(`--${name}`, value);
}

export function button(parent, className, text, act, label = "") {
  const made = element("button", parent, className, text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

// A sentence of plain strings, and [string] for what stands out.
export function speak(place, parts) {
  place.replaceChildren();
  for (const part of parts) {
    if (typeof part === "string") place.append(part);
    else element("bdi", element("b", place), "", part[0]);
  }
}

// What Streamlit calls at each of its runs: one drawing for each place on the page, opened with what was sent, and gone with it.
// A drawing tells Python of a gesture through its turns.
export function mounted(Drawing) {
  const drawings = new WeakMap();
  return ({ data, parentElement, setTriggerValue }) => {
    if (!drawings.has(parentElement)) drawings.set(parentElement, Object.assign(new Drawing(parentElement), { turns: new Turns() }));
    const drawing = drawings.get(parentElement);
    drawing.turns.trigger = setTriggerValue;
    drawing.open(data, THEMES[data.theme === "dark" ? "dark" : "light"]);
    return () => {
      if (drawing.close) drawing.close();
      if (drawing.watch) drawing.watch.disconnect();
      drawing.box.remove();
      drawings.delete(parentElement);
    };
  };
}
