"""Small tokenizers trained on the spot from a text, and ByT5's, which needs no training: `tokenizer:<name>`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import Any

from hfdemo.errors import DataError, DemoError, ModelError, wrap_library_errors
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.reference import BUILT_IN_TOKENIZERS, TRAINED_TOKENIZER, ModelRef
from hfdemo.ownership import claim_folder, find_folder, may_see, measure_use
from hfdemo.scheduler import hold_lock
from hfdemo.settings import Settings

ALGORITHMS = ("wordpiece", "bpe", "unigram")
HARBOUR = Path(__file__).resolve().parents[2] / "examples" / "harbour.txt"
VOCABULARY = 600
SMALLEST_VOCABULARY, LARGEST_VOCABULARY = 50, 30_000
FEWEST_CHARACTERS = 200
MOST_BYTES, MOST_BYTES_PUBLIC = 100 * 1024**2, 5 * 1024**2
# The Unigram trainer needs about 25 seconds for a million characters in distinct words, and can't be stopped; the
# others need a third of that.
MOST_DISTINCT, MOST_DISTINCT_PUBLIC = 5_000_000, 300_000
_TIMES_AS_FAST = {"unigram": 1, "bpe": 3, "wordpiece": 3}

# The files of one with the largest vocabulary.
_USUAL_BYTES = 4 * 1024**2

# Training uses every core, for seconds: one at a time, by whatever way it was asked for. A limit of the page's queue
# does not hold for calls that go around it.
_TRAINING = Lock()

# Part of every folder's name: raise it whenever the same text would give another tokenizer.
_RECIPE = 1
# A piece of a line: it ends before white space, or in the middle of a "word" of more than 1,000 characters.
_PIECE = re.compile(r".{1,1000}(?=\s|\Z)|.{1,100}")


def train_tokenizer(algorithm: str, lines: Sequence[str], vocabulary: int) -> Any:
    """Train a PreTrainedTokenizerFast of that algorithm with at most `vocabulary` tokens on `lines`.

    The same lines give the same tokenizer. WordPiece is BERT's (uncased), BPE is GPT-2's (byte-level, and with no
    padding token, as there), Unigram is T5's (and like there, nothing says how long a text may be).

    Raises:
        DemoError: an unknown algorithm, a vocabulary size out of range, or too little text.
    """
    _check_request(algorithm, vocabulary)
    return _train(algorithm, lines, vocabulary, MOST_DISTINCT)


def train_from_file(
    file: Path, algorithm: str, vocabulary: int, settings: Settings, stop: Event | None = None
) -> ModelRef:
    """Train on the text file and keep the tokenizer in the home folder; returns its `tokenizer:<name>`.

    The name depends on the file's content, the algorithm, the size and the owner, if any: the same again is not trained
    again. The settings say how many of each owner are kept, the newest, and for how long.

    Raises:
        DemoError: as `train_tokenizer`, a file that is not text or is too large, or no room for another one.
        Stopped: `stop` was set while another one was trained. A training itself can't be stopped but by ending its
            process.
    """
    _check_request(algorithm, vocabulary)
    content = _read_content(file, settings)
    name = _name_by_content(algorithm, content, vocabulary, settings.owner)
    folder = _home(settings) / name
    limit = MOST_DISTINCT_PUBLIC if settings.public else MOST_DISTINCT
    with hold_lock(_TRAINING, stop):
        if folder.is_dir():
            os.utime(folder)  # the newest again, so that it stays
        else:
            _make_room(settings)
            _save_whole(
                folder,
                lambda: _train(algorithm, _split_lines(_decode_text(file.name, content)), vocabulary, limit),
                settings,
            )
            _keep_newest(settings)
    return ModelRef("tokenizer", name)


def _make_room(settings: Settings) -> None:
    """Remove of everybody's tokenizers what is too old, and see that there is room for one more.

    Raises:
        DemoError: those and the runs take as much of the disk as they may.
    """
    if settings.kept_seconds:
        for name, written in _list_trained(settings.of_owner("")):
            if written < time.time() - settings.kept_seconds:
                shutil.rmtree(_home(settings) / name, ignore_errors=True)
    if settings.home_bytes or settings.visitor_bytes:
        refusal = measure_use(settings).find_refusal(_USUAL_BYTES, "A trained tokenizer", settings)
        if refusal:
            raise DemoError(refusal)


def _keep_newest(settings: Settings) -> None:
    """Remove the owner's oldest tokenizers where they are more than are kept."""
    for name in trained_names(settings)[settings.kept_tokenizers :] if settings.kept_tokenizers else ():
        shutil.rmtree(_home(settings) / name, ignore_errors=True)


def trained_folder(ref: ModelRef, settings: Settings) -> Path:
    """Return the folder of a `tokenizer:` reference; the built-in ones are made when they are first asked for.

    Raises:
        ModelError: it was never trained here, or is no longer kept.
    """
    if ref.name not in BUILT_IN_TOKENIZERS:
        folder = find_folder(_home(settings), ref.name, settings)
        if folder is None:
            raise ModelError(
                f"There is no {ref} here (any more). Train it again from the same text file, which gives it the same "
                f"name, or take one of: {', '.join(f'tokenizer:{name}' for name in BUILT_IN_TOKENIZERS)}."
            )
        return folder
    folder = _home(settings) / _built_in_folder(ref.name)
    if not folder.is_dir():
        _save_whole(folder, _make_byte_tokenizer if ref.name == "bytes" else lambda: _train_on_harbour(ref.name))
    return folder


