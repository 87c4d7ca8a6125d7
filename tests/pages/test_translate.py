"""The page Translate, without a browser: what is sent is what the model computed."""

import base64

import numpy as np
import pytest

import core
from core.figures.theatre_payload import block, payload, words
from core.request import Stream
from core.ui.theatre import read_branch


def greedy(lens, request, limit=64):
    """A straightforward decode: run everything again for each piece, take the likeliest."""
    ids = []
    while len(ids) < limit:
        best = int(np.argmax(lens.run(request.append(*ids) if ids else request).next_logits))
        if best in lens.text.ends:
            break
        ids.append(best)
    return ids


@pytest.fixture(scope="module")
def classroom():
    return core.load("classroom")


def test_the_lectures_example_is_two_clicks_away_and_each_step_has_three_maps(screen, classroom):
    page = screen("home").go("translate")
    assert page.calm() and not page.said("trouble")
    request = classroom.request("gen ai is", "")
    ids = greedy(classroom, request)
    assert classroom.decode(ids).split()[:2] == ["interesting", "domain"]
    trace = classroom.run(request.append(*ids).keeping("pattern", "predictions"))
    data = payload(trace, 0, "v", 0)
    assert [step["written"]["text"] for step in data["steps"]][:2] == ["interesting", "domain"]
    for stream in Stream:
        assert data[stream.value]["queries"] == (len(trace.source) if stream is Stream.ENCODER else len(trace.target))


def test_the_payload_holds_the_traces_numbers(classroom):
    request = classroom.request("the cat sits on the mat", "and the dog")
    trace = classroom.run(request.keeping("pattern", "predictions"))
    for stream in Stream:
        made = block(trace, stream)
        shape = (made["layers"], made["heads"], made["queries"], made["keys"])
        codes = np.frombuffer(base64.b64decode(made["codes"]), np.uint8).reshape(shape)
        for attention in (a for a in trace.attention if a.site.stream is stream):
            drawn = (codes[attention.site.layer] / 255.0) ** 2
            assert np.abs(drawn - attention.pattern).max() <= 0.004
    steps = payload(trace, 3, "v", 0)["steps"]
    for row, step in enumerate(steps[:-1]):
        assert step["written"]["id"] == trace.target.ids[row + 1]
        chance = np.exp(trace.predictions.actual_logprob[row])
        listed = {one["id"]: one["p"] for one in step["candidates"]}
        if step["written"]["id"] in listed:
            assert listed[step["written"]["id"]] == pytest.approx(float(chance), rel=1e-4)
        assert bool(step["flag"]) == (step["candidates"][0]["id"] != step["written"]["id"])
    assert [step["written"]["forced"] for step in steps] == [True] * 3 + [False] * (len(steps) - 3)


def test_a_row_is_what_the_step_had_computed(classroom):
    request = classroom.request("gen ai is", "")
    ids = greedy(classroom, request)
    whole = classroom.run(request.append(*ids).keeping("pattern", "predictions"))
    for step in range(len(ids)):
        then = classroom.run(request.append(*ids[:step]).keeping("pattern") if step else request.keeping("pattern"))
        for stream in (Stream.DECODER, Stream.CROSS):
            for attention in (a for a in then.attention if a.site.stream is stream):
                later = whole.at(stream, attention.site.layer).pattern[:, step]
                now = attention.pattern[:, -1]
                assert np.abs(later[:, : now.shape[-1]] - now).max() <= 1e-5


def test_a_branch_stands_in_the_link_and_can_be_forgotten(screen, classroom):
    request = classroom.request("gen ai is", "")
    trace = classroom.run(request.keeping("pattern", "predictions"))
    other = int(trace.predictions.top_ids[0][1])
    page = screen("translate", forced=str(other))
    assert page.calm() and not page.said("trouble")
    assert page.app.query_params["forced"] == str(other)
    (table,) = page.app.table
    assert table.value.iloc[1]["text"].startswith(classroom.decode([other]).strip()[:14])
    page.app.button(key="branch-off").click().run()
    assert "forced" not in page.app.query_params and not page.app.table


def test_another_text_forgets_the_branch(screen):
    page = screen("translate", forced="700")
    page.type("the cat")
    assert "forced" not in page.app.query_params


@pytest.mark.parametrize("forced", ["9999999", "x", "-1", "1..2", "1." * 200])
def test_a_bad_branch_in_a_link_is_told(screen, forced):
    page = screen("translate", forced=forced)
    assert not page.app.exception
    assert page.said("note") or page.said("trouble")


def test_what_a_browser_sends_is_checked(classroom):
    trace = classroom.run(classroom.request("gen ai is", "interesting").keeping("pattern", "predictions"))
    listed = int(trace.predictions.top_ids[1][2])
    first = int(trace.target.ids[1])
    assert read_branch({"version": "v", "step": 1, "id": listed}, "v", trace, 1) == (first, listed)
    for raw in (
        None, [], {}, {"version": "w", "step": 1, "id": listed}, {"version": "v", "step": 9, "id": listed},
        {"version": "v", "step": -1, "id": listed}, {"version": "v", "step": 1, "id": 10**9},
        {"version": "v", "step": True, "id": listed}, {"version": "v", "step": 1, "id": "3"},
        {"version": "v", "step": 1, "id": listed, "more": 1},
    ):  # fmt: skip
        assert read_branch(raw, "v", trace, 1) is None


def test_a_model_without_a_source_points_elsewhere(screen):
    page = screen("translate", model="induction", text="abcabc")
    assert page.calm()
    assert any("decoder alone" in line for line in page.said("how"))


@pytest.mark.parametrize("text", ["a", "مرحبا بالعالم", "👩‍👩‍👧‍👦", "<img src=x onerror=alert(1)>", "x" * 40, "\u202eabc"])
def test_any_text_is_shown_as_text(screen, classroom, text):
    page = screen("translate")
    page.type(text)
    assert page.calm() and not page.said("trouble")
    assert "<img" not in "".join(page.html)
    trace = classroom.run(classroom.request(text, "").keeping("pattern", "predictions"))
    assert len(words(trace.source)) == len(trace.source)
