"""What stands between a person's input and the model: tokenizers, image processors, feature extractors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.errors import ModelError, first_sentence, wrap_library_errors
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.folders import adapter_bases, folder_with_tokenizer, local_folder
from hfdemo.models.reference import ModelRef
from hfdemo.models.size_limits import check_processor_numbers
from hfdemo.models.tokenizer_files import load_tokenizer_json, lone_tokenizer_file
from hfdemo.models.trained_tokenizers import retrain_from_file
from hfdemo.settings import Settings

_AUTO = {
    "tokenizer": "AutoTokenizer",
    "image_processor": "AutoImageProcessor",
    "feature_extractor": "AutoFeatureExtractor",
    "processor": "AutoProcessor",
}
# How the library names what it lacks: "You need to install fugashi to use ...", "requires the SentencePiece library".
_PACKAGE = re.compile(r"(?:need to install|requires the) (\w+)")
_VOCABULARY = ("tokenizer*", "vocab*", "*.model", "*.spm", "*.tiktoken", "*.codes", "tekken.json")
_CONFIGS = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)


def load_processors(folder: Path, names: Iterable[str], settings: Settings) -> dict[str, Any]:
    """Load the processors called `names` of the model in `folder`, by name.

    A name with "?" at the end is left out where the model has no such thing.

    Raises:
        ModelError: one that is needed is missing or broken, or a package that it needs is not installed.
    """
    found: dict[str, Any] = {}
    # A processor comes first: what it is made of is then taken out of it instead of loaded twice.
    for wanted in sorted(names, key=lambda name: not name.startswith("processor")):
        name = wanted.removesuffix("?")
        part = getattr(found.get("processor"), name, None)
        if part is None:
            part = _load_processor(folder, name, settings, optional=wanted != name)
        if part is not None:
            found[name] = part
    return found


def load_tokenizer(ref: ModelRef, settings: Settings) -> Any:
    """Load the tokenizer of `ref`.

    Raises:
        ModelError: the reference can't be found, or has no tokenizer files.
    """
    return load_tokenizer_from(folder_with_tokenizer(ref, settings), settings)


def load_tokenizer_from(folder: Path, settings: Settings) -> Any:
    """Load the tokenizer in `folder`; an adapter has its base model's, a bare config.json the embedded one.

    Raises:
        ModelError: there are no tokenizer files.
    """
    return _load_processor(folder, "tokenizer", settings, optional=False)


def tokenizer_folder(folder: Path, settings: Settings) -> Path:
    """Return where the tokenizer of the model in `folder` lies: a folder, or a tokenizer.json."""
    if folder.is_file():
        lone = lone_tokenizer_file(folder)
        return lone or local_folder(ModelRef("embedded", "minilm"), settings, weights=False)
    return _processor_folder(folder, "tokenizer", settings)


def _processor_folder(folder: Path, name: str, settings: Settings) -> Path:
    """Return where the files of a processor lie: an adapter often has none of its own."""
    if (folder / "adapter_config.json").is_file() and not _has_files(folder, name):
        base = local_folder(adapter_bases(folder, settings)[0], settings, weights=False)
        return tokenizer_folder(base, settings) if name == "tokenizer" else _processor_folder(base, name, settings)
    return folder


def _has_files(folder: Path, name: str) -> bool:
    """Say whether `folder` has files of that kind of processor."""
    if name in ("tokenizer", "processor"):
        patterns = _VOCABULARY if name == "tokenizer" else _CONFIGS
        return any(fnmatch(path.name, pattern) for path in folder.iterdir() for pattern in patterns)
    if (folder / "preprocessor_config.json").is_file():
        return True
    try:
        return name in json.loads((folder / "processor_config.json").read_text(encoding="utf-8"))
    except OSError:
        return False
    except ValueError:  # there, and broken: the library says how
        return True


def _check_numbers(folder: Path) -> None:
    """Refuse sizes that no processor has: pictures, sound and filters are made as large as these files say.

    Raises:
        ModelError: there is one.
    """
    for path in (folder / name for name in _CONFIGS[:3]):
        with suppress(OSError, ValueError):  # gone, or broken: the library says how
            check_processor_numbers(json.loads(path.read_text(encoding="utf-8")), path.name)


def _load_processor(folder: Path, name: str, settings: Settings, optional: bool) -> Any:
    import_libraries()
    import transformers

    spoken = name.replace("_", " ")
    if folder.is_file() and name == "tokenizer" and not optional:
        folder = tokenizer_folder(folder, settings)
    elif folder.is_file():
        if optional:
            return None
        raise ModelError(
            f"A bare config.json brings no {spoken}, and this task needs one. "
            "Give a folder that also has preprocessor_config.json."
        )
    lone = lone_tokenizer_file(folder) if name == "tokenizer" else None
    if lone is not None:
        return load_tokenizer_json(lone)
    folder = _processor_folder(folder, name, settings)
    if not _has_files(folder, name):
        if optional:
            return None
        where = "vocabulary or tokenizer.json" if name == "tokenizer" else "preprocessor_config.json"
        raise ModelError(
            f"There is no {spoken} here: no {where} was found beside the config. "
            f"Add the file, or save the {spoken} into the folder with `save_pretrained`."
        )
    _check_numbers(folder)
    advice = "Pick a model made for this task, or save its files again."
    with wrap_library_errors(f"The {spoken} can't be loaded", advice):
        try:
            part = getattr(transformers, _AUTO[name]).from_pretrained(folder, trust_remote_code=False)
        except ImportError as error:
            named = _PACKAGE.search(str(error))
            install = f" Install it where this app runs (pip install {named[1].lower()})," if named else " Install it,"
            raise ModelError(
                f"The {spoken} needs a package that is not installed here: {first_sentence(error)}{install} or pick "
                "another model."
            ) from error
        except ValueError as error:
            # The same file describes image processors and feature extractors; the other one is not an error here.
            if optional and str(error).startswith("Unrecognized"):
                return None
            raise
    # Where a model has no processor class, AutoProcessor hands out the first other thing that it finds.
    return None if optional and name == "processor" and not hasattr(part, "get_attributes") else part


def retrain_tokenizer(
    ref: ModelRef, file: Path, vocabulary: int, settings: Settings, stop: Event | None = None
) -> ModelRef:
    """Train a tokenizer that is the one of `ref` in all but its vocabulary: see `retrain_from_file`.

    Raises:
        DemoError: see `load_tokenizer` and `retrain_from_file`.
    """
    return retrain_from_file(file, load_tokenizer(ref, settings), vocabulary, settings, stop)
