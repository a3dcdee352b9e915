"""Whose turn it is: one heavy job at a time, and equal jobs that wait together are done together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, TypeVar

from hfdemo.errors import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")
POLL_SECONDS = 0.05


@dataclass
class _Waiting:
    job: Any
    done: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass
class Turns:
    """Lets one job through at a time; jobs with an equal key that wait at that moment share its turn.

    Nobody waits for company: the first of several equal jobs takes whoever has come by the time its turn begins, so a
    lone job is never slower for the others that might have come.
    """

    most: int = 16
    _turn: Lock = field(default_factory=Lock)
    _guard: Lock = field(default_factory=Lock)
    _waiting: dict[Hashable, list[_Waiting]] = field(default_factory=dict)

    def take(
        self,
        job: Job,
        work: Callable[[Sequence[Job]], Sequence[Result]],
        key: Hashable = None,
        stop: Event | None = None,
    ) -> Result:
        """Do `job`, alone or with others that have its `key`, and return its own result.

        `work` gets the jobs that share the turn and returns one result for each, in order.

        Raises:
            Stopped: `stop` was set before the turn came.
            BaseException: whatever `work` raised for this very job; a failure among several is tried again one by one.
        """
        mine = _Waiting(job)
        with self._guard:
            if key is not None:
                self._waiting.setdefault(key, []).append(mine)
        try:
            while not self._turn.acquire(timeout=POLL_SECONDS):
                if stop is not None and stop.is_set():
                    raise Stopped
        except Stopped:
            self._leave(key, mine)
            raise
        try:
            if not mine.done:
                _do(self._company(key, mine), work)
        finally:
            self._turn.release()
        if mine.error is not None:
            raise mine.error
        return mine.result

    def _leave(self, key: Hashable, mine: _Waiting) -> None:
        with self._guard:
            if mine in self._waiting.get(key, []):
                self._waiting[key].remove(mine)

    def _company(self, key: Hashable, mine: _Waiting) -> list[_Waiting]:
        if key is None:
            return [mine]
        with self._guard:
            queue = self._waiting.pop(key)
            others = [each for each in queue if each is not mine]
            taken, left = [mine, *others[: self.most - 1]], others[self.most - 1 :]
            if left:
                self._waiting[key] = left
        return taken


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
