"""The next token of texts and chats: [rows, 2], a row's sum of negative log likelihoods and the tokens it counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.data_sources.column_roles import find_longest_column, guess_text_column
from hfdemo.finetuning.kinds.cells import are_nearly_all, write_list
from hfdemo.finetuning.kinds.chats import (
    choose_chat_template,
    find_answer,
    find_learned_tokens,
    find_whole_chats,
    parse_messages,
    read_messages,
    render_chat,
    write_messages,
)
from hfdemo.finetuning.kinds.descriptions import array_shapes, row_texts
from hfdemo.finetuning.kinds.kind import (
    CERTAIN,
    POSSIBLE,
    ColumnGuess,
    Evaluator,
    Kind,
    PageWords,
    ReadCell,
    RowFormat,
    Samples,
)

LISTED = 10


def _find_columns(table: pd.DataFrame, samples: Samples, alone: bool) -> ColumnGuess | None:
    """Guess the column of chats; without one, that of the texts where there is no other column or no other kind."""
    chat = next((column for column, some in samples.items() if are_nearly_all(some, parse_messages)), None)
    if chat:
        return ColumnGuess(CERTAIN, chat)
    columns = list(table.columns)
    if columns and (len(columns) == 1 or alone):
        return ColumnGuess(POSSIBLE, guess_text_column(columns) or find_longest_column(table, columns))
    return None


def _matches(labels: Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Return whether there are texts alone."""
    return labels is None


def _readers(columns: Mapping[str, Sequence[str]]) -> dict[str, ReadCell]:
    if are_nearly_all(columns["text"], parse_messages):
        return {"text": lambda cell: write_list(parse_messages(cell))}
    return {"text": str}


def encode_next_tokens(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """Tokenize the texts; `labels` of a row are its own ids.

    Of a plain text all are learned, and where it ends; of messages the answers.
    """
    found: dict[str, list[Any]] = {"input_ids": [], "attention_mask": [], "labels": []}
    for cell in rows["text"]:
        text, learned = render_chat(cell, tokenizer)
        chat = learned is not None
        encoded = tokenizer(
            text,
            truncation=True,
            max_length=max_length,
            add_special_tokens=not chat,
            return_offsets_mapping=tokenizer.is_fast,
        )
        ids = list(encoded["input_ids"])
        targets = list(ids)
        if learned is not None:
            kept = find_learned_tokens(text, learned, ids, encoded.get("offset_mapping"), tokenizer)
            targets = [token if keep else -100 for token, keep in zip(ids, kept, strict=True)]
        end = tokenizer.eos_token_id
        room = max_length is None or len(ids) < max_length
        if not chat and end is not None and room and ids[-1:] != [end]:
            ids, targets = [*ids, end], [*targets, end]
        found["input_ids"].append(ids)
        found["attention_mask"].append([1] * len(ids))
        found["labels"].append(targets)
    return found


def next_token_cross_entropy(outputs: Any, labels: Any, items: Any, weight: Any = None, smoothing: float = 0.0) -> Any:
    """Return the cross entropy of logits [rows, slots, vocabulary] with the next tokens; -100 counts for nothing."""
    import torch

    losses = torch.nn.functional.cross_entropy(
        outputs.logits[:, :-1].float().flatten(0, 1),
        labels[:, 1:].flatten(),
        ignore_index=-100,
        reduction="sum",
        label_smoothing=smoothing,
    )
    return losses / torch.as_tensor(items).clamp(min=1)


def count_next_tokens(labels: Any) -> Any:
    """Count what is predicted: each token that is learned but the first of a row, which nothing comes before."""
    return (labels[:, 1:] != -100).sum()


def keep_likelihoods(outputs: Any, labels: Any) -> Any:
    """Keep [rows, 2]: the negative log likelihood of a row's learned tokens and how many there are.

    Logits of a whole vocabulary for every token would fill the memory.
    """
    import torch

    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    wanted = labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), wanted.flatten(), ignore_index=-100, reduction="none"
    )
    return torch.stack([losses.view(wanted.shape).sum(1), (wanted != -100).sum(1).float()], dim=1)


def score_next_tokens(
    logits: object, references: object, labels: list[str], positive: str | None = None
) -> dict[str, float]:
    """Compute loss and perplexity of [rows, 2]: each row's sum of negative log likelihoods, and its number of tokens.

    loss is the mean over all counted tokens, in nats: longer rows weigh more, as they do in training.
    """
    import numpy as np

    sums = np.asarray(logits, dtype=np.float64).reshape(-1, 2).sum(0)
    loss = float(sums[0] / sums[1]) if sums[1] else float("nan")
    return {"loss": loss, "perplexity": float(np.exp(np.minimum(loss, 700.0)))}  # e^700 is about the largest number


