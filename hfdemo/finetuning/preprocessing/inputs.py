"""Rows of data/*.csv -> model inputs with labels, one function per kind of answer; train.py carries their source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def sentences(rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None) -> Any:
    """Texts, or pairs of them, as input ids, cut to `max_length` tokens (None: the tokenizer's own limit)."""
    return tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_length)


def single_label_inputs(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """`labels` of a row: the number of its label."""
    numbers = {label: number for number, label in enumerate(labels)}
    return {**sentences(rows, tokenizer, max_length), "labels": [numbers[cell] for cell in rows["label"]]}


def multi_label_inputs(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """`labels` of a row: 1.0 for each label that it has, 0.0 for the others."""
    given = [set(json.loads(cell)) for cell in rows["label"]]
    flags = [[float(label in names) for label in labels] for names in given]
    return {**sentences(rows, tokenizer, max_length), "labels": flags}


def regression_inputs(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """`labels` of a row: its number."""
    return {**sentences(rows, tokenizer, max_length), "labels": [float(cell) for cell in rows["label"]]}


def token_inputs(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """`labels` of a row: a tag's number at the first token of each word; -100, which counts for nothing, elsewhere."""
    words = [json.loads(cell) for cell in rows["text"]]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
    numbers = {label: number for number, label in enumerate(labels)}
    aligned = []
    for row, cell in enumerate(rows["label"]):
        tags, begun = json.loads(cell), words_begun(encoded.word_ids(row))
        aligned.append([-100 if word is None else numbers[tags[word]] for word in begun])
    return {**encoded, "labels": aligned}


def words_begun(word_ids: Sequence[int | None]) -> list[int | None]:
    """The number of the word that begins at each token; None where none does. `word_ids` are those of the tokens."""
    before = [None, *word_ids[:-1]]
    return [None if word == last else word for last, word in zip(before, word_ids, strict=True)]


def judged_words(rows: Sequence[Mapping[str, str]], tokenizer: Any, max_length: int | None) -> list[list[int]]:
    """Which words of each row `token_inputs` gives a label: all but those that are cut off or have no token."""
    words = [json.loads(row["text"]) for row in rows]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
    return [[word for word in words_begun(encoded.word_ids(row)) if word is not None] for row in range(len(rows))]


def language_inputs(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """`labels` of a row: its own ids. Of a plain text all are learned, and where it ends; of messages the answers."""
    found: dict[str, list[Any]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for cell in rows["text"]:
        text, learned = conversation(cell, tokenizer)
        chat = bool(learned)
        encoded = tokenizer(
            text,
            truncation=True,
            max_length=max_length,
            add_special_tokens=not chat,
            return_offsets_mapping=tokenizer.is_fast,
        )
        ids = list(encoded["input_ids"])
        targets = list(ids)
        if chat and tokenizer.is_fast:
            spans = encoded["offset_mapping"]
            kept = [any(start < end_at and begin < end for start, end in learned) for begin, end_at in spans]
            targets = [token if keep else -100 for token, keep in zip(ids, kept, strict=True)]
        end = tokenizer.eos_token_id
        room = max_length is None or len(ids) < max_length
        if not chat and end is not None and room and ids[-1:] != [end]:
            ids, targets = [*ids, end], [*targets, end]
        found["input_ids"].append(ids)
        found["attention_mask"].append([1] * len(ids))
        found["labels"].append(targets)
    return found


def conversation(cell: str, tokenizer: Any) -> tuple[str, list[tuple[int, int]]]:
    """The text of a cell and, of messages, where the answers stand in it (in characters); a plain text has none.

    What stands between the prompt for an answer and the end of that message is the answer. A template that writes the
    beginning of a conversation differently from its whole doesn't tell where that is: then everything is learned.
    """
    try:
        messages = json.loads(cell) if cell.lstrip().startswith("[") else None
    except ValueError:
        messages = None
    if not (isinstance(messages, list) and messages and all(isinstance(m, dict) and "role" in m for m in messages)):
        return cell, []
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    answers = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(messages[:number], tokenize=False, add_generation_prompt=True)
        until = tokenizer.apply_chat_template(messages[: number + 1], tokenize=False)
        if not (text.startswith(before) and text.startswith(until)):
            return text, [(0, len(text))]
        answers.append((len(before), len(until)))
    return text, answers or [(0, len(text))]
