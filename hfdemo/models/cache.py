"""The bounded cache of loaded models: a budget in bytes, the least recently used out first."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import gc
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from hfdemo.errors import ModelError
from hfdemo.models.folders import (
    FileIdentity,
    can_change,
    check_visible,
    folder_with_tokenizer,
    identify_files,
    name_changes,
)
from hfdemo.models.hub import Progress, stop_with_progress
from hfdemo.models.loading import LoadedModel, Need, check_unchanged, load_model
from hfdemo.models.processors import load_tokenizer_from
from hfdemo.models.reference import ModelRef
from hfdemo.models.weights import NotEnoughMemory
from hfdemo.scheduler import Scheduler, hold_lock
from hfdemo.settings import Settings


@dataclass
class _Tokenizer:
    """A tokenizer and its lock: every call changes shared padding state, so calls must not meet."""

    tokenizer: Any
    folder: Path
    files: FileIdentity
    lock: Lock = field(default_factory=Lock)


def _release_memory() -> None:
    """Give memory back to the system and to whoever else uses the accelerator, a training process for one."""
    import torch

    gc.collect()
    if sys.platform == "linux":
        # glibc keeps what was freed for itself until it is asked; other C libraries have no such function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    if torch.accelerator.is_available():
        torch.accelerator.memory.empty_cache()


class ModelCache:
    """Loads each (reference, need) once and keeps it while the budget lasts; safe to share between threads."""

    TOKENIZERS = 16

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._models: OrderedDict[tuple[str, Need], LoadedModel] = OrderedDict()
        self._tokenizers: OrderedDict[str, _Tokenizer] = OrderedDict()
        self._lock = Lock()
        self._loading: dict[tuple[str, Need], Lock] = {}
        #: the files of what was forgotten because they changed, until it is loaded again
        self._changes: dict[tuple[str, Need], str] = {}
        # One forward pass at a time: two on the same cores are slower together than one after the other.
        self.scheduler = Scheduler()

    def of_owner(self, owner: str) -> ModelCache:
        """Return this cache as `owner` may use it: the same models, but for those of other owners' runs."""
        if owner == self.settings.owner:
            return self
        view = copy.copy(self)
        view.settings = self.settings.of_owner(owner)
        return view

    def get(
        self, ref: ModelRef, need: Need | str, progress: Progress | None = None, stop: Event | None = None
    ) -> LoadedModel:
        """Return the model behind `ref`, loaded if it is not here yet, or if its files are not what they were.

        Raises:
            ModelError: see `models.loading.load`.
            Stopped: `stop` was set while it was downloaded or loaded, or while others had their turn.
        """
        check_visible(ref, self.settings)
        self._forget_changed(ref)
        need = Need.of(need)
        key = (str(ref), need)
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
            loading = self._loading.setdefault(key, Lock())
        # Only those who want this very model wait for its download; everybody else goes on.
        with hold_lock(loading, stop):
            with self._lock:
                if key in self._models:
                    return self._models[key]
            try:
                loaded = self._load(ref, need, stop_with_progress(progress, stop), stop)
                with self._lock:
                    if names := self._changes.pop(key, None):
                        said = f"Its files have changed since it was loaded before ({names}), so it was loaded anew."
                        loaded = dataclasses.replace(loaded, warnings=(*loaded.warnings, said))
                    self._models[key] = loaded
                    before = len(self._models)
                    while len(self._models) > 1 and self.bytes > self.settings.model_bytes:
                        self._models.popitem(last=False)
                    evicted = len(self._models) < before
            finally:  # after the model is in its place: whoever comes in between must find one of the two
                with self._lock:
                    self._loading.pop(key, None)
            if evicted:
                _release_memory()
            return loaded

    def _load(self, ref: ModelRef, need: Need, progress: Progress, stop: Event | None) -> LoadedModel:
        try:
            return load_model(ref, need, self.settings, progress=progress, turn=self.scheduler.exclusive(stop))
        except NotEnoughMemory as error:
            with self._lock:
                # Only where it helps: an id with ten times the machine's memory must not cost everybody's models.
                if not self._models or error.needed > error.free + self.bytes:
                    raise
                self._models.clear()
        _release_memory()
        return load_model(ref, need, self.settings, progress=progress, turn=self.scheduler.exclusive(stop))

    def _forget_changed(self, ref: ModelRef) -> None:
        """Forget what was read for `ref` from files that are not the same any more."""
        with self._lock:
            models = {key: each for key, each in self._models.items() if key[0] == str(ref) and each.files}
            held = self._tokenizers.get(str(ref))
        folders = {each.folder for each in models.values()} | ({held.folder} if held and held.files else set())
        now = {folder: identify_files(folder, self.settings) for folder in folders}
        old = {key: each for key, each in models.items() if each.files != now[each.folder]}
        with self._lock:
            for key, each in old.items():
                if self._models.get(key) is each:
                    del self._models[key]
                    self._changes[key] = name_changes(each.files, now[each.folder])
            if held and held.files != now.get(held.folder, {}) and self._tokenizers.get(str(ref)) is held:
                del self._tokenizers[str(ref)]
        if old:
            _release_memory()

    def load_card(
        self, ref: ModelRef, need: Need | str, progress: Progress | None = None, stop: Event | None = None
    ) -> dict[str, Any]:
        """Return the card of the model behind `ref`, loaded if it is not here yet.

        Raises:
            ModelError: see `get`.
            Stopped: `stop` was set while it was loaded.
        """
        return self.get(ref, need, progress, stop).card()

    def has_chat_template(self, ref: ModelRef) -> bool:
        """Return whether the tokenizer of `ref` has a chat template.

        Raises:
            ModelError: there is no such tokenizer.
        """
        with self.hold_tokenizer(ref) as tokenizer:
            return bool(tokenizer.chat_template)

    def count_vocabulary(self, ref: ModelRef) -> int:
        """Return how many tokens the tokenizer of `ref` knows.

        Raises:
            ModelError: there is no such tokenizer.
        """
        with self.hold_tokenizer(ref) as tokenizer:
            return len(tokenizer)

    @property
    def bytes(self) -> int:
        """What the loaded models take together."""
        return sum(loaded.bytes for loaded in self._models.values())

    def find_loaded(self, ref: ModelRef) -> LoadedModel | None:
        """Return the form of `ref` that was used last, None when it is not loaded."""
        if not self._is_visible(ref):
            return None
        with self._lock:
            return next((model for key, model in reversed(self._models.items()) if key[0] == str(ref)), None)

    def is_trusted(self, ref: ModelRef) -> bool:
        """Return whether `ref` may be read for an address that somebody else may have written.

        It may where it belongs to this app, was made here, or is loaded already: whoever is here has asked for it.
        """
        if ref.origin.source in ("embedded", "tokenizer", "run") or self.find_loaded(ref) is not None:
            return True
        with self._lock:
            return str(ref) in self._tokenizers

    def _is_visible(self, ref: ModelRef) -> bool:
        try:
            check_visible(ref, self.settings)
        except ModelError:
            return False
        return True

    def list_cards(self) -> list[dict[str, Any]]:
        """Return one card per loaded model, most recently used first."""
        with self._lock:
            loaded = list(reversed(self._models.values()))
        return [each.card() for each in loaded if self._is_visible(each.ref)]

    def unload(self, ref: ModelRef) -> int:
        """Drop every loaded form of `ref` and return the bytes that this freed.

        Raises:
            ModelError: it is not loaded.
        """
        with self._lock:
            keys = [key for key in self._models if key[0] == str(ref) and self._is_visible(ref)]
            if not keys:
                visible = {str(each.ref) for each in self._models.values() if self._is_visible(each.ref)}
                loaded = ", ".join(sorted(visible)) or "none"
                raise ModelError(f"{ref} is not loaded. Loaded models: {loaded}.")
            freed = sum(self._models.pop(key).bytes for key in keys)
            self._tokenizers.pop(str(ref), None)
        _release_memory()
        return freed

    @contextmanager
    def hold_tokenizer(self, ref: ModelRef, stop: Event | None = None) -> Iterator[Any]:
        """Hold the tokenizer of `ref`, for this thread alone until the block ends.

        Raises:
            ModelError: there is no such tokenizer.
            Stopped: `stop` was set while somebody else held it.
        """
        check_visible(ref, self.settings)
        self._forget_changed(ref)
        with self._lock:
            entry = self._tokenizers.get(str(ref))
        if entry is None:
            loaded = self._load_tokenizer(ref)
            with self._lock:
                entry = self._tokenizers.setdefault(str(ref), loaded)
                while len(self._tokenizers) > self.TOKENIZERS:
                    self._tokenizers.popitem(last=False)
        with hold_lock(entry.lock, stop):
            yield entry.tokenizer

    def _load_tokenizer(self, ref: ModelRef) -> _Tokenizer:
        folder = folder_with_tokenizer(ref, self.settings)
        files = identify_files(folder, self.settings) if can_change(ref) else {}
        tokenizer = load_tokenizer_from(folder, self.settings)
        if files:
            check_unchanged(folder, files, self.settings)
        return _Tokenizer(tokenizer, folder, files)
