"""What the form holds, by the names of its fields, as a RunConfig, and back."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.splits import SPLITS, normalize_split_name
from hfdemo.errors import DemoError
from hfdemo.finetuning.argument_checks import check_range, is_seed
from hfdemo.finetuning.arguments import COMMON, METHODS
from hfdemo.finetuning.config import LORA, RunConfig, list_columns
from hfdemo.finetuning.dataset.splitting import VALIDATION_SHARE
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS, kinds_of_task
from hfdemo.finetuning.launcher import command
from hfdemo.tokenization.padding import LONGEST_IN_BATCH
from hfdemo.ui.read_options import header_choice, parse_read_options

Values = Mapping[str, Any]
NO_COLUMN = "(none)"
NO_SPLIT = "(none)"
EQUAL, BALANCED = "all labels count the same", "balanced"
OWN_METRIC = "(the task's own)"
# The fields that say how a data set is read: those of one say nothing of another.
READING = ("layout", "encoding", "header")
SHORTEST = 3  # tokens: below, max_length leaves no room for words

# Fields of the form that are TrainingArguments, and those of which the form always says the value.
TRAINING: Mapping[str, str] = MappingProxyType(
    {
        "epochs": "num_train_epochs",
        "batch": "per_device_train_batch_size",
        "rate": "learning_rate",
        "accumulation": "gradient_accumulation_steps",
        "warmup": "warmup_steps",
        "weight_decay": "weight_decay",
        "seed": "seed",
        "smoothing": "label_smoothing_factor",
        "best_metric": "metric_for_best_model",
    }
)
# How the form calls those of them that are numbers.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "epochs": "Epochs",
        "batch": "Batch size",
        "rate": "Learning rate",
        "accumulation": "Gradient accumulation",
        "warmup": "Warm-up",
        "weight_decay": "Weight decay",
        "seed": "Seed",
        "smoothing": "Label smoothing",
        "patience": "Early stopping patience",
        "processes": "Processes",
    }
)
# What each does, for somebody who has never trained a model; the library's own words stand in the table of all fields.
HINTS: Mapping[str, str] = MappingProxyType(
    {
        "epochs": "Passes over all rows. Too many learn them by heart (overfitting).",
        "batch": "Rows per step. Larger is steadier and takes more memory.",
        "rate": "Larger learns faster; too large forgets what the model knew.",
        "accumulation": "Batches per step: as good as a larger batch, in the memory of a small one.",
        "warmup": "Steps in which the learning rate grows from 0; below 1, their share of all steps.",
        "weight_decay": "Pulls the weights a little towards 0, against learning by heart.",
        "seed": "All chance begins with it: the same seed trains the same model.",
        "smoothing": "Above 0 the model is asked to be less sure: of use where some labels may be wrong.",
    }
)
_LOWEST: Mapping[str, int] = MappingProxyType({"patience": 0, "processes": 1})
_ALWAYS = ("epochs", "batch", "rate")
_SHOWN: Mapping[str, Any] = MappingProxyType({"best_metric": str})
_MODULE = re.compile(r"[\w.-]+")
# What the form opens with; a training value that is like this needs no mention in a config.
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "file": None,
        "dataset": EXAMPLE_NAMES[0],
        "dataset_config": "",
        "layout": "",
        "encoding": "",
        "header": "",
        "kind": DEFAULT_KIND.name,
        "text": None,
        "pair": NO_COLUMN,
        "label": (),
        "split": NO_COLUMN,
        "found": (),
        **dict.fromkeys(("train_split", "validation_split", "test_split"), NO_SPLIT),
        "validation_share": VALIDATION_SHARE,
        "test_share": 0,
        "labels": None,
        "positive": None,
        "fixes": (),
        "model": "embedded:minilm",
        "method": METHODS[0],
        "lora_r": LORA["r"],
        "lora_alpha": LORA["lora_alpha"],
        "lora_dropout": LORA["lora_dropout"],
        "lora_modules": LORA["target_modules"],
        "lora_more": "",
        "epochs": 3,
        "batch": COMMON["per_device_train_batch_size"],
        "rate": None,
        "padding": LONGEST_IN_BATCH.name,
        "max_length": 0,
        "accumulation": 1,
        "warmup": COMMON["warmup_steps"],
        "weight_decay": COMMON["weight_decay"],
        "seed": COMMON["seed"],
        "smoothing": 0,
        "best_metric": OWN_METRIC,
        "patience": 0,
        "class_weights": EQUAL,
        "metrics": "",
        "processes": 1,
        "accelerate_config": "",
        "more": "",
    }
)


class FieldError(DemoError):
    """What a field of the form can't be; `field` is its name."""

    def __init__(self, sentence: str, field: str) -> None:
        super().__init__(sentence)
        self.field = field


