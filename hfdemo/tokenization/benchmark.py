"""What padding really costs on this device: timed forward passes, and the drift without an attention mask."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, Stopped, wrap_library_errors
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import POSITIONS_AFTER_PADDING, text_config
from hfdemo.models.size_limits import format_bytes, free_bytes
from hfdemo.tokenization.padding import PaddingPlan

WARMUPS = 1
MOST_CPU_SLOTS = 200_000
# Attention compares every slot of a row with every other: where no limit is known, a text alone would decide.
MOST_WIDTH_UNKNOWN = 16_384
# All forward passes of a comparison on a CPU together; nobody else's model runs meanwhile. Some minutes, some seconds.
MOST_FLOPS, MOST_FLOPS_PUBLIC = 2 * 10**14, 2 * 10**13
# However small: what a pass costs before it has computed anything.
_LEAST_SLOTS, _LEAST_PARAMETERS = 256, 20_000_000
_ACCELERATED = 100


@dataclass(frozen=True)
class Timing:
    """Seconds for all batches of a plan together, over `runs` runs after `warmups` that don't count."""

    strategy: str
    median: float
    lowest: float
    highest: float
    runs: int
    warmups: int


@dataclass(frozen=True)
class MaskEffect:
    """A short row alone, and padded to `width`, with its attention mask and without.

    `logits_drift` is the largest absolute difference of the model's output to the row alone, `cosine` the likeness of
    the first token's ([CLS]) hidden state to the row alone; each has one number for each of `ways`. `output` is the
    library's name for what was compared: "logits", or "last_hidden_state" (real tokens only) without a head.
    `is_causal` says that the model's attention is causal, whatever was measured, and `left` where padding stood.
    """

    output: str
    length: int
    width: int
    ways: tuple[str, ...]
    logits_drift: tuple[float, ...]
    cosine: tuple[float, ...]
    is_causal: bool = False
    left: bool = False


def time_plans(
    loaded: LoadedModel,
    rows: Sequence[Sequence[int]],
    plans: Sequence[PaddingPlan],
    stop: Event,
    tell: Callable[[str, int, int], None],
    runs: int = 5,
    pad_id: int | None = None,
    most_flops: int = MOST_FLOPS,
) -> tuple[Timing, ...]:
    """Run the token ids in `rows` through the model as each plan batches and pads them, strategies taking turns.

    Only the forward passes are timed, not the padding. Rows that are not padded run one by one: they can't be stacked.
    An encoder-decoder reads the text and begins its answer with one token. `tell` hears (strategy, passes done, passes
    in all). Rows are padded with `pad_id`, else with the tokenizer's own. It takes no turn: the caller holds
    `models.scheduler.exclusive()`.

    Raises:
        Stopped: `stop` was set; it is looked at between two forward passes.
        DemoError: a batch is wider than the model can read or too large for the memory, all passes together take more
            than `most_flops`, padding needs a pad token and there is none, or the model needs more than text.
    """
    work = [(plan.strategy, _list_passes(plan)) for plan in plans]
    pad_id = _choose_pad_id(loaded, pad_id)
    for strategy, passes in work:
        _check_batches(loaded, rows, strategy, passes, pad_id)
    _check_work(loaded, [each for _, passes in work for each in passes], WARMUPS + runs, most_flops)
    left = loaded.tokenizer.padding_side == "left"
    counting = left and _takes_position_ids(loaded.model)
    in_all = sum(len(passes) for _, passes in work) * (WARMUPS + runs)
    done, seconds = 0, [[0.0] * (WARMUPS + runs) for _ in work]
    for run in range(WARMUPS + runs):
        for place, (strategy, passes) in enumerate(work):
            for cut in passes:
                if stop.is_set():
                    raise Stopped
                batch = [rows[row][:length] for row, length in cut.lengths]
                inputs = _build_inputs(loaded, batch, cut.width, left, pad_id, positions=counting)
                seconds[place][run] += _time_forward(loaded, inputs)
                done += 1
                tell(strategy, done, in_all)
    counted = [each[WARMUPS:] for each in seconds]
    return tuple(
        Timing(plan.strategy, statistics.median(each), min(each), max(each), runs, WARMUPS)
        for plan, each in zip(plans, counted, strict=True)
    )


