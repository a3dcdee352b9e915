"""What went on inside the pipeline: its three stages, drawn from the tensors of the answer on view."""

from __future__ import annotations

from collections.abc import Mapping

from hfdemo.inference import Stages
from hfdemo.tokenization.encoding import Cell
from hfdemo.ui.html import code, table
from hfdemo.ui.renderers.tokens import SHOWN_SLOTS, render_strip, token_cell

NO_STAGES = "Run the model to see its three stages."


def render_stages(inside: Stages, seconds: Mapping[str, float]) -> str:
    """Draw the pipeline's three stages: what goes in as tokens or tensors, what comes out, what becomes of it."""
    cells = [
        Cell(token, number, "special" if special else "token", sequence, None, None, 1)
        for token, number, special, sequence in zip(
            inside.tokens, inside.token_ids, inside.special, inside.sequences, strict=True
        )
    ][:SHOWN_SLOTS]
    if cells:
        texts = "both texts" if 1 in inside.sequences else "the text"
        more = f" The first {SHOWN_SLOTS} are shown." if len(inside.tokens) > SHOWN_SLOTS else ""
        said = f"`{inside.tokenizer_call}` cuts {texts} into {len(inside.tokens)} tokens and looks up their ids.{more}"
        tokens = render_strip(
            [("token", [token_cell(cell) for cell in cells]), ("input_ids", [cell.id for cell in cells])]
        )
        first = _render_stage("1 · Tokenizer", seconds["preprocess"], said, tokens)
    else:
        names = ", ".join(name for name, _ in inside.inputs)
        said = f"The processor turns the file into numbers of the shape that the model was trained on: `{names}`."
        first = _render_stage("1 · Processor", seconds["preprocess"], said, "")
    second = _render_stage(
        "2 · Model",
        seconds["forward"],
        "`model(**inputs)` turns tensors into tensors. It knows no labels, only numbers.",
        table(
            ("", "tensor", "shape"),
            [("in", name, list(shape)) for name, shape in inside.inputs]
            + [("out", name, list(shape)) for name, shape in inside.outputs],
            focusable=True,
        ),
    )
    return first + second + _render_postprocessing(inside, seconds)


def _render_postprocessing(inside: Stages, seconds: Mapping[str, float]) -> str:
    found = inside.explanation
    if found is None:
        said = "The pipeline turns the outputs into the answer: boxes, masks, text or nested lists."
        return _render_stage("3 · Postprocessing", seconds["postprocess"], said, "")
    columns = list(zip(*found.rows, strict=True))
    numbers = [index for index, cells in enumerate(columns) if all(isinstance(cell, float) for cell in cells)]
    # Logits have a sign, probabilities have none.
    forms = ["+.4f" if index in numbers and min(cells) < 0 else ".4f" for index, cells in enumerate(columns)]
    rows = [
        tuple(f"{cell:{form}}" if isinstance(cell, float) else cell for cell, form in zip(row, forms, strict=True))
        for row in found.rows
    ]
    drawn = table(found.columns, rows, numbers=numbers, focusable=True)
    return _render_stage("3 · Postprocessing", seconds["postprocess"], found.text, drawn)


def _render_stage(title: str, seconds: float, text: str, body: str) -> str:
    return f"<div class='hf-stage'><h2>{title} · {1000 * seconds:.1f} ms</h2><p>{code(text)}</p>{body}</div>"
