"""Training, from a recipe to weights: `python -m core.model.training classroom`.

A run is a function of its recipe and seed: stopped and resumed it gives bit for bit what it would have given unstopped.
Checkpoints are safetensors in runs/NAME; at the end the averaged weights are shipped to assets/weights/NAME.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.model import corpus, weights
from core.model.attention import AttentionCall
from core.model.transformer import Config, Transformer
from core.model.vocabulary import END, MASK, PAD, SPECIALS, START, Vocabulary

RUNS = weights.ROOT / "runs"

Ids = list[int]
Example = tuple[Ids, Ids]  # source without </s>, target without <s> and </s>
Epoch = Callable[[int], list[Example]]  # the examples of the n-th pass over the data


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run.

    rate rises over `warm_up` steps, stays, and falls to zero over the last `decay` share of the steps: until the fall
    begins, a run may still be given more or fewer steps. batch counts tokens, padding included. average: decay of the
    running mean of the weights, which is what ships. tokenizer: the shipped model whose pieces it shares, "" for its own.
    again: share of the texts that come twice with another in between ("write"). hidden: share of the pieces masked
    ("fill"). snapshots: how many sets of weights are kept on the way, ever wider apart.
    """

    name: str
    says: str
    task: str  # "continue" | "translate" | "write" | "fill"
    licence: str
    steps: int
    shape: dict[str, Any] = field(default_factory=dict)  # Config, but for the vocabulary
    pieces: int = 5000
    source_end: bool = True  # the source ends with </s>: it tells the encoder that nothing was cut off in mid-word
    batch: int = 2500
    rate: float = 1.5e-3
    warm_up: int = 500
    decay: float = 0.35
    smoothing: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    seed: int = 0
    tokenizer: str = ""
    again: float = 0.0
    hidden: float = 0.2
    snapshots: int = 0


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="classroom",
            says="continues English: the encoder reads the beginning of a sentence, the decoder writes the rest",
            task="continue",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=5000,
            rate=2e-3,
            shape={"kind": "encoder-decoder"},
        ),
        Recipe(
            name="translator",
            says="translates English into Brazilian Portuguese",
            task="translate",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=4000,
            rate=2e-3,
            shape={"kind": "encoder-decoder"},
            pieces=6000,
            smoothing=0.1,
        ),
        Recipe(
            name="translator-small",
            says="the translator's smaller twin, kept at many steps of its training: watch cross-attention align",
            task="translate",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=3000,
            rate=3e-3,
            warm_up=200,
            shape={"kind": "encoder-decoder", "d_model": 64, "d_ff": 256, "encoder_layers": 2, "decoder_layers": 2},
            smoothing=0.1,
            tokenizer="translator",
            snapshots=16,
        ),
        Recipe(
            name="writer",
            says="writes English on from any beginning: a decoder alone",
            task="write",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=2400,
            rate=3e-3,
            warm_up=200,
            batch=5000,
            shape={"kind": "decoder", "d_model": 128, "d_ff": 512, "encoder_layers": 0, "decoder_layers": 4,
                   "positions": "rotary"},
            source_end=False,
            tokenizer="classroom",
            again=0.2,
        ),
        Recipe(
            name="filler",
            says="fills in masked words of English: an encoder alone",
            task="fill",
            licence="MIT; data: WordNet 3.0 licence and MIT",
            steps=2400,
            rate=3e-3,
            warm_up=200,
            batch=5000,
            shape={"kind": "encoder", "d_model": 128, "d_ff": 512, "encoder_layers": 4, "decoder_layers": 0},
            tokenizer="classroom",
        ),
    )
}


# --- data: text → examples → batches --------------------------------------------------------------------------------


def vary(text: str, rng: np.random.Generator) -> str:
    """A quarter of the sentences as people also type them: a capital at the start, a full stop at the end, or both."""
    if rng.random() < 0.25:
        how = rng.integers(3)
        if how != 0:
            text = text[:1].upper() + text[1:]
        if how != 1 and text[-1:].isalnum():
            text += "."
    return text


def split(text: str, rng: np.random.Generator) -> tuple[str, str]:
    """Cut at a random word boundary; 1 in 20 after the last word, so that a whole sentence gets no more."""
    words = text.split(" ")
    at = len(words) if len(words) < 2 or rng.random() < 0.05 else int(rng.integers(1, len(words)))
    return " ".join(words[:at]), " ".join(words[at:])


