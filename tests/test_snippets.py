"""The code beside a result gives that result: each script is run as it is shown."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfdemo.inference import predict
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.snippets import prediction_script, tokenization_script
from hfdemo.tasks import TASKS
from hfdemo.tokenization.encoding import Options, encode


def run(script: str, folder: Path) -> str:
    """Run a script where this project can't be imported, as a stranger would."""
    path = folder / "snippet.py"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(path)],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "model", "values"),
    [
        ("text-classification", "embedded:sentiment", {"text": 'It\'s "fine"\\n, I guess', "top_k": 1}),
        ("feature-extraction", "embedded:minilm", {"text": "hello"}),
        ("feature-extraction", "embedded:sentiment", {"text": "dull"}),
    ],
)
def test_the_prediction_script_prints_what_the_panel_shows(
    models: ModelCache, tmp_path: Path, task: str, model: str, values: dict[str, object]
) -> None:
    shown = predict(models, TASKS[task], model, values)
    said = ast.literal_eval(run(prediction_script(TASKS[task], model, shown.call, models.settings), tmp_path))
    flat, expected = (_numbers(output) for output in (said, shown.output))
    assert flat == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_the_tokenization_script_prints_the_tokens_that_are_shown(models: ModelCache, tmp_path: Path) -> None:
    texts, pairs = ["naïve “quotes”", "two"], ["first", "second pair"]
    with models.tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        shown = encode(tokenizer, texts, pairs, Options(padding=True), 1000).columns["tokens"]
    script = tokenization_script("embedded:minilm", texts, pairs, {"padding": True}, models.settings)
    assert [ast.literal_eval(line) for line in run(script, tmp_path).splitlines()] == shown


def test_writing_a_snippet_does_not_hash_the_weights(models: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written after every run on the page; the hash of 90 MB belongs to loading alone."""
    from hfdemo.models import sources

    monkeypatch.setattr(sources, "MINILM_SHA256", "0" * 64)  # any look at the weights would now be refused
    for model in ("embedded:minilm", "embedded:sentiment", "untrained:embedded:minilm"):
        task = TASKS["text-classification"]
        call = task.call({"text": "a", "text_pair": None}, {"top_k": None, "function_to_apply": None})
        compile(prediction_script(task, model, call, models.settings), "snippet", "exec")


def test_a_hub_model_is_named_with_its_revision(models: ModelCache) -> None:
    script = tokenization_script("owner/name@v1", ["a"], None, {}, models.settings)
    assert "from_pretrained('owner/name', revision='v1')" in script


def _numbers(output: object) -> list[float]:
    if isinstance(output, dict):
        return [float(output["score"])]
    if isinstance(output, list):
        return [number for item in output for number in _numbers(item)]
    return [float(str(output))]
