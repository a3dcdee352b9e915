"""The one door to the Hub: asked with a deadline, downloaded with progress, served from the cache without a network."""

from __future__ import annotations

import glob
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal

from hfdemo.errors import DataError, DemoError, ModelError, Stopped, Unreachable
from hfdemo.models.reference import ModelRef
from hfdemo.models.tokenizer_files import CONFIGS, TOKENIZERS

HUB_SECONDS = 2.0
_STEP_SHARE = 0.9  # for a connection, and between two pieces of an answer: which of them it was is known then
SILENT_SECONDS = 10.0  # nobody asks again so soon for what the Hub has kept somebody waiting for in vain
_WAITED_SECONDS = 0.5
_MOST_SILENCES = 256
# After each of so many bytes a download says how far it is, and can be stopped. The library's own are ten megabytes.
CHUNK_BYTES = 512 * 1024

# Configs, vocabularies and templates, of the model itself or of the second tokenizer that some processors have.
_WORDS = (".json", ".txt", ".model", ".jinja", ".spm", ".tiktoken", ".codes", ".tokenizer")
_WORD_FOLDERS = re.compile(r"additional_chat_templates|\w*tokenizer")
# The same weights once more: in another precision (`model.fp16.safetensors`) or for another program.
_COPIES = re.compile(r"(model|pytorch_model)\.[^.]+(-\d+-of-\d+)?\.(safetensors|bin)|consolidated.*")

# What is going on ("Downloading", "Loading weights"), bytes done, bytes in all.
Progress = Callable[[str, int, int], None]
RepoType = Literal["model", "dataset"]


def stop_with_progress(progress: Progress | None, stop: Event | None) -> Progress:
    """Return `progress` that ends a download or a loading when `stop` is set: it is called all the while."""

    def report(what: str, done: int, total: int) -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        if progress is not None:
            progress(what, done, total)

    return report


class _Silences:
    """What the Hub has kept somebody waiting for in vain a moment ago: it would do so again.

    No connection at all says so of everything; no answer only of what was asked for, which may be a huge repository.
    """

    EVERYTHING = ""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def begin(self, what: str) -> None:
        with self._lock:
            self._until[what] = time.monotonic() + SILENT_SECONDS
            while len(self._until) > _MOST_SILENCES:
                self._until.popitem(last=False)

    def last_for(self, what: str) -> bool:
        with self._lock:
            return time.monotonic() < max(self._until.get(each, 0.0) for each in (what, self.EVERYTHING))


@dataclass
class _Patience:
    """Whether whoever asks would wait for an answer of the Hub."""

    is_left: bool = True


# The network is that of the whole process, whoever asks.
_SILENCES = _Silences()
_PATIENCE: ContextVar[_Patience | None] = ContextVar("patience with the Hub", default=None)


@contextmanager
def wait_once() -> Iterator[None]:
    """Wait for the Hub once only in this block, where it keeps silent: what else is asked of it then has no answer."""
    token = _PATIENCE.set(_Patience())
    try:
        yield
    finally:
        _PATIENCE.reset(token)


def hub_info(
    ref: ModelRef, public: bool, repo_type: RepoType = "model", find_copy: Callable[[ModelRef], Any] | None = None
) -> Any | None:
    """Fetch the Hub's ModelInfo or DatasetInfo of a model or data set, with the sizes of its files.

    None when it does not answer within HUB_SECONDS, or has not a moment ago. `find_copy` returns what was downloaded
    before, None for nothing; left out, a model's.

    Raises:
        ModelError: there is no such model or revision, it may not be seen, or the Hub is busy and there is no copy.
        DataError: the same of a data set.
    """
    patience, asked = _PATIENCE.get() or _Patience(), f"{repo_type} {ref.name}"
    if not patience.is_left or _SILENCES.last_for(asked):
        return None
    import httpx2

    began = time.monotonic()
    try:
        return _fetch_patiently(ref, _hub_token(public), repo_type)
    except (httpx2.HTTPError, OSError) as error:
        refusal = _refusal_error(error, ref, public, repo_type)
        if refusal:
            raise refusal from error
        status = _busy_status(error)
        copy = find_copy or (lambda ref: cached_folder(ref, weights=False, config=False))
        if status and copy(ref) is None:
            why = "it had too many questions from here" if status == 429 else "it has trouble of its own"
            said = f"The Hub does not answer for {ref.name} now: {why} (status {status}). Try again in a minute."
            raise (Unreachable if repo_type == "model" else DataError)(said) from error
        if time.monotonic() > began + _WAITED_SECONDS:
            patience.is_left = False
            _SILENCES.begin(_Silences.EVERYTHING if isinstance(error, httpx2.ConnectTimeout) else asked)
        return None


