"""The transformer says what its paper says, and what PyTorch's own parts say."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.model.multihead import AttentionCall, MultiHeadAttention, attention, rotate
from core.model.transformer import Config, Layer, Past, Transformer, sinusoids

torch.set_num_threads(1)
KINDS = ("encoder", "decoder", "encoder-decoder")
POSITIONS = ("sinusoidal", "learned", "rotary", "none")


def tiny(kind: str = "encoder-decoder", **shape) -> Transformer:
    torch.manual_seed(0)
    return Transformer(Config(kind, 50, 16, 4, 2, 2, 32, 24, **shape)).eval()


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(4, 50, (rows, length), generator=torch.Generator().manual_seed(seed))


def logits(model: Transformer, source: Tensor, target: Tensor, **more) -> Tensor:
    return model(source if model.config.reads else None, target if model.config.writes else None, **more).logits


# --- attention ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.data())
def test_attention_is_pytorchs(data: st.DataObject) -> None:
    batch, heads, queries, keys, d = (data.draw(st.integers(1, n)) for n in (3, 4, 7, 9, 8))
    random = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    query = torch.randn(batch, heads, queries, d, generator=random)
    key, value = (torch.randn(batch, heads, keys, d, generator=random) for _ in range(2))
    shape = (*(data.draw(st.sampled_from([1, n])) for n in (batch, heads)), queries, keys)
    mask = torch.rand(shape, generator=random) < data.draw(st.floats(0, 1))
    mask[..., 0] |= ~mask.any(-1)  # a row must have something to look at
    mask = data.draw(st.sampled_from([mask, None]))
    output, weights = attention(query, key, value, mask)
    torch.testing.assert_close(output, F.scaled_dot_product_attention(query, key, value, mask), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, heads, queries), atol=1e-5, rtol=0)
    if mask is not None:
        assert (weights[(~mask).expand_as(weights)] == 0).all()


def test_multi_head_attention_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = MultiHeadAttention(16, 4).eval(), nn.MultiheadAttention(16, 4, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
        x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
        wanted, _ = theirs(x, memory, memory)
        torch.testing.assert_close(ours(x, *ours.keys_values(memory), None), wanted, atol=1e-5, rtol=1e-5)


@settings(deadline=None)
@given(d=st.sampled_from([2, 4, 16, 32]), start=st.integers(0, 60), shift=st.integers(0, 60), gap=st.integers(-30, 30))
def test_rotary_scores_depend_on_the_distance_alone(d: int, start: int, shift: int, gap: int) -> None:
    first, second = torch.randn(2, 1, 1, 1, d, dtype=torch.float64)
    key = start + gap + 30

    def score(by: int) -> Tensor:
        return (rotate(first, start + by) * rotate(second, key + by)).sum()

    torch.testing.assert_close(score(shift), score(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rotate(first, start).norm(), first.norm(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rotate(first, 0), first)


@pytest.mark.parametrize("positions, d", [(1, 2), (40, 16), (128, 192)])
def test_sinusoids_are_the_papers(positions: int, d: int) -> None:
    table = sinusoids(positions, d)
    for position in (0, positions // 2, positions - 1):
        for i in range(d // 2):
            angle = position / 10_000 ** (2 * i / d)
            assert table[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=2e-5)
            assert table[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=2e-5)


# --- layers and stacks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("crosses", [False, True])
def test_a_layer_is_pytorchs(norm: str, crosses: bool) -> None:
    torch.manual_seed(0)
    config = Config("encoder-decoder", 50, 16, 4, 1, 1, 32, 24, norm=norm, dropout=0.0)
    ours = Layer(config, crosses).eval()
    layer = nn.TransformerDecoderLayer if crosses else nn.TransformerEncoderLayer
    theirs = layer(16, 4, 32, 0.0, batch_first=True, norm_first=norm == "pre").eval()
    blocks = [(ours.own, theirs.self_attn)] + ([(ours.cross, theirs.multihead_attn)] if crosses else [])
    norms = [ours.own_place.norm, *([ours.cross_place.norm] if crosses else []), ours.ff_place.norm]
    with torch.no_grad():
        for mine, other in blocks:
            other.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key.weight, mine.value.weight]))
            other.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key.bias, mine.value.bias]).normal_())
            for part, bias in zip((mine.query, mine.key, mine.value), other.in_proj_bias.chunk(3), strict=True):
                part.bias.copy_(bias)
            other.out_proj.load_state_dict(mine.output.state_dict())
        for n, mine in enumerate(norms, 1):
            mine.weight.normal_()
            getattr(theirs, f"norm{n}").load_state_dict(mine.state_dict())
        theirs.linear1.load_state_dict(ours.ff.inner.state_dict())
        theirs.linear2.load_state_dict(ours.ff.outer.state_dict())
        x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
        if crosses:
            causal = torch.ones(5, 5, dtype=torch.bool).tril()
            mine, _ = ours(x, causal[None, None], None, memory=ours.cross.keys_values(memory))
            wanted = theirs(x, memory, tgt_mask=~causal)
        else:
            mine, _ = ours(x, None, None)
            wanted = theirs(x)
    torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_without_positions_an_encoder_reads_a_bag_of_words() -> None:
    model, source = tiny("encoder", positions="none"), ids(1, 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model(source[:, order]).logits, model(source).logits[:, order], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@torch.inference_mode()
def test_with_positions_order_matters(positions: str) -> None:
    model, source = tiny("encoder", positions=positions), ids(1, 9)
    assert (model(source.flip(1)).logits.flip(1) - model(source).logits).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.inference_mode()
def test_padding_and_batching_change_nothing(kind: str, positions: str, norm: str) -> None:
    model = tiny(kind, positions=positions, norm=norm)
    source, target = ids(3, 8), ids(3, 6, 1)
    lengths = torch.tensor([8, 5, 3])
    allowed = torch.arange(8) < lengths[:, None]
    batch = logits(model, source, target, source_allowed=allowed)
    for row, length in enumerate(lengths.tolist()):
        alone = logits(model, source[row : row + 1, :length], target[row : row + 1])[0]
        torch.testing.assert_close(batch[row, : len(alone)], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("positions", POSITIONS)
@torch.inference_mode()
def test_the_past_does_not_depend_on_the_future(kind: str, positions: str) -> None:
    model, source, target = tiny(kind, positions=positions), ids(2, 5), ids(2, 8, 1)
    before = logits(model, source, target)
    other = target.clone()
    other[:, 5] = (other[:, 5] + 1) % 50
    after = logits(model, source, other)
    torch.testing.assert_close(after[:, :5], before[:, :5], atol=1e-6, rtol=0)
    assert (after[:, 5:] - before[:, 5:]).abs().max() > 1e-3
    peeking = tiny(kind, positions=positions, causal=False)
    assert (logits(peeking, source, other)[:, :5] - logits(peeking, source, target)[:, :5]).abs().max() > 1e-5


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("chunks", [(1,) * 7, (3, 1, 3), (6, 1)])
@torch.inference_mode()
def test_step_by_step_equals_all_at_once(kind: str, positions: str, norm: str, chunks: tuple[int, ...]) -> None:
    model, source, target = tiny(kind, positions=positions, norm=norm), ids(2, 5), ids(2, 7, 1)
    full = logits(model, source, target)
    past: Past | None = None
    parts, pasts = [], []
    for chunk in target.split(list(chunks), dim=1):
        output = model(source if model.config.reads and past is None else None, chunk, past=past)
        past = output.past
        parts.append(output.logits)
        pasts.append(past.positions)
    torch.testing.assert_close(torch.cat(parts, 1), full, atol=1e-5, rtol=1e-5)
    assert pasts[-1] == 7 and pasts == sorted(pasts)


@torch.inference_mode()
def test_branches_may_share_a_past() -> None:
    model, source = tiny(), ids(1, 5)
    past = model(source, ids(1, 4, 1)).past
    first = model(None, ids(1, 1, 2), past=past).logits
    model(None, ids(1, 1, 3), past=past)
    torch.testing.assert_close(model(None, ids(1, 1, 2), past=past).logits, first, atol=0, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_a_probe_sees_every_attention_and_changes_nothing(kind: str) -> None:
    class Watch:
        def __init__(self) -> None:
            self.shapes: list[tuple[int, ...]] = []

        def attend(self, call: AttentionCall) -> tuple[Tensor, Tensor]:
            output, weights = call.owner(call.mask)
            self.shapes.append(tuple(weights.shape))
            return output, weights

    model, source, target, watch = tiny(kind), ids(1, 5), ids(1, 3, 1), Watch()
    untouched = logits(model, source, target)
    torch.testing.assert_close(logits(model, source, target, probe=watch), untouched, atol=1e-5, rtol=1e-5)
    encoder, decoder, cross = (1, 4, 5, 5), (1, 4, 3, 3), (1, 4, 3, 5)
    assert (
        watch.shapes
        == {
            "encoder": [encoder] * 2,
            "decoder": [decoder] * 2,
            "encoder-decoder": [encoder] * 2 + [decoder, cross] * 2,
        }[kind]
    )


@torch.inference_mode()
def test_logits_at_one_position_are_those_of_all() -> None:
    model, source, target = tiny(), ids(3, 5), ids(3, 6, 1)
    full, at = logits(model, source, target), torch.tensor([5, 0, 3])
    torch.testing.assert_close(logits(model, source, target, logits_at=at)[:, 0], full[torch.arange(3), at])


@torch.inference_mode()
def test_residuals_are_the_stream_before_each_layer_and_after_the_last() -> None:
    model, source, target = tiny(), ids(1, 5), ids(1, 3, 1)
    output = model(source, target)
    assert {name: len(stream) for name, stream in output.residual.items()} == {"encoder": 3, "decoder": 3}
    torch.testing.assert_close(output.residual["encoder"][0], model.embed(source))
    torch.testing.assert_close(model.encoder_norm(output.residual["encoder"][-1]), output.memory)


def test_attention_only_models_have_no_feed_forward() -> None:
    assert not [name for name, _ in Transformer(Config("decoder", 10, 8, 2, d_ff=0)).named_parameters() if "ff" in name]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rnn"},
        {"heads": 3},
        {"d_model": 12},
        {"positions": "alibi"},
        {"norm": "none"},
        {"vocab": 0},
        {"d_ff": -1},
    ],
)
def test_a_config_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        Config(**({"kind": "decoder", "vocab": 10, "d_model": 16, "heads": 4} | wrong))


def test_a_config_survives_its_file() -> None:
    config = Config("decoder", 10, 8, 2, positions="rotary")
    assert Config.from_dict(config.to_dict() | {"name": "a note"}) == config
