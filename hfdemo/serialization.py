"""Whatever a pipeline returns -> plain JSON values, with no number turned into a string on the way.

Pictures, sound and large arrays become files in a folder, in the form that Gradio's clients download by themselves:
{"path": ..., "meta": {"_type": "gradio.FileData"}, "orig_name": ..., "mime_type": ..., "size": bytes}
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from hfdemo.media import encode_data_url, encode_png, encode_wav

MOST_NUMBERS = 4096
_MIME = {"png": "image/png", "wav": "audio/wav", "npy": "application/octet-stream"}


class FileValue(dict[str, Any]):
    """A file that was made here, in that form. What data calls the same is a plain dict: see `spell_out`."""


def spell_out(value: Any) -> Any:
    """Return a JSON value in which nothing but a `FileValue` is a file to Gradio and its clients.

    To them every object with a text under "path" is one: Gradio copies the file that it names, from wherever it is, and
    its clients download it. Where data is called so, the object becomes a list of [key, value].
    """
    if isinstance(value, FileValue):
        return value
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            return [[key, spell_out(item)] for key, item in value.items()]
        return {key: spell_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spell_out(item) for item in value]
    return value


def to_json(value: Any, folder: Path | None = None) -> Any:
    """Convert `value` to dicts, lists, str, int, float, bool, None; a number that JSON can't hold (NaN, inf) is None.

    With a `folder`, which must exist, large things become files in it; the same content is the same file:

    - a PIL image: a PNG file
    - {"audio": array, "sampling_rate": int}: the same, with a WAV file as its audio
    - an array or tensor of two or more dimensions and more than `MOST_NUMBERS` numbers:
      {"png": file, or None unless it is 2-D, "npy": file, "shape": [...], "dtype": str}

    Without one, pictures and sound are data URLs and arrays are nested lists. Lists always stay lists.

    Raises:
        TypeError: a type that has no JSON form; better loud here than corrupted at the client.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        if "sampling_rate" in value and hasattr(value.get("audio"), "tolist"):
            payload = encode_wav(_to_array(value["audio"]), int(value["sampling_rate"]))
            value = {**value, "audio": _save_file(payload, "wav", folder)}
        return {str(key): to_json(item, folder) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item, folder) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {spec.name: to_json(getattr(value, spec.name), folder) for spec in fields(value)}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays, torch tensors
        shape = getattr(value, "shape", ())
        if folder is None or len(shape) < 2 or math.prod(shape) <= MOST_NUMBERS:
            return to_json(value.tolist())
        return _save_array(_to_array(value), folder)
    if _is_picture(value):
        return _save_file(encode_png(value), "png", folder)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _is_picture(value: Any) -> bool:
    from PIL import Image

    return isinstance(value, Image.Image)


def _to_array(value: Any) -> Any:
    """Make a numpy array of an array or tensor; numpy has no bfloat16, so that becomes float32."""
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value.numpy()
    return np.asarray(value)


def _save_array(array: Any, folder: Path) -> dict[str, Any]:
    import io

    import numpy as np

    if array.dtype.kind not in "biuf":
        raise TypeError(f"an array of {array.dtype} has no JSON form")
    payload = io.BytesIO()
    np.save(payload, array, allow_pickle=False)
    return {
        "png": _save_file(encode_png(array), "png", folder) if array.ndim == 2 else None,
        "npy": _save_file(payload.getvalue(), "npy", folder),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
    }


def _save_file(payload: bytes, suffix: str, folder: Path | None) -> FileValue | str:
    """Save `payload` as Gradio's value of a file in `folder`; as a data URL where there is none."""
    if folder is None:
        return encode_data_url(payload, _MIME[suffix])
    path = folder / f"{hashlib.sha256(payload).hexdigest()[:16]}.{suffix}"
    unfinished = folder / f".{uuid4().hex}"
    unfinished.write_bytes(payload)
    unfinished.replace(path)  # so that nobody reads half of it, and its age is that of its last use
    return FileValue(
        path=str(path),
        meta={"_type": "gradio.FileData"},
        orig_name=path.name,
        mime_type=_MIME[suffix],
        size=len(payload),
    )
