"""A run's events -> its charts and the tables behind them, and the HTML of how far it is and how fast it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.finetuning.events import (
    PHASES,
    Evaluated,
    Event,
    Finished,
    Probed,
    Resumed,
    Started,
    StepLogged,
    Stopped,
    Thinned,
    valid,
)
from hfdemo.finetuning.kinds import UNIT_METRICS
from hfdemo.finetuning.runs import Status
from hfdemo.ui.appearance import chart_colours
from hfdemo.ui.html import escape, facts, notes, progress_bar

# More points than pixels cost time and show nothing.
MOST_POINTS = 400


def make_loss_table(events: Sequence[Event]) -> pd.DataFrame:
    """Return columns step, loss and split ("train" or "validation")."""
    rows = [(event.step, event.loss, "train") for event in _sample_steps(events)]
    rows += [
        (event.step, event.metrics["loss"], "validation")
        for event in _list_validations(events)
        if event.metrics.get("loss") is not None
    ]
    return _typed_table(rows, {"step": float, "loss": float, "split": str})


def make_metrics_table(events: Sequence[Event], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return columns epoch, value and metric, one row per name in `titles` and evaluation of the validation split;
    the metric is called by its title."""
    rows = [
        (round(event.epoch, 3), event.metrics[name], title)
        for event in _list_validations(events)
        for name, title in titles.items()
        if event.metrics.get(name) is not None
    ]
    return _typed_table(rows, {"epoch": float, "value": float, "metric": str})


def make_logged_table(events: Sequence[Event], name: str, unit: float = 1.0) -> pd.DataFrame:
    """Return columns step and `name`, a number that StepLogged has, in units of `unit`, without steps that lack it."""
    found = [(event.step, getattr(event, name)) for event in _sample_steps(events)]
    rows = [(step, value / unit) for step, value in found if value is not None]
    return _typed_table(rows, {"step": float, name: float})


def list_metric_names(events: Sequence[Event]) -> list[str]:
    """Return what the validation split was judged by, in the order of the events; the loss has a chart of its own."""
    names = dict.fromkeys(name for event in _list_validations(events) for name in event.metrics)
    return [name for name in names if name != "loss"]


def make_overlay_table(runs: Mapping[str, Sequence[Event]], name: str) -> pd.DataFrame:
    """Return columns epoch, value and run: one metric (or the loss) of several runs on the validation split.

    Epochs, because runs with other batch sizes differ in how many steps see the same rows.
    """
    rows = [
        (round(event.epoch, 3), event.metrics[name], run)
        for run, events in runs.items()
        for event in _list_validations(events)
        if event.metrics.get(name) is not None
    ]
    return _typed_table(rows, {"epoch": float, "value": float, "run": str})


def find_axis_limits(names: Sequence[str]) -> list[float] | None:
    """Return the ends of the axis for these metrics; None where the values decide."""
    return [0.0, 1.0] if names and all(name in UNIT_METRICS for name in names) else None


