"""What a tokenizer does without saying: each such trap in a finished call becomes a warning with its fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hfdemo.models.model_facts import ModelFacts, longest_row
from hfdemo.tokenization.options import (
    Counts,
    Options,
    count_special_tokens,
    count_windows,
    find_length_limit,
    will_pad,
)


@dataclass(frozen=True)
class TokenizerWarning:
    """Something the tokenizer does without saying; `rows` are the texts concerned, counted from 0."""

    code: str
    message: str
    fix: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class TokenizerCall:
    """A finished call: what was asked and what came back; `counts` are from before anything was cut or padded."""

    tokenizer: Any
    texts: Sequence[str]
    text_pairs: Sequence[str] | None
    options: Options
    columns: Mapping[str, list[Any]]
    counts: Counts
    model: ModelFacts | None

    @cached_property
    def special(self) -> int:
        """Special tokens that are added to each row."""
        return count_special_tokens(self.tokenizer, self.text_pairs is not None, self.options)

    @cached_property
    def lengths(self) -> list[int]:
        """Real tokens per row, special tokens included."""
        return [sum(mask) for mask in self.columns["attention_mask"]]

    @cached_property
    def samples(self) -> list[int]:
        """For each row, the text that it came from: overflowing windows are rows of their own."""
        return self.columns.get("overflow_to_sample_mapping") or list(range(len(self.columns["input_ids"])))

    @cached_property
    def special_tokens(self) -> Mapping[str, str]:
        """The tokenizer's special tokens by their name, without the pad token that was borrowed for this call."""
        return dict(self.tokenizer.special_tokens_map)

    @cached_property
    def readable_length(self) -> int | None:
        """The most tokens per row that can be read."""
        return longest_row(self.model, self.tokenizer)

    def texts_in(self, row: int) -> tuple[str, ...]:
        """Return the text that a row came from, and its pair."""
        sample = self.samples[row]
        return tuple(batch[sample] for batch in (self.texts, self.text_pairs) if batch is not None)

    def texts_of(self, rows: Iterable[int]) -> tuple[int, ...]:
        """Return the texts that these rows came from, in order, each once."""
        return tuple(sorted({self.samples[row] for row in rows}))


# The library's names for models that write one token after the other.
_WRITERS = re.compile(r"(ForCausalLM|LMHeadModel)$")
# Embedding matrices are rounded up for speed, or leave room for tokens to come (ByT5: 384 for 259), but not by more.
_PADDED_VOCABULARY = 1.5


def find_warnings(call: TokenizerCall) -> tuple[TokenizerWarning, ...]:
    """Return a warning for each thing that the tokenizer did, or left out, without saying."""
    return tuple(warning for trap in _CHECKS for warning in trap(call))


