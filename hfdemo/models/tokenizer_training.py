"""The algorithms that learn a tokenizer from text, with all that a famous example, or an old tokenizer, has around."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.errors import DataError, DemoError, wrap_library_errors
from hfdemo.lazy_imports import import_libraries

ALGORITHMS = ("wordpiece", "bpe", "unigram")
VOCABULARY = 600
SMALLEST_VOCABULARY, LARGEST_VOCABULARY = 50, 30_000
FEWEST_CHARACTERS = 200
# The Unigram trainer needs about 25 seconds for a million characters in distinct words, and can't be stopped; the
# others need a third of that.
MOST_DISTINCT, MOST_DISTINCT_PUBLIC = 5_000_000, 300_000
_TIMES_AS_FAST = {"unigram": 1, "bpe": 3, "wordpiece": 3, "wordlevel": 3}
_FAILED = ("No tokenizer can be trained from this text", "Try another text or vocabulary size.")


def train_tokenizer(algorithm: str, lines: Sequence[str], vocabulary: int) -> Any:
    """Train a PreTrainedTokenizerFast of that algorithm with at most `vocabulary` tokens on `lines`.

    The same lines give the same tokenizer. WordPiece is BERT's (uncased), BPE is GPT-2's (byte-level, and with no
    padding token, as there), Unigram is T5's (and like there, nothing says how long a text may be).

    Raises:
        DemoError: an unknown algorithm, a vocabulary size out of range, or too little text.
    """
    check_request(algorithm, vocabulary)
    return train_on_lines(algorithm, lines, vocabulary, MOST_DISTINCT)


def check_request(algorithm: str, vocabulary: int) -> None:
    """Make sure that there is such an algorithm, and a vocabulary of such a size.

    Raises:
        DemoError: there is not.
    """
    if algorithm not in ALGORITHMS:
        raise DemoError(f"There is no algorithm {algorithm!r} to train with. Pick one of: {', '.join(ALGORITHMS)}.")
    _check_vocabulary(vocabulary)


def _check_vocabulary(vocabulary: int) -> None:
    whole = isinstance(vocabulary, int) and not isinstance(vocabulary, bool)
    if not whole or not SMALLEST_VOCABULARY <= vocabulary <= LARGEST_VOCABULARY:
        raise DemoError(
            f"The vocabulary size is {vocabulary!r}, but must be a whole number from {SMALLEST_VOCABULARY} to "
            f"{LARGEST_VOCABULARY:,}. 600 is good for a page of text, 8,000 for a book."
        )


def train_on_lines(algorithm: str, lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    """Train a tokenizer as `train_tokenizer` does, on words of at most `most_distinct` characters together.

    Raises:
        DataError: too little text, or too many different words.
        DemoError: the vocabulary is too small for what every tokenizer of the kind has.
    """
    _check_lines(lines)
    import_libraries()
    with wrap_library_errors(*_FAILED):
        if algorithm == "bpe":
            return _train_bpe(lines, vocabulary, most_distinct)
        if algorithm == "wordpiece":
            return _train_wordpiece(lines, vocabulary, most_distinct)
        return _train_unigram(lines, vocabulary, most_distinct)


def train_from_old(old: Any, lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    """Train a tokenizer that is `old` in all but its vocabulary: same algorithm, same parts, same special tokens.

    Raises:
        DataError: too little text, or too many different words.
        DemoError: a vocabulary size out of range or too small for what the old one begins with, or an old one that is
            written in Python only.
    """
    check_retraining(old, vocabulary)
    _check_lines(lines)
    model = old.backend_tokenizer.model
    with wrap_library_errors(*_FAILED):
        words = _distinct_words(old.backend_tokenizer, lines, type(model).__name__.lower(), most_distinct)
        # Letters that are written otherwise inside or at the end of a word would be numbered in the order of a hash
        # map, as in _train_wordpiece.
        marked = _list_marked_letters(model, words)
        learned = old.train_new_from_iterator(
            lines, vocabulary, new_special_tokens=marked or None, show_progress=False
        ).backend_tokenizer.model
        # Trained on next to nothing it has the old one's special tokens under the ids that they have in `learned`.
        new = old.train_new_from_iterator(lines[:1], vocabulary, show_progress=False)
        specials = list(new.backend_tokenizer.get_added_tokens_decoder())
        new.backend_tokenizer.model = _order_pieces(learned, len(specials))
    if len(new) > vocabulary:
        raise DemoError(
            f"A vocabulary of {vocabulary:,} leaves nothing to learn: special tokens and letters take {len(new):,}. "
            f"Use {len(new) + 100:,} or more."
        )
    return new


def check_retraining(old: Any, vocabulary: int) -> None:
    """Make sure that a tokenizer like `old` can be trained, with a vocabulary of such a size.

    Raises:
        DemoError: it can not.
    """
    _check_vocabulary(vocabulary)
    if not old.is_fast:
        raise DemoError(
            f"{type(old).__name__} is written in Python only, and can't be trained anew. Choose a tokenizer with a "
            "tokenizer.json."
        )


def _list_marked_letters(model: Any, words: set[str]) -> list[str]:
    """List how the letters of `words` are written where a vocabulary marks the inside and the end of words."""
    inside = getattr(model, "continuing_subword_prefix", None) or ""
    at_end = getattr(model, "end_of_word_suffix", None) or ""
    if not inside and not at_end:
        return []
    letters = {
        f"{inside * (place > 0)}{letter}{at_end * (place == len(word) - 1)}"
        for word in words
        for place, letter in enumerate(word)
    }
    return sorted(letters - {letter for word in words for letter in word})


def _order_pieces(model: Any, specials: int) -> Any:
    """Return a Unigram model with its pieces in an order that is the same in each training, any other as it is."""
    from tokenizers import models

    if type(model).__name__ != "Unigram":
        return model
    state = json.loads(model.__getstate__())
    first, rest = state["vocab"][:specials], state["vocab"][specials:]
    pieces = [*map(tuple, first), *_normalize_vocabulary(dict(rest))]
    return models.Unigram(pieces, unk_id=state["unk_id"], byte_fallback=state["byte_fallback"])


def _check_lines(lines: Sequence[str]) -> None:
    characters = sum(len(line) for line in lines)
    if characters < FEWEST_CHARACTERS:
        raise DataError(
            f"The text has {characters} characters, too few to learn from. Give {FEWEST_CHARACTERS} or more; "
            "a page or more is better."
        )


def _train_wordpiece(lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    """Train a tokenizer like BERT's uncased one."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words = _distinct_words(tokenizer, lines, "wordpiece", most_distinct)
    first = sorted(set().union(*words))
    later = sorted({f"##{letter}" for word in words for letter in word[1:]})
    _check_room(vocabulary, len(specials) + len(first) + len(later), "the special tokens and the text's own letters")
    # The trainer numbers the letters inside words in the order of a hash map, and decides ties by number: other merges
    # in every process. Named as special tokens they keep their order, and are no special tokens in what is built below.
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=[*specials, *later], show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    learned = tokenizer.get_vocab(with_added_tokens=False)
    built = Tokenizer(models.WordPiece(learned, unk_token="[UNK]"))
    built.normalizer = tokenizer.normalizer
    built.pre_tokenizer = tokenizer.pre_tokenizer
    built.decoder = decoders.WordPiece()
    built.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, learned[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=built,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _train_bpe(lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    """Train a tokenizer like GPT-2's: every byte is a letter, and `<|endoftext|>` is the only special token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    end = "<|endoftext|>"
    _check_room(vocabulary, 1 + len(alphabet), f"{end} and the {len(alphabet)} bytes")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    _distinct_words(tokenizer, lines, "bpe", most_distinct)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end, model_max_length=1024
    )


def _train_unigram(lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    """Train a tokenizer like T5's, with the normalization of SentencePiece (nmt_nfkc)."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    words = _distinct_words(tokenizer, lines, "unigram", most_distinct)
    letters = set().union(*words)
    _check_room(vocabulary, len(specials) + len(letters), "the special tokens and the text's own characters")
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    scores = dict(json.loads(tokenizer.to_str())["model"]["vocab"])
    pieces = _normalize_vocabulary({piece: score for piece, score in scores.items() if piece not in specials})
    built = Tokenizer(models.Unigram([*((token, 0.0) for token in specials), *pieces], unk_id=specials.index("<unk>")))
    built.normalizer = tokenizer.normalizer
    built.pre_tokenizer = tokenizer.pre_tokenizer
    built.decoder = decoders.Metaspace()
    built.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", specials.index("</s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=built, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def _normalize_vocabulary(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Sort what Unigram learned, likeliest first, without what differs from one training to the next.

    The trainer adds up in the order of a hash map, which changes the last digits; and it gives the letters that it
    needs no more scores 0.0001 apart from the lowest one on, in that order again. Here they all have the lowest.
    """
    lowest = min(scores.values())
    letters = [piece for piece in scores if len(piece) == 1]
    unused = {piece for piece in letters if scores[piece] < lowest + 0.0001 * len(letters)}
    rounded = {piece: round(lowest if piece in unused else score, 6) for piece, score in scores.items()}
    return sorted(rounded.items(), key=lambda item: (-item[1], item[0]))


def _distinct_words(tokenizer: Any, lines: Sequence[str], algorithm: str, most_distinct: int) -> set[str]:
    """List the words of `lines` as this tokenizer's normalizer and pre-tokenizer make them, each once.

    What a trainer takes depends on them alone: a word that comes again costs nothing.

    Raises:
        DataError: more characters in them than `most_distinct` for Unigram, and three times that for the others.
    """
    from tokenizers import Tokenizer, models, trainers

    counter = Tokenizer(models.WordLevel(unk_token=""))
    counter.normalizer = tokenizer.normalizer
    counter.pre_tokenizer = tokenizer.pre_tokenizer
    counter.train_from_iterator(lines, trainers.WordLevelTrainer(vocab_size=2**31, show_progress=False))
    words = set(counter.get_vocab(with_added_tokens=False))
    distinct, most = sum(map(len, words)), most_distinct * _TIMES_AS_FAST[algorithm]
    if distinct > most:
        faster = ", or take bpe or wordpiece, which are faster" if algorithm == "unigram" else ""
        raise DataError(
            f"The different words of this text have {distinct:,} characters together, and {algorithm} would take too "
            f"long for more than {most:,}. Cut the file{faster}."
        )
    return words


def _check_room(vocabulary: int, taken: int, by: str) -> None:
    if vocabulary <= taken:
        raise DemoError(
            f"A vocabulary of {vocabulary:,} leaves nothing to learn: {by} take {taken:,} already. "
            f"Use {max(taken + 100, VOCABULARY):,} or more."
        )
