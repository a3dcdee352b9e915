"""Several labels per row, or none: logits [rows, labels] against 0/1 [rows, labels]."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.finetuning.kinds import text_classification
from hfdemo.finetuning.kinds.cells import (
    NUMBER,
    are_nearly_all,
    count_positions,
    is_missing,
    parse_words,
    shorten,
    write_list,
)
from hfdemo.finetuning.kinds.descriptions import (
    array_shapes,
    class_scores,
    compute_precision_recall,
    row_texts,
    sigmoid,
)
from hfdemo.finetuning.kinds.kind import Evaluator, Kind, PageWords, ReadCell, RowFormat
from hfdemo.finetuning.kinds.losses import count_all_labels
from hfdemo.finetuning.kinds.numbers import are_lists_of_numbers, are_numbers
from hfdemo.finetuning.kinds.text_classification import tokenize_texts

SEPARATORS = "|;,"
THRESHOLD = 0.5


def _matches(labels: Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Return whether label cells hold lists, or several names with the same character between them."""
    if labels is None:
        return False
    filled = [cell for cell in labels if not is_missing(cell)]
    if are_nearly_all(filled, parse_words) or count_positions(filled):
        return True
    return not are_numbers(filled) and find_separator(filled) is not None


def _readers(columns: Mapping[str, Sequence[str]]) -> dict[str, ReadCell]:
    between = find_separator(columns["label"])
    return {"text": str.strip, "label": lambda cell: write_list(sorted(parse_names(cell, between)))}


def _parse_labels(cell: str) -> list[str]:
    labels: list[str] = json.loads(cell)
    return labels


def _stratify(labels: pd.Series) -> pd.Series:
    # Sets that stand there once would all stay in train: together they are one stratum.
    return labels.where(labels.map(labels.value_counts()) > 1, "")


def parse_names(cell: str, between: str | None) -> list[str]:
    """Read the labels of a row: a list, or texts with `between` between them; None as `between` is one label a cell.

    Raises:
        ValueError: an empty name, or a list of other things.
    """
    if cell.lstrip().startswith("["):
        found = [name.strip() for name in parse_words(cell)]
    else:
        found = [name.strip() for name in (cell.split(between) if between else [cell])]
    if "" in found:
        raise ValueError(f"{shorten(cell)} has a label without a name")
    return list(dict.fromkeys(found))


def find_separator(column: Sequence[str]) -> str | None:
    """Find what stands between several labels in the cells of a column: | or ; or a comma; None where nothing does.

    A name may hold such a character itself, so its parts have to come back: a part stands in several different cells,
    and for commas there are fewer parts than cells.
    """
    different = [cell for cell in dict.fromkeys(column) if cell.strip() and not cell.lstrip().startswith("[")]
    for mark in SEPARATORS:
        if not any(mark in cell for cell in different):
            continue
        parts = Counter(part.strip() for cell in different for part in set(cell.split(mark)))
        if mark == "," and are_lists_of_numbers(different):
            return mark
        if "" in parts or all(NUMBER.fullmatch(part) for part in parts):
            continue
        if (len(parts) < len(different)) if mark == "," else max(parts.values()) > 1:
            return mark
    return None


