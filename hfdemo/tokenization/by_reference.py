"""The same for a tokenizer that is named by its reference: it is held, asked, and plain values come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from hfdemo.errors import DemoError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.models.model_facts import model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.chat_templates import ChatOptions, RenderedChat, render_messages
from hfdemo.tokenization.comparison import Segmentation, segment_text
from hfdemo.tokenization.decoding import DecodedIds, RoundTrip, decode_ids, decode_round_trip
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.learned_merges import MergedText, apply_first_merges, count_merges, write_merges
from hfdemo.tokenization.merges import WordTrace, trace_word
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.stages import Stage, trace_stages
from hfdemo.tokenization.truncating import Truncated, Window, compare_truncations, split_into_windows
from hfdemo.tokenization.vocabulary import VocabularyMatches, make_token_reader, search_vocabulary
from hfdemo.tokenization.warnings import find_unknown_slots
from hfdemo.tokenization.word_labels import AlignedWords, align_words


def encode_texts(
    models: ModelCache,
    ref: ModelRef,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    options: Options,
    max_characters: int,
    reader: ModelRef | None = None,
    stop: Event | None = None,
) -> Encoding:
    """Return what `encode` does; `reader` is the model that will read the ids, for the warnings.

    Raises:
        ModelError: a reference that can't be found or loaded.
        DemoError: see `encode`.
    """
    facts = model_facts(reader, models.settings) if reader is not None else None
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return encode(tokenizer, texts, pairs, options, max_characters, facts)


@dataclass(frozen=True)
class EncodedText:
    """The one row of a text and its pair, if it has one; `unknown` of its slots stand for what the vocabulary lacks.

    `readings` is what each slot reads as, where that was asked for: see `make_token_reader`.
    """

    encoding: Encoding
    unknown: int
    readings: tuple[str, ...] = ()


def encode_text(
    models: ModelCache,
    ref: ModelRef,
    text: str,
    pair: str | None,
    options: Options,
    max_characters: int,
    reader: ModelRef,
    stop: Event | None = None,
    with_readings: bool = False,
) -> EncodedText:
    """Return the row of a text, how much of it is unknown, and on demand what its tokens read as.

    Raises:
        DemoError: see `encode_texts`.
    """
    facts = model_facts(reader, models.settings)
    with models.hold_tokenizer(ref, stop) as tokenizer:
        encoding = encode(tokenizer, [text], None if pair is None else [pair], options, max_characters, facts)
        texts = [text] if pair is None else [text, pair]
        unknown = len(find_unknown_slots(tokenizer, encoding.columns, 0, texts))
        readings = map(make_token_reader(tokenizer), encoding.columns["tokens"][0]) if with_readings else ()
        return EncodedText(encoding, unknown, tuple(readings))


def trace_text(
    models: ModelCache, ref: ModelRef, text: str, pair: str | None, options: Options, stop: Event | None = None
) -> tuple[Stage, ...]:
    """Return the stages of a text: see `trace_stages`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return trace_stages(tokenizer, text, pair, options)


def trace_first_word(models: ModelCache, ref: ModelRef, word: str, stop: Event | None = None) -> WordTrace:
    """Return how a word becomes pieces: see `trace_word`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return trace_word(tokenizer, word)


def truncate_text(
    models: ModelCache,
    ref: ModelRef,
    text: str,
    pair: str | None,
    max_length: int,
    options: Options,
    stop: Event | None = None,
) -> tuple[Truncated, ...]:
    """Return what each strategy cuts off: see `compare_truncations`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return compare_truncations(tokenizer, text, pair, max_length, options)


def split_text(
    models: ModelCache,
    ref: ModelRef,
    text: str,
    pair: str | None,
    max_length: int,
    stride: int,
    truncation: str,
    options: Options,
    stop: Event | None = None,
) -> tuple[Window, ...]:
    """Return the windows of a text: see `split_into_windows`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return split_into_windows(tokenizer, text, pair, max_length, stride, truncation, options)


def render_chat(
    models: ModelCache,
    ref: ModelRef,
    messages: Sequence[Mapping[str, Any]],
    add_generation_prompt: bool,
    template: str | None = None,
    stop: Event | None = None,
    options: ChatOptions | None = None,
) -> RenderedChat:
    """Return the string and the tokens of a chat: see `render_messages`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return render_messages(tokenizer, messages, add_generation_prompt, template, stop, options)


def decode_text(
    models: ModelCache, ref: ModelRef, text: str, options: Options, max_characters: int, stop: Event | None = None
) -> RoundTrip:
    """Encode a text and decode it again: see `decode_round_trip`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        columns = encode(tokenizer, [text], None, options, max_characters).columns
        unknown = find_unknown_slots(tokenizer, columns, 0, [text])
        return decode_round_trip(tokenizer, columns["input_ids"][0], text, unknown)


def read_ids(models: ModelCache, ref: ModelRef, ids: Sequence[int], stop: Event | None = None) -> DecodedIds:
    """Return what ids stand for: see `decode_ids`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return decode_ids(tokenizer, ids)


def label_words(
    models: ModelCache,
    ref: ModelRef,
    words: Sequence[str],
    labels: Sequence[str] | None = None,
    stop: Event | None = None,
) -> AlignedWords:
    """Return words as tokens, with their labels: see `align_words`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return align_words(tokenizer, words, labels)


def merge_text(models: ModelCache, ref: ModelRef, text: str, count: int, stop: Event | None = None) -> MergedText:
    """Return a text cut with the first merges alone: see `apply_first_merges`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        written = write_merges(tokenizer, text)
    return apply_first_merges(written, text, count, stop)


def count_learned_merges(models: ModelCache, ref: ModelRef, stop: Event | None = None) -> int:
    """Return how many merges there are: see `count_merges`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return count_merges(tokenizer)


def browse_vocabulary(
    models: ModelCache, ref: ModelRef, query: str, first: int, count: int, stop: Event | None = None
) -> VocabularyMatches:
    """Return the tokens that a query finds: see `search_vocabulary`."""
    with models.hold_tokenizer(ref, stop) as tokenizer:
        return search_vocabulary(tokenizer, query, first, count)


def compare_tokenizers(
    models: ModelCache, references: Sequence[str], text: str, stop: Event | None = None
) -> tuple[list[Segmentation], list[str]]:
    """Return what each tokenizer makes of a text, and why some of them make nothing of it.

    Raises:
        Stopped: `stop` was set while somebody else held one of them.
    """
    found, failed = [], []
    for reference in references:
        try:
            with models.hold_tokenizer(ModelRef.parse(reference), stop) as tokenizer:
                found.append(segment_text(tokenizer, reference, text))
        except Stopped:
            raise
        except DemoError as error:
            failed.append(str(error))
    return found, failed
