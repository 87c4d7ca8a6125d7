"""The induction twins: sequences and scores are what they say, snapshots load, one twin writes and the other cannot."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core import paths
from core.model import weights
from core.model.memory import NEAR
from core.model.multihead import rotate
from core.model.transformer import Config, Transformer
from core.model.vocabulary import START
from core.training import induction
from core.training.induction import (
    ALPHABET,
    LENGTHS,
    PLAN,
    TWINS,
    Filming,
    beginning,
    export,
    forced_accuracy,
    generation_accuracy,
    losses,
    moments,
    numbers,
    scores,
    sequences,
    snapshots,
    symbols,
    unseen,
    vocabulary,
)

torch.set_num_threads(1)
SMALL = {"d_model": 16, "heads": 2}


def test_sequences_come_again_and_are_seeded() -> None:
    ids = sequences(50, 12, np.random.default_rng(0))
    assert ids.shape == (50, 25) and (ids[:, 0] == START).all()
    assert torch.equal(ids[:, 1:13], ids[:, 13:])
    assert all(len({*row[1:13].tolist()}) == 12 for row in ids)
    text = vocabulary().decode(ids[0, 1:].tolist())
    assert len(text) == 24 and set(text) <= set(ALPHABET) and len(symbols()) == len(ALPHABET) == 64
    assert torch.equal(ids, sequences(50, 12, np.random.default_rng(0)))


def test_nothing_measured_was_trained_on() -> None:
    trained: set[bytes] = set()
    for step in range(PLAN.steps):
        rng = np.random.default_rng([PLAN.seed, step])
        length = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
        if length >= 8:
            trained |= {row[1:9].numpy().tobytes() for row in sequences(PLAN.rows, length, rng)}
    assert not trained & {row[1:9].numpy().tobytes() for row in unseen()}  # not even the beginnings


def test_scores_are_sums_over_the_attention_one_by_one() -> None:
    torch.manual_seed(0)
    model = Transformer(Config.from_dict({**induction.SHAPE, **SMALL})).eval()
    ids = unseen(5, 3)
    found = scores(model, ids)
    watch = induction.Watch()
    model.requires_grad_(False)
    model(None, ids, probe=watch)
    for layer in range(2):
        for head in range(2):
            after, before = [], []
            for row in range(3):
                tokens = ids[row].tolist()
                for q in range(6, 11):
                    previous = tokens[:q].index(tokens[q])  # where it stood before
                    after.append(float(watch.weights[layer][row, head, q, previous + 1]))
                    before.append(float(watch.weights[layer][row, head, q, q - 1]))
            assert found.induction[layer, head] == pytest.approx(np.mean(after), abs=1e-6)
            assert found.previous[layer, head] == pytest.approx(np.mean(before), abs=1e-6)
    logits = model(None, ids).logits
    wanted = F.cross_entropy(logits[:, 6:-1].flatten(0, 1), ids[:, 7:].flatten())
    assert found.loss == pytest.approx(float(wanted), abs=1e-5)


def test_generation_is_compared_with_what_was_repeated() -> None:
    class Oracle(torch.nn.Module):
        """Says what followed the last token at its first occurrence."""

        def forward(self, source: None, ids: torch.Tensor) -> object:
            logits = torch.zeros(*ids.shape, 300)
            for row, tokens in enumerate(ids.tolist()):
                for place, token in enumerate(tokens):
                    at = tokens.index(token)
                    if at < place:
                        logits[row, place, tokens[at + 1]] = 9.0
            return type("Output", (), {"logits": logits})

    assert generation_accuracy(Oracle(), unseen(6, 4)) == forced_accuracy(Oracle(), unseen(6, 4)) == 1.0
    silent = Oracle()
    silent.forward = lambda source, ids: type("Output", (), {"logits": torch.zeros(*ids.shape, 300)})  # type: ignore
    assert generation_accuracy(silent, unseen(6, 4)) == forced_accuracy(silent, unseen(6, 4)) == 0.0


def test_moments_are_spaced_by_a_factor() -> None:
    kept = moments(2000, 40)
    assert kept[:4] == (0, 1, 2, 3) and kept[-1] == 2000 and 30 <= len(kept) <= 40
    assert max(b / a for a, b in pairwise(kept[5:])) < 1.5


@torch.inference_mode()
def test_the_first_layer_begins_with_a_liking_for_what_is_near() -> None:
    model = beginning(Config.from_dict(induction.SHAPE), 0)
    own = model.decoder[0].own
    sides = (own.split(side.bias.expand(1, 6, -1)) for side in (own.query, own.key))
    query, key = (rotate(side, 0)[0] for side in sides)
    heights = query[:, -1:] @ key.mT / query.shape[-1] ** 0.5  # [head, 1, key]: the last token's scores, from biases alone
    assert heights[:, 0, -1].tolist() == pytest.approx(NEAR, rel=1e-4)
    assert (heights[:, 0, -1] > heights[:, 0, -2]).all() and (heights[:, 0, -2] > heights[:, 0, -3]).all()
    assert scores(model.eval()).induction.max() < 0.1


@pytest.mark.parametrize("causal", [True, False])
def test_resumed_equals_straight_and_every_moment_is_kept(causal: bool, tmp_path: Path) -> None:
    plan = replace(PLAN, steps=12, warm_up=2, rows=4)
    straight, half = (Filming(plan, tmp_path / name, causal, SMALL) for name in ("straight", "half"))
    straight.train(dict, every=4)
    for _ in range(6):
        half.train_step()
    half.save()
    half.train_step()
    again = Filming(plan, tmp_path / "half", causal, SMALL)
    again.resume()
    again.train(dict, every=4)
    for (step, ours), (_, other) in zip(straight.kept(), again.kept(), strict=True):
        assert all(torch.equal(ours[name], other[name]) for name in ours), step
    export("induction" if causal else "induction-peek", again, tmp_path / "shipped")
    shipped = snapshots("", tmp_path / "shipped")
    assert shipped.steps == again.moments
    first, last = shipped.model(0), shipped.model(12)
    assert not torch.equal(first.embedding.weight, last.embedding.weight)
    assert torch.equal(last.embedding.weight, again.model.embedding.weight.half().float())
    with pytest.raises(KeyError):
        shipped.model(7777)


def test_who_may_peek_sees_the_answer() -> None:
    torch.manual_seed(0)
    ids = unseen(6, 2)
    other = ids.clone()
    other[:, -1] = 77
    for causal in (True, False):
        model = Transformer(Config.from_dict({**induction.SHAPE, **SMALL, "causal": causal})).eval()
        same = torch.allclose(losses(model, ids)[:, :-1], losses(model, other)[:, :-1], atol=1e-6)
        assert same is causal


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.assets
@pytest.mark.parametrize("name", TWINS)
def test_snapshots_load_and_score_as_stored(name: str) -> None:
    film = snapshots(name)
    assert len(film.steps) >= 30 and film.steps[0] == 0
    assert (film.folder / "snapshots.safetensors").stat().st_size < 10e6
    for step in film.steps[:: len(film.steps) // 5]:
        measured, found = film.measured[film.steps.index(step)], scores(film.model(step))
        assert measured["loss"] == pytest.approx(found.loss, abs=2e-3)
        for (layer, head), value in np.ndenumerate(found.induction):
            assert measured[f"induction {layer}.{head}"] == pytest.approx(value, abs=2e-3)
    model, vocabulary, _ = weights.load(film.folder)
    assert torch.equal(model.embedding.weight, film.model(film.steps[-1]).embedding.weight)
    for text in ("gen ai is", "ção 🦜 \t\n", "", "<s></s>"):
        assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.assets
def test_the_head_forms_and_the_loss_bends() -> None:
    film = snapshots("induction")
    layer, head = film.best()
    curve = [row[f"induction {layer}.{head}"] for row in film.measured]
    below = max(n for n, value in enumerate(curve) if value <= 0.8)
    assert layer == 1 and curve[0] < 0.1 and below < len(curve) - 1 and min(curve[below + 1 :]) > 0.8
    loss = [row["loss"] for row in film.measured]
    assert loss[0] > 5 and loss[-1] < 0.1


@pytest.mark.assets
def test_one_twin_writes_and_the_other_only_peeks() -> None:
    honest, peeking = (numbers(paths.WEIGHTS / name) for name in ("induction", "induction-peek"))
    assert peeking["loss of the repeated half"] < 0.05 and peeking["loss of the first half"] < 0.05
    assert honest["loss of the first half"] > 4  # nothing can be known there
    assert peeking["right when all is given at once"] > 0.99
    assert honest["right when it writes freely"] > 0.9 and peeking["right when it writes freely"] < 0.2
