"""The data doctor: what a data set looks like before anything is trained on it, what is wrong, and what mends it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hfdemo.data_sources.splits import normalize_split_name
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.columns import (
    Columns,
    choose_columns,
    open_objects,
    read_rows,
    recognise_kind,
    suggest_columns,
)
from hfdemo.finetuning.dataset.findings import (
    Finding,
    find_bad_cells,
    find_doubts,
    find_imbalance,
    find_rare_and_unknown_labels,
    find_refused_rows,
    find_repeated_texts,
    find_spellings,
    find_unlabelled_rows,
    refuse,
)
from hfdemo.finetuning.dataset.fixes import apply_fixes, is_fix
from hfdemo.finetuning.dataset.labels import choose_positive_label, count_labels, order_found
from hfdemo.finetuning.dataset.preparing import Prepared, SelectedRows, select_rows, split_rows
from hfdemo.finetuning.dataset.readings import describe_reading, find_number_readings
from hfdemo.finetuning.dataset.shortcuts import find_shortcuts
from hfdemo.finetuning.dataset.splitting import VALIDATION_SHARE
from hfdemo.finetuning.kinds import Kind, kinds_of_task
from hfdemo.tables import Doubt, RefusedRow

_MOST_CUT = 0.01  # of the rows, what truncation may cut without being called a problem
_ROUNDS = 4  # what must be mended may only be seen after something else is


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
    is the model's, `usual_order` what it is unless somebody changes it. `readings` say how columns were understood,
    `notes` what the fixes removed. `problems` hold a finding that refuses exactly where a run on this data is refused:
    then `refusal` is the sentence of that refusal, else `prepared` has the rows of the run.
    """

    columns: tuple[str, ...]
    rows: int
    splits: Mapping[str, int]
    suggested: Columns | None
    labels: Mapping[str, int]
    problems: tuple[Finding, ...]
    preview: tuple[Mapping[str, str], ...]
    kind: str | None = None
    task: str | None = None
    problem_type: str | None = None
    label_order: tuple[str, ...] = ()
    usual_order: tuple[str, ...] = ()
    positive_label: str | None = None
    refused: tuple[RefusedRow, ...] = ()
    truncation: Truncation | None = None
    notes: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    refusal: str = ""
    prepared: Prepared | None = field(default=None, repr=False, compare=False)

    @property
    def train_rows(self) -> int:
        """Rows that would be trained on: the train split, or what is left when a validation split is held out."""
        named = {normalize_split_name(name) or name: count for name, count in self.splits.items()}
        return named.get("train", round(self.rows * (1 - VALIDATION_SHARE)))

    def to_json(self) -> dict[str, Any]:
        """Return everything but the rows of the run as plain values."""
        values = dataclasses.asdict(dataclasses.replace(self, prepared=None))
        del values["prepared"]
        return values


def inspect(
    tables: Mapping[str, pd.DataFrame],
    mapped: Columns | None = None,
    config: RunConfig | None = None,
    refused: Sequence[RefusedRow] = (),
    lengths: Sequence[int] | None = None,
    limit: int | None = None,
    doubts: Sequence[Doubt] = (),
) -> Inspection:
    """Inspect the columns, splits, labels and rows of a data set, by the columns in `mapped` or those that look right.

    With a `config` its task, columns, splits, labels and fixes count; what it leaves open is suggested. `lengths` are
    the tokens of every row, of all tables below each other, and `limit` is the most that the model can read: with them
    and the config's max_length (else `limit`) truncation is counted. `doubts` are those of who read the files.
    """
    tables = open_objects(tables)
    whole = pd.concat(tables.values(), ignore_index=True).fillna("")
    suggested, kind, problems = _choose_columns(whole, mapped, config)
    problems = _with_task_fixes(problems, tables, config, refused)
    config = config or RunConfig("")
    splits = {name: len(table) for name, table in tables.items() if name}
    if not splits and suggested and suggested.split_column:
        marked = whole[suggested.split_column]
        splits = {str(name): int(n) for name, n in marked[marked.str.strip() != ""].value_counts().items()}
    refusal = next((each.problem for each in problems if each.refuses), "")
    known: dict[str, Any] = {"refusal": refusal}
    if suggested is not None and kind is not None:
        looked = _RowInspection(config, tables, suggested, kind, refused)
        problems += looked.findings()
        known = looked.facts()
        known["readings"] = tuple(describe_reading(whole, suggested, kind, known["label_order"]))
    truncation = _count_truncation(lengths, config.max_length, limit) if lengths else None
    if truncation is not None and lengths:
        problems += _find_truncation(truncation, lengths, limit)
    return Inspection(
        columns=tuple(whole.columns),
        rows=len(whole),
        splits=splits,
        suggested=suggested,
        labels=known.pop("labels", {}),
        problems=(*find_doubts(doubts), *problems),
        preview=tuple(whole.head(8).to_dict("records")),
        kind=kind.name if kind else None,
        task=kind.task if kind else None,
        problem_type=kind.problem_type if kind else None,
        refused=tuple(refused),
        truncation=truncation,
        **known,
    )


