"""The lab draws exactly the slots of a plan, tells kinds apart without colour, and shows what was measured."""

import re
from dataclasses import replace

import pytest

from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.benchmark import MaskEffect, Timing, measure_mask_effect
from hfdemo.tokenization.collating import CollatedBatch, IntTensor
from hfdemo.tokenization.encoding import Cell
from hfdemo.tokenization.padding import plan_batches, strategy_names
from hfdemo.ui.appearance import STATIC
from hfdemo.ui.tabs.tokens import padding_view
from tests.ui.samples import text_of

LENGTHS = [9, 2, 17, 4, 3]
EVIL = "<img src=x onerror=alert(1)>"


def row(length: int) -> list[Cell]:
    middle = [Cell("a", 7, "token", index % 2, None, None, 1) for index in range(length - 2)]
    return [Cell("[CLS]", 1, "special", None, None, None, 1), *middle, Cell("[SEP]", 2, "special", None, None, None, 1)]


def slots(drawn: str, kind: str = "[a-z]+") -> int:
    return sum(int(count) for count in re.findall(rf"hf-fill hf-{kind}(?: hf-ruled)?' style='[^']*--n:(\d+)'", drawn))


@pytest.mark.parametrize("strategy", strategy_names())
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_drawing_has_as_many_slots_of_each_kind_as_its_plan(strategy: str, side: str) -> None:
    made = plan_batches(LENGTHS, 2, strategy, max_length=20)
    drawn = padding_view.render_strategies([made], [row(length) for length in LENGTHS], side, "").split("hf-plan", 1)[1]
    cost = made.cost()
    assert slots(drawn) == cost.slots
    assert slots(drawn, "pad") == cost.slots - cost.tokens
    assert slots(drawn, "special") == 2 * len(LENGTHS)
    lines = re.findall(r"<div class='hf-line'[^>]*>(.*?)</div>", drawn)
    padded = [line for line in lines if "hf-pad" in line]
    ends = [re.findall(r"hf-fill hf-([a-z]+)", line)[0 if side == "left" else -1] for line in padded]
    assert set(ends) <= {"pad"}, "padding stands on the side that was asked for"


def test_all_strategies_are_drawn_to_one_scale() -> None:
    plans = [plan_batches(LENGTHS, 2, name, max_length=20) for name in strategy_names()]
    drawn = padding_view.render_strategies(plans, [row(length) for length in LENGTHS], "right", "")
    widths = {round(float(width) / int(count), 2) for width, count in re.findall(r"width:([\d.]+)%;--n:(\d+)'", drawn)}
    assert len(widths) == 1, "a position is equally wide wherever it is drawn"
    assert drawn.count("<section") == len(strategy_names())


def test_the_error_of_ragged_rows_stands_where_nothing_is_padded() -> None:
    plans = [plan_batches(LENGTHS, 2, name) for name in ("none", "longest_in_batch")]
    first, second = padding_view.render_strategies(
        plans, [row(length) for length in LENGTHS], "right", f"no {EVIL}"
    ).split("<section")[1:]
    assert "no &lt;img" in first
    assert "hf-note" not in second
    assert "ragged" in first


def test_a_long_row_is_a_handful_of_elements() -> None:
    drawn = padding_view.render_strategies(
        [plan_batches([5000, 10], 2, "longest_in_batch")], [row(5000)[:1] * 5000, row(10)], "right", ""
    )
    assert len(drawn) < 4000


@pytest.mark.parametrize("kind", ["second", "special", "pad"])
def test_no_kind_of_slot_is_told_apart_by_colour_alone(kind: str) -> None:
    css = (STATIC / "tokens.css").read_text(encoding="utf-8")
    assert re.search(rf"\.hf-fill\.hf-{kind} \{{ background: (repeating-linear|radial)-gradient", css)


def test_predicted_and_measured_stand_next_to_each_other() -> None:
    found = [plan_batches(LENGTHS, 2, name).cost((6, 384)) for name in ("longest_in_batch", "multiple_of_64")]
    timings = [Timing("longest_in_batch", 0.010, 0.009, 0.012, 5, 1), Timing("multiple_of_64", 0.030, 0.02, 0.04, 5, 1)]
    made = text_of(padding_view.render_costs(found, timings, recommended="longest_in_batch"))
    assert "×1.00" in made
    assert f"×{found[1].flops / found[0].flops:.2f}" in made  # type: ignore[operator]
    assert "×3.00" in made
    assert "30 (20, 40)" in made
    assert made.count("recommended") == 1
    assert "measured" not in text_of(padding_view.render_costs(found))
    assert "FLOPs" not in text_of(padding_view.render_costs([plan_batches(LENGTHS, 2, "none").cost()]))