def measure_mask_effect(
    loaded: LoadedModel, ids: Sequence[int], width: int, side: str | None = None, pad_id: int | None = None
) -> MaskEffect:
    """Return what padding `ids` to `width` changes, with the mask and without.

    Without one a model takes every slot for a real token. Padding goes to `side` and is made of `pad_id`, else to the
    tokenizer's side and of its own. On the left a model that takes position_ids is also given those that `generate`
    would count from the mask. The caller holds `models.scheduler.exclusive()`.

    Raises:
        DemoError: nothing to pad, no pad token, a width that the model can't read, or it needs more than text.
    """
    length = len(ids)
    if not 0 < length < width:
        raise DemoError(
            f"The text has {length} tokens and is to be padded to {width}. Give it at least 1, and a larger width."
        )
    pad_id = _choose_pad_id(loaded, pad_id)
    _check_batches(loaded, [ids], f"padding to {width}", [_Pass(((0, length),), width)], pad_id)
    left = (side or loaded.tokenizer.padding_side) == "left"
    start = width - length if left else 0
    ways = {"with attention_mask": (True, False), "without attention_mask": (False, False)}
    if left and _takes_position_ids(loaded.model):
        ways = {"with attention_mask and its position_ids": (True, True), **ways}
    name, lone, first = _read_output(loaded, _build_inputs(loaded, [ids], length, left, pad_id), 0, length)
    drift, cosine = [], []
    for masked, positions in ways.values():
        inputs = _build_inputs(loaded, [ids], width, left, pad_id, masked=masked, positions=positions)
        _, answer, hidden = _read_output(loaded, inputs, start, length)
        drift.append(float((answer - lone).abs().max()))
        cosine.append(_cosine_similarity(hidden, first))
    return MaskEffect(name, length, width, tuple(ways), tuple(drift), tuple(cosine), _is_causal(loaded.model), left)


@dataclass(frozen=True)
class _Pass:
    """One forward pass: (row, tokens of it that are read), all of them made `width` wide."""

    lengths: tuple[tuple[int, int], ...]
    width: int

    @property
    def pads(self) -> bool:
        return any(length < self.width for _, length in self.lengths)


def _list_passes(plan: PaddingPlan) -> list[_Pass]:
    return [
        _Pass(tuple((row, plan.lengths[row]) for row in tensor.rows), tensor.width)
        for tensor in plan.tensors()
        if tensor.width
    ]


def _choose_pad_id(loaded: LoadedModel, chosen: int | None) -> int | None:
    if loaded.tokenizer is None:
        raise DemoError(f"{loaded.ref} has no tokenizer, so it reads no text. Pick a model that does.")
    own: int | None = loaded.tokenizer.pad_token_id
    return own if chosen is None else chosen


def _check_batches(
    loaded: LoadedModel, rows: Sequence[Sequence[int]], what: str, passes: Sequence[_Pass], pad_id: int | None
) -> None:
    """Refuse what would fail in the middle, take the process down with it, or leave an accelerator broken."""
    name = str(loaded.ref)
    if pad_id is None and any(each.pads for each in passes):
        raise DemoError(
            f"The tokenizer of {name} has no pad token, so nothing can be padded. Name one of its tokens as pad_token."
        )
    widest = max((each.width for each in passes), default=0)
    if loaded.context is not None and widest > loaded.context:
        raise DemoError(
            f"{what}: rows are made {widest} tokens wide, but {name} reads at most {loaded.context}. "
            f"Set max_length to {loaded.context} or less, or leave this strategy out."
        )
    if loaded.context is None and widest > MOST_WIDTH_UNKNOWN:
        raise DemoError(
            f"{what}: rows are made {widest:,} tokens wide, and nothing says how many {name} can read; at most "
            f"{MOST_WIDTH_UNKNOWN:,} are tried. Set a max_length."
        )
    known = _count_embeddings(loaded.model)
    largest = max((max(row, default=0) for row in rows), default=0)
    largest = max(largest, pad_id or 0)
    if known is not None and largest >= known:
        raise DemoError(
            f"Token id {largest} is unknown to {name}, which has {known:,} tokens: these ids come from another "
            "tokenizer. Use the model's own."
        )
    slots = max((len(each.lengths) * each.width for each in passes), default=0)
    kind = loaded.device.kind
    if kind == "cpu" and slots > MOST_CPU_SLOTS:
        raise DemoError(
            f"{what}: the largest batch has {slots:,} positions; on a CPU at most {MOST_CPU_SLOTS:,} are measured. "
            "Make the batches smaller."
        )
    head = loaded.model.get_output_embeddings()
    # A model that predicts tokens answers each slot with one number for every token it knows.
    output = slots * head.weight.shape[0] * head.weight.element_size() if head is not None else 0
    # Every head of a layer gives each two slots of a row a score, in float32.
    scores = _count_heads(loaded.model) * max((len(each.lengths) * each.width**2 for each in passes), default=0) * 4
    for part, needed in (("output", output), ("attention", scores)):
        free = free_bytes(kind)
        if needed > free:
            raise DemoError(
                f"{what}: the {part} for the largest batch takes {format_bytes(needed)}, and {format_bytes(free)} "
                "are free. Make the batches smaller or the rows shorter."
            )


