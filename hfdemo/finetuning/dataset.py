"""The tables of a data set -> checked splits of text, text_pair and label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hfdemo.corpora import likely_pair, likely_text, longest_texts
from hfdemo.corpora.splits import SPLIT_ALIASES, SPLITS
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig

VALIDATION_SHARE = 0.2
MOST_LABELS = 200

_LABEL_NAMES = ("label", "labels", "intent", "class", "category", "target", "sentiment", "topic")
_POSITIVE = ("positive", "yes", "true", "1", "spam", "paraphrase", "entailment", "duplicate", "pos")


@dataclass(frozen=True)
class Problem:
    """Something in the data that a person should know: `row` counts from 1 under the header, 0 means the whole."""

    row: int
    column: str
    problem: str
    fix: str


@dataclass(frozen=True)
class Mapped:
    """Which column is what; None where the data has no such column."""

    text_column: str
    label_column: str
    text_pair_column: str | None = None
    split_column: str | None = None


@dataclass(frozen=True)
class Inspection:
    """What a data set looks like before anything is trained on it; `labels` counts rows per label."""

    columns: tuple[str, ...]
    rows: int
    splits: Mapping[str, int]
    suggested: Mapped | None
    labels: Mapping[str, int]
    problems: tuple[Problem, ...]
    preview: tuple[Mapping[str, str], ...]

    @property
    def train_rows(self) -> int:
        """Rows that would be trained on: the train split, or what is left when a validation split is held out."""
        named = {SPLIT_ALIASES.get(name, name): count for name, count in self.splits.items()}
        return named.get("train", round(self.rows * (1 - VALIDATION_SHARE)))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Prepared:
    """Splits with the columns text, label and (for pairs) text_pair, and the labels in the model's order."""

    splits: Mapping[str, pd.DataFrame]
    labels: tuple[str, ...]
    positive_label: str | None
    mapped: Mapped


def inspect(tables: Mapping[str, pd.DataFrame], mapped: Mapped | None = None) -> Inspection:
    """Columns, splits, labels and problems of a data set, by the columns in `mapped` or those that look right."""
    whole = pd.concat(tables.values(), ignore_index=True)
    usable = mapped is not None and mapped.text_column in whole and mapped.label_column in whole
    suggested = mapped if usable else suggest(whole)
    splits = {name: len(table) for name, table in tables.items() if name}
    if not splits and suggested and suggested.split_column:
        splits = _counts(whole[suggested.split_column])
    return Inspection(
        columns=tuple(whole.columns),
        rows=len(whole),
        splits=splits,
        suggested=suggested,
        labels=_counts(whole[suggested.label_column]) if suggested else {},
        problems=tuple(_problems(whole, suggested)),
        preview=tuple(whole.head(8).to_dict("records")),
    )