def data_config_from_values(values: Values) -> RunConfig:
    """Return what the form says about the data alone: it can be inspected while the rest is unfinished."""
    kind = KINDS[values["kind"] or DEFAULT_KIND.name]
    seed = values["seed"]
    options = parse_read_options(values["encoding"], values["header"])
    return RunConfig.from_json(
        {
            "dataset": values["dataset"],
            "dataset_config": (values["dataset_config"] or "").strip() or None,
            "layout": values["layout"] or None,
            "encoding": options.encoding,
            "header": options.header,
            "task": kind.task,
            "problem_type": kind.problem_type,
            "text_column": values["text"],
            "text_pair_column": column_name(values["pair"]),
            "label_column": list(values["label"] or ()),
            "split_column": column_name(values["split"]),
            "splits": _splits_from_values(values),
            "labels": list(values["labels"]) if values["labels"] else None,
            "positive_label": values["positive"] or None,
            "fixes": list(values["fixes"] or ()),
            # What the doctor goes by; what exactly they say is for config_of to read.
            "class_weights": None if values["class_weights"] in (None, "", EQUAL) else BALANCED,
            "max_length": int(values["max_length"]) if (values["max_length"] or 0) >= SHORTEST else None,
            "training": {} if seed in (None, COMMON["seed"]) or not is_seed(seed) else {"seed": seed},
        }
    )


def config_from_values(values: Values) -> RunConfig:
    """Return the RunConfig that the form asks for; the box of further fields wins over the form's own.

    Raises:
        DemoError: a box that can't be read, a number that its field can't have, or anything that a RunConfig refuses.
    """
    from_data = data_config_from_values(values).to_json()
    own, boxed = _training_from_fields(values), parse_json_box(values["more"])
    _check_numbers(values, boxed)
    return RunConfig.from_json(
        from_data
        | {
            "model": (values["model"] or "").strip() or DEFAULTS["model"],
            "method": values["method"],
            "lora": _lora_from_values(values) if values["method"] == "lora" else {},
            "padding": values["padding"],
            "max_length": int(values["max_length"]) if values["max_length"] else None,
            "class_weights": _parse_class_weights(values["class_weights"]),
            "early_stopping_patience": int(values["patience"]) if values["patience"] else None,
            "metrics": [name.strip() for name in (values["metrics"] or "").split(",") if name.strip()],
            "processes": int(values["processes"] or DEFAULTS["processes"]),
            "accelerate_config": (values["accelerate_config"] or "").strip() or None,
            "training": own | boxed,
        }
    )


