"""Whose a run, a search or a trained tokenizer is: the file `owner` in its folder, written once, when it is made.

Settings with an `owner` see nothing of others; those without see everything. A folder without that file was made by
the only person of a local server.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from hfdemo.settings import Settings

OWNER_FILE = "owner"


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


def is_of_all(path: Path, settings: Settings) -> bool:
    """Return whether a path that somebody named may be read: what lies below the home folder has its own names.

    On a server with several owners a path would lead around them.
    """
    return not settings.owner or not path.resolve().is_relative_to(settings.home.resolve())


def make_suffix(settings: Settings) -> str:
    """Return what makes a name that others could guess one that they can't; "" where there are no others."""
    return f"-{secrets.token_hex(8)}" if settings.owner else ""
