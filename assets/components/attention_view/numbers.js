// From what was sent to what is shown: heads combined, words joined, keys hidden, with spread, received and shares.

export const WEIGHT = Float32Array.from({ length: 256 }, (_, code) => (code / 255) ** 2);
const WEIGHT_LOG = WEIGHT.map((weight) => (weight > 0 ? weight * Math.log(weight) : 0));
const SINK = 0.3; // a sink takes at least this much, on average, of those who may look at it
const EPSILON = 1e-12;

// A pattern ready to be drawn. codes and may have rows · keys cells; value(q, k) is exact where `exact` or in the band.
class Pattern {
  constructor(fields) {
    Object.assign(this, { weights: null, band: null, hidden: null, hiddenKeys: null, pooled: false, quarter: null, total: 0 }, fields);
  }
  value(q, k) {
    if (this.weights) return this.weights[q * this.keys + k];
    if (this.pooled) return WEIGHT[this.codes[this.pooledRow(q) * this.side[1] + this.pooledKey(k)]];
    if (this.isExact(q)) return this.band.values[(q - this.band.first) * this.keys + k];
    return WEIGHT[this.codes[q * this.keys + k]];
  }
  isExact(q) {
    return this.exact || (this.band !== null && q >= this.band.first && q < this.band.first + this.band.rows);
  }
  pooledRow(q) {
    return Math.min(this.side[0] - 1, Math.floor(((q + 1) * this.side[0] - 1e-9) / this.rows));
  }
  pooledKey(k) {
    return Math.min(this.side[1] - 1, Math.floor(((k + 1) * this.side[1] - 1e-9) / this.keys));
  }
  mayLook(q, k) {
    return this.may[q * this.keys + k] === 1;
  }
  // Of a pair of sentences, what belongs to the quarter in view; everything where none is.
  rowInside(q) {
    return !this.quarter || this.rowNames[q].sentence === this.quarter[0];
  }
  keyInside(k) {
    return !this.quarter || this.keyNames[k].sentence === this.quarter[1];
  }
  inside(q, k) {
    return this.rowInside(q) && this.keyInside(k);
  }
  strongest(q) {
    return best(this.keys, (k) => this.value(q, k), (k) => this.keyInside(k) || !this.rowInside(q));
  }
  mostDevoted(k) {
    return best(this.rows, (q) => this.value(q, k), (q) => this.rowInside(q) || !this.keyInside(k));
  }
}

// The first place with the largest value, of those that count; 0 where none does.
function best(count, value, counts) {
  let found = -1;
  for (let place = 0; place < count; place++) if (counts(place) && (found < 0 || value(place) > value(found))) found = place;
  return Math.max(0, found);
}

// What is asked for: { heads: [index…], words, special, sinks, quarter }.
export function patternOf(model, asked) {
  const [index] = asked.heads;
  const plain = asked.heads.length === 1 && !asked.words && !asked.special && !asked.sinks;
  const whole = asked.heads.map((one) => model.codes(one));
  if (whole.includes(null)) return glancePattern(model, index, asked.quarter);
  const exact = !model.approximate && asked.heads.every((one) => model.isExact(one));
  let shown = {
    rows: model.queries, keys: model.keys, may: model.may(index), exact, quarter: asked.quarter,
    rowNames: names(model.rows), keyNames: names(model.columns),
  };
  if (plain) {
    shown.codes = whole[0];
    const held = model.exact(index);
    if (exact) shown.weights = held.values;
    else if (held) shown.band = held;
    return finished(shown);
  }
  shown.weights = combined(model, asked.heads, whole, exact);
  if (asked.heads.length > 1) shown.may = anyMay(model, asked.heads);
  if (asked.words) shown = wordLevel(shown, model.rows, model.columns);
  if (asked.special || asked.sinks) hide(shown, hiddenKeys(shown, asked));
  shown.codes = encoded(shown.weights);
  return finished(shown);
}

function glancePattern(model, index, quarter) {
  const { rows, keys, codes } = model.glance(index);
  return new Pattern({
    rows: model.queries, keys: model.keys, codes, side: [rows, keys], pooled: true, exact: false, may: model.may(index),
    rowNames: names(model.rows), keyNames: names(model.columns), spread: null, received: null,
    band: null, quarter,
  });
}

