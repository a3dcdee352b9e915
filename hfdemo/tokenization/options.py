"""The arguments of a tokenizer's call, checked: by themselves, with the tokenizer and its texts, and for their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfdemo.errors import DemoError, wrap_tokenizer_errors
from hfdemo.tasks import check_text

# Beyond every text and every model, and below what the Rust cores can count to.
MOST_LENGTH = 1_000_000_000
PADDINGS = (False, True, "longest", "max_length", "do_not_pad")
TRUNCATIONS = (False, True, "longest_first", "only_first", "only_second", "do_not_truncate")
SIDES = (None, "left", "right")
MOST_TEXTS = 256
MOST_SLOTS = 2_000_000
MOST_WINDOWS = 50_000

# The tokens of each text and of its second text before anything is cut or padded, without special tokens.
Counts = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Options:
    """The arguments of a tokenizer's `__call__`, under their own names and with their own defaults.

    `pad_token` is none of them: it is used, for this call alone, where the tokenizer has no pad token of its own.
    """

    padding: bool | str = False
    truncation: bool | str = False
    max_length: int | None = None
    stride: int = 0
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None
    add_special_tokens: bool = True
    return_overflowing_tokens: bool = False
    pad_token: str | None = None
    split_special_tokens: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a value that no tokenizer takes."""
        _check_choice("padding", self.padding, PADDINGS)
        _check_choice("truncation", self.truncation, TRUNCATIONS)
        _check_choice("padding_side", self.padding_side, SIDES)
        for name, value, lowest in (
            ("max_length", self.max_length, 2),
            ("pad_to_multiple_of", self.pad_to_multiple_of, 1),
        ):
            if value is not None:
                check_whole_number(name, value, lowest)
        check_whole_number("stride", self.stride, 0)
        check_bool("add_special_tokens", self.add_special_tokens)
        check_bool("return_overflowing_tokens", self.return_overflowing_tokens)
        if self.split_special_tokens is not None:
            check_bool("split_special_tokens", self.split_special_tokens)
        if self.pad_token is not None and not isinstance(self.pad_token, str):
            raise DemoError(f"pad_token must be a token as text, but is {shorten_repr(self.pad_token)}.")

    @property
    def pads(self) -> bool:
        return self.padding not in (False, "do_not_pad")

    @property
    def truncates(self) -> bool:
        return self.truncation not in (False, "do_not_truncate")


def _check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    # 1 == True, but nobody means it.
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise DemoError(f"{name} must be one of {', '.join(map(repr, choices))}, but is {shorten_repr(value)}.")


def check_whole_number(name: str, value: Any, lowest: int) -> None:
    """Refuse what is no whole number from `lowest` to MOST_LENGTH; a switch is none.

    Raises:
        DemoError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= MOST_LENGTH:
        raise DemoError(
            f"{name} must be a whole number of at least {lowest:,} and at most {MOST_LENGTH:,}, "
            f"but is {shorten_repr(value)}."
        )


def check_bool(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        DemoError: it is neither.
    """
    if not isinstance(value, bool):
        raise DemoError(f"{name} must be True or False, but is {shorten_repr(value)}.")


def shorten_repr(value: Any) -> str:
    """Return a value as Python writes it, cut where it is long."""
    try:
        written = repr(value)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits
        return "too large to be written"
    return written if len(written) <= 60 else f"{written[:60]}…"


# --- With the tokenizer and the texts that they are for. ---


def find_length_limit(tokenizer: Any, options: Options) -> int | None:
    """Return the length in tokens that a call pads and cuts to; None where the library knows none, and does neither."""
    from transformers.tokenization_utils_base import LARGE_INTEGER

    if options.max_length is not None:
        return options.max_length
    known = tokenizer.model_max_length
    return int(known) if known <= LARGE_INTEGER else None


def will_pad(tokenizer: Any, options: Options) -> bool:
    """Say whether padding is asked for and can happen."""
    return options.pads and not (options.padding == "max_length" and find_length_limit(tokenizer, options) is None)


def count_special_tokens(tokenizer: Any, has_pairs: bool, options: Options) -> int:
    """Return how many special tokens are added to each row."""
    return int(tokenizer.num_special_tokens_to_add(has_pairs)) if options.add_special_tokens else 0


def check_max_length(max_length: int, special: int) -> None:
    """Refuse a length that leaves no room for text.

    Raises:
        DemoError: special tokens take all of it.
    """
    if max_length <= special:
        raise DemoError(
            f"max_length is {max_length}, but {special} special tokens take all of it. Use {special + 1} or more."
        )


def check_texts(texts: Sequence[str], text_pairs: Sequence[str] | None, max_characters: int) -> None:
    """Refuse what no tokenizer can read; an empty second text is no such thing.

    Raises:
        DemoError: no text or too many, a text that is not text or has only white space, too many characters, half a
            surrogate pair, or second texts for some of the texts only.
    """
    if not texts:
        raise DemoError("There is no text. Type at least one.")
    if len(texts) > MOST_TEXTS:
        raise DemoError(f"{len(texts)} texts were sent; one call takes at most {MOST_TEXTS}. Send them in parts.")
    if text_pairs is not None and len(text_pairs) != len(texts):
        raise DemoError(
            f"Texts: {len(texts)}, second texts: {len(text_pairs)}. Each text needs its own, or none has one."
        )
    for kind, batch in (("Text", texts), ("Second text", text_pairs or ())):
        for number, text in enumerate(batch, start=1):
            if text != "" or kind == "Text":
                check_text(f"{kind} {number}" if len(texts) > 1 else kind, text, max_characters)
    total = sum(map(len, (*texts, *(text_pairs or ()))))
    if total > max_characters:
        raise DemoError(f"The texts have {total:,} characters together; one call takes at most {max_characters:,}.")


