"""The endpoints of searches for hyperparameters: start, watch, stop, list."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import gradio as gr

from hfdemo.api.app_state import App
from hfdemo.api.uploads import parse_config


def start_search(
    app: App,
    config: dict | None = None,
    file: gr.FileData | None = None,
    space: dict | None = None,
    trials: int = 8,
) -> dict:
    """Search for a good learning rate, batch size and number of epochs: each trial is a run like any other.

    Args:
        config: a RunConfig as JSON, as for start_run; the first trial has its own values
        file: an uploaded data file; it wins over config's dataset
        space: {"learning_rate": [lowest, highest], "batch_sizes": [...], "epochs": [fewest, most]}
        trials: how many runs at most
    """
    asked, path = parse_config(config, file)
    return {"search": app.searches.start(asked, space, trials, path).id}


def search_status(app: App, search: str) -> dict:
    """Return the state of a search, its trials with their runs, values and metric, and the best of them.

    Args:
        search: the search's id
    """
    return app.searches.get(search).to_json()


def stop_search(app: App, search: str) -> dict:
    """End a search and the run that it is at; the trials that were done stay.

    Args:
        search: the search's id
    """
    found = app.searches.get(search)
    found.stop()
    return found.to_json()


def list_searches(app: App) -> list[dict]:
    """List every search, the newest first."""
    return [search.to_json() for search in app.searches.list()]
