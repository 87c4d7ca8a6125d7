"""The shipped encoders and decoders from the inside: each ends where the trace of the same request ends, and all adds up."""

import numpy as np
import pytest
import torch

from core import Stream, load
from core.analysis.decoder import direct_logit_attribution, kept_of_embedding, lengths, removal_effect, shares
from core.engine.inside import account, accountable, inner, nearest_tokens, walkable
from core.errors import UnsupportedModelError
from core.trace import log_softmax

CASES = {
    "classroom": ("gen ai is", "interesting domain"),
    "translator": ("the black cat sleeps on the red sofa", "o gato preto dorme"),
    "writer": ("the teacher reads a new book", None),
    "induction": ("abcabc", None),
    "induction-peek": ("abcabc", None),
}


@pytest.fixture(scope="module", params=CASES)
def told(request):
    """(lens, its request, the account, the trace of the same request)."""
    lens, (text, target) = load(request.param), CASES[request.param]
    asked = lens.request(text) if target is None else lens.request(text, target)
    return lens, asked, account(lens, asked), lens.run(asked.keeping("pattern", "qkv", "residual", "predictions"))


def test_the_account_meets_the_trace_at_every_layer(told) -> None:
    _, _, held, trace = told
    depths = trace.residual[Stream.DECODER]
    assert np.array_equal(held.residual[0], depths[0]) or np.abs(held.residual[0] - depths[0]).max() <= 1e-5
    ends = [n + 1 for n, (layer, _) in enumerate(held.parts) if n + 1 == len(held.parts) or held.parts[n + 1][0] != layer]
    assert len(ends) == len(depths) - 1
    for end, depth in zip(ends, depths[1:], strict=True):
        assert np.abs(held.residual[end] - depth).max() <= 1e-4
    for (layer, part), inside in zip(held.parts, held.inside, strict=True):
        if part == "ff":
            continue
        site = trace.at(Stream.DECODER if part == "own" else Stream.CROSS, layer)
        assert np.abs(inside["pattern"] - site.pattern).max() <= 1e-5
        for name in ("query", "key", "value"):
            assert np.abs(inside[name] - getattr(site, name)).max() <= 1e-4


def test_what_is_added_adds_up_to_the_residual_stream(told) -> None:
    _, _, held, _ = told
    assert np.abs(np.cumsum(held.added.astype(np.float64), axis=0) - held.residual).max() <= 1e-3
    assert np.allclose(shares(held)[1:], lengths(held.added)[1:] / lengths(held.residual)[1:])
    assert np.allclose(shares(held)[0], 1)


def test_all_attributions_and_the_offset_are_the_logit_above_the_mean(told) -> None:
    _, asked, held, trace = told
    logits = trace.next_logits.astype(np.float64)
    assert held.written[-1] == logits.argmax() and held.written[:-1].tolist() == list(asked.target[1:])
    assert held.above_mean_logit[-1] == pytest.approx(logits.max() - logits.mean(), abs=1e-3)
    assert np.abs(direct_logit_attribution(held).sum(axis=0) + held.offset - held.above_mean_logit).max() <= 1e-3


def test_an_attribution_is_the_models_own_answer_with_and_without_an_addition(told) -> None:
    """The norm's scale held still, a residual stream without an addition has a logit smaller by the attribution."""
    lens, _, held, _ = told
    model = lens.backend.model
    norm, table = model.decoder_norm, model.embedding.weight.double()
    last, at = torch.tensor(held.residual[-1], dtype=torch.float64), len(held.target) - 1
    sigma = (last[at].var(unbiased=False) + norm.eps).sqrt()

    def above_mean_logit(x: torch.Tensor) -> float:
        logits = ((x - x.mean()) / sigma * norm.weight.double() + norm.bias.double()) @ table.T
        return float(logits[int(held.written[at])] - logits.mean())

    with torch.inference_mode():
        whole = above_mean_logit(last[at])
        for depth, attribution in enumerate(direct_logit_attribution(held)[:, at]):
            without = above_mean_logit(last[at] - torch.tensor(held.added[depth, at], dtype=torch.float64))
            assert whole - without == pytest.approx(attribution, abs=1e-4)


