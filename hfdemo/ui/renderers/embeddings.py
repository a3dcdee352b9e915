"""The HTML of vectors, and of any value that has no drawing of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.media import to_array
from hfdemo.ui.html import TableCell, escape, placeholder, table

SHOWN_NUMBERS = 48
SHOWN_TEXTS = 12
SHOWN_ITEMS = 12
SHOWN_CHARACTERS = 2_000


def render_vectors(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [1, tokens, hidden] of one text or image, or a list of them: shape, first numbers, similarities."""
    found = [to_array(each) for each in output]
    if not found:
        return placeholder("The model returned no vector.")
    found = [np.squeeze(each, 0) if each.ndim == 3 else each for each in found]
    if len(found) == 1 and found[0].ndim == 2 and inputs.get("image") is None:
        return _describe_token_vectors(found[0].tolist())
    if len(found) == 1:
        rows = np.atleast_2d(found[0])
        numbers = " ".join(f"{number:+.3f}" for number in rows[0][:SHOWN_NUMBERS])
        more = rows.shape[1] - SHOWN_NUMBERS
        return (
            f"<p><b>{list(to_array(output).shape)}</b> for one image. The first vector:</p>"
            f"<pre class='hf-pre'>{numbers}{f' … {more} more' if more > 0 else ''}</pre>"
        )
    shapes = dict.fromkeys(f"[1, {rows}, {width}]" for rows, width in (np.atleast_2d(each).shape for each in found))
    said = ", ".join(list(shapes)[:6]) + (" …" if len(shapes) > 6 else "")
    return (
        f"<p><b>{len(found)} texts</b> × tokens × hidden size: {said}. "
        f"The cosine similarity of their mean vectors:</p>{_draw_cosine_table(found, inputs)}"
    )


def _describe_token_vectors(rows: Sequence[Sequence[float]]) -> str:
    """Draw [tokens, hidden] as the shape that the model gave it and the first numbers of the first token."""
    first = " ".join(f"{number:+.3f}" for number in rows[0][:SHOWN_NUMBERS])
    more = f" … {len(rows[0]) - SHOWN_NUMBERS} more" if len(rows[0]) > SHOWN_NUMBERS else ""
    return (
        f"<p><b>[1, {len(rows)}, {len(rows[0])}]</b> texts × tokens × hidden size. "
        f"The vector of the first token:</p><pre style='white-space:pre-wrap'>{first}{more}</pre>"
    )


def _draw_cosine_table(found: Sequence[Any], inputs: Mapping[str, Any]) -> str:
    """Draw the cosine similarity of mean-pooled vectors as a shaded table."""
    given = inputs.get("text")
    texts = given.splitlines() if isinstance(given, str) else list(given or [])
    if len(texts) != len(found):
        texts = [f"text {number}" for number in range(1, len(found) + 1)]
    shown = range(min(len(found), SHOWN_TEXTS))
    means = np.stack([np.atleast_2d(found[index]).mean(0) for index in shown]).astype("float64")
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    means = means / np.where(lengths > 0, lengths, 1)
    head = ["", *(TableCell(index + 1, "hf-number", title=texts[index]) for index in shown)]
    rows = [
        [
            TableCell(f"{index + 1} · {_shorten_text(texts[index], 28)}", title=texts[index]),
            *(
                TableCell(f"{cosine:.2f}", style=f"--hf-strength:{max(0.0, cosine):.0%}")
                for cosine in means[index] @ means.T
            ),
        ]
        for index in shown
    ]
    more = (
        f"<p class='hf-about'>The first {SHOWN_TEXTS} of {len(found):,} texts.</p>" if len(found) > SHOWN_TEXTS else ""
    )
    return table(head, rows, kind="hf-heat", row_heads=True) + more


def _shorten_text(written: str, most: int) -> str:
    return written if len(written) <= most else written[: most - 1].rstrip() + "…"


def render_json(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw anything as indented JSON; long lists and texts are cut, pictures and large arrays are named."""
    if output is None or (isinstance(output, list | dict | str) and not output):
        return placeholder("Nothing was found: the model returned an empty answer.")
    return f"<pre class='hf-pre'>{escape(dump_json(shorten_value(output)))}</pre>"


def dump_json(value: Any, indent: str = "") -> str:
    """Return JSON with one line per entry; a list of numbers or texts keeps to one line."""
    deeper = f"{indent}  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(key, ensure_ascii=False)}: {dump_json(value[key], deeper)}" for key in value]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(f"{deeper}{dump_json(item, deeper)}" for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def shorten_value(value: Any) -> Any:
    """Return a value that JSON can hold: long lists and texts cut, pictures and large arrays named."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}… {len(value):,} characters"
    if isinstance(value, Mapping):
        return {str(key): shorten_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - SHOWN_ITEMS:,} more"] if len(value) > SHOWN_ITEMS else []
        return [*(shorten_value(item) for item in value[:SHOWN_ITEMS]), *more]
    if hasattr(value, "width") and hasattr(value, "mode"):
        return f"picture, {value.width} × {value.height} pixels, {value.mode}"
    if hasattr(value, "tolist"):
        numbers = to_array(value)
        return (
            shorten_value(numbers.tolist())
            if numbers.ndim < 2
            else f"{value.dtype} array of shape {list(numbers.shape)}"
        )
    return str(value)
