"""What one visitor may send and have worked on is bounded, and so is what all together may."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hfdemo.api.visitor_limits import PEOPLE_PER_ADDRESS, UploadLedger, list_callers, sweep_folder
from hfdemo.api.visitors import SCOPE_KEY, FileGrants, Visitor
from hfdemo.settings import Settings
from tests.conftest import Server, serve, wait_until

SMALL = {
    "HFDEMO_MAX_UPLOAD_BYTES": str(300_000),
    "HFDEMO_VISITOR_UPLOAD_BYTES": str(1_000_000),
    "HFDEMO_UPLOAD_BYTES": str(20_000_000),
    "HFDEMO_UPLOADS_PER_MINUTE": "600",
    "HFDEMO_CALLS_IN_FLIGHT": "3",
    "HFDEMO_SESSION_SECONDS": "1",
}
BOUNDARY = "xxboundaryxx"


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A local server, where all that comes from this machine is one visitor's, with small bounds."""
    home = tmp_path_factory.mktemp("bounded")
    with serve(home, None, forking=True, GRADIO_TEMP_DIR=str(home / "uploads"), **SMALL) as server:
        yield server


def multipart(content: bytes, name: str = "a.csv") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(server: Server, content: bytes, name: str = "a.csv") -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    connection.request("POST", "/gradio_api/upload", multipart(content, name), {"Content-Type": kind})
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def bytes_on_disk(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.home / "uploads").rglob("*") if path.is_file())


def clear(server: Server) -> None:
    """Remove what was uploaded, as the hours would."""
    for path in (server.home / "uploads").rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.slow
def test_the_same_file_five_hundred_times_is_on_the_disk_once(bounded: Server) -> None:
    clear(bounded)
    before = bytes_on_disk(bounded)
    assert {upload(bounded, b"text\n" + b"x" * 200_000)[0] for _ in range(500)} == {200}
    assert bytes_on_disk(bounded) - before < 210_000
    wait_until(lambda: upload(bounded, b"x")[0] == 200, 90, "the minute to be over")


@pytest.mark.slow
def test_other_files_are_taken_until_they_are_too_much_and_again_when_they_are_gone(bounded: Server) -> None:
    clear(bounded)
    answers = [upload(bounded, str(number).encode() * 100_000, f"{number}.csv") for number in range(10)]
    refused = [said for status, said in answers if status == 413]
    assert 4 <= len(answers) - len(refused) <= 9
    assert "your uploads would take more than 1 MB, and that is the most" in refused[0]
    assert bytes_on_disk(bounded) <= 1_000_000
    clear(bounded)
    assert upload(bounded, b"y" * 250_000)[0] == 200
    assert upload(bounded, b"z" * 310_000)[0] == 413, "one that is too large by itself"


@pytest.mark.slow
def test_a_client_that_leaves_in_the_middle_leaves_nothing_on_the_disk(bounded: Server) -> None:
    clear(bounded)
    place = urlsplit(bounded.url)
    for _ in range(5):
        with socket.create_connection((str(place.hostname), int(place.port or 0))) as connection:
            head = (
                f"POST /gradio_api/upload HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 250000\r\n"
                f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
            )
            connection.sendall(head.encode() + multipart(b"x" * 200_000)[:150_000])
            time.sleep(0.1)
    wait_until(lambda: bytes_on_disk(bounded) == 0, 20, "the halves to be removed")
    assert upload(bounded, b"y" * 250_000)[0] == 200, "and they count for nothing"


@pytest.mark.slow
def test_whoever_has_as_many_calls_in_flight_as_one_may_have_is_refused_the_next(bounded: Server) -> None:
    place = urlsplit(bounded.url).netloc
    waiting = []
    for _ in range(3):  # a call that is sent in part is in flight
        connection = http.client.HTTPConnection(place, timeout=60)
        connection.putrequest("POST", "/gradio_api/run/list_tasks")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "12")
        connection.endheaders(b'{"data"')
        waiting.append(connection)
    time.sleep(0.5)
    assert call(place)[0] == 429
    status, said = call(place, "call")
    assert (status, "You have 3 calls in flight, and that is the most" in said) == (429, True)
    for connection in waiting:
        connection.send(b": []}")
        assert connection.getresponse().status == 200
        connection.close()
    wait_until(lambda: call(place)[0] == 200, 20, "the calls to end")


def call(place: str, how: str = "run") -> tuple[int, str]:
    connection = http.client.HTTPConnection(place, timeout=60)
    body = json.dumps({"data": []})
    connection.request("POST", f"/gradio_api/{how}/list_tasks", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


def test_a_visitor_counts_and_so_does_an_address_for_the_people_behind_it(tmp_path: Path) -> None:
    scope = {"client": ("10.0.0.7", 1), "headers": [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.5")]}
    assert list_callers(scope) == {"address 203.0.113.5": 1}
    assert list_callers({**scope, "client": ("8.8.8.8", 1)}) == {"address 8.8.8.8": 1}, "no proxy of ours"
    visitor = Visitor("visitor-1", FileGrants(tmp_path))
    found = list_callers({**scope, SCOPE_KEY: visitor})
    assert found == {"visitor-1": 1, "address 203.0.113.5": PEOPLE_PER_ADDRESS}


def test_whoever_is_a_new_visitor_with_each_upload_is_bounded_by_the_address(tmp_path: Path) -> None:
    ledger = UploadLedger(Settings(home=tmp_path, public=True, uploads_per_minute=5))
    taken = [ledger.find_refusal({f"visitor-{number}": 1, "address a": 8}, 10) for number in range(60)]
    assert taken[:40] == [None] * 40
    assert {refusal[0] for refusal in taken[40:] if refusal} == {429}
    assert ledger.find_refusal({"visitor-x": 1, "address b": 8}, 10) is None


def test_all_uploads_together_are_bounded(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, upload_bytes=1_000_000)
    ledger = UploadLedger(settings)
    settings.upload_folder.mkdir(parents=True)
    (settings.upload_folder / "one").write_bytes(b"x" * 900_000)
    ledger.sweep(set())
    refused = ledger.find_refusal({"visitor-2": 1}, 200_000)
    assert refused is not None
    assert refused[0] == 507
    assert "there is no room for more" in refused[1]


@pytest.mark.slow
def test_what_is_too_old_is_removed_also_of_a_server_before(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    for name in ("old/a.csv", "kept/b.csv", "new/c.csv", "tmphalf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x" * 100)
    time.sleep(1.1)
    (folder / "new" / "c.csv").write_text("y")
    sweep_folder(folder, 1, {str(folder / "kept" / "b.csv")})
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "kept/b.csv",
        "new/c.csv",
    ]
    assert list((folder / "old").iterdir()) == []  # its folder goes a minute later
