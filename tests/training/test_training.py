"""Training on a handful of sentences: it learns, it can be taken up again, and it leaves no pickle."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.errors import DeviceError
from core.model import weights
from core.model.transformer import Config, Transformer
from core.model.vocabulary import END, MASK, PAD, SPECIALS, START, Vocabulary
from core.training.examples import batches, collate, continuations, fillings, split, translations, vary, writings
from core.training.recipes import RECIPES, TrainingRecipe
from core.training.run import Run, device_of, loss_of, moments, read_log

torch.set_num_threads(1)
TEXTS = [f"the {size} {animal} sleeps on the {place}" for size in ("big", "small") for animal in ("cat", "dog", "bird")
         for place in ("sofa", "table", "bed", "floor")]  # fmt: skip
RECIPE = TrainingRecipe(
    "tiny", "continues", "continue", "none", steps=20, batch=120, rate=1e-2, warm_up=4,
    shape={"kind": "encoder-decoder", "d_model": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "d_ff": 32,
           "max_tokens": 32},
)  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.train(TEXTS, 320)


def run_in(folder: Path, vocabulary: Vocabulary, recipe: TrainingRecipe = RECIPE) -> Run:
    examples = continuations(TEXTS, vocabulary, recipe.seed, 32)
    return Run(recipe, vocabulary, examples, examples(99), folder)


def state(run: Run) -> list[torch.Tensor]:
    optimizer = [value for now in run.model.parameters() for value in run.optimizer.state[now].values()]
    return [*run.model.state_dict().values(), *run.mean.state_dict().values(), *optimizer, torch.get_rng_state()]


def test_resumed_equals_straight_bit_for_bit(tmp_path: Path, vocabulary: Vocabulary) -> None:
    straight = run_in(tmp_path / "straight", vocabulary)
    straight.train(report=5)
    wanted = [tensor.clone() for tensor in state(straight)]

    half = run_in(tmp_path / "half", vocabulary, replace(RECIPE, steps=20))
    losses = [half.train_step() for _ in range(10)]
    half.save()
    half.train_step()  # what came after the checkpoint is lost, as in a real fall
    again = run_in(tmp_path / "half", vocabulary)
    torch.randn(7)  # whatever happened to the generator meanwhile
    again.resume()
    assert (again.step, again.feed.epoch > 0) == (10, True)
    again.train(report=5)

    assert losses[0] > losses[-1]
    for ours, other in zip(state(again), wanted, strict=True):
        assert torch.equal(ours, other)
    log = read_log(tmp_path / "straight" / "training.csv")
    assert [row["step"] for row in log] == ["5", "10", "15", "20"]
    assert read_log(tmp_path / "half" / "training.csv")[-1]["held_out_loss"] == log[-1]["held_out_loss"]


def test_a_run_stays_on_its_device(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """The device without numbers stands in for a GPU: a tensor that is left behind on the CPU cannot meet those on it."""
    away = torch.device("meta")
    examples = continuations(TEXTS, vocabulary, RECIPE.seed, 32)
    run = Run(RECIPE, vocabulary, examples, examples(99), tmp_path, device=away)
    assert {tensor.device for tensor in (*run.model.parameters(), *run.mean.parameters())} == {away}
    source, given, wanted = run._collated(examples(0)[:3])
    allowed = torch.ones(source.shape, dtype=torch.bool, device=away)
    loss = torch.nn.functional.cross_entropy(run.model(source, given, allowed).logits.flatten(0, 1), wanted.flatten())
    loss.backward()
    run.optimizer.step()
    assert loss.device == away
    assert device_of("cpu") == torch.device("cpu") and device_of("auto").type in ("cpu", "cuda")
    for wrong in ("quantum", "cuda:77"):
        with pytest.raises(DeviceError, match="--device auto"):
            device_of(wrong)


def test_it_learns_and_what_ships_can_be_loaded(tmp_path: Path, vocabulary: Vocabulary) -> None:
    run = run_in(tmp_path / "run", vocabulary, replace(RECIPE, steps=60))
    before = run.held_out_loss()
    run.train(report=20)
    after = run.held_out_loss()
    assert after < 0.75 * before
    run.export(tmp_path / "shipped")
    model, read, about = weights.load(tmp_path / "shipped")
    assert about["family"] == "lookback" and about["source_end"] is True and about["vocab"] == len(read)
    run.mean = model
    assert run.held_out_loss() == pytest.approx(after, abs=2e-3)  # half precision
    assert {path.name for path in (tmp_path / "shipped").iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "training.csv",
    }  # fmt: skip
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".pkl", ".new")]


def test_shipped_weights_are_trained_further_as_one_run(tmp_path: Path, vocabulary: Vocabulary) -> None:
    first = run_in(tmp_path / "first", vocabulary)
    first.train(report=10)
    first.export(tmp_path / "shipped")
    second = run_in(tmp_path / "second", vocabulary, replace(RECIPE, steps=60))
    second.go_on(tmp_path / "shipped")
    assert second.held_out_loss() == pytest.approx(first.held_out_loss(), abs=2e-3)  # half precision
    assert second.feed.epoch > first.feed.epoch  # sentences are cut elsewhere than before
    second.train(report=30)
    assert second.held_out_loss() < first.held_out_loss()
    second.save()
    again = run_in(tmp_path / "second", vocabulary, replace(RECIPE, steps=60))
    again.resume()
    again.export(tmp_path / "shipped")
    _, _, about = weights.load(tmp_path / "shipped")
    assert [leg["steps"] for leg in about["legs"]] == [20, 60]
    assert about["steps"] == 80 and about["tokens"] == first.tokens + second.tokens
    log = read_log(tmp_path / "shipped" / "training.csv")
    assert [row["step"] for row in log] == ["10", "20", "50", "80"]
    assert [int(row["tokens"]) for row in log] == sorted(int(row["tokens"]) for row in log)

    wide = replace(RECIPE, shape={**RECIPE.shape, "d_ff": 64})
    with pytest.raises(ValueError, match="shape"):
        run_in(tmp_path / "third", vocabulary, wide).go_on(tmp_path / "shipped")


def test_another_recipe_cannot_be_resumed(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(FileNotFoundError):
        run_in(tmp_path, vocabulary).resume()
    run = run_in(tmp_path, vocabulary)
    run.train_step()
    run.save()
    run_in(tmp_path, vocabulary, replace(RECIPE, steps=40)).resume()  # more of the same is no other recipe
    with pytest.raises(ValueError, match="rate"):
        run_in(tmp_path, vocabulary, replace(RECIPE, rate=1.0)).resume()


def test_the_rate_rises_stays_and_falls(tmp_path: Path, vocabulary: Vocabulary) -> None:
    run = run_in(tmp_path, vocabulary, replace(RECIPE, steps=100, warm_up=10, decay=0.2))
    rates = []
    for run.step in range(100):
        rates.append(run.rate() / RECIPE.rate)
    assert rates[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert rates[10:80] == [1.0] * 70
    assert rates[80:] == pytest.approx([n / 20 for n in range(20, 0, -1)])


def test_batches_hold_every_example_once_within_the_budget(vocabulary: Vocabulary) -> None:
    examples = continuations(TEXTS * 40, vocabulary, 0, 32)(0)
    groups = batches(examples, 200, np.random.default_rng(0), pool=300)
    assert sorted(i for group in groups for i in group) == list(range(len(examples)))
    sizes, padding = 0, 0
    for group in groups:
        source, given, _ = collate([examples[i] for i in group], True)
        assert source.numel() + given.numel() <= 200
        sizes += source.numel() + given.numel()
        padding += int((source == PAD).sum() + (given == PAD).sum())
    assert padding < 0.25 * sizes


def test_a_sentence_is_cut_at_a_word_and_each_epoch_elsewhere(vocabulary: Vocabulary) -> None:
    rng = np.random.default_rng(0)
    text = "gen ai is interesting domain"
    cuts = {split(text, rng) for _ in range(300)}
    assert len(cuts) == 5 and all(f"{first} {rest}".strip() == text for first, rest in cuts)
    epoch = continuations(TEXTS, vocabulary, 0, 32)
    assert epoch(0) == epoch(0) != epoch(1)
    assert all(rest for _, rest in continuations(TEXTS, vocabulary, 0, 32, plain=True)(0))
    whole = [vocabulary.decode(first + rest).lower().rstrip(".") for first, rest in epoch(0)]
    assert whole == TEXTS
    assert {vary("a b", rng) for _ in range(100)} == {"a b", "A b", "a b.", "A b."}


def test_source_and_target_are_shifted_and_padded(vocabulary: Vocabulary) -> None:
    source, given, wanted = collate([([7, 8], [9]), ([7], [5, 6])], source_end=True)
    assert source.tolist() == [[7, 8, END], [7, END, PAD]]
    assert given.tolist() == [[START, 9, PAD], [START, 5, 6]]
    assert wanted.tolist() == [[9, END, PAD], [5, 6, END]]
    assert collate([([7], [5])], source_end=False)[0].tolist() == [[7]]


def test_what_does_not_fit_is_left_out(vocabulary: Vocabulary) -> None:
    pairs = [("the cat", "o gato"), ("the " * 40, "o gato"), ("the cat", "o " * 40), ("", "nada")]
    assert len(translations(pairs, vocabulary, 32)(0)) == 1


def test_every_recipe_makes_a_config() -> None:
    from core.model.transformer import Config

    for name, recipe in RECIPES.items():
        assert recipe.name == name
        Config(vocab=recipe.tokens, **recipe.shape)


def test_a_text_said_twice_has_another_between(vocabulary: Vocabulary) -> None:
    epoch = writings(TEXTS, vocabulary, 0, 64, again=0.5)
    lines = [vocabulary.decode(ids) for _, ids in epoch(0)]
    plain = {" ".join(line.lower().rstrip(".").split()) for line in TEXTS}
    twice = [line.lower().replace(".", "").split() for line in lines if len(line.split()) > 8]
    assert 0.2 * len(TEXTS) < len(twice) < 0.8 * len(TEXTS) and len(lines) == len(TEXTS)
    for words in twice:
        first, other, last = words[:7], words[7:-7], words[-7:]
        assert first == last and " ".join(first) in plain and " ".join(other) in plain
    assert epoch(0) == epoch(0) != epoch(1) and all(source == [] for source, _ in epoch(0))


def test_what_is_masked_is_asked_for_and_nothing_else(vocabulary: Vocabulary) -> None:
    epoch = fillings(TEXTS, vocabulary, 0, 64, hidden=0.2)
    asked = kept = masked = 0
    for shown, wanted in epoch(0):
        assert len(shown) == len(wanted) and any(wanted)
        for seen, right in zip(shown, wanted, strict=True):
            assert right != PAD or seen >= len(SPECIALS)
            asked += right != PAD
            masked += seen == MASK
            kept += right != PAD and seen == right
    assert 0.6 < masked / asked < 0.95 and 0 < kept / asked < 0.3
    assert epoch(0) == epoch(0) != epoch(1)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_stack_alone_learns_too(kind: str, tmp_path: Path, vocabulary: Vocabulary) -> None:
    recipe = replace(
        RECIPE, task="write" if kind == "decoder" else "fill", steps=60, snapshots=3, shape={**RECIPE.shape, "kind": kind},
        source_end=kind == "encoder",
    )  # fmt: skip
    make = writings if kind == "decoder" else fillings
    examples = make(TEXTS, vocabulary, 0, 32, 0.2)
    run = Run(recipe, vocabulary, examples, examples(99), tmp_path / "run")
    before = run.held_out_loss()
    run.train(report=30)
    assert run.held_out_loss() < 0.8 * before
    run.export(tmp_path / "shipped")
    kept = load_file(tmp_path / "shipped" / "snapshots.safetensors")
    assert {int(name.partition(".")[0]) for name in kept} == set(moments(60, 3)) and max(moments(60, 3)) == 60
    model, _, _ = weights.load(tmp_path / "shipped")
    for name, tensor in model.state_dict().items():
        assert torch.equal(kept[f"60.{name}"].float(), tensor), name


def test_an_encoder_is_never_asked_for_the_end(vocabulary: Vocabulary) -> None:
    model = Transformer(Config("encoder", len(vocabulary), 16, 2, 1, 0, 32, 32)).eval()
    shown, wanted = fillings(TEXTS, vocabulary, 0, 32, 0.3)(0)[0]
    loss, asked = loss_of(model, collate([(shown, wanted)], True))
    assert asked == sum(id != PAD for id in wanted)
    with torch.inference_mode():
        logits = model(torch.tensor([[*shown, END]])).logits[0, : len(wanted)]
    nats = [-float(logits[place].log_softmax(-1)[id]) for place, id in enumerate(wanted) if id != PAD]
    assert float(loss) == pytest.approx(sum(nats) / asked, rel=1e-4)
