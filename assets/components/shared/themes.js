// The colours of both appearances, as core/figures/theme.py names them: core/ui/kit/bundle.py writes them here when it joins the files.
export const THEMES = { light: {}, dark: {} };
