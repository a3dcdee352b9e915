"""A text in; labels, vectors, candidates for a mask, or a label for every token out."""

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


def classify_tokens(
    model: Any,
    tokenizer: Any,
    text: str,
    aggregation_strategy: str | None = None,
    ignore_labels: list[str] | None = None,
    stride: int | None = None,
) -> list[dict[str, Any]]:
    """Label the tokens of a text and join them to entities, as far as the aggregation strategy asks for it."""
    import torch

    pieces = {} if stride is None else {"return_overflowing_tokens": True, "padding": True, "stride": stride}
    inputs = tokenizer(
        text,
        truncation=True,
        return_special_tokens_mask=True,
        return_offsets_mapping=tokenizer.is_fast,
        return_tensors="pt",
        **pieces,
    )
    inputs.pop("overflow_to_sample_mapping", None)
    special, offsets = inputs.pop("special_tokens_mask"), inputs.pop("offset_mapping", None)
    # WordPiece marks the tokens that go on with a word; for others a missing space before the token has to do.
    backend = tokenizer.backend_tokenizer.model if tokenizer.is_fast else None
    marked = getattr(backend, "continuing_subword_prefix", None)
    by_word = aggregation_strategy in ("first", "average", "max")
    entities: list[dict[str, Any]] = []

    for piece, ids in enumerate(inputs["input_ids"].tolist()):
        with torch.no_grad():
            logits = model(**{name: rows[piece : piece + 1].to(model.device) for name, rows in inputs.items()}).logits
        scores = logits[0].float().softmax(-1).cpu()

        # 1. The tokens in groups: those of one word, or each one alone.
        words: list[list[dict[str, Any]]] = []
        for index, token_id in enumerate(ids):
            if special[piece, index]:
                continue
            name, (start, end), goes_on = tokenizer.convert_ids_to_tokens(token_id), (None, None), False
            if offsets is not None:
                start, end = offsets[piece, index].tolist()
                goes_on = len(name) != end - start if marked else start > 0 and " " not in text[start - 1 : start + 1]
                if token_id == tokenizer.unk_token_id:
                    name, goes_on = text[start:end], False
            if not (by_word and goes_on and words):
                words.append([])
            words[-1].append({"index": index, "word": name, "start": start, "end": end})

        # 2. One label for each group; neighbours of one label come together, but B- begins a new entity.
        chains: list[list[dict[str, Any]]] = []
        last = None
        for tokens in words:
            rows = scores[[token["index"] for token in tokens]]
            surest = int(rows.max(-1).values.argmax()) if aggregation_strategy == "max" else 0
            chosen = rows.mean(0) if aggregation_strategy == "average" else rows[surest]
            label = model.config.id2label[int(chosen.argmax())]
            entity = {"entity": label, "score": float(chosen.max()), **tokens[0], "end": tokens[-1]["end"]}
            if by_word:
                entity["word"] = tokenizer.convert_tokens_to_string([token["word"] for token in tokens])
            tag = label[2:] if label.startswith(("B-", "I-")) else label
            if tag != last or label.startswith("B-") or aggregation_strategy in (None, "none"):
                chains.append([])
            chains[-1].append(entity)
            last = tag

        # 3. Each chain as one entity; without a strategy every chain is one token, and stays what it is.
        found = [chain[0] for chain in chains]
        if aggregation_strategy not in (None, "none"):
            found = [
                {
                    "entity_group": chain[0]["entity"].split("-", 1)[-1],
                    "score": sum(each["score"] for each in chain) / len(chain),
                    "word": tokenizer.convert_tokens_to_string([each["word"] for each in chain]),
                    "start": chain[0]["start"],
                    "end": chain[-1]["end"],
                }
                for chain in chains
            ]
        ignored = ["O"] if ignore_labels is None else ignore_labels
        entities += [each for each in found if each.get("entity", each.get("entity_group")) not in ignored]

    if len(inputs["input_ids"]) == 1:
        return entities
    # 4. Of what two pieces both found, the longer stays, then the surer.
    kept: list[dict[str, Any]] = []
    for entity in sorted(entities, key=lambda each: each["start"]):
        if not kept or entity["start"] >= kept[-1]["end"]:
            kept.append(entity)
        else:
            kept[-1] = max(kept[-1], entity, key=lambda each: (each["end"] - each["start"], each["score"]))
    return kept
