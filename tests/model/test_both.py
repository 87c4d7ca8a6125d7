"""One network for both tasks: nobody can type its control pieces, the tasks take turns, the card says what was measured."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from core.model import corpus, weights
from core.model.both import METHOD, before_the_fall, card, compare, lost, resampled, won
from core.model.course import read_rows
from core.model.examples import Feed, continuations, translations
from core.model.joint import TASKS, Joint, Told, Turns, control, led, led_by, with_controls
from core.model.recipes import Recipe
from core.model.run import read_log
from core.model.transformer import Config, Transformer
from core.model.vocabulary import END, SPECIALS, Vocabulary

torch.set_num_threads(1)
PIECES = weights.SHIPPED / "translator" / "tokenizer.json"
KEPT = weights.SHIPPED / "both"
TEXTS = [f"the {size} {animal} sleeps on the {place}" for size in ("big", "small") for animal in ("cat", "dog", "bird")
         for place in ("sofa", "table", "bed", "floor")]  # fmt: skip
PAIRS = [(text, text.upper()) for text in TEXTS]
RECIPE = Recipe(
    "tiny", "both", "both", "none", steps=20, batch=120, rate=1e-2, warm_up=4,
    shape={"kind": "encoder-decoder", "d_model": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 32,
           "max_tokens": 64},
)  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    path = tmp_path_factory.mktemp("pieces") / "tokenizer.json"
    Vocabulary.train(TEXTS, 320).save(path)
    return with_controls(path)


@pytest.mark.parametrize("text", ["<translate>", " <continue>", "<translate> the cat", "a<continue>b", "<translate>" * 3, "</s>"])
def test_no_typed_text_becomes_a_control_piece(text: str) -> None:
    plain, ours = Vocabulary.load(PIECES), with_controls(PIECES)
    assert len(ours) == len(plain) + len(TASKS)
    assert ours.encode(text) == plain.encode(text) == ours.encode_all([text])[0]
    assert len(SPECIALS) <= min(ours.encode(text)) and max(ours.encode(text)) < len(plain)
    first = {control(ours, task) for task in TASKS}
    assert first == {len(plain), len(plain) + 1}
    for id in first:
        assert ours.decode([id, *ours.encode(text)]) == text  # and no control piece becomes text


def test_it_is_kept_when_the_tokenizer_is_saved(tmp_path: Path) -> None:
    with_controls(PIECES).save(tmp_path / "tokenizer.json")
    again = Vocabulary.load(tmp_path / "tokenizer.json")
    assert control(again, "continue") == control(with_controls(PIECES), "continue")
    assert control(again, "continue") not in again.encode("<continue>")


def test_the_translators_pieces_carry_the_classrooms_text() -> None:
    ours, texts = with_controls(PIECES), corpus.english("held-out")
    assert [ours.decode(ids) for ids in ours.encode_all(texts)] == texts


def feeds(vocabulary: Vocabulary) -> dict[str, Feed]:
    return {
        "translate": Feed(translations(PAIRS, vocabulary, 64), 120, 0),
        "continue": Feed(continuations(TEXTS, vocabulary, 0, 64), 120, 0),
    }


def test_the_tasks_take_turns_each_with_its_own_batches(vocabulary: Vocabulary) -> None:
    both, apart = Turns(feeds(vocabulary)), feeds(vocabulary)
    for _ in range(30):  # some passes of either
        for task in TASKS:
            assert both.next_batch() == apart[task].next_batch()
            assert both.task == task
    assert both.epoch == min(feed.epoch for feed in apart.values()) > 0
    place = both.place()
    wanted = [both.next_batch() for _ in range(5)]
    again = Turns(feeds(vocabulary))
    again.go_to(place)
    assert [again.next_batch() for _ in range(5)] == wanted


def joint_in(folder: Path, vocabulary: Vocabulary, recipe: Recipe = RECIPE) -> Joint:
    data = {}
    for task, feed in feeds(vocabulary).items():
        first = control(vocabulary, task)
        data[task] = led(feed.examples, first), led_by(first, feed.examples(99))
    return Joint(recipe, vocabulary, data, {"translate": 0.1, "continue": 0.0}, folder)


def state(run: Joint) -> list[torch.Tensor]:
    optimizer = [value for now in run.model.parameters() for value in run.optimizer.state[now].values()]
    return [*run.model.state_dict().values(), *run.mean.state_dict().values(), *optimizer, torch.get_rng_state()]


def test_resumed_equals_straight_bit_for_bit(tmp_path: Path, vocabulary: Vocabulary) -> None:
    straight = joint_in(tmp_path / "straight", vocabulary)
    straight.train(report=5)
    wanted = [tensor.clone() for tensor in state(straight)]

    half = joint_in(tmp_path / "half", vocabulary)
    losses = [half.train_step() for _ in range(9)]  # an odd number: it is the second task's turn
    half.save()
    half.train_step()
    again = joint_in(tmp_path / "half", vocabulary)
    torch.randn(7)
    again.resume()
    assert (again.step, again.feed.task) == (9, "translate")
    again.train(report=5)
    assert losses[0] > losses[-1]
    for ours, other in zip(state(again), wanted, strict=True):
        assert torch.equal(ours, other)
    log = read_log(tmp_path / "straight" / "training.csv")
    assert {"held_out_loss_translate", "held_out_loss_continue"} < log[-1].keys()
    assert read_log(tmp_path / "half" / "training.csv")[-1] | {"seconds": ""} == log[-1] | {"seconds": ""} | {
        "loss": read_log(tmp_path / "half" / "training.csv")[-1]["loss"]
    }


def test_each_task_keeps_its_smoothing_and_its_own_control_piece(tmp_path: Path, vocabulary: Vocabulary) -> None:
    run = joint_in(tmp_path, vocabulary)
    for smoothing, task in ((0.1, "translate"), (0.0, "continue")) * 3:
        batch = run.feed.next_batch()
        assert run.smoothing() == smoothing
        assert {source[0] for source, _ in batch} == {control(vocabulary, task)}
        assert all(max(source[1:]) < len(vocabulary) - len(TASKS) for source, _ in batch)


def test_it_is_told_what_to_do(vocabulary: Vocabulary) -> None:
    torch.manual_seed(0)
    model = Transformer(Config(vocab=len(vocabulary), **RECIPE.shape)).eval()
    about = {"source_end": True}
    told = {task: Told(model, vocabulary, about, control(vocabulary, task)) for task in TASKS}
    for task, shipped in told.items():
        assert shipped.source("the cat") == [control(vocabulary, task), *vocabulary.encode("the cat"), END]
    logits = [shipped.next_logits(shipped.source("the cat"), [1]) for shipped in told.values()]
    assert not torch.equal(*logits)


def test_other_sentences_are_not_compared(vocabulary: Vocabulary) -> None:
    torch.manual_seed(0)
    model = Transformer(Config(vocab=len(vocabulary), **RECIPE.shape)).eval()
    one = Told(model, vocabulary, {"source_end": True}, control(vocabulary, "continue"))
    ours = continuations(TEXTS, vocabulary, 0, 64, plain=True)(0)
    (same,) = compare("continue", one, one, ours, ours, times=20)
    assert same["alone"] == same["together"] and same["low"] == same["high"] == 0
    words = sum(len(vocabulary.decode(target).split(" ")) + 1 for _, target in ours)
    assert same["alone"] == pytest.approx(sum(one.losses(ours)) / words)
    with pytest.raises(ValueError, match="same sentences"):
        compare("continue", one, one, ours, ours[::-1], times=20)


def test_an_interval_holds_what_it_should() -> None:
    values = np.random.default_rng(1).normal(3.0, 1.0, 400)
    low, high = resampled(lambda at: float(values[at].mean()), len(values), 500)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)


def test_lost_and_won_look_at_the_right_side() -> None:
    nats = {"measure": "nats a word"}
    score = {"measure": "WordNet: chrF"}
    for low, high, worse in ((0.1, 0.2, True), (-0.2, -0.1, False)):
        ends = {"low": str(low), "high": str(high)}
        assert lost(nats | ends) == won(score | ends) == worse
        assert won(nats | ends) == lost(score | ends) == (not worse)
    assert not any(judge(row | {"low": "-1", "high": "1"}) for judge in (lost, won) for row in (nats, score))


def test_only_steps_before_the_rate_falls_are_compared_on_the_way() -> None:
    rates = ("1e-03", "2e-03", "2e-03", "1e-03", "2e-03")  # the last: a further leg, with a rate of its own
    rows = [{"run": "a", "task": "b", "step": str(n), "rate": rate, "nats a word": "1.5"} for n, rate in enumerate(rates)]
    assert before_the_fall(rows, "a", "b") == {0: 1.5, 1: 1.5, 2: 1.5}
    assert before_the_fall(rows, "a", "c") == {}


def test_the_card_says_what_the_tables_beside_it_say() -> None:
    results, curves = (read_rows(KEPT / name) for name in ("results.csv", "curves.csv"))
    text = (KEPT / "CARD.md").read_text("utf-8")
    assert text == card(results, curves)
    assert METHOD in text and len(results) >= 6
    told = re.findall(r"\| (\S+) \| (\S+) \| (\S+) \((\S+) … (\S+)\) \| (lost|won|no difference seen) \|", text)
    assert len(told) == len(results)
    for row, (one, two, gain, low, high, word) in zip(results, told, strict=True):
        assert float(one) == pytest.approx(float(row["alone"]), abs=6e-4)
        assert float(two) == pytest.approx(float(row["together"]), abs=6e-4)
        assert float(gain) == pytest.approx(float(row["together"]) - float(row["alone"]), abs=6e-4)
        assert float(low) <= float(gain) <= float(high)
        better = float(gain) < 0 if row["measure"] == "nats a word" else float(gain) > 0
        assert word == ("no difference seen" if float(low) <= 0 <= float(high) else "won" if better else "lost")


def test_the_last_of_each_curve_is_what_was_compared() -> None:
    """The log measured the averaged weights in training; the table measured them again as they were kept, in half precision."""
    results, curves = (read_rows(KEPT / name) for name in ("results.csv", "curves.csv"))
    trial = ("size", "steps", "seed", "precision", "task")
    last = {(row["run"], *(row[key] for key in trial)): float(row["nats a word"]) for row in curves}
    joint = {"as many steps of each task": "both", "as many steps in all": "both-half"}
    alone = {"translate": "translator", "continue": "classroom"}
    for row in results:
        if row["measure"] == "nats a word":
            where = tuple(row[key] for key in trial)
            assert float(row["alone"]) == pytest.approx(last[alone[row["task"]], *where], rel=0.02)
            assert float(row["together"]) == pytest.approx(last[joint[row["budget"]], *where], rel=0.02)
    assert not [path for path in KEPT.iterdir() if path.suffix == ".safetensors"]  # a trial ships no weights
