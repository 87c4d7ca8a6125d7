"""Links that the app wrote once, over every page and every parameter: each still opens what it opened when it was written."""

import copy
import json

import pytest

from core.ui.session.links import ROWS
from core.ui.shell import menu
from tests.repository import sources
from tests.screens import LINKS, Renames, differences, filled, parameters, screen_of

RECORDED = json.loads(LINKS.read_text("utf-8"))


@pytest.mark.parametrize("link", RECORDED, ids=[f"{number}-{link['page']}" for number, link in enumerate(RECORDED, 1)])
def test_a_recorded_link_opens_what_it_opened_when_it_was_written(screen, link):
    page = screen(link["page"], **link["params"])
    assert page.calm() and not page.said("note") and not page.said("trouble")
    assert parameters(page) == link["params"]
    assert filled(page) == link["widgets"]


def test_the_links_hold_every_page_and_every_parameter():
    assert len(RECORDED) == 40
    menu.parameters()
    pages, names = {link["page"] for link in RECORDED}, {name for link in RECORDED for name in link["params"]}
    assert len(pages) >= 11 and {f"pages/{page}.py" for page in pages} <= set(sources("pages/"))
    assert len(names) >= 30 and names <= set(ROWS)  # what came after the links were written is in none of them


@pytest.fixture(scope="module")
def seen():
    """The screen of a link whose page sends JSON, bytes, a plot and a chart."""
    return screen_of(next(link for link in RECORDED if "positions" in link["params"]))


def test_a_screen_holds_words_and_payloads_and_equals_itself(seen):
    assert {"attention_view", "plot", "chart"} <= {one["name"] for one in seen["payloads"]}
    assert any(one["bytes"] for one in seen["payloads"])
    assert any("text=the+cat+sits" in words for words in seen["words"])
    assert differences(seen, copy.deepcopy(seen), Renames()) == ([], [])


@pytest.mark.parametrize("change", ["json", "arrays", "order", "gone", "params"])
def test_a_payload_or_a_parameter_that_changed_is_a_difference(seen, change):
    other = copy.deepcopy(seen)
    view = next(one for one in other["payloads"] if one["name"] == "attention_view")
    told = json.loads(view["json"])
    view["sha256"] = ""
    if change == "json":
        told["stream"] = "sideways"
        view["json"] = json.dumps(told)
    elif change == "arrays":
        view["arrays"] = ""
    elif change == "order":
        view["json"] = json.dumps(dict(reversed(told.items())))
    elif change == "gone":
        other["payloads"].remove(view)
    else:
        view["sha256"] = next(one["sha256"] for one in seen["payloads"] if one["name"] == "attention_view")
        other["parameters"]["layer"] = "1"
    ((line,), words) = differences(seen, other, Renames())
    assert not words and ("parameters.layer" if change == "params" else "attention_view 1") in line


def test_what_was_renamed_on_purpose_is_no_difference(seen):
    other = copy.deepcopy(seen)
    other["words"] = [one.replace("Weight", "Share") for one in other["words"]]
    for one in other["payloads"]:
        one["name"] = {"attention_view": "all_heads"}.get(one["name"], one["name"])
        one["json"] = one["json"].replace('"stream"', '"flow"')
        one["sha256"] = ""
    payloads, words = differences(seen, other, Renames())
    assert payloads and words and all("Weight" in line and "Share" in line for line in words)
    renames = Renames([["weight", "share"], ["stream", "flow"]], {"attention_view": "all_heads"})
    assert differences(seen, other, renames)[0] == []
    left = differences(seen, other, renames)[1]
    assert not left, left
