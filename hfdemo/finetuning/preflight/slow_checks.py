"""Checks that take long: a base model is there and can be trained this way, and further metrics compute something."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfdemo.errors import DemoError, Unreachable
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import find_metric_files, try_metrics
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.training.model import (
    apply_method,
    check_base,
    check_width,
    config_changes,
    find_max_tokens,
    require_tokenizer,
)
from hfdemo.models.folders import adapter_bases, cached_copy, check_available, local_folder
from hfdemo.models.foreign_files import clean_copy
from hfdemo.models.hub import cached_folder, count_download_bytes, download_files
from hfdemo.models.loading import LoadedModel, Need, load_on_meta_device
from hfdemo.models.reference import ModelRef
from hfdemo.models.weight_files import check_weights
from hfdemo.models.weights import BuildingBusy
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import make_width_function

KEPT_SECONDS = 60.0  # that the Hub's answer is taken for true
RETRY_SECONDS = 5.0  # that its silence is
_KEPT_ANSWERS = 64
# Values of init_lora_weights for which peft computes with the weights, which the meta device has none of.
_READS_WEIGHTS = re.compile(r"pissa(_niter_\d+)?|loftq|(?i:olora|mica)")

# What a file is known by: its name, its size and when it was changed.
_Files = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class _Answer:
    """What a question came to: a value, or the sentence of a refusal."""

    asked: float
    value: Any = None
    error: DemoError | None = None


class SlowChecks:
    """Answers about base models and further metrics, each found out once for the same files and the same question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._answers: OrderedDict[tuple[Any, ...], _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def of_owner(self, owner: str) -> SlowChecks:
        """Return these checks for what `owner` may see."""
        if owner == self._settings.owner:
            return self
        view = copy.copy(self)
        view._settings = self._settings.of_owner(owner)
        return view

    def check_is_there(self, model: str) -> int:
        """Check that `model` can be had, and return the bytes of its weights; 0 where nobody can tell.

        Raises:
            ModelError: there is no such model, or its weights are missing or damaged.
            Unreachable: it is on the Hub, and the Hub can't be reached.
        """
        ref = ModelRef.parse(model)
        files, lasts = self._list_files(ref)
        value = self._ask(("is there", model, files), lambda: self._find(ref), expires=not lasts)
        return int(value)

    def check_can_be_trained(self, config: RunConfig, kind: Kind) -> None:
        """Check that the model of `config` can learn answers of `kind` by its method, without loading its weights.

        While another model is loaded nobody waits for the answer: what is wrong is then found by the run itself.

        Raises:
            DemoError: its architecture, its tokenizer or its layers don't fit what the config asks for.
        """
        ref = config.model_ref
        length = (config.padding, config.max_length)
        checkpointing = _asks_for_checkpointing(config)
        method = (config.method, json.dumps(dict(config.lora), sort_keys=True, default=str), checkpointing)
        files, lasts = self._list_files(ref)
        question = (
            "trains",
            config.model,
            files,
            kind.name,
            len(config.labels or ()),
            *length,
            *method,
        )
        with contextlib.suppress(BuildingBusy):
            self._ask(question, lambda: self._try_out(ref, config, kind), expires=not lasts)

    def try_metrics(self, config: RunConfig, kind: Kind) -> tuple[str, ...] | None:
        """Return what the further metrics of `config` compute; None where that was not known in time.

        Raises:
            DemoError: one of them can't be loaded, or can't score answers of `kind`.
        """
        files = find_metric_files(config.metrics)
        question = ("computes", kind.name, config.labels, config.metrics, tuple(map(_stat_file, files)))
        found: tuple[str, ...] | None = self._ask(
            question,
            lambda: try_metrics(kind, config.labels or (), config.metrics, self._settings),
            expires=len(files) < len(config.metrics),  # what a module on the Hub computes may change
        )
        return found

    def _ask(self, question: tuple[Any, ...], find: Callable[[], Any], *, expires: bool) -> Any:
        with self._lock:
            known = self._answers.get(question)
        if known is not None and (expires or known.error is not None):
            is_silence = isinstance(known.error, Unreachable) or known.value == 0
            lasts = RETRY_SECONDS if is_silence else KEPT_SECONDS
            known = known if time.monotonic() - known.asked < lasts else None
        if known is None:
            try:
                known = _Answer(time.monotonic(), value=find())
            except BuildingBusy:
                raise  # which is no answer
            except DemoError as error:
                known = _Answer(time.monotonic(), error=error)
            with self._lock:
                self._answers[question] = known
                while len(self._answers) > _KEPT_ANSWERS:
                    self._answers.popitem(last=False)
        if known.error is not None:
            raise type(known.error)(*known.error.args)
        return known.value

    def _list_files(self, ref: ModelRef) -> tuple[_Files, bool]:
        """Return what the files of a model and its bases are known by, and whether all of them are on this machine.

        What is not here can change while the files that are here stay the same.
        """
        if ref.origin.source == "hub":
            return (), False
        try:
            folder = local_folder(ref.origin, self._settings, weights=False)
            found = _stat_files(folder)
            for base in adapter_bases(folder, self._settings):
                if base.origin.source == "hub":
                    return found, False
                found += _stat_files(local_folder(base.origin, self._settings, weights=False))
        except (DemoError, OSError):  # a file may go while they are listed
            return (), False
        return found, True

    def _find(self, ref: ModelRef) -> int:
        check_available(ref, self._settings)
        # Of a model on the Hub the tokenizer may be here and the weights still to come.
        folder = cached_copy(ref.origin, self._settings) if ref.origin.source == "hub" else self._folder(ref)
        if folder is not None and ref.source != "untrained" and folder.is_dir():
            check_weights(folder, self._settings)
            for base in adapter_bases(folder, self._settings):
                self._check_base(base)
        return count_model_bytes(ref, self._settings)

    def _check_base(self, base: ModelRef) -> None:
        check_available(base, self._settings)
        if base.origin.source == "hub" and cached_folder(base.origin) is None:
            # The Hub tells everybody of a gated model, and gives its files to few: the smallest one shows it.
            download_files(base.origin, ["config.json"], self._settings.public)

    def _folder(self, ref: ModelRef) -> Path | None:
        """Return the folder of the model with its tokenizer, where it is on this machine."""
        if ref.origin.source == "hub":
            return cached_copy(ref.origin, self._settings, weights=False)
        return local_folder(ref.origin, self._settings, weights=False)

    def _try_out(self, ref: ModelRef, config: RunConfig, kind: Kind) -> None:
        folder = self._folder(ref)
        is_here = folder is not None
        if folder is None:
            # Of a model that is still to be downloaded the config will do: kilobytes.
            downloaded = download_files(ref.origin, ["config.json", "adapter_config.json"], self._settings.public)
            folder = clean_copy(downloaded, self._settings)
            if not (folder / "config.json").is_file():
                return  # an adapter: its base is found when it is loaded
        need = Need((kind.model_class,), ("tokenizer",) if is_here else ())
        loaded = load_on_meta_device(ref, folder, need, self._settings, **config_changes(config, kind))
        if is_here:
            require_tokenizer(config, loaded)
            narrowest = make_width_function(config.padding, 1, find_max_tokens(config, loaded))
            check_width(config, narrowest, loaded, 1)
        check_base(config, kind, loaded.model.config)
        if _asks_for_checkpointing(config) and not loaded.model.supports_gradient_checkpointing:
            raise DemoError(
                f"{config.model} is a {type(loaded.model).__name__}, which supports no gradient checkpointing. "
                "Leave it out of training."
            )
        if config.method != "frozen" or not self._has_own_head(loaded, folder, ref):
            apply_method(_without_weights_read(config), kind, loaded)

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


def _without_weights_read(config: RunConfig) -> RunConfig:
    """Return `config` with a LoRA adapter that begins at random, where it would begin with what the weights hold."""
    begun = str(config.lora.get("init_lora_weights"))
    if not _READS_WEIGHTS.fullmatch(begun):
        return config
    given = config.lora.get("loftq_config") or {}
    if begun == "loftq" and not (find_spec("bitsandbytes") and {"loftq_bits", "loftq_iter"} <= set(given)):
        return config  # peft refuses that before it reads a weight
    return dataclasses.replace(config, lora={**config.lora, "init_lora_weights": False})


def _stat_files(folder: Path) -> _Files:
    files = [folder] if folder.is_file() else sorted(path for path in folder.iterdir() if path.is_file())
    return tuple(map(_stat_file, files))


def _stat_file(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return path.name, found.st_size, found.st_mtime_ns


def count_model_bytes(ref: ModelRef, settings: Settings) -> int:
    """Count the bytes of a model's weights; 0 where they can't be told before it is loaded."""
    try:
        if ref.origin.source == "hub":
            cached = cached_folder(ref.origin)
            return _count_weight_bytes(cached) if cached else count_download_bytes(ref.origin, settings.public) or 0
        folder = local_folder(ref.origin, settings, weights=False)
        bases = [count_model_bytes(base.origin, settings) for base in adapter_bases(folder, settings)]
        return _count_weight_bytes(folder) + sum(bases)
    except DemoError:  # nobody knows before it is loaded, and loading says what is wrong better
        return 0


def _count_weight_bytes(folder: Path) -> int:
    weights = list(folder.glob("*.safetensors")) or list(folder.glob("*.bin"))
    return sum(path.stat().st_size for path in weights)