def trained_names(settings: Settings) -> list[str]:
    """List the names of the tokenizers that were trained here from files, newest first."""
    return [name for name, _ in _list_trained(settings)]


def _list_trained(settings: Settings) -> list[tuple[str, float]]:
    """List (name, seconds since the epoch when it was last asked for) of those, newest first."""
    built_in = {_built_in_folder(name) for name in BUILT_IN_TOKENIZERS}
    found = []
    for path in _home(settings).glob("*-*"):
        if TRAINED_TOKENIZER.fullmatch(path.name) and path.name not in built_in and may_see(path, settings):
            try:
                found.append((path.name, path.stat().st_mtime))
            except FileNotFoundError:  # another thread made room
                continue
    return sorted(found, key=lambda each: each[::-1], reverse=True)


def _home(settings: Settings) -> Path:
    return settings.home / "tokenizers"


def _name_by_content(algorithm: str, content: bytes, vocabulary: int, owner: str = "") -> str:
    recipe = f"{_RECIPE} {algorithm} {vocabulary} {owner}".encode()
    return f"{algorithm}-{hashlib.sha256(recipe + content).hexdigest()[:12]}"


def _built_in_folder(name: str) -> str:
    """Return the folder of a built-in tokenizer: that of its text uploaded, so that a changed text is trained anew."""
    return _name_by_content(name, b"" if name == "bytes" else HARBOUR.read_bytes(), VOCABULARY)


def _save_whole(folder: Path, make: Callable[[], Any], settings: Settings | None = None) -> None:
    """Save what `make` makes as `folder`, which is there as a whole or not at all; it is the owner's of `settings`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = make()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        whole = Path(temporary) / folder.name
        tokenizer.save_pretrained(whole)
        if settings is not None:
            claim_folder(whole, settings)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # if it is, somebody else was faster with the same
                raise


def _make_byte_tokenizer() -> Any:
    import_libraries()
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer()


def _train_on_harbour(algorithm: str) -> Any:
    return train_tokenizer(algorithm, _split_lines(HARBOUR.read_text(encoding="utf-8")), VOCABULARY)


def _check_request(algorithm: str, vocabulary: int) -> None:
    if algorithm not in ALGORITHMS:
        raise DemoError(f"There is no algorithm {algorithm!r} to train with. Pick one of: {', '.join(ALGORITHMS)}.")
    whole = isinstance(vocabulary, int) and not isinstance(vocabulary, bool)
    if not whole or not SMALLEST_VOCABULARY <= vocabulary <= LARGEST_VOCABULARY:
        raise DemoError(
            f"The vocabulary size is {vocabulary!r}, but must be a whole number from {SMALLEST_VOCABULARY} to "
            f"{LARGEST_VOCABULARY:,}. 600 is good for a page of text, 8,000 for a book."
        )


def _read_content(file: Path, settings: Settings) -> bytes:
    if not file.is_file():
        raise DataError(f"There is no file {file.name!r}. Upload a text file.")
    most = MOST_BYTES_PUBLIC if settings.public else MOST_BYTES
    if file.stat().st_size > most:
        raise DataError(
            f"{file.name} has {file.stat().st_size / 1024**2:.1f} MB, and a tokenizer is trained here from at most "
            f"{most // 1024**2} MB of text. A part of it will do: cut the file."
        )
    return file.read_bytes()


def _decode_text(name: str, content: bytes) -> str:
    """Read `content` as UTF-8, else as Windows-1252."""
    if b"\0" in content or content.startswith((b"PK", b"%PDF", b"\x89PNG", b"\xff\xd8")):
        raise DataError(f"{name} is not a text file: it holds binary data. Save it as plain text (UTF-8) first.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if not text.strip():
        raise DataError(f"{name} is empty. Give a text file with a page or more.")
    return text


def _split_lines(text: str) -> list[str]:
    """Split a text into lines that no algorithm chokes on; blank ones are left out."""
    return [piece for line in text.splitlines() for piece in _PIECE.findall(line) if piece.strip()]


def _train(algorithm: str, lines: Sequence[str], vocabulary: int, most_distinct: int) -> Any:
    characters = sum(len(line) for line in lines)
    if characters < FEWEST_CHARACTERS:
        raise DataError(
            f"The text has {characters} characters, too few to learn from. Give {FEWEST_CHARACTERS} or more; "
            "a page or more is better."
        )
    import_libraries()
    with wrap_library_errors("No tokenizer can be trained from this text", "Try another text or vocabulary size."):
        if algorithm == "bpe":
            return _train_bpe(lines, vocabulary, most_distinct)
        if algorithm == "wordpiece":
            return _train_wordpiece(lines, vocabulary, most_distinct)
        return _train_unigram(lines, vocabulary, most_distinct)


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
