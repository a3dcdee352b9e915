"""Nothing that a foreign repository names is opened, and an honest one is what it was."""

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import ModelError
from hfdemo.models import foreign_files, foreign_keys
from hfdemo.models.foreign_files import clean_copy
from hfdemo.settings import Settings
from tests import forked
from tests.conftest import ROOT
from tests.models.canaries import CANARIES, base_files
from tests.models.hub import NOWHERE, Repo, serve
from tests.zoo import MAKERS

# Repositories of which even one is downloaded and used with the Hub at hand.
FEW = ("map-vocab_file-BertTokenizer", "index-absolute", "adapter-base", "config-climb-fast_tokenizer_files")
ROUTES = {"tokenize", "predict", "facts", "ready", "train"}


@pytest.fixture(scope="module")
def repos(canaries: Path) -> dict[str, dict[str, bytes]]:
    files = base_files()
    made = {"honest": files}
    for name, change in CANARIES.items():
        made[name] = dict(files)
        change(made[name], str(canaries))
    return made


@pytest.fixture(scope="module")
def hub(repos: dict[str, dict[str, bytes]]) -> Iterator[str]:
    with serve({f"owner/{name}": Repo(files) for name, files in repos.items()}) as address:
        yield address


def listen(
    endpoint: str, home: Path, canaries: Path, references: Sequence[str], *, public: bool, only_download: bool = False
) -> dict[str, tuple[list[str], list[str]]]:
    """What fires, and which routes answer, of each reference in a fresh process whose Hub is `endpoint`."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    asked = json.dumps([str(home), str(canaries), public, only_download, list(references)])
    done = forked.run(["-c", "from tests.models.canaries import main; main()", asked], cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])
    return {name.rpartition("/")[2]: (fired, answered) for name, (fired, answered) in found.items()}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="inotify tells what was opened")
def test_no_canary_fires_through_any_route_and_the_honest_model_answers(
    hub: str, repos: dict[str, dict[str, bytes]], canaries: Path, tmp_path: Path
) -> None:
    assert len(CANARIES) >= 40
    references = [f"owner/{name}" for name in repos]
    online = listen(hub, tmp_path, canaries, ["owner/honest", *(f"owner/{name}" for name in FEW)], public=True)
    downloaded = listen(hub, tmp_path, canaries, references, public=True, only_download=True)
    offline = listen(NOWHERE, tmp_path, canaries, references, public=True)
    for found in (online, downloaded, offline):
        assert {name: fired for name, (fired, _) in found.items() if fired} == {}
    assert set(online["honest"][1]) >= ROUTES
    assert set(offline["honest"][1]) >= ROUTES
    assert len(set(downloaded["all"][1])) == len(repos)
    # A tokenizer that is told of another vocabulary uses its own.
    assert {"tokenize", "predict", "train"} <= set(offline["map-vocab_file-BertTokenizer"][1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="inotify tells what was opened")
def test_canaries_do_fire_in_a_folder_that_is_read_as_it_is(
    repos: dict[str, dict[str, bytes]], canaries: Path, tmp_path: Path
) -> None:
    for name, files in repos.items():
        folder = tmp_path / "folders" / name
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    references = [str(tmp_path / "folders" / name) for name in repos]
    found = listen(NOWHERE, tmp_path / "home", canaries, references, public=False)
    fired = {name for name, (heard, _) in found.items() if heard}
    assert "honest" not in fired
    assert len(fired) >= 35
    told = {name for name, (heard, _) in found.items() if "tokenize: told" in heard}
    assert {"map-vocab_file-BertTokenizer", "map-vocab_file-EsmTokenizer", "config-vocab-SplinterTokenizer"} <= told
    assert {"index-absolute", "processor-OneFormer", "adapter-base", "byte_maps-decompose_map"} <= fired


@pytest.mark.slow
@pytest.mark.parametrize("task", MAKERS)
def test_an_honest_model_is_copied_byte_for_byte(task: str, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    folder = zoo(task)
    copy = clean_copy(folder, Settings(home=tmp_path, public=True))
    assert contents(copy) == contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_argument_of_every_tokenizer_is_allowed_or_known_to_open_a_file() -> None:
    opens_files = {"vocab", "merges", "entity_vocab", "self", "args", "kwargs", "_spm_precompiled_charsmap"}
    for tokenizer in tokenizer_classes():
        for name in inspect.signature(tokenizer.__init__).parameters:
            known = (
                name in foreign_keys.TOKENIZER_KEYS
                or name in foreign_keys.NESTED_ARGUMENTS
                or foreign_keys.SPECIAL_TOKEN.fullmatch(name)
                or foreign_keys.TOKEN_NUMBER.fullmatch(name)
            )
            assert known or name in opens_files or name.endswith("_file"), f"{tokenizer.__name__}: {name}"


def test_no_allowed_key_of_a_tokenizer_or_an_adapter_names_a_file() -> None:
    for name in foreign_keys.TOKENIZER_KEYS | foreign_keys.ADAPTER_KEYS | foreign_keys.ADAPTER_TEXTS:
        assert not foreign_keys.PATH_KEY.search(name)
        assert not foreign_keys.CODE_KEY.match(name)
        assert name not in foreign_keys.REFUSED_KEYS


def test_every_vocabulary_of_every_tokenizer_is_part_of_a_copy() -> None:
    known = (*foreign_files._RULES, *foreign_files._VOCABULARIES)
    for tokenizer in tokenizer_classes():
        for name in tokenizer.vocab_files_names.values():
            assert any(fnmatch(name, pattern) for pattern in known), f"{tokenizer.__name__}: {name}"


def tokenizer_classes() -> list[Any]:
    """The tokenizers of the library that can be imported here."""
    import transformers
    from transformers import PreTrainedTokenizerBase

    found = []
    for name in dir(transformers):
        if "Tokenizer" in name:
            part = getattr(transformers, name)
            if inspect.isclass(part) and issubclass(part, PreTrainedTokenizerBase):
                found.append(part)
    assert len(found) > 60
    return found


def copy_of(tmp_path: Path, files: Mapping[str, Any], public: bool = True) -> dict[str, Any]:
    """The JSON files of a copy of a folder with these."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))
    copy = clean_copy(folder, Settings(home=tmp_path / "home", public=public))
    return {path.name: json.loads(path.read_text()) for path in copy.glob("*.json")}


