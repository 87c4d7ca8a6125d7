"""The page Self-attention by hand, without a browser: what is sent to the plane, what comes back, what is asked."""

import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

import core
from core.analysis import kl
from core.analysis.hand import plane as planes
from core.analysis.hand.plane import weigh, write_link
from core.analysis.hand.worksheet import exercise
from core.analysis.projection import flatten
from core.export.worksheet import worksheet
from core.figures.labels import percent
from core.figures.payloads.hand import state
from core.request import HeadRef, Stream
from core.ui.hand.plane import cosines, read_moved, steps
from core.ui.hand.real_head import kept_says
from tests.printed import shows


def sent(page, name: str = "hand") -> dict:
    """What the plane was given last."""
    for component in page.app.get("bidi_component"):
        if component.proto.component_name.endswith(f"lookback_{name}"):
            return json.loads(component.proto.json)
    raise AssertionError("the plane is not on the page")


def release(page, plane, version: str = "0"):
    """As the browser does when an arrow is let go."""
    page.app.session_state["plane-desk"].now = plane
    known = page.app.session_state["lookback"]
    known.choice = known.choice.but(plane=plane)
    page.app.run()
    return page


def test_the_page_opens_with_the_plane(screen):
    page = screen("hand")
    assert page.calm() and not page.said("trouble")
    data = sent(page)
    assert data["now"] == data["opened"] == state(planes.START)
    assert len(page.said("ask")) == 3


def test_only_a_message_about_the_plane_that_stands_there_counts():
    good = {"version": "0", **state(planes.SINK)}
    assert read_moved(good, "0") == planes.SINK
    for bad in (None, 3, {}, {**good, "version": "1"}, {**good, "more": 1}, {k: v for k, v in good.items() if k != "chosen"}):
        assert read_moved(bad, "0") is None


def test_a_preset_lays_out_another_plane(screen):
    page = screen("hand")
    page.app.button(key="try-hand-3").click().run()
    data = sent(page)
    assert data["version"] == "1" and data["now"] == state(planes.SINK)
    assert "The first key is the shortest" in page.said("note")[0]


def test_a_link_opens_its_plane_and_a_wrong_one_says_so(screen):
    page = screen("hand", plane=write_link(planes.NEIGHBOUR))
    assert sent(page)["now"] == sent(page)["opened"] == state(planes.NEIGHBOUR)
    page = screen("hand", plane="3.1_2")
    assert sent(page)["now"] == state(planes.START)
    assert "The link’s plane “3.1_2” means nothing here" in page.said("note")[0]


@pytest.mark.parametrize("name", ["START", "NEIGHBOUR", "SINK", "ORTHOGONAL", "ALIKE"])
@pytest.mark.parametrize("causal", [False, True])
def test_the_formulas_hold_this_planes_numbers(name, causal):
    plane = getattr(planes, name)
    plane = planes.Plane(plane.words, plane.arrows, plane.chosen, causal)
    found = weigh(plane)
    row, at = plane.chosen, int(found.weight[plane.chosen].argmax())
    first, second, third, last = (latex for latex, _ in steps(plane, found))
    numbers = [float(text) for text in re.findall(r"-?\d+\.\d+", first)]
    assert numbers[0] * numbers[1] + numbers[2] * numbers[3] == pytest.approx(numbers[4], abs=0.005)
    assert numbers[4] / np.sqrt(2) == pytest.approx(float(re.findall(r"-?\d+\.\d+", second)[-1]), abs=0.011)
    scores = [float(text) for text in re.findall(r"e\^\{(-?\d+\.\d+)\}", third)]
    weight = float(third.rpartition("= ")[2])
    assert np.exp(scores[0]) / np.exp(scores[1:]).sum() == pytest.approx(weight, abs=0.02)
    assert weight == pytest.approx(found.weight[row, at], abs=0.0006)
    assert shows(last, found.output[row][0], 2)


def test_the_first_question_is_answered_by_dragging_and_by_nothing_else(screen):
    page = screen("hand")
    assert not page.said("verdict right")
    page.app.button(key="try-hand-1").click().run()  # “sleeps” looks at “cat” here, but nobody dragged
    assert not page.said("verdict right")
    page.app.button(key="try-hand-0").click().run()
    rest = planes.START.arrows
    q, _, v = rest[1]
    moved = planes.Plane(planes.START.words, (rest[0], (q, (30, 20), v), rest[2]), 2)
    assert weigh(moved).weight[2, 1] > 0.5
    release(page, moved)
    assert page.said("verdict right")[0].startswith("Right. It gives")


TEXT = {"text": "the little girl reads a book", "target": "in the garden"}


@pytest.fixture(scope="module")
def lens():
    return core.load("classroom")


