"""The file of users: who may sign in, with which password, and what is said of a file that is wrong."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hfdemo.users import Users, main, make_line, read_users, write_user
from tests.conftest import ROOT

PASSWORD = "correct horse"
HASH = make_line("anna", PASSWORD).partition(":")[2]


def write_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_user_is_known_by_a_password_alone(tmp_path: Path) -> None:
    users = read_users(
        write_file(tmp_path / "users", f"# who works here\n\nanna:{HASH}\n{make_line('Bob.2@x', 'é' * 8)}")
    )
    assert users.check_password("anna", PASSWORD)
    assert users.check_password("Bob.2@x", "é" * 8)
    for name, password in (("anna", "é" * 8), ("Anna", PASSWORD), ("", ""), ("anna", ""), ("anna", "x" * 10**6)):
        assert not users.check_password(name, password)
    assert not users.check_password("anna", "\ud800")


def test_whether_there_is_such_a_user_does_not_show_in_the_time_that_it_takes() -> None:
    users = Users({"anna": HASH})

    def cost(name: str) -> float:
        began = time.process_time()
        for _ in range(3):
            assert not users.check_password(name, "wrong horse")
        return time.process_time() - began

    known, unknown = cost("anna"), cost("nobody")
    assert 0.3 < unknown / known < 3
    assert known > 3 * 0.005, "a guess costs milliseconds of a core"


def test_the_command_writes_a_line_for_a_password_that_is_never_an_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users"

    def run(*arguments: str, says: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(says))
        main(arguments)

    run("anna", says=f"{PASSWORD}\n")
    line = capsys.readouterr().out
    assert read_users(write_file(tmp_path / "printed", line)).check_password("anna", PASSWORD)

    before = os.umask(0)  # which would leave a new file to everybody
    run("anna", "--file", str(file), says="first try\n")
    run("bob", "--file", str(file), says=f"{PASSWORD}\r\n")
    run("anna", "--file", str(file), says="second try\n")
    os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    users = read_users(file)
    assert [users.check_password("anna", each) for each in ("first try", "second try")] == [False, True]
    assert users.check_password("bob", PASSWORD)

    for arguments, says, said in (
        (("anna:x",), PASSWORD, "is no name for a user"),
        (("../anna",), PASSWORD, "is no name for a user"),
        (("anna",), "short\n", "has 5 characters. Use 8 to 1,000"),
        (("anna", "--file", str(tmp_path)), PASSWORD, "can't be written"),
        (("anna", PASSWORD), "", "2"),  # the exit code of wrong arguments
    ):
        with pytest.raises(SystemExit, match=said):
            run(*arguments, says=says)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda path: None,
            r"can't be read \(No such file or directory\). To make it: python -m hfdemo.users NAME --file",
        ),
        (lambda path: path.mkdir(), "which is no file"),
        (lambda path: write_file(path, ""), "names nobody"),
        (lambda path: write_file(path, "# anna\n\n"), "names nobody"),
        (lambda path: write_file(path, f"anna:{HASH}", 0o644), r"others may read or change it \(644\): chmod 600"),
        (lambda path: write_file(path, f"anna:{HASH}", 0o602), r"others may read or change it \(602\)"),
        (lambda path: write_file(path, f"anna:{HASH}", 0o660), r"others may read or change it \(660\)"),
        (lambda path: write_file(path, f"anna:{HASH}\nbob:{HASH}\nanna:{HASH}"), "names anna twice, in lines 1 and 3"),
        (lambda path: write_file(path, f"anna:{HASH}\nbob"), "Line 2 of .* is not name:hash"),
        (lambda path: write_file(path, f"an na:{HASH}"), "Line 1 of .* is not name:hash"),
        (lambda path: write_file(path, "anna:hunter2hunter2"), r"Line 1 of .* \(anna\) has no hash of Argon2id"),
        (lambda path: write_file(path, "anna:$2b$12$" + "a" * 53), "has no hash of Argon2id"),
        (lambda path: write_file(path, f"anna:{HASH.replace('m=19456', 'm=99999999')}"), "has no hash of Argon2id"),
        (lambda path: (path.write_bytes(b"\xff\xfe"), path.chmod(0o600)), "is not text in UTF-8"),
        (lambda path: write_file(path, "#" * 2**21), "larger than 1 MB"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_without_what_stands_in_it(
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "users"
    make(path)
    with pytest.raises(ValueError, match=said) as raised:
        read_users(path)
    assert "hunter2" not in str(raised.value)
    assert HASH not in str(raised.value)


def test_what_is_no_file_of_users_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"\xff\xd8")
    with pytest.raises(ValueError, match="Nothing was written"):
        write_user(path, make_line("anna", PASSWORD))
    assert path.read_bytes() == b"\xff\xd8"


@pytest.mark.slow
def test_a_server_whose_file_is_wrong_does_not_start(tmp_path: Path) -> None:
    path = write_file(tmp_path / "users", f"anna:{HASH}", 0o644)
    environment = {**os.environ, "HFDEMO_AUTH": str(path), "HFDEMO_HOME": str(tmp_path / "home")}
    ended = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"{path} holds password hashes, but others may read or change it (644): chmod 600 {path}"
    )
