"""The one Trainer: a prepared run folder in, events out, and a model that can be used at the end."""

from __future__ import annotations

import functools
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfdemo.devices import Device, available_cores
from hfdemo.errors import DemoError, RunError
from hfdemo.finetuning.batching import check_width, collate, padding_note, planned_trainer
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Saved, Started, StepLogged, Stopped
from hfdemo.finetuning.recipes import Recipe, find_recipe
from hfdemo.finetuning.report import model_card, plain_metrics, write_report
from hfdemo.models.configs import readable_length
from hfdemo.models.loading import LoadedModel, load
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import Plan, pad_to, plan

if TYPE_CHECKING:
    from datasets import DatasetDict

Emit = Callable[[Event], None]
CHARTED_POINTS = 100
SELECTION = "selection"


def train(config: RunConfig, folder: Path, settings: Settings, device: Device, emit: Emit) -> None:
    """Train as `config` says on `folder/data`, and write model/, report.json and errors.csv below `folder`.

    `config` is the run's own: columns, labels and training values are all filled in. A file `folder/stop` ends
    training after the current step; {"keep": true} in it keeps the best model so far.

    Raises:
        DemoError: the model can't be loaded or trained this way, or the loss is no longer a number.
    """
    import torch
    from transformers import set_seed

    torch.set_num_threads(available_cores())
    # Seeds count before the model is loaded: a new classification head is drawn at random.
    set_seed(config.training["seed"])
    recipe = find_recipe(config.task)
    loaded = _load(config, recipe, settings, device)
    longest_allowed = _max_length(config, loaded)
    splits = _encode(recipe, loaded, longest_allowed, folder)
    model = _method(config, recipe, loaded)
    trainer = _build_trainer(config, recipe, loaded, model, splits, folder, longest_allowed, emit)
    started = time.time()
    trainer.train()
    _finish(config, folder, loaded, trainer, splits, emit, started)


def _load(config: RunConfig, recipe: Recipe, settings: Settings, device: Device) -> LoadedModel:
    labels = config.labels or ()
    return load(
        ModelRef.parse(config.model),
        recipe.model_class,
        settings,
        device=device,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        # A checkpoint's own problem_type would choose another loss.
        problem_type="single_label_classification",
    )


def _max_length(config: RunConfig, loaded: LoadedModel) -> int | None:
    """The most tokens a row may have: what was asked for, but no more than the model can read."""
    limits = [limit for limit in (config.max_length, readable_length(loaded.model.config, loaded.tokenizer)) if limit]
    return min(limits) if limits else None


def _encode(recipe: Recipe, loaded: LoadedModel, max_length: int | None, folder: Path) -> DatasetDict:
    """data/*.csv as Arrow data sets of model inputs, unpadded."""
    import pandas as pd
    from datasets import ClassLabel, Features, Value, disable_progress_bars, load_dataset

    disable_progress_bars()
    files = {split.stem: str(split) for split in sorted((folder / "data").glob("*.csv"))}
    # Said outright, or "007" would become 7 and a label "1" a number.
    columns = pd.read_csv(files["train"], nrows=0).columns
    features = Features({column: Value("string") for column in columns})
    splits = load_dataset(
        "csv", data_files=files, features=features, cache_dir=str(folder / "arrow"), keep_default_na=False
    )
    labels = ClassLabel(names=list(loaded.model.config.label2id))
    splits = splits.cast_column("label", labels)
    encode = recipe.encode(loaded.tokenizer, max_length)
    return splits.map(encode, batched=True, remove_columns=splits["train"].column_names)


def _method(config: RunConfig, recipe: Recipe, loaded: LoadedModel) -> Any:
    """The model with what the method trains set free and the rest frozen."""
    if config.method == "lora":
        from peft import LoraConfig, get_peft_model

        try:
            return get_peft_model(loaded.model, LoraConfig(task_type=recipe.peft_task, **config.lora))
        except (ValueError, TypeError) as error:
            raise DemoError(f"This LoRA setting does not fit {config.model}: {error}") from error
    if config.method == "frozen":
        for parameter in loaded.model.base_model.parameters():
            parameter.requires_grad = False
    return loaded.model


def _build_trainer(
    config: RunConfig,
    recipe: Recipe,
    loaded: LoadedModel,
    model: Any,
    splits: DatasetDict,
    folder: Path,
    max_length: int | None,
    emit: Emit,
) -> Any:
    from transformers import PrinterCallback, TrainingArguments

    lengths = [len(ids) for ids in splits["train"]["input_ids"]]
    rule = pad_to(config.padding, max(lengths), max_length)
    check_width(config, rule, loaded, [len(ids) for split in splits.values() for ids in split["input_ids"]])

    def planned(batch_size: int, epoch: int) -> Plan:
        return plan(lengths, batch_size, config.padding, max_length, config.data_seed, epoch)

    notes = [padding_note(config, planned)]
    if not loaded.report.trustworthy:
        notes.append(str(loaded.report).replace("Train it before you trust the output.", "Training starts there."))
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model=SELECTION,
        greater_is_better=True,
        report_to="none",
        disable_tqdm=True,
        # NaN must be seen, not shown as 0.0.
        logging_nan_inf_filter=False,
        use_cpu=loaded.device.kind == "cpu",
        **{"logging_steps": 1 / CHARTED_POINTS, "logging_first_step": True, **config.training},
    )
    # One process, one device: several GPUs would silently become DataParallel.
    arguments._n_gpu = min(1, arguments.n_gpu)
    trainer = planned_trainer(config, planned)(
        model=model,
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=loaded.tokenizer,
        data_collator=functools.partial(collate, loaded.tokenizer, rule),
        preprocess_logits_for_metrics=_only_logits,
        compute_metrics=recipe.metrics(config.labels or (), config.positive_label),
        callbacks=[_reporter(config, folder, splits, notes, loaded.device, emit)],
    )
    trainer.remove_callback(PrinterCallback)  # the events say it already
    # A classifier's loss is the mean over its micro-batch, so the Trainer has to divide it by the number of
    # accumulation steps; left alone it takes it as divided already (huggingface/transformers#47688).
    trainer.loss_is_scaled_for_ga = False
    return trainer


