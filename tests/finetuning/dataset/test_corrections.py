"""Labels that a person has looked at, row by row."""

import dataclasses

import pandas as pd
import pytest

from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect, prepare
from hfdemo.finetuning.dataset.corrections import (
    DROP,
    KEEP,
    RELABEL,
    Correction,
    list_corrections,
    make_row_keys,
    parse_correction,
)

TABLE = pd.DataFrame(
    {
        "text": [f"the {thing} is {mood}" for thing in "abcdefghij" for mood in ("warm", "cold")],
        "label": ["up", "down"] * 10,
    }
)
KEYS = list(make_row_keys(TABLE))
CONFIG = RunConfig("x", splits={"validation": 0.2}, problem_type="single_label_classification")


def labels_after(table: pd.DataFrame, *fixes: Correction | str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Label by text of all splits of a run with these fixes, and the notes."""
    names = tuple(each if isinstance(each, str) else each.name for each in fixes)
    made = prepare(dataclasses.replace(CONFIG, fixes=names), {"": table})
    rows = pd.concat(made.splits.values())
    return dict(zip(rows["text"], rows["label"], strict=True)), made.notes


@pytest.mark.parametrize(
    "correction",
    [Correction(RELABEL, "0" * 16, "a:b\nc"), Correction(DROP, "f" * 16), Correction(KEEP, "0123456789abcdef")],
)
def test_a_correction_is_the_one_that_its_name_says(correction: Correction) -> None:
    assert parse_correction(correction.name) == correction


@pytest.mark.parametrize("name", ["relabel:0:a", f"relabel:{'0' * 16}", f"drop:{'0' * 16}:a", f"keep:{'G' * 16}", ""])
def test_other_names_are_no_corrections_and_no_fixes(name: str) -> None:
    assert parse_correction(name) is None
    with pytest.raises(DataError, match="There is no fix"):
        labels_after(TABLE, name)


def test_rows_are_relabelled_dropped_and_kept_one_by_one() -> None:
    whole, _ = labels_after(TABLE)
    found, notes = labels_after(
        TABLE, Correction(RELABEL, KEYS[0], "down"), Correction(DROP, KEYS[1]), Correction(KEEP, KEYS[2])
    )
    assert found == {
        **{text: label for text, label in whole.items() if text != TABLE["text"][1]},
        TABLE["text"][0]: "down",
    }
    assert "relabel mended 1 row one by one" in notes
    assert "drop removed 1 row one by one" in notes


def test_of_several_for_one_row_the_last_counts() -> None:
    names = [each.name for each in (Correction(DROP, KEYS[0]), Correction(RELABEL, KEYS[0], "down"))]
    assert [each.does for each in list_corrections(names)] == [RELABEL]
    assert labels_after(TABLE, *names)[0][TABLE["text"][0]] == "down"


def test_a_row_without_a_label_gets_one_and_contradictions_are_settled() -> None:
    table = pd.concat(
        [TABLE, pd.DataFrame({"text": ["new", TABLE["text"][0]], "label": ["", "down"]})], ignore_index=True
    )
    config = dataclasses.replace(CONFIG, fixes=(f"relabel:{make_row_keys(table)[20]}:up", f"relabel:{KEYS[0]}:up"))
    found = inspect({"": table}, None, config)
    assert not {"contradictions", "unlabelled"} & {each.code for each in found.problems}
    assert {"contradictions", "unlabelled"} <= {each.code for each in inspect({"": table}, None, CONFIG).problems}
    assert found.labels == {"up": 12, "down": 10}


def test_the_key_of_a_pair_is_of_both_texts_and_does_not_depend_on_the_row() -> None:
    pairs = pd.DataFrame({"text": ["a", "ab", "a"], "text_pair": ["b", "", "b"]}, index=[7, 8, 9])
    keys = list(make_row_keys(pairs))
    assert keys[0] == keys[2] != keys[1]
    assert keys[1] != make_row_keys(pd.DataFrame({"text": ["ab"]}))[0]


def test_rows_with_several_labels_can_not_be_relabelled_but_dropped() -> None:
    table = TABLE.assign(label=['["a", "b"]', '["b"]'] * 10)
    config = RunConfig("x", problem_type="multi_label_classification", fixes=(Correction(RELABEL, KEYS[0], "a").name,))
    with pytest.raises(DataError, match="one label each"):
        prepare(config, {"": table})
    found = inspect({"": table}, None, config)
    assert [each.code for each in found.problems if each.refuses] == ["fixes"]
    dropped = RunConfig("x", problem_type="multi_label_classification", fixes=(Correction(DROP, KEYS[0]).name,))
    assert sum(map(len, prepare(dropped, {"": table}).splits.values())) == 19
