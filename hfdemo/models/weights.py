"""A checkpoint's weights on their way into a model: whether they fit, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from hfdemo.devices import Device
from hfdemo.errors import DemoError, ModelError
from hfdemo.models.adapter_limits import check_adapter
from hfdemo.models.folders import adapter_base, local_folder
from hfdemo.models.hub import Progress
from hfdemo.models.size_limits import build_hollow, count_bytes, format_bytes, free_bytes, limit_building
from hfdemo.models.weight_files import (
    count_tensor_bytes,
    find_adapter_file,
    find_adapter_kind,
    read_tensor_headers,
    require_weights,
)
from hfdemo.settings import Settings


@dataclass(frozen=True)
class LoadReport:
    """What happened to the weights: parameters made up on the spot, left over, or of the wrong shape.

    `adapter` is the kind of the adapter that was merged, "" without one; `lost` counts tensors of it that found no
    layer here: what they learned is not in the model.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    untrained: bool = False
    adapter: str = ""
    lost: int = 0

    @property
    def is_trustworthy(self) -> bool:
        """False when part of what the model computes with is random."""
        return not (self.untrained or self.missing or self.mismatched or self.lost)

    def __str__(self) -> str:
        if self.untrained:
            return "Every weight is random: only the architecture was taken. The output is noise until it is trained."
        said = []
        if self.adapter:
            lost = f", but {self.lost} of its tensors fit nowhere: use it for its own task" if self.lost else ""
            article = "An" if self.adapter[0] in "AEIO" else "A"
            said.append(f"{article} {self.adapter} adapter was merged into its base model{lost}.")
        if self.missing:
            were = "weight was" if len(self.missing) == 1 else "weights were"
            said.append(f"{len(self.missing)} {were} newly initialised: {_join_names(self.missing)}.")
        if self.mismatched:
            have = "weight has" if len(self.mismatched) == 1 else "weights have"
            said.append(
                f"{len(self.mismatched)} {have} another shape in the checkpoint than its config asks for, and began "
                f"anew: {_join_names(self.mismatched)}."
            )
        if self.missing or self.mismatched:
            said.append("Train it before you trust the output.")
        else:
            said.append("Every weight came from the checkpoint.")
        if self.unexpected:
            said.append(f"{len(self.unexpected)} in the checkpoint had no place here: {_join_names(self.unexpected)}.")
        return " ".join(said)


def _join_names(names: tuple[str, ...], shown: int = 4) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest


# transformers changes torch's default dtype, torch's init functions and its own progress bars for the whole process
# while it builds a model: two built at once can come out with uninitialised weights. What guards that is global, too.
_BUILDING = Lock()
# That somebody who only wants to know waits for a model that is being loaded, which can take minutes.
_BUSY_SECONDS = 5.0


class NotEnoughMemory(ModelError):
    """The weights don't fit: `needed` and `free` are bytes."""

    def __init__(self, needed: int, free: int, device: str) -> None:
        super().__init__(
            f"The weights need {format_bytes(needed)} of memory and {format_bytes(free)} are free on {device}. "
            "Unload other models, or pick a smaller model or dtype."
        )
        self.needed = needed
        self.free = free


class BuildingBusy(DemoError):
    """Another model is being built: nothing is wrong, and nothing is known either."""


@dataclass(frozen=True)
class BuildPlan:
    """How a model is to be built; `dtype` is a torch dtype's name or "auto", `attention` None for the default."""

    config: Any
    auto_class: Any
    dtype: str
    attention: str | None
    device: Device
    settings: Settings
    progress: Progress | None = None

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments that from_pretrained and from_config share."""
        chosen = {} if self.attention is None else {"attn_implementation": self.attention}
        return {"trust_remote_code": False, **chosen}


def build_model(folder: Path, plan: BuildPlan, *, untrained: bool) -> tuple[Any, LoadReport]:
    """Build the model on its device in evaluation mode, from the weights in `folder` or with random ones.

    Raises:
        ModelError: the weights are missing, damaged, pickled where that is refused, or larger than the free memory.
    """
    with _BUILDING:
        model, report = _build_random(plan) if untrained else _load_trained(folder, plan)
        return model.eval().to(plan.device.kind), report


def unmap_weights(model: Any) -> None:
    """Copy the tensors of `model` into memory of their own: the library leaves them in the file, which may change."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()


def _count_described(plan: BuildPlan) -> int:
    """Count the bytes of the model that the config describes, whatever its files hold.

    Raises:
        ModelError: it is larger than any that could be loaded here.
    """
    return count_bytes(build_hollow(plan.config, plan.auto_class, plan.settings, **_options_of_dtype(plan)))


def _options_of_dtype(plan: BuildPlan) -> dict[str, Any]:
    import torch

    return plan.options() | ({} if plan.dtype == "auto" else {"dtype": getattr(torch, plan.dtype)})


def _check_memory(needed: int, plan: BuildPlan) -> None:
    # An accelerator's model passes through the machine's own memory.
    for kind, name in {"cpu": "the CPU", plan.device.kind: plan.device.name}.items():
        free = free_bytes(kind)
        if needed > free:
            raise NotEnoughMemory(needed, free, name)


def _build_random(plan: BuildPlan) -> tuple[Any, LoadReport]:
    _check_memory(_count_described(plan), plan)
    return plan.auto_class.from_config(plan.config, **_options_of_dtype(plan)), LoadReport(untrained=True)


