"""What is wrong with a config or its data: a finding refuses a run or warns of it, with the change that mends it.

Those on the rows of a data set are found here, the others in preflight/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from hfdemo.finetuning.dataset.columns import Columns, join_texts
from hfdemo.finetuning.dataset.fixes import (
    are_missing_words,
    contradictory,
    duplicated,
    held_out_twice,
    is_usable,
    leaked,
    rare,
    spellings,
    unseen_labels,
)
from hfdemo.finetuning.dataset.label_cells import BLANK, find_missing_labels
from hfdemo.finetuning.dataset.labels import count_labels, list_labels
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.cells import sort_labels
from hfdemo.tables import Doubt, RefusedRow, format_row_numbers

FIX_IT = "Fix it"
Severity = Literal["refuse", "warn"]
MOST_UNEVEN = 4  # times as many rows of the most frequent label as of the rarest: 80 to 20
_MOST_TOLD = 3


@dataclass(frozen=True)
class Finding:
    """Something about a config or its data that a person should know before a run.

    A run is refused while a finding of severity "refuse" is left. `row`, the first of `rows` that it is about, counts
    from 1 under the header; 0 means the whole. `code` names the kind of finding, and `change` has the keys of a
    RunConfig that mend it: {} where only a person can. Its `fixes` are to be added to those that the config has; other
    keys are new values. `button` are the words for the change: of what was guessed it is the other reading.
    """

    row: int
    column: str
    problem: str
    fix: str
    code: str = ""
    rows: int = 0
    change: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "warn"
    button: str = FIX_IT

    @property
    def refuses(self) -> bool:
        return self.severity == "refuse"

    @property
    def offers_reading(self) -> bool:
        """Whether it says how something was understood, and its change is the other reading."""
        return self.button != FIX_IT


def refuse(code: str, sentence: str, fix: str = "", column: str = "") -> Finding:
    """Return the finding that refuses a run with `sentence`."""
    return Finding(0, column, sentence, fix, code, severity="refuse")


def warn(code: str, sentence: str) -> Finding:
    """Return the finding that warns with `sentence`."""
    return Finding(0, "", sentence, "", code)


def find_doubts(doubts: Sequence[Doubt]) -> Iterator[Finding]:
    """Find what of the files was read as it looks, and may be meant another way."""
    for doubt in doubts:
        yield Finding(0, "", doubt.problem, doubt.fix, doubt.code, 0, doubt.change)


def find_refused_rows(refused: Sequence[RefusedRow]) -> Iterator[Finding]:
    """Find the rows that fit no table."""
    if refused:
        told = "; ".join(
            f"{each.place}{f' of {each.split}' if each.split else ''}: {each.reason}" for each in refused[:_MOST_TOLD]
        )
        more = f"; and {len(refused) - _MOST_TOLD:,} more" if len(refused) > _MOST_TOLD else ""
        yield Finding(
            refused[0].row, "", f"{_count(len(refused), 'row')} can't be read. {told[0].upper()}{told[1:]}{more}.",
            "Mend the file, or go on without them.", "refused_rows", len(refused),
            _fixed_by("drop_refused_rows"), "refuse",
        )  # fmt: skip


def find_bad_cells(parts: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind) -> Iterator[Finding]:
    """Find the cells that can't be trained on as they are."""
    texts = filter(None, (mapped.text_column, mapped.text_pair_column))
    for column in (*texts, *([mapped.label_name] if mapped.label_name else [])):
        rows = _where({split: part["blank"] == column for split, part in parts.items()})
        if rows:
            verb = "cell is" if rows.count == 1 else "cells are"
            none = kind.rows.is_label_set and column == mapped.label_name
            yield Finding(
                rows.first, column, f"{rows.count:,} {verb} blank: {rows.told}.",
                "Take it for a row with none of the labels." if none else "Fill it in or remove the row.",
                "blank_cells", rows.count, _fixed_by("keep_blank_labels" if none else "drop_blank_rows"), "refuse",
            )  # fmt: skip
    broken = {split: part["unreadable"] != "" for split, part in parts.items()}
    rows = _where(broken)
    if rows:
        reason = next(each for split, part in parts.items() for each in part["unreadable"][broken[split]])
        most = rows.count > sum(map(len, parts.values())) / 2
        yield Finding(
            rows.first, mapped.label_name or mapped.text_column,
            f"{_count(rows.count, 'row')} can't be read: {rows.told}. The first: {reason}.",
            "Pick other columns or another problem type." if most else "Mend the cells or remove the rows.",
            "unreadable_cells", rows.count, {} if most else _fixed_by("drop_unreadable_labels"), "refuse",
        )  # fmt: skip


