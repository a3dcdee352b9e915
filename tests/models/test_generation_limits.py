"""A model writes no more than one call may have, whatever its own files ask for."""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hfdemo.inference import predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.generation_limits import LONGEST_LENGTH, MOST_BEAMS
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from tests.tasks.test_tasks import values_for

Zoo = Callable[[str], Path]
WITHOUT_END = {"max_new_tokens": 10**9, "max_length": 10**12, "eos_token_id": None, "forced_eos_token_id": None}
MOST = 12


def greedy(folder: Path, to: Path, generation: Mapping[str, Any]) -> Path:
    """A copy of a model that asks for `generation` itself."""
    shutil.copytree(folder, to)
    path = to / "generation_config.json"
    written = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**written, **generation}))
    config = json.loads((to / "config.json").read_text())
    config["task_specific_params"] = {"summarization": generation, "text-generation": generation}
    (to / "config.json").write_text(json.dumps(config))
    return to


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [
        *("text-generation", "summarization", "translation", "text2text-generation", "automatic-speech-recognition"),
        *("image-text-to-text", "any-to-any", "document-question-answering/donut"),
    ],
)
def test_a_model_that_asks_for_a_billion_tokens_writes_as_many_as_a_call_may_have(
    key: str, zoo: Zoo, tmp_path: Path
) -> None:
    task = TASKS[key.split("/")[0]]
    cache = ModelCache(Settings(home=tmp_path / "home", max_new_tokens=MOST))
    values = {name: value for name, value in values_for(key).items() if name != "max_new_tokens"}
    folder = greedy(zoo(key), tmp_path / "greedy", WITHOUT_END)
    done = predict(cache, task, ModelRef.parse(str(folder)), values)
    assert 0 < done.tokens <= MOST


def test_who_is_ended_is_told_so_and_a_call_that_asks_for_more_is_as_well(zoo: Zoo, tmp_path: Path) -> None:
    cache = ModelCache(Settings(home=tmp_path / "home", max_new_tokens=MOST))
    ref = ModelRef.parse(str(greedy(zoo("text-generation"), tmp_path / "greedy", {"eos_token_id": None})))
    for asked in ({}, {"max_new_tokens": 100}):
        done = predict(cache, TASKS["text-generation"], ref, {"text": "A lamp", **asked})
        assert done.tokens == MOST
        assert "It was ended after 12 tokens, the most that a model writes here in one call." in done.warnings


def test_beams_and_lengths_that_a_model_asks_for_are_lowered(zoo: Zoo, tmp_path: Path) -> None:
    asked = {"num_beams": 10**6, "num_return_sequences": 10**6, "max_length": 10**12, "min_new_tokens": 10**9}
    cache = ModelCache(Settings(home=tmp_path / "home", max_new_tokens=MOST))
    ref = ModelRef.parse(str(greedy(zoo("text-generation"), tmp_path / "greedy", asked)))
    done = predict(cache, TASKS["text-generation"], ref, {"text": "A lamp"})
    loaded = cache.find_loaded(ref)
    assert loaded is not None
    found = loaded.model.generation_config
    assert (found.num_beams, found.num_return_sequences) == (MOST_BEAMS, MOST_BEAMS)
    assert (found.max_length, found.min_new_tokens) == (LONGEST_LENGTH, MOST)
    assert loaded.model.config.task_specific_params["text-generation"]["num_beams"] == MOST_BEAMS
    assert 0 < done.tokens <= MOST


def test_a_public_server_allows_fewer_tokens() -> None:
    assert Settings().max_new_tokens > Settings(public=True).max_new_tokens


def test_who_leaves_ends_it_however_much_the_model_asks_for(zoo: Zoo, tmp_path: Path) -> None:
    stop, seen = threading.Event(), []
    ref = ModelRef.parse(str(greedy(zoo("text-generation"), tmp_path / "greedy", WITHOUT_END)))

    def hear(part: Any) -> None:
        seen.append(part)
        stop.set()

    cache = ModelCache(Settings(home=tmp_path / "home"))
    done = predict(cache, TASKS["text-generation"], ref, {"text": "A lamp"}, stop=stop, on_partial=hear)
    assert (done.stopped, done.tokens) == (True, 1)
