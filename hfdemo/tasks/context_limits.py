"""How many tokens fit into a model that writes: into its context, or into the places of its decoder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.explanations import NO_LIMIT
from hfdemo.tasks.field import Field, whole_number

MAX_NEW_TOKENS = whole_number(
    "max_new_tokens",
    "the most tokens to write; left out: what the model's generation config says, else 256",
    maximum=4096,
)
DECODED_TOKENS = whole_number("max_new_tokens", "where the text ends at the latest; left out: 256")
MAX_LENGTH = whole_number("max_length", "the same, with the decoder's start token counted")


def narrow_generation(loaded: Any) -> Mapping[str, Field | str]:
    """Bound what is written by the context."""
    longest = loaded.tokenizer.model_max_length
    if longest > NO_LIMIT:
        return {"handle_long_generation": "its tokenizer states no longest text."}
    return {"max_new_tokens": replace(MAX_NEW_TOKENS, maximum=min(4096, longest - 1))}


def _has_numbered_places(model: Any) -> bool:
    """Return whether the model has a vector for each place, and so none for a place beyond the last."""
    from torch.nn import Embedding

    return any(
        isinstance(module, Embedding) and re.search(r"(^|\.)(wpe|\w*position\w*)$", name)
        for name, module in model.named_modules()
    )


def _count_prompt(tokenizer: Any, inputs: Mapping[str, Any]) -> int:
    if inputs["messages"] is None:
        return len(tokenizer(inputs["text"], verbose=False)["input_ids"])
    written = tokenizer.apply_chat_template(inputs["messages"], tokenize=False, add_generation_prompt=True)
    return len(tokenizer(written, verbose=False)["input_ids"])


def fit_context(
    loaded: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[Mapping[str, Any], str | None]:
    """Return parameters with which the prompt and the new tokens fit into the context, and what that changes."""
    context, settings = loaded.tokenizer.model_max_length, loaded.model.generation_config
    has_template = inputs["messages"] is None or getattr(loaded.tokenizer, "chat_template", None)
    if context > NO_LIMIT or parameters["handle_long_generation"] is not None or not has_template:
        return parameters, None
    prompt = _count_prompt(loaded.tokenizer, inputs)
    wanted = parameters["max_new_tokens"] or settings.max_new_tokens or 256
    if prompt + wanted <= context:
        return parameters, None
    if not _has_numbered_places(loaded.model):
        return parameters, (
            f"The prompt has {prompt:,} tokens and up to {wanted:,} more are written; the model was made to read "
            f"{context:,} in all. What lies beyond that it was never trained for."
        )
    if prompt >= context:
        raise DemoError(
            f"The prompt has {prompt:,} tokens, and this model reads {context:,} together with what it writes. "
            "Shorten it, or set handle_long_generation to hole and max_new_tokens: then its beginning is cut off."
        )
    room = context - prompt
    return {**parameters, "max_new_tokens": room}, (
        f"The prompt has {prompt:,} tokens and the model reads {context:,} in all, so it writes at most {room:,} more."
    )


def narrow_decoder(loaded: Any) -> Mapping[str, Field | str]:
    """Bound what the decoder writes by its places, the first of which is its start token's."""
    places = getattr(loaded.model.config, "max_position_embeddings", None)
    if not places or not _has_numbered_places(loaded.model):
        return {}
    return {
        "max_new_tokens": replace(DECODED_TOKENS, maximum=min(4096, places - 1)),
        "max_length": replace(MAX_LENGTH, maximum=min(4096, places)),
    }
