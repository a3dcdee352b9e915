"""What several rows share when they open up their last stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.tasks.task import Explanation

MOST_ROWS = 12
# transformers writes "no limit known" as 1e30.
NO_LIMIT = 1_000_000


def explain_next_token(tokenizer: Any, logits: Any, where: str, after: str = "") -> Explanation:
    """The likeliest tokens of one distribution; `logits` [vocabulary], `where` begins a sentence, `after` is one."""
    logits = logits.float()
    probabilities = logits.softmax(-1)
    entropy = float(-(probabilities * probabilities.clamp_min(1e-30).log2()).sum())
    best = logits.topk(min(MOST_ROWS, len(logits))).indices.tolist()
    return Explanation(
        f"{where} the model returned {len(logits):,} logits, one for each token it knows; `softmax(logits)` makes them "
        f"probabilities. Their entropy is {entropy:.2f} bits, that of a fair choice among {2**entropy:,.1f} tokens."
        f"{after}",
        ("token", "logit", "softmax"),
        tuple((tokenizer.decode([index]), float(logits[index]), float(probabilities[index])) for index in best),
    )


def explain_first_token(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """The first token that `generate()` chooses; None for a first pass without logits, such as an encoder's."""
    if "logits" not in outputs:
        return None
    after = " `generate()` takes one by its own rules, puts it behind the input, and goes on token by token."
    return explain_next_token(loaded.tokenizer, outputs["logits"][0, -1], "For the first new token,", after)


def explain_ranking(
    text: str, columns: tuple[str, str, str], names: Sequence[str], logits: Any, scores: Any
) -> Explanation:
    """The highest of `logits` with their names and scores; both tensors are [names]."""
    order = logits.argsort(descending=True).tolist()
    shown = f" The {MOST_ROWS} highest are shown." if len(order) > MOST_ROWS else ""
    best = order[:MOST_ROWS]
    rows = tuple((str(names[index]), float(logits[index]), float(scores[index])) for index in best)
    return Explanation(text + shown, columns, rows)


def explain_classification(
    loaded: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    lone_label: str = "sigmoid",
) -> Explanation:
    """One logit per label; `lone_label` is what the pipeline applies, untold, where the model has one label only."""
    config, logits = loaded.model.config, outputs["logits"][0].float()
    usual = {"regression": "none", "multi_label_classification": "sigmoid"}
    alone = lone_label if config.num_labels == 1 else "softmax"
    function = parameters["function_to_apply"] or usual.get(config.problem_type, alone)
    scores = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}[function]
    does = {
        "softmax": "`softmax(logits)` makes them positive and lets them sum to 1: the labels exclude each other.",
        "sigmoid": "`sigmoid(logit)` turns each one into a score between 0 and 1 on its own.",
        "none": "Nothing is applied: the logits are the scores.",
    }[function]
    return explain_ranking(
        f"The model returned {len(logits)} logit{'s' * (len(logits) != 1)}, one per label. {does}",
        ("label", "logit", "score" if function == "none" else function),
        [config.id2label[index] for index in range(len(logits))],
        logits,
        scores,
    )