@pytest.mark.parametrize("stream", ["encoder", "decoder", "cross"])
def test_the_real_head_is_the_models_own_beside_the_plane(screen, lens, stream):
    page = screen("hand", stream=stream, layer="2", head="3", **TEXT)
    assert page.calm() and not page.said("trouble")
    data = sent(page, "hand_real_head")
    trace = lens.run(lens.request(TEXT["text"], TEXT["target"], keep=("pattern", "qkv")))
    attention = trace.at(Stream(stream), 1)
    assert np.abs(np.array(data["own"]) - attention.head(2)).max() <= 1e-6
    assert np.array_equal(data["may"], attention.allowed[2])
    assert np.allclose(np.array(data["q"]) @ np.array(data["k"]).T, data["score"])
    flat = flatten(attention, 2)
    told = page.said("how kept")[0]
    assert f"keep {percent(flat.kept)} of the variance" in told and f"{percent(float(flat.off.mean()))} of a row" in told
    assert f"has {attention.query.shape[-1]} dimensions" in told


def test_a_text_too_long_for_the_plane_is_told_and_the_rest_of_the_page_stands(screen):
    page = screen("hand", text="the cat and the dog " * 6, stream="encoder")
    assert page.calm() and any("room for 16 tokens" in said for said in page.said("how"))
    assert len(page.said("ask")) == 3


def test_without_a_text_the_plane_is_still_there(screen):
    page = screen("hand", text=" ")
    assert page.calm() and page.said("trouble") and sent(page)["now"] == state(planes.START)
    assert len(page.said("ask")) == 3


def test_three_tokens_are_said_to_fit_and_a_longer_text_is_one_click_away(screen):
    page = screen("hand")
    told = page.said("how kept")[0]
    assert "directions for it keep 100\xa0% of the variance" in told and "says little" in told and "average 0\xa0% of a row" in told
    page.app.button(key="longer").click().run()
    told = page.said("how kept")[0]
    assert page.calm() and "no feat" not in told and told.startswith("Encoder, layer 1, head 1")


def breaks(page) -> dict[str, list[str]]:
    """The table of breaks: what was taken away → its cells."""
    (body,) = [body for body in page.html if "sum breaks" in body]
    told = {}
    for name, cells in re.findall(r'<tr><th scope="row">(.*?)<small>.*?</th>(.*?)</tr>', body):
        told[unescape(name)] = [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall("<td>(.*?)</td>", cells)]
    return told


def test_every_break_is_a_run_of_the_model(screen, lens):
    page = screen("hand", **TEXT)
    plain = lens.request(TEXT["text"], TEXT["target"])
    d = lens.info.d_model // lens.info.heads
    others = [HeadRef(site.stream, site.layer, head) for site in lens.info.sites for head in range(1, site.heads)]
    requests = {
        "nothing": plain, "√d": plain.with_temperature(d**-0.5), "temperature 1": plain.with_temperature(4.0),
        "all but the largest weight": plain.with_top_k(1), "the residual": plain.without_residual(),
        "all heads but one": plain.with_ablation(*others),
    }  # fmt: skip
    told = breaks(page)
    assert list(told) == list(requests)
    trained = lens.run(plain)
    for name, request in requests.items():
        trace = lens.run(request)
        rows = {stream: [] for stream in Stream}
        for attention in trace.attention:
            for head in set(range(attention.site.heads)) - set(attention.ablated):
                for row in attention.head(head).astype(np.float64):
                    rows[attention.site.stream].append(np.exp(-sum(p * np.log(p) for p in row if p > 0)))
        for cell, stream in zip(told[name][2:], Stream, strict=True):
            assert float(cell) == pytest.approx(np.mean(rows[stream]), abs=0.006)
        distance = kl(trained.next_logits, trace.next_logits)
        if told[name][1] == "< 0.001":
            assert 0 < distance < 0.001
        else:
            assert float(told[name][1]) == pytest.approx(distance, rel=0.005, abs=0.0006)
        (best,) = trace.next_tokens(1)
        assert told[name][0].startswith(best.text.strip())


def test_ones_own_mixture_is_run_and_the_question_knows_the_worst(screen, lens):
    page = screen("hand", **TEXT)
    page.app.toggle(key="recipe-linked").set_value(False).run()
    page.app.get_by_key("recipe-top-k").set_value(2).run()
    trace = lens.run(lens.request(TEXT["text"], TEXT["target"]).without_residual().with_top_k(2))
    assert page.calm()
    bars = page.bars()
    (best,) = trace.next_tokens(1)
    assert max(row["share"] for row in bars) == pytest.approx(best.probability, abs=1e-5)
    page.app.get_by_key("ask-hand-2").set_value("the residual").run()
    assert any(said.startswith("Right. KL") for said in page.said("verdict right"))
    page.app.button(key="recipe-reset").click().run()
    assert page.app.toggle(key="recipe-linked").value is True


