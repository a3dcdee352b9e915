"""Whose turn it is: one heavy job at a time, in the order of asking, and equal jobs that wait go together.

Whoever waits, for a turn or for a lock, can be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event, Lock
from typing import Any, TypeVar

from hfdemo.errors import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")
POLL_SECONDS = 0.05


@contextmanager
def hold_lock(lock: Lock, stop: Event | None) -> Iterator[None]:
    """Hold `lock` until the block ends.

    Raises:
        Stopped: `stop` was set while somebody else held it.
    """
    while not lock.acquire(timeout=-1 if stop is None else POLL_SECONDS):
        if stop is not None and stop.is_set():
            raise Stopped
    try:
        yield
    finally:
        lock.release()


@dataclass(eq=False)  # two jobs may be equal and are still two
class _Waiting:
    job: Any
    key: Hashable
    done: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass
class Scheduler:
    """Lets one job through at a time, first come, first served; jobs with an equal key share a turn.

    Nobody waits for company: the first of several equal jobs takes whoever has come by the time its turn begins, so a
    lone job is never slower for the others that might have come.
    """

    max_jobs: int = 16
    _queue: list[_Waiting] = field(default_factory=list)
    _busy: bool = False
    _changed: Condition = field(default_factory=Condition)

    def run(
        self,
        job: Job,
        work: Callable[[Sequence[Job]], Sequence[Result]],
        key: Hashable = None,
        stop: Event | None = None,
    ) -> Result:
        """Wait for a turn, do `job` in it, alone or with others that have its `key`, and return its own result.

        `work` gets the jobs that share the turn and returns one result for each, in order.

        Raises:
            Stopped: `stop` was set before the turn came.
            BaseException: whatever `work` raised for this very job; a failure among several is tried again one by one.
        """
        own = _Waiting(job, key)
        group = self._wait(own, stop)
        if group:
            try:
                _run_jobs(group, work)
            finally:
                self._end_turn()
        if own.error is not None:
            raise own.error
        return own.result

    @contextmanager
    def exclusive(self, stop: Event | None = None) -> Iterator[None]:
        """Hold a turn until the block ends.

        Raises:
            Stopped: `stop` was set before the turn came.
        """
        self._wait(_Waiting(None, None), stop)
        try:
            yield
        finally:
            self._end_turn()

    def _wait(self, own: _Waiting, stop: Event | None) -> list[_Waiting]:
        """Wait in line; return the jobs that share the turn that has begun, none if another turn did this one."""
        with self._changed:
            self._queue.append(own)
            while not own.done and (self._busy or not self._queue or self._queue[0] is not own):
                if stop is not None and stop.is_set():
                    if own in self._queue:
                        self._queue.remove(own)
                        self._changed.notify_all()
                    raise Stopped
                self._changed.wait(None if stop is None else POLL_SECONDS)
            if own.done:
                return []
            equal = [each for each in self._queue if each is own or (each.key == own.key and own.key is not None)]
            group = equal[: self.max_jobs]
            self._queue = [each for each in self._queue if each not in group]
            self._busy = True
            return group

    def _end_turn(self) -> None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()


def _run_jobs(jobs: Sequence[_Waiting], work: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
    try:
        results = work([each.job for each in jobs])
    except BaseException as error:
        if len(jobs) > 1:  # one bad job must not spoil the others
            for each in jobs:
                _run_jobs([each], work)
            return
        jobs[0].error, jobs[0].done = error, True
        return
    for each, result in zip(jobs, results, strict=True):
        each.result, each.done = result, True