def find_unlabelled_rows(parts: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind) -> Iterator[Finding]:
    """Find rows that have no label, and labels that may mean that there is none; `parts` still have them."""
    if mapped.label_column is None:
        return
    words = {split: are_missing_words(part, kind) for split, part in parts.items()}
    blank = {split: (part["unlabelled"] != "") & ~words[split] for split, part in parts.items()}
    # What train has no row of can't be learned.
    kept = _fixed_by("keep_missing_labels") if words["train"].any() else {}
    for marked, code, change in ((blank, "unlabelled", {}), (words, "missing_words", kept)):
        rows = _where(marked)
        if rows:
            written = pd.concat([part["unlabelled"][marked[split]] for split, part in parts.items()]).value_counts()
            told = ", ".join(f"{count:,} {'blank' if word == BLANK else repr(word)}" for word, count in written.items())
            verb = "has" if rows.count == 1 else "have"
            yield Finding(
                rows.first, mapped.label_name,
                f"{_count(rows.count, 'row')} {verb} no label ({told}): {rows.told}. {_left_out(marked, kind)}",
                "If that is a label of its own, take it for one." if change else "",
                code, rows.count, change, button="Take it for a label",
            )  # fmt: skip
    labels = {split: part["label"].where(is_usable(part), "") for split, part in parts.items()}
    _, maybe = find_missing_labels(labels, kind)
    rows = _where({split: cells.isin(maybe) for split, cells in labels.items()})
    if rows:
        yield Finding(
            rows.first, mapped.label_name,
            f"{_some(sorted(maybe))} stands in {_count(rows.count, 'row')}, and is read as a label like the others.",
            "If it means that there is no label, leave those rows out.", "maybe_missing", rows.count,
            _fixed_by("read_none_as_missing"), button="It means no label",
        )  # fmt: skip


def _left_out(marked: Mapping[str, pd.Series], kind: Kind) -> str:
    """Say what is done with rows without a label."""
    one = sum(int(marks.sum()) for marks in marked.values()) == 1
    them = "It is" if one else "They are"
    test = "test" in marked and bool(marked["test"].any()) and kind.evaluator.answers is not None
    others = any(bool(marks.any()) for split, marks in marked.items() if split != "test" or not test)
    if test and others:
        return "Those of test are answered without a score, the others left out."
    return f"{them} answered without a score." if test else f"{them} left out."


def find_spellings(parts: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind) -> Iterator[Finding]:
    """Find labels that are written in several ways, and are taken for one; `parts` still have them."""
    found = spellings(parts, kind)
    if found:
        told = "; ".join(" and ".join(map(repr, written)) for written in found[:_MOST_TOLD])
        more = f"; and {len(found) - _MOST_TOLD:,} more" if len(found) > _MOST_TOLD else ""
        count = "A label is" if len(found) == 1 else f"{len(found):,} labels are"
        rows = count_labels(pd.concat([part[is_usable(part)] for part in parts.values()]), kind)
        rewritten = sum(rows[label] for _, *others in found for label in others)
        yield Finding(
            0, mapped.label_name, f"{count} written in several ways, and read as one, the first: {told}{more}.",
            "If they are different labels, keep them apart.", "spellings", rewritten, _fixed_by("keep_spellings"),
            button="Keep them apart",
        )  # fmt: skip


def find_repeated_texts(parts: Mapping[str, pd.DataFrame], mapped: Columns) -> Iterator[Finding]:
    """Find texts that stand there more than once."""
    column = mapped.text_column
    rows = _where({split: duplicated(part) for split, part in parts.items()})
    if rows:
        repeat = "repeats" if rows.count == 1 else "repeat"
        same = "text and label" if mapped.label_column else "text"
        yield Finding(
            rows.first, column, f"{_count(rows.count, 'row')} {repeat} an earlier row, {same}: {rows.told}.",
            "Remove the copies.", "duplicates", rows.count, _fixed_by("drop_duplicates"),
        )  # fmt: skip
    rows = _where({split: contradictory(part) for split, part in parts.items()})
    if rows:
        yield Finding(
            rows.first, column,
            f"{_count(rows.count, 'row')} have the text of another row, but another label: {rows.told}.",
            "Decide which label is right, or remove them all.", "contradictions", rows.count,
            _fixed_by("drop_contradictions"),
        )  # fmt: skip
    yield from _find_leaks(parts, mapped)


def _find_leaks(parts: Mapping[str, pd.DataFrame], mapped: Columns) -> Iterator[Finding]:
    """Find texts that stand in two splits, or nearly."""
    held_out = [split for split in parts if split != "train"]
    for split, others, mark, why, code in (
        ("train", held_out, leaked, "the scores there would flatter", "leaks"),
        ("validation", ["test"], held_out_twice, "the checkpoint is picked by what tests it", "held_out_twice"),
    ):
        if not {split, *others} <= set(parts):
            continue
        marked = mark(parts)
        if rows := _where({split: marked}):
            near = _count_near(parts[split][marked], [parts[other] for other in others])
            row = "row of validation" if split != "train" else "training row"
            stand = f"{row} stands" if rows.count == 1 else f"{row.replace('row', 'rows')} stand"
            yield Finding(
                rows.first, mapped.text_column,
                f"{rows.count:,} {stand} in {' or '.join(others)}, too{near}, so {why}: {rows.told}.",
                f"Remove them from {split}.", code, rows.count, _fixed_by(f"drop_{code}"),
            )  # fmt: skip