def suggest(table: pd.DataFrame) -> Mapped | None:
    """Which columns look like split, label, text and pair: by their usual names first, else by their content."""
    columns = list(table.columns)
    lower = {column.lower(): column for column in columns}
    split = next((c for c in columns if c.lower() == "split" and set(table[c]) <= set(SPLIT_ALIASES)), None)
    rest = [column for column in columns if column != split]
    few = [c for c in rest if 2 <= table[c].nunique() <= min(MOST_LABELS, max(2, len(table) // 2))]
    label = next((lower[name] for name in _LABEL_NAMES if lower.get(name) in rest), None) or (few[-1] if few else None)
    texts = [column for column in rest if column != label]
    if label is None or not texts:
        return None
    text = likely_text(texts) or longest_texts(table, texts)
    return Mapped(text, label, likely_pair(text, texts), split)


def _problems(table: pd.DataFrame, mapped: Mapped | None) -> list[Problem]:
    if mapped is None:
        return [Problem(0, "", "No column looks like a label.", "Pick the label column by hand.")]
    found = []
    for column in filter(None, (mapped.text_column, mapped.text_pair_column, mapped.label_column)):
        blank = table.index[table[column].str.strip() == ""]
        found += [
            Problem(int(i) + 1, column, "The cell is blank.", "Fill it in or remove the row.") for i in blank[:20]
        ]
    texts = [column for column in (mapped.text_column, mapped.text_pair_column) if column]
    repeated = int(table.duplicated(subset=texts).sum())
    if repeated:
        found.append(Problem(0, texts[0], f"{repeated} rows repeat an earlier text.", "Remove the copies."))
    for name, count in _counts(table[mapped.label_column]).items():
        if count < 2:
            found.append(Problem(0, mapped.label_column, f"Label {name!r} has one row only.", "Add rows or merge it."))
    return found


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().items()}


def prepare(config: RunConfig, tables: Mapping[str, pd.DataFrame]) -> Prepared:
    """The splits that `config` asks for, checked, with the columns text, text_pair (pairs only) and label.

    Without a validation split, a fifth of the training rows is held out, stratified by label and seeded.

    Raises:
        DataError: a column or split is missing, cells are blank, there are fewer than two labels or too many.
    """
    mapped = _mapped(config, pd.concat(tables.values(), ignore_index=True))
    parts = {name: _select(table, mapped) for name, table in _split(config, tables, mapped).items()}
    labels = _labels(config, parts["train"], parts)
    if "validation" not in parts:
        share = config.splits.get("validation", VALIDATION_SHARE)
        parts["train"], parts["validation"] = _hold_out(parts["train"], share, config.training.get("seed", 42))
    if config.positive_label is not None and config.positive_label not in labels:
        raise DataError(
            f"positive_label {config.positive_label!r} is not a label. The labels are: {', '.join(labels)}."
        )
    positive = config.positive_label or _guess_positive(labels)
    ordered = {name: parts[name] for name in SPLITS if name in parts}
    return Prepared(ordered, labels, positive, mapped)


def _mapped(config: RunConfig, table: pd.DataFrame) -> Mapped:
    given = {spec.name: getattr(config, spec.name) for spec in dataclasses.fields(Mapped)}
    for name, column in given.items():
        if column and column not in table.columns:
            raise DataError(
                f"The data has no column {column!r} (asked for as {name}). "
                f"It has: {', '.join(table.columns)}. Pick one."
            )
    suggested = suggest(table)
    if suggested is None and not (given["text_column"] and given["label_column"]):
        raise DataError(
            f"No column looks like a label. The data has: {', '.join(table.columns)}. "
            "Pick the text column and the label column."
        )
    guess = dataclasses.asdict(suggested) if suggested else {}
    if given["text_column"] not in (None, guess.get("text_column")):
        guess["text_pair_column"] = None  # the suggested partner belongs to the suggested text
    chosen = {name: given[name] if given[name] is not None else guess.get(name) for name in given}
    columns: dict[str, Any] = {name: column or None for name, column in chosen.items()}
    mapped = Mapped(**columns)
    used = [column for column in dataclasses.astuple(mapped) if column]
    twice = next((column for column in used if used.count(column) > 1), None)
    if twice:
        raise DataError(f"The column {twice!r} is picked for two things at once. Pick another for one of them.")
    return mapped


def _split(config: RunConfig, tables: Mapping[str, pd.DataFrame], mapped: Mapped) -> dict[str, pd.DataFrame]:
    if "" not in tables:
        for split, part in tables.items():
            missing = [column for column in dataclasses.astuple(mapped) if column and column not in part.columns]
            if missing:
                raise DataError(f"The {split} file has no column {missing[0]!r}. It has: {', '.join(part.columns)}.")
        return dict(tables)
    table = tables[""]
    if mapped.split_column is None:
        if set(config.splits) - {"validation"}:
            raise DataError(
                "Without a split column only a validation share can be held out: splits may hold validation alone, "
                f"but holds {', '.join(sorted(config.splits))}."
            )
        return {"train": table}
    column = table[mapped.split_column]
    wanted = {str(name): split for split, name in config.splits.items() if isinstance(name, str)} or SPLIT_ALIASES
    parts = {split: table[column.map(wanted).eq(split)] for split in SPLITS}
    left_out = sorted(set(column) - set(wanted))
    if left_out:
        raise DataError(
            f"The column {mapped.split_column!r} holds {', '.join(map(repr, left_out[:5]))}, which is no split. "
            "Use train, validation and test, or name them in `splits`."
        )
    if parts["train"].empty:
        raise DataError(
            f"The column {mapped.split_column!r} marks no row as train. Mark some, or pick no split column."
        )
    return {split: part for split, part in parts.items() if not part.empty}


def _select(table: pd.DataFrame, mapped: Mapped) -> pd.DataFrame:
    columns = {"text": mapped.text_column, "text_pair": mapped.text_pair_column, "label": mapped.label_column}
    part = pd.DataFrame({name: table[column].str.strip() for name, column in columns.items() if column})
    for name in part.columns:
        blank = part.index[part[name] == ""]
        if len(blank):
            raise DataError(
                f"Row {blank[0] + 1} has nothing in the column {columns[name]!r}"
                f"{f' (and {len(blank) - 1} more)' if len(blank) > 1 else ''}. Fill it in or remove the row."
            )
    return part.reset_index(drop=True)


def _labels(config: RunConfig, train: pd.DataFrame, parts: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    found = sorted(train["label"].unique())
    if len(found) < 2:
        raise DataError(
            f"Every training row has the label {found[0]!r}, so there is nothing to learn. "
            "Pick another label column, or add rows with a second label."
        )
    if len(train) < 4:
        raise DataError(f"There are {len(train)} training rows. Add more: a handful per label at the very least.")
    if len(found) > MOST_LABELS or len(found) == len(train):
        raise DataError(
            f"The label column has {len(found):,} different values in {len(train):,} rows: that looks like text, "
            "not like classes. Pick another label column."
        )
    labels = tuple(config.labels) if config.labels is not None else tuple(found)
    for split, part in parts.items():
        strange = sorted(set(part["label"]) - set(labels))
        if strange:
            raise DataError(f"The {split} split has the label {strange[0]!r}, which is not among: {', '.join(labels)}.")
    return labels


def _hold_out(train: pd.DataFrame, share: Any, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rest, held out), stratified; a label with a single row stays in the rest."""
    from sklearn.model_selection import train_test_split

    if not isinstance(share, float) or not 0 < share < 1:
        raise DataError(f"splits.validation is {share!r}: without a split column it is a fraction, such as 0.2.")
    labels = train["label"]
    splittable = labels.map(labels.value_counts()) >= 2
    held_out_rows = round(share * int(splittable.sum()))
    classes = labels[splittable].nunique()
    if not classes <= held_out_rows <= int(splittable.sum()) - classes:
        raise DataError(
            f"{len(train)} rows with {labels.nunique()} labels are too few to hold out {held_out_rows} of them for "
            "validation, every label on both sides. Add rows, or a split column."
        )
    kept, held_out = train_test_split(
        train[splittable], test_size=held_out_rows, stratify=labels[splittable], random_state=seed
    )
    kept = pd.concat([kept, train[~splittable]])
    return kept.sort_index().reset_index(drop=True), held_out.sort_index().reset_index(drop=True)


def _guess_positive(labels: Sequence[str]) -> str | None:
    """The class that binary F1 is about: one with a telling name, else the last; None for more than two labels."""
    if len(labels) != 2:
        return None
    return next((label for label in labels if label.lower() in _POSITIVE), labels[-1])