# The Hub says so when it has too much to do, or had too much from here; asked again a moment later it often answers.
_BUSY = (408, 429, 500, 502, 503, 504)
_PAUSES = (0.2, 0.5)


def _busy_status(error: BaseException) -> int:
    """Return the status with which the Hub said that it can't answer now, 0 where it did not."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return status if status in _BUSY else 0


def _fetch_patiently(ref: ModelRef, token: bool | None, repo_type: RepoType) -> Any:
    """Fetch what the Hub knows of `ref`; where it is busy it is asked again, while there is time."""
    began = time.monotonic()
    for pause in _PAUSES:
        try:
            return _fetch_info(ref, token, repo_type)
        except OSError as error:
            if not _busy_status(error) or time.monotonic() + pause > began + HUB_SECONDS / 2:
                raise
            time.sleep(pause)
    return _fetch_info(ref, token, repo_type)


def hub_files(ref: ModelRef, public: bool, weights: bool = True) -> list[str] | None:
    """List the files of a Hub model that are needed, with its weights or not; None when the Hub can't be reached.

    Raises:
        ModelError: see `hub_info`; or a public server may not load its weights.
    """
    info = hub_info(ref, public)
    if info is None:
        return None
    names = [file.rfilename for file in info.siblings or []]
    if public and weights and not any(name.endswith(".safetensors") for name in names):
        raise ModelError(f"{ref.name} has only pickled weights, which a shared server does not load. Pick another.")
    return select_needed_files(names, weights)


def count_download_bytes(ref: ModelRef, public: bool) -> int | None:
    """Count the bytes of a download of `ref` with its weights; None when the Hub can't be reached.

    Raises:
        ModelError: see `hub_info`.
    """
    info = hub_info(ref, public)
    if info is None:
        return None
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return sum(sizes[name] for name in select_needed_files(sizes, weights=True)) or None


def select_needed_files(names: Iterable[str], weights: bool) -> list[str]:
    """Pick the files that a model is made of: every config and vocabulary, and the weights once."""
    found = []
    top = set()
    for name in names:
        folder, _, _ = name.rpartition("/")
        if not folder:
            top.add(name)
        if name.endswith(_WORDS) and (not folder or _WORD_FOLDERS.fullmatch(folder)):
            found.append(name)
    if weights:
        tensors = {name for name in top if name.endswith(".safetensors")} or {
            name for name in top if name.endswith(".bin") and name.startswith(("pytorch_model", "adapter_model"))
        }
        found += {name for name in tensors if not _COPIES.fullmatch(name)} or tensors
    return sorted(found)


def hub_folder(
    ref: ModelRef, public: bool, progress: Progress | None = None, *, weights: bool = True, config: bool = True
) -> Path | None:
    """Return the folder of a Hub model, downloaded if need be; None without a network and a cached copy.

    Without `weights` only configs and vocabularies are fetched: kilobytes instead of gigabytes. Without `config` a
    repository will do that has a tokenizer and no model.

    Raises:
        ModelError: see `hub_files`; the files of a gated model may be seen by everybody and had by few.
        Unreachable: the download broke off.
    """
    files = hub_files(ref, public, weights)
    if files is None:
        return cached_folder(ref, weights=weights, config=config)
    return download_files(ref, files, public, progress)


def download_files(
    ref: ModelRef,
    files: Iterable[str],
    public: bool,
    progress: Progress | None = None,
    repo_type: RepoType = "model",
) -> Path:
    """Download these files of a repository and return their folder; what is there already is not fetched again.

    Raises:
        ModelError, DataError: the Hub refuses them, see `hub_info`.
        Unreachable: the download of a model broke off; a DataError that of a data set.
    """
    import httpx2
    from huggingface_hub import snapshot_download

    _set_up_library()
    try:
        return Path(
            snapshot_download(
                ref.name,
                repo_type=repo_type,
                revision=ref.revision,  # by its name, so that the cache finds it under that name without a network
                allow_patterns=[glob.escape(name) for name in files],
                token=_hub_token(public),
                etag_timeout=HUB_SECONDS,
                tqdm_class=_reporting_bar(progress) if progress else None,
            )
        )
    except (httpx2.HTTPError, OSError) as error:
        refusal = _refusal_error(error, ref, public, repo_type)
        if refusal:
            raise refusal from error
        status = _busy_status(error)
        broken = f"The download of {ref.name} broke off ({f'status {status}' if status else type(error).__name__})."
        kind = Unreachable if repo_type == "model" else DataError
        raise kind(f"{broken} Run again: it goes on where it stopped.") from error


def cached_folder(ref: ModelRef, *, weights: bool = True, config: bool = True) -> Path | None:
    """Return the folder of a Hub model that was downloaded before, whole; or None. For `config` see `hub_folder`."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        names = [file.path for file in get_cached_repo_tree(ref.name, revision=ref.revision)]
    except CachedRepoTreeNotFoundError:  # downloaded by another program; what is there has to do
        names = []
    needed = [glob.escape(name) for name in select_needed_files(names, weights)]
    try:
        folder = Path(snapshot_download(ref.name, revision=ref.revision, allow_patterns=needed, local_files_only=True))
    except (OSError, ValueError):
        return None
    here = {path.name for path in folder.iterdir()}
    configured = bool(here & {*CONFIGS, *(() if config else TOKENIZERS)})
    weighed = not weights or any(name.endswith((".safetensors", ".bin")) for name in here)
    return folder if configured and weighed else None


