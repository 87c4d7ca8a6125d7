// The decoder's account: one residual stream, what each box adds to it and to the written token's logit, and what is inside a box.

import { dress, element, mounted } from "../shared/build.js";
import { shade } from "../shared/draw.js";

const REST = 800; // ms without a click or a key, after which the page is told what is looked into
const ACCENT = { embedding: "--ink3", own: "--decoder", cross: "--cross", ff: "--ink3", output: "--ink3" };

const HOW = [
  ["Click a box to look inside; \u2191 \u2193 move along the boxes, \u2190 \u2192 along the steps. "], ["Adds", true],
  [" compares lengths of vectors, \u221a(sum of squares). "], ["Direct logit attribution", true],
  [": how much of the written token\u2019s logit, counted above the mean logit of all tokens, this box alone adds, what the final normalisation divides by held fixed; ochre: it takes away. "],
  ["Lost without it", true], [": what the same logit really loses when the box is left out for every token and the model is run again, later boxes and all. The two need not agree: a later box may make up for one that is gone, or may have needed it. "],
  ["Logit lens", true], [": what the decoder would write if it ended here: its last norm and output layer read the unfinished residual stream, for which they were never trained."],
];

class Account {
  constructor(root) {
    this.box = element("section", root, "account");
    this.pick = element("div", this.box, "pick");
    this.pick.setAttribute("role", "group");
    this.pick.setAttribute("aria-label", "Which step: the token that is written");
    this.summary = element("p", this.box, "summary");
    this.summary.setAttribute("aria-live", "polite");
    const panes = element("div", this.box, "panes");
    const left = element("div", panes);
    this.ledger = element("div", left);
    this.how = element("p", left, "how below");
    for (const [text, strong] of HOW) this.how.append(strong ? Object.assign(document.createElement("b"), { textContent: text }) : text);
    this.panel = element("div", panes, "panel");
    this.panel.setAttribute("aria-live", "polite");
    this.resting = null;
    this.pick.addEventListener("keydown", (event) => this.typed(event, "ArrowLeft", "ArrowRight", this.step, this.data.steps.length, (to) => {
      this.choose({ step: to });
      this.pick.querySelectorAll("button")[to].focus();
    }));
    this.ledger.addEventListener("keydown", (event) => this.typed(event, "ArrowUp", "ArrowDown", this.at, this.data.boxes.length, (to) => {
      this.choose({ at: to });
      this.ledger.querySelectorAll("button")[to].focus();
    }));
  }

  open(data, theme) {
    this.theme = theme;
    dress(this.box, theme);
    this.box.style.setProperty("--less", theme.change[1]);
    this.box.style.setProperty("--more", theme.change[7]);
    if (this.turns.news({ own: data.own })) {
      clearTimeout(this.resting);
      this.step = data.step;
      const first = data.steps[data.step].rows.slice(0, -1);
      this.at = data.box >= 0 ? data.box : first.reduce((a, row, n) => (row.attribution > first[a].attribution ? n : a), 0);
    }
    this.data = data;
    this.draw();
  }

