"""Bytes -> text: UTF-8, UTF-16 and UTF-32 by their own signs, every other encoding by a detector, or as asked for.

What was found is said with how sure it is. Where it is not, a Doubt shows what the next likely encoding would make of
the same lines.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hfdemo.errors import DataError
from hfdemo.tables.cells import ESCAPED
from hfdemo.tables.sheet import Doubt, ReadOptions

Certainty = Literal["certain", "likely", "a guess"]
_BINARY = (
    *(b"PK\x03\x04", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"PAR1", b"\x1f\x8b", b"SQLite format 3\0", b"\x7fELF"),
    *(b"\xd0\xcf\x11\xe0", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"GIF8", b"OggS", b"RIFF"),
    *(b"\x80\x03", b"\x80\x04\x95", b"\x80\x05\x95"),  # pickles
)
# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_WIDE = (("utf-32-le", "UTF-32-LE"), ("utf-32-be", "UTF-32-BE"), ("utf-16-le", "UTF-16-LE"), ("utf-16-be", "UTF-16-BE"))
# Encodings of bytes or of whole texts into ASCII: no file of a table is written in them.
_NO_FILES = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1e\x7f]")
_MOST_CONTROLS = 0.3  # of the characters: beyond, it is no text
_LOOKED_AT = 65_536  # bytes of lines beyond ASCII that the detector is given
_FEW_STRANGE = 0.1  # bytes that are no UTF-8, for each character that is: a flaw of a UTF-8 file, not another encoding
# The detector's own scale: even right answers are about 0.15 for Polish or German, 0.4 for Russian or Greek.
_WEAK = 0.09
_TRUSTED = 0.15
_EQUAL = 0.97  # of the best certainty: as likely
_NEAR = 0.9  # of it: likely enough for a person to look
# Letters of languages whose encodings differ in a few places: what else a decoding makes of them is no word.
_LETTERS = {
    "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž", "pl": "ąćęłńóśźż", "hu": "áéíóöőúüű", "ro": "ăâîșțşţ",
    "hr": "čćđšž", "sl": "čšž", "tr": "çğıöşüâîû", "de": "äöüß", "fr": "àâæçéèêëîïôœùûüÿ",
}  # fmt: skip


@dataclass(frozen=True)
class Decoded:
    """The text of a file, the name of its encoding, and how sure that is; `said` is what a reading says of it."""

    text: str
    encoding: str
    certainty: Certainty = "certain"
    asked: bool = False
    doubts: tuple[Doubt, ...] = ()

    @property
    def said(self) -> str:
        if self.asked:
            return f"{self.encoding}, as asked for"
        return self.encoding if self.certainty == "certain" else f"{self.encoding} ({self.certainty})"


def decode_file(path: Path, kind: str, options: ReadOptions | None = None) -> Decoded:
    """Decode the file at `path`.

    A file with many more characters of UTF-8 than bytes that are none is UTF-8, and `find_text_flaw` finds those bytes
    in its text.

    Raises:
        DataError: missing, empty, binary, or not in the encoding that is asked for; the sentence calls what was
            expected a `kind` file.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    raw = path.read_bytes()
    if not raw.strip(b" \t\r\n\0" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None):
        raise DataError(f"{path.name} is empty. Give a {kind} file with rows.")
    found = decode_bytes(raw, path.name, options.encoding if options else None)
    if found is None:
        raise DataError(f"{path.name} is not a {kind} file: it holds binary data. Save it as {kind} (UTF-8) first.")
    if not found.text.strip("\ufeff \t\r\n"):
        raise DataError(f"{path.name} is empty. Give a {kind} file with rows.")
    return found


def decode_bytes(raw: bytes, name: str, encoding: str | None = None) -> Decoded | None:
    """Decode the bytes of the file called `name`, by `encoding` where one is given; None where they are no text.

    Raises:
        DataError: they are not in that encoding, or not in the one that their first bytes name.
    """
    if encoding:
        return _decode_as_asked(raw, name, encoding)
    for mark, codec, called in _MARKS:
        if raw.startswith(mark):
            return Decoded(_decode_marked(raw, codec, called, name), called)
    if raw.startswith(_BINARY):
        return None
    if b"\0" in raw and (wide := _decode_wide(raw)):
        return wide
    text = raw.decode("utf-8", "surrogateescape")
    controls = len(_CONTROLS.findall(text))
    strange = sum(map(len, ESCAPED.findall(text)))
    if controls > _MOST_CONTROLS * len(text) or (b"\0" in raw and strange > len(text) / 4):
        return None
    if text.isascii():
        return _decode_escapes(raw) or Decoded(text, "UTF-8")
    usual = sum(map(len, _BEYOND_ASCII.findall(text))) - strange
    if strange <= _FEW_STRANGE * usual:
        return Decoded(text, "UTF-8")
    return _detect(raw, text if strange <= usual else None)


