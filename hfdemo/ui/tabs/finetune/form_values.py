"""What the form holds, by the names of its fields, as a RunConfig, and back."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from hfdemo.data_sources import EXAMPLE_NAMES
from hfdemo.data_sources.splits import SPLITS, normalize_split_name
from hfdemo.errors import DemoError
from hfdemo.finetuning.argument_checks import check_range, is_seed
from hfdemo.finetuning.arguments import COMMON
from hfdemo.finetuning.config import LORA, RunConfig
from hfdemo.finetuning.dataset.splitting import VALIDATION_SHARE
from hfdemo.finetuning.kinds import DEFAULT_KIND, KINDS, kinds_of_task
from hfdemo.finetuning.launcher import command
from hfdemo.ui.tabs.finetune.form_table import (
    BALANCED,
    DEFAULTS,
    EQUAL,
    FORM,
    NO_SPLIT,
    OWN_METRIC,
    FieldError,
    list_paths,
)

Values = Mapping[str, Any]
SHORTEST = 3  # tokens: below, max_length leaves no room for words
# Fields of the form that are TrainingArguments.
TRAINING: Mapping[str, str] = MappingProxyType(list_paths("training"))
_MODULE = re.compile(r"[\w.-]+")


def data_config_from_values(values: Values) -> RunConfig:
    """Return what the form says about the data alone: it can be inspected while the rest is unfinished."""
    kind, seed = KINDS[values["kind"] or DEFAULT_KIND.name], values["seed"]
    return RunConfig.from_json(
        {
            **_read_fields(values, "data", "check"),
            "task": kind.task,
            "problem_type": kind.problem_type,
            "splits": _splits_from_values(values),
            # What the doctor goes by; what exactly they say is read where all of the form is.
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
            **_read_fields(values, "model", "train"),
            "lora": _lora_from_values(values) if values["method"] == "lora" else {},
            "training": own | boxed,
        }
    )


def values_from_config(config: RunConfig) -> dict[str, Any]:
    """Return the fields of a form that asks for `config`; columns that it leaves open are None."""
    training = dict(config.training)
    own = {}
    for name, argument in TRAINING.items():
        of_field = (int, float) if FORM[name].component is gr.Number else str
        if isinstance(training.get(argument), of_field) and not isinstance(training[argument], bool):
            own[name] = training.pop(argument)
    lora = {**LORA, **config.lora}
    modules, other = lora["target_modules"], {name: value for name, value in lora.items() if name not in LORA}
    shares = {split: share for split, share in config.splits.items() if not isinstance(share, str)}
    kinds = kinds_of_task(config.task)
    kind = next((each for each in kinds if each.problem_type == config.problem_type), kinds[0] if kinds else None)
    return {
        **DEFAULTS,
        **{name: FORM[name].write(getattr(config, path)) for name, path in list_paths("").items()},
        "kind": kind.name if kind else None,
        **{f"{split}_split": name for split, name in config.splits.items() if isinstance(name, str)},
        **{f"{split}_share": share for split, share in shares.items() if split != "train"},
        **{name: FORM[name].write(lora[path]) for name, path in list_paths("lora").items()},
        "lora_modules": modules if isinstance(modules, str) else ", ".join(modules or ()),
        "lora_more": json.dumps(other) if other else "",
        **own,
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
    for name, row in FORM.items():
        argument, value = TRAINING.get(name, ""), values[name]
        if row.component is not gr.Number or value is None or argument in boxed:
            continue
        try:
            if argument:
                check_range(argument, value, row.label)
            elif row.lowest is not None and value < row.lowest:
                raise DemoError(f"{row.label} is {value!r}, but must be at least {row.lowest}.")
        except DemoError as error:
            raise FieldError(str(error), name) from error


def _training_from_fields(values: Values) -> dict[str, Any]:
    given = {name: values[name] for name in TRAINING if values[name] not in (None, "", OWN_METRIC)}
    told = {name: value for name, value in given.items() if FORM[name].is_always_told or value != DEFAULTS[name]}
    return {TRAINING[name]: value for name, value in told.items()}


def _read_fields(values: Values, *steps: str) -> dict[str, Any]:
    """Return what a config has of the fields of some steps, each of which is a value of it."""
    paths = list_paths("").items()
    return {path: FORM[name].read(values[name]) for name, path in paths if FORM[name].step in steps}


def _splits_from_values(values: Values) -> dict[str, Any]:
    named = {split: values[f"{split}_split"] for split in SPLITS}
    named = {split: name for split, name in named.items() if name not in (None, "", NO_SPLIT)}
    found: dict[str, Any] = {} if named == find_usual_splits(values["found"]) else dict(named)
    if "validation" not in named and values["validation_share"] not in (None, VALIDATION_SHARE):
        found["validation"] = values["validation_share"]
    if "test" not in named and values["test_share"]:
        found["test"] = values["test_share"]
    return found


def _lora_from_values(values: Values) -> dict[str, Any]:
    text = (values["lora_modules"] or "").strip() or str(LORA["target_modules"])
    names = [name.strip() for name in text.split(",") if name.strip()]
    # peft reads a text as "all-linear" or as a pattern for whole paths, and a list as the ends of paths.
    listed = names != ["all-linear"] and all(_MODULE.fullmatch(name) for name in names)
    return {
        **{path: FORM[name].read(values[name]) for name, path in list_paths("lora").items()},
        "target_modules": names if listed else text,
        **parse_json_box(values["lora_more"], "More of LoraConfig", "lora_more"),
    }
