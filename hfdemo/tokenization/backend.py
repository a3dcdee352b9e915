"""The fast backend of a tokenizer, component by component: what each is in words, and a text's walk through them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import wrap_tokenizer_errors
from hfdemo.tasks import check_text

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


def describe_component(part: Any, kind: str, pair: bool = False) -> str:
    """Return a normalizer, pre-tokenizer or post-processor (`kind`) with its settings; `pair`: there are two texts."""
    if part is None:
        return f"nothing: this tokenizer has no {kind}"
    return _describe_state(json.loads(part.__getstate__()), pair) or "nothing: an empty Sequence"


def describe_model(tokenizer: Any) -> str:
    """Return the model of a fast tokenizer with its settings."""
    part = tokenizer.backend_tokenizer.model
    settings = {name: getattr(part, name, None) for name in _MODEL_SETTINGS}
    settings["unk_token"] = settings["unk_token"] or tokenizer.unk_token
    size = tokenizer.backend_tokenizer.get_vocab_size(with_added_tokens=False)
    said = [
        f"{size:,} in the vocabulary",
        *(_describe_setting(name, value) for name, value in settings.items() if value),
    ]
    return f"{type(part).__name__}: {', '.join(said)}"


def _describe_state(state: Mapping[str, Any], pair: bool) -> str:
    for key in _LISTS:
        if key in state:
            return ", then ".join(filter(None, (_describe_state(each, pair) for each in state[key])))
    settings = {key: value for key, value in state.items() if key != "type"}
    kind = str(state["type"])
    if kind == "TemplateProcessing":
        return f"{kind}: {' '.join(map(_describe_slot, settings['pair' if pair else 'single']))}"
    if kind == "Precompiled":
        return f"{kind}: a table of characters and what replaces them"
    if kind == "BertNormalizer" and settings["strip_accents"] is None:
        # The core's own rule: not said means as lowercase says.
        settings["strip_accents"] = settings["lowercase"]
    said = ", ".join(_describe_setting(key, value) for key, value in settings.items() if value is not None)
    return f"{kind}: {said}" if said else kind


def _describe_slot(slot: Mapping[str, Mapping[str, Any]]) -> str:
    if "SpecialToken" in slot:
        return str(slot["SpecialToken"]["id"])
    return "text" if slot["Sequence"]["id"] == "A" else "second text"


def _describe_setting(key: str, value: Any) -> str:
    name = _NAMES.get(key, key.replace("_", " "))
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, dict):
        # A pattern: {"String": " "} or {"Regex": "\\s+"}.
        name, value = f"{name} ({next(iter(value)).lower()})", next(iter(value.values()))
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else f'"{value}"'
    return f"{name} {shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'}"


MOST_CHARACTERS = 2_000
_Found = tuple[tuple[int, int], int | None, bool]


@dataclass(frozen=True)
class TextPart:
    """An added token with its id, or what stands between added tokens (id None).

    `raw` are the characters that are normalized in one go, `within` the normalized ones of them that are this part; an
    added token that was found in the raw text is not normalized and has no `within`.
    """

    raw: tuple[int, int]
    within: tuple[int, int] | None = None
    id: int | None = None
    special: bool = False


def find_first_word(tokenizer: Any, text: str) -> str:
    """Return the first pre-token of `text` that is no added token, as a fast tokenizer's model gets it; "" if there is
    none.

    Raises:
        DemoError: the text can't be read, or is longer than MOST_CHARACTERS.
    """
    check_text("The word", text, MOST_CHARACTERS)
    backend = tokenizer.backend_tokenizer
    with wrap_tokenizer_errors():
        for part in split_added_tokens(backend, text):
            if part.id is None:
                for word, _, _ in pre_tokenize_part(backend, text, part).get_splits("original", "char"):
                    return str(word)
    return ""


def split_added_tokens(backend: Any, text: str) -> list[TextPart]:
    """Return `text` as added tokens and what is between them: some are looked for in the raw text, others once
    normalized.
    """
    tokens = sorted(backend.get_added_tokens_decoder().items())
    if backend.encode_special_tokens:
        tokens = [(id, token) for id, token in tokens if not token.special]
    in_raw = _make_splitter((token.content, id, token) for id, token in tokens if not token.normalized)
    in_normalized = _make_splitter(
        (backend.normalizer.normalize_str(token.content) if backend.normalizer else token.content, id, token)
        for id, token in tokens
        if token.normalized
    )
    parts = []
    for span, id, special in in_raw(text):
        if id is not None:
            parts.append(TextPart(span, None, id, special))
        else:
            stretch, _, _ = normalize_part(backend, text, TextPart(span)).get_splits("original", "char")[0]
            parts += [TextPart(span, *found) for found in in_normalized(stretch)]
    return parts


def _make_splitter(tokens: Iterable[tuple[str, int, Any]]) -> Callable[[str], list[_Found]]:
    """Return a function that splits a text at these (content, id, AddedToken) as the core does.

    It is the core: a tokenizer that knows no word, so that whatever is no added token stays in one piece.
    """
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import WordLevel

    # The one name that no added token can have.
    finder = Tokenizer(WordLevel({"": 0}, unk_token=""))
    known: dict[int | None, tuple[int, bool]] = {}
    for content, id, token in tokens:
        sides = {"single_word": token.single_word, "lstrip": token.lstrip, "rstrip": token.rstrip}
        if finder.add_tokens([AddedToken(content, normalized=False, **sides)]):
            known[finder.token_to_id(content)] = (id, token.special)

    def find(text: str) -> list[_Found]:
        found = finder.encode(text)
        return [(span, *known.get(id, (None, False))) for id, span in zip(found.ids, found.offsets, strict=True)]

    return find


def normalize_part(backend: Any, text: str, part: TextPart) -> Any:
    """Return a part as a normalized PreTokenizedString, which knows where in the raw text its characters stood."""
    from tokenizers import PreTokenizedString

    start, end = part.raw
    string = PreTokenizedString(text)
    string.split(lambda _, whole: [whole[start:end]])
    if backend.normalizer is not None:
        string.normalize(backend.normalizer.normalize)
    if part.within is not None:
        first, last = part.within
        string.split(lambda _, stretch: [stretch[first:last]])
    return string


def pre_tokenize_part(backend: Any, text: str, part: TextPart) -> Any:
    """Return the same, split into words."""
    string = normalize_part(backend, text, part)
    if backend.pre_tokenizer is not None:
        backend.pre_tokenizer.pre_tokenize(string)
    return string


def align_characters(backend: Any, text: str, part: TextPart) -> list[tuple[str, tuple[int, int]]]:
    """Return each normalized character of a part with the raw characters it came from."""
    from tokenizers import Regex

    each = Regex(r"[\s\S]")
    string = normalize_part(backend, text, part)
    string.split(lambda _, stretch: stretch.split(each, "isolated"))
    return [(char, span) for char, span, _ in string.get_splits("original", "char")]
