// The numbers beside the plane: one row a key for the chosen query, and the whole matrix of weights small below it.
const CELL = 34;

class Sheet {
  constructor(parent, choose) {
    this.choose = choose;
    this.table = element("table", element("div", parent, "scroller"), "sums");
    this.caption = element("caption", this.table);
    const head = element("tr", element("thead", this.table));
    for (const name of ["key", "q\u00b7k", "\u00f7 \u221a2", "weight", "weight \u00d7 v"]) element("th", head, "", name).scope = "col";
    this.body = element("tbody", this.table);
    this.foot = element("tfoot", this.table);
    const figure = element("figure", parent, "matrix");
    const caption = element("figcaption", figure);
    element("b", caption, "", "All weights");
    caption.append(" in %: rows look, columns are looked at");
    this.svg = drawn("svg", figure, { role: "img" });
    const legend = element("div", figure, "legend");
    element("span", legend, "", "0");
    this.scale = element("i", legend);
    element("span", legend, "", "1 weight");
  }

  build(words) {
    this.body.replaceChildren();
    this.foot.replaceChildren();
    this.svg.replaceChildren();
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
    const left = 12 + 7 * Math.max(...words.map((word) => word.length));
    const top = 20;
    const side = CELL * words.length;
    this.svg.setAttribute("viewBox", `0 0 ${left + side + 2} ${top + side + 2}`);
    this.svg.style.width = `${(left + side + 2) / 16}rem`;
    const hatch = drawn("pattern", drawn("defs", this.svg), { id: "forbidden", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
    this.ground = drawn("rect", hatch, { width: 6, height: 6 });
    this.stripes = drawn("path", hatch, { d: "M0 6L6 0", "stroke-width": 0.8 });
    this.cells = words.map((word, q) => {
      drawn("text", this.svg, { class: "label", x: left - 6, y: top + (q + 0.5) * CELL + 4, "text-anchor": "end" }).textContent = word;
      drawn("text", this.svg, { class: "label", x: left + (q + 0.5) * CELL, y: top - 6, "text-anchor": "middle" }).textContent = word.length > 5 ? `${word.slice(0, 4)}\u2026` : word;
      return words.map((_, k) => {
        const rect = drawn("rect", this.svg, { x: left + k * CELL, y: top + q * CELL, width: CELL - 1, height: CELL - 1 });
        const text = drawn("text", this.svg, { class: "in", x: left + k * CELL + (CELL - 1) / 2, y: top + (q + 0.5) * CELL + 4, "text-anchor": "middle" });
        for (const it of [rect, text]) it.addEventListener("click", () => this.choose(q));
        return { rect, text };
      });
    });
    this.frame = drawn("rect", this.svg, { class: "frame", x: left - 0.5, width: side, height: CELL });
    this.top = top;
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
    this.ground.setAttribute("fill", theme.hatch_ground);
    this.stripes.setAttribute("stroke", theme.hatch);
    this.scale.style.background = `linear-gradient(90deg, ${theme.weights.join(",")})`;
    sums.forEach((one, q) =>
      one.weight.forEach((weight, k) => {
        const { rect, text } = this.cells[q][k];
        const colour = shade(theme, weight);
        rect.setAttribute("fill", one.may[k] ? colour.fill : "url(#forbidden)");
        rect.setAttribute("stroke", weight < 0.04 && one.may[k] ? theme.rule : "none");
        text.setAttribute("fill", colour.ink);
        text.textContent = one.may[k] ? String(Math.round(100 * weight)) : "";
      }),
    );
    this.frame.setAttribute("y", this.top + chosen * CELL - 0.5);
    const lines = sums.map((one, q) => `${words[q]}: ${one.weight.map((weight, k) => `${words[k]} ${one.may[k] ? share(weight) : "hidden"}`).join(", ")}`);
    this.svg.setAttribute("aria-label", `Weights. ${lines.join(". ")}.`);
  }
}
