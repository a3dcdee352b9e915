"""Compressed files: one file in a .gz, .bz2, .xz or .zip, unpacked no further than may be read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import IO, Any

from hfdemo.errors import DataError

_CHUNK = 1 << 20
_SIGNS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz", b"PK\x03\x04": ".zip"}
_OPENERS: Mapping[str, Callable[[Path], Any]] = MappingProxyType({".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open})
COMPRESSED = (*_OPENERS, ".zip")
# Of an archive, what is no data: what an operating system left there, and what is to be read by people.
_ASIDE = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
_PROSE = ("readme", "license", "licence", "copying", "changelog", "citation")
_UNPACKING = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


@contextmanager
def unpack(path: Path, most_bytes: int) -> Iterator[list[Path]]:
    """Unpack the files in a compressed one into a folder that is removed afterwards.

    Raises:
        DataError: it is no such file, needs a password, or unpacks to more than `most_bytes`.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path.name!r}.")
    with tempfile.TemporaryDirectory(prefix="unpacked-") as folder:
        try:
            if (kind := _find_kind(path)) == ".zip":
                found = _unpack_zip(path, Path(folder), most_bytes)
            else:
                found = [_unpack_one(path, kind, Path(folder), most_bytes)]
        except _UNPACKING as error:
            raise DataError(
                f"{path.name} can't be unpacked ({type(error).__name__}: {str(error)[:100]}). Unpack it, and give the "
                "file in it."
            ) from error
        yield found


def check_size(name: str, packed: zipfile.ZipFile, most_bytes: int) -> None:
    """Refuse an archive by what it says its files unpack to; zipfile reads no more of them than that.

    Raises:
        DataError: it is more than `most_bytes`.
    """
    if sum(each.file_size for each in packed.infolist()) > most_bytes:
        raise _too_large(name, most_bytes)


def _unpack_zip(path: Path, folder: Path, most_bytes: int) -> list[Path]:
    with zipfile.ZipFile(path) as packed:
        check_size(path.name, packed, most_bytes)
        files = [each for each in packed.infolist() if not each.is_dir() and not _is_aside(each.filename)]
        if any(each.flag_bits & 1 for each in files):
            raise DataError(f"{path.name} needs a password. Unpack it, and give the file in it.")
        found = []
        for number, each in enumerate(files):
            # Under its own name alone, in a folder of its own: a path may lead anywhere, and two may be alike.
            target = folder / str(number) / (PurePosixPath(each.filename.replace("\\", "/")).name or "file")
            target.parent.mkdir()
            with packed.open(each) as source:
                _copy(source, target, most_bytes, path.name)
            found.append(target)
    return found


def _find_kind(path: Path) -> str:
    """Return how a file is compressed, by its first bytes, or else by its name."""
    with path.open("rb") as file:
        begin = file.read(6)
    return next((kind for sign, kind in _SIGNS.items() if begin.startswith(sign)), path.suffix.lower())


def _unpack_one(path: Path, kind: str, folder: Path, most_bytes: int) -> Path:
    target = folder / ((path.stem if path.suffix.lower() == kind else path.name) or "file")
    with _OPENERS[kind](path) as source:
        _copy(source, target, most_bytes, path.name)
    return target


def _copy(source: IO[bytes], target: Path, most_bytes: int, name: str) -> None:
    size = 0
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most_bytes:
                raise _too_large(name, most_bytes)
            out.write(chunk)


def _is_aside(name: str) -> bool:
    lower = name.lower()
    last = PurePosixPath(lower).name
    return lower.startswith(_ASIDE) or last in _ASIDE or last.startswith((".", "._", *_PROSE))


def _too_large(name: str, most_bytes: int) -> DataError:
    return DataError(
        f"{name} is small as a file, but unpacks to more than {most_bytes / 1024**2:,.0f} MB, which is the most that "
        "is read here. Keep fewer rows or columns."
    )
