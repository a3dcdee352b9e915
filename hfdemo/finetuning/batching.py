"""From a padding plan to the Trainer: rows in the plan's order, batches as wide as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.models.configs import readable_length
from hfdemo.models.loading import LoadedModel
from hfdemo.tokenization.padding import PadTo, Plan


def check_width(config: RunConfig, rule: PadTo, loaded: LoadedModel, lengths: list[int]) -> None:
    """Rows are cut to what the model reads, but rounding a width up can still go beyond it."""
    readable, widest = readable_length(loaded.model.config, loaded.tokenizer), rule.of(lengths)
    if readable is not None and widest > readable:
        fits = readable // rule.multiple_of * rule.multiple_of
        advice = f"Set max_length to {fits}, or pick another padding." if fits else "Pick another padding."
        raise DemoError(
            f'padding "{config.padding}" makes rows of {widest} slots, but {config.model} reads {readable} tokens. '
            f"{advice}"
        )


def collate(tokenizer: Any, rule: PadTo, rows: list[dict[str, Any]]) -> Any:
    """The tensors of a batch, as wide as its plan says; a held-out row may be longer than any of training."""
    from transformers import DataCollatorWithPadding

    width = rule.of(len(row["input_ids"]) for row in rows)
    return DataCollatorWithPadding(tokenizer, padding="max_length", max_length=width)(rows)


def padding_note(config: RunConfig, planned: Callable[[int, int], Plan]) -> str:
    """What the padding costs, or that `training` puts the rows into an order of its own."""
    if config.names_sampler:
        return (
            f"Padding {config.padding} decides how wide a batch is, but not which rows meet in it: training names a "
            f"train_sampling_strategy, {config.training['train_sampling_strategy']}, and that wins."
        )
    cost = planned(config.training["per_device_train_batch_size"], 0).cost()
    return f"Padding {config.padding}: {cost.waste:.0%} of the {cost.slots:,} slots of the first epoch are padding."


def planned_trainer(config: RunConfig, planned: Callable[[int, int], Plan]) -> Any:
    """A Trainer whose batches are those of `planned(batch_size, epoch)` in order, unless `training` names an order."""
    from torch.utils.data import Sampler
    from transformers import Trainer

    class PlannedRows(Sampler[int]):
        """The rows of the plan's batches; only its last batch can be smaller, so cutting them again changes nothing."""

        def __init__(self, rows: int, batch_size: int) -> None:
            self.rows, self.batch_size, self.epoch = rows, batch_size, 0

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __len__(self) -> int:
            return self.rows

        def __iter__(self) -> Iterator[int]:
            return (row for batch in planned(self.batch_size, self.epoch).batches for row in batch.rows)

    class PlannedTrainer(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            # Not the configured size: auto_find_batch_size may have halved it.
            return PlannedRows(len(self.train_dataset), self._train_batch_size)

    return Trainer if config.names_sampler else PlannedTrainer
