"""Who has signed in: passwords that were found right, the tokens of browsers, and how often others may try."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from starlette.concurrency import run_in_threadpool

from hfdemo.atomic_files import write_atomically
from hfdemo.users import LONGEST_NAME, Users

SESSION_SECONDS = 7 * 24 * 3600
ENDED_FILE = "signed_out.txt"
MINUTE = 60.0
# Wrong passwords a minute; many people may have one address, and a name has its user alone.
TRIES_OF_ADDRESS = 20
TRIES_OF_NAME = 10
MOST_COUNTED = 10_000
# A program sends its password with every request, and each check of one takes a twentieth of a second.
REMEMBERED_SECONDS = 600.0
MOST_REMEMBERED = 1_000
HASHED_AT_ONCE = 2


class TooManyTries(Exception):
    """So many wrong passwords came from an address, or for a name, that no other is looked at for now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"There were too many wrong passwords. Try again in {seconds:.0f} seconds.")
        self.seconds = seconds


class Tries:
    """The wrong passwords of the last minute, by address and by name."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, limits: dict[str, int]) -> None:
        """Count a try that is wrong until `forgive` says otherwise: many at once are not looked at before they count.

        Raises:
            TooManyTries: one of the keys in `limits` has as many as it may have; this one is not counted.
        """
        now = time.monotonic()
        for key, most in limits.items():
            times = self._times.get(key, deque())
            while times and times[0] < now - MINUTE:
                times.popleft()
            if len(times) >= most:
                raise TooManyTries(max(1.0, times[0] + MINUTE - now))
        for key in limits:
            self._times.setdefault(key, deque()).append(now)
            self._times.move_to_end(key)
        while len(self._times) > MOST_COUNTED:
            self._times.popitem(last=False)

    def forgive(self, keys: Iterable[str]) -> None:
        """Count one try less: it was right."""
        for key in keys:
            if self._times.get(key):
                self._times[key].pop()


class Sessions:
    """The tokens of browsers that have signed in: signed, so that they outlive the server, and ended one by one.

    A token ends by itself after a week, and with its user's password: the hash of that is part of what is signed.
    """

    def __init__(self, users: Users, key: bytes, home: Path) -> None:
        self._users = users
        self._key = key
        # Of its own for each home: a browser sends it to all servers of one name, whatever their ports.
        self.cookie = f"hfdemo_user_{hashlib.sha256(key).hexdigest()[:8]}"
        self._file = home / ENDED_FILE
        self._ended = _read_ended(self._file)
        self._lock = Lock()

    def make_token(self, user: str) -> str:
        """Return a new token for `user`, who has just signed in."""
        said = f"{user.encode().hex()}.{int(time.time()) + SESSION_SECONDS:x}.{secrets.token_hex(16)}"
        return f"{said}.{self._sign(said, user)}"

    def read_token(self, token: str) -> str | None:
        """Return the user whose token this is; None where it was not made here, or has ended."""
        said, _, signature = token.rpartition(".")
        try:
            name, until, number = said.split(".")
            user, ends = bytes.fromhex(name).decode(), int(until, 16)
        except ValueError:
            return None
        is_genuine = hmac.compare_digest(signature.encode(), self._sign(said, user).encode())
        is_known = self._users.find_hash(user) is not None
        return user if is_genuine and is_known and ends > time.time() and number not in self._ended else None

    def end(self, token: str) -> None:
        """Take a token back, also for a server that is started later."""
        if self.read_token(token) is None:
            return
        _, until, number, _ = token.split(".")
        with self._lock:
            self._ended[number] = int(until, 16)
            try:
                with self._file.open("a", encoding="utf-8") as file:  # another server may write there, too
                    file.write(f"{number} {until}\n")
            except OSError:  # it has ended here, in any case
                logging.getLogger(__name__).exception("A session that has ended could not be written down")

    def _sign(self, said: str, user: str) -> str:
        text = f"user {said} {self._users.find_hash(user)}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _read_ended(path: Path) -> dict[str, int]:
    """Return the numbers of tokens that were taken back and would still be good, with their ends; forget the others."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        number, _, until = line.partition(" ")
        with suppress(ValueError):  # half a line, of a full disk
            found[number] = int(until, 16)
    kept = {number: ends for number, ends in found.items() if ends > time.time()}
    if len(kept) < len(lines):
        write_atomically(path, "".join(f"{number} {ends:x}\n" for number, ends in kept.items()))
    return kept


class SignIns:
    """Says who somebody is by a password or a token, and slows down those who guess."""

    def __init__(self, users: Users, sessions: Sessions) -> None:
        self._users = users
        self.sessions = sessions
        self._tries = Tries()
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)

    async def check_password(self, name: str, password: str, address: str) -> bool:
        """Return whether `name` is a user with this password.

        Raises:
            TooManyTries: of this address, or with this name.
        """
        known = self._digest(name, password)
        if self._remembered.get(known, 0.0) > time.monotonic():
            return True
        limits = {f"address {address}": TRIES_OF_ADDRESS, f"name {name[:LONGEST_NAME]}": TRIES_OF_NAME}
        self._tries.begin(limits)
        async with self._hashing:
            is_right = await run_in_threadpool(self._users.check_password, name, password)
        if is_right:
            self._tries.forgive(limits)
            self._remembered[known] = time.monotonic() + REMEMBERED_SECONDS
            self._remembered.move_to_end(known)
            while len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return is_right

    def _digest(self, name: str, password: str) -> bytes:
        """Return what stands for a name and its password in memory, keyed so that it is worth nothing elsewhere."""
        said = f"{name}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, said, hashlib.sha256).digest()
