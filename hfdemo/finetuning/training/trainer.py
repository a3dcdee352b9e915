"""The Trainer of every run, its collator, its order of rows and its choice of the best checkpoint.

A run's train.py carries the source of all that stands here, so it needs nothing but public libraries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from transformers import DataCollatorWithPadding, Trainer, TrainerCallback


class PaddingCollator:
    """Makes the tensors of a batch, as wide as `width_of` its longest row.

    Labels that are as long as the ids (`sequence_labels`) are padded with -100, which no loss counts.
    """

    def __init__(self, tokenizer: Any, width_of: Callable[[int], int], sequence_labels: bool) -> None:
        self.tokenizer, self.width_of, self.sequence_labels = tokenizer, width_of, sequence_labels

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Return input_ids, attention_mask, labels and the like, each [rows, width] or, of single labels, [rows]."""
        width = self.width_of(max(len(row["input_ids"]) for row in rows))
        inputs = [{name: value for name, value in row.items() if name != "labels"} for row in rows]
        batch = DataCollatorWithPadding(self.tokenizer, padding="max_length", max_length=width)(inputs)
        if "labels" not in rows[0]:  # they are to be answered, not learned
            return batch
        labels = [row["labels"] for row in rows]
        if self.sequence_labels:
            left = self.tokenizer.padding_side == "left"
            fills = [[-100] * (width - len(own)) for own in labels]
            labels = [fill + own if left else own + fill for fill, own in zip(fills, labels, strict=True)]
        batch["labels"] = torch.tensor(labels)
        return batch


class EpochSampler(torch.utils.data.Sampler[int]):
    """Yields the training rows in the order that `order(epoch)` gives them."""

    def __init__(self, rows: int, order: Callable[[int], Sequence[int]]) -> None:
        self.rows, self.order, self.epoch = rows, order, 0

    def set_epoch(self, epoch: int) -> None:
        """Remember which epoch begins; the Trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))


class SelectionCallback(TrainerCallback):
    """Adds eval_selection, of which the best checkpoint has the most.

    It is the metric that is to be best and, of several evaluations with the same, the lowest loss: on small splits a
    metric is often the same for epochs that are far apart in what was learned.
    """

    def __init__(self, metric: str, greater_is_better: bool) -> None:
        self.metric, self.sign = metric, 1 if greater_is_better else -1

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        value = self.sign * metrics[f"eval_{self.metric}"]
        metrics["eval_selection"] = value - 1e-9 * metrics["eval_loss"] if math.isfinite(value) else -math.inf


class TaskTrainer(Trainer):
    """A Trainer with a loss that is right under accumulation, and with rows in the order of the padding strategy.

    `loss(outputs, labels, items, weights, smoothing)` is a sum divided by `items`, the sum of `count(labels)` over a
    whole optimizer step. `row_order(batch size, epoch)` are the training rows in their order; None leaves that to
    train_sampling_strategy. With `keeps_logits` the predictions of an evaluation are the model's logits, so that its
    loss is that of all rows at once.
    """

    def __init__(
        self,
        *,
        loss: Callable[..., Any],
        count: Callable[[Any], Any],
        class_weights: Sequence[float] | None,
        row_order: Callable[[int, int], Sequence[int]] | None,
        keeps_logits: bool,
        **arguments: Any,
    ) -> None:
        self.loss, self.count, self.class_weights = loss, count, class_weights
        self.row_order, self.keeps_logits = row_order, keeps_logits
        super().__init__(compute_loss_func=self.divide_loss, **arguments)

    def divide_loss(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        """Return the loss of a batch as its share of the whole step; an evaluated batch is a step of its own."""
        items = self.count(labels) if num_items_in_batch is None else num_items_in_batch
        return self.loss(outputs, labels, items, self.class_weights, self.args.label_smoothing_factor)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
        if not batch_samples:
            return None
        items = sum(self.count(batch["labels"].to(device)) for batch in batch_samples).to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            items = self.accelerator.gather(items).sum()
        return items

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.row_order is None:
            return super()._get_train_sampler(train_dataset)
        # Not the configured size: auto_find_batch_size may have halved it.
        order, batch_size = self.row_order, self._train_batch_size
        return EpochSampler(len(self.train_dataset), lambda epoch: order(batch_size, epoch))

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        # Grouping by length would reorder these, too: predictions stand beside their own rows.
        return torch.utils.data.SequentialSampler(eval_dataset)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> Any:
        """Evaluate; the random numbers of training are left as they were, and the loss is that of all rows at once.

        The mean of batches is another number where they differ in size, or where several processes were given some
        rows twice to have equally many.
        """
        # A loader draws a random number: how often is evaluated would change what is learned.
        with torch.random.fork_rng():
            found = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        if self.keeps_logits and found.label_ids is not None:
            outputs = SimpleNamespace(logits=torch.as_tensor(found.predictions))
            loss = self.divide_loss(outputs, torch.as_tensor(found.label_ids))
            found.metrics[f"{metric_key_prefix}_loss"] = float(loss)
        return found
