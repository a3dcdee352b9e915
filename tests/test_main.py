"""The command: what a shell asks for is what the API answers, and what it can't be is said in a sentence."""

import json
from pathlib import Path

import pytest

from hfdemo import __main__ as command
from hfdemo.api import App
from hfdemo.api.endpoints import ENDPOINTS, Endpoint
from hfdemo.tasks import TASKS


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HFDEMO_HOME", str(tmp_path / "home"))
    for name in ("GRADIO_TEMP_DIR", "MPLCONFIGDIR", "HF_MODULES_CACHE"):  # which a command sets for its process
        monkeypatch.setenv(name, str(tmp_path / name))


def test_a_prediction_is_that_of_the_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["predict", "text-classification", "What a wonderful day!", "--top-k", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["label"] for each in answer["output"]] == ["positive", "negative"]
    assert command.main(["predict", "text-classification", "What a wonderful day!", "--top-k", "2"]) == 0
    told = capsys.readouterr().out
    assert "label     score" in told
    assert "positive  0." in told


def test_tokens_are_shown_of_several_texts(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["tokenize", "a tea", "two teas", "--padding", "true", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["attention_mask"] == [[1, 1, 1, 1, 0], [1] * 5]
    assert command.main(["tokenize", "a tea"]) == 0
    assert 'tokens:\n  ["[CLS]", "a", "tea", "[SEP]"]\n' in capsys.readouterr().out


def test_runs_are_listed_and_an_unknown_one_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert command.main(["runs", "20260101-000000-none"]) == 1
    assert "20260101-000000-none" in capsys.readouterr().err


def test_a_file_is_read_from_where_it_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "\n".join(f"the boat {n} is late,{'yn'[n % 2]}" for n in range(12)) + "\n")
    assert command.main(["call", "inspect_dataset", "--file", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["columns"] == ["text", "label"]
    assert command.main(["call", "inspect_dataset", "--file", str(tmp_path / "none.csv")]) == 1
    assert "There is no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "no command 'dance'"),
        (["predict"], "The tasks are"),
        (["call"], "usage: hfdemo call ENDPOINT"),
        (["call", "no_such"], "no endpoint 'no_such'"),
    ],
)
def test_wrong_usage_says_what_there_is(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_task_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["predict", "mind-reading", "me"]) == 1
    assert "mind-reading" in capsys.readouterr().err


def test_what_nobody_foresaw_is_a_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(app: App, text: str) -> dict:  # type: ignore[type-arg]
        raise KeyError(text)

    monkeypatch.setattr("hfdemo.api.endpoints.ENDPOINTS", (Endpoint(broken, {}),))
    assert command.main(["call", "broken", "--text", "x"]) == 1
    assert "This failed in a way that nobody foresaw: KeyError: 'x'" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"]):
        assert command.main(arguments) == 0
    assert "hfdemo predict TASK" in capsys.readouterr().out


def test_every_endpoint_has_a_command_that_explains_each_of_its_arguments() -> None:
    for endpoint in ENDPOINTS:
        for positional in (True, False):
            told = command.build_parser(endpoint, "hfdemo", positional=positional)
            assert told.format_help()
            named = [action for action in told._actions if action.dest not in ("help", "json")]
            assert [action.dest for action in named if not action.help] == [], endpoint.name
    assert len(ENDPOINTS) > len(TASKS)


def test_rows_are_a_table_and_the_rest_names_and_values() -> None:
    answer = {"task": "x", "rows": [{"a": 1.23456, "b": "one"}, {"a": 2, "b": "two"}], "more": {"c": None}, "no": []}
    assert list(command.write_plain(answer)) == [
        "task: x", "rows:", "  a      b", "  1.235  one", "  2      two", "more:", "  c: null", "no: []",
    ]  # fmt: skip