export function names(text) {
  const of = (place) => (text.sentence ? "ab"[text.sentence[place]] : null);
  text.names ||= text.text.map((said, place) => ({ text: said, special: text.special[place], id: text.ids[place], sentence: of(place) }));
  return text.names;
}

function decoded(codes) {
  const weights = new Float32Array(codes.length);
  for (let cell = 0; cell < codes.length; cell++) weights[cell] = WEIGHT[codes[cell]];
  return weights;
}

function encoded(weights) {
  const codes = new Uint8Array(weights.length);
  for (let cell = 0; cell < codes.length; cell++) codes[cell] = Math.min(255, Math.sqrt(weights[cell]) * 255 + 0.5);
  return codes;
}

// The mean of several heads.
function combined(model, heads, whole, exact) {
  const sum = new Float64Array(model.queries * model.keys);
  heads.forEach((index, place) => {
    const weights = exact ? model.exact(index).values : decoded(whole[place]);
    for (let cell = 0; cell < sum.length; cell++) sum[cell] += weights[cell];
  });
  return Float32Array.from(sum, (total) => total / heads.length);
}

function anyMay(model, heads) {
  const may = model.may(heads[0]).slice();
  for (const index of heads.slice(1)) {
    const other = model.may(index);
    for (let cell = 0; cell < may.length; cell++) may[cell] |= other[cell];
  }
  return may;
}

// Tokens of one word stand side by side; a special token is a word of its own.
function groupsOf(text) {
  if (text.groups) return text.groups;
  const of = [];
  const words = [];
  text.text.forEach((said, place) => {
    const joins = place > 0 && !text.special[place] && !text.special[place - 1] && text.word[place] === text.word[place - 1];
    if (joins) words[words.length - 1].text += said;
    else words.push({ text: said, special: text.special[place], id: null, count: 0, sentence: names(text)[place].sentence });
    words[words.length - 1].count++;
    of.push(words.length - 1);
  });
  for (const word of words) word.text = readable(word.text).replace(/^␣(?=.)/u, "");
  return (text.groups = { of, words });
}

// Bytes that are half a letter each, ⟨D9⟩ ⟨85⟩, are the letter again once they stand together.
function readable(text) {
  return text.replace(/(⟨[0-9A-F]{2}(?: [0-9A-F]{2})*⟩)+/g, (run) => {
    const bytes = Uint8Array.from(run.match(/[0-9A-F]{2}/g), (byte) => parseInt(byte, 16));
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return run;
    }
  });
}

// Keys of a word are summed, its queries averaged; a word may look where one of its tokens may.
function wordLevel(shown, rowText, keyText) {
  const rows = groupsOf(rowText);
  const keys = groupsOf(keyText);
  const weights = new Float64Array(rows.words.length * keys.words.length);
  const may = new Uint8Array(weights.length);
  for (let q = 0; q < shown.rows; q++) {
    for (let k = 0; k < shown.keys; k++) {
      const cell = rows.of[q] * keys.words.length + keys.of[k];
      weights[cell] += shown.weights[q * shown.keys + k] / rows.words[rows.of[q]].count;
      may[cell] |= shown.may[q * shown.keys + k];
    }
  }
  return {
    ...shown, rows: rows.words.length, keys: keys.words.length, may, weights: Float32Array.from(weights),
    rowNames: rows.words, keyNames: keys.words, rowOf: rows.of, keyOf: keys.of,
  };
}

// The keys to hide: Uint8Array [key].
function hiddenKeys(shown, asked) {
  const out = new Uint8Array(shown.keys);
  for (let k = 0; k < shown.keys; k++) {
    if (asked.special && shown.keyNames[k].special) out[k] = 1;
    if (asked.sinks && isSink(shown, k)) out[k] = 1;
  }
  return out;
}

function isSink(shown, k) {
  let total = 0;
  let lookers = 0;
  for (let q = 0; q < shown.rows; q++) {
    if (!shown.may[q * shown.keys + k]) continue;
    total += shown.weights[q * shown.keys + k];
    lookers++;
  }
  return lookers >= Math.max(2, shown.rows / 2) && total >= SINK * lookers;
}

