"""What the collate functions make of the same rows: torch's own, the library's default, with padding, and packed."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import first_sentence
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.model_facts import POSITIONS_AFTER_PADDING
from hfdemo.tokenization.encoding import Encoding

# A list of one tensor per slot is shown by its first ones.
SLOTS_SHOWN = 3


SEED = 0
MASKING = (
    "It makes the labels itself: of about 15% of the tokens the id stands in labels and the model has to find it; 80% "
    "of these become the mask token, 10% another one, 10% stay. All other labels are -100. Without a seed each call "
    "masks others."
)
CONTINUING = (
    "Labels are the input_ids, with -100 where the pad token stands: the model itself shifts them by one, so that each "
    "token is to foretell the next. Is the pad token the end of text, no end is learned."
)


@dataclass(frozen=True)
class IntTensor:
    """A tensor of whole numbers, [rows, slots]; what has no rows is shown as one."""

    shape: tuple[int, ...]
    dtype: str
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class CollatedBatch:
    """`call` is the Python that makes it; `error` is what it raises instead; `notes` say what to look out for."""

    name: str
    call: str
    tensors: Mapping[str, IntTensor]
    error: str = ""
    notes: tuple[str, ...] = ()


def run_collators(tokenizer: Any, encoding: Encoding, architecture: str | None = None) -> tuple[CollatedBatch, ...]:
    """Put the rows of `encoding`, their padding taken off, through each collate function.

    `architecture` is the config's first one; it decides whether packing is safe for this model. The caller must hold
    the tokenizer for itself.
    """
    import_libraries()
    from torch.utils.data import default_collate
    from transformers import DataCollatorWithFlattening, DataCollatorWithPadding, default_data_collator

    rows = build_features(tokenizer, encoding)
    ragged = len({len(row["input_ids"]) for row in rows}) > 1
    start = _first_position(tokenizer, architecture)
    packing = {"position_ids_start": start} if start else {}
    arguments = ", ".join(f"{name}={value}" for name, value in packing.items())
    return (
        _run_collator(
            "default_collate",
            "torch.utils.data.default_collate(features)",
            lambda: default_collate(rows),
            _transposed_notes(rows, ragged),
        ),
        _run_collator(
            "default_data_collator",
            "transformers.default_data_collator(features)",
            lambda: default_data_collator(rows),
            ("It never pads: rows of different lengths make no tensor.",)
            if ragged
            else ("It never pads: this works because all rows are equally long, and fails as soon as one is not.",),
        ),
        _run_collator(
            "DataCollatorWithPadding",
            "DataCollatorWithPadding(tokenizer)(features)",
            lambda: DataCollatorWithPadding(tokenizer)(rows),
            _padding_notes(tokenizer),
        ),
        _run_collator(
            "DataCollatorWithFlattening",
            f"DataCollatorWithFlattening({arguments})(features)",
            lambda: DataCollatorWithFlattening(**packing)(rows),
            _packing_notes(architecture, start),
        ),
        *_run_label_makers(tokenizer, rows),
    )


def _run_label_makers(tokenizer: Any, rows: Sequence[Mapping[str, Sequence[int]]]) -> Iterator[CollatedBatch]:
    """Run the collate functions that make labels, or pad those that are there."""
    from transformers import DataCollatorForLanguageModeling, DataCollatorForSeq2Seq

    options: dict[str, Any] = {"seed": SEED} if tokenizer.mask_token else {"mlm": False}
    arguments = ", ".join(f"{name}={value}" for name, value in options.items())
    yield _run_collator(
        "DataCollatorForLanguageModeling",
        f"DataCollatorForLanguageModeling(tokenizer, {arguments})(features)",
        lambda: DataCollatorForLanguageModeling(tokenizer, **options)([dict(row) for row in rows]),
        (MASKING if tokenizer.mask_token else CONTINUING,),
    )
    answered = [{**row, "labels": list(row["input_ids"])} for row in rows]
    yield _run_collator(
        "DataCollatorForSeq2Seq",
        "DataCollatorForSeq2Seq(tokenizer)([{**row, 'labels': answer_ids} for row in features])",
        lambda: DataCollatorForSeq2Seq(tokenizer)(answered),
        (
            "Labels are token ids of an answer, here the text itself: they are padded with -100, which the loss leaves "
            "out, while input_ids are padded with the pad token. Given a model, it makes decoder_input_ids, too.",
        ),
    )


def build_features(tokenizer: Any, encoding: Encoding) -> list[dict[str, list[int]]]:
    """Return what a Dataset hands to a collate function: one dict of plain lists a row, of its own length."""
    columns = encoding.columns
    names = [name for name in tokenizer.model_input_names if name in columns]
    return [
        {name: [value for value, real in zip(columns[name][row], mask, strict=True) if real] for name in names}
        for row, mask in enumerate(columns["attention_mask"])
    ]


def find_tensor_error(tokenizer: Any, encoding: Encoding) -> str:
    """Return what `return_tensors="pt"` says of these rows as they are, "" where it makes tensors of them."""
    import_libraries()
    from transformers import BatchEncoding

    try:
        BatchEncoding(
            {name: encoding.columns[name] for name in build_features(tokenizer, encoding)[0]}, tensor_type="pt"
        )
    except ValueError as error:
        return first_sentence(error)
    return ""


def isolates_packed_texts(architecture: str) -> bool | None:
    """Say whether the texts of one packed row stay apart by `position_ids` alone, under sdpa and eager attention.

    The library does this where a model hands its position ids to its causal mask: Llama and GPT-2 do, while OPT and
    gpt-oss use them as positions only, and an encoder's mask never asks for them. Layers that carry a state from token
    to token (Mamba, linear attention) mix whatever the mask says. It also takes a call without an attention mask and
    without a cache of keys and values. None for an architecture that the library does not have.
    """
    model_class = _find_model_class(architecture)
    if model_class is None:
        return None
    if model_class._is_stateful:
        return False
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[model_class.__module__]))):
        names: set[Any] = set()
        if isinstance(node, ast.Call):
            names = {keyword.arg for keyword in node.keywords}
        elif isinstance(node, ast.Dict):
            names = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        # Nothing but the makers of masks takes these three.
        if names >= {"config", "attention_mask", "position_ids"}:
            return True
    return False


def _find_model_class(architecture: str | None) -> Any:
    import_libraries()
    import transformers

    found = getattr(transformers, architecture or "", None)
    return found if inspect.isclass(found) and issubclass(found, transformers.PreTrainedModel) else None


def _run_collator(name: str, call: str, make: Callable[[], Mapping[str, Any]], notes: Sequence[str]) -> CollatedBatch:
    try:
        batch = make()
    except Exception as error:  # what it throws at these rows is what is to be shown
        return CollatedBatch(name, call, {}, first_sentence(error), tuple(notes))
    tensors: dict[str, IntTensor] = {}
    for key, value in batch.items():
        if isinstance(value, list):
            tensors |= {f"{key}[{slot}]": _copy_tensor(each) for slot, each in enumerate(value[:SLOTS_SHOWN])}
        else:
            tensors[key] = _copy_tensor(value)
    return CollatedBatch(name, call, tensors, "", tuple(notes))


def _copy_tensor(value: Any) -> IntTensor:
    rows = value.tolist() if value.ndim > 1 else [value.reshape(-1).tolist()]
    return IntTensor(tuple(value.shape), str(value.dtype).removeprefix("torch."), tuple(map(tuple, rows)))


def _first_position(tokenizer: Any, architecture: str | None) -> int:
    """Return what a model's own position ids begin with: RoBERTa and its kin count from the padding id on."""
    config = getattr(_find_model_class(architecture), "config_class", None)
    counts_on = getattr(config, "model_type", None) in POSITIONS_AFTER_PADDING
    return tokenizer.pad_token_id + 1 if counts_on and tokenizer.pad_token_id is not None else 0


