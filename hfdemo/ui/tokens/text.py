"""The view One text: its tokens linked with its characters, and a closer look at how they came about."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from hfdemo.api import HEAVY, LIGHT, Endpoints, at_the_edge
from hfdemo.errors import DemoError
from hfdemo.models.facts import model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import tokenizer_choices
from hfdemo.snippets import tokenization_script
from hfdemo.tokenization.chatting import render
from hfdemo.tokenization.comparing import disagreements, split
from hfdemo.tokenization.core import MOST_CHARACTERS
from hfdemo.tokenization.decoding import round_trip
from hfdemo.tokenization.encoding import Encoding, Options, encode
from hfdemo.tokenization.merging import steps_of
from hfdemo.tokenization.stages import stages_of
from hfdemo.tokenization.truncating import truncations, windows
from hfdemo.ui import html
from hfdemo.ui.tokens import looks
from hfdemo.ui.tokens.copying import copy_fold
from hfdemo.ui.tokens.linked import LINKED_JS, linked, pages
from hfdemo.ui.tokens.linking import link_line
from hfdemo.ui.tokens.reading import reader_of

TEXT = "Unbelievably, the café’s naïve gastroenterologist 🙂 re-tokenized 12,345 emails."
WORD = "gastroenterologist"
MESSAGES = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What does a harbour pilot do?"},
    {"role": "assistant", "content": "A harbour pilot boards arriving ships and steers them to their berth."},
    {"role": "user", "content": "And at low tide?"},
]
COMPARED = ["tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes"]
STRATEGIES = ["longest_first", "only_first", "only_second"]
LOOKS = ["Stages", "One word", "Truncation", "Windows", "Chat template", "Several tokenizers", "Decode", "Code"]
ABOUT_LOOKS = {
    "Stages": "What each component of the tokenizer makes of the text. `tokenizer.backend_tokenizer`",
    "One word": "How the algorithm gets from a word to its pieces, step by step.",
    "Truncation": "What is cut off a row that is too long. `tokenizer(text, pair, truncation=..., max_length=...)`",
    "Windows": "What is cut off becomes further rows. `tokenizer(..., return_overflowing_tokens=True, stride=...)`",
    "Chat template": "Messages become one string first. `tokenizer.apply_chat_template(messages)`",
    "Several tokenizers": "The same text cut by several vocabularies, without special tokens.",
    "Decode": "Ids back to text, and what got lost on the way. `tokenizer.decode(ids)`",
    "Code": "The same call without this app.",
}
# The closer looks draw every piece several times.
LOOKED_AT = MOST_CHARACTERS
SHORTENED = {"Stages", "Several tokenizers", "Decode"}
MOST_COMPARED = 8
MOST_RECORDS = 20_000


def build(endpoints: Endpoints, demo: gr.Blocks, tokenizer: gr.Dropdown, model: gr.Dropdown) -> dict[str, Component]:
    """Lay the view out; returns the components that a link restores, by their names in its query."""
    settings = endpoints.settings
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            text = gr.Textbox(TEXT, label="Text", lines=5, max_lines=16)
            pair = gr.Textbox(label="Second text", info="optional: the two are read as a pair", lines=2, max_lines=8)
            with gr.Row():
                special = gr.Checkbox(True, label="add_special_tokens", min_width=160)
                white_space = gr.Checkbox(False, label="Show white space", info="and controls", min_width=160)
            with gr.Accordion("More arguments", open=False):
                splitting = gr.Checkbox(
                    False, label="split_special_tokens", info="special tokens typed in a text are ordinary text"
                )
            address = gr.HTML()
        with gr.Column(scale=7, min_width=320):
            top = gr.HTML()
            view = gr.HTML(html.empty("The tokens will stand here."), js_on_load=LINKED_JS)
            with gr.Row(visible=False) as pager:
                back = gr.Button("Previous", size="sm", min_width=90)
                page = gr.Number(1, label="Page", precision=0, min_width=90)
                forth = gr.Button("Next", size="sm", min_width=90)
            copy_fold(_records(endpoints), [text, pair, tokenizer, special, splitting])
    look = gr.Radio(LOOKS, value=LOOKS[0], label="Look at")
    with gr.Row(visible=False) as for_word:
        word = gr.Textbox(WORD, label="Word", info="its first word is taken apart", max_lines=1)
    with gr.Row(visible=False) as for_cutting:
        max_length = gr.Number(12, label="max_length", info="special tokens included", precision=0)
        stride = gr.Number(3, label="stride", info="tokens that neighbours share", precision=0, visible=False)
        strategy = gr.Radio(STRATEGIES, value=STRATEGIES[0], label="truncation", visible=False)
    with gr.Column(visible=False) as for_chat:
        messages = gr.Textbox(
            json.dumps(MESSAGES, indent=1, ensure_ascii=False), label="messages", info="as JSON", lines=8, max_lines=20
        )
        prompt = gr.Checkbox(True, label="add_generation_prompt")
        template = gr.Textbox(
            label="chat_template",
            info="Jinja; empty: the tokenizer's own",
            lines=2,
            max_lines=12,
            visible=not settings.public,
        )
    with gr.Row(visible=False) as for_comparing:
        others = gr.Dropdown(
            tokenizer_choices(settings), value=COMPARED, label="Tokenizers", multiselect=True, allow_custom_value=True
        )
    closer = gr.HTML()
    code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24, visible=False)

    def show(*values: Any) -> tuple[Any, ...]:
        page = values[-1]
        try:
            above, drawn, shown, count = draw(endpoints, *values)
        except DemoError as error:  # while somebody types, a sentence in its place is better than a toast
            return html.notes([str(error)]), "", gr.Row(visible=False), gr.skip()
        return above, drawn, gr.Row(visible=count > 1), shown if page and page > count else gr.skip()

    def look_closer(look: str, *values: Any) -> tuple[Any, ...]:
        given = dict(zip(names, values, strict=True))
        try:
            drawn, script = _closer(endpoints, look, given)
        except DemoError as error:
            drawn, script = html.notes([str(error)]), ""
        return html.about(ABOUT_LOOKS[look]) + drawn, gr.Code(script, visible=bool(script))

    def arrange(look: str) -> tuple[Any, ...]:
        return (
            gr.Row(visible=look == "One word"),
            gr.Row(visible=look in ("Truncation", "Windows")),
            gr.Number(visible=look == "Windows"),
            gr.Radio(visible=look == "Windows"),
            gr.Column(visible=look == "Chat template"),
            gr.Row(visible=look == "Several tokenizers"),
        )

    def share(*values: Any) -> str:
        given = dict(zip(shared, values, strict=True))
        # Short enough to be sent: what the view opens with anyway is left out.
        kept = {name: value for name, value in given.items() if name == "text" or value != shared[name].value}
        return link_line("text", kept)

    restored: dict[str, Any] = {
        **{"text": text, "text_pair": pair, "special": special, "splitting": splitting},
        **{"white_space": white_space, "page": page},
        **{"look": look, "word": word, "cut_to": max_length, "stride": stride, "strategy": strategy},
        **{"messages": messages, "prompt": prompt},
    }
    quiet: dict[str, Any] = {
        "trigger_mode": "always_last",
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    typed = [text, pair, tokenizer, model, special, splitting, white_space]
    # .change, not .input: the latter hears the keyboard, but no paste.
    gr.on(
        [*(widget.change for widget in typed), page.change, demo.load],
        at_the_edge(show, html.plain),
        [*typed, page],
        [top, view, pager, page],
        **quiet,
        **HEAVY,
    )
    back.click(lambda page: max(1, int(page or 1) - 1), page, page, **quiet, **LIGHT)
    forth.click(lambda page: int(page or 1) + 1, page, page, **quiet, **LIGHT)
    for_looks: dict[str, Any] = {
        **{"text": text, "pair": pair, "tokenizer": tokenizer, "special": special, "splitting": splitting},
        "word": word,
        **{"max_length": max_length, "stride": stride, "strategy": strategy, "messages": messages},
        **{"prompt": prompt, "template": template, "others": others},
    }
    names = list(for_looks)
    gr.on(
        [look.change, *(widget.change for widget in for_looks.values()), demo.load],
        at_the_edge(look_closer, html.plain),
        [look, *for_looks.values()],
        [closer, code],
        **quiet,
        **HEAVY,
    )
    shown_for = [for_word, for_cutting, stride, strategy, for_chat, for_comparing]
    look.change(arrange, look, shown_for, **quiet, **LIGHT)
    shared = {"tokenizer": tokenizer, "model": model, **restored}
    gr.on(
        [*(widget.change for widget in shared.values()), demo.load],
        share,
        list(shared.values()),
        address,
        **quiet,
        **LIGHT,
    )
    return restored


def draw(
    endpoints: Endpoints,
    text: str,
    pair: str,
    tokenizer: str,
    model: str,
    special: bool,
    splitting: bool,
    white_space: bool,
    page: int | None,
) -> tuple[str, str, int, int]:
    """(warnings and facts, the linked view, the page of it that is shown, how many there are).

    Raises:
        DemoError: a text or a reference that can't be read.
    """
    if not text:
        return "", html.empty("Type a text on the left."), 1, 1
    texts = [text, pair] if pair else [text]
    reader = model_facts(reader_of(tokenizer, model), endpoints.settings)
    options, most = _options(special, splitting), endpoints.settings.max_tokenized
    with endpoints.models.tokenizer(ModelRef.parse(tokenizer)) as loaded:
        encoding = encode(loaded, [text], [pair] if pair else None, options, most, model=reader)
        unknown = loaded.unk_token_id
    count = pages(encoding, 0)
    shown = min(max(1, int(page or 1)), count)
    warnings = html.notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    said = f"page {shown:,} of {count:,}" if count > 1 else ""
    drawn = linked(encoding, 0, texts, shown, white_space)
    return warnings + _facts(encoding, texts, unknown, said), drawn, shown, count


def _options(special: bool, splitting: bool) -> Options:
    # Off means the tokenizer's own way, which may be to split them.
    return Options(add_special_tokens=special, split_special_tokens=splitting or None)


def _facts(encoding: Encoding, texts: Sequence[str], unknown: int | None, page: str) -> str:
    ids, special = encoding.columns["input_ids"][0], sum(encoding.columns["special_tokens_mask"][0])
    characters, content = sum(map(len, texts)), len(ids) - special
    missing = 0 if unknown is None else ids.count(unknown)
    return html.facts(
        [
            ("tokens", f"{len(ids):,}"),
            ("of them special", f"{special:,}"),
            ("characters", f"{characters:,}"),
            ("characters per token", f"{characters / content:.2f}" if content else "–"),
            ("UTF-8 bytes", f"{sum(len(text.encode()) for text in texts):,}"),
            ("unknown", f"{missing:,}"),
            *([("", page)] if page else []),
        ]
    )


def _records(endpoints: Endpoints) -> Callable[..., list[dict[str, Any]]]:
    """One record per token, for the fold Copy."""

    def records(text: str, pair: str, tokenizer: str, special: bool, splitting: bool) -> list[dict[str, Any]]:
        with endpoints.models.tokenizer(ModelRef.parse(tokenizer)) as loaded:
            options, most = _options(special, splitting), endpoints.settings.max_tokenized
            encoding = encode(loaded, [text], [pair] if pair else None, options, most)
        cells = encoding.rows()[0]
        if len(cells) > MOST_RECORDS:
            raise DemoError(
                f"The text has {len(cells):,} tokens; a browser can hold {MOST_RECORDS:,} rows to copy. "
                "Shorten the text, or call /tokenize."
            )
        return [
            {
                **{"position": position, "token": cell.token, "id": cell.id, "start": cell.start, "end": cell.end},
                **{"word": cell.word, "sequence": cell.sequence, "type_id": cell.type_id},
                **{"attention": cell.attention, "special": cell.kind == "special"},
            }
            for position, cell in enumerate(cells)
        ]

    return records


def _closer(endpoints: Endpoints, look: str, given: Mapping[str, Any]) -> tuple[str, str]:
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
    return looks.stages(stages_of(tokenizer, text, pair), [text, pair] if pair else [text])


def _one_word(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    return looks.steps(steps_of(tokenizer, given["word"] or ""))


def _truncation(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    most = int(given["max_length"] or 0)
    return looks.truncations(truncations(tokenizer, text, pair, most), most)


def _windows(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    most, stride = int(given["max_length"] or 0), int(given["stride"] or 0)
    return looks.windows(windows(tokenizer, text, pair, most, stride, given["strategy"]), stride)


def _chat(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    try:
        messages = json.loads(given["messages"] or "")
    except (ValueError, RecursionError) as error:
        raise DemoError(f"messages is not JSON: {error}. Write a list such as [{json.dumps(MESSAGES[3])}].") from error
    # A template is a program: on a shared server only the tokenizer's own runs.
    template = None if endpoints.settings.public else given["template"] or None
    without = render(tokenizer, messages, False, template)
    if not given["prompt"]:
        return looks.chat(without, "")
    found = render(tokenizer, messages, True, template)
    return looks.chat(found, found.text.removeprefix(without.text) if found.text.startswith(without.text) else "")


def _decode(tokenizer: Any, text: str, pair: str | None, given: Mapping[str, Any], endpoints: Endpoints) -> str:
    encoding = encode(tokenizer, [text], None, _options(given["special"], given["splitting"]), LOOKED_AT)
    only = html.about("Only the first text is decoded here.") if pair else ""
    return only + looks.decoded(round_trip(tokenizer, encoding.columns["input_ids"][0], text), text)


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
