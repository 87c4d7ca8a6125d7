"""Every page of the menu under axe-core, the accessibility checker of Deque Systems (github.com/dequelabs/axe-core)."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Visit

GRAVE = ("serious", "critical")
MENU = "[data-testid=stSidebarNav] a"
# a part that is still fading in has less contrast than it will have
FADED = "() => document.getAnimations().every(a => a.effect?.getTiming().iterations === Infinity || a.playState !== 'running')"


def faults(visit: Visit) -> list[str]:
    """What axe-core calls serious or critical on the screen, each with the element it found first."""
    found = Axe().run(visit.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['impact']} {one['id']} × {len(one['nodes'])}: {one['help']}: {node['target']} {node['html'][:200]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 390)])
def test_no_page_of_the_menu_has_a_serious_fault(chromium, server, scheme, width):
    visit = Visit(chromium, server, color_scheme=scheme)
    visit.open()
    pages = visit.page.locator(MENU).evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(pages) >= 11
    visit.page.set_viewport_size({"width": width, "height": 844})
    found = {}
    for address in [*pages, None]:
        if address is None:
            visit.open("masks", stream="encoder", text="the cat sits on the mat", mask="encoder.custom.3k1")
        else:
            visit.follow(address)
        visit.page.get_by_role("heading", level=1).first.wait_for()
        # Streamlit puts grey bars for what it still fetches even between the items of its menu
        visit.page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached")
        visit.page.wait_for_function(FADED)
        found[address] = faults(visit)
    visit.close()
    assert not any(found.values()), "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines)