def to_sums(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Return the sums [rows, 2] in double precision; there are no references beside them."""
    import numpy as np

    return np.asarray(logits, np.float64).reshape(-1, 2), None


def _compute_baseline(train: Any, evaluated: Any, labels: Sequence[str], positive: str | None = None) -> dict[str, Any]:
    """Name the model before training, whose scores a report knows: there is no answer without the text."""
    return {"answer": "the model before training", "metrics": {}}


def _describe(
    logits: np.ndarray, references: Any, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Describe predictions: perplexity, bits_per_token, tokens, the worst and the longest rows, shapes, example.

    The worst rows are those of the highest loss per token.
    """
    found, losses = score_next_tokens(logits, None, list(labels)), _row_losses(logits)
    tokens = np.asarray(logits).reshape(-1, 2)[:, 1]
    first = next((index for index, count in enumerate(tokens) if count), None)

    def list_rows(order: np.ndarray) -> list[dict[str, Any]]:
        counted = [index for index in order if tokens[index]][:LISTED]
        return [{"row": int(i) + 1, "loss": float(losses[i]), "tokens": int(tokens[i])} for i in counted]

    return {
        "perplexity": found["perplexity"],
        "bits_per_token": found["loss"] / math.log(2),
        "tokens": int(tokens.sum()),
        "worst": list_rows(_order_by_loss(losses)),
        "longest": list_rows(np.argsort(-tokens, kind="stable")),
        "shapes": array_shapes(logits, references),
        "example": None
        if first is None
        else {
            "row": first + 1,
            "logits": np.asarray(logits)[first].tolist(),
            "loss": float(losses[first]),
            "perplexity": float(np.exp(np.minimum(losses[first], 700.0))),
        },
    }


def _row_losses(logits: np.ndarray) -> np.ndarray:
    """Return the mean negative log likelihood of each row's tokens; NaN for a row in which none counts."""
    sums = np.asarray(logits, np.float64).reshape(-1, 2)
    return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)


def _order_by_loss(losses: np.ndarray) -> np.ndarray:
    return np.argsort(-losses, kind="stable")  # NaN comes last


def _find_errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: Any, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return every row in which a token counts, the highest loss per token first."""
    losses = _row_losses(logits)
    return [
        {
            "row": int(index) + 1,
            "loss": round(float(losses[index]), 6),
            "tokens": int(np.asarray(logits).reshape(-1, 2)[index, 1]),
            **row_texts(rows[index]),
        }
        for index in _order_by_loss(losses)
        if not math.isnan(losses[index])
    ]


NEXT_TOKEN = Kind(
    name="language",
    task="text-generation",
    problem_type=None,
    model_problem_type=None,
    model_class="AutoModelForCausalLM",
    peft_task="CAUSAL_LM",
    rows=RowFormat(find_columns=_find_columns, matches=_matches, readers=_readers, has_labels=False, needed="a text"),
    encode=encode_next_tokens,
    loss=next_token_cross_entropy,
    count=count_next_tokens,
    reduce=keep_likelihoods,
    sequence_labels=True,
    is_causal=True,
    smooths_labels=True,
    find_notes=find_whole_chats,
    carried=(read_messages, write_messages, find_answer, render_chat, find_learned_tokens),
    choose_chat_template=choose_chat_template,
    learning_rate=MappingProxyType({"full": 5e-5, "lora": 5e-4, "frozen": 1e-3}),
    evaluator=Evaluator(
        selection="loss",
        scores=score_next_tokens,
        names=("loss", "perplexity"),
        lower_is_better=("perplexity",),
        unit_metrics=(),
        charted=("perplexity",),
        features={"predictions": ["float64"]},
        inputs_help="predictions: each row's sum of negative log likelihoods, and its number of tokens",
        to_inputs=to_sums,
        baseline=_compute_baseline,
        describe=_describe,
        find_errors=_find_errors,
        error_numbers=("loss", "tokens"),
        why_no_modules="a language model is judged by its loss, and no text is generated in training",
        meaning="loss is the mean over all learned tokens, in nats; perplexity is e to the power of it.",
    ),
    page=PageWords(
        choice="the next token (text or chat)",
        counted="Rows per label (number = label id)",
        arrays="per text the sum of its negative log likelihoods and how many tokens that counts: the logits "
        "themselves, one per token of the vocabulary, would not fit into the memory",
        example="likelihood",
        sections=("perplexity",),
        ask=lambda row: None,  # what it learned to write is in the text itself
    ),
    usage='print(pipe("Once upon a time", max_new_tokens=50))',
    chat_usage='print(pipe([{"role": "user", "content": "Hello!"}], max_new_tokens=50)[0]["generated_text"][-1])',
)