def check_encoding(encoding: str) -> str:
    """Return Python's own name of `encoding`.

    Raises:
        DataError: Python has no such encoding of text files.
    """
    try:
        found = codecs.lookup(encoding)
    except (LookupError, ValueError):
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True) or found.name.replace("-", "_") in _NO_FILES:
        raise DataError(
            f"There is no encoding {encoding[:40]!r}. Name one that Python knows, such as utf-8, cp1252, cp1251, "
            "gb18030, shift_jis or big5, or leave it out to have it found out."
        )
    return found.name


def _decode_as_asked(raw: bytes, name: str, encoding: str) -> Decoded:
    codec = check_encoding(encoding)
    if codec in ("utf-8", "utf-8-sig"):
        codec = "utf-8-sig"
    for errors in ("strict", "surrogateescape", "surrogatepass"):
        try:
            text = raw.decode(codec, errors)
        except (UnicodeError, LookupError):
            continue
        if len(ESCAPED.findall(text)) > len(text) / 4:
            break
        return Decoded(text.removeprefix("\ufeff"), encoding, asked=True)
    raise DataError(f"{name} is not in the encoding {encoding}. Choose another, or leave it out to have it found out.")


def _decode_marked(raw: bytes, codec: str, called: str, name: str) -> str:
    """Decode what begins with the mark of its encoding; of UTF-8, bytes that are none stay to be found."""
    try:
        return raw.decode(codec, "surrogateescape" if called == "UTF-8" else "strict")
    except UnicodeDecodeError:
        pass
    try:  # a lone half of a character costs its row
        return raw.decode(codec, "surrogatepass")
    except UnicodeDecodeError:
        raise DataError(f"{name} begins as {called}, but is not. Save it as UTF-8.") from None


def _decode_wide(raw: bytes) -> Decoded | None:
    """Decode UTF-16 or UTF-32 without a mark: the one whose characters are in use, with ends of lines among them."""
    best: tuple[float, Decoded] | None = None
    for codec, called in _WIDE:
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        sample = text[:_LOOKED_AT]
        unused = sum(unicodedata.category(each) in ("Cn", "Co", "Cs") for each in sample) + len(
            _CONTROLS.findall(sample)
        )
        usual = sum(sample.count(each) for each in "\n\r \t,;") + sum(each.isalnum() for each in sample) / 1000
        if unused <= len(sample) / 100 and usual >= 1 and (best is None or usual > best[0]):
            best = (usual, Decoded(text, called, "likely"))
    return best[1] if best else None


def _decode_escapes(raw: bytes) -> Decoded | None:
    """Decode what is all ASCII but shifts to other characters by escapes, as mails in Japanese and Korean do."""
    for sign, codec, called in ((b"\x1b$", "iso2022_jp_2", "ISO-2022-JP"), (b"\x1b$)C", "iso2022_kr", "ISO-2022-KR")):
        if sign in raw:
            try:
                return Decoded(raw.decode(codec), called)
            except UnicodeDecodeError:
                continue
    return None


def _detect(raw: bytes, as_utf8: str | None) -> Decoded:
    """Ask the detector; `as_utf8` is the text where UTF-8 with flaws is a likely answer, too."""
    from chardet import EncodingEra, detect_all

    lines = [line for line in raw.splitlines(keepends=True) if not line.isascii()]
    sample = b"".join(_spread(lines))
    found = detect_all(sample, encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME)
    guesses = [
        _Guess(each["encoding"], each["confidence"], each["language"] or "", text)
        for each in found
        if each["encoding"] and (text := _try(sample, each["encoding"])) is not None
    ]
    guesses = [each for each in guesses if not each.mixes_scripts] or guesses
    while (best := _choose(guesses)) is not None and (as_utf8 is None or best.certainty >= _TRUSTED):
        text = _try(raw, best.name)
        if text is None:  # the rest of the file has bytes that the lines looked at have not
            guesses.remove(best)
            continue
        rival = _find_rival(best, guesses)
        if rival is None and best.certainty >= _WEAK:
            return Decoded(text, best.name, "likely")
        return Decoded(text, best.name, "a guess", doubts=_doubt(lines, best.name, rival.name) if rival else ())
    if as_utf8 is not None:
        return Decoded(as_utf8, "UTF-8")
    western = _try(raw, "Windows-1252", strict=True)
    # Windows-1252 has no character for some bytes; Latin-1 has one for each.
    name, text = ("Windows-1252", western) if western is not None else ("Latin-1", raw.decode("latin-1"))
    other = next((each.name for each in guesses if _is_modern(each.name) and each.text != _try(sample, name)), None)
    return Decoded(text, name, "a guess", doubts=_doubt(lines, name, other) if other else ())


