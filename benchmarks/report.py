"""The claim: the lengths and the padding report of a data set come at 80% or more of the raw fast tokenizer's speed.

    python -m benchmarks.report DATA.csv [--rows 67000] [--tokenizer embedded:minilm]

The file's texts are repeated to that many rows. Each round takes the raw calls and ours one after the other in one
process: what is compared met the same machine. Fails when the claim does not hold in the median round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from hfdemo.data_sources import choose_text_columns
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tables import read_table
from hfdemo.tokenization.length_report import count_tokens, report_lengths

ROUNDS = 3
CLAIM = 0.8


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rounds_of(tokenizer: Any, texts: Sequence[str]) -> list[dict[str, float]]:
    """Seconds per round: `raw` is tokenizer(texts), `rust` encode_batch(texts), `lengths` and `report` are ours."""
    given = list(texts)
    lengths: list[int] = count_tokens(tokenizer, given)  # also the warm-up
    return [
        {
            "raw": seconds_of(lambda: tokenizer(given, verbose=False)),
            "lengths": seconds_of(lambda: count_tokens(tokenizer, given)),
            "report": seconds_of(lambda: report_lengths(lengths, 8, limit=512, size=(6, 384))),
            "rust": seconds_of(lambda: tokenizer.backend_tokenizer.encode_batch(given)),
        }
        for _ in range(ROUNDS)
    ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=67_000)
    parser.add_argument("--tokenizer", default="embedded:minilm")
    asked = parser.parse_args(arguments)
    table = read_table(asked.data, lone_column=True)
    column, _ = choose_text_columns(list(table.columns))
    texts = list(islice(cycle(table[column]), asked.rows))
    models = ModelCache(Settings(home=Path(tempfile.mkdtemp())))
    with models.hold_tokenizer(ModelRef.parse(asked.tokenizer)) as tokenizer:
        rounds = rounds_of(tokenizer, texts)
    for number, each in enumerate(rounds, start=1):
        print(f"round {number}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in each.items()))
    ours = [each["lengths"] + each["report"] for each in rounds]
    against = {name: [each[name] / own for each, own in zip(rounds, ours, strict=True)] for name in ("raw", "rust")}
    medians = {name: statistics.median(ratios) for name, ratios in against.items()}
    print(f"{len(texts):,} rows, {asked.tokenizer}, {os.cpu_count()} cores; lengths and report together run at")
    print(f"  {medians['raw']:.0%} of the speed of tokenizer(texts)")
    print(f"  {medians['rust']:.0%} of the speed of backend_tokenizer.encode_batch(texts)")
    return 0 if medians["raw"] >= CLAIM else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
