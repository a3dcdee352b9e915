"""Where the page is served, and what is said when it can't be, or ends."""

import re
import socket

import pytest

from hfdemo.ui.serving import _read_port, describe_end, explain_taken_port
from tests.conftest import free_port


@pytest.mark.slow
def test_a_port_that_something_else_has_is_said_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = explain_taken_port("127.0.0.1", port)
        assert said is not None
        assert re.fullmatch(
            rf"Port {port} of 127\.0\.0\.1 can't be used: .+ To serve on another port: .+ python app\.py", said
        )
        assert f"GRADIO_SERVER_PORT={port + 1} " in said


@pytest.mark.parametrize("name", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_free_port_is_no_matter(name: str) -> None:
    assert explain_taken_port(name, free_port()) is None


def test_a_name_that_is_not_this_machine_is_said() -> None:
    assert "203.0.113.7 can't be used" in str(explain_taken_port("203.0.113.7", free_port()))


def test_the_port_is_gradios_own_setting() -> None:
    assert _read_port({}) == 7860
    assert _read_port({"GRADIO_SERVER_PORT": "8000"}) == 8000
    for text in ("http", "0", "70000", "-1"):
        with pytest.raises(SystemExit, match=f"a number from 1 to 65535, but was set to '{text}'"):
            _read_port({"GRADIO_SERVER_PORT": text})


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (0, "The server has ended."),
        (1, "The server has ended. 1 run goes on in the background; open the page again to watch it."),
        (2, "The server has ended. 2 runs go on in the background; open the page again to watch them."),
    ],
)
def test_the_last_line_says_what_becomes_of_the_runs(runs: int, said: str) -> None:
    assert describe_end(runs) == said
