"""The claim: reading a file and inspecting its rows takes time and memory in proportion to the rows.

    python -m benchmarks.inspect_data [--rows 1000 10000 100000 1000000] [--broken 10]

Each size is a CSV file of its own, with quoted cells, line ends in some, `--broken` quotes that are never closed and a
label column, read and inspected in a process of its own: seconds of its processor, and its largest memory above what
the imports take. Fails when a row of the largest file costs more than twice what one of the second smallest does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

FEW = 10_000  # rows, below which what is the same for every file counts


def write_reviews(path: Path, rows: int, broken: int) -> None:
    """Write a CSV file of reviews, no two alike."""
    every = max(2, rows // (broken + 1))
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("text,label\n")
        for number in range(rows):
            word = ("good", "bad")[number % 2]
            end = "\n" if number % 50 == 1 else " "
            closing = "" if broken and number % every == every - 1 else '"'
            file.write(f'"so {word} a film, number {number * 7919},{end}seen on day {number % 365}{closing},{word}\n')


def measure(path: Path, answer: multiprocessing.Queue[tuple[float, float, float, int]]) -> None:
    """Put (seconds to read, seconds to inspect, bytes at most, rows) of the file into `answer`."""
    from hfdemo.data_sources import read_corpus
    from hfdemo.finetuning.config import RunConfig
    from hfdemo.finetuning.dataset import inspect
    from hfdemo.settings import Settings

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    corpus = read_corpus("", Settings(home=path.parent, max_rows=10**8, max_data_bytes=1 << 40), path)
    read = time.process_time()
    inspect(corpus.tables, None, RunConfig("reviews"), corpus.refused, doubts=corpus.doubts)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.put((read - begin, time.process_time() - read, (most - before) * 1024, len(corpus.tables[""])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--broken", type=int, default=10, help="quotes that are never closed")
    asked = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    cost = {}
    print(f"{'rows':>10} {'file MB':>8} {'read s':>8} {'inspect s':>10} {'peak MB':>8} {'us a row':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in asked.rows:
            path = Path(folder) / f"reviews-{rows}.csv"
            write_reviews(path, rows, asked.broken)
            answer = fresh.Queue()
            child = fresh.Process(target=measure, args=(path, answer))
            child.start()
            read, inspected, peak, kept = answer.get()
            child.join()
            cost[rows] = (read + inspected) / kept
            print(
                f"{kept:>10,} {path.stat().st_size / 1e6:>8.1f} {read:>8.2f} {inspected:>10.2f} {peak / 1e6:>8.0f} "
                f"{cost[rows] * 1e6:>9.1f}",
                flush=True,
            )
            path.unlink()
    large = sorted(rows for rows in cost if rows >= FEW)
    if len(large) > 1 and cost[large[-1]] > 2 * cost[large[0]]:
        print(f"A row of {large[-1]:,} costs more than twice what one of {large[0]:,} does.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
