"""Each silent trap: first what the library does without a word, so that a new version is noticed, then our sentence."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.models.model_facts import ModelFacts, model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization.encoding import borrow_pad_token, encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.warnings import TokenizerWarning, find_unknown_slots
from tests.tokenization.kinds import kind


@pytest.fixture
def wordpiece() -> Any:
    """With all that a tokenizer can have; the model reads 512 tokens."""
    return kind("wordpiece")


@pytest.fixture
def bpe() -> Any:
    """No pad token, no known length, no special tokens around a text."""
    return kind("bpe")


@pytest.fixture
def byt5() -> Any:
    """Written in Python only."""
    return kind("byt5")


def said(
    tokenizer: Any,
    texts: list[str],
    pairs: list[str] | None = None,
    model: ModelFacts | None = None,
    **options: Any,
) -> dict[str, TokenizerWarning]:
    """The warnings by their code, without the one that every Python-only tokenizer gets."""
    found = encode(tokenizer, texts, pairs, Options(**options), 100_000, model).warnings
    return {warning.code: warning for warning in found if warning.code != "no_offsets"}


def test_a_call_that_does_what_was_asked_is_not_warned_of(wordpiece: Any) -> None:
    assert said(wordpiece, ["a b c", "d"], ["e", "f g"], padding=True, truncation=True, max_length=20) == {}
    windows: dict[str, Any] = {"truncation": True, "max_length": 6, "stride": 1, "return_overflowing_tokens": True}
    assert said(wordpiece, ["a b"], **windows) == {}


def test_padding_and_truncation_without_a_known_length(bpe: Any) -> None:
    assert [len(ids) for ids in bpe(["a a a", "a"], padding="max_length", truncation=True)["input_ids"]] == [3, 1]
    found = said(bpe, ["a a a", "a"], padding="max_length", truncation=True)
    assert found.keys() == {"padding_ignored", "truncation_ignored", "ragged"}
    assert found["padding_ignored"].fix == found["truncation_ignored"].fix == "Give a max_length."
    assert said(bpe, ["a a a"], truncation=True, max_length=4) == {}


def test_a_max_length_that_changes_nothing(wordpiece: Any) -> None:
    plain = wordpiece(["a b c d e"])["input_ids"]
    assert wordpiece(["a b c d e"], truncation=False, max_length=5)["input_ids"] == plain
    assert "max_length 5 has no effect" in said(wordpiece, ["a b c d e"], max_length=5)["max_length_ignored"].message


def test_rows_that_stay_ragged(wordpiece: Any) -> None:
    texts = ["a b c d e", "a"]
    assert wordpiece(texts, return_tensors="np")["input_ids"].dtype == object
    with pytest.raises(ValueError, match="Unable to create tensor"):
        wordpiece(texts, return_tensors="pt")
    assert said(wordpiece, texts)["ragged"].fix == "Set padding to True."
    assert {len(ids) for ids in wordpiece(texts, padding="max_length", max_length=5)["input_ids"]} == {5, 7}
    assert said(wordpiece, texts, padding="max_length", max_length=5)["ragged"].fix == "Set truncation to True."
    assert said(wordpiece, texts, padding=True) == {}


@pytest.mark.parametrize(
    ("name", "value"), [("pad_to_multiple_of", 8), ("padding_side", "left"), ("stride", 2)]
)  # fmt: skip
def test_arguments_that_need_another_one(wordpiece: Any, name: str, value: Any) -> None:
    arguments: dict[str, Any] = {"truncation": True, "max_length": 6}
    texts = ["a b c d e f g"]
    plain = wordpiece(texts, **arguments)["input_ids"]
    assert wordpiece(texts, **arguments, **{name: value})["input_ids"] == plain
    code = {"pad_to_multiple_of": "pad_to_multiple_ignored"}.get(name, f"{name}_ignored")
    warning = said(wordpiece, texts, **arguments, **{name: value})[code]
    assert warning.message.startswith(f"{name} {value!r} has no effect")
    assert "to True, or leave" in warning.fix


def test_overflowing_tokens_where_nothing_overflows(wordpiece: Any, byt5: Any) -> None:
    assert len(wordpiece(["a " * 600], return_overflowing_tokens=True, verbose=False)["input_ids"]) == 1
    assert "nothing is cut" in said(wordpiece, ["a"], return_overflowing_tokens=True)["overflow_ignored"].message
    arguments: dict[str, Any] = {"truncation": True, "max_length": 4, "return_overflowing_tokens": True}
    assert len(byt5(["a b c d e"], **arguments)["input_ids"]) == 1
    with pytest.raises(AssertionError, match="different batch size"):
        byt5(["a b c d e", "a"], **arguments)
    found = said(byt5, ["a b c d e", "a"], **arguments)
    assert "Python only" in found["overflow_ignored"].message
    assert found["truncated"].rows == (0,)


def test_windows_that_make_more_rows_than_there_are_texts(wordpiece: Any) -> None:
    arguments: dict[str, Any] = {"truncation": True, "max_length": 6, "return_overflowing_tokens": True}
    assert len(wordpiece(["a", "a b c d e f"], **arguments)["input_ids"]) == 3
    found = said(wordpiece, ["a", "a b c d e f"], padding=True, **arguments)
    assert found.keys() == {"more_rows"}
    assert found["more_rows"].rows == (1,)
    assert "Texts: 2, rows: 3" in found["more_rows"].message
    assert len(wordpiece(["a b c d e"], ["f g h i"], **arguments)["input_ids"]) == 3 * 4
    crossed = said(wordpiece, ["a", "a b c d e"], ["b", "f g h i"], **arguments)["windows_crossed"]
    assert (crossed.rows, crossed.fix) == ((1,), 'Use "only_first" or "only_second".')
    arguments["truncation"] = "only_first"
    assert "windows_crossed" not in said(wordpiece, ["a b c d e"], ["f"], **arguments)


def test_a_tokenizer_without_offsets(byt5: Any) -> None:
    batch = byt5(["a"], return_offsets_mapping=True)
    assert "offset_mapping" not in batch
    with pytest.raises(ValueError, match="not available"):
        batch.word_ids(0)
    found = encode(byt5, ["a"], None, Options(), 10)
    assert [warning.code for warning in found.warnings] == ["no_offsets"]
    assert found.columns["offset_mapping"] == found.columns["word_ids"] == found.columns["sequence_ids"] == []


def test_an_empty_second_text(wordpiece: Any, bpe: Any, byt5: Any) -> None:
    assert len(wordpiece("a", "")["input_ids"]) == 3
    assert [len(ids) for ids in wordpiece(["a", "b"], ["", "c"])["input_ids"]] == [4, 5]
    warning = said(wordpiece, ["b", "a"], ["c", ""], padding=True)["empty_pair"]
    assert warning.rows == (1,)
    assert 'has the 3 special tokens of a pair; alone, text_pair="" is dropped, and the same text has 2' in (
        warning.message
    )
    # The Python-only kind drops nothing.
    assert byt5("a", "")["input_ids"] == byt5(["a"], [""])["input_ids"][0]
    assert "dropped" not in said(byt5, ["a"], [""])["empty_pair"].message
    assert bpe(["a"], [""])["input_ids"] == bpe(["a"])["input_ids"]
    assert "nothing in the row shows" in said(bpe, ["a"], [""])["empty_pair"].message


def test_two_texts_that_nothing_separates(wordpiece: Any, bpe: Any, byt5: Any) -> None:
    assert bpe(["a"], [" b"])["input_ids"] == bpe(["a b"])["input_ids"]
    assert "Join them yourself" in said(bpe, ["a"], [" b"])["no_separator"].fix
    assert byt5(["a"], ["b"], add_special_tokens=False)["input_ids"] == byt5(["ab"], add_special_tokens=False).input_ids
    assert "Set add_special_tokens to True" in said(byt5, ["a"], ["b"], add_special_tokens=False)["no_separator"].fix
    assert said(byt5, ["a"], ["b"]) == {}
    # BERT's token types tell them apart even then.
    assert said(wordpiece, ["a"], ["b"], add_special_tokens=False) == {}


def test_a_missing_pad_token_and_the_choice_of_one(bpe: Any) -> None:
    with pytest.raises(ValueError, match="does not have a padding token"):
        bpe(["a"], padding=True)
    with pytest.raises(DemoError, match=r"Choose a pad_token from its vocabulary: '<s>' \(its bos_token"):
        said(bpe, ["a"], padding=True)
    with pytest.raises(DemoError, match="'</s>' is not in this tokenizer's vocabulary"):
        said(bpe, ["a"], padding=True, pad_token="</s>")
    bare = deepcopy(bpe)
    bare.bos_token = None
    with pytest.raises(DemoError, match="any token will do"):
        said(bare, ["a"], padding=True)


def test_a_borrowed_pad_token_is_given_back(bpe: Any) -> None:
    found = encode(bpe, ["a a", "a"], None, Options(padding=True, pad_token="<s>"), 100)
    assert found.columns["tokens"][1][-1] == "<s>"
    assert found.columns["attention_mask"] == [[1, 1], [1, 0]]
    (warning,) = found.warnings
    assert (warning.code, "attention_mask" in warning.fix) == ("pad_token_borrowed", True)
    assert "'<s>', which also is the bos_token" in warning.message
    assert bpe.pad_token is None
    assert "<s>" not in said(bpe, ["a a", "a"])
    with pytest.raises(DemoError, match="no pad token"):
        said(bpe, ["a"], padding=True)
    assert "ordinary token" in said(bpe, ["a"], padding=True, pad_token="a")["pad_token_borrowed"].message


def test_a_borrowed_pad_token_is_given_back_after_an_error(bpe: Any) -> None:
    with pytest.raises(DemoError, match="can't do this"):
        said(bpe, ["a"], ["b " * 9], padding=True, truncation="only_first", max_length=4, pad_token="<s>")
    assert bpe.pad_token is None


def test_a_pad_token_that_the_tokenizer_shares_with_the_end_of_a_text(bpe: Any) -> None:
    shared = deepcopy(bpe)
    shared.pad_token = shared.bos_token
    assert shared.pad({"input_ids": [shared("<s>")["input_ids"], shared("a a")["input_ids"]]})["input_ids"][0] == [0, 0]
    assert said(shared, ["a a", "a"], padding=True).keys() == {"pad_token_borrowed"}


def test_a_pad_token_that_is_not_needed(wordpiece: Any) -> None:
    assert (
        "pads with its own, '[PAD]'"
        in said(wordpiece, ["a"], padding=True, pad_token="[SEP]")["pad_token_ignored"].message
    )
    assert "nothing is padded" in said(wordpiece, ["a"], pad_token="[SEP]")["pad_token_ignored"].message


def test_text_beyond_what_the_model_reads(wordpiece: Any, bpe: Any) -> None:
    assert len(wordpiece(["a " * 600], verbose=False)["input_ids"][0]) == 602
    warning = said(wordpiece, ["a", "a " * 600])["too_long"]
    assert (warning.rows, warning.fix) == ((1,), "Set truncation to True and max_length to 512.")
    # The model's positions count more than what the tokenizer says, or does not say.
    short = ModelFacts("small", 400, 4)
    assert said(bpe, ["a a a a a"], model=short)["too_long"].message == (
        "Rows longer than the 4 tokens that the model can read: 1."
    )
    assert said(bpe, ["a a a a a"], model=ModelFacts("endless", 400, None)) == {}


def test_padding_beyond_what_the_model_reads(wordpiece: Any) -> None:
    assert len(wordpiece(["a"], padding=True, pad_to_multiple_of=1000, verbose=False)["input_ids"][0]) == 1000
    found = said(wordpiece, ["a"], padding=True, pad_to_multiple_of=1000)
    assert found.keys() == {"padded_too_long"}
    assert found["padded_too_long"].rows == (0,)


def test_what_truncation_cuts_off_is_counted(wordpiece: Any, byt5: Any) -> None:
    assert wordpiece("a b c d", truncation=True, max_length=4)["input_ids"] == wordpiece("a b")["input_ids"]
    arguments: dict[str, Any] = {"truncation": True, "padding": True}
    warning = said(wordpiece, ["a b", "a"], ["e f", "g"], max_length=6, **arguments)["truncated"]
    assert (warning.message, warning.rows) == ("Tokens cut from the end: 1, in 1 of 2 texts.", (0,))
    assert "cut from the end: 3, in 1 of 1" in said(byt5, ["abcdef"], max_length=4, **arguments)["truncated"].message
    at_start = deepcopy(wordpiece)
    at_start.truncation_side = "left"
    assert at_start("a b c d", truncation=True, max_length=4)["input_ids"] == wordpiece("c d")["input_ids"]
    warning = said(at_start, ["a", "a b c d"], max_length=4, **arguments)["truncated"]
    assert (warning.message, warning.rows) == ("Tokens cut from the beginning: 2, in 1 of 2 texts.", (1,))


def test_a_strategy_that_can_not_cut_enough(byt5: Any) -> None:
    arguments: dict[str, Any] = {"truncation": "only_first", "max_length": 6}
    assert len(byt5(["ab"], ["cdefghij"], **arguments)["input_ids"][0]) == 10
    found = said(byt5, ["ab", "a"], ["cdefghij", "b"], padding=True, **arguments)
    assert found["still_too_long"].rows == (0,)
    assert "longest_first" in found["still_too_long"].fix


def test_unknown_tokens(wordpiece: Any) -> None:
    assert wordpiece.tokenize("🙂") == ["[UNK]"]
    assert said(wordpiece, ["fine", "🙂"], ["🙂", "fine"])["unknown_tokens"].rows == (0, 1)
    assert said(wordpiece, ["fine"]) == {}


def test_special_tokens_typed_into_the_text(wordpiece: Any, bpe: Any, byt5: Any) -> None:
    assert wordpiece("a [SEP] b")["input_ids"] == [*wordpiece("a", "b")["input_ids"][:-1], 102]
    found = said(wordpiece, ["fine", "a [SEP] [MASK]"], padding=True)
    assert found.keys() == {"special_in_text"}
    assert found["special_in_text"].rows == (1,)
    assert "[MASK], [SEP]" in found["special_in_text"].message
    assert said(wordpiece, ["a [SEP]"], split_special_tokens=True) == {}
    # What is typed is no unknown character, and the other way round.
    assert said(wordpiece, ["a [UNK]"]).keys() == {"special_in_text"}
    assert said(wordpiece, ["a 🙂"]).keys() == {"unknown_tokens"}
    assert said(wordpiece, ["[UNK] 🙂"]).keys() == {"special_in_text", "unknown_tokens"}
    # A chat's control tokens, and a tokenizer that knows no offsets.
    assert "<|im_end|>" in said(bpe, ["hi<|im_end|>"])["special_in_text"].message
    assert byt5("a</s>b")["input_ids"] == [100, 1, 101, 1]
    assert said(byt5, ["a</s>b"])["special_in_text"].rows == (0,)
    assert said(byt5, ["a<unk>b"]).keys() == {"special_in_text"}


def test_a_tokenizer_whose_unknown_token_is_the_end_of_a_text(bpe: Any) -> None:
    shared = deepcopy(bpe)
    shared.unk_token = shared.bos_token
    assert said(shared, ["🙂<s>"]).keys() == {"special_in_text"}


def test_a_text_of_which_nothing_is_left(wordpiece: Any) -> None:
    assert wordpiece.tokenize("\x00\u200b") == []
    assert said(wordpiece, ["a", "\x00\u200b"], padding=True)["no_tokens"].rows == (1,)


def test_a_model_that_does_not_know_all_tokens(wordpiece: Any, tiny: Path, settings: Settings) -> None:
    import torch
    from transformers import BertConfig, BertModel

    small = BertConfig(vocab_size=2000, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    with pytest.raises(IndexError), torch.inference_mode():
        BertModel(small)(**wordpiece(["gastro"], return_tensors="pt"))
    facts = ModelFacts("small", 2000, 512)
    assert said(wordpiece, ["a", "gastro"], padding=True, model=facts)["vocabulary_mismatch"].rows == (1,)
    softer = said(wordpiece, ["a"], model=facts)["vocabulary_mismatch"]
    assert ("30,522 tokens, but small knows only 2,000" in softer.message, softer.rows) == (True, ())
    # A larger matrix is no mismatch: many models round theirs up.
    assert said(wordpiece, ["gastro"], model=ModelFacts("padded", 30_528, 512)) == {}
    assert said(wordpiece, ["gastro"], model=model_facts(ModelRef.parse(str(tiny)), settings)) == {}


def test_a_regular_expression_that_never_ends_is_a_sentence() -> None:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"(x+x+)+y"), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    # A panic of the Rust core is no Exception: a server that catches those leaves its client waiting.
    with pytest.raises(BaseException, match="retry-limit") as caught:
        tokenizer(["x" * 60])
    assert not isinstance(caught.value, Exception)
    with pytest.raises(DemoError, match=r"The tokenizer can't do this: .*retry-limit"):
        encode(tokenizer, ["x" * 60], None, Options(), 100)


def test_a_vocabulary_far_smaller_than_the_models_belongs_to_another_model() -> None:
    """Nothing fails, so nothing tells: every id is valid, and means another word."""
    own, padded, foreign = (ModelFacts("model", len(kind("bpe")) + more, None) for more in (0, 50, 30_000))
    assert "vocabulary_mismatch" not in said(kind("bpe"), ["a"], model=own)
    assert "vocabulary_mismatch" not in said(kind("bpe"), ["a"], model=padded), "rounded up for speed"
    assert "another model's tokenizer" in said(kind("bpe"), ["a"], model=foreign)["vocabulary_mismatch"].message


def test_what_the_tokenizer_allows_counts_beside_what_the_model_can_read(wordpiece: Any) -> None:
    short = deepcopy(wordpiece)
    short.model_max_length = 4
    assert "the 4 tokens" in said(short, ["a a a a a"], model=ModelFacts("large", 40_000, 512))["too_long"].message


def test_a_pad_token_outside_the_vocabulary_can_be_borrowed_by_nobody(bpe: Any) -> None:
    with (
        pytest.raises(DemoError, match="'nope' is not in this tokenizer's vocabulary"),
        borrow_pad_token(bpe, "nope"),
    ):
        pass
    assert bpe.pad_token is None


@pytest.mark.parametrize("name", ["wordpiece", "unigram", "byt5"])
def test_an_unknown_token_that_was_typed_is_not_counted_as_unknown(name: str) -> None:
    tokenizer = kind(name)
    texts = [f"a {tokenizer.unk_token} b", f"{tokenizer.unk_token} c"]
    columns = encode(tokenizer, texts[:1], texts[1:], Options(), 100).columns
    assert columns["input_ids"][0].count(tokenizer.unk_token_id) == 2
    assert find_unknown_slots(tokenizer, columns, 0, texts) == []
    if name != "byt5":  # it knows every byte
        columns = encode(tokenizer, ["a \U0001f642 b"], None, Options(), 100).columns
        (slot,) = find_unknown_slots(tokenizer, columns, 0, ["a \U0001f642 b"])
        assert columns["input_ids"][0][slot] == tokenizer.unk_token_id


def test_a_text_that_brings_its_own_beginning_is_told_to_be_left_alone(wordpiece: Any, bpe: Any) -> None:
    found = said(wordpiece, ["fine", "[CLS] a"])
    assert "special_in_text" not in found
    warning = found["doubled_beginning"]
    assert warning.rows == (1,)
    assert "add_special_tokens to False" in warning.fix
    assert "split_special_tokens" not in warning.fix
    assert said(wordpiece, ["[CLS] a [MASK]"]).keys() == {"doubled_beginning", "special_in_text"}
    assert "doubled_beginning" not in said(wordpiece, ["[CLS] a"], add_special_tokens=False)
    left = said(wordpiece, ["[CLS] a", "a a a a a a a"], padding=True, padding_side="left")
    assert left["doubled_beginning"].rows == (0,)


def test_padding_with_the_end_of_text_is_warned_of_in_every_view_with_what_it_costs(bpe: Any) -> None:
    shared = deepcopy(bpe)
    shared.eos_token = shared.pad_token = shared.bos_token
    for padding in (False, True):
        warning = said(shared, ["a a", "a"], padding=padding)["pad_token_borrowed"]
        assert "eos_token" in warning.message
        assert "DataCollatorForLanguageModeling" in warning.fix
        assert "resize_token_embeddings" in warning.fix
    ending = deepcopy(bpe)
    ending.eos_token = ending.bos_token
    assert "-100" in said(ending, ["a a", "a"], padding=True, pad_token="<s>")["pad_token_borrowed"].fix
    assert said(ending, ["a"]) == {}


def test_the_library_does_what_the_warning_says_of_the_end_of_text(bpe: Any) -> None:
    from transformers import DataCollatorForLanguageModeling

    shared = deepcopy(bpe)
    shared.eos_token = shared.pad_token = shared.bos_token
    rows = [shared("a a"), shared("a")]
    for row in rows:
        row["input_ids"].append(shared.eos_token_id)
        row["attention_mask"].append(1)
    labels = DataCollatorForLanguageModeling(shared, mlm=False)(rows)["labels"]
    assert shared.eos_token_id not in labels.tolist()[0]


def test_padding_behind_a_text_that_is_to_be_gone_on_with(wordpiece: Any) -> None:
    writer = ModelFacts("writer", 400_000, 512, architecture="GPT2LMHeadModel")
    found = said(wordpiece, ["a a", "a"], padding=True, model=writer)
    assert found["padded_behind"].rows == (1,)
    assert "padding_side" in found["padded_behind"].fix
    assert "padded_behind" not in said(wordpiece, ["a a", "a"], padding=True, padding_side="left", model=writer)
    reader = ModelFacts("reader", 400_000, 512, architecture="BertForSequenceClassification")
    assert "padded_behind" not in said(wordpiece, ["a a", "a"], padding=True, model=reader)


def test_the_recommendation_speaks_of_the_slots_in_its_table() -> None:
    from hfdemo.tokenization.length_report import report_lengths

    lengths = [8] * 500 + [40] * 480 + [900] * 20
    found = report_lengths(lengths, 8, limit=512)
    slots = {cost.name: f"{cost.slots:,}" for cost in found.strategies}
    named = [value for value in slots.values() if value in found.recommended.reason]
    assert len(named) >= 2, (found.recommended.reason, slots)
