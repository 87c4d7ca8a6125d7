// Eq. 1 by hand, in double precision: q·k, ÷ √d, softmax, weighted values. What the plane shows is what stands here.
export const PERCENT = "\u00a0%";

export function weigh(tokens, causal) {
  const root = Math.sqrt(2);
  return tokens.map(({ q }, row) => {
    const product = tokens.map(({ k }) => q[0] * k[0] + q[1] * k[1]);
    const score = product.map((value) => value / root);
    const may = tokens.map((_, at) => !causal || at <= row);
    const top = Math.max(...score.filter((_, at) => may[at]));
    const grown = score.map((value, at) => (may[at] ? Math.exp(value - top) : 0));
    const total = grown.reduce((sum, value) => sum + value, 0);
    const weight = grown.map((value) => value / total);
    const part = tokens.map(({ v }, at) => [weight[at] * v[0], weight[at] * v[1]]);
    const output = part.reduce((sum, one) => [sum[0] + one[0], sum[1] + one[1]], [0, 0]);
    return { product, score, may, weight, part, output };
  });
}

// A number with its true minus; what rounds to nothing has no sign.
export function said(value, digits = 2) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? (0).toFixed(digits) : text).replace("-", "\u2212");
}

export function pair(vector, digits = 2) {
  return `(${said(vector[0], digits)},\u00a0${said(vector[1], digits)})`;
}

export function share(weight) {
  const value = 100 * weight;
  if (value > 0 && value < 0.1) return `< 0.1${PERCENT}`;
  if (value < 100 && value >= 99.95) return `> 99.9${PERCENT}`;
  return `${value.toFixed(value < 9.95 || value >= 99.5 ? (value === 0 || value === 100 ? 0 : 1) : 0)}${PERCENT}`;
}
