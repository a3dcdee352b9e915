"""What an engine is, and the one whose calls are made in this very process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from hfdemo.models.cache import ModelCache
from hfdemo.models.hub import wait_once
from hfdemo.settings import Settings

P = ParamSpec("P")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound="Ownable")


class Ownable(Protocol):
    """What an engine may hold: one thing for all, of which each owner sees what they may."""

    def of_owner(self, owner: str) -> Any:
        """Return this as `owner` may use it; "" is for what is everybody's."""


class Child(Protocol):
    """A program that was started: what `subprocess.Popen` knows of one."""

    @property
    def pid(self) -> int:
        """The number of its process."""

    def poll(self) -> int | None:
        """Return its exit code, None while it is at work."""


class Engine(Protocol):
    """Where models are held and whatever needs torch is done."""

    @property
    def models(self) -> ModelCache:
        """The engine's own cache of models. It may be far away: only the functions of a `call` can use it."""

    def hold(self, kind: Callable[[Settings], Kind]) -> Kind:
        """Return the one `kind` that there is where the models are, made of the settings; for calls, too."""

    def call(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return `function(*args, **kwargs)`, done where the models are.

        `function` is one of a module of this package, or a method of a class there. Among the arguments `models` stands
        for the cache over there; a function (a callback) is called here, in the thread of this call; a
        `threading.Event` that is set here is set over there, too: it stops the call.

        Raises:
            DemoError: what `function` raised, or the engine ended while it worked on this.
            Stopped: the event was set, and the call did not end by itself.
        """

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments` in a session of its own, which outlives this process.

        `module` is a package, whose `__main__` has a `main(arguments)` that returns the exit code. What it prints goes
        to the open file `log`.

        Raises:
            OSError: the machine has no process or no memory left for it.
        """

    def close(self) -> None:
        """End what belongs to the engine."""


class OwnedEngine:
    """An engine as `owner` may use it: of what it holds there is only what they may see."""

    def __init__(self, engine: Engine, owner: str) -> None:
        self._engine = engine.engine if isinstance(engine, OwnedEngine) else engine
        self._owner = owner

    @property
    def engine(self) -> Engine:
        """The engine of everybody."""
        return self._engine

    @property
    def models(self) -> ModelCache:
        """The cache of models."""
        return self.hold(ModelCache)

    def hold(self, kind: Callable[[Settings], Kind]) -> Kind:
        """Return the one `kind` of the engine, as this owner may use it."""
        return cast(Kind, self._engine.hold(kind).of_owner(self._owner))

    def call(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return `function(*args, **kwargs)`, done where the models are."""
        return self._engine.call(function, *args, **kwargs)

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments` in a session of its own."""
        return self._engine.start_program(module, arguments, environment, log)

    def close(self) -> None:
        """End what belongs to the engine."""
        self._engine.close()


class InlineEngine:
    """An engine whose calls are made here, by whoever asks."""

    def __init__(self, settings: Settings, models: ModelCache | None = None) -> None:
        self._settings = settings
        self._held: dict[Any, Any] = {ModelCache: models} if models else {}
        self._holding = Lock()

    @property
    def models(self) -> ModelCache:
        """The cache of models."""
        return self.hold(ModelCache)

    def hold(self, kind: Callable[[Settings], Kind]) -> Kind:
        """Return the one `kind` of this engine, for what is everybody's."""
        with self._holding:
            if kind not in self._held:
                self._held[kind] = kind(self._settings)
            return cast(Kind, self._held[kind].of_owner(""))

    def call(self, function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Return `function(*args, **kwargs)`."""
        with wait_once():
            return function(*args, **kwargs)

    def start_program(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
        """Start `python -m module *arguments`, as an interpreter."""
        return start_program(module, arguments, environment, log)

    def close(self) -> None:
        """Nothing is left to end."""


def start_program(module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int) -> Child:
    """Start `python -m module *arguments` as an interpreter: see `Engine.start_program`."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=dict(environment),
    )
