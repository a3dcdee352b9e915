"""From a reference to a model that can run, with an honest report of what was loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hfdemo.devices import Device, find_device
from hfdemo.errors import ModelError, wrap_library_errors
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.folders import FileIdentity, adapter_bases, can_change, identify_files, local_folder, name_changes
from hfdemo.models.hub import Progress
from hfdemo.models.library_warnings import collect_library_warnings
from hfdemo.models.model_facts import load_config, readable_length
from hfdemo.models.processors import load_processors
from hfdemo.models.reference import ModelRef
from hfdemo.models.size_limits import limit_generation
from hfdemo.models.weight_files import find_adapter_labels
from hfdemo.models.weights import (
    BuildPlan,
    LoadReport,
    build_model,
    build_on_meta_device,
    unmap_weights,
)
from hfdemo.settings import Settings
from hfdemo.tasks import find_task_for_architectures

DTYPES = ("auto", "float32", "bfloat16", "float16")
ATTENTIONS = ("eager", "sdpa", "flash_attention_2")


@dataclass(frozen=True)
class Need:
    """What a task asks of a checkpoint.

    `classes` are Auto classes in order of preference: the first that knows the architecture is taken. `processors`
    are those that its pipeline uses: "tokenizer", "image_processor", "feature_extractor" or "processor"; with a "?"
    at the end it is left out where the checkpoint has none. `dtype` is one of DTYPES: "auto" is float32 on the CPU
    and the checkpoint's own elsewhere. `attention` is one of ATTENTIONS, or None for the library's choice.
    `labels` give the model a head for these, a new one where its own has another size: what a training begins with.
    """

    classes: tuple[str, ...]
    processors: tuple[str, ...] = ("tokenizer",)
    dtype: str = "auto"
    attention: str | None = None
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, need: Need | str) -> Need:
        """Return `need` itself; a bare name of an Auto class needs that class and a tokenizer."""
        return cls((need,)) if isinstance(need, str) else need


@dataclass(frozen=True)
class LoadedModel:
    """A model on its device, with its processors and what is known of both; `auto_class` is what loaded it.

    `warnings` are sentences about what may not fit together; `files` are those that it was read from, where they can
    change; `bytes` is what its tensors take.
    """

    ref: ModelRef
    need: Need
    auto_class: str
    model: Any
    processors: Mapping[str, Any]
    device: Device
    report: LoadReport
    folder: Path
    warnings: tuple[str, ...] = ()
    files: FileIdentity = field(default_factory=dict)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        tensors = [*self.model.parameters(), *self.model.buffers()]
        object.__setattr__(self, "bytes", sum(t.numel() * t.element_size() for t in tensors))

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, its own or the processor's; None where there is none."""
        return _find_processor(self.processors, "tokenizer")

    @property
    def image_processor(self) -> Any:
        """The image processor, its own or the processor's; None where there is none."""
        return _find_processor(self.processors, "image_processor")

    @property
    def feature_extractor(self) -> Any:
        """The feature extractor, its own or the processor's; None where there is none."""
        return _find_processor(self.processors, "feature_extractor")

    @property
    def sampling_rate(self) -> int | None:
        """Samples per second of the audio that the feature extractor takes; None where there is none."""
        return getattr(self.feature_extractor, "sampling_rate", None)

    @property
    def context(self) -> int | None:
        """The most tokens that it reads at once; None where no limit is known."""
        return None if self.tokenizer is None else readable_length(self.model.config, self.tokenizer)

    def card(self) -> dict[str, Any]:
        """Return what a person should know of the model, as plain JSON values."""
        templates = [getattr(part, "chat_template", None) for part in (*self.processors.values(), self.tokenizer)]
        return {
            "model": str(self.ref),
            "architecture": type(self.model).__name__,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": getattr(self.model.config, "_attn_implementation", None),
            "device": str(self.device),
            "bytes": self.bytes,
            "context": self.context,
            "chat_template": any(templates),
            "labels": list(self.model.config.id2label.values()) if hasattr(self.model.config, "id2label") else [],
            "load_report": str(self.report),
            "trustworthy": self.report.is_trustworthy,
            "warnings": list(self.warnings),
        }


