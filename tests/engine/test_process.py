"""Models in a child: the same answers as here, and whatever it does or suffers, one sentence at most."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import psutil
import pytest

from hfdemo.engine import InlineEngine, OwnedEngine, ProcessEngine
from hfdemo.engine.messages import WorkerError, read_answer, write
from hfdemo.errors import DataError, DemoError, ModelError, Stopped
from hfdemo.finetuning.preflight import SlowChecks
from hfdemo.inference import PartialPrediction, Prediction, predict, stream_prediction
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS, find_task
from tests import forked
from tests.clock import cpu_until_gone
from tests.conftest import ROOT, wait_until
from tests.engine import misbehaving

pytestmark = pytest.mark.slow

SENTIMENT = ModelRef.parse("embedded:sentiment")
CLASSIFY = TASKS["text-classification"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessEngine]:
    """An engine whose zygote is a fork, as the app's is in the tests of the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", forked.popen)
        engine = ProcessEngine(Settings(home=tmp_path_factory.mktemp("engine")))
    yield engine
    engine.close()


def classify(engine: ProcessEngine | InlineEngine, text: str) -> Prediction:
    return engine.call(predict, engine.models, CLASSIFY, SENTIMENT, {"text": text})


def test_a_call_answers_as_it_does_in_this_process(engine: ProcessEngine, models: ModelCache) -> None:
    there, here = classify(engine, "I love it"), classify(InlineEngine(models.settings, models), "I love it")
    assert there.output == here.output
    assert (there.stages, there.card, there.setup) == (here.stages, here.card, here.setup)
    assert there.call == here.call
    assert there.allowed == here.allowed
    assert engine.call(ModelCache.list_cards, engine.models) == [there.card]


def test_a_row_is_itself_on_both_sides(engine: ProcessEngine) -> None:
    assert all(read_answer(write(task)) is task for task in TASKS.values())
    assert engine.call(find_task, "ner") is TASKS["token-classification"]


def test_what_is_told_meanwhile_is_told_in_the_thread_of_the_caller(
    engine: ProcessEngine, zoo: Callable[[str], Path]
) -> None:
    ref = ModelRef.parse(str(zoo("text-generation")))
    values = {"text": "one two", "max_new_tokens": 12}
    threads: set[int] = set()
    parts: list[PartialPrediction] = []

    def on_partial(part: PartialPrediction) -> None:
        threads.add(threading.get_ident())
        parts.append(part)

    done = engine.call(
        predict, engine.models, TASKS["text-generation"], ref, values, on_partial=on_partial, stop=threading.Event()
    )
    assert len(parts) == done.tokens == 12
    assert threads == {threading.get_ident()}
    assert done.result[0]["generated_text"].endswith(parts[-1].text)
    items = list(stream_prediction(engine, TASKS["text-generation"], ref, values, threading.Event()))
    assert isinstance(items[-1], Prediction)
    assert any(isinstance(item, PartialPrediction) for item in items)


def test_errors_are_the_same_on_both_sides(engine: ProcessEngine) -> None:
    with pytest.raises(DemoError, match="Text is empty"):
        classify(engine, "")
    with pytest.raises(DataError, match=r"^no such column$"):
        engine.call(misbehaving.refuse, "no such column")
    with pytest.raises(ModelError, match="is not loaded"):
        engine.call(ModelCache.unload, engine.models, ModelRef.parse("run:none"))
    with pytest.raises(WorkerError, match="KeyError: 'surprise'") as caught:
        engine.call(misbehaving.fail)
    assert "misbehaving.py" in str(caught.value), "the log shows where it was"


def test_a_call_that_is_stopped_may_answer_all_the_same(engine: ProcessEngine) -> None:
    stop, told = threading.Event(), SimpleQueue[Any]()
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(engine.call, misbehaving.stop_when_asked, told.put, stop)
        assert told.get(timeout=60) == "begun"
        worker = engine.worker
        stop.set()
        assert answer.result(timeout=60) == "stopped by itself"
    assert engine.worker == worker, "nobody had to be ended"


def test_what_does_not_stop_is_ended_within_two_seconds_and_the_others_are_answered(engine: ProcessEngine) -> None:
    stop, told, begun = threading.Event(), SimpleQueue[Any](), SimpleQueue[Any]()
    with ThreadPoolExecutor() as threads:
        guilty = threads.submit(engine.call, misbehaving.spin, told.put, stop)
        spinning = psutil.Process(told.get(timeout=60))
        others = [threads.submit(engine.call, misbehaving.answer_after, begun.put, 3.0) for _ in range(3)]
        wait_until(lambda: begun.qsize() == 3, 60, "the others to be at work, too")
        stop.set()
        assert cpu_until_gone(spinning, 60) < 2.0
        with pytest.raises(Stopped):
            guilty.result(timeout=60)
        answered = {each.result(timeout=60) for each in others}
    assert len(answered) == 1
    assert spinning.pid not in answered


