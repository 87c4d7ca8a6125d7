// The numbers beside the plane: one row a key for the chosen query, and the whole matrix of weights small below it.

import { element } from "../shared/build.js";
import { shade } from "../shared/draw.js";
import { Matrix } from "./matrix.js";
import { pair, said, share } from "./sums.js";

export class Sheet {
  constructor(parent, choose) {
    this.table = element("table", element("div", parent, "scroller"), "sums");
    this.caption = element("caption", this.table);
    const head = element("tr", element("thead", this.table));
    for (const name of ["key", "q\u00b7k", "\u00f7 \u221a2", "weight", "weight \u00d7 v"]) element("th", head, "", name).scope = "col";
    this.body = element("tbody", this.table);
    this.foot = element("tfoot", this.table);
    this.matrix = new Matrix(parent, "All weights", "in % of a row: rows look, columns are looked at", choose);
  }

  build(words) {
    this.body.replaceChildren();
    this.foot.replaceChildren();
    this.rows = words.map((word) => {
      const row = element("tr", this.body);
      element("th", row, "", word).scope = "row";
      const cells = [1, 2, 3, 4].map(() => element("td", row));
      const bar = element("i", cells[2]);
      const value = element("span", cells[2]);
      return { row, cells, bar, value };
    });
    const row = element("tr", this.foot);
    const name = element("th", row, "", "output: their sum");
    name.scope = "row";
    name.colSpan = 3;
    this.total = element("td", row);
    this.output = element("td", row, "result");
    this.matrix.build(words, words);
  }

  draw(sums, chosen, words, theme) {
    const row = sums[chosen];
    this.caption.textContent = `\u201c${words[chosen]}\u201d looks: its query against each key`;
    this.rows.forEach(({ row: line, cells, bar, value }, at) => {
      const numbers = [row.product[at], row.score[at], row.weight[at], row.part[at]];
      numbers.forEach((number, n) => {
        cells[n].dataset.exact = JSON.stringify(number);
      });
      cells[0].textContent = said(row.product[at]);
      cells[1].textContent = row.may[at] ? said(row.score[at]) : "\u2212\u221e";
      bar.style.width = `${2.75 * row.weight[at]}rem`;
      bar.style.background = shade(theme, row.weight[at]).fill;
      value.textContent = share(row.weight[at]);
      cells[3].textContent = pair(row.part[at]);
      line.classList.toggle("hidden", !row.may[at]);
    });
    this.total.textContent = share(row.weight.reduce((sum, value) => sum + value, 0));
    this.output.textContent = pair(row.output);
    this.output.dataset.exact = JSON.stringify(row.output);
    this.matrix.draw(sums.map((one) => one.weight), sums.map((one) => one.may), chosen, theme);
  }
}