def load_model(
    ref: ModelRef,
    need: Need | str,
    settings: Settings,
    *,
    device: Device | None = None,
    progress: Progress | None = None,
    turn: AbstractContextManager[None] | None = None,
    **config_overrides: Any,
) -> LoadedModel:
    """Load what `need` asks of `ref`, the model in evaluation mode, on `device` (default: the one at hand).

    The library changes torch's default dtype for the whole process while it builds a model: `turn` is entered around
    that, so that no model computes meanwhile.

    `config_overrides` change the config before the weights are read: `num_labels=6`, `id2label=...`. A head whose
    shape no longer fits is initialised anew, and the report says so.

    Raises:
        ModelError: the reference can't be found, read or loaded this way.
        NotEnoughMemory: the weights are larger than what is free.
    """
    # First of all: without a network this says so at once, before seconds of imports.
    folder = local_folder(ref, settings, progress)
    if folder.is_file() and ref.source != "untrained":
        raise ModelError(f"{ref} is a config without weights. Write untrained:{ref} for random ones.")
    files = identify_files(folder, settings) if can_change(ref) else {}
    import_libraries()
    need = Need.of(need)
    device = device or find_device()
    with _name_model_in_errors(ref), collect_library_warnings() as said:
        # In order of cost: what can be refused for a wrong kind is refused before gigabytes are read.
        config, note = _configure(folder, need, settings, config_overrides)
        auto_class = _choose_auto_class(config, need)
        _check_attention(config, auto_class, need)
        processors = load_processors(folder, need.processors, settings)
        plan = BuildPlan(
            config, auto_class, _choose_dtype(config, need, device), need.attention, device, settings, progress
        )
        with wrap_library_errors(
            f"It can't be loaded as {auto_class.__name__}", "Pick a model made for this task, or another task."
        ):
            for base in adapter_bases(folder, settings):
                local_folder(base, settings, progress)  # while nobody waits for the turn
            with turn or nullcontext():
                model, report = build_model(folder, plan, untrained=ref.source == "untrained")
            limit_generation(model, settings.max_new_tokens)
        if files:
            unmap_weights(model)
            check_unchanged(folder, files, settings)
    tokenizer = _find_processor(processors, "tokenizer")
    warnings = (*note, *_list_warnings(folder, model, tokenizer, device), *said)
    loaded = LoadedModel(
        ref, need, auto_class.__name__, model, MappingProxyType(processors), device, report, folder, warnings, files
    )
    if loaded.context is not None:
        # What the tokenizer truncates to is what the model can read, whatever their files say.
        tokenizer.model_max_length = loaded.context
    return loaded


def check_unchanged(folder: Path, files: FileIdentity, settings: Settings) -> None:
    """Make sure that nobody wrote into `folder` while `files` were read from it.

    Raises:
        ModelError: somebody did.
    """
    now = identify_files(folder, settings)
    if now != files:
        raise ModelError(
            f"Its files changed while they were read ({name_changes(files, now)}). Try again when they are written."
        )


def load_on_meta_device(
    ref: ModelRef, folder: Path, need: Need | str, settings: Settings, **config_overrides: Any
) -> LoadedModel:
    """Load what `need` asks of `ref` in `folder` as `load_model` does, but without weights: on torch's meta device.

    Raises:
        ModelError: the config or a processor can't be read, or `need` does not fit the architecture.
        BuildingBusy: another model is being built, and that takes long.
    """
    import_libraries()
    need = Need.of(need)
    with _name_model_in_errors(ref):
        config = load_config(folder, settings, **config_overrides)
        auto_class = _choose_auto_class(config, need)
        processors = load_processors(folder, need.processors, settings)
        with wrap_library_errors(
            f"It can't be loaded as {auto_class.__name__}", "Pick a model made for this task, or another task."
        ):
            model = build_on_meta_device(config, auto_class, settings)
    meta = Device("meta", "no device")
    return LoadedModel(ref, need, auto_class.__name__, model, MappingProxyType(processors), meta, LoadReport(), folder)


@contextmanager
def _name_model_in_errors(ref: ModelRef) -> Iterator[None]:
    """Name the model in errors from further inside, which don't know of which one they speak."""
    try:
        yield
    except ModelError as error:
        error.args = (f"{ref}: {error}",)
        raise


def _find_processor(processors: Mapping[str, Any], name: str) -> Any:
    own = processors.get(name)
    return own if own is not None else getattr(processors.get("processor"), name, None)