def encode_multi_label(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """Tokenize the texts; `labels` of a row are 1.0 for each label that it has, 0.0 for the others."""
    encoded = tokenize_texts(rows, tokenizer, max_length)
    if "label" not in rows:
        return {**encoded}
    given = [set(json.loads(cell)) for cell in rows["label"]]
    return {**encoded, "labels": [[float(label in names) for label in labels] for names in given]}


def label_cross_entropy(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Return the binary cross entropy of logits and flags [rows, labels]; `weight` is that of a flag that is set."""
    import torch

    logits = outputs.logits.float()
    weight = None if weight is None else torch.tensor(weight, device=logits.device)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.float(), reduction="sum", pos_weight=weight
    )
    return losses / items


def balance_by_flags(rows: Sequence[Any], labels: int) -> list[float]:
    """Return rows without the label / rows with it: the weight of a flag that is set against one that is not."""
    import numpy as np

    present = np.asarray(rows).sum(0)
    return [float(weight) for weight in (len(rows) - present).clip(1) / present.clip(1)]


def score_multi_label(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """Compute f1 (macro), f1_micro and accuracy of logits (or 0/1) [rows, labels] against 0/1 [rows, labels].

    A label is given where its logit is above 0, which is a sigmoid above 0.5. A row counts as right in accuracy only
    when all of its labels are.
    """
    import numpy as np

    answers, truth = np.asarray(logits) > 0, np.asarray(references) > 0
    hits = (answers & truth).sum(0)
    given = answers.sum(0) + truth.sum(0)  # f1 = 2 hits / (given by the model + given in truth)
    return {
        "accuracy": float((answers == truth).all(-1).mean()),
        "f1": float((2 * hits / np.maximum(given, 1)).mean()),
        "f1_micro": float(2 * hits.sum() / max(given.sum(), 1)),
    }


def to_flags(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Return 0/1 [rows, labels] of logits [rows, labels]."""
    return (logits > 0).astype("int64"), references.astype("int64")


def _perfect_inputs(labels: Sequence[str]) -> Any:
    return np.eye(len(labels), dtype=np.int64)


def _compute_baseline(
    train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Score the answer that is always the set of labels that is most frequent in training."""
    sets, counts = np.unique(np.asarray(train) > 0, axis=0, return_counts=True)
    most = sets[counts.argmax()]
    named = ", ".join(f"'{label}'" for label, given in zip(labels, most, strict=True) if given)
    found = score_multi_label(np.tile(most, (len(evaluated), 1)), evaluated, list(labels))
    return {"answer": f"always {named or 'no label'}", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Describe predictions: per_class with threshold and average precision, labels_per_row, shapes and example."""
    truth, answers, probabilities = references > 0, logits > 0, sigmoid(logits)
    return {
        "per_class": {
            label: _label(truth[:, index], answers[:, index], probabilities[:, index])
            for index, label in enumerate(labels)
        },
        "labels_per_row": {"label": float(truth.sum(-1).mean()), "predicted": float(answers.sum(-1).mean())},
        "shapes": array_shapes(logits, references),
        "example": {
            "row": 1,
            "logits": logits[0].tolist(),
            "sigmoid": probabilities[0].tolist(),
            "argmax": int(logits[0].argmax()),
            "name": _names(answers[0], labels),
            "label": _names(truth[0], labels),
        },
    }


def _label(truth: np.ndarray, answers: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    hits, given, support = int((truth & answers).sum()), int(answers.sum()), int(truth.sum())
    found = class_scores(hits / max(given, 1), hits / max(support, 1), 2 * hits / max(given + support, 1), support)
    ranked = compute_precision_recall(truth, probabilities)
    average = None if ranked is None else ranked["average_precision"]
    return {**found, "threshold": THRESHOLD, "average_precision": average}


def _names(given: np.ndarray, labels: Sequence[str]) -> list[str]:
    return [label for label, is_given in zip(labels, given, strict=True) if is_given]


def _answers(logits: np.ndarray, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the labels that each row is given, and the probability of every label."""
    return [
        {
            "predicted": ", ".join(_names(row > 0, labels)),
            **{label: round(float(each), 6) for label, each in zip(labels, sigmoid(row), strict=True)},
        }
        for row in logits
    ]


def _find_constant(logits: np.ndarray, labels: Sequence[str]) -> str:
    given = np.unique(logits > 0, axis=0)
    return ", ".join(f"'{name}'" for name in _names(given[0], labels)) or "no label" if len(given) == 1 else ""


def _find_errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows with a label too many or missing: those with most wrong labels first, then the surest mistakes.

    `confidence` is the highest probability among a row's wrong decisions.
    """
    truth, answers, probabilities = references > 0, logits > 0, sigmoid(logits)
    sure = np.where(answers, probabilities, 1.0 - probabilities)
    is_wrong = truth != answers
    counts, surest = is_wrong.sum(-1), np.where(is_wrong, sure, 0.0).max(-1)
    order = np.lexsort((-surest, -counts))
    return [
        {
            "row": int(index) + 1,
            "label": ", ".join(_names(truth[index], labels)),
            "predicted": ", ".join(_names(answers[index], labels)),
            "wrong_labels": int(counts[index]),
            "confidence": round(float(surest[index]), 6),
            **row_texts(rows[index]),
        }
        for index in order[: int((counts > 0).sum())]
    ]


MULTI_LABEL = Kind(
    name="multi_label",
    task=text_classification.TASK,
    problem_type="multi_label_classification",
    model_problem_type="multi_label_classification",
    model_class=text_classification.MODEL_CLASS,
    peft_task=text_classification.PEFT_TASK,
    rows=RowFormat(
        find_columns=text_classification.find_flag_columns,
        matches=_matches,
        readers=_readers,
        parse_labels=_parse_labels,
        stratify=_stratify,
        takes_pairs=True,
        is_label_set=True,
    ),
    encode=encode_multi_label,
    loss=label_cross_entropy,
    count=count_all_labels,
    balance=balance_by_flags,
    carried=(tokenize_texts,),
    evaluator=Evaluator(
        selection="f1",
        scores=score_multi_label,
        names=("accuracy", "f1", "f1_micro"),
        unit_metrics=("accuracy", "f1", "f1_micro"),
        share_right="accuracy",
        charted=("f1", "f1_micro"),
        features={"predictions": ["int64"], "references": ["int64"]},
        inputs_help="predictions and references: 0 or 1 for each label of each row",
        to_inputs=to_flags,
        to_module_inputs=to_flags,
        perfect_inputs=_perfect_inputs,
        baseline=_compute_baseline,
        describe=_describe,
        find_errors=_find_errors,
        answers=_answers,
        find_constant=_find_constant,
        error_numbers=("wrong_labels", "confidence"),
        meaning="f1 is the plain mean over the labels (macro); accuracy counts the rows of which every label is right.",
        titles={"f1": "f1 (macro)", "accuracy": "accuracy (all right)"},
    ),
    page=PageWords(
        choice="several labels per row",
        counted="Rows per label (number = label id)",
        stratified="set of labels",
        arrays="one row of logits per text, one logit per label; one 0 or 1 per text and label",
        example="sigmoid",
        sections=("per_class", "labels_per_row"),
    ),
    usage='print(pipe("some text", top_k=None))  # a label counts as given from a score of 0.5',
)
