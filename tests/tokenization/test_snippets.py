"""The code that loads a tokenizer again gives what is shown: it is run as it stands."""

import ast
import os
from pathlib import Path

import pytest

from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.encoding import encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.padding import find_strategy, plan_batches, plannable_names
from hfdemo.tokenization.snippets import write_padding_script, write_tokenization_script
from tests import forked


def run_alone(script: str, folder: Path) -> str:
    """Run a script where this project can't be imported, as a stranger would."""
    path = folder / "snippet.py"
    path.write_text(script, encoding="utf-8")
    done = forked.run(["-I", str(path)], cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["embedded:minilm", "tokenizer:unigram", "tokenizer:bytes"])
def test_the_tokenization_script_prints_the_tokens_that_are_shown(
    models: ModelCache, tmp_path: Path, reference: str
) -> None:
    texts, pairs = ["naïve “quotes”", "two"], ["first", "second pair"]
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        shown = encode(tokenizer, texts, pairs, Options(padding=True), 1000).columns["tokens"]
    script = write_tokenization_script(reference, texts, pairs, {"padding": True}, models.settings)
    assert [ast.literal_eval(line) for line in run_alone(script, tmp_path).splitlines()] == shown


def test_a_tokenizer_that_needs_no_files_is_named_without_any(models: ModelCache) -> None:
    script = write_tokenization_script("tokenizer:bytes", ["a"], None, {}, models.settings)
    assert script.startswith("from transformers import ByT5Tokenizer\n\ntokenizer = ByT5Tokenizer()\n")


def test_a_hub_model_is_named_with_its_revision(models: ModelCache) -> None:
    script = write_tokenization_script("owner/name@v1", ["a"], None, {}, models.settings)
    assert "from_pretrained('owner/name', revision='v1')" in script


@pytest.mark.parametrize("max_length", [None, 12])
def test_the_padding_script_prints_the_shapes_of_every_strategy_that_pads(
    models: ModelCache, capsys: pytest.CaptureFixture[str], max_length: int | None
) -> None:
    texts = ["Why?", "The ferry leaves at seven, and the train an hour later.", "Yes.", "A short note."]
    script = write_padding_script("embedded:minilm", texts, None, 2, max_length, None, models.settings)
    exec(compile(script, "snippet.py", "exec"), {})
    printed = dict(line.split(" ", 1) for line in capsys.readouterr().out.strip().splitlines())
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    plans = [plan_batches(lengths, 2, name, max_length) for name in plannable_names(max_length)]
    padded = {each.strategy: str(each.shapes()) for each in plans if find_strategy(each.strategy).pads}
    assert printed == padded