def _warn_unknown_length(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    if find_length_limit(call.tokenizer, call.options) is not None:
        return
    if call.options.padding == "max_length":
        yield TokenizerWarning(
            "padding_ignored", 'padding="max_length" did nothing: no length is known.', "Give a max_length."
        )
    if call.options.truncates:
        yield TokenizerWarning(
            "truncation_ignored", "Truncation did nothing: no length is known.", "Give a max_length."
        )


def _warn_ragged(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    if len({len(ids) for ids in call.columns["input_ids"]}) == 1:
        return
    if call.options.pads and will_pad(call.tokenizer, call.options):
        message = "A row is longer than max_length, so padding could not make the rows equally long."
        yield TokenizerWarning("ragged", message, "Set truncation to True.")
    else:
        message = 'The rows differ in length: return_tensors="pt" raises, "np" silently gives an array of objects.'
        yield TokenizerWarning("ragged", message, "Set padding to True.")


def _warn_options_without_effect(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    options = call.options
    if options.max_length is not None and not options.truncates and options.padding != "max_length":
        message = f"max_length {options.max_length} has no effect: nothing is cut and nothing is padded to it."
        yield TokenizerWarning("max_length_ignored", message, 'Set truncation to True, or padding to "max_length".')
    if not options.pads:
        for code, name, value in (
            ("pad_to_multiple_ignored", "pad_to_multiple_of", options.pad_to_multiple_of),
            ("padding_side_ignored", "padding_side", options.padding_side),
            ("pad_token_ignored", "pad_token", options.pad_token),
        ):
            if value is not None:
                message = f"{name} {value!r} has no effect: nothing is padded."
                yield TokenizerWarning(code, message, f"Set padding to True, or leave {name} out.")
    own = call.special_tokens.get("pad_token")
    if options.pads and options.pad_token is not None and own is not None and own != options.pad_token:
        message = f"pad_token {options.pad_token!r} has no effect: this tokenizer pads with its own, {own!r}."
        yield TokenizerWarning("pad_token_ignored", message, "Leave pad_token out.")


def warn_of_shared_padding(tokenizer: Any) -> Iterator[TokenizerWarning]:
    """Warn of a tokenizer whose own pad token is its end of text, whether anything is padded now or not."""
    if tokenizer.pad_token is not None and tokenizer.pad_token == tokenizer.eos_token:
        message = f"Padding uses {tokenizer.pad_token!r}, which also is the eos_token."
        yield TokenizerWarning("pad_token_borrowed", message, f"{_ALWAYS_MASK} {_NEW_PAD_TOKEN}")


_ALWAYS_MASK = "Always give the model the attention_mask: it can't be guessed from these ids."
_NEW_PAD_TOKEN = (
    "For training add a token of its own: DataCollatorForLanguageModeling makes every label with the id of the pad "
    'token -100, so no end of a text is ever learned. tokenizer.add_special_tokens({"pad_token": "<pad>"}), then '
    "model.resize_token_embeddings(len(tokenizer))."
)


def _warn_pad_token_with_a_meaning(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    own = call.special_tokens.get("pad_token")
    ends = call.special_tokens.get("eos_token")
    if own is not None and own == ends:
        yield from warn_of_shared_padding(call.tokenizer)
        return
    if not will_pad(call.tokenizer, call.options):
        return
    pad = own or call.options.pad_token
    twins = [name for name, token in call.special_tokens.items() if token == pad and name != "pad_token"]
    if twins or own is None:
        also = f"the {' and the '.join(twins)}" if twins else "an ordinary token"
        message = f"Padding uses {pad!r}, which also is {also}."
        train = _NEW_PAD_TOKEN if pad == ends else "When training, mask labels by it too."
        yield TokenizerWarning("pad_token_borrowed", message, f"{_ALWAYS_MASK} {train}")


def _warn_padding_behind(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    """Warn of padding behind texts that a model is to go on with."""
    side = call.options.padding_side or call.tokenizer.padding_side
    writes = _WRITERS.search((call.model and call.model.architecture) or "")
    padded = call.texts_of(row for row, ids in enumerate(call.columns["input_ids"]) if len(ids) > call.lengths[row])
    if side == "right" and writes and padded and call.model:
        message = (
            f"Padding stands behind the text, and generate() goes on from the last slot: {call.model.architecture} "
            "would go on from padding."
        )
        yield TokenizerWarning("padded_behind", message, 'To generate set padding_side to "left".', padded)


def _warn_doubled_beginning(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    rows = [row for row in range(len(call.columns["input_ids"])) if _find_doubled_beginning(call, row) is not None]
    if rows:
        first = call.columns["tokens"][rows[0]][_find_doubled_beginning(call, rows[0]) or 0]
        message = f"The text begins with {first} already, and the tokenizer puts another {first} before it."
        fix = "Set add_special_tokens to False: a chat template, for one, writes all special tokens itself."
        yield TokenizerWarning("doubled_beginning", message, fix, call.texts_of(rows))


def _find_doubled_beginning(call: TokenizerCall, row: int) -> int | None:
    """Return the slot of the token that a row begins with a second time, from the text itself; None without one."""
    ids, special = call.columns["input_ids"][row], call.columns["special_tokens_mask"][row]
    start = next((slot for slot, real in enumerate(call.columns["attention_mask"][row]) if real), 0)
    twice = len(ids) > start + 1 and ids[start] == ids[start + 1] and special[start] and not special[start + 1]
    return start + 1 if twice else None


def _warn_overflow(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    options, fast = call.options, call.tokenizer.is_fast
    wanted = options.return_overflowing_tokens
    if wanted and not fast:
        message = "This tokenizer is written in Python only: what it cuts off can't come back as rows."
        fix = "Leave return_overflowing_tokens out, or use a tokenizer with a tokenizer.json."
        yield TokenizerWarning("overflow_ignored", message, fix)
    elif wanted and not options.truncates:
        message = "return_overflowing_tokens has no effect: nothing is cut, so nothing overflows."
        yield TokenizerWarning("overflow_ignored", message, "Set truncation to True and give a max_length.")
    if options.stride and not (wanted and fast and options.truncates):
        message = f"stride {options.stride} has no effect: only the rows of return_overflowing_tokens overlap by it."
        fix = "Set truncation and return_overflowing_tokens to True, or leave stride out."
        yield TokenizerWarning("stride_ignored", message, fix)
    rows, texts = len(call.samples), len(call.texts)
    if rows > texts:
        message = f"Texts: {texts}, rows: {rows}. Labels that belong to the texts no longer line up with the rows."
        several = call.texts_of(row for row in range(1, rows) if call.samples[row] == call.samples[row - 1])
        fix = "Take the label of each row from its text: overflow_to_sample_mapping says which it is."
        yield TokenizerWarning("more_rows", message, fix, several)
        room = (find_length_limit(call.tokenizer, options) or 0) - call.special
        crossed = tuple(text for text in several if min(count_windows(call.counts[text], room, options)) > 1)
        if crossed:
            message = "Both texts were cut, so every window of the first is paired with every window of the second."
            yield TokenizerWarning("windows_crossed", message, 'Use "only_first" or "only_second".', crossed)


def _warn_no_offsets(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    if not call.tokenizer.is_fast:
        message = "This tokenizer is written in Python only: it knows no offsets and no word ids."
        yield TokenizerWarning("no_offsets", message, "Use a tokenizer with a tokenizer.json to see them.")


def _warn_too_long(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    limit = call.readable_length
    if limit is None:
        return
    long = call.texts_of(row for row, length in enumerate(call.lengths) if length > limit)
    if long:
        message = f"Rows longer than the {limit} tokens that the model can read: {len(long)}."
        yield TokenizerWarning("too_long", message, f"Set truncation to True and max_length to {limit}.", long)
    wide = call.texts_of(
        row for row, ids in enumerate(call.columns["input_ids"]) if len(ids) > limit >= call.lengths[row]
    )
    if wide and call.options.pads:
        message = f"Rows padded beyond the {limit} tokens that the model can read: {len(wide)}."
        fix = f"Make sure that padding ends at {limit}: lower max_length or pad_to_multiple_of, or cut longer rows."
        yield TokenizerWarning("padded_too_long", message, fix, wide)


def _warn_truncated(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    limit = find_length_limit(call.tokenizer, call.options)
    if limit is None or not call.options.truncates:
        return
    still = call.texts_of(row for row, length in enumerate(call.lengths) if length > limit)
    if still:
        message = f"Rows that are longer than max_length {limit} although truncation was asked for: {len(still)}."
        fix = "This strategy could not cut enough: use longest_first, or a longer max_length."
        yield TokenizerWarning("still_too_long", message, fix, still)
    if call.options.return_overflowing_tokens and call.tokenizer.is_fast:
        return
    lost = {
        row: sum(count) + call.special - length
        for row, (count, length) in enumerate(zip(call.counts, call.lengths, strict=True))
        if sum(count) + call.special > length
    }
    if lost:
        end = "beginning" if call.tokenizer.truncation_side == "left" else "end"
        message = f"Tokens cut from the {end}: {sum(lost.values()):,}, in {len(lost)} of {len(call.texts)} texts."
        fix = "Raise max_length, or set return_overflowing_tokens to True to get what was cut as rows of their own."
        yield TokenizerWarning("truncated", message, fix, tuple(lost))


def find_unknown_slots(tokenizer: Any, columns: Mapping[str, list[Any]], row: int, texts: Sequence[str]) -> list[int]:
    """Return the slots of a row that stand for something which the vocabulary lacks; the text or the two are those of
    the row.

    One in which the text itself spells the unknown token out is none of them.
    """
    unk, ids = tokenizer.unk_token_id, columns["input_ids"][row]
    if unk is None:
        return []
    special = columns["special_tokens_mask"][row]
    slots = [slot for slot, id in enumerate(ids) if id == unk and not special[slot]]
    spelled = _make_spelled_check(columns, row, tokenizer.unk_token, texts)
    return [slot for slot in slots if not spelled(slot)]


def _warn_tokens_with_a_meaning(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    """Warn of unknown tokens, and of special tokens that the text itself holds; both have the ids of special tokens."""
    token_of = dict(zip(call.tokenizer.all_special_ids, call.tokenizer.all_special_tokens, strict=True))
    unk = call.special_tokens.get("unk_token")
    unknown: set[int] = set()
    typed: dict[str, set[int]] = {}
    for row, (ids, special) in enumerate(
        zip(call.columns["input_ids"], call.columns["special_tokens_mask"], strict=True)
    ):
        texts = call.texts_in(row)
        missing = {*find_unknown_slots(call.tokenizer, call.columns, row, texts)}
        doubled = _find_doubled_beginning(call, row)
        if missing:
            unknown.add(row)
        for slot, id in enumerate(ids):
            if id in token_of and not special[slot] and slot not in missing and slot != doubled:
                typed.setdefault(token_of[id], set()).add(row)
    if unknown:
        message = f"Some characters are not in the vocabulary and became {unk}."
        fix = "The model can't see them. Rewrite them, or change the model."
        yield TokenizerWarning("unknown_tokens", message, fix, call.texts_of(unknown))
    if typed:
        message = f"The text itself holds special tokens, and they were read as such: {', '.join(sorted(typed))}."
        fix = "If a stranger wrote it, set split_special_tokens to True: then they are ordinary text."
        yield TokenizerWarning(
            "special_in_text", message, fix, call.texts_of(row for rows in typed.values() for row in rows)
        )


def _make_spelled_check(
    columns: Mapping[str, list[Any]], row: int, token: str, texts: Sequence[str]
) -> Callable[[int], bool]:
    """Return what says whether a slot with the id of `token` has it from its text, in which it is spelled out."""
    if not columns["offset_mapping"]:
        somewhere = any(token in text for text in texts)
        return lambda slot: somewhere
    spans, sequences = columns["offset_mapping"][row], columns["sequence_ids"][row]

    def spelled(slot: int) -> bool:
        start, end = spans[slot]
        return texts[sequences[slot] or 0][start:end].strip() == token

    return spelled


def _warn_pairs(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    if call.text_pairs is None:
        return
    empty = tuple(row for row, text in enumerate(call.text_pairs) if not text)
    single = count_special_tokens(call.tokenizer, False, call.options)
    if empty:
        if call.special == single:
            message = "The second text is empty, and nothing in the row shows that there is one."
        elif call.tokenizer.is_fast:
            message = (
                f"The second text is empty. In a batch such a row has the {call.special} special tokens of a pair; "
                f'alone, text_pair="" is dropped, and the same text has {single}.'
            )
        else:
            message = f"The second text is empty. Such a row has the {call.special} special tokens of a pair."
        yield TokenizerWarning("empty_pair", message, "Leave second texts out where there is none.", empty)
    types = call.columns.get("token_type_ids", [])
    # A separator is one that a pair has and a single text has not.
    if call.special == single and not any(map(any, types)) and len(empty) < len(call.text_pairs):
        message = "Nothing separates the two texts: no special token stands between them, and no token type differs."
        fix = "Join them yourself with a separator that the model knows."
        if not call.options.add_special_tokens:
            fix = "Set add_special_tokens to True, or join them yourself with a separator that the model knows."
        yield TokenizerWarning("no_separator", message, fix)


def _warn_nothing_left(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    bare = call.texts_of(row for row, special in enumerate(call.columns["special_tokens_mask"]) if all(special))
    if bare:
        message = "No token is left of the text: this tokenizer removes all of its characters."
        yield TokenizerWarning("no_tokens", message, "Check for control characters and zero-width characters.", bare)


def _warn_mismatch(call: TokenizerCall) -> Iterator[TokenizerWarning]:
    size = call.model.vocab_size if call.model else None
    if call.model is None or size is None:
        return
    fix = (
        "Use the tokenizer that was saved with the model. If you added tokens to it yourself, call "
        "model.resize_token_embeddings(len(tokenizer))."
    )
    beyond = call.texts_of(row for row, ids in enumerate(call.columns["input_ids"]) if max(ids, default=0) >= size)
    if beyond:
        message = f"Some ids are too high: {call.model.name} knows {size:,} tokens and raises an index error here."
        yield TokenizerWarning("vocabulary_mismatch", message, fix, beyond)
    elif len(call.tokenizer) > size:
        message = (
            f"The tokenizer has {len(call.tokenizer):,} tokens, but {call.model.name} knows only {size:,}: it "
            "will fail on some texts, though not on this one."
        )
        yield TokenizerWarning("vocabulary_mismatch", message, fix)
    elif len(call.tokenizer) * _PADDED_VOCABULARY < size:
        message = (
            f"The tokenizer has {len(call.tokenizer):,} tokens, {call.model.name} knows {size:,}: this looks like "
            "another model's tokenizer, whose ids mean other words there. Nothing will fail, and nothing will be right."
        )
        yield TokenizerWarning("vocabulary_mismatch", message, fix)


_CHECKS: tuple[Callable[[TokenizerCall], Iterator[TokenizerWarning]], ...] = (
    *(
        _warn_unknown_length,
        _warn_ragged,
        _warn_options_without_effect,
        _warn_pad_token_with_a_meaning,
        _warn_padding_behind,
        _warn_doubled_beginning,
        _warn_overflow,
        _warn_no_offsets,
    ),
    *(_warn_too_long, _warn_truncated, _warn_tokens_with_a_meaning, _warn_pairs, _warn_nothing_left, _warn_mismatch),
)
