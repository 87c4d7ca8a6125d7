// A real head in the plane, beside what it really does. Nothing is computed here: every number came from the server once, and
// choosing who looks is a matter of this page alone.

import { dress, element } from "../shared/build.js";
import { shade } from "../shared/draw.js";
import { THEMES } from "../shared/themes.js";
import { Matrix } from "./matrix.js";
import { Plane } from "./plane.js";
import { said, share } from "./sums.js";

class Head {
  constructor(root) {
    this.box = element("section", root, "hand real");
    this.box.setAttribute("aria-label", "A real head in two dimensions");
    this.lead = element("p", this.box, "lead");
    this.lead.setAttribute("aria-live", "polite");
    this.words = element("div", element("div", this.box, "tools"), "words");
    this.words.setAttribute("role", "group");
    this.words.setAttribute("aria-label", "Which token looks");
    this.panes = element("div", this.box, "panes");
    this.maps = element("div", this.box, "pair");
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  open(data) {
    const same = this.data && this.data.version === data.version;
    this.data = data;
    if (same) return this.draw();
    this.chosen = data.chosen;
    this.panes.replaceChildren();
    this.words.replaceChildren();
    this.chips = data.queries.map((word, at) => {
      const made = element("button", this.words);
      made.type = "button";
      if (at < 9) element("small", made, "", String(at + 1));
      element("bdi", made, "", word);
      made.addEventListener("click", () => this.choose(at));
      return made;
    });
    this.left = new Plane(this.panes, "Query and keys", data.reach[0]);
    this.right = new Plane(this.panes, "Values and output", data.reach[1]);
    this.right.says.textContent = ", measured from the values\u2019 mean";
    this.left.arrow("q", "query", false);
    data.keys.forEach((_, at) => {
      this.left.arrow(`k${at}`, "key", false);
      this.right.arrow(`v${at}`, "value", false);
    });
    this.right.arrow("output", "output", false);
    const numbers = element("div", this.panes, "numbers");
    this.table = element("table", element("div", numbers, "scroller"), "sums");
    this.caption = element("caption", this.table);
    const head = element("tr", element("thead", this.table));
    for (const name of ["key", "score here", "in the head", "weight here", "in the head"]) element("th", head, "", name).scope = "col";
    const body = element("tbody", this.table);
    this.rows = data.keys.map((word) => {
      const row = element("tr", body);
      element("bdi", element("th", row), "", word).parentNode.scope = "row";
      return { row, cells: [0, 1, 2, 3].map(() => element("td", row)) };
    });
    this.maps.replaceChildren();
    this.here = new Matrix(this.maps, "In the plane", "", (at) => this.choose(at));
    this.own = new Matrix(this.maps, "The head itself", "", (at) => this.choose(at));
    for (const matrix of [this.here, this.own]) matrix.build(data.queries, data.keys, 300);
    element("p", this.maps, "how", data.says);
    this.draw();
  }

  choose(at) {
    this.chosen = at;
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key >= "1" && event.key <= "9")) return;
    if (Number(event.key) > this.data.queries.length) return;
    this.choose(Number(event.key) - 1);
    event.preventDefault();
  }

  draw() {
    const { data, theme, chosen } = this;
    dress(this.box, theme);
    this.box.style.setProperty("--accent", theme[data.stream]);
    this.chips.forEach((chip, at) => chip.setAttribute("aria-pressed", String(at === chosen)));
    const [here, own, may] = [data.weight[chosen], data.own[chosen], data.may[chosen]];
    const word = data.queries[chosen];
    this.left.says.textContent = ` of \u201c${word}\u201d`;
    this.left.move("q", data.q[chosen], `q of ${word}`);
    data.keys.forEach((name, at) => {
      const label = !may[at] ? `${name} hidden` : here[at] >= 0.1 || data.keys.length <= 6 ? `${name} ${share(here[at])}` : name;
      this.left.move(`k${at}`, data.k[at], label);
      this.right.move(`v${at}`, data.v[at], name);
      const key = this.left.arrows.get(`k${at}`);
      key.disc.setAttribute("fill", may[at] ? shade(theme, here[at]).fill : theme.hatch_ground);
      for (const it of [key, this.right.arrows.get(`v${at}`)]) it.group.classList.toggle("hidden", !may[at]);
      const { row, cells } = this.rows[at];
      row.classList.toggle("hidden", !may[at]);
      [data.score[chosen][at], data.centred[chosen][at], here[at], own[at]].forEach((value, n) => {
        cells[n].dataset.exact = JSON.stringify(value);
        cells[n].textContent = n > 1 ? share(value) : may[at] ? said(value) : "\u2212\u221e";
      });
    });
    this.right.move("output", data.output[chosen], "output");
    this.left.settle();
    this.right.settle();
    this.caption.textContent = `\u201c${word}\u201d looks: the plane\u2019s numbers beside the head\u2019s own`;
    this.here.draw(data.weight, data.may, chosen, theme);
    this.own.draw(data.own, data.may, chosen, theme);
    const [most, really] = [here, own].map((row) => row.indexOf(Math.max(...row)));
    this.lead.replaceChildren();
    const bold = (text) => element("b", this.lead, "", text);
    this.lead.append("In the plane \u201c");
    bold(word);
    this.lead.append("\u201d looks most at \u201c");
    bold(data.keys[most]);
    this.lead.append("\u201d (");
    bold(share(here[most]));
    this.lead.append(most === really ? "); the head itself gives it " : `); the head itself looks most at \u201c${data.keys[really]}\u201d, with `);
    bold(share(own[really]));
    this.lead.append(".");
  }
}

const heads = new WeakMap();

export default function ({ data, parentElement }) {
  const scheme = getComputedStyle(parentElement.host || parentElement).colorScheme;
  if (!heads.has(parentElement)) heads.set(parentElement, new Head(parentElement));
  const head = heads.get(parentElement);
  head.theme = THEMES[data.theme || (scheme.includes("dark") ? "dark" : "light")];
  head.open(data);
  return () => {
    head.box.remove();
    heads.delete(parentElement);
  };
}
