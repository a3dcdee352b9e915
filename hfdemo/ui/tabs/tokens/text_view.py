"""The view One text: its tokens linked with its characters, and a closer look at how they came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any

import gradio as gr
from gradio.components import Component

from hfdemo.api import App
from hfdemo.api.endpoints import HEAVY, LIGHT
from hfdemo.errors import DemoError
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.by_reference import count_learned_merges, encode_text, encode_texts
from hfdemo.tokenization.encoding import Encoding
from hfdemo.ui import html
from hfdemo.ui.deep_links import render_tokens_link
from hfdemo.ui.event_handling import LATEST, PRIVATE, RunningJobs, draw_errors, follow_look, toast_errors
from hfdemo.ui.tabs.tokens.copy_fold import build_copy_fold
from hfdemo.ui.tabs.tokens.inspector_fields import build_inspector_fields
from hfdemo.ui.tabs.tokens.inspectors import INSPECTORS, make_options, render_inspector
from hfdemo.ui.tabs.tokens.token_view import count_pages, render_linked_tokens

TEXT = "Unbelievably, the café’s naïve gastroenterologist 🙂 re-tokenized 12,345 emails."
MOST_RECORDS = 20_000


def build(app: App, demo: gr.Blocks, opened: Any, tokenizer: gr.Dropdown, model: gr.Dropdown) -> dict[str, Component]:
    """Lay the view out, to be drawn when it is `opened`, and return the components that a link restores, by their names
    in its query."""
    above, address = _build_text(app, demo, opened, tokenizer, model)
    below = _build_inspector(app, demo, opened, {"tokenizer": tokenizer, **above})
    restored = {**above, **below}
    linked = {"tokenizer": tokenizer, "model": model, **restored}

    def write_link(*values: Any) -> str:
        given = dict(zip(linked, values, strict=True))
        # Short enough to be sent: what the view opens with anyway is left out.
        kept = {name: value for name, value in given.items() if name == "text" or value != linked[name].value}
        return render_tokens_link("text", kept)

    changed = [*(widget.change for widget in linked.values()), opened]
    gr.on(changed, write_link, list(linked.values()), address, **LATEST)
    return restored


def _build_text(
    app: App, demo: gr.Blocks, opened: Any, tokenizer: gr.Dropdown, model: gr.Dropdown
) -> tuple[dict[str, Any], gr.HTML]:
    """Lay out the text beside its tokens; return the components by their names in a link, and the place of the link."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            text = gr.Textbox(TEXT, label="Text", lines=5, max_lines=16)
            pair = gr.Textbox(label="Second text", info="optional: the two are read as a pair", lines=2, max_lines=8)
            special = gr.Checkbox(True, label="add_special_tokens")
            white_space = gr.Checkbox(False, label="Show white space and control characters")
            as_text = gr.Checkbox(
                False, label="Show tokens as text", info="Ġthe and ▁the become ␣the, ##ing becomes ing"
            )
            with gr.Accordion("More arguments", open=False):
                splitting = gr.Checkbox(
                    False, label="split_special_tokens", info="special tokens typed in a text are ordinary text"
                )
            address = gr.HTML()
        with gr.Column(scale=7, min_width=320):
            top = gr.HTML()
            stop = gr.Button("Stop", size="sm", min_width=70, visible=False)
            view = gr.HTML(html.placeholder("The tokens appear here."))
            with gr.Row(visible=False) as pager:
                back = gr.Button("Previous", size="sm", min_width=90)
                page = gr.Number(1, label="Page", precision=0, min_width=90)
                forth = gr.Button("Next", size="sm", min_width=90)
            build_copy_fold(demo, make_records(app), [text, pair, tokenizer, special, splitting])

    running = RunningJobs()
    render: Callable[..., Any] = render_text

    def show(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        page = values[-1]
        look = follow_look(running, request.session_hash, lambda stop: render(app, *values, stop))
        for said, result, busy in look:
            if result is None:
                yield said, gr.skip(), gr.skip(), gr.skip(), gr.Button(visible=busy)
                continue
            above, drawn, shown, count = result
            turned = shown if page and page > count else gr.skip()
            yield above, drawn, gr.Row(visible=count > 1), turned, gr.Button(visible=False)

    typed = [text, pair, tokenizer, model, special, splitting, white_space, as_text]
    # .change, not .input: the latter hears the keyboard, but no paste.
    gr.on(
        [*(widget.change for widget in typed), page.change, opened],
        # While somebody types, a sentence in its place is better than a toast.
        draw_errors(show, "", gr.update(visible=False), gr.skip(), gr.update(visible=False)),
        [*typed, page],
        [top, view, pager, page, stop],
        **{**LATEST, **HEAVY},
    )
    stop.click(running.on_stop, **PRIVATE, **LIGHT)
    demo.unload(running.on_unload)
    back.click(lambda page: max(1, int(page or 1) - 1), page, page, **LATEST)
    forth.click(lambda page: int(page or 1) + 1, page, page, **LATEST)
    restored = {"text": text, "text_pair": pair, "special": special, "splitting": splitting}
    return {**restored, "white_space": white_space, "as_text": as_text, "page": page}, address


def _build_inspector(app: App, demo: gr.Blocks, opened: Any, above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out the inspectors of the text; return the components by their names in a link."""
    inspector = gr.Radio(list(INSPECTORS), value=next(iter(INSPECTORS)), label="Look at")
    own, groups = build_inspector_fields(app)
    drawing = gr.HTML()
    stop = gr.Button("Stop", size="sm", min_width=70, visible=False)
    code = gr.Code(language="python", label="The same without this app", lines=1, max_lines=24, visible=False)
    fields = {
        **{"text": above["text"], "pair": above["text_pair"], "tokenizer": above["tokenizer"]},
        **{"special": above["special"], "splitting": above["splitting"]},
        **own,
    }

    running = RunningJobs()

    def show(request: gr.Request, inspector: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        given = dict(zip(fields, values, strict=True))
        head = html.about(INSPECTORS[inspector].about)
        look = draw_errors(follow_look, None, False)(
            running, request.session_hash, lambda stop: render_inspector(app, inspector, given, stop)
        )
        for said, result, busy in look:
            drawn, script = (said, "") if result is None else result
            yield head + drawn, gr.Code(script, visible=bool(script)), gr.Button(visible=busy)

    gr.on(
        [inspector.change, *(widget.change for widget in fields.values()), opened],
        toast_errors(show),
        [inspector, *fields.values()],
        [drawing, code, stop],
        **{**LATEST, **HEAVY},
    )
    stop.click(running.on_stop, **PRIVATE, **LIGHT)
    demo.unload(running.on_unload)
    _wire_fields(app, inspector, fields, groups)
    linked = {"word": "word", "cut_to": "max_length", "stride": "stride", "strategy": "strategy"}
    linked |= {name: name for name in ("messages", "prompt", "query", "words", "ids")}
    return {"look": inspector, **{name: own[field] for name, field in linked.items()}}


def _wire_fields(app: App, inspector: gr.Radio, fields: Mapping[str, Any], groups: Mapping[str, Any]) -> None:
    """Show the fields of the chosen inspector, and keep them fitting."""

    def arrange(inspector: str) -> list[Any]:
        return [gr.update(visible=name in INSPECTORS[inspector].fields) for name in groups]

    def fit_slider(inspector: str, reference: str, merges: int) -> Any:
        if "merges" not in INSPECTORS[inspector].fields:
            return gr.skip()
        try:
            total = app.engine.call(count_learned_merges, app.models, ModelRef.parse(reference))
        except DemoError:  # the drawing says it
            return gr.skip()
        if not total:
            return gr.skip()
        # It may have been moved since: its place is left alone where it can stay.
        return gr.Slider(maximum=total, value=total) if merges > total else gr.Slider(maximum=total)

    inspector.change(arrange, inspector, list(groups.values()), **LATEST)
    shown = [inspector, fields["tokenizer"], fields["merges"]]
    gr.on([inspector.change, fields["tokenizer"].change], fit_slider, shown, fields["merges"], **LATEST)
    # Another search begins on its first page.
    fields["query"].change(lambda: 1, outputs=fields["entries"], **LATEST)


def render_text(
    app: App,
    text: str,
    pair: str,
    tokenizer: str,
    model: str,
    special: bool,
    splitting: bool,
    white_space: bool,
    as_text: bool,
    page: int | None,
    stop: Event | None = None,
) -> tuple[str, str, int, int]:
    """Return (warnings and facts, the linked view, the page of it that is shown, how many there are).

    Raises:
        DemoError: a text or a reference that can't be read.
    """
    if not text:
        return "", html.placeholder("Type a text on the left."), 1, 1
    texts = [text, pair] if pair else [text]
    found = app.engine.call(
        encode_text,
        app.models,
        ModelRef.parse(tokenizer),
        text,
        pair or None,
        make_options(special, splitting),
        app.settings.max_tokenized,
        ModelRef.parse(model or tokenizer),
        stop,
        as_text,
    )
    encoding, unknown = found.encoding, found.unknown
    count = count_pages(encoding, 0)
    shown = min(max(1, int(page or 1)), count)
    warnings = html.notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    said = f"page {shown:,} of {count:,}" if count > 1 else ""
    drawn = render_linked_tokens(encoding, 0, texts, shown, white_space, found.readings)
    return warnings + _render_facts(encoding, texts, unknown, said), drawn, shown, count


def _render_facts(encoding: Encoding, texts: Sequence[str], unknown: int, page: str) -> str:
    ids, special = encoding.columns["input_ids"][0], sum(encoding.columns["special_tokens_mask"][0])
    characters, content = sum(map(len, texts)), len(ids) - special
    return html.facts(
        [
            ("tokens", f"{len(ids):,}"),
            ("special tokens", f"{special:,}"),
            ("characters", f"{characters:,}"),
            ("characters per token", f"{characters / content:.2f}" if content else "–"),
            ("UTF-8 bytes", f"{sum(len(text.encode()) for text in texts):,}"),
            ("unknown", f"{unknown:,}"),
            *([("", page)] if page else []),
        ]
    )


def make_records(app: App) -> Callable[..., list[dict[str, Any]]]:
    """Return one record per token, for the fold Copy."""

    def records(
        text: str, pair: str, tokenizer: str, special: bool, splitting: bool, stop: Event | None = None
    ) -> list[dict[str, Any]]:
        ref, options, most = ModelRef.parse(tokenizer), make_options(special, splitting), app.settings.max_tokenized
        pairs = [pair] if pair else None
        encoding = app.engine.call(encode_texts, app.models, ref, [text], pairs, options, most, None, stop)
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