def test_a_worker_that_is_killed_costs_nothing_but_time(engine: ProcessEngine) -> None:
    first = classify(engine, "fine").output
    engine.worker.kill()  # type: ignore[union-attr]
    assert classify(engine, "fine").output == first, "nobody was at work"
    assert engine.call(misbehaving.end_the_first_time, engine.models) == "the second time"


def test_whoever_is_there_twice_when_a_worker_ends_gets_a_sentence(engine: ProcessEngine) -> None:
    with pytest.raises(DemoError, match=r"ended while it worked on this, most likely because memory ran out\. Try a"):
        engine.call(misbehaving.end)
    assert classify(engine, "fine").output, "the next is answered"


def test_what_a_worker_says_runs_no_code_here(engine: ProcessEngine) -> None:
    bomb = Path("/tmp/hfdemo-bomb")
    bomb.unlink(missing_ok=True)
    for harmful in (misbehaving.Bomb(), os.system, eval, psutil.Process, subprocess.Popen):
        with pytest.raises(Exception, match="an answer may not hold"):
            read_answer(write(harmful))
    worker = engine.worker
    with pytest.raises(WorkerError, match=r"an answer may not hold posix\.system"):
        engine.call(misbehaving.answer_with_code)
    assert not bomb.exists()
    assert classify(engine, "fine").output
    assert engine.worker == worker


ALONE = """
import sys, time
from hfdemo.engine import ProcessEngine
from hfdemo.inference import predict
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from pathlib import Path
engine = ProcessEngine(Settings(home=Path(sys.argv[1])))
task, ref = TASKS["text-classification"], ModelRef.parse("embedded:sentiment")
found = engine.call(predict, engine.models, task, ref, {"text": "fine"})
heavy = {"torch", "transformers", "datasets"} & set(sys.modules)
print(engine.worker.pid, engine.worker.ppid(), found.output[0]["label"], *heavy, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_an_engine_that_was_started_as_people_do_ends_with_its_page(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    page = subprocess.Popen([sys.executable, "-c", ALONE, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    assert page.stdout is not None
    worker, zygote, *said = page.stdout.readline().decode().split()
    assert said == ["positive"], "and the page's process has imported none of the large libraries"
    processes = [psutil.Process(int(worker)), psutil.Process(int(zygote))]
    page.kill()
    page.wait()
    page.stdout.close()
    wait_until(lambda: not any(each.is_running() for each in processes), 20, "the engine to be gone")


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"text": ["a", "b\n"], "label": ["1", ""]}, index=[3, 9]),
        pd.DataFrame({"text": ["a", None], "score": [1, 2.5]}),
        pd.DataFrame({"text": ["a"]}, dtype=object),
        pd.DataFrame([["a", "b"]], columns=["twice", "twice"]),
        pd.DataFrame(columns=["none", "here"]),
    ],
)
def test_a_table_is_the_same_on_both_sides(table: pd.DataFrame) -> None:
    found = read_answer(write(table))
    pd.testing.assert_frame_equal(found, table, check_index_type=False)
    assert found.dtypes.tolist() == table.dtypes.tolist()


def test_an_engine_holds_one_of_a_kind(engine: ProcessEngine, models: ModelCache) -> None:
    classify(engine, "fine")
    assert engine.call(ModelCache.is_trusted, engine.hold(ModelCache), ModelRef.parse("embedded:sentiment"))
    inline = InlineEngine(models.settings, models)
    assert inline.hold(ModelCache) is inline.models is models
    assert inline.hold(SlowChecks) is inline.hold(SlowChecks)


def test_what_an_engine_holds_is_for_each_owner_what_they_may_see(engine: ProcessEngine, tmp_path: Path) -> None:
    inline = InlineEngine(Settings(home=tmp_path, owner="zoe"))
    assert OwnedEngine(inline, "anna").hold(ModelCache).settings.owner == "anna"
    assert OwnedEngine(OwnedEngine(inline, "anna"), "bob").models.settings.owner == "bob"
    assert inline.models.settings.owner == ""
    for held in (engine.hold(ModelCache), OwnedEngine(engine, "anna").hold(ModelCache)):
        assert engine.call(ModelCache.is_trusted, held, ModelRef.parse("embedded:sentiment"))


def test_a_program_is_a_fork_with_its_own_environment_session_and_exit_code(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    with (tmp_path / "log.txt").open("wb") as log:
        child = engine.start_program("hfdemo.finetuning", [str(tmp_path / "none.json")], os.environ, log.fileno())
    assert child.pid not in (os.getpid(), engine.worker.pid)  # type: ignore[union-attr]
    wait_until(lambda: child.poll() is not None, 60, "the program to end")
    assert child.poll() == 1
    assert (tmp_path / "log.txt").read_text().startswith("There is no config file")
