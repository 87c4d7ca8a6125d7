"""The page Generate, without a browser: each step is the model's, counted by hand."""

import base64
import math
import threading

import numpy as np
import pytest

import core
from core.analysis.cache import layers_of, through_layers, work
from core.analysis.sampling import cuts, tempered
from core.analysis.surprisal import price as priced
from core.attention import decode_u8
from core.engine.generation import distribution
from core.errors import InputError
from core.figures.payloads import beams
from core.figures.payloads import fill as fill_payload
from core.figures.payloads import words as words_payload
from core.figures.payloads.loop import count_said, one_step, payload, surprisals
from core.request import Sampling, Stream
from core.ui.generate import beam_tree, loop
from core.ui.generate.loop import read_branch
from core.ui.generate.side_by_side import parting, price
from core.ui.kit.turns import read_numbers
from core.ui.running import writing as writer_of_pages
from core.ui.running.runs import Ticket
from core.ui.running.writing import Writing
from tests.printed import shows, shows_ratio, shows_share

GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def classroom():
    return core.load("classroom")


def grown(lens, sampling, count, text="gen ai is", first=0, target=""):
    request = lens.request(text, target if lens.info.kind != "decoder" else None, keep=("pattern", "qkv"))
    return list(lens.generate(request, sampling, count, first))


@pytest.fixture(scope="module")
def steps(classroom):
    return grown(classroom, GREEDY, 5)


def wordy(lens, count, text="the cat"):
    """A sampling with which the text does not end before `count` tokens."""
    tried = (Sampling(2.0, seed=seed) for seed in range(50))
    return next(sampling for sampling in tried if len(grown(lens, sampling, count, text)) == count)


def drawn(lens, step, sampling=GREEDY):
    config = lens.config
    each = config and through_layers(config.d_model, config.d_ff, config.decoder_layers, config.reads)
    return one_step(step, sampling, lens.info.d_model, lens.info.dtype, each)


def codes(spec):
    lines = np.frombuffer(base64.b64decode(spec["codes"]), np.uint8).reshape(-1, spec["keys"])
    assert len(lines) == 1 + sum(spec["heads"])
    return decode_u8(lines)


@pytest.mark.parametrize("model", ["classroom", "induction", "writer", "translator"])
def test_the_page_opens_for_every_model_that_writes(screen, model):
    page = screen("generate", model=model)
    assert page.calm() and not page.said("trouble")
    assert "bits of surprisal a token" in page.lead
    for part, says in (("beam", "With 4 beams it finds"), ("own", "bits a token")):
        page = screen("generate", model=model, part=part)
        assert page.calm() and not page.said("trouble") and not page.said("note")
        assert says in page.lead


@pytest.mark.parametrize("name", ["classroom", "writer"])
def test_a_steps_numbers_are_the_runs(name):
    lens = core.load(name)
    for step in grown(lens, GREEDY, 4):
        made, trace = drawn(lens, step), lens.run(step.request)
        streams = [Stream.DECODER, Stream.CROSS] if lens.info.kind == "encoder-decoder" else [Stream.DECODER]
        assert [spec["stream"] for spec in made["looks"]] == [stream.value for stream in streams]
        for stream, spec in zip(streams, made["looks"], strict=True):
            wanted = np.concatenate([a.pattern[:, -1] for a in trace.attention if a.site.stream is stream])
            assert np.abs(codes(spec)[1:] - wanted).max() <= 0.004
            assert np.abs(codes(spec)[0] - wanted.mean(0)).max() <= 0.004
        chances = {token.id: token.probability for token in trace.next_tokens(10)}
        for one in made["candidates"]:
            assert one["before"] == pytest.approx(chances[one["id"]], rel=1e-4)
        assert made["written"]["bits"] == pytest.approx(-math.log2(chances[made["written"]["id"]]), abs=1e-4)


