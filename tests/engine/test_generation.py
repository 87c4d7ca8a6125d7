"""Writing on, a token a step: every step equals the whole pass and Hugging Face's own loop, and says what it did."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from core.errors import InputError, MaskError, NotAPredictor, RequestError
from core.request import HeadRef, MaskRule, Sampling, Stream
from tests.families import DECODERS, EVERY, OURS, SEQ2SEQ
from tests.oracles import changes

WRITERS = [name for name in EVERY if name in (*DECODERS, *SEQ2SEQ) or (name in OURS and name != "ours_encoder")]
WRITER = pytest.mark.parametrize("name", WRITERS)
ANEW = ("ours_peeking",)  # it looks ahead
CAUSAL = pytest.mark.parametrize("name", [name for name in WRITERS if name not in ANEW])
GREEDY = Sampling(temperature=0.0)


def held_to_the_whole(lens, step, tolerance=1e-5):
    """One step against lens.run(step.request): the same rows, the same logits, and encoder maps where it ran."""
    whole = lens.run(step.request)
    start = step.cache.reused
    streams = {held.site.stream for held in step.trace.attention}
    assert (Stream.ENCODER in streams) == (start == 0 and lens.info.kind == "encoder-decoder")
    assert len(step.trace.attention) == len([s for s in lens.info.sites if s.stream in streams])
    for held in step.trace.attention:
        full = whole.at(held.site.stream, held.site.layer)
        first = 0 if held.site.stream is Stream.ENCODER else start
        assert held.query_start == first and held.shape[1] == full.shape[1] - first
        assert np.array_equal(held.allowed, full.allowed[:, first:])
        assert np.abs(held.pattern - full.pattern[:, first:]).max() <= tolerance
        assert (held.sink is None) == (full.sink is None)
        assert held.sink is None or np.abs(held.sink - full.sink[:, first:]).max() <= tolerance
    assert np.abs(step.trace.next_logits - whole.next_logits).max() <= tolerance
    assert step.trace.request == step.request and step.trace.target == whole.target
    if "residual" in step.request.keep:
        for stream, depths in step.trace.residual.items():
            rows = whole.residual[stream][:, 0 if stream is Stream.ENCODER else start :]
            assert np.allclose(depths, rows, rtol=1e-5, atol=tolerance)
    if "predictions" in step.request.keep:
        for part in ("top_logprob", "entropy", "actual_logprob"):
            rows = getattr(whole.predictions, part)[start:]
            assert np.allclose(getattr(step.trace.predictions, part), rows, rtol=0, atol=tolerance, equal_nan=True)


@CAUSAL
@pytest.mark.parametrize("capture", ["float32", "lazy"])
def test_every_step_holds_the_rows_of_the_whole_pass(name, capture, lens_of, ask):
    lens = lens_of(name)
    keep = {"pattern"} if capture == "lazy" else {"pattern", "residual", "predictions"}
    request = ask(name, 6, 3, capture=capture, keep=keep)
    steps = list(lens.generate(request, Sampling(seed=3), steps=7))
    assert [step.index for step in steps] == list(range(len(steps)))
    for n, step in enumerate(steps):
        held_to_the_whole(lens, step)
        assert not step.recomputed and step.cache.reused == (0 if n == 0 else len(request.target) + n - 1)
        assert step.cache.new == (len(request.target) if n == 0 else 1)
        expected = request.append(*(earlier.choice.id for earlier in steps[:n]))
        assert step.request == expected


@WRITER
def test_masks_that_look_ahead_are_computed_anew_and_say_so(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 4, 4)
    last = len(request.target)
    for rule, anew in [
        (MaskRule(Stream.DECODER, "full"), [False, True, True, True]),
        (MaskRule(Stream.DECODER, "block", width=3), [False, True, True, False]),
        (MaskRule(Stream.DECODER, "prefix", width=6), [False, True, True, False]),
        (MaskRule(Stream.DECODER, "full", layers=(0,), heads=(1,)), [False, True, True, True]),
        (MaskRule(Stream.DECODER, "window", width=3), [False, False, False, False]),
        (MaskRule(Stream.DECODER, "causal"), [False, False, False, False]),
        (MaskRule(Stream.DECODER, "custom", edges=[(last - 1, 0)]), [False, False, False, False]),
    ]:
        steps = list(lens.generate(request.with_mask(rule), Sampling(seed=5), steps=4))
        if name in ANEW:
            anew = [False, True, True, True]
        for step, wanted in zip(steps, anew, strict=False):
            assert step.recomputed == wanted, rule
            assert step.cache.reused == (0 if step.index == 0 or wanted else len(step.request.target) - 1)
            held_to_the_whole(lens, step)


@WRITER
def test_any_mix_of_interventions_steps_as_it_runs(name, lens_of, ask):
    lens, random, ran = lens_of(name), Random(name), 0
    for salt in range(60):
        request = changes(random, ask(name, 5, 4, salt))
        try:
            steps = list(lens.generate(request, Sampling(seed=salt), steps=3))
        except MaskError:
            continue
        for step in steps:
            held_to_the_whole(lens, step)
        ran += 1
        if ran == 5:
            return
    raise AssertionError("too few of the mixes could be run to say anything")


@WRITER
def test_a_mean_over_positions_is_taken_over_all_of_them_at_every_step(name, lens_of, ask):
    lens = lens_of(name)
    for site in lens.info.sites[:: len(lens.info.sites) - 1]:
        request = ask(name, 5, 4).with_ablation(HeadRef(site.stream, site.layer, 1), how="mean")
        steps = list(lens.generate(request, Sampling(seed=2), steps=3))
        for step in steps:
            recomputed = step.index > 0 and (site.stream is not Stream.ENCODER or name in ANEW)
            assert step.recomputed == recomputed
            held_to_the_whole(lens, step)


@pytest.mark.parametrize("name", ANEW)
def test_where_no_cache_can_hold_every_step_computes_everything_and_says_so(name, lens_of, ask):
    lens = lens_of(name)
    for step in lens.generate(ask(name, 5, 3), Sampling(seed=4), steps=4):
        assert step.recomputed == (step.index > 0)
        assert step.cache.reused == 0 and step.cache.new == len(step.request.target)
        held_to_the_whole(lens, step)


HF = ["gpt2", "llama", "opt", "gpt_neox", "qwen3", "gpt_oss", "gemma2", "mistral", "lfm2", "t5", "t5_gated", "bart",
      "marian", "mbart", "pegasus"]  # fmt: skip


@pytest.mark.parametrize("family", HF)
def test_tokens_and_the_maps_of_each_step_are_those_of_hugging_faces_own_generate(family, lens_of, eager_of, ask):
    lens, model = lens_of(family), eager_of(family)
    request = ask(family, 6, 1)
    prompt = torch.tensor([request.source or request.target])
    output = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False, num_beams=1, max_new_tokens=6,
        output_attentions=True, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    steps = list(lens.generate(request, GREEDY, steps=6))
    written = [step.choice.id for step in steps]
    assert output.sequences[0].tolist()[-len(written) :] == written
    assert len(output.logits) == len(steps) and steps[-1].finished == (written[-1] == 2)
    for n, step in enumerate(steps):
        assert np.abs(output.logits[n][0].numpy() - step.trace.next_logits).max() <= 1e-5
        maps = {Stream.DECODER: output.attentions if family in DECODERS else output.decoder_attentions}
        if family in SEQ2SEQ:
            maps[Stream.CROSS] = output.cross_attentions
        for stream, of_steps in maps.items():
            for layer, tensor in enumerate(of_steps[n]):
                theirs = tensor[0].numpy()
                pattern = step.trace.at(stream, layer).pattern[:, -theirs.shape[-2] :]
                left = pattern.shape[-1] - theirs.shape[-1]  # their cache of a window forgets what lies before it
                assert np.abs(pattern[..., left:] - theirs).max() <= 1e-5
                assert not pattern[..., :left].any()
    for layer, tensor in enumerate(output.encoder_attentions if family in SEQ2SEQ else ()):
        assert np.abs(steps[0].trace.at(Stream.ENCODER, layer).pattern - tensor[0].numpy()).max() <= 1e-5


@WRITER
def test_temperature_zero_takes_the_likeliest_token_of_the_whole_pass(name, lens_of, ask):
    lens = lens_of(name)
    for step in lens.generate(ask(name, 5, 3), GREEDY, steps=4):
        best = lens.run(step.request).next_tokens(1)[0]
        assert step.choice.id == best.id and step.choice.text == best.text
        assert step.choice.logprob == pytest.approx(best.logprob, abs=1e-5)
        assert step.candidates[0].token == step.choice and step.candidates[0].after == 1.0
        assert [c.cut_by for c in step.candidates] == [None] + ["greedy"] * 49


@pytest.mark.parametrize("name", ["ours", "llama", "t5"])
def test_the_same_seed_writes_the_same_text_and_another_seed_another(name, lens_of, ask):
    lens = lens_of(name)

    def text(seed, steps=8):
        return [step.choice.id for step in lens.generate(ask(name), Sampling(temperature=1.5, seed=seed), steps)]

    assert text(7) == text(7) and text(7, 3) == text(7)[:3]
    assert len({tuple(text(seed)) for seed in range(6)}) > 3


@CAUSAL
def test_the_cache_is_counted_in_bytes_and_positions(name, lens_of, ask):
    lens = lens_of(name)
    model = lens.backend.model
    d = lens.run(ask(name, keep={"qkv"})).attention[0].key.shape[-1]
    request = ask(name, 7, 3)
    depth, cross = len(lens.info.at(Stream.DECODER)), len(lens.info.at(Stream.CROSS))
    for step in lens.generate(request, Sampling(seed=1), steps=4):
        written = step.cache.reused + step.cache.new
        assert written == len(step.request.target)
        positions = depth * written + cross * len(step.request.source or ())
        numbers = 2 * positions * lens.info.kv_heads * d
        if name == "lfm2":  # its convolution remembers the last 3 inputs, each as wide as the model
            numbers += 3 * lens.info.d_model
        assert step.cache.bytes == numbers * next(model.parameters()).element_size()


def test_the_last_step_is_the_one_that_ends_the_text(lens_of, ask):
    lens = lens_of("llama")
    end = next(iter(lens.ends))
    seen = 0
    for seed in range(14):
        steps = list(lens.generate(ask("llama", 3), Sampling(temperature=3.0, seed=seed), steps=20))
        assert [step.finished for step in steps[:-1]] == [False] * (len(steps) - 1)
        assert all(step.choice.id != end for step in steps[:-1])
        assert steps[-1].finished == (steps[-1].choice.id == end) and (steps[-1].finished or len(steps) == 20)
        seen += steps[-1].finished
    assert 0 < seen < 14


@pytest.mark.parametrize("name", ["gpt2", "opt", "ours", "bart"])
def test_a_text_that_fills_the_model_ends_there(name, lens_of, ask):
    lens = lens_of(name)
    limit = lens.info.max_tokens
    request = ask(name, limit - 3 if lens.info.kind == "decoder" else 5, limit - 3)
    sampling = next(
        sampling
        for sampling in map(lambda seed: Sampling(seed=seed), range(20))
        if all(step.choice.id not in lens.ends for step in lens.generate(request, sampling, steps=3))
    )
    steps = list(lens.generate(request, sampling, steps=30))
    assert len(steps) == 3 and steps[-1].finished and len(steps[-1].request.target) == limit - 1
    assert len(list(lens.generate(steps[-1].request.append(5), sampling, steps=30))) == 1


def test_closing_the_iterator_stops_the_work(lens_of, ask, monkeypatch):
    lens = lens_of("gpt2")
    passes = []
    forward = lens.backend.forward
    monkeypatch.setattr(lens.backend, "forward", lambda *a, **k: passes.append(1) or forward(*a, **k))
    going = lens.generate(ask("gpt2"), steps=50)
    assert not passes, "nothing runs before the first step is asked for"
    next(going), next(going)
    going.close()
    assert len(passes) == 2 and list(going) == []


def test_two_generations_taken_in_turns_do_not_meet(lens_of, ask):
    for name in ("gpt2", "t5", "ours"):
        lens = lens_of(name)
        requests = [ask(name, 5, 3, salt) for salt in (0, 1)]
        apart = [[step.choice for step in lens.generate(request, Sampling(), 5)] for request in requests]
        turns = list(zip(*(lens.generate(request, Sampling(), 5) for request in requests), strict=False))
        for n, steps in enumerate(zip(*turns, strict=True)):
            assert [step.choice for step in steps] == apart[n][: len(steps)]


def test_what_cannot_write_says_so_at_once(lens_of, ask):
    bert = lens_of("bert")
    for write in (bert.generate, bert.beams, bert.next_words):
        with pytest.raises(NotAPredictor, match="an encoder, which reads"):
            write(ask("bert"))
    lens = lens_of("gpt2")
    for write in (
        lambda: lens.generate(ask("gpt2"), steps=0),
        lambda: lens.beams(ask("gpt2"), width=0),
        lambda: lens.beams(ask("gpt2"), steps=0),
        lambda: lens.next_words(ask("gpt2"), k=0),
    ):
        with pytest.raises(RequestError):
            write()
    with pytest.raises(InputError):
        lens.generate(ask("gpt2").append(61))


# beams


def plain_beams(lens, request, heat, width, steps):
    """Beam search with sorted lists: per step the surviving (ids, score, ended), best first."""
    beams, history = [((), 0.0, False)], []
    for _ in range(steps):
        grown = []
        for ids, score, ended in beams:
            if ended:
                grown.append((ids, score, True))
                continue
            logits = lens.run(request.append(*ids) if ids else request).next_logits.astype(np.float64) / heat
            logprobs = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
            grown += [((*ids, i), score + logprobs[i], i in lens.ends) for i in range(len(logprobs))]
        beams = sorted(grown, key=lambda beam: -beam[1])[:width]
        history.append(beams)
        if all(ended for _, _, ended in beams):
            break
    return history


@pytest.mark.parametrize("name", ["ours", "ours_decoder", "gpt2", "llama", "t5", "bart"])
@pytest.mark.parametrize(("width", "heat"), [(1, 1.0), (3, 1.0), (4, 2.5)])
def test_beams_are_those_of_a_search_written_plainly(name, width, heat, lens_of, ask):
    lens = lens_of(name)
    for salt in range(2):
        request = ask(name, 4, 3, salt)
        tree = lens.beams(request, Sampling(temperature=heat), width, steps=4)
        expected = plain_beams(lens, request, heat, width, 4)
        assert [node.index for node in tree] == list(range(len(tree)))

        def path(node, tree=tree):
            return () if node is None else (*path(None if node.parent is None else tree[node.parent]), node.token.id)

        done = {}
        for step, survivors in enumerate(expected):
            here = [node for node in tree if node.step == step]
            alive = {path(node): node.logprob for node in here if node.alive}
            fresh = {ids: score for ids, score, _ in survivors if len(ids) == step + 1}
            assert alive.keys() == fresh.keys()
            assert all(alive[ids] == pytest.approx(score, abs=1e-5) for ids, score in fresh.items())
            assert {ids for ids, _, ended in survivors if ended and len(ids) < step + 1} <= done.keys()
            done |= {path(node): node for node in here if node.alive and node.finished}
            for node in here:
                assert node.finished == (node.token.id in lens.ends)
                before = path(None if node.parent is None else tree[node.parent])
                assert node.trace.request == (request.append(*before) if before else request)
                parent = 0 if node.parent is None else tree[node.parent].logprob
                assert node.logprob == pytest.approx(parent + node.token.logprob, abs=1e-9)
                assert node.parent is None or (tree[node.parent].alive and tree[node.parent].step == step - 1)
            assert len(here) <= 2 * width and [n.logprob for n in here] == sorted(n.logprob for n in here)[::-1]
        assert max(node.step for node in tree) == len(expected) - 1


@WRITER
@pytest.mark.parametrize("change", ["none", "window", "sees ahead", "mixed"])
def test_living_beams_go_on_from_their_own_keys_and_values(name, change, lens_of, ask, monkeypatch):
    lens, random, passes = lens_of(name), Random(name), []
    forward = lens.backend.forward

    def watched(batch, probe, **how):
        passes.append((None if batch.source is None else len(batch.source), tuple(batch.target.shape)))
        return forward(batch, probe, **how)

    request = ask(name, 5, 4, 1)
    if change == "window":
        request = request.with_mask(MaskRule(Stream.DECODER, "window", width=3))
    elif change == "sees ahead":
        request = request.with_mask(MaskRule(Stream.DECODER, "full"))
    elif change == "mixed":
        request = next(one for salt in range(60) if runs(lens, one := changes(random, ask(name, 5, 4, salt))))
    with monkeypatch.context() as patch:
        patch.setattr(lens.backend, "forward", watched)
        steps = list(lens.beam_steps(request, Sampling(), width=3, steps=4))
    assert len(passes) == len(steps)  # what lives runs side by side
    alive = 1
    for nodes, (sources, shape) in zip(steps, passes, strict=True):
        first = nodes[0].parent is None
        if change in ("none", "window") and name not in ANEW:
            assert shape == (alive, len(request.target) if first else 1)
            assert (sources is not None) == (first and lens.info.kind == "encoder-decoder")
        for trace in {id(node.trace): node.trace for node in nodes}.values():
            whole = lens.run(trace.request)
            assert np.abs(trace.next_logits - whole.next_logits).max() <= 1e-5 * (1 + np.abs(whole.next_logits).max())
            for held in trace.attention:
                full = whole.at(held.site.stream, held.site.layer)
                assert np.abs(held.pattern - full.pattern[:, held.query_start :]).max() <= 1e-5
        alive = sum(node.alive and not node.finished for node in nodes)


def runs(lens, request):
    """Whether a request can be written on three times."""
    try:
        return len(list(lens.generate(request, GREEDY, steps=3))) > 0
    except MaskError:
        return False


# whole words


@pytest.mark.parametrize("name", ["ours", "ours_decoder"])
def test_words_are_tokens_completed_greedily(name, lens_of):
    lens = lens_of(name)
    for text in ("gen ai", "the black cat", "It's"):
        request = lens.request(text)
        found = lens.next_words(request, k=6)
        expected = []
        for first in lens.run(request).next_tokens(6):
            ids, logprob = [first.id], first.logprob
            while len(ids) < 12 and ids[0] not in lens.ends:
                best = lens.run(request.append(*ids)).next_tokens(1)[0]
                longer = lens.tokens([*ids, best.id])
                if longer.word[-1] != longer.word[-2] or best.id in lens.text.specials:
                    break
                ids, logprob = [*ids, best.id], logprob + best.logprob
            expected.append((ids, logprob))
        expected.sort(key=lambda word: -word[1])
        assert [word.id for word in found] == [ids[0] for ids, _ in expected]
        for word, (ids, logprob) in zip(found, expected, strict=True):
            assert word.logprob == pytest.approx(logprob, abs=1e-4)
            assert word.probability == pytest.approx(np.exp(logprob), rel=1e-4)
            assert word.text.strip() == (lens.decode(ids).strip() or "".join(lens.tokens(ids).text).strip())


def test_a_lens_without_a_tokenizer_still_writes_and_stops(folder_of, lens_of, ask, tmp_path):
    import shutil

    import core

    for family in ("llama", "bart"):
        bare = tmp_path / family
        shutil.copytree(folder_of(family), bare, ignore=shutil.ignore_patterns("tokenizer*", "special_tokens*"))
        lens = core.load(str(bare), device="cpu")
        assert lens.text is None and lens.ends == lens_of(family).ends
        request = ask(family)
        own = lens.request(ids=request.source or request.target, target_ids=request.source and request.target)
        a, b = (list(x.generate(r, Sampling(), 6)) for x, r in ((lens, own), (lens_of(family), request)))
        assert [step.choice.id for step in a] == [step.choice.id for step in b]
        with pytest.raises(InputError, match="Pass ids="):
            lens.request("gen ai is")
