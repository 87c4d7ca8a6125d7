"""One network for both tasks, or two? A trial, measured: `python -m core.model.both`.

The joint network has the translator's shape and pieces, and two control pieces more: the first piece of a source says whether
to translate it or to write on. Batches of the two tasks take turns. Beside it the translator and the classroom model are
trained alone, each by its own recipe, on the same sentences for as many steps as the joint one gave to that task; so one
network and two cost the same. What is compared is what was said about text never trained on: nats a word (pieces differ,
words do not), chrF and BLEU. assets/weights/both keeps the curves, the results and the card; the weights stay in runs/both.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.model import weights
from core.model.course import write_rows
from core.model.examples import Example
from core.model.joint import TASKS, Joint, Told, control, led, led_by, with_controls
from core.model.recipes import RECIPES
from core.model.run import Run, data_of, prepare, read_log
from core.model.scores import bleu, chrf
from core.model.shipped import Shipped
from core.model.translating import KINDS, translated

ALONE = dict(zip(TASKS, ("translator", "classroom"), strict=True))  # task → the recipe that learns it alone
TWIN = RECIPES["translator-small"]
SIZES: dict[str, dict[str, Any]] = {  # what a size changes in every recipe of the trial
    "full": {"shape": RECIPES["translator"].shape},
    "small": {"shape": TWIN.shape, "rate": TWIN.rate, "warm_up": TWIN.warm_up},
}
SAYS = {"full": "Of the translator's size", "small": "Of the size of the translator's smaller twin"}
RESAMPLED = 1000  # how often the held-out sentences are drawn again for an interval


# --- the trial --------------------------------------------------------------------------------------------------------


def alone(task: str, steps: int, size: str, folder: Path, seed: int, bfloat16: bool) -> Run:
    """The recipe of the task with its shipped pieces, for so many steps."""
    name = ALONE[task]
    recipe = replace(RECIPES[name], steps=steps, tokenizer=name, seed=seed, **SIZES[size])
    return prepare(recipe, folder, bfloat16)


def together(steps: int, size: str, folder: Path, seed: int, bfloat16: bool) -> Joint:
    """One network, `steps` of each task."""
    recipe = replace(
        RECIPES["translator"], name="both", says="translates or writes on, as it is told", task="both", steps=2 * steps,
        tokenizer="translator", seed=seed, **SIZES[size],
    )  # fmt: skip
    vocabulary = with_controls(weights.SHIPPED / recipe.tokenizer / "tokenizer.json")
    data = {}
    for task, name in ALONE.items():
        epoch, held_out = data_of(replace(RECIPES[name], seed=seed, **SIZES[size]), vocabulary)
        first = control(vocabulary, task)
        data[task] = led(epoch, first), led_by(first, held_out)
    smoothed = {task: RECIPES[name].smoothing for task, name in ALONE.items()}
    return Joint(recipe, vocabulary, data, smoothed, folder, bfloat16)


def carry_out(run: Run, ends: float) -> bool:
    """Train to the last step or the monotonic time `ends`, from the last checkpoint if there is one; gives whether it is done."""
    if (run.folder / weights.CHECKPOINT).is_file():
        run.resume()
    print(f"{run.folder}: from step {run.step} of {run.recipe.steps}", flush=True)
    if run.step < run.recipe.steps:
        run.train((ends - time.monotonic()) / 60, report=100)
        if run.step == run.recipe.steps:
            run.export(run.folder / "weights")
    return run.step == run.recipe.steps


# --- what it gave -----------------------------------------------------------------------------------------------------


def words_in(text: str) -> int:
    """Words between spaces, and the end, which is predicted too."""
    return len(text.split(" ")) + 1


def resampled(measure: Callable[[np.ndarray], float], sentences: int, times: int) -> tuple[float, float]:
    """The middle 95 % of `measure` over sentences drawn again with replacement (Efron 1979; paired, as in Koehn 2004)."""
    rng = np.random.default_rng(0)
    found = [measure(rng.integers(sentences, size=sentences)) for _ in range(times)]
    low, high = np.quantile(found, (0.025, 0.975)).tolist()
    return low, high


def compare(task: str, one: Shipped, two: Shipped, ours: Sequence[Example], theirs: Sequence[Example], times: int = RESAMPLED
            ) -> list[dict[str, Any]]:  # fmt: skip
    """Rows (measure, alone, together, low, high): `one` trained alone, `two` on both tasks, and the interval of together −
    alone. ours, theirs: the same held-out sentences in the pieces of each."""
    texts = [one.vocabulary.decode(target) for _, target in ours]
    if texts != [two.vocabulary.decode(target) for _, target in theirs]:
        raise ValueError("the two were not given the same sentences")
    words = np.array([words_in(text) for text in texts])
    nats = [np.array(model.losses(examples)) for model, examples in ((one, ours), (two, theirs))]
    rows = []

    def row(name: str, values: Sequence[float], interval: tuple[float, float]) -> None:
        rows.append({"task": task, "measure": name, "alone": values[0], "together": values[1], "low": interval[0],
                     "high": interval[1]})  # fmt: skip

    row("nats a word", [float(each.sum() / words.sum()) for each in nats],
        resampled(lambda at: float((nats[1][at] - nats[0][at]).sum() / words[at].sum()), len(words), times))  # fmt: skip
    if task == "translate":
        for kind, file in KINDS.items():
            (before, wanted), (after, _) = translated(one, file), translated(two, file)
            for name, score in (("chrF", chrf), ("BLEU", bleu)):

                def gain(at: np.ndarray, score=score, before=before, after=after, wanted=wanted) -> float:
                    lines = [[side[i] for i in at] for side in (before, after, wanted)]
                    return score(lines[1], lines[2]) - score(lines[0], lines[2])

                interval = resampled(gain, len(wanted), times // 10)
                row(f"{kind}: {name}", [score(before, wanted), score(after, wanted)], interval)
    return rows


def curve(run: Run, task: str, column: str, held_out: Sequence[Example], log: Path | None = None) -> list[dict[str, Any]]:
    """The run's log for one task, or another log of such a run, its losses made nats a word."""
    pieces = sum(len(target) + 1 for _, target in held_out)
    factor = pieces / sum(words_in(run.vocabulary.decode(target)) for _, target in held_out)
    name = f"{log.parent.name}, shipped" if log else run.folder.name
    rows = []
    for row in read_log(log or run.folder / "training.csv"):
        kept = {key: row[key] for key in ("step", "tokens", "seconds", "rate")}
        rows.append({"run": name, "task": task, **kept, "nats a word": f"{float(row[column]) * factor:.4f}"})
    return rows


