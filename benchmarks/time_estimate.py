"""The claim: what a run's trial steps foretell is within a quarter of what it takes, on an idle machine.

    python -m benchmarks.time_estimate [--rows 600]

Each setting is a run of its own, started as the page starts one. Prints what was foretold after the trial steps and
what it took from there, and fails when the two differ by more than a quarter anywhere.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hfdemo.engine import ProcessEngine
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Finished, Probed
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings

CLAIM = 0.25
WORDS = (
    "ferry",
    "leaves",
    "at",
    "seven",
    "tug",
    "tows",
    "it",
    "past",
    "lamps",
    "boats",
    "walls",
    "roads",
    "birds",
    "sea",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"method": "lora"},
    "frozen": {"method": "frozen"},
    "batches of 32": {"training": {"per_device_train_batch_size": 32}},
    "accumulated": {"training": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}},
    "grouped by length": {"padding": "grouped"},
    "padded to 64": {"padding": "max_length", "max_length": 64},
    "three epochs": {"training": {"num_train_epochs": 3}},
}


def write_rows(path: Path, rows: int) -> Path:
    """Write texts of 3 to 40 words with one of two labels each, and a fifth of them for validation."""
    drawn = random.Random(0)
    lines = [f"{' '.join(drawn.choices(WORDS, k=drawn.randint(3, 40)))} {row},{'ab'[row % 2]}" for row in range(rows)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def measure(runs: RunStore, config: RunConfig, path: Path) -> tuple[float, float]:
    """Return the seconds that were foretold, and those that it took from then on."""
    run = runs.start(runs.create(config, path))
    while run.status().active:
        time.sleep(0.2)
    events = run.events()
    probed = next(each for each in events if isinstance(each, Probed))
    finished = next(each for each in events if isinstance(each, Finished))
    return probed.estimated_seconds, finished.time - probed.time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=600)
    asked = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        engine = ProcessEngine(settings)
        runs = RunStore(settings, engine)
        path = write_rows(Path(home) / "rows.csv", asked.rows)
        try:
            for name, changes in SETTINGS.items():
                changes = {**changes, "training": {"num_train_epochs": 1, **changes.get("training", {})}}
                foretold, took = measure(runs, RunConfig("rows", **changes), path)
                worst = max(worst, abs(foretold / took - 1))
                print(f"{name:20} foretold {foretold:6.1f} s, took {took:6.1f} s: {foretold / took:.2f}", flush=True)
        finally:
            engine.close()
    return 0 if worst <= CLAIM else 1


if __name__ == "__main__":
    sys.exit(main())
