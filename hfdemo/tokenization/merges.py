"""How one word becomes pieces, step by step: BPE's merges, WordPiece's longest matches, Unigram's likeliest path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from hfdemo.errors import DemoError, wrap_tokenizer_errors
from hfdemo.tokenization.backend import find_first_word

MOST_CHARACTERS = 60
# The core's own: an unknown character costs this much more than the rarest piece of the vocabulary.
_UNKNOWN_PENALTY = 10.0
_RUNNERS_UP = 3
# A JSON string. Regular expressions read a model of 250,000 pieces several times as fast as json, which makes a list of
# each, and the model must not be kept.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'


@dataclass(frozen=True)
class MergeStep:
    """`pieces` after this step; `changed` are the indices of those that are new in it, `why` says what happened."""

    pieces: tuple[str, ...]
    changed: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class WordTrace:
    """`word` is what the model part of the tokenizer gets; `about` explains the algorithm in a sentence or two.

    The last step's pieces are the tokens of the word. There is no step where the model makes no piece of it.
    """

    algorithm: str
    word: str
    steps: tuple[MergeStep, ...]
    about: str


def trace_word(tokenizer: Any, word: str) -> WordTrace:
    """Return the way from `word` (the first pre-token of what was typed) to its pieces.

    The caller must hold the tokenizer for itself.

    Raises:
        DemoError: no word, one longer than MOST_CHARACTERS, or a tokenizer that is written in Python only.
    """
    if not tokenizer.is_fast:
        raise DemoError(
            f"{type(tokenizer).__name__} is written in Python, and its steps can't be followed. "
            "Choose a tokenizer with a tokenizer.json."
        )
    first = find_first_word(tokenizer, word)
    if not first:
        raise DemoError("The tokenizer leaves nothing of this to split: it holds no word. Type a word.")
    if len(first) > MOST_CHARACTERS:
        raise DemoError(
            f"The first word is {len(first):,} characters long for the tokenizer; at most {MOST_CHARACTERS} can be "
            "followed step by step. Type a shorter one."
        )
    model = tokenizer.backend_tokenizer.model
    algorithm = type(model).__name__
    ways: dict[str, Callable[[Any, str], tuple[list[MergeStep], str]]] = {
        "BPE": _trace_bpe,
        "WordPiece": _trace_word_piece,
        "Unigram": _trace_unigram,
        "WordLevel": _trace_word_level,
    }
    with wrap_tokenizer_errors():
        # What the model itself can't do gets its own words.
        model.tokenize(first)
        steps, about = ways[algorithm](model, first)
    return WordTrace(algorithm, first, tuple(steps), about)


# --- BPE ---


def _trace_bpe(model: Any, word: str) -> tuple[list[MergeStep], str]:
    about = (
        "BPE starts from the single characters (of a byte-level tokenizer: bytes) and always joins the two neighbours "
        "whose merge was learnt first, until no merge fits."
    )
    if model.dropout:
        about += f" This tokenizer skips merges at random (dropout {model.dropout:g}); here, none is skipped."
    if model.ignore_merges and model.token_to_id(word) is not None:
        return [
            MergeStep((word,), (0,), "The whole word is in the vocabulary, so it is not merged (ignore_merges).")
        ], about
    symbols, said = _split_into_symbols(model, word)
    if not symbols:
        return [], f"{about} {' '.join(said)}"
    steps = [MergeStep(tuple(symbols), (), " ".join([f"Start: {_format_count(len(symbols), 'symbol')}.", *said]))]
    prefix = len(model.continuing_subword_prefix or "")
    ranks, count = _read_ranks(model, symbols, prefix)
    while True:
        pairs = [(ranks[pair], at) for at, pair in enumerate(pairwise(symbols)) if pair in ranks]
        if not pairs:
            return steps, about
        rank, at = min(pairs)
        left, right = symbols[at : at + 2]
        symbols[at : at + 2] = [left + right[prefix:]]
        steps.append(MergeStep(tuple(symbols), (at,), f"Merge {rank + 1:,} of {count:,}: {left} + {right}"))


def _split_into_symbols(model: Any, word: str) -> tuple[list[str], list[str]]:
    """Return what merging starts from, and a sentence for each character that the vocabulary does not have."""
    symbols: list[str] = []
    said: list[str] = []
    # As in the core, an unknown character is only put down when a known or another unknown one comes, or the end; so
    # bytes can come before it.
    waiting: list[str] = []
    for at, char in enumerate(word):
        symbol = (model.continuing_subword_prefix or "") * (at > 0) + char
        symbol += (model.end_of_word_suffix or "") * (at == len(word) - 1)
        if model.token_to_id(symbol) is not None:
            symbols += [*waiting, symbol]
            waiting = []
            continue
        written = [f"<0x{byte:02X}>" for byte in symbol.encode()]
        if model.byte_fallback and all(model.token_to_id(byte) is not None for byte in written):
            symbols += written
            said.append(f"{symbol} is not in the vocabulary: written as its bytes.")
        elif model.unk_token is None:
            said.append(f"{symbol} is not in the vocabulary, and there is no unknown token: left out.")
        else:
            symbols += [] if model.fuse_unk else waiting
            waiting = [model.unk_token]
            said.append(f"{symbol} is not in the vocabulary: {model.unk_token}.")
    return symbols + waiting, said


def _read_ranks(model: Any, symbols: Sequence[str], prefix: int) -> tuple[dict[tuple[str, str], int], int]:
    """Return the ranks of the merges that these symbols can ever meet, and the number of all merges."""
    state = model.__getstate__()
    # A quote inside a JSON string is escaped, so that this can't be a token.
    key = b'"merges":'
    strings = re.findall(_STRING, state[state.index(key + b"[") + len(key) :])
    met = {}
    for start in range(len(symbols)):
        symbol = ""
        for following in symbols[start:]:
            symbol += following[prefix if symbol else 0 :]
            met[json.dumps(symbol, ensure_ascii=False).encode()] = symbol
    merges = zip(strings[::2], strings[1::2], strict=True)
    found = {(met[left], met[right]): rank for rank, (left, right) in enumerate(merges) if left in met and right in met}
    return found, len(strings) // 2


# --- WordPiece ---


def _trace_word_piece(model: Any, word: str) -> tuple[list[MergeStep], str]:
    prefix = model.continuing_subword_prefix
    about = (
        "WordPiece takes the longest beginning of the word that is in its vocabulary, then the longest beginning of "
        f"the rest, which is written with {prefix}. Where nothing fits, the whole word becomes {model.unk_token}."
    )
    if len(word) > model.max_input_chars_per_word:
        why = f"The word has more than {model.max_input_chars_per_word} characters, and is not looked up at all."
        return [MergeStep((model.unk_token,), (0,), why)], about
    steps: list[MergeStep] = []
    pieces: list[str] = []
    start = 0
    while start < len(word):
        rest = prefix * bool(pieces) + word[start:]
        for tried, end in enumerate(range(len(word), start, -1)):
            piece = prefix * bool(pieces) + word[start:end]
            if model.token_to_id(piece) is not None:
                pieces.append(piece)
                why = (
                    f"{piece} is in the vocabulary" if piece == rest else f"{piece} is the longest beginning of {rest}"
                )
                more = (
                    f", after {_format_count(tried, 'longer one')} that {'is' if tried == 1 else 'are'} not"
                    if tried
                    else ""
                )
                steps.append(MergeStep(tuple(pieces), (len(pieces) - 1,), f"{why}{more}."))
                start = end
                break
        else:
            tried = len(word) - start
            why = f"No beginning of {rest} is in the vocabulary ({tried} tried): the whole word is {model.unk_token}."
            return [*steps, MergeStep((model.unk_token,), (0,), why)], about
    return steps, about


# --- Unigram ---


@dataclass(frozen=True)
class _UnigramVocabulary:
    """The part of a Unigram vocabulary that a word can meet: log-probabilities, the least of all, the unknown piece."""

    scores: dict[str, float]
    least: float
    unknown: str | None
    byte_fallback: bool

    def has(self, piece: str) -> bool:
        return piece in self.scores and piece != self.unknown


@dataclass(frozen=True)
class _Path:
    """A way to some character of the word: its total score, its last piece with its own, and what it goes on from."""

    score: float
    piece: str
    own: float
    before: _Path | None

    @property
    def pieces(self) -> tuple[str, ...]:
        return (*(self.before.pieces if self.before else ()), self.piece)


def _trace_unigram(model: Any, word: str) -> tuple[list[MergeStep], str]:
    vocabulary = _read_vocabulary(model, word)
    ways = _find_best_paths(vocabulary, word)
    steps = [_best_path_step(vocabulary, found[0]) for found in ways]
    written = tuple(_write_as_bytes(vocabulary, steps[-1].pieces))
    if written != steps[-1].pieces:
        new = tuple(at for at, piece in enumerate(written) if piece not in steps[-1].pieces)
        steps.append(MergeStep(written, new, "What is not in the vocabulary is written as its bytes."))
    best, *others = map(_describe_path, ways[-1])
    about = (
        "Unigram knows a log-probability for every piece of its vocabulary and takes the pieces with the highest sum, "
        f"the likeliest ones. Here: {best}."
    )
    if others:
        about += f" Next best: {'; '.join(others)}."
    if model.alpha:
        about += f" This tokenizer draws among the ways at random (alpha {model.alpha:g}); these lead to the best."
    return steps, about


def _read_vocabulary(model: Any, word: str) -> _UnigramVocabulary:
    state = model.__getstate__()
    start = state.index(b'"vocab":[') + len(b'"vocab":')
    end = state.rindex(b"]]") + 2
    others = json.loads(state[:start] + b"null" + state[end:])
    # ["piece",-3.5],... : the scores, in the order of the ids.
    scores = re.findall(_STRING + rb",([^]]+)\]", state[start:end])
    pieces = {word[first:last] for first in range(len(word)) for last in range(first + 1, len(word) + 1)}
    pieces |= {f"<0x{byte:02X}>" for byte in word.encode()}
    ids = {piece: model.token_to_id(piece) for piece in pieces}
    return _UnigramVocabulary(
        scores={piece: float(scores[id]) for piece, id in ids.items() if id is not None},
        least=min(map(float, scores)),
        unknown=None if others["unk_id"] is None else model.id_to_token(others["unk_id"]),
        byte_fallback=others["byte_fallback"],
    )


def _find_best_paths(vocabulary: _UnigramVocabulary, word: str) -> list[list[_Path]]:
    """Return the best few ways to the end of each character, best first; of equal ones, the core takes the longest last
    piece.

    A character that is no piece can still be stepped over, as unknown.
    """
    unknown = vocabulary.least - _UNKNOWN_PENALTY
    ways: list[list[_Path]] = []
    for end in range(1, len(word) + 1):
        found: list[_Path] = []
        for start in range(end):
            piece = word[start:end]
            own = vocabulary.scores.get(piece, unknown if len(piece) == 1 else None)
            if own is not None and start:
                found += [_Path(own + before.score, piece, own, before) for before in ways[start - 1]]
            elif own is not None:
                found.append(_Path(own, piece, own, None))
        ways.append(sorted(found, key=lambda way: way.score, reverse=True)[: 1 + _RUNNERS_UP])
    return ways


def _best_path_step(vocabulary: _UnigramVocabulary, way: _Path) -> MergeStep:
    pieces = tuple(_fuse_unknown(vocabulary, way.pieces))
    last = way.piece if vocabulary.has(way.piece) else f"{way.piece}, which is not in the vocabulary"
    sums = f" ({way.before.score:.2f} before it, {way.own:.2f} for it)" if way.before else ""
    return MergeStep(pieces, (len(pieces) - 1,), f"The best way to here ends with {last}: {way.score:.2f}{sums}.")


def _describe_path(way: _Path) -> str:
    return f"{' + '.join(way.pieces)} with {way.score:.2f}"


def _fuse_unknown(vocabulary: _UnigramVocabulary, pieces: Sequence[str]) -> Iterator[str]:
    """Return unknown neighbours as one, as the core makes one token of them."""
    for known, run in groupby(pieces, vocabulary.has):
        parts = list(run)
        yield from parts if known else ["".join(parts)]


def _write_as_bytes(vocabulary: _UnigramVocabulary, pieces: Sequence[str]) -> Iterator[str]:
    for piece in pieces:
        written = [f"<0x{byte:02X}>" for byte in piece.encode()]
        falls_back = vocabulary.byte_fallback and piece not in vocabulary.scores
        yield from written if falls_back and all(byte in vocabulary.scores for byte in written) else [piece]


# --- WordLevel ---


def _trace_word_level(model: Any, word: str) -> tuple[list[MergeStep], str]:
    known = model.token_to_id(word) is not None
    found = word if known else model.unk_token
    why = f"{word} is in the vocabulary." if known else f"{word} is not in the vocabulary: {found}."
    return [MergeStep((found,), (0,), why)], "WordLevel looks the whole word up and never splits it."


def _format_count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
