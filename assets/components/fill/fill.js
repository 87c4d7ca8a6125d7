// Fill-mask: click a word to hide it; what fits there, and where the mask looks.

import { Looks } from "../rows/rows.js";
import { button, dress, element, mounted } from "../shared/build.js";

class Fill {
  constructor(root) {
    this.box = element("section", root, "fill");
    this.box.setAttribute("aria-label", "Fill-mask");
    this.words = element("div", this.box, "words");
    element("p", this.box, "how", "Click a word to hide it behind the mask, click again to show it. The model reads both sides of a mask at once.");
    this.tabs = element("div", this.box, "tabs");
    this.tabs.setAttribute("role", "group");
    this.tabs.setAttribute("aria-label", "Which mask");
    this.panes = element("div", this.box, "panes");
    const left = element("div", this.panes);
    element("h3", left, "", "What fits here");
    this.says = element("p", left, "how");
    this.list = element("div", left, "candidates");
    element("p", left, "how", "Click a token to write it into the text.");
    const right = element("div", this.panes);
    this.looks = new Looks(right, (_, key) => this.light(key));
    this.watch = new ResizeObserver(() => this.looks.draw());
    this.watch.observe(this.box);
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    if (!this.data || this.data.version !== data.version) this.place = data.focus;
    this.data = data;
    this.draw();
  }

  light(key) {
    this.bdis.forEach((made, n) => made.classList.toggle("lit", n === key));
  }

  draw() {
    const { tokens, places, version } = this.data;
    this.words.replaceChildren();
    this.bdis = [];
    let holder = null;
    tokens.forEach((token) => {
      if (!(token.joins && holder)) {
        const hidden = token.masked;
        if (token.word === undefined) holder = element("span", this.words, "word special");
        else {
          holder = button(this.words, `word${hidden ? " masked" : ""}`, "", () => this.turns.next().send("word", { version, word: token.word }));
          holder.setAttribute("aria-pressed", String(Boolean(hidden)));
          holder.title = hidden ? "show this word" : "hide this word";
        }
      }
      const made = element("span", holder, `chip${token.special ? " special" : ""}`);
      element("bdi", made, "", token.masked ? this.data.mask : token.text);
      element("small", made, "", token.masked ? `was ${token.text}` : "\u00a0");
      this.bdis.push(made);
    });
    this.tabs.replaceChildren();
    this.tabs.hidden = places.length < 2;
    places.forEach((place, n) => {
      const made = button(this.tabs, "tab", `${this.data.mask} was \u201c${place.was}\u201d`, () => {
        this.place = n;
        this.draw();
      });
      made.setAttribute("aria-pressed", String(n === this.place));
    });
    this.panes.hidden = !places.length;
    if (!places.length) return;
    const place = places[this.place];
    this.says.textContent = `\u201c${place.was}\u201d stood here: the model gives it ${place.said}, its choice number ${place.rank.toLocaleString("en")} of ${place.of.toLocaleString("en")}.`;
    this.list.replaceChildren();
    const most = place.candidates[0].share;
    for (const one of place.candidates) {
      const row = button(this.list, `candidate${one.was ? " chosen" : ""}`, "", () => this.turns.next().send("put", { version, place: place.at, id: one.id }));
      element("bdi", row, "", one.text);
      element("i", element("span", row, "bars")).style.width = `${(100 * one.share) / most}%`;
      element("span", row, "said", one.said);
    }
    const names = tokens.map((token) => ({ ...token, text: token.masked ? this.data.mask : token.text }));
    this.looks.show(place.looks, { encoder: names }, this.theme);
  }
}

export default mounted(Fill);
