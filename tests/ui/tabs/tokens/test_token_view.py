"""One text is drawn whole, each token once, linked with its characters, and nothing in it becomes markup."""

import re
from typing import Any

import pytest

from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import Options
from hfdemo.ui.tabs.tokens.token_view import SHOWN_CHARACTERS, SHOWN_TOKENS, count_pages, render_linked_tokens
from tests.clock import quiet_time
from tests.injections import INJECTIONS
from tests.ui.tabs.tokens.corpus import HARD, Reader, read

TAGS = {"div", "p", "span", "mark", "bdi", "small", "em", "i", "wbr"}
ATTRIBUTES = {"class", "role", "tabindex", "data-g", "data-f", "aria-live", "aria-label"}
ADDED = frozenset({"hf-inserted", "hf-control", "hf-row-title"})
REFERENCES = ("embedded:minilm", "tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes")


def encoded(
    models: ModelCache, reference: str, text: str, pair: str | None = None, *, special: bool = True
) -> Encoding:
    with models.hold_tokenizer(ModelRef.parse(reference)) as tokenizer:
        return encode(tokenizer, [text], [pair] if pair else None, Options(add_special_tokens=special), 10**6)


def by_hand(tokens: list[str], spans: list[list[int]], **more: Any) -> Encoding:
    """A row of tokens on these characters of one text."""
    count = range(len(tokens))
    columns = {
        "input_ids": [list(count)],
        "attention_mask": [[1 for _ in count]],
        "special_tokens_mask": [[0 for _ in count]],
        "tokens": [tokens],
        "word_ids": [list(count)],
        "sequence_ids": [[0 for _ in count]],
        "offset_mapping": [spans],
        **more,
    }
    return Encoding(columns, ())


def text_of(made: str) -> str:
    return read(made, ADDED, "hf-cut-text").text


def marks(made: str) -> list[str]:
    return re.findall(r"<mark[^>]*>(.*?)</mark>", made, re.DOTALL)


def facts(made: str) -> list[dict[str, str]]:
    found = [value for name, value in read(made).values if name == "data-f"]
    return [dict(fact.split("=", 1) for fact in each.split("|")) for each in found]


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("text", [*INJECTIONS, *HARD])
def test_nothing_becomes_markup_and_no_character_is_lost(models: ModelCache, reference: str, text: str) -> None:
    for pair in (None, f"second {text}"):
        texts = [text, pair] if pair else [text]
        encoding = encoded(models, reference, *texts)
        plain, visible = (render_linked_tokens(encoding, 0, texts, 1, white_space) for white_space in (False, True))
        for made in (plain, visible):
            found = read(made)
            assert found.tags <= TAGS
            assert found.attributes <= ATTRIBUTES
            assert not found.other
            assert len(facts(made)) == len(encoding.columns["input_ids"][0]), "each token once"
        if len(text) <= SHOWN_CHARACTERS and encoding.columns["offset_mapping"]:
            assert text_of(plain) == "".join(texts)


# The others hold characters that are drawn as signs.
@pytest.mark.parametrize("attack", [text for text in INJECTIONS if text.replace("\u200b", "").isprintable()])
def test_a_token_of_the_vocabulary_is_no_markup(attack: str) -> None:
    found = read(render_linked_tokens(by_hand([attack, attack], [[0, 2], [2, 3]]), 0, ["abc"], 1, False))
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    strip = read(render_linked_tokens(by_hand([attack], [[0, 3]]), 0, ["abc"], 1, False), ADDED, "hf-slots").text
    assert strip.replace("␣", " ").removesuffix("0") == attack.replace("\u200b", "")


def test_what_belongs_together_is_linked_by_number(models: ModelCache) -> None:
    made = render_linked_tokens(encoded(models, "embedded:minilm", "unbelievably so"), 0, ["unbelievably so"], 1, False)
    assert marks(made) == ["un", "bel", "ie", "va", "bly", "so"]
    assert re.findall(r"<mark[^>]*data-g='(\d+)'", made) == list("123456")
    assert re.findall(r"hf-slot[^>]*data-g='(\d+)'", made) == list("01234567")
    assert facts(made)[2] == {
        **{"id": "8671", "position": "2", "offsets": "2:5", "word": "0", "sequence": "0 (text 1)"},
        **{"type id": "0", "attention": "1", "UTF-8": "62 65 6C"},
    }
    assert made.count("tabindex='0'") == 1, "one stop of the Tab key; the arrow keys do the rest"


