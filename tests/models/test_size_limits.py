"""A model is as large, and writes as much, as there is room for, whatever its own files say."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.inference import predict
from hfdemo.models import size_limits
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import Need, load_model, load_on_meta_device
from hfdemo.models.reference import ModelRef
from hfdemo.models.size_limits import LONGEST_LENGTH, MOST_BEAMS, check_config_numbers, check_processor_numbers
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from tests.clock import quiet_time
from tests.tasks.test_tasks import values_for

Zoo = Callable[[str], Path]

# (model of the zoo, file, keys that lead to the number, the number)
BOMBS = (
    ("text-classification", "config.json", ("vocab_size",), 50_000_000),
    ("text-classification", "config.json", ("num_hidden_layers",), 50_000_000),
    ("text-classification", "config.json", ("vocab_size",), 16_000_000),
    ("text-classification", "config.json", ("hidden_size",), 1_000_000),
    ("text-classification", "config.json", ("intermediate_size",), 16_000_000),
    ("text-classification", "config.json", ("max_position_embeddings",), 16_000_000),
    ("text-classification", "config.json", ("type_vocab_size",), 10**18),
    ("text-classification", "config.json", ("num_labels",), 10**9),
    ("text-generation", "config.json", ("num_hidden_layers",), 10**12),
    ("text-generation", "config.json", ("head_dim",), 16_000_000),
    ("text-generation", "config.json", ("num_experts",), 50_000_000),
    ("image-text-to-text", "config.json", ("text_config", "vocab_size"), 50_000_000),
    ("image-text-to-text", "config.json", ("vision_config", "num_hidden_layers"), 50_000_000),
    ("image-text-to-text", "config.json", ("vision_config", "image_size"), 1_000_000),
    ("automatic-speech-recognition", "config.json", ("decoder_layers",), 50_000_000),
    ("automatic-speech-recognition", "config.json", ("max_target_positions",), 50_000_000),
    ("image-classification", "preprocessor_config.json", ("size", "height"), 1_000_000),
    ("automatic-speech-recognition", "preprocessor_config.json", ("chunk_length",), 10_000_000),
)


def changed(folder: Path, to: Path, file: str, path: tuple[str, ...], number: int) -> Path:
    """A copy of a model in which one number is another."""
    shutil.copytree(folder, to)
    name = file if (to / file).is_file() else "processor_config.json"
    written = json.loads((to / name).read_text())
    part: Any = written
    for key in path[:-1]:
        part = part[key] if key in part else part["image_processor"][key]
    if path[-1] not in part and name == "processor_config.json":
        part = part["feature_extractor"]
    part[path[-1]] = number
    (to / name).write_text(json.dumps(written))
    return to


@pytest.mark.parametrize(("model", "file", "path", "number"), BOMBS)
def test_a_number_beyond_what_there_is_room_for_is_refused_in_a_sentence_and_at_once(
    model: str, file: str, path: tuple[str, ...], number: int, zoo: Zoo, tmp_path: Path
) -> None:
    row = TASKS[model]
    need, settings = Need(row.classes, row.processors), Settings(home=tmp_path, public=True, model_bytes=2**29)
    changed(zoo(model), settings.runs / "bomb" / "model", file, path, number)
    for reference in ("run:bomb", "untrained:run:bomb"):
        started = quiet_time()
        with pytest.raises(DemoError, match=r"at most .* (is taken|have room) here") as caught:
            load_model(ModelRef.parse(reference), need, settings)
        assert str(caught.value).endswith((".", "model.", "dtype."))
        assert quiet_time() - started < 5
    if file == "config.json":
        with pytest.raises(DemoError):
            load_on_meta_device(ModelRef.parse("run:bomb"), settings.runs / "bomb" / "model", need, settings)


def test_layers_without_end_are_not_built(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_limits, "MOST_MODULES", 1000)  # the 20,000 that may be take three seconds
    row = TASKS["text-generation"]
    settings = Settings(home=tmp_path, public=True)
    folder = zoo("text-generation")
    changed(folder, settings.runs / "deep" / "model", "config.json", ("num_hidden_layers",), 60_000)
    started = time.thread_time()
    with pytest.raises(DemoError, match="more than 1,000 layers and parts of layers"):
        load_model(ModelRef.parse("untrained:run:deep"), Need(row.classes, row.processors), settings)
    assert time.thread_time() - started < 5


def refusal(written: dict[str, Any], check: Callable[[Any, str], None] = check_config_numbers) -> str:
    try:
        check(written, "config.json")
    except DemoError as error:
        return str(error)
    return ""


def test_numbers_that_are_no_sizes_may_be_large() -> None:
    assert refusal({"rope_theta": 10**9, "pad_token_id": 10**9, "id2label": {"0": 10**9}, "seed": 2**63}) == ""
    assert refusal({"max_position_embeddings": 10_485_760, "vocab_size": 901_629}) == ""
    assert refusal({"size": {"longest_edge": 4096}, "n_samples": 480_000}, check_processor_numbers) == ""
    assert refusal({"size": {"longest_edge": 4097}}, check_processor_numbers).startswith(
        "config.json says size.longest"
    )


@pytest.mark.slow
def test_the_config_of_every_architecture_passes() -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    passed, refused = 0, {}
    for name in CONFIG_MAPPING:
        try:
            written = CONFIG_MAPPING[name]().to_dict()
        except Exception:  # a few have no defaults
            continue
        passed += 1
        if found := refusal(written):
            refused[name] = found
    assert passed > 700
    assert refused == {}


# --- How much a model may write, whatever its own files ask for. ---

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
