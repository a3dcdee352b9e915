"""A tag per token: logits [rows, width, labels] against tag indices [rows, width], -100 where not counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo.finetuning.evaluation import metrics
from hfdemo.finetuning.evaluation.evaluate_inputs import classes_handed, tags_handed
from hfdemo.finetuning.evaluation.evaluator import Judge, confusion, per_label, scores, shapes, softmax, texts
from hfdemo.finetuning.evaluation.scores import entity_tags, token_scores

NOT_COUNTED = -100


def _metrics(labels: Sequence[str], positive_label: str | None, extra: Sequence[str]) -> metrics.Computing:
    every = [list(labels)]
    return metrics.computing("tokens", labels, positive_label, extra, classes_handed, tags_handed, (every, every))


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
    entities = entity_tags(labels)
    return {
        "per_class": _per_type(answers, references, entities) if entities else per_label(truth, given, labels),
        "confusion_matrix": confusion(truth, given, labels),
        "shapes": shapes(logits, references),
        "example": _example(logits, references, labels),
    }


def _per_type(answers: np.ndarray, references: np.ndarray, entities: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, f1 and support of whole entities of each type; all 0 for a type that nowhere occurs.

    `entities` are the labels as `entity_tags` gives them.
    """
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores

    given, truth = tags_handed(answers, references, entities)
    found = sorted({kind for kind, _, _ in (*get_entities(truth), *get_entities(given))})  # the order of seqeval
    columns = entity_scores(truth, given, average=None, zero_division=0)
    per_type = {kind: scores(*row) for kind, row in zip(found, zip(*columns, strict=True), strict=True)}
    every = dict.fromkeys(tag[2:] for tag in entities if tag != "O")
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
    """The sentences with a wrong tag, those with most first.

    `text` (words), `label` and `predicted` (tags) are JSON lists in step, with null for a word that was not judged: it
    stands beyond the model's limit, or has no token. `mistakes` says the same in words.
    """
    given, true = tags_handed(logits, references, labels)
    counts = np.array([sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(true, given, strict=True)])
    found = []
    for index in np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]:
        words = json.loads(rows[index]["text"])
        judged = json.loads(rows[index].get("judged") or json.dumps([*range(len(true[index]))]))
        labelled, predicted = (_in_step(words, judged, each[index]) for each in (true, given))
        named = zip(words, labelled, predicted, strict=True)
        found.append(
            {
                "row": int(index) + 1,
                "wrong_tags": int(counts[index]),
                "tags": len(true[index]),
                "mistakes": "; ".join(f"{word}: {a} predicted as {b}" for word, a, b in named if a != b),
                "label": json.dumps(labelled, ensure_ascii=False),
                "predicted": json.dumps(predicted, ensure_ascii=False),
                **texts(rows[index]),
            }
        )
    return found


def _in_step(words: Sequence[str], judged: Sequence[int], tags: Sequence[str]) -> list[str | None]:
    """The tags of the words that were `judged`, each at the place of its word; None for the others."""
    placed = dict(zip(judged, tags, strict=True))
    return [placed.get(place) for place in range(len(words))]


TOKENS = Judge(
    kind="tokens",
    selection="f1",
    greater_is_better=True,
    scores=token_scores,
    names=("precision", "recall", "f1", "accuracy"),
    hand_over=tags_handed,
    metrics=_metrics,
    baseline=_baseline,
    describe=_describe,
    errors=_errors,
    meaning="Where tags mark entities, precision, recall and f1 count whole entities (seqeval); accuracy, tokens.",
    use='print(pipe("some text", aggregation_strategy="simple"))',
    carried=(entity_tags,),
)
