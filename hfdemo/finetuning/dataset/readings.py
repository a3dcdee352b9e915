"""How the columns of a data set are understood, in words, and where another reading is near: classes or quantities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from hfdemo.finetuning.dataset.columns import Columns
from hfdemo.finetuning.dataset.findings import Finding
from hfdemo.finetuning.dataset.label_cells import name_positions
from hfdemo.finetuning.kinds import KINDS, Kind
from hfdemo.finetuning.kinds.cells import count_positions, is_missing
from hfdemo.finetuning.kinds.numbers import are_numbers, find_number_form, read_numbers
from hfdemo.finetuning.kinds.text_classification import ASKED_NUMBERS, names_classes

_MOST_TOLD = 8
_LONGEST_WORD = 12  # longer than any that means that there is nothing
_COMMAS: Mapping[str, str] = {
    "decimal": "with a decimal comma (1,5 is 1.5)",
    "thousands": "with a comma between thousands (1,500 is 1500)",
    "european": "with points between thousands and a decimal comma (1.500,5 is 1500.5)",
}


def find_number_readings(whole: pd.DataFrame, mapped: Columns, kind: Kind) -> list[Finding]:
    """Find labels that are numbers and might be learned in the other way: as classes, or as quantities."""
    classes = kind.rows.is_single_label or kind.rows.is_label_set
    if len(mapped.label_columns) != 1 or not (classes or kind.one_number):
        return []
    column = whole[mapped.label_columns[0]]
    counts = {cell: count for cell, count in column.value_counts().to_dict().items() if not is_missing(cell)}
    if count_positions(list(counts)) or not are_numbers(list(counts)):
        return []
    form, numbers = find_number_form(list(counts)), set(read_numbers(list(counts)))
    marked = sum(count for cell, count in counts.items() if not form.is_plain(cell))
    told = [_COMMAS[form.comma]] if form.comma else []
    if form.percent:
        told.append("in percent (5% is 0.05)" if form.percent == "share" else "in percent (5% is 5)")
    many = len(numbers) > ASKED_NUMBERS
    whole_ones = all(number.is_integer() for number in numbers)
    if not marked and (not (many and (whole_ones or classes)) or names_classes(mapped.label_name, numbers)):
        return []
    span = f"from {min(numbers):g} to {max(numbers):g}, {len(numbers):,} different"
    said = f"{marked:,} {'number is' if marked == 1 else 'numbers are'} written {' and '.join(told)}"
    if kind.one_number:
        other = next(each for each in KINDS.values() if each.rows.is_single_label)
        problem = (
            f"{said}." if marked else f"The labels are whole numbers {span}, and learned as numbers, not as classes."
        )
        code, fix, button = "number_form", "If they name classes, learn them as such.", "Learn them as classes"
    else:
        other = next(each for each in KINDS.values() if each.one_number)
        problem = f"The labels are numbers {span}, and learned as classes, of which no two are nearer than others."
        problem = f"{said}, and learned as classes." if marked else problem
        code, fix, button = (
            "numbers_as_classes",
            "If they are ratings or amounts, learn them as numbers.",
            "Learn numbers",
        )
    change = {"task": other.task, "problem_type": other.problem_type}
    return [Finding(0, mapped.label_name, problem, fix, code, marked, change, button=button)]


def describe_reading(whole: pd.DataFrame, mapped: Columns, kind: Kind, labels: Sequence[str]) -> Iterator[str]:
    """Say what of the columns was understood that does not go without saying; `labels` are those of the training rows.

    Columns of flags, lists of 0 and 1, tags of entities, values inside of objects, and texts that might mean that there
    is none.
    """
    flags = mapped.label_columns
    if len(flags) > 1:
        shown = ", ".join(flags[:_MOST_TOLD]) + (
            f" and {len(flags) - _MOST_TOLD} more" if len(flags) > _MOST_TOLD else ""
        )
        yield f"{len(flags)} columns of 0 and 1 (or yes and no) are read as labels, several per row: {shown}."
        never = [column for column in flags if column not in labels]
        if labels and never:
            yield f"No training row has {', '.join(map(repr, never[:_MOST_TOLD]))}: what is never shown is not learned."
    elif flags and kind.rows.is_label_set:
        cells = list(whole[flags[0]].unique())
        if count := count_positions(cells):
            names = name_positions(flags[0], count)
            yield (
                f"Lists of 0 and 1 in {flags[0]!r} are read as places, a label at each of {count}: "
                f"{', '.join(names[:_MOST_TOLD])}{' and more' if count > _MOST_TOLD else ''}."
            )
    describe = kind.rows.describe_labels
    if flags and describe is not None and (said := describe(whole[flags[0]])):
        yield said
    inside = [column for column in mapped.needed() if "." in column]
    if inside:
        yield f"Read from inside of objects: {', '.join(inside)}."
    for column in filter(None, (mapped.text_column, mapped.text_pair_column)):
        short = whole[column][whole[column].str.len() <= _LONGEST_WORD]
        words = short[short.str.strip().ne("") & short.map(is_missing).astype(bool)]
        if len(words):
            count = len(words)
            yield (
                f"{count:,} {'text' if count == 1 else 'texts'} in {column!r} {'is' if count == 1 else 'are'} "
                f"{', '.join(map(repr, words.unique()[:3]))}: read as a word, not as an empty cell."
            )
