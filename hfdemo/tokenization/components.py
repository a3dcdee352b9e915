"""What the components of a tokenizer are, in words: "BertNormalizer: clean text, strip accents, lowercase"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_LONGEST = 80
_LISTS = ("normalizers", "pretokenizers", "processors")
_NAMES = {"handle_chinese_chars": "CJK characters apart"}
_MODEL_SETTINGS = (
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "max_input_chars_per_word",
    "byte_fallback",
    "ignore_merges",
    "dropout",
)


def component(part: Any, kind: str, pair: bool = False) -> str:
    """A normalizer, pre-tokenizer or post-processor (`kind`) with its settings; `pair`: there are two texts."""
    if part is None:
        return f"nothing: this tokenizer has no {kind}"
    return _described(json.loads(part.__getstate__()), pair) or "nothing: an empty Sequence"


def model(tokenizer: Any) -> str:
    """The model of a fast tokenizer with its settings."""
    part = tokenizer.backend_tokenizer.model
    settings = {name: getattr(part, name, None) for name in _MODEL_SETTINGS}
    settings["unk_token"] = settings["unk_token"] or tokenizer.unk_token
    size = tokenizer.backend_tokenizer.get_vocab_size(with_added_tokens=False)
    said = [f"{size:,} in the vocabulary", *(_setting(name, value) for name, value in settings.items() if value)]
    return f"{type(part).__name__}: {', '.join(said)}"


def _described(state: Mapping[str, Any], pair: bool) -> str:
    for key in _LISTS:
        if key in state:
            return ", then ".join(filter(None, (_described(each, pair) for each in state[key])))
    settings = {key: value for key, value in state.items() if key != "type"}
    kind = str(state["type"])
    if kind == "TemplateProcessing":
        return f"{kind}: {' '.join(map(_slot, settings['pair' if pair else 'single']))}"
    if kind == "Precompiled":
        return f"{kind}: a table of characters and what replaces them"
    if kind == "BertNormalizer" and settings["strip_accents"] is None:
        # The core's own rule: not said means as lowercase says.
        settings["strip_accents"] = settings["lowercase"]
    said = ", ".join(_setting(key, value) for key, value in settings.items() if value is not None)
    return f"{kind}: {said}" if said else kind


def _slot(slot: Mapping[str, Mapping[str, Any]]) -> str:
    if "SpecialToken" in slot:
        return str(slot["SpecialToken"]["id"])
    return "text" if slot["Sequence"]["id"] == "A" else "second text"


def _setting(key: str, value: Any) -> str:
    name = _NAMES.get(key, key.replace("_", " "))
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, dict):
        # A pattern: {"String": " "} or {"Regex": "\\s+"}.
        name, value = f"{name} ({next(iter(value)).lower()})", next(iter(value.values()))
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else f'"{value}"'
    return f"{name} {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'}"