def test_special_tokens_stand_where_they_were_put_in(models: ModelCache) -> None:
    made = render_linked_tokens(encoded(models, "embedded:minilm", "one", "two"), 0, ["one", "two"], 1, False)
    inserted = frozenset({"hf-control", "hf-row-title"})
    assert read(made, inserted, "hf-cut-text").text == "[CLS]one[SEP]two[SEP]"
    assert re.findall(r"<em>(.*?)</em>", made) == ["opens text 1", "closes text 1", "closes text 2"]
    assert "Text 2 · sequence_ids 1 · token_type_ids 1" in made


def test_a_double_separator_is_told_apart() -> None:
    encoding = by_hand(
        ["<s>", "a", "</s>", "</s>", "b", "</s>"],
        [[0, 0], [0, 1], [0, 0], [0, 0], [0, 1], [0, 0]],
        special_tokens_mask=[[1, 0, 1, 1, 0, 1]],
        sequence_ids=[[None, 0, None, None, 1, None]],
    )
    told = re.findall(r"<em>(.*?)</em>", render_linked_tokens(encoding, 0, ["a", "b"], 1, False))
    assert told == ["opens text 1", "closes text 1", "opens text 2", "closes text 2"]


def test_a_special_token_that_was_typed_stays_text(models: ModelCache) -> None:
    made = render_linked_tokens(encoded(models, "embedded:minilm", "a [SEP] b"), 0, ["a [SEP] b"], 1, False)
    assert marks(made) == ["a", "[SEP]", "b"]


def test_tokens_on_the_same_character_are_one_group() -> None:
    encoding = by_hand(["a", "ðŁ", "Ļ", "Ĥ", "b"], [[0, 1], [1, 2], [1, 2], [1, 2], [2, 3]])
    made = render_linked_tokens(encoding, 0, ["a🙂b"], 1, False)
    assert marks(made) == ["a", "🙂", "b"]
    assert re.findall(r"hf-slot[^>]*data-g='(\d+)'", made) == ["0", "1", "1", "1", "4"]
    assert [each["UTF-8"] for each in facts(made)] == ["61", "F0 9F", "99", "82", "62"]
    assert facts(made)[2]["shares its characters"] == "2 of 3 tokens"
    hues = re.findall(r"<mark class='(.*?)'", made)
    assert hues[0] != hues[1] != hues[2]


def test_byte_fallback_tokens_show_their_own_bytes() -> None:
    made = render_linked_tokens(by_hand(["<0xC3>", "<0xA9>"], [[0, 1], [0, 1]]), 0, ["é"], 1, False)
    assert [each["UTF-8"] for each in facts(made)] == ["C3", "A9"]
    # SentencePiece's mark of a word stands on the same character, and is none of its bytes.
    made = render_linked_tokens(by_hand(["▁", "<0xC3>", "<0xA9>"], [[0, 1]] * 3), 0, ["é"], 1, False)
    assert [each.get("UTF-8", "") for each in facts(made)] == ["", "C3", "A9"]


@pytest.mark.parametrize(
    ("text", "spans", "drawn"),
    [
        ("e\u0301x", [[0, 1], [1, 2], [2, 3]], ["e\u0301", "x"]),
        ("e\u0301x", [[0, 1], [2, 3]], ["e\u0301", "x"]),
        ("🇩🇪!", [[0, 1], [1, 2], [2, 3]], ["🇩🇪", "!"]),
        ("👍🏽", [[0, 1], [1, 2]], ["👍🏽"]),
    ],
)
def test_a_mark_is_never_drawn_apart_from_its_letter(text: str, spans: list[list[int]], drawn: list[str]) -> None:
    made = render_linked_tokens(by_hand(["t"] * len(spans), spans), 0, [text], 1, False)
    assert marks(made) == drawn
    assert text_of(made) == text


def test_a_token_without_characters_is_in_the_strip_only() -> None:
    made = render_linked_tokens(by_hand(["▁", "hi"], [[0, 0], [0, 2]]), 0, ["hi"], 1, False)
    assert marks(made) == ["hi"]
    assert len(facts(made)) == 2