def test_what_is_new_and_what_is_reused_is_counted_by_hand(classroom, steps):
    layers, heads, width, d_model, source = 3, 4, 48, 192, len(classroom.request("gen ai is", "").source)
    for index, step in enumerate(steps):
        done = work(layers_of(step), step.cache.reused, d_model, 4)
        numbers = layers * heads * width * 2  # a key and a value
        old, fresh = (index + source, 1) if index else (0, 1 + source)
        assert (done.bytes_reused, done.bytes_new) == (old * numbers * 4, fresh * numbers * 4)
        assert done.bytes_reused + done.bytes_new == step.cache.bytes
        assert (done.making_reused, done.making_new) == (old * numbers * d_model, fresh * numbers * d_model)
        assert done.looking == numbers * (index + 1 + source)
        assert done.looking_without == numbers * (index + 1) * (index + 1 + source)
        cache = drawn(classroom, step)["cache"]
        assert (cache["reused"], cache["new"]) == (index, 1)
        assert cache["rows"][1][1:] == [f"{old * numbers * 4:,}", f"{fresh * numbers * 4:,}"]
        assert f"= {numbers * 4:,} bytes" in cache["formulas"][0]
        # every matrix of the decoder once for each token, but those that read the source
        matrices = {name: p.numel() for name, p in classroom.backend.model.decoder.named_parameters() if p.dim() == 2}
        through = sum(size for name, size in matrices.items() if ".cross.key" not in name and ".cross.value" not in name)
        assert cache["rows"][-1][1:] == [f"{count_said(through * index)} spared", count_said(through)]


SAMPLINGS = [
    GREEDY, Sampling(), Sampling(0.7, top_k=3), Sampling(1.5, top_p=0.8), Sampling(1.0, min_p=0.2), Sampling(1.3, 20, 0.9, 0.05),
    Sampling(2.0, top_k=200), Sampling(0.3, top_p=0.99, min_p=0.001),
]  # fmt: skip


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_cut_is_drawn_where_the_sampler_cuts(classroom, sampling):
    for step in grown(classroom, sampling, 3):
        logits = step.trace.next_logits
        _, after, cut = distribution(logits, sampling)
        lines = cuts(logits, sampling)
        assert (lines[-1].kept if lines else len(logits)) == int((cut == 0).sum())
        heat = np.sort(tempered(logits, sampling.temperature))[::-1]
        for line in lines:
            if line.name != "greedy":
                assert line.mass == pytest.approx(heat[: line.kept].sum())
        made = drawn(classroom, step, sampling)
        spectrum = made["spectrum"]
        for id, share, last in zip([c.token.id for c in step.candidates], spectrum["heat"], spectrum["after"], strict=True):
            assert share == pytest.approx(float(tempered(logits, sampling.temperature)[id]))
            assert last == pytest.approx(float(after[id]))
        assert step.candidates[spectrum["chosen"]].token.id == step.choice.id
        kept = lines[-1].kept if lines else len(logits)
        assert [bool(one["cut"]) for one in made["candidates"]] == [n >= kept for n in range(10)]
        left = math.fsum(float(one) for one in tempered(logits, 1.0)) - sum(one["before"] for one in made["candidates"])
        assert made["rest"].startswith(f"All other {len(logits) - 10:,} tokens together: ")
        assert shows_share(made["rest"], max(0.0, left), ".")
        assert all(f"leaves {line.kept:,} of" in said["said"] or line.name == "greedy"
                   for line, said in zip(lines, spectrum["cuts"], strict=True))  # fmt: skip


def test_surprisal_is_the_run_asked_again_token_by_token(classroom):
    request = classroom.request("the cat", "sits on the mat")
    found = surprisals(classroom.run(request.keeping("predictions")))
    assert found[0] is None and len(found) == len(request.target)
    for place in range(1, len(request.target)):
        start = classroom.request(ids=request.source, target_ids=request.target[:place])
        logits = classroom.run(start).next_logits.astype(np.float64)
        nats = logits[request.target[place]] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
        assert found[place] == pytest.approx(-nats / math.log(2), abs=1e-3)


