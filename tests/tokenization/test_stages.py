"""Every stage is the core's own work, and every piece knows the characters of the raw text that it came from."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hfdemo.errors import DemoError
from hfdemo.tokenization.backend import MOST_CHARACTERS
from hfdemo.tokenization.encoding import encode
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.stages import Piece, Stage, name_algorithm, trace_stages
from tests.clock import quiet_time
from tests.tokenization.kinds import LINES, bpe, byt5, kind

# --- Tokenizers with every habit that could make the stages lie. ---


def clip() -> Any:
    """BPE whose last piece of a word ends in </w>, with tokens that are looked for in the normalized text."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=special, end_of_word_suffix="</w>", show_progress=False
    )
    core.train_from_iterator(LINES, trainer)
    core.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 1))
    core.add_tokens([AddedToken("Foo Bar", normalized=True), AddedToken("Baz", normalized=True, single_word=True)])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def llama() -> Any:
    """BPE whose normalizer writes ▁ for white space, with no pre-tokenizer, and bytes for what it does not know."""
    from tokenizers import Tokenizer, models, normalizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", *bytes_]
    core.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=360, special_tokens=special, show_progress=False))
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>")


def roberta() -> Any:
    """Byte-level BPE that trims offsets when it post-processes, and a <mask> that takes the space before it along."""
    from tokenizers import AddedToken, processors

    tokenizer = bpe(add_prefix_space=False)
    core = tokenizer.backend_tokenizer
    core.post_processor = processors.RobertaProcessing(("<|im_end|>", 2), ("<s>", 0))
    core.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    return tokenizer