// Take hidden keys out and let each row add up to what it did before; `hidden` is the share that each row lost.
function hide(shown, keys) {
  shown.weights = shown.weights.slice();
  shown.hidden = new Float32Array(shown.rows);
  shown.hiddenKeys = keys;
  for (let q = 0; q < shown.rows; q++) {
    let all = 0;
    let gone = 0;
    for (let k = 0; k < shown.keys; k++) {
      all += shown.weights[q * shown.keys + k];
      if (keys[k]) gone += shown.weights[q * shown.keys + k];
    }
    const left = all - gone;
    shown.hidden[q] = all > 0 ? gone / all : 0;
    for (let k = 0; k < shown.keys; k++) {
      const cell = q * shown.keys + k;
      shown.weights[cell] = keys[k] || left < EPSILON ? 0 : (shown.weights[cell] * all) / left;
    }
  }
  let sum = 0;
  for (const share of shown.hidden) sum += share;
  shown.hiddenMean = sum / shown.rows;
}

// spread: e^entropy of each row; received: each column's sum over the rows in view; total: all weight of the pattern. shares: the
// part of its weight that each row of the quarter in view gives to it, NaN in other rows; null without a quarter.
function finished(shown) {
  const pattern = new Pattern(shown);
  const { rows, keys, codes, quarter } = pattern;
  const { weights } = shown;
  const [spread, shares, received] = [new Float32Array(rows), new Float32Array(rows).fill(NaN), new Float64Array(keys)];
  const near = Uint8Array.from({ length: keys }, (_, k) => Number(pattern.keyInside(k)));
  for (let q = 0; q < rows; q++) {
    const mine = pattern.rowInside(q);
    let total = 0;
    let logs = 0;
    let got = 0;
    for (let k = 0, cell = q * keys; k < keys; k++, cell++) {
      const code = codes[cell];
      if (code === 0 && !weights) continue;
      const weight = weights ? weights[cell] : WEIGHT[code];
      total += weight;
      logs += weights ? (weight > 0 ? weight * Math.log(weight) : 0) : WEIGHT_LOG[code];
      if (!mine || !near[k]) continue;
      received[k] += weight;
      got += weight;
    }
    spread[q] = total > 0 ? Math.exp(Math.max(0, Math.log(total) - logs / total)) : 0;
    if (mine) shares[q] = total > 0 ? got / total : 0;
    pattern.total += total;
  }
  const spreadMost = spread.reduce((most, one) => Math.max(most, one), 1);
  const receivedMost = received.reduce((most, one) => Math.max(most, one), 1e-6);
  const of = shares.filter((one) => !Number.isNaN(one));
  const shareMean = of.reduce((sum, one) => sum + one, 0) / Math.max(1, of.length);
  return Object.assign(pattern, { spread, received, spreadMost, receivedMost, shareMean, shares: quarter ? shares : null });
}

// How strong a cell must be to have a line: a fixed weight, or for each row the least of those that together reach a share.
export function lineFloors(pattern, lines) {
  const floors = new Float32Array(pattern.rows);
  if (pattern.pooled) return floors.fill(2);
  if (lines.kind === "weight") return floors.fill(Math.max(lines.value, 1e-6));
  const row = new Float32Array(pattern.keys);
  for (let q = 0; q < pattern.rows; q++) {
    let total = 0;
    for (let k = 0; k < pattern.keys; k++) total += row[k] = pattern.value(q, k);
    row.sort();
    let got = 0;
    let place = pattern.keys;
    while (place > 0 && got < lines.value * total - 1e-6) got += row[--place];
    floors[q] = place < pattern.keys ? Math.max(row[place], 1e-6) : 2;
  }
  return floors;
}

// A share of 1 as the app writes it: "42 %", one decimal near both ends.
export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0 %";
  if (value < 0.1) return "< 0.1 %";
  if (value < 9.95 || (value >= 99.5 && value < 99.95)) return `${value.toFixed(1)} %`;
  return value < 99.95 || share >= 1 ? `${value.toFixed(0)} %` : "> 99.9 %";
}

// A weight as a tooltip writes it: six decimals where it is the model's own, two and "≈" where it comes from codes.
export function weightSaid(pattern, q, k) {
  const value = pattern.value(q, k);
  return pattern.isExact(q) ? value.toFixed(6) : `≈ ${value.toFixed(2)}`;
}
