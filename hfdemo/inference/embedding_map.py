"""The texts of a file as points of a plane: each is the mean of its tokens' vectors, and near ones read alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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

FEWEST_ROWS, MOST_ROWS, MOST_NEIGHBOUR_ROWS = 3, 3_000, 1_000
# More of a text than this says nothing new about where it lies.
MOST_CHARACTERS, MOST_TOKENS = 20_000, 1_024
SHOWN_CHARACTERS = 200
_TEXTS_A_PASS, _SLOTS_A_PASS = 32, 8_192
_SEED, _ITERATIONS = 42, 500


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

    `rows` counts the texts of the file. `agreement` is the share of the labelled rows whose nearest labelled neighbour,
    by all numbers of their vectors, has the same label. `model_labels` are those that the model answers with, none
    where it classifies nothing.
    """

    model: str
    method: str
    points: tuple[MapPoint, ...]
    rows: int
    width: int
    variance: tuple[float, float] | None
    agreement: float | None
    model_labels: tuple[str, ...]
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
    hears (rows done, rows in all). A model that tells two labels or more apart says its label of each text, too.

    Raises:
        DataError: the file can't be read, has no such column, or fewer rows than FEWEST_ROWS.
        DemoError: the model reads no text, or there is no such method.
        Stopped: `stop` was set; it is looked at before each batch, and before the vectors are laid out.
    """
    if method not in METHODS:
        raise DemoError(f"There is no method {method!r:.80}. Take one of {', '.join(METHODS)}.")
    rows, count = _choose_rows(models, path, (text_column, label_column), METHODS[method].most_rows, options)
    texts, labels = [row.text for row in rows], [row.label for row in rows]
    embedder = _find_embedder(models, ref, stop)
    vectors, answers, notes = embedder.embed(texts, on_rows)
    if stop is not None and stop.is_set():
        raise Stopped
    with wrap_library_errors("These vectors can't be laid out", "Take other texts or another model."):
        places, variance = METHODS[method].lay_out(vectors)
        agreement = _measure_agreement(vectors, labels)
    points = [
        MapPoint(row.number, float(x), float(y), row.text[:SHOWN_CHARACTERS], row.label, answer)
        for row, (x, y), answer in zip(rows, places, answers, strict=True)
    ]
    if len(rows) < count:
        notes.append(f"Of {count:,} texts, {len(rows):,} are shown, evenly from all of the file.")
    said = (*warn_of_model(embedder.loaded), *notes)
    width = vectors.shape[1]
    return EmbeddingMap(str(ref), method, tuple(points), count, width, variance, agreement, embedder.labels, said)


@dataclass(frozen=True)
class _Row:
    """The text of row `number`, counted from 1, and its label if it has any."""

    number: int
    text: str
    label: str | None


def _choose_rows(
    models: ModelCache,
    path: Path,
    columns: tuple[str | None, str | None],
    most: int,
    options: ReadOptions | None,
) -> tuple[list[_Row], int]:
    """Read the text and label `columns` of a table; return at most so many of its rows, and how many have a text.

    Raises:
        DataError: it can't be read, has no such column, or fewer texts than FEWEST_ROWS.
    """
    table = read_rows(path, models.settings, options).table
    text, _ = choose_text_columns(list(table.columns), columns[0], "")
    label = columns[1]
    if label and label not in table.columns:
        raise DataError(f"There is no column {label!r}. There are: {', '.join(map(repr, table.columns))}.")
    filled = [row for row, cell in enumerate(table[text]) if cell.strip()]
    if len(filled) < FEWEST_ROWS:
        raise DataError(f"Rows with a text in the column {text!r}: {len(filled)}. A map needs {FEWEST_ROWS} or more.")
    kept = filled if len(filled) <= most else [filled[place * len(filled) // most] for place in range(most)]
    labels = [str(cell).strip() or None for cell in table[label].iloc[kept]] if label else [None] * len(kept)
    texts = [str(cell)[:MOST_CHARACTERS] for cell in table[text].iloc[kept]]
    return [_Row(at + 1, words, name) for at, words, name in zip(kept, texts, labels, strict=True)], len(filled)


def _find_embedder(models: ModelCache, ref: ModelRef, stop: Event | None) -> _Embedder:
    """Load the model: with its head where it classifies texts, else without any."""
    task, _ = infer_task(ref, models.settings)
    row = task if task.maps_texts else find_task("feature-extraction")
    return _Embedder(models, models.get(ref, build_need(row), None, stop), row.output == "labels", stop)


class _Embedder:
    """Makes vectors of texts; others get their turn between two batches. `labels` are those that the model knows."""

    def __init__(self, models: ModelCache, loaded: LoadedModel, classifies: bool, stop: Event | None) -> None:
        self.models, self.loaded, self.stop = models, loaded, stop
        config = loaded.model.config
        names = [str(config.id2label[place]) for place in sorted(config.id2label)] if classifies else []
        # With one label there is nothing to tell apart: such a head gives a number.
        self.labels = tuple(names) if len(names) > 1 else ()
        self.limit = min(loaded.context or MOST_TOKENS, MOST_TOKENS)
        encodes = loaded.model.get_encoder() if config.is_encoder_decoder else loaded.model.base_model
        self.reader, self.model = encodes, loaded.model if self.labels else encodes
        # A head that reads the last token finds it by the config's pad token; without one it takes single rows.
        alone = self.labels and config.pad_token_id is None
        self.at_once = 1 if alone else _TEXTS_A_PASS

    def embed(
        self, texts: Sequence[str], on_rows: Callable[[int, int], None] | None
    ) -> tuple[Any, list[str | None], list[str]]:
        """Return (vectors [texts, width] of length 1, the model's label of each text or None, what was cut)."""
        import numpy as np

        lengths = self._count_tokens(texts)
        order = sorted(range(len(texts)), key=lambda at: -lengths[at])
        found: dict[int, tuple[Any, str | None]] = {}
        while len(found) < len(texts):
            begin = len(found)
            # The first of a batch is its longest.
            size = max(1, min(self.at_once, _SLOTS_A_PASS // min(lengths[order[begin]], self.limit)))
            batch = order[begin : begin + size]
            with self._take_turn():
                made = self._embed_batch([texts[at] for at in batch])
            found |= dict(zip(batch, made, strict=True))
            if on_rows is not None:
                on_rows(len(found), len(texts))
        vectors = np.stack([found[at][0] for at in range(len(texts))])
        answers = [found[at][1] for at in range(len(texts))]
        cut = sum(length > self.limit for length in lengths)
        said = "One text is" if cut == 1 else f"{cut:,} texts are"
        notes = [f"{said} longer than {self.limit:,} tokens; the rest was left out."] if cut else []
        return vectors, answers, notes

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        if self.stop is not None and self.stop.is_set():
            raise Stopped
        failed = f"{self.loaded.ref} makes no vectors of these texts"
        with self.models.scheduler.exclusive(self.stop), wrap_library_errors(failed, "Take another model."):
            yield

    def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, at most one more than are read."""
        lengths: list[int] = []
        for begin in range(0, len(texts), _TEXTS_A_PASS):
            with self._take_turn():
                part = list(texts[begin : begin + _TEXTS_A_PASS])
                cut = self.loaded.tokenizer(part, truncation=True, max_length=self.limit + 1, verbose=False)
            lengths += [max(1, len(ids)) for ids in cut["input_ids"]]
        return lengths

    def _embed_batch(self, texts: Sequence[str]) -> list[tuple[Any, str | None]]:
        """Return (vector, label or None) of each text."""
        import torch

        loaded, tokenizer, seen = self.loaded, self.loaded.tokenizer, []
        pads = len(texts) > 1
        borrowed = tokenizer.eos_token if pads and tokenizer.pad_token is None else None
        hook = self.reader.register_forward_hook(lambda module, inputs, output: seen.append(output[0]))
        try:
            with borrow_pad_token(tokenizer, borrowed), torch.no_grad():
                inputs = tokenizer(
                    list(texts),
                    padding=pads,
                    padding_side="right",
                    truncation=True,
                    max_length=self.limit,
                    return_tensors="pt",
                    verbose=False,
                ).to(loaded.device.kind)
                output = self.model(**inputs)
        finally:
            hook.remove()
        mask = inputs["attention_mask"][..., None]
        means = (seen[0].float() * mask).sum(1) / mask.sum(1).clamp(min=1)
        vectors = torch.nn.functional.normalize(means, dim=-1).cpu().numpy()
        places = output.logits.argmax(-1).tolist() if self.labels else [None] * len(texts)
        answers = [None if place is None else self.labels[place] for place in places]
        return list(zip(vectors, answers, strict=True))


def _measure_agreement(vectors: Any, labels: Sequence[str | None]) -> float | None:
    """Return the share of labelled rows whose nearest neighbour has their label; None of fewer than two."""
    from sklearn.neighbors import NearestNeighbors

    known = [at for at, label in enumerate(labels) if label]
    if len(known) < 2:
        return None
    nearest = NearestNeighbors(n_neighbors=1).fit(vectors[known]).kneighbors(return_distance=False)[:, 0]
    return sum(labels[at] == labels[known[other]] for at, other in zip(known, nearest, strict=True)) / len(known)


def _project(vectors: Any) -> tuple[Any, tuple[float, float] | None]:
    """Lay vectors out by their two principal components, the directions in which they differ most."""
    import numpy as np
    from sklearn.decomposition import PCA

    found = PCA(2, svd_solver="full")
    with np.errstate(invalid="ignore"):
        places = found.fit_transform(vectors)
    # Of texts that are all the same nothing differs, and the shares of nothing are none.
    first, second = (0.0 if share != share else float(share) for share in found.explained_variance_ratio_)
    return places, (first, second)


def _keep_neighbours(vectors: Any) -> tuple[Any, tuple[float, float] | None]:
    """Lay vectors out so that near ones stay near (t-SNE); how far others are from each other means nothing."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    layout = TSNE(2, perplexity=perplexity, init="pca", random_state=_SEED, max_iter=_ITERATIONS)
    return layout.fit_transform(vectors), None


@dataclass(frozen=True)
class LayoutMethod:
    """A way to lay vectors out in a plane: `lay_out` returns places [rows, 2] and the shares that they show."""

    lay_out: Callable[[Any], tuple[Any, tuple[float, float] | None]]
    most_rows: int


METHODS: Mapping[str, LayoutMethod] = MappingProxyType(
    {"pca": LayoutMethod(_project, MOST_ROWS), "tsne": LayoutMethod(_keep_neighbours, MOST_NEIGHBOUR_ROWS)}
)
