"""The libraries that take seconds to import, imported by one thread while the others wait."""

from __future__ import annotations

from threading import Lock

# Imports are the process's own global state, so what guards them is global, too.
_IMPORTING = Lock()


def import_libraries() -> None:
    """Import torch and what is used of transformers; instant once it has been done.

    The first page that opens asks for the device, a tokenizer and a model in three threads at once. transformers
    replaces its own entry in sys.modules at the end of its import, and a thread that was waiting for that import gets
    the empty module from before ("cannot import name 'AutoConfig'"). So every thread begins here, one at a time.
    """
    with _IMPORTING:
        import torch  # noqa: F401
        from transformers import AutoConfig, AutoTokenizer, Trainer, TrainingArguments, pipeline  # noqa: F401
