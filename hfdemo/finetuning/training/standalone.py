"""The stand-alone train.py that a run writes for whoever wants to repeat it without this app."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from pprint import pformat
from threading import Lock
from types import MappingProxyType
from typing import Any

from hfdemo.finetuning.arguments import evaluates, of_run, threads
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import add_scores, module_path, score_metric_source, selection_metric
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.finetuning.kinds.losses import keep_logits
from hfdemo.finetuning.launcher import command
from hfdemo.finetuning.preprocessing import find_rows_with_targets, keep_labelled
from hfdemo.finetuning.training.model import find_whole_modules, freeze_backbone, make_lora_options
from hfdemo.models.folders import local_folder
from hfdemo.models.snippets import write_model
from hfdemo.settings import Settings
from hfdemo.tokenization.chat_templates import PLAIN_TEMPLATE
from hfdemo.tokenization.padding import find_strategy, row_order

PYTHON = ">=3.11"
# Packages whose names on PyPI are not those that are imported.
# The parser is the process's own global state, so what guards it is global, too.
_PARSING = Lock()
_PACKAGES: Mapping[str, str] = MappingProxyType({"sklearn": "scikit-learn"})


def training_script(config: RunConfig, settings: Settings) -> str:
    """Return a stand-alone script that repeats a run: it reads data/ beside it and needs only the public libraries.

    What a run does itself (how rows become inputs, the loss, the order of the rows, the scores, the Trainer) stands in
    it as the very source that the run goes by; train.py.j2 is the frame around it.
    """
    kind = find_kind(config.task, config.problem_type)
    evaluator, padding = kind.evaluator, find_strategy(config.padding)
    modules = [module_path(name) for name in config.metrics] if evaluator.to_module_inputs else []
    script = _template().render(
        method=config.method,
        start=_describe_start(config),
        labels=pformat(list(config.labels or ()), width=100),
        training=pformat(of_run(config.training), width=100, sort_dicts=False),
        sources=_sources(config, kind, bool(modules)),
        functions={
            "encode": kind.encode.__name__,
            "loss": kind.loss.__name__,
            "count": kind.count.__name__,
            "reduce": kind.reduce.__name__,
            "scores": evaluator.scores.__name__,
            "to_inputs": evaluator.to_inputs.__name__,
            "to_module_inputs": evaluator.to_module_inputs.__name__ if evaluator.to_module_inputs else "",
            "width": padding.width_function.__name__,
            "choose_chat_template": kind.choose_chat_template.__name__ if kind.choose_chat_template else "",
        },
        plain_template=repr(PLAIN_TEMPLATE),
        threads=threads(config.processes),
        picks_device="use_cpu" not in config.training,
        model=_model_lines(config, kind, settings),
        max_length=repr(config.max_length),
        sequence_labels=kind.sequence_labels,
        has_labels=kind.rows.has_labels,
        peft_task=kind.peft_task,
        lora=repr(dict(config.lora)),
        score_features=repr(dict(evaluator.features)),
        positive_label=repr(config.positive_label),
        modules=repr(modules) if modules else "",
        selection=[repr(each) for each in selection_metric(config, evaluator)] if evaluates(config.training) else [],
        patience=config.early_stopping_patience,
        class_weights=_class_weights(config, kind),
        names_sampler=config.names_sampler,
        grouped=padding.groups_by_length,
        data_seed=config.data_seed,
        keeps_logits=kind.reduce is keep_logits,
    )
    return _script_header(script) + script


@functools.cache
def _template() -> Any:
    """Return the frame of the script."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("train.py.j2")


def _sources(config: RunConfig, kind: Kind, with_modules: bool) -> dict[str, str]:
    """Return the source of all that the run goes by, by the part of the script that it stands in."""
    evaluator = kind.evaluator
    rows: list[Callable[..., Any]] = [
        *kind.carried,
        *([kind.choose_chat_template] if kind.choose_chat_template else []),
        kind.encode,
        *([keep_labelled] if kind.rows.has_labels else []),
        *([find_rows_with_targets] if kind.sequence_labels else []),
    ]
    loss: list[Callable[..., Any]] = [kind.loss, kind.count, kind.reduce]
    if config.class_weights == "balanced" and kind.balance is not None:
        loss.append(kind.balance)
    scores: list[Callable[..., Any]] = [*evaluator.carried, evaluator.scores, evaluator.to_inputs]
    if with_modules and evaluator.to_module_inputs is not None:
        scores += [evaluator.to_module_inputs, add_scores]
    methods: dict[str, list[Callable[..., Any]]] = {
        "lora": [find_whole_modules, make_lora_options],
        "frozen": [find_whole_modules, freeze_backbone],
    }
    padding: list[Callable[..., Any]] = [find_strategy(config.padding).width_function]
    if not config.names_sampler:
        padding.append(row_order)
    return {
        "rows": _join_sources(rows),
        "loss": _join_sources(loss),
        "padding": _join_sources(padding),
        "scores": f"{_join_sources(scores)}\n\n\n{score_metric_source()}",
        "trainer": "\n\n\n".join(filter(None, (_join_sources(methods.get(config.method, [])), _read_trainer_source()))),
    }


