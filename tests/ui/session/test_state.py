"""The choice and its address: whatever a link holds, a page can be shown; what was chosen comes back from the link."""

import subprocess
import sys
from dataclasses import replace

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.analysis.hand.broken_recipe import TEMPERATURES, BrokenRecipe
from core.analysis.transductive.board import PLANE, Board
from core.interventions import MOVES
from core.masks import MASKS
from core.paths import ROOT
from core.request import MaskRule, PositionRule, Site, Stream
from core.ui.attention import cell, measures
from core.ui.attention import parameters as attention
from core.ui.attention.positions import BEGINS
from core.ui.kit.parameters import DEPTHS
from core.ui.rnn import parameters as rnn
from core.ui.rnn.game import TASKS
from core.ui.running.branches import DEPTH
from core.ui.running.writing import MOST
from core.ui.session.links import LINKED, ROWS, Parameter, declare
from core.ui.session.state import KEY, Choice, Session, fit, heard, read, write
from core.ui.shell import menu

menu.parameters()


TYPED = {name: row.longest for name, row in ROWS.items() if row.longest}


def made(**given):
    """A choice with these values, by the names of rows."""
    return Choice().but(**given)


WIDE = [name for name, kind in MASKS.items() if kind.needs_width]
RULES = st.builds(
    MaskRule,
    st.sampled_from([Stream.ENCODER, Stream.DECODER]),
    st.sampled_from(["window", "block"]),
    width=st.integers(1, 99),
) | st.builds(MaskRule, st.sampled_from([Stream.ENCODER, Stream.DECODER]), st.sampled_from(["causal", "full"]))
TEXTS = st.text(max_size=60)
CHOICES = st.builds(
    made,
    model=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=40),
    text=TEXTS,
    target=st.none() | TEXTS,
    stream=st.none() | st.sampled_from(Stream),
    layer=st.integers(0, 500),
    head=st.integers(0, 500),
    cell=st.none() | st.tuples(st.integers(0, 900), st.none() | st.integers(0, 900)),
    mask=st.lists(RULES, max_size=3).map(tuple),
    reads=st.just(()) | st.just(((0, (1,)), (3, (0, 4, 5)))),
    depth=st.none() | st.integers(0, 99),
    teacher=st.none() | TEXTS,
    length=st.none() | st.integers(1, MOST),
    measure=st.sampled_from(attention.MEASURES),
    positions=st.just(("off", 0))
    | st.tuples(st.just("shuffled"), st.integers(1, attention.ORDERS))
    | st.tuples(st.just("shifted"), st.integers(1, attention.SHIFTS)),
    widths=st.dictionaries(st.sampled_from(WIDE), st.integers(1, 999)).map(lambda one: tuple(sorted(one.items()))),
    open=st.sets(st.sampled_from(attention.BOXES)).map(lambda some: tuple(one for one in attention.BOXES if one in some)),
    stage=st.sampled_from(attention.STAGES),
    merges=st.none() | st.tuples(st.integers(0, 99), st.integers(0, attention.MERGED)),
    game=st.tuples(st.sampled_from(TASKS), st.integers(0, 99), st.integers(0, rnn.ROUNDS - 1), st.integers(0, 99)),
    step=st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)),
    dial=st.sampled_from(DEPTHS),
    exercise=st.just("") | st.text(min_size=1, max_size=rnn.SHORT).filter(str.strip),
    recipe=st.builds(
        BrokenRecipe, root=st.booleans(), temperature=st.sampled_from(TEMPERATURES), heads=st.none() | st.integers(0, 99)
    ),
    sheet=st.integers(0, 9998),
    board=st.none() | st.builds(Board, st.sampled_from(PLANE), st.integers(0, 999), st.just(20), st.just(0.9)),
)
SITES = (Site(Stream.ENCODER, 0, 4), Site(Stream.DECODER, 0, 4), Site(Stream.CROSS, 0, 4), Site(Stream.DECODER, 1, 2))


@given(CHOICES)
def test_a_choice_comes_back_from_its_own_link(choice):
    again, notes = read(write(choice))
    assert again == choice
    assert notes == ()


