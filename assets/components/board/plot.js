// The points on their canvas: where each stands, which one a pointer or an arrow key means, and how they are drawn.

import { element } from "../shared/build.js";
import { cssOf, mixed, pageScale, rgbOf } from "../shared/draw.js";

const CLOSE = 22; // how near a pointer must come, in px of a laptop
export const MARK = ["circle", "ring", "square", "cross", "diamond"];

// A canvas as wide as it stands and so high, at the screen's own pixels; gives its pen, cleared.
export function size(canvas, wide, high) {
  const ratio = devicePixelRatio || 1;
  canvas.style.height = `${high}px`;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, high);
  return pen;
}

// Where a point of the plane stands on the canvas, in CSS px, and what of the plane is in view.
function frameOf(it) {
  const { places, field } = it.data;
  const range = (axis) => [Math.min(...places.map((p) => p[axis])), Math.max(...places.map((p) => p[axis]))];
  const [left, right, bottom, top] = field || [...range(0), ...range(1)];
  const wide = it.canvas.clientWidth;
  const pad = 18 * pageScale();
  const most = 430 * pageScale();
  const unit = Math.min((wide - 2 * pad) / (right - left), (most - 2 * pad) / (top - bottom));
  const high = unit * (top - bottom) + 2 * pad;
  const shift = (wide - unit * (right - left)) / 2;
  return { x: (v) => shift + (v - left) * unit, y: (v) => high - pad - (v - bottom) * unit, high, unit, left, right, bottom, top };
}

// The point under a pointer, or null.
export function nearest(it, event) {
  const area = it.canvas.getBoundingClientRect();
  const { x, y } = it.place;
  let best = null;
  let least = (CLOSE * pageScale()) ** 2;
  it.data.places.forEach(([a, b], at) => {
    const far = (x(a) - event.clientX + area.left) ** 2 + (y(b) - event.clientY + area.top) ** 2;
    if (far < least) [best, least] = [at, far];
  });
  return best;
}

// The nearest point within 45 degrees of a direction; where there is none, the nearest on that side; at the edge, stay.
export function toward(it, from, [dx, dy]) {
  const [x, y] = it.data.places[from];
  const search = (wide) => {
    let best = null;
    let least = Infinity;
    it.data.places.forEach(([a, b], at) => {
      const along = (a - x) * dx + (b - y) * dy;
      const beside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
      if (along <= 0 || (!wide && beside > along)) return;
      const far = along + 2 * beside;
      if (far < least) [best, least] = [at, far];
    });
    return best;
  };
  return search(false) ?? search(true) ?? from;
}

// Labelled points large, with a number; the others as the chosen way names them, ringed where that is wrong.
export function drawPlot(it) {
  it.place = frameOf(it);
  const { x, y, high } = it.place;
  const k = pageScale();
  const pen = size(it.canvas, it.canvas.clientWidth, high);
  const classes = it.classes();
  drawRegion(it, pen);
  if (it.focus !== null) drawLook(it, pen);
  it.data.places.forEach(([a, b], at) => {
    const given = it.labels[at] !== ".";
    const sign = given ? it.labels[at] : classes[at];
    drawMark(it, pen, x(a), y(b), sign, (given ? 9.5 : 5) * k, given);
    if (!given && sign !== it.data.truth[at]) {
      pen.strokeStyle = it.theme.change[1];
      pen.lineWidth = 2 * k;
      pen.beginPath();
      pen.arc(x(a), y(b), 8.5 * k, 0, 2 * Math.PI);
      pen.stroke();
    }
  });
  const ringed = it.focus ?? (it.canvas.matches(":focus") ? it.kept : null);
  if (ringed !== null) {
    const [a, b] = it.data.places[ringed];
    pen.strokeStyle = it.theme.ink;
    pen.lineWidth = 1.5 * k;
    pen.strokeRect(x(a) - 13 * k, y(b) - 13 * k, 26 * k, 26 * k);
  }
}

// An inductive rule has an answer for every place: its field is shaded where it says the second, third … class.
function drawRegion(it, pen) {
  const { region } = it.shown();
  if (!region) return;
  const side = Math.round(Math.sqrt(region.length));
  const { x, y, left, right, bottom, top, unit } = it.place;
  const tile = element("canvas", document.createDocumentFragment());
  tile.width = tile.height = side;
  const cells = new ImageData(side, side);
  const [red, green, blue] = rgbOf(it.theme.fade);
  const strength = { 1: 90, 2: 190, 3: 240 };
  Array.from(region).forEach((sign, cell) => {
    const row = side - 1 - Math.floor(cell / side);
    cells.data.set([red, green, blue, strength[sign] || 0], 4 * (row * side + (cell % side)));
  });
  tile.getContext("2d").putImageData(cells, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(tile, x(left), y(top), (right - left) * unit, (top - bottom) * unit);
}

// Where the point in focus looks: the wider and darker a line, the more.
function drawLook(it, pen) {
  const n = it.data.places.length;
  const matrix = it.data.matrices[0];
  const { x, y } = it.place;
  const k = pageScale();
  const [a, b] = it.data.places[it.focus];
  const row = matrix.subarray(it.focus * n, (it.focus + 1) * n);
  row.forEach((weight, at) => {
    if (weight < 0.004 || at === it.focus) return;
    pen.strokeStyle = cssOf(mixed(it.theme.weights, 0.35 + 0.65 * Math.min(1, weight / it.data.tops[0])));
    pen.lineWidth = Math.max(0.75, 26 * weight) * k;
    pen.beginPath();
    pen.moveTo(x(a), y(b));
    pen.lineTo(x(it.data.places[at][0]), y(it.data.places[at][1]));
    pen.stroke();
  });
}

function drawMark(it, pen, x, y, sign, r, given) {
  const { ink, ink2, ink3, bg } = it.theme;
  const k = pageScale();
  const kind = sign === "." ? "none" : MARK[Number(sign)];
  pen.lineWidth = (given ? 2.25 : 1.75) * k;
  pen.strokeStyle = ink;
  pen.beginPath();
  if (kind === "none") {
    pen.fillStyle = ink3;
    pen.arc(x, y, 2 * k, 0, 2 * Math.PI);
    pen.fill();
    return;
  }
  if (kind === "square") pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
  else pen.arc(x, y, r, 0, 2 * Math.PI);
  pen.fillStyle = kind === "circle" ? ink : kind === "ring" ? bg : ink3;
  pen.fill();
  if (kind !== "square") pen.stroke();
  if (!given) return;
  pen.fillStyle = kind === "ring" ? ink : bg;
  pen.font = `600 ${12 * k}px "Source Sans", sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(Number(sign) + 1), x, y + 0.5 * k);
  pen.strokeStyle = ink2;
}

export function percentOf(share) {
  const said = 100 * share;
  return `${said >= 9.95 ? said.toFixed(0) : said >= 0.1 ? said.toFixed(1) : "< 0.1"} %`;
}
