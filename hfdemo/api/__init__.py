"""The endpoints that gradio_client, MCP and curl can call, and the boundary that turns errors into sentences.

All of them, and all handlers of the page, work with one `App`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hfdemo.api.visitors import NOBODY, current_visitor
from hfdemo.engine import Engine, InlineEngine, OwnedEngine
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.search import SearchStore
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings


@dataclass(frozen=True)
class App:
    """A server as whoever asks for the event that is being handled sees it.

    On a shared server everything that it gives is that visitor's alone: there are no runs, searches and tokenizers of
    others in it, and what is begun with it belongs to them. Outside of events there is nothing of anybody.
    """

    _settings: Settings
    _engine: Engine
    _runs: RunStore
    _searches: SearchStore

    @classmethod
    def create(cls, settings: Settings, engine: Engine | None = None) -> App:
        """Return the App of a server with `settings`; without an `engine` the models are in this process."""
        engine = engine or InlineEngine(settings)
        runs = RunStore(settings, engine)
        return cls(settings, engine, runs, SearchStore(settings, runs))

    @property
    def owner(self) -> str:
        """Whose things there are; "" where the server has one owner."""
        if not self._settings.is_shared:
            return self._settings.owner
        visitor = current_visitor()
        return NOBODY if visitor is None else visitor.owner

    @property
    def user(self) -> str:
        """The name with which the visitor has signed in; "" where nobody has to."""
        visitor = current_visitor()
        return "" if visitor is None else visitor.user

    @property
    def settings(self) -> Settings:
        """The settings of this server, for what the visitor may see."""
        return self._settings.of_owner(self.owner)

    @property
    def engine(self) -> Engine:
        """What holds the models, for the visitor."""
        return OwnedEngine(self._engine, self.owner)

    @property
    def models(self) -> ModelCache:
        """The engine's cache of models, for the functions that it calls."""
        return self.engine.models

    @property
    def runs(self) -> RunStore:
        """The visitor's runs."""
        return self._runs.of_owner(self.owner)

    @property
    def searches(self) -> SearchStore:
        """The visitor's searches."""
        return self._searches.of_owner(self.owner)

    def adopt_runs(self) -> None:
        """Go on with the stops of all runs that an earlier server was asked for."""
        self._runs.adopt()
