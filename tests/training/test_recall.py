"""The memory test: exercises are what they say, training can be taken up again, what ships does what its table says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core import paths
from core.errors import InputError
from core.evaluation.report import numbers_in
from core.model.exercises import (
    ASK,
    FILLER,
    IGNORED,
    KEYS,
    PLACE,
    SYMBOLS,
    TASK,
    TASKS,
    VALUES,
    Task,
    contents,
    copying,
    held_out,
    make,
)
from core.model.memory import SHAPES, Machine, build, load_machine, results, shape_of
from core.model.recurrent import parameters
from core.training.course import Plan
from core.training.recall import course, measure

torch.set_num_threads(1)
SMALL = Task(3, 8)


def words(ids: torch.Tensor) -> str:
    return "".join("_" if i == IGNORED else SYMBOLS[i] for i in ids.tolist())


def words_of(rows: torch.Tensor) -> list[str]:
    return [words(row) for row in rows]


@pytest.mark.parametrize("delay", [0, 1, 7])
def test_a_recall_exercise_asks_for_each_key_and_wants_its_value(delay: int) -> None:
    for source, given, wanted in zip(*make(TASK, 200, delay, np.random.default_rng(3)), strict=True):
        text, n = words(source), TASK.pairs
        pairs = dict(zip(text[: 2 * n : 2], text[1 : 2 * n : 2], strict=True))
        assert len(pairs) == n and set(pairs) <= set(KEYS) and set(pairs.values()) <= set(VALUES)
        after = text[2 * n :]
        assert len(after) == delay and after.endswith(FILLER * (delay % 2))
        others, said = after[0 : delay - delay % 2 : 2], after[1 : delay - delay % 2 : 2]
        assert set(others) <= set(KEYS) - set(pairs) and len(set(others)) == delay // 2 and set(said) <= set(VALUES)
        asked = words(given)
        assert set(asked[0::2]) == set(pairs) and set(asked[1::2]) == {ASK}
        assert words(wanted) == "".join(f"_{pairs[key]}" for key in asked[0::2])


def test_what_is_measured_was_never_trained_on() -> None:
    task = TASK
    train = contents(task.pairs, 5000, np.random.default_rng(0), unseen=False)
    unseen = contents(task.pairs, 5000, np.random.default_rng(0), unseen=True)
    assert not held_out(train).any() and held_out(unseen).all()
    assert not {*map(tuple, train.tolist())} & {*map(tuple, unseen.tolist())}
    for exercises, part in ((make(task, 50, 3, np.random.default_rng(1)), False),
                            (make(task, 50, 9, np.random.default_rng(1), unseen=True), True)):  # fmt: skip
        content = exercises[0].numpy()
        content = content[:, : content.shape[1] // 2 * 2]  # without the filler of an odd delay
        assert (held_out(content) == part).all()
    everything = np.random.default_rng(5).integers(2, 28, size=(20_000, task.width))
    assert 0.11 < held_out(everything).mean() < 0.14  # about one in eight
    for place in range(task.width):  # no symbol is missing from either part, in any place
        assert len({*unseen[:, place]}) == len({*train[:, place]}) == (10 if place % 2 else 16)


def test_each_key_may_be_asked_twice() -> None:
    source, given, wanted = make(SMALL, 50, 2, np.random.default_rng(0), times=2)
    for row, asked, said in zip(source, words_of(given), words_of(wanted), strict=True):
        pairs = dict(zip(words(row[0:6:2]), words(row[1:6:2]), strict=True))
        assert sorted(asked[0::2]) == sorted(2 * "".join(pairs)) and said[1::2] == "".join(pairs[key] for key in asked[0::2])


def test_training_asks_every_pair_and_begins_with_few_letters() -> None:
    source, given, wanted = make(Task(4), 50, 0, np.random.default_rng(0), letters=5)
    for row, asked, said in zip(words_of(source), words_of(given), words_of(wanted), strict=True):
        pairs = dict(zip(row[0::2], row[1::2], strict=True))
        assert set(pairs) <= set(KEYS[:5]) and set(asked[0::2]) == set(pairs)
        assert said[1::2] == "".join(pairs[key] for key in asked[0::2])


def test_the_same_seed_makes_the_same_exercises() -> None:
    first, again, other = (make(SMALL, 20, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_the_machines_are_of_like_size() -> None:
    sizes = [parameters(build(kind, shape)) for kind, shape in SHAPES.items()]
    assert max(sizes) <= 1.1 * min(sizes)


@pytest.mark.parametrize("kind", SHAPES)
def test_resumed_equals_straight_bit_for_bit(kind: str, tmp_path: Path) -> None:
    plan = Plan(steps=12, warm_up=2, rows=8)
    straight, half = (course(kind, SMALL, plan, tmp_path / name) for name in ("straight", "half"))
    straight.train(dict, every=4)
    losses = [half.train_step() for _ in range(6)]
    half.save()
    half.train_step()  # what came after the checkpoint is lost, as in a real fall
    again = course(kind, SMALL, plan, tmp_path / "half")
    torch.randn(7)
    again.resume()
    assert again.step == 6 and len(losses) == 6
    again.train(dict, every=4)
    for ours, other in zip(straight.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(ours, other)
    assert straight.rows[-1]["loss"] == again.rows[-1]["loss"]
    with pytest.raises(ValueError, match="another plan"):
        course(kind, SMALL, replace(plan, rate=1.0), tmp_path / "half").resume()
    with pytest.raises(FileNotFoundError):
        course(kind, SMALL, plan, tmp_path / "none").resume()


def test_all_machines_see_the_same_exercises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from core.training import recall

    seen: dict[str, list[bytes]] = {kind: [] for kind in SHAPES}
    for kind in SHAPES:

        def watched(*arguments: object, kind: str = kind, **options: int) -> object:
            batch = make(*arguments, **options)  # type: ignore[arg-type]
            seen[kind].append(b"".join(part.numpy().tobytes() for part in batch))
            return batch

        monkeypatch.setattr(recall, "make", watched)
        run = course(kind, SMALL, Plan(steps=5, rows=4), tmp_path)
        for _ in range(5):
            run.train_step()
    assert seen["gru"] == seen["attention"] == seen["transformer"] and len({*seen["gru"]}) == 5


@pytest.mark.parametrize("kind", SHAPES)
def test_what_a_machine_shows(kind: str) -> None:
    torch.manual_seed(0)
    machine = Machine(kind, SMALL, build(kind, SHAPES[kind]))
    source, target = machine.encode("a1 b2 c3 ····"), machine.encode("b → a →")
    assert machine.decode(source) == "a1b2c3····"
    seen = machine.look(source, target)
    np.testing.assert_allclose(seen.chances.sum(-1), 1, atol=1e-5)
    assert seen.chances.shape == (4, len(SYMBOLS)) and not seen.chances.flags.writeable
    assert (len(seen.reader), len(seen.writer)) == (10, 4)
    if kind == "gru":
        assert seen.alignment is None
    else:
        assert seen.alignment.shape == (4, 10)
        np.testing.assert_allclose(seen.alignment.sum(-1), 1, atol=1e-5)
    if kind == "transformer":
        assert [m.shape for m in (*seen.own, *seen.decoder, *seen.cross)] == [(4, 10, 10), (4, 4, 4), (4, 4, 10)]
        np.testing.assert_allclose(seen.cross[-1].mean(0), seen.alignment, atol=1e-6)
        assert np.triu(seen.decoder[0][0], 1).max() == 0
    with pytest.raises(InputError, match="ü"):
        machine.encode("ü3")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", SHAPES)
def test_gradients_are_finite_differences(kind: str, task: str) -> None:
    torch.manual_seed(0)
    machine = Machine(kind, SMALL, build(kind, shape_of(kind, TASKS[task])).double())
    source, target = machine.encode("a1 b2 c3 ··"), machine.encode("b →")
    answer, ids = PLACE["2"], torch.tensor([source])
    found = machine.gradient(source, target, at=1, answer=answer)
    vectors = machine.model.embedding(ids)

    def logp(x: torch.Tensor) -> float:
        return float(machine.from_vectors(x, torch.tensor([target]))[0, 1].log_softmax(-1)[answer])

    wanted = torch.log_softmax(machine.run(ids, torch.tensor([target])).logits[0, 1], -1)[answer]
    assert logp(vectors) == pytest.approx(float(wanted), abs=1e-9)
    for place in (0, 3, 7):
        slopes = []
        for n in range(vectors.shape[-1]):
            by = torch.zeros_like(vectors)
            by[0, place, n] = 1e-5
            slopes.append((logp(vectors + by) - logp(vectors - by)) / 2e-5)
        assert found[place] == pytest.approx(float(np.linalg.norm(slopes)), rel=1e-3, abs=1e-6)


# --- what ships -----------------------------------------------------------------------------------------------------


@pytest.mark.assets
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("kind", SHAPES)
def test_shipped_machines_reproduce_their_table(kind: str, task: Task) -> None:
    folder = paths.WEIGHTS / f"{task.name}-{kind}"
    stated = {row["delay"]: row["accuracy"] for row in results(task=task.name) if row["machine"] == kind}
    assert tuple(stated) == task.delays
    for at, value in measure(folder, (task.delays[0], task.longest)).items():
        assert stated[at] == pytest.approx(value, abs=0.01), at
    told = numbers_in((folder / "CARD.md").read_text("utf-8"))
    assert told == {f"accuracy after a delay of {at}": pytest.approx(value, abs=6e-4) for at, value in stated.items()}
    assert not (folder / "config.json").exists()  # no lens: it must not be listed among the models


@pytest.mark.assets
@pytest.mark.parametrize("task", TASKS)
def test_attention_remembers_and_the_plain_network_does_not(task: str) -> None:
    table = {(row["machine"], row["delay"]): row["accuracy"] for row in results(task=task)}
    for kind in ("attention", "transformer"):
        assert table[kind, TASK.longest] >= 0.95
    assert table["gru", TASK.longest] < 0.6


@pytest.mark.assets
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", SHAPES)
def test_shipped_machines_were_trained_alike(kind: str, task: str) -> None:
    files = [paths.WEIGHTS / f"{task}-{k}" / "machine.json" for k in (kind, "gru")]
    about, first = (json.loads(file.read_text("utf-8")) for file in files)
    assert about["plan"] == first["plan"] and about["task"] == first["task"]
    assert about["symbols"] == "".join(SYMBOLS) and about["shape"] == shape_of(kind, TASKS[task])
    assert about["parameters"] == parameters(load_machine(kind, task=task).model)
    assert 1 / 1.1 <= about["parameters"] / first["parameters"] <= 1.1


def test_copying_wants_each_symbol_after_the_ones_before_it() -> None:
    source, given, wanted = copying(300, 9, np.random.default_rng(0))
    for read, told, said in zip(words_of(source), words_of(given), words_of(wanted), strict=True):
        assert said == read and told == ASK + read[:-1] and set(read) <= set(KEYS + VALUES)
    unseen, _, _ = copying(300, 9, np.random.default_rng(0), unseen=True)
    assert held_out(unseen.numpy()).all() and not held_out(source.numpy()).any()


@pytest.mark.parametrize("kind", SHAPES)
def test_a_copier_learns(kind: str, tmp_path: Path) -> None:
    run = course(kind, Task(0, 3, "copy"), Plan(steps=40, warm_up=4, rows=32), tmp_path)
    losses = [run.train_step() for _ in range(40)]
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])


def test_the_alignment_points_at_the_value() -> None:
    machine = load_machine("attention")
    source, target = machine.encode("a3 b7 c1 d9 e5 f0 g2 h8 k4 m6"), machine.encode("b → d →")
    seen = machine.look(source, target)
    assert [SYMBOLS[i] for i in seen.chances.argmax(-1)[1::2]] == ["7", "9"]
    assert [int(seen.alignment[row].argmax()) in places for row, places in ((1, (2, 3)), (3, (6, 7)))] == [True, True]