def xlnet() -> Any:
    """Unigram behind a Precompiled normalizer, with ▁ before the very first word only."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_one_character("ﬁ", "fi")), normalizers.Strip(left=False, right=True)]
    )
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    special = ["<unk>", "<sep>"]
    trainer = trainers.UnigramTrainer(vocab_size=100, special_tokens=special, unk_token="<unk>", show_progress=False)
    core.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", sep_token="<sep>")


def _one_character(char: str, written: str) -> bytes:
    """A table of a Precompiled normalizer (a double-array trie, then what to write) that knows one character."""
    trie = [0] * 256 * (len(char.encode()) + 2)
    at, here = 0, 0
    for row, byte in enumerate([0, *char.encode()], start=1):
        here ^= byte
        last = row == len(char.encode()) + 1
        trie[here] = byte | last << 8 | (here ^ row * 256) << 10
        here = at = row * 256
    trie[at] = 0
    array = struct.pack(f"<{len(trie)}I", *trie)
    return struct.pack("<I", len(array)) + array + written.encode() + b"\0"


HERE = {"clip": clip, "llama": llama, "roberta": roberta, "xlnet": xlnet}
NAMES = ["wordpiece", "bpe", "unigram", *HERE]


@cache
def tokenizer_of(name: str) -> Any:
    return HERE[name]() if name in HERE else kind(name)


def staged(name: str, text: str, pair: str | None = None) -> dict[str, Stage]:
    return {stage.name: stage for stage in trace_stages(tokenizer_of(name), text, pair)}


def texts_of(pieces: Sequence[Piece]) -> list[str]:
    return [piece.text for piece in pieces]


WRITTEN = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ODD = [
    "<mask>",
    " <mask>",
    "<s>",
    "</s>",
    "<|im_end|>",
    "[SEP]",
    "[MASK] ",
    "<sep>",
    "<unk>",
    "<0x41>",
    "foo bar",
    "FOO BAR",
    "Baz",
]
ODD += [
    "ﬁ",
    "é",
    "e\u0301",
    "🙂",
    "👩‍👧",
    "\u0001",
    "\u200f",
    "  ",
    "\n",
    "Hello",
    " the fox",
    "İ",
    "각",
    "日本",
    "▁",
    "Ġ",
]
TEXTS = st.lists(st.sampled_from(ODD) | WRITTEN, min_size=1, max_size=8).map("".join).filter(str.strip)


# --- What is promised for any text. ---


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), TEXTS, st.none() | TEXTS)
@example("roberta", "a <mask> b", None)
@example("clip", "x FOO BAR Bazz Baz", "foo bar")
def test_pieces_and_the_last_stage_are_what_the_tokenizer_itself_returns(
    name: str, text: str, pair: str | None
) -> None:
    tokenizer, found = tokenizer_of(name), staged(name, text, pair)
    batch = tokenizer(text, pair, return_offsets_mapping=True)
    processed = found["post-processed"].pieces
    assert [piece.id for piece in processed] == batch["input_ids"]
    assert texts_of(processed) == tokenizer.convert_ids_to_tokens(batch["input_ids"])
    assert [piece.sequence for piece in processed] == batch.sequence_ids()
    assert [(piece.start or 0, piece.end or 0) for piece in processed] == batch["offset_mapping"]

    pieces = found["pieces"].pieces
    alone = [tokenizer(each, add_special_tokens=False) for each in ([text] if pair is None else [text, pair])]
    assert [piece.id for piece in pieces] == [id for each in alone for id in each["input_ids"]]
    assert texts_of(pieces) == [token for each in alone for token in each.tokens()]
    words = [(sequence, word) for sequence, each in enumerate(alone) for word in each.word_ids()]
    assert [piece.joined for piece in pieces] == [at > 0 and words[at] == words[at - 1] for at in range(len(words))]
    # The core counts words over all pre-tokens, added tokens among them.
    assert all(word < len(found["pre-tokenized"].pieces) for _, word in words)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), TEXTS)
def test_every_raw_character_is_in_exactly_one_normalized_piece(name: str, text: str) -> None:
    pieces = staged(name, text)["normalized"].pieces
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    assert pieces[-1].end == len(text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), TEXTS)
def test_without_added_tokens_the_first_stages_are_the_components_own(name: str, text: str) -> None:
    found, backend = staged(name, text), tokenizer_of(name).backend_tokenizer
    ids = {piece.id for piece in found["pieces"].pieces}
    if ids & set(backend.get_added_tokens_decoder()):
        return
    normalized = backend.normalizer.normalize_str(text) if backend.normalizer else text
    assert "".join(texts_of(found["normalized"].pieces)) == normalized
    split = backend.pre_tokenizer.pre_tokenize_str(normalized) if backend.pre_tokenizer else [(normalized, None)]
    assert texts_of(found["pre-tokenized"].pieces) == [word for word, _ in split if word]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), TEXTS, TEXTS)
def test_the_text_of_a_pair_goes_its_way_as_if_it_were_alone(name: str, text: str, pair: str) -> None:
    both, first, second = staged(name, text, pair), staged(name, text), staged(name, pair)
    for stage in ("raw", "normalized", "pre-tokenized", "pieces"):
        alone = [(0, piece.text, piece.start) for piece in first[stage].pieces]
        alone += [(1, piece.text, piece.start) for piece in second[stage].pieces]
        assert [(piece.sequence, piece.text, piece.start) for piece in both[stage].pieces] == alone


# --- The stages by example. ---


def test_one_word_from_raw_text_to_ids() -> None:
    found = staged("wordpiece", "Unaffable é!")
    assert list(found) == ["raw", "normalized", "pre-tokenized", "pieces", "post-processed"]
    assert texts_of(found["raw"].pieces) == ["Unaffable", " ", "é!"]
    assert texts_of(found["normalized"].pieces) == ["u", "naffable", " ", "e", "!"]
    assert texts_of(found["pre-tokenized"].pieces) == ["unaffable", "e", "!"]
    assert texts_of(found["pieces"].pieces) == ["una", "##ffa", "##ble", "e", "!"]
    assert texts_of(found["post-processed"].pieces) == ["[CLS]", "una", "##ffa", "##ble", "e", "!", "[SEP]"]
    assert [piece.joined for piece in found["pieces"].pieces] == [False, True, True, False, False]
    assert [(piece.start, piece.end) for piece in found["pieces"].pieces] == [
        (0, 3),
        (3, 6),
        (6, 9),
        (10, 11),
        (11, 12),
    ]


def test_what_the_normalizer_changed_or_removed_stands_apart() -> None:
    text = "naïve a\u0001b ÀÉ"
    pieces = staged("wordpiece", text)["normalized"].pieces
    raw = [text[piece.start : piece.end] for piece in pieces]
    assert list(zip(raw, texts_of(pieces), strict=True)) == [
        ("na", "na"),
        ("ï", "i"),
        ("ve", "ve"),
        (" ", " "),
        ("a", "a"),
        ("\u0001", ""),
        ("b", "b"),
        (" ", " "),
        ("ÀÉ", "ae"),
    ]
    assert [piece.joined for piece in pieces] == [False, True, True, False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("unigram", "ﬁne", [("ﬁ", "fi")]),
        ("unigram", "㍿", [("㍿", "株式会社")]),
        ("xlnet", "ﬁne ", [("ﬁ", "fi"), (" ", "")]),
        ("clip", "cafe\u0301", [("e\u0301", "é")]),
        ("llama", "a b", [("a", "▁a"), (" ", "▁")]),
        ("wordpiece", "x日y", [("日", " 日 ")]),
        ("roberta", "ÀÉ", []),
    ],
)
def test_one_character_can_become_several_and_several_one(name: str, text: str, changed: list[tuple[str, str]]) -> None:
    pieces = staged(name, text)["normalized"].pieces
    pairs = [(text[piece.start : piece.end], piece.text) for piece in pieces]
    assert [(raw, written) for raw, written in pairs if raw != written] == changed


def test_special_tokens_in_the_text_are_split_off_before_anything_else() -> None:
    found = staged("wordpiece", "[MASK]É [SEP]")
    for stage in ("normalized", "pre-tokenized", "pieces"):
        assert [piece.text for piece in found[stage].pieces if piece.special] == ["[MASK]", "[SEP]"]
    assert texts_of(found["normalized"].pieces) == ["[MASK]", "e", " ", "[SEP]"]
    last = found["post-processed"].pieces
    assert [(piece.text, piece.start) for piece in last if piece.special] == [
        ("[CLS]", None),
        ("[MASK]", 0),
        ("[SEP]", 8),
        ("[SEP]", None),
    ]


def test_an_added_word_is_split_off_too_but_is_not_special() -> None:
    (piece,) = [piece for piece in staged("clip", "A FOO BAR b")["pieces"].pieces if piece.text == "foo bar"]
    assert (piece.start, piece.end, piece.special, piece.id) == (
        2,
        9,
        False,
        tokenizer_of("clip").convert_tokens_to_ids("Foo Bar"),
    )


def test_special_tokens_are_plain_text_where_the_tokenizer_splits_them() -> None:
    tokenizer = bpe()
    assert "<s>" in texts_of(trace_stages(tokenizer, "a<s>")[3].pieces)
    tokenizer.split_special_tokens = True
    pieces = trace_stages(tokenizer, "a<s>")[3].pieces
    assert "<s>" not in texts_of(pieces)
    assert [piece.id for piece in pieces] == tokenizer("a<s>", add_special_tokens=False)["input_ids"]


def test_byte_level_pieces_of_one_emoji_all_came_from_it() -> None:
    pieces = staged("roberta", "a 🙂")["pieces"].pieces
    assert texts_of(pieces)[0] == "a"
    assert {(piece.start, piece.end) for piece in pieces[2:]} == {(2, 3)}
    assert len(pieces) > 4


def test_the_space_belongs_to_a_byte_level_piece_until_the_post_processor_trims_it() -> None:
    found = staged("roberta", "a the")
    before, after = found["pieces"].pieces[1], found["post-processed"].pieces[2]
    assert (before.text, before.start, before.end) == ("Ġthe", 1, 5)
    assert (after.text, after.start, after.end) == ("Ġthe", 2, 5)


def test_an_unknown_stretch_is_one_piece_and_ends_as_the_unknown_token() -> None:
    found = staged("unigram", "日本")
    assert texts_of(found["pieces"].pieces) == ["▁", "日本"]
    assert texts_of(found["post-processed"].pieces) == ["<s>", "▁", "<unk>", "</s>"]


def test_a_tokenizer_written_in_python_has_fewer_stages_and_no_offsets() -> None:
    raw, pieces, processed = trace_stages(byt5(), "é</s>é", "b")
    assert (raw.name, pieces.name, processed.name) == ("raw", "pieces", "post-processed")
    assert [(piece.text, piece.id, piece.sequence, piece.special) for piece in processed.pieces] == [
        ("Ã", 198, 0, False),
        ("©", 172, 0, False),
        ("</s>", 1, 0, True),
        ("Ã", 198, 0, False),
        ("©", 172, 0, False),
        ("</s>", 1, None, True),
        ("b", 101, 1, False),
        ("</s>", 1, None, True),
    ]
    assert [piece.id for piece in processed.pieces] == byt5()("é</s>é", "b")["input_ids"]
    assert all(piece.start is None for piece in pieces.pieces)
    assert "Python" in pieces.did


@pytest.mark.filterwarnings("ignore:This sequence already has")
@settings(max_examples=100, deadline=None)
@given(TEXTS, st.none() | TEXTS)
@example("ends with </s>", None)
def test_python_only_stages_are_what_the_tokenizer_itself_returns(text: str, pair: str | None) -> None:
    _, pieces, processed = trace_stages(kind("byt5"), text, pair)
    assert [piece.id for piece in processed.pieces] == kind("byt5")(text, pair)["input_ids"]
    assert [piece for piece in processed.pieces if piece.sequence is not None] == list(pieces.pieces)


# --- What each component is said to be. ---


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "wordpiece",
            [
                "BertNormalizer: clean text, CJK characters apart, strip accents, lowercase",
                "BertPreTokenizer",
                'WordPiece: 30,522 in the vocabulary, unk token "[UNK]", continuing subword prefix "##", '
                "max input chars per word 100",
                "TemplateProcessing: [CLS] text [SEP]",
            ],
        ),
        (
            "clip",
            [
                "NFC, then Lowercase",
                'WhitespaceSplit, then Punctuation: behavior "Isolated"',
                'BPE: 88 in the vocabulary, unk token "<unk>", end of word suffix "</w>"',
                'BertProcessing: sep ["</s>", 2], cls ["<s>", 1]',
            ],
        ),
        (
            "llama",
            [
                'Prepend: prepend "▁", then Replace: pattern (string) " ", content "▁"',
                "nothing: this tokenizer has no pre-tokenizer",
                'BPE: 360 in the vocabulary, unk token "<unk>", byte fallback',
                "TemplateProcessing: <s> text",
            ],
        ),
        (
            "roberta",
            [
                "nothing: this tokenizer has no normalizer",
                "ByteLevel: no add prefix space, trim offsets, use regex",
                "BPE: 308 in the vocabulary",
                'RobertaProcessing: sep ["<|im_end|>", 2], cls ["<s>", 0], trim offsets, add prefix space',
            ],
        ),
    ],
)
def test_each_stage_names_its_component_and_the_settings(name: str, said: list[str]) -> None:
    first, *others = trace_stages(tokenizer_of(name), "ab é")
    assert first.did == "the text as it was given: 4 characters, 5 bytes in UTF-8"
    assert [stage.did for stage in others] == said


def test_a_precompiled_table_is_not_printed_and_a_pair_has_its_own_template() -> None:
    assert staged("xlnet", "a")["normalized"].did.startswith("Precompiled: a table of characters")
    last = staged("wordpiece", "a", "b")["post-processed"]
    assert last.did == "TemplateProcessing: [CLS] text [SEP] second text [SEP]"


def test_long_patterns_are_cut_and_an_empty_sequence_says_so() -> None:
    from tokenizers import Regex, normalizers

    from hfdemo.tokenization.backend import describe_component

    long = describe_component(normalizers.Replace(Regex("[a-z]" * 40), ""), "normalizer")
    assert len(long) < 150
    assert "…" in long
    assert describe_component(normalizers.Sequence([]), "normalizer") == "nothing: an empty Sequence"


@pytest.mark.parametrize(("name", "algorithm"), [("wordpiece", "WordPiece"), ("bpe", "BPE"), ("unigram", "Unigram")])
def test_the_algorithm_has_its_own_name(name: str, algorithm: str) -> None:
    assert name_algorithm(kind(name)) == algorithm


def test_python_only_is_an_answer_too() -> None:
    assert name_algorithm(byt5()) == "Python"


# --- Limits. ---


@pytest.mark.parametrize(
    ("text", "pair", "said"),
    [
        ("x" * (MOST_CHARACTERS + 1), None, "The text is 2,001 characters long"),
        ("x", "y" * (MOST_CHARACTERS + 1), "The second text is 2,001 characters long"),
        (" ", None, "only white space"),
        ("x", "", "The second text holds only white space"),
        ("half \udc00", None, "surrogate"),
    ],
)
def test_what_can_not_be_staged_gets_a_sentence(text: str, pair: str | None, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        staged("wordpiece", text, pair)


@pytest.mark.parametrize("unit", ["Héllo wörld 日本 ", "[MASK]a"])
def test_the_longest_text_is_staged_while_one_looks(unit: str) -> None:
    text = (unit * MOST_CHARACTERS)[:MOST_CHARACTERS]
    begun = quiet_time()
    staged("wordpiece", text)
    assert quiet_time() - begun < 1


def test_a_tokenizer_that_skips_merges_at_random_is_walked_without_skipping_any() -> None:
    tokenizer = bpe()
    tokenizer.backend_tokenizer.model.dropout = 0.5
    for _ in range(40):
        stages = {stage.name: stage for stage in trace_stages(tokenizer, "the quick brown fox jumps over the lazy dog")}
        last = [piece.id for piece in stages["post-processed"].pieces]
        assert [piece.id for piece in stages["pieces"].pieces] == last
    assert tokenizer.backend_tokenizer.model.dropout == 0.5


@pytest.mark.parametrize("name", ["wordpiece", "byt5"])
def test_the_stages_obey_the_options_about_special_tokens(name: str) -> None:
    tokenizer = kind(name)
    text = f"a {tokenizer.eos_token or tokenizer.sep_token} b"
    for options in (Options(add_special_tokens=False), Options(split_special_tokens=True)):
        last = trace_stages(tokenizer, text, None, options)[-1].pieces
        expected = encode(tokenizer, [text], None, options, 100).columns["input_ids"][0]
        assert [piece.id for piece in last] == expected
        assert expected != tokenizer(text)["input_ids"]