def continuations(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, plain: bool = False) -> Epoch:
    """Each text once per epoch, cut somewhere else each time. plain: as written, and always something left to say."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        halves = [split(text if plain else vary(text, rng), rng) for text in texts]
        return encoded(halves, vocabulary, limit, nonempty=plain)

    return epoch


def translations(pairs: Sequence[tuple[str, str]], vocabulary: Vocabulary, limit: int) -> Epoch:
    """Each pair once per epoch."""
    examples = encoded(pairs, vocabulary, limit)
    return lambda n: examples


def writings(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, again: float = 0.0) -> Epoch:
    """Each text once per epoch, to be written from its first word on; a share comes as text, another text, text again, for
    only what comes again teaches a decoder to look for what followed the last time."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        said = [vary(text, rng) for text in texts]
        twice, other = rng.random(len(said)) < again, rng.integers(len(said), size=len(said))
        lines = [f"{t} {said[j]} {t}" if double else t for t, double, j in zip(said, twice, other, strict=True)]
        return [([], ids) for ids in vocabulary.encode_all(lines) if 0 < len(ids) < limit]

    return epoch


def fillings(texts: Sequence[str], vocabulary: Vocabulary, seed: int, limit: int, hidden: float) -> Epoch:
    """Each text once per epoch as (what is shown, what is wanted): a share of its pieces is asked for, PAD elsewhere. Of
    those, 8 in 10 are shown as the mask, one as any piece, one as it is (Devlin et al. 2019, §3.1)."""

    def epoch(n: int) -> list[Example]:
        rng = np.random.default_rng([seed, n])
        found: list[Example] = []
        for ids in vocabulary.encode_all([vary(text, rng) for text in texts]):
            if not 0 < len(ids) < limit:
                continue
            asked = rng.random(len(ids)) < hidden
            asked[rng.integers(len(ids))] = True
            how, any_piece = rng.random(len(ids)), rng.integers(len(SPECIALS), len(vocabulary), size=len(ids))
            shown = np.where(how < 0.8, MASK, np.where(how < 0.9, any_piece, ids))
            found.append((np.where(asked, shown, ids).tolist(), np.where(asked, ids, PAD).tolist()))
        return found

    return epoch


def encoded(
    pairs: Sequence[tuple[str, str]], vocabulary: Vocabulary, limit: int, nonempty: bool = False
) -> list[Example]:
    """Texts to ids; pairs that would not fit `limit` tokens with their special tokens are left out."""
    sources = vocabulary.encode_all([source for source, _ in pairs])
    targets = vocabulary.encode_all([target for _, target in pairs])
    return [
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if source and len(source) < limit and len(target) < limit and (target or not nonempty)
    ]


def batches(examples: Sequence[Example], tokens: int, rng: np.random.Generator, pool: int = 8192) -> list[list[int]]:
    """Indices into `examples`, grouped so that lengths are alike and a batch holds at most `tokens` with padding."""
    order = rng.permutation(len(examples))
    result: list[list[int]] = []
    for begin in range(0, len(order), pool):
        lengths = [(len(examples[i][1]), len(examples[i][0]), int(i)) for i in order[begin : begin + pool]]
        groups: list[list[int]] = []
        width = [0, 0]
        for target, source, i in sorted(lengths, key=lambda row: row[:2]):
            wider = [max(width[0], target + 1), max(width[1], source + 1)]
            if not groups or sum(wider) * (len(groups[-1]) + 1) > tokens:
                groups.append([])
                wider = [target + 1, source + 1]
            groups[-1].append(i)
            width = wider
        result += [groups[i] for i in rng.permutation(len(groups))]
    return result


def padded(rows: Sequence[Ids]) -> Tensor:
    """[row, position], padded at the end."""
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def collate(examples: Sequence[Example], source_end: bool) -> tuple[Tensor, Tensor, Tensor]:
    """source [row, position], what the decoder is given, and what it should say: each shifted by one from the other."""
    source = padded([ids + [END] * source_end for ids, _ in examples])
    return source, padded([[START, *ids] for _, ids in examples]), padded([[*ids, END] for _, ids in examples])


# --- the run --------------------------------------------------------------------------------------------------------


class FullPrecision:
    """A probe for training in bfloat16: the CPU's attention is ten times slower there, so it stays in float32."""

    def attend(self, call: AttentionCall) -> tuple[Tensor, None]:
        with torch.autocast("cpu", enabled=False):
            query, key, value = call.query.float(), call.key.float(), call.value.float()
            return F.scaled_dot_product_attention(query, key, value, call.mask).transpose(1, 2), None


