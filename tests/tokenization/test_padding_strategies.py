"""A padding strategy is one row: a row that is made up here is known everywhere, though nothing else names it."""

import inspect
from threading import Event
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.training.standalone import training_script
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import Need
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization import padding
from hfdemo.tokenization.benchmark import time_plans
from hfdemo.tokenization.encoding import Cell
from hfdemo.tokenization.length_report import report_lengths
from hfdemo.tokenization.padding import PaddingStrategy, find_strategy, plan_batches, plannable_names, trainable_names
from hfdemo.tokenization.snippets import write_padding_script
from hfdemo.ui.tabs.tokens import padding_view
from tests.ui.tabs.finetune.forms import lay_out_training

LENGTHS = [9, 2, 17, 4, 3]


def pad_to_multiple_of_5(longest: int, dataset_longest: int, max_length: int | None) -> int:
    """Return the longest row, rounded up to a multiple of 5."""
    return -(-longest // 5) * 5


MADE_UP = PaddingStrategy(
    name="multiple_of_5",
    summary="Rounds up to fives.",
    arguments="padding=True, pad_to_multiple_of=5",
    batch_width=pad_to_multiple_of_5,
    groups_by_length=True,
    needs_max_length=True,
)
RAGGED = PaddingStrategy("as_it_is", "Leaves rows alone.", "padding=False", batch_width=None, is_trainable=False)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(padding, "STRATEGIES", (*padding.STRATEGIES, MADE_UP, RAGGED))


def test_it_is_planned_by_its_own_arithmetic() -> None:
    made = plan_batches(LENGTHS, 2, "multiple_of_5", max_length=20)
    assert [(batch.rows, batch.width) for batch in made.batches] == [((2, 0), 20), ((3, 4), 5), ((1,), 5)]
    assert plan_batches(LENGTHS, 2, "as_it_is").shapes() == [(1, length) for length in LENGTHS]
    with pytest.raises(DemoError, match='"multiple_of_5" needs a max_length'):
        plan_batches(LENGTHS, 2, "multiple_of_5")
    assert "multiple_of_5" not in plannable_names(None)


def test_the_page_draws_it_in_its_own_words() -> None:
    rows = [[Cell("a", 7, "token", 0, None, None, 1)] * length for length in LENGTHS]
    plans = [plan_batches(LENGTHS, 2, name, 20) for name in ("multiple_of_5", "as_it_is")]
    first, second = padding_view.render_strategies(plans, rows, "right", "no tensor").split("<section")[1:]
    for words in ("multiple_of_5", "Rounds up to fives.", "pad_to_multiple_of=5", "<b>55</b>"):
        assert words in first
    assert "no tensor" not in first
    assert "no tensor" in second
    assert "multiple_of_5" in padding_view.render_costs([plans[0].cost()])


def test_the_length_report_counts_it_or_says_what_it_lacks() -> None:
    report = report_lengths(LENGTHS, 2, max_length=20).to_json()
    costs = {cost["name"]: cost for cost in report["strategies"]}
    assert {"multiple_of_5", "as_it_is"} < costs.keys()
    assert costs["as_it_is"]["waste"] == 0
    assert "needs a max_length" in report_lengths(LENGTHS, 2).to_json()["left_out"]["multiple_of_5"]


def test_the_benchmark_runs_it(models: ModelCache) -> None:
    loaded = models.get(ModelRef.parse("untrained:embedded:minilm"), Need(("AutoModel",)))
    plans = [plan_batches([5, 3], 2, name, 8) for name in ("multiple_of_5", "as_it_is")]
    passes: list[tuple[Any, ...]] = []
    timings = time_plans(loaded, [[7] * 5, [7] * 3], plans, Event(), lambda *told: passes.append(told), runs=1)
    assert [each.strategy for each in timings] == ["multiple_of_5", "as_it_is"]
    assert [name for name, *_ in passes] == ["multiple_of_5", "as_it_is", "as_it_is"] * 2, (
        "unpadded rows run one by one"
    )


def test_the_code_of_the_page_asks_for_it(models: ModelCache) -> None:
    script = write_padding_script("embedded:minilm", ["a", "b c"], None, 2, 8, None, models.settings)
    assert "'multiple_of_5': (by_length, dict(padding=True, pad_to_multiple_of=5))" in script
    assert "as_it_is" not in script


def test_a_run_may_take_it_if_it_is_trainable() -> None:
    assert trainable_names()[-1] == "multiple_of_5"
    assert RunConfig("tickets", padding="multiple_of_5", max_length=20).padding == "multiple_of_5"
    with pytest.raises(DemoError, match='"multiple_of_5" needs a max_length'):
        RunConfig("tickets", padding="multiple_of_5")
    with pytest.raises(DemoError, match=r"padding must be one of .*multiple_of_5, but is 'as_it_is'"):
        RunConfig("tickets", padding="as_it_is")
    choices = {value for _, value in lay_out_training().fields["padding"].choices}
    assert "multiple_of_5" in choices
    assert "as_it_is" not in choices


def test_train_py_holds_its_very_arithmetic() -> None:
    config = RunConfig(
        "tickets", padding="multiple_of_5", max_length=20, labels=("a", "b"), text_column="text", label_column="label"
    )
    script = training_script(config.with_training_defaults(100), Settings())
    assert inspect.getsource(pad_to_multiple_of_5) in script
    assert "row_order(lengths, batch_size, True, " in script, "rows of like length are grouped"
    compile(script, "train.py", "exec")


@pytest.mark.parametrize("name", padding.strategy_names())
def test_every_row_is_whole(name: str) -> None:
    strategy = find_strategy(name)
    assert strategy.summary.endswith(".")
    compile(f"dict({strategy.arguments.format(width=8)})", "call", "eval")
    if strategy.pads:
        names: dict[str, Any] = {}
        exec(inspect.getsource(strategy.width_function), names)
        assert names[strategy.width_function.__name__](9, 17, 20) >= 9, "no row is cut by padding"


@pytest.mark.parametrize("name", padding.trainable_names())
def test_the_library_pads_each_batch_to_exactly_the_planned_width(models: ModelCache, name: str) -> None:
    """The row's own arguments and its arithmetic have one width, whatever batch: the code on the page shows the one."""
    strategy = find_strategy(name)
    made = plan_batches([4, 9, 6, 5], 2, name, max_length=24)
    width = 24 if strategy.needs_max_length else max(made.lengths)
    asked = eval(f"dict({strategy.arguments.format(width=width)})")
    for batch in made.batches:
        rows = [{"input_ids": [101, *[7592] * (made.lengths[row] - 2), 102]} for row in batch.rows]
        with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
            padded = tokenizer.pad(rows, **asked, return_tensors="pt")
        shape = tuple(padded["input_ids"].shape)
        assert shape == (2, batch.width), f"{strategy.arguments} with width={width} and batch_width differ for {rows}"
        assert int(padded["attention_mask"].sum()) == sum(made.lengths[row] for row in batch.rows)
