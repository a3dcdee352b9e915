"""How much faster calls that meet are than the same calls one after the other: `python -m benchmarks.sharing`."""

from __future__ import annotations

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hfdemo.inference import predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS

MODEL = ModelRef.parse("embedded:sentiment")
CALLS, ROUNDS = 64, 5
TEXT = "It starts slowly, but the last half hour is as good as anything on screen this year."


def seconds_at(callers: int, models: ModelCache) -> float:
    """Seconds that CALLS classifications by `embedded:sentiment` take from `callers` threads at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda _: predict(models, TASKS["text-classification"], MODEL, {"text": TEXT}), range(CALLS)))
    return time.perf_counter() - began


def main() -> None:
    models = ModelCache(Settings(home=Path(tempfile.mkdtemp())))
    predict(models, TASKS["text-classification"], MODEL, {"text": TEXT})
    rounds = [(seconds_at(1, models), seconds_at(16, models)) for _ in range(ROUNDS)]
    ratios = [alone / together for alone, together in rounds]
    print(f"{CALLS} calls, 1 caller against 16, {ROUNDS} rounds: {statistics.median(ratios):.2f} times as fast")
    print("each round: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
