"""Nothing that a data set names outside of itself is opened: tried with data sets of the Hub and with uploads."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.conftest import ROOT
from tests.data_sources.canaries import HONEST, REPOS, UPLOADS
from tests.models.hub import NOWHERE, Repo, serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="inotify tells what was opened"),
]


@pytest.fixture(scope="module")
def hub(canaries: Path) -> Iterator[str]:
    with serve({f"datasets/owner/{name}": Repo(make(str(canaries))) for name, make in REPOS.items()}) as address:
        yield address


def listen(
    endpoint: str, home: Path, canaries: Path, *, by_library: bool = False
) -> dict[str, tuple[list[str], list[str]]]:
    """What fires, and which ways lead to an answer, of each data set in a fresh process whose Hub is `endpoint`."""
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    asked = json.dumps([str(home), str(canaries), by_library])
    command = ["-c", "from tests.data_sources.canaries import main; main()", asked]
    done = forked.run(command, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        name: (fired, answered)
        for name, (fired, answered) in json.loads(
            [line for line in done.stdout.splitlines() if line.startswith("{")][-1]
        ).items()
    }


def test_no_canary_of_a_data_set_fires_and_the_honest_one_is_read(hub: str, canaries: Path, tmp_path: Path) -> None:
    assert len(REPOS) + len(UPLOADS) >= 90
    found = listen(hub, tmp_path, canaries)
    assert {name: fired for name, (fired, _) in found.items() if fired} == {}
    assert found[HONEST][1] == ["read", "outline", "texts", "examine"]
    # A data set is read although a column of it names a file, or its card does.
    read = {name for name, (_, answered) in found.items() if "read" in answered}
    assert {"lines-Image", "parquet-Audio", "parquet-Image-struct", "infos", "files-any", "upload rows"} <= read


def test_canaries_of_data_sets_do_fire_where_the_library_reads_by_itself(canaries: Path, tmp_path: Path) -> None:
    found = listen(NOWHERE, tmp_path, canaries, by_library=True)
    fired = {name for name, (heard, _) in found.items() if heard}
    assert HONEST not in fired
    assert {"lines-Image", "folder-absolute"} <= fired
