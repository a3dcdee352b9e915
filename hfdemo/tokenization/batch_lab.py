"""A batch that was typed: encoded, planned under every padding strategy, collated, and measured with a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.models.cache import ModelCache
from hfdemo.models.hub import Progress
from hfdemo.models.loading import Need
from hfdemo.models.model_facts import ModelFacts, longest_row, model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.benchmark import MaskEffect, Timing, measure_mask_effect, time_plans
from hfdemo.tokenization.collating import CollatedBatch, find_tensor_error, run_collators
from hfdemo.tokenization.encoding import Encoding, borrow_pad_token, encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.padding import PaddingPlan, plan_batches, plannable_names


@dataclass(frozen=True)
class BatchOrder:
    """The rows of a batch, who cuts them into tokens and who reads these; None where nothing was said.

    `pad_token` is used where the tokenizer has none of its own.
    """

    tokenizer: ModelRef
    reader: ModelRef
    texts: list[str]
    pairs: list[str] | None
    batch_size: int
    max_length: int | None = None
    side: str | None = None
    pad_token: str | None = None


@dataclass(frozen=True)
class BatchPlans:
    """The unpadded rows of an order, the plans over them, and who reads them.

    The rows are cut to `limit` (None: to nothing). `pad_id` is what they are padded with, None where there is nothing;
    `borrowed` is that token where the tokenizer has none of its own. `ragged_error` is what the library says of the
    rows as they are, "" where it makes a tensor of them.
    """

    rows: Encoding
    plans: tuple[PaddingPlan, ...]
    reader: ModelFacts | None
    side: str
    limit: int | None
    borrowed: str | None
    pad_id: int | None
    ragged_error: str = ""

    @property
    def size(self) -> tuple[int, int] | None:
        return self.reader.size if self.reader else None


@dataclass(frozen=True)
class BatchTensors:
    """One call of the tokenizer, and the pad token that was lent to it."""

    encoding: Encoding
    borrowed: str | None


@dataclass(frozen=True)
class PlanTimings:
    """What each plan took on `device`."""

    timings: tuple[Timing, ...]
    device: str


def plan_order(models: ModelCache, order: BatchOrder, max_characters: int, stop: Event | None = None) -> BatchPlans:
    """Encode an order's rows without padding, cut to max_length or else to what can be read, and plan them.

    Raises:
        DemoError: see `encode`, `borrow_pad_token` and `model_facts`.
    """
    reader = model_facts(order.reader, models.settings)
    with _hold_tokenizer(models, order, stop) as (tokenizer, borrowed):
        limit = order.max_length or longest_row(reader, tokenizer)
        options = Options(truncation=limit is not None, max_length=limit)
        rows = encode(tokenizer, order.texts, order.pairs, options, max_characters)
        side = order.side or tokenizer.padding_side
        with borrow_pad_token(tokenizer, borrowed):
            pad_id = tokenizer.pad_token_id
            error = find_tensor_error(tokenizer, rows)
    plans = tuple(plan_batches(rows.lengths, order.batch_size, name, limit) for name in plannable_names(limit))
    return BatchPlans(rows, plans, reader, side, limit, borrowed, pad_id, error)


def collate_rows(
    models: ModelCache, order: BatchOrder, rows: Encoding, architecture: str | None, stop: Event | None = None
) -> tuple[CollatedBatch, ...]:
    """Return what the collate functions make of `rows`: see `run_collators`."""
    with _hold_tokenizer(models, order, stop) as (tokenizer, borrowed), borrow_pad_token(tokenizer, borrowed):
        return run_collators(tokenizer, rows, architecture)


def encode_order(
    models: ModelCache, order: BatchOrder, options: Options, max_characters: int, stop: Event | None = None
) -> BatchTensors:
    """Return what one call of the tokenizer makes of the rows: see `encode`."""
    with _hold_tokenizer(models, order, stop) as (tokenizer, borrowed):
        return BatchTensors(encode(tokenizer, order.texts, order.pairs, options, max_characters), borrowed)


def time_batches(
    models: ModelCache, ref: ModelRef, need: Need, found: BatchPlans, stop: Event, tell: Progress, most_flops: int
) -> PlanTimings:
    """Run every plan through a model: see `time_plans`."""
    loaded = models.get(ref, need, tell, stop)
    rows = found.rows.columns["input_ids"]
    with models.scheduler.exclusive(stop):
        timings = time_plans(loaded, rows, found.plans, stop, tell, pad_id=found.pad_id, most_flops=most_flops)
    return PlanTimings(timings, str(loaded.device))


def prove_mask(
    models: ModelCache, ref: ModelRef, need: Need, found: BatchPlans, stop: Event, tell: Progress
) -> MaskEffect:
    """Pad the shortest row to the widest batch, with the mask and without: see `measure_mask_effect`."""
    width = max(batch.width for each in found.plans for batch in each.batches)
    loaded = models.get(ref, need, tell, stop)
    shortest = min(found.rows.columns["input_ids"], key=len)
    with models.scheduler.exclusive(stop):
        return measure_mask_effect(loaded, shortest, width, found.side, found.pad_id)


@contextmanager
def _hold_tokenizer(models: ModelCache, order: BatchOrder, stop: Event | None) -> Iterator[tuple[Any, str | None]]:
    """Hold the tokenizer of an order, with the pad token that it is to be lent."""
    with models.hold_tokenizer(order.tokenizer, stop) as tokenizer:
        yield tokenizer, order.pad_token if tokenizer.pad_token is None else None