def _count_near(marked: pd.DataFrame, others: Sequence[pd.DataFrame]) -> str:
    """Say how many of the rows are no exact copies; "" where all are."""
    known = {text for other in others for text in join_texts(other)}
    near = sum(text not in known for text in join_texts(marked))
    return f" ({near:,} of them but for case, punctuation or a word of many)" if near else ""


def find_rare_and_unknown_labels(
    parts: Mapping[str, pd.DataFrame], mapped: Columns, kind: Kind, asked: Sequence[str] | None
) -> Iterator[Finding]:
    """Find labels that a single row has, or that the model would not have; `asked` are the labels of the config."""
    if not kind.rows.has_classes or mapped.label_column is None:
        return
    column = mapped.label_name
    alone = rare(parts, kind)
    labels = [label for split, part in parts.items() for label in part["label"][alone[split]]]
    rows = _where(alone)
    if rows:
        has = f"Label {labels[0]!r} has" if len(labels) == 1 else f"{len(labels):,} labels ({_some(labels)}) have"
        yield Finding(
            rows.first, column, f"{has} one row only: {rows.told}.", "Add rows, merge it, or remove it.",
            "rare_labels", rows.count, _fixed_by("drop_rare_labels"),
        )  # fmt: skip
    fine = {split: part[is_usable(part)] for split, part in parts.items()}
    labels_by_row = {split: list_labels(part, kind) for split, part in fine.items()}
    trained = {label for row in labels_by_row["train"] for label in row}
    known = trained if asked is None else set(asked)
    if not trained <= known:
        held = [not known.issuperset(row) for row in labels_by_row["train"]]
        yield Finding(
            int(fine["train"].index[held][0]) + 1, column,
            f"{_count(sum(held), 'row')} of train {'has' if sum(held) == 1 else 'have'} the label "
            f"{_some(sort_labels(trained - known))}, which is none of the labels.",
            "Add it to the labels.", "unknown_labels", sum(held), {"labels": list(sort_labels(known | trained))},
            "refuse",
        )  # fmt: skip
    # A label that somebody named is kept, but one that train never shows can't be learned.
    rows = _where(unseen_labels(parts, kind))
    beyond = sort_labels({label for own in labels_by_row.values() for row in own for label in row} - known - trained)
    if rows and beyond:
        yield Finding(
            rows.first, column,
            f"{_count(rows.count, 'row')} {'has' if rows.count == 1 else 'have'} the label {_some(beyond)}, which "
            f"train never shows: {rows.told}.",
            "Remove them: what is never shown is never answered.", "unseen_labels", rows.count,
            _fixed_by("drop_unknown_labels"), "refuse",
        )  # fmt: skip


def find_imbalance(part: pd.DataFrame, mapped: Columns, kind: Kind) -> Iterator[Finding]:
    """Find that one label has many times the rows of another, or that most rows have none where they may have any."""
    labels = count_labels(part, kind)
    none = sum(not row for row in list_labels(part, kind)) if kind.rows.is_label_set else 0
    if labels and none >= len(part) * MOST_UNEVEN / (MOST_UNEVEN + 1):
        yield Finding(
            0, mapped.label_name,
            f"{none / len(part):.0%} of the rows have none of the labels, so a model that never answers any is right "
            "on as many.", "Go by F1 more than by accuracy, or add rows that have a label.", "mostly_none", none,
        )  # fmt: skip
    if len(labels) < 2:
        return
    (most, many), (fewest, few) = next(iter(labels.items())), list(labels.items())[-1]
    if many >= MOST_UNEVEN * few:
        yield Finding(
            0, mapped.label_name,
            f"The labels are uneven: {most!r} has {_count(many, 'row')}, {fewest!r} has {few:,}.",
            "Weigh the classes by how rare they are, and go by F1 more than by accuracy.",
            "imbalance", many, {"class_weights": "balanced"},
        )  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Rows of several splits: how many, the number of the first, and all of them in words."""

    count: int
    first: int
    told: str

    def __bool__(self) -> bool:
        return self.count > 0


def _where(marked: Mapping[str, pd.Series]) -> _Rows:
    """Collect the rows that are marked True, per split."""
    numbers = {split: [int(index) + 1 for index in marks.index[marks]] for split, marks in marked.items()}
    told = ", ".join(
        f"{format_row_numbers(rows)}{f' of {split}' if len(marked) > 1 else ''}"
        for split, rows in numbers.items()
        if rows
    )
    first = next((rows[0] for rows in numbers.values() if rows), 0)
    return _Rows(sum(map(len, numbers.values())), first, told)


def _fixed_by(name: str) -> dict[str, Any]:
    return {"fixes": [name]}


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _some(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels[:_MOST_TOLD])) + (" and more" if len(labels) > _MOST_TOLD else "")