def check_options(tokenizer: Any, has_pairs: bool, options: Options) -> None:
    """Refuse what can't work with this tokenizer, whatever the texts are.

    Raises:
        DemoError: no pad token to pad with, only_second without second texts, a max_length or a stride that leaves no
            room for text, or one that is no multiple of pad_to_multiple_of.
    """
    if will_pad(tokenizer, options) and tokenizer.pad_token is None:
        check_pad_token(tokenizer, options.pad_token)
    if options.truncation == "only_second" and not has_pairs:
        raise DemoError('truncation "only_second" needs second texts. Add them, or use True.')
    limit = find_length_limit(tokenizer, options)
    if limit is None or not options.truncates:
        return
    special = count_special_tokens(tokenizer, has_pairs, options)
    check_max_length(limit, special)
    multiple = options.pad_to_multiple_of
    if multiple and limit % multiple and will_pad(tokenizer, options):
        up, down = -(-limit // multiple) * multiple, limit // multiple * multiple
        # A max_length may grow, what the model can read may not.
        use = down if down and options.max_length is None else up
        raise DemoError(
            f"max_length {limit} is no multiple of {multiple}, so rows can't be cut to it and padded to a "
            f"multiple of {multiple} at once. Use {use}."
        )
    # The library also counts special tokens that are not added.
    alone = tokenizer.num_special_tokens_to_add(False)
    if tokenizer.is_fast and (options.stride >= limit - special or options.stride > limit - alone):
        raise DemoError(
            f"stride is {options.stride}, but a window has room for {limit - max(special, alone)} tokens only. "
            "Make stride smaller or max_length larger."
        )


def check_pad_token(tokenizer: Any, chosen: str | None) -> None:
    """Refuse to pad without a pad token, or with one that is not in the vocabulary, whose id would be another token's.

    Raises:
        DemoError: None, or not a token of this tokenizer.
    """
    roles: dict[str, list[str]] = {}
    for role, token in tokenizer.special_tokens_map.items():
        roles.setdefault(token, []).append(role)
    choices = ", ".join(f"{token!r} (its {' and '.join(names)})" for token, names in roles.items())
    if chosen is None:
        raise DemoError(
            "This tokenizer has no pad token, so it can't pad. Choose a pad_token from its vocabulary: "
            f"{choices or 'any token will do'}. Or set padding to False."
        )
    with wrap_tokenizer_errors():
        id = tokenizer.convert_tokens_to_ids(chosen)
    if id is None or tokenizer.convert_ids_to_tokens(id) != chosen:
        raise DemoError(
            f"The pad_token {chosen!r} is not in this tokenizer's vocabulary. Choose one that is: "
            f"{choices or 'any token will do'}."
        )


def check_size(tokenizer: Any, has_pairs: bool, counts: Counts, options: Options) -> None:
    """Refuse what would fill the memory of the machine.

    A fast tokenizer computes all windows of a text that it cuts, and for a pair of texts that are both cut every
    window of one with every window of the other, even if nobody asked for what overflows.

    Raises:
        DemoError: more than MOST_WINDOWS windows or MOST_SLOTS slots.
    """
    limit, special = find_length_limit(tokenizer, options), count_special_tokens(tokenizer, has_pairs, options)
    widths = [sum(count) + special for count in counts]
    rows = [1] * len(counts)
    if options.truncates and limit is not None:
        widths = [min(width, limit) for width in widths]
        if tokenizer.is_fast:
            rows = [
                first * second for first, second in (count_windows(count, limit - special, options) for count in counts)
            ]
    if sum(rows) > MOST_WINDOWS:
        raise DemoError(
            f"Cutting to {limit} tokens makes {sum(rows):,} windows, and the tokenizer computes all of them, even "
            f"to return the first; one call takes at most {MOST_WINDOWS:,}. Raise max_length or shorten the texts."
        )
    if will_pad(tokenizer, options):
        multiple = options.pad_to_multiple_of or 1
        widest = max(*widths, limit or 0) if options.padding == "max_length" else max(widths)
        widths = [-(-widest // multiple) * multiple] * len(widths)
    slots = sum(width * count for width, count in zip(widths, rows, strict=True))
    if slots > MOST_SLOTS and (options.pads or options.truncates):
        raise DemoError(
            f"This call makes {slots:,} positions; one call makes at most {MOST_SLOTS:,}. "
            "Send fewer texts, or make max_length, stride or pad_to_multiple_of smaller."
        )


def count_windows(count: tuple[int, int], room: int, options: Options) -> tuple[int, int]:
    """Return the windows that each text of a row is cut into, 1 where it is not cut; the row has their product.

    `room` is what a row has for tokens of the texts. Where the library can't cut as asked, both are 1.
    """
    first, second = count
    if first + second <= room:
        return 1, 1
    if options.truncation == "only_first":
        return count_text_windows(first, room - second, options.stride), 1
    if options.truncation == "only_second":
        return 1, count_text_windows(second, room - first, options.stride)
    short, long = sorted(count)
    if 2 * short > room:
        short, long = room // 2, room - room // 2
    else:
        long = room - short
    rooms = (short, long) if first <= second else (long, short)
    return count_text_windows(first, rooms[0], options.stride), count_text_windows(second, rooms[1], options.stride)


def count_text_windows(tokens: int, room: int, stride: int) -> int:
    """Return how many windows with `room` for tokens one text is cut into; 1 where the library can't cut it so."""
    return 1 if tokens <= room or room <= stride else -(-(tokens - stride) // (room - stride))
