"""The data doctor: what a data set looks like before anything is trained on it, what is wrong, and what mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.data_sources.splits import usual_split
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.columns import Columns, choose_columns, recognise_kind, suggest_columns
from hfdemo.finetuning.dataset.fixes import apply_fixes
from hfdemo.finetuning.dataset.labels import choose_positive_label, count_labels
from hfdemo.finetuning.dataset.problems import (
    Problem,
    of_imbalance,
    of_labels,
    of_refused,
    of_repeated_texts,
    of_rows,
    of_spellings,
)
from hfdemo.finetuning.dataset.rows import read_rows
from hfdemo.finetuning.dataset.splitting import VALIDATION_SHARE, find_given_splits, find_rows_of_no_split
from hfdemo.finetuning.kinds import Kind, kinds_of_task
from hfdemo.finetuning.kinds.label_names import sort_labels
from hfdemo.tables import Refused

_MOST_CUT = 0.01  # of the rows, what truncation may cut without being called a problem


@dataclass(frozen=True)
class Truncation:
    """How many rows, and what `share` of them, are longer than `max_length` tokens; `longest` counts tokens."""

    max_length: int
    rows: int
    share: float
    longest: int


@dataclass(frozen=True)
class Inspection:
    """What a data set looks like before anything is trained on it, after the fixes that the config asks for.

    `labels` counts rows per label (of tags: words; of numbers: rows per range), the most frequent first, `label_order`
    is the model's. `notes` say what the fixes removed.
    """

    columns: tuple[str, ...]
    rows: int
    splits: Mapping[str, int]
    suggested: Columns | None
    labels: Mapping[str, int]
    problems: tuple[Problem, ...]
    preview: tuple[Mapping[str, str], ...]
    kind: str | None = None
    task: str | None = None
    problem_type: str | None = None
    label_order: tuple[str, ...] = ()
    positive_label: str | None = None
    refused: tuple[Refused, ...] = ()
    truncation: Truncation | None = None
    notes: tuple[str, ...] = ()

    @property
    def train_rows(self) -> int:
        """Rows that would be trained on: the train split, or what is left when a validation split is held out."""
        named = {usual_split(name) or name: count for name, count in self.splits.items()}
        return named.get("train", round(self.rows * (1 - VALIDATION_SHARE)))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def inspect(
    tables: Mapping[str, pd.DataFrame],
    mapped: Columns | None = None,
    config: RunConfig | None = None,
    refused: Sequence[Refused] = (),
    lengths: Sequence[int] | None = None,
    limit: int | None = None,
) -> Inspection:
    """Columns, splits, labels and problems of a data set, by the columns in `mapped` or those that look right.

    With a `config` its task, columns, splits, labels and fixes count; what it leaves open is suggested. `lengths` are
    the tokens of every row, of all tables below each other, and `limit` is the most that the model can read: with them
    and the config's max_length (else `limit`) truncation is counted.
    """
    whole = pd.concat(tables.values(), ignore_index=True).fillna("")
    suggested, kind, problems = _choose(whole, mapped, config)
    config = config or RunConfig("")
    splits = {name: len(table) for name, table in tables.items() if name}
    if not splits and suggested and suggested.split_column:
        marked = whole[suggested.split_column]
        splits = {str(name): int(n) for name, n in marked[marked.str.strip() != ""].value_counts().items()}
    told: dict[str, Any] = {}
    if suggested is not None and kind is not None:
        found, told = _look(config, tables, suggested, kind, refused)
        problems += found
    truncation = _truncation(lengths, config.max_length, limit) if lengths else None
    if truncation is not None and lengths:
        problems += _cut(truncation, lengths, limit)
    return Inspection(
        columns=tuple(whole.columns),
        rows=len(whole),
        splits=splits,
        suggested=suggested,
        labels=told.pop("labels", {}),
        problems=tuple(problems),
        preview=tuple(whole.head(8).to_dict("records")),
        kind=kind.name if kind else None,
        task=kind.task if kind else None,
        problem_type=kind.problem_type if kind else None,
        refused=tuple(refused),
        truncation=truncation,
        **told,
    )


def _choose(
    whole: pd.DataFrame, mapped: Columns | None, config: RunConfig | None
) -> tuple[Columns | None, Kind | None, list[Problem]]:
    """The columns and the kind of answers, and what is wrong with the choice of them."""
    columns = (mapped.text_column, mapped.label_column) if mapped else ()
    usable = mapped if mapped and all(column is None or column in whole for column in columns) else None
    if config is None:
        suggested = usable or suggest_columns(whole)
        if suggested is None:
            problem = Problem(0, "", "No column looks like a label.", "Pick the label column by hand.", "columns")
            return None, None, [problem]
        return suggested, recognise_kind(whole, suggested), []
    if usable:
        picked: dict[str, Any] = {name: column or "" for name, column in dataclasses.asdict(usable).items()}
        config = dataclasses.replace(config, **picked)
    try:
        chosen, kind = choose_columns(config, whole)
    except DataError as error:
        other = suggest_columns(whole)
        return None, None, [*_of_task(whole, other, config), Problem(0, "", str(error), "Pick the columns.", "columns")]
    return chosen, kind, _of_task(whole, chosen, config)


def _of_task(whole: pd.DataFrame, mapped: Columns | None, config: RunConfig) -> list[Problem]:
    """That the data looks as if it were for another task than the config's."""
    looks = recognise_kind(whole, mapped) if mapped else None
    if looks is None or looks in kinds_of_task(config.task):
        return []
    task = looks.task
    said = f"The data looks as if it were for {task}, and not for {config.task}."
    return [Problem(0, "", said, f"Change the task to {task}.", "task", 0, {"task": task, "problem_type": None})]


