"""The claim: with the form's defaults, both example data sets train to a result that is worth having.

    python -m benchmarks.defaults [dataset ...]

A dataset is an example name or a path (a CSV, or a folder with train.csv, validation.csv, test.csv). Each is trained
once with nothing but defaults, through the command line, in a home of its own; prints one line per data set and fails
when a claim does not hold. Seconds depend on the machine: compare them within one run only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hfdemo.data_sources import EXAMPLE_NAMES

ACCURACY = {"tickets": 0.85}
ABOVE_BASELINE = 0.10


def measure(dataset: str, home: Path) -> tuple[dict[str, float], dict[str, float], float]:
    """(metrics, baseline, seconds) on the last held-out split of `dataset`."""
    config = home / "config.json"
    config.write_text(json.dumps({"dataset": dataset}))
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "hfdemo.finetuning", str(config)],
        env={**os.environ, "HFDEMO_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.monotonic() - started
    report = json.loads(next(home.glob("runs/*/report.json")).read_text())
    split = list(report["metrics"])[-1]
    return report["metrics"][split], report["baseline"][split], seconds


def main(datasets: list[str]) -> int:
    failed = 0
    print(f"{'data set':<24} {'accuracy':>8} {'f1':>8} {'baseline':>8} {'seconds':>8}")
    for dataset in datasets:
        with tempfile.TemporaryDirectory() as home:
            metrics, baseline, seconds = measure(dataset, Path(home))
        accuracy, guess = metrics["accuracy"], baseline["accuracy"]
        print(f"{dataset[-24:]:<24} {accuracy:8.3f} {metrics['f1']:8.3f} {guess:8.3f} {seconds:8.0f}", flush=True)
        failed += accuracy < max(ACCURACY.get(dataset, 0.0), guess + ABOVE_BASELINE)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(EXAMPLE_NAMES)))
