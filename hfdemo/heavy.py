"""The libraries that take seconds to import, imported in one order."""

from __future__ import annotations


def import_libraries() -> None:
    """Import torch and what is used of transformers; instant once it has been done.

    The first page that opens asks for the device, a tokenizer and a model in three threads at once. Each of them
    begins here: threads that import a lazy package in different orders can meet half-initialised modules, threads
    that import it in the same order wait for each other.
    """
    import torch  # noqa: F401
    from transformers import AutoConfig, AutoTokenizer, Trainer, TrainingArguments, pipeline  # noqa: F401
