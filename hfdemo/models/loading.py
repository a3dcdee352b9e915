"""From a reference to a model that can run, with an honest report of what was loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfdemo.devices import Device, find_device
from hfdemo.errors import ModelError
from hfdemo.heavy import import_libraries
from hfdemo.models.hub import Progress
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import local_folder
from hfdemo.settings import Settings

# transformers writes "no limit known" as 1e30.
NO_LIMIT = 1_000_000
_POSITIONS_AFTER_PADDING = (
    *("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "data2vec-text", "xmod"),
    *("longformer", "mpnet", "ibert", "luke", "mluke", "esm", "lilt", "layoutlmv3", "bigbird_roberta"),
)


@dataclass(frozen=True)
class LoadReport:
    """What happened to the weights: parameters made up on the spot, left over, or of the wrong shape.

    `lost` counts tensors of an adapter that found no layer here: what they learned is not in the model.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    untrained: bool = False
    adapter: bool = False
    lost: int = 0

    @property
    def trustworthy(self) -> bool:
        """False when part of what the model computes with is random."""
        return not (self.untrained or self.missing or self.mismatched or self.lost)

    def __str__(self) -> str:
        if self.untrained:
            return "Every weight is random: only the architecture was taken. The output is noise until it is trained."
        said = []
        if self.adapter:
            lost = f", but {self.lost} of its tensors fit nowhere: use it for its own task" if self.lost else ""
            said.append(f"A LoRA adapter was merged into its base model{lost}.")
        made_up = self.missing + self.mismatched
        if made_up:
            were = "weight was" if len(made_up) == 1 else "weights were"
            said.append(
                f"{len(made_up)} {were} newly initialised: {_listed(made_up)}. Train it before you trust the output."
            )
        else:
            said.append("Every weight came from the checkpoint.")
        if self.unexpected:
            said.append(f"{len(self.unexpected)} in the checkpoint had no place here: {_listed(self.unexpected)}.")
        return " ".join(said)


def _listed(names: tuple[str, ...], shown: int = 4) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest


@dataclass(frozen=True)
class LoadedModel:
    """A model on its device, with its tokenizer and what is known of both."""

    ref: ModelRef
    model: Any
    tokenizer: Any
    device: Device
    report: LoadReport
    folder: Path
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        tensors = [*self.model.parameters(), *self.model.buffers()]
        object.__setattr__(self, "bytes", sum(t.numel() * t.element_size() for t in tensors))

    def card(self) -> dict[str, Any]:
        """What a person should know of the model, as plain JSON values."""
        return {
            "model": str(self.ref),
            "architecture": type(self.model).__name__,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": str(self.device),
            "bytes": self.bytes,
            "labels": list(self.model.config.id2label.values()) if hasattr(self.model.config, "id2label") else [],
            "load_report": str(self.report),
            "trustworthy": self.report.trustworthy,
        }


def load(
    ref: ModelRef,
    model_class: str,
    settings: Settings,
    *,
    device: Device | None = None,
    progress: Progress | None = None,
    **config_overrides: Any,
) -> LoadedModel:
    """Load `ref` as the Auto class called `model_class`, in evaluation mode, on `device` (default: the one at hand).

    `config_overrides` change the config before the weights are read: `num_labels=6`, `id2label=...`. A head whose
    shape no longer fits is initialised anew, and the report says so.

    Raises:
        ModelError: the reference can't be found, read or loaded as this class.
    """
    # First of all: without a network this says so at once, before seconds of imports.
    folder = local_folder(ref, settings, progress)
    import_libraries()
    import transformers
    from safetensors import SafetensorError

    auto_class = getattr(transformers, model_class)
    device = device or find_device()
    try:
        config = load_config(folder, settings, **config_overrides)
        if ref.source == "untrained":
            model, report = auto_class.from_config(config, trust_remote_code=False), LoadReport(untrained=True)
        else:
            model, report = _load_trained(folder, config, auto_class, settings)
        model.eval().to(device.kind)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"{ref} can't be loaded as {model_class}: {_first_sentence(error)} "
            "Pick a model made for this task, or another task."
        ) from error
    tokenizer = tokenizer_in(folder, settings)
    readable = readable_length(model.config, tokenizer)
    if readable is not None:
        # What the tokenizer truncates to is what the model can read, whatever their files say.
        tokenizer.model_max_length = readable
    return LoadedModel(ref, model, tokenizer, device, report, folder)


def readable_length(config: Any, tokenizer: Any) -> int | None:
    """The most tokens that both the tokenizer and the model's positions allow; None when neither knows a limit.

    RoBERTa and its kin count positions from the padding id on, so that many of their positions are never used.
    """
    positions = getattr(config, "max_position_embeddings", None)
    if positions and config.model_type in _POSITIONS_AFTER_PADDING:
        positions -= (config.pad_token_id or 0) + 1
    limits = [limit for limit in (tokenizer.model_max_length, positions) if limit and 0 < limit < NO_LIMIT]
    return min(limits) if limits else None


def load_config(folder: Path, settings: Settings, **overrides: Any) -> Any:
    """The config in `folder`; for an adapter without one of its own, that of its base model."""
    import_libraries()
    from transformers import AutoConfig

    if folder.is_dir() and not (folder / "config.json").is_file():
        folder = local_folder(adapter_base(folder), settings)
    return AutoConfig.from_pretrained(folder, trust_remote_code=False, **overrides)


