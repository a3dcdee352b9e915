"""Whose a run, a search or a trained tokenizer is, and what all of them take of the disk.

The owner is in the file `owner` of the folder, written once, when it is made.

Settings with an `owner` see nothing of others; those without see everything. A folder without that file was made by
the only person of a local server. Whoever has the secret of the file `share.json` may look at what is in the folder.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hfdemo.atomic_files import write_atomically
from hfdemo.settings import Settings

OWNER_FILE = "owner"
SHARE_FILE = "share.json"
# How many bytes a run may come to take, as an int: what is at work has not written all of it yet.
RESERVED_FILE = "reserved"
_HOLD_FOLDERS = ("runs", "searches", "tokenizers")
_NAMED = 3


def claim_folder(folder: Path, settings: Settings) -> None:
    """Write into `folder`, before anything makes it a run or the like, whose it is."""
    if settings.owner:
        (folder / OWNER_FILE).write_text(settings.owner, encoding="utf-8")


def may_see(folder: Path, settings: Settings) -> bool:
    """Return whether what is in `folder` belongs to the owner of `settings`, or these are for all."""
    return not settings.owner or read_owner(folder) == settings.owner


def read_owner(folder: Path) -> str | None:
    """Return whose `folder` is; None where nobody claimed it."""
    try:
        return (folder / OWNER_FILE).read_text(encoding="utf-8")
    except OSError:
        return None


def find_folder(parent: Path, name: str, settings: Settings) -> Path | None:
    """Return the folder `name` of a run, search or tokenizer in `parent`; None where there is none to see."""
    folder = parent / name
    return folder if folder.is_dir() and may_see(folder, settings) else None


def list_folders(parent: Path, file: str, settings: Settings) -> list[Path]:
    """List the folders in `parent` that hold `file` and may be seen, the last by name first."""
    found = sorted((parent / path.relative_to(parent).parts[0] for path in parent.glob(f"*/{file}")), reverse=True)
    return [folder for folder in found if may_see(folder, settings)]


def share_folder(folder: Path) -> str:
    """Return the secret with which everybody may look at `folder`, made when it is first asked for."""
    secret = read_secret(folder)
    if secret is None:
        secret = secrets.token_hex(16)
        write_atomically(folder / SHARE_FILE, json.dumps({"secret": secret}))
    return secret


def stop_sharing(folder: Path) -> None:
    """Let nobody but its owner look at `folder` any more: a later secret is another one."""
    (folder / SHARE_FILE).unlink(missing_ok=True)


def read_secret(folder: Path) -> str | None:
    """Return the secret with which everybody may look at `folder`; None where it is not shared."""
    try:
        found = json.loads((folder / SHARE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    secret = found.get("secret") if isinstance(found, dict) else None
    return secret if isinstance(secret, str) and secret else None


def is_shared_by(folder: Path, secret: str) -> bool:
    """Return whether `folder` is shared, and `secret` is its secret; how long that takes tells nothing of it."""
    known = read_secret(folder) or secrets.token_hex(16)
    return hmac.compare_digest(known.encode(), secret.encode("utf-8", "replace"))


def is_of_all(path: Path, settings: Settings) -> bool:
    """Return whether a path that somebody named may be read: what lies below the home folder has its own names.

    On a server with several owners a path would lead around them.
    """
    return not settings.owner or not path.resolve().is_relative_to(settings.home.resolve())


def make_suffix(settings: Settings) -> str:
    """Return what makes a name that others could guess one that they can't; "" where there are no others."""
    return f"-{secrets.token_hex(8)}" if settings.owner else ""


@dataclass(frozen=True)
class DiskUse:
    """Bytes of all runs, searches and trained tokenizers below a home folder.

    `owner_bytes` are those of the settings' owner (of a local server: all), `largest` the names and bytes of the
    largest runs among them, largest first.
    """

    home_bytes: int = 0
    owner_bytes: int = 0
    largest: tuple[tuple[str, int], ...] = ()

    def find_refusal(self, needed: int, what: str, settings: Settings) -> str:
        """Say why there is no room for `needed` more bytes of `what`, and what to delete; "" where there is."""
        if settings.owner and settings.visitor_bytes and self.owner_bytes + needed > settings.visitor_bytes:
            whose, taken, most = "what you have made here", self.owner_bytes, settings.visitor_bytes
        elif settings.home_bytes and self.home_bytes + needed > settings.home_bytes:
            whose, taken, most = "what everybody has made here", self.home_bytes, settings.home_bytes
        else:
            return ""
        named = ", ".join(f"{name} ({_write_megabytes(size)})" for name, size in self.largest)
        advice = f"Delete runs that you no longer need; your largest: {named}." if named else "Come back later."
        if needed > most:
            advice = "Make it smaller: with a smaller model, with LoRA, or with fewer checkpoints."
        return (
            f"{what} needs about {_write_megabytes(needed)} of the disk; {whose} takes {_write_megabytes(taken)}, and "
            f"it may take {_write_megabytes(most)}. {advice}"
        )


def measure_use(settings: Settings, is_at_work: Callable[[Path], bool] = lambda folder: False) -> DiskUse:
    """Return what the runs, searches and trained tokenizers below the home folder take.

    One that `is_at_work` counts as what was reserved for it, if that is more than what it has written.
    """
    home_bytes = owner_bytes = 0
    runs = []
    for parent in (settings.home / name for name in _HOLD_FOLDERS):
        for folder in parent.iterdir() if parent.is_dir() else ():
            size, missing = count_bytes(folder), count_missing_bytes(folder)
            size += missing if missing and is_at_work(folder) else 0
            home_bytes += size
            if may_see(folder, settings):
                owner_bytes += size
                if (folder / "config.json").is_file() and parent == settings.runs:
                    runs.append((folder.name, size))
    largest = sorted(runs, key=lambda each: each[1], reverse=True)[:_NAMED]
    return DiskUse(home_bytes, owner_bytes, tuple(largest))


def count_bytes(folder: Path) -> int:
    """Count the bytes of all files below `folder`, of links their own; one that is removed meanwhile has none."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def reserve_bytes(folder: Path, size: int) -> None:
    """Write into `folder` how many bytes it may come to take."""
    (folder / RESERVED_FILE).write_text(str(size), encoding="utf-8")


def count_missing_bytes(folder: Path) -> int:
    """Count the bytes that were reserved for `folder` and are not written yet."""
    with contextlib.suppress(OSError, ValueError):
        reserved = int((folder / RESERVED_FILE).read_text(encoding="utf-8"))
        return max(0, reserved - count_bytes(folder))
    return 0


def _write_megabytes(size: int) -> str:
    return f"{size / 1024**2:,.1f} MB" if size < 10 * 1024**2 else f"{size / 1024**2:,.0f} MB"
