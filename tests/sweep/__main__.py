"""`make sweep`: every family that transformers can build small, in processes of their own, and a table of what became of each.

Names of families as arguments: those alone; without, the table is written to docs/families.md. Ends with 1 for anything wrong, or
any exception that is not one of ours.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict

SECONDS = 120  # the most that one class of a family may take


def child() -> None:
    """Examine the classes that come in, one a line, and answer each with a line."""
    import warnings

    warnings.filterwarnings("ignore")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what families print goes another way
    import torch
    from transformers.utils import logging

    from tests.sweep.trial import examine

    torch.set_num_threads(1)
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    for line in sys.stdin:
        answers.write(json.dumps(asdict(examine(*json.loads(line)))) + "\n")


class Worker:
    """A process that examines, started again where it fell or took too long."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.done = 0

    def ask(self, family: str, name: str) -> dict[str, str]:
        if self.process is None or self.done >= 60:
            self.stop()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.sweep", "--child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self.done = 0
        self.done += 1
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([family, name]).encode() + b"\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.stop()
        words = "the process ended" if ready else f"more than {SECONDS} seconds"
        return {"family": family, "name": name, "outcome": "EXCEPTION", "words": words}

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def main(names: list[str]) -> int:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    from transformers.utils import logging

    from tests.sweep.shapes import families
    from tests.sweep.table import DOCUMENT, document

    logging.set_verbosity(logging.CRITICAL)
    found, worker = [], Worker()
    for family, name in families():
        if names and family not in names:
            continue
        begun = time.monotonic()
        finding = worker.ask(family, name)
        found.append(finding)
        taken = time.monotonic() - begun
        print(f"{family:28} {name:44} {finding['outcome']:10} {taken:5.1f} s  {finding['words']}", flush=True)
    worker.stop()
    if not names:
        DOCUMENT.write_text(document(found), "utf-8")
    for outcome, count in Counter(finding["outcome"] for finding in found).most_common():
        print(f"{count:5} {outcome}")
    return any(finding["outcome"] in ("WRONG", "EXCEPTION") for finding in found)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        child()
    else:
        sys.exit(main(sys.argv[1:]))
