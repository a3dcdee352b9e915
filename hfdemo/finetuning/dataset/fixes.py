"""Repairs that a data set's rows can go through before they are trained on, each by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.finetuning.dataset.columns import Splits, join_texts
from hfdemo.finetuning.dataset.labels import count_labels
from hfdemo.finetuning.dataset.near_copies import mark_near_copies
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.cells import NUMBER, write_list
from hfdemo.tables import RefusedRow


@dataclass(frozen=True)
class Fix:
    """One repair: `does` is the sentence that says what it does; `apply(splits, kind)` returns the splits without the
    rows that it removes, or with the labels that it mends, and changes nothing in place."""

    does: str
    apply: Callable[[Splits, Kind], dict[str, pd.DataFrame]]


def apply_fixes(
    names: Sequence[str], splits: Splits, kind: Kind, refused: Sequence[RefusedRow] = ()
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Apply the fixes in `names`, in the order of FIXES; return the splits, and what each did to how many rows.

    Raises:
        DataError: there is no such fix.
    """
    unknown = next((name for name in names if name not in FIXES), None)
    if unknown is not None:
        raise DataError(f"There is no fix {unknown!r}. There are: {', '.join(FIXES)}.")
    done, notes = dict(splits), []
    for name, fix in FIXES.items():
        if name not in names:
            continue
        after = fix.apply(done, kind)
        rows = len(refused) if name == "drop_refused_rows" else _touched(done, after)
        did = "removed" if name.startswith("drop_") else "mended"
        notes.append(f"{name} {did} {rows:,} {'row' if rows == 1 else 'rows'}")
        done = after
    return done, notes


def _touched(before: Splits, after: Splits) -> int:
    """Count the rows that are gone or have another label."""
    gone = sum(len(part) - len(after[split]) for split, part in before.items())
    kept = {split: part.loc[after[split].index] for split, part in before.items() if "label" in part}
    return gone + sum(int(part["label"].ne(after[split]["label"]).sum()) for split, part in kept.items())