def test_each_row_has_a_name_of_its_own_and_names_only_rows_that_are_there():
    with pytest.raises(ValueError, match="two parameters are called text"):
        declare(Parameter("text", "", str))
    assert all(set(row.forgotten_with) <= set(ROWS) for row in ROWS.values())
    with pytest.raises(KeyError):
        made(txet="a")


@given(st.dictionaries(st.sampled_from([*ROWS, "utm_source"]), st.text(max_size=80)))
def test_no_link_can_break_the_door(params):
    choice, notes = read(params)
    assert isinstance(choice, Choice)
    assert all(note.endswith(".") for note in notes)


def test_what_cannot_be_read_keeps_its_default_and_is_told():
    params = {
        "model": "", "text": "x" * (LINKED + 1), "stream": "sideways", "layer": "0", "head": "-1", "cell": "1.2.3",
        "mask": "encoder.nonsense",
    }  # fmt: skip
    choice, notes = read(params)
    assert choice == Choice()
    assert len(notes) == len(params)
    assert "“sideways”" in notes[2]


RUBBISH = {
    "measure": ["", "Weight", "norm ", "<b>"],
    "positions": ["", "on", "off.1", "shuffled", "shuffled.0", "shuffled.٣", "shuffled.100", "shifted.65", "shifted.1.2"],
    "widths": ["", "window", "window0", "window1000", "window2.window3", "causal2", "window-2", "window2..block3", "window２"],
    "open": ["", "cell", "take.take", "take.", "take,places", "bar-share"],
    "stage": ["", "softmax", "weights "],
    "merges": ["", "1", "0.1", "1.-1", "1.99999", "1.1.1", "a.b"],
    "dial": ["", "Maths", "deeper"],
    "game": ["", "recall", "recall.16", "recall.16.0", "recall.16.0.0", "recall.16.0.1.1", "<b>.16.0.1", "recall.9999.0.1"],
    "exercise": ["", "   ", "a3" * 61],
    "step": ["", "1", "0.1", "1.0", "1.1.1", "a.b", "1.99999"],
    "length": ["", "0", "-1", "401", "99999", "1e2", "²"],
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_in_a_parameter_is_refused_with_a_sentence(name):
    for raw in RUBBISH[name]:
        choice, notes = read({name: raw})
        assert choice == Choice(), raw
        shown = raw if len(raw) <= 40 else raw[:39] + "…"
        assert notes == (f"The link’s {name} “{shown}” means nothing here; the usual one is shown.",)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("sign", ["1.", "1_", "a", "window2.", "1k1x9999-", "\U0001f600"])
def test_a_parameter_longer_than_any_that_is_written_is_refused_before_it_is_read(name, sign, monkeypatch):
    monkeypatch.setitem(ROWS, name, replace(ROWS[name], read=lambda raw: pytest.fail("it was read")))
    choice, (note,) = read({name: sign * (2_000_000 // len(sign))})
    assert choice == Choice() and len(note) < 200
    assert note.startswith(f"The link’s {name} is left out. Expected at most 6,000 characters, but got ")


def test_a_link_that_names_millions_of_cells_says_what_came():
    choice, notes = read({"mask": "encoder.custom." + "-".join(["1k1x9999"] * 600), "reads": "-".join(["1k1x9999"] * 60)})
    assert choice == Choice()
    assert [note.partition(", but got ")[2] for note in notes] == ["5,999,400. Name fewer.", "599,940. Name fewer."]


def test_a_link_knows_the_names_that_the_pages_use():
    assert tuple(measures.NAMES) == attention.MEASURES
    assert tuple(cell.SAYS) == attention.STAGES
    for name in WIDE:
        assert read({"widths": f"{name}7"})[0][ROWS["widths"]] == ((name, 7),)
    assert set(BEGINS) == set(MOVES)
    for how, amount in BEGINS.items():
        assert read(write(made(positions=(how, amount))))[0][attention.POSITIONS] == (how, amount)
        PositionRule(Stream.ENCODER, how, amount)


def test_a_link_says_only_what_is_not_as_it_opens():
    assert set(write(Choice())) == {"model", "text", "layer", "head"}
    most = made(positions=("shuffled", 3), widths=(("block", 5), ("window", 4)), open=("places", "take"), game=("copy", 12, 0, 4))
    said = {name: text for name, text in write(most).items() if name not in write(Choice())}
    assert said == {"positions": "shuffled.3", "widths": "block5.window4", "open": "places.take", "game": "copy.12.0.5"}


def test_numbers_in_links_count_from_1():
    choice, _ = read({"layer": "2", "head": "3", "cell": "4.5"})
    assert (choice.layer, choice.head, choice.cell) == (1, 2, (3, 4))


def test_an_empty_target_is_not_the_same_as_none():
    assert read({"target": ""})[0].target == ""
    assert read({})[0].target is None


def test_a_text_too_long_for_a_link_is_left_out():
    assert "text" not in write(made(text="x" * (LINKED + 1)))


def test_a_mask_on_cross_attention_is_refused_at_the_door():
    choice, notes = read({"mask": "cross.causal"})
    assert choice.mask == ()
    assert len(notes) == 1


def test_without_a_stream_the_decoder_is_shown_where_there_is_one():
    assert fit(Choice(), SITES)[0].stream is Stream.DECODER
    assert fit(Choice(), SITES[:1])[0].stream is Stream.ENCODER


def test_what_a_model_lacks_is_replaced_and_told():
    choice, notes = fit(
        made(stream=Stream.DECODER, layer=7, head=3, mask=(MaskRule(Stream.ENCODER, "causal"),), depth=3), SITES[1:]
    )
    assert (choice.layer, choice.head, choice.mask, choice[DEPTH]) == (1, 1, (), None)
    assert notes == (
        "This decoder has 2 layers, so layer 8 is not there.",
        "This layer has 2 heads, so head 4 is not there.",
        "This encoder has 0 layers, so the decoder cannot read past 3 of them.",
    )


@given(CHOICES)
def test_a_fitted_choice_points_at_a_head_that_is_there(choice):
    fitted, _ = fit(choice, SITES)
    assert any(
        site.stream is fitted.stream and site.layer == fitted.layer and fitted.head < site.heads for site in SITES
    )
    assert fit(fitted, SITES) == (fitted, ())


def page():
    """A page with two choices; its text tells what it shows and what it wrote to the address."""
    import streamlit as st

    from core.ui.session import state

    state.arrive("a")
    st.button("layer", on_click=lambda: state.choose(layer=state.chosen().layer + 1))
    st.button("head", on_click=lambda: state.choose(head=state.chosen().head + 1))
    st.button("reset", on_click=state.reset)
    state.publish()
    st.text(f"{state.chosen().layer} {state.chosen().head} {st.query_params['layer']} {st.query_params['head']}")


def test_a_click_that_comes_with_the_address_of_before_the_last_one_loses_neither():
    app = AppTest.from_function(page)
    app.query_params["layer"] = "3"
    app.run()
    old = dict(app.query_params)
    app.button[0].click().run()
    app.query_params.update(old)  # the browser had not heard of the new address when it sent the next click
    app.button[1].click().run()
    assert app.text[0].value == "3 1 4 2"
    app.query_params.update(old)
    app.button[2].click().run()
    assert app.text[0].value == "0 0 1 1"


def test_an_older_address_without_a_click_is_someone_going_back():
    app = AppTest.from_function(page)
    app.query_params["layer"] = "3"
    app.run()
    old = dict(app.query_params)
    app.button[0].click().run()
    assert app.text[0].value == "3 0 4 1"
    app.query_params.update(old)
    app.run()
    assert app.text[0].value == "2 0 3 1"


def forgetting():
    """A page on which another text, another model, another way to choose, or all of it is chosen."""
    import streamlit as st

    from core.request import Sampling
    from core.ui.session import state

    state.arrive("a")
    for name, changes in {"text": {"text": "b"}, "model": {"model": "writer"}, "draw": {"sampling": Sampling(1.0)}}.items():
        st.button(name, on_click=state.choose, kwargs=changes)
    st.button("reset", on_click=state.reset)
    state.publish()


LEFT = {"measure": "norm", "positions": "shifted.9", "widths": "block5", "open": "take", "stage": "masked", "dial": "maths"}
POINTS = {"merges": "2.1", "step": "2.3", "length": "48"}


@pytest.mark.parametrize(
    ("button", "kept"), [(0, {*LEFT}), (1, {*LEFT}), (2, {*LEFT, "merges", "step", "sampling"}), (3, set())]
)
def test_another_text_forgets_what_pointed_into_the_old_one_and_starting_again_forgets_all(button, kept):
    app = AppTest.from_function(forgetting)
    for name, value in (LEFT | POINTS).items():
        app.query_params[name] = value
    app.run()
    assert not set(LEFT | POINTS) - set(app.query_params)
    app.button[button].click().run()
    assert set(app.query_params) - {"model", "text", "layer", "head"} == kept
    assert all(app.query_params[name] == value for name, value in LEFT.items() if name in kept)


def typing():
    """A page on which far more is typed than any field takes."""
    import streamlit as st

    from core.ui.session import state
    from core.ui.session.links import ROWS

    state.arrive("a")
    for name, most in ((name, row.longest) for name, row in ROWS.items() if row.longest):
        st.button(name, on_click=state.choose, kwargs={name: "x" * (most + 1), "head": 1})
    st.button("both", on_click=state.choose, kwargs={"text": "a b", "target": "y" * 3_000_000})
    st.button("fits", on_click=state.choose, kwargs={"exercise": "x" * ROWS["exercise"].longest})
    for note in state.take_notes():
        st.text(note)
    state.publish()


@pytest.mark.parametrize("number", range(len(TYPED) + 1))
def test_more_than_a_field_takes_is_not_kept_and_a_note_says_both_numbers(number):
    app = AppTest.from_function(typing)
    app.query_params["text"] = "as before"
    app.run()
    before = dict(app.query_params)
    app.button[number].click().run()
    assert dict(app.query_params) == before  # the address and what it says
    most, came = [*((most, most + 1) for most in TYPED.values()), (1_000_000, 3_000_000)][number]
    said = f"Expected at most {most:,} characters, but got {came:,}. What was there before is kept."
    assert [text.value for text in app.text] == [said] and not app.exception


def test_what_just_fits_a_field_is_kept():
    app = AppTest.from_function(typing).run()
    app.button[len(TYPED) + 1].click().run()
    assert app.query_params["exercise"] == "x" * TYPED["exercise"] and not app.text


@pytest.mark.parametrize(
    ("shown", "sent", "taken"),
    [
        ({"which": ("b", None)}, "a", ["a"]),  # someone chose
        ({"which": ("b", None)}, "b", []),  # it shows that already
        ({"which": ("b", None)}, None, []),  # a browser that forgot what it showed
        ({"which": ("b", None)}, "of before", []),  # the name of an option that is no longer offered
        ({}, "a", []),  # a sentence stands in its place
    ],
)
def test_a_widget_is_heard_only_where_someone_chose(monkeypatch, shown, sent, taken):
    known = Session(shown=dict(shown))
    monkeypatch.setattr(streamlit, "session_state", {KEY: known, "which": sent})
    found = []
    for _ in range(2):  # sent twice it is taken once
        heard("which", found.append, ("a", "b"))()
    assert found == taken
    assert all(known.shown[key][0] == taken[0] for key in shown if taken)


def test_of_two_quick_choices_the_second_holds_though_the_first_was_never_drawn(monkeypatch):
    known, found = Session(shown={"on": (True, None)}), []
    for sent in (False, True):
        monkeypatch.setattr(streamlit, "session_state", {KEY: known, "on": sent})
        heard("on", found.append)()
    assert found == [False, True]


def test_the_first_visitor_of_a_process_has_every_row_of_a_link() -> None:
    """What stands in a link is read before any page is imported; a row declared with its page would be lost once."""
    asks = (
        "import sys; from core.ui.kit import charts, frame, trouble; from core.ui.session import state; "
        "from core.ui.shell import menu; menu.parameters(); from core.ui.session.links import ROWS; "
        "early = set(ROWS); import core.ui.warm; core.ui.warm.pages(); print(sorted(set(ROWS) - early), len(early))"
    )
    ran = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert ran.stdout.startswith("[] ") and int(ran.stdout.split()[-1]) > 30, ran.stderr
