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
from hfdemo.tokenization.decoding import RoundTrip, decode_round_trip
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.merges import WordTrace, trace_word
from hfdemo.tokenization.options import Options
from hfdemo.tokenization.stages import Stage, trace_stages
from hfdemo.tokenization.truncating import Truncated, Window, compare_truncations, split_into_windows
from hfdemo.tokenization.warnings import find_unknown_slots


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
    """The one row of a text and its pair, if it has one; `unknown` of its slots stand for what the vocabulary lacks."""

    encoding: Encoding
    unknown: int


def encode_text(
    models: ModelCache,
    ref: ModelRef,
    text: str,
    pair: str | None,
    options: Options,
    max_characters: int,
    reader: ModelRef,
    stop: Event | None = None,
) -> EncodedText:
    """Return the row of a text, and how much of it is unknown.

    Raises:
        DemoError: see `encode_texts`.
    """
    facts = model_facts(reader, models.settings)
    with models.hold_tokenizer(ref, stop) as tokenizer:
        encoding = encode(tokenizer, [text], None if pair is None else [pair], options, max_characters, facts)
        texts = [text] if pair is None else [text, pair]
        return EncodedText(encoding, len(find_unknown_slots(tokenizer, encoding.columns, 0, texts)))


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
