"""A closer look at one text, by the name of the look: its stages, what is cut, a chat, several tokenizers, ..."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hfdemo.api import Endpoints
from hfdemo.errors import DemoError
from hfdemo.models.reference import ModelRef
from hfdemo.snippets import tokenization_script
from hfdemo.tokenization.chatting import render
from hfdemo.tokenization.comparing import disagreements, split
from hfdemo.tokenization.core import MOST_CHARACTERS
from hfdemo.tokenization.decoding import round_trip
from hfdemo.tokenization.encoding import Options, encode
from hfdemo.tokenization.merging import steps_of
from hfdemo.tokenization.stages import stages_of
from hfdemo.tokenization.traps import unknown_slots
from hfdemo.tokenization.truncating import truncations, windows
from hfdemo.ui import html
from hfdemo.ui.tokens import looks

EXAMPLE_MESSAGE = {"role": "user", "content": "And at low tide?"}
# The closer looks draw every piece several times; a screenful of it is enough to see how it goes.
LOOKED_AT = min(800, MOST_CHARACTERS)
SHORTENED = frozenset({"Stages", "Several tokenizers", "Decode"})
MOST_COMPARED = 8


def options_of(special: bool, splitting: bool) -> Options:
    # Off means the tokenizer's own way, which may be to split them.
    return Options(add_special_tokens=special, split_special_tokens=splitting or None)


def _options(given: Mapping[str, Any]) -> Options:
    return options_of(given["special"], given["splitting"])


def closer_look(endpoints: Endpoints, look: str, given: Mapping[str, Any]) -> tuple[str, str]:
    """The HTML of one look, and its code where it is the code.

    Raises:
        DemoError: what the look's own functions raise, and messages that can't be read.
    """
    text, pair = given["text"] or "", given["pair"] or None
    if look in SHORTENED:
        text, pair = text[:LOOKED_AT], pair and pair[:LOOKED_AT]
    short = text != given["text"] or pair != (given["pair"] or None)
    note = f"Of each text, the first {LOOKED_AT:,} characters are looked at here." if short else ""
    about = html.about(note) if note else ""
    if not text and look not in ("One word", "Chat template"):
        return html.empty("Type a text above."), ""
    if look == "Code":
        options = {} if given["special"] else {"add_special_tokens": False}
        options |= {"split_special_tokens": True} if given["splitting"] else {}
        pairs = [pair] if pair else None
        return "", tokenization_script(given["tokenizer"], [text], pairs, options, endpoints.settings)
    if look == "Several tokenizers":
        return about + _side_by_side(endpoints, given["others"] or [], text), ""
    with endpoints.models.tokenizer(ModelRef.parse(given["tokenizer"])) as tokenizer:
        return about + _LOOKS[look](tokenizer, text, pair, given, endpoints), ""


def _stages(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    return looks.stages(stages_of(tokenizer, text, pair, _options(given)), [text, pair] if pair else [text])


def _one_word(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    return looks.steps(steps_of(tokenizer, given["word"] or ""))


def _truncation(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    most = int(given["max_length"] or 0)
    return looks.truncations(truncations(tokenizer, text, pair, most, _options(given)), most)


def _windows(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    most, stride, options = int(given["max_length"] or 0), int(given["stride"] or 0), _options(given)
    try:
        return looks.windows(windows(tokenizer, text, pair, most, stride, given["strategy"], options), stride)
    except DemoError as error:
        if pair is None or given["strategy"] != "longest_first":
            raise
        # With a pair that is what the view opens on; the usual way is to slide over the second text.
        shown = looks.windows(windows(tokenizer, text, pair, most, stride, "only_second", options), stride)
        return html.notes([f"{error} Shown is only_second."]) + shown


def _chat(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    try:
        messages = json.loads(given["messages"] or "")
    except (ValueError, RecursionError) as error:
        raise DemoError(
            f"messages is not JSON: {error}. Write a list such as [{json.dumps(EXAMPLE_MESSAGE)}]."
        ) from error
    # Its field is hidden on a shared server, but whoever calls can fill it in all the same.
    template = None if endpoints.settings.public else given["template"] or None
    return looks.chat(render(tokenizer, messages, given["prompt"], template))


def _decode(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    columns = encode(tokenizer, [text], None, _options(given), LOOKED_AT).columns
    only = html.about("Only the first text is decoded here.") if pair else ""
    unknown = unknown_slots(tokenizer, columns, 0, [text])
    return only + looks.decoded(round_trip(tokenizer, columns["input_ids"][0], text, unknown), text)


_LOOKS: Mapping[str, Callable[[Any, str, str | None, Mapping[str, Any], Endpoints], str]] = {
    "Stages": _stages,
    "One word": _one_word,
    "Truncation": _truncation,
    "Windows": _windows,
    "Chat template": _chat,
    "Decode": _decode,
}


def _side_by_side(endpoints: Endpoints, references: Sequence[str], text: str) -> str:
    """Several tokenizers on one text; one that can't be had is said, and the others are shown."""
    found, failed = [], []
    for reference in list(dict.fromkeys(references))[:MOST_COMPARED]:
        try:
            with endpoints.models.tokenizer(ModelRef.parse(reference)) as tokenizer:
                found.append(split(tokenizer, reference, text))
        except DemoError as error:
            failed.append(str(error))
    if len(references) > MOST_COMPARED:
        failed.append(f"{len(references)} tokenizers are chosen; the first {MOST_COMPARED} are compared.")
    if not found:
        return html.notes(failed) or html.empty("Choose two tokenizers or more.")
    return html.notes(failed) + looks.splits(found, disagreements(found), text)
