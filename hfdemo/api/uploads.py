"""What comes in as a file, and where files that gradio may hand out lie."""

from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api.visitors import NOT_YOURS, current_visitor
from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig


def uploaded_path(value: Any) -> Path | None:
    """Return the path of a file argument, which a caller can forge: only what lies in the upload folder is accepted.

    Raises:
        DemoError: not a file argument, a path outside the upload folder, a file that is not there, or another's.
    """
    if value is None:
        return None
    named = value.get("path") if isinstance(value, dict) else getattr(value, "path", value)
    if not isinstance(named, str):
        raise DemoError("A file argument must be an uploaded file. Send it with `gradio_client.handle_file`.")
    try:
        path = Path(named).resolve()
        is_upload = path.is_relative_to(Path(gr.utils.get_upload_folder()).resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL or a lone surrogate, a loop of links
        is_upload = False
    visitor = current_visitor()
    if not is_upload or (visitor is not None and not visitor.may_read(str(path))):
        raise DemoError(NOT_YOURS)
    return path


def required_path(value: Any, what: str) -> Path:
    """Return the path of a file argument that has to be there; `what` is named where it is not.

    Raises:
        DemoError: there is none, or it is not what `uploaded_path` accepts.
    """
    path = uploaded_path(value)
    if path is None:
        raise DemoError(f"There is no file. Send {what} with `gradio_client.handle_file`.")
    return path


def missing_dataset() -> DemoError:
    """Return the error of a call that has neither a file nor the name of a data set."""
    return DemoError(f"There is no data set. Upload a file, or name an example: {', '.join(EXAMPLE_NAMES)}.")


def parse_config(config: Any, file: Any) -> tuple[RunConfig, Path | None]:
    """Return the config that a client sent, named after its file where it sent one, and the path of that file."""
    path = uploaded_path(file)
    values: Any = {} if config is None else config
    if path is not None and isinstance(values, dict):
        values = {**values, "dataset": path.stem}
    return RunConfig.from_json(values), path


def served_folder(name: str) -> Path:
    """Return the folder `name` for files that gradio may hand out, which gradio clears; made if it is not there."""
    folder = Path(gr.utils.get_upload_folder()) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
