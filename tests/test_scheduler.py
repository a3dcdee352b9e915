"""One job at a time; equal jobs that wait together share a turn, and nobody pays for another one's failure."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from hfdemo.errors import Stopped
from hfdemo.scheduler import Scheduler
from tests.conftest import wait_until


def held(scheduler: Scheduler) -> tuple[Thread, Event]:
    """A turn that is taken until the event is set."""
    began, free = Event(), Event()

    def work(jobs: Sequence[None]) -> list[None]:
        began.set()
        free.wait(30)
        return [None]

    thread = Thread(target=scheduler.run, args=(None, work), daemon=True)
    thread.start()
    assert began.wait(10)
    return thread, free


def in_line(scheduler: Scheduler, key: str) -> int:
    return sum(each.key == key for each in scheduler._queue)


def test_jobs_never_run_at_the_same_time() -> None:
    scheduler, inside = Scheduler(), []

    def work(jobs: Sequence[int]) -> list[int]:
        inside.append(1)
        assert len(inside) == 1
        inside.pop()
        return [job * 2 for job in jobs]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda job: scheduler.run(job, work), range(200))) == [job * 2 for job in range(200)]


def test_equal_jobs_that_wait_share_one_turn_and_each_gets_its_own_result() -> None:
    scheduler, batches = Scheduler(max_jobs=4), []
    _, free = held(scheduler)

    def work(jobs: Sequence[int]) -> list[int]:
        batches.append(len(jobs))
        return [job + 100 for job in jobs]

    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(scheduler.run, job, work, "same") for job in range(8)]
        alone = pool.submit(scheduler.run, 50, work, "other")
        wait_until(lambda: in_line(scheduler, "same") == 8 and in_line(scheduler, "other") == 1, 10, "all in line")
        free.set()
        assert [future.result(30) for future in futures] == [job + 100 for job in range(8)]
        assert alone.result(30) == 150
    assert sorted(batches) == [1, 4, 4]


def test_one_bad_job_does_not_spoil_the_others() -> None:
    scheduler = Scheduler()
    _, free = held(scheduler)

    def work(jobs: Sequence[int]) -> list[float]:
        return [1 / job for job in jobs]

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(scheduler.run, job, work, "key") for job in (1, 0, 2)]
        wait_until(lambda: in_line(scheduler, "key") == 3, 10, "all in line")
        free.set()
        assert futures[0].result(30) == 1
        assert futures[2].result(30) == 0.5
        with pytest.raises(ZeroDivisionError):
            futures[1].result(30)


def test_a_panic_frees_the_turn_for_the_next() -> None:
    class Panic(BaseException):
        pass

    def work(jobs: Sequence[int]) -> list[int]:
        raise Panic

    scheduler = Scheduler()
    with pytest.raises(Panic):
        scheduler.run(1, work)
    assert scheduler.run(1, lambda jobs: list(jobs)) == 1


def test_who_is_stopped_in_line_leaves_it() -> None:
    scheduler, stop = Scheduler(), Event()
    done: list[int] = []
    _, free = held(scheduler)

    def work(jobs: Sequence[int]) -> list[int]:
        done.extend(jobs)
        return list(jobs)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(scheduler.run, 1, work, "key", stop)
        wait_until(lambda: in_line(scheduler, "key") == 1, 10, "it stands in line")
        stop.set()
        with pytest.raises(Stopped):
            future.result(10)
    assert in_line(scheduler, "key") == 0
    free.set()
    assert done == []


def test_one_of_two_equal_jobs_can_leave_and_the_other_is_done() -> None:
    scheduler, stop = Scheduler(), Event()
    _, free = held(scheduler)
    with ThreadPoolExecutor(2) as pool:
        leaves = pool.submit(scheduler.run, "same", lambda jobs: list(jobs), "key", stop)
        stays = pool.submit(scheduler.run, "same", lambda jobs: list(jobs), "key")
        wait_until(lambda: in_line(scheduler, "key") == 2, 10, "both in line")
        stop.set()
        with pytest.raises(Stopped):
            leaves.result(10)
        free.set()
        assert stays.result(10) == "same"


def test_whoever_came_first_goes_first() -> None:
    scheduler = Scheduler()
    order: list[int] = []
    _, free = held(scheduler)

    def work(jobs: Sequence[int]) -> list[None]:
        order.extend(jobs)
        return [None]

    with ThreadPoolExecutor(8) as pool:
        for job in range(8):
            pool.submit(scheduler.run, job, work, None)
            wait_until(lambda: len(scheduler._queue) == job + 1, 10, "its place in line")  # noqa: B023
        free.set()
    assert order == list(range(8))


def test_a_block_can_have_a_turn_and_gives_it_back_when_it_fails() -> None:
    scheduler = Scheduler()
    with pytest.raises(KeyError), scheduler.exclusive():
        raise KeyError
    assert scheduler.run(1, lambda jobs: list(jobs)) == 1