def values_from_config(config: RunConfig) -> dict[str, Any]:
    """Return the fields of a form that asks for `config`; columns that it leaves open are None."""
    training = dict(config.training)
    own = {}
    for field, name in TRAINING.items():
        if isinstance(training.get(name), _SHOWN.get(field, (int, float))) and not isinstance(training[name], bool):
            own[field] = training.pop(name)
    weights = config.class_weights
    lora = {**LORA, **config.lora}
    modules, other = lora["target_modules"], {name: value for name, value in lora.items() if name not in LORA}
    columns = {"pair": config.text_pair_column, "split": config.split_column}
    shares = {split: share for split, share in config.splits.items() if not isinstance(share, str)}
    kinds = kinds_of_task(config.task)
    kind = next((each for each in kinds if each.problem_type == config.problem_type), kinds[0] if kinds else None)
    return {
        **DEFAULTS,
        "dataset": config.dataset,
        "dataset_config": config.dataset_config or "",
        "layout": config.layout or "",
        "encoding": config.encoding or "",
        "header": header_choice(config.header),
        "kind": kind.name if kind else None,
        "text": config.text_column,
        **{name: NO_COLUMN if given == "" else given for name, given in columns.items()},
        "label": None if config.label_column is None else list(list_columns(config.label_column)),
        **{f"{split}_split": name for split, name in config.splits.items() if isinstance(name, str)},
        **{f"{split}_share": share for split, share in shares.items() if split != "train"},
        "labels": config.labels,
        "positive": config.positive_label,
        "fixes": config.fixes,
        "model": config.model,
        "method": config.method,
        "lora_r": lora["r"],
        "lora_alpha": lora["lora_alpha"],
        "lora_dropout": lora["lora_dropout"],
        "lora_modules": modules if isinstance(modules, str) else ", ".join(modules or ()),
        "lora_more": json.dumps(other) if other else "",
        **own,
        "padding": config.padding,
        "max_length": config.max_length or 0,
        "patience": config.early_stopping_patience or 0,
        "class_weights": EQUAL if weights is None else weights if isinstance(weights, str) else json.dumps(weights),
        "metrics": ", ".join(config.metrics),
        "processes": config.processes,
        "accelerate_config": config.accelerate_config or "",
        "more": json.dumps(training) if training else "",
    }


def suggest_epochs_and_rate(
    method: str, kind: str, train_rows: int, batch: Any = None, accumulation: Any = None
) -> dict[str, Any]:
    """Return the epochs and the learning rate that fit a method, a kind of answers and a number of rows."""
    sizes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
    given = {name: int(value) for name, value in sizes.items() if value and value >= 1}
    filled = RunConfig("data", method=method, training=given).with_training_defaults(  # type: ignore[arg-type]
        train_rows, KINDS[kind].learning_rate
    )
    return {"epochs": filled.training["num_train_epochs"], "rate": filled.training["learning_rate"]}


def parse_json_box(text: str | None, box: str = "TrainingArguments", field: str = "more") -> dict[str, Any]:
    """Parse what the JSON box of `field` holds.

    Raises:
        FieldError: it is not a JSON object.
    """
    try:
        values = json.loads(text) if text and text.strip() else {}
    except ValueError as error:
        raise FieldError(f"{box} is not JSON: {error}. Fix it, or empty the box.", field) from error
    if not isinstance(values, dict):
        raise FieldError(f'{box} must be a JSON object, such as {{"name": "value"}}.', field)
    return values


def write_config(config: RunConfig) -> str:
    """Write config.json: what is decided, without the keys that are left to their defaults."""
    default = RunConfig("").to_json()
    kept = {name: value for name, value in config.to_json().items() if name == "model" or value != default[name]}
    return json.dumps(kept, indent=2, ensure_ascii=False)


def write_commands(config: RunConfig, *, uploaded: bool = False) -> str:
    """Write how a shell starts the same training: in as many processes, and on several machines.

    Of data that was `uploaded` a config has but a name, which a shell can't find.
    """
    first = ['# the data was uploaded: put the path of your file in "dataset" of config.json first', ""]
    here = [*(first if uploaded else []), "# on this machine", shlex.join(command(config, "config.json")), ""]
    if config.accelerate_config:
        elsewhere = [
            "# on several machines that share HFDEMO_HOME: the same, each with its own machine_rank in the file"
        ]
    else:
        elsewhere = [
            "# on several machines that share HFDEMO_HOME: the same line on each of them, with the address of one",
            f"python -m torch.distributed.run --nnodes 2 --nproc_per_node {config.processes} \\",
            "  --rdzv_backend c10d --rdzv_id hfdemo --rdzv_endpoint FIRST_MACHINE:29500 \\",
            "  -m hfdemo.finetuning config.json",
        ]
    return "\n".join([*here, *elsewhere])


