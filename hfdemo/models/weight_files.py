"""The files that a checkpoint's weights lie in, and what their headers say before any of them is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

from hfdemo.errors import ModelError
from hfdemo.models.folders import adapter_bases, local_folder
from hfdemo.settings import Settings

# What peft saves whole beside the layers that it adapted, for classifiers of texts and of tokens.
_HEAD = re.compile(r"\.(classifier|score|out_proj)\.weight$")
_SPELLINGS = {"LORA": "LoRA", "ADALORA": "AdaLoRA", "LOHA": "LoHa", "LOKR": "LoKr", "VERA": "VeRA"}
_OF_PROMPTS = {
    *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "ADAPTION_PROMPT", "CPT", "CARTRIDGE"),
}
_CAST = {"F64", "F32", "F16", "BF16"}


def weight_files(folder: Path) -> list[Path]:
    """List the files that the library reads the weights from, in its order of preference; empty without any.

    Raises:
        ModelError: an index names files that are not there.
    """
    for whole in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{whole}.index.json"
        if (folder / whole).is_file():
            return [folder / whole]
        if index.is_file():
            try:
                names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
            except (ValueError, KeyError, AttributeError) as error:
                raise ModelError(f"{index.name} is damaged. Copy or download it again.") from error
            gone = [name for name in names if not (folder / name).is_file()]
            if gone:
                raise ModelError(
                    f"{len(gone)} of {len(names)} weight files are missing: {', '.join(gone[:3])}. Copy them here."
                )
            return [folder / name for name in names]
    return sorted(folder.glob("*.safetensors"))


def read_tensor_headers(files: list[Path]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Read (name, dtype as safetensors writes it, shape) of every tensor from the files' headers.

    The library would map a whole file into memory for this, which fails for the very files that are too large.

    Raises:
        ModelError: a file is damaged or cut off.
    """
    for path in files:
        size = path.stat().st_size
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 0 < length <= size - 8:
                    raise ValueError(f"its header would have {length:,} bytes")
                header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            expected = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if expected != size:
                raise ValueError(f"its header speaks of {expected:,}")
            found = [(name, str(entry["dtype"]), tuple(entry["shape"])) for name, entry in header.items()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ModelError(
                f"{path.name} is damaged: it has {size:,} bytes, and {error}. Delete it, and copy or download it again."
            ) from error
        yield from found


def count_tensor_bytes(dtype: str, shape: tuple[int, ...], width: int | None = None) -> int:
    """Count the bytes of a tensor: as it is stored, or with floats cast to `width` bytes each."""
    if width and dtype in _CAST:
        return prod(shape) * width
    bits = re.search(r"\d+", dtype)  # F8_E4M3, I64, BOOL
    return prod(shape) * (int(bits[0]) if bits else 8) // 8


def require_weights(folder: Path, settings: Settings) -> list[Path]:
    """List the files of the weights in `folder`.

    Raises:
        ModelError: there are none, or they are pickled where that is refused.
    """
    files = weight_files(folder)
    if not files:
        raise ModelError(
            "There is a config and no weights (model.safetensors). Write `untrained:` in front of it for random ones."
        )
    if files[0].suffix == ".bin" and settings.public:
        raise ModelError("The weights are pickled, and a shared server loads safetensors only. Pick another model.")
    return files


def check_weights(folder: Path, settings: Settings) -> frozenset[str]:
    """Check the weights in `folder` by their files and headers alone, and return the names of their tensors.

    An adapter's are checked with those of its bases on this machine, and the names are those of the last. Pickled
    weights tell no names before they are opened.

    Raises:
        ModelError: they are missing, damaged, or pickled where that is refused; or an adapter's base is not there.
    """
    bases = adapter_bases(folder, settings)
    if bases:
        list(read_tensor_headers([find_adapter_file(folder)]))
        for base in bases:
            if base.origin.source == "hub":
                return frozenset()
            folder = local_folder(base, settings, weights=False)
            if (folder / "adapter_config.json").is_file():
                list(read_tensor_headers([find_adapter_file(folder)]))
    files = require_weights(folder, settings)
    return frozenset() if files[0].suffix == ".bin" else frozenset(name for name, _, _ in read_tensor_headers(files))


def find_adapter_file(folder: Path) -> Path:
    """Return the file with the tensors of the adapter in `folder`.

    Raises:
        ModelError: there is none.
    """
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError("The adapter has no adapter_model.safetensors. Save it again with safe_serialization=True.")
    return weights


def find_adapter_kind(folder: Path) -> str:
    """Return what the adapter in `folder` is called.

    Raises:
        ModelError: it is of a kind that can't be merged into its base.
    """
    written = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    kind = str(written.get("peft_type", "LORA")).removeprefix("PeftType.")
    if kind in _OF_PROMPTS:
        raise ModelError(
            f"This is an adapter of the kind {kind}: it puts vectors that were learned before the text, and has no "
            "weights that can be merged into its base model, as is done here. Use LoRA, IA3 or another adapter of "
            "weights."
        )
    return _SPELLINGS.get(kind, kind)


def find_adapter_labels(folder: Path) -> int | None:
    """Return the labels that the classification head in an adapter has; None for one without, and for no adapter."""
    if not (folder / "adapter_config.json").is_file():
        return None
    rows = [
        shape[0]
        for name, _, shape in read_tensor_headers([find_adapter_file(folder)])
        if len(shape) == 2 and _HEAD.search(name)
    ]
    return rows[-1] if rows else None