def architectures(ref: ModelRef, settings: Settings) -> list[str]:
    """The classes that the config of `ref` names, the one it was saved as first.

    Raises:
        ModelError: the reference can't be found, or its config can't be read.
    """
    folder = local_folder(ref, settings, weights=False)
    import_libraries()
    try:
        return list(load_config(folder, settings).architectures or [])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The config of {ref} can't be read: {_first_sentence(error)}") from error


def load_tokenizer(ref: ModelRef, settings: Settings) -> Any:
    """The tokenizer of `ref`.

    Raises:
        ModelError: the reference can't be found, or has no tokenizer files.
    """
    return tokenizer_in(local_folder(ref, settings, weights=False), settings)


def tokenizer_in(folder: Path, settings: Settings) -> Any:
    """The tokenizer in `folder`; an adapter has its base model's, a bare config.json the embedded one.

    Raises:
        ModelError: there are no tokenizer files.
    """
    import_libraries()
    from transformers import AutoTokenizer

    folder = tokenizer_folder(folder, settings)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"There is no tokenizer that can be loaded: {_first_sentence(error)}") from error


def tokenizer_folder(folder: Path, settings: Settings) -> Path:
    """Where the tokenizer of the model in `folder` lies."""
    if folder.is_file():
        return local_folder(ModelRef("embedded", "minilm"), settings, weights=False)
    if (folder / "adapter_config.json").is_file() and not (folder / "tokenizer_config.json").is_file():
        base = local_folder(adapter_base(folder), settings, weights=False)
        return tokenizer_folder(base, settings)
    return folder


@contextmanager
def readable_panics() -> Iterator[None]:
    """Turn what a tokenizer throws at hopeless input into a sentence.

    Its Rust core panics with a BaseException, which `except Exception` lets through and a server leaves unanswered.

    Raises:
        ModelError: whatever was thrown, but for what is meant to end the process.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise ModelError(
            f"The tokenizer can't do this: {_first_sentence(error)} Change the text, the length or the stride."
        ) from error


def adapter_base(folder: Path) -> ModelRef:
    """The reference of the model that the adapter in `folder` was trained on."""
    import json

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return ModelRef.parse(config["base_model_name_or_path"])


def _load_trained(folder: Path, config: Any, auto_class: Any, settings: Settings) -> tuple[Any, LoadReport]:
    """A checkpoint, or an adapter on whatever its base is (which may be an adapter again)."""
    if (folder / "adapter_config.json").is_file():
        return _load_adapter(folder, config, auto_class, settings)
    return _load_weights(folder, config, auto_class, settings)


def _load_weights(folder: Path, config: Any, auto_class: Any, settings: Settings) -> tuple[Any, LoadReport]:
    from transformers.utils import logging

    # The library prints the same report as a table; here it is returned instead.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, info = auto_class.from_pretrained(
            folder,
            config=config,
            trust_remote_code=False,
            use_safetensors=True if settings.public else None,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(verbosity)
    return model, LoadReport(
        missing=tuple(sorted(info["missing_keys"])),
        unexpected=tuple(sorted(info["unexpected_keys"])),
        mismatched=tuple(sorted(key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"])),
    )


def _load_adapter(folder: Path, config: Any, auto_class: Any, settings: Settings) -> tuple[Any, LoadReport]:
    """The adapter in `folder`, merged into its base.

    An adapter is tied to the class that it was trained on: its tensors are named by it. Where only the backbone is
    asked for, that class is loaded all the same and its backbone handed out.
    """
    import transformers
    from peft import PeftModel
    from safetensors import safe_open

    backbone_only = auto_class is transformers.AutoModel
    if backbone_only:
        own_class = getattr(transformers, (config.architectures or [""])[0], None)
        if own_class is None:
            raise ModelError("The adapter's config.json does not say which class it was trained on.")
        auto_class = own_class
    base, report = _load_trained(local_folder(adapter_base(folder), settings), config, auto_class, settings)
    shapes = {name: tuple(tensor.shape) for name, tensor in base.state_dict().items()}
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
        stored = {name.removeprefix("base_model.model."): tuple(file.get_slice(name).get_shape()) for name in names}
    mismatched = {name for name in stored if name in shapes and stored[name] != shapes[name]}
    layers = {name.rsplit(".", 1)[0] for name in shapes}
    unplaced = {name for name in stored if name not in shapes and name.split(".lora_")[0] not in layers}
    model = PeftModel.from_pretrained(base, folder, ignore_mismatched_sizes=True).merge_and_unload()
    restored = set(stored) - mismatched
    merged = LoadReport(
        missing=tuple(name for name in report.missing if name not in restored | mismatched),
        unexpected=tuple(sorted({*report.unexpected, *unplaced})),
        mismatched=tuple(sorted(mismatched | (set(report.mismatched) - restored))),
        adapter=True,
        lost=len(unplaced),
    )
    return (model.base_model if backbone_only else model), merged


def _first_sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    head = text.split(". ")[0].rstrip(".")
    return f"{head[:300]}."
