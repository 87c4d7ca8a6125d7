// What is chosen, on its way to the walk in the same page: a message of its own, so that the numbers need not travel again.
export default function ({ data }) {
  globalThis.lookbackWalk = data;
  document.dispatchEvent(new Event("lookback-walk"));
}
