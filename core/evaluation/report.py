"""What was measured, as a table for people, which a test can read, too."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """What was measured of a model. numbers: those that a test can compare. shown: what is only to be read, as (heading, rows)."""

    numbers: dict[str, float] = field(default_factory=dict)
    shown: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)

    def text(self) -> str:
        lines = ["| measure | value |", "|---|---|"]
        lines += [
            f"| {name} | {value:{'d' if isinstance(value, int) else '.3f'}} |" for name, value in self.numbers.items()
        ]
        for heading, rows in self.shown:
            lines += ["", f"### {heading}", "", "| given | comes out |", "|---|---|"]
            lines += [f"| {given} | {result} |" for given, result in rows]
        return "\n".join(lines) + "\n"


def numbers_in(card: str) -> dict[str, float]:
    """The numbers a card states: the rows of its first table."""
    _, _, table = card.partition("| measure | value |\n|---|---|\n")
    rows = [row.strip("| ").split(" | ") for row in table.partition("\n\n")[0].splitlines()]
    return {name: float(value) for name, value in rows}
