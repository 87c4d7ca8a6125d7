"""The page Generate, without a browser: each step is the model's, counted by hand."""

import base64
import math

import numpy as np
import pytest

import core
from core.figures.loop_payload import one_step, payload, surprisals
from core.request import Sampling, Stream
from core.ui.loop import Growing, read_branch


@pytest.fixture(scope="module")
def classroom():
    return core.load("classroom")


@pytest.fixture(scope="module")
def steps(classroom):
    return list(classroom.generate(classroom.request("gen ai is", ""), Sampling(temperature=0.0), 5))


@pytest.mark.parametrize("model", ["classroom", "induction", "writer", "translator"])
def test_the_page_opens_for_every_model_that_writes(screen, model):
    page = screen("generate", model=model)
    assert page.calm() and not page.said("trouble")
    assert any("surprisal" in line for line in page.said("how"))


def test_a_steps_numbers_are_the_runs(classroom, steps):
    for step in steps:
        made = one_step(step)
        trace = classroom.run(step.request)
        codes = np.frombuffer(base64.b64decode(made["rows"]), np.uint8).reshape(made["layers"], made["heads"], made["keys"])
        for layer in range(made["layers"]):
            wanted = trace.at(Stream.DECODER, layer).pattern[:, -1]
            assert np.abs((codes[layer] / 255.0) ** 2 - wanted).max() <= 0.004
        chances = {token.id: token.probability for token in trace.next_tokens(10)}
        for one in made["candidates"]:
            assert one["before"] == pytest.approx(chances[one["id"]], rel=1e-4)
        assert made["written"]["bits"] == pytest.approx(-math.log2(chances[made["written"]["id"]]), abs=1e-4)


def test_what_is_new_and_what_is_reused_is_counted_by_hand(steps):
    for index, step in enumerate(steps):
        cache = one_step(step)["cache"]
        assert (cache["reused"], cache["fresh"]) == (index, 1)
        heads = 3 * 4  # layers and heads of the decoder
        assert cache["products"] == f"{heads * (index + 1):,}"
        assert cache["without"] == f"{heads * (index + 1) ** 2:,}"


def test_the_cut_is_drawn_where_the_filter_cuts(classroom):
    (step,) = classroom.generate(classroom.request("gen ai is", ""), Sampling(temperature=0.8, top_k=3, seed=3), 1)
    made = one_step(step)
    assert [bool(one["cut"]) for one in made["candidates"]] == [False] * 3 + [True] * 7
    assert sum(one["after"] for one in made["candidates"]) == pytest.approx(1.0)
    assert {one["cut"] for one in made["candidates"][3:]} == {"top-k"}


def test_surprisal_is_the_run_asked_again_piece_by_piece(classroom):
    request = classroom.request("the cat", "sits on the mat")
    found = surprisals(classroom.run(request.keeping("predictions")))
    assert found[0] is None and len(found) == len(request.target)
    for place in range(1, len(request.target)):
        start = classroom.request(ids=request.source, target_ids=request.target[:place])
        logits = classroom.run(start).next_logits.astype(np.float64)
        nats = logits[request.target[place]] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        assert found[place] == pytest.approx(-nats / math.log(2), abs=1e-3)


def test_the_same_seed_writes_the_same_text_and_the_link_holds_it(screen):
    page = screen("generate", sampling="t0.9_k40_p0.95_m0.02_s7")
    assert page.calm() and not page.said("note")
    assert page.app.query_params["sampling"] == "t0.9_k40_p0.95_m0.02_s7"
    assert page.app.number_input(key="s-seed").value == 7
    page.app.slider(key="s-temperature").set_value(0.5).run()
    assert page.app.query_params["sampling"].startswith("t0.5_k40")


@pytest.mark.parametrize(
    "sampling", ["t", "t1", "t1_s", "t1_k0_s0", "t-1_s0", "t1_p0_s0", "t1_p2_s0", "tnan_s0", "t1_s0_x", "t1.1.1_s0"]
)
def test_a_bad_link_is_told(screen, sampling):
    page = screen("generate", sampling=sampling)
    assert page.calm()
    assert page.said("note")


def test_a_branch_is_compared_with_what_would_have_come(screen, classroom, steps):
    other = steps[0].candidates[1].token
    page = screen("generate", forced=str(other.id))
    assert page.calm()
    (table,) = page.app.table
    free, branch = (float(value) for value in table.value["log p"])
    greedy = list(classroom.generate(classroom.request("gen ai is", ""), Sampling(temperature=0.0), 24))
    assert free == pytest.approx(sum(step.choice.logprob for step in greedy), abs=0.006)
    assert branch < 0 and table.value["text"][1].startswith(other.text.strip())
    page.app.button(key="branch-off").click().run()
    assert not page.app.table


def test_what_a_browser_sends_is_checked(steps):
    grown = Growing([one_step(step) for step in steps], [step.choice.id for step in steps])
    listed = grown.steps[2]["candidates"][3]["id"]
    assert read_branch({"version": "v", "step": 2, "id": listed}, "v", grown, (9,)) == (9, *grown.ids[:2], listed)
    for raw in (
        None, [], {"version": "w", "step": 2, "id": listed}, {"version": "v", "step": 99, "id": listed},
        {"version": "v", "step": 2}, {"version": "v", "step": -1, "id": listed}, {"version": "v", "step": 2, "id": 10**9},
        {"version": "v", "step": "2", "id": listed},
    ):  # fmt: skip
        assert read_branch(raw, "v", grown, ()) is None


def test_the_prompt_is_told_from_what_a_branch_forced(classroom, steps):
    trace = classroom.run(classroom.request("gen ai is", "interesting domain").keeping("predictions"))
    made = payload(trace, [one_step(steps[0])], 1, "v", False)
    assert [one["forced"] for one in made["prompt"]] == [False, False, True]
