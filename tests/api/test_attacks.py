"""A server that anybody may call answers 300 calls that no well-meaning client makes, each in words and in time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.attacks import API, BODIES, MODELS, VALUES, Attack, Attacker, attack, read_functions, send, write
from tests.conftest import Server


@pytest.mark.slow
def test_whatever_is_sent_is_answered_in_words_and_in_time(server: Server, zoo: Callable[[str], Path]) -> None:
    models = {task.replace("-", "_"): str(zoo(task)) for task in MODELS}
    kinds, faults = attack(server.url, server.home / "server.log", 300, 300, models)
    assert not faults, "\n".join(faults)
    assert {*VALUES, *BODIES, "arity", "upload", "address", "mcp (mcp)"} <= set(kinds)
    assert {f"page {kind}" for kind in VALUES} <= set(kinds), "the page's own functions, too"


def test_the_same_seed_makes_the_same_attacks_on_every_route(server: Server) -> None:
    first, second = (list(Attacker(5, read_functions(server.url), {}).attacks(200)) for _ in range(2))
    assert first == second
    routes = {each.path.split("/")[2] for each in first if each.path.startswith("/gradio_api/")}
    assert routes >= {"run", "call", "queue", "upload", "mcp"}


def test_a_panel_says_what_is_wrong_with_a_model_that_is_not_there(server: Server) -> None:
    handlers = read_functions(server.url, ["fill-mask"]).handlers
    check = next(each for each in handlers if each.name.startswith("check_model"))
    for model, said in (("/no/such/folder", "no folder"), ("run:20260101-000000-never", "no run")):
        body = write({"data": [model], "fn_index": check.number, "session_hash": check.session})
        _, answer = send(server.url, Attack("panel", f"{API}/queue/join", body, follow=f"queue:{check.session}"))
        assert said in answer
        assert "nobody foresaw" not in answer