  // Looked into at once, from what is held here. Once it rests, the page is told, so that the link opens it again.
  choose(change) {
    Object.assign(this, change);
    this.turns.next();
    this.draw();
    const { version } = this.data;
    const [step, box] = [this.step, this.at];
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.turns.send("spot", { version, step, box }), REST);
  }

  close() {
    clearTimeout(this.resting);
  }

  typed(event, back, on, at, count, go) {
    const to = { [back]: at - 1, [on]: at + 1, Home: 0, End: count - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(Math.max(0, Math.min(count - 1, to)));
  }

  draw() {
    const { data, theme } = this;
    const step = data.steps[this.step];
    this.pick.replaceChildren();
    element("span", this.pick, "name", "Step that writes");
    data.steps.forEach((one, n) => {
      const made = element("button", this.pick, `${n === this.step ? "on" : ""}${one.free ? " free" : ""}`, one.writes);
      made.type = "button";
      made.tabIndex = n === this.step ? 0 : -1;
      made.setAttribute("aria-pressed", String(n === this.step));
      made.addEventListener("click", () => {
        this.choose({ step: n });
        this.pick.querySelectorAll("button")[n].focus();
      });
    });
    const best = step.rows.slice(0, -1).reduce((a, row, n, rows) => (row.attribution > rows[a].attribution ? n : a), 0);
    const place = data.boxes[best];
    const say = (text, strong) => this.summary.append(strong ? Object.assign(document.createElement("b"), { textContent: text }) : text);
    this.summary.replaceChildren();
    say("It has read \u201c");
    say(step.reads, true);
    say(step.free ? "\u201d and would write \u201c" : "\u201d and is to write \u201c");
    say(step.writes, true);
    say("\u201d. What adds most to its logit by itself: ");
    say(`${place.title.toLowerCase()}${place.layer ? `, layer ${place.layer}` : ""}`, true);
    const { attributionSaid, effect, effectSaid } = step.rows[best];
    const without = best && effect ? `; without it ${effectSaid.slice(1)} would be ${effect > 0 ? "lost" : "gained"}` : "";
    say(`, ${attributionSaid} of the ${step.aboveMean} above the mean logit${without}.`);
    this.drawLedger(step);
    this.drawPanel(step, theme);
  }

  drawLedger(step) {
    const { data } = this;
    this.ledger.replaceChildren();
    const head = element("div", this.ledger, "head");
    for (const text of ["", "box: click to look inside", "adds: its length as % of the residual stream\u2019s after it", `logit of \u201c${step.writes}\u201d: direct attribution; outlined: lost without the box`, "logit lens: would write, if it stopped here"]) element("span", head, "", text);
    const values = step.rows.slice(0, -1).flatMap((row) => [row.attribution, row.effect ?? 0]);
    const low = Math.min(0, ...values);
    const span = Math.max(Math.max(0, ...values) - low, 1e-9);
    const widest = Math.max(1, ...step.rows.slice(0, -1).map((row) => row.share));
    let layer = 0;
    data.boxes.forEach((box, n) => {
      if (box.layer && box.layer !== layer) {
        layer = box.layer;
        element("div", this.ledger, "layer", `layer ${layer}`);
      }
      const row = step.rows[n];
      const line = element("button", this.ledger, `line${n === this.at ? " on" : ""}`);
      line.type = "button";
      line.tabIndex = n === this.at ? 0 : -1;
      line.setAttribute("aria-pressed", String(n === this.at));
      line.style.setProperty("--accent", `var(${ACCENT[box.part]})`);
      element("span", line, "node", box.part === "output" ? "" : "+").setAttribute("aria-hidden", "true");
      element("span", line, "box", box.title);
      line.addEventListener("click", () => {
        this.choose({ at: n });
        this.ledger.querySelectorAll("button")[n].focus({ preventScroll: true });
        // where the inside stands below the boxes, it would open out of sight
        if (this.panel.getBoundingClientRect().top > innerHeight - 120) {
          this.panel.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
        }
      });
      if (row.candidates) {
        line.setAttribute("aria-label", `${box.title}: ${row.says}`);
        return;
      }
      const gauge = element("span", line, "gauge");
      element("i", gauge).style.width = `${(100 * row.share) / widest}%`;
      element("span", gauge, "", row.shareSaid);
      const attribution = element("span", line, "attribution");
      for (const [value, said, kind] of [[row.attribution, row.attributionSaid, ""], [row.effect, row.effectSaid, " effect"]]) {
        if (value === null) continue;
        const axis = element("span", attribution, "axis");
        axis.style.setProperty("--zero", `${(-100 * low) / span}%`);
        const bar = element("i", axis, (value < 0 ? "less" : "more") + kind);
        bar.style.width = `${(100 * Math.abs(value)) / span}%`;
        bar.style.left = `${(100 * (Math.min(value, 0) - low)) / span}%`;
        element("span", attribution, "", said);
      }
      const lens = element("span", line, `lens${row.right ? " right" : ""}`);
      lens.dataset.name = "logit lens";
      lens.append("\u201c");
      element("b", lens, "", row.lens);
      lens.append(`\u201d ${row.lensSaid}`);
      line.setAttribute("aria-label", `${box.title}${box.layer ? `, layer ${box.layer}` : ""}: adds ${row.shareSaid} of the residual stream, direct logit attribution to ${step.writes} ${row.attributionSaid}${row.effect === null ? "" : `, lost without the box ${row.effectSaid}`}; logit lens ${row.lens}, ${row.lensSaid}`);
    });
  }

  drawPanel(step, theme) {
    const box = this.data.boxes[this.at];
    const row = step.rows[this.at];
    this.panel.replaceChildren();
    element("h3", this.panel, "", box.title + (box.layer ? `, layer ${box.layer}` : ""));
    element("p", this.panel, "how", row.says);
    if (row.map) this.drawMap(row.map, theme);
    const chain = element("ol", this.panel, "chain");
    for (const [name, shape, numbers] of row.stages) {
      const item = element("li", chain);
      element("span", item, "", `${name} `);
      element("span", item, "shape", `[${shape}]`);
      if (numbers.length) element("span", item, "numbers", `${numbers.join("  ")} \u2026`);
    }
    if (!row.candidates) element("p", this.panel, "how", `Length of what is added: ${row.adds}. Length of the residual stream after it: ${row.after}. By the logit lens the written token has ${row.lensWritten} here.`);
    if (row.candidates) {
      const most = Math.max(...row.candidates.map((one) => one.share), 1e-9);
      for (const one of row.candidates) {
        const line = element("div", this.panel, `candidate${one.here ? " here" : ""}`);
        element("bdi", line, "", one.text);
        element("i", line).style.width = `${(100 * one.share) / most}%`;
        element("span", line, "", one.said);
      }
    }
  }

  drawMap(map, theme) {
    element("p", this.panel, "how", "Where it looks, in % of each head\u2019s attention:");
    const scroller = element("div", this.panel, "scroller");
    scroller.tabIndex = 0;
    const table = element("table", scroller);
    table.setAttribute("aria-label", "Where it looks: tokens down, heads across");
    const head = element("tr", element("thead", table));
    element("td", head);
    map.weights.forEach((_, h) => (element("th", head, "", `head ${h + 1}`).scope = "col"));
    const body = element("tbody", table);
    map.names.forEach((name, k) => {
      const row = element("tr", body);
      element("th", row, "", name).scope = "row";
      for (const weights of map.weights) {
        const colour = shade(theme, weights[k]);
        const cell = element("td", row, "", weights[k] >= 0.005 ? `${Math.round(100 * weights[k])}` : "0");
        cell.style.background = colour.fill;
        cell.style.color = colour.ink;
      }
    });
    const legend = element("div", this.panel, "legend");
    legend.append("0");
    element("i", legend).style.background = `linear-gradient(90deg, ${theme.weights.join(",")})`;
    legend.append("100 %");
  }
}

export default mounted(Account);
