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
from hfdemo.inference import EmbeddingMap, build_need, embedding_map, map_embeddings, predict
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
    assert found.model_labels == ("negative", "positive")


@pytest.mark.parametrize("kind", ["GPT2", "Bart"])
def test_classifiers_of_other_shapes_say_their_labels_too(
    models: ModelCache, file: Path, tmp_path: Path, kind: str
) -> None:
    """One that reads the last token and has no pad token, and one with a decoder behind its encoder."""
    import transformers

    small: dict[str, dict[str, Any]] = {
        "GPT2": {"n_layer": 2, "n_head": 2, "n_embd": 16, "vocab_size": 600, "bos_token_id": 0, "eos_token_id": 0},
        "Bart": {
            **{"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 600, "pad_token_id": 0},
            **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "eos_token_id": 1},
            **{"decoder_ffn_dim": 16, "decoder_start_token_id": 0, "bos_token_id": 0, "forced_eos_token_id": 1},
        },
    }
    config = getattr(transformers, f"{kind}Config")(**small[kind], num_labels=3)
    config.id2label = {0: "boat", 1: "bread", 2: "other"}
    folder = tmp_path / kind
    getattr(transformers, f"{kind}ForSequenceClassification")(config).save_pretrained(folder)
    with models.hold_tokenizer(ModelRef.parse("tokenizer:bpe" if kind == "GPT2" else "tokenizer:unigram")) as kept:
        kept.save_pretrained(folder)
    ref = ModelRef.parse(str(folder))
    found = map_embeddings(models, ref, file)
    alone = [
        predict(models, TASKS["text-classification"], ref, {"text": text}).output[0]["label"] for text in BOATS + BREAD
    ]
    assert [point.answer for point in found.points] == alone


@pytest.mark.parametrize("name", ["text-generation", "translation", "token-classification", "fill-mask"])
def test_every_model_that_reads_text_makes_vectors(models: ModelCache, zoo: Zoo, file: Path, name: str) -> None:
    found = map_embeddings(models, ModelRef.parse(str(zoo(name))), file)
    assert len(found.points) == 6
    assert np.isfinite([(point.x, point.y) for point in found.points]).all()


def test_near_ones_stay_near_and_the_same_again_is_the_same(models: ModelCache, tmp_path: Path) -> None:
    rows = [
        (f"{text} {number}", label) for number in range(8) for text, label in ((BOATS[0], "boat"), (BREAD[0], "bread"))
    ]
    file = write(tmp_path, rows)
    found = map_embeddings(models, MINILM, file, method="tsne")
    apart = distances(found)
    assert apart[::2, ::2].mean() < apart[::2, 1::2].mean()
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
    assert any("One text is longer than 512 tokens; the rest was left out." in note for note in found.warnings)


def test_a_long_text_among_short_ones_is_a_batch_of_its_own(models: ModelCache, tmp_path: Path) -> None:
    shapes: list[tuple[int, int]] = []
    loaded = models.get(MINILM, build_need(TASKS["feature-extraction"]))
    hook = loaded.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        map_embeddings(models, MINILM, write(tmp_path, [("word " * 600, "x"), *(("short", "x") for _ in range(40))]))
    finally:
        hook.remove()
    assert max(rows * width for rows, width in shapes) <= 8_192
    assert sum(rows for rows, _ in shapes) == 41


def test_equal_texts_differ_in_nothing_and_rows_without_a_label_count_for_nothing(
    models: ModelCache, tmp_path: Path
) -> None:
    found = map_embeddings(models, MINILM, write(tmp_path, [("the same", "x")] * 4), label_column="label")
    assert found.variance == (0.0, 0.0)
    assert found.agreement == 1.0
    few = map_embeddings(models, MINILM, write(tmp_path, [("a", ""), ("b", " "), ("c", "x")]), label_column="label")
    assert few.agreement is None
    assert [point.label for point in few.points] == [None, None, "x"]


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
    with pytest.raises(DataError, match=r"in the column 'text': 2\. A map needs 3"):
        map_embeddings(models, MINILM, write(tmp_path, [("a", "x"), ("", "x"), ("b", "y")]))
