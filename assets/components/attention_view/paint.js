// Patterns as pictures: palettes, a head's cells as pixels, runs of forbidden cells, which labels fit.

import { mixed, rgbOf } from "../shared/draw.js";
import { THEMES } from "../shared/themes.js";
import { WEIGHT } from "./numbers.js";

export function palette(name, stream) {
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

// Codes as a picture of one pixel a cell, or fewer where there are more cells than `most` pixels: then the largest of each
// block. Forbidden and hidden cells are left transparent. `owner` keeps its picture for the next time.
export function picture(owner, { codes, may, rows, keys, hiddenKeys }, colours, most) {
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

const closed = new WeakMap();

// The forbidden cells of a mask as runs [row, first key, one past the last].
export function closedRuns(may, rows, keys) {
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

// Which entries carry a label: every n-th where they are close, those in focus always, their neighbours then not.
export function labelled(count, cell, focus, from, to, least) {
  const every = cell >= least ? 1 : Math.ceil(least / Math.max(cell, 0.01));
  const kept = focus.filter((place) => place !== null && place >= from && place < to);
  const out = [];
  for (let place = Math.ceil(from / every) * every; place < Math.min(to, count); place += every) {
    if (!kept.some((other) => other === place || Math.abs(other - place) < every)) out.push(place);
  }
  return [...out, ...new Set(kept)];
}
