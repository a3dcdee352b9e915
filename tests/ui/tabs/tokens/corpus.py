"""Texts that are hard to draw, and a reader that says what HTML was made of them."""

from __future__ import annotations

from html.parser import HTMLParser

HARD = (
    "Unbelievably, the café’s naïve gastroenterologist 🙂 re-tokenized 12,345 emails.",
    "e\u0301 a\u0308\u0323 n\u0303 ー か\u3099",
    "שלום עולם, this is עברית 123",
    "العربية كتابة متصلة ١٢٣",
    "हिन्दी क्षत्रिय தமிழ் ภาษาไทย 한국어 \u1112\u1161\u11ab",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷 ❤️ 🏴\U000e0067\U000e0062\U000e007f",
    "zero\u200bwidth \u200d \ufeffbom soft\u00adhyphen nbsp\u00a0here",
    "tabs\tand\n\nlines \x07 \x1b[31m \x7f \u2028",
    "\u202eright to left override\u202c and \u2067isolate\u2069",
    "   leading and trailing   ",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ½ ﬁ ﷺ ㎏",
    "x" * 250,
    "\u200b\u2060",
    "[SEP] [MASK] </s> <|endoftext|> [UNK]",
)


class Reader(HTMLParser):
    """What HTML consists of: its tags, its attributes, and the text in it outside of what `skipped` names."""

    VOID = frozenset({"wbr", "br", "img", "input"})

    def __init__(self, skipped: frozenset[str] = frozenset(), only: str = "") -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[tuple[str, str]] = []
        self.open: list[tuple[str, frozenset[str]]] = []
        self.pieces: list[str] = []
        self.other: list[str] = []
        self._skipped = skipped
        self._only = only

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.values += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append((tag, frozenset((dict(attrs).get("class") or "").split())))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        classes = frozenset[str]().union(*(each for _, each in self.open))
        if not classes & self._skipped and (not self._only or self._only in classes):
            self.pieces.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_decl(self, decl: str) -> None:
        self.other.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def read(made: str, skipped: frozenset[str] = frozenset(), only: str = "") -> Reader:
    """Read HTML; its text without elements of a class in `skipped`, and inside elements of class `only` alone."""
    reader = Reader(skipped, only)
    reader.feed(made)
    reader.close()
    assert not reader.open, f"never closed: {reader.open}"
    return reader
