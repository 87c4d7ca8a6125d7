"""Every number of a model's card, from the shipped weights and unseen text: `python -m core.evaluation NAME`.

With --card the numbers are written into assets/weights/NAME/CARD.md. A test compares the card with what is measured here.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch

from core import paths
from core.evaluation.card import card, curve
from core.evaluation.continuing import measure_continue, measure_fill, measure_write
from core.evaluation.report import Report
from core.evaluation.shipped import Shipped
from core.evaluation.translating import film, measure_translate
from core.model import weights
from core.model.weights import write_rows
from core.training import induction, recall

MEASURES = {
    "continue": measure_continue, "translate": measure_translate, "write": measure_write, "fill": measure_fill,
}  # fmt: skip
# Folders with these names, alone or before "-": their modules measure them and write their cards.
MACHINES = {"recall": recall, "copy": recall, "induction": induction}


def machine_in(folder: Path) -> Any:
    """The module that made `folder`, where it is one of MACHINES."""
    return MACHINES.get(folder.name.partition("-")[0])


def measure(folder: Path) -> Report:
    """All numbers of the model in `folder`."""
    if (machine := machine_in(folder)) is not None:
        return Report(machine.numbers(folder))
    shipped = Shipped.load(folder)
    return MEASURES[shipped.about["task"]](shipped)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a shipped model on text it never saw.")
    parser.add_argument("name", help="a folder under assets/weights, or a path")
    parser.add_argument("--card", action="store_true", help="write the numbers into its CARD.md")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    folder = paths.WEIGHTS / options.name if (paths.WEIGHTS / options.name).is_dir() else Path(options.name)
    report = measure(folder)
    print(report.text(), end="")
    if options.card and (machine := machine_in(folder)) is not None:
        weights.write(folder / "CARD.md", machine.card(folder, report.text()))
    elif options.card:
        shipped = Shipped.load(folder)
        parameters = sum(parameter.numel() for parameter in shipped.model.parameters())
        about = {**shipped.about, "parameters": parameters}
        if (folder / "snapshots.safetensors").is_file():
            write_rows(folder / "scores.csv", film(folder))
            about["note"] = "weights kept on the way are in snapshots.safetensors, what was measured with each in scores.csv."
        for name, rows in report.files.items():
            write_rows(folder / name, rows)
        weights.write(folder / "CARD.md", card(about, report) + curve(folder))


if __name__ == "__main__":
    main()