def _join_sources(functions: Iterable[Callable[..., Any]]) -> str:
    """Return the source of each of `functions`, once."""
    return "\n\n\n".join(inspect.getsource(function).strip() for function in dict.fromkeys(functions))


def _read_trainer_source() -> str:
    """Return the classes of trainer.py, without importing the libraries that they need."""
    source = Path(__file__).with_name("trainer.py").read_text(encoding="utf-8")
    first = next(node for node in _parse(source).body if isinstance(node, ast.ClassDef))
    return "\n".join(source.splitlines()[first.lineno - 1 :])


def _parse(source: str) -> ast.Module:
    """Parse Python, one thread at a time: Python 3.11's parser counts its depth for all threads together (#106905)."""
    with _PARSING:
        return ast.parse(source)


def _script_header(script: str) -> str:
    """Return the inline metadata (PEP 723) with which `uv run` makes the environment that the run had."""
    imported = {
        name.partition(".")[0]
        for node in ast.walk(_parse(script))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    names = {_PACKAGES.get(name, name.replace("_", "-")) for name in imported - sys.stdlib_module_names}
    names |= {"accelerate"}  # what the Trainer needs besides
    pins = [f'#     "{_pin(name)}",' for name in sorted(names)]
    lines = ["# /// script", f'# requires-python = "{PYTHON}"', "# dependencies = [", *pins, "# ]", "# ///", ""]
    return "\n".join(lines)


@functools.cache
def _pin(name: str) -> str:
    """Return the requirement of a package in the release that is installed."""
    return f"{name}=={version(name).partition('+')[0]}"


def _describe_start(config: RunConfig) -> str:
    """Say how to start it, also where its run had several processes."""
    if config.processes == 1 and not config.accelerate_config:
        return "\n`uv run train.py` starts it with the libraries that the run had.\n"
    line = shlex.join(command(config, "train.py")).replace("-m hfdemo.finetuning ", "")
    return f"\nIts run had {config.processes} processes. The same here:\n\n    {json.dumps(line)[1:-1]}\n"


def _model_lines(config: RunConfig, kind: Kind, settings: Settings) -> str:
    """Return code that binds `model` and `tokenizer`.

    Unless everything is trained, it binds `new` to the names of the parameters that the checkpoint had no weights for.
    """
    ref, arguments = config.model_ref, _model_arguments(config, kind)
    if config.method == "full":
        return write_model(ref, kind.model_class, settings, arguments)
    folder = None if ref.origin.source == "hub" else local_folder(ref.origin, settings, weights=False)
    if ref.source == "untrained" or (folder and (folder / "adapter_config.json").is_file()):
        return f"{write_model(ref, kind.model_class, settings, arguments)}new = []\n"
    more = "output_loading_info=True"
    return (
        f"{write_model(ref, kind.model_class, settings, arguments, weights_arguments=more)}model, info = model\n"
        'new = [*info["missing_keys"], *(name for name, *shapes in info["mismatched_keys"])]\n'
    )


def _model_arguments(config: RunConfig, kind: Kind) -> str:
    """Return the arguments of AutoConfig that make a model for the run's labels."""
    if kind.one_number:
        name = config.label_name or "score"
        arguments = f"num_labels=1, id2label={{0: {name!r}}}, label2id={{{name!r}: 0}}"
    elif config.labels:
        arguments = (
            "num_labels=len(LABELS), id2label=dict(enumerate(LABELS)), label2id={l: i for i, l in enumerate(LABELS)}"
        )
    else:
        return ""
    return arguments + (f", problem_type={kind.model_problem_type!r}" if kind.problem_type else "")


def _class_weights(config: RunConfig, kind: Kind) -> str:
    """Return code that is a weight per label, or None."""
    if config.class_weights is None or kind.balance is None:
        return "None"
    if isinstance(config.class_weights, str):
        return f'{kind.balance.__name__}(splits["train"]["labels"], len(LABELS))'
    return repr([float(config.class_weights[label]) for label in config.labels or ()])