def _typed_table(rows: list[tuple[Any, ...]], columns: dict[str, type]) -> pd.DataFrame:
    """Return a table with its types, also of no rows: a chart that once saw no numbers draws them as names."""
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _sample_steps(events: Sequence[Event]) -> list[StepLogged]:
    """Return at most MOST_POINTS, evenly chosen, the last one among them."""
    found = [event for event in valid(events) if isinstance(event, StepLogged)]
    every = -(-len(found) // MOST_POINTS) or 1
    return found[::-1][::every][::-1]


def _list_validations(events: Sequence[Event]) -> list[Evaluated]:
    """Return one evaluation per step: the last one repeats the best epoch for the report, off the curve."""
    seen: dict[int, Evaluated] = {}
    for event in valid(events):
        if isinstance(event, Evaluated) and event.split == "validation":
            seen.setdefault(event.step, event)
    return list(seen.values())


def build_plot(table: pd.DataFrame, x: str, y: str, color: str | None, title: str, names: Sequence[str]) -> gr.LinePlot:
    """Lay out a chart of `y` over `x`, a line for each of the `names` in the column `color`, out of sight yet."""
    return gr.LinePlot(
        table,
        x=x,
        y=y,
        y_title=" ",
        color=color,
        color_map=chart_colours(names) or None,
        title=title,
        height=230,
        min_width=280,
        visible=False,
    )


def update_chart(table: pd.DataFrame, **more: Any) -> Any:
    """Update a chart: a line needs two points; until then there is no chart."""
    return gr.update(value=table, visible=table.iloc[:, 0].nunique() > 1, **more)


GB = 1024**3
# What is logged with each step besides the loss: the title of its chart, and the unit that it is drawn in.
LOGGED: Mapping[str, tuple[str, float]] = {
    "learning_rate": ("Learning rate", 1.0),
    "grad_norm": ("Gradient norm, before clipping", 1.0),
    "tokens_per_second": ("Tokens a second, unpadded", 1.0),
    "samples_per_second": ("Rows a second", 1.0),
    "waste": ("Share of padding", 1.0),
    "memory_bytes": ("Memory held, GB", GB),
}
_STATE_WORDS = {
    "queued": "",
    "starting": "",
    "running": "",
    "stopping": "ending at the next batch",
    "finished": "",
    "stopped": "stopped by hand",
    "failed": "",
    "lost": "",
}


def render_progress(run_id: str, status: Status, events: Sequence[Event], device: str, headline: str = "") -> str:
    """Draw one run's state, bar, steps, time left, speed and memory, and what it had to say when it began.

    `device` is the one that it is going to have, until its events name it; `headline` is the HTML of its result.
    """
    events = valid(events)
    started = next((event for event in events if isinstance(event, Started)), None)
    step = next((event for event in reversed(events) if isinstance(event, StepLogged)), None)
    probed = next((event for event in events if isinstance(event, Probed)), None)
    finished = next((event for event in events if isinstance(event, Finished)), None)
    # Of one that was resumed nobody knows how long the first part would have taken.
    whole = finished if not any(isinstance(event, Resumed) for event in events) else None
    done = 1.0 if status.state == "finished" else status.step / status.total_steps if status.total_steps else 0.0
    error = notes([status.error]) if status.error else ""
    resumed = [_describe_resume(event) for event in events if isinstance(event, Resumed)]
    thinned = [_describe_thinning(event) for event in events if isinstance(event, Thinned)]
    stopped = [note for event in events if isinstance(event, Stopped | Finished) for note in event.notes]
    return (
        f"<div class='hf-run'><b>{escape(run_id)}</b>"
        f"<span class='hf-state hf-{status.state}'>{status.state}</span></div>{headline}"
        f"{_render_phases(status)}{progress_bar(done)}"
        f"{facts([('', ' · '.join(_progress_words(status)))])}"
        f"{facts([*_size_facts(started, device), *_speed_facts(step), *_probe_facts(probed, whole, status)])}"
        f"{notes(resumed)}{notes(thinned)}{notes(stopped)}{error}{_list_remarks(started.notes if started else ())}"
    )


def format_duration(seconds: float) -> str:
    """Return hours and minutes, minutes and seconds, or seconds."""
    if 0 < seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _progress_words(status: Status) -> list[str]:
    words = []
    if status.total_steps:
        words.append(f"step {status.step:,} of {status.total_steps:,} · epoch {status.epoch:.1f}")
    # One that is to end has no use for the time that all its steps would take.
    if status.elapsed_seconds is not None:
        words.append(f"{format_duration(status.elapsed_seconds)} so far")
    if status.eta_seconds is not None and status.state != "stopping":
        words.append(f"about {format_duration(status.eta_seconds)} left")
    words.append(_queue_words(status) if status.state == "queued" else _STATE_WORDS[status.state])
    return [word for word in words if word]


def _queue_words(status: Status) -> str:
    """Say what a run waits for: the one that has the device, and the others that wait and came before it."""
    ahead = status.ahead
    before = f"{ahead} {'waits' if ahead == 1 else 'wait'} before it" if ahead else "it is next"
    return f"waiting for the device: {status.behind or '1 run'} is at work and {before}"


def _size_facts(started: Started | None, device: str) -> list[tuple[str, str]]:
    if started is None:
        return [("device", device)]
    trained, whole = started.trainable_parameters, started.parameters
    pairs = [("device", started.device)]
    if whole:
        part = "all" if trained == whole else f"{trained:,} of"
        pairs.append(("trainable parameters", f"{part} {whole:,}"))
    return pairs


def _speed_facts(step: StepLogged | None) -> list[tuple[str, str]]:
    """Return what the last steps reached; a rate that is not known is left out."""
    if step is None:
        return []
    pairs = [
        ("rows a second", None if step.samples_per_second is None else _format_rate(step.samples_per_second)),
        ("tokens a second", None if step.tokens_per_second is None else _format_rate(step.tokens_per_second)),
        ("padding", None if step.waste is None else f"{step.waste:.0%} of the slots"),
        ("memory", None if step.memory_bytes is None else f"{step.memory_bytes / GB:.1f} GB"),
    ]
    return [(name, value) for name, value in pairs if value is not None]


def _format_rate(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def _render_phases(status: Status) -> str:
    """Draw what a run goes through, and where it is."""
    if not status.phase:
        return ""
    items = "".join(
        f"<li{' aria-current=step' if phase == status.phase else ''}>{escape(phase)}</li>" for phase in PHASES
    )
    return f"<ol class='hf-phases' aria-label='what it goes through'>{items}</ol>"


def _probe_facts(probed: Probed | None, finished: Finished | None, status: Status) -> list[tuple[str, str]]:
    """Return what the trial steps foretold, and what it came to; while it trains, the time left says it better."""
    if probed is None:
        return []
    memory = []
    if probed.peak_bytes is not None:
        there = f" of {probed.available_bytes / GB:.1f} GB" if probed.available_bytes is not None else ""
        memory = [("peak memory", f"{probed.peak_bytes / GB:.1f} GB{there}")]
    if status.active:
        return memory
    took = f" (it took {format_duration(finished.time - probed.time)})" if finished is not None else ""
    return [("estimate before start:", f"about {format_duration(probed.estimated_seconds)}{took}"), *memory]


def _describe_thinning(event: Thinned) -> str:
    size = f"{event.most_bytes / 1024**2:g} MB"
    return f"From step {event.step:,} on the curves have fewer points: events.jsonl keeps {size} of what is logged."


def _describe_resume(event: Resumed) -> str:
    return " ".join([f"Resumed from the checkpoint of step {event.step:,}.", *event.notes])


def _list_remarks(texts: Sequence[str]) -> str:
    return f"<ul class='hf-remarks'>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>" if texts else ""
