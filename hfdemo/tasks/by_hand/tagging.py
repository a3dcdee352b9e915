"""A label for every token of a text, and the entities that they make together."""

from __future__ import annotations

from typing import Any


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
