"""The numbers that a run is judged by, one self-contained function per kind of answer.

Each needs nothing but the libraries it imports in its own body and what its Judge says is carried with it, so a run's
stand-alone train.py holds the very source that the evaluate modules call. `logits` and `references` are whatever numpy
reads as an array; where a model's answer has been decided already, the answers may be given in place of the logits.
"""

from __future__ import annotations

from collections.abc import Iterable


def single_label_scores(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """accuracy, f1 and f1_weighted of logits [rows, labels] (or label indices [rows]) against label indices [rows].

    f1 is that of `positive` where one is named, else the plain mean over the labels that occur (macro).
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


def multi_label_scores(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """f1 (macro), f1_micro and accuracy of logits (or 0/1) [rows, labels] against 0/1 [rows, labels].

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


def regression_scores(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """mae, mse, pearson and spearmanr of logits [rows] or [rows, 1] against numbers [rows].

    A correlation with numbers that are all the same is not defined; it counts as 0.
    """
    import numpy as np

    answers = np.asarray(logits, dtype=np.float64).reshape(-1)
    truth = np.asarray(references, dtype=np.float64).reshape(-1)

    def ranks(values):  # type: ignore[no-untyped-def]
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal values share the mean of their ranks

    def correlation(a, b):  # type: ignore[no-untyped-def]
        a, b = a - a.mean(), b - b.mean()
        a, b = a / (np.abs(a).max() or 1.0), b / (np.abs(b).max() or 1.0)  # squares of what is tiny would vanish
        size = np.linalg.norm(a) * np.linalg.norm(b)
        return float(np.clip(a @ b / size, -1.0, 1.0)) if size else 0.0

    constant: bool = np.ptp(answers) == 0 or np.ptp(truth) == 0
    return {
        "mae": float(np.abs(answers - truth).mean()),
        "mse": float(np.square(answers - truth).mean()),
        "pearson": 0.0 if constant else correlation(answers, truth),
        "spearmanr": 0.0 if constant else correlation(ranks(answers), ranks(truth)),
    }


def entity_tags(labels: Iterable[str]) -> list[str] | None:
    """The labels as seqeval reads them, where they tag whole entities as B-PER, I-PER and O do; None where they don't.

    What BILOU calls last and unit (L, U) IOBES, which seqeval knows, calls end and single (E, S).
    """
    import re

    tags = list(labels)
    if not all(re.fullmatch("O|[BIESLU]-.+", tag) for tag in tags) or all(tag == "O" for tag in tags):
        return None
    return [{"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def token_scores(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """precision, recall, f1 and accuracy of logits [rows, width, labels] (or tag indices [rows, width]) against tag
    indices [rows, width], where -100 is not counted.

    With tags like B-PER, I-PER and O the first three count whole entities (seqeval, as conlleval does); with others
    they are the plain mean over the tags that occur (macro). Accuracy counts tokens.
    """
    import numpy as np
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores
    from sklearn.metrics import precision_recall_fscore_support

    answers, truth = np.asarray(logits), np.asarray(references)
    answers = answers.argmax(-1) if answers.ndim == 3 else answers
    counted = truth != -100
    if not counted.any():
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.0}
    entities = entity_tags(labels)
    if entities:
        named = [
            [[entities[tag] for tag in row[keep]] for row, keep in zip(tags, counted, strict=True)]
            for tags in (truth, answers)
        ]
        scores = entity_scores(*named, average="micro", zero_division=0)
    else:
        scores = precision_recall_fscore_support(truth[counted], answers[counted], average="macro", zero_division=0.0)
    return {
        **{name: float(score) for name, score in zip(("precision", "recall", "f1"), scores, strict=False)},
        "accuracy": float((answers == truth)[counted].mean()),
    }


def language_scores(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """loss and perplexity of [rows, 2]: each row's sum of negative log likelihoods, and how many tokens that counts.

    loss is the mean over all counted tokens, in nats: longer rows weigh more, as they do in training.
    """
    import numpy as np

    sums = np.asarray(logits, dtype=np.float64).reshape(-1, 2).sum(0)
    loss = float(sums[0] / sums[1]) if sums[1] else float("nan")
    return {"loss": loss, "perplexity": float(np.exp(np.minimum(loss, 700.0)))}  # e^700 is about the largest number
