"""The page stays live while a training and a generation go on; `benchmarks/page_live.py` has the figures."""

import statistics
from pathlib import Path

import pytest

from benchmarks.page_live import LIST_TASKS, keep_busy, time_answers
from tests.conftest import serve
from tests.zoo import make_writer


@pytest.mark.slow
def test_answers_come_while_it_trains_and_writes(tmp_path: Path) -> None:
    """Beside the quiet figure of the same minutes, which the machine's other work makes longer as well."""
    writer = make_writer(tmp_path / "writer")
    with serve(tmp_path / "home", forking=True) as server:
        time_answers(server, 10, [LIST_TASKS])
        quiet = time_answers(server, 50, [LIST_TASKS])[LIST_TASKS]
        with keep_busy(server, writer):
            busy = time_answers(server, 50, [LIST_TASKS])[LIST_TASKS]
    assert statistics.median(busy) < 20 * statistics.median(quiet) + 0.1
