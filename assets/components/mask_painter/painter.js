// Paint a mask: drag over cells to forbid or allow them. All of a gesture happens here; when it ends one message is sent.
const HISTORY = 60;
const SIGN = "\u2192";

class Painter {
  constructor(root, theme) {
    this.root = root;
    this.theme = theme;
    this.undone = [];
    this.done = [];
    this.focus = [0, 0];
    this.stroke = null;
    this.brush = "forbid";
    this.box = document.createElement("div");
    this.box.className = "painter";
    const bar = document.createElement("div");
    bar.className = "tools";
    this.brushes = ["forbid", "allow"].map((name) => this.button(bar, name === "forbid" ? "Forbid" : "Allow", () => this.take(name)));
    this.undoButton = this.button(bar, "Undo", () => this.step(this.done, this.undone));
    this.redoButton = this.button(bar, "Redo", () => this.step(this.undone, this.done));
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.scroller = document.createElement("div");
    this.scroller.className = "scroller";
    this.scroller.append(this.canvas);
    this.told = document.createElement("p");
    this.told.className = "told";
    this.told.setAttribute("role", "status");
    this.box.append(bar, this.scroller, this.told);
    root.append(this.box);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => this.up());
    this.canvas.addEventListener("pointercancel", () => this.up());
    this.canvas.addEventListener("dblclick", (event) => this.column(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.draw());
    this.canvas.addEventListener("blur", () => this.draw());
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.box);
  }

  button(bar, name, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = name;
    made.addEventListener("click", act);
    bar.append(made);
    return made;
  }

  open(data) {
    if (this.version !== data.version) {
      this.version = data.version;
      this.done = [];
      this.undone = [];
    }
    this.data = data;
    this.allowed = data.allowed.map((row) => Array.from(row, (sign) => sign === "1"));
    this.focus = [Math.min(this.focus[0], data.rows.length - 1), Math.min(this.focus[1], data.columns.length - 1)];
    this.canvas.setAttribute("aria-label", data.label);
    this.tell(data.says);
    this.draw();
  }

  take(name) {
    this.brush = name;
    this.draw();
  }

  tell(words) {
    this.told.textContent = words;
  }

  layout() {
    const { rows, columns } = this.data;
    const context = this.canvas.getContext("2d");
    context.font = `13px ${this.theme.sans}`;
    const widest = (names) => Math.max(...names.map((name) => context.measureText(name).width), 10);
    const left = Math.min(110, widest(rows)) + 14;
    const top = Math.min(96, widest(columns) * 0.72) + 22;
    const room = Math.max(180, this.box.clientWidth - left - 8);
    const cell = Math.max(14, Math.min(38, Math.floor(room / columns.length), Math.floor(460 / rows.length) || 14));
    return { left, top, cell, width: left + cell * columns.length + 30, height: top + cell * rows.length + 6 };
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, cell } = this.place;
    const k = Math.floor((event.clientX - box.left - left) / cell);
    const q = Math.floor((event.clientY - box.top - top) / cell);
    return { q, k, inside: q >= 0 && k >= 0 && q < this.data.rows.length && k < this.data.columns.length };
  }

  down(event) {
    const { q, k, inside } = this.at(event);
    this.canvas.focus();
    if (!inside || this.data.busy) return;
    event.preventDefault();
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is already gone
    }
    this.stroke = this.copy();
    this.refused = false;
    this.paint(q, k);
  }

  move(event) {
    if (!this.stroke) return;
    const { q, k, inside } = this.at(event);
    if (inside) this.paint(q, k);
  }

  up() {
    if (!this.stroke) return;
    const before = this.stroke;
    this.stroke = null;
    this.settle(before);
  }

  paint(q, k) {
    this.focus = [q, k];
    const may = this.brush === "allow";
    if (this.allowed[q][k] === may) return this.draw();
    if (!may && this.allowed[q].filter(Boolean).length === 1) return this.refuse(q, k);
    this.allowed[q][k] = may;
    this.draw();
  }

  refuse(q, k) {
    this.refused = true;
    this.tell(`\u201c${this.data.rows[q]}\u201d must keep one piece to look at: its weights have to add up to 1. Allow another cell of the row first.`);
    this.shaken = { q, k, until: performance.now() + 350 };
    this.draw();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const shake = () => {
      this.draw();
      if (this.shaken && performance.now() < this.shaken.until) requestAnimationFrame(shake);
      else {
        this.shaken = null;
        this.draw();
      }
    };
    if (still) setTimeout(shake, 900);
    else requestAnimationFrame(shake);
    if (still) this.shaken.until = performance.now() + 800;
  }

  column(event) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, cell } = this.place;
    const k = Math.floor((event.clientX - box.left - left) / cell);
    if (event.clientY - box.top < top && k >= 0 && k < this.data.columns.length) this.forbidColumn(k);
  }

  forbidColumn(k) {
    const before = this.copy();
    const may = this.allowed.every((row) => !row[k] || row.filter(Boolean).length === 1);
    this.refused = false;
    this.allowed.forEach((row, q) => {
      if (may) row[k] = this.data.native[q][k] === "1" || row[k];
      else if (row[k] && row.filter(Boolean).length > 1) row[k] = false;
      else if (row[k]) this.refuse(q, k);
    });
    this.settle(before);
  }

  copy() {
    return this.allowed.map((row) => row.slice());
  }

  settle(before) {
    const same = before.every((row, q) => row.every((may, k) => may === this.allowed[q][k]));
    this.draw();
    if (same) return;
    this.done.push(before);
    if (this.done.length > HISTORY) this.done.shift();
    this.undone = [];
    this.say();
  }

  step(from, to) {
    const found = from.pop();
    if (!found) return;
    to.push(this.copy());
    this.allowed = found;
    this.say();
  }

  say() {
    this.draw();
    if (!this.refused) this.tell("Running the model under this mask\u2026");
    this.send("painted", { rows: this.allowed.map((row) => row.map((may) => (may ? "1" : "0")).join("")), version: this.version });
  }

  key(event) {
    const [q, k] = this.focus;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      if (event.shiftKey) this.step(this.undone, this.done);
      else this.step(this.done, this.undone);
    } else if (moves[event.key]) {
      const [down, right] = moves[event.key];
      this.focus = [
        Math.max(0, Math.min(this.data.rows.length - 1, q + down)),
        Math.max(0, Math.min(this.data.columns.length - 1, k + right)),
      ];
      const [row, column] = this.focus;
      this.tell(`\u201c${this.data.rows[row]}\u201d ${SIGN} \u201c${this.data.columns[column]}\u201d: ${this.allowed[row][column] ? "may look" : "may not look"}`);
      this.draw();
    } else if (event.key === " ") {
      const before = this.copy();
      const kept = this.brush;
      this.brush = this.allowed[q][k] ? "forbid" : "allow";
      this.refused = false;
      this.paint(q, k);
      this.brush = kept;
      this.settle(before);
    } else if (event.key.toLowerCase() === "c") {
      this.forbidColumn(k);
    } else if (event.key.toLowerCase() === "f") this.take("forbid");
    else if (event.key.toLowerCase() === "a") this.take("allow");
    else return;
    event.preventDefault();
  }

  draw() {
    if (!this.data) return;
    const { theme } = this;
    this.place = this.layout();
    const { left, top, cell, width, height } = this.place;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const g = this.canvas.getContext("2d");
    g.scale(ratio, ratio);
    g.font = `13px ${theme.sans}`;
    g.textBaseline = "middle";
    const cut = (name, most) => {
      let said = name;
      while (said.length > 2 && g.measureText(said).width > most) said = `${said.slice(0, -2)}\u2026`;
      return said;
    };
    this.data.rows.forEach((name, q) => {
      g.fillStyle = q === this.focus[0] ? theme.ink : theme.ink2;
      g.textAlign = "right";
      g.fillText(cut(name, 106), left - 8, top + (q + 0.5) * cell);
    });
    this.data.columns.forEach((name, k) => {
      g.save();
      g.translate(left + (k + 0.5) * cell, top - 8);
      g.rotate(-Math.PI / 4);
      g.textAlign = "left";
      g.fillStyle = k === this.focus[1] ? theme.ink : theme.ink2;
      g.fillText(cut(name, 120), 0, 0);
      g.restore();
    });
    const accent = theme[this.data.stream];
    this.allowed.forEach((row, q) =>
      row.forEach((may, k) => {
        let x = left + k * cell;
        const y = top + q * cell;
        const shaken = this.shaken && this.shaken.q === q && this.shaken.k === k;
        const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
        if (shaken && !still) x += 3 * Math.sin(performance.now() / 22);
        const size = cell - 1;
        if (may) {
          g.globalAlpha = 0.55;
          g.fillStyle = accent;
          g.fillRect(x, y, size, size);
          g.globalAlpha = 1;
        } else {
          g.fillStyle = theme.hatch_ground;
          g.fillRect(x, y, size, size);
          g.save();
          g.beginPath();
          g.rect(x, y, size, size);
          g.clip();
          g.strokeStyle = theme.hatch;
          g.lineWidth = 1;
          g.beginPath();
          for (let d = -size; d < size; d += 5) {
            g.moveTo(x + d, y + size);
            g.lineTo(x + d + size, y);
          }
          g.stroke();
          g.restore();
        }
        if (may !== (this.data.native[q][k] === "1")) {
          g.fillStyle = theme.ink;
          g.beginPath();
          g.arc(x + size / 2, y + size / 2, Math.max(2, cell / 9), 0, 7);
          g.fill();
        }
        if (shaken) {
          g.strokeStyle = theme.ink;
          g.lineWidth = 3;
          g.strokeRect(x + 1.5, y + 1.5, size - 3, size - 3);
        }
      }),
    );
    if (this.root.activeElement === this.canvas) {
      const [q, k] = this.focus;
      g.strokeStyle = theme.ink;
      g.lineWidth = 2;
      g.strokeRect(left + k * cell - 0.5, top + q * cell - 0.5, cell, cell);
    }
    this.brushes.forEach((button, n) => button.setAttribute("aria-pressed", String(this.brush === ["forbid", "allow"][n])));
    this.undoButton.disabled = !this.done.length;
    this.redoButton.disabled = !this.undone.length;
  }
}

const painters = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const scheme = getComputedStyle(parentElement.host || parentElement).colorScheme;
  const theme = { ...THEMES[data.theme || (scheme.includes("dark") ? "dark" : "light")], sans: '"Source Sans", sans-serif' };
  if (!painters.has(parentElement)) painters.set(parentElement, new Painter(parentElement, theme));
  const painter = painters.get(parentElement);
  painter.theme = theme;
  painter.send = setTriggerValue;
  painter.open(data);
  return () => {
    painter.watch.disconnect();
    painter.box.remove();
    painters.delete(parentElement);
  };
}