def cached_models(with_config: bool = True) -> list[str]:
    """List the references of the Hub models in this machine's cache; a revision other than main is named.

    Those that are a tokenizer alone are among them where none needs a config.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    found = []
    for repo in repos:
        for revision in repo.revisions:
            files = {file.file_name for file in revision.files}
            if repo.repo_type == "model" and files & {*CONFIGS, *(() if with_config else TOKENIZERS)}:
                named = revision.refs or {revision.commit_hash}
                found += [repo.repo_id if name == "main" else f"{repo.repo_id}@{name}" for name in named]
    return sorted(found)


def _refusal_error(error: Exception, ref: ModelRef, public: bool, repo_type: RepoType) -> DemoError | None:
    """Return the error for an answer with which the Hub means no; None when asking again later may help."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    refused = ModelError if repo_type == "model" else DataError
    noun = "model" if repo_type == "model" else "data set"
    if isinstance(error, GatedRepoError):
        if public:
            return refused(
                f"{ref.name} is gated: the Hub gives it to people who accepted its terms. This is a shared server "
                "that uses nobody's token, so it can't be used here. Pick another, or run the app yourself."
            )
        page = f"{constants.ENDPOINT}/{'' if repo_type == 'model' else 'datasets/'}{ref.name}"
        return refused(
            f"{ref.name} is gated: the Hub gives it to people who accepted its terms. Accept them at "
            f"{page}, then log in on this machine with `hf auth login` or set HF_TOKEN."
        )
    if isinstance(error, RepositoryNotFoundError):
        private = "" if public else " If it is private, log in with `hf auth login` or set HF_TOKEN."
        return refused(f"The Hub has no {noun} {ref.name!r} that can be seen from here. Check the spelling.{private}")
    if isinstance(error, RevisionNotFoundError):
        return refused(f"{ref.name} has no revision {ref.revision!r}. Leave `@{ref.revision}` out for the newest.")
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return refused(
            f"The Hub does not give {ref.name} to this machine (status {error.response.status_code}). "
            "Check that the token in HF_TOKEN, or the one from `hf auth login`, is valid and may read it."
        )
    return None


def _hub_token(public: bool) -> bool | None:
    """Return None for the person's own token, False for none: a public server must not lend its owner's."""
    return False if public else None


def _set_up_library() -> None:
    """Have the library say often how far it is, and not ask the Hub which programs may have started this one.

    It would do so before its first question, for three seconds.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import _detect_agent

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    _detect_agent._registry = _detect_agent._EMPTY_REGISTRY


def _fetch_info(ref: ModelRef, token: bool | None, repo_type: RepoType) -> Any:
    """Ask the Hub with a deadline on the whole call: `timeout=` does not bound a name lookup that hangs."""
    from huggingface_hub import HfApi

    _set_up_library()
    answer: Future[Any] = Future()
    ask_hub = HfApi(token=token).model_info if repo_type == "model" else HfApi(token=token).dataset_info

    def ask() -> None:
        try:
            seconds = _STEP_SHARE * HUB_SECONDS
            answer.set_result(ask_hub(ref.name, revision=ref.revision, timeout=seconds, files_metadata=True))
        except BaseException as error:  # handed to the caller, which tells the kinds apart
            answer.set_exception(error)

    Thread(target=ask, daemon=True, name=f"hub:{ref.name}").start()
    return answer.result(timeout=HUB_SECONDS)


def _reporting_bar(progress: Progress) -> Any:
    """Return a tqdm class that reports the bytes of snapshot_download to `progress` and draws nothing."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # Of its two byte bars, one counts what came over the wire: compressed, and of some servers only.
            self._reports = kwargs.get("unit") == "B" and kwargs.get("desc") != "Downloading bytes"
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": False, "file": _Nowhere()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self._reports:
                progress("Downloading", int(self.n), int(self.total or 0))
            return shown

    return Bar


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None
