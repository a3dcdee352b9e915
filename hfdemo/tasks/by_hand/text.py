"""A text in; labels, vectors or candidates for a mask out."""

from __future__ import annotations

from typing import Any


def classify_text(
    model: Any,
    tokenizer: Any,
    text: str,
    text_pair: str | None = None,
    top_k: int | None = None,
    function_to_apply: str | None = None,
) -> list[dict[str, Any]]:
    """Score a text, or a pair of texts, for each of the model's labels, the best first."""
    import torch

    inputs = tokenizer(text, text_pair, truncation=True, return_tensors="pt").to(model.device)
    with torch.no_grad():
        logits = model(**inputs).logits[0].float().cpu()

    config = model.config
    if function_to_apply == "none" or (function_to_apply is None and config.problem_type == "regression"):
        scores = logits
    elif function_to_apply == "sigmoid" or (
        function_to_apply is None and (config.problem_type == "multi_label_classification" or config.num_labels == 1)
    ):
        scores = logits.sigmoid()
    else:
        scores = logits.softmax(-1)

    answers = [{"label": config.id2label[index], "score": score} for index, score in enumerate(scores.tolist())]
    return sorted(answers, key=lambda answer: answer["score"], reverse=True)[:top_k]


def extract_features(
    model: Any, tokenizer: Any, text: str | list[str], tokenize_kwargs: dict[str, Any] | None = None
) -> list[Any]:
    """Return the last hidden states: one vector per token, as [1, tokens, hidden size]; a list of these for a list."""
    import torch

    settings = {"truncation": True, **(tokenize_kwargs or {})}
    found = []
    for each in [text] if isinstance(text, str) else text:
        inputs = tokenizer(each, return_tensors="pt", **settings).to(model.device)
        with torch.no_grad():
            outputs = model(**inputs)
        found.append(outputs[0].tolist())
    return found[0] if isinstance(text, str) else found


def fill_mask(
    model: Any, tokenizer: Any, text: str, top_k: int | None = None, targets: list[str] | None = None
) -> list[Any]:
    """Return the likeliest tokens for the mask in a text; for several masks, one such list for each."""
    import torch

    inputs = tokenizer(text, truncation=True, return_tensors="pt")
    ids = inputs["input_ids"][0]
    masks = (ids == tokenizer.mask_token_id).nonzero().squeeze(-1).tolist()
    with torch.no_grad():
        probabilities = model(**inputs.to(model.device)).logits[0, masks].softmax(-1).cpu()

    candidates = torch.arange(probabilities.shape[-1])
    if targets is not None:
        vocabulary = tokenizer.get_vocab()
        pieces = [tokenizer(target, add_special_tokens=False)["input_ids"] for target in targets]
        found = {vocabulary.get(target, *first[:1]) for target, first in zip(targets, pieces, strict=True)}
        candidates = torch.tensor(sorted(found - {None}))
    best = probabilities[:, candidates].topk(min(top_k or 5, len(candidates)))

    answers = []
    for mask, scores, places in zip(masks, best.values.tolist(), best.indices.tolist(), strict=True):
        answer = []
        for score, token in zip(scores, candidates[places].tolist(), strict=True):
            filled = ids.clone()
            filled[mask] = token
            sequence = tokenizer.decode(filled[filled != tokenizer.pad_token_id], skip_special_tokens=len(masks) == 1)
            name = tokenizer.decode([token])
            answer.append({"score": score, "token": token, "token_str": name, "sequence": sequence})
        answers.append(answer)
    return answers[0] if len(answers) == 1 else answers


def classify_zero_shot(
    model: Any,
    tokenizer: Any,
    text: str,
    candidate_labels: list[str],
    hypothesis_template: str | None = None,
    multi_label: bool = False,
) -> dict[str, Any]:
    """Score labels that the model was never trained on: does the text entail "This example is {label}."?"""
    import torch

    template = hypothesis_template or "This example is {}."
    rows = []
    for label in candidate_labels:
        inputs = tokenizer(text, template.format(label), truncation="only_first", return_tensors="pt")
        with torch.no_grad():
            rows.append(model(**inputs.to(model.device)).logits[0].float().cpu())
    logits = torch.stack(rows)

    label2id = model.config.label2id.items()
    entailment = next((index for label, index in label2id if label.lower().startswith("entail")), -1)
    if multi_label or len(candidate_labels) == 1:
        contradiction = -1 if entailment == 0 else 0
        scores = logits[:, [contradiction, entailment]].softmax(-1)[:, 1]
    else:
        scores = logits[:, entailment].softmax(-1)
    order = scores.argsort(descending=True).tolist()
    return {
        "sequence": text,
        "labels": [candidate_labels[index] for index in order],
        "scores": scores[order].tolist(),
    }
