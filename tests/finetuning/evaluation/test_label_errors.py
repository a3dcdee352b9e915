"""Label errors: found by classifiers that have not seen the row, and mended by corrections."""

import json
from pathlib import Path
from threading import Event

import numpy as np
import pandas as pd
import pytest

from hfdemo.errors import DataError, Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import prepare
from hfdemo.finetuning.evaluation.label_errors import (
    LabelReview,
    cross_validate,
    embed_texts,
    find_suspects,
    review_labels,
)
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import Zoo, run_folder


def test_suspects_are_the_rows_that_the_definition_names_by_how_far_another_label_leads() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 300)
    probabilities = random.dirichlet([0.6] * 4, 300) + np.eye(4)[labels] * random.integers(0, 2, (300, 1))
    probabilities /= probabilities.sum(1, keepdims=True)
    usual = [
        np.mean([row[label] for row, own in zip(probabilities, labels, strict=True) if own == label])
        for label in range(4)
    ]
    expected = {}
    for place, (row, own) in enumerate(zip(probabilities, labels, strict=True)):
        best = max(range(4), key=lambda label: row[label])
        if best != own:
            expected[place] = (best, row[best] - row[own], row[best] >= usual[best])
    found = find_suspects(probabilities, labels)
    assert {each.place: (each.suggested, each.is_sure) for each in found} == {
        place: (best, sure) for place, (best, _, sure) in expected.items()
    }
    assert {each.is_sure for each in found} == {True, False}
    leads = [expected[each.place][1] for each in found]
    assert leads == sorted(leads, reverse=True)
    assert found[0].suggested_probability == pytest.approx(probabilities[found[0].place, found[0].suggested], abs=1e-6)


def test_no_row_is_judged_by_what_has_seen_it() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    # Each row has a word and a direction of its own: who has seen it knows its label, nobody else can.
    found = cross_validate(np.eye(200) * 100, [(f"word{number}",) for number in range(200)], labels)
    assert found.shape == (200, 2)
    assert found.sum(1) == pytest.approx(np.ones(200))
    assert (found.argmax(1) == labels).mean() < 0.6


def test_a_label_of_two_rows_is_judged_and_one_of_none_has_no_probability() -> None:
    labels = np.array([0] * 20 + [2, 2])
    found = cross_validate(np.random.default_rng(0).normal(size=(22, 3)), [("a",)] * 22, labels)
    assert found[:, 1] == pytest.approx(np.zeros(22))
    assert find_suspects(found, labels) is not None


@pytest.mark.slow
@pytest.mark.parametrize("model", ["text-classification", "text-generation", "summarization"])
def test_rows_are_embedded_as_each_is_alone_whatever_is_beside_it(zoo: Zoo, models: ModelCache, model: str) -> None:
    from hfdemo.models.reference import ModelRef

    loaded = models.get(ModelRef.parse(str(zoo(model))), "AutoModel")
    texts = [("a tug tows",), ("rain",), ("the ferry leaves at seven and comes back",)]
    together = embed_texts(loaded, texts)
    assert together.shape[0] == 3
    for text, row in zip(texts, together, strict=True):
        assert row == pytest.approx(embed_texts(loaded, [text])[0], abs=1e-5)


FLIPPED = (3, 10, 21)


def review(settings: Settings, folder: Path, **more: object) -> LabelReview:
    config = RunConfig.from_json({**json.loads((folder / "config.json").read_text()), **more})
    return review_labels(folder, config, ModelCache(settings), limit=5)


@pytest.fixture
def flipped(settings: Settings, tiny: Path) -> Path:
    """A run on words that tell the label, of whose training rows three have the other one."""
    folder = run_folder(settings, "single_label", tiny)
    path = folder / "data" / "train.csv"
    table = pd.read_csv(path, dtype=str)
    other = {"cold": "warm", "warm": "cold"}
    table["label"] = [other[label] if row in FLIPPED else label for row, label in enumerate(table["label"], start=1)]
    table.to_csv(path, index=False)
    return folder


@pytest.mark.slow
def test_labels_that_were_changed_on_purpose_come_first_and_a_click_mends_them(
    settings: Settings, flipped: Path
) -> None:
    found = review(settings, flipped)
    assert (found.rows, found.judged, found.kept) == (57, 57, 0)
    assert {(each.split, each.row) for each in found.errors[:3]} == {("train", row) for row in FLIPPED}
    assert found.agreement > 0.85
    fixes = [each.fixes["relabel"] for each in found.errors[:3]]
    tables = {
        split: pd.read_csv(flipped / "data" / f"{split}.csv", dtype=str) for split in ("train", "validation", "test")
    }
    mended = prepare(RunConfig("x", fixes=tuple(fixes)), tables)
    assert all(("fire" in row.text) == (row.label == "warm") for row in mended.splits["train"].itertuples())


@pytest.mark.slow
def test_what_a_person_has_decided_is_not_asked_again(settings: Settings, flipped: Path) -> None:
    before = review(settings, flipped)
    after = review(settings, flipped, fixes=[before.errors[0].fixes["keep"]])
    assert (after.found, after.kept) == (before.found - 1, 1)
    assert before.errors[0] not in after.errors


def test_where_there_is_nothing_to_judge_a_sentence_says_why(settings: Settings, tiny: Path) -> None:
    with pytest.raises(DataError, match="one label"):
        review(settings, run_folder(settings, "multi_label", tiny))
    folder = run_folder(settings, "single_label", tiny, "few")
    for split in ("train", "validation", "test"):
        table = pd.read_csv(folder / "data" / f"{split}.csv").head(3)
        table.to_csv(folder / "data" / f"{split}.csv", index=False)
    with pytest.raises(DataError, match="from 20 rows"):
        review(settings, folder)


def test_it_can_be_stopped(settings: Settings, flipped: Path) -> None:
    stop = Event()
    stop.set()
    config = RunConfig.read(flipped / "config.json")
    with pytest.raises(Stopped):
        review_labels(flipped, config, ModelCache(settings), 5, stop=stop)
