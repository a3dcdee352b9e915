"""The endpoints that gradio_client, MCP and curl can call, and the boundary that turns errors into sentences.

All of them, and all handlers of the page, work with one `App`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.runs.search import SearchStore
from hfdemo.models.cache import ModelCache
from hfdemo.settings import Settings


@dataclass(frozen=True)
class App:
    """The settings of this server, its loaded models, its runs and its searches."""

    settings: Settings
    models: ModelCache
    runs: RunStore
    searches: SearchStore

    @classmethod
    def create(cls, settings: Settings, models: ModelCache | None = None) -> App:
        """Return the App of a server with `settings`; `models` may be a cache that others use, too."""
        runs = RunStore(settings)
        return cls(settings, models or ModelCache(settings), runs, SearchStore(settings, runs))
