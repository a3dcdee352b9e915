"""The texts of a file as points of a plane: each is the mean of its tokens' vectors, and near ones read alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

from hfdemo.data_sources import choose_text_columns
from hfdemo.errors import DataError, DemoError, Stopped, wrap_library_errors
from hfdemo.inference.batch_files import read_rows
from hfdemo.inference.predict import build_need
from hfdemo.inference.warnings import warn_of_model
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import infer_task
from hfdemo.models.reference import ModelRef
from hfdemo.tables import ReadOptions
from hfdemo.tasks import find_task
from hfdemo.tokenization.encoding import borrow_pad_token

FEWEST_ROWS, MOST_ROWS, MOST_NEIGHBOUR_ROWS = 3, 3_000, 2_000
SHOWN_CHARACTERS = 200
_SLOTS_A_PASS = 8_192
_SEED = 42


@dataclass(frozen=True)
class MapPoint:
    """The text of a `row`, counted from 1, at (x, y), with its label in the file and the model's, where there are."""

    row: int
    x: float
    y: float
    text: str
    label: str | None = None
    answer: str | None = None


@dataclass(frozen=True)
class EmbeddingMap:
    """`variance` are the shares of all differences that both axes show, None where the axes mean nothing.

    `agreement` is the share of the rows whose nearest neighbour, by all numbers of their vectors, has the same label.
    """

    model: str
    method: str
    points: tuple[MapPoint, ...]
    rows: int
    width: int
    variance: tuple[float, float] | None
    agreement: float | None
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def map_embeddings(
    models: ModelCache,
    ref: ModelRef,
    path: Path,
    text_column: str | None = None,
    label_column: str | None = None,
    method: str = "pca",
    options: ReadOptions | None = None,
    on_rows: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> EmbeddingMap:
    """Lay the texts of the table at `path` out in a plane, by the vectors that the model makes of them.

    Of more rows than MOST_ROWS (t-SNE: MOST_NEIGHBOUR_ROWS), evenly many from beginning to end are taken. `on_rows`
    hears (rows done, rows in all). A model that classifies texts says its label of each, too.

    Raises:
        DataError: the file can't be read, has no such column, or fewer rows than FEWEST_ROWS.
        DemoError: the model reads no text, or there is no such method.
        Stopped: `stop` was set.
    """
    if method not in METHODS:
        raise DemoError(f"There is no method {method!r:.80}. Take one of {', '.join(METHODS)}.")
    table = read_rows(path, models.settings, options).table
    column, _ = choose_text_columns(list(table.columns), text_column, "")
    if label_column and label_column not in table.columns:
        raise DataError(f"There is no column {label_column!r}. There are: {', '.join(map(repr, table.columns))}.")
    filled = [row for row, text in enumerate(table[column]) if text.strip()]
    if len(filled) < FEWEST_ROWS:
        raise DataError(f"The column {column!r} has {len(filled)} texts; a map needs {FEWEST_ROWS} or more.")
    most = METHODS[method].most_rows
    rows = filled if len(filled) <= most else [filled[place * len(filled) // most] for place in range(most)]
    task, _ = infer_task(ref, models.settings)
    classify = find_task("text-classification")
    row_task = classify if task.name == classify.name else find_task("feature-extraction")
    loaded = models.get(ref, build_need(row_task), None, stop)
    texts = [str(table[column].iloc[row]) for row in rows]
    vectors, answers, cut = _Embedder(models, loaded, stop).embed(texts, on_rows)
    labels = [str(cell) for cell in table[label_column].iloc[rows]] if label_column else None
    with wrap_library_errors("These vectors can't be laid out", "Take other texts or another model."):
        places, variance = METHODS[method].lay_out(vectors)
        agreement = _measure_agreement(vectors, labels)
    notes = [f"Of {len(filled):,} texts, {len(rows):,} are shown, evenly from all of the file."]
    points = (
        MapPoint(
            *(rows[at] + 1, float(x), float(y), texts[at][:SHOWN_CHARACTERS]),
            labels[at] if labels else None,
            answers[at] if answers else None,
        )
        for at, (x, y) in enumerate(places)
    )
    said = (*warn_of_model(loaded), *(notes if len(rows) < len(filled) else []), *cut)
    return EmbeddingMap(str(ref), method, tuple(points), len(table), vectors.shape[1], variance, agreement, said)


class _Embedder:
    """Makes vectors of texts; others get their turn between two batches."""

    def __init__(self, models: ModelCache, loaded: LoadedModel, stop: Event | None) -> None:
        self.models, self.loaded, self.stop = models, loaded, stop

    def embed(
        self, texts: Sequence[str], on_rows: Callable[[int, int], None] | None
    ) -> tuple[Any, list[str] | None, list[str]]:
        """Return (vectors [texts, width] of length 1, the label of each text if the model has any, what was cut)."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        found: dict[int, tuple[Any, str | None]] = {}
        cut = 0
        while len(found) < len(texts):
            begin = len(found)
            size = max(1, min(32, _SLOTS_A_PASS // max(1, len(texts[order[begin]]) // 2)))
            batch = order[begin : begin + size]
            if self.stop is not None and self.stop.is_set():
                raise Stopped
            with (
                self.models.scheduler.exclusive(self.stop),
                wrap_library_errors(f"{self.loaded.ref} makes no vectors of these texts", "Take another model."),
            ):
                made, longer = self._embed_batch([texts[at] for at in batch])
            found |= dict(zip(batch, made, strict=True))
            cut += longer
            if on_rows is not None:
                on_rows(len(found), len(texts))
        vectors = np.stack([found[at][0] for at in range(len(texts))])
        answers = [str(found[at][1]) for at in range(len(texts))] if found[0][1] is not None else None
        notes = [f"{cut:,} texts are longer than the model reads; the rest of them was left out."] if cut else []
        return vectors, answers, notes

    def _embed_batch(self, texts: Sequence[str]) -> tuple[list[tuple[Any, str | None]], int]:
        """Return (vector, label or None) of each text, and how many were cut."""
        import torch

        loaded, tokenizer = self.loaded, self.loaded.tokenizer
        model = loaded.model.get_encoder() if loaded.model.config.is_encoder_decoder else loaded.model
        limit = loaded.context
        whole = [len(ids) for ids in tokenizer(list(texts), verbose=False)["input_ids"]]
        with borrow_pad_token(tokenizer, None if tokenizer.pad_token else tokenizer.eos_token), torch.no_grad():
            inputs = tokenizer(
                list(texts),
                padding=True,
                truncation=limit is not None,
                max_length=limit,
                return_tensors="pt",
                verbose=False,
            ).to(loaded.device.kind)
            # A head that looks for the last real token would have to know the pad token; here the mask says it.
            output = model(**inputs, output_hidden_states=True)
        mask = inputs["attention_mask"][..., None]
        means = (output.hidden_states[-1] * mask).sum(1) / mask.sum(1)
        vectors = torch.nn.functional.normalize(means.float(), dim=-1).cpu().numpy()
        logits, names = getattr(output, "logits", None), getattr(loaded.model.config, "id2label", {})
        labels = [None] * len(texts) if logits is None else [str(names[int(each)]) for each in logits.argmax(-1)]
        return list(zip(vectors, labels, strict=True)), sum(limit is not None and each > limit for each in whole)


def _measure_agreement(vectors: Any, labels: Sequence[str] | None) -> float | None:
    """Return the share of rows whose nearest neighbour has their label; None without labels."""
    if labels is None:
        return None
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=2).fit(vectors).kneighbors(return_distance=False, n_neighbors=1)[:, 0]
    return sum(labels[at] == labels[other] for at, other in enumerate(nearest)) / len(labels)


def _project(vectors: Any) -> tuple[Any, tuple[float, float] | None]:
    """Lay vectors out by their two principal components, the directions in which they differ most."""
    from sklearn.decomposition import PCA

    found = PCA(2, svd_solver="full")
    places = found.fit_transform(vectors)
    first, second = found.explained_variance_ratio_
    return places, (float(first), float(second))


def _keep_neighbours(vectors: Any) -> tuple[Any, tuple[float, float] | None]:
    """Lay vectors out so that near ones stay near (t-SNE); how far others are from each other means nothing."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(vectors), None


@dataclass(frozen=True)
class LayoutMethod:
    """A way to lay vectors out in a plane: `lay_out` returns places [rows, 2] and the shares that they show."""

    lay_out: Callable[[Any], tuple[Any, tuple[float, float] | None]]
    most_rows: int


METHODS: Mapping[str, LayoutMethod] = MappingProxyType(
    {"pca": LayoutMethod(_project, MOST_ROWS), "tsne": LayoutMethod(_keep_neighbours, MOST_NEIGHBOUR_ROWS)}
)
