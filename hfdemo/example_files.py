"""Where the examples lie: beside the package in a checkout, inside it where it is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_examples"  # where the wheel has them: see pyproject.toml

EXAMPLES = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "examples"
