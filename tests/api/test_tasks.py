"""Every task, called as clients call it: its answer is the pipeline's own, its files arrive as files."""

import functools
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
import pytest
from gradio_client import Client, handle_file

from hfdemo.api.error_boundary import catch_errors
from hfdemo.inference import predict
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.tasks import TASKS
from tests.api.test_endpoints import post
from tests.clock import cpu_of
from tests.conftest import Server, free_port, wait_until
from tests.tasks.test_tasks import assert_same, assert_same_file, values_for
from tests.zoo import MAKERS

SECRET = str(Path(__file__).resolve())
RUNS_HERE = [key for key in MAKERS if not key.startswith("mask-generation")]


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


def sent(key: str) -> dict[str, Any]:
    """An example's values as a client sends them."""
    task = TASKS[key.split("/")[0]]
    media = {field.name for field in task.inputs if field.is_media}
    values = {name: value for name, value in values_for(key).items() if value is not None}
    return {name: handle_file(str(value)) if name in media else value for name, value in values.items()}


def same_files(got: Any, expected: Any) -> None:
    """As assert_same; where a file is expected, the client holds the path of what it downloaded."""
    if isinstance(expected, dict) and "path" in expected and "meta" in expected:
        path = got if isinstance(got, str) else got["path"]
        assert_same_file(Path(path).read_bytes(), Path(expected["path"]).read_bytes())
    elif isinstance(expected, dict):
        assert set(got) == set(expected)
        for name in expected:
            same_files(got[name], expected[name])
    elif isinstance(expected, list):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            same_files(one, other)
    else:
        assert_same(got, expected)


@pytest.mark.slow
@pytest.mark.parametrize("key", RUNS_HERE)
def test_the_answer_over_the_api_is_the_pipelines(
    key: str, client: Client, models: ModelCache, zoo: Callable[[str], Path], tmp_path: Path
) -> None:
    task = TASKS[key.split("/")[0]]
    ours = predict(models, task, ModelRef.parse(str(zoo(key))), values_for(key))
    answer = client.predict(**sent(key), model=str(zoo(key)), api_name=f"/{task.endpoint}")
    assert set(answer) == {"task", "model", "device", "output", "seconds", "warnings"}
    assert answer["task"] == task.name
    if ours.seed is None:
        same_files(answer["output"], to_json(ours.result, tmp_path))
    else:
        assert type(answer["output"]) is type(to_json(ours.result, tmp_path))


def test_a_task_that_lacks_something_says_so_over_the_api(client: Client, zoo: Callable[[str], Path]) -> None:
    task = TASKS["mask-generation"]
    folder = str(zoo(task.name))
    if any(each.missing() for each in task.requires):
        with pytest.raises(Exception, match="pip install"):
            client.predict(**sent(task.name), model=folder, api_name="/mask_generation")
        assert folder not in [each["model"] for each in client.predict(api_name="/list_models")["loaded"]]
    else:
        assert client.predict(**sent(task.name), model=folder, api_name="/mask_generation")["output"]["masks"]


@pytest.mark.parametrize("forged", [{"path": SECRET}, {"path": "/etc/passwd"}, SECRET], ids=str)
def test_a_picture_can_not_be_read_from_the_servers_own_disk(server: Server, forged: object) -> None:
    answer = post(server, "image_classification", forged)
    assert "data" not in answer, answer


def test_text_streams_and_cancelling_ends_the_computation(
    client: Client, server: Server, zoo: Callable[[str], Path]
) -> None:
    """After the cancel the device is free at once: the next call waits for a token, not for the whole text."""
    asked = {"model": str(zoo("text-generation")), "api_name": "/text_generation"}
    client.predict("Warm", max_new_tokens=1, **asked)
    began = cpu_of(server.process.pid)
    client.predict("A lamp", max_new_tokens=1000, **asked)
    whole = cpu_of(server.process.pid) - began
    job = client.submit("A lamp", max_new_tokens=1000, **asked)
    wait_until(lambda: len(job.outputs()) >= 3, 240, "three parts of the text")
    assert not job.done()
    texts = [part["text"] for part in job.outputs()[:3]]
    assert len(texts[0]) <= len(texts[1]) <= len(texts[2])
    job.cancel()
    began = cpu_of(server.process.pid)
    assert client.predict("Next", max_new_tokens=1, **asked)["output"]
    assert cpu_of(server.process.pid) - began < whole / 2


def test_a_call_without_the_queue_is_answered_with_the_whole_text(
    client: Client, server: Server, zoo: Callable[[str], Path]
) -> None:
    asked = {"text": "A lamp", "model": str(zoo("text-generation")), "max_new_tokens": 20, "do_sample": "false"}
    names = [
        each["parameter_name"]
        for each in client.view_api(return_format="dict")["named_endpoints"]["/text_generation"]["parameters"]
    ]
    (answer,) = post(server, "text_generation", *(asked.get(name) for name in names))["data"]
    assert answer["output"] == client.predict(**asked, api_name="/text_generation")["output"]
    assert set(answer) == {"task", "model", "device", "output", "seconds", "warnings"}