def _look(
    config: RunConfig, tables: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind, refused: Sequence[Refused]
) -> tuple[list[Problem], dict[str, Any]]:
    """The problems of the rows, and what else an Inspection tells of them."""
    problems = []
    try:
        given = find_given_splits(config, tables, mapped)
        refused = (*refused, *find_rows_of_no_split(config, tables, mapped))
    except DataError as error:
        problems.append(Problem(0, mapped.split_column or "", str(error), "Say which split is what.", "splits"))
        given = {"train": pd.concat(tables.values(), ignore_index=True).fillna("")}
    parts = read_rows(given, mapped, kind)
    notes: list[str] = []
    try:
        parts, notes = apply_fixes(config.fixes, parts, kind, refused)
    except DataError as error:
        problems.append(Problem(0, "", str(error), "Take it out of the fixes.", "fixes"))
    left = [] if "drop_refused_rows" in config.fixes else refused
    problems += [
        *of_refused(left),
        *of_rows(parts, mapped, kind),
        *of_spellings(parts, mapped, kind),
        *of_repeated_texts(parts, mapped),
        *of_labels(parts, mapped, kind, config.labels),
    ]
    readable = {split: part[part["unreadable"] == ""] for split, part in parts.items()}
    if mapped.label_column is not None:
        readable = {split: part[part["label"] != ""] for split, part in readable.items()}
    labels = count_labels(pd.concat(readable.values()), kind)
    if kind.rows.is_single_label and config.class_weights is None:
        problems += of_imbalance(count_labels(readable["train"], kind), mapped)
    order = tuple(config.labels or sort_labels(labels)) if kind.rows.has_classes else ()
    try:
        positive = choose_positive_label(config, order, kind)
    except DataError as error:
        problems.append(Problem(0, "", str(error), "Choose another positive label.", "positive_label"))
        positive = None
    return problems, {"labels": labels, "label_order": order, "positive_label": positive, "notes": tuple(notes)}


def _truncation(lengths: Sequence[int], max_length: int | None, limit: int | None) -> Truncation | None:
    longest = min([each for each in (max_length, limit) if each], default=None)
    if longest is None:
        return None
    cut = sum(length > longest for length in lengths)
    return Truncation(longest, cut, cut / len(lengths), int(max(lengths)))


def _cut(found: Truncation, lengths: Sequence[int], limit: int | None) -> Iterator[Problem]:
    if found.share <= _MOST_CUT:
        return
    enough = sorted(lengths)[int((1 - _MOST_CUT) * (len(lengths) - 1))]
    enough = min([-(-enough // 8) * 8, *([limit] if limit else [])])
    helps = enough > found.max_length
    yield Problem(
        0, "", f"{found.share:.1%} of the rows are longer than {found.max_length:,} tokens, and lose their end.",
        f"Raise max_length to {enough:,}." if helps else "This is all the model can read: shorten the texts.",
        "truncation", found.rows, {"max_length": enough} if helps else {},
    )  # fmt: skip
