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
from hfdemo.errors import DataError, DemoError, Stopped
from hfdemo.inference.predict import build_need, check_requirements, fit_job, prepare_job, run_pipeline
from hfdemo.inference.prediction import PredictionJob
from hfdemo.inference.tracing import Tracer
from hfdemo.inference.warnings import warn_of_job, warn_of_model
from hfdemo.models.cache import ModelCache
from hfdemo.models.hub import Progress
from hfdemo.models.library_warnings import collect_library_warnings
from hfdemo.models.loading import LoadedModel
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.settings import Settings
from hfdemo.tables import ReadOptions, replace_text_flaws, write_csv
from hfdemo.tasks import Task

BATCH = 16


@dataclass(frozen=True)
class FilePrediction:
    """A file with predictions: `refused` are (row, reason), rows counting from 1 under the header.

    `warnings` hold for every row, or for as many as they say; a row's own are in its column `warning`.
    """

    path: Path
    rows: int
    predicted: int
    refused: tuple[tuple[int, str], ...]
    columns: tuple[str, ...]
    preview: tuple[Mapping[str, str], ...]
    seconds: float
    stopped: bool
    warnings: tuple[str, ...] = ()


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
    row that can't be read keeps its place, with the reason in the column `error`; what an answer does not show, text
    that was cut off for instance, is in the column `warning`. Where several labels count, each has a column. Setting
    `stop` ends the work with what there is.

    Raises:
        DataError: the file can't be read, or has no such column.
        DemoError: the task takes no text, or the model can't be loaded.
    """
    if not can_predict_file(task):
        raise DemoError(f"{task.name} can't be run on a CSV. Pick a task that takes a text and answers in words.")
    started = time.perf_counter()
    read = read_rows(path, models.settings, options)
    table = read.table
    texts = choose_text_columns(list(table.columns), text_column, text_pair_column or "")
    columns = {name: column for name, column in zip(("text", "text_pair"), texts, strict=True) if column}
    same = values or {}
    # What is the same for every row is checked once, before anything is loaded.
    check_requirements(models, task, ref, task.check({**same, **columns}, models.settings.max_characters)[0])
    loaded = models.get(ref, build_need(task), progress, stop)
    cells = table[list(columns.values())].itertuples(index=False)
    rows = [{**same, **dict(zip(columns, each, strict=True))} for each in cells]
    work = _BatchWork(models, task, loaded, *_prepare_rows(models, task, loaded, rows, read.lost, stop))
    work.run(on_rows, stop)
    _add_columns(table, [work.cells(row) for row in range(len(table))])
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{path.stem}.predictions.csv"
    write_csv(table, out)
    return FilePrediction(
        path=out,
        rows=len(table),
        predicted=len(work.results),
        refused=tuple((row + 1, reason) for row, reason in sorted(work.failed.items())),
        columns=tuple(table.columns),
        preview=tuple(table.head(10).to_dict("records")),
        seconds=time.perf_counter() - started,
        stopped=len(work.results) + len(work.failed) < len(table),
        warnings=work.warnings(),
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


class _BatchWork:
    """Answers the `jobs` of a file in batches; others get their turn between two of them. `refused` have none.

    `results`, `failed` (why there is none) and `warned` (what the answer does not show) are by row; `said` is what the
    library warned of.
    """

    def __init__(
        self,
        models: ModelCache,
        task: Task,
        loaded: LoadedModel,
        jobs: Mapping[int, PredictionJob],
        refused: Mapping[int, str],
    ) -> None:
        self.models, self.task, self.loaded, self.jobs = models, task, loaded, jobs
        self.results: dict[int, Any] = {}
        self.failed = dict(refused)
        self.warned: dict[int, tuple[str, ...]] = {}
        self.said: list[str] = []
        self.stop: Event | None = None

    def run(self, on_rows: Callable[[int, int], None] | None, stop: Event | None) -> None:
        """Answer all rows, those of a length together, or those before `stop` was set."""
        self.stop, refused = stop, len(self.failed)
        order = sorted(self.jobs, key=lambda row: len(self.jobs[row].inputs["text"]))
        size = BATCH if self.task.is_batchable else 1
        for begin in range(0, len(order), size):
            try:
                self._predict_rows(order[begin : begin + size])
            except Stopped:
                break
            if on_rows is not None:
                on_rows(len(self.results) + len(self.failed) - refused, len(order))
            if stop is not None and stop.is_set():
                break

    def warnings(self) -> tuple[str, ...]:
        """Return what holds for every row, and in how many there is something to say, with the first of it."""
        of_all = dict.fromkeys([*warn_of_model(self.loaded), *self.said])
        if not self.warned:
            return (*of_all,)
        row = min(self.warned)
        rows = f"{len(self.warned):,} rows have" if len(self.warned) > 1 else "One row has"
        return (*of_all, f"{rows} a note in the column `warning`. Row {row + 1:,}: {self.warned[row][0]}")

    def cells(self, row: int) -> dict[str, str]:
        """Write the answer to `row`, or why there is none, as cells by name, with what there is to say of it."""
        several = self.task.scores_each
        if row not in self.results:
            cells = {"error": self.failed.get(row, "stopped before this row")}
        else:
            each = several is not None and several(self.loaded, self.jobs[row].parameters)
            cells = _result_cells(to_json(self.results[row]), each)
        warnings = self.warned.get(row)
        return {**cells, "warning": " ".join(warnings)} if warnings else cells

    def _predict_rows(self, rows: Sequence[int]) -> None:
        try:
            found = self.models.scheduler.run([self.jobs[row] for row in rows], self._run_batches, stop=self.stop)
        except Stopped:
            raise
        except DemoError as error:
            if len(rows) == 1:
                self.failed[rows[0]] = str(error)
            else:  # one of them spoils the batch: each on its own
                for row in rows:
                    self._predict_rows([row])
            return
        for row, (result, warnings) in zip(rows, found, strict=True):
            self.results[row] = result
            if warnings:
                self.warned[row] = warnings

    def _run_batches(self, batches: Sequence[Sequence[PredictionJob]]) -> list[list[tuple[Any, tuple[str, ...]]]]:
        task, loaded, found = self.task, self.loaded, []
        most = self.models.settings.max_new_tokens
        tracer = Tracer(loaded.model, loaded.tokenizer, self.stop, keep_probabilities=False, most_tokens=most)
        with tracer, collect_library_warnings() as said:
            for batch in batches:
                fitted = [fit_job(task, loaded, job) for job in batch]
                answers = run_pipeline(task, loaded, fitted)
                warnings = [tuple(warn_of_job(task, loaded, job)) for job in fitted]
                found.append(list(zip(answers, warnings, strict=True)))
        self.said += said
        return found


def _add_columns(table: Any, added: Sequence[Mapping[str, str]]) -> None:
    """Add `added`, cells by row and name, to `table` as columns, under names that no column has."""
    for name in dict.fromkeys(name for cells in added for name in cells):
        table[_unused_name(name, table.columns)] = [replace_text_flaws(cells.get(name, "")) for cells in added]


def _unused_name(name: str, columns: Sequence[str]) -> str:
    """Return a name for a new column that no column has."""
    candidates = [name, f"{name}_predicted", *(f"{name}_predicted_{number}" for number in range(2, len(columns) + 3))]
    return next(each for each in candidates if each not in columns)


def _result_cells(answer: Any, several: bool) -> dict[str, str]:
    """Write the best label and its score, with `several` each label's; the text; or JSON where none of these fits."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    scores: list[tuple[Any, Any]] = []
    if isinstance(first, dict) and {"label", "score"} <= set(first):
        scores = [(each["label"], each["score"]) for each in answer]
    elif isinstance(first, dict) and "labels" in first:
        scores = list(zip(first["labels"], first["scores"], strict=True))
    if scores:
        best, score = scores[0]
        each = {f"score_{label}": f"{number:.6f}" for label, number in sorted(scores)} if several else {}
        return {"label": _escape_formula(str(best)), "score": f"{score:.6f}", **each}
    texts = [value for key, value in first.items() if key.endswith("_text")] if isinstance(first, dict) else []
    if len(texts) == 1 and isinstance(texts[0], str):
        return {"text_out": _escape_formula(texts[0])}
    return {"output": json.dumps(answer, ensure_ascii=False)}


def _escape_formula(text: str) -> str:
    """Escape a model's words, so that no spreadsheet takes them for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