def test_who_calls_without_the_queue_and_leaves_ends_the_computation(
    client: Client, server: Server, zoo: Callable[[str], Path]
) -> None:
    asked = {"text": "A lamp", "model": str(zoo("text-generation")), "max_new_tokens": 1000}
    fields = client.view_api(return_format="dict")["named_endpoints"]["/text_generation"]["parameters"]
    body = json.dumps({"data": [asked.get(each["parameter_name"]) for each in fields]})
    began = cpu_of(server.process.pid)
    client.predict(**asked, api_name="/text_generation")
    whole = cpu_of(server.process.pid) - began
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request("POST", "/gradio_api/run/text_generation", body, {"Content-Type": "application/json"})
    begun = cpu_of(server.process.pid) + whole / 20
    wait_until(lambda: cpu_of(server.process.pid) > begun, 120, "it to begin")  # and it is not at its end
    connection.close()
    began = cpu_of(server.process.pid)
    assert client.predict("Next", max_new_tokens=1, model=asked["model"], api_name="/text_generation")["output"]
    assert cpu_of(server.process.pid) - began < whole / 2


def test_a_file_comes_back_with_its_predictions_in_its_own_order(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    table = pd.DataFrame(
        {"id": ["7", "8", "9", "10"], "text": ["A joy.", "   ", "Dull, loud and far too long.", "Wonderful " * 50]}
    )
    table.to_csv(path, index=False)
    found = client.predict(handle_file(str(path)), "text-classification", api_name="/predict_file")
    back = pd.read_csv(found, dtype=str, keep_default_na=False)
    assert back["id"].tolist() == ["7", "8", "9", "10"]
    assert back["text"].tolist() == table["text"].tolist()
    assert back["label"].tolist() == ["positive", "", "negative", "positive"]
    assert back["error"].tolist()[1].startswith("Text holds only white space")
    with pytest.raises(Exception, match="no column 'nope'"):
        client.predict(handle_file(str(path)), "text-classification", text_column="nope", api_name="/predict_file")
    with pytest.raises(Exception, match="can't be run on a CSV"):
        client.predict(handle_file(str(path)), "image-classification", api_name="/predict_file")


def test_a_file_says_over_the_api_how_far_it_is(client: Client, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    pd.DataFrame({"text": [f"number {number}" for number in range(2000)]}).to_csv(path, index=False)
    job = client.submit(handle_file(str(path)), "text-classification", model=str(tiny), api_name="/predict_file")
    seen: list[tuple[int, int]] = []

    def heard() -> bool:
        for unit in job.status().progress_data or []:
            assert unit.unit == "rows"
            seen.append((unit.index, unit.length))
        return job.done() or bool(seen)

    wait_until(heard, 60, "the first word")
    assert seen, "it was done before it said anything"
    assert 0 < seen[0][0] <= seen[0][1] == 2000
    assert len(pd.read_csv(job.result(timeout=60))) == 2000


def test_an_answer_is_explained_over_the_api(client: Client) -> None:
    found = client.predict("A joy from beginning to end.", api_name="/explain")
    assert found["target"] == "positive"
    assert found["tokens"][found["scores"].index(max(found["scores"]))] == "joy"
    assert found["error"] < 0.01
    other = client.predict("A joy.", target="negative", method="leave_one_out", api_name="/explain")
    assert (other["target"], other["baseline"]) == ("negative", None)
    with pytest.raises(Exception, match="no label 'sad'"):
        client.predict("A joy.", target="sad", api_name="/explain")


def test_every_row_says_what_it_takes(client: Client) -> None:
    listed = {each["task"]: each for each in client.predict(api_name="/list_tasks")}
    assert set(listed) == set(TASKS)
    for task in TASKS.values():
        assert listed[task.name]["inputs"] == [field.name for field in task.inputs]
        assert listed[task.name]["streams"] is (task.partial_output is not None)


def test_a_model_is_loaded_as_asked_and_says_what_it_is(client: Client, zoo: Callable[[str], Path]) -> None:
    folder = str(zoo("image-classification"))
    card = client.predict(folder, dtype="bfloat16", attention="eager", api_name="/load_model")
    assert (card["task"], card["dtype"], card["attention"]) == ("image-classification", "bfloat16", "eager")
    with pytest.raises(Exception, match="no dtype 'int3'"):
        client.predict(folder, dtype="int3", api_name="/load_model")


@pytest.mark.parametrize("failing", [int, functools.partial(int, base=2), functools.partial(functools.partial(int))])
def test_a_handler_without_a_name_fails_in_a_sentence(failing: Callable[..., Any], caplog: Any) -> None:
    with pytest.raises(gr.Error, match="nobody foresaw: ValueError"):
        catch_errors(failing)("nothing")
    assert "in int" in caplog.text


class Panic(BaseException):
    """What a library written in Rust raises: no Exception."""


@pytest.fixture(scope="module")
def fragile() -> Iterator[Client]:
    """A running server whose handlers fail in every way that there is."""

    def fail(how: str) -> str:
        raise {"panic": Panic, "exit": SystemExit, "bug": KeyError, "interrupt": KeyboardInterrupt}[how](how)

    def fail_later(how: str) -> Iterator[str]:
        yield "begun"
        fail(how)

    def alive() -> str:
        return "alive"

    with gr.Blocks() as demo:
        gr.api(catch_errors(fail), api_name="fail")
        gr.api(catch_errors(fail_later), api_name="fail_later")
        gr.api(alive, api_name="alive")
    _, url, _ = demo.launch(prevent_thread_lock=True, server_port=free_port(), quiet=True)
    yield Client(url, verbose=False)
    demo.close()


@pytest.mark.parametrize("how", ["panic", "exit", "bug", "interrupt"])
@pytest.mark.parametrize("endpoint", ["/fail", "/fail_later"])
def test_any_failure_in_a_handler_is_said_and_the_server_lives(fragile: Client, endpoint: str, how: str) -> None:
    with pytest.raises(Exception, match="nobody foresaw"):
        fragile.submit(how, api_name=endpoint).result(timeout=120)
    assert fragile.predict(api_name="/alive") == "alive"
