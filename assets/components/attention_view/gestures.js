// Pointer, touch and keyboard: each turned into one of the view's verbs (hover, preview, lock, pick, zoom …).

import { headAt, headBeside } from "./heads.js";
import { endAt } from "./lines.js";
import { canMove, cellAt } from "./map.js";
import { fillTable, tooltip } from "./words.js";

const PREVIEW_AFTER = 100; // ms over a thumbnail before its head is shown

function place(event, node) {
  const box = node.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

export function onHeads(view) {
  const { heads, headsOver } = view.parts;
  let timer = 0;
  let over = null;
  const stop = () => {
    clearTimeout(timer);
    over = null;
  };
  heads.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const index = headAt(view, ...place(event, headsOver));
    if (index === over) return;
    stop();
    over = index;
    timer = setTimeout(() => view.show(index), PREVIEW_AFTER);
    heads.style.cursor = index === null ? "" : "pointer";
  });
  heads.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") return;
    stop();
    view.show(null);
  });
  heads.addEventListener("click", (event) => {
    const index = headAt(view, ...place(event, headsOver));
    if (index === null) return;
    stop();
    over = index;
    if (event.shiftKey) view.mix(index);
    else if (event.pointerType === "touch" && view.preview !== index && view.state.locked !== index) view.show(index);
    else view.lock(index);
  });
  heads.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) {
      view.lock(headBeside(view, view.current(), event.key));
      view.scrollToHead();
    } else if (event.key === "Enter" || event.key === " ") {
      if (event.shiftKey) view.mix(view.current());
      else view.lock(view.current());
    } else if (event.key === "Escape") {
      view.release();
    } else {
      return;
    }
    event.preventDefault();
  });
}

export function onMap(view) {
  const { map, mapOver } = view.parts;
  const fingers = new Map();
  let drag = null;
  let pinch = null;
  let last = null;
  mapOver.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) {
      pinch = { apart: apart(fingers), zoom: view.zoom };
      drag = null;
    } else if (canMove(view)) {
      drag = { x: event.clientX, y: event.clientY, ox: view.ox, oy: view.oy, moved: false };
    }
  });
  mapOver.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pinch && fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      const box = mapOver.getBoundingClientRect();
      view.zoomTo((pinch.zoom * apart(fingers)) / pinch.apart, (a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top);
      return;
    }
    if (drag && (drag.moved || Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4)) {
      if (!drag.moved && event.isTrusted) mapOver.setPointerCapture(event.pointerId);
      drag.moved = true;
      view.moveTo(drag.ox - (event.clientX - drag.x), drag.oy - (event.clientY - drag.y));
      return;
    }
    if (event.pointerType === "touch") return;
    const here = cellAt(view, ...place(event, mapOver));
    view.hover(here);
    tooltip(view, event, here);
  });
  const up = (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinch = null;
  };
  mapOver.addEventListener("pointerup", up);
  mapOver.addEventListener("pointercancel", (event) => {
    up(event);
    drag = null;
  });
  mapOver.addEventListener("pointerleave", (event) => {
    up(event);
    view.parts.tip.hidden = true;
    if (event.pointerType !== "touch") view.hover(null);
  });
  mapOver.addEventListener("click", (event) => {
    const moved = drag && drag.moved;
    drag = null;
    if (moved) return;
    const here = cellAt(view, ...place(event, mapOver));
    if (!here) return;
    const again = last && last.q === here.q && last.k === here.k;
    last = here;
    if (event.pointerType === "touch" && !again) view.hover(here);
    else view.lockCell(here);
  });
  mapOver.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    view.zoomTo(view.zoom * Math.exp(-event.deltaY / 200), ...place(event, mapOver));
  }, { passive: false });
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) view.step(...steps[event.key]);
    else if (event.key === "Home" || event.key === "End") view.step(0, event.key === "Home" ? -1e6 : 1e6);
    else if (event.key === "Enter" || event.key === " ") view.lockCell(view.focus());
    else if (event.key === "Escape") view.releaseCell();
    else if (event.key === "+" || event.key === "=") view.zoomTo(view.zoom * 1.5);
    else if (event.key === "-") view.zoomTo(view.zoom / 1.5);
    else if (event.key.toLowerCase() === "f") view.zoomTo(1);
    else return;
    event.preventDefault();
  });
}

