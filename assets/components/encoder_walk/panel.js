// What one box did to the chosen token: its vectors as strips, its numbers in words.

import { element } from "../shared/build.js";
import { group, limitOf, number, paint, percent, pick, ramp, say, term } from "./strips.js";

// A token that stands twice in a text is told apart by its place.
export function named(data, position) {
  const { text } = data.tokens[position];
  return data.tokens.filter((one) => one.text === text).length > 1 ? `${text} (${position + 1})` : text;
}

export function heading(parent, title, qualifier) {
  const made = element("h3", parent, "over", title);
  if (qualifier) element("span", made, "", ` ${qualifier}`);
}

export const PANELS = {
  embedding(p, { data, at, word, token }) {
    const row = pick(data, "embedding", at);
    heading(p, "Embedding", `of ${word}`);
    say(p, `A *vector* is a list of numbers. A table learned in training holds one for each of the ${data.vocab} tokens the model knows; ` +
      `row ${data.tokens[token].id} is the *embedding* of ${word}: *${data.d} numbers*, each times \u221a${data.d} = ${number(Math.sqrt(data.d))}.`);
    group(p, data.theme, [["embedding", row]], (i) => number(row[i], 4));
    nearest(p, data, token, word);
  },
  place(p, { data, at, word, token }) {
    const row = pick(data, "place", at);
    heading(p, "Position", `of ${word}: place ${token + 1}`);
    if (!data.position) {
      say(p, "This model adds no position vector: every number is 0.");
      return;
    }
    if (!data.waves) {
      say(p, "The table does not know where a token stands, so each place has a vector of its own, learned in training.");
      group(p, data.theme, [["position", row]], (i) => number(row[i], 4));
      return;
    }
    say(p, `The table does not know where a token stands, so each place has a vector of its own. It is not learned: pairs of waves, ` +
      `sin and cos of (place \u2212 1) / 10000^(2i / ${data.d}) for the pairs i = 0, 1, 2, \u2026, fast on the left, slow on the right. The same word elsewhere gets another sum.`);
    group(p, data.theme, [["position", row]], (i) => {
      const speed = 10000 ** (-(2 * Math.floor(i / 2)) / data.d);
      return `${i % 2 ? "cos" : "sin"}(${token} \u00b7 ${speed.toPrecision(3)}) = ${number(row[i], 4)}`;
    });
  },
  sum0(p, { data, at, word }) {
    const [a, b, sum] = [pick(data, "embedding", at), pick(data, "place", at), pick(data, "stream", 0, at)];
    heading(p, "Embedding + position", `of ${word}`);
    say(p, `Added number by number. From here on this is the *residual stream* of ${word}: every further box ` +
      "reads it and adds to it; none replaces it, though what is added can cancel what was there.");
    group(p, data.theme, [["embedding", a], ["+ position", b], ["= residual stream", sum]], (i) => `${number(a[i])} + ${term(b[i])} = ${number(sum[i])}`);
  },
  norm1(p, it) {
    normalised(p, it, 0, pick(it.data, "stream", it.layer, it.at), "standard", "normed", "Attention");
  },
  qkv(p, { data, at, layer, head, word }) {
    const [q, k, v] = ["query", "key", "value"].map((name) => pick(data, name, layer, at, head));
    heading(p, "Query, key, value", `of ${word} in head ${head + 1}`);
    say(p, `Three learned tables turn the normalised vector into a *query* (what ${word} looks for), a *key* (what it can be found by) and a ` +
      `*value* (what it hands over). Each is cut into ${data.heads} parts of ${data.headD} numbers, one a *head*: ${data.heads} small attentions work side by side.`);
    group(p, data.theme, [["query", q], ["key", k], ["value", v]], (i) => `query ${number(q[i])}, key ${number(k[i])}, value ${number(v[i])}`);
  },
  map(p, it) {
    const { data, at, layer, head, token, word } = it;
    const n = data.tokens.length;
    const pattern = pick(data, "pattern", layer, head);
    const row = pattern.subarray(token * n, (token + 1) * n);
    const out = pick(data, "joined", layer, at).subarray(head * data.headD, (head + 1) * data.headD);
    const strongest = Array.from(row.keys()).sort((a, b) => row[b] - row[a]).slice(0, 6);
    heading(p, `Head ${head + 1}`, `row of ${word}`);
    say(p, `The query of ${word} times the key of each token (number by number, all added up), divided by \u221a${data.headD}; then *e* to the power of each, divided by the sum of all (softmax): the *attention weights*, which add up to 1. ` +
      `The values of all tokens, each times its weight, add up to the head\u2019s answer for ${word}: ${data.headD} numbers.`);
    const sides = element("div", p, "sides");
    bigMap(sides, it, pattern);
    const right = element("div", sides);
    bars(right, strongest.map((key) => [named(data, key), row[key]]), percent);
    group(right, data.theme, [["answer", out]], (i) => number(out[i], 4));
  },
  join(p, { data, at, layer, word }) {
    const joined = pick(data, "joined", layer, at);
    heading(p, "Join the heads", `for ${word}`);
    say(p, `The answers of the ${data.heads} heads are put side by side (*concatenated*), nothing is computed: ${data.heads} \u00d7 ${data.headD} = *${data.d}* numbers again.`);
    group(p, data.theme, [["joined", joined]], (i) => `from head ${Math.floor(i / data.headD) + 1}: ${number(joined[i], 4)}`, data.heads);
  },
  mix(p, { data, at, layer, word }) {
    const [joined, mixed] = [pick(data, "joined", layer, at), pick(data, "mixed", layer, at)];
    heading(p, "Mix them", `for ${word}`);
    say(p, `One more learned table, W_O, of ${data.d} \u00d7 ${data.d}: every new number is a weighted sum of all ${data.d} joined ones, so what the heads found is combined.`);
    group(p, data.theme, [["joined", joined], ["mixed", mixed]], (i) => `joined ${number(joined[i])}, after W_O ${number(mixed[i])}`);
  },
  sum1(p, it) {
    added(p, it, pick(it.data, "stream", it.layer, it.at), "mixed", "summed", 0, "attention");
  },
  norm2(p, it) {
    normalised(p, it, 1, pick(it.data, "summed", it.layer, it.at), "standard2", "normed2", "The feed-forward network");
  },
  neurons(p, { data, at, layer, token, word }) {
    const fired = pick(data, "fired", layer, at);
    const fires = pick(data, "firing", layer)[token];
    const limit = limitOf(fired);
    heading(p, "Feed-forward neurons", `at ${word}`);
    say(p, "The *feed-forward* network treats each token alone. A *neuron* multiplies the normalised vector, number by number, with numbers it has learned, and adds " +
      `up, with a number of its own. If the sum is above 0 it *fires* with that value; if not it gives 0. *${fires} of ${data.dff}* fire here (${percent(fires / data.dff)}).`);
    const sides = element("div", p, "sides");
    const left = element("div", sides, "field");
    ramp(left, data.theme, "weights", limit, "value");
    const canvas = element("canvas", left, "neurons");
    paint(canvas, fired, 48, data.theme, "weights", limit);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${fires} of ${data.dff} neurons fire; the strongest stand in the table`);
    const reading = element("p", left, "reading", `Each cell is a neuron, 48 in a row. Point at one to read it.`);
    const read = (event) => {
      const { left: x, top: y, width, height } = canvas.getBoundingClientRect();
      const place = Math.floor((48 * (event.clientX - x)) / width) + 48 * Math.floor((Math.ceil(data.dff / 48) * (event.clientY - y)) / height);
      if (place >= 0 && place < data.dff) reading.textContent = `Neuron ${place + 1}: ${fired[place] > 0 ? number(fired[place], 4) : "0, does not fire"}`;
    };
    canvas.addEventListener("pointermove", read);
    canvas.addEventListener("pointerdown", read);
    const some = data.neurons[layer][at];
    if (!some.length) {
      say(sides, `No neuron fires at ${word} in this layer: the network adds only its constant.`);
      return;
    }
    const table = element("table", element("div", sides, "scroller"));
    element("caption", table, "", `The ${some.length === 1 ? "one that fires" : `${some.length} strongest`}, and the tokens of this text that fire them most`);
    const top = element("tr", element("thead", table));
    for (const name of ["neuron", "value here", "fires most at"]) element("th", top, "", name).scope = "col";
    const body = element("tbody", table);
    for (const [place, value, most] of some) {
      const line = element("tr", body);
      element("th", line, "", String(place + 1)).scope = "row";
      element("td", line, "", number(value));
      element("td", line, "who", most.map(([p2, v]) => `${named(data, p2)} ${number(v)}`).join(" \u00b7 "));
    }
  },
  back(p, { data, at, layer, word }) {
    const fed = pick(data, "fed", layer, at);
    heading(p, `Back to ${data.d} numbers`, `for ${word}`);
    say(p, `Each firing neuron adds its own learned list of ${data.d} numbers, times its value (table W\u2082, ${data.dff} \u00d7 ${data.d}); a constant list comes on top. The sum:`);
    group(p, data.theme, [["feed-forward", fed]], (i) => number(fed[i], 4));
  },
  sum2(p, it) {
    added(p, it, pick(it.data, "summed", it.layer, it.at), "fed", "stream", 2, "feed-forward");
  },
  next(p, { data, at, layer, word, send }) {
    const leaves = pick(data, "stream", layer + 1, at);
    const last = layer === data.layers - 1;
    heading(p, last ? "The end of the encoder" : `On to layer ${layer + 2}`, `with ${word}`);
    if (last) {
      const final = pick(data, "final", at);
      say(p, `After the last layer the residual stream is normalised once more. This is what the encoder made of ${word}: ` +
        (data.tail === "decoder" ? "the decoder reads it by cross-attention, in each of its layers." : "the output layer compares it with every embedding to say which token fits here."));
      group(p, data.theme, [["residual stream", leaves], ["normalised", final]], (i) => `${number(leaves[i])} becomes ${number(final[i])}`, 1, true);
      if (data.fits) {
        say(p, `What fits in the place of ${word}, with its probability:`);
        bars(p, data.fits[at], percent);
      }
      return;
    }
    say(p, `The residual stream of ${word} goes up as it is. Layer ${layer + 2} has the same boxes with other learned tables.`);
    group(p, data.theme, [["residual stream", leaves]], (i) => number(leaves[i], 4));
    const button = element("button", p, "go", `Walk layer ${layer + 2}`);
    button.type = "button";
    button.addEventListener("click", () => send({ layer: layer + 1, box: "norm1" }));
  },
};

// Names with bars of a share of 1.
export function bars(parent, rows, said) {
  const list = element("ol", parent, "bars");
  for (const [text, value] of rows) {
    const line = element("li", list);
    element("bdi", line, "", text);
    element("i", element("span", line, "bar")).style.width = `${Math.max(0, 100 * value)}%`;
    element("span", line, "value", said(value));
  }
}

function nearest(p, data, token, word) {
  if (!data.near[token].length) return;
  const line = say(p, `Nearest rows of the table, by the *cosine* of the angle between the two (1: same direction, 0: at right angles), to ${word}:`);
  line.append(" ");
  data.near[token].forEach(([text, cosine], place) => {
    if (place) line.append(" \u00b7 ");
    element("bdi", line, "", text);
    line.append(` ${number(cosine)}`);
  });
}

function normalised(p, { data, at, layer, token, word }, which, before, standard, after, reader) {
  const strips = [["residual stream", before], ["mean 0, deviation 1", pick(data, standard, layer, at)], ["scaled and shifted", pick(data, after, layer, at)]];
  heading(p, "Normalise", `the vector of ${word}`);
  say(p, "To *normalise*: subtract the mean, then divide by the *standard deviation* (how far the numbers typically lie from their mean). After that each " +
    `number is scaled and shifted by learned ones. ${reader} reads this *normalised input*; the residual stream itself stays untouched.`);
  const table = element("table", element("div", p, "scroller"));
  const top = element("tr", element("thead", table));
  for (const name of ["", "mean", "standard deviation"]) element("th", top, "", name).scope = "col";
  const body = element("tbody", table);
  strips.forEach(([name], step) => {
    const line = element("tr", body);
    element("th", line, "", name).scope = "row";
    const [mean, deviation] = pick(data, "moments", layer, which, step, token);
    element("td", line, "", number(mean, 3));
    element("td", line, "", number(deviation, 3));
  });
  group(p, data.theme, strips, (i) => `${number(strips[0][1][i])} \u2192 ${number(strips[1][1][i])} \u2192 ${number(strips[2][1][i])}`, 1, true);
  say(p, "This model normalises *before* each box, and the residual stream stays as it is (*pre-norm*, as in most models today). The paper\u2019s Figure 1 " +
    "adds first and normalises the residual stream itself (*post-norm*):", "how");
  order(p, "this model", ["residual stream", "\u2192", "Normalise", "\u2192", "Attention", "\u2192", "+ residual stream"], 2);
  order(p, "the paper", ["residual stream", "\u2192", "Attention", "\u2192", "+ residual stream", "\u2192", "Normalise"], 6);
}

// The order of the parts of a sublayer as a row; the part at `marked` stands out.
function order(p, name, parts, marked) {
  const row = element("p", p, "order");
  element("span", row, "order-name", name);
  parts.forEach((part, place) => element("span", row, part === "\u2192" ? "" : place === marked ? "part marked" : "part", part));
}

function added(p, { data, at, layer, token, word }, before, part, after, from, name) {
  const more = pick(data, part, layer, at);
  const sum = after === "stream" ? pick(data, "stream", layer + 1, at) : pick(data, after, layer, at);
  const lengths = [0, 1, 2].map((step) => pick(data, "lengths", layer, from + step)[token]);
  heading(p, `Add what ${name} found`, `to ${word}`);
  say(p, `The box\u2019s result is added to the residual stream, not put in its place (a *residual* connection): what was found before stays in the sum, as far as what is added does not cancel it. ` +
    `*Lengths* (a vector\u2019s length is the root of the sum of the squares of its numbers): the residual stream before *${number(lengths[0])}*, what is added ` +
    `*${number(lengths[1])}*, the residual stream after *${number(lengths[2])}*.`);
  group(p, data.theme, [["residual stream", before], [`+ ${name}`, more], ["= residual stream", sum]], (i) => `${number(before[i])} + ${term(more[i])} = ${number(sum[i])}`);
}

// The chosen head's map, rows look, columns are looked at; the chosen row is framed.
function bigMap(parent, { data, token, send }, pattern) {
  const n = data.tokens.length;
  const box = element("div", parent, "big-map");
  ramp(box, data.theme, "weights", 1, "weight: rows look, columns are looked at");
  const scroller = element("div", box, "scroller");
  const cell = Math.max(7, Math.min(28, Math.floor(270 / n)));
  const grid = element("div", scroller, "grid");
  grid.style.gridTemplateColumns = `auto ${(cell * n) / 16}rem`;
  element("span", grid);
  const across = element("div", grid, "across");
  across.style.height = `${Math.min(5, 0.9 + 0.32 * Math.max(...data.tokens.map((one) => [...one.text].length)))}rem`;
  const down = element("div", grid, "down");
  const step = cell < 13 ? Math.ceil(13 / cell) : 1;
  data.tokens.forEach((one, place) => {
    const show = place % step === 0 || place === token;
    const top = element("bdi", across, place === token ? "here" : "", show ? one.text : "");
    top.style.left = `${((place + 0.5) * cell) / 16}rem`;
    const side = element("bdi", down, place === token ? "here" : "", show ? one.text : "");
    side.style.height = `${cell / 16}rem`;
    side.style.lineHeight = `${cell / 16}rem`;
  });
  const field = element("div", grid, "cells");
  const canvas = element("canvas", field);
  canvas.style.width = `${(cell * n) / 16}rem`;
  canvas.style.height = `${(cell * n) / 16}rem`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The map of this head; the strongest of the chosen row are listed beside it");
  paint(canvas, pattern, n, data.theme, "weights", 1);
  const frame = element("i", field, "row");
  frame.style.top = `${(token * cell) / 16}rem`;
  frame.style.height = `${cell / 16}rem`;
  const reading = element("p", box, "reading", "Point at a cell to read it; click a row to choose its token.");
  const spot = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const place = (value) => Math.max(0, Math.min(n - 1, Math.floor((n * value) / width)));
    return [place(event.clientY - top), place(event.clientX - left)];
  };
  canvas.addEventListener("pointermove", (event) => {
    const [q, key] = spot(event);
    reading.textContent = `\u201c${data.tokens[q].text}\u201d gives ${percent(pattern[q * n + key])} to \u201c${data.tokens[key].text}\u201d`;
  });
  canvas.addEventListener("click", (event) => send({ token: spot(event)[0] }));
}
