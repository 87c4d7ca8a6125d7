// Surprisal: a bar for each token of a text, as high as the token was unexpected; and what was expected in its place.

import { button, dress, element, mounted, speak } from "../shared/build.js";

class Words {
  constructor(root) {
    this.box = element("section", root, "surprise");
    this.box.setAttribute("aria-label", "Surprisal, token by token");
    this.rows = element("div", this.box);
    this.rows.addEventListener("keydown", (event) => this.typed(event));
    this.rows.addEventListener("pointerleave", () => this.preview(null));
    element("p", this.box, "how", "Each bar is a token; its height is its surprisal in bits, \u2212log\u2082 of the probability that the model gave it: 1 bit for one in two, 10 bits for one in a thousand. Point at a token, or walk with the arrow keys, to see what was expected there; click keeps it.");
    this.says = element("p", this.box, "place-says");
    this.says.setAttribute("aria-live", "polite");
    this.list = element("div", this.box, "expected");
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    if (!this.data || this.data.version !== data.version) {
      this.chosen = data.at;
      this.hovered = null;
    }
    this.data = data;
    this.rows.replaceChildren();
    this.columns = data.rows.map((row, r) => {
      if (data.rows.length > 1) element("h3", this.rows, "", row.name);
      const line = element("div", element("div", this.rows, "scroller"), "bits-row");
      return row.tokens.map((token, n) => {
        const made = button(line, `token ${token.kind}${token.special ? " special" : ""}${token.joins ? " joins" : ""}`, "", () => {
          this.chosen = [r, n];
          this.hovered = null;
          this.mark();
        });
        const space = element("span", made, "bar-space");
        element("small", space, "", token.bits === null ? "" : token.bits.toFixed(1));
        element("i", space).style.height = `${token.bits === null ? 0 : Math.max(1, (100 * token.bits) / data.top) * 0.76}%`;
        element("bdi", made, "", token.text);
        made.setAttribute("aria-label", `${token.text}: ${token.bits === null ? "nothing announced it" : `${token.bits.toFixed(1)} bits`}`);
        made.addEventListener("pointerenter", () => this.preview([r, n]));
        made.addEventListener("focus", () => this.preview([r, n]));
        return made;
      });
    });
    this.mark();
  }

  preview(place) {
    if (String(place) === String(this.hovered)) return;
    this.hovered = place;
    this.mark();
  }

  typed(event) {
    const [r, n] = this.hovered || this.chosen;
    const to = { ArrowLeft: [r, n - 1], ArrowRight: [r, n + 1], ArrowUp: [r - 1, n], ArrowDown: [r + 1, n] }[event.key];
    if (!to) return;
    event.preventDefault();
    const found = this.columns[to[0]]?.[to[1]];
    if (found) found.focus();
  }

  mark() {
    const [r, n] = this.hovered || this.chosen;
    this.columns.forEach((row, at) => row.forEach((made, place) => {
      made.classList.toggle("here", at === r && place === n);
      made.setAttribute("aria-pressed", String(String([at, place]) === String(this.chosen)));
    }));
    const token = this.data.rows[r].tokens[n];
    this.says.replaceChildren();
    this.list.replaceChildren();
    if (token.bits === null) {
      speak(this.says, ["Nothing comes before the first token, so nothing announced it."]);
      return;
    }
    const rank = token.rank ? `its choice number ${token.rank}` : `not among its first ${token.listed} choices`;
    speak(this.says, ["The model gave \u201c", [token.text], "\u201d ", [token.said], `: ${token.bits.toFixed(2)} bits. It was ${rank}. It expected:`]);
    for (const one of token.top) {
      const row = element("div", this.list, `row${one.text === token.text ? " mine" : ""}`);
      element("bdi", row, "", one.text);
      element("i", element("span", row, "bars")).style.width = `${100 * one.share}%`;
      element("span", row, "said", one.said);
    }
  }
}

export default mounted(Words);