@dataclass(frozen=True)
class _Guess:
    """One answer of the detector, with the lines looked at by it."""

    name: str
    certainty: float
    language: str
    text: str

    @property
    def mixes_scripts(self) -> bool:
        """Whether most of its words in another alphabet have letters of ASCII in them, too: they are none."""
        sample = self.text[: 4 * _LOOKED_AT]
        return 2 * len(_MIXED.findall(sample)) > len(_FOREIGN.findall(sample))

    @property
    def flaws(self) -> int:
        """Count what no text has: control characters, symbols inside words, letters that the language lacks."""
        strange = [each for each in self.text if each > "\x7f"][:_LOOKED_AT]
        controls = sum("\x80" <= each < "\xa0" for each in strange)
        inside = len(_SYMBOL_IN_WORD.findall(self.text[: 4 * _LOOKED_AT]))
        own = _LETTERS.get(self.language)
        foreign = sum(each.isalpha() and each.lower() not in own for each in strange) if own else 0
        return controls * 4 + inside * 4 + foreign


# A letter of ASCII beside one of an alphabet that is not written with it.
_MIXED = re.compile(r"[A-Za-z][\u0370-\u1cff\u3040-\ud7ff]|[\u0370-\u1cff][A-Za-z]")
_FOREIGN = re.compile(r"[\u0370-\u1cff\u3040-\ud7ff]+")
# Between two letters no symbol stands but an apostrophe or a dash, and beside one none of these.
_SYMBOL_IN_WORD = re.compile(
    r"(?<=[^\W\d_])[\u00a1-\u00bf\u00d7\u00f7\u2000-\u2bff](?=[^\W\d_])(?<![’‘·‑‐´])|(?<=[^\W\d_])[¤¦§¨¬¯±¶¸¹¿€†‡√∞≈∆◊÷×]"
)


def _find_rival(best: _Guess, guesses: list[_Guess]) -> _Guess | None:
    """Return the answer that is about as likely as the best, and makes another text of the lines."""
    return next(
        (
            each
            for each in guesses
            if each.certainty >= _NEAR * best.certainty
            and each.text != best.text
            and each.flaws <= best.flaws
            and (_is_modern(each.name) or not _is_modern(best.name))
        ),
        None,
    )


def _choose(guesses: list[_Guess]) -> _Guess | None:
    """Return the best of the detector's answers; None where it knows too little, and the West is the likeliest."""
    if not guesses:
        return None
    best = guesses[0].certainty
    equal = [each for each in guesses if each.certainty >= _EQUAL * best]
    western = next((each for each in guesses if each.name == "Windows-1252"), None)
    if western is not None and (
        western in equal
        or (best < _WEAK and western.certainty >= best / 2)
        or (
            best < _TRUSTED
            and not any(_is_modern(each.name) for each in equal)
            and western.certainty >= best / 3
            and not western.flaws
        )
    ):
        return western
    if best < 0.03:  # a handful of letters
        return None
    # Of equal ones the first, unless another leaves fewer strange places.
    return min(equal, key=lambda each: each.flaws)


def _is_modern(name: str) -> bool:
    """Say whether files of today are written in an encoding: those of Windows, and those of East Asia."""
    return name.upper().startswith(("WINDOWS", "CP9", "CP1", "GB", "BIG5", "EUC", "SHIFT", "KOI8", "TIS"))


def _try(raw: bytes, name: str, *, strict: bool = False) -> str | None:
    """Decode by `name`; None where more than a few bytes are no characters of it."""
    try:
        return raw.decode(name)
    except (UnicodeDecodeError, LookupError):
        if strict:
            return None
    try:
        text = raw.decode(name, "surrogateescape")
    except (UnicodeDecodeError, LookupError):
        return None
    strange = sum(map(len, ESCAPED.findall(text)))
    return text if strange * 100 <= len(_BEYOND_ASCII.findall(text)) else None


def _spread(lines: list[bytes]) -> list[bytes]:
    """Return lines from all over the file, of about as many bytes as the detector is given."""
    step = max(1, sum(map(len, lines)) // _LOOKED_AT)
    taken, size = [], 0
    for line in lines[::step]:
        taken.append(line[: 2 * _LOOKED_AT])
        size += len(taken[-1])
        if size > 2 * _LOOKED_AT:
            break
    return taken


def _doubt(lines: list[bytes], name: str, other: str) -> tuple[Doubt, ...]:
    """Return the doubt whether the text is in `name` or in `other`, with two lines as both make them."""

    def show(codec: str) -> str:
        return " / ".join(line.decode(codec, "replace").strip()[:60] for line in lines[:2])

    return (
        Doubt(
            "encoding",
            f"The file does not say its encoding. It was read as {name}: {show(name)}. As {other} it would be: "
            f"{show(other)}.",
            f"Read it as {other}. Any other encoding can be chosen, too.",
            {"encoding": other},
        ),
    )
