// Small builders for components that put elements on the page. Text goes in as text, never as markup.

function element(name, parent, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

// The theme's colours as the style sheet's variables; set only when they change, since that restyles everything inside.
function dress(box, theme) {
  if (box.dataset.theme === theme.name) return;
  box.dataset.theme = theme.name;
  for (const [name, value] of Object.entries(theme)) if (typeof value === "string") box.style.setProperty(`--${name}`, value);
}
