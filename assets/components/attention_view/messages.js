// Messages from Python, laid out as core/figures/payloads/attention_view.py says: u32 length | JSON | arrays at multiples of 4.

const KEPT = 32e6; // bytes kept for one text: of unpacked heads, of whole layers, of float32 patterns

export function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}

// A map that forgets what was used longest ago once it holds more than `most` bytes.
class Kept {
  constructor(most) {
    this.most = most;
    this.bytes = 0;
    this.items = new Map();
  }
  get(name) {
    const item = this.items.get(name);
    if (item === undefined) return undefined;
    this.items.delete(name);
    this.items.set(name, item);
    return item.value;
  }
  set(name, value, bytes) {
    const old = this.items.get(name);
    if (old) this.bytes -= old.bytes;
    this.items.delete(name);
    this.items.set(name, { value, bytes });
    this.bytes += bytes;
    for (const [first, item] of this.items) {
      if (this.bytes <= this.most || first === name) break;
      this.items.delete(first);
      this.bytes -= item.bytes;
    }
    return value;
  }
}

// Row-by-row cells of a staircase (keys up to start + row) spread out to a full rectangle; the rest stays 0.
function spreadOut(packed, at, rows, keys, start, triangle, out) {
  if (!triangle) {
    out.set(packed.subarray(at, at + rows * keys));
    return rows * keys;
  }
  let from = at;
  for (let row = 0; row < rows; row++) {
    const width = Math.max(0, Math.min(keys, start + row + 1));
    out.set(packed.subarray(from, from + width), row * keys);
    from += width;
  }
  return from - at;
}

function staircaseCells(rows, keys, start) {
  let cells = 0;
  for (let row = 0; row < rows; row++) cells += Math.max(0, Math.min(keys, start + row + 1));
  return cells;
}

// One stream of one run: its texts, masks, and every head as far as it has been sent.
class Model {
  constructor(header, body) {
    Object.assign(this, { header, body, id: header.id, stream: header.stream, approximate: header.approximate });
    [this.queries, this.keys] = header.size;
    this.start = header.start;
    this.texts = header.texts;
    this.rows = header.texts.find((text) => text.rows);
    this.columns = header.texts.find((text) => text.columns);
    this.heads = [];
    header.layers.forEach((layer, place) => {
      for (let head = 0; head < header.heads[place]; head++) this.heads.push({ layer, head, place, index: this.heads.length });
    });
    this.whole = header.codes.whole;
    this.codesKept = new Kept(KEPT);
    this.exactKept = new Kept(KEPT);
    this.layersKept = new Kept(KEPT);
    this.masks = [];
  }

  index(layer, head) {
    const found = this.heads.find((one) => one.layer === layer && one.head === head);
    return found ? found.index : -1;
  }

  // Whether a query may look at a key: Uint8Array [query · key], 1 = may. Heads with one mask share one array.
  may(index) {
    const number = this.header.mask_of[index];
    if (this.masks[number]) return this.masks[number];
    const mask = this.header.masks[number];
    const may = new Uint8Array(this.queries * this.keys);
    if (mask.kind === "full") may.fill(1);
    for (let cell = 0; mask.kind === "bits" && cell < may.length; cell++) {
      may[cell] = (this.body[mask.at + (cell >> 3)] >> (7 - (cell & 7))) & 1;
    }
    for (let row = 0; mask.kind === "causal" && row < this.queries; row++) {
      may.fill(1, row * this.keys, row * this.keys + Math.min(this.keys, this.start + row + 1));
    }
    return (this.masks[number] = may);
  }

  // A head as the overview sent it, whole or pooled: { rows, keys, codes }.
  glance(index) {
    const { side, triangle, at } = this.header.codes;
    const kept = this.codesKept.get(index);
    if (kept) return kept;
    const [rows, keys] = side;
    const start = this.whole ? this.start : 0;
    const size = triangle ? staircaseCells(rows, keys, start) : rows * keys;
    const codes = new Uint8Array(rows * keys);
    spreadOut(this.body, at + index * size, rows, keys, start, triangle, codes);
    return this.codesKept.set(index, { rows, keys, codes }, codes.length);
  }

