"""What the config of a model says about the tokens that it can read, and about what reading them costs."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hfdemo.errors import ModelError
from hfdemo.models.configs import load_config, model_size, readable_length, text_config
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import local_folder
from hfdemo.settings import Settings


@dataclass(frozen=True)
class ModelFacts:
    """Rows of its embedding matrix, positions, (layers, hidden width); None where the config does not say.

    `architecture` is the class that it was saved as.
    """

    name: str
    vocab_size: int | None
    positions: int | None
    size: tuple[int, int] | None = None
    architecture: str | None = None


def longest_row(facts: ModelFacts | None, tokenizer: Any) -> int | None:
    """The most tokens that both the model, where there is one, and the tokenizer allow in a row; None without a limit.

    Training cuts to it, and so does everything that shows what training will do.
    """
    positions = facts.positions if facts else None
    return readable_length(SimpleNamespace(max_position_embeddings=positions, model_type=""), tokenizer)


def model_facts(ref: ModelRef, settings: Settings) -> ModelFacts | None:
    """What the config of `ref` says about the ids and lengths that its model can read.

    None for a tokenizer without a model, and for a config that can't be read: its tokenizer works all the same.

    Raises:
        ModelError: the reference can't be found.
    """
    if ref.origin.source == "tokenizer":
        return None
    folder = local_folder(ref, settings, weights=False)
    try:
        config = load_config(folder, settings)
    except ModelError:
        return None
    text = text_config(config)
    # The model's own limit: that of a tokenizer is asked where there is one.
    positions = readable_length(config, SimpleNamespace(model_max_length=None))
    architecture = next(iter(config.architectures or []), None)
    return ModelFacts(str(ref), getattr(text, "vocab_size", None), positions, model_size(config), architecture)
