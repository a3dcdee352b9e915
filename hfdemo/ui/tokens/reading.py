"""Which model reads the tokens: the one that was chosen, else the one that the tokenizer belongs to."""

from __future__ import annotations

from hfdemo.errors import ModelError
from hfdemo.models.reference import ModelRef


def reader_of(tokenizer: str, model: str | None) -> ModelRef:
    """Whose ids they are, in the eyes of a model; a `tokenizer:` reference where no model was chosen for one."""
    return ModelRef.parse(model or tokenizer)


def model_of(tokenizer: str, model: str | None) -> ModelRef:
    """The same where a model has to be run.

    Raises:
        ModelError: there is none.
    """
    ref = reader_of(tokenizer, model)
    if ref.source == "tokenizer":
        raise ModelError(
            "This needs a model to run, and the tokenizer belongs to none. Choose one under “Model that reads the "
            "tokens”: embedded:minilm, for one."
        )
    return ref