def test_white_space_is_visible_on_demand(models: ModelCache) -> None:
    text = "a  b\tc\u200bd"
    encoding = encoded(models, "embedded:minilm", text)
    assert "␣" not in render_linked_tokens(encoding, 0, [text], 1, False)
    shown = render_linked_tokens(encoding, 0, [text], 1, True)
    assert text_of(shown) == "a␣␣b⇥\tcd"
    assert "<bdi class='hf-control'>ZWSP</bdi>" in shown


def test_a_text_without_any_token_is_shown_plain(models: ModelCache) -> None:
    encoding = encoded(models, "embedded:minilm", "\u200b\u200b")
    assert len(encoding.columns["input_ids"][0]) == 2, "[CLS] and [SEP] alone"
    made = render_linked_tokens(encoding, 0, ["\u200b\u200b"], 1, False)
    assert read(made, frozenset(), "hf-cut-text").text == "[CLS]\u200b\u200b[SEP]"


@pytest.mark.parametrize("reference", ["embedded:minilm", "tokenizer:bpe", "tokenizer:unigram"])
def test_all_pages_together_hold_everything_once(models: ModelCache, reference: str) -> None:
    text = "  " + " ".join(HARD[:3] + HARD[4:7]) * 20 + " 🙂 "
    texts = [text, text[:3000]]
    encoding = encoded(models, reference, *texts)
    drawn = [render_linked_tokens(encoding, 0, texts, page, False) for page in range(1, count_pages(encoding, 0) + 1)]
    assert len(drawn) > 2
    assert "".join(map(text_of, drawn)) == "".join(texts)
    assert [int(each["position"]) for made in drawn for each in facts(made)] == list(
        range(len(encoding.columns["input_ids"][0]))
    )


def test_a_page_never_cuts_a_group() -> None:
    spans = [[index, index + 1] for index in range(SHOWN_TOKENS - 1)]
    spans += [[SHOWN_TOKENS - 1, SHOWN_TOKENS]] * 3 + [[SHOWN_TOKENS, SHOWN_TOKENS + 1]]
    encoding = by_hand(["t"] * len(spans), spans)
    text = "x" * (SHOWN_TOKENS + 1)
    first, second = (render_linked_tokens(encoding, 0, [text], page, False) for page in (1, 2))
    assert (len(facts(first)), len(facts(second))) == (SHOWN_TOKENS + 2, 1)
    assert "Tokens 1 to 602 of 603" in first


def test_what_is_very_long_is_counted_instead_of_drawn(models: ModelCache) -> None:
    for text in ("x" * 100_000, " " * 100_000 + "x"):
        made = render_linked_tokens(encoded(models, "embedded:minilm", text), 0, [text], 1, True)
        assert "… 99,760 more characters" in made
        assert len(made) < 30_000


def test_a_python_tokenizer_shows_its_tokens_without_links(models: ModelCache) -> None:
    made = render_linked_tokens(encoded(models, "tokenizer:bytes", "né"), 0, ["né"], 1, False)
    assert "knows no offsets" in made
    assert len(facts(made)) == 4
    assert not marks(made)


def test_a_hundred_thousand_characters_are_drawn_at_once(models: ModelCache) -> None:
    text = (HARD[0] + " ") * 1250
    assert len(text) >= 100_000
    encoding = encoded(models, "embedded:minilm", text)
    began = quiet_time()
    made = render_linked_tokens(encoding, 0, [text], 20, True)
    assert quiet_time() - began < 0.1
    assert len(made) < 300_000


def test_the_reader_of_this_test_sees_what_it_should() -> None:
    assert "onerror" in read(INJECTIONS[0] + "").attributes
    with pytest.raises(AssertionError, match="closes"):
        Reader().feed("<p></div>")


@pytest.mark.parametrize("reference", ["tokenizer:bpe", "tokenizer:bytes", "embedded:minilm"])
@pytest.mark.slow
def test_a_letter_with_thousands_of_marks_fills_no_page_beyond_bounds(models: ModelCache, reference: str) -> None:
    text = "a" + "\u0301" * 20_000
    encoding = encoded(models, reference, text)
    slots = len(encoding.columns["input_ids"][0])
    drawn: list[str] = []
    for page in range(1, count_pages(encoding, 0) + 1):
        made = render_linked_tokens(encoding, 0, [text], page, white_space=True)
        assert len(made) < 1_000_000
        drawn += [fact["position"] for fact in facts(made)]
    assert drawn == [str(slot) for slot in range(slots)], "each token on one page"
