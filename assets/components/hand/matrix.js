// A small map of weights in per cent: rows look, columns are looked at; a click on a row makes it the one that looks.

import { element } from "../shared/build.js";
import { drawn, shade } from "../shared/draw.js";
import { PERCENT, share } from "./sums.js";

const CELL = 34;
const PRINTED = 24; // px of a cell from which its number is printed

export class Matrix {
  constructor(parent, title, qualifier, choose) {
    this.choose = choose;
    this.figure = element("figure", parent, "matrix");
    const caption = element("figcaption", this.figure);
    element("b", caption, "", title);
    caption.append(` ${qualifier}`);
    this.svg = drawn("svg", this.figure, { role: "img" });
    const legend = element("div", this.figure, "legend");
    element("span", legend, "", "0");
    this.scale = element("i", legend);
    element("span", legend, "", `100${PERCENT}`);
    this.mask = element("span", legend, "masked", "hatched: may not look");
    this.title = title;
  }

  build(rows, columns, room = CELL * 5) {
    this.svg.replaceChildren();
    this.cell = Math.max(12, Math.min(CELL, Math.floor(room / Math.max(rows.length, columns.length))));
    const { cell } = this;
    const left = 14 + 6.8 * Math.max(...rows.map((word) => word.length));
    const turned = cell < 30 || columns.some((word) => word.length * 6.8 > cell);
    this.top = turned ? 14 + 4.9 * Math.max(...columns.map((word) => word.length)) : 20;
    const wide = left + cell * columns.length + (turned ? 0.72 * this.top : 2);
    const high = this.top + cell * rows.length + 2;
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    this.svg.style.width = `${wide / 16}rem`;
    const hatch = drawn("pattern", drawn("defs", this.svg), { id: "forbidden", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
    this.ground = drawn("rect", hatch, { width: 6, height: 6 });
    this.stripes = drawn("path", hatch, { d: "M0 6L6 0", "stroke-width": 0.8 });
    columns.forEach((word, k) => {
      const x = left + (k + 0.5) * cell;
      const place = turned ? { transform: `translate(${x + 3} ${this.top - 6}) rotate(-45)` } : { x, y: this.top - 6, "text-anchor": "middle" };
      drawn("text", this.svg, { class: "label", ...place }).textContent = word;
    });
    this.cells = rows.map((word, q) => {
      const y = this.top + q * cell;
      drawn("text", this.svg, { class: "label", x: left - 6, y: y + cell / 2 + 4, "text-anchor": "end" }).textContent = word;
      return columns.map((_, k) => {
        const x = left + k * cell;
        const rect = drawn("rect", this.svg, { x, y, width: cell - 1, height: cell - 1 });
        const text = drawn("text", this.svg, { class: "in", x: x + (cell - 1) / 2, y: y + cell / 2 + 4, "text-anchor": "middle" });
        rect.addEventListener("click", () => this.choose(q));
        return { rect, text };
      });
    });
    this.frame = drawn("rect", this.svg, { class: "frame", x: left - 0.5, width: cell * columns.length, height: cell });
    this.rows = rows;
    this.columns = columns;
  }

  // weights and may [query][key].
  draw(weights, may, chosen, theme) {
    this.ground.setAttribute("fill", theme.hatch_ground);
    this.stripes.setAttribute("stroke", theme.hatch);
    this.scale.style.background = `linear-gradient(90deg, ${theme.weights.join(",")})`;
    let hidden = false;
    weights.forEach((row, q) =>
      row.forEach((weight, k) => {
        const { rect, text } = this.cells[q][k];
        const colour = shade(theme, weight);
        hidden ||= !may[q][k];
        rect.setAttribute("fill", may[q][k] ? colour.fill : "url(#forbidden)");
        rect.setAttribute("stroke", weight < 0.04 && may[q][k] ? theme.rule : "none");
        text.setAttribute("fill", colour.ink);
        text.textContent = may[q][k] && this.cell >= PRINTED ? String(Math.round(100 * weight)) : "";
      }),
    );
    this.mask.hidden = !hidden;
    this.frame.setAttribute("y", this.top + chosen * this.cell - 0.5);
    const lines = weights.map((row, q) => `${this.rows[q]}: ${row.map((weight, k) => `${this.columns[k]} ${may[q][k] ? share(weight) : "hidden"}`).join(", ")}`);
    this.svg.setAttribute("aria-label", `${this.title}. ${lines.join(". ")}.`);
  }
}