@pytest.mark.parametrize(
    ("number", "shown"), [(None, "–"), (900, "900 FLOP"), (1_230_000, "1.23 MFLOP"), (4 * 10**12, "4.00 TFLOP")]
)
def test_flops_are_readable(number: int | None, shown: str) -> None:
    assert padding_view.format_flops(number) == shown


def test_collated_tensors_are_shown_with_shape_and_type_and_errors_as_what_they_say() -> None:
    made = padding_view.render_collations(
        [
            CollatedBatch("default", "default_collate(rows)", {}, error=EVIL, notes=("It wants equal lengths.",)),
            CollatedBatch(
                "padding", "collate(rows)", {"input_ids": IntTensor((2, 3), "int64", ((1, 2, 3), (4, 0, 0)))}
            ),
        ]
    )
    assert "input_ids [2, 3] int64" in made
    assert re.findall(r"<td>(\d)</td>", made) == ["1", "2", "3", "4", "0", "0"]
    assert EVIL not in made
    assert "equal lengths" in made
    wide = padding_view.render_collations(
        [CollatedBatch("x", "x", {"input_ids": IntTensor((1, 900), "int64", (tuple(range(900)),))})]
    )
    assert "the first 64 of 900 positions" in wide


def test_the_proof_says_what_the_mask_changes() -> None:
    ways = ("with attention_mask", "without attention_mask")
    made = text_of(padding_view.render_proof(MaskEffect("logits", 5, 64, ways, (1e-7, 0.81), (1.0, 0.743))))
    assert "1.000" in made
    assert "0.743" in made
    assert "moves by 0.81" in made
    odd = text_of(padding_view.render_proof(MaskEffect("logits", 5, 64, ways, (0.3, 0.81), (0.95, 0.743))))
    assert "Even with the mask" in odd
    causal = text_of(
        padding_view.render_proof(MaskEffect("logits", 5, 64, ways, (0.0, 0.0), (1.0, 1.0), is_causal=True))
    )
    assert "looks back only" in causal


def test_on_the_left_the_proof_tells_the_mask_from_the_positions() -> None:
    ways = ("with attention_mask and its position_ids", "with attention_mask", "without attention_mask")
    made = text_of(padding_view.render_proof(MaskEffect("logits", 5, 64, ways, (1e-7, 0.5, 0.9), (1.0, 0.91, 0.74))))
    assert "the mask is not enough (cosine 0.910)" in made
    assert "pad on the right" in made


def test_the_table_can_be_copied_with_its_seconds() -> None:
    cost = plan_batches(LENGTHS, 2, "grouped").cost()
    assert padding_view.cost_records([cost])[0]["slots"] == cost.slots
    assert padding_view.cost_records([cost], [Timing("grouped", 0.5, 0.4, 0.6, 3, 1)])[0]["seconds"] == 0.5


def test_the_proof_says_that_the_output_moves_even_where_the_first_token_stays(models: ModelCache) -> None:
    """A classifier that takes the last token, and is not told what padding is, reads padding."""
    import torch
    from transformers import GPT2Config, GPT2ForSequenceClassification

    torch.manual_seed(0)
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=31_000, bos_token_id=None, eos_token_id=None)
    model = GPT2ForSequenceClassification(config).eval()
    minilm = models.get(ModelRef.parse("embedded:minilm"), "AutoModel")
    found = measure_mask_effect(
        replace(minilm, model=model.to(minilm.model.device)), [101, 2000, 2001, 102], 16, "right"
    )
    assert found.cosine[1] > padding_view.SAME
    assert found.logits_drift[1] > padding_view.SAME_OUTPUT
    said = text_of(padding_view.render_proof(found))
    assert "changes nothing" not in said
    assert said.count(f"output moves by {found.logits_drift[1]:.3g}") == 2
    assert "looks back only" in said


def test_that_a_model_looks_back_only_is_never_concluded_from_what_was_measured() -> None:
    ways = ("with attention_mask", "without attention_mask")
    made = text_of(padding_view.render_proof(MaskEffect("logits", 5, 6, ways, (0.0, 0.0), (1.0, 1.0))))
    assert "looks back only" not in made
    assert "changes nothing even without the mask" in made