def test_a_config_loses_paths_and_code_and_keeps_numbers_names_and_texts(tmp_path: Path) -> None:
    kept = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": 8,
        "use_mem_eff_path": True,
        "id2label": {"0": "/", "1": "and/or"},
        "label2id": {"log_file": 0, "custom_x": 1},
        "_name_or_path": "owner/name",
        "text_config": {"hidden_act": "gelu"},
    }
    lost = {
        "vocab_file": 0,
        "index_path": "x",
        "auto_map": {"AutoModel": "m.C"},
        "backbone": "owner/name",
        "where": "/etc/passwd",
        "up": "..",
        "home": "~",
        "links": ["gelu", "C:\\x"],
        "custom_generate": "x",
        "_auto_class": "AutoModel",
        "attn_implementation": "owner/kernel",
        "here": "pyproject.toml",
    }
    inner = {"text_config": {"hidden_act": "gelu", "repo_path": "x", "_name_or_path": "owner/name"}}
    assert copy_of(tmp_path, {"config.json": kept | lost | inner}) == {"config.json": kept}


def test_a_tokenizer_config_and_its_special_tokens_keep_known_keys_alone(tmp_path: Path) -> None:
    token = {"content": "</s>", "lstrip": False, "__type": "AddedToken"}
    kept = {
        "pad_token": "/x",
        "eos_token": token,
        "image_token": "<image>",
        "model_max_length": 512,
        "chat_template": "{% for m in messages %}/{{ m }}{% endfor %}",
        "added_tokens_decoder": {"0": token},
        "extra_special_tokens": {"image_token": "<image>"},
        "sp_model_kwargs": {"nbest_size": 3},
    }
    lost = {"vocab": 0, "unknown": 1, "merges": "x", "init_inputs": ["x"], "use_auth_token": "x", "tokenizer_file": "x"}
    more = {
        "eos_token": {**token, "vocab_file": "x"},
        "extra_special_tokens": {"image_token": "<image>", "vocab_file": "x"},
        "sp_model_kwargs": {"nbest_size": 3, "model_file": "x"},
    }
    found = copy_of(
        tmp_path, {"tokenizer_config.json": kept | lost | more, "special_tokens_map.json": {"pad_token": "x"} | lost}
    )
    assert found == {"tokenizer_config.json": kept, "special_tokens_map.json": {"pad_token": "x"}}


