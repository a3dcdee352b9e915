"""The code beside a result gives that result: each form of it is run as it is shown."""

import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hfdemo.inference import Prediction, predict
from hfdemo.inference.snippets import RecordedCall, Snippets, write_snippets
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.tasks import TASKS
from tests.conftest import Server
from tests.tasks.test_tasks import assert_same, values_for
from tests.tokenization.test_snippets import run_alone
from tests.zoo import MAKERS

URL = "http://127.0.0.1:7860"


def shown(
    models: ModelCache, key: str, model: str, values: dict[str, Any], url: str = URL
) -> tuple[Prediction, Snippets]:
    task = TASKS[key.split("/")[0]]
    prediction = predict(models, task, ModelRef.parse(model), values)
    return prediction, write_snippets(RecordedCall.of(task, prediction, values), models.settings, url)


def files_in(folder: Path, values: dict[str, Any]) -> None:
    """Lay the files of an example beside the script, where its code looks for them."""
    for value in values.values():
        if isinstance(value, Path):
            shutil.copy(value, folder)


RUNS_HERE = [key for key in MAKERS if not key.startswith("mask-generation")]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pipeline", "auto_classes"])
@pytest.mark.parametrize("key", RUNS_HERE)
def test_the_code_gives_what_is_shown(
    key: str, form: str, models: ModelCache, zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = values_for(key)
    prediction, snippets = shown(models, key, str(zoo(key)), values)
    code = getattr(snippets, form)
    assert "hfdemo" not in code.replace(str(zoo(key)), "")
    files_in(tmp_path, values)
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), np.printoptions(threshold=10):
        exec(compile(code, f"{key} {form}", "exec"), space)
    assert_same(prediction.output, to_json(space["output"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "model", "values"),
    [
        ("text-classification", "embedded:sentiment", {"text": 'It\'s "fine"\\n, I guess', "top_k": 1}),
        ("feature-extraction", "embedded:sentiment", {"text": "dull " * 600}),
        ("text-classification", "untrained:embedded:minilm", {"text": "a", "text_pair": "b"}),
    ],
)
def test_the_code_runs_where_this_project_can_not_be_imported(
    models: ModelCache, tmp_path: Path, task: str, model: str, values: dict[str, Any]
) -> None:
    prediction, snippets = shown(models, task, model, values)
    script = snippets.auto_classes + "import json\nprint(json.dumps(output))\n"
    said = json.loads(run_alone(script, tmp_path).splitlines()[-1])
    if prediction.card["trustworthy"]:
        assert_same(prediction.output, said)
    else:  # random weights are drawn anew: the form is the same
        assert {item["label"] for item in said} == {item["label"] for item in prediction.output}


def test_writing_code_does_not_hash_the_weights(models: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written after every run on the page; the hash of 90 MB belongs to loading alone."""
    from hfdemo.models import folders

    task = TASKS["text-classification"]
    for model in ("embedded:minilm", "embedded:sentiment", "untrained:embedded:minilm"):
        prediction = predict(models, task, ModelRef.parse(model), {"text": "a"})
        with monkeypatch.context() as patch:
            patch.setattr(folders, "MINILM_SHA256", "0" * 64)  # any look at the weights would now be refused
            recorded = RecordedCall.of(task, prediction, {"text": "a"})
            assert "pipeline(" in write_snippets(recorded, models.settings, URL).pipeline


def test_precision_attention_and_seed_are_part_of_the_code(models: ModelCache, zoo: Callable[[str], Path]) -> None:
    task, values = TASKS["text-generation"], {"text": "A lamp", "max_new_tokens": 3, "do_sample": "true"}
    folder = str(zoo("text-generation"))
    prediction = predict(models, task, ModelRef.parse(folder), values, dtype="bfloat16", attention="eager")
    code = write_snippets(RecordedCall.of(task, prediction, values), models.settings, URL).pipeline
    assert "dtype=torch.bfloat16" in code
    assert "attn_implementation='eager'" in code
    assert f"torch.manual_seed({prediction.seed})" in code


@pytest.mark.slow
@pytest.mark.parametrize("key", ["text-classification", "image-classification", "text-generation"])
def test_the_clients_code_and_curl_get_the_answer_from_a_running_app(
    key: str, models: ModelCache, zoo: Callable[[str], Path], tmp_path: Path, server: Server
) -> None:
    values = {**values_for(key), **({"text": 'it\'s "quoted" $HOME `x` \\\\ é'} if key.startswith("text-c") else {})}
    if key == "text-generation":
        values = {"text": 'it\'s a "lamp"', "max_new_tokens": 4, "do_sample": "false"}
    prediction, snippets = shown(models, key, str(zoo(key)), values, server.url)
    files_in(tmp_path, values)
    script = snippets.client + "import json\nprint(json.dumps(result['output']))\n"
    assert_same(prediction.output, json.loads(run_alone(script, tmp_path).splitlines()[-1]))
    done = subprocess.run(["bash", "-c", snippets.curl], cwd=tmp_path, capture_output=True, text=True, check=True)
    data = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line.startswith("data: ")]
    assert_same(prediction.output, json.loads(data[-1])[0]["output"])
