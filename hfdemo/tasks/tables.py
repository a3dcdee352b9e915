"""Questions about a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from hfdemo.tasks.by_hand.tables import answer_from_table
from hfdemo.tasks.calling import chosen
from hfdemo.tasks.explaining import MOST_ROWS
from hfdemo.tasks.field import Field
from hfdemo.tasks.task import Call, Explanation, Task


def _call_table(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    # A table that is too long loses its last rows without this pipeline being told.
    questions = [line.strip() for line in inputs["question"].splitlines() if line.strip()]
    return Call((inputs["table"], questions if len(questions) > 1 else questions[0]), chosen(parameters))


def _explain_table(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    names = loaded.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    probabilities = outputs["logits"][0].float().sigmoid().tolist()
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (segment, column, row) in enumerate(inputs["token_type_ids"][0, :, :3].tolist()):
        if segment == 1 and column > 0 and row > 0:
            cells[row, column].append(index)
    means = {place: sum(probabilities[index] for index in found) / len(found) for place, found in cells.items()}
    best = sorted(means, key=lambda place: means[place], reverse=True)[:MOST_ROWS]
    aggregated = ""
    if "logits_aggregation" in outputs:
        index = int(outputs["logits_aggregation"][0].argmax())
        aggregated = f" A second head chose `{loaded.model.config.aggregation_labels[index]}` as what to do with them."
    return Explanation(
        "The model returned one logit per token. `sigmoid(logit)`, averaged over the tokens of a cell, is the cell's "
        f"probability: those above 0.5 are the answer. The surest are shown.{aggregated}",
        ("tokens of the cell", "row", "column", "probability"),
        tuple(
            (" ".join(names[index] for index in cells[place]), str(place[0]), str(place[1]), means[place])
            for place in best
        ),
    )


TASKS = (
    Task(
        name="table-question-answering",
        title="Table question answering",
        group="Text",
        summary=(
            "Answers a question by picking cells of a table, and says whether to sum, average or count them. "
            '`pipeline("table-question-answering", model=...)(table, question)`'
        ),
        inputs=(
            Field("table", "table", "Table", "columns with a name each; every cell is read as text"),
            Field("question", "text", "Question", "one question, or several, each on its own line"),
        ),
        parameters=(
            Field(
                "sequential",
                "flag",
                "sequential",
                "ask one question after the other, each knowing the answer before; for models trained on conversations",
                False,
            ),
        ),
        output="cells",
        call=_call_table,
        by_hand=answer_from_table,
        explain=_explain_table,
        classes=("AutoModelForTableQuestionAnswering",),
        processors=("tokenizer",),
        default_model="google/tapas-small-finetuned-wtq",
        examples=(
            {
                "table": {
                    "River": ["Rhine", "Danube", "Elbe", "Loire"],
                    "Length in km": ["1233", "2850", "1094", "1006"],
                    "Flows into": ["North Sea", "Black Sea", "North Sea", "Atlantic Ocean"],
                },
                "question": "Which river is the longest?",
            },
            {
                "table": {
                    "City": ["Oslo", "Rome", "Lisbon"],
                    "Inhabitants": ["709037", "2748109", "567131"],
                },
                "question": "How many inhabitants does Rome have?\nHow many cities are there?",
            },
        ),
    ),
)