def test_a_text_cut_anywhere_goes_on_as_it_would_have_gone(classroom):
    sampling = wordy(classroom, 8)
    request = classroom.request("the cat", "")
    whole = [step.choice.id for step in classroom.generate(request, sampling, 8)]
    assert len(whole) == 8
    for cut in (1, 3, 6):
        rest = classroom.generate(request.append(*whole[:cut]), sampling, 8 - cut, first=cut)
        assert [(step.index, step.choice.id) for step in rest] == list(enumerate(whole))[cut:]


def test_the_same_seed_writes_the_same_text_and_the_link_holds_it(screen):
    page = screen("generate", sampling="t0.9_k40_p0.95_m0.02_s7")
    assert page.calm() and not page.said("note")
    assert page.app.query_params["sampling"] == "t0.9_k40_p0.95_m0.02_s7"
    assert page.app.number_input(key="s-seed").value == 7
    again = screen("generate", sampling="t0.9_k40_p0.95_m0.02_s7")
    assert again.lead == page.lead
    page.app.slider(key="s-temperature").set_value(0.5).run()
    assert page.app.query_params["sampling"].startswith("t0.5_k40")


@pytest.mark.parametrize(
    "sampling", ["t", "t1", "t1_s", "t1_k0_s0", "t-1_s0", "t1_p0_s0", "t1_p2_s0", "tnan_s0", "t1_s0_x", "t1.1.1_s0"]
)
def test_a_bad_link_is_told(screen, sampling):
    page = screen("generate", sampling=sampling)
    assert page.calm()
    assert page.said("note")


def test_stop_and_write_on_go_on_where_it_stood(screen, classroom):
    page = screen("generate", model="writer", text="the")
    first = page.lead
    more = page.app.button(key="loop-more")
    if more.disabled:  # the text ended by itself: a hotter one does not
        page = screen("generate", model="writer", text="the", sampling="t1.9_s5")
        first, more = page.lead, page.app.button(key="loop-more")
    assert "in 24 steps" in first
    more.click().run()
    assert page.calm() and page.lead != first
    words = first.split("writes “")[1].split(" … ")[0]
    assert page.lead.split("writes “")[1].startswith(words[:20])


def test_a_long_run_tells_how_far_it_is_and_can_be_stopped_and_gone_on_with(screen, monkeypatch):
    monkeypatch.setattr(writer_of_pages, "TURN", 0.0)  # one token a turn
    monkeypatch.setattr(loop, "again", lambda: None)  # and no turn by itself: the page stands as someone sees it in between
    page = screen("generate", model="writer", text="the", sampling="t1.9_s5005")
    assert page.said("busy") == ["Writing: 1 of at most 24 tokens."] and "in 1 step:" in page.lead
    page.app.run()
    assert page.said("busy") == ["Writing: 2 of at most 24 tokens."]
    page.app.button(key="loop-stop").click().run()
    assert "in 2 steps:" in page.lead and not page.said("busy")
    page.app.run()
    assert "in 2 steps:" in page.lead
    page.app.button(key="loop-more").click().run()
    assert "in 3 steps:" in page.lead and page.said("busy") == ["Writing: 3 of at most 26 tokens."]


def test_a_long_search_tells_how_far_it_is_and_can_be_stopped(screen, monkeypatch):
    monkeypatch.setattr(beam_tree, "TURN", 0.0)
    monkeypatch.setattr(beam_tree, "again", lambda: None)
    page = screen("generate", model="writer", text="the student", part="beam.2.9")
    assert page.said("busy") == ["Searching: 1 of 9 steps."]
    page.app.run()
    page.app.button(key="beam-stop").click().run()
    assert page.app.query_params["part"] == "beam.2.2" and not page.said("busy")


