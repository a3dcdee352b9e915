"""From a padding plan to batches: rows in the plan's order, tensors as wide as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import readable_length
from hfdemo.tokenization.padding import Plan, width_rule

Planned = Callable[[int, int], Plan]


def check_width(config: RunConfig, width_of: Callable[[int], int], loaded: LoadedModel, lengths: list[int]) -> None:
    """Refuse a width beyond what the model reads: rows are cut to that, but a width can be rounded up.

    Raises:
        DemoError: some batch would be too wide.
    """
    readable, widest = readable_length(loaded.model.config, loaded.tokenizer), width_of(max(lengths))
    if readable is not None and widest > readable:
        lengths_down = range(readable, 0, -1)
        fits = next((each for each in lengths_down if width_rule(config.padding, each, each)(each) <= readable), 0)
        advice = f"Set max_length to {fits}, or pick another padding." if fits else "Pick another padding."
        raise DemoError(
            f'padding "{config.padding}" makes rows of {widest} slots, but {config.model} reads {readable} tokens. '
            f"{advice}"
        )


def collate(tokenizer: Any, width_of: Callable[[int], int], sequence_labels: bool, rows: list[dict[str, Any]]) -> Any:
    """Return the tensors of a batch, as wide as its plan says; `width_of` makes that of its longest row.

    Labels that are as long as the ids (`sequence_labels`) are padded with -100, which no loss counts.
    """
    import torch
    from transformers import DataCollatorWithPadding

    width = width_of(max(len(row["input_ids"]) for row in rows))
    inputs = [{name: value for name, value in row.items() if name != "labels"} for row in rows]
    batch = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=width)(inputs)
    labels = [row["labels"] for row in rows]
    if sequence_labels:
        left = tokenizer.padding_side == "left"
        labels = [
            padding + own if left else own + padding for own in labels for padding in [[-100] * (width - len(own))]
        ]
    batch["labels"] = torch.tensor(labels)
    return batch


def padding_note(config: RunConfig, planned: Planned) -> str:
    """What the padding costs, or that `training` puts the rows into an order of its own."""
    if config.names_sampler:
        return (
            f"Padding {config.padding} decides how wide a batch is, but not which rows meet in it: training names a "
            f"train_sampling_strategy, {config.training['train_sampling_strategy']}, and that wins."
        )
    cost = planned(config.training["per_device_train_batch_size"], 0).cost()
    return f"Padding {config.padding}: {cost.waste:.0%} of the {cost.slots:,} slots of the first epoch are padding."


def planned_rows(planned: Planned, rows: int, batch_size: int) -> Any:
    """A torch Sampler of the rows in the order of the plan of each epoch.

    Only the last batch of a plan can be smaller, so cutting its rows into batches again changes nothing.
    """
    from torch.utils.data import Sampler

    class PlannedRows(Sampler[int]):
        epoch = 0

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __len__(self) -> int:
            return rows

        def __iter__(self) -> Iterator[int]:
            return (row for batch in planned(batch_size, self.epoch).batches for row in batch.rows)

    return PlannedRows()
