"""The recurrent machines say what their papers say."""

import pytest
import torch
from torch import Tensor, nn

from core.model.recurrent import GRU, AdditiveAttention, EncoderDecoder, RecurrentConfig

torch.set_num_threads(1)


def tiny(attends: bool) -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(RecurrentConfig(20, 6, 8, attends, 5)).eval()


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 20, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def test_the_gru_is_its_equations_step_by_step_and_pytorchs_all_at_once() -> None:
    torch.manual_seed(1)
    ours, theirs, x = GRU(6, 8), nn.GRU(6, 8, batch_first=True), torch.randn(3, 11, 6)
    theirs.load_state_dict(ours.state_dict())
    wanted, _ = theirs(x)
    w, u = ours.weight_ih_l0, ours.weight_hh_l0
    b, c = ours.bias_ih_l0, ours.bias_hh_l0
    state = by_hand = torch.zeros(3, 8)
    for t in range(11):
        state = ours.step(x[:, t], state)
        torch.testing.assert_close(state, wanted[:, t], atol=1e-6, rtol=1e-5)
        r, z = (
            torch.sigmoid(x[:, t] @ w[i : i + 8].T + b[i : i + 8] + by_hand @ u[i : i + 8].T + c[i : i + 8]) for i in (0, 8)
        )
        n = torch.tanh(x[:, t] @ w[16:].T + b[16:] + r * (by_hand @ u[16:].T + c[16:]))
        by_hand = (1 - z) * n + z * by_hand
        torch.testing.assert_close(by_hand, wanted[:, t], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours(x)[0], wanted, atol=0, rtol=0)


@torch.inference_mode()
def test_additive_attention_is_bahdanaus_sum_by_sum() -> None:
    torch.manual_seed(2)
    attention, state, memory = AdditiveAttention(8, 5), torch.randn(2, 8), torch.randn(2, 7, 8)
    context, weights = attention(state, memory)
    w, u, v = attention.query.weight, attention.key.weight, attention.energy.weight[0]
    for row in range(2):
        energies = []
        for j in range(7):  # eq. of §A.1.2: e_ij = v · tanh(W s + U h_j)
            energies.append(sum(float(v[k]) * torch.tanh(w[k] @ state[row] + u[k] @ memory[row, j]).item() for k in range(5)))
        chances = torch.tensor(energies, dtype=torch.float64).exp()
        chances /= chances.sum()  # eq. 6
        torch.testing.assert_close(weights[row], chances.float(), atol=1e-6, rtol=1e-5)
        summed = sum(float(chances[j]) * memory[row, j] for j in range(7))  # eq. 5
        torch.testing.assert_close(context[row], summed, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attention(state, memory, attention.key(memory))[0], context, atol=0, rtol=0)


@pytest.mark.parametrize("attends", [False, True])
@torch.inference_mode()
def test_a_pass_gives_all_that_it_computed(attends: bool) -> None:
    out = tiny(attends)(ids(3, 9), ids(3, 4, 1))
    assert (out.logits.shape, out.embedded.shape) == ((3, 4, 20), (3, 9, 6))
    assert (out.memory.shape, out.states.shape) == ((3, 9, 8), (3, 4, 8))
    if attends:
        assert out.alignment.shape == (3, 4, 9) and (out.alignment >= 0).all()
        torch.testing.assert_close(out.alignment.sum(-1), torch.ones(3, 4), atol=1e-5, rtol=0)
    else:
        assert out.alignment is None


@torch.inference_mode()
def test_the_whole_machine_with_attention_is_its_equations() -> None:
    model, source, target = tiny(True), ids(1, 9), ids(1, 4, 1)
    out = model(source, target)
    h = model.reader(model.embedding(source))[0][0]
    s = torch.tanh(model.bridge.weight @ h[-1] + model.bridge.bias)
    for i in range(4):
        e = torch.tanh(model.attention.query.weight @ s + h @ model.attention.key.weight.T) @ model.attention.energy.weight[0]
        alpha = e.softmax(0)
        c = alpha @ h
        s = model.writer.step(torch.cat([model.embedding(target[0, i]), c])[None], s[None])[0]
        torch.testing.assert_close(out.alignment[0, i], alpha, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(out.states[0, i], s, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(out.logits[0, i], model.output(torch.cat([s, c])), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attends", [False, True])
@torch.inference_mode()
def test_the_past_does_not_depend_on_the_future_and_rows_not_on_each_other(attends: bool) -> None:
    model, source, target = tiny(attends), ids(3, 9), ids(3, 6, 1)
    full = model(source, target)
    torch.testing.assert_close(model(source, target[:, :4]).logits, full.logits[:, :4], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(model(source[:, :5], target).memory, full.memory[:, :5], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(model(source[1:2], target[1:2]).logits, full.logits[1:2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model(None, target, full.memory).logits, full.logits, atol=1e-6, rtol=1e-5)


@torch.inference_mode()
def test_without_attention_the_last_state_is_all_that_is_known() -> None:
    source, target = ids(1, 9), ids(1, 4, 1)
    for attends in (False, True):
        model = tiny(attends)
        memory = model(source, target).memory
        other = memory.clone()
        other[:, :-1] = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(3))
        same = torch.equal(model(None, target, memory).logits, model(None, target, other).logits)
        assert same is not attends


def test_sizes_that_are_none_are_refused_and_configs_survive() -> None:
    for wrong in ({"vocab": 0}, {"d_state": 0}, {"d_embedding": -1}, {"d_energy": 0}):
        with pytest.raises(ValueError):
            RecurrentConfig(**{"vocab": 5, **wrong})
    config = RecurrentConfig(20, 6, 8, True, 5)
    assert RecurrentConfig.from_dict(config.to_dict() | {"name": "a note"}) == config
    with pytest.raises(ValueError, match="memory"):
        tiny(False)(None, ids(1, 2))


def test_where_z_is_near_1_a_step_lets_the_old_state_through() -> None:
    """The page From RNN to attention says so of the factor ∂h_t/∂h_{t−1}: near the identity; with z near 0 it is not."""
    torch.manual_seed(0)
    unit, x, h = GRU(5, 7), torch.randn(1, 5), 0.5 * torch.randn(1, 7)
    near = {}
    for bias in (12.0, -12.0):
        with torch.no_grad():
            unit.bias_ih_l0[7:14] = bias  # of z
        factor = torch.autograd.functional.jacobian(lambda state: unit.step(x, state)[0], h)[:, 0]
        near[bias] = float((factor - torch.eye(7)).abs().max())
    assert near[12.0] < 1e-3 and near[-12.0] > 0.5
