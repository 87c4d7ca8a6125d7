// What pictures share: parts of an SVG, colours between the theme's stops, and the ink that can be read on them.

export function drawn(name, parent, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

export function rgbOf(hex) {
  return [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
}

const parsed = new WeakMap();

// A colour between even stops, value from 0 to 1, as [red, green, blue]. Stops are read once: a map asks for each of its cells.
export function mixed(stops, value) {
  if (!parsed.has(stops)) parsed.set(stops, stops.map(rgbOf));
  const table = parsed.get(stops);
  const at = Math.max(0, Math.min(1, value)) * (stops.length - 1);
  const low = Math.min(stops.length - 2, Math.floor(at));
  return table[low].map((part, n) => Math.round(part * (1 - at + low) + table[low + 1][n] * (at - low)));
}

export function cssOf(colour) {
  return `rgb(${colour.join(",")})`;
}

// Relative luminance, from 0 to 1 (WCAG 2).
function luminance(colour) {
  const [red, green, blue] = colour.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

// Black or white, whichever has more contrast: they meet at a luminance of √(1.05 · 0.05) − 0.05 = 0.179.
export function inkOn(colour) {
  return luminance(colour) > 0.179 ? "#000000" : "#ffffff";
}

// A weight's colour, and the ink for what is written on it.
export function shade(theme, weight) {
  const colour = mixed(theme.weights, weight);
  return { fill: cssOf(colour), ink: inkOn(colour) };
}

// How much larger than a laptop's the page is set, as on a projector.
export function pageScale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}