def explain_missing_data(dataset: str, *, public: bool = False) -> str:
    """Say what there is to say of a `dataset` that can't be read, where it may be what an uploaded file was called."""
    if not dataset or "/" in dataset or dataset.startswith(("run:", ".", "~")) or dataset in EXAMPLE_NAMES:
        return ""
    path = "" if public else ", or put its path in the field Data set"
    return f"{dataset!r} may be the name of a file that was uploaded for another run: upload it again{path}."


def column_name(picked: str | None) -> str:
    """Return a column that need not be there; "" says that none is wanted, where None would have one suggested."""
    return "" if picked in (None, NO_COLUMN) else str(picked)


def find_usual_splits(found: Any) -> dict[str, str]:
    """Find which of the names in the data is train, validation and test by a usual name for it."""
    return {split: name for name in found or () if (split := normalize_split_name(name))}


def find_overruled(values: Values) -> list[str]:
    """List the TrainingArguments that the box sets to another value than a field of the form."""
    own, boxed = _training_from_fields(values), parse_json_box(values["more"])
    return sorted(name for name in boxed if name in own and own[name] != boxed[name])


def _check_numbers(values: Values, boxed: Mapping[str, Any]) -> None:
    """Refuse a number that a field can't have, by the field's own label; one that the box sets is not
    taken from the field."""
    for field, label in LABELS.items():
        name, value = TRAINING.get(field, ""), values[field]
        if value is None or name in boxed:
            continue
        try:
            if name:
                check_range(name, value, label)
            elif value < _LOWEST[field]:
                raise DemoError(f"{label} is {value!r}, but must be at least {_LOWEST[field]}.")
        except DemoError as error:
            raise FieldError(str(error), field) from error


def _training_from_fields(values: Values) -> dict[str, Any]:
    given = {field: values[field] for field in TRAINING if values[field] not in (None, "", OWN_METRIC)}
    return {TRAINING[field]: value for field, value in given.items() if field in _ALWAYS or value != DEFAULTS[field]}


def _splits_from_values(values: Values) -> dict[str, Any]:
    named = {split: values[f"{split}_split"] for split in SPLITS}
    named = {split: name for split, name in named.items() if name not in (None, "", NO_SPLIT)}
    found: dict[str, Any] = {} if named == find_usual_splits(values["found"]) else dict(named)
    if "validation" not in named and values["validation_share"] not in (None, VALIDATION_SHARE):
        found["validation"] = values["validation_share"]
    if "test" not in named and values["test_share"]:
        found["test"] = values["test_share"]
    return found


def _parse_class_weights(text: str | None) -> Any:
    if text in (None, "", EQUAL):
        return None
    if text == BALANCED:
        return text
    try:
        weights = json.loads(str(text))
    except ValueError:
        weights = None
    if not isinstance(weights, dict):
        raise FieldError(
            f'Class weights are "balanced" or a JSON object with a weight per label, such as {{"no": 1, "yes": 3}}; '
            f"{text!r} is neither.",
            "class_weights",
        )
    return weights


def _lora_from_values(values: Values) -> dict[str, Any]:
    text = (values["lora_modules"] or "").strip() or str(LORA["target_modules"])
    names = [name.strip() for name in text.split(",") if name.strip()]
    # peft reads a text as "all-linear" or as a pattern for whole paths, and a list as the ends of paths.
    listed = names != ["all-linear"] and all(_MODULE.fullmatch(name) for name in names)
    return {
        "r": values["lora_r"],
        "lora_alpha": values["lora_alpha"],
        "lora_dropout": values["lora_dropout"],
        "target_modules": names if listed else text,
        **parse_json_box(values["lora_more"], "More of LoraConfig", "lora_more"),
    }