def _transposed_notes(rows: Sequence[Mapping[str, Sequence[int]]], ragged: bool) -> tuple[str, ...]:
    if ragged:
        return ("A DataLoader does this when it is given no collate_fn. It neither pads nor stacks lists.",)
    slots = len(rows[0]["input_ids"])
    return (
        f"It raises nothing, and yet this is no batch: lists are transposed, so input_ids is a list of {slots} "
        f"tensors, one per position, each with one number for each of the {len(rows)} rows. No model takes that.",
    )


def _padding_notes(tokenizer: Any) -> tuple[str, ...]:
    if tokenizer.pad_token is None:
        return (
            "This tokenizer has no pad token. Give it one first: tokenizer.pad_token = tokenizer.eos_token will do "
            "where nothing is learned from it, and the attention mask hides it; for training on whole texts add one of "
            'its own, tokenizer.add_special_tokens({"pad_token": "<pad>"}).',
        )
    return (f"Padded on the {tokenizer.padding_side} to the longest row of this batch; the mask is 0 on padding.",)


def _packing_notes(architecture: str | None, start: int) -> tuple[str, ...]:
    made_up = (
        "It returns no attention_mask and no token_type_ids, and makes labels of the input_ids for a model that "
        "predicts the next token; -100 keeps the first token of each text out of the loss."
    )
    apart = None if architecture is None else isolates_packed_texts(architecture)
    said = [made_up, _describe_isolation(architecture, apart)]
    if start:
        said.append(
            f"{architecture} counts its positions from {start} on, so position_ids_start={start}: from 0 on, every "
            "position would be wrong without an error."
        )
    return tuple(said)


def _describe_isolation(architecture: str | None, apart: bool | None) -> str:
    if apart is None:
        return (
            "Whether the texts stay apart depends on the model. Measured with sdpa attention: Llama and GPT-2 keep "
            "them apart when they get no attention_mask and use_cache=False; BERT, DistilBERT and ModernBERT mix them."
        )
    if apart:
        return (
            f"{architecture} starts a new text wherever position_ids restart, but only without an attention_mask and "
            "without a cache of keys and values. The Trainer turns the cache off; in a forward pass of your own, pass "
            "use_cache=False, or every text also reads the ones before it."
        )
    return (
        f"Don't pack for {architecture}: with sdpa or eager attention a token also reads other texts in its row, "
        "because position_ids restart without ending a text for this model. Pad instead."
    )
