"""The page Masks, without a browser."""

import json

import numpy as np
import pytest

import core
from core.analysis import kl, logits_of
from core.request import MaskRule, Stream
from core.ui.mask_painter import read_painted
from tests.pages.conftest import numbers

TEXT = "the cat sits on the mat"


def difference(page):
    charts = [json.loads(chart.proto.spec) for chart in page.app.get("plotly_chart")]
    return numbers(charts[-1]["data"][0]["z"]) if charts else None


def test_the_page_opens_on_the_mask_as_trained(screen):
    page = screen("masks")
    assert page.calm() and not page.said("trouble")
    assert difference(page) is None
    assert any("Choose a mask" in line for line in page.said("how"))
    assert [row["before"] for row in page.bars()] == [None] * 6


@pytest.mark.parametrize("stream", ["encoder", "decoder", "cross"])
def test_the_gallery_shows_each_masks_divergence_as_the_api_gives_it(screen, stream):
    page = screen("masks", stream=stream, text=TEXT, target="and the dog sleeps")
    lens = core.load("classroom")
    request = lens.request(TEXT, "and the dog sleeps")
    native = logits_of(lens.run(request))
    keys = len(request.source if stream != "decoder" else request.target)
    rules = {"Full": MaskRule(stream, "full"), "Padding": MaskRule(stream, "padding", edges=((None, keys - 1),))}
    if stream != "cross":
        rules |= {"Causal": MaskRule(stream, "causal"), "Prefix": MaskRule(stream, "prefix", width=2)}
        rules |= {"Sliding window": MaskRule(stream, "window", width=2), "Block-diagonal": MaskRule(stream, "block", width=3)}
    cards = [body for body in page.said("mask-card")]
    if stream == "cross":
        assert not any(card.startswith("Causal") for card in cards)
    for name, rule in rules.items():
        try:
            wanted = kl(native, logits_of(lens.run(request.with_mask(rule))))
        except core.LensError:
            continue
        (card,) = [card for card in cards if card.startswith(name)]
        shown = float(card.partition("KL ")[2].removesuffix(" nats"))
        assert shown == pytest.approx(wanted, rel=0.06, abs=6e-7)


def test_a_card_adopts_its_mask_and_the_link_holds_it(screen):
    page = screen("masks", stream="encoder", text=TEXT)
    page.app.button(key="adopt-window").click().run()
    assert page.calm()
    assert page.app.query_params["mask"] == "encoder.window.2"
    assert any("KL from native" in line for line in page.said("how"))
    page.app.number_input(key="width-window").set_value(4).run()
    assert page.app.query_params["mask"] == "encoder.window.4"
    page.app.button(key="adopt-full").click().run()
    assert "mask" not in page.app.query_params
    assert page.calm()


def test_a_painted_mask_is_exactly_the_mask_of_the_api(screen):
    page = screen("masks", stream="encoder", text=TEXT, layer="2", head="3", mask="encoder.custom.3k1_2-5k3")
    lens = core.load("classroom")
    request = lens.request(TEXT, "")
    native = lens.run(request)
    rule = MaskRule(Stream.ENCODER, "custom", edges=((2, 0), (2, 1), (4, 2)))
    grown = page.app.text_input(key="bar-target-text").value
    request = lens.request(TEXT, grown)
    native, masked = lens.run(request), lens.run(request.with_mask(rule))
    wanted = masked.at(Stream.ENCODER, 1).head(2).astype(float) - native.at(Stream.ENCODER, 1).head(2)
    assert np.abs(difference(page) - wanted).max() <= 1e-6
    assert any(card.startswith("Yours") for card in page.said("mask-card"))
    best = masked.next_tokens(1)[0]
    assert page.bars()[0]["share"] == pytest.approx(best.probability, abs=1e-6)


def test_as_trained_takes_the_mask_off_and_leaves_other_streams_alone(screen):
    page = screen("masks", stream="encoder", text=TEXT, mask="encoder.causal,cross.padding.k1")
    page.app.button(key="mask-off").click().run()
    assert page.app.query_params["mask"] == "cross.padding.k1"


def test_a_mask_that_empties_a_row_is_told(screen):
    page = screen("masks", stream="encoder", text="the cat", mask="encoder.custom.1k1x3")
    assert not page.app.exception
    assert any("Leave one cell of that row open" in line for line in page.said("trouble"))
    assert page.app.text_input(key="bar-text").value == "the cat"


@pytest.mark.parametrize(
    "raw",
    [None, [], {}, {"rows": ["11"]}, {"rows": ["11", "1"], "version": "v"}, {"rows": ["00", "11"], "version": "v"},
     {"rows": ["12", "11"], "version": "v"}, {"rows": ["11", "11"], "version": "w"}, {"rows": "1111", "version": "v"},
     {"rows": [1, 2], "version": "v"}, {"rows": ["11", "11"], "version": "v", "more": 1}],
)  # fmt: skip
def test_what_a_browser_sends_is_checked(raw):
    assert read_painted(raw, (2, 2), "v") is None


def test_what_was_painted_is_read():
    assert read_painted({"rows": ["10", "11"], "version": "v"}, (2, 2), "v").tolist() == [[True, False], [True, True]]