def test_an_encoder_alone_shows_its_effective_tokens_and_no_next_token(screen):
    page = screen("hand", model="filler", text="the cat sits on the mat")
    assert page.calm() and not page.said("trouble")
    assert len(breaks(page)["nothing"]) == 1


def test_another_sheet_is_another_exercise_with_the_same_numbers_in_its_file(screen):
    page = screen("hand")
    (first,) = [body for body in page.html if "sum sheet" in body]
    page.app.button(key="sheet-next").click().run()
    (second,) = [body for body in page.html if "sum sheet" in body]
    assert page.calm() and "sheet 2" in second and first != second
    for cell in re.findall("<td>(.*?)</td>", second):
        assert cell in worksheet(exercise(2))


def test_a_link_holds_ones_own_mixture_and_the_sheet(screen):
    page = screen("hand", recipe="r_t4_k2_n_h1", sheet="12", **TEXT)
    assert page.calm() and not page.said("trouble") and not page.said("note")
    assert page.app.toggle(key="recipe-root").value is False and page.app.toggle(key="recipe-linked").value is False
    assert [page.app.get_by_key(f"recipe-{name}").value for name in ("warm", "top-k", "heads")] == [4.0, 2, 1]
    assert any("sheet 12" in body for body in page.html if "sum sheet" in body)
    page.app.get_by_key("recipe-top-k").set_value("all").run()
    page.app.button(key="sheet-next").click().run()
    assert page.app.query_params.get("recipe") == "r_t4_n_h1" and page.app.query_params.get("sheet") == "13"
    page.app.button(key="recipe-reset").click().run()
    assert page.app.query_params.get("recipe") is None
    page = screen("hand", recipe="t3", sheet="0")
    assert len(page.said("note")) == 2 and page.app.toggle(key="recipe-root").value is True


def test_the_lines_of_the_planes_to_begin_with_hold():
    """What each preset says of its plane, worked out from its arrows."""

    def at(plane: planes.Plane, query: tuple[int, int], causal: bool = False) -> np.ndarray:
        """Weights of the chosen word after its query was moved."""
        arrows = [list(three) for three in plane.arrows]
        arrows[plane.chosen][0] = query
        made = planes.Plane(plane.words, tuple(map(tuple, arrows)), plane.chosen, causal)
        return weigh(made).weight[plane.chosen]

    up = planes.ORTHOGONAL.arrows[planes.ORTHOGONAL.chosen][0]
    keys = np.array([three[1] for three in planes.ORTHOGONAL.arrows])
    assert at(planes.ORTHOGONAL, up) == pytest.approx(1 / 3)
    assert at(planes.ORTHOGONAL, (3, up[1])).argmax() == keys[:, 0].argmax() == np.abs(keys[:, 0]).argmax()
    left = at(planes.ORTHOGONAL, (-3, up[1]))
    assert keys[left.argmax(), 0] < 0 and (keys[:, 0] < 0).sum() == 1  # not the longest: that one points the other way
    open_, masked = weigh(planes.NEIGHBOUR).weight, weigh(replace(planes.NEIGHBOUR, causal=True)).weight
    assert np.abs(masked - open_)[0].max() > 0.9 and 0 < np.abs(masked - open_)[1:].max() < 0.005
    query, key = (np.array([three[n] for three in planes.SINK.arrows], dtype=float) for n in (0, 1))
    angles = [[float(q @ k / np.sqrt((q @ q) * (k @ k))) for k in key] for q in query]
    assert cosines(planes.SINK) == pytest.approx(np.array(angles))
    assert cosines(planes.SINK)[:, 1:].max() < 0 < cosines(planes.SINK)[:, 0].min()
    assert np.linalg.norm(key, axis=1).argmin() == 0 and (weigh(planes.SINK).weight.argmax(axis=1) == 0).all()


def test_the_sink_preset_tells_its_own_cosines(screen):
    page = screen("hand")
    page.app.button(key="try-hand-3").click().run()
    (said,) = page.said("note")
    for value in (cosines(planes.SINK)[:, 0].min(), cosines(planes.SINK)[:, 0].max()):
        assert shows(said, float(value), 2)


def test_what_the_plane_keeps_counts_hidden_scores_and_says_so(lens):
    trace = lens.run(lens.request("gen ai is", "interesting domain").keeping("pattern", "qkv"))
    for stream in (Stream.DECODER, Stream.ENCODER):
        flat = flatten(trace.at(stream, 0), 0)
        assert ("those that the mask hides" in kept_says(flat, "A head")) == (not flat.allowed.all())
