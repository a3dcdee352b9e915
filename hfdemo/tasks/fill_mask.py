"""The task of masked language models: which tokens fit where a word is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.text import fill_mask
from hfdemo.tasks.explanations import explain_next_token
from hfdemo.tasks.field import LARGEST, Field, parameter, whole_number
from hfdemo.tasks.task import Explanation, Task

_MASKS = ("[MASK]", "<mask>")
_TOP_TOKENS = whole_number("top_k", "tokens to return for each mask; left out: 5")


def _adapt_mask(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Replace whichever mask a person wrote by the model's own."""
    own, text = loaded.tokenizer.mask_token, inputs["text"]
    if own is None:
        raise DemoError(f"The tokenizer of {loaded.ref} has no mask token. Choose a model trained to fill in masks.")
    for mask in _MASKS:
        text = text.replace(mask, own)
    if own not in text:
        raise DemoError(f"There is no mask in the text. Write {own} where a word is to be found.")
    return {**inputs, "text": text}


def _explain_mask(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    places = (inputs["input_ids"][0] == loaded.tokenizer.mask_token_id).nonzero().squeeze(-1)
    if not len(places):
        return None
    which = "the mask" if len(places) == 1 else f"the first of {len(places)} masks"
    return explain_next_token(loaded.tokenizer, outputs["logits"][0, int(places[0])], f"At the place of {which}")


def _check_reach(
    loaded: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[Mapping[str, Any], str | None]:
    """Refuse a text that is cut before its first mask."""
    tokenizer = loaded.tokenizer
    ids = tokenizer(inputs["text"], truncation=True)["input_ids"]
    if tokenizer.mask_token_id not in ids:
        raise DemoError(
            f"The mask stands beyond the {len(ids):,} tokens that the model reads. Shorten the text before it."
        )
    return parameters, None


def _warn_of_targets(loaded: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the targets that are not one token: the first of theirs is scored for them."""
    tokenizer = loaded.tokenizer
    vocabulary = tokenizer.get_vocab()

    def tokens_of(target: str) -> list[str]:
        if target in vocabulary:
            return [target]
        found: list[str] = tokenizer.tokenize(target)
        return found

    for target in parameters["targets"] or ():
        tokens = tokens_of(target)
        if len(tokens) != 1:
            spaced = f" {target.strip()}"
            better = (
                "" if target.startswith(" ") or len(tokens_of(spaced)) != 1 else f" {spaced!r}, with a space, is one."
            )
            first = f"the first, {tokens[0]!r}, stands for it" if tokens else "it is left out"
            yield f"{target!r} is {len(tokens)} tokens here ({', '.join(tokens[:6])}), and {first}.{better}"
        elif tokens[0] == tokenizer.unk_token:
            yield f"The tokenizer does not know {target!r}: {tokens[0]} stands for it."


def _narrow_mask(loaded: Any) -> Mapping[str, Field | str]:
    return {"top_k": replace(_TOP_TOKENS, maximum=min(LARGEST, loaded.model.config.vocab_size))}


TASKS = (
    Task(
        name="fill-mask",
        title="Fill in the mask",
        group="Text",
        subtitle="Guesses the word that is hidden in a sentence",
        summary=(
            "Finds the tokens that fit best where a word is hidden, what models like BERT were first trained on. Write "
            '[MASK] or <mask>: it becomes the model\'s own. `pipeline("fill-mask", model=...)(text, top_k=5)`'
        ),
        inputs=(
            Field("text", "text", "Text with a mask", "one text that holds [MASK] or <mask>, whichever the model has"),
        ),
        parameters=(
            _TOP_TOKENS,
            parameter(
                "targets",
                "words",
                "choose among these words only, written as in the text: some models take ' word' and 'word' for two",
            ),
        ),
        output="candidates",
        auto_class_form=fill_mask,
        pipeline_kwargs={"tokenizer_kwargs": {"truncation": True}},
        explain=_explain_mask,
        truncates=True,
        warn=_warn_of_targets,
        narrow_parameters=_narrow_mask,
        adapt_inputs=_adapt_mask,
        fit_length=_check_reach,
        classes=("AutoModelForMaskedLM",),
        processors=("tokenizer",),
        default_model="distilbert/distilroberta-base",
        untrained_model="untrained:embedded:minilm",
        examples=(
            {"text": "This course will teach you all about <mask> models."},
            {"text": "The train to Paris leaves from <mask> five.", "top_k": 3},
        ),
    ),
)
