"""The choice and its address: whatever a link holds, a page can be shown; what was chosen comes back from the link."""

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.request import MaskRule, Site, Stream
from core.ui.state import LINKED, READERS, Choice, fit, read, write

RULES = st.builds(
    MaskRule,
    st.sampled_from([Stream.ENCODER, Stream.DECODER]),
    st.sampled_from(["window", "block"]),
    width=st.integers(1, 99),
) | st.builds(MaskRule, st.sampled_from([Stream.ENCODER, Stream.DECODER]), st.sampled_from(["causal", "full"]))
TEXTS = st.text(max_size=60)
CHOICES = st.builds(
    Choice,
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
)
SITES = (Site(Stream.ENCODER, 0, 4), Site(Stream.DECODER, 0, 4), Site(Stream.CROSS, 0, 4), Site(Stream.DECODER, 1, 2))


@given(CHOICES)
def test_a_choice_comes_back_from_its_own_link(choice):
    again, notes = read(write(choice))
    assert again == choice
    assert notes == ()


@given(st.dictionaries(st.sampled_from([*READERS, "utm_source"]), st.text(max_size=80)))
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


def test_numbers_in_links_count_from_1():
    choice, _ = read({"layer": "2", "head": "3", "cell": "4.5"})
    assert (choice.layer, choice.head, choice.cell) == (1, 2, (3, 4))


def test_an_empty_target_is_not_the_same_as_none():
    assert read({"target": ""})[0].target == ""
    assert read({})[0].target is None


def test_a_text_too_long_for_a_link_is_left_out():
    assert "text" not in write(Choice(text="x" * (LINKED + 1)))


def test_a_mask_on_cross_attention_is_refused_at_the_door():
    choice, notes = read({"mask": "cross.causal"})
    assert choice.mask == ()
    assert len(notes) == 1


def test_without_a_stream_the_decoder_is_shown_where_there_is_one():
    assert fit(Choice(), SITES)[0].stream is Stream.DECODER
    assert fit(Choice(), SITES[:1])[0].stream is Stream.ENCODER


def test_what_a_model_lacks_is_replaced_and_told():
    choice, notes = fit(
        Choice(stream=Stream.DECODER, layer=7, head=3, mask=(MaskRule(Stream.ENCODER, "causal"),)), SITES[1:]
    )
    assert (choice.layer, choice.head, choice.mask) == (1, 1, ())
    assert notes == (
        "This decoder has 2 layers, so layer 8 is not there.",
        "This layer has 2 heads, so head 4 is not there.",
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

    from core.ui import state

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
    for name, value in old.items():  # the browser had not heard of the new address when it sent the next click
        app.query_params[name] = value
    app.button[1].click().run()
    assert app.text[0].value == "3 1 4 2"
    for name, value in old.items():
        app.query_params[name] = value
    app.button[2].click().run()
    assert app.text[0].value == "0 0 1 1"


def test_an_older_address_without_a_click_is_someone_going_back():
    app = AppTest.from_function(page)
    app.query_params["layer"] = "3"
    app.run()
    old = dict(app.query_params)
    app.button[0].click().run()
    assert app.text[0].value == "3 0 4 1"
    for name, value in old.items():
        app.query_params[name] = value
    app.run()
    assert app.text[0].value == "2 0 3 1"
