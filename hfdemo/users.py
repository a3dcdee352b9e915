"""Who may sign in: a file with one `name:hash` a line, each written by the command `python -m hfdemo.users NAME`."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from hfdemo.atomic_files import write_atomically

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1_000
MOST_FILE_BYTES = 1024**2
MOST_HASH_MEMORY = 1024**2  # of one hash, in KiB
LONGEST_NAME = 64
_NAME = re.compile(rf"\w[\w.@+-]{{0,{LONGEST_NAME - 1}}}")
# What the OWASP's cheat sheet on storing passwords asks for: a twentieth of a second, and memory that the page has.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Users:
    """The names and password hashes of all who may sign in."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def find_hash(self, name: str) -> str | None:
        """Return the password hash of a user; None where there is no such user."""
        return self._hashes.get(name)

    def check_password(self, name: str, password: str) -> bool:
        """Return whether `name` is a user with this password; it takes as long where there is no such user."""
        known = self._hashes.get(name)
        return _is_right(known or next(iter(self._hashes.values())), password) and known is not None


def _is_right(hashed: str, password: str) -> bool:
    try:
        return len(password) <= LONGEST_PASSWORD and _HASHER.verify(hashed, password.encode("utf-8", "replace"))
    except (Argon2Error, InvalidHashError):
        return False


def read_users(path: Path) -> Users:
    """Read the users in the file `path`: `name:hash` lines; empty ones and those that begin with # say nothing.

    Raises:
        ValueError: it can't be read, others may read it, or a line is wrong; the message says what to do.
    """
    command = f"python -m hfdemo.users NAME --file {path}"
    try:
        if not path.is_file() and path.exists():
            raise ValueError(f"HFDEMO_AUTH names {path}, which is no file. Name a file of users: {command}")
        _check_mode(path)
        if path.stat().st_size > MOST_FILE_BYTES:
            raise ValueError(f"{path} is larger than {MOST_FILE_BYTES // 1024**2} MB: that is no file of users.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValueError(f"HFDEMO_AUTH names {path}, which can't be read ({reason}). To make it: {command}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8. Write its lines anew: {command}") from error
    hashes: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, hashed = _parse_line(line.strip(), f"Line {number} of {path}", command)
            if name in hashes:
                raise ValueError(
                    f"{path} names {name} twice, in lines {hashes[name][0]} and {number}. Remove one of the two."
                )
            hashes[name] = number, hashed
    if not hashes:
        raise ValueError(f"{path} names nobody, so nobody could sign in. To add a user: {command}")
    return Users({name: hashed for name, (_, hashed) in hashes.items()})


def _check_mode(path: Path) -> None:
    """Refuse a file that others may read or write, or its group may write; Windows has no such modes."""
    mode = path.stat().st_mode & 0o777
    if os.name != "nt" and mode & 0o026:
        raise ValueError(f"{path} holds password hashes, but others may read or change it ({mode:o}): chmod 600 {path}")


def _parse_line(line: str, where: str, command: str) -> tuple[str, str]:
    """Return name and hash of a line, which is never quoted: a password may stand there."""
    name, colon, hashed = line.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise ValueError(f"{where} is not name:hash. Write it anew: {command}")
    try:
        if not hashed.startswith("$argon2id$") or extract_parameters(hashed).memory_cost > MOST_HASH_MEMORY:
            raise InvalidHashError
    except InvalidHashError:
        raise ValueError(f"{where} ({name}) has no hash of Argon2id. Write it anew: {command}") from None
    return name, hashed


def make_line(name: str, password: str) -> str:
    """Return the line of a user.

    Raises:
        ValueError: no name, or no password, that a user may have.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:100]!r} is no name for a user. Use 1 to {LONGEST_NAME} letters, digits, and . _ @ + - after the "
            "first of them."
        )
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(
            f"This password has {len(password):,} characters. Use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,}."
        )
    return f"{name}:{_HASHER.hash(password)}"


def write_user(path: Path, line: str) -> None:
    """Write the line of a user into the file `path`, in place of an earlier one, readable for this user alone."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8, so it is no file of users. Nothing was written.") from error
    kept = [each for each in lines if each.partition(":")[0].strip() != line.partition(":")[0]]
    write_atomically(path, "".join(f"{each}\n" for each in (*kept, line)), mode=0o600)


def _read_password(name: str) -> str:
    """Ask for a password twice; what is no terminal sends it as a line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise ValueError("These were two different passwords. Nothing was written.")
    return password


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the line of a user, with a password that is asked for or comes on standard input."""
    parser = argparse.ArgumentParser(prog="python -m hfdemo.users", description=main.__doc__)
    parser.add_argument("name", help="with which the user signs in")
    parser.add_argument("--file", type=Path, help="of HFDEMO_AUTH, to write the line into; otherwise it is printed")
    asked = parser.parse_args(arguments)
    try:
        line = make_line(asked.name, _read_password(asked.name))
        if asked.file is None:
            print(line)
        else:
            write_user(asked.file, line)
            print(f"{asked.name} stands in {asked.file}. A server that is running reads it when it is started again.")
    except OSError as error:
        sys.exit(f"{asked.file} can't be written: {error.strerror or error}.")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
