"""How large a model may be that a config describes, and how much it may write: bounded before it is made.

A config is a few lines of numbers, and whoever wrote it may have meant no model at all: 50 million layers take hours to
build even without weights, and a vocabulary of as many tokens takes the machine's memory where a file of weights says
nothing of it. What a generation config asks for can be as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

from hfdemo.errors import ModelError
from hfdemo.settings import Settings

# No honest size is larger: the largest are 10 million positions.
LARGEST_SIZE = 2**24
# What a model has many of, each a module or an entry of a list that is made before the model is.
LARGEST_COUNT = 2**16
LARGEST_SIDE = 4096  # of a picture, in pixels
LARGEST_WINDOW = 8192  # of sound, in samples, and its seconds
LARGEST_RATE = 2**18  # samples a second
MOST_MODULES = 20_000
# While a model is built its head has weights of its own, which later are those of its embedding.
_TIED = 2

MOST_BEAMS = 16
# Where a prompt counts, too: the longest that models read.
LONGEST_LENGTH = 2**17
_BEAMS = ("num_beams", "num_beam_groups", "num_return_sequences", "num_assistant_tokens", "prompt_lookup_num_tokens")
_TOKENS = ("max_new_tokens", "min_new_tokens", "min_length")
_LENGTHS = ("max_length", "max_cache_len")

_CGROUP = Path("/sys/fs/cgroup")
_NO_SIZE = re.compile(r"theta|seed|param|total|clip|_floor|base$|bias$|val(ue)?$|_token$|(^|_)ids?$|^id2|2id$|^_")
_COUNT = re.compile(r"(^|_)(n|num)_|layer|depth")
_MANY = re.compile(r"vocab|token|word|position|ctx|embedding|entit|sampl|timestep|size|dim")
_SIDE = re.compile(r"^(size|crop_size|pad_size|max_image_size|image_size)$")
_RATE = re.compile(r"sampling_rate|sample_rate")
_WINDOW = re.compile(r"fft|feature_size|mel|hop|win|chunk_length|max_length_s")


def check_config_numbers(written: Any, name: str) -> None:
    """Refuse a number that is larger than any size of a model, anywhere in the parsed JSON `written` of file `name`.

    Raises:
        ModelError: there is one; it names the key.
    """
    for path, value in _list_numbers(written):
        if not any(_NO_SIZE.search(key) for key in path):
            counted = path and _COUNT.search(path[-1]) and not _MANY.search(path[-1])
            _check_number(value, LARGEST_COUNT if counted else LARGEST_SIZE, path, name)


def check_processor_numbers(written: Any, name: str) -> None:
    """Refuse as `check_config_numbers` what would make a picture, a sound or a filter larger than any model's.

    Raises:
        ModelError: there is one; it names the key.
    """
    check_config_numbers(written, name)
    for path, value in _list_numbers(written):
        for pattern, most in ((_SIDE, LARGEST_SIDE), (_WINDOW, LARGEST_WINDOW), (_RATE, LARGEST_RATE)):
            if any(pattern.search(key) for key in path):
                _check_number(value, most, path, name)


def _check_number(value: int, most: int, path: tuple[str, ...], name: str) -> None:
    if value > most:
        raise ModelError(
            f"{name} says {'.'.join(path)[:100]} = {value:,}, and at most {most:,} is taken here: no model needs more. "
            "Correct the file, or pick another model."
        )


def _list_numbers(written: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    """List (keys that lead there, number) of every whole number in parsed JSON."""
    parts: list[tuple[tuple[str, ...], Any]] = [((), written)]
    while parts:
        path, value = parts.pop()
        if isinstance(value, Mapping):
            parts.extend(((*path, str(key)), inner) for key, inner in value.items())
        elif isinstance(value, list):
            parts.extend((path, inner) for inner in value)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield path, value


@contextmanager
def limit_building(most_bytes: int) -> Iterator[None]:
    """Stop this thread from building a model of far more than `most_bytes`, or of more modules than any has.

    Raises:
        ModelError: it would be; in the middle of the building, before a tensor is filled.
    """
    from torch.nn.modules import module as hooks

    thread, found = get_ident(), {"modules": 0, "bytes": 0}

    def count_module(_parent: Any, _name: str, child: Any) -> None:
        if get_ident() == thread and child is not None:
            found["modules"] += 1
            if found["modules"] > MOST_MODULES:
                raise ModelError(
                    f"It has more than {MOST_MODULES:,} layers and parts of layers. Pick a model with fewer."
                )

    def count_tensor(_parent: Any, _name: str, tensor: Any) -> None:
        if get_ident() == thread and tensor is not None:
            found["bytes"] += tensor.numel() * tensor.element_size()
            if found["bytes"] > _TIED * most_bytes:
                raise ModelError(
                    f"Its config describes a model of more than {_TIED * most_bytes / 1e9:.2f} GB, and at most "
                    f"{most_bytes / 1e9:.2f} GB have room here. Pick a smaller model."
                )

    handles = [
        hooks.register_module_module_registration_hook(count_module),
        hooks.register_module_parameter_registration_hook(count_tensor),
        hooks.register_module_buffer_registration_hook(count_tensor),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def count_bytes(model: Any) -> int:
    """Count what the weights of `model`, which may be on the meta device, take with its buffers.

    Those of a quantized checkpoint are counted with four bits where they have sixteen before they are packed.
    """
    tensors = [*model.parameters(), *model.buffers()]
    packed = 4 if getattr(model.config, "quantization_config", None) else 1
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) // packed


def free_bytes(kind: str) -> int:
    """Count the bytes that a process can still have on a device: the container's, not only the machine's."""
    import psutil
    import torch

    if kind not in ("cpu", "mps"):  # Apple's GPU uses the machine's own memory
        free, _ = torch.accelerator.memory.get_memory_info()
        return int(free + torch.accelerator.memory.memory_reserved() - torch.accelerator.memory.memory_allocated())
    free = psutil.virtual_memory().available
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        counted = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        # The page cache of files counts as used, and goes as soon as somebody needs the room.
        used = int((_CGROUP / "memory.current").read_text()) - int(counted["inactive_file"])
    except (OSError, ValueError, KeyError):  # no container, or none with a limit
        return free
    return min(free, limit - used)


def largest_model(settings: Settings) -> int:
    """Return the most bytes that a model can have here, whatever is loaded at the moment."""
    import psutil

    return settings.model_bytes if settings.public else int(psutil.virtual_memory().total)


def build_hollow(config: Any, auto_class: Any, settings: Settings, **options: Any) -> Any:
    """Build the model that a config describes on the meta device, where it takes no memory.

    Raises:
        ModelError: it is larger than any that could be loaded here.
    """
    import torch

    most = largest_model(settings)
    build = getattr(auto_class, "from_config", None)
    if build is None:  # the base of an adapter is loaded with the class that it was trained with
        build = auto_class._from_config
        options.pop("trust_remote_code", None)  # of which only an Auto class knows
    with limit_building(most), torch.device("meta"):
        hollow = build(config, **options)
    needed = count_bytes(hollow)
    if needed > most:
        raise ModelError(
            f"Its config describes a model of {format_bytes(needed)}, and at most {format_bytes(most)} have room here. "
            "Pick a smaller model or dtype."
        )
    return hollow


def limit_generation(model: Any, most_tokens: int) -> None:
    """Lower what the generation configs of `model` and of its parts ask for to what one call may have.

    Those of task_specific_params, which pipelines follow, are lowered, too. Nothing else is changed.
    """
    bounds = {
        **dict.fromkeys(_BEAMS, MOST_BEAMS),
        **dict.fromkeys(_TOKENS, most_tokens),
        **dict.fromkeys(_LENGTHS, LONGEST_LENGTH),
    }
    for config in _list_configs(model):
        _lower(config, bounds)


def _list_configs(model: Any) -> Iterator[Any]:
    for part in model.modules():
        if "generation_config" in vars(part):
            yield part.generation_config
        config = vars(part).get("config")
        yield getattr(config, "task_specific_params", None)


def _lower(config: Any, bounds: Mapping[str, int], depth: int = 0) -> None:
    """Lower the numbers of a generation config, or of one that is part of it (Bark has three)."""
    from transformers import GenerationConfig

    if depth > 4 or not isinstance(config, dict | GenerationConfig):
        return
    values = config if isinstance(config, dict) else vars(config)
    for name, value in values.items():
        if name in bounds and isinstance(value, int | float) and value > bounds[name]:
            values[name] = bounds[name]
        else:
            _lower(value, bounds, depth + 1)


def format_bytes(number: int) -> str:
    """Write bytes as a person reads them."""
    return f"{number / 1e9:.2f} GB" if number >= 1e7 else f"{number / 1e6:.2f} MB"
