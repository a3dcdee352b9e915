"""The one door to the Hub: asked with a deadline, downloaded with progress, served from the cache without a network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

from hfdemo.errors import ModelError, Unreachable
from hfdemo.models.reference import ModelRef

HUB_SECONDS = 2.0

# Everything a text model needs, and nothing that is a second copy of it in another format.
_WORDS = ["*.json", "*.txt", "*.model", "*.jinja"]
_WEIGHTS = ["*.safetensors"]
_PICKLES = ["*.bin"]

Progress = Callable[[int, int], None]


def hub_patterns(ref: ModelRef, public: bool, weights: bool = True) -> list[str] | None:
    """Which files of a Hub model are needed, with its weights or without; None when the Hub can't be reached.

    Raises:
        ModelError: there is no such model or revision, it is gated, or a public server may not load it.
    """
    import httpx2
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = _ask(ref, _token(public))
    except GatedRepoError as error:
        raise ModelError(
            f"{ref.name} is gated. Ask for access on its page on the Hub, then run `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The Hub has no model {ref.name!r} that can be seen from here. Check the spelling."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            f"{ref.name} has no revision {ref.revision!r}. Leave `@{ref.revision}` out for the newest."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError):
        return None
    if not weights:
        return _WORDS
    if any(file.rfilename.endswith(".safetensors") for file in info.siblings or []):
        return _WORDS + _WEIGHTS
    if public:
        raise ModelError(f"{ref.name} has only pickled weights, which a shared server does not load. Pick another.")
    return _WORDS + _PICKLES


def hub_folder(ref: ModelRef, public: bool, progress: Progress | None = None, *, weights: bool = True) -> Path | None:
    """The folder with the files of a Hub model, downloaded if need be; None without a network and a cached copy.

    Without `weights` only the config and the tokenizer are fetched: kilobytes instead of gigabytes.

    Raises:
        ModelError: see `hub_patterns`.
        Unreachable: the download broke off.
    """
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    patterns = hub_patterns(ref, public, weights)
    if patterns is None:
        return cached_folder(ref, weights=weights)
    try:
        return Path(
            snapshot_download(
                ref.name,
                revision=ref.revision,  # by its name, so that the cache finds it under that name without a network
                allow_patterns=patterns,
                token=_token(public),
                etag_timeout=HUB_SECONDS,
                tqdm_class=_reporting_bar(progress) if progress else None,
            )
        )
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise Unreachable(
            f"The download of {ref.name} broke off ({type(error).__name__}). Run again: it goes on where it stopped."
        ) from error


def cached_folder(ref: ModelRef, *, weights: bool = True) -> Path | None:
    """The folder of a Hub model that was downloaded before, or None."""
    from huggingface_hub import snapshot_download

    needed = _WORDS + _WEIGHTS if weights else _WORDS
    try:
        return Path(snapshot_download(ref.name, revision=ref.revision, allow_patterns=needed, local_files_only=True))
    except (OSError, ValueError):
        return None


def cached_models() -> list[str]:
    """The ids of the Hub models in this machine's cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return sorted(repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == "model")
    except CacheNotFound:
        return []


def _token(public: bool) -> bool | None:
    """None lets huggingface_hub use the person's own token; a public server must not lend its owner's."""
    return False if public else None


def _ask(ref: ModelRef, token: bool | None) -> Any:
    """model_info with a deadline on the whole call: `timeout=` alone does not bound a name lookup that hangs."""
    from huggingface_hub import HfApi

    answer: Future[Any] = Future()

    def ask() -> None:
        try:
            answer.set_result(HfApi(token=token).model_info(ref.name, revision=ref.revision, timeout=HUB_SECONDS))
        except BaseException as error:  # handed to the caller, which tells the kinds apart
            answer.set_exception(error)

    Thread(target=ask, daemon=True, name=f"hub:{ref.name}").start()
    return answer.result(timeout=HUB_SECONDS)


def _reporting_bar(progress: Progress) -> Any:
    """A tqdm class that reports the byte bar of snapshot_download to `progress` and draws nothing."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._bytes = kwargs.get("unit") == "B"
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": False, "file": _Nowhere()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self._bytes:
                progress(int(self.n), int(self.total or 0))
            return shown

    return Bar


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None