def _keep_all(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Leave all rows: refused ones never came into a table."""
    return dict(splits)


def _keep_blank_labels(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Take a blank cell for no label, where a row has any number of them."""
    if not kind.rows.is_label_set:
        return dict(splits)
    mended = {}
    for split, part in splits.items():
        texts = part[[name for name in ("text", "text_pair") if name in part]]
        none = (part["label"] == "") & (texts != "").all(axis=1)
        mended[split] = part.assign(label=part["label"].mask(none, "[]"), blank=part["blank"].mask(none, ""))
    return mended


def _drop_blank_rows(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[part["blank"] == ""] for split, part in splits.items()}


def _merge_spellings(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    usual = {label: first for first, *others in spellings(splits, kind) for label in others}
    if not usual:
        return dict(splits)

    def merged(cell: str) -> str:
        if kind.rows.is_single_label:
            return usual.get(cell, cell)
        return write_list(sorted({usual.get(name, name) for name in json.loads(cell)}))

    fine = {split: (part["blank"] == "") & (part["unreadable"] == "") for split, part in splits.items()}
    return {
        split: part.assign(label=part["label"].mask(fine[split], part["label"][fine[split]].map(merged)))
        for split, part in splits.items()
    }


def _read_decimal_commas(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    mended = {}
    for split, part in splits.items():
        commas = decimal_commas(part, kind)
        numbers = part["label"].str.replace(",", ".") if "label" in part else ""
        mended[split] = part.assign(
            **({"label": part["label"].mask(commas, numbers)} if commas.any() else {}),
            unreadable=part["unreadable"].mask(commas, ""),
        )
    return mended


def _drop_unreadable_labels(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[part["unreadable"] == ""] for split, part in splits.items()}


def _drop_duplicates(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[~duplicated(part)] for split, part in splits.items()}


def _drop_contradictions(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[~contradictory(part)] for split, part in splits.items()}


def _drop_leaks(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[~leaked(splits)] if split == "train" else part for split, part in splits.items()}


def _drop_held_out_twice(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    if not {"validation", "test"} <= set(splits):
        return dict(splits)
    return {**splits, "validation": splits["validation"][~held_out_twice(splits)]}


def _drop_rare_labels(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    return {split: part[~rare(splits, kind)[split]] for split, part in splits.items()}


def spellings(splits: Splits, kind: Kind) -> list[list[str]]:
    """Find labels that differ in capitals and white space alone, the most frequent spelling first; classes only."""
    if not (kind.rows.is_single_label or kind.rows.is_label_set):
        return []
    fine = [part[(part["blank"] == "") & (part["unreadable"] == "")] for part in splits.values()]
    counts = count_labels(pd.concat(fine), kind)
    alike: dict[str, list[str]] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    return [written for written in alike.values() if len(written) > 1]


def has_decimal_comma(cell: str) -> bool:
    """Return whether `cell` is a number but for its comma, as in 1,5."""
    return "," in cell and "." not in cell and NUMBER.fullmatch(cell.strip().replace(",", ".")) is not None


def decimal_commas(part: pd.DataFrame, kind: Kind) -> pd.Series:
    """Return which rows can't be read as numbers only because of a decimal comma."""
    if not kind.one_number:
        return pd.Series(False, index=part.index)
    # A row's reason is that of its text where both can't be read.
    return part["label"].map(has_decimal_comma).astype(bool) & part["unreadable"].str.contains("is not a number: write")


def duplicated(part: pd.DataFrame) -> pd.Series:
    """Mark the rows that repeat an earlier one: its texts and its label."""
    whole = join_texts(part) + ("\x1f" + part["label"] if "label" in part else "")
    return whole.duplicated() & (part["blank"] == "")


def contradictory(part: pd.DataFrame) -> pd.Series:
    """Mark the rows that have the texts of another row, but not its label."""
    if "label" not in part:
        return pd.Series(False, index=part.index)
    usable = (part["blank"] == "") & (part["unreadable"] == "")
    key = join_texts(part)
    repeated = key.duplicated(keep=False) & usable
    different = part["label"][repeated].groupby(key[repeated]).nunique()
    return repeated & key.isin(different.index[different > 1])


def leaked(splits: Splits) -> pd.Series:
    """Mark the rows of train whose texts stand in validation or test, too, or nearly."""
    return _mark_standing_in(splits["train"], [part for split, part in splits.items() if split != "train"])


def held_out_twice(splits: Splits) -> pd.Series:
    """Mark the rows of validation whose texts stand in test, too, or nearly."""
    return _mark_standing_in(splits["validation"], [splits["test"]])


def _mark_standing_in(part: pd.DataFrame, others: Sequence[pd.DataFrame]) -> pd.Series:
    known = [text for other in others for text in join_texts(other).unique()]
    marked = mark_near_copies(list(join_texts(part)), known) if known else False
    return pd.Series(marked, index=part.index) & (part["blank"] == "")


def rare(splits: Splits, kind: Kind) -> dict[str, pd.Series]:
    """Mark the rows whose label no other row has, in any split; classes only."""
    if not kind.rows.is_single_label:
        return {split: pd.Series(False, index=part.index) for split, part in splits.items()}
    counts = pd.concat([part["label"] for part in splits.values()]).value_counts()
    return {split: part["label"].map(counts).eq(1) & (part["blank"] == "") for split, part in splits.items()}


FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "drop_refused_rows": Fix("Go on without the rows that don't fit the file.", _keep_all),
        "keep_blank_labels": Fix(
            "Of rows with any number of labels, take a blank label for none of them.", _keep_blank_labels
        ),
        "drop_blank_rows": Fix("Remove rows with nothing in a column that is needed.", _drop_blank_rows),
        "merge_spellings": Fix(
            "Write labels that differ in capitals and white space alone as the most frequent of them.",
            _merge_spellings,
        ),
        "read_decimal_commas": Fix("Read numbers such as 1,5 as 1.5.", _read_decimal_commas),
        "drop_unreadable_labels": Fix(
            "Remove rows whose label, or list of words, can't be read.", _drop_unreadable_labels
        ),
        "drop_duplicates": Fix("Of rows with the same text and label in a split, keep the first.", _drop_duplicates),
        "drop_contradictions": Fix(
            "Remove all rows of a split that have the same text, but different labels.", _drop_contradictions
        ),
        "drop_leaks": Fix("Remove from train what also stands in validation or test, or nearly.", _drop_leaks),
        "drop_held_out_twice": Fix("Remove from validation what also stands in test, or nearly.", _drop_held_out_twice),
        "drop_rare_labels": Fix("Remove rows whose label no other row has.", _drop_rare_labels),
    }
)