@pytest.mark.parametrize(
    ("base", "stays", "stays_in_public"),
    [
        ("owner/name", True, True),
        ("embedded:minilm", True, True),
        ("run:20260101-000000-x", True, False),
        ("/etc", False, False),
        ("~/models", False, False),
        ("tests", False, False),
        (5, False, False),
    ],
)
def test_an_adapter_stands_on_a_model_of_the_hub_or_of_this_app(
    base: Any, stays: bool, stays_in_public: bool, tmp_path: Path
) -> None:
    written = {"base_model_name_or_path": base, "r": 8, "target_modules": ".*\\.(q|v)/x", "megatron_core": "os"}
    for public, expected in ((False, stays), (True, stays_in_public)):
        (tmp_path / str(public)).mkdir()
        found = copy_of(tmp_path / str(public), {"adapter_config.json": written}, public)
        assert ("base_model_name_or_path" in found["adapter_config.json"]) == expected
        assert found["adapter_config.json"].keys() - {"base_model_name_or_path"} == {"r", "target_modules"}


def test_only_files_of_a_model_are_copied_and_pickles_on_a_local_server_alone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "qformer_tokenizer").mkdir(parents=True)
    (folder / "custom_generate").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "vocab.txt").symlink_to(tmp_path / "secret.txt")
    names = ("config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "run.py", "spk_dict.pt")
    inner = ("qformer_tokenizer/tokenizer.json", "custom_generate/generate.py", "audio_tokenizer_config.json")
    for name in (*names, *inner):
        (folder / name).write_text("{}")
    public = contents(clean_copy(folder, Settings(home=tmp_path / "home", public=True))).keys()
    local = contents(clean_copy(folder, Settings(home=tmp_path / "home"))).keys()
    assert public == {"config.json", "model.safetensors", "tokenizer.json", "qformer_tokenizer/tokenizer.json"}
    assert local == public | {"pytorch_model.bin"}


def test_a_copy_is_made_once_and_anew_when_a_file_changes(tmp_path: Path) -> None:
    folder, settings = tmp_path / "folder", Settings(home=tmp_path / "home")
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    first = clean_copy(folder, settings)
    assert clean_copy(folder, settings) == first
    (folder / "config.json").write_text('{"model_type": "roberta"}')
    assert json.loads((clean_copy(folder, settings) / "config.json").read_text()) == {"model_type": "roberta"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", json.dumps({"chat_template": "x" * 600_000})),
        ("chat_template.jinja", "x" * 600_000),
        ("config.json", json.dumps({"id2label": {str(i): "x" * 100 for i in range(160_000)}})),
        ("config.json", '{"a":' * 100_000),
    ],
)
def test_a_file_larger_or_deeper_than_any_honest_one_is_refused(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_text(content)
    with pytest.raises(ModelError, match="Pick another model"):
        clean_copy(tmp_path / "folder", Settings(home=tmp_path / "home"))


def test_a_broken_file_stays_broken_in_every_encoding(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    # To a reader that takes it for latin-1, which peft may do, this is JSON.
    (folder / "adapter_config.json").write_bytes(b'{"megatron_core": "os", "r": 8, "bias": "\xff"}')
    (folder / "config.json").write_text('{"vocab_file": "x"')
    copy = clean_copy(folder, Settings(home=tmp_path / "home"))
    assert "megatron_core" not in (copy / "adapter_config.json").read_text(encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        json.loads((copy / "config.json").read_text(encoding="latin-1"))
