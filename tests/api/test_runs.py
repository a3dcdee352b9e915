"""Runs through the API: stopped, resumed, repeated, gone on from and compared."""

import re
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file

from tests.conftest import Server, wait_until


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


@pytest.mark.slow
def test_a_run_is_stopped_resumed_repeated_gone_on_from_and_compared(client: Client, colours: Path, tiny: Path) -> None:
    def status(run: str) -> dict[str, Any]:
        return dict(client.predict(run, api_name="/run_status"))

    def until(run: str, *states: str) -> None:
        wait_until(lambda: status(run)["state"] in states, 120, f"{run} to be {' or '.join(states)}")

    config = {"model": str(tiny), "training": {"num_train_epochs": 10_000}}
    first = client.predict(config=config, file=handle_file(str(colours)), api_name="/start_run")["run"]
    wait_until(lambda: status(first)["step"] > 5, 120, "the first steps")
    with pytest.raises(Exception, match="nothing to resume"):
        client.predict(first, api_name="/resume_run")
    client.predict(first, api_name="/stop_run")
    until(first, "stopped")
    at = status(first)
    assert at["resumable"]
    client.predict(first, api_name="/resume_run")
    wait_until(lambda: status(first)["step"] > at["step"] + 5, 120, "it to go on")
    client.predict(first, False, api_name="/stop_run")
    wait_until(lambda: status(first)["state"] == "stopped", 10, "the stop without keeping")

    changes = {"training": {"num_train_epochs": 1}}
    second = client.predict(first, changes, api_name="/duplicate_run")["run"]
    until(second, "finished")
    third = client.predict(second, 1, api_name="/train_more")["run"]
    assert re.search(r"-colours(-\d)?$", third), "its name is of the data, not of the run that had it"
    until(third, "finished")
    found = client.predict([second, third], api_name="/compare_runs")
    assert found["differences"]["model"] == {second: str(tiny), third: f"run:{second}"}
    assert len({each["rows"] for each in found["runs"].values()}) == 1, "judged on the same rows"
    assert client.predict(third, "the better one", api_name="/set_run_notes")["notes"] == "the better one"
    assert client.predict([third], api_name="/compare_runs")["runs"][third]["notes"] == "the better one"


def test_every_field_of_training_arguments_is_told_with_its_help(client: Client) -> None:
    fields = {field["name"]: field for field in client.predict(api_name="/training_fields")}
    assert fields["learning_rate"]["help"].startswith("The initial learning rate")
    assert "nothing leaves this machine" in fields["push_to_hub"]["reserved"]


def test_a_problem_names_the_change_that_mends_it_and_with_it_the_problem_is_gone(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("text,label\n" + "".join(f"{row % 10},{'ab'[row % 2]}\n" for row in range(20)))
    found = client.predict(file=handle_file(str(path)), api_name="/inspect_dataset")
    problem = next(each for each in found["problems"] if each["code"] == "duplicates")
    assert problem["change"] == {"fixes": ["drop_duplicates"]}
    assert found["reading"].startswith("UTF-8")
    mended = client.predict(file=handle_file(str(path)), config=problem["change"], api_name="/inspect_dataset")
    assert [each["code"] for each in mended["problems"]] == []


def test_a_search_that_cannot_be_is_refused_with_a_sentence(client: Client, colours: Path) -> None:
    with pytest.raises(Exception, match="1 to 50 trials"):
        client.predict(config={"dataset": "tickets"}, trials=99, api_name="/start_search")
    with pytest.raises(Exception, match="There is no search"):
        client.predict("gone", api_name="/search_status")
    assert isinstance(client.predict(api_name="/list_searches"), list)


@pytest.mark.slow
def test_labels_that_may_be_wrong_are_listed_with_what_a_new_run_may_do_to_them(
    client: Client, tiny: Path, tmp_path: Path
) -> None:
    rows = [f"the {day} is {mood},{label}" for day in range(20) for mood, label in (("warm", "up"), ("cold", "down"))]
    rows[6] = rows[6].replace(",up", ",down")
    path = tmp_path / "noisy.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    config = {"model": str(tiny), "training": {"num_train_epochs": 1}}
    run = client.predict(config=config, file=handle_file(str(path)), api_name="/start_run")["run"]
    wait_until(lambda: client.predict(run, api_name="/run_status")["state"] == "finished", 120, "the run")
    found = client.predict(run, 1, api_name="/label_errors")
    (error,) = found["errors"]
    assert (found["judged"], error["texts"], error["label"], error["suggested"]) == (
        40,
        ["the 3 is warm"],
        "down",
        "up",
    )
    second = client.predict(run, {"fixes": [error["fixes"]["keep"]]}, api_name="/duplicate_run")["run"]
    wait_until(lambda: client.predict(second, api_name="/run_status")["state"] == "finished", 120, "the other run")
    kept = client.predict(second, 40, api_name="/label_errors")
    assert kept["kept"] == 1
    assert error["key"] not in {each["key"] for each in kept["errors"]}
    with pytest.raises(Exception, match="from 1 to 10,000"):
        client.predict(run, 0, api_name="/label_errors")
