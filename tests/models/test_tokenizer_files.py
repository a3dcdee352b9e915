"""Tokenizers as files: a tokenizer.json, a folder without a model, and what is neither."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError, ModelError
from hfdemo.models.cache import ModelCache
from hfdemo.models.folders import list_offline_tokenizers
from hfdemo.models.model_facts import model_facts
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.snippets import write_tokenizer
from hfdemo.models.trained_tokenizers import archive_tokenizer, import_tokenizer, trained_folder
from hfdemo.settings import Settings

TEXT = "The harbour froze over."


@pytest.fixture
def saved(settings: Settings) -> Callable[[str], Path]:
    """The files of a built-in tokenizer: a folder by `save_pretrained`."""
    return lambda name: trained_folder(ModelRef("tokenizer", name), settings)


def ids(tokenizer: Any) -> list[int]:
    found: list[int] = tokenizer(TEXT)["input_ids"]
    return found


@pytest.mark.parametrize("name", ["wordpiece", "bpe", "unigram"])
@pytest.mark.parametrize("form", ["file", "folder of one file", "folder"])
def test_a_tokenizer_without_a_model_is_loaded_and_is_itself(
    settings: Settings, saved: Callable[[str], Path], tmp_path: Path, name: str, form: str
) -> None:
    source = saved(name)
    expected = load_tokenizer(ModelRef("tokenizer", name), settings)
    if form == "folder":
        path = source
    else:
        (tmp_path / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
        path = tmp_path / "tokenizer.json" if form == "file" else tmp_path
    ref = ModelRef.parse(str(path))
    found = load_tokenizer(ref, settings)
    assert ids(found) == ids(expected)
    assert (found.pad_token, found.eos_token, found.mask_token) == (
        expected.pad_token,
        expected.eos_token,
        expected.mask_token,
    )
    assert model_facts(ref, settings) is None
    space: dict[str, Any] = {}
    exec("from transformers import AutoTokenizer\n" + write_tokenizer(ref, settings), space)
    assert ids(space["tokenizer"]) == ids(expected)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"a": 1}, "is neither a tokenizer.json"),
        ([1, 2], "is neither a tokenizer.json"),
        ({"model": "bert"}, "is neither a tokenizer.json"),
        ("no JSON", "is neither a tokenizer.json"),
        ({"model": {"type": "BPE"}, "added_tokens": [], "version": "1.0"}, "can't be loaded as a tokenizer"),
    ],
)
def test_any_other_json_is_refused(settings: Settings, tmp_path: Path, written: Any, said: str) -> None:
    path = tmp_path / "some.json"
    path.write_text(written if isinstance(written, str) else json.dumps(written))
    with pytest.raises(ModelError, match=said):
        load_tokenizer(ModelRef.parse(str(path)), settings)


def test_a_config_alone_still_has_the_embedded_tokenizer(settings: Settings, tiny: Path) -> None:
    assert len(load_tokenizer(ModelRef.parse(f"untrained:{tiny}/config.json"), settings)) == 30522
    assert len(load_tokenizer(ModelRef.parse(f"{tiny}/config.json"), settings)) == 30522


def test_a_folder_with_neither_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no tokenizer.json, no tokenizer_config.json and no config.json"):
        load_tokenizer(ModelRef.parse(str(tmp_path)), settings)


def test_a_file_that_is_brought_along_is_kept_under_a_name(settings: Settings, saved: Callable[[str], Path]) -> None:
    file = saved("wordpiece") / "tokenizer.json"
    ref = import_tokenizer(file, settings)
    assert str(ref).startswith("tokenizer:file-")
    assert import_tokenizer(file, settings) == ref
    assert str(ref) in list_offline_tokenizers(settings)
    expected = load_tokenizer(ModelRef("tokenizer", "wordpiece"), settings)
    with ModelCache(settings).hold_tokenizer(ref) as tokenizer:
        assert ids(tokenizer) == ids(expected)


def test_what_is_no_tokenizer_is_not_kept(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    before = list_offline_tokenizers(settings)
    (tmp_path / "broken.json").write_text('{"model": {}, "added_tokens": []}')
    for path in (tiny / "config.json", tmp_path / "broken.json", tmp_path / "gone.json"):
        with pytest.raises(DemoError):
            import_tokenizer(path, settings)
    assert list_offline_tokenizers(settings) == before


@pytest.mark.parametrize("name", ["bpe", "bytes"])
def test_a_tokenizer_is_downloaded_as_a_folder_that_loads(settings: Settings, tmp_path: Path, name: str) -> None:
    ref = ModelRef("tokenizer", name)
    packed = archive_tokenizer(ref, tmp_path / "out", settings)
    with zipfile.ZipFile(packed) as file:
        assert not any(part.startswith((".", "owner")) for part in file.namelist())
        file.extractall(tmp_path / name)
    again = load_tokenizer(ModelRef.parse(str(tmp_path / name)), settings)
    assert ids(again) == ids(load_tokenizer(ref, settings))
    with pytest.raises(ModelError, match="was not trained here"):
        archive_tokenizer(ModelRef.parse("embedded:minilm"), tmp_path, settings)


def test_a_package_that_a_tokenizer_lacks_is_named_with_its_install_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}'
    )
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    with pytest.raises(ModelError, match=r"needs a package that is not installed here.*\(pip install fugashi\)"):
        load_tokenizer(ModelRef.parse(str(tmp_path)), settings)
