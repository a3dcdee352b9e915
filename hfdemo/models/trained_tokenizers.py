"""Small tokenizers trained on the spot from a text, and ByT5's, which needs no training: `tokenizer:<name>`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock
from typing import Any

from hfdemo.errors import DataError, DemoError, ModelError
from hfdemo.example_files import EXAMPLES
from hfdemo.lazy_imports import import_libraries
from hfdemo.models.reference import BUILT_IN_TOKENIZERS, TRAINED_TOKENIZER, ModelRef
from hfdemo.models.tokenizer_files import is_tokenizer_json, load_tokenizer_json
from hfdemo.models.tokenizer_training import (
    MOST_DISTINCT,
    MOST_DISTINCT_PUBLIC,
    VOCABULARY,
    check_request,
    check_retraining,
    train_from_old,
    train_on_lines,
    train_tokenizer,
)
from hfdemo.ownership import OWNER_FILE, claim_folder, find_folder, may_see, measure_use
from hfdemo.scheduler import hold_lock
from hfdemo.settings import Settings

HARBOUR = EXAMPLES / "harbour.txt"
MOST_BYTES, MOST_BYTES_PUBLIC = 100 * 1024**2, 5 * 1024**2
# The files of one with the largest vocabulary.
_USUAL_BYTES = 4 * 1024**2

# Training uses every core, for seconds: one at a time, by whatever way it was asked for. A limit of the page's queue
# does not hold for calls that go around it.
_TRAINING = Lock()

# Part of every folder's name: raise it whenever the same text would give another tokenizer.
_RECIPE = 1
# A piece of a line: it ends before white space, or in the middle of a "word" of more than 1,000 characters.
_PIECE = re.compile(r".{1,1000}(?=\s|\Z)|.{1,100}")


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
    check_request(algorithm, vocabulary)
    content = _read_content(file, settings)
    name = _name_by_content(algorithm, content, vocabulary, settings.owner)

    def train(lines: list[str], most_distinct: int) -> Any:
        return train_on_lines(algorithm, lines, vocabulary, most_distinct)

    return _keep_trained(name, train, file.name, content, settings, stop)


def retrain_from_file(file: Path, old: Any, vocabulary: int, settings: Settings, stop: Event | None = None) -> ModelRef:
    """Do what `train_from_file` does with a tokenizer that is `old` in all but its vocabulary: see `train_from_old`.

    Raises:
        DemoError: as `train_from_old`, a file that is not text or is too large, or no room for another one.
        Stopped: as `train_from_file`.
    """
    check_retraining(old, vocabulary)
    content = _read_content(file, settings)
    name = _name_by_content("like", _digest_tokenizer(old) + content, vocabulary, settings.owner)

    def train(lines: list[str], most_distinct: int) -> Any:
        return train_from_old(old, lines, vocabulary, most_distinct)

    return _keep_trained(name, train, file.name, content, settings, stop)


def _digest_tokenizer(tokenizer: Any) -> bytes:
    """Return a hash of all that a tokenizer trained like this one has from it, which is more than its backend."""
    options = {name: value for name, value in tokenizer.init_kwargs.items() if name not in ("name_or_path", "backend")}
    kept = (type(tokenizer).__name__, sorted(tokenizer.special_tokens_map.items()), tokenizer.chat_template)
    written = repr((kept, sorted((name, repr(value)) for name, value in options.items())))
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode() + written.encode()).digest()


def _keep_trained(
    name: str,
    train: Callable[[list[str], int], Any],
    file: str,
    content: bytes,
    settings: Settings,
    stop: Event | None,
) -> ModelRef:
    """Keep what `train` makes of the lines of a file and the most characters that their different words may have."""
    most_distinct = MOST_DISTINCT_PUBLIC if settings.public else MOST_DISTINCT
    return keep_tokenizer(name, lambda: train(_split_lines(_decode_text(file, content)), most_distinct), settings, stop)


def keep_tokenizer(name: str, make: Callable[[], Any], settings: Settings, stop: Event | None = None) -> ModelRef:
    """Keep what `make` makes in the home folder and return its `tokenizer:<name>`; what is there is not made again.

    Raises:
        DemoError: no room for another one, or what `make` raises.
        Stopped: `stop` was set while another one was made.
    """
    folder = _home(settings) / name
    with hold_lock(_TRAINING, stop):
        if folder.is_dir():
            os.utime(folder)  # the newest again, so that it stays
        else:
            _make_room(settings)
            _save_whole(folder, make, settings)
            _keep_newest(settings)
    return ModelRef("tokenizer", name)


def import_tokenizer(file: Path, settings: Settings) -> ModelRef:
    """Keep the tokenizer.json at `file` in the home folder and return its `tokenizer:<name>`.

    Raises:
        DemoError: it is none, it is too large or damaged, or there is no room for another one.
    """
    most = MOST_BYTES_PUBLIC if settings.public else MOST_BYTES
    if not file.is_file() or file.stat().st_size > most or not is_tokenizer_json(file):
        raise DataError(
            f"{file.name} is not a tokenizer.json of at most {most // 1024**2} MB, as `Tokenizer.save()` and "
            "`tokenizer.save_pretrained` write it. Choose that file."
        )
    import_libraries()
    name = _name_by_content("file", file.read_bytes(), 0, settings.owner)
    return keep_tokenizer(name, lambda: load_tokenizer_json(file), settings)


def archive_tokenizer(ref: ModelRef, folder: Path, settings: Settings) -> Path:
    """Write the files of a `tokenizer:` reference into a zip in `folder` and return it.

    Raises:
        ModelError: it is no such reference, or not kept here.
    """
    if ref.source != "tokenizer":
        raise ModelError(f"{ref} was not trained here. Choose a tokenizer whose name begins with tokenizer:.")
    files = trained_folder(ref, settings)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{ref.name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(files.iterdir()):
            if path.name != OWNER_FILE:
                packed.write(path, path.name)
    return target


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
