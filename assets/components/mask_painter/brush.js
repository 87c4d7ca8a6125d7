// The brush: which cells a gesture meets, what it may change, and the strokes that the server has not yet answered.

export class Brush {
  constructor() {
    this.act = "forbid";
    this.scope = "all";
    this.waiting = []; // [number, act, scope, cells]
    this.number = 0;
    this.line = null;
  }

  // The server's answer: the mask as it is now, and the number of the last stroke in it. Strokes it has not seen stay.
  answered(data) {
    if (this.version !== data.version) this.waiting = [];
    this.version = data.version;
    this.waiting = this.waiting.filter(([number]) => number > data.seen);
    this.number = Math.max(this.number, data.seen);
    if (!this.waiting.length) this.number = data.seen;
    this.keys = data.columns.length;
    this.allowed = Uint8Array.from(data.allowed);
    for (const [, act, , cells] of this.waiting) for (const at of cells) this.allowed[at] = act === "allow" ? 1 : 0;
    if (this.line) for (const at of this.line.cells) this.allowed[at] = this.line.act === "allow" ? 1 : 0;
  }

  begin(q, c, act = this.act) {
    this.line = { act, cells: [], trail: [], last: null };
    return this.to(q, c);
  }

  // Paint every cell on the way to (q, c); the first one that is refused is returned.
  to(q, c) {
    const { line } = this;
    const [fromQ, fromC] = line.last || [q, c];
    const steps = Math.max(Math.abs(q - fromQ), Math.abs(c - fromC), 1);
    let refused = null;
    for (let n = line.last ? 1 : 0; n <= steps; n++) {
      const cell = [Math.round(fromQ + ((q - fromQ) * n) / steps), Math.round(fromC + ((c - fromC) * n) / steps)];
      if (!this.paint(...cell)) refused = refused || cell;
      if (!line.last) break;
    }
    line.last = [q, c];
    return refused;
  }

  paint(q, c) {
    const at = q * this.keys + c;
    const may = this.line.act === "allow" ? 1 : 0;
    const before = this.line.trail[this.line.trail.length - 1];
    if (!before || before[0] !== q || before[1] !== c) this.line.trail.push([q, c]);
    if (this.allowed[at] === may) return true;
    if (!may && this.open(q) === 1) return false;
    this.allowed[at] = may;
    this.line.cells.push(at);
    return true;
  }

  open(q) {
    return this.allowed.subarray(q * this.keys, (q + 1) * this.keys).reduce((sum, may) => sum + may, 0);
  }

  // The gesture is over: whether there is anything to tell the server.
  end() {
    const { line } = this;
    this.line = null;
    return Boolean(line && line.cells.length) && this.tell(line.act, line.cells);
  }

  // Forbid a whole column, or open it again as trained where nothing of it is left to forbid; the refused cell, if any.
  column(c, native) {
    const rows = Array.from({ length: this.allowed.length / this.keys }, (_, q) => q);
    const at = (q) => q * this.keys + c;
    const shut = rows.filter((q) => this.allowed[at(q)] && this.open(q) > 1);
    const back = rows.filter((q) => !this.allowed[at(q)] && native[at(q)]);
    const last = rows.find((q) => this.allowed[at(q)] && this.open(q) === 1);
    const cells = (shut.length ? shut : back).map(at);
    if (cells.length) {
      for (const one of cells) this.allowed[one] = shut.length ? 0 : 1;
      this.tell(shut.length ? "forbid" : "allow", cells);
    }
    return shut.length && last !== undefined ? [last, c] : null;
  }

  tell(act, cells = []) {
    this.number += 1;
    this.waiting.push([this.number, act, this.scope, cells]);
    return true;
  }
}
