"""A clean copy of what somebody else published: files and keys from an allow-list, and nothing that names a file.

Libraries open what a repository's JSON files name, from anywhere on the machine, as arguments of the classes that they
make. SECURITY.md lists what was found where, under "Files of others".
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from hfdemo.errors import ModelError
from hfdemo.models import foreign_keys as keys
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

MOST_JSON_BYTES = 16 * 1024**2
MOST_TEMPLATE_BYTES = 512 * 1024
MOST_VOCABULARY_BYTES = 128 * 1024**2

# Part of every copy's name: raise it whenever the same files would give another copy.
_RECIPE = 1

# Vocabularies hold their content and name nothing; MyT5's, which could, is rewritten.
_VOCABULARIES = (
    *("tokenizer.json", "vocab.json", "target_vocab.json", "vocab-src.json", "vocab-tgt.json", "entity_vocab.json"),
    *("emoji.json", "word_shape.json", "word_pronunciation.json", "normalizer.json", "tekken.json", "merges.txt"),
    *("vocab.txt", "dict.txt", "*.model", "*.spm", "*.tiktoken", "*.codes", "*.tokenizer"),
)
_WEIGHTS = ("*.safetensors",)
_PICKLED_WEIGHTS = ("pytorch_model*.bin", "adapter_model*.bin")
_TEMPLATES = "*.jinja"
_FOLDERS = re.compile(r"additional_chat_templates|\w*tokenizer")


def clean_copy(folder: Path, settings: Settings) -> Path:
    """Return a folder with the files of `folder` that a model is made of, made once for the same files.

    JSON files are rewritten through an allow-list of keys. Weights and vocabularies are links; of weights a public
    server gets safetensors only.

    Raises:
        ModelError: a file is larger than any honest one.
    """
    files = dict(_list_files(folder, settings.public))
    known = [f"{_RECIPE} {settings.public}"]
    for name, path in files.items():
        found = path.stat()
        known.append(f"{name} {path.resolve()} {found.st_size} {found.st_mtime_ns}")
    digest = hashlib.sha256("\n".join(known).encode(errors="surrogateescape")).hexdigest()[:16]
    label = folder.parents[1].name if folder.parent.name == "snapshots" else folder.name
    copy = settings.home / "cache" / "models" / f"{label}-{digest}"
    if not copy.is_dir():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".") as temporary:
            whole = Path(temporary) / copy.name
            whole.mkdir()
            for name, path in files.items():
                _write_clean(path, whole / name, settings)
            try:
                whole.rename(copy)
            except OSError:
                if not copy.is_dir():  # if it is, somebody else was faster with the same
                    raise
    return copy


def _list_files(folder: Path, public: bool) -> Iterator[tuple[str, Path]]:
    """List (name, file) of what a clean copy of `folder` holds; links that lead out of the repository are no files."""
    root = (folder.parents[1] if folder.parent.name == "snapshots" else folder).resolve()
    weights = _WEIGHTS if public else _WEIGHTS + _PICKLED_WEIGHTS
    known = (*_RULES, _TEMPLATES, *_VOCABULARIES, "*.index.json")
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and _FOLDERS.fullmatch(path.name):
            for inner in sorted(path.iterdir()):
                if _is_inside(inner, root) and any(fnmatch(inner.name, pattern) for pattern in known):
                    yield f"{path.name}/{inner.name}", inner
        elif _is_inside(path, root) and any(fnmatch(path.name, pattern) for pattern in known + weights):
            yield path.name, path


def _is_inside(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root)


def _write_clean(path: Path, target: Path, settings: Settings) -> None:
    target.parent.mkdir(exist_ok=True)
    rule = _clean_index if path.name.endswith(".index.json") else _RULES.get(path.name)
    if rule is not None:
        _check_size(path, MOST_JSON_BYTES)
        target.write_bytes(_clean_json(path, partial(rule, settings)))
    elif path.suffix == ".jinja":
        _check_size(path, MOST_TEMPLATE_BYTES)
        shutil.copyfile(path, target)
    else:
        if not fnmatch(path.name, "*.safetensors") and path.suffix != ".bin":
            _check_size(path, MOST_VOCABULARY_BYTES)
        _link(path.resolve(), target)


def _check_size(path: Path, most: int) -> None:
    size = path.stat().st_size
    if size > most:
        raise ModelError(
            f"{path.name} has {size / 1024**2:.1f} MB, and at most {most / 1024**2:g} MB of it are read here. "
            "Pick another model."
        )


def _link(path: Path, target: Path) -> None:
    try:
        target.symlink_to(path)
    except OSError:  # Windows lets few people make them
        try:
            target.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, target)


def _clean_json(path: Path, clean: Callable[[Any], Any]) -> bytes:
    """Return the content of the JSON file through `clean`; what is no JSON stays so, for the library to say where."""
    content = path.read_bytes()
    text = content.decode("utf-8", errors="replace")
    try:
        written = json.loads(text)
        cleaned = clean(written if isinstance(written, dict) else {})
    except RecursionError as error:
        raise ModelError(f"{path.name} is nested too deeply. Pick another model.") from error
    except ValueError:
        return text.encode()
    if cleaned == written and text.encode() == content:
        return content
    return json.dumps(cleaned, indent=2).encode()


_DROPPED = object()


def _clean_config(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    """Clean a config of a model, a processor or of generation: keys differ by architecture, so their shape decides."""
    return _keep_origin(written) | _clean_part(written)


def _keep_origin(written: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the id of the model that this one was made from, which is shown to people and opened by nobody."""
    return {key: written[key] for key in ("_name_or_path", "name_or_path") if _is_hub_id(written.get(key))}


