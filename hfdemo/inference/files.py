"""A whole file at once: a CSV in, the same CSV with predictions out, its order and its bad rows kept."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.errors import DataError, DemoError, Stopped
from hfdemo.inference.run import Job, answers, need_of
from hfdemo.models.hub import Progress
from hfdemo.models.loading import LoadedModel
from hfdemo.models.memory import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serializing import to_json
from hfdemo.tables import read_table
from hfdemo.tasks import Task

BATCH = 16
MOST_ROWS = 100_000
_TEXT_COLUMNS = ("text", "sentence1", "sentence", "premise", "question", "message", "content", "review")


@dataclass(frozen=True)
class FilePrediction:
    """A file with predictions: `refused` are (row, reason), rows counting from 1 under the header."""

    path: Path
    rows: int
    predicted: int
    refused: tuple[tuple[int, str], ...]
    columns: tuple[str, ...]
    preview: tuple[Mapping[str, str], ...]
    seconds: float
    stopped: bool


def takes_files(task: Task) -> bool:
    """Whether rows of text are enough for `task`: a text, and nothing that a CSV can't hold."""
    return any(field.name == "text" for field in task.inputs) and not any(
        field.required and field.name != "text" and field.kind != "labels" for field in task.inputs
    )


def predict_file(
    models: ModelCache,
    task: Task,
    model: str | None,
    path: Path,
    folder: Path,
    *,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    values: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    told: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> FilePrediction:
    """Run `task` on every row of the CSV at `path` and write a copy with the answers to `folder`.

    `values` are the task's other fields, the same for every row. `told(done, rows)` hears of progress. Rows are
    computed in the order of their length, so that those of a batch are of a kind, and written in their own order. A
    row that can't be read keeps its place, with the reason in the column `error`. Setting `stop` ends the work with
    what there is.

    Raises:
        DataError: the file can't be read, or has no such column.
        DemoError: the task takes no text, or the model can't be loaded.
    """
    if not takes_files(task):
        raise DemoError(f"{task.name} can't be run on a CSV: it needs more than texts. Pick a task that takes a text.")
    started = time.perf_counter()
    table = read_table(path, lone_column=True)
    if len(table) > MOST_ROWS:
        raise DataError(f"{path.name} has {len(table):,} rows; one file takes at most {MOST_ROWS:,}. Send it in parts.")
    text_column = _column(table.columns, text_column)
    if text_pair_column and text_pair_column not in table.columns:
        raise DataError(f"There is no column {text_pair_column!r}. There are: {', '.join(table.columns)}.")
    loaded = models.get(ModelRef.parse(model or task.default_model), need_of(task), progress)
    jobs: dict[int, Job] = {}
    refused: dict[int, str] = {}
    for row, text in enumerate(table[text_column]):
        pair = {"text_pair": table[text_pair_column].iloc[row]} if text_pair_column else {}
        try:
            inputs, parameters = task.check({**(values or {}), "text": text, **pair}, models.settings.max_characters)
            parameters = task.fit(loaded, parameters)
            jobs[row] = Job(task.call(inputs, parameters), inputs, parameters)
        except DemoError as error:
            refused[row] = str(error)
    results = _in_batches(models, task, loaded, jobs, told, stop)
    unread = dict.fromkeys(set(jobs) - set(results), "stopped before this row")
    added = [_cells(results.get(row), {**unread, **refused}.get(row, "")) for row in range(len(table))]
    names = list(dict.fromkeys(name for cells in added for name in cells))
    taken = {name: name if name not in table.columns else f"{name}_predicted" for name in names}
    for name in names:
        table[taken[name]] = [cells.get(name, "") for cells in added]
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{path.stem}.predictions.csv"
    table.to_csv(out, index=False, quoting=csv.QUOTE_MINIMAL)
    return FilePrediction(
        path=out,
        rows=len(table),
        predicted=len(results),
        refused=tuple((row + 1, reason) for row, reason in refused.items()),
        columns=tuple(table.columns),
        preview=tuple(table.head(10).to_dict("records")),
        seconds=time.perf_counter() - started,
        stopped=bool(unread),
    )


def _in_batches(
    models: ModelCache,
    task: Task,
    loaded: LoadedModel,
    jobs: Mapping[int, Job],
    told: Callable[[int, int], None] | None,
    stop: Event | None,
) -> dict[int, Any]:
    """The answers by row; others get their turn between two batches."""
    order = sorted(jobs, key=lambda row: len(jobs[row].inputs["text"]))
    size = BATCH if task.batches else 1
    results: dict[int, Any] = {}

    def work(batches: Sequence[Sequence[Job]]) -> list[list[Any]]:
        return [answers(task, loaded, batch) for batch in batches]

    for begin in range(0, len(order), size):
        rows = order[begin : begin + size]
        try:
            found = models.turns.take([jobs[row] for row in rows], work, stop=stop)
        except Stopped:
            break
        results.update(zip(rows, found, strict=True))
        if told is not None:
            told(len(results), len(order))
        if stop is not None and stop.is_set():
            break
    return results


def _column(columns: Sequence[str], asked: str | None) -> str:
    """The column that holds the texts."""
    if asked is not None:
        if asked not in columns:
            raise DataError(f"There is no column {asked!r}. There are: {', '.join(columns)}.")
        return asked
    if len(columns) == 1:
        return columns[0]
    for name in _TEXT_COLUMNS:
        if name in columns:
            return name
    raise DataError(f"Which column holds the texts? Name one of: {', '.join(columns)}.")


def _cells(result: Any, error: str) -> dict[str, str]:
    """One row's answer as cells: the best label and its score, the text, or JSON where neither fits."""
    if error:
        return {"error": error}
    answer = to_json(result)
    first = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(first, dict) and {"label", "score"} <= set(first):
        return {"label": str(first["label"]), "score": f"{first['score']:.6f}"}
    if isinstance(first, dict) and "labels" in first:
        return {"label": str(first["labels"][0]), "score": f"{first['scores'][0]:.6f}"}
    texts = [value for key, value in first.items() if key.endswith("_text")] if isinstance(first, dict) else []
    if len(texts) == 1 and isinstance(texts[0], str):
        return {"text_out": texts[0]}
    return {"output": json.dumps(answer, ensure_ascii=False)}
