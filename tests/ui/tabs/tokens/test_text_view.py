"""The view One text: quick however long the text is, and a closer look at it with every kind of tokenizer."""

import json
from pathlib import Path
from typing import Any

import pytest

from hfdemo.api import App
from hfdemo.engine import InlineEngine
from hfdemo.errors import DemoError
from hfdemo.models.cache import ModelCache
from hfdemo.ui.tabs.tokens.chat_view import MESSAGES
from hfdemo.ui.tabs.tokens.inspector_fields import COMPARED, LABELLED_WORDS
from hfdemo.ui.tabs.tokens.inspectors import INSPECTORS, read_numbers, read_words, render_inspector
from hfdemo.ui.tabs.tokens.text_view import TEXT, make_records, render_text
from tests import forked
from tests.clock import quiet_time
from tests.ui.samples import text_of

KINDS = ["embedded:minilm", *COMPARED]


@pytest.fixture(scope="module")
def app(models: ModelCache) -> App:
    return App.create(models.settings, InlineEngine(models.settings, models))


def drawn(app: App, text: str, pair: str = "", tokenizer: str = "embedded:minilm", **more: Any) -> Any:
    values = {
        "model": "",
        "special": True,
        "splitting": False,
        "white_space": False,
        "as_text": False,
        "page": 1,
        **more,
    }
    return render_text(app, text, pair, tokenizer, *values.values())


def given(tokenizer: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"text": TEXT, "pair": "", "tokenizer": tokenizer, "special": True, "splitting": False, "word": "lower"},
        **{"max_length": 12, "stride": 3, "strategy": "longest_first", "messages": json.dumps(MESSAGES)},
        **dict.fromkeys(("tools", "documents", "arguments"), ""),
        **{"merges": 40, "query": "", "entries": 1, "words": LABELLED_WORDS, "ids": ""},
        **{"prompt": True, "template": "", "others": COMPARED, **changes},
    }


@pytest.mark.parametrize("tokenizer", KINDS)
def test_the_view_says_how_much_there_is_and_what_went_wrong_silently(app: App, tokenizer: str) -> None:
    above, view, _, count = drawn(app, TEXT, tokenizer=tokenizer)
    assert f"characters {len(TEXT)}" in text_of(above)
    assert f"UTF-8 bytes {len(TEXT.encode())}" in text_of(above)
    assert "hf-slot" in view
    assert count == 1
    warned = text_of(drawn(app, "a [SEP] b")[0])
    assert "special tokens" in warned
    assert "hf-note" not in drawn(app, "a [SEP] b", splitting=True)[0]
    mismatch = text_of(drawn(app, "word " * 600)[0])
    assert "512 tokens that the model can read" in mismatch


def test_a_hundred_thousand_characters_are_drawn_in_half_a_second_and_page_by_page(app: App) -> None:
    text = (TEXT + " The ferry leaves at seven. ") * 1000
    drawn(app, TEXT)  # the tokenizer is loaded once
    best = float("inf")
    for _ in range(5):
        started = quiet_time()
        above, view, _, count = drawn(app, text[:100_000])
        best = min(best, quiet_time() - started)
    assert best < 0.5
    assert count > 10
    assert f"page 1 of {count}" in text_of(above)
    assert len(view) < 600_000, "one page, whatever the text is"
    assert drawn(app, text[:100_000], page=10**6)[2] == count, "beyond the end is the last page"


def test_no_text_is_asked_for_and_half_a_character_is_refused(app: App) -> None:
    assert "Type a text" in drawn(app, "")[1]
    with pytest.raises(DemoError, match="surrogate"):
        drawn(app, "half \udc00 pair")


@pytest.mark.parametrize("tokenizer", KINDS)
@pytest.mark.parametrize("look", [look for look in INSPECTORS if look != "Code"])
def test_every_look_draws_or_says_why_it_can_not(app: App, look: str, tokenizer: str) -> None:
    python_only = tokenizer == "tokenizer:bytes" and look in ("One word", "Windows", "Words and labels")
    if python_only or (look == "Learned merges" and tokenizer != "tokenizer:bpe"):
        with pytest.raises(DemoError, match="Python" if tokenizer == "tokenizer:bytes" else "no list of merges"):
            render_inspector(app, look, given(tokenizer))
        return
    made, code = render_inspector(app, look, given(tokenizer, pair="A second text." if look != "Windows" else ""))
    assert len(text_of(made)) > 60
    assert code == ""


