"""The file with which a person asks a run or a search to end: one writer, one reader."""

import time
from pathlib import Path

from hfdemo.finetuning.stop_request import read_stop_request, request_stop


def test_who_asked_to_keep_nothing_is_not_overruled(tmp_path: Path) -> None:
    assert read_stop_request(tmp_path) is None
    request_stop(tmp_path, keep=True)
    first = read_stop_request(tmp_path)
    assert first is not None
    assert first.keep
    assert abs(first.time - time.time()) < 60
    request_stop(tmp_path, keep=True)
    assert read_stop_request(tmp_path) == first
    request_stop(tmp_path, keep=False)
    request_stop(tmp_path, keep=True)
    asked = read_stop_request(tmp_path)
    assert asked is not None
    assert not asked.keep


def test_a_file_that_says_nothing_asks_to_keep_since_it_was_written(tmp_path: Path) -> None:
    for text in ("", "[]", "{", '{"time": null}', '{"time": "now"}'):
        (tmp_path / "stop").write_text(text)
        asked = read_stop_request(tmp_path)
        assert asked is not None
        assert asked.keep
        assert asked.time == (tmp_path / "stop").stat().st_mtime


def test_keeping_nothing_is_asked_for_whatever_the_time_is(tmp_path: Path) -> None:
    (tmp_path / "stop").write_text('{"keep": false, "time": null}')
    asked = read_stop_request(tmp_path)
    assert asked is not None
    assert not asked.keep
