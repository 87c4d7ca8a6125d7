"""Pictures of every page at three sizes, light and dark: `python -m tests.browser.shots FOLDER [PAGE …]`. Not a test."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from core.ui.shell.menu import PAGES
from tests.browser.conftest import FLAGS, Visit, chromium_path, serving

SIZES = {"projector": (1920, 1080), "laptop": (1280, 800), "phone": (390, 844)}
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    **{page.name: (page.name, {}) for page in PAGES},
    "home": ("", {}),
    "one-head": ("attention", {"stream": "encoder", "text": "the teacher reads a new book every", "layer": "1", "head": "2"}),
    "masked": ("attention", {"stream": "encoder", "text": "the teacher reads a new book every", "mask": "encoder.causal"}),
    "cross": ("attention", {"stream": "cross", "text": "the cat sits on"}),
    "painted": ("masks", {"stream": "encoder", "text": "the cat sits on the mat", "mask": "encoder.custom.3k1_2-5k3"}),
    "translator": ("translate", {"model": "translator", "text": "the black cat sleeps on the red sofa"}),
    "sampled": ("generate", {"text": "the cat sits on the", "model": "writer", "sampling": "t0.8_k20_p0.9_s3"}),
    "beams": ("generate", {"part": "beam", "text": "the cat sits on"}),
    "own-words": ("generate", {"part": "own", "model": "writer", "text": "the cat sits on the", "own": "moon yesterday"}),
    "fill": ("generate", {"model": "filler", "text": "the cat sits on the red sofa", "part": "fill.7.2"}),
    "trouble": ("attention", {"text": "x" * 3000}),
}


def main(folder: Path, wanted: list[str]) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver, serving() as address:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        for name, (page, params) in VIEWS.items():
            if wanted and name not in wanted:
                continue
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    # a phone is shown as far as one scrolls
                    tall = height if size != "phone" else 2400
                    visit = Visit(browser, address, viewport={"width": width, "height": tall}, color_scheme=scheme)
                    visit.open(page, **params)
                    # grey bars stand in for what Streamlit still fetches, charts above all; a test waits for what it reads alone
                    visit.page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached")
                    visit.page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
                    visit.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