def test_a_long_text_is_looked_at_in_part_and_that_is_said(app: App) -> None:
    made, _ = render_inspector(app, "Stages", given("embedded:minilm", text=TEXT * 100))
    assert "the first 800 characters" in made


def test_messages_that_are_no_json_and_a_tokenizer_that_is_not_there_are_said(app: App) -> None:
    with pytest.raises(DemoError, match="messages is not JSON"):
        render_inspector(app, "Chat template", given("embedded:minilm", messages="[{"))
    some, _ = render_inspector(
        app, "Several tokenizers", given("embedded:minilm", others=["owner/name", "tokenizer:bpe"])
    )
    assert "can&#x27;t be reached" in some
    assert "tokenizer:bpe" in some


def test_what_is_copied_has_one_row_a_token(app: App) -> None:
    rows = make_records(app)("one", "two", "embedded:minilm", True, False)
    assert [row["token"] for row in rows] == ["[CLS]", "one", "[SEP]", "two", "[SEP]"]
    assert [row["sequence"] for row in rows] == [None, 0, None, 1, None]
    assert [row["special"] for row in rows] == [True, False, True, False, True]
    assert (rows[3]["start"], rows[3]["end"], rows[3]["type_id"]) == (0, 3, 1)


@pytest.mark.slow
def test_the_code_runs_alone_and_prints_the_tokens(app: App, tmp_path: Path) -> None:
    _, code = render_inspector(app, "Code", given("embedded:minilm", special=False, splitting=True, text="a [SEP] b"))
    path = tmp_path / "one.py"
    path.write_text(code, encoding="utf-8")
    done = forked.run(["-I", str(path)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['a', '[', 'sep', ']', 'b']"


def test_an_unknown_token_that_was_typed_is_not_counted_as_unknown(app: App) -> None:
    assert "unknown 0" in text_of(drawn(app, "a [UNK] b")[0])
    assert "unknown 1" in text_of(drawn(app, "a [UNK] \U0001f642")[0])
    decoded = text_of(render_inspector(app, "Decode", given("embedded:minilm", text="a [UNK] b"))[0])
    assert "can't come back" not in decoded
    assert "Special tokens that stand in the text were left out: [UNK]" in decoded


@pytest.mark.parametrize("look", ["Stages", "Truncation", "Windows"])
def test_the_checkboxes_about_special_tokens_hold_in_the_render_inspectors(app: App, look: str) -> None:
    def seen(**changes: Any) -> str:
        return render_inspector(app, look, given("embedded:minilm", text="one [SEP] two three", **changes))[0]

    assert "<bdi>[CLS]</bdi>" in seen()
    assert "<bdi>[CLS]</bdi>" not in seen(special=False)
    assert "<bdi>[SEP]</bdi>" in seen(special=False)
    assert "<bdi>sep</bdi>" not in seen(special=False)
    assert "<bdi>sep</bdi>" in seen(special=False, splitting=True)


def test_a_chat_shows_what_is_learned_and_takes_tools(app: App) -> None:
    """A template of one's own that marks what the assistant writes, with tools and an argument."""
    template = (
        "{% if tools %}{{ tools[0].function.name }} {% endif %}{{ mood }}{% for message in messages %}"
        "{% if message.role == 'assistant' %}{% generation %}{{ message.content }}{% endgeneration %}"
        "{% else %}{{ message.content }} {% endif %}{% endfor %}"
    )
    tools = '[{"type": "function", "function": {"name": "tide"}}]'
    messages = '[{"role": "user", "content": "<|endoftext|> hi"}, {"role": "assistant", "content": "hello you"}]'
    changes = {"messages": messages, "template": template, "tools": tools, "arguments": '{"mood": "calm"}'}
    drawn, _ = render_inspector(app, "Chat template", given("tokenizer:bpe", **changes))
    assert "tide calm" in drawn
    assert "Message 1, of the user, holds &lt;|endoftext|&gt;" in drawn
    assert "tokens are learned: the labels of the others are -100" in drawn
    plain, _ = render_inspector(app, "Chat template", given("tokenizer:bpe"))
    assert "return_assistant_tokens_mask=True" in plain
    with pytest.raises(DemoError, match="tools is not JSON"):
        render_inspector(app, "Chat template", given("tokenizer:bpe", tools="[oops"))


def test_windows_of_a_pair_say_what_is_wrong_with_the_strategy_that_was_asked_for(app: App) -> None:
    pair = {"text": "one two three four five six seven eight nine ten", "pair": "a b c d e f g h i j k l m"}
    instead, _ = render_inspector(app, "Windows", given("embedded:minilm", **pair, max_length=18, stride=1))
    assert "longest_first cuts both texts" in instead
    assert "Shown is only_second" in instead
    with pytest.raises(DemoError, match="longest_first cuts both texts"):
        render_inspector(app, "Windows", given("embedded:minilm", **pair, max_length=10, stride=1))
    with pytest.raises(DemoError, match="only_second would have to cut"):
        render_inspector(
            app, "Windows", given("embedded:minilm", **pair, max_length=10, stride=1, strategy="only_second")
        )


def test_ids_that_are_typed_in_are_decoded_as_they_are_pasted(app: App) -> None:
    assert read_numbers("tensor([[101, 7592],\n [102, -100]])") == [101, 7592, 102, -100]
    with pytest.raises(DemoError, match="'x' is no id"):
        read_numbers("1 x 2")
    drawn, _ = render_inspector(app, "Decode", given("embedded:minilm", ids="[101, 7592, 2088, 102]"))
    assert "[CLS] hello world [SEP]" in drawn
    assert "<bdi>hello</bdi><small>7592" in drawn
    with pytest.raises(DemoError, match="what the loss leaves out"):
        render_inspector(app, "Decode", given("embedded:minilm", ids="101 -100"))


def test_words_stand_above_the_labels_that_training_gives_their_tokens(app: App) -> None:
    assert read_words("New B-LOC\n\nYork\tI-LOC") == (["New", "York"], ["B-LOC", "I-LOC"])
    assert read_words("New\nYork") == (["New", "York"], None)
    for wrong, why in (("", "Type words"), ("New B-LOC\nYork", "has 1 parts"), ("a b c", "has 3 parts")):
        with pytest.raises(DemoError, match=why):
            read_words(wrong)
    drawn = text_of(render_inspector(app, "Words and labels", given("embedded:minilm"))[0])
    assert "word_idsNone011" in drawn, "Rotterdam is one token, harbourmaster two"
    assert "labels-1000" in drawn
    assert "0 B-LOC" in drawn


def test_the_vocabulary_is_turned_page_by_page(app: App) -> None:
    first, _ = render_inspector(app, "Vocabulary", given("embedded:minilm", query="ing"))
    assert "1 to 100 of" in first
    second, _ = render_inspector(app, "Vocabulary", given("embedded:minilm", query="ing", entries=2))
    assert "101 to 200 of" in second
    assert "no more pages" in render_inspector(app, "Vocabulary", given("embedded:minilm", entries=10**6))[0]


def test_tokens_are_drawn_as_what_they_read_as(app: App) -> None:
    for tokenizer, written in (("tokenizer:bpe", "Ġf"), ("tokenizer:unigram", "▁f")):
        assert f"<bdi>{written}" in drawn(app, "The ferry 🙂", tokenizer=tokenizer)[1]
        view = drawn(app, "The ferry 🙂", tokenizer=tokenizer, as_text=True)[1]
        assert f"<bdi>{written}" not in view
        assert "<bdi><i class='hf-space'>␣<wbr></i>f" in view
    assert "\ufffd" not in drawn(app, "🙂", tokenizer="tokenizer:bpe", as_text=True)[1], "a part of it is no text"
    assert "<bdi>[CLS]</bdi>" in drawn(app, "x", as_text=True)[1]