def test_a_loop_that_breaks_off_is_told_and_begins_anew(screen, monkeypatch):
    real, broken = writer_of_pages.one_step, [True]

    def breaks(*given):
        if broken:
            raise InputError("a calm sea", "a storm")
        return real(*given)

    monkeypatch.setattr(writer_of_pages, "one_step", breaks)
    page = screen("generate", text="no other test writes this storm")
    assert page.calm() and "a storm" in page.said("trouble")[0]
    broken.clear()
    page.app.run()
    assert page.calm() and not page.said("trouble") and "it writes" in page.lead


def test_a_growing_text_is_grown_once_however_many_ask(classroom):
    sampling = wordy(classroom, 12)
    request = classroom.request("the cat", "", keep=("pattern", "qkv"))
    wanted = [step.choice.id for step in classroom.generate(request, sampling, 12)]
    text = Writing(classroom.generate(request, sampling, 12), lambda step: {"id": step.choice.id})
    askers = [threading.Thread(target=text.grow, args=(count, 60)) for count in (3, 12, 7, 12)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert [step["id"] for step in text.steps] == wanted[: len(text.steps)] and len(text.steps) == 12
    slow = Writing(classroom.generate(request, sampling, 12), lambda step: {})
    slow.grow(12, 0)
    assert len(slow.steps) == 1, "when the time is up it pauses, and can go on"
    slow.grow(12, 60)
    assert len(slow.steps) == 12


def test_branches_are_compared_with_what_would_have_come(screen, classroom, steps):
    other, third = (steps[0].candidates[n].token for n in (1, 2))
    page = screen("generate", forced=str(other.id), branches=str(third.id))
    assert page.calm()
    rows = [line for line in page.html if 'class="branch' in line]
    assert len(rows) == 3
    for line, forced in zip(rows, ((), (third.id,), (other.id,)), strict=True):
        request = classroom.request("gen ai is", "")
        start = request.append(*forced) if forced else request
        first = sum(price(classroom.run(start.keeping("predictions")), len(forced)))
        written = [step.choice.logprob for step in classroom.generate(start, GREEDY, 24, len(forced))]
        assert shows(line, first + sum(written), 2, f"</b> over {len(forced) + len(written)} tokens")
    assert price(classroom.run(classroom.request("gen ai is", "").append(other.id).keeping("predictions")), 1)[0] == (
        pytest.approx(other.logprob, abs=1e-4)
    )
    page.app.button(key="branch-open-1").click().run()
    assert page.app.query_params["forced"] == str(third.id) and page.app.query_params["branches"] == str(other.id)
    page.app.button(key="branch-forget-1").click().run()
    page.app.button(key="branch-forget-1").click().run()
    assert "forced" not in page.app.query_params and not [line for line in page.html if 'class="branch' in line]


def test_where_two_texts_part():
    assert [parting((1, 2, 3), other) for other in ((1, 2, 4), (1, 2), (9,), (1, 2, 3))] == [2, 2, 0, 3]


def test_what_a_browser_sends_is_checked(classroom, steps):
    text = Writing(iter(()), dict, [drawn(classroom, step) for step in steps], [step.choice.id for step in steps])
    listed = text.steps[2]["candidates"][3]["id"]
    fields = ("step", "id")
    good = read_numbers({"version": "v", "step": 2, "id": listed}, "v", fields)
    assert read_branch(good, text, (9,)) == (9, *text.ids[:2], listed)
    for raw in (
        {}, {"version": "w", "step": 2, "id": listed}, {"version": "v", "step": 99, "id": listed},
        {"version": "v", "step": 2}, {"version": "v", "step": -1, "id": listed}, {"version": "v", "step": 2, "id": 10**9},
        {"version": "v", "step": "2", "id": listed}, {"version": "v", "step": True, "id": listed},
    ):  # fmt: skip
        assert read_branch(read_numbers(raw, "v", fields), text, ()) is None


def test_the_prompt_is_told_from_what_a_branch_forced(classroom, steps):
    trace = classroom.run(classroom.request("gen ai is", "interesting domain").keeping("predictions"))
    made = payload(trace, [drawn(classroom, steps[0])], 1, "v", GREEDY)
    assert [one["forced"] for one in made["prompt"]] == [False, False, True]
    assert [one["text"] for one in made["source"]] == ["gen", "ai", "is", "</s>"]


def test_the_encoder_runs_once_a_source(classroom, monkeypatch):
    ran, sampling = [], wordy(classroom, 12)
    encoder = classroom.backend.model.encoder[0]
    monkeypatch.setattr(encoder, "forward", lambda *a, real=encoder.forward, **k: ran.append(1) or real(*a, **k))
    assert len(grown(classroom, sampling, 12, "the cat")) == 12
    assert len(ran) == 1


def plain_beams(lens, request, width, count):
    """Beam search with sorted lists of whole texts, each asked from its beginning: the texts held in the end, best first."""
    held = [((), 0.0, False)]
    for _ in range(count):
        longer = [one for one in held if one[2]]
        for ids, score, _ in (one for one in held if not one[2]):
            logits = lens.run(request.append(*ids) if ids else request).next_logits.astype(np.float64)
            nats = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
            longer += [((*ids, int(i)), score + nats[i], int(i) in lens.ends) for i in np.argsort(-nats)[: width + 1]]
        held = sorted(longer, key=lambda one: -one[1])[:width]
    return held


@pytest.mark.parametrize(("model", "text"), [("classroom", "the cat sits on"), ("writer", "the cat"), ("translator", "the cat")])
def test_the_beam_tree_is_a_search_written_plainly(model, text):
    lens = core.load(model)
    request = lens.request(text, None if lens.info.kind == "decoder" else "")
    for width, count in ((1, 3), (3, 4)):
        steps = [beams.one_step(nodes) for nodes in lens.beam_steps(request, Sampling(), width, count)]
        nodes = [node for step in steps for node in step["nodes"]]
        found = beams.leaves(nodes, len(steps))[:width]
        texts = [tuple(nodes[n]["id"] for n in beams.path(nodes, leaf)) for leaf in found]
        expected = plain_beams(lens, request, width, count)
        assert texts == [ids for ids, _, _ in expected]
        for leaf, (_, score, ended) in zip(found, expected, strict=True):
            assert nodes[leaf]["total"] == pytest.approx(score, abs=1e-4) and nodes[leaf]["ends"] == ended
        dead = [node for node in nodes if not node["alive"]]
        assert dead and not any(nodes[node["parent"]]["alive"] is False for node in nodes if node["parent"] >= 0)


def test_every_beam_dead_or_alive_shows_where_it_looked(classroom):
    request = classroom.request("the cat sits on", "")
    steps = [beams.one_step(nodes) for nodes in classroom.beam_steps(request, Sampling(), 3, 3)]
    made = beams.payload(classroom.run(request), steps, 3, "v")
    assert made["best"] == made["held"][0]
    for node in made["nodes"]:
        before = [made["nodes"][n]["id"] for n in beams.path(made["nodes"], node["parent"])] if node["parent"] >= 0 else []
        trace = classroom.run(request.append(*before) if before else request)
        specs = made["views"][str(node["parent"])]
        for spec, stream in zip(specs, (Stream.DECODER, Stream.CROSS), strict=True):
            wanted = np.concatenate([a.pattern[:, -1] for a in trace.attention if a.site.stream is stream])
            assert np.abs(codes(spec)[1:] - wanted).max() <= 0.004


def test_the_tree_is_compared_with_greed_and_its_numbers_stand_in_the_link(screen, classroom):
    found = {}
    for text in ("the cat sits on", "my old teacher", "a good student", "on rainy days we", "machine learning is"):
        request = classroom.request(text, "")
        best = plain_beams(classroom, request, 3, 4)[0]
        alone = sum(step.choice.logprob for step in classroom.generate(request, GREEDY, 4))
        found[best[1] - alone] = text, best, alone
    text, best, alone = found[max(found)]  # one where searching pays
    assert best[1] - alone > 0.1
    page = screen("generate", text=text, part="beam.3.4")
    assert page.app.number_input(key="beam-width").value == 3 and page.app.number_input(key="beam-steps").value == 4
    assert shows(page.lead, best[1], 2, " nats") and shows(page.lead, alone, 2, " nats")
    assert shows_ratio(page.lead, best[1] - alone)
    page.app.number_input(key="beam-width").set_value(1).run()
    assert page.app.query_params["part"] == "beam.1.4" and "just what always taking the likeliest token gives" in page.lead


@pytest.mark.parametrize("part", ["beam.0.0", "beam.9999.9999", "fill", "nonsense.3", "own.3.4.5"])
def test_any_part_in_a_link_opens_the_page(screen, part):
    for model in ("classroom", "filler"):
        page = screen("generate", model=model, part=part)
        assert page.calm() and not page.said("trouble")


def test_a_price_is_log_probability_in_other_words():
    paid = priced([math.log(0.5), math.log(0.25), math.log(0.125)])
    assert (paid.bits, paid.bits_each, paid.perplexity) == pytest.approx((6, 2, 4))


@pytest.mark.parametrize(("model", "text"), [("classroom", "the cat sits on"), ("writer", "the cat sits on the")])
def test_forcing_words_costs_what_two_runs_say(screen, model, text):
    lens, own = core.load(model), "moon yesterday"
    page = screen("generate", model=model, text=text, part="own", own=own)
    assert page.calm() and page.app.query_params["own"] == own
    if lens.info.kind == "decoder":
        base, whole = lens.request(text), lens.request(f"{text} {own}")
    else:
        base, whole = lens.request(text, ""), lens.request(text, own)
    mine, ids = 0.0, whole.target[len(base.target) :]
    for n, id in enumerate(ids):  # asked token by token
        mine += float(lens.logprobs(base.append(*ids[:n]) if n else base, len(base.target) + n - 1, [id])[0])
    its = sum(step.choice.logprob for step in lens.generate(base, GREEDY, len(ids)))
    (table,) = page.app.table
    assert [float(cell.replace("−", "-")) for cell in table.value["nats"]] == pytest.approx([mine, its, mine - its], abs=0.006)
    bits = [-mine / math.log(2), -its / math.log(2), (its - mine) / math.log(2)]
    assert [float(cell.replace("−", "-")) for cell in table.value["bits of surprisal"]] == pytest.approx(bits, abs=0.006)
    assert shows(page.lead, its - mine, 2, " nats")
    assert shows_ratio(page.lead, its - mine)


def test_the_bars_are_the_surprisals_and_what_was_expected_in_their_place(classroom):
    request = classroom.request("the cat", "sits on the mat")
    trace = classroom.run(request.keeping("predictions"))
    made = words_payload.payload([words_payload.one_row("", trace, 2, "yours")], "v")
    (row,) = made["rows"]
    assert [one["kind"] for one in row["tokens"]] == ["given"] * 2 + ["yours"] * (len(request.target) - 2)
    bits = [one["bits"] for one in row["tokens"]]
    assert made["top"] == max(bits[1:]) and bits[made["at"][1]] == max(bits[2:])
    for place, shown in enumerate(row["tokens"][1:], 1):
        before = classroom.request(ids=request.source, target_ids=request.target[:place])
        best = classroom.run(before).next_tokens(50)
        for one, token in zip(shown["top"], best, strict=False):
            assert one["share"] == pytest.approx(token.probability, rel=1e-3)
        listed = [token.id for token in best]
        assert shown["rank"] == (listed.index(request.target[place]) + 1 if request.target[place] in listed else 0)


def test_words_the_model_would_have_written_cost_nothing(screen):
    assert "costs nothing" in screen("generate", text="gen ai is", part="own", own="interesting domain").lead
    assert screen("generate", part="own", own="\x00 <b>%s</b> \u202e").calm()


# fill-mask


@pytest.fixture(scope="module")
def filler():
    return core.load("filler")


def test_what_fits_at_a_mask_and_where_it_looks_are_the_runs(filler):
    request = filler.request("the cat sits on the red sofa")
    tokens, place, second = filler.tokens(request.source), 6, 1
    hidden = filler.request(ids=[filler.text.mask if n in (place, second) else id for n, id in enumerate(request.source)])
    made = fill_payload.payload(tokens, filler.run(hidden), [second, place], place, "v")
    assert made["focus"] == 1 and [bool(shown.get("masked")) for shown in made["tokens"]] == [n in (1, 6) for n in range(8)]
    for shown, at in zip(made["places"], (second, place), strict=True):
        chances = np.exp(filler.logprobs(hidden, at, range(filler.info.vocab)))
        order = np.argsort(-chances, kind="stable")
        assert [one["id"] for one in shown["candidates"]] == order[:10].tolist()
        assert [one["share"] for one in shown["candidates"]] == pytest.approx(chances[order[:10]].tolist(), rel=1e-3)
        assert shown["rank"] == order.tolist().index(request.source[at]) + 1
        wanted = np.concatenate([a.pattern[:, at] for a in filler.run(hidden).attention])
        assert np.abs(codes(shown["looks"][0])[1:] - wanted).max() <= 0.004


def test_the_page_fills_for_an_encoder_and_the_link_holds_the_words(screen, filler):
    page = screen("generate", model="filler", text="the cat sits on the red sofa", part="fill.7.2")
    assert page.calm() and page.app.query_params["part"] == "fill.7.2"
    hidden = [filler.text.mask if n in (1, 6) else id for n, id in enumerate(filler.request("the cat sits on the red sofa").source)]
    best = filler.run(filler.request(ids=hidden)).next_tokens(1, 1)[0]
    assert page.lead.startswith(f"In place of “cat” the model would put “{best.text.strip()}”")
    assert "No word is hidden" in screen("generate", model="filler", part="fill.99").lead
    assert "In place of “is”" in screen("generate", model="filler", text="gen ai is").lead


def where(node, key, path=()):
    """The place of a widget among the blocks of a page: what a browser knows it by."""
    if getattr(node, "key", None) == key:
        return path
    for number, child in getattr(node, "children", {}).items():
        if (found := where(child, key, (*path, number))) is not None:
            return found
    return None


@pytest.mark.parametrize(("part", "key"), [("", "s-seed"), ("beam", "beam-steps"), ("own", "own")])
def test_what_is_told_while_waiting_moves_no_control(screen, monkeypatch, part, key):
    """A run that asks to be run again ends early, and the browser keeps what it drew: what moved would stand there twice."""
    settled, told = Ticket.settled, []

    def impatient(self, timeout=0.0):
        if self in told or self.future.done():
            return settled(self, timeout)
        told.append(self)
        return False

    text = f"the dog sees the {part or 'step'}"  # a text that no other test has asked about
    page = screen("generate", part=part, text=text)
    quiet = where(page.app.main, key)
    monkeypatch.setattr(Ticket, "settled", impatient)
    page.type(f"{text} again")
    assert told and page.calm()
    assert where(page.app.main, key) == quiet is not None


def test_another_part_takes_the_whole_place_of_the_one_before(screen):
    page = screen("generate")
    assert where(page.app.main, "s-seed")
    page.app.session_state["part"] = "beam"
    page.go("generate", part="beam")
    assert page.calm() and where(page.app.main, "beam-steps") and not where(page.app.main, "s-seed")