def _choose_columns(
    whole: pd.DataFrame, mapped: Columns | None, config: RunConfig | None
) -> tuple[Columns | None, Kind | None, list[Finding]]:
    """Return the columns and the kind of answers, and what is wrong with the choice of them."""
    usable = mapped if mapped and all(column in whole for column in mapped.needed()) else None
    if config is None:
        suggested = usable or suggest_columns(whole)
        if suggested is None:
            return None, None, [refuse("columns", "No column looks like a label.", "Pick the label column by hand.")]
        kind = recognise_kind(whole, suggested)
        return suggested, kind, find_number_readings(whole, suggested, kind)
    if usable:
        picked: dict[str, Any] = {name: column or "" for name, column in dataclasses.asdict(usable).items()}
        config = dataclasses.replace(config, **picked)
    try:
        chosen, kind = choose_columns(config, whole)
    except DataError as error:
        other = suggest_columns(whole)
        return None, None, [*_find_task(whole, other, config), refuse("columns", str(error), "Pick the columns.")]
    return chosen, kind, [*_find_task(whole, chosen, config), *find_number_readings(whole, chosen, kind)]


def _find_task(whole: pd.DataFrame, mapped: Columns | None, config: RunConfig) -> list[Finding]:
    """Find that the data looks as if it were for another task than the config's."""
    looks = recognise_kind(whole, mapped) if mapped else None
    if looks is None or looks in kinds_of_task(config.task):
        return []
    task = looks.task
    said = f"The data looks as if it were for {task}, and not for {config.task}."
    return [Finding(0, "", said, f"Change the task to {task}.", "task", 0, {"task": task, "problem_type": None})]


def _with_task_fixes(
    problems: list[Finding], tables: Mapping[str, pd.DataFrame], config: RunConfig | None, refused: Sequence[RefusedRow]
) -> list[Finding]:
    """Return `problems`, with a change of the task or the kind only where the data can be mended after it."""

    def leads_on(change: Mapping[str, Any]) -> bool:
        return _can_be_mended(tables, with_change(config or RunConfig(""), change), refused)

    return [
        dataclasses.replace(each, change={}) if each.change and not leads_on(each.change) else each for each in problems
    ]


def _can_be_mended(tables: Mapping[str, pd.DataFrame], config: RunConfig, refused: Sequence[RefusedRow]) -> bool:
    """Return whether nothing refuses a run of `config`, or only what a click mends."""
    try:
        mapped, kind = choose_columns(config, pd.concat(tables.values(), ignore_index=True).fillna(""))
    except DataError:
        return False
    found = _RowInspection(config, tables, mapped, kind, refused).findings()
    return not any(each.refuses and not each.change for each in found)


def with_change(config: RunConfig, change: Mapping[str, Any]) -> RunConfig:
    """Return `config` after the change that a finding offers."""
    fixes = (*config.fixes, *(name for name in change.get("fixes", ()) if name not in config.fixes))
    values: dict[str, Any] = {**change, "fixes": fixes}
    if values.get("labels") is not None:
        values["labels"] = tuple(values["labels"])
    return dataclasses.replace(config, **values)


