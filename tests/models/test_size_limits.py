"""A model that a config describes is as large as there is room for, whoever wrote the config."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.models import size_limits
from hfdemo.models.loading import Need, load_model, load_on_meta_device
from hfdemo.models.reference import ModelRef
from hfdemo.models.size_limits import check_config_numbers, check_processor_numbers
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from tests.clock import quiet_time

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
