"""Tokenizers that come as files alone: a tokenizer.json, or a folder that has no model beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hfdemo.errors import ModelError, wrap_library_errors

MOST_BYTES = 128 * 1024**2
# `Tokenizer.save()` writes which tokens are special and not what for. These are called as in BERT, RoBERTa, T5, GPT-2.
_USUAL_ROLES: tuple[Mapping[str, str], ...] = (
    {
        **{"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"},
        **{"sep_token": "[SEP]", "mask_token": "[MASK]"},
    },
    {
        **{"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"},
        **{"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"},
    },
    {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"},
    {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
)
CONFIGS = ("config.json", "adapter_config.json")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")


def holds_one_of(folder: Path, names: Iterable[str]) -> bool:
    """Return whether one of the files `names` is in `folder`."""
    return any((folder / name).is_file() for name in names)


def lone_tokenizer_file(path: Path) -> Path | None:
    """Return the tokenizer.json that `path` is, or that stands in it without any config; None for everything else."""
    if path.is_dir():
        lone = path / "tokenizer.json"
        return lone if lone.is_file() and not holds_one_of(path, (*CONFIGS, "tokenizer_config.json")) else None
    return path if is_tokenizer_json(path) else None


def is_tokenizer_json(path: Path) -> bool:
    """Return whether the file at `path` is one that `Tokenizer.save()` of the library tokenizers writes."""
    written = _read_json(path)
    return isinstance(written.get("model"), dict) and "added_tokens" in written


def is_config(path: Path) -> bool:
    """Return whether the JSON file at `path` is a model's config."""
    return isinstance(_read_json(path).get("model_type"), str)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return {}
        written = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return written if isinstance(written, dict) else {}


def special_roles(path: Path) -> dict[str, str]:
    """Return what the special tokens in a tokenizer.json are for, by argument, where they are called as is usual."""
    written = _read_json(path)
    known = {each.get("content") for each in written.get("added_tokens") or () if isinstance(each, dict)}
    vocabulary = written["model"].get("vocab")
    known |= set(vocabulary) if isinstance(vocabulary, dict) else set()
    families = [{role: token for role, token in family.items() if token in known} for family in _USUAL_ROLES]
    return max(families, key=lambda roles: len(set(roles.values())))


def load_tokenizer_json(path: Path) -> Any:
    """Load a tokenizer.json as a PreTrainedTokenizerFast; see `special_roles`.

    Raises:
        ModelError: it is damaged.
    """
    from transformers import PreTrainedTokenizerFast

    with wrap_library_errors(
        f"{path.name} can't be loaded as a tokenizer", "Save it again with `tokenizer.save_pretrained` or `save`."
    ):
        return PreTrainedTokenizerFast(tokenizer_file=str(path), **special_roles(path))


def check_tokenizer_path(path: Path, said: str) -> None:
    """Make sure that a tokenizer can be had from `path`, which is there; `said` is how a person wrote it.

    A model's config.json alone will do: it has none of its own, and gets the embedded one.

    Raises:
        ModelError: there is none.
    """
    if path.is_dir():
        if not holds_one_of(path, TOKENIZERS + CONFIGS):
            raise ModelError(
                f"{said!r} holds no tokenizer.json, no tokenizer_config.json and no config.json. Give a folder written "
                "by `tokenizer.save_pretrained`, a tokenizer.json, or a saved model."
            )
    elif not (path.is_file() and path.suffix == ".json"):  # a device may have no end
        raise ModelError(f"{said!r} is a file. Give the folder of a saved tokenizer, or its tokenizer.json.")
    elif not is_config(path) and not is_tokenizer_json(path):
        raise ModelError(
            f"{said!r} is neither a tokenizer.json, as `Tokenizer.save()` writes it, nor a config.json with a "
            "model_type. Give the folder of a saved tokenizer, or its tokenizer.json."
        )
