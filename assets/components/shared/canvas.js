// What pictures on a canvas share.

// A canvas of a size in CSS px, as sharp as the screen; gives where one draws, in CSS px.
export function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.scale(ratio, ratio);
  return g;
}

export function font(size, weight = 400) {
  return `${weight} ${size}px "Source Sans", sans-serif`;
}
