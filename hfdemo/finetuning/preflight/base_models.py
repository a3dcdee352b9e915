"""What can be known of a base model before its weights are loaded: that it is there, and can be trained this way."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError, Unreachable
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.preflight.disk_space import count_model_bytes
from hfdemo.finetuning.training.base_model import (
    check_base,
    check_width,
    config_changes,
    find_max_tokens,
    require_tokenizer,
)
from hfdemo.finetuning.training.peft import apply_method
from hfdemo.models.folders import adapter_base, check, local_folder
from hfdemo.models.hub import cached_folder, download
from hfdemo.models.loading import LoadedModel, Need, load_hollow
from hfdemo.models.reference import ModelRef
from hfdemo.models.weights import check_weights
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import width_rule

KEPT_SECONDS = 60.0  # that the Hub's answer is taken for true
RETRY_SECONDS = 5.0  # that its silence is
_KEPT_ANSWERS = 64

# What a file is known by: its name, its size and when it was changed.
_Files = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class _Answer:
    """What a question came to: a value, or the sentence of a refusal."""

    asked: float
    value: Any = None
    error: DemoError | None = None


class BaseModels:
    """Answers about base models, each found out once for the same files and the same question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answers: OrderedDict[tuple[Any, ...], _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def check_is_there(self, model: str) -> int:
        """Check that `model` can be had, and return the bytes of its weights; 0 where nobody can tell.

        Raises:
            ModelError: there is no such model, or its weights are missing or damaged.
            Unreachable: it is on the Hub, and the Hub can't be reached.
        """
        ref = ModelRef.parse(model)
        files = self._list_files(ref)
        value = self._ask(("is there", model, files), lambda: self._find(ref), expires=ref.origin.source == "hub")
        return int(value)

    def check_can_be_trained(self, config: RunConfig, kind: Kind) -> None:
        """Check that the model of `config` can learn answers of `kind` by its method, without loading its weights.

        Raises:
            DemoError: its architecture, its tokenizer or its layers don't fit what the config asks for.
        """
        ref = ModelRef.parse(config.model)
        length = (config.padding, config.max_length)
        checkpointing = _asks_for_checkpointing(config)
        method = (config.method, json.dumps(dict(config.lora), sort_keys=True, default=str), checkpointing)
        question = (
            "trains",
            config.model,
            self._list_files(ref),
            kind.name,
            len(config.labels or ()),
            *length,
            *method,
        )
        self._ask(question, lambda: self._try_out(ref, config, kind), expires=ref.origin.source == "hub")

    def _ask(self, question: tuple[Any, ...], find: Callable[[], Any], *, expires: bool) -> Any:
        with self._lock:
            known = self._answers.get(question)
        if known is not None and expires:
            lasts = RETRY_SECONDS if isinstance(known.error, Unreachable) else KEPT_SECONDS
            known = known if time.monotonic() - known.asked < lasts else None
        if known is None:
            try:
                known = _Answer(time.monotonic(), value=find())
            except DemoError as error:
                known = _Answer(time.monotonic(), error=error)
            with self._lock:
                self._answers[question] = known
                while len(self._answers) > _KEPT_ANSWERS:
                    self._answers.popitem(last=False)
        if known.error is not None:
            raise type(known.error)(*known.error.args)
        return known.value

    def _list_files(self, ref: ModelRef) -> _Files:
        """Return what the files of a model on this machine are known by; () for one that is not here."""
        if ref.origin.source == "hub":
            return ()
        try:
            folder = local_folder(ref.origin, self._settings, weights=False)
            found = _stat_files(folder)
            if (folder / "adapter_config.json").is_file():
                found += self._list_files(adapter_base(folder))
        except DemoError:
            return ()
        return found

    def _find(self, ref: ModelRef) -> int:
        check(ref, self._settings)
        folder = self._folder(ref)
        if folder is not None and ref.source != "untrained" and folder.is_dir():
            check_weights(folder, self._settings)
        return count_model_bytes(ref, self._settings)

    def _folder(self, ref: ModelRef) -> Path | None:
        """Return the folder of the model with its tokenizer, where it is on this machine."""
        if ref.origin.source == "hub":
            return cached_folder(ref.origin, weights=False)
        return local_folder(ref.origin, self._settings, weights=False)

    def _try_out(self, ref: ModelRef, config: RunConfig, kind: Kind) -> None:
        folder = self._folder(ref)
        is_here = folder is not None
        if folder is None:
            # Of a model that is still to be downloaded the config will do: kilobytes.
            folder = download(ref.origin, ["config.json", "adapter_config.json"], self._settings.public)
            if not (folder / "config.json").is_file():
                return  # an adapter: its base is found when it is loaded
        need = Need((kind.model_class,), ("tokenizer",) if is_here else ())
        loaded = load_hollow(ref, folder, need, self._settings, **config_changes(config, kind))
        if is_here:
            require_tokenizer(config, loaded)
            narrowest = width_rule(config.padding, 1, find_max_tokens(config, loaded))
            check_width(config, narrowest, loaded, 1)
        check_base(config, kind, loaded.model.config)
        if _asks_for_checkpointing(config) and not loaded.model.supports_gradient_checkpointing:
            raise DemoError(
                f"{config.model} is a {type(loaded.model).__name__}, which supports no gradient checkpointing. "
                "Leave it out of training."
            )
        if config.method != "frozen" or not self._has_own_head(loaded, folder, ref):
            apply_method(config, kind, loaded)

    def _has_own_head(self, loaded: LoadedModel, folder: Path, ref: ModelRef) -> bool:
        """Return whether the checkpoint may hold a head of its own where the config would share the embedding."""
        words = loaded.model.get_output_embeddings()
        if words is None or ref.source == "untrained" or not folder.is_dir():
            return False
        name = next((name for name, part in loaded.model.named_modules() if part is words), "")
        try:
            names = check_weights(folder, self._settings)
        except DemoError:
            return True
        return not names or f"{name}.weight" in names


def _asks_for_checkpointing(config: RunConfig) -> bool:
    return any(bool(config.training.get(name)) for name in ("gradient_checkpointing", "activation_checkpointing"))


def _stat_files(folder: Path) -> _Files:
    files = [folder] if folder.is_file() else sorted(path for path in folder.iterdir() if path.is_file())
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