def loss_of(
    model: Transformer, batch: tuple[Tensor, Tensor, Tensor], smoothing: float = 0.0, bfloat16: bool = False
) -> tuple[Tensor, int]:
    """Cross-entropy in nats per target token, and the number of those tokens."""
    source, given, wanted = batch
    allowed = source != PAD
    if not model.config.writes:
        wanted = wanted.masked_fill(wanted == END, PAD)  # an encoder is asked for what is masked, never for the end
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        probe = FullPrecision() if bfloat16 else None
        if model.config.reads:
            logits = model(source, given, None if allowed.all() else allowed, probe=probe).logits
        else:
            logits = model(None, given, probe=probe).logits
    loss = F.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=PAD, label_smoothing=smoothing)
    return loss, int((wanted != PAD).sum())


class Run:
    """A model in training: weights, their running mean, optimizer, place in the data and in the random numbers."""

    def __init__(
        self, recipe: Recipe, vocabulary: Vocabulary, examples: Epoch, held_out: Sequence[Example], folder: Path,
        bfloat16: bool = False,
    ) -> None:  # fmt: skip
        self.recipe, self.vocabulary, self.examples, self.held_out = recipe, vocabulary, examples, held_out
        self.folder, self.bfloat16 = folder, bfloat16
        torch.manual_seed(recipe.seed)
        self.config = Config(vocab=len(vocabulary), **recipe.shape)
        self.model = Transformer(self.config)
        self.mean = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), recipe.rate, (0.9, 0.98), weight_decay=recipe.weight_decay, foreach=True
        )
        self.data = digest(examples(0))
        self.step = self.epoch = self.place = self.tokens = 0
        self.seconds = 0.0
        self.ahead: Iterator[list[Example]] | None = None
        self.moments = moments(recipe.steps, recipe.snapshots)
        self.legs: list[dict[str, Any]] = []  # what these weights had been trained for before this run

    def go_on(self, folder: Path) -> None:
        """Begin with weights that were shipped: another leg, with a new optimizer, on passes over the data not yet made.

        Raises ValueError where the weights in `folder` have another shape or other pieces.
        """
        model, vocabulary, about = weights.load(folder)
        if model.config != self.config or vocabulary.tokenizer.to_str() != self.vocabulary.tokenizer.to_str():
            raise ValueError(f"the weights in {folder} have another shape or other pieces than this recipe")
        for ours in (self.model, self.mean):
            ours.load_state_dict(model.state_dict())
        told = ("steps", "tokens", "minutes", "precision")
        self.legs = about.get("legs") or [{key: about[key] for key in told}]
        rows = read_log(folder / "training.csv")
        self.epoch = int(rows[-1]["epoch"]) + 1 if rows else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        if rows:
            write_log(self.folder / "training.csv", rows)

    def so_far(self, what: str) -> int:
        """Steps, tokens or minutes of all legs before this one."""
        return sum(leg[what] for leg in self.legs)

    def rate(self) -> float:
        """Up, level, down (Zhai et al. 2022; Hu et al. 2024)."""
        recipe, step = self.recipe, self.step + 1
        left = (recipe.steps - step + 1) / max(1.0, recipe.decay * recipe.steps)
        return recipe.rate * max(0.0, min(1.0, step / recipe.warm_up, left))

    def next_batch(self) -> list[Example]:
        """The batch after the last one, wherever a run was taken up again."""
        while True:
            if self.ahead is None:
                examples = self.examples(self.epoch)
                groups = batches(examples, self.recipe.batch, np.random.default_rng([self.recipe.seed, self.epoch, 1]))
                self.ahead = iter([[examples[i] for i in group] for group in groups[self.place :]])
            batch = next(self.ahead, None)
            if batch is not None:
                self.place += 1
                return batch
            self.epoch, self.place, self.ahead = self.epoch + 1, 0, None

    def train_step(self) -> float:
        """One step of AdamW; gives the loss in nats per token."""
        batch = collate(self.next_batch(), self.recipe.source_end)
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss, _ = loss_of(self.model, batch, self.recipe.smoothing, self.bfloat16)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.step += 1
        self.tokens += self.config.reads * batch[0].numel() + self.config.writes * batch[1].numel()
        keep = min(self.recipe.average, self.step / (self.step + 10))  # young means forget faster
        torch._foreach_lerp_(list(self.mean.parameters()), list(self.model.parameters()), 1 - keep)
        if self.step in self.moments:
            path = self.folder / "snapshots" / f"{self.step}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            weights.write_tensors(path, {name: t.to(torch.float16) for name, t in self.mean.state_dict().items()})
        return loss.item()

    @torch.inference_mode()
    def held_out_loss(self) -> float:
        """Nats per target token of the averaged weights on text never trained on; no label smoothing."""
        total = count = 0.0
        for group in batches(self.held_out, 4 * self.recipe.batch, np.random.default_rng(0)):
            batch = collate([self.held_out[i] for i in group], self.recipe.source_end)
            loss, tokens = loss_of(self.mean, batch, bfloat16=self.bfloat16)
            total, count = total + float(loss) * tokens, count + tokens
        return total / max(count, 1)

    # A checkpoint is one file, so that it is whole or not there: tensors, and the small things as JSON in its header.

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {"random": torch.get_rng_state()}
        for (name, now), mean in zip(self.model.named_parameters(), self.mean.parameters(), strict=True):
            tensors |= {f"model.{name}": now.data, f"mean.{name}": mean.data}
            for key, value in self.optimizer.state.get(now, {}).items():
                tensors[f"{key}.{name}"] = value
        places = {key: getattr(self, key) for key in ("step", "epoch", "place", "tokens", "seconds", "legs")}
        header = {"run": json.dumps({**places, "data": self.data, "recipe": asdict(self.recipe)})}
        fresh = self.folder / "checkpoint.new"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, fresh, header)
        os.replace(fresh, self.folder / "checkpoint.safetensors")

    def resume(self) -> None:
        """Go on from the last checkpoint. Raises FileNotFoundError, or ValueError where recipe or data were others."""
        path = self.folder / "checkpoint.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"no checkpoint in {self.folder}: start without --resume")
        with safe_open(path, "pt") as file:
            run = json.loads(file.metadata()["run"])
            changed = {key for key, value in asdict(self.recipe).items() if run["recipe"].get(key, value) != value}
            changed -= {"steps"}
            changed |= {"data"} if run["data"] != self.data else set()
            if changed:
                raise ValueError(f"the checkpoint was made otherwise: {', '.join(sorted(changed))} changed since")
            for (name, now), mean in zip(self.model.named_parameters(), self.mean.parameters(), strict=True):
                now.data.copy_(file.get_tensor(f"model.{name}"))
                mean.data.copy_(file.get_tensor(f"mean.{name}"))
                self.optimizer.state[now] = {
                    key: file.get_tensor(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")
                }
            torch.set_rng_state(file.get_tensor("random"))
        for key in ("step", "epoch", "place", "tokens", "seconds", "legs"):
            setattr(self, key, run[key])
        self.ahead = None

    def train(self, minutes: float | None = None, report: int = 200, save_every: float = 180.0) -> None:
        """Train to the last step, or for `minutes`; print and log progress, save now and then and at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "training.csv"
        past = self.so_far("steps")
        rows = [row for row in read_log(log) if int(row["step"]) <= past + self.step]  # what was not saved is done again
        began = saved = time.monotonic()
        before, first, losses = self.seconds, (self.step, self.tokens), list[float]()
        while self.step < self.recipe.steps and (minutes is None or time.monotonic() - began < 60 * minutes):
            losses.append(self.train_step())
            now = time.monotonic()
            self.seconds = before + now - began
            if self.step % report == 0 or self.step == self.recipe.steps:
                row = {
                    "step": past + self.step,
                    "epoch": self.epoch,
                    "tokens": self.so_far("tokens") + self.tokens,
                    "seconds": 60 * self.so_far("minutes") + round(self.seconds),
                    "rate": f"{self.rate():.2e}",
                    "loss": f"{np.mean(losses):.4f}",
                    "held_out_loss": f"{self.held_out_loss():.4f}",
                }
                rows.append({key: str(value) for key, value in row.items()})
                write_log(log, rows)
                steps, tokens = (self.step - first[0]) / (now - began), (self.tokens - first[1]) / (now - began)
                pace = f"{tokens:.0f} tokens/s, {(self.recipe.steps - self.step) / steps / 60:.0f} min left"
                print(*(f"{key} {value}" for key, value in row.items()), pace, flush=True)
                losses = []
            if now - saved > save_every:
                self.save()
                saved = now
        self.save()

    def export(self, folder: Path) -> None:
        """Ship the averaged weights, the tokenizer and the log."""
        recipe = self.recipe
        precision = "bfloat16" if self.bfloat16 else "float32"
        leg = {"steps": self.step, "tokens": self.tokens, "minutes": round(self.seconds / 60), "precision": precision}
        legs = [*self.legs, leg]
        about = {
            "name": recipe.name.capitalize(),
            "says": recipe.says,
            "task": recipe.task,
            "source_end": recipe.source_end,
            "licence": recipe.licence,
            "steps": sum(one["steps"] for one in legs),
            "seed": recipe.seed,
            "tokens": sum(one["tokens"] for one in legs),
            "minutes": sum(one["minutes"] for one in legs),
            "precision": precision,
            "data": self.data,
        }
        if self.legs:
            about["legs"] = legs
        weights.export(folder, self.config, self.mean.state_dict(), self.vocabulary, about)
        if (self.folder / "training.csv").is_file():
            shutil.copyfile(self.folder / "training.csv", folder / "training.csv")
        if self.moments:
            films = [(step, self.folder / "snapshots" / f"{step}.safetensors") for step in self.moments]
            kept = {f"{step}.{name}": t for step, path in films if path.is_file() for name, t in load_file(path).items()}
            weights.write_tensors(folder / "snapshots.safetensors", kept)


def moments(steps: int, many: int) -> tuple[int, ...]:
    """The steps whose weights are kept: `many`, the last among them, each further from the one before by the same factor."""
    return tuple(sorted({round(at) for at in np.geomspace(min(20, steps), steps, many).tolist()})) if many else ()


def digest(examples: Sequence[Example]) -> str:
    """A short name for the data of a run, its tokenizer included."""
    return hashlib.blake2b(json.dumps(examples).encode(), digest_size=6).hexdigest()


def read_log(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_log(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# --- the command ----------------------------------------------------------------------------------------------------


def prepare(recipe: Recipe, folder: Path, bfloat16: bool = False) -> Run:
    """A run at its first step. The tokenizer is trained on the training part alone, once, and kept in `folder`."""
    path = folder / "tokenizer.json"
    if recipe.tokenizer and not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights.SHIPPED / recipe.tokenizer / "tokenizer.json", path)
    if recipe.task == "translate":
        train, unseen = corpus.pairs("train"), corpus.pairs("held-out")
        vocabulary = vocabulary_at(path, [text for pair in train for text in pair], recipe.pieces)
        limit = Config(vocab=len(vocabulary), **recipe.shape).max_tokens
        examples, held_out = translations(train, vocabulary, limit), translations(unseen, vocabulary, limit)(0)
    else:
        texts = corpus.english("train")
        vocabulary = vocabulary_at(path, texts, recipe.pieces)
        limit = Config(vocab=len(vocabulary), **recipe.shape).max_tokens
        unseen_texts, seed = corpus.english("held-out"), recipe.seed
        if recipe.task == "write":
            examples = writings(texts, vocabulary, seed, limit, recipe.again)
            held_out = writings(unseen_texts, vocabulary, seed, limit)(0)
        elif recipe.task == "fill":
            examples = fillings(texts, vocabulary, seed, limit, recipe.hidden)
            held_out = fillings(unseen_texts, vocabulary, seed, limit, recipe.hidden)(0)
        else:
            examples = continuations(texts, vocabulary, seed, limit)
            held_out = continuations(unseen_texts, vocabulary, seed, limit, plain=True)(0)
    chosen = np.random.default_rng(0).permutation(len(held_out))[:1500]
    return Run(recipe, vocabulary, examples, [held_out[i] for i in chosen], folder, bfloat16)


def vocabulary_at(path: Path, texts: Sequence[str], pieces: int) -> Vocabulary:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        Vocabulary.train(texts, pieces).save(path)
    return Vocabulary.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a model and ship its weights.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument(
        "--steps", type=int, help="instead of the recipe's; may change on --resume before the rate falls"
    )
    parser.add_argument("--minutes", type=float, help="stop after so long, wherever the run is")
    parser.add_argument("--out", type=Path, help="where the weights go (default: assets/weights/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--further", action="store_true", help="begin with the weights that ship, and train them for as many steps more"
    )
    parser.add_argument("--export", action="store_true", help="ship the last checkpoint as it is, without training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--bfloat16", action="store_true", help="twice as fast on CPUs with AVX-512 BF16, slow elsewhere"
    )
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if options.threads > 1 else "false"
    torch.set_num_threads(options.threads)
    recipe = RECIPES[options.name]
    if options.steps:
        recipe = replace(recipe, steps=options.steps)
    folder = RUNS / recipe.name
    if not options.resume and not options.export and folder.exists():
        shutil.rmtree(folder)  # a new run; the old one is not mixed with it
    shipped = options.out or weights.SHIPPED / recipe.name
    if options.further and not options.resume:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped / "tokenizer.json", folder / "tokenizer.json")
    run = prepare(recipe, folder, options.bfloat16)
    if options.resume or options.export:
        run.resume()
    elif options.further:
        run.go_on(shipped)
    if not options.export:
        print(
            f"{recipe.name}: {sum(p.numel() for p in run.model.parameters()):,} parameters, from step {run.step}",
            flush=True,
        )
        run.train(options.minutes)
    run.export(shipped)


if __name__ == "__main__":
    main()
