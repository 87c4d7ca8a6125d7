"""What is taken away holds the numbers that were on the screen, and the Python lines give them again."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core
from core import request_json
from core.errors import LensError, TooLongError
from core.export import (
    Colours,
    bars,
    csv_table,
    heads,
    lines,
    npz,
    python_lines,
    read_npz,
    request_from_json,
    request_to_json,
    svg,
)
from core.figures.theme import LIGHT
from core.request import KEEPS, HeadRef, MaskRule, Request, Stream

TEXT = "the cat sits on the mat"


@pytest.fixture(scope="module")
def lens():
    return core.load("classroom")


@pytest.fixture(scope="module")
def trace(lens):
    request = lens.request(TEXT, "and the dog")
    request = request.with_mask(MaskRule(Stream.ENCODER, "custom", (1,), (2,), edges=((0, 3), (2, 1))))
    request = request.with_ablation(HeadRef(Stream.CROSS, 0, 1)).with_cut((HeadRef(Stream.DECODER, 1, 0), 2, 1))
    return lens.run(request.with_temperature(0.5))


def test_npz_read_back_holds_every_number(trace):
    found = read_npz(npz(trace))
    for attention in trace.attention:
        name = f"{attention.site.stream.value}.{attention.site.layer}"
        assert np.array_equal(found[f"{name}.pattern"], attention.pattern)
        assert np.array_equal(found[f"{name}.allowed"], attention.allowed)
    assert np.array_equal(found["next_logits"], trace.next_logits)
    assert tuple(found["tokens"]["source"]["text"]) == trace.source.text
    assert request_from_json(found["request"]) == trace.request
    assert found["counting"] == json.loads(found["request"])["counting"] and found["counting"].endswith(
        "counted from 0"
    )


def test_npz_holds_all_that_was_kept_and_lazy_layers_computed(lens):
    request = lens.request(TEXT, "and the dog").keeping(*KEEPS, capture="lazy")
    made = lens.run(request)
    found = read_npz(npz(made))
    for attention in made.attention:
        for name in ("pattern", "scores", "query", "key", "value"):
            array = found[f"{attention.site.stream.value}.{attention.site.layer}.{name}"]
            assert array.dtype == np.float32 and np.array_equal(array, getattr(attention, name))
    for stream, depths in made.residual.items():
        assert np.array_equal(found[f"residual.{stream.value}"], depths)
    for name in ("top_ids", "top_logprob", "actual_logprob", "entropy"):
        assert np.array_equal(found[f"predictions.{name}"], getattr(made.predictions, name), equal_nan=True)
    bare = read_npz(npz(lens.run(request.keeping())))
    assert bare.keys() == {"next_logits", "tokens", "request", "counting"}
    filler = core.load("filler")
    hole = filler.run(filler.request(ids=(5, filler.mask, 6)))
    assert np.array_equal(read_npz(npz(hole))["masked_logits.1"], hole.masked_logits[1])


def test_a_step_of_generation_names_the_row_that_it_computed(lens):
    *_, step = lens.generate(lens.request(TEXT, "and the"), steps=3)
    (attention,) = (a for a in step.trace.attention if (a.site.stream, a.site.layer) == (Stream.DECODER, 0))
    last = len(step.trace.target) - 1
    rows = list(csv.DictReader(io.StringIO(csv_table(step.trace, (attention,)))))
    assert {(row["query (from 0)"], row["query token"]) for row in rows} == {(str(last), step.trace.target.text[last])}
    frame = step.trace.to_frame("decoder", 0)
    assert set(frame["query"]) == {last} and list(frame["key_token"]) == [row["key token"] for row in rows]


def test_npz_of_one_layer_holds_that_layer(trace):
    one = trace.at(Stream.CROSS, 1)
    found = read_npz(npz(trace, (one,)))
    assert np.array_equal(found["cross.1.pattern"], one.pattern)
    assert not [name for name in found if name.endswith(".pattern") and name != "cross.1.pattern"]


def test_csv_read_back_holds_every_cell(trace):
    (attention,) = (a for a in trace.attention if (a.site.stream, a.site.layer) == (Stream.CROSS, 1))
    rows = list(csv.DictReader(io.StringIO(csv_table(trace, (attention,)))))
    assert len(rows) == attention.pattern.size
    for row in rows[::7]:
        layer, head, q, k = (int(row[f"{name} (from 0)"]) for name in ("layer", "head", "query", "key"))
        assert layer == 1
        assert np.float32(row["weight"]) == attention.pattern[head, q, k]
        assert (row["query token"], row["key token"]) == (trace.target.text[q], trace.source.text[k])
        assert bool(int(row["may look"])) == attention.allowed[head, q, k]


def test_no_cell_of_a_spreadsheet_is_a_formula(lens):
    made = lens.run(lens.request("=1+1 @x -2 +3", ""))
    (attention,) = (a for a in made.attention if (a.site.stream, a.site.layer) == (Stream.ENCODER, 0))
    cells = {row["key token"] for row in csv.DictReader(io.StringIO(csv_table(made, (attention,))))}
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_table_too_long_for_a_spreadsheet_is_refused(trace, monkeypatch):
    monkeypatch.setattr("core.export.numbers.ROWS", 10)
    with pytest.raises(LensError, match="Take one layer"):
        csv_table(trace, trace.attention)


def test_the_python_lines_give_the_same_numbers_again(trace):
    space: dict = {}
    exec(python_lines(trace.request, "classroom", Stream.ENCODER, 1, 2), space)
    assert space["request"] == trace.request
    assert np.array_equal(space["pattern"], trace.at(Stream.ENCODER, 1).head(2))


@pytest.mark.parametrize("model", ["induction", "classroom"])
def test_the_lines_fit_every_kind(model):
    lens = core.load(model)
    trace = lens.run(lens.request("abcabc"))
    stream = trace.attention[0].site.stream
    space: dict = {}
    exec(python_lines(trace.request, model, stream, 1, 0), space)
    assert np.array_equal(space["pattern"], trace.at(stream, 1).head(0))


@pytest.mark.parametrize(
    "text", [TEXT, "<img src=x onerror=alert(1)> & \"'", "مرحبا بالعالم", "नमस्ते 👩‍👩‍👧‍👦", "\x00\x07\u202e", "x" * 40]
)
def test_a_figure_is_sound_xml_and_holds_the_weights(lens, text):
    made = lens.run(lens.request(text, "and"))
    attention = made.at(Stream.ENCODER, 0)
    names = list(made.source.text)
    root = ET.fromstring(svg(attention.head(1), attention.allowed[1], names, names, text, text, LIGHT.weights))
    titles = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert np.array_equal(np.array([np.float32(t) for t in titles]).reshape(attention.head(1).shape), attention.head(1))
    assert {node.tag.partition("}")[2] for node in root.iter()} <= {
        "svg",
        "rect",
        "text",
        "defs",
        "pattern",
        "path",
        "title",
    }


def test_forbidden_cells_say_so(lens):
    attention = lens.run(lens.request(TEXT, "and the dog")).at(Stream.DECODER, 0)
    drawn = svg(attention.head(0), attention.allowed[0], "abcd", "abcd", "", "", LIGHT.weights)
    assert drawn.count("may not look") == 6


IDS = st.lists(st.integers(0, 5000), min_size=10, max_size=12).map(tuple)
CELLS = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9).map(
    lambda found: tuple(sorted(found))
)
RULES = st.builds(
    MaskRule,
    st.sampled_from([Stream.ENCODER, Stream.DECODER]),
    st.just("custom"),
    st.none() | st.just((0, 2)),
    st.none() | st.just((1,)),
    st.none(),
    CELLS,
)


@settings(deadline=None)
@given(
    IDS, IDS, st.lists(RULES, max_size=3), st.floats(0.1, 5), st.sampled_from([("pattern",), ("pattern", "qkv"), ()])
)
def test_a_request_survives_json(source, target, rules, temperature, keep):
    request = Request("m", source, target).keeping(*keep).with_temperature(temperature)
    for rule in rules:
        request = request.with_mask(rule)
    again = request_from_json(request_to_json(request))
    assert again == request and hash(again) == hash(request)


WRONG = {
    "lookback": "request", "lens": "m", "source": "abc", "target": None, "masks": [], "ablated": [], "cuts": [],
    "temperature": 1, "keep": [], "capture": None, "layers": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"lookback": "request"}', '{"lookback": "mask"}', "[" * 50_000, json.dumps(WRONG)],
    ids=["empty", "list", "object", "null", "bare", "mask", "deep", "wrong"],
)
def test_anything_else_is_refused_in_words(text):
    with pytest.raises(LensError):
        request_from_json(text)


RULE = {"stream": "encoder", "name": "custom", "layers": None, "heads": None, "width": None, "edges": [[0, 0]]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"masks": [{**RULE, "edges": [[0, 0]] * 150_000}] * 2}, "262,144 cells in a request, but got 300,000"),
        ({"masks": [RULE], "cuts": [0] * 262_144}, "262,144 cells in a request, but got 262,145"),
        ({"masks": [0] * 4097}, "4,096 masks in a request, but got 4,097"),
        ({"ablated": [0] * 5000}, "4,096 ablated in a request, but got 5,000"),
        ({"positions": [0] * 5000}, "4,096 positions in a request, but got 5,000"),
        ({"lens": "m" * 3_000_000}, "2,000,000 characters of a request saved by Lookback as JSON, but got 3,000,"),
    ],
)  # fmt: skip
def test_more_than_is_read_is_refused_before_a_rule_is_made(changes, said, monkeypatch):
    monkeypatch.setattr(request_json, "MaskRule", lambda *parts: pytest.fail("a rule was made"))
    with pytest.raises(TooLongError, match=f"at most {said}"):
        request_from_json(json.dumps({**WRONG, **changes}, separators=(",", ":")))


def test_a_wrong_cell_among_many_is_the_one_that_is_named():
    rule = {**RULE, "edges": [[0, 0]] * 100_000 + [[0, -7]]}
    with pytest.raises(LensError, match=r"counted from 0, for “custom”, but got \(0, -7\)"):
        request_from_json(json.dumps({**WRONG, "masks": [rule]}))


def titles(drawn):
    return [node.text for node in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")]


LOOK = Colours(LIGHT.weights, LIGHT.ink, LIGHT.bg, LIGHT.ink2, LIGHT.encoder, LIGHT.fade)


def test_a_sheet_of_all_heads_holds_their_weights(lens):
    made = lens.run(lens.request(TEXT, "and the dog"))
    sites = [a for a in made.attention if a.site.stream is Stream.DECODER]
    found = titles(heads([a.pattern for a in sites], [a.allowed for a in sites], "<b>", TEXT, LOOK))
    wanted = []
    for attention in sites:
        for head in range(attention.site.heads):
            wanted.append(f"layer {attention.site.layer + 1}, head {head + 1}")
            for q, k in np.ndindex(attention.shape[1:]):
                may = attention.allowed[head, q, k]
                wanted.append(f"{attention.pattern[head, q, k]:.9g}" if may else "may not look")
    assert found == wanted


def test_lines_hold_every_weight_that_is_not_faint(lens):
    attention = lens.run(lens.request(TEXT, "")).at(Stream.ENCODER, 0)
    pattern, names = attention.head(1), [*TEXT.split(), "<end>"]
    found = sorted(np.float32(text) for text in titles(lines(pattern, names, names, "t", "s", LOOK, 2)))
    assert found == sorted(pattern[pattern >= 0.04].tolist())


def test_bars_hold_their_probabilities():
    drawn = bars([("a & b", 0.25, None), ("<c>", 0.125, 0.5)], "t", "s", LOOK)
    assert titles(drawn) == ["0.25", "0.125"] and "was 50 %" in drawn


def test_a_map_of_other_numbers_holds_them_too(lens):
    values = np.array([[-3.5, 2.0], [0.25, -np.inf]])
    drawn = svg(values, np.isfinite(values), "ab", "cd", "t", "s", LIGHT.change, unit="score", scale=(-3.5, 3.5))
    assert titles(drawn) == ["-3.5", "2", "0.25", "may not look"]
    assert ">-3.50<" in drawn and ">score<" in drawn