def _choose_auto_class(config: Any, need: Need) -> Any:
    """Choose the Auto class that makes what the config was saved as, else the first that knows its kind of model."""
    import transformers
    from transformers.models.auto.auto_factory import _get_model_class

    classes = [getattr(transformers, name) for name in need.classes]
    fitting = [auto_class for auto_class in classes if type(config) in auto_class._model_mapping]
    for auto_class in fitting:
        if _get_model_class(config, auto_class._model_mapping).__name__ in (config.architectures or []):
            return auto_class
    if fitting:
        return fitting[0]
    named = ", ".join(config.architectures or []) or type(config).__name__
    task, _ = find_task_for_architectures(config.architectures or [])
    raise ModelError(
        f"This is a {named} ({config.model_type}), which can't be loaded as {' or '.join(need.classes)}. "
        f"It fits the task {task.name}. Pick that task, or a model made for this one."
    )


def _configure(folder: Path, need: Need, settings: Settings, overrides: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Return the config of the model in `folder` for the labels that it is to have, and what there is to say of them.

    An adapter without a config of its own has that of its base, which may not be for the labels of its own head.
    """
    if need.labels:
        return load_config(folder, settings, **overrides, **_name_labels(need.labels)), []
    config = load_config(folder, settings, **overrides)
    own = None if overrides or (folder / "config.json").is_file() else find_adapter_labels(folder)
    if own is None or own == config.num_labels:
        return config, []
    said = (
        f"The adapter has a head for {own:,} labels and no config.json that names them, so they are called LABEL_0 "
        f"to LABEL_{own - 1}. Save the config of the model that was trained beside the adapter."
    )
    return load_config(folder, settings, **_name_labels([f"LABEL_{index}" for index in range(own)])), [said]


def _name_labels(labels: Sequence[str]) -> dict[str, Any]:
    """Return the overrides of a config that give it `labels`."""
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {name: index for index, name in enumerate(labels)},
    }


def _check_attention(config: Any, auto_class: Any, need: Need) -> None:
    from transformers.models.auto.auto_factory import _get_model_class
    from transformers.utils import is_flash_attn_2_available

    if need.attention is None:
        return
    model_class = _get_model_class(config, auto_class._model_mapping)
    known = {"eager": True, "sdpa": model_class._supports_sdpa, "flash_attention_2": model_class._supports_flash_attn}
    supported = ", ".join(name for name, there in known.items() if there)
    if not known.get(need.attention):
        raise ModelError(
            f"{model_class.__name__} has no {need.attention!r} attention. It has: {supported}. "
            "Pick one of these, or leave the choice to the library."
        )
    if need.attention == "flash_attention_2" and not is_flash_attn_2_available():
        raise ModelError(
            "flash_attention_2 needs a CUDA GPU and the package flash-attn, and they are not both here. "
            f"{model_class.__name__} has: {supported}. Pick another of these."
        )


def _choose_dtype(config: Any, need: Need, device: Device) -> str:
    if need.dtype not in DTYPES:
        raise ModelError(f"There is no dtype {need.dtype!r}. Pick one of: {', '.join(DTYPES)}.")
    # Every CPU is good at float32 and few are at half precision; a quantized checkpoint has to stay what it is.
    if need.dtype == "auto" and device.kind == "cpu" and not getattr(config, "quantization_config", None):
        return "float32"
    return need.dtype


def _list_warnings(folder: Path, model: Any, tokenizer: Any, device: Device) -> Iterator[str]:
    from torch.nn import Embedding

    if device.kind == "cpu" and str(model.dtype) == "torch.float16":
        yield "float16 is slow on a CPU, and some layers can't compute in it there. float32 is the better choice."
    if tokenizer is None:
        return
    if folder.is_file():
        yield "A bare config.json has no tokenizer of its own, so this is embedded:minilm's."
    try:
        embedding = model.get_input_embeddings()
    except NotImplementedError:  # of sound or images
        return
    if not isinstance(embedding, Embedding):
        return
    if len(tokenizer) > embedding.num_embeddings:
        yield (
            f"The tokenizer has {len(tokenizer):,} tokens and the model knows {embedding.num_embeddings:,}: they come "
            "from different checkpoints, and texts with tokens beyond that fail. Use the model's own tokenizer."
        )
    elif folder.is_dir():
        ours, its = _origin_id(folder / "config.json"), _origin_id(folder / "tokenizer_config.json")
        if ours and its and ours != its and len(tokenizer) != embedding.num_embeddings:
            yield f"The model was made from {ours} and its tokenizer from {its}. Check that they belong together."


def _origin_id(path: Path) -> str | None:
    """Return the Hub id that a saved file says it was made from; a folder on somebody's machine says nothing."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        ref = ModelRef.parse(written.get("_name_or_path") or written.get("name_or_path") or "")
    except (OSError, ValueError, AttributeError, ModelError):
        return None
    return ref.name if ref.source == "hub" else None