def _is_refused(key: str, value: Any) -> bool:
    """Return whether `key` names a file, a path or code; an empty value and a switch called use_* name none."""
    if value in (None, "") or (isinstance(value, bool) and key.startswith("use_")):
        return False
    return bool(keys.PATH_KEY.search(key) or keys.CODE_KEY.match(key)) or key in keys.REFUSED_KEYS


def _clean_value(key: str, value: Any) -> Any:
    """Return `value` without what looks like a path, _DROPPED where nothing is left."""
    if keys.TEXT_KEY.fullmatch(key):
        _check_template(key, value)
        return value
    if isinstance(value, dict):
        return _clean_part(value)
    if isinstance(value, list):
        items = [_clean_value(key, item) for item in value]
        return _DROPPED if any(item is _DROPPED for item in items) else items
    if isinstance(value, str) and not _is_name(value, looked_up=bool(keys.LOOKED_UP_KEY.fullmatch(key))):
        return _DROPPED
    return value


def _clean_part(written: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _clean_value(key, value) for key, value in written.items() if not _is_refused(key, value)}
    return {key: value for key, value in kept.items() if value is not _DROPPED}


def _is_name(text: str, looked_up: bool = False) -> bool:
    """Return whether `text` is a plain word to a library, and no path: no separator, and nothing on this disk."""
    if len(text) > 200 or ".." in text or re.search(r"[/\\~\x00-\x1f]", text):
        return False
    if not text or looked_up:
        return True
    try:
        return not Path(text).exists()
    except (OSError, ValueError):
        return False


def _is_hub_id(value: Any) -> bool:
    return (
        isinstance(value, str)
        and keys.HUB_ID.fullmatch(value) is not None
        and ".." not in value
        and not Path(value).exists()
    )


def _check_template(key: str, value: Any) -> None:
    if key == "chat_template" and len(json.dumps(value)) > MOST_TEMPLATE_BYTES:
        raise ModelError(f"The chat template has more than {MOST_TEMPLATE_BYTES // 1024} KB. Pick another model.")


