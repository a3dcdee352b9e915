"""How many labels that were changed on purpose are found: the figure of "Labels that may be wrong".

    python -m benchmarks.label_errors DATA.csv [--flipped 0.05] [--rows 20000] [--model embedded:minilm]

DATA has the columns text and label. That share of its labels, drawn at random, is changed to another one, and the rows
are judged as those of a run. Prints how many of the changed ones are among the likeliest, and fails when the first
rows, as many as were changed, hold fewer than five times what chance would.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from hfdemo.data_sources import read_tables
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.label_errors import MOST_ROWS, review_labels
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings
from hfdemo.tables import write_csv

TIMES_CHANCE = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--flipped", type=float, default=0.05)
    parser.add_argument("--rows", type=int, default=MOST_ROWS)
    parser.add_argument("--model", default="embedded:minilm")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), max_rows=10**8)
        table = read_tables("", settings, asked.data)[""].head(asked.rows)
        labels = sorted(table["label"].unique())
        changed = set(random.Random(0).sample(range(len(table)), int(asked.flipped * len(table))))
        given = [
            random.Random(row).choice([each for each in labels if each != label]) if row in changed else label
            for row, label in enumerate(table["label"])
        ]
        folder = Path(home) / "run"
        (folder / "data").mkdir(parents=True)
        write_csv(table.assign(label=given)[["text", "label"]], folder / "data" / "train.csv")
        config = RunConfig("data", model=asked.model, problem_type="single_label_classification")
        began = time.perf_counter()
        found = review_labels(folder, config, ModelCache(settings), limit=len(table))
        seconds = time.perf_counter() - began
    places = [each.row - 1 for each in found.errors]
    print(f"{found.judged:,} rows, {len(changed):,} labels changed, {seconds:.0f} s on {os.cpu_count()} cores")
    print(f"told right without having seen the row: {found.agreement:.1%}; suspected: {found.found:,}")
    for times in (0.5, 1, 2, 3):
        first = int(times * len(changed))
        hits = len(changed.intersection(places[:first]))
        share = first / found.judged
        print(
            f"first {share:.1%} of the rows: {hits / len(changed):.0%} of the changed labels, "
            f"{hits / max(1, first):.0%} of what is listed"
        )
    found_first = len(changed.intersection(places[: len(changed)]))
    return 0 if found_first >= TIMES_CHANCE * asked.flipped * len(changed) else 1


if __name__ == "__main__":
    sys.exit(main())
