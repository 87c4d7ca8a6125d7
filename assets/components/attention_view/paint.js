// Canvas helpers: palettes, pictures of patterns, hatching, and text of any script at any length.
// core/ui/kit/component.py writes THEMES in front, from core/figures/theme.py.

const SANS = '"Source Sans", sans-serif';

function palette(name, stream) {
  const theme = THEMES[name];
  return { ...theme, accent: theme[stream], colours: colourTable(theme.weights), ground: rgbOf(theme.hatch_ground), name };
}

// The colour of each code as one little-endian pixel: linear in the weight between even stops.
function colourTable(stops) {
  return Uint32Array.from({ length: 256 }, (_, code) => {
    const [r, g, b] = mixed(stops, WEIGHT[code]);
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

// Give a canvas a size in CSS px; returns its context, cleared and scaled. The CSS size changes only when it must.
function prepare(canvas, width, height, ratio) {
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, w, h);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Codes as a picture of one pixel a cell, or fewer where there are more cells than `most` pixels: then the largest of each
// block. Forbidden and hidden cells are left transparent. `owner` keeps its picture for the next time.
function picture(owner, { codes, may, rows, keys, hiddenKeys }, colours, most) {
  const height = Math.min(rows, Math.max(1, Math.floor(most[0])));
  const width = Math.min(keys, Math.max(1, Math.floor(most[1])));
  const name = `${width}|${height}|${colours.name}`;
  if (owner.picture && owner.picture.name === name) return owner.picture.canvas;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const best = width === keys && height === rows ? null : new Int16Array(pixels.length).fill(-1);
  const column = Uint16Array.from({ length: keys }, (_, k) => Math.floor((k * width) / keys));
  for (let q = 0; q < rows; q++) {
    const to = Math.floor((q * height) / rows) * width;
    for (let k = 0, cell = q * keys; k < keys; k++, cell++) {
      if (may[cell] === 0 || (hiddenKeys && hiddenKeys[k])) continue;
      if (best === null) pixels[cell] = colours.colours[codes[cell]];
      else if (codes[cell] > best[to + column[k]]) best[to + column[k]] = codes[cell];
    }
  }
  for (let place = 0; best && place < pixels.length; place++) if (best[place] >= 0) pixels[place] = colours.colours[best[place]];
  context.putImageData(image, 0, 0);
  owner.picture = { name, canvas };
  return canvas;
}

const hatches = new Map();

// Rising lines on a quiet ground, as a pattern that fills.
function hatching(context, colours, ratio) {
  const name = `${colours.name}|${ratio}`;
  if (hatches.has(name)) return hatches.get(name);
  const side = Math.max(4, Math.round(6 * ratio));
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = colours.hatch_ground;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colours.hatch;
  pen.lineWidth = Math.max(1, 0.9 * ratio);
  pen.beginPath();
  for (const shift of [-side, 0, side]) {
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
  }
  pen.stroke();
  const fill = context.createPattern(tile, "repeat");
  fill.setTransform(new DOMMatrix().scale(1 / ratio));
  hatches.set(name, fill);
  return fill;
}

const closed = new WeakMap();

// The forbidden cells of a mask as runs [row, first key, one past the last].
function closedRuns(may, rows, keys) {
  if (closed.has(may)) return closed.get(may);
  const found = [];
  for (let q = 0; q < rows; q++) {
    for (let k = 0; k < keys; k++) {
      if (may[q * keys + k]) continue;
      const first = k;
      while (k < keys && !may[q * keys + k]) k++;
      found.push([q, first, k]);
    }
  }
  closed.set(may, found);
  return found;
}

const graphemes = typeof Intl !== "undefined" && Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

function letters(text) {
  return graphemes ? Array.from(graphemes.segment(text), (part) => part.segment) : Array.from(text);
}

const shorter = new Map();

// A long piece loses its middle, never half of a letter.
function shortened(text, longest = 14) {
  if (text.length <= longest) return text;
  const name = `${longest}|${text}`;
  if (shorter.size > 5000) shorter.clear();
  if (!shorter.has(name)) shorter.set(name, cut(text, longest));
  return shorter.get(name);
}

function cut(text, longest) {
  const parts = letters(text);
  if (parts.length <= longest) return text;
  const tail = Math.floor((longest - 1) / 2);
  return `${parts.slice(0, longest - 1 - tail).join("")}…${parts.slice(-tail).join("")}`;
}

const RIGHT_TO_LEFT = /^[^A-Za-z\u00C0-\u02B8\u0900-\u1FFF]*[\u0591-\u08FF\uFB1D-\uFDFD\uFE70-\uFEFC]/;

function directionOf(text) {
  return RIGHT_TO_LEFT.test(text) ? "rtl" : "ltr";
}

// Write one piece: its own direction inside, but its place by the left or right edge as asked.
function write(context, text, x, y, align, longest = 0) {
  context.textAlign = align;
  context.direction = directionOf(text);
  if (longest > 0 && context.measureText(text).width > longest) context.fillText(text, x, y, longest);
  else context.fillText(text, x, y);
}

function font(size, bold = false) {
  return `${bold ? 600 : 400} ${size}px ${SANS}`;
}

const widths = new Map();
let widestOf = new WeakMap();

// What was measured before the fonts had come is wrong.
function forgetWidths() {
  widths.clear();
  widestOf = new WeakMap();
}

function widthOf(context, text, size) {
  const name = `${size}|${text}`;
  if (!widths.has(name)) {
    if (widths.size > 5000) widths.clear();
    context.font = font(size, true);
    widths.set(name, context.measureText(text).width);
  }
  return widths.get(name);
}

function widest(context, entries, size, longest) {
  const name = `${size}|${longest}`;
  if (!widestOf.has(entries)) widestOf.set(entries, new Map());
  const known = widestOf.get(entries);
  if (!known.has(name)) {
    known.set(name, entries.reduce((most, entry) => Math.max(most, widthOf(context, shortened(entry.text, longest), size)), 0));
  }
  return known.get(name);
}

// Which entries carry a label: every n-th where they are close, those in focus always, their neighbours then not.
function labelled(count, cell, focus, from, to, least) {
  const every = cell >= least ? 1 : Math.ceil(least / Math.max(cell, 0.01));
  const kept = focus.filter((place) => place !== null && place >= from && place < to);
  const out = [];
  for (let place = Math.ceil(from / every) * every; place < Math.min(to, count); place += every) {
    if (!kept.some((other) => other === place || Math.abs(other - place) < every)) out.push(place);
  }
  return [...out, ...new Set(kept)];
}

// An element with text; never markup.
function element(tag, classes = "", text = null, attributes = {}) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== null) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