def test_the_effect_of_a_removal_is_a_run_of_the_model_whose_sublayer_adds_nothing(told) -> None:
    lens, asked, held, _ = told
    model, effect = lens.backend.model, removal_effect(held)
    ends = {"own": lambda layer: layer.own.output, "cross": lambda layer: layer.cross.output, "ff": lambda layer: layer.ff.outer}
    assert effect.shape == (len(held.parts), len(held.target))
    source = None if asked.source is None else torch.tensor([asked.source])
    for n, (layer, part) in enumerate(held.parts):
        hook = ends[part](model.decoder[layer]).register_forward_hook(lambda module, args, output: torch.zeros_like(output))
        try:
            with torch.inference_mode():
                logits = model(source, torch.tensor([asked.target])).logits[0].double().numpy()
        finally:
            hook.remove()
        above = logits[np.arange(len(held.written)), held.written] - logits.mean(axis=-1)
        assert np.abs(held.above_mean_logit - effect[n] - above).max() <= 1e-3


def test_what_is_left_of_the_embedding_is_one_and_what_each_addition_brings_along_it(told) -> None:
    *_, held, _ = told
    begin = held.residual[0].astype(np.float64)
    brought = np.einsum("npd,pd->p", held.added[1:].astype(np.float64), begin) / (begin**2).sum(axis=-1)
    assert np.allclose(kept_of_embedding(held), 1 + brought, atol=1e-4)


def test_the_logit_lens_ends_in_the_real_prediction(told) -> None:
    _, _, held, trace = told
    chance = np.exp(log_softmax(trace.next_logits))
    assert held.lens_written[-1, -1] == held.lens_top[-1, -1] == pytest.approx(chance.max(), abs=1e-5)
    assert held.top_id[-1].tolist() == [token.id for token in trace.next_tokens(7)]
    assert np.abs(np.log(held.lens_written[-1, :-1]) - trace.predictions.actual_logprob[:-1]).max() <= 1e-3


def test_a_step_is_the_same_whether_the_rest_is_there_or_not() -> None:
    lens = load("translator")
    source, target = CASES["translator"]
    whole = account(lens, lens.request(source, target))
    ids = lens.request(source, target).target
    for n in range(1, len(ids)):
        alone = account(lens, lens.request(source, target_ids=ids[1:n]))
        assert np.abs(alone.residual[:, n - 1] - whole.residual[:, n - 1]).max() <= 1e-4


def test_a_model_without_a_decoder_of_ours_is_told_apart() -> None:
    lens = load("filler")
    assert accountable(lens)
    with pytest.raises(UnsupportedModelError, match="Choose Classroom"):
        account(lens, lens.request("a cat"))


@pytest.mark.parametrize("name", ["classroom", "translator", "filler"])
def test_the_walk_meets_the_trace_at_every_layer(name):
    lens = load(name)
    request = lens.request("the river bank and the money bank", **({} if lens.info.kind == "encoder" else {"target": ""}))
    walked = inner(lens, request)
    trace = lens.run(request.keeping("pattern", "residual", "qkv"))
    assert walked.tokens == trace.source
    assert np.abs(walked.residual() - trace.residual[Stream.ENCODER]).max() <= 1e-5
    for layer, steps in enumerate(walked.layers):
        site = trace.at(Stream.ENCODER, layer)
        assert np.abs(steps["pattern"] - site.pattern).max() <= 1e-5
        for part in ("query", "key", "value"):
            assert np.abs(steps[part] - getattr(site, part)).max() <= 1e-5
    assert not walked.final.flags.writeable


def test_nearest_tokens_are_those_of_the_whole_table():
    lens = load("classroom")
    ids = lens.encode("river bank")
    table = lens.backend.model.embedding.weight.detach().double().numpy()
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    for id, found in zip(ids, nearest_tokens(lens, ids, 5), strict=True):
        cosine = unit @ unit[id]
        cosine[id] = -2
        order = np.argsort(-cosine)[:5]
        assert [token.id for token in found] == order.tolist()
        assert np.allclose([token.cosine for token in found], cosine[order], atol=1e-5)


def test_a_model_without_an_encoder_of_ours_is_told_apart():
    lens = load("writer")
    assert "no encoder" in walkable(lens)
    with pytest.raises(UnsupportedModelError, match="only writes"):
        inner(lens, lens.request("gen ai is"))
