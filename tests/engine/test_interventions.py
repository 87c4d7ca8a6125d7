"""Any mix of masks, cuts, temperature and ablations, on every family: what was asked is what was done, and nothing else."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from core.errors import MaskError
from core.request import HeadRef, MaskRule, Stream
from tests.families import ENCODERS, EVERY, FAMILIES, OURS, SEQ2SEQ
from tests.oracles import before_w_o, changes, heads_of, may_look, untouched

ANY = pytest.mark.parametrize("name", EVERY)
ONLY_READ = [name for name in EVERY if name in (*ENCODERS, "ours_encoder")]
WRITER = pytest.mark.parametrize("name", [name for name in EVERY if name not in ONLY_READ])
READER = pytest.mark.parametrize("name", [*ONLY_READ, *SEQ2SEQ, "ours", "ours_seq2seq_post"])


@ANY
def test_masks_cuts_temperature_and_ablation_do_what_they_say_and_reach_w_o(name, lens_of, ask):
    lens = lens_of(name)
    random, ran = Random(name), 0
    for salt in range(24):
        plain = ask(name, random.randint(2, 8), random.randint(2, 6), salt)
        request = changes(random, plain).keeping("pattern", "scores", "qkv", capture="float32")
        natives = {held.site: held.allowed[0] for held in lens.run(plain).attention}
        wanted = {site: may_look(request, site, native, [False] * native.shape[1]) for site, native in natives.items()}
        if all(mask.any(axis=-1).all() for mask in wanted.values()):
            check(lens, request, wanted)
            ran += 1
        else:
            with pytest.raises(MaskError, match="nothing left for query"):
                lens.run(request)
        if ran == 6:
            return
    raise AssertionError("too few of the mixes could be run to say anything")


def check(lens, request, wanted):
    """One run of `request`, held to what each head may look at, to law 4, and to what reaches W_O."""
    with before_w_o(lens.backend.model) as outputs:
        trace = lens.run(request)
    assert len(outputs) == len(trace.attention) == len(lens.info.sites)
    for held, output in zip(trace.attention, outputs, strict=True):
        site = held.site
        assert np.array_equal(held.allowed, wanted[site])
        total = held.pattern.astype(np.float64).sum(axis=-1) + (0 if held.sink is None else held.sink)
        assert np.abs(total - 1).max() <= 1e-5
        assert not held.pattern[~held.allowed].any()
        # the pattern is the softmax of the scores over what is allowed, less what a sink took
        power = np.where(held.allowed, held.scores.astype(np.float64), -np.inf)
        power = np.exp(power - power.max(axis=-1, keepdims=True))
        left = 1 if held.sink is None else 1 - held.sink[..., None]
        assert np.abs(power / power.sum(axis=-1, keepdims=True) * left - held.pattern).max() <= 1e-5
        # and what reaches W_O is that pattern times the values, but for the heads that were silenced
        silenced = {
            ablation.head.head: ablation.how
            for ablation in request.intervention.ablated
            if (ablation.head.stream, ablation.head.layer) == (site.stream, site.layer)
        }
        assert held.ablated == tuple(sorted(silenced))
        for head, given_to_w_o in enumerate(heads_of(output, site.heads)):
            expected = held.pattern[head] @ held.value[held.kv_of(head)]
            if silenced.get(head) == "zero":
                expected = np.zeros_like(expected)
            elif silenced.get(head) == "mean":
                expected = np.broadcast_to(expected.mean(axis=0), expected.shape)
            assert np.abs(expected - given_to_w_o).max() <= 1e-5


@ANY
def test_changed_requests_side_by_side_answer_as_one_by_one(name, lens_of, ask):
    lens, random = lens_of(name), Random(name)
    requests, alone = [], []
    for salt in range(40):
        how = random.choice(["float32", "lazy", "u8"])
        request = changes(random, ask(name, random.randint(5, 8), random.randint(4, 6), salt, capture=how))
        try:
            alone.append(lens.run(request))
            requests.append(request)
        except MaskError:
            with pytest.raises(MaskError):
                lens.run_many([request.without_interventions(), request])
        if len(requests) == 10:
            break
    assert len(requests) == 10
    for one, other in zip(alone, lens.run_many(requests), strict=True):
        for a, b in zip(one.attention, other.attention, strict=True):
            assert np.array_equal(a.allowed, b.allowed) and a.ablated == b.ablated
            if one.request.capture == "u8":
                codes = [np.stack([held.codes(h).astype(int) for h in range(held.site.heads)]) for held in (a, b)]
                assert np.abs(codes[0] - codes[1]).max() <= 1
            else:
                assert np.abs(a.pattern - b.pattern).max() <= 1e-5
        if one.next_logits is not None:
            assert np.abs(one.next_logits - other.next_logits).max() <= 1e-5


@ANY
@pytest.mark.parametrize("how", ["fused", "eager"])
def test_with_a_changed_mask_fused_and_eager_agree(name, how, lens_of, ask):
    lens = lens_of(name)
    stream = lens.info.sites[-1].stream
    request = ask(name)
    rule = MaskRule(stream, "custom", heads=(1,), edges=((3, 1), (4, 0)))
    kept = {"capture": "float32"} if how == "eager" else {"capture": "lazy"}
    request = request.keeping("pattern", "predictions", **kept).with_mask(rule)
    reference = lens.run(request.with_temperature(1.0 + 1e-12))  # any other temperature runs the reference formula
    trace = lens.run(request)
    for a, b in zip(trace.attention, reference.attention, strict=True):
        assert np.abs(a.pattern - b.pattern).max() <= 1e-5
    assert np.abs(trace.predictions.top_logprob - reference.predictions.top_logprob).max() <= 1e-5


@WRITER
def test_a_full_mask_fills_the_upper_triangle_of_a_decoder(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 6, 6)
    above = np.triu(np.ones((6, 6), dtype=bool), 1)
    native, full = lens.run(request), lens.run(request.with_mask(MaskRule(Stream.DECODER, "full")))
    for site in lens.info.at(Stream.DECODER):
        before, after = native.at(Stream.DECODER, site.layer), full.at(Stream.DECODER, site.layer)
        assert after.allowed.all() and (after.pattern[:, above] > 0).all()
        assert name == "ours_peeking" or not before.pattern[:, above].any()
    assert name == "ours_peeking" or np.abs(native.next_logits - full.next_logits).max() > 1e-3


@READER
def test_a_causal_mask_empties_the_upper_triangle_of_an_encoder_exactly(name, lens_of, ask):
    lens = lens_of(name)
    assert lens.info.at(Stream.ENCODER)
    request = ask(name, 6)
    above = np.triu(np.ones((6, 6), dtype=bool), 1)
    native, causal = lens.run(request), lens.run(request.with_mask(MaskRule(Stream.ENCODER, "causal")))
    for site in lens.info.at(Stream.ENCODER):
        before, after = native.at(Stream.ENCODER, site.layer), causal.at(Stream.ENCODER, site.layer)
        assert (after.pattern[:, above] == 0).all() and (after.pattern[:, ~above] > 0).all()
        assert before.pattern[:, above].any()


@pytest.mark.parametrize("name", ONLY_READ)
def test_an_encoder_made_causal_does_not_change_when_a_word_is_added(name, lens_of):
    lens = lens_of(name)
    rule = MaskRule(Stream.ENCODER, "causal")
    short, long = (lens.request(ids=range(10, 10 + n), keep={"residual"}).with_mask(rule) for n in (6, 7))
    a, b = (lens.run(request).residual[Stream.ENCODER] for request in (short, long))
    assert np.allclose(a, b[:, :6], rtol=1e-5, atol=1e-5)


@ANY
def test_with_all_edges_cut_but_one_that_one_gets_all_there_is(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, 7, 6)
    for site in lens.info.sites[-2:]:
        native = lens.run(request).at(site.stream, site.layer).allowed
        query = native.shape[1] - 1
        left = int(np.flatnonzero(native[0, query])[1])
        head = HeadRef(site.stream, site.layer, site.heads - 1)
        keys = [key for key in range(native.shape[2]) if key != left]
        held = lens.run(request.with_cut(*[(head, query, key) for key in keys])).at(site.stream, site.layer)
        row, sink = held.pattern[head.head, query], 0 if held.sink is None else held.sink[head.head, query]
        assert row[left] + sink == pytest.approx(1, abs=1e-6) and not np.delete(row, left).any()
        with pytest.raises(MaskError, match=rf"query {query} in {site.stream.value} layer {site.layer}, head"):
            lens.run(request.with_cut(*[(head, query, key) for key in [*keys, left]]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["zero", "mean"])
def test_a_silenced_head_is_one_whose_columns_reach_w_o_as_zero_or_as_their_mean(family, how, lens_of, eager_of, ask):
    lens = lens_of(family)
    request = ask(family, keep={"pattern", "predictions"}, capture="float32")
    site = lens.info.sites[-1]
    place, d = len(lens.info.sites) - 1, None

    def silence(n, tensor):
        nonlocal d
        if n != place:
            return tensor
        d = tensor.shape[-1] // site.heads
        changed = tensor.clone()
        part = changed[..., d : 2 * d]
        changed[..., d : 2 * d] = 0 if how == "zero" else part.mean(dim=1, keepdim=True)
        return changed

    trace = lens.run(request.with_ablation(HeadRef(site.stream, site.layer, 1), how=how))
    model = eager_of(family)
    with before_w_o(model, silence):
        expected = untouched(model, request)
    logprobs = expected.logits - np.log(np.exp(expected.logits).sum(axis=-1, keepdims=True))
    found = trace.predictions
    assert np.abs(np.take_along_axis(logprobs, found.top_ids, -1) - found.top_logprob).max() <= 1e-5
    intact = untouched(model, request)
    assert np.abs(expected.logits - intact.logits).max() > 1e-4, "the head mattered"
    for held, pattern in zip(trace.attention[-1:], [intact.patterns[site.stream][-1]], strict=True):
        assert held.ablated == (1,) and np.abs(held.pattern - pattern).max() <= 1e-5


@pytest.mark.parametrize("name", OURS)
def test_with_every_head_of_a_layer_silenced_only_the_output_bias_is_left(name, lens_of, ask):
    lens = lens_of(name)
    model = lens.backend.model
    modules = [module for key, module in model.named_modules() if key.endswith((".own", ".cross"))]
    gave = []
    hooks = [module.register_forward_hook(lambda m, args, output: gave.append((m, output))) for module in modules]
    try:
        for site in lens.info.sites:
            heads = [HeadRef(site.stream, site.layer, head) for head in range(site.heads)]
            gave.clear()
            lens.run(ask(name).with_ablation(*heads))
            module, output = gave[lens.info.sites.index(site)]
            assert (output == module.output.bias).all()
    finally:
        for hook in hooks:
            hook.remove()


@ANY
def test_no_intervention_is_no_change_at_all(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, keep={"pattern", "predictions"})
    changed = request.with_mask(MaskRule(lens.info.sites[0].stream, "full")).with_temperature(2.0)
    assert changed != request and changed.without_interventions() == request
    a, b = lens.run(request), lens.run(changed.without_interventions())
    for one, other in zip(a.attention, b.attention, strict=True):
        assert np.array_equal(one.pattern, other.pattern)
    assert np.array_equal(a.predictions.top_logprob, b.predictions.top_logprob)


@ANY
def test_the_native_mask_asked_for_by_name_changes_nothing(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, keep={"pattern", "predictions"}, capture="float32")
    native = lens.run(request)
    for held in native.attention:
        stream = held.site.stream
        rule = MaskRule(stream, "padding", layers=(held.site.layer,))  # the native mask, less padding: there is none
        trace = lens.run(request.with_mask(rule))
        for a, b in zip(native.attention, trace.attention, strict=True):
            assert np.array_equal(a.pattern, b.pattern)


@ANY
def test_temperature_divides_scores_and_nothing_else(name, lens_of, ask):
    lens = lens_of(name)
    request = ask(name, keep={"pattern", "scores"})
    for temperature in (0.25, 2, np.float32(10)):
        plain, hot = lens.run(request), lens.run(request.with_temperature(temperature))
        first = min(lens.info.sites, key=lambda site: (site.stream is Stream.CROSS, site.layer))
        a, b = plain.at(first.stream, first.layer), hot.at(first.stream, first.layer)
        assert np.abs(a.scores / float(temperature) - b.scores).max() <= 1e-5 and b.temperature == temperature
        assert np.array_equal(a.allowed, b.allowed)
    flat = lens.run(ask(name).with_temperature(1e9)).attention[0]
    counts = flat.allowed.sum(axis=-1, keepdims=True)
    if flat.sink is None:
        assert np.abs(flat.pattern - flat.allowed / counts).max() <= 1e-6
    else:  # scores of nothing against a sink that keeps its own: exp(sink) against one for each key
        odds = flat.sink / (1 - flat.sink) * counts[..., 0]
        assert np.abs(odds / odds[:, :1] - 1).max() <= 1e-4
    sharp = lens.run(ask(name).with_temperature(1e-30))
    for held in sharp.attention:
        total = held.pattern.sum(axis=-1) + (0 if held.sink is None else held.sink)
        assert np.abs(total - 1).max() <= 1e-5
