// A text and what each of its tokens cost two models in bits. Pointing at a token shows what they had expected there.

import { dress, element, mounted } from "../shared/build.js";
import { shade } from "../shared/draw.js";

class Surprisal {
  constructor(root) {
    this.box = element("section", root, "surprisal");
    this.keys = element("div", this.box, "keys");
    this.row = element("div", this.box, "row");
    this.row.setAttribute("role", "group");
    this.row.setAttribute("aria-label", "The text, token by token, with what each cost in bits. Arrow keys move along it.");
    this.summary = element("p", this.box, "summary");
    this.summary.setAttribute("aria-live", "polite");
    this.lists = element("div", this.box, "lists");
    this.how = element("p", this.box, "how");
    this.row.addEventListener("keydown", (event) => this.typed(event));
    this.row.addEventListener("pointerleave", () => this.show(this.locked));
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    if (!this.data || this.data.version !== data.version) this.locked = data.focus;
    this.data = data;
    this.drawKeys();
    this.drawRow();
    this.show(this.locked);
  }

  drawKeys() {
    this.keys.replaceChildren();
    const key = (kind, text) => {
      const made = element("span", this.keys);
      element("i", made, kind);
      made.append(text);
      return made;
    };
    key("ours", `bits it cost ${this.data.names[0]}`);
    if (this.data.two) key("theirs", `bits it cost ${this.data.names[1]}`);
    const scale = element("span", this.keys);
    scale.append("token: 0");
    element("i", scale, "scale").style.background = `linear-gradient(90deg, ${this.theme.weights.join(",")})`;
    scale.append(`${this.data.ceiling} bits or more`);
  }

  drawRow() {
    this.row.replaceChildren();
    this.places = this.data.tokens.map((token, at) => {
      const judged = token.ours && token.ours.bits !== null;
      const kind = token.next ? "next" : judged ? (token.written ? "written" : "") : "given";
      const made = element("button", this.row, `place ${kind}${token.joins ? " joins" : ""}`);
      made.type = "button";
      made.tabIndex = at === this.locked ? 0 : -1;
      const bars = element("span", made, "bars");
      for (const side of ["ours", "theirs"]) {
        if (!token[side] || token[side].bits === null) continue;
        element("i", bars, side).style.height = `${(100 * Math.min(token[side].bits, this.data.reach)) / this.data.reach}%`;
      }
      const word = element("bdi", made, "word", token.text);
      if (judged) {
        const colour = shade(this.theme, token.ours.bits / this.data.ceiling);
        word.style.background = colour.fill;
        word.style.color = colour.ink;
      }
      element("b", element("span", made, "cost"), "", judged ? token.ours.bitsSaid : token.next ? "next" : "given");
      if (this.data.two) element("span", made, "cost theirs", token.theirs && token.theirs.bits !== null ? token.theirs.bitsSaid : "\u00a0");
      made.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.show(at));
      made.addEventListener("click", () => this.lock(at));
      return made;
    });
  }

  typed(event) {
    const last = this.places.length - 1;
    const to = { ArrowRight: this.locked + 1, ArrowLeft: this.locked - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.lock(Math.max(0, Math.min(last, to)));
    this.places[this.locked].focus();
  }

  lock(at) {
    this.places[this.locked].tabIndex = -1;
    this.locked = at;
    this.places[at].tabIndex = 0;
    this.show(at);
  }

  show(at) {
    this.places.forEach((place, n) => {
      place.classList.toggle("on", n === at);
      place.setAttribute("aria-pressed", String(n === at));
    });
    const token = this.data.tokens[at];
    this.summary.replaceChildren();
    const say = (text, strong) => this.summary.append(strong ? Object.assign(document.createElement("b"), { textContent: text }) : text);
    const quote = (text) => { say("\u201c"); say(text, true); say("\u201d"); };
    if (!token.ours) {
      quote(token.text);
      say(` ${this.data.given}`);
    } else if (token.next) {
      say(`The text ends here. ${this.data.names[0]} expects \u201c`);
      say(token.ours.rows[0].text, true);
      say("\u201d most, with ");
      say(token.ours.rows[0].said, true);
      if (token.theirs) {
        say(`; ${this.data.names[1]} expects \u201c`);
        say(token.theirs.rows[0].text, true);
        say("\u201d, with ");
        say(token.theirs.rows[0].said, true);
      }
      say(".");
    } else {
      say(`${this.data.names[0]} gave `);
      quote(token.text);
      say(" a probability of ");
      say(token.ours.said, true);
      say(", so it cost ");
      say(`${token.ours.bitsSaid} bits`, true);
      if (token.theirs) {
        say(`. ${this.data.names[1]} gave it `);
        say(token.theirs.said, true);
        say(": ");
        say(`${token.theirs.bitsSaid} bits`, true);
      }
      say(".");
    }
    if (token.counted) say(` ${token.counted}`);
    this.lists.replaceChildren();
    for (const [side, n] of [["ours", 0], ["theirs", 1]]) {
      if (!token[side]) continue;
      const list = element("div", this.lists);
      list.style.setProperty("--accent", side === "ours" ? "var(--decoder)" : "var(--ink3)");
      element("h3", list, "", `${this.data.names[n]} expected here`);
      const most = Math.max(...token[side].rows.map((row) => row.share), 1e-9);
      for (const row of token[side].rows) {
        const line = element("div", list, `line${row.here ? " here" : ""}`);
        element("bdi", line, "", row.text);
        element("i", line).style.width = `${(100 * row.share) / most}%`;
        element("span", line, "", row.rank ? `${row.said} \u00b7 ${row.rank}` : row.said);
      }
    }
    this.how.textContent = "Point at a token, or tap it, to see what was expected there; a click keeps it, the arrow keys move along the text. Bold: the token that stood there.";
  }
}

export default mounted(Surprisal);
