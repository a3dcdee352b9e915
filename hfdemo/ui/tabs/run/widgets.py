"""Field -> component and back: the only place that knows which is which."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.tasks import Field, Task
from hfdemo.ui.page_state import find_upload

UNSET = "as the model says"


def build_widget(field: Field, value: Any = None) -> gr.components.Component:
    """Return the component in which a person fills `field` in; `value` is what it starts with."""
    return _KINDS[field.kind].component(field, to_component_value(field, value))


def to_component_value(field: Field, value: Any) -> Any:
    """Return what the component of `field` holds to show `value`; None shows the field's default."""
    meant = field.default if value is None and not field.is_required else value
    return None if meant is None else _KINDS[field.kind].to_component(meant)


def read_component(field: Field, held: Any) -> Any:
    """Return what a person meant by leaving `held` in the component of `field`."""
    return None if held is None else _KINDS[field.kind].from_component(held)


def restore_values(task: Task, held: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return (the values that a page of `task` had, by their fields' names; a sentence for each file that is gone).

    `held` is what the browser kept of the components. What was left to its default is None, and a required field that
    was empty is not among them.
    """
    values: dict[str, Any] = {}
    gone = []
    for field in task.fields:
        kept, kind = held.get(field.name), _KINDS[field.kind]
        if field.name not in held or not isinstance(kept, kind.kept_as | None):
            continue
        if field.is_media:
            kept, sentence = find_upload(kept)
            gone += [sentence] if sentence else []
        value = read_component(field, None if kept is None else kind.from_browser(kept))
        if value not in (None, "") or not field.is_required:
            values[field.name] = None if value in (None, "", field.default) else value
    return values, gone


@dataclass(frozen=True)
class PanelInputs:
    """What a panel computes with: its task, the model and how it is loaded (dtype, attention), and one component per
    field of the task."""

    task: Task
    model: gr.Dropdown
    loading: tuple[gr.Dropdown, gr.Dropdown]
    fields: list[Any]

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """Return the values that a person gave, by their fields' names, from what the components of `fields` hold."""
        found = {field.name: read_component(field, held) for field, held in zip(self.task.fields, given, strict=True)}
        return {name: value for name, value in found.items() if value not in (None, "")}


@dataclass(frozen=True)
class _FieldKind:
    """A kind of field on the page: its component, what that holds to show a value, and the value that it means.

    A browser keeps what it holds `kept_as`, from which comes what it holds here.
    """

    component: Callable[[Field, Any], gr.components.Component]
    to_component: Callable[[Any], Any] = lambda value: value
    from_component: Callable[[Any], Any] = lambda held: held
    kept_as: type = str
    from_browser: Callable[[Any], Any] = lambda kept: kept


# Inside gr.render a component with a value is drawn disabled unless it says that it is interactive.


def _text_box_builder(
    lines: int, most: int, note: str = "", placeholder: str = ""
) -> Callable[[Field, Any], gr.Textbox]:
    """Return a maker of text boxes that are `lines` high when a text has to be written into them, else one."""

    def make(field: Field, held: Any) -> gr.Textbox:
        return gr.Textbox(
            value=held,
            label=field.label,
            info=f"{field.help}{note}",
            placeholder=None if field.is_required else placeholder,
            lines=lines if field.is_required else 1,
            max_lines=most,
            interactive=True,
        )

    return make


def list_choices(field: Field) -> list[tuple[str, str]]:
    """Return what the drop-down of a choice offers: its values, and UNSET where it may be left to the model."""
    unset = [] if field.is_required else [(UNSET, "")]
    return [*unset, *((choice, choice) for choice in field.choices)]


def _build_choice(field: Field, held: Any) -> gr.Dropdown:
    return gr.Dropdown(list_choices(field), value=held or "", label=field.label, info=field.help, interactive=True)


def _build_flag(field: Field, held: Any) -> gr.Checkbox:
    return gr.Checkbox(value=bool(held), label=field.label, info=field.help, interactive=True)


def _build_messages(field: Field, held: Any) -> gr.JSON:
    # The conversation is drawn where the answer stands; here it is only kept.
    return gr.JSON(value=held or [], label=field.label, visible=False)


def _build_table(field: Field, held: Any) -> gr.Dataframe:
    return gr.Dataframe(
        value=held,
        label=field.label,
        datatype="str",
        column_count=(len(held.columns), "dynamic"),
        row_count=(len(held), "dynamic"),
        interactive=True,
        wrap=True,
    )


def _table_columns(held: pd.DataFrame) -> dict[str, list[str]]:
    return {str(name): [str(cell) for cell in held[name]] for name in held.columns}


def _read_kept_table(kept: Mapping[str, Any]) -> pd.DataFrame | None:
    try:
        return pd.DataFrame(kept.get("data") or [], columns=kept.get("headers") or None)
    except (ValueError, TypeError):  # no page of this version has sent it
        return None


def _file_builder(component: type[gr.components.Component], **options: Any) -> Callable[[Field, Any], Any]:
    return lambda field, held: component(value=held, label=field.label, interactive=True, **options)


def _format_number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _parse_number(held: str) -> Any:
    try:
        number = float(held) if held.strip() else None
        return int(number) if number is not None and number.is_integer() else number
    except ValueError:  # the field's own check says what is wrong with it
        return held


def _parse_lines(held: str) -> Any:
    lines = [line for line in held.splitlines() if line.strip()]
    return lines if len(lines) > 1 else held


def _join_with(separator: str) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, str) else separator.join(map(str, value))


def _format_json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_KINDS: Mapping[str, _FieldKind] = {
    "text": _FieldKind(_text_box_builder(3, 12)),
    "texts": _FieldKind(_text_box_builder(4, 16, "; several texts: one per line"), _join_with("\n"), _parse_lines),
    # gr.Number shows and sends an empty field as 0; a text box can be empty.
    "number": _FieldKind(_text_box_builder(1, 1, placeholder=UNSET), _format_number, _parse_number),
    "choice": _FieldKind(_build_choice),
    "flag": _FieldKind(_build_flag, kept_as=bool),
    "labels": _FieldKind(_text_box_builder(1, 4, "; commas between them"), _join_with(", ")),
    "words": _FieldKind(_text_box_builder(1, 4, "; commas between them"), _join_with(",")),
    "messages": _FieldKind(_build_messages, kept_as=list),
    "table": _FieldKind(_build_table, pd.DataFrame, _table_columns, dict, _read_kept_table),
    "json": _FieldKind(_text_box_builder(2, 8, " (JSON)"), _format_json),
    "boxes": _FieldKind(_text_box_builder(2, 8, " (JSON)"), _format_json),
    "image": _FieldKind(_file_builder(gr.Image, type="filepath", image_mode=None, height=260), str, Path, dict),
    "audio": _FieldKind(_file_builder(gr.Audio, type="filepath"), str, Path, dict),
    "video": _FieldKind(_file_builder(gr.Video, height=260), str, Path, dict),
}


def narrow_widgets(fields: tuple[Field, ...], narrowed: tuple[Field, ...]) -> list[dict[str, Any]]:
    """Return updates for the components of `fields`: hidden where the model takes none, else with its range."""
    kept = {field.name: field for field in narrowed}
    return [
        gr.update(visible=field.name in kept, **_narrow_choices(kept.get(field.name, field), field)) for field in fields
    ]


def _narrow_choices(narrowed: Field, field: Field) -> dict[str, Any]:
    return {"choices": list_choices(narrowed)} if field.kind == "choice" and narrowed.choices != field.choices else {}
