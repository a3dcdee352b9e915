"""The endpoints about tokens, called as anybody can call them: with any value in any argument."""

import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from hfdemo.api import App
from hfdemo.api.endpoints import TRAINING
from hfdemo.api.tokens import align_words, decode_ids, padding_report, search_vocabulary, tokenize
from hfdemo.engine import InlineEngine
from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings
from hfdemo.tokenization import length_report
from hfdemo.ui import build
from hfdemo.ui.tabs.tokens import dataset_view


@pytest.fixture(scope="module")
def app(models: ModelCache) -> App:
    return App.create(models.settings, InlineEngine(models.settings, models))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"batch_size": 2.5}, "batch size must be a whole number of at least 1 .* but is 2.5"),
        ({"batch_size": "8"}, "batch size must be a whole number .* but is '8'"),
        ({"batch_size": True}, "batch size must be a whole number"),
        ({"batch_size": 10**30}, "batch size must be a whole number"),
        ({"batch_size": None}, "batch size must be a whole number"),
        ({"max_length": "64"}, "max_length must be a whole number .* but is '64'"),
        ({"max_length": 10**30}, "max_length must be a whole number"),
        ({"max_length": 1}, "2 special tokens take all of it. Use 3 or more"),
        ({"max_length": 2}, "2 special tokens take all of it. Use 3 or more"),
        ({"max_length": 513}, "take at most 512 tokens"),
    ],
)  # fmt: skip
def test_a_report_that_can_not_be_made_gets_a_sentence(app: App, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        padding_report(app, dataset="tickets", **arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_length": 10**30, "truncation": True}, "max_length must be a whole number"),
        ({"max_length": "8"}, "max_length must be a whole number .* but is '8'"),
        ({"add_special_tokens": "perhaps"}, "add_special_tokens must be True or False, but is 'perhaps'"),
        ({"split_special_tokens": 2}, "split_special_tokens must be True or False, but is 2"),
        ({"texts": 5}, "must be one text or a list of them, but are a int"),
        ({"texts": {"a": "b"}}, "must be one text or a list of them, but are a dict"),
    ],
)
def test_a_call_that_can_not_be_made_gets_a_sentence(app: App, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(DemoError, match=said):
        tokenize(app, **{"texts": "a", **arguments})


def test_ids_words_and_the_vocabulary_are_answered_as_plain_values(app: App) -> None:
    ids = tokenize(app, "hello world")["input_ids"][0]
    assert decode_ids(app, ids)["plain"] == "hello world"
    found = align_words(app, ["New", "York"], ["B-LOC", "I-LOC"])
    assert (found["labels"], found["label_names"]) == ([-100, 0, 1, -100], ["B-LOC", "I-LOC"])
    assert align_words(app, ["New", "York"])["labels"] == [-100, 0, 1, -100]
    listed = search_vocabulary(app, "ferry", count=1)
    assert (listed["entries"][0]["text"], len(listed["entries"])) == (" ferry", 1)
    for call, arguments, said in (
        (decode_ids, {"ids": "101"}, "must be a list of whole numbers, but is a str"),
        (decode_ids, {"ids": [1.5]}, "Id 1 is 1.5"),
        (align_words, {"words": {"a": 1}}, "are a dict"),
        (align_words, {"words": [3]}, "Word 1"),
        (search_vocabulary, {"query": 5}, "The query"),
        (search_vocabulary, {"first": "x"}, "first must be a whole number"),
    ):
        with pytest.raises(DemoError, match=said):
            call(app, **arguments)


def test_every_switch_can_be_sent_as_text(app: App) -> None:
    def tokens(**arguments: Any) -> Any:
        return tokenize(app, "a [SEP]", **arguments)["tokens"][0]

    assert tokens(add_special_tokens="false") == tokens(add_special_tokens=False) == ["a", "[SEP]"]
    assert tokens(split_special_tokens="True") == tokens(split_special_tokens=True) != tokens()
    assert tokens(split_special_tokens="false") == tokens()
    cut: dict[str, Any] = {"truncation": "true", "max_length": 3, "return_overflowing_tokens": "true"}
    assert len(tokenize(app, "a b c", **cut)["input_ids"]) == 3


def test_the_report_cuts_to_what_the_tokenizer_allows(app: App, tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    short = shutil.copytree(tiny, tmp_path / "short")
    AutoTokenizer.from_pretrained(tiny, model_max_length=32).save_pretrained(short)
    assert padding_report(app, dataset="tickets", tokenizer=str(short))["limit"] == 32
    assert padding_report(app, dataset="tickets", tokenizer="tokenizer:wordpiece")["limit"] == 512


def test_a_shared_server_refuses_a_data_set_that_would_hold_it_up(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length_report, "MOST_CHARACTERS_PUBLIC", 1_000)
    shared = App.create(Settings(home=tmp_path, public=True), app.engine)
    with pytest.raises(DemoError, match="a shared server counts at most 1,000"):
        padding_report(shared, dataset="tickets")
    assert padding_report(app, dataset="tickets")["rows"] > 0


def test_one_tokenizer_is_trained_at_a_time_from_the_page_and_from_clients(tmp_path: Path) -> None:
    calls = [each for each in build(Settings(home=tmp_path)).fns.values() if each.name in ("train_tokenizer", "train")]
    assert len(calls) == 2
    assert {(each.concurrency_id, each.concurrency_limit) for each in calls} == {
        (TRAINING["concurrency_id"], TRAINING["concurrency_limit"])
    }
    assert TRAINING["concurrency_limit"] == 1


def test_an_emptied_max_length_on_the_page_is_the_limit(app: App) -> None:
    with gr.Blocks() as demo:
        dataset_view.build(app, demo, demo.load, gr.Dropdown(["embedded:minilm"]), gr.Dropdown([""]))
    count = next(each for each in demo.fns.values() if each.name == "count")
    assert count.fn is not None
    values = [None, "", "", "tickets", "", "", "text", dataset_view.NO_COLUMN, "embedded:minilm", "", 16, None]
    *_, answer = count.fn(gr.Request(session_hash="a page"), *values)
    kept = next(each for each in answer if isinstance(each, length_report.LengthReport))
    assert (kept.max_length, kept.limit) == (None, 512)
