"""The inspectors of the view One text: each is a row that says what it shows, of which fields, and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.api import App
from hfdemo.errors import DemoError, Stopped
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization import by_reference
from hfdemo.tokenization.backend import MOST_CHARACTERS
from hfdemo.tokenization.comparison import find_disagreements
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.snippets import write_tokenization_script
from hfdemo.ui import html
from hfdemo.ui.tabs.tokens import segmentation_view, vocabulary_view
from hfdemo.ui.tabs.tokens.chat_view import read_chat, render_chat

# The inspectors draw every piece several times; a screenful of it is enough to see how it goes.
INSPECTED_CHARACTERS = min(800, MOST_CHARACTERS)
MOST_COMPARED = 8
ENTRIES_A_PAGE = 100


@dataclass(frozen=True)
class InspectorInput:
    """What is inspected: a text and its pair, if it has one, and what else stands in the fields."""

    app: App
    text: str
    pair: str | None
    given: Mapping[str, Any]
    stop: Event | None = None

    @property
    def options(self) -> Options:
        return make_options(self.given["special"], self.given["splitting"])

    @property
    def ref(self) -> ModelRef:
        return ModelRef.parse(self.given["tokenizer"])

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Ask the chosen tokenizer where the models are held, by one of `by_reference`."""
        return self.app.engine.call(function, self.app.models, self.ref, *arguments, self.stop)

    def number(self, field: str) -> int:
        """Return the whole number in a field, 0 for an empty one."""
        return int(self.given[field] or 0)


@dataclass(frozen=True)
class Inspector:
    """`inspect` returns HTML, or Python where it `is_code`; `fields` are the groups of fields that it shows.

    One that is `about_text` needs the text above; of one that is `shortened`, it gets the first characters only.
    """

    about: str
    inspect: Callable[[InspectorInput], str]
    fields: tuple[str, ...] = ()
    about_text: bool = True
    shortened: bool = False
    is_code: bool = False


def make_options(special: bool, splitting: bool) -> Options:
    """Return the options of the two checkboxes about special tokens."""
    # Off means the tokenizer's own way, which may be to split them.
    return Options(add_special_tokens=special, split_special_tokens=splitting or None)


def render_inspector(app: App, name: str, given: Mapping[str, Any], stop: Event | None = None) -> tuple[str, str]:
    """Return the HTML of one inspector, and its code where it is the code.

    Raises:
        DemoError: what the inspector's own functions raise, and fields that can't be read.
    """
    inspector = INSPECTORS[name]
    text, pair = given["text"] or "", given["pair"] or None
    if inspector.about_text and not text:
        return html.placeholder("Type a text above."), ""
    note = ""
    if inspector.shortened and max(len(text), len(pair or "")) > INSPECTED_CHARACTERS:
        text, pair = text[:INSPECTED_CHARACTERS], pair and pair[:INSPECTED_CHARACTERS]
        note = html.about(f"Of each text, the first {INSPECTED_CHARACTERS:,} characters are looked at here.")
    made = inspector.inspect(InspectorInput(app, text, pair, given, stop))
    return ("", made) if inspector.is_code else (note + made, "")


def _inspect_stages(asked: InspectorInput) -> str:
    found = asked.ask(by_reference.trace_text, asked.text, asked.pair, asked.options)
    return segmentation_view.render_stages(found, [asked.text, asked.pair] if asked.pair else [asked.text])


def _inspect_word(asked: InspectorInput) -> str:
    return segmentation_view.render_steps(asked.ask(by_reference.trace_first_word, asked.given["word"] or ""))


def _inspect_merges(asked: InspectorInput) -> str:
    return vocabulary_view.render_merges(asked.ask(by_reference.merge_text, asked.text, asked.number("merges")))


def _inspect_truncation(asked: InspectorInput) -> str:
    most = asked.number("max_length")
    found = asked.ask(by_reference.truncate_text, asked.text, asked.pair, most, asked.options)
    return segmentation_view.render_truncations(found, most)


def _inspect_windows(asked: InspectorInput) -> str:
    strategy = asked.given["strategy"]
    try:
        return _render_windows(asked, strategy)
    except Stopped:
        raise
    except DemoError as error:
        if asked.pair is None or strategy != "longest_first":
            raise
        # With a pair that is what the view opens on; the usual way is to slide over the second text.
        try:
            instead = _render_windows(asked, "only_second")
        except Stopped:
            raise
        except DemoError:  # what was asked for is what has to be said
            raise error from None
        return html.notes([f"{error} Shown is only_second."]) + instead


def _render_windows(asked: InspectorInput, strategy: str) -> str:
    most, stride = asked.number("max_length"), asked.number("stride")
    found = asked.ask(by_reference.split_text, asked.text, asked.pair, most, stride, strategy, asked.options)
    return segmentation_view.render_windows(found, stride)


def _inspect_words(asked: InspectorInput) -> str:
    words, labels = read_words(asked.given["words"] or "")
    return vocabulary_view.render_words(asked.ask(by_reference.label_words, words, labels))


def read_words(written: str) -> tuple[list[str], list[str] | None]:
    """Return the words of lines `word` or `word label`, and their labels; None where no line has one.

    Raises:
        DemoError: there is no word, only some lines have a label, or a line has more than two parts.
    """
    lines = [line.split() for line in written.splitlines() if line.strip()]
    if not lines:
        raise DemoError("Type words below each other, each with its label behind a space: York B-LOC.")
    for number, parts in enumerate(lines, start=1):
        if len(parts) > 2 or len(parts) != len(lines[0]):
            raise DemoError(
                f"Word {number} is {' '.join(parts)!r:.60}: it has {len(parts)} parts. Write each word on a line of "
                "its own, and a label behind all of them or behind none."
            )
    return [parts[0] for parts in lines], [parts[1] for parts in lines] if len(lines[0]) > 1 else None