BUDGETS = {"both": "as many steps of each task", "both-half": "as many steps in all"}  # joint run → what it shares with one alone


@dataclass(frozen=True)
class Trial:
    """One comparison: the runs alone with `steps` each, the joint one with `steps` of each task, and another with half."""

    size: str
    steps: int
    seed: int
    bfloat16: bool

    @property
    def folder(self) -> Path:
        return weights.ROOT / "runs" / "both" / f"{self.size}-{self.steps}-{self.seed}"

    def make(self, name: str) -> Run:
        given = self.size, self.folder / name, self.seed, self.bfloat16
        if name in BUDGETS:
            return together(self.steps // (2 if name == "both-half" else 1), *given)
        return alone(next(task for task, one in ALONE.items() if one == name), self.steps, *given)

    def tell(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        precision = "bfloat16" if self.bfloat16 else "float32"
        return [{"size": self.size, "steps": self.steps, "seed": self.seed, "precision": precision, **row} for row in rows]

    def follow(self, both: Run) -> None:
        """curves.csv of the joint network, as far as it came, beside the logs that ship with the two."""
        assert isinstance(both, Joint)
        curves = []
        for task, name in ALONE.items():
            run, shipped = self.make(name), weights.SHIPPED / name
            if json.loads((shipped / "config.json").read_text("utf-8"))["data"] != run.data:
                raise ValueError(f"{name} was trained on other data than there are now")
            curves += curve(run, task, "held_out_loss", run.held_out, shipped / "training.csv")
            curves += curve(both, task, f"held_out_loss_{task}", both.parts[task])
        write_rows(self.folder / "curves.csv", self.tell(curves))

    def measure(self, runs: Mapping[str, Run]) -> None:
        """results.csv and curves.csv in the trial's folder, from the weights that the runs left."""
        rows, curves = [], []
        for task, name in ALONE.items():
            run = runs[name]
            one = Shipped.load(run.folder / "weights")
            curves += curve(run, task, "held_out_loss", run.held_out)
            for other, both in runs.items():
                if not isinstance(both, Joint):
                    continue
                curves += curve(both, task, f"held_out_loss_{task}", both.parts[task])
                two = Told(*weights.load(both.folder / "weights"), control(both.vocabulary, task))
                rows += [{"budget": BUDGETS[other], **row} for row in compare(task, one, two, run.held_out, both.parts[task])]
        write_rows(self.folder / "results.csv", [rounded(row) for row in self.tell(rows)])
        write_rows(self.folder / "curves.csv", self.tell(curves))


# --- the card ---------------------------------------------------------------------------------------------------------

FOLLOWED = """Only the joint network was trained here, and not to its end; beside it stand the logs of the translator and the
classroom model that ship (their first leg), from before their rate fell. So at this size nothing is decided: only after
as many steps in all had the rates been the same, and there the joint network had seen half as much of each task."""
ON_THE_WAY = """Nats a word on the way, before the rate fell. It rises over the same number of steps in every run, and of those
the joint one spends half on each task: after as many steps of a task its rate has been high for longer, which flatters it."""
LESS_IS_BETTER = ("nats a word",)
METHOD = """One network with the translator's pieces and two control pieces more (`<translate>`, `<continue>`), one of which
leads every source, trained on batches of the two tasks in turn; and the two tasks alone, by the recipes of translator and
classroom with their own pieces. The same seed, sentences, optimizer, warm-up and share of the steps in which the rate
falls; label smoothing as in each task's own recipe. Measured on the same held-out sentences: nats a word on at most 1,500
of each task, the end of a sentence counted as a word, because the pieces of the two differ and their words do not; chrF
and BLEU on the first 250 held-out pairs of each kind, greedy. In brackets the middle 95 % of the difference when the
sentences are drawn again (bootstrap, paired): what other sentences would change, not what another seed would."""


def lost(row: Mapping[str, str]) -> bool:
    """Whether the joint network is worse by more than the choice of sentences explains."""
    return float(row["low"]) > 0 if row["measure"] in LESS_IS_BETTER else float(row["high"]) < 0


def won(row: Mapping[str, str]) -> bool:
    return float(row["high"]) < 0 if row["measure"] in LESS_IS_BETTER else float(row["low"]) > 0


def choice(results: Sequence[Mapping[str, str]]) -> str:
    """What the results say of the rule: one network is taken if it costs no more than the two and loses nothing."""
    fair = [row for row in results if row["budget"] == BUDGETS["both"]]
    worse, better = ([f"{row['task']}, {row['measure']}" for row in fair if judge(row)] for judge in (lost, won))
    told = f"It lost in {len(worse)} of {len(fair)} comparisons ({'; '.join(worse)})" if worse else "It lost in none"
    told += f" and won in {len(better)} ({'; '.join(better)})." if better else " and won in none."
    most = max(int(row["steps"]) for row in fair)
    chosen = "Two networks ship" if worse else "One network would do"
    return f"""**{chosen}.** The rule: one network takes the place of two if it loses nothing at the same cost, that is
when it was trained on each task for as many steps as the two alone. {told}

What this does not say: the trials are short, {most:,} steps of each task at most, where the models that ship had thousands,
and each has one seed. What a wider network or one trained many times longer would lose, nobody measured here."""


def name_of(row: Mapping[str, str]) -> tuple[str, int, int, str]:
    """The trial that a row belongs to."""
    return row["size"], int(row["steps"]), int(row["seed"]), row["precision"]


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """One trial's results."""
    lines = ["| task | measure | compared after | alone | together | together − alone | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        one, two, low, high = (float(row[key]) for key in ("alone", "together", "low", "high"))
        told = "lost" if lost(row) else "won" if won(row) else "no difference seen"
        lines.append(
            f"| {row['task']} | {row['measure']} | {row['budget']} | {one:.3f} | {two:.3f} | {two - one:+.3f} "
            f"({low:+.3f} … {high:+.3f}) | {told} |"
        )
    return lines


def before_the_fall(curves: Sequence[Mapping[str, str]], run: str, task: str) -> dict[int, float]:
    """Step → nats a word, of the rows written before the rate fell for the first time: so far a run is the same whatever its
    length will be. Empty where there is no such run."""
    rows = [row for row in curves if (row["run"], row["task"]) == (run, task)]
    rates = [0.0, *(float(row["rate"]) for row in rows)]
    pairs = takewhile(lambda pair: pair[1] >= pair[0], pairwise(rates))
    return {int(row["step"]): float(row["nats a word"]) for row, _ in zip(rows, pairs, strict=False)}


def on_the_way(curves: Sequence[Mapping[str, str]], most: int = 6) -> list[str]:
    """Alone after s steps beside the joint network after s of that task (2s in all) and after s in all."""
    lines = ["| task | steps alone | alone | together, as many of each task | together, as many in all |", "|---|---|---|---|---|"]
    for task, name in ALONE.items():
        two = before_the_fall(curves, "both", task)
        one = before_the_fall(curves, name, task) or before_the_fall(curves, f"{name}, shipped", task)
        steps = [step for step in one if step in two or 2 * step in two]
        for step in steps[-most:]:
            cells = (f"{two[at]:.3f}" if at in two else "–" for at in (2 * step, step))
            lines.append(f"| {task} | {step:,} | {one[step]:.3f} | {' | '.join(cells)} |")
    return lines


def card(results: Sequence[Mapping[str, str]], curves: Sequence[Mapping[str, str]]) -> str:
    """CARD.md of the trials: what was run, what it gave, what was chosen."""
    parts = [f"# One network for both tasks, or two?\n\n{choice(results)}\n\n## How it was measured\n\n{METHOD}"]
    for trial in dict.fromkeys(map(name_of, [*results, *curves])):
        size, steps, seed, precision = trial
        found, ours = ([row for row in rows if name_of(row) == trial] for rows in (results, curves))
        last = {row["run"]: row for row in ours if "shipped" not in row["run"]}
        cost = "; ".join(
            f"{run} {int(row['step']):,} steps, {int(row['tokens']) / 1e6:.1f} M tokens, {int(row['seconds']) / 60:.0f} minutes"
            for run, row in last.items()
        )
        command = f"python -m core.model.both --size {size} --steps {steps} --seed {seed}" + " --follow" * (not found)
        command += " --half" * ("both-half" in last) + " --bfloat16" * (precision == "bfloat16")
        whole = f"{SAYS[size]}, {steps:,} steps of each task" if found else f"{SAYS[size]}, followed for a while"
        parts.append("\n".join([
            f"## {whole}, seed {seed}", "", f"By `{command}`, in {precision}: {cost}.", "",
            *(table(found) if found else [FOLLOWED]), "", ON_THE_WAY, "", *on_the_way(ours),
        ]))  # fmt: skip
    return "\n\n".join(parts) + "\n"


def rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="One network for two tasks beside two: train all of them, compare them.")
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--steps", type=int, default=1500, help="of each task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bfloat16", action="store_true", help="faster on CPUs with AVX-512 BF16, slow elsewhere")
    parser.add_argument("--half", action="store_true", help="train a second joint network, with as many steps in all as one alone")
    parser.add_argument(
        "--follow", action="store_true", help="train the joint network alone, beside the logs of the two that ship"
    )
    parser.add_argument("--minutes", type=float, help="stop after so long; the same command goes on from there")
    parser.add_argument("--collect", nargs="+", type=Path, metavar="FOLDER", help="put trials into the card instead")
    parser.add_argument("--out", type=Path, default=weights.SHIPPED / "both")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    if options.collect:
        options.out.mkdir(parents=True, exist_ok=True)
        tables = {
            name: [row for folder in options.collect for row in read_log(folder / f"{name}.csv")] for name in ("results", "curves")
        }
        for name, rows in tables.items():
            write_rows(options.out / f"{name}.csv", rows)
        weights.write(options.out / "CARD.md", card(**tables))
        return
    trial = Trial(options.size, options.steps, options.seed, options.bfloat16)
    ends = time.monotonic() + 60 * options.minutes if options.minutes else math.inf
    if options.follow:
        both = trial.make("both")
        carry_out(both, ends)
        trial.follow(both)
        return
    runs: dict[str, Run] = {}
    for name in ("both", *ALONE.values(), *(["both-half"] if options.half else [])):
        if time.monotonic() > ends or not carry_out(runs.setdefault(name, trial.make(name)), ends):
            return
    trial.measure(runs)


if __name__ == "__main__":
    main()
