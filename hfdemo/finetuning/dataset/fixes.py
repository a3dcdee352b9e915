"""Repairs that a data set's rows can go through before they are trained on, each by its name."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from hfdemo.errors import DataError
from hfdemo.finetuning.dataset.columns import Splits, join_texts
from hfdemo.finetuning.dataset.corrections import apply_corrections, parse_correction
from hfdemo.finetuning.dataset.label_cells import BLANK, find_missing_labels
from hfdemo.finetuning.dataset.labels import count_labels, list_labels
from hfdemo.finetuning.dataset.near_copies import mark_near_copies
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.cells import NUMBER, write_list
from hfdemo.tables import RefusedRow

_TRUTHS = MappingProxyType({"true": 1, "false": 0})
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


@dataclass(frozen=True)
class Fix:
    """One repair: `does` is the sentence that says what it does; `apply(splits, kind)` returns the splits without the
    rows that it removes, or with the labels that it mends, and changes nothing in place. A `usual` one is made
    unless the one named in `undone_by` is asked for."""

    does: str
    apply: Callable[[Splits, Kind], dict[str, pd.DataFrame]]
    usual: bool = False
    undone_by: str = ""


def apply_fixes(
    names: Sequence[str],
    splits: Splits,
    kind: Kind,
    refused: Sequence[RefusedRow] = (),
    *,
    usual: bool = True,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Apply the fixes in `names`, those of single rows first and then in the order of FIXES; return the splits, and
    what each did to how many rows.

    With `usual` those are made, too, that are made unless another undoes them; of one that changes nothing no word is
    said.

    Raises:
        DataError: there is no such fix, or not for rows of this kind.
    """
    unknown = next((name for name in names if not is_fix(name, kind)), None)
    if unknown is not None and parse_correction(unknown):
        raise DataError(f"{unknown!r} is a fix for rows with one label each, which these have not. Take it out.")
    if unknown is not None:
        raise DataError(f"There is no fix {unknown!r}. There are: {', '.join(FIXES)}.")
    done, notes = apply_corrections(names, splits)
    for name, fix in FIXES.items():
        if name not in names and not (usual and fix.usual and fix.undone_by not in names):
            continue
        after = fix.apply(done, kind)
        rows = len(refused) if name == "drop_refused_rows" else _touched(done, after)
        did = "removed" if name.startswith("drop_") else "mended"
        if rows or name in names:
            notes.append(f"{name} {did} {rows:,} {'row' if rows == 1 else 'rows'}")
        done = after
    return done, notes


def is_fix(name: str, kind: Kind) -> bool:
    """Return whether there is a fix of this name: one of FIXES, or a correction of single rows that fits the kind."""
    correction = parse_correction(name)
    return name in FIXES or (correction is not None and correction.fits(kind))


def _touched(before: Splits, after: Splits) -> int:
    """Count the rows that are gone or have another label."""
    gone = sum(len(part) - len(after[split]) for split, part in before.items())
    kept = {split: part.loc[after[split].index] for split, part in before.items() if "label" in part}
    return gone + sum(int(part["label"].ne(after[split]["label"]).sum()) for split, part in kept.items())