def _inspect_chat(asked: InspectorInput) -> str:
    messages, options = read_chat(asked.given)
    # Its field is hidden on a shared server, but whoever calls can fill it in all the same.
    template = None if asked.app.settings.public else asked.given["template"] or None
    app, prompt = asked.app, asked.given["prompt"]
    found = app.engine.call(
        by_reference.render_chat, app.models, asked.ref, messages, prompt, template, asked.stop, options
    )
    return render_chat(found)


def _inspect_comparison(asked: InspectorInput) -> str:
    """Render several tokenizers on one text; one that can't be had is said, and the others are shown."""
    references = asked.given["others"] or []
    chosen, app = list(dict.fromkeys(references))[:MOST_COMPARED], asked.app
    found, failed = app.engine.call(by_reference.compare_tokenizers, app.models, chosen, asked.text, asked.stop)
    if len(references) > MOST_COMPARED:
        failed.append(f"{len(references)} tokenizers are chosen; the first {MOST_COMPARED} are compared.")
    if not found:
        return html.notes(failed) or html.placeholder("Choose two tokenizers or more.")
    drawn = segmentation_view.render_comparison(found, find_disagreements(found), asked.text)
    return html.notes(failed) + drawn


def _inspect_decoding(asked: InspectorInput) -> str:
    typed = (asked.given["ids"] or "").strip()
    if typed:
        return vocabulary_view.render_ids(asked.ask(by_reference.read_ids, read_numbers(typed)))
    if not asked.text:
        return html.placeholder("Type a text above, or ids here.")
    only = html.about("Only the first text is decoded here.") if asked.pair else ""
    found = asked.ask(by_reference.decode_text, asked.text, asked.options, INSPECTED_CHARACTERS)
    return only + vocabulary_view.render_decoded(found, asked.text)


def read_numbers(typed: str) -> list[int]:
    """Return the ids in a text such as "[101, 7592, 102]" or "101 7592 102".

    Raises:
        DemoError: something else than whole numbers stands there.
    """
    parts = [part for part in re.split(r"[\s,;\[\]()]+", typed.removeprefix("tensor")) if part]
    for part in parts:
        if not re.fullmatch(r"-?\d{1,12}", part):
            raise DemoError(f"{part!r:.40} is no id. Type whole numbers with commas or spaces between: 101, 7592, 102.")
    return list(map(int, parts))


def _inspect_vocabulary(asked: InspectorInput) -> str:
    query, page = asked.given["query"] or "", max(1, asked.number("entries"))
    first = (page - 1) * ENTRIES_A_PAGE
    found = asked.ask(by_reference.browse_vocabulary, query, first, ENTRIES_A_PAGE)
    return vocabulary_view.render_vocabulary(found, query)


def _write_code(asked: InspectorInput) -> str:
    options = {} if asked.given["special"] else {"add_special_tokens": False}
    options |= {"split_special_tokens": True} if asked.given["splitting"] else {}
    pairs, settings = [asked.pair] if asked.pair else None, asked.app.settings
    return str(
        asked.app.engine.call(
            write_tokenization_script, asked.given["tokenizer"], [asked.text], pairs, options, settings
        )
    )


INSPECTORS: Mapping[str, Inspector] = {
    "Stages": Inspector(
        "What each component of the tokenizer makes of the text. `tokenizer.backend_tokenizer`",
        _inspect_stages,
        shortened=True,
    ),
    "One word": Inspector(
        "How the algorithm gets from a word to its pieces, step by step.",
        _inspect_word,
        fields=("word",),
        about_text=False,
    ),
    "Learned merges": Inspector(
        "BPE learns one merge after the other, the most frequent neighbours first. With few of them a text is letters; "
        "each further one joins some.",
        _inspect_merges,
        fields=("merges",),
        shortened=True,
    ),
    "Vocabulary": Inspector(
        "Every token that there is, with its id. `tokenizer.get_vocab()`",
        _inspect_vocabulary,
        fields=("vocabulary",),
        about_text=False,
    ),
    "Truncation": Inspector(
        "What is cut off a row that is too long. `tokenizer(text, pair, truncation=..., max_length=...)`",
        _inspect_truncation,
        fields=("cutting",),
    ),
    "Windows": Inspector(
        "What is cut off becomes further rows. `tokenizer(..., return_overflowing_tokens=True, stride=...)`",
        _inspect_windows,
        fields=("cutting", "sliding"),
    ),
    "Words and labels": Inspector(
        "Words that are cut already, each with a label: one word may become several tokens, and the first has the "
        "label. `tokenizer(words, is_split_into_words=True).word_ids()`",
        _inspect_words,
        fields=("words",),
        about_text=False,
    ),
    "Chat template": Inspector(
        "Messages become one string first. `tokenizer.apply_chat_template(messages)`",
        _inspect_chat,
        fields=("chat",),
        about_text=False,
    ),
    "Several tokenizers": Inspector(
        "The same text cut by several vocabularies, without special tokens.",
        _inspect_comparison,
        fields=("others",),
        shortened=True,
    ),
    "Decode": Inspector(
        "Ids back to text, and what got lost on the way. `tokenizer.decode(ids)`",
        _inspect_decoding,
        fields=("ids",),
        about_text=False,
        shortened=True,
    ),
    "Code": Inspector("The same call without this app.", _write_code, is_code=True),
}
