"""How a server takes thousands of calls that no well-meaning client makes: how many of each kind, and what went wrong.

    python -m benchmarks.attack_calls [--calls 5000] [--seed 1]

Starts an app of its own with tiny models. Fails when an answer took too long, was a 500 without a sentence or a failure
that nobody foresaw, or when the log has a traceback.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.api.attacks import MODELS, attack
from tests.conftest import serve
from tests.zoo import make


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = {task.replace("-", "_"): str(make(task, folder / task)) for task in MODELS}
        with serve(folder / "home") as server:
            began = time.perf_counter()
            kinds, faults = attack(server.url, server.home / "server.log", asked.seed, asked.calls, models)
            seconds = time.perf_counter() - began
    for kind, count in sorted(kinds.items()):
        print(f"{count:6,}  {kind}")
    print(f"{asked.calls:,} calls in {seconds:.0f} s: {len(faults)} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
