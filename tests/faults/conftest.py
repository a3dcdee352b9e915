"""What the tests of faults have in common: a home of which nothing stays at work."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Whatever a test says, no process of its runs outlives it."""
    yield tmp_path / "home"
    for run in RunStore(Settings(home=tmp_path / "home")).list():
        for process in run.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