def _check_work(loaded: LoadedModel, passes: Sequence[_Pass], rounds: int, most_flops: int) -> None:
    """Refuse what would keep everybody else waiting for long: two operations for each parameter and slot."""
    parameters = max(_LEAST_PARAMETERS, sum(each.numel() for each in loaded.model.parameters()))
    fast = 1 if loaded.device.kind == "cpu" else _ACCELERATED
    most = fast * most_flops // (2 * parameters)
    slots = rounds * sum(max(_LEAST_SLOTS, len(each.lengths) * each.width) for each in passes)
    if slots > most:
        raise DemoError(
            f"This comparison takes {rounds * len(passes):,} forward passes with {slots:,} positions (a pass counts as "
            f"{_LEAST_SLOTS} at least); of {loaded.ref} at most {most:,} are measured here. Take fewer or shorter "
            "rows, or larger batches."
        )


def _count_heads(model: Any) -> int:
    """Return attention heads per layer of what reads the text; 0 where its config names none."""
    text = text_config(model.config)
    found = getattr(text, "num_attention_heads", None)
    return found if isinstance(found, int) else 0


def _is_causal(model: Any) -> bool:
    """Say whether every attention layer of what reads the text is causal, as the library itself marks them."""
    marks = [each.is_causal for each in _find_text_model(model).modules() if hasattr(each, "is_causal")]
    return bool(marks) and all(marks)


def _count_embeddings(model: Any) -> int | None:
    """Return how many token ids a model can look up; None where it has no one table for them (CLIP, CANINE)."""
    try:
        return getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:
        return None


def _takes_position_ids(model: Any) -> bool:
    """Say whether it can be told the positions; RoBERTa and its kin see from the ids where the text begins."""
    return _accepts_argument(model, "position_ids") and model.config.model_type not in POSITIONS_AFTER_PADDING


def _build_inputs(
    loaded: LoadedModel,
    rows: Sequence[Sequence[int]],
    width: int,
    left: bool,
    pad_id: int | None,
    *,
    masked: bool = True,
    positions: bool = False,
) -> dict[str, Any]:
    """Return the arguments of a forward pass, [rows, width], on the model's device; by hand, so that no tokenizer is
    held.
    """
    import torch

    tokenizer, model = loaded.tokenizer, loaded.model
    ids = torch.full((len(rows), width), pad_id or 0)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        ids[index, place] = torch.tensor(row, dtype=ids.dtype)
        mask[index, place] = 1
    if not masked:
        mask = torch.ones_like(mask)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if "token_type_ids" in tokenizer.model_input_names and _accepts_argument(model, "token_type_ids"):
        inputs["token_type_ids"] = torch.zeros_like(ids)
    if positions:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    if model.config.is_encoder_decoder and model.can_generate():
        start = model.generation_config.decoder_start_token_id or 0
        inputs["decoder_input_ids"] = torch.full((len(rows), 1), start)
    return {name: value.to(model.device) for name, value in inputs.items()}


def _accepts_argument(model: Any, name: str) -> bool:
    return name in inspect.signature(model.forward).parameters


def _find_text_model(model: Any) -> Any:
    """Return what reads the text: a headless encoder-decoder has nothing to answer yet, so of that only the encoder."""
    headless = model.base_model is model and not model.can_generate()
    return model.get_encoder() if model.config.is_encoder_decoder and headless else model


def _run_forward(loaded: LoadedModel, inputs: Mapping[str, Any], **options: Any) -> Any:
    import torch

    with (
        wrap_library_errors(
            f"{loaded.ref} can't run this batch", "Pick a model that reads text and nothing else, or smaller batches."
        ),
        torch.inference_mode(),
    ):
        return _find_text_model(loaded.model)(**inputs, **options)


def _time_forward(loaded: LoadedModel, inputs: Mapping[str, Any]) -> float:
    _synchronize(loaded)
    began = time.perf_counter()
    _run_forward(loaded, inputs)
    _synchronize(loaded)
    return time.perf_counter() - began


def _synchronize(loaded: LoadedModel) -> None:
    """Wait for an accelerator, which answers before it is done."""
    import torch

    if loaded.device.kind != "cpu":
        torch.accelerator.synchronize()


def _read_output(loaded: LoadedModel, inputs: Mapping[str, Any], start: int, length: int) -> tuple[str, Any, Any]:
    """Return the name and values of the output for the row's own `length` tokens, and the first hidden state."""
    width = inputs["input_ids"].shape[1]
    output = _run_forward(loaded, inputs, output_hidden_states=True)
    name, answer = next((name, value) for name, value in output.items() if hasattr(value, "is_floating_point"))
    # One answer for each token, not one for the whole text.
    if (answer.ndim == 3 or name == "start_logits") and answer.shape[1] == width:
        answer = answer[:, start : start + length]
    hidden = output.get("encoder_last_hidden_state", output.get("last_hidden_state"))
    hidden = output["hidden_states"][-1] if hidden is None else hidden
    return name, answer.double(), hidden[0, start].double()


def _cosine_similarity(first: Any, second: Any) -> float:
    import torch

    # Rounding can lift equal vectors just above 1.
    return min(1.0, float(torch.nn.functional.cosine_similarity(first, second, dim=0)))
