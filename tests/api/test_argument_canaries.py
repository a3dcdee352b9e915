"""No argument of any call makes a public server, or a child of it, open a file that the argument names."""

import os
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.argument_canaries import Caller, count_requests, name_file, put_files
from tests.api.attacks import Attack, read_functions, send
from tests.conftest import Server, serve
from tests.models.canaries import SECRET, Watch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="inotify tells what was opened"),
]
PANELS = ("text-generation", "image-classification")


@dataclass
class Ears:
    """What of the canaries is heard: files that are opened, addresses that are asked for, and answers that tell."""

    url: str
    caller: Caller
    watches: list[Watch]
    asked: list[str]

    def listen(self, calls: Iterable[Attack]) -> tuple[int, list[str]]:
        """Make the calls one after the other; return how many they were, and which fired, with what was heard."""
        count, fired = 0, list[str]()
        for each in calls:
            count += 1
            status, said = send(self.url, each)
            assert status < 500 or '"error":' in said, f"{each}: {status} {said[:500]}"
            heard = [name for watch in self.watches for name in watch.opened() if name] + self.asked
            heard += ["told"] * (SECRET in said)
            if heard:
                fired.append(f"{each}: {heard}")
            self.asked.clear()
        return count, fired


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("public")
    uploads = str(home / "cache" / "gradio")
    with serve(home, forking=True, HFDEMO_PUBLIC="1", GRADIO_TEMP_DIR=uploads, CANARY_TOKEN=SECRET) as running:
        yield running


@pytest.fixture(scope="module")
def ears(public: Server) -> Iterator[Ears]:
    """Canaries where children may read, which is below the home folder: one of nobody's, and one that another sent."""
    folders = [public.home / "cache" / "canaries", public.home / "cache" / "gradio" / ("a" * 64)]
    for folder in folders:
        folder.parent.mkdir(parents=True, exist_ok=True)
        put_files(folder)
    with count_requests() as (web, asked):
        names = name_file(folders[0], web)
        names.insert(2, f"{folders[1]}/rows.csv")
        names.append(os.path.relpath(f"{folders[0]}/rows.csv"))
        served = read_functions(public.url, PANELS)
        yield Ears(public.url, Caller(served, names), [Watch(folder) for folder in folders], asked)


# What of a call names a file, and how many calls that makes at least: 3,500 together.
CALLS = {"arguments": 1_200, "configs": 600, "handlers": 1_700}


@pytest.mark.parametrize("naming", CALLS)
def test_no_canary_fires_in_a_sample_of_all_calls(ears: Ears, naming: str) -> None:
    calls = list(getattr(ears.caller, naming)())
    count, fired = ears.listen(random.Random(7).sample(calls, 60))
    assert fired == []
    assert count == 60
    assert len(calls) >= CALLS[naming]


@pytest.mark.soak
@pytest.mark.parametrize("naming", CALLS)
def test_no_canary_fires_in_any_call(ears: Ears, naming: str) -> None:
    """With each argument of each endpoint, each field of a run, and each component of each function of the page."""
    count, fired = ears.listen(getattr(ears.caller, naming)())
    assert fired == []
    assert count >= CALLS[naming]


def test_what_is_opened_and_asked_for_is_heard(ears: Ears) -> None:
    for watch in ears.watches:
        watch.opened()
    Path(ears.caller.names[0]).read_bytes()
    assert ears.watches[0].opened() == ["rows.csv"]
