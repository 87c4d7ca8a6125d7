// Numbers as pictures: messages unpacked, colours, strips of a vector's numbers that can be read one by one.

import { element } from "../shared/build.js";
import { mixed } from "../shared/draw.js";

export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const from = bytes.byteOffset + 4 + length;
  const body = new Float32Array(bytes.buffer.slice(from, bytes.byteOffset + bytes.byteLength));
  return { ...head, body };
}

// The numbers of one array behind leading indices: pick(data, "query", layer, place, head) is that head's vector.
export function pick(data, name, ...indices) {
  const [at, shape] = data.arrays[name];
  let from = at;
  let size = shape.reduce((a, b) => a * b, 1);
  indices.forEach((index, axis) => {
    size /= shape[axis];
    from += index * size;
  });
  return data.body.subarray(from, from + size);
}

// A text with *words* that stand out.
export function say(parent, text, className = "how") {
  const made = element("p", parent, className);
  text.split("*").forEach((part, place) => made.append(place % 2 ? element("b", null, "", part) : part));
  return made;
}

export function number(value, digits = 2) {
  const rounded = value.toFixed(digits);
  return (Number(rounded) === 0 ? rounded.replace("-", "") : rounded).replace("-", "\u2212");
}

// A number behind an operator: in brackets where it is below 0.
export function term(value, digits = 2) {
  const text = number(value, digits);
  return text.startsWith("\u2212") ? `(${text})` : text;
}

export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0\u00a0%";
  if (value < 0.1) return "< 0.1\u00a0%";
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)}\u00a0%`;
}

export function limitOf(...strips) {
  let most = 0;
  for (const values of strips) for (const value of values) most = Math.max(most, Math.abs(value));
  if (!most) return 1;
  const ten = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((step) => step * ten).find((step) => step >= most - 1e-9);
}

const tables = new WeakMap();

// 256 colours between even stops, as [red, green, blue].
function table(stops) {
  if (!tables.has(stops)) tables.set(stops, Array.from({ length: 256 }, (_, code) => mixed(stops, code / 255)));
  return tables.get(stops);
}

// One pixel a number: rows × columns, enlarged by the style sheet. kind "change": −limit…+limit; "weights": 0…limit.
export function paint(canvas, values, columns, theme, kind, limit) {
  const rows = Math.ceil(values.length / columns);
  canvas.width = columns;
  canvas.height = rows;
  const g = canvas.getContext("2d");
  const image = g.createImageData(columns, rows);
  const colours = table(theme[kind]);
  values.forEach((value, place) => {
    const share = kind === "change" ? 0.5 + value / (2 * limit) : value / limit;
    const [red, green, blue] = colours[Math.max(0, Math.min(255, Math.round(255 * share)))];
    image.data.set([red, green, blue, 255], 4 * place);
  });
  g.putImageData(image, 0, 0);
}

// The colour bar of some strips, with its ends in numbers.
export function ramp(parent, theme, kind, limit, name) {
  const box = element("div", parent, "ramp");
  const bar = element("span", box, "ramp-bar");
  bar.style.background = `linear-gradient(90deg, ${theme[kind].join(",")})`;
  const ends = element("span", box, "ramp-ends");
  for (const end of kind === "change" ? [-limit, 0, limit] : [0, limit / 2, limit]) {
    element("span", ends, "", number(end, limit < 0.1 ? 3 : Math.abs(end) >= 10 || Number.isInteger(end) ? 0 : 2));
  }
  if (name) element("span", box, "ramp-name", name);
  return box;
}

// Strips that belong together: one scale, one place read in all of them. strips: [name, values]; tells(place) → what is read.
export function group(parent, theme, strips, tells, cuts = 1, apart = false) {
  const box = element("div", parent, "group");
  const size = strips[0][1].length;
  const limit = limitOf(...strips.map(([, values]) => values));
  ramp(box, theme, "change", apart ? 1 : limit, apart ? "of each strip\u2019s largest number" : "");
  const marks = strips.map(([name, values]) => {
    const row = element("div", box, "strip");
    element("span", row, "strip-name", name);
    const band = element("span", row, "band");
    paint(element("canvas", band), values, size, theme, "change", apart ? limitOf(values) : limit);
    for (let cut = 1; cut < cuts; cut += 1) element("i", band, "cut").style.left = `${(100 * cut) / cuts}%`;
    element("span", row, "some", `${Array.from(values.subarray(0, 5), (value) => number(value)).join("  ")}  \u2026`);
    return element("i", band, "mark");
  });
  const reading = element("p", box, "reading");
  let at = 0;
  let touched = false;
  const show = (place) => {
    at = Math.max(0, Math.min(size - 1, place));
    for (const mark of marks) {
      mark.style.left = `${(100 * at) / size}%`;
      mark.style.width = `${100 / size}%`;
    }
    const text = `Number ${at + 1} of ${size}: ${tells(at)}`;
    reading.replaceChildren(text);
    if (!touched) element("span", reading, "hint", "Point at a strip, or use \u2190 \u2192 here, to read the others.");
    touched = true;
    box.setAttribute("aria-valuenow", at + 1);
    box.setAttribute("aria-valuetext", text);
  };
  for (const [key, value] of Object.entries({ role: "slider", tabindex: 0, "aria-valuemin": 1, "aria-valuemax": size })) {
    box.setAttribute(key, value);
  }
  box.setAttribute("aria-label", `${strips.map(([name]) => name).join(", ")}: arrows read number by number`);
  for (const band of box.querySelectorAll(".band")) {
    const read = (event) => {
      const { left, width } = band.getBoundingClientRect();
      show(Math.floor((size * (event.clientX - left)) / width));
    };
    band.addEventListener("pointermove", read);
    band.addEventListener("pointerdown", read);
  }
  box.addEventListener("keydown", (event) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: size - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    show(to);
  });
  show(0);
  return box;
}
