"""What was measured, as a table for people, which a test can read, too."""

from __future__ import annotations

from dataclasses import dataclass, field

AS_A_CLASS_TYPES = "As a class would type, chosen before any output was seen"


@dataclass
class Report:
    """What was measured of a model. numbers: those that a test can compare. notes: sentences under them. shown: what is only to be
    read, as (heading, rows). files: tables that pages read, by their name in the model's folder."""

    numbers: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shown: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    files: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def text(self) -> str:
        lines = ["| measure | value |", "|---|---|"]
        lines += [
            f"| {name} | {value:{'d' if isinstance(value, int) else '.3f'}} |" for name, value in self.numbers.items()
        ]
        for note in self.notes:
            lines += ["", note]
        for heading, rows in self.shown:
            lines += ["", f"### {heading}", "", "| given | comes out |", "|---|---|"]
            lines += [f"| {given} | {result} |" for given, result in rows]
        return "\n".join(lines) + "\n"


def numbers_in(card: str) -> dict[str, float]:
    """The numbers a card states: the rows of its first table."""
    _, _, table = card.partition("| measure | value |\n|---|---|\n")
    rows = [row.strip("| ").split(" | ") for row in table.partition("\n\n")[0].splitlines()]
    return {name: float(value) for name, value in rows}
