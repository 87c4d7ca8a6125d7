"""A sentence takes a page's place and goes again: nothing is chosen by it, though a browser forgets what its widgets showed."""

import pytest
from streamlit.testing.v1.element_tree import Widget, _cleared_widget_state

from core.ui.shell.menu import PAGES
from tests.pages.conftest import Screen

NAMES = [page.name for page in PAGES]
WITHOUT = {"rnn", "transductive"}  # pages that read no text
CHOICES = [
    *((name, {}) for name in NAMES if name not in WITHOUT),
    ("attention", {"stream": "encoder", "layer": "2", "head": "3", "measure": "norm"}),
    ("attention", {"measure": "rollout", "mask": "decoder.full", "open": "check-cell.check-stages.pieces.places"}),
    ("attention", {"positions": "shifted.4", "open": "places", "stage": "scaled"}),
    ("masks", {"mask": "decoder.full"}),
    ("masks", {"mask": "encoder.window.2", "stream": "encoder", "widths": "window2"}),
    ("translate", {"model": "translator"}),
    ("translate", {"model": "translator", "depth": "2"}),
    ("decoder", {"mask": "decoder.full", "dial": "maths"}),
    ("decoder", {"dial": "code", "target": "one cat sat down"}),
    ("encoder", {"layer": "2", "head": "2", "dial": "maths"}),
    ("generate", {"sampling": "t1.2_k5_s3"}),
    ("generate", {"part": "beam.3.4"}),
    ("generate", {"part": "own", "own": "one word"}),
    ("hand", {"recipe": "t2_k1", "sheet": "4", "dial": "code"}),
    ("sequence", {"model": "writer", "dial": "maths"}),
]


class Browser(Screen):
    """A visitor whose browser does as Chromium: a widget that comes new is set to its own default, unless the server sets it."""

    def __init__(self, page: str, **params: str) -> None:
        super().__init__(page, **params)
        self.there, self.unset = {node.id for node in self.app._tree if isinstance(node, Widget)}, set()

    def type(self, text: str, field: str = "bar-text") -> "Browser":
        states = self.app.text_input(key=field).set_value(text).root.get_widget_states()
        defaults = {node.id: _cleared_widget_state(node) for node in self.app._tree if getattr(node, "id", "") in self.unset}
        for place, sent in enumerate(states.widgets):
            if sent.id in defaults:
                states.widgets[place].CopyFrom(defaults[sent.id])
        self.app._run(states)
        drawn = {node.id: getattr(node.proto, "set_value", False) for node in self.app._tree if isinstance(node, Widget)}
        self.unset = {one for one, told in drawn.items() if not told and (one in self.unset or one not in self.there)}
        self.there = set(drawn)
        return self


def chosen(page: Screen) -> dict[str, str]:
    return {name: value for name, value in page.app.query_params.items() if name != "text"}


@pytest.mark.parametrize(("name", "params"), CHOICES)
def test_an_empty_text_and_the_next_ones_choose_nothing_else(name, params):
    page = Browser(name, **params)
    before = chosen(page)
    assert page.calm() and {name: before[name] for name in params} == params
    for text in ("", "one cat sat", "two cats sat"):
        page.type(text)
        assert page.calm() and bool(page.said("trouble")) == (not text)
        assert chosen(page) == before, text


def test_pages_without_a_text_have_no_field_for_it():
    for name in WITHOUT:
        assert "bar-text" not in {field.key for field in Screen(name).app.text_input}