def _only_logits(outputs: Any, labels: Any) -> Any:
    """Some models hand out hidden states behind their logits; nobody here needs them kept."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _reporter(
    config: RunConfig, folder: Path, splits: DatasetDict, notes: list[str], device: Device, emit: Emit
) -> Any:
    """A TrainerCallback that turns the Trainer's hooks into events and obeys the stop file."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
            emit(
                Started(
                    step=0,
                    time=time.time(),
                    total_steps=state.max_steps,
                    epochs=float(state.num_train_epochs),
                    device=str(device),
                    rows={name: len(split) for name, split in splits.items()},
                    trainable_parameters=sum(size for size, trained in sizes if trained),
                    parameters=sum(size for size, _ in sizes),
                    notes=tuple(notes),
                )
            )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if (folder / "stop").exists():
                control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in logs:
                return
            # Under fp16 the scaler skips steps whose gradient overflows: there an infinite norm is no accident.
            numbers = [logs["loss"], 0.0 if args.fp16 else logs.get("grad_norm") or 0.0]
            if not all(math.isfinite(number) for number in numbers):
                raise DemoError(
                    f"The loss is no longer a number (loss {logs['loss']}, gradient norm {logs.get('grad_norm')}) "
                    f"at step {state.global_step}. Lower the learning rate (now {args.learning_rate}) and start again."
                )
            emit(
                StepLogged(
                    step=state.global_step,
                    time=time.time(),
                    epoch=float(state.epoch or 0.0),
                    loss=float(logs["loss"]),
                    learning_rate=float(logs.get("learning_rate", 0.0)),
                    grad_norm=float(logs["grad_norm"]) if logs.get("grad_norm") is not None else None,
                )
            )

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
            named = plain_metrics(metrics, "eval_")
            emit(Evaluated(state.global_step, time.time(), float(state.epoch or 0.0), "validation", named))
            # The best checkpoint is the one with the highest f1, and of several with the same f1 the surest one: on
            # small splits f1 is often the same for epochs that are far apart in what the model has learned.
            metrics[f"eval_{SELECTION}"] = named["f1"] - 1e-9 * named["loss"]

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            emit(Saved(state.global_step, time.time(), f"checkpoints/checkpoint-{state.global_step}"))

    return Reporter()


def _finish(
    config: RunConfig,
    folder: Path,
    loaded: LoadedModel,
    trainer: Any,
    splits: DatasetDict,
    emit: Emit,
    started: float,
) -> None:
    stop = folder / "stop"
    step = trainer.state.global_step
    stopped = stop.exists() and step < trainer.state.max_steps
    if stopped and not json.loads(stop.read_text(encoding="utf-8")).get("keep", True):
        emit(Stopped(step, time.time(), kept=False))
        return
    report = write_report(config, folder, loaded.device, trainer, splits)
    for split, found in report["metrics"].items():
        emit(Evaluated(step, time.time(), float(trainer.state.epoch or 0.0), split, found))
    _save_model(config, folder, loaded, trainer, report)
    emit(Saved(step, time.time(), "model"))
    final = report["metrics"]["validation"]
    shutil.rmtree(folder / "arrow", ignore_errors=True)
    if stopped:
        emit(Stopped(step, time.time(), kept=True, metrics=final))
        return
    # model/ holds the best checkpoint now; the optimizer state beside it has no further use.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    emit(Finished(step, time.time(), metrics=final, seconds=time.time() - started))


def _save_model(config: RunConfig, folder: Path, loaded: LoadedModel, trainer: Any, report: dict[str, Any]) -> None:
    model = trainer.accelerator.unwrap_model(trainer.model)
    target = folder / "model"
    if config.method == "lora":
        adapter = folder / "adapter"
        # A reference, never the folder of this machine that the base was loaded from.
        model.peft_config["default"].base_model_name_or_path = config.model
        model.save_pretrained(adapter)
        base = model.get_base_model()
        base.config.architectures = [type(base).__name__]  # what save_pretrained of a whole model would write
        base.config.save_pretrained(adapter)
        (adapter / "README.md").write_text(model_card(config, report, adapter=True), encoding="utf-8")
        model = model.merge_and_unload()
    model.save_pretrained(target)
    loaded.tokenizer.save_pretrained(target)
    (target / "README.md").write_text(model_card(config, report), encoding="utf-8")
    if not (target / "model.safetensors").is_file() and not list(target.glob("*.safetensors.index.json")):
        raise RunError(f"The model was not written to {target}. Is the disk full?")
