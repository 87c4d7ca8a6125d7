"""Models that are read only, in the app: their maps are shown, and what would change them is disabled with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

import core
from core.ui.running.scene import UNTOLD
from tests import families

TEXT = "w7 w9 w11 w20 w31"
MODELS = {"gpt_neo": "decoder", "deberta_v3": "encoder", "mvp": "encoder-decoder"}
PAGES = (
    "home", "sequence", "rnn", "hand", "encoder", "decoder", "transductive", "attention", "masks", "translate", "generate"
)  # fmt: skip
LINK = {
    "mask": "decoder.full,encoder.causal", "positions": "shuffled.3", "reads": "2k1", "depth": "1", "recipe": "t4",
    "measure": "norm", "open": "check-cell.check-stages.pieces.places.take", "stage": "product",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for name in MODELS:
        families.build(name, root / name)
    return root


@pytest.fixture
def opened(folder, offered):
    return offered(folder)


def reason(name: str) -> str:
    return f"The family {name.replace('_v3', '-v2')} computes attention in code of its own"


def told(shown, sentence: str) -> bool:
    return any(sentence in line for line in (*shown.said("how"), *shown.said("note")))


@pytest.mark.parametrize("name", MODELS)
def test_every_page_opens_with_every_change_in_the_link(name, screen, opened):
    shown = screen("home")
    for page in PAGES:
        shown.go(page, model=f"folder:{name}", text=TEXT, **LINK)
        assert shown.calm(), page
        assert not shown.said("trouble"), page
        held = dict(shown.app.query_params.items())
        assert held["model"] == f"folder:{name}"
        if page not in ("rnn", "transductive"):  # the others open the model
            assert not {"mask", "positions", "reads", "depth", "recipe"} & set(held), page
            assert any(line.startswith("Left out: ") and reason(name) in line for line in shown.said("note")), page


@pytest.mark.parametrize("page", ["attention", "masks"])
@pytest.mark.parametrize("name", MODELS)
def test_the_causal_switch_is_disabled_with_the_reason(name, page, screen, opened, folder):
    shown = screen(page, model=f"folder:{name}", text=TEXT, stream="encoder" if name == "deberta_v3" else "decoder")
    switch = shown.app.toggle(key="causal")
    assert switch.disabled and reason(name) in switch.help and told(shown, reason(name))
    assert switch.value == (name != "deberta_v3") and "as this model was trained" in switch.label
    lens = core.load(str(folder / name), device="cpu")
    attention = lens.run(lens.request(TEXT, *([""] if name == "mvp" else []))).attention[0 if name != "mvp" else 2]
    if name != "mvp":
        own = attention.pattern[0]
        assert np.allclose(np.nan_to_num(shown.map), own, atol=1e-6)
        assert np.array_equal(np.isnan(shown.map), own == 0)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_can_be_painted(name, screen, opened):
    shown = screen("masks", model=f"folder:{name}", text=TEXT)
    sent = {one.proto.component_name for one in shown.app.get("bidi_component")}
    assert not any("mask" in component for component in sent)
    assert not [one for one in shown.app.button if one.key == "mask-off"]
    assert len(shown.bars()) >= 5


@pytest.mark.parametrize("name", MODELS)
def test_sums_and_stages_say_what_is_missing(name, screen, opened):
    shown = screen("attention", model=f"folder:{name}", text=TEXT, open="check-cell.check-stages.take", measure="norm")
    assert shown.calm() and shown.said("how").count(UNTOLD) == 2
    figures = shown.app.selectbox(key="take-figure").options
    assert "This head as a map" in figures and not any("Stage" in one or "norm" in one for one in figures)
    lines = [one.value for one in shown.app.code]
    assert any(f'load("{name}' in line or name in line for line in lines)


@pytest.mark.parametrize("name", ["gpt_neo", "mvp"])
def test_it_writes_what_the_lens_writes(name, screen, opened, folder):
    shown = screen("generate", model=f"folder:{name}", text=TEXT, target="", length="5")
    sent = next(json.loads(one.proto.json) for one in shown.app.get("bidi_component") if "loop" in one.proto.component_name)
    lens = core.load(str(folder / name), device="cpu")
    request = lens.request(TEXT, *([""] if name == "mvp" else []))
    own = list(lens.generate(request, steps=5))
    assert [step["written"]["id"] for step in sent["steps"]] == [step.choice.id for step in own]
    for step in sent["steps"]:  # no cache: nothing is said of one
        assert step["cache"]["held"] == "" and step["cache"]["rows"] == [] and not step["cache"]["anew"]


def test_a_hidden_word_is_filled_in(screen, opened):
    shown = screen("generate", model="folder:deberta_v3", text=TEXT)
    assert any("fill" in one.proto.component_name for one in shown.app.get("bidi_component"))
    assert "In place of" in shown.lead


def test_translating_offers_no_row_to_confine(screen, opened):
    shown = screen("translate", model="folder:mvp", text=TEXT)
    sent = next(json.loads(one.proto.json) for one in shown.app.get("bidi_component") if "theatre" in one.proto.component_name)
    assert sent["fixed"] and reason("mvp") in sent["note"]