  // A head as whole codes, Uint8Array [query · key], or null where only its pooled picture is here.
  codes(index) {
    if (this.whole) return this.glance(index).codes;
    const { layer, head } = this.heads[index];
    const kept = this.layersKept.get(`${layer}.${head}`);
    if (kept) return kept;
    const exact = this.exact(index);
    if (!exact || exact.rows < this.queries) return null;
    const codes = new Uint8Array(exact.values.length);
    for (let cell = 0; cell < codes.length; cell++) codes[cell] = Math.sqrt(exact.values[cell]) * 255 + 0.5;
    return this.layersKept.set(`${layer}.${head}`, codes, codes.length);
  }

  // A head's float32 rows: { first, rows, values [row · key] }, or undefined where they were not sent yet.
  exact(index) {
    return this.exactKept.get(index);
  }

  // Whether every number of a head is here to its last digit.
  isExact(index) {
    const exact = this.exact(index);
    return Boolean(exact) && exact.rows === this.queries;
  }

  // Take in a message of the parts "layer" and "heads"; returns the heads that gained by it.
  addNumbers({ header, body }) {
    const gained = new Set();
    if (header.part === "layer") {
      const size = header.triangle ? staircaseCells(this.queries, this.keys, this.start) : this.queries * this.keys;
      this.heads.filter((one) => one.layer === header.layer && (!header.only || header.only.includes(one.head))).forEach((one) => {
        const codes = new Uint8Array(this.queries * this.keys);
        const place = header.only ? header.only.indexOf(one.head) : one.head;
        spreadOut(body, header.at + place * size, this.queries, this.keys, this.start, header.triangle, codes);
        if (!this.layersKept.get(`${one.layer}.${one.head}`)) gained.add(one.index);
        this.layersKept.set(`${one.layer}.${one.head}`, codes, codes.length);
      });
    }
    for (const one of header.heads || []) {
      const index = this.index(one.layer, one.head);
      const start = this.start + one.first;
      const cells = one.triangle ? staircaseCells(one.rows, this.keys, start) : one.rows * this.keys;
      const from = body.byteOffset + one.at;
      const packed = new Float32Array(body.buffer.slice(from, from + 4 * cells));
      const values = new Float32Array(one.rows * this.keys);
      spreadOut(packed, 0, one.rows, this.keys, start, one.triangle, values);
      const held = this.exact(index);
      if (index < 0 || (held && held.rows >= one.rows && held.first === one.first)) continue;
      this.exactKept.set(index, { first: one.first, rows: one.rows, values }, values.byteLength);
      gained.add(index);
    }
    return gained;
  }
}

// Parts come from mounts of their own (delivery.js), in any order: they wait here for the view whose text they belong to.
// Texts seen a moment ago are kept with what was fetched for them: coming back costs nothing.
export const shelf = { parts: new Map(), views: new Set(), models: new Map() };

export function modelOf({ header, body }) {
  const model = shelf.models.get(header.id) || new Model(header, body);
  shelf.models.delete(header.id);
  shelf.models.set(header.id, model);
  for (const old of [...shelf.models.keys()].slice(0, -3)) shelf.models.delete(old);
  return model;
}

export function collect() {
  for (const { data, box } of (globalThis.lookbackDeliveries || []).splice(0)) {
    const message = { ...unpack(data), box };
    const { id, part } = message.header;
    const known = shelf.parts.get(id) || new Map();
    known.set(part === "choice" ? box : part, message); // numbers are for all views of a text, a choice is for one
    shelf.parts.delete(id);
    shelf.parts.set(id, known);
    for (const old of [...shelf.parts.keys()].slice(0, -4)) shelf.parts.delete(old);
    for (const view of shelf.views) if (view.model && view.model.id === id) view.arrived(message);
  }
}

document.addEventListener("lookback-delivery", collect);
