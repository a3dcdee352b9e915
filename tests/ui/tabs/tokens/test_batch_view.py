"""The view A batch: what its fields mean, what its drawings show, and that its code prints what it shows."""

import inspect
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hfdemo.api import App
from hfdemo.engine import InlineEngine
from hfdemo.errors import DemoError, ModelError
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.padding import strategy_names
from hfdemo.ui.event_handling import RunningJobs
from hfdemo.ui.tabs.tokens.batch_view import (
    DRAWINGS,
    EVERY_STRATEGY,
    TENSORS,
    TEXTS,
    BatchForm,
    build,
    make_measure,
    make_prove,
    make_records,
    plan_form_batches,
    read_form,
    render_drawing,
    runnable_model,
)
from tests import forked
from tests.ui.samples import text_of


def form(texts: str = TEXTS, pairs: str = "", tokenizer: str = "embedded:minilm", **changes: object) -> BatchForm:
    values = {
        **{"model": "", "batch_size": 4, "max_length": 32, "side": "", "padding": True},
        **{"truncation": False, "special": True, "multiple": 0, "pad_token": ""},
        **changes,
    }
    return read_form(texts, pairs, tokenizer, *values.values())


@pytest.fixture(scope="module")
def app(models: ModelCache) -> App:
    return App.create(models.settings, InlineEngine(models.settings, models))


def test_lines_are_rows_and_pairs_go_by_their_line() -> None:
    assert form("a\n\n b \n").rows() == (["a", " b "], None)
    assert form("a\n\nb", "x\n\ny").rows() == (["a", "b"], ["x", "y"])
    with pytest.raises(DemoError, match="Line 2 has no second text"):
        form("a\nb", "x").rows()
    with pytest.raises(DemoError, match="Type a text"):
        form(" \n").rows()


def test_every_strategy_is_planned_over_the_rows_that_were_typed(app: App) -> None:
    found = plan_form_batches(app, form())
    assert [plan.strategy for plan in found.plans] == list(strategy_names())
    assert found.size == (6, 384)
    assert all(plan.lengths == tuple(found.rows.lengths) for plan in found.plans)
    cut = plan_form_batches(app, form(max_length=8))
    assert max(cut.rows.lengths) == 8, "rows are cut to max_length"


def test_without_a_known_length_there_is_no_max_length_to_pad_to(app: App) -> None:
    bare = plan_form_batches(app, form(tokenizer="tokenizer:unigram", max_length=0))
    assert "max_length" not in [plan.strategy for plan in bare.plans]
    assert bare.size is None
    read = plan_form_batches(app, form(max_length=0))
    widths = {plan.strategy: plan.batches[0].width for plan in read.plans}
    assert widths["max_length"] == 512, "what the model can read"


