"""An adapter names layers, with expressions at most that end, and is no larger than there is room for."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.models.adapter_limits import PATTERN_FIELDS, check_patterns
from hfdemo.models.folders import SENTIMENT
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

CLASSIFIER = "AutoModelForSequenceClassification"
NAME = "bert.encoder.layer.11.attention.output.dense_of_some_long_name.lora_embedding"
HONEST = (
    *(
        "all-linear",
        "query",
        "encoder.layer.0.attention.self.value",
        r".*\.(query|value)",
        r"^model\.layers\.\d+\.mlp$",
    ),
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|mlp).*?(?:q_proj|k_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.mlp)",
)
ENDLESS = (
    *(r"(\w+)+$", r"(.*)*x", r"((\w|e)*)*!", r"(.*.*)*x", ".*" * 12 + "!", r"(\w{1,20}){1,20}!", r"(\w+)\1+!"),
    *("(", "a{99999999999}", "x" * 100_000),
)


def refusal(options: dict[str, Any]) -> str:
    try:
        check_patterns(options, "lora's")
    except DemoError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("pattern", HONEST)
def test_names_and_expressions_that_people_use_pass_and_are_matched_in_no_time(pattern: str) -> None:
    assert refusal({"target_modules": pattern, "rank_pattern": {pattern: 4}}) == ""
    began = time.thread_time()
    for field in (pattern, rf"(.*\.)?({pattern})$"):  # as peft does
        re.fullmatch(field, NAME)
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize("pattern", ENDLESS)
@pytest.mark.parametrize("field", PATTERN_FIELDS)
def test_an_expression_that_may_never_end_is_refused_in_every_field(field: str, pattern: str) -> None:
    began = time.thread_time()
    for value in ([pattern], {pattern: 4}, pattern):
        assert refusal({field: value}).startswith(f"lora's {field} holds ")
    assert time.thread_time() - began < 0.5


def test_names_are_texts_and_not_too_many() -> None:
    assert "which is no text" in refusal({"modules_to_save": [{"a": 1}]})
    assert "has 3,000 names" in refusal({"target_modules": ["query"] * 3_000})


def adapter(to: Path, **changes: Any) -> ModelRef:
    """The adapter of this app with another config, as a run, which a public server loads."""
    folder = to / "runs" / "bad" / "model"
    shutil.copytree(SENTIMENT, folder)
    written = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**written, **changes}))
    return ModelRef.parse("run:bad")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target_modules": r"(\w+)+!"}, "could be matched for ever"),
        ({"modules_to_save": [r"(\w+)+!"]}, "could be matched for ever"),
        ({"r": 10**9}, "no tensor of the adapter has"),
        ({"rank_pattern": {"query": 10**6}}, "no tensor of the adapter has"),
        ({"layer_replication": [[0, 10**9]]}, "can't be loaded"),
    ],
)
def test_an_adapter_from_elsewhere_neither_hangs_nor_takes_the_memory(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    ref = adapter(tmp_path, **changes)
    began = time.thread_time()
    with pytest.raises(DemoError, match=said):
        load_model(ref, CLASSIFIER, Settings(home=tmp_path, public=True))
    assert time.thread_time() - began < 10
