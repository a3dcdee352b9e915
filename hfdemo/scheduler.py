"""Whose turn it is: one heavy job at a time, in the order of asking, and equal jobs that wait go together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import Any, TypeVar

from hfdemo.errors import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")
POLL_SECONDS = 0.05


@dataclass(eq=False)  # two jobs may be equal and are still two
class _Waiting:
    job: Any
    key: Hashable
    done: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass
class Turns:
    """Lets one job through at a time, first come, first served; jobs with an equal key share a turn.

    Nobody waits for company: the first of several equal jobs takes whoever has come by the time its turn begins, so a
    lone job is never slower for the others that might have come.
    """

    most: int = 16
    _line: list[_Waiting] = field(default_factory=list)
    _busy: bool = False
    _changed: Condition = field(default_factory=Condition)

    def take(
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
        mine = _Waiting(job, key)
        company = self._wait(mine, stop)
        if company:
            try:
                _do(company, work)
            finally:
                self._end()
        if mine.error is not None:
            raise mine.error
        return mine.result

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A turn for the block."""
        self._wait(_Waiting(None, None), None)
        try:
            yield
        finally:
            self._end()

    def _wait(self, mine: _Waiting, stop: Event | None) -> list[_Waiting]:
        """Stand in line; returns who shares the turn that has begun, or nobody if another one did this job."""
        with self._changed:
            self._line.append(mine)
            while not mine.done and (self._busy or not self._line or self._line[0] is not mine):
                if stop is not None and stop.is_set():
                    if mine in self._line:
                        self._line.remove(mine)
                        self._changed.notify_all()
                    raise Stopped
                self._changed.wait(None if stop is None else POLL_SECONDS)
            if mine.done:
                return []
            equal = [each for each in self._line if each is mine or (each.key == mine.key and mine.key is not None)]
            company = equal[: self.most]
            self._line = [each for each in self._line if each not in company]
            self._busy = True
            return company

    def _end(self) -> None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()


def _do(jobs: Sequence[_Waiting], work: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
    try:
        results = work([each.job for each in jobs])
    except BaseException as error:
        if len(jobs) > 1:  # one bad job must not spoil the others
            for each in jobs:
                _do([each], work)
            return
        jobs[0].error, jobs[0].done = error, True
        return
    for each, result in zip(jobs, results, strict=True):
        each.result, each.done = result, True
