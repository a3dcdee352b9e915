"""The endpoints that gradio_client, MCP and curl can call, and the boundary that turns errors into sentences.

All of them, and all handlers of the page, work with one `App`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hfdemo.engine import Engine, InlineEngine
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.search import SearchStore
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings


@dataclass(frozen=True)
class App:
    """The settings of this server, the engine that holds its models, its runs and its searches."""

    settings: Settings
    engine: Engine
    runs: RunStore
    searches: SearchStore

    @classmethod
    def create(cls, settings: Settings, engine: Engine | None = None) -> App:
        """Return the App of a server with `settings`; without an `engine` the models are in this process."""
        engine = engine or InlineEngine(settings)
        runs = RunStore(settings, engine)
        return cls(settings, engine, runs, SearchStore(settings, runs))

    @property
    def models(self) -> ModelCache:
        """The engine's cache of models, for the functions that it calls."""
        return self.engine.models