class _RowInspection:
    """The rows of a data set by their columns and kind: what is wrong with them, and what mends it."""

    def __init__(
        self,
        config: RunConfig,
        tables: Mapping[str, pd.DataFrame],
        mapped: Columns,
        kind: Kind,
        refused: Sequence[RefusedRow],
    ) -> None:
        self._config = config
        self._found: list[Finding] = []
        self._splits_known = True
        try:
            self._rows = select_rows(config, tables, mapped, kind, refused)
        except DataError as error:
            self._found.append(refuse("splits", str(error), "Say which split is what.", mapped.split_column or ""))
            self._splits_known = False
            whole = pd.concat(tables.values(), ignore_index=True).fillna("")
            self._rows = SelectedRows(read_rows({"train": whole}, mapped, kind), mapped, kind, tuple(refused))
        fixes = tuple(name for name in config.fixes if is_fix(name, kind))
        try:
            apply_fixes([name for name in config.fixes if name not in fixes], {}, kind, usual=False)
        except DataError as error:
            self._found.append(refuse("fixes", str(error), "Take it out of the fixes."))
        # Before what is done unasked, which is said with what it is done to.
        self._asked, _ = apply_fixes(fixes, self._rows.parts, kind, self._rows.refused, usual=False)
        self._parts, self._notes = apply_fixes(fixes, self._rows.parts, kind, self._rows.refused)
        readable = {split: part[part["unreadable"] == ""] for split, part in self._parts.items()}
        if mapped.label_column is not None:
            readable = {split: part[part["label"] != ""] for split, part in readable.items()}
        self._readable = readable
        self._labels = count_labels(pd.concat(readable.values()), kind)
        self._usual_order = order_found(self._labels, self._rows.names) if kind.rows.has_classes else ()
        self._order = tuple(config.labels or self._usual_order) if kind.rows.has_classes else ()
        self._positive: str | None = None
        known_positive = config.positive_label
        try:
            self._positive = choose_positive_label(config, self._order, kind)
        except DataError as error:
            self._found.append(refuse("positive_label", str(error), "Choose another positive label."))
            known_positive = None
        # Without what names nothing: a person has to say what was meant.
        self._plain = dataclasses.replace(config, fixes=fixes, positive_label=known_positive)
        self._prepared, self._error = self._try_to_prepare(config)

    def findings(self) -> list[Finding]:
        """Return what is wrong: a finding refuses exactly where the preparation of a run on these rows does."""
        config, rows, parts = self._config, self._rows, self._parts
        mapped, kind = rows.mapped, rows.kind
        found = [
            *self._found,
            *find_refused_rows([] if "drop_refused_rows" in config.fixes else rows.refused),
            *find_bad_cells(parts, mapped, kind),
            *find_unlabelled_rows(self._asked, mapped, kind),
            *([] if "keep_spellings" in config.fixes else find_spellings(self._asked, mapped, kind)),
            *find_repeated_texts(parts, mapped),
            *find_shortcuts(parts, mapped, kind),
            *find_rare_and_unknown_labels(parts, mapped, kind, config.labels),
        ]
        if (kind.rows.is_single_label or kind.rows.is_label_set) and config.class_weights is None:
            found += find_imbalance(self._readable["train"], mapped, kind)
        return self._with_offers(found)

    def facts(self) -> dict[str, Any]:
        """Return what else an Inspection says of the rows."""
        return {
            "labels": self._labels,
            "label_order": self._order,
            "usual_order": self._usual_order,
            "positive_label": self._positive,
            "notes": tuple(self._notes),
            "refusal": "" if self._error is None else str(self._error),
            "prepared": self._prepared,
        }

    def _try_to_prepare(self, config: RunConfig) -> tuple[Prepared | None, DataError | None]:
        if not self._splits_known:
            return None, DataError(self._found[0].problem)
        try:
            return split_rows(config, self._rows), None
        except DataError as error:
            return None, error

    def _with_offers(self, found: list[Finding]) -> list[Finding]:
        """Return `found` with what refuses beyond it, and with those changes only that lead to rows to train on."""
        if self._error is None:
            # Nothing refuses a run on these rows, whatever it looked like.
            found = [dataclasses.replace(each, severity="warn") for each in found]
        elif self._splits_known and not any(
            each.code == "unreadable_cells" and each.refuses and not each.change for each in found
        ):
            error = self._error_when_mended(self._plain)
            if error is not None:
                found = [*found, refuse("untrainable", str(error))]
        refused_after: dict[str, bool] = {}

        def leads_on(change: Mapping[str, Any]) -> bool:
            # A class weight or the like changes no row, and is no way out either.
            of_rows = {name: value for name, value in change.items() if name in ("fixes", "labels")}
            key = json.dumps(of_rows)
            if key not in refused_after:
                after = with_change(self._plain, of_rows)
                refused_after[key] = self._error_when_mended(after) is not None
            return not refused_after[key]

        return [
            dataclasses.replace(each, change={}) if each.change and not leads_on(each.change) else each
            for each in found
        ]

    def _error_when_mended(self, config: RunConfig) -> DataError | None:
        """Return why a run on these rows is refused even after what must be mended is; None where it is not."""
        for _ in range(_ROUNDS):
            _, error = self._try_to_prepare(config)
            if error is None:
                return None
            rows = self._rows
            parts, _ = apply_fixes(config.fixes, rows.parts, rows.kind, rows.refused)
            must = [
                *find_refused_rows([] if "drop_refused_rows" in config.fixes else rows.refused),
                *find_bad_cells(parts, rows.mapped, rows.kind),
                *find_rare_and_unknown_labels(parts, rows.mapped, rows.kind, config.labels),
            ]
            changes = [each.change for each in must if each.refuses and each.change]
            if not changes:
                return error
            for change in changes:
                config = with_change(config, {name: change[name] for name in ("fixes", "labels") if name in change})
        return error


def _count_truncation(lengths: Sequence[int], max_length: int | None, limit: int | None) -> Truncation | None:
    longest = min([each for each in (max_length, limit) if each], default=None)
    if longest is None:
        return None
    cut = sum(length > longest for length in lengths)
    return Truncation(longest, cut, cut / len(lengths), int(max(lengths)))


def _find_truncation(found: Truncation, lengths: Sequence[int], limit: int | None) -> Iterator[Finding]:
    if found.share <= _MOST_CUT:
        return
    enough = sorted(lengths)[int((1 - _MOST_CUT) * (len(lengths) - 1))]
    enough = min([-(-enough // 8) * 8, *([limit] if limit else [])])
    helps = enough > found.max_length
    yield Finding(
        0, "", f"{found.share:.1%} of the rows are longer than {found.max_length:,} tokens, and lose their end.",
        f"Raise max_length to {enough:,}." if helps else "This is all the model can read: shorten the texts.",
        "truncation", found.rows, {"max_length": enough} if helps else {},
    )  # fmt: skip
