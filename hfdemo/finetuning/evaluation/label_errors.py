"""Label errors: rows whose label a classifier that has not seen them would not give, by confident learning.

The classifier is small, so that it can be trained several times: logistic regressions of what the base model makes of a
text, and of its words. Each row is judged by those that were trained on other rows.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from hfdemo.errors import DataError, Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.corrections import DROP, KEEP, RELABEL, Correction, list_corrections, make_row_keys
from hfdemo.finetuning.evaluation.report import read_numbered_rows
from hfdemo.finetuning.kinds import find_kind
from hfdemo.finetuning.kinds.descriptions import row_texts
from hfdemo.models.cache import ModelCache
from hfdemo.models.hub import Progress

if TYPE_CHECKING:
    import numpy as np

    from hfdemo.models.loading import LoadedModel

FOLDS = 5
MOST_ROWS = 20_000  # of more, evenly spread ones are judged
FEWEST_ROWS = 20
_BATCH = 32
_LONGEST = 256  # tokens that are read of a text
_MOST_WORDS = 50_000
# C of the logistic regressions: from 0.001 to 1 and 1 to 100 all find as many of labels that were changed on purpose.
_OF_STATES, _OF_WORDS = 0.01, 10.0


@dataclass(frozen=True)
class Suspect:
    """A row that may be labelled wrongly: its place among those that were judged, the label that it has and the one
    that is likelier, with the probabilities of both; whether that is sure, see `find_suspects`."""

    place: int
    label: int
    suggested: int
    label_probability: float
    suggested_probability: float
    is_sure: bool


def embed_texts(
    loaded: LoadedModel,
    texts: Sequence[Sequence[str]],
    report: Callable[[int, int], None] = lambda done, rows: None,
    turn: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> np.ndarray:
    """Return the mean of the last hidden states over the tokens of each row: shape (rows, hidden size), float32.

    A row is one text or two. `turn` is entered for each batch, and may raise.
    """
    import numpy as np
    import torch

    model = loaded.model.get_encoder() if loaded.model.config.is_encoder_decoder else loaded.model
    longest = min(_LONGEST, loaded.context or _LONGEST)
    encoded = loaded.tokenizer(*map(list, zip(*texts, strict=True)), truncation=True, max_length=longest)
    order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
    found: list[Any] = [None] * len(texts)
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        width = max(1, *(len(encoded["input_ids"][row]) for row in rows))
        inputs = {
            # Padding is 0 everywhere: the mask hides it, and not every tokenizer has a token for it.
            name: torch.tensor([[*values[row], *[0] * (width - len(values[row]))] for row in rows], device=model.device)
            for name, values in encoded.items()
        }
        with turn(), torch.inference_mode():
            hidden = model(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None]
        means = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        for row, mean in zip(rows, means.cpu().numpy(), strict=True):
            found[row] = mean
        report(min(start + _BATCH, len(order)), len(order))
    return np.stack(found)


def cross_validate(
    embedded: np.ndarray,
    texts: Sequence[Sequence[str]],
    labels: np.ndarray,
    report: Callable[[int, int], None] = lambda done, folds: None,
    check_stop: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return the probability of each label for each row, from classifiers that were trained without that row.

    `embedded` has the shape (rows, size), `labels` are numbers from 0, each of at least two rows. What is returned has
    the shape (rows, labels). `check_stop` is called before each training, and may raise.
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    joined = np.array(["\n".join(row) for row in texts], dtype=object)
    folds = min(FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    found = np.zeros((len(labels), int(labels.max()) + 1))
    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(embedded, labels)
    for number, (train, held_out) in enumerate(splits):
        views = []
        scaler = StandardScaler().fit(embedded[train])
        views.append((scaler.transform(embedded[train]), scaler.transform(embedded[held_out]), _OF_STATES))
        words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, max_features=_MOST_WORDS, token_pattern=r"\w+|[^\w\s]"
        )
        views.append((words.fit_transform(joined[train]), words.transform(joined[held_out]), _OF_WORDS))
        for known, unknown, strength in views:
            check_stop()
            judge = LogisticRegression(C=strength, max_iter=300)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it could be trained longer
                judge.fit(known, labels[train])
            found[held_out[:, None], judge.classes_[None, :]] += judge.predict_proba(unknown) / len(views)
        report(number + 1, folds)
    return found


def find_suspects(probabilities: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """Return the rows for which another label than theirs is the likeliest, ranked by how far it leads.

    One is sure where that label is as likely as it is on average for the rows that have it, which is how confident
    learning counts errors (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068).
    """
    import numpy as np

    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    # A label that no row has is likely for none.
    usual = [own[labels == each].mean() if (labels == each).any() else np.inf for each in range(probabilities.shape[1])]
    others = probabilities.copy()
    others[rows, labels] = -1.0
    other = others.argmax(1)
    likelier = probabilities[rows, other]
    lead = likelier - own
    wrong = np.flatnonzero(lead > 0)
    return [
        Suspect(
            int(row),
            int(labels[row]),
            int(other[row]),
            round(float(own[row]), 6),
            round(float(likelier[row]), 6),
            bool(likelier[row] >= usual[other[row]]),
        )
        for row in wrong[np.argsort(-lead[wrong], kind="stable")]
    ]


@dataclass(frozen=True)
class LabelError:
    """A row of a run's data whose label may be wrong: `row` is its number in data/<split>.csv, which begin with 1.

    `key` is what corrections call the row, and `texts` are its text and its second one, where it has one.
    """

    split: str
    row: int
    key: str
    texts: tuple[str, ...]
    label: str
    suggested: str
    label_probability: float
    suggested_probability: float
    is_sure: bool

    @property
    def fixes(self) -> dict[str, str]:
        """What a person may decide about the row, by what it does to it."""
        decided = (
            Correction(KEEP, self.key),
            Correction(RELABEL, self.key, self.suggested),
            Correction(DROP, self.key),
        )
        return {each.does: each.name for each in decided}


@dataclass(frozen=True)
class LabelReview:
    """What was found in the labels of a run's data: `judged` of `rows` rows, and `errors`, the likeliest first.

    `agreement` is the share of judged rows whose label is the likeliest. For `found` rows another is likelier, for
    `sure` of them as surely as it usually is; `kept` were looked at by a person before.
    """

    rows: int
    judged: int
    agreement: float
    found: int
    sure: int
    kept: int
    labels: tuple[str, ...]
    errors: tuple[LabelError, ...]


def review_labels(
    folder: Path,
    config: RunConfig,
    models: ModelCache,
    limit: int,
    tell: Progress = lambda what, done, whole: None,
    stop: Event | None = None,
) -> LabelReview:
    """Find the rows of the run in `folder` whose labels may be wrong; return the `limit` likeliest of them.

    Raises:
        DataError: its rows have not one label each, or are too few.
        ModelError: its base model can't be loaded.
        Stopped: `stop` was set.
    """
    if not find_kind(config.task, config.problem_type).rows.is_single_label:
        raise DataError("Label errors are looked for where each row has one label. The rows of this run have not.")
    rows = _read_judgeable_rows(folder)
    judged = rows[:: -(-len(rows) // MOST_ROWS)] if rows else []
    if len(judged) < FEWEST_ROWS or len({row["label"] for _, _, row in judged}) < 2:
        raise DataError(
            f"{len(judged):,} rows have a label that another row has, too. Label errors are looked for from "
            f"{FEWEST_ROWS} rows and 2 labels on."
        )

    def check_stop() -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    import numpy as np

    names = sorted({row["label"] for _, _, row in judged})
    labels = np.array([names.index(row["label"]) for _, _, row in judged])
    texts = [tuple(row_texts(row).values()) for _, _, row in judged]
    loaded = models.get(config.model_ref, "AutoModel", tell, stop)
    embedded = embed_texts(loaded, texts, partial(tell, "Rows read"), lambda: models.scheduler.exclusive(stop))
    probabilities = cross_validate(embedded, texts, labels, partial(tell, "Parts judged"), check_stop)
    agreement = float((probabilities.argmax(1) == labels).mean())
    errors = _describe_errors(find_suspects(probabilities, labels), judged, names)
    known = {each.key for each in list_corrections(config.fixes)}
    new = [each for each in errors if each.key not in known]
    sure, kept = sum(each.is_sure for each in new), len(errors) - len(new)
    return LabelReview(len(rows), len(judged), agreement, len(new), sure, kept, tuple(names), tuple(new[:limit]))


def _describe_errors(
    suspects: Sequence[Suspect], judged: Sequence[tuple[str, int, dict[str, str]]], names: Sequence[str]
) -> list[LabelError]:
    """Return the suspects with their rows, keys and labels in words."""
    import pandas as pd

    keys = list(make_row_keys(pd.DataFrame([row for _, _, row in judged])))
    return [
        LabelError(
            *judged[each.place][:2],
            keys[each.place],
            tuple(row_texts(judged[each.place][2]).values()),
            names[each.label],
            names[each.suggested],
            each.label_probability,
            each.suggested_probability,
            each.is_sure,
        )
        for each in suspects
    ]


def _read_judgeable_rows(folder: Path) -> list[tuple[str, int, dict[str, str]]]:
    """Return split, number and cells of the rows with a label, of all splits, that another row has, too."""
    rows = [
        (split, number, row)
        for split in ("train", "validation", "test")
        for number, row in read_numbered_rows(folder, split)
        if row.get("label")
    ]
    counts = Counter(row["label"] for _, _, row in rows)
    return [(split, number, row) for split, number, row in rows if counts[row["label"]] > 1]
