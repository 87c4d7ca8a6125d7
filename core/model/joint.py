"""Two tasks in one network: a control piece before each source says which, and batches of the tasks take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from core.model.examples import Epoch, Example, Feed
from core.model.recipes import Recipe
from core.model.run import Run
from core.model.shipped import Shipped
from core.model.vocabulary import Vocabulary

TASKS = ("translate", "continue")


def with_controls(path: Path) -> Vocabulary:
    """The tokenizer at `path` with a piece more for each task, in the order of TASKS. They are specials: no typed text
    becomes one (`Vocabulary`), and decoding leaves them out."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.add_special_tokens([AddedToken(f"<{task}>", special=True, normalized=False) for task in TASKS])
    return Vocabulary(tokenizer)


def control(vocabulary: Vocabulary, task: str) -> int:
    """The id of a task's control piece. Raises KeyError where the vocabulary has none."""
    if (id := vocabulary.tokenizer.token_to_id(f"<{task}>")) is None:
        raise KeyError(task)
    return id


def led_by(first: int, examples: Sequence[Example]) -> list[Example]:
    """The same examples, `first` before each source."""
    return [([first, *source], target) for source, target in examples]


class Turns:
    """Batches of several tasks, one after another in turn."""

    def __init__(self, feeds: Mapping[str, Feed]) -> None:
        self.feeds, self.given = dict(feeds), 0

    @property
    def task(self) -> str:
        """Whose batch came last."""
        return list(self.feeds)[(self.given - 1) % len(self.feeds)]

    @property
    def epoch(self) -> int:
        """The passes that every task has behind it."""
        return min(feed.epoch for feed in self.feeds.values())

    def next_batch(self) -> list[Example]:
        self.given += 1
        return self.feeds[self.task].next_batch()

    def place(self) -> dict[str, Any]:
        return {"given": self.given, "feeds": {task: feed.place() for task, feed in self.feeds.items()}}

    def go_to(self, place: Mapping[str, Any]) -> None:
        self.given = place["given"]
        for task, feed in self.feeds.items():
            feed.go_to(place["feeds"][task])


class Joint(Run):
    """A run on several tasks in turn; each keeps the label smoothing of its own recipe."""

    feed: Turns

    def __init__(
        self, recipe: Recipe, vocabulary: Vocabulary, data: Mapping[str, tuple[Epoch, Sequence[Example]]],
        smoothed: Mapping[str, float], folder: Path, bfloat16: bool = False,
    ) -> None:  # fmt: skip
        self.parts = {task: list(held_out) for task, (_, held_out) in data.items()}
        everything = [example for part in self.parts.values() for example in part]
        super().__init__(
            recipe, vocabulary, lambda n: [one for epoch, _ in data.values() for one in epoch(n)], everything, folder, bfloat16
        )
        self.smoothed = smoothed
        self.feed = Turns({task: Feed(epoch, recipe.batch, recipe.seed) for task, (epoch, _) in data.items()})

    def smoothing(self) -> float:
        return self.smoothed[self.feed.task]

    def measured(self) -> dict[str, float]:
        return {f"held_out_loss_{task}": self.held_out_loss(part) for task, part in self.parts.items()}


def led(epoch: Epoch, first: int) -> Epoch:
    return lambda n: led_by(first, epoch(n))


@dataclass(frozen=True)
class Told(Shipped):
    """A joint network that is told what to do."""

    first: int = -1

    def source(self, text: str) -> list[int]:
        return [self.first, *super().source(text)]
