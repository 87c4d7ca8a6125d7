// What Streamlit's frame lacks for people without eyes or without a mouse.
// Its menu puts each group of pages in a <div> between its <ul> and its <li>s, so that neither is a list any more and screen
// readers tell nonsense of it: without these roles it is what it looks like, headings and links. And a picture wider than the
// screen scrolls: where nothing in it takes the focus, the box itself does, so that arrow keys scroll it. Its text field cannot
// ask for a phone's number keys, so that is asked for here, for the questions' answers.
const MENU = '[data-testid="stSidebarNavItems"]';
const ANSWERS = '[class*="st-key-ask-"] [data-testid="stTextInput"] input';
const WIDE = '[class*="-map"].stVerticalBlock, .st-key-heads, .st-key-difference, .st-key-mask-picture, [class*="st-key-strip"]';

function mend() {
  for (const node of document.querySelectorAll(`${MENU}:not([role]), ${MENU} li:not([role])`)) node.setAttribute("role", "none");
  for (const field of document.querySelectorAll(`${ANSWERS}:not([inputmode])`)) {
    field.setAttribute("inputmode", "decimal");
    field.setAttribute("autocomplete", "off");
  }
  for (const box of document.querySelectorAll(WIDE)) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls && !box.hasAttribute("tabindex")) box.setAttribute("tabindex", "0");
    else if (!scrolls) box.removeAttribute("tabindex");
  }
}

export default function () {
  let due = 0;
  const soon = () => {
    if (!due) due = setTimeout(() => { due = 0; mend(); }, 120); // many changes come at once
  };
  mend();
  const watch = new MutationObserver(soon); // the menu is drawn anew when it folds, a picture when it changes
  watch.observe(document.querySelector('[data-testid="stApp"]') || document.body, { childList: true, subtree: true });
  window.addEventListener("resize", soon);
  return () => {
    watch.disconnect();
    window.removeEventListener("resize", soon);
    clearTimeout(due);
  };
}
