"""`Dataset.map` is measured both ways, on bounded rows, and leaves nothing behind but its Arrow files."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hfdemo.errors import DemoError, Stopped
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization import dataset_map
from hfdemo.tokenization.dataset_map import MapTiming, time_map

MINILM = ModelRef.parse("embedded:minilm")


def trial(models: ModelCache, texts: Sequence[str], pairs: Sequence[str] | None, folder: Path) -> MapTiming:
    with models.hold_tokenizer(MINILM) as tokenizer:
        return time_map(tokenizer, texts, pairs, folder, Event())


def test_map_is_measured_both_ways_and_its_arrow_files_lie_where_they_should(
    models: ModelCache, tmp_path: Path
) -> None:
    from datasets import Dataset

    texts, pairs = [f"hello {number}" for number in range(300)], ["how are you?"] * 300
    found = trial(models, texts, pairs, tmp_path)
    assert found.rows == 300
    assert found.batched_seconds > 0
    assert found.unbatched_seconds > 0
    assert found.cached_seconds > 0
    assert [name for name, _ in found.files] == ["cache-batched.arrow", "cache-unbatched.arrow", "data.arrow"]
    on_disk = {path.name: path for path in tmp_path.rglob("*.arrow")}
    assert {name: on_disk[name].stat().st_size for name, _ in found.files} == dict(found.files)
    with models.hold_tokenizer(MINILM) as tokenizer:
        expected = tokenizer(texts, pairs)["input_ids"]
    for name in ("cache-batched.arrow", "cache-unbatched.arrow"):
        written = Dataset.from_file(str(on_disk[name]))
        assert [list(row) for row in written["input_ids"]] == expected


def test_map_never_reuses_what_lies_there_and_takes_a_bounded_number_of_rows(
    models: ModelCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_map, "MOST_MAPPED_ROWS", 20)
    calls = []
    with models.hold_tokenizer(MINILM) as tokenizer:

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(args[0])
            return tokenizer(*args, **kwargs)

        for _ in range(2):
            assert time_map(counted, ["hello"] * 30, None, tmp_path, Event()).rows == 20
    assert len(calls) == 2 * (1 + 1 + 20)
    assert len(list(tmp_path.rglob("*.arrow"))) == 2 * 3


def test_map_stops_between_rows_and_leaves_the_librarys_bars_as_they_were(models: ModelCache, tmp_path: Path) -> None:
    from datasets import are_progress_bars_disabled

    stop, calls = Event(), []
    before = are_progress_bars_disabled()
    with models.hold_tokenizer(MINILM) as tokenizer:

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(args[0])
            if len(calls) == 5:
                stop.set()
            return tokenizer(*args, **kwargs)

        with pytest.raises(Stopped):
            time_map(counted, ["hello"] * 30, None, tmp_path, stop)
    assert len(calls) == 5
    assert are_progress_bars_disabled() == before


@pytest.mark.parametrize("texts", [[], ["a lone surrogate \ud800"]])
def test_map_refuses_what_has_no_text_or_can_not_be_written(
    models: ModelCache, tmp_path: Path, texts: list[str]
) -> None:
    with pytest.raises(DemoError):
        trial(models, texts, None, tmp_path)