def _keep_all(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Leave all rows: what was refused never came into a table, and the rest is a choice that others follow."""
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


def _read_none_as_missing(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Take the labels that might mean none for none. Nobody is asked about them again, so nothing says what stood."""
    usable = {split: part["label"].where(is_usable(part), "") for split, part in splits.items() if "label" in part}
    _, maybe = find_missing_labels(usable, kind)
    mended = {}
    for split, part in splits.items():
        none = part["label"].isin(maybe) & is_usable(part) if maybe else pd.Series(False, index=part.index)
        written = part["unlabelled"].mask(none, BLANK)
        mended[split] = part.assign(unlabelled=written, **({"label": part["label"].mask(none, "")} if maybe else {}))
    return mended


def _keep_missing_labels(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Take what is written where a label is missing for a label of its own, where it can be one."""
    mended = {}
    for split, part in splits.items():
        kept = are_missing_words(part, kind)
        if not kept.any():
            mended[split] = part
            continue
        words = part["unlabelled"][kept]
        label = part["label"].mask(
            kept, words.map(lambda word: write_list([word])) if kind.rows.is_label_set else words
        )
        mended[split] = part.assign(label=label, unlabelled=part["unlabelled"].mask(kept, ""))
    return mended


def _drop_unlabelled_rows(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    """Leave out rows without a label; of a test split they stay, to be answered, where a kind has answers for rows."""
    keeps = kind.evaluator.answers is not None
    return {
        split: part if split == "test" and keeps else part[part["unlabelled"] == ""] for split, part in splits.items()
    }


def _drop_unknown_labels(splits: Splits, kind: Kind) -> dict[str, pd.DataFrame]:
    if not kind.rows.has_classes:
        return dict(splits)
    unseen = unseen_labels(splits, kind)
    return {split: part[~unseen[split]] for split, part in splits.items()}


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

    fine = {split: is_usable(part) for split, part in splits.items()}
    return {
        split: part.assign(label=part["label"].mask(fine[split], part["label"][fine[split]].map(merged)))
        for split, part in splits.items()
    }


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
    """Find labels that differ in how they are written alone, the usual spelling first; classes only."""
    if not (kind.rows.is_single_label or kind.rows.is_label_set):
        return []
    fine = [part[is_usable(part)] for part in splits.values()]
    counts = count_labels(pd.concat(fine), kind)
    truths = {label.strip().casefold() for label in counts} <= {*_TRUTHS, "1", "0", "1.0", "0.0"}
    alike: dict[str, list[str]] = {}
    # Of numbers the shortest is the usual one, however often a table with gaps has written 1.0.
    usual = sorted(counts, key=lambda label: (not label.isdecimal(), -counts[label], len(label), label))
    for label in usual:
        alike.setdefault(_spelling_key(label, truths), []).append(label)
    return [written for written in alike.values() if len(written) > 1]


def _spelling_key(label: str, truths: bool) -> str:
    """Return what two spellings of a label have in common: capitals, white space, a stop at the end, composed accents,
    and of numbers how they are written count for nothing; with `truths` 1 is true."""
    text = unicodedata.normalize("NFC", label).translate(_INVISIBLE)
    text = " ".join(text.split()).casefold()
    text = text.rstrip(" .") or text
    if truths and text in _TRUTHS:
        return f"number {_TRUTHS[text]}"
    # 01 and 1 are two codes, while 1.0 is how a table with gaps writes 1.
    whole = re.fullmatch(r"([+-]?(?:0|[1-9]\d*))(?:\.0*)?", text)
    return f"number {int(whole[1])}" if whole else text


def is_usable(part: pd.DataFrame) -> pd.Series:
    """Mark the rows that have a text and a label which can be read."""
    return (part["blank"] == "") & (part["unreadable"] == "") & (part["unlabelled"] == "")


def are_missing_words(part: pd.DataFrame, kind: Kind) -> pd.Series:
    """Mark the rows with a word in place of a label, such as NaN or -1, that could be a label of the kind."""
    words = part["unlabelled"]
    if kind.one_number:
        return words.map(lambda word: NUMBER.fullmatch(word) is not None).astype(bool)
    # Of several columns of flags each has its name.
    return ((words != "") & (words != BLANK)) & (
        kind.rows.is_single_label or (kind.rows.is_label_set and words != "-1")
    )


def unseen_labels(splits: Splits, kind: Kind) -> dict[str, pd.Series]:
    """Mark the rows of validation and test with a label that no row of train has."""
    fine = {split: is_usable(part) for split, part in splits.items()}
    known = {label for row in list_labels(splits["train"][fine["train"]], kind) for label in row}
    unseen = {}
    for split, part in splits.items():
        labels = list_labels(part.assign(label=part["label"].where(fine[split], "")), kind)
        strange = [split != "train" and not known.issuperset(row) for row in labels]
        unseen[split] = pd.Series(strange, index=part.index, dtype=bool)
    return unseen


def duplicated(part: pd.DataFrame) -> pd.Series:
    """Mark the rows that repeat an earlier one: its texts and its label."""
    whole = join_texts(part) + ("\x1f" + part["label"] if "label" in part else "")
    return whole.duplicated() & (part["blank"] == "")


def contradictory(part: pd.DataFrame) -> pd.Series:
    """Mark the rows that have the texts of another row, but not its label."""
    if "label" not in part:
        return pd.Series(False, index=part.index)
    usable = is_usable(part)
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
    counts = pd.concat([part["label"][part["label"] != ""] for part in splits.values()]).value_counts()
    return {split: part["label"].map(counts).eq(1) & is_usable(part) for split, part in splits.items()}


FIXES: Mapping[str, Fix] = MappingProxyType(
    {
        "drop_refused_rows": Fix("Go on without the rows that don't fit the file.", _keep_all),
        "keep_blank_labels": Fix(
            "Of rows with any number of labels, take a blank label for none of them.", _keep_blank_labels
        ),
        "drop_blank_rows": Fix("Remove rows with nothing in a column that is needed.", _drop_blank_rows),
        "read_none_as_missing": Fix("Take the label -1, or none, for no label.", _read_none_as_missing),
        "keep_missing_labels": Fix(
            "Take what stands where a label is missing (-1, NaN, None) for a label of its own.", _keep_missing_labels
        ),
        "drop_unlabelled_rows": Fix(
            "Leave out rows without a label; those of test are answered, without a score.",
            _drop_unlabelled_rows,
            usual=True,
        ),
        "merge_spellings": Fix(
            "Write labels that differ in capitals, white space, accents, a stop or a .0 alone as the most frequent of "
            "them.",
            _merge_spellings,
            usual=True,
            undone_by="keep_spellings",
        ),
        "keep_spellings": Fix("Keep labels apart that are written in several ways.", _keep_all),
        "read_decimal_commas": Fix("Read numbers such as 1,5 as 1.5, as is done anyway.", _keep_all),
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
        "drop_unknown_labels": Fix(
            "Remove rows of validation and test whose label train never shows.", _drop_unknown_labels
        ),
    }
)
