"""The view One text: quick however long the text is, and a closer look at it with every kind of tokenizer."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hfdemo.api.endpoints import Endpoints
from hfdemo.errors import DemoError
from hfdemo.finetuning.runs import RunStore
from hfdemo.models.cache import ModelCache
from hfdemo.ui.tabs.tokens.inspectors import closer_look
from hfdemo.ui.tabs.tokens.text_view import COMPARED, LOOKS, MESSAGES, TEXT, draw, records_of
from tests import forked
from tests.ui.samples import text_of

KINDS = ["embedded:minilm", *COMPARED]


@pytest.fixture(scope="module")
def endpoints(models: ModelCache) -> Endpoints:
    return Endpoints(models.settings, models, RunStore(models.settings))


def drawn(endpoints: Endpoints, text: str, pair: str = "", tokenizer: str = "embedded:minilm", **more: Any) -> Any:
    values = {"model": "", "special": True, "splitting": False, "white_space": False, "page": 1, **more}
    return draw(endpoints, text, pair, tokenizer, *values.values())


def given(tokenizer: str, **changes: Any) -> dict[str, Any]:
    return {
        **{"text": TEXT, "pair": "", "tokenizer": tokenizer, "special": True, "splitting": False, "word": "lower"},
        **{"max_length": 12, "stride": 3, "strategy": "longest_first", "messages": json.dumps(MESSAGES)},
        **{"prompt": True, "template": "", "others": COMPARED, **changes},
    }


@pytest.mark.parametrize("tokenizer", KINDS)
def test_the_view_says_how_much_there_is_and_what_went_wrong_silently(endpoints: Endpoints, tokenizer: str) -> None:
    above, view, _, count = drawn(endpoints, TEXT, tokenizer=tokenizer)
    assert f"characters {len(TEXT)}" in text_of(above)
    assert f"UTF-8 bytes {len(TEXT.encode())}" in text_of(above)
    assert "hf-slot" in view
    assert count == 1
    warned = text_of(drawn(endpoints, "a [SEP] b")[0])
    assert "special tokens" in warned
    assert "hf-note" not in drawn(endpoints, "a [SEP] b", splitting=True)[0]
    mismatch = text_of(drawn(endpoints, "word " * 600)[0])
    assert "512 tokens that the model can read" in mismatch


def test_a_hundred_thousand_characters_are_drawn_in_half_a_second_and_page_by_page(endpoints: Endpoints) -> None:
    text = (TEXT + " The ferry leaves at seven. ") * 1000
    drawn(endpoints, TEXT)  # the tokenizer is loaded once
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        above, view, _, count = drawn(endpoints, text[:100_000])
        best = min(best, time.perf_counter() - started)
    assert best < 0.5
    assert count > 10
    assert f"page 1 of {count}" in text_of(above)
    assert len(view) < 600_000, "one page, whatever the text is"
    assert drawn(endpoints, text[:100_000], page=10**6)[2] == count, "beyond the end is the last page"


def test_no_text_is_asked_for_and_half_a_character_is_refused(endpoints: Endpoints) -> None:
    assert "Type a text" in drawn(endpoints, "")[1]
    with pytest.raises(DemoError, match="surrogate"):
        drawn(endpoints, "half \udc00 pair")


@pytest.mark.parametrize("tokenizer", KINDS)
@pytest.mark.parametrize("look", [look for look in LOOKS if look != "Code"])
def test_every_look_draws_or_says_why_it_can_not(endpoints: Endpoints, look: str, tokenizer: str) -> None:
    python_only = tokenizer == "tokenizer:bytes" and look in ("One word", "Windows")
    if python_only:
        with pytest.raises(DemoError, match="Python"):
            closer_look(endpoints, look, given(tokenizer))
        return
    made, code = closer_look(endpoints, look, given(tokenizer, pair="A second text." if look != "Windows" else ""))
    assert len(text_of(made)) > 60
    assert code == ""


def test_a_long_text_is_looked_at_in_part_and_that_is_said(endpoints: Endpoints) -> None:
    made, _ = closer_look(endpoints, "Stages", given("embedded:minilm", text=TEXT * 100))
    assert "the first 800 characters" in made


def test_messages_that_are_no_json_and_a_tokenizer_that_is_not_there_are_said(endpoints: Endpoints) -> None:
    with pytest.raises(DemoError, match="messages is not JSON"):
        closer_look(endpoints, "Chat template", given("embedded:minilm", messages="[{"))
    some, _ = closer_look(
        endpoints, "Several tokenizers", given("embedded:minilm", others=["owner/name", "tokenizer:bpe"])
    )
    assert "can&#x27;t be reached" in some
    assert "tokenizer:bpe" in some


def test_what_is_copied_has_one_row_a_token(endpoints: Endpoints) -> None:
    rows = records_of(endpoints)("one", "two", "embedded:minilm", True, False)
    assert [row["token"] for row in rows] == ["[CLS]", "one", "[SEP]", "two", "[SEP]"]
    assert [row["sequence"] for row in rows] == [None, 0, None, 1, None]
    assert [row["special"] for row in rows] == [True, False, True, False, True]
    assert (rows[3]["start"], rows[3]["end"], rows[3]["type_id"]) == (0, 3, 1)


@pytest.mark.slow
def test_the_code_runs_alone_and_prints_the_tokens(endpoints: Endpoints, tmp_path: Path) -> None:
    _, code = closer_look(endpoints, "Code", given("embedded:minilm", special=False, splitting=True, text="a [SEP] b"))
    path = tmp_path / "one.py"
    path.write_text(code, encoding="utf-8")
    done = forked.run(["-I", str(path)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['a', '[', 'sep', ']', 'b']"


def test_an_unknown_token_that_was_typed_is_not_counted_as_unknown(endpoints: Endpoints) -> None:
    assert "unknown 0" in text_of(drawn(endpoints, "a [UNK] b")[0])
    assert "unknown 1" in text_of(drawn(endpoints, "a [UNK] \U0001f642")[0])
    decoded = text_of(closer_look(endpoints, "Decode", given("embedded:minilm", text="a [UNK] b"))[0])
    assert "can't come back" not in decoded
    assert "Special tokens that stand in the text were left out: [UNK]" in decoded


@pytest.mark.parametrize("look", ["Stages", "Truncation", "Windows"])
def test_the_checkboxes_about_special_tokens_hold_in_the_closer_looks(endpoints: Endpoints, look: str) -> None:
    def seen(**changes: Any) -> str:
        return closer_look(endpoints, look, given("embedded:minilm", text="one [SEP] two three", **changes))[0]

    assert "<bdi>[CLS]</bdi>" in seen()
    assert "<bdi>[CLS]</bdi>" not in seen(special=False)
    assert "<bdi>[SEP]</bdi>" in seen(special=False)
    assert "<bdi>sep</bdi>" not in seen(special=False)
    assert "<bdi>sep</bdi>" in seen(special=False, splitting=True)
