"""Pages that were closed are forgotten: memory, threads and files of a server are what they were before."""

from pathlib import Path

import psutil
import pytest

from benchmarks.soak_sessions import find_excess, soak
from tests.conftest import serve


@pytest.mark.soak
@pytest.mark.parametrize("sessions", [200, 2_000])
def test_of_pages_that_were_opened_and_closed_nothing_stays(sessions: int, tmp_path: Path) -> None:
    with serve(tmp_path, HFDEMO_SESSION_SECONDS="2", HFDEMO_SESSIONS="4000") as server:
        before, after = soak(server.url, psutil.Process(server.process.pid), tmp_path, sessions)
    assert find_excess(before, after) == ""
