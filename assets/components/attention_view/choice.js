// What is chosen, as the view holds it (heads by their place in the list) and as Python reads and writes it (layer and head).

export const START = {
  locked: null, cell: null, pins: [], mixed: [], words: false, special: false, sinks: false, sort: "grid", quarter: "all",
  lines: { kind: "weight", value: 0.06 },
};

// What Python is told.
export function choiceOf(view, stream = view.model.stream) {
  const { state, model } = view;
  const pair = (index) => [model.heads[index].layer, model.heads[index].head];
  const [layer, head] = pair(state.locked ?? view.last);
  return {
    head, key: state.cell ? state.cell.k : null, layer, lines: [state.lines.kind, state.lines.value],
    locked: state.locked !== null, mixed: state.mixed.map(pair), pins: state.pins.map(pair),
    quarter: state.quarter, query: state.cell ? state.cell.q : null, sinks: state.sinks, sort: state.sort, special: state.special, stream,
    words: state.words,
  };
}

// The view's state from a choice that Python made; heads and cells that this text has not are let go.
export function readChoice(view, choice) {
  const { model } = view;
  const index = ([layer, head]) => model.index(layer, head);
  const found = (pairs) => pairs.map(index).filter((one) => one >= 0);
  const { query, key, words, special, sinks, sort, quarter } = choice;
  view.last = Math.max(0, index([choice.layer, choice.head]));
  const fits = query !== null && key !== null && query < model.queries && key < model.keys;
  return {
    locked: choice.locked ? view.last : null, cell: fits ? { q: query, k: key } : null, pins: found(choice.pins),
    mixed: found(choice.mixed), words, special, sinks, sort, quarter, lines: { kind: choice.lines[0], value: choice.lines[1] },
  };
}
