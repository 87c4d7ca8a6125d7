// Cards of masks: a picture of the mask, the first token it leads to, and how far the model's expectation moved.

import { pageScale } from "../shared/draw.js";
import { element, hatching, prepare } from "../shared/paint.js";
import { THEMES } from "../shared/themes.js";
import { Turns } from "../shared/turns.js";

const SIDE = 66;

// Open cells in the stream's accent, forbidden ones hatched; crisp, for it is drawn at the screen's own pixels.
function drawMask(canvas, rows, accent, theme, scale) {
  const ratio = devicePixelRatio || 1;
  const [down, across] = [rows.length, rows[0].length];
  const side = (SIDE * scale) / Math.max(down, across);
  const context = prepare(canvas, Math.max(8, side * across), Math.max(8, side * down), ratio);
  const edge = (place) => Math.round(place * side * ratio) / ratio;
  const gap = side >= 4 ? 1 / ratio : 0;
  const hatch = hatching(context, theme, ratio);
  rows.forEach((row, q) => {
    for (let k = 0; k < across; k++) {
      context.globalAlpha = row[k] === "1" ? 0.55 : 1;
      context.fillStyle = row[k] === "1" ? accent : hatch;
      const shut = row[k] !== "1" && side < 8;
      context.fillRect(edge(k), edge(q), edge(k + 1) - edge(k) - (shut ? 0 : gap), edge(q + 1) - edge(q) - (shut ? 0 : gap));
    }
  });
  context.globalAlpha = 1;
}

function widthOfMask(gallery, card) {
  const box = element("label", "width");
  const input = element("input");
  input.type = "number";
  input.min = 1;
  input.max = 999;
  input.value = card.width;
  input.setAttribute("aria-label", `${card.title}: how many tokens`);
  input.addEventListener("change", () => {
    const width = Math.round(Number(input.value));
    if (width >= 1 && width <= 999) gallery.pick(card.name, width);
    else input.value = card.width;
  });
  box.append(element("span", "", "of"), input);
  return box;
}

// How far the next token moved: its KL, and a bar beside it.
function moved(card) {
  const box = element("span", "moved");
  const bar = element("span", "bar");
  const part = element("i");
  part.style.width = `${(100 * card.bar).toFixed(1)}%`;
  bar.append(part);
  box.append(element("span", "kl", `KL ${card.kl}`), bar);
  return box;
}

function cardOf(gallery, card, data, theme, scale) {
  const box = element("div", `card${card.on ? " on" : ""}${card.rows.length ? "" : " none"}`);
  box.dataset.name = card.name;
  const open = card.rows.length > 0;
  const face = element(open ? "button" : "div", "face");
  const title = element("span", "title");
  title.append(element("b", "", card.title));
  if (card.note) title.append(" ", element("bdi", "note", card.note));
  face.append(title);
  if (open) {
    face.type = "button";
    face.title = card.says;
    face.setAttribute("aria-pressed", String(card.on));
    face.addEventListener("click", () => gallery.pick(card.name, null));
    const canvas = element("canvas", "picture");
    canvas.setAttribute("aria-hidden", "true");
    drawMask(canvas, card.rows, theme[data.stream], theme, scale);
    const facts = element("span", "facts");
    if (card.share) facts.append(element("bdi", card.turned ? "token turned" : "token", card.token), " ", element("span", "share", card.share), " ");
    const body = element("span", "body");
    body.append(canvas, facts);
    face.append(body);
    if (card.kl) face.append(" ", moved(card));
  } else face.append(element("span", "refused", card.says));
  box.append(face);
  if (card.width !== null) box.append(widthOfMask(gallery, card));
  return box;
}

const galleries = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let gallery = galleries.get(parentElement);
  if (!gallery) {
    gallery = { turns: new Turns(), box: element("div", "gallery") };
    gallery.box.setAttribute("role", "group");
    gallery.box.setAttribute("aria-label", "Masks to choose from");
    parentElement.append(gallery.box);
    galleries.set(parentElement, gallery);
  }
  gallery.turns.trigger = setTriggerValue;
  gallery.pick = (card, width) => gallery.turns.next().send("picked", { card, width });
  const theme = { ...THEMES[data.theme || "light"] };
  const scale = pageScale();
  const held = gallery.box.querySelector(":focus");
  const [name, kind] = held ? [held.closest(".card").dataset.name, held.tagName] : [null, ""];
  for (const tone of ["ink", "ink2", "ink3", "rule", "field", "bg"]) gallery.box.style.setProperty(`--${tone}`, theme[tone]);
  gallery.box.style.setProperty("--accent", theme[data.stream]);
  gallery.box.style.setProperty("--next", theme.decoder);
  gallery.box.replaceChildren(...data.cards.map((card) => cardOf(gallery, card, data, theme, scale)));
  if (name !== null) {
    const again = Array.from(gallery.box.children).find((card) => card.dataset.name === name);
    if (again) (again.querySelector(kind.toLowerCase()) || again.querySelector("button"))?.focus({ preventScroll: true });
  }
  return () => {
    gallery.box.remove();
    galleries.delete(parentElement);
  };
}
