// A message that belongs to the view standing in the same box is put where that view finds it. It is a component of its own
// because a component's script travels with each of its messages.
export default function ({ data, parentElement }) {
  const box = (parentElement.host || parentElement).closest("[class*='st-key-'][class*='-box']");
  (globalThis.lookbackDeliveries ||= []).push({ data, box });
  document.dispatchEvent(new Event("lookback-delivery"));
}
