"""The HTML of the padding lab: the same batches under every strategy, to one scale, with what each of them costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from hfdemo.tokenization.benchmark import MaskEffect, Timing
from hfdemo.tokenization.collating import CollatedBatch, IntTensor
from hfdemo.tokenization.encoding import Cell
from hfdemo.tokenization.padding import Batch, PaddingCost, PaddingPlan, find_strategy
from hfdemo.ui.html import Html, about, code, escape, notes, table, with_title
from hfdemo.ui.renderers.tokens import render_cut

SHOWN_BATCHES = 12
SHOWN_ROWS = 8
SHOWN_SLOTS = 64
# Cosines that are 1.000 when they are written with three digits, and what rounding may change of an output.
SAME, SAME_OUTPUT = 0.9995, 1e-3
# More slots than this side by side are too narrow for a line between each two.
RULED_SLOTS = 150

LEGEND = (
    "<div class='hf-legend hf-lab-legend'><span><i class='hf-fill hf-first'></i>first text</span>"
    "<span><i class='hf-fill hf-second'></i>second text</span>"
    "<span><i class='hf-fill hf-special'></i>special token</span>"
    "<span><i class='hf-fill hf-pad'></i>padding</span></div>"
)


def render_strategies(
    plans: Sequence[PaddingPlan], rows: Sequence[Sequence[Cell]], side: str, ragged_error: str
) -> str:
    """Render every plan drawn to one scale; `rows` are the unpadded cells, `side` is where the padding goes."""
    kinds = [[_cell_kind(cell) for cell in row] for row in rows]
    scale = max((width for plan in plans for _, width in plan.shapes()), default=1)
    blocks = "".join(_render_plan(plan, kinds, side, scale, ragged_error) for plan in plans)
    return f"{LEGEND}<div class='hf-lab'>{blocks}</div>"


def _cell_kind(cell: Cell) -> str:
    return "special" if cell.kind == "special" else "second" if cell.sequence == 1 else "first"


def _render_plan(plan: PaddingPlan, kinds: Sequence[Sequence[str]], side: str, scale: int, ragged_error: str) -> str:
    cost, strategy = plan.cost(), find_strategy(plan.strategy)
    call = strategy.arguments.format(width=plan.batches[0].width if plan.batches else 0)
    head = (
        f"<h2>{escape(strategy.name)}</h2><p>{escape(strategy.summary)} {code(f'`{call}`')} <b>{cost.slots:,}</b> "
        f"positions, <b>{cost.waste:.0%}</b> padding</p>"
    )
    drawn = "".join(_render_batch(batch, plan, kinds, side, scale) for batch in plan.batches[:SHOWN_BATCHES])
    more = len(plan.batches) - SHOWN_BATCHES
    rest = about(f"… and {more:,} more batches, counted above.") if more > 0 else ""
    error = notes([ragged_error]) if ragged_error and not strategy.pads else ""
    return f"<section class='hf-plan' data-strategy='{escape(plan.strategy)}'>{head}{drawn}{rest}{error}</section>"


def _render_batch(batch: Batch, plan: PaddingPlan, kinds: Sequence[Sequence[str]], side: str, scale: int) -> str:
    widths = plan.widths(batch)
    shape = f"[{len(batch.rows)}, {widths[0]}]" if len(set(widths)) == 1 else "ragged"
    lines = "".join(
        _render_row(kinds[row][: plan.lengths[row]], width - plan.lengths[row], side, scale, row)
        for row, width in zip(batch.rows, widths, strict=True)
    )
    return f"<div class='hf-batch'><small>{shape}</small><div>{lines}</div></div>"


def _render_row(kinds: Sequence[str], padding: int, side: str, scale: int, row: int) -> str:
    """Render one row of a batch as runs of slots of one kind: a row of a thousand slots is a handful of elements."""
    runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
    if padding:
        runs.insert(0 if side == "left" else len(runs), ("pad", padding))
    ruled = " hf-ruled" if scale <= RULED_SLOTS else ""
    cells = "".join(
        f"<i class='hf-fill hf-{kind}{ruled}' style='width:{100 * count / scale:.3f}%;--n:{count}'></i>"
        for kind, count in runs
    )
    words = f"Row {row + 1}: " + ", ".join(f"{count} {_WORDS[kind]}" for kind, count in runs)
    return f"<div class='hf-line' role='img' aria-label='{words}' title='{words}'>{cells}</div>"


SHAPES = (
    "Each shape that a batch has for the first time is compiled anew on a TPU and under `torch.compile`: few shapes "
    "are what `pad_to_multiple_of` and a fixed max_length are for. The strategy `none` runs the rows one by one."
)
PASSES = (
    "Predicted counts arithmetic alone. Each forward pass also costs something by itself, and a row alone keeps fewer "
    "cores busy than a batch: the strategy `none` runs a pass for each row, so it can be slower than predicted."
)
_WORDS = {"first": "of the first text", "second": "of the second text", "special": "special", "pad": "padding"}


def render_costs(found: Sequence[PaddingCost], timings: Sequence[Timing] = (), recommended: str = "") -> str:
    """Render what each strategy costs, predicted and (where `timings` has it) measured, side by side."""
    most = max((cost.slots for cost in found), default=0) or 1
    least_flops = min((cost.flops for cost in found if cost.flops), default=0)
    times = {timing.strategy: timing for timing in timings}
    fastest = min((timing.median for timing in timings), default=0.0)
    heads = ["strategy", "padding", "positions", "", "passes", "batch shapes"]
    heads += ["FLOPs", "predicted"] if least_flops else []
    heads += ["measured", "ms (from, to)"] if times else []
    rows: list[list[Any]] = []
    for cost in found:
        name = f"<b>{escape(cost.name)}</b>"
        if cost.name == recommended:
            name += " <span class='hf-chip'>recommended</span>"
        bar = render_cost_bar(first=cost.tokens / most, pad=(cost.slots - cost.tokens) / most)
        cells: list[Any] = [Html(name), f"{cost.waste:.1%}", f"{cost.slots:,}", bar]
        cells += [f"{cost.passes:,}", f"{cost.shapes:,}"]
        if least_flops:
            cells += [format_flops(cost.flops), f"×{cost.flops / least_flops:.2f}"] if cost.flops else ["–", "–"]
        if times:
            timing = times.get(cost.name)
            cells += (
                [f"×{timing.median / fastest:.2f}", _format_timing(timing)]
                if timing is not None and fastest
                else ["–", "–"]
            )
        rows.append(cells)
    numbers = set(range(len(heads))) - {0, 3}
    said = about(SHAPES) + (about(PASSES) if times else "")
    return table(heads, rows, numbers, kind="hf-costs", focusable=True) + said


def render_cost_bar(**shares: float) -> Html:
    """Render a bar of parts; each is named by its fill and takes its share, 0 to 1, of the width."""
    parts = (
        f"<i class='hf-fill hf-{fill}' style='width:{100 * share:.2f}%'></i>" for fill, share in shares.items() if share
    )
    return Html(f"<div class='hf-cost'>{''.join(parts)}</div>")


def _format_timing(timing: Timing) -> str:
    """Render milliseconds: the median, and between which two all runs were."""
    low, middle, high = (f"{1000 * seconds:,.0f}" for seconds in (timing.lowest, timing.median, timing.highest))
    return f"{middle} ({low}, {high})"


def format_flops(number: int | None) -> str:
    """Render floating point operations, readable: 1.20 GFLOP."""
    if number is None:
        return "–"
    for unit, size in (("P", 10**15), ("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.2f} {unit}FLOP"
    return f"{number} FLOP"


def render_collations(found: Sequence[CollatedBatch]) -> str:
    """Render what each collate function returns, or raises, and what to look out for."""
    return "".join(_render_collation(each) for each in found)


def _render_collation(each: CollatedBatch) -> str:
    error = notes([each.error]) if each.error else ""
    tensors = "".join(
        with_title(f"{name} {list(tensor.shape)} {tensor.dtype}", _render_tensor(tensor))
        for name, tensor in each.tensors.items()
    )
    said = "".join(map(about, each.notes))
    call = f"<p>{code(f'`{each.call}`')}</p>"
    return f"<div class='hf-stage'><h2>{escape(each.name)}</h2>{call}{error}{tensors}{said}</div>"


def _render_tensor(tensor: IntTensor) -> str:
    rows = [row[:SHOWN_SLOTS] for row in tensor.rows[:SHOWN_ROWS]]
    widest = max((len(row) for row in tensor.rows), default=0)
    more = render_cut((SHOWN_ROWS, len(tensor.rows), "rows"), (SHOWN_SLOTS, widest, "positions"))
    return table((), rows, kind="hf-tokens hf-ids", focusable=True) + more


def render_proof(found: MaskEffect) -> str:
    """Render what a model makes of padding when it is told about it, and when it is not."""
    shape = f"{found.length} tokens, padded to {found.width} positions."
    verdict = f"{shape} {_describe_with_mask(found)} {_describe_without_mask(found)}"
    heads = ("against the row alone", f"largest change of {found.output}", "cosine of the first token", "")
    rows = [
        (way, f"{drift:.2e}", f"{cosine:.3f}", render_cost_bar(first=max(0.0, cosine)))
        for way, drift, cosine in zip(found.ways, found.logits_drift, found.cosine, strict=True)
    ]
    if found.is_causal and not found.left:
        verdict += (
            " generate() goes on from the last position, which is padding here: to generate, pad on the left. For "
            "training either side will do."
        )
    return f"<p>{escape(verdict)}</p>" + table(heads, rows, (1, 2), kind="hf-proof", focusable=True)


def _find_measured(found: MaskEffect, way: str) -> tuple[float, float]:
    """Return (cosine, drift) of one of the ways."""
    place = found.ways.index(way)
    return found.cosine[place], found.logits_drift[place]


def _describe_with_mask(found: MaskEffect) -> str:
    cosine, drift = _find_measured(found, "with attention_mask")
    if cosine > SAME and drift < SAME_OUTPUT:
        return f"With the mask the first token's vector is what it is without padding (cosine {cosine:.3f})."
    if cosine > SAME:
        return (
            f"With the mask the first token's vector is what it is without padding (cosine {cosine:.3f}), yet the "
            f"output moves by {drift:.3g}: what answers reads another position. A classifier that looks at the last "
            "token needs pad_token_id in its config to find it."
        )
    if found.cosine[0] > SAME:
        return (
            f"Padded on the left the mask is not enough (cosine {cosine:.3f}): this model counts positions from the "
            "first position on. Give it position_ids counted from the mask, as generate does, or pad on the right."
        )
    return f"Even with the mask the first token's vector changes (cosine {cosine:.3f})."


def _describe_without_mask(found: MaskEffect) -> str:
    cosine, drift = _find_measured(found, "without attention_mask")
    if cosine <= SAME:
        return (
            f"Without the mask, attention goes to padding as if it were text: cosine {cosine:.3f}, and the output "
            f"moves by {drift:.3g}."
        )
    back = "This model looks back only, so padding behind the text" if found.is_causal else "Here padding"
    if drift < SAME_OUTPUT:
        return f"{back} changes nothing even without the mask."
    return (
        f"{back} leaves the first token's vector as it is even without the mask, but the output moves by {drift:.3g}."
    )


def cost_records(found: Iterable[PaddingCost], timings: Sequence[Timing] = ()) -> list[dict[str, object]]:
    """Return the cost table as rows to copy."""
    times = {timing.strategy: timing for timing in timings}
    return [
        {
            "strategy": cost.name,
            "slots": cost.slots,
            "tokens": cost.tokens,
            "waste": round(cost.waste, 4),
            "shapes": cost.shapes,
            "passes": cost.passes,
            "flops": cost.flops,
            **({"seconds": round(times[cost.name].median, 6)} if cost.name in times else {}),
        }
        for cost in found
    ]