function apart(fingers) {
  const [a, b] = [...fingers.values()];
  return Math.max(10, Math.hypot(a[0] - b[0], a[1] - b[1]));
}

export function onLines(view) {
  const { linesOver } = view.parts;
  let last = null;
  linesOver.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const here = endAt(view, ...place(event, linesOver));
    view.hover(here);
    tooltip(view, event, here);
  });
  linesOver.addEventListener("pointerleave", () => {
    view.parts.tip.hidden = true;
    view.hover(null);
  });
  linesOver.addEventListener("click", (event) => {
    const here = endAt(view, ...place(event, linesOver));
    if (!here) return;
    const again = last && last.q === here.q && last.k === here.k;
    last = here;
    if (event.pointerType === "touch" && !again) view.hover(here);
    else view.lockCell(here);
  });
}

export function onChips(view) {
  const { texts } = view.parts;
  const here = (event) => {
    const chip = event.target.closest ? event.target.closest(".chip") : null;
    if (!chip || (!chip.rows && !chip.columns)) return null;
    const { rowOf, keyOf } = view.pattern;
    const word = (of) => (of ? of[chip.place] : chip.place);
    return chip.rows ? { q: word(rowOf), k: null } : { q: null, k: word(keyOf) };
  };
  texts.addEventListener("pointerover", (event) => event.pointerType !== "touch" && view.hover(here(event)));
  texts.addEventListener("pointerleave", () => view.hover(null));
  texts.addEventListener("click", (event) => {
    const found = here(event);
    if (found) view.lockCell(found);
  });
}

// Keys that mean the same wherever the focus is in the view, except while something is being chosen or typed.
export function onKeys(view) {
  let digits = "";
  let timer = 0;
  view.root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    if (/^[0-9]$/.test(event.key)) {
      digits += event.key;
      clearTimeout(timer);
      timer = setTimeout(() => (digits = ""), 600);
      if (!view.pickHead(Number(digits))) view.pickHead(Number((digits = event.key)));
    } else if (event.key.toLowerCase() === "p") view.pin(view.current());
    else if (event.key.toLowerCase() === "a") view.mix(view.current());
    else if (event.key === "Escape") view.release();
    else return;
    event.preventDefault();
  });
}

export function onControls(view) {
  const { parts } = view;
  parts.sort.addEventListener("change", () => view.choose({ sort: parts.sort.value }, "heads"));
  for (const name of ["words", "special", "sinks"]) parts[name].addEventListener("click", () => view.choose({ [name]: !view.state[name] }));
  for (const one of parts.quarters.children) one.addEventListener("click", () => view.choose({ quarter: one.value }, "map", "heads", "rings"));
  parts.kind.addEventListener("change", () => {
    const kind = parts.kind.value;
    view.choose({ lines: { kind, value: kind === "share" ? 0.8 : 0.06 } }, "lines");
  });
  parts.range.addEventListener("input", () => {
    view.state.lines = { kind: view.state.lines.kind, value: Number(parts.range.value) };
    view.turns.next();
    view.draw("lines");
  });
  parts.range.addEventListener("change", () => view.tellPython());
  parts.zoomIn.addEventListener("click", () => view.zoomTo(view.zoom * 1.5));
  parts.zoomOut.addEventListener("click", () => view.zoomTo(view.zoom / 1.5));
  parts.fit.addEventListener("click", () => view.zoomTo(1));
  parts.tableBox.addEventListener("toggle", () => fillTable(view));
}
