// The two matrices that labels travel along, each with the sums of its rows beside it.

import { element } from "../shared/build.js";
import { mixed, pageScale } from "../shared/draw.js";
import { percentOf, size } from "./plot.js";

const STRIP = 0.2; // of the width, for the line of the sums

export function mapOf(it, title, at) {
  const box = element("figure", it.maps);
  const caption = element("figcaption", box, "", title[0]);
  title.slice(1).forEach((part) => element(part.startsWith("\u2212") ? "sup" : "span", caption, "", part));
  const canvas = element("canvas", box);
  canvas.setAttribute("role", "img");
  const says = element("p", box, "sums");
  const key = element("p", box, "key");
  canvas.addEventListener("pointermove", (event) => {
    const area = canvas.getBoundingClientRect();
    const side = area.width * (1 - STRIP);
    const n = it.data.places.length;
    const row = Math.floor(((event.clientY - area.top) / area.height) * n);
    it.focusOn(event.clientX - area.left <= side && row >= 0 && row < n ? row : null);
  });
  canvas.addEventListener("pointerleave", () => it.focusOn(null));
  return { at, canvas, says, key, box };
}

export function drawMap(it, { at, canvas, says, key }) {
  const n = it.data.places.length;
  const matrix = it.data.matrices[at];
  const top = it.data.tops[at];
  const wide = canvas.clientWidth;
  const side = wide * (1 - STRIP);
  const pen = size(canvas, wide, side);
  it.tinted ||= [];
  if (!it.tinted[at]) {
    const image = new ImageData(n, n);
    const table = Array.from({ length: 256 }, (_, i) => mixed(it.theme.weights, i / 255));
    matrix.forEach((weight, cell) => {
      const [r, g, b] = table[Math.round(255 * Math.min(1, weight / top))];
      image.data.set([r, g, b, 255], 4 * cell);
    });
    it.tinted[at] = element("canvas", document.createDocumentFragment());
    it.tinted[at].width = it.tinted[at].height = n;
    it.tinted[at].getContext("2d").putImageData(image, 0, 0);
  }
  pen.imageSmoothingEnabled = false;
  pen.drawImage(it.tinted[at], 0, 0, side, side);
  const k = pageScale();
  pen.strokeStyle = it.theme.rule;
  pen.strokeRect(0.5, 0.5, side - 1, side - 1);
  const sums = it.data.sums[at];
  const most = Math.max(1.25, ...it.data.sums.flat());
  const across = (sum) => side + 4 * k + ((wide - side - 6 * k) * sum) / most;
  pen.lineWidth = 1;
  pen.setLineDash([2, 2]);
  pen.strokeStyle = it.theme.ink3;
  pen.beginPath();
  pen.moveTo(across(1), 0);
  pen.lineTo(across(1), side);
  pen.stroke();
  pen.setLineDash([]);
  pen.strokeStyle = it.theme.ink;
  pen.lineWidth = 1.5 * k;
  pen.beginPath();
  sums.forEach((sum, row) => pen.lineTo(across(sum), ((row + 0.5) / n) * side));
  pen.stroke();
  if (it.focus !== null) {
    pen.strokeStyle = it.theme.ink;
    pen.strokeRect(0, (it.focus / n) * side - 1, wide, side / n + 2);
  }
  const low = Math.min(...sums);
  const high = Math.max(...sums);
  says.textContent = it.focus !== null ? `this row sums to ${sums[it.focus].toFixed(3)}`
    : `rows sum to ${low.toFixed(3)}${high - low < 0.0005 ? "" : ` … ${high.toFixed(3)}`}`;
  key.style.background = `linear-gradient(90deg, ${it.theme.weights.join(",")})`;
  key.setAttribute("data-low", "0");
  key.setAttribute("data-high", `${percentOf(top)}${matrix.some((weight) => weight > top) ? " or more" : ""}`);
  canvas.setAttribute("aria-label", `${n} by ${n} matrix; ${says.textContent}; largest weight between two points ${percentOf(top)}.`);
}
