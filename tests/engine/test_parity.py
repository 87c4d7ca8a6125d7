"""Every family, watched, gives what transformers' own eager pass gives: logits, maps, hidden states, counts."""

from __future__ import annotations

import numpy as np
import pytest

from core.attention import decode_u8
from core.request import Stream
from tests.families import DECODERS, ENCODERS, EVERY, FAMILIES, LIMIT, OURS, SEQ2SEQ, ids
from tests.oracles import untouched

FAMILY = pytest.mark.parametrize("family", FAMILIES)
ANY = pytest.mark.parametrize("name", EVERY)
EVERYTHING = ("pattern", "scores", "qkv", "residual", "predictions")


@FAMILY
def test_the_logits_are_the_untouched_models_bit_for_bit_where_its_own_formula_runs(family, lens_of, eager_of, ask):
    lens, model = lens_of(family), eager_of(family)
    if family in ENCODERS:
        source = ids(9)
        request = lens.request(ids=(*source[:4], lens.text.mask, *source[5:]), capture="float32")
        assert np.array_equal(lens.run(request).masked_logits[4], untouched(model, request).logits[4])
        return
    request = ask(family, capture="float32")
    whole = lens.run(request.keeping("pattern", "predictions", capture="float32"))
    assert np.array_equal(whole.next_logits, untouched(model, request).logits[-1])
    # asked for one position only, the untouched model multiplies one row only: so must the lens. The order in which that
    # product sums depends on where in memory the weights happen to lie, so here the last bits may differ
    last = untouched(model, request, last_only=lens.backend.picks_positions)
    assert np.abs(lens.run(request).next_logits - last.logits[-1]).max() <= 2e-6


@FAMILY
@pytest.mark.parametrize("how", ["lazy", "u8", "nothing"])
def test_the_logits_agree_where_a_fused_kernel_runs(family, how, lens_of, eager_of, ask):
    kept = {"keep": ()} if how == "nothing" else {"capture": how}
    lens = lens_of(family)
    if family in ENCODERS:
        request = lens.request(ids=(*ids(8), lens.text.mask), **kept)
        logits = lens.run(request).masked_logits[8]
    else:
        request = ask(family, **kept)
        logits = lens.run(request).next_logits
    assert np.abs(logits - untouched(eager_of(family), request).logits[-1]).max() <= 1e-5
    assert lens.run(request).attention == () if how == "nothing" else len(lens.run(request).attention)


@FAMILY
def test_every_map_is_output_attentions(family, lens_of, eager_of, ask):
    lens = lens_of(family)
    expected = untouched(eager_of(family), ask(family)).patterns
    # a lazy pass runs fused kernels between its maps: what reaches the second layer differs by a rounding
    for capture, tolerance in (("float32", 0), ("lazy", 1e-5), ("u8", 0.0040)):
        trace = lens.run(ask(family, capture=capture))
        assert len(trace.attention) == sum(map(len, expected.values()))
        for stream, maps in expected.items():
            for layer, pattern in enumerate(maps):
                held = trace.at(stream, layer)
                assert held.pattern.shape == pattern.shape and held.pattern.dtype == np.float32
                assert np.abs(held.pattern - pattern).max() <= tolerance
                assert held.approximate == (capture == "u8")


