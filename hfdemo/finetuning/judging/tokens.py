"""A tag per token: logits [rows, width, labels] against tag indices [rows, width], -100 where not counted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning import metrics
from hfdemo.finetuning.judging.judge import Judge, confusion, per_label, scores, shapes, softmax, texts
from hfdemo.finetuning.judging.scores import token_scores

NOT_COUNTED = -100


def _metrics(
    labels: Sequence[str], positive_label: str | None, extra: Sequence[str]
) -> Callable[[Any], dict[str, float]]:
    def name(logits: np.ndarray, references: np.ndarray) -> metrics.Handed:
        return tags(logits.argmax(-1), references, labels), tags(references, references, labels)

    every = [list(labels)]
    return metrics.computing("tokens", labels, positive_label, extra, (_decide, name), (every, every))


def _decide(logits: np.ndarray, references: np.ndarray) -> metrics.Handed:
    return logits.argmax(-1), references


def tags(indices: np.ndarray, references: np.ndarray, labels: Sequence[str]) -> list[list[str]]:
    """The names of the counted `indices` [rows, width], row by row."""
    return [
        [labels[index] for index in row[truth != NOT_COUNTED]] for row, truth in zip(indices, references, strict=True)
    ]


def has_entities(labels: Sequence[str]) -> bool:
    """Whether tags mark whole entities, as B-PER, I-PER and O do; token_scores asks the same."""
    return all(re.fullmatch("O|[BIES]-.+", tag) for tag in labels) and any(tag != "O" for tag in labels)


def _baseline(train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """Always the tag that is most frequent in training, whose rows may differ in length."""
    flat = np.concatenate([np.asarray(row, np.int64) for row in train])
    most = int(np.bincount(flat[flat != NOT_COUNTED], minlength=len(labels)).argmax())
    found = token_scores(np.full(np.shape(evaluated), most), evaluated, list(labels))
    return {"answer": f"always '{labels[most]}'", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """per_class (of entity types, or of tags that mark no entities), confusion_matrix of tags, shapes and example."""
    answers, counted = logits.argmax(-1), references != NOT_COUNTED
    truth, given = references[counted], answers[counted]
    return {
        "per_class": _per_type(answers, references, labels)
        if has_entities(labels)
        else per_label(truth, given, labels),
        "confusion_matrix": confusion(truth, given, labels),
        "shapes": shapes(logits, references),
        "example": _example(logits, references, labels),
    }


def _per_type(answers: np.ndarray, references: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, f1 and support of whole entities of each type; all 0 for a type that nowhere occurs."""
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores

    truth, given = tags(references, references, labels), tags(answers, references, labels)
    found = sorted({kind for kind, _, _ in (*get_entities(truth), *get_entities(given))})  # the order of seqeval
    columns = entity_scores(truth, given, average=None, zero_division=0)
    per_type = {kind: scores(*row) for kind, row in zip(found, zip(*columns, strict=True), strict=True)}
    every = dict.fromkeys(tag[2:] for tag in labels if tag != "O")
    return {kind: per_type.get(kind, scores(0.0, 0.0, 0.0, 0)) for kind in every}


def _example(logits: np.ndarray, references: np.ndarray, labels: Sequence[str]) -> dict[str, Any] | None:
    """The first token that counts: `position` is its column in the row."""
    rows, positions = np.nonzero(references != NOT_COUNTED)
    if not len(rows):
        return None
    first = logits[rows[0], positions[0]]
    return {
        "row": int(rows[0]) + 1,
        "position": int(positions[0]),
        "logits": first.tolist(),
        "softmax": softmax(first).tolist(),
        "argmax": int(first.argmax()),
        "name": labels[first.argmax()],
        "label": labels[references[rows[0], positions[0]]],
    }


def _errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """The sentences with a wrong tag, those with most first; words beyond the model's limit have no predicted tag.

    `text` (words), `label` and `predicted` (tags) are JSON lists in step; `mistakes` says the same in words.
    """
    answers = logits.argmax(-1)
    true, given = tags(references, references, labels), tags(answers, references, labels)
    counts = np.array([sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(true, given, strict=True)])
    found = []
    for index in np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]:
        words = json.loads(rows[index]["text"])
        named = zip(words, true[index], given[index], strict=False)
        found.append(
            {
                "row": int(index) + 1,
                "wrong_tags": int(counts[index]),
                "tags": len(true[index]),
                "mistakes": "; ".join(f"{word}: {a} predicted as {b}" for word, a, b in named if a != b),
                "label": json.dumps(true[index], ensure_ascii=False),
                "predicted": json.dumps(given[index], ensure_ascii=False),
                **texts(rows[index]),
            }
        )
    return found


TOKENS = Judge(
    kind="tokens",
    selection="f1",
    greater_is_better=True,
    scores=token_scores,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="Where tags mark entities, precision, recall and f1 count whole entities (seqeval); accuracy, tokens.",
    use='print(pipe("some text", aggregation_strategy="simple"))',
)
