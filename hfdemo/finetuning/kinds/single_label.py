"""One label per row: logits [rows, labels] against label indices [rows]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.finetuning.kinds import text_classification
from hfdemo.finetuning.kinds.descriptions import (
    array_shapes,
    compute_calibration,
    compute_precision_recall,
    compute_roc,
    count_confusion,
    row_texts,
    score_classes,
    softmax,
)
from hfdemo.finetuning.kinds.kind import Evaluator, Kind, PageWords, RowFormat
from hfdemo.finetuning.kinds.losses import balance_by_rows, class_cross_entropy, count_all_labels
from hfdemo.finetuning.kinds.text_classification import tokenize_texts


def _matches(labels: Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Return that any label column can be taken for classes."""
    return labels is not None


def _parse_labels(cell: str) -> list[str]:
    return [cell]


def _stratify(labels: pd.Series) -> pd.Series:
    return labels


def encode_single_label(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """Tokenize the texts; `labels` of a row is the number of its label."""
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = tokenize_texts(rows, tokenizer, max_length)
    return {**encoded, "labels": [numbers[cell] for cell in rows["label"]]} if "label" in rows else {**encoded}


def score_single_label(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """Compute accuracy, f1 and f1_weighted of logits [rows, labels] against label indices [rows].

    Label indices [rows] may be given in place of the logits. f1 is that of `positive` where one is named, else the
    plain mean over the labels that occur (macro).
    """
    import numpy as np
    from sklearn.metrics import accuracy_score, f1_score

    answers, truth = np.asarray(logits), np.asarray(references)
    answers = answers.argmax(-1) if answers.ndim == 2 else answers
    of = None if positive is None else [list(labels).index(positive)]
    return {
        "accuracy": float(accuracy_score(truth, answers)),
        "f1": float(f1_score(truth, answers, labels=of, average="macro", zero_division=0.0)),
        "f1_weighted": float(f1_score(truth, answers, average="weighted", zero_division=0.0)),
    }


def to_class_indices(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Return label indices [rows] of logits [rows, labels] (or [..., labels])."""
    return logits.argmax(-1), references


def _perfect_inputs(labels: Sequence[str]) -> Any:
    return np.arange(len(labels))


def _compute_baseline(
    train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Score the answer that is always the label that is most frequent in training."""
    most = int(np.bincount(np.asarray(train), minlength=len(labels)).argmax())
    found = score_single_label(np.full(len(evaluated), most), evaluated, list(labels), positive)
    name = labels[most]
    return {"answer": f"always '{name}'", "metrics": found, "label": name, "accuracy": found["accuracy"]}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Describe predictions: per_class, confusion_matrix, calibration, shapes and example.

    Of two labels also roc and precision_recall, of the positive one, else of the second; None where the split lacks a
    class that they need.
    """
    probabilities, answers = softmax(logits), logits.argmax(-1)
    found: dict[str, Any] = {
        "per_class": score_classes(references, answers, labels),
        "confusion_matrix": count_confusion(references, answers, labels),
        "calibration": compute_calibration(probabilities.max(-1), answers == references),
        "shapes": array_shapes(logits, references),
        "example": {
            "row": 1,
            "logits": logits[0].tolist(),
            "softmax": probabilities[0].tolist(),
            "argmax": int(answers[0]),
            "name": labels[int(answers[0])],
            "label": labels[int(references[0])],
        },
    }
    if len(labels) == 2:
        of = 1 if positive is None else list(labels).index(positive)
        found["roc"] = compute_roc(references == of, probabilities[:, of])
        found["precision_recall"] = compute_precision_recall(references == of, probabilities[:, of])
    return found


def _answers(logits: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the likeliest label of each row and its probability."""
    probabilities = softmax(logits)
    return [{"predicted": labels[int(row.argmax())], "confidence": round(float(row.max()), 6)} for row in probabilities]


def _find_constant(logits: np.ndarray, labels: Sequence[str]) -> str:
    answers = np.unique(logits.argmax(-1))
    return f"'{labels[int(answers[0])]}'" if len(answers) == 1 else ""


def _find_errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows that the model got wrong, the most confident mistakes first."""
    probabilities, answers = softmax(logits), logits.argmax(-1)
    wrong = np.flatnonzero(answers != references)
    wrong = wrong[np.argsort(-probabilities[wrong, answers[wrong]], kind="stable")]
    return [
        {
            "row": int(index) + 1,
            "label": labels[references[index]],
            "predicted": labels[answers[index]],
            "confidence": round(float(probabilities[index, answers[index]]), 6),
            **row_texts(rows[index]),
        }
        for index in wrong
    ]


SINGLE_LABEL = Kind(
    name="single_label",
    task=text_classification.TASK,
    problem_type="single_label_classification",
    model_problem_type="single_label_classification",
    model_class=text_classification.MODEL_CLASS,
    peft_task=text_classification.PEFT_TASK,
    rows=RowFormat(
        find_columns=text_classification.find_columns,
        matches=_matches,
        parse_labels=_parse_labels,
        stratify=_stratify,
        takes_pairs=True,
        is_single_label=True,
    ),
    encode=encode_single_label,
    loss=class_cross_entropy,
    count=count_all_labels,
    balance=balance_by_rows,
    smooths_labels=True,
    carried=(tokenize_texts,),
    evaluator=Evaluator(
        selection="f1",
        scores=score_single_label,
        names=("accuracy", "f1", "f1_weighted"),
        unit_metrics=("accuracy", "f1", "f1_weighted"),
        share_right="accuracy",
        charted=("accuracy", "f1"),
        features={"predictions": "int64", "references": "int64"},
        inputs_help="predictions and references: indices of labels",
        to_inputs=to_class_indices,
        to_module_inputs=to_class_indices,
        perfect_inputs=_perfect_inputs,
        baseline=_compute_baseline,
        describe=_describe,
        find_errors=_find_errors,
        answers=_answers,
        find_constant=_find_constant,
        error_numbers=("confidence",),
        meaning="f1 is that of the positive label where one is named, else the plain mean over the labels (macro).",
        titles={"f1": "f1 (macro)"},
    ),
    page=PageWords(
        choice="one label per row",
        counted="Rows per label (number = label id)",
        stratified="label",
        arrays="one row of logits per text, one logit per label; one label id per text",
        example="softmax",
        sections=("per_class", "confusion_matrix", "two_label_curves", "calibration"),
    ),
    usage='print(pipe("some text", top_k=None))',
)