def build_on_meta_device(config: Any, auto_class: Any, settings: Settings) -> Any:
    """Build a model on torch's meta device: its modules and shapes, and no weights.

    Raises:
        ModelError: the config describes more than could ever be loaded here.
        BuildingBusy: another model is being built, and that takes long.
    """
    import torch

    if not _BUILDING.acquire(timeout=_BUSY_SECONDS):
        raise BuildingBusy("Another model is being loaded. Try again when it is here.")
    try:
        # A dtype of its own would change torch's default for every model that computes meanwhile.
        return build_hollow(config, auto_class, settings, dtype=torch.get_default_dtype(), trust_remote_code=False)
    finally:
        _BUILDING.release()


def _load_trained(folder: Path, plan: BuildPlan) -> tuple[Any, LoadReport]:
    """Load a checkpoint, or an adapter on whatever its base is (which may be an adapter again)."""
    if (folder / "adapter_config.json").is_file():
        return _merge_adapter(folder, plan)
    files = require_weights(folder, plan.settings)
    if files[0].suffix == ".bin":
        sizes: Mapping[str, int] = {}
        stored = sum(path.stat().st_size for path in files)
    else:
        tensors = list(read_tensor_headers(files))
        width = {"float32": 4, "float16": 2, "bfloat16": 2}.get(plan.dtype)
        stored = sum(count_tensor_bytes(kind, shape, width) for _, kind, shape in tensors)
        sizes = {name: count_tensor_bytes(kind, shape) for name, kind, shape in tensors}
    _check_memory(stored, plan)  # what the files say of themselves costs nothing to know
    _check_memory(_count_described(plan), plan)
    return _load_from_pretrained(folder, plan, sizes)


def _load_from_pretrained(folder: Path, plan: BuildPlan, sizes: Mapping[str, int]) -> tuple[Any, LoadReport]:
    from pickle import UnpicklingError

    try:
        with _report_library_progress(_make_progress_hook(sizes, plan.progress or (lambda *step: None))):
            model, info = plan.auto_class.from_pretrained(
                folder,
                config=plan.config,
                dtype=plan.dtype,
                use_safetensors=True if plan.settings.public else None,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **plan.options(),
            )
    except UnpicklingError as error:
        raise ModelError(
            "The pickled weights hold more than tensors, and opening them would run whatever they hold. "
            "Ask for the model as safetensors, or pick another."
        ) from error
    return model, LoadReport(
        missing=tuple(sorted(info["missing_keys"])),
        unexpected=tuple(sorted(info["unexpected_keys"])),
        mismatched=tuple(sorted(key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"])),
    )


@contextmanager
def _report_library_progress(hook: Callable[..., Any]) -> Iterator[None]:
    """Send the library's progress to `hook`."""
    from transformers.utils import logging

    before = logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def _make_progress_hook(sizes: Mapping[str, int], progress: Progress) -> Callable[..., Any]:
    """Return what the library calls in place of tqdm: the weights are counted in bytes, and nothing is drawn."""

    def hook(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs.get("desc") != "Loading weights":
            return factory(*args, **kwargs)
        return counted(args[0])

    def counted(weights: Any) -> Iterator[Any]:
        done, total = 0, sum(sizes.values())
        for name, source in weights:
            read = set().union(*source.layer_targets.values())
            yield name, source
            done += sum(sizes.get(tensor, 0) for tensor in read)
            progress("Loading weights", done, total)
        progress("Loading weights", total, total)

    return hook


def _belongs(name: str, layers: Set[str]) -> bool:
    """Return whether a tensor of an adapter is one layer's, whatever its kind calls it, or is shared by all layers."""
    parts = name.split(".")
    return name.startswith("base_model.vera_") or any(".".join(parts[:end]) in layers for end in range(1, len(parts)))


def _merge_adapter(folder: Path, plan: BuildPlan) -> tuple[Any, LoadReport]:
    """Merge the adapter in `folder` into its base.

    An adapter is tied to the class that it was trained on: its tensors are named by it. Where only the backbone is
    asked for, that class is loaded all the same and its backbone handed out.
    """
    import transformers
    from peft import PeftModel

    weights = find_adapter_file(folder)
    backbone_only = plan.auto_class is transformers.AutoModel
    if backbone_only:
        own_class = getattr(transformers, (plan.config.architectures or [""])[0], None)
        if own_class is None:
            raise ModelError("The adapter's config.json does not say which class it was trained on.")
        plan = replace(plan, auto_class=own_class)
    stored = {name.removeprefix("base_model.model."): shape for name, _, shape in read_tensor_headers([weights])}
    check_adapter(folder / "adapter_config.json", max(map(max, filter(None, stored.values())), default=1))
    base, report = _load_trained(local_folder(adapter_base(folder), plan.settings, plan.progress), plan)
    shapes = {name: tuple(tensor.shape) for name, tensor in base.state_dict().items()}
    mismatched = {name for name in stored if name in shapes and stored[name] != shapes[name]}
    layers = {name.rsplit(".", 1)[0] for name in shapes}
    unplaced = {name for name in stored if name not in shapes and not _belongs(name, layers)}
    kind = find_adapter_kind(folder)
    with limit_building(free_bytes("cpu") // 4):  # which it takes while it is built
        model = PeftModel.from_pretrained(base, folder, ignore_mismatched_sizes=True).merge_and_unload()
    restored = set(stored) - mismatched
    merged = LoadReport(
        missing=tuple(name for name in report.missing if name not in restored | mismatched),
        unexpected=tuple(sorted({*report.unexpected, *unplaced})),
        mismatched=tuple(sorted(mismatched | (set(report.mismatched) - restored))),
        adapter=kind,
        lost=len(unplaced),
    )
    return (model.base_model if backbone_only else model), merged
