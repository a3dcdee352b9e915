"""A whole file at once: a table in, a CSV of it with predictions out, its order and its bad rows kept."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.data_sources import choose_text_columns
from hfdemo.data_sources.formats import read_file
from hfdemo.errors import DataError, DemoError, ModelError, Stopped
from hfdemo.inference.predict import PredictionJob, build_need, check_requirements, prepare_job, run_pipeline
from hfdemo.inference.tracing import Tracer
from hfdemo.models.cache import ModelCache
from hfdemo.models.hub import Progress
from hfdemo.models.loading import LoadedModel
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.settings import Settings
from hfdemo.tables import ReadOptions, replace_text_flaws, write_csv
from hfdemo.tasks import Task

BATCH = 16


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


@dataclass(frozen=True)
class FileRows:
    """The rows of a file: `lost` is why a row fits no table, which keeps its place with nothing in it.

    `reading` is how the file was understood, and `doubts` where that was a guess, a sentence each.
    """

    table: Any
    lost: Mapping[int, str]
    reading: str
    doubts: tuple[str, ...]


def can_predict_file(task: Task) -> bool:
    """Say whether rows of text are enough for `task`: a text goes in, and what comes out fits a cell."""
    return (
        any(field.name == "text" for field in task.inputs)
        and not any(field.is_media for field in task.inputs)
        and not any(field.is_required and field.name != "text" and field.kind != "labels" for field in task.inputs)
        and task.output in ("labels", "spans", "candidates", "text", "chat", "json")
    )


def predict_file(
    models: ModelCache,
    task: Task,
    ref: ModelRef,
    path: Path,
    folder: Path,
    *,
    text_column: str | None = None,
    text_pair_column: str | None = None,
    values: Mapping[str, Any] | None = None,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
    on_rows: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> FilePrediction:
    """Run `task` on every row of the table at `path` and write a CSV of it with the answers to `folder`.

    `values` are the task's other fields, the same for every row. `on_rows(done, rows)` is called after each batch. Rows
    are computed in the order of their length, so that those of a batch are of a kind, and written in their own order. A
    row that can't be read keeps its place, with the reason in the column `error`. Setting `stop` ends the work with
    what there is.

    Raises:
        DataError: the file can't be read, or has no such column.
        DemoError: the task takes no text, or the model can't be loaded.
    """
    if not can_predict_file(task):
        raise DemoError(f"{task.name} can't be run on a CSV. Pick a task that takes a text and answers in words.")
    started = time.perf_counter()
    read = read_rows(path, models.settings, options)
    table = read.table
    text_column, text_pair_column = choose_text_columns(list(table.columns), text_column, text_pair_column or "")
    columns = {"text": text_column} | ({"text_pair": text_pair_column} if text_pair_column else {})
    same = values or {}
    # What is the same for every row is checked once, before anything is loaded.
    check_requirements(models, task, ref, task.check({**same, **columns}, models.settings.max_characters)[0])
    loaded = models.get(ref, build_need(task), progress, stop)
    texts = table[list(columns.values())].itertuples(index=False)
    rows = [{**same, **dict(zip(columns, each, strict=True))} for each in texts]
    jobs, refused = _prepare_rows(models, task, loaded, rows, read.lost, stop)
    results, failed = _predict_batches(models, task, loaded, jobs, on_rows, stop)
    refused = dict(sorted({**refused, **failed}.items()))
    unread = dict.fromkeys(set(range(len(table))) - set(results) - set(refused), "stopped before this row")
    _add_answers(table, results, {**unread, **refused})
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{path.stem}.predictions.csv"
    write_csv(table, out)
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


def read_rows(path: Path, settings: Settings, options: ReadOptions | None = None) -> FileRows:
    """Read the table in the file at `path`, in which every row keeps its place.

    Raises:
        DataError: it can't be read, or has more rows than one call takes.
    """
    options = options or ReadOptions()
    most = settings.max_predicted_rows
    sheet = read_file(
        path, dataclasses.replace(options, most_rows=settings.max_rows, most_bytes=settings.max_data_bytes)
    )
    lost = {row.row - 1: f"{row.lines}: {row.reason}" if row.lines else row.reason for row in sheet.refused}
    count = len(sheet.table) + len(lost)
    if count > most:
        raise DataError(f"{path.name} has {count:,} rows; one file takes at most {most:,}. Send it in parts.")
    table = sheet.table.reindex(range(count)).fillna("")
    return FileRows(table, lost, sheet.reading, tuple(each.problem for each in sheet.doubts))


def _prepare_rows(
    models: ModelCache,
    task: Task,
    loaded: LoadedModel,
    rows: Sequence[Mapping[str, Any]],
    lost: Mapping[int, str],
    stop: Event | None,
) -> tuple[dict[int, PredictionJob], dict[int, str]]:
    """Prepare the call of each row that is not `lost`; returns them by row, and by row why there is none.

    Setting `stop` ends it.
    """
    jobs: dict[int, PredictionJob] = {}
    refused = dict(lost)
    for row, values in enumerate(rows):
        if stop is not None and stop.is_set():
            break
        if row in lost:
            continue
        try:
            jobs[row] = prepare_job(task, loaded, *task.check(values, models.settings.max_characters))
        except DemoError as error:
            refused[row] = str(error)
    return jobs, refused


def _predict_batches(
    models: ModelCache,
    task: Task,
    loaded: LoadedModel,
    jobs: Mapping[int, PredictionJob],
    on_rows: Callable[[int, int], None] | None,
    stop: Event | None,
) -> tuple[dict[int, Any], dict[int, str]]:
    """Return the answers by row, and by row why there is none; others get their turn between two batches."""
    order = sorted(jobs, key=lambda row: len(jobs[row].inputs["text"]))
    size = BATCH if task.is_batchable else 1
    results: dict[int, Any] = {}
    failed: dict[int, str] = {}

    def run_batches(batches: Sequence[Sequence[PredictionJob]]) -> list[list[Any]]:
        most = models.settings.max_new_tokens
        with Tracer(loaded.model, loaded.tokenizer, stop, keep_probabilities=False, most_tokens=most):
            return [run_pipeline(task, loaded, batch) for batch in batches]

    def predict_rows(rows: Sequence[int]) -> None:
        try:
            found = models.scheduler.run([jobs[row] for row in rows], run_batches, stop=stop)
        except ModelError as error:
            if len(rows) == 1:
                failed[rows[0]] = str(error)
            else:  # one of them spoils the batch: each on its own
                for row in rows:
                    predict_rows([row])
            return
        results.update(zip(rows, found, strict=True))

    for begin in range(0, len(order), size):
        try:
            predict_rows(order[begin : begin + size])
        except Stopped:
            break
        if on_rows is not None:
            on_rows(len(results) + len(failed), len(order))
        if stop is not None and stop.is_set():
            break
    return results, failed


def _add_answers(table: Any, results: Mapping[int, Any], errors: Mapping[int, str]) -> None:
    """Add the answers to `table` as columns, under names that no column has."""
    added = [_answer_cells(results.get(row), errors.get(row, "")) for row in range(len(table))]
    for name in dict.fromkeys(name for cells in added for name in cells):
        table[_unused_name(name, table.columns)] = [replace_text_flaws(cells.get(name, "")) for cells in added]


def _unused_name(name: str, columns: Sequence[str]) -> str:
    """Return a name for a new column that no column has."""
    candidates = [name, f"{name}_predicted", *(f"{name}_predicted_{number}" for number in range(2, len(columns) + 3))]
    return next(each for each in candidates if each not in columns)


def _answer_cells(result: Any, error: str) -> dict[str, str]:
    """Write one row's answer as cells: the best label and its score, the text, or JSON where neither fits."""
    if error:
        return {"error": error}
    answer = to_json(result)
    first = answer[0] if isinstance(answer, list) and answer else answer
    if isinstance(first, dict) and {"label", "score"} <= set(first):
        return {"label": _escape_formula(str(first["label"])), "score": f"{first['score']:.6f}"}
    if isinstance(first, dict) and "labels" in first:
        return {"label": _escape_formula(str(first["labels"][0])), "score": f"{first['scores'][0]:.6f}"}
    texts = [value for key, value in first.items() if key.endswith("_text")] if isinstance(first, dict) else []
    if len(texts) == 1 and isinstance(texts[0], str):
        return {"text_out": _escape_formula(texts[0])}
    return {"output": json.dumps(answer, ensure_ascii=False)}


def _escape_formula(text: str) -> str:
    """Escape a model's words, so that no spreadsheet takes them for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