@FAMILY
def test_sites_heads_and_key_value_heads_are_those_of_the_configuration(family, lens_of, eager_of):
    lens, config = lens_of(family), eager_of(family).config
    layers = sum(kind != "conv" for kind in getattr(config, "layer_types", None) or [""] * config.num_hidden_layers)
    expected = {Stream.ENCODER: layers} if family in ENCODERS else {Stream.DECODER: layers}
    if family in SEQ2SEQ:
        depth = getattr(config, "num_decoder_layers", None) or getattr(config, "decoder_layers", layers)
        expected = {Stream.ENCODER: layers, Stream.DECODER: depth, Stream.CROSS: depth}
    for stream in Stream:
        assert [site.layer for site in lens.info.at(stream)] == list(range(expected.get(stream, 0)))
    assert lens.info.layers == max(expected.values())
    assert {site.heads for site in lens.info.sites} == {config.num_attention_heads} == {lens.info.heads}
    assert lens.info.kv_heads == (getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    assert lens.info.d_model == config.hidden_size and lens.info.vocab == config.vocab_size
    assert lens.info.parameters == sum(p.numel() for p in eager_of(family).parameters())
    assert lens.info.kind == (
        "encoder" if family in ENCODERS else "decoder" if family in DECODERS else "encoder-decoder"
    )
    assert lens.info.can_predict and lens.info.causal == (family not in ENCODERS)


@FAMILY
def test_a_text_of_the_greatest_length_runs_and_one_token_more_is_refused_with_both_numbers(family, lens_of, ask):
    from core.errors import TooLongError

    lens = lens_of(family)
    if family in ("t5", "t5_gated", "mt5"):
        assert lens.info.max_tokens > LIMIT  # relative positions end nowhere
        return
    trace = lens.run(ask(family, lens.info.max_tokens, keep=(), target=lens.info.max_tokens))
    assert len(trace.source or trace.target) == lens.info.max_tokens
    with pytest.raises(TooLongError, match=rf"{lens.info.max_tokens}.*{lens.info.max_tokens + 1}"):
        ask(family, lens.info.max_tokens + 1)


@ANY
def test_a_shared_key_is_the_one_its_queries_were_multiplied_with(name, lens_of, ask):
    lens = lens_of(name)
    for held in lens.run(ask(name, keep={"scores", "qkv"})).attention:
        assert held.kv_heads == lens.info.kv_heads == len(held.key) == len(held.value)
        group = held.site.heads // held.kv_heads
        assert [held.kv_of(head) for head in range(held.site.heads)] == [h // group for h in range(held.site.heads)]
        for head in range(held.site.heads):
            raw = held.scaling * held.query[head].astype(np.float64) @ held.key[held.kv_of(head)].T
            if held.softcap is not None:
                raw = held.softcap * np.tanh(raw / held.softcap)
            if held.bias is not None:
                raw = raw + np.broadcast_to(held.bias, held.shape)[head]
            assert np.abs(raw - held.scores[head]).max() <= 1e-5


@ANY
def test_scores_masked_and_softmaxed_with_the_sink_are_the_pattern(name, lens_of, ask):
    for held in lens_of(name).run(ask(name, keep={"pattern", "scores"}, capture="float32")).attention:
        scores = np.where(held.allowed, held.scores.astype(np.float64), -np.inf)
        power = np.exp(scores - scores.max(axis=-1, keepdims=True))
        left = 0 if held.sink is None else held.sink
        pattern = power / power.sum(axis=-1, keepdims=True) * (1 - left)[..., None] if held.sink is not None else (
            power / power.sum(axis=-1, keepdims=True)
        )  # fmt: skip
        assert np.abs(pattern - held.pattern).max() <= 1e-6


@ANY
def test_a_head_computed_when_asked_is_the_engines_own(name, lens_of, ask):
    lens = lens_of(name)
    for salt in range(3):
        # side by side both see the very same queries and keys: the family's formula runs for both
        own, later = lens.run_many(ask(name, 14, 12, salt, capture=capture) for capture in ("float32", "lazy"))
        for a, b in zip(own.attention, later.attention, strict=True):
            assert a.site == b.site and np.array_equal(a.allowed, b.allowed)
            for head in range(a.site.heads):
                assert np.abs(a.head(head) - b.head(head)).max() <= 1e-6
            assert (a.sink is None) == (b.sink is None)
            assert a.sink is None or np.abs(a.sink - b.sink).max() <= 1e-6


@ANY
def test_eight_bit_codes_keep_within_the_error_they_state(name, lens_of, ask):
    lens = lens_of(name)
    exact, coded = lens.run(ask(name, capture="float32")), lens.run(ask(name, capture="u8"))
    for a, b in zip(exact.attention, coded.attention, strict=True):
        for head in range(a.site.heads):
            assert b.codes(head).dtype == np.uint8
            assert np.abs(decode_u8(b.codes(head)) - a.head(head)).max() <= 0.0040
            assert np.array_equal(b.codes(head) == 0, b.head(head) == 0)
            # the same head coded from the exact map differs by a rounding at most
            assert np.abs(a.codes(head).astype(int) - b.codes(head).astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("family", "scaling"),
    [("t5", 1.0), ("t5_gated", 1.0), ("mt5", 1.0), ("opt", 1.0), ("gemma2", 20**-0.5), ("granite", 0.3),
     ("gpt2", 8**-0.5), ("qwen3", 16**-0.5), ("modernbert", 8**-0.5), ("bart", 8**-0.5), ("ours", 8**-0.5)],
)  # fmt: skip
def test_the_scaling_is_the_familys_own(family, scaling, lens_of, ask):
    for held in lens_of(family).run(ask(family)).attention:
        assert held.scaling == pytest.approx(scaling)


def test_what_only_one_family_has_is_there_and_nowhere_else(lens_of, ask):
    for name in EVERY:
        for held in lens_of(name).run(ask(name)).attention:
            assert (held.sink is not None) == (name == "gpt_oss")
            assert (held.softcap is not None) == (name == "gemma2")
            own = held.site.stream is not Stream.CROSS
            biased = name in ("t5", "t5_gated", "mt5") and held.bias is not None and held.bias.any()
            assert bool(biased) == (name in ("t5", "t5_gated", "mt5") and own)
    sinks = [held.sink for held in lens_of("gpt_oss").run(ask("gpt_oss")).attention]
    assert all(sink.shape == (4, 9) and 0.01 < sink.mean() < 0.99 for sink in sinks)


def test_a_bias_that_all_layers_share_is_stored_once(lens_of, ask):
    for capture in ("float32", "lazy"):
        trace = lens_of("t5").run(ask("t5", capture=capture, keep={"pattern", "scores"}))
        first, second = (trace.at(Stream.ENCODER, layer).bias for layer in (0, 1))
        assert np.shares_memory(first, second)


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gpt_oss", "modernbert", "gemma3", "starcoder2"])
def test_a_window_shorter_than_the_text_shows_in_allowed(family, lens_of, eager_of, ask):
    trace = lens_of(family).run(ask(family, 12))
    q, k = np.indices((12, 12))
    causal = q >= k
    near = causal & (q - k < 4)
    local = abs(q - k) <= 3  # ModernBERT counts half of its window on either side
    expected = {
        "mistral": [near, near],
        "starcoder2": [near, near],
        "gemma2": [near, causal],
        "gemma3": [near, causal],
        "gpt_oss": [near, causal],
        "modernbert": [np.ones_like(local), local, np.ones_like(local)],
    }[family]
    for held, mask in zip(trace.attention, expected, strict=True):
        assert np.array_equal(held.allowed, np.broadcast_to(mask, held.shape))


@FAMILY
def test_the_residual_is_the_hidden_states_and_its_last_depth_is_not_normed(family, lens_of, eager_of, ask):
    lens, model = lens_of(family), eager_of(family)
    request = ask(family, keep={"residual"})
    residual, expected = lens.run(request).residual, untouched(model, request).hidden
    assert residual.keys() == expected.keys()
    for stream, states in expected.items():
        depths = residual[stream]
        assert depths.dtype == np.float32 and not depths.flags.writeable
        assert len(depths) == len(states), "every layer's output is there"
        for depth, state in zip(depths[:-1], states[:-1], strict=True):
            assert np.allclose(depth, state, rtol=1e-5, atol=1e-5)
        norm = final_norm(model, stream)
        if norm is None:
            assert np.abs(depths[-1] - states[-1]).max() <= 1e-5
        else:
            import torch

            assert np.abs(depths[-1] - states[-1]).max() > 0.05, "the normed state never appears under this name"
            with torch.inference_mode():
                normed = norm(torch.tensor(depths[-1])).numpy()
            assert np.abs(normed - states[-1]).max() <= 1e-5


def final_norm(model, stream):
    """The family's last norm, which stands after its last layer; None in post-norm families."""
    places = {
        Stream.ENCODER: ("encoder.final_layer_norm", "model.encoder.layer_norm", "model.final_norm"),
        Stream.DECODER: (
            "decoder.final_layer_norm", "model.decoder.layer_norm", "model.decoder.final_layer_norm",
            "transformer.ln_f", "model.embedding_norm", "gpt_neox.final_layer_norm", "model.final_layernorm", "model.norm",
        ),
    }[stream]  # fmt: skip
    modules = dict(model.named_modules())
    return next((modules[place] for place in places if place in modules), None)


@pytest.mark.parametrize("name", OURS)
def test_our_own_residual_adds_up_to_the_logits(name, lens_of, ask):
    import torch

    lens = lens_of(name)
    model = lens.backend.model
    trace = lens.run(ask(name, keep={"residual", "predictions"}))
    stream, norm = (
        (Stream.ENCODER, model.encoder_norm) if lens.info.kind == "encoder" else (Stream.DECODER, model.decoder_norm)
    )
    with torch.inference_mode():
        logits = model.predict(norm(torch.tensor(trace.residual[stream][-1])), None)
        logprobs = logits.log_softmax(-1).numpy()
    top = trace.predictions
    assert np.abs(np.take_along_axis(logprobs, top.top_ids, -1) - top.top_logprob).max() <= 1e-5


@FAMILY
def test_predictions_are_the_untouched_models_at_every_position(family, lens_of, eager_of, ask):
    request = ask(family, keep={"predictions"})
    found, logits = lens_of(family).run(request).predictions, untouched(eager_of(family), request).logits
    logprobs = logits.astype(np.float64) - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
    rows = np.arange(len(logprobs))
    assert found.top_ids.shape == found.top_logprob.shape == (len(logprobs), 50)
    assert np.abs(np.take_along_axis(logprobs, found.top_ids, -1) - found.top_logprob).max() <= 1e-5
    assert np.abs(np.sort(logprobs, -1)[:, ::-1][:, :50] - found.top_logprob).max() <= 1e-5
    assert np.abs(-(np.exp(logprobs) * logprobs).sum(-1) - found.entropy).max() <= 1e-5
    if family in ENCODERS:
        assert np.abs(logprobs[rows, list(request.source)] - found.actual_logprob).max() <= 1e-5
    else:
        assert np.abs(logprobs[rows[:-1], list(request.target[1:])] - found.actual_logprob[:-1]).max() <= 1e-5
        assert np.isnan(found.actual_logprob[-1])


@ANY
def test_keeping_more_changes_nothing(name, lens_of, ask):
    lens = lens_of(name)
    little, much = (lens.run(ask(name, keep=keep, capture="float32")) for keep in (("pattern",), EVERYTHING))
    for a, b in zip(little.attention, much.attention, strict=True):
        assert np.array_equal(a.pattern, b.pattern)
    if lens.info.kind != "encoder":
        assert np.abs(little.next_logits - much.next_logits).max() <= 1e-5
        assert [t.id for t in little.next_tokens(5)] == [t.id for t in much.next_tokens(5)]


@ANY
def test_requests_of_different_lengths_side_by_side_answer_as_one_by_one(name, lens_of, ask):
    lens = lens_of(name)
    for capture in ("float32", "lazy"):
        requests = [
            ask(name, length, target, salt, keep=EVERYTHING, capture=capture)
            for salt, (length, target) in enumerate([(9, 5), (7, 6), (9, 4), (8, 6), (3, 2), (24, 9), (10, 6)])
        ]
        together = lens.run_many(requests)
        for request, trace in zip(requests, together, strict=True):
            alone = lens.run(request)
            assert trace.request == request and trace.source == alone.source and trace.target == alone.target
            for a, b in zip(alone.attention, trace.attention, strict=True):
                assert a.site == b.site and np.array_equal(a.allowed, b.allowed)
                for one in ("pattern", "scores", "query", "key", "value"):
                    assert getattr(a, one).shape == getattr(b, one).shape
                    assert np.abs(getattr(a, one) - getattr(b, one)).max() <= 1e-5
                assert (a.sink is None) == (b.sink is None)
                assert a.sink is None or np.abs(a.sink - b.sink).max() <= 1e-5
            if alone.next_logits is not None:
                assert np.abs(alone.next_logits - trace.next_logits).max() <= 1e-5
            for stream, depths in alone.residual.items():
                assert np.allclose(depths, trace.residual[stream], rtol=1e-5, atol=1e-5)
            for one in ("top_logprob", "entropy", "actual_logprob"):
                a, b = (getattr(t.predictions, one) for t in (alone, trace))
                assert np.allclose(a, b, rtol=0, atol=1e-5, equal_nan=True)


@ANY
def test_appending_a_token_changes_no_earlier_row_under_a_causal_mask(name, lens_of, ask):
    lens = lens_of(name)
    if lens.info.kind == "encoder" or not lens.info.causal:
        # where the future is seen, it must show
        request = ask(name, 8)
        longer = lens.request(ids=(*(request.source or request.target), 9))
        a, b = lens.run(request).attention[-1], lens.run(longer).attention[-1]
        assert np.abs(a.pattern - b.pattern[:, :8, :8]).max() > 1e-3
        return
    request = ask(name, 10, 7, keep={"pattern", "residual"})
    before, after = lens.run(request), lens.run(request.append(9))
    for a, b in zip(before.attention, after.attention, strict=True):
        rows, keys = a.shape[1:]
        assert np.abs(a.pattern - b.pattern[:, :rows, :keys]).max() <= 1e-5
    for stream, depths in before.residual.items():
        assert np.allclose(depths, after.residual[stream][:, : depths.shape[1]], rtol=1e-5, atol=1e-5)


HEADLESS = {
    "llama": "LlamaModel",
    "bert": "BertModel",
}  # whose heads are no copy of the embedding


@pytest.mark.parametrize("family", HEADLESS)
def test_without_an_output_head_attention_is_whole_and_predictions_are_refused(
    family, folder_of, lens_of, ask, tmp_path
):
    import transformers

    import core
    from core.errors import NotAPredictor

    getattr(transformers, HEADLESS[family]).from_pretrained(folder_of(family)).save_pretrained(tmp_path)
    bare, whole = core.load(str(tmp_path), device="cpu"), lens_of(family)
    assert not bare.info.can_predict and bare.info.sites == whole.info.sites and bare.info.kind == whole.info.kind
    request = ask(family, keep={"pattern", "residual"})
    own = bare.request(ids=request.source or request.target, keep=request.keep)
    a, b = bare.run(own), whole.run(request)
    for one, other in zip(a.attention, b.attention, strict=True):
        assert np.array_equal(one.pattern, other.pattern)
    assert all(np.array_equal(a.residual[stream], b.residual[stream]) for stream in b.residual)
    assert a.next_logits is None and a.predictions is None
    with pytest.raises(NotAPredictor):
        a.next_tokens()
    for write in (bare.generate, bare.beams, bare.next_words):
        with pytest.raises(NotAPredictor):
            write(own)


def test_an_output_head_of_its_own_is_the_one_that_predicts(lens_of, eager_of, ask):
    model = eager_of("t5_gated")
    assert not np.array_equal(model.lm_head.weight.numpy(force=True), model.shared.weight.numpy(force=True))
    trace = lens_of("t5_gated").run(ask("t5_gated"))
    assert np.abs(trace.next_logits - untouched(model, trace.request).logits[-1]).max() <= 1e-5
