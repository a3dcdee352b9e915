"""Texts as points: near ones read alike, the vectors are the pipeline's own, and what is wrong is found."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from hfdemo.errors import DataError, DemoError, Stopped
from hfdemo.inference import EmbeddingMap, embedding_map, map_embeddings, predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS

MINILM, SENTIMENT = (ModelRef.parse(f"embedded:{name}") for name in ("minilm", "sentiment"))
BOATS = ["The ferry leaves at seven.", "A boat sails in the morning.", "The ship departs early."]
BREAD = ["He bakes bread on Sunday.", "She makes a loaf every week.", "They bake rolls at home."]
Zoo = Callable[[str], Path]


def write(folder: Path, rows: Sequence[Sequence[str]], head: Sequence[str] = ("text", "label")) -> Path:
    path = folder / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, [*((text, "boat") for text in BOATS), *((text, "bread") for text in BREAD)])


def distances(found: EmbeddingMap) -> Any:
    places = np.array([(point.x, point.y) for point in found.points])
    return np.linalg.norm(places[:, None] - places[None], axis=-1)


def test_texts_that_say_the_like_lie_together(models: ModelCache, file: Path) -> None:
    found = map_embeddings(models, MINILM, file, None, "label")
    apart = distances(found)
    within = np.concatenate([apart[:3, :3], apart[3:, 3:]])
    assert within.sum() / 12 < 0.7 * apart[:3, 3:].mean()
    assert found.agreement == 1.0
    assert [point.row for point in found.points] == [1, 2, 3, 4, 5, 6]
    assert [point.label for point in found.points] == ["boat"] * 3 + ["bread"] * 3
    assert found.points[0].answer is None, "it classifies nothing"


def test_the_points_are_the_principal_components_of_mean_vectors(models: ModelCache, file: Path) -> None:
    """Computed once more from what the pipeline returns, token by token and text by text."""
    vectors = []
    for text in BOATS + BREAD:
        output = np.array(predict(models, TASKS["feature-extraction"], MINILM, {"text": text}).output).squeeze()
        vectors.append(output.mean(0) / np.linalg.norm(output.mean(0)))
    alone = PCA(2, svd_solver="full")
    expected = alone.fit_transform(np.array(vectors))
    found = map_embeddings(models, MINILM, file)
    got = np.array([(point.x, point.y) for point in found.points])
    assert np.abs(np.abs(got) - np.abs(expected)).max() < 1e-4
    assert found.variance == pytest.approx(tuple(alone.explained_variance_ratio_), abs=1e-4)
    assert found.width == 384


def test_a_classifier_says_its_label_of_each_text(models: ModelCache, tmp_path: Path) -> None:
    texts = ["A joy.", "Wonderful, funny and warm.", "Dull.", "A waste of two hours."]
    path = write(tmp_path, [(text, "positive") for text in texts])
    found = map_embeddings(models, SENTIMENT, path, "text", "label")
    alone = [
        predict(models, TASKS["text-classification"], SENTIMENT, {"text": text}).output[0]["label"] for text in texts
    ]
    assert [point.answer for point in found.points] == alone == ["positive", "positive", "negative", "negative"]


@pytest.mark.parametrize("name", ["text-generation", "translation", "token-classification", "fill-mask"])
def test_every_model_that_reads_text_makes_vectors(models: ModelCache, zoo: Zoo, file: Path, name: str) -> None:
    found = map_embeddings(models, ModelRef.parse(str(zoo(name))), file)
    assert len(found.points) == 6
    assert np.isfinite([(point.x, point.y) for point in found.points]).all()


def test_near_ones_stay_near_and_the_same_again_is_the_same(models: ModelCache, file: Path) -> None:
    found = map_embeddings(models, MINILM, file, method="tsne")
    assert found.variance is None
    assert map_embeddings(models, MINILM, file, method="tsne").points == found.points


def test_long_files_are_sampled_evenly_and_what_is_cut_is_said(
    models: ModelCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(embedding_map), "METHODS", {"pca": embedding_map.LayoutMethod(embedding_map._project, 5)})
    path = write(tmp_path, [(f"row {number} {'word ' * (600 if number == 0 else 1)}", "x") for number in range(20)])
    told: list[tuple[int, int]] = []
    found = map_embeddings(models, MINILM, path, on_rows=lambda done, rows: told.append((done, rows)))
    assert [point.row for point in found.points] == [1, 5, 9, 13, 17]
    assert told[-1] == (5, 5)
    assert any("Of 20 texts, 5 are shown" in note for note in found.warnings)
    assert any("1 texts are longer than the model reads" in note for note in found.warnings)


def test_what_can_not_be_mapped_is_said_and_stop_ends_it(
    models: ModelCache, zoo: Zoo, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(DemoError, match="no method 'umap'"):
        map_embeddings(models, MINILM, file, method="umap")
    with pytest.raises(DataError, match="no column 'nope'"):
        map_embeddings(models, MINILM, file, label_column="nope")
    with pytest.raises(DemoError, match="no tokenizer here"):
        map_embeddings(models, ModelRef.parse(str(zoo("image-classification"))), file)
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        map_embeddings(models, MINILM, file, stop=stop)
    with pytest.raises(DataError, match="has 2 texts; a map needs 3"):
        map_embeddings(models, MINILM, write(tmp_path, [("a", "x"), ("", "x"), ("b", "y")]))
