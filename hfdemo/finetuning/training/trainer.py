"""The Trainer with our order of rows, a loss that is right under accumulation, and checkpoints that are whole."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hfdemo.errors import RunError
from hfdemo.finetuning.kinds import Kind
from hfdemo.finetuning.kinds.losses import compute_loss_of_all, keep_logits
from hfdemo.finetuning.training import checkpoints
from hfdemo.finetuning.training.collator import Planned, planned_rows


def make_trainer(
    recipe: Kind,
    weights: Sequence[float] | None,
    planned: Planned | None,
    **arguments: Any,
) -> Any:
    """A Trainer(**arguments) for `recipe` with `weights` of its classes, the rows ordered by `planned` unless None."""
    import torch
    from transformers import PrinterCallback, Trainer

    smoothing = arguments["args"].label_smoothing_factor

    class RecipeTrainer(Trainer):
        #: rows, tokens and slots that training has computed so far, the last two as tensors on the device
        seen: tuple[int, Any, int] = (0, 0, 0)
        #: (logits, references) of all rows of the last evaluation
        answered: tuple[Any, Any] = (None, None)
        #: the step of the best checkpoint, once its weights were put into the model in place of the last ones
        best_loaded: int | None = None

        def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
            if not batch_samples:
                return None
            items = sum(recipe.count(batch["labels"].to(device)) for batch in batch_samples).to(device)
            if self.args.average_tokens_across_devices and self.args.world_size > 1:
                items = self.accelerator.gather(items).sum()
            return items

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            if planned is None:
                return super()._get_train_sampler(train_dataset)
            # Not the configured size: auto_find_batch_size may have halved it.
            return planned_rows(planned, len(self.train_dataset), self._train_batch_size)

        def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> Any:
            # A loader draws a random number: how often is evaluated would change what is learned.
            with torch.random.fork_rng():
                found = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
            if recipe.reduce is keep_logits:
                found.metrics[f"{metric_key_prefix}_loss"] = compute_loss_of_all(
                    loss, found.predictions, found.label_ids
                )
            self.answered = (found.predictions, found.label_ids)
            return found

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            rows, tokens, slots = self.seen
            mask = inputs["attention_mask"]
            self.seen = (rows + len(mask), tokens + mask.sum(), slots + mask.numel())
            return super().training_step(model, inputs, num_items_in_batch)

        def _get_output_dir(self, trial: Any) -> str:
            folder = Path(self.args.output_dir)
            return str(checkpoints.partial(folder)) if self._saving else str(folder)

        _saving = False

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            """As the library's own, but under another name until every file of it is safely on the disk."""
            folder = Path(self.args.output_dir)
            name, half = f"checkpoint-{self.state.global_step}", checkpoints.partial(folder)
            if self.args.should_save:
                shutil.rmtree(half, ignore_errors=True)
                checkpoints.check_space(folder, _bytes(model), f"the checkpoint of step {self.state.global_step}")
            self.accelerator.wait_for_everyone()
            self._saving = True
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self._saving = False
            if self.state.best_global_step:
                self.state.best_model_checkpoint = str(folder / f"checkpoint-{self.state.best_global_step}")
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                # It was written while the best checkpoint still had its passing name.
                self.state.save_to_json(str(half / name / "trainer_state.json"))
                checkpoints.seal(half / name, folder / name)
                keep = [] if not self.state.best_global_step else [Path(self.state.best_model_checkpoint)]
                checkpoints.prune(folder, keep, self.args.save_total_limit)
            self.accelerator.wait_for_everyone()

        def _load_best_model(self) -> None:
            # The best may be that of an evaluation after its checkpoint: where somebody stopped the training.
            best = Path(self.args.output_dir) / f"checkpoint-{self.state.best_global_step}"
            wrong = checkpoints.problem(best)
            if wrong:
                raise RunError(
                    f"The best checkpoint, of step {self.state.best_global_step}, is damaged ({wrong}), so there is no "
                    "best model to keep. Resume the run: it goes on from the newest that is whole."
                )
            self.state.best_model_checkpoint = str(best)
            super()._load_best_model()
            self.best_loaded = self.state.best_global_step

    def loss(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        items = recipe.count(labels) if num_items_in_batch is None else num_items_in_batch
        return recipe.loss(outputs, labels, items, weights, smoothing)

    trainer = RecipeTrainer(**arguments, compute_loss_func=loss, preprocess_logits_for_metrics=recipe.reduce)
    trainer.remove_callback(PrinterCallback)  # the events say it already
    return trainer


def _bytes(model: Any) -> int:
    """About what a checkpoint takes: what is trained, twice more for the optimizer, and the rest of a whole model."""
    whole = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    trained = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    return 3 * trained if hasattr(model, "peft_config") else whole + 2 * trained