def _clean_tokenizer_config(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    kept = _keep_origin(written)
    for key, value in written.items():
        cleaned: Any = _DROPPED
        if key in keys.NESTED_ARGUMENTS:
            inner = value if isinstance(value, dict) else {}
            cleaned = _clean_part({name: inner[name] for name in keys.NESTED_ARGUMENTS[key] if name in inner})
        elif key == "added_tokens_decoder":
            tokens = value if isinstance(value, dict) else {}
            cleaned = {index: _clean_token(token) for index, token in tokens.items() if index.isdecimal()}
        elif keys.SPECIAL_TOKEN.fullmatch(key):
            cleaned = _clean_token(value)
        elif key in keys.TOKENIZER_KEYS or keys.TOKEN_NUMBER.fullmatch(key):
            cleaned = _clean_value(key, value)
        if cleaned is not _DROPPED:
            kept[key] = cleaned
    return kept


def _clean_special_tokens(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _clean_token(value) for key, value in written.items() if keys.SPECIAL_TOKEN.fullmatch(key)}


def _clean_token(value: Any) -> Any:
    """Clean a special token: text, the fields of an AddedToken, a list of these, or a dict of them by name."""
    if isinstance(value, list):
        return [_clean_token(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "content" in value:
        return {
            key: inner for key, inner in value.items() if key in keys.TOKEN_FIELDS and isinstance(inner, str | bool)
        }
    return {name: _clean_token(token) for name, token in value.items() if keys.SPECIAL_TOKEN.fullmatch(name)}


def _clean_added_tokens(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    return {token: index for token, index in written.items() if isinstance(index, int)}


def _clean_chat_template(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    _check_template("chat_template", written.get("chat_template"))
    return {key: written[key] for key in ("chat_template",) if key in written}


def _clean_index(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    """Clean an index of weights: it may name files beside itself."""
    kept = {}
    for key, value in written.items():
        if key == "metadata" and isinstance(value, dict):
            kept[key] = _clean_part(value)
        elif key == "weight_map" and isinstance(value, dict):
            names = {tensor: name for tensor, name in value.items() if isinstance(name, str)}
            kept[key] = {tensor: name for tensor, name in names.items() if keys.WEIGHT_NAME.fullmatch(name)}
    return kept


def _clean_byte_maps(_settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    """Clean MyT5's vocabulary: a map that is a text is opened as a file."""
    return {key: value for key, value in written.items() if isinstance(value, dict | list)}


def _clean_adapter(settings: Settings, written: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in written.items():
        if key == "base_model_name_or_path":
            if _is_foreign_base(value, settings):
                kept[key] = value
        elif key in keys.ADAPTER_TEXTS:  # names of modules, or a regular expression for them
            kept[key] = value
        elif key in keys.ADAPTER_KEYS:
            cleaned = _clean_value(key, value)
            if cleaned is not _DROPPED:
                kept[key] = cleaned
    return kept


def _is_foreign_base(value: Any, settings: Settings) -> bool:
    """Return whether an adapter may stand on the model `value`: one on the Hub, of this app, or of one's own runs."""
    if not isinstance(value, str):
        return False
    with suppress(ModelError):
        origin = ModelRef.parse(value).origin
        if origin.source == "hub":
            return _is_hub_id(origin.name)
        return origin.source == "embedded" or (origin.source == "run" and not settings.public)
    return False


_CONFIGS = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("video_preprocessor_config.json", "decision.json", "decision_config.json", "judge_config.json"),
    "calibration.json",
)
_RULES: dict[str, Callable[[Settings, Mapping[str, Any]], dict[str, Any]]] = {
    **dict.fromkeys(_CONFIGS, _clean_config),
    "tokenizer_config.json": _clean_tokenizer_config,
    "special_tokens_map.json": _clean_special_tokens,
    "added_tokens.json": _clean_added_tokens,
    "chat_template.json": _clean_chat_template,
    "adapter_config.json": _clean_adapter,
    "byte_maps.json": _clean_byte_maps,
}