@pytest.mark.parametrize("tokenizer", ["embedded:minilm", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes"])
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_drawing_is_drawn_with_every_kind_of_tokenizer(app: App, drawing: str, tokenizer: str) -> None:
    padding = tokenizer != "tokenizer:bpe"  # it has no pad token, as GPT-2 has none
    costs, drawn, code = render_drawing(app, drawing, form(tokenizer=tokenizer, padding=padding))
    assert bool(costs) == (drawing == EVERY_STRATEGY)
    assert len(text_of(drawn)) > 100
    assert "tokenizer(" in code


def test_a_missing_pad_token_is_asked_for_with_the_choice_and_can_be_borrowed(app: App) -> None:
    with pytest.raises(DemoError, match=r"<\|endoftext\|>"):
        render_drawing(app, TENSORS, form(tokenizer="tokenizer:bpe"))
    _, drawn, _ = render_drawing(app, TENSORS, form(tokenizer="tokenizer:bpe", pad_token="<|endoftext|>"))
    assert "Always give the model the attention_mask" in drawn


def test_the_lab_shows_the_error_that_ragged_rows_give(app: App) -> None:
    _, drawn, _ = render_drawing(app, EVERY_STRATEGY, form())
    assert "Unable to create tensor" in drawn
    _, even, _ = render_drawing(app, EVERY_STRATEGY, form("one\ntwo"))
    assert "hf-note" not in even


def test_a_tokenizer_without_a_model_can_borrow_one_and_can_not_be_run_alone() -> None:
    assert str(runnable_model("tokenizer:bpe", "embedded:minilm")) == "embedded:minilm"
    with pytest.raises(ModelError, match="Choose one under"):
        runnable_model("tokenizer:bpe", "")


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["embedded:minilm", "tokenizer:bpe"])
@pytest.mark.parametrize("drawing", [EVERY_STRATEGY, TENSORS])
def test_the_code_runs_alone_and_prints_the_shapes_that_are_drawn(
    app: App, tmp_path: Path, drawing: str, tokenizer: str
) -> None:
    pad_token = "<|endoftext|>" if tokenizer == "tokenizer:bpe" else ""
    texts = "one two three\nfour\nfive six\n" + "seven " * 20
    shown = form(texts, tokenizer=tokenizer, batch_size=2, pad_token=pad_token)
    path = tmp_path / "batch.py"
    path.write_text(render_drawing(app, drawing, shown)[2], encoding="utf-8")
    done = forked.run(["-I", str(path)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    if drawing == TENSORS:
        assert (pad_token or "[PAD]") in done.stdout
        return
    printed = {line.split()[0]: re.findall(r"\((\d+), (\d+)\)", line) for line in done.stdout.splitlines()}
    for plan in plan_form_batches(app, shown).plans[1:]:
        assert [(int(rows), int(width)) for rows, width in printed[plan.strategy]] == plan.shapes()


def with_limit(folder: Path, tiny: Path, most: int) -> str:
    """The tiny model, with a tokenizer that allows fewer tokens than the model has positions."""
    from transformers import AutoTokenizer

    shutil.copytree(tiny, folder)
    AutoTokenizer.from_pretrained(tiny, model_max_length=most).save_pretrained(folder)
    return str(folder)


def test_the_lab_cuts_to_what_training_cuts_to_and_so_does_its_code(app: App, tiny: Path, tmp_path: Path) -> None:
    reference = with_limit(tmp_path / "short", tiny, 16)
    long = form("word " * 40, tokenizer=reference, max_length=0)
    found = plan_form_batches(app, long)
    assert (found.limit, found.rows.lengths) == (16, [16])
    assert "truncation=True, max_length=16" in render_drawing(app, EVERY_STRATEGY, long)[2]
    alone = plan_form_batches(app, form("word " * 600, tokenizer="tokenizer:wordpiece", max_length=0))
    assert (alone.limit, alone.rows.lengths) == (512, [512])


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_a_pad_token_outside_the_vocabulary_gets_a_sentence_in_every_drawing(app: App, drawing: str) -> None:
    with pytest.raises(DemoError, match="'nope' is not in this tokenizer's vocabulary"):
        render_drawing(app, drawing, form(tokenizer="tokenizer:bpe", pad_token="nope"))
    code = render_drawing(app, drawing, form(pad_token="nope"))[2]
    assert "pad_token" not in code, "this tokenizer has its own"


@pytest.fixture(scope="module")
def decoder(models: ModelCache, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A GPT-2 whose tokenizer has no pad token."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("decoder")
    with models.hold_tokenizer(ModelRef.parse("tokenizer:bpe")) as tokenizer:
        sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": len(tokenizer)}
        GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return str(folder)


def values(shown: BatchForm) -> list[Any]:
    return list(vars(shown).values())


def test_what_was_measured_with_a_borrowed_pad_token_can_be_copied(app: App, decoder: str) -> None:
    bare = form("one two three\nfour", tokenizer=decoder, batch_size=2)
    request = gr.Request(session_hash="a page")
    with pytest.raises(DemoError, match="no pad token"):
        list(make_measure(app, RunningJobs())(request, *values(bare)))
    filled = replace(bare, pad_token="<|endoftext|>")
    *_, (_, table, timings) = make_measure(app, RunningJobs())(request, *values(filled))
    assert "measured" in text_of(table)
    rows = make_records(app)(timings, *values(filled))
    assert [row["strategy"] for row in rows] == list(strategy_names())
    assert all(row["seconds"] > 0 for row in rows)
    *_, proof = make_prove(app, RunningJobs())(request, *values(filled))
    assert "looks back only" in text_of(proof)


def test_what_was_measured_is_forgotten_when_something_else_stands_there(app: App) -> None:
    with gr.Blocks() as demo:
        build(app, demo, demo.load, gr.Dropdown(["embedded:minilm"]), gr.Dropdown([""]))
    shown = next(each for each in demo.fns.values() if each.name == "show")
    measured = next(each for each in demo.fns.values() if each.name == "measure")
    (state,) = [each for each in measured.outputs if isinstance(each, gr.State)]
    assert inspect.isgeneratorfunction(shown.fn), "else gradio takes what it returns for the answer"
    *_, answers = shown.fn(gr.Request(session_hash="a page"), EVERY_STRATEGY, *values(form()))
    assert answers[shown.outputs.index(state)] == ()
    copied = next(each for each in demo.fns.values() if each.name == "write")
    assert state in copied.inputs


def test_a_shared_server_measures_less(app: App, models: ModelCache) -> None:
    settings = replace(models.settings, public=True)
    shared = App.create(settings, InlineEngine(settings, models))
    many = form("\n".join(["a short line"] * 256), batch_size=1)
    with pytest.raises(DemoError, match=f"{256 * 6 * len(strategy_names()):,} forward passes"):
        list(make_measure(shared, RunningJobs())(gr.Request(session_hash="a page"), *values(many)))
