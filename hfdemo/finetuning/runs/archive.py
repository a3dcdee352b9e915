"""A run as one file to take away."""

from __future__ import annotations

import tempfile
from pathlib import Path

_ALWAYS = ("model", "adapter", "report.json", "epochs", "config.json", "train.py")
_WITH_DATA = ("errors.csv", "notes.txt", "data")


def zip_run(run: Path, folder: Path, *, with_data: bool = True) -> Path:
    """A zip of what is in the folder `run`: the model, the report, the config, the script and, `with_data`, the rows
    and what was written about them; in a new folder below `folder`."""
    import zipfile

    target = Path(tempfile.mkdtemp(dir=folder)) / f"{run.name}.zip"
    # Weights don't compress; storing them as they are is twenty times faster.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name in _ALWAYS + (_WITH_DATA if with_data else ()):
            part = run / name
            for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
                if path.is_file():
                    file.write(path, f"{run.name}/{path.relative_to(run)}")
    return target
