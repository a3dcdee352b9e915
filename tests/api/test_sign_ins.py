"""Tokens of those who have signed in, and how often others may guess."""

import asyncio
import time
from pathlib import Path

import pytest

from hfdemo.api import sign_ins
from hfdemo.api.sign_ins import MOST_COUNTED, SESSION_SECONDS, Sessions, SignIns, TooManyTries, Tries
from hfdemo.users import Users, make_line

PASSWORD = "correct horse"
HASHES = {name: make_line(name, PASSWORD).partition(":")[2] for name in ("anna", "Żoë")}


def sessions(home: Path, key: bytes = b"k" * 32, **hashes: str) -> Sessions:
    return Sessions(Users(hashes or HASHES), key, home)


@pytest.mark.parametrize("name", HASHES)
def test_a_token_speaks_for_its_user_until_it_ends(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = sessions(tmp_path).make_token(name)
    assert sessions(tmp_path).read_token(token) == name, "also for a server that was started again"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + SESSION_SECONDS - 5)
    assert sessions(tmp_path).read_token(token) == name
    monkeypatch.setattr(time, "time", lambda: now + SESSION_SECONDS + 5)
    assert sessions(tmp_path).read_token(token) is None


def test_a_token_that_was_not_made_here_speaks_for_nobody(tmp_path: Path) -> None:
    known = sessions(tmp_path)
    token = known.make_token("anna")
    parts = token.split(".")
    other = known.make_token("Żoë").split(".")
    forged = [
        *(".".join([*parts[:i], other[i], *parts[i + 1 :]]) for i in (0, 2, 3)),
        ".".join([parts[0], f"{int(parts[1], 16) + 1:x}", *parts[2:]]),
        *(token[:-1], f"{token}0", token.upper(), "", ".", "...", "x.y.z.w", "é.é.é.é", ".".join(parts[:3])),
        ".".join([b"bob".hex(), *parts[1:]]),
    ]
    assert [known.read_token(each) for each in forged] == [None] * len(forged)
    assert sessions(tmp_path, b"x" * 32).read_token(token) is None, "of another home"


def test_a_new_password_and_the_end_of_a_user_end_their_tokens(tmp_path: Path) -> None:
    token = sessions(tmp_path).make_token("anna")
    assert sessions(tmp_path, anna=make_line("anna", PASSWORD).partition(":")[2]).read_token(token) is None
    assert sessions(tmp_path, bob=HASHES["anna"]).read_token(token) is None


def test_who_signs_out_is_out_for_good_and_alone(tmp_path: Path) -> None:
    known = sessions(tmp_path)
    here, elsewhere = known.make_token("anna"), known.make_token("anna")
    known.end("no token")
    known.end(here)
    known.end(here)
    for each in (known, sessions(tmp_path)):
        assert each.read_token(here) is None
        assert each.read_token(elsewhere) == "anna"
    file = tmp_path / sign_ins.ENDED_FILE
    assert len(file.read_text().splitlines()) == 1
    file.write_text(file.read_text() + "0123 1\n4567")  # one that is over, and what a full disk left of another
    assert sessions(tmp_path).read_token(here) is None
    assert len(file.read_text().splitlines()) == 1


def test_who_signs_out_on_a_full_disk_is_out_while_the_server_runs(tmp_path: Path) -> None:
    known = sessions(tmp_path)
    (tmp_path / sign_ins.ENDED_FILE).mkdir()
    token = known.make_token("anna")
    known.end(token)
    assert known.read_token(token) is None


def test_guesses_are_counted_before_they_are_looked_at(tmp_path: Path) -> None:
    guard = SignIns(Users(HASHES), sessions(tmp_path))

    async def guess(count: int) -> list[object]:
        tries = (guard.check_password("anna", f"guess {number}", "10.0.0.1") for number in range(count))
        return await asyncio.gather(*tries, return_exceptions=True)

    said = asyncio.run(guess(30))
    assert said.count(False) == sign_ins.TRIES_OF_NAME
    assert sum(isinstance(each, TooManyTries) for each in said) == 30 - sign_ins.TRIES_OF_NAME
    with pytest.raises(TooManyTries, match=r"Try again in \d\d seconds"):
        asyncio.run(guard.check_password("anna", PASSWORD, "10.0.0.2"))


def test_what_was_right_counts_for_nothing_and_is_not_computed_again(tmp_path: Path) -> None:
    guard = SignIns(Users(HASHES), sessions(tmp_path))

    async def work() -> float:
        assert await guard.check_password("anna", PASSWORD, "10.0.0.1")
        began = time.process_time()
        for _ in range(200):
            assert await guard.check_password("anna", PASSWORD, "10.0.0.1")
        return time.process_time() - began

    assert asyncio.run(work()) < 200 * 0.002, "a hash takes twenty times as long"
    assert PASSWORD not in repr(vars(guard))
    assert PASSWORD.encode() not in repr(vars(guard)).encode()


def test_an_address_has_tries_of_its_own_and_gets_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, limits = Tries(), {"address a": 2, "name n": 3}
    for _ in range(2):
        tries.begin(limits)
    with pytest.raises(TooManyTries):
        tries.begin(limits)
    tries.begin({"address b": 2, "name n": 3})
    with pytest.raises(TooManyTries):
        tries.begin({"address c": 2, "name n": 3})
    tries.forgive(["address b", "name n"])
    tries.begin({"address c": 2, "name n": 3})
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + sign_ins.MINUTE + 1)
    tries.begin(limits)


def test_what_is_counted_is_bounded(tmp_path: Path) -> None:
    tries = Tries()
    for number in range(MOST_COUNTED + 500):
        tries.begin({f"name {number}": 1})
    assert len(tries._times) == MOST_COUNTED
    guard = SignIns(Users(HASHES), sessions(tmp_path))
    assert not asyncio.run(guard.check_password("x" * 10**6, PASSWORD, "10.0.0.1"))
    assert max(map(len, guard._tries._times)) < 100
