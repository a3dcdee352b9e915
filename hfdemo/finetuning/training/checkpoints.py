"""Checkpoints that are whole or not there: written under another name, sealed with hashes, verified before use."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from hfdemo.atomic_files import write_atomically
from hfdemo.errors import RunError

MANIFEST = "manifest.json"


def partial_folder(checkpoints: Path) -> Path:
    """Return the folder below `checkpoints` in which the next checkpoint is written."""
    return checkpoints / ".partial"


def seal(half: Path, final: Path) -> None:
    """Bring everything below `half` to the disk, with a manifest of its hashes, and give it the name `final`.

    Whoever looks sees the old `final`, none, or the whole new one, whenever the power fails.
    """
    write_manifest(half)
    replaced = _replaced(final.parent)
    if final.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        final.rename(replaced)
    half.rename(final)
    _sync(final.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Bring everything below `folder` to the disk, with a manifest of its hashes in place of an earlier one."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    manifest = {name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in files.items()}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1))
    for path in (*files.values(), folder / MANIFEST, *(each for each in folder.rglob("*") if each.is_dir()), folder):
        _sync(path)


def time_saving(folder: Path, size: int = 1 << 24) -> float:
    """Return the seconds that a byte of a checkpoint below `folder` takes: written, hashed and on the disk."""
    trial = folder / f".trial-{os.getpid()}"
    trial.mkdir(parents=True, exist_ok=True)
    try:
        began = time.perf_counter()
        (trial / "weights").write_bytes(bytes(size))
        write_manifest(trial)
        return (time.perf_counter() - began) / size
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def find_damage(folder: Path, *, hashes: bool = True) -> str | None:
    """Return what is wrong with the checkpoint in `folder`; None if all of its manifest is there and unchanged.

    Without `hashes` only the sizes are looked at, which takes no time.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if not manifest:
            return "nothing was written to it"
        for name, said in manifest.items():
            path = folder / name
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != said["bytes"]:
                return f"{name} has {path.stat().st_size:,} bytes instead of {said['bytes']:,}"
            if hashes and _sha256(path) != said["sha256"]:
                return f"{name} was changed"
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return "its manifest can't be read"
    return None


def checkpoint_step(folder: Path) -> int:
    """Return the optimizer step that a checkpoint was made after; -1 for a folder that is none."""
    number = folder.name.removeprefix("checkpoint-")
    return int(number) if number != folder.name and number.isdigit() else -1


def list_checkpoints(checkpoints: Path) -> list[Path]:
    """Return every checkpoint below `checkpoints`, the newest first, whole or not."""
    found = [path for path in checkpoints.glob("checkpoint-*") if path.is_dir() and checkpoint_step(path) >= 0]
    return sorted(found, key=checkpoint_step, reverse=True)


def find_newest_whole(checkpoints: Path, *, hashes: bool = True) -> tuple[Path | None, tuple[str, ...]]:
    """Return the newest whole checkpoint (None: there is none), and a sentence about each that was passed over."""
    notes: list[str] = []
    for folder in list_checkpoints(checkpoints):
        wrong = find_damage(folder, hashes=hashes)
        if wrong is None:
            return folder, tuple(notes)
        notes.append(f"The checkpoint of step {checkpoint_step(folder)} is damaged ({wrong}) and was passed over.")
    return None, tuple(notes)


def rewind_to(checkpoint: Path) -> None:
    """Remove what a training that goes on from `checkpoint` would take for its own: newer ones, which are damaged, and
    what a crash left half written."""
    delete_leftovers(checkpoint.parent)
    for folder in list_checkpoints(checkpoint.parent):
        if checkpoint_step(folder) > checkpoint_step(checkpoint):
            shutil.rmtree(folder, ignore_errors=True)


def delete_leftovers(checkpoints: Path) -> None:
    """Remove what a crash left half written."""
    for leftover in (partial_folder(checkpoints), _replaced(checkpoints)):
        shutil.rmtree(leftover, ignore_errors=True)


def prune(checkpoints: Path, keep: Sequence[Path], newest: int | None) -> None:
    """Remove all but the `newest` (None: all stay) and those in `keep`, and what a crash left half written."""
    delete_leftovers(checkpoints)
    if newest is None:
        return
    for folder in list_checkpoints(checkpoints)[newest:]:
        if folder not in keep:
            shutil.rmtree(folder, ignore_errors=True)


def check_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Check that the disk of `folder` has `needed_bytes` left for `what`.

    Raises:
        RunError: it has less.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed_bytes > free:
        raise RunError(
            f"{what[:1].upper()}{what[1:]} needs about {needed_bytes / 1024**2:,.0f} MB on the disk, and "
            f"{free / 1024**2:,.0f} MB are free. Delete runs that you no longer need, or set HFDEMO_HOME to a folder "
            "on a larger disk."
        )


_NEXT_TO_NOTHING = 16 * 1024**2


def explain_full_disk(error: BaseException, folder: Path) -> str | None:
    """Return what to do about an `error` of a library that could not write below `folder`; None of any other."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = 0
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    said = isinstance(error, OSError) and error.errno in codes
    # safetensors hands on what the system said, torch only what its writer was at; a stream of C++ not even that.
    texts = [*map(os.strerror, codes), "PytorchStreamWriter", "unexpected pos"]
    texts += ["iostream error"] if free < _NEXT_TO_NOTHING else []
    if not said and not any(text in str(error) for text in texts):
        return None
    return (
        f"The disk is full, or a limit of it is reached: {free / 1024**2:,.1f} MB are free. Delete runs that you no "
        "longer need, or set HFDEMO_HOME to a folder on a larger disk."
    )


def _replaced(checkpoints: Path) -> Path:
    """Return where a checkpoint goes that another of the same step takes the place of."""
    return checkpoints / ".replaced"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
