"""`make bench`: every goal in one run. `python -m tests.bench capture generation` runs parts of it."""

from __future__ import annotations

import importlib
import os
import platform
import sys

PARTS = ("capture", "generation", "many", "loading", "switch", "peers", "screen", "students", "gpu")


def main(names: list[str]) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"Expected parts among {', '.join(PARTS)}, but got {', '.join(sorted(unknown))}.")
    import torch
    import transformers

    # one thread: CPU time then is the work done, whatever else the machine does
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {platform.machine()}, one thread")
    print("ratios are medians of interleaved pairs of CPU time, their middle half in parentheses\n")
    for name in names or PARTS:
        for row in importlib.import_module(f"tests.bench.{name}").report():
            print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
