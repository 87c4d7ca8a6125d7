// Streamlit's menu puts each group of pages in a <div> between its <ul> and its <li>s, so that neither is a list any more and
// screen readers tell nonsense of it. Without these roles it is what it looks like: headings and links.
//
// Streamlit's text field cannot ask for a phone's number keys, so that is asked for here, for the questions' answers.
const MENU = '[data-testid="stSidebarNavItems"]';
const ANSWERS = '[class*="st-key-ask-"] [data-testid="stTextInput"] input';

function mend() {
  for (const node of document.querySelectorAll(`${MENU}:not([role]), ${MENU} li:not([role])`)) node.setAttribute("role", "none");
  for (const field of document.querySelectorAll(`${ANSWERS}:not([inputmode])`)) {
    field.setAttribute("inputmode", "decimal");
    field.setAttribute("autocomplete", "off");
  }
}

export default function () {
  mend();
  const watch = new MutationObserver(mend); // the menu is drawn anew when it folds
  watch.observe(document.querySelector('[data-testid="stApp"]') || document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}
