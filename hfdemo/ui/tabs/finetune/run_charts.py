"""A run's events -> its charts, and the HTML of how far it is and how fast it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
from hfdemo.ui.html import escape, facts, notes, progress_bar
from hfdemo.ui.line_chart import LineChart, Point, Series

# More points than pixels cost time and show nothing.
MOST_POINTS = 400
GB = 1024**3
# What is logged with each step besides the loss: the title of its chart, the name of its axis, and its unit.
LOGGED: Mapping[str, tuple[str, str, float]] = {
    "learning_rate": ("Learning rate", "Learning rate", 1.0),
    "grad_norm": ("Gradient norm", "Norm before clipping", 1.0),
    "tokens_per_second": ("Speed in tokens", "Tokens per second, unpadded", 1.0),
    "samples_per_second": ("Speed in rows", "Rows per second", 1.0),
    "waste": ("Padding", "Share of padding", 1.0),
    "memory_bytes": ("Memory", "Memory held (GB)", GB),
}


def make_loss_chart(events: Sequence[Event], best: Point | None = None) -> LineChart:
    """Return the loss of training and of the validation split."""
    timed = _time_events(events)
    lines = [
        Series("train", [_at(event, seconds, event.loss) for event, seconds in _sample_steps(timed)]),
        Series("validation", _list_scores(timed, "loss"), is_measured=True),
    ]
    return LineChart("loss", "Loss", "Loss", [line for line in lines if line.points], best=best)


def make_metrics_chart(events: Sequence[Event], titles: Mapping[str, str], best: Point | None = None) -> LineChart:
    """Return the metrics in `titles` on the validation split, each called by its title."""
    timed = _time_events(events)
    lines = [Series(title, _list_scores(timed, name), is_measured=True) for name, title in titles.items()]
    limits = find_axis_limits(list(titles))
    words = "Score (0 to 1)" if limits else "Value"
    return LineChart("metrics", "Metrics on validation", words, [line for line in lines if line.points], limits, best)


def make_logged_charts(events: Sequence[Event], best: Point | None = None) -> list[LineChart]:
    """Return a chart for each number in LOGGED, without the steps that lack it."""
    timed, charts = _sample_steps(_time_events(events)), []
    for name, (title, axis, unit) in LOGGED.items():
        known = [(event, seconds, getattr(event, name)) for event, seconds in timed]
        points = [_at(event, seconds, value / unit) for event, seconds, value in known if value is not None]
        charts.append(LineChart(name, title, axis, [Series(title, points)] if points else [], best=best))
    return charts


def make_overlay_chart(runs: Mapping[str, Sequence[Event]], name: str, title: str) -> LineChart:
    """Return one metric (or the loss) of several runs on the validation split."""
    lines = [Series(run, _list_scores(_time_events(events), name), is_measured=True) for run, events in runs.items()]
    limits = find_axis_limits([name])
    words = "Loss" if name == "loss" else "Score (0 to 1)" if limits else "Value"
    return LineChart(name, title, words, [line for line in lines if line.points], limits)


def find_best(events: Sequence[Event], name: str, greater: bool) -> Point | None:
    """Return the evaluation after which the model was best by a metric; None where there is no choice.

    That before training is none of them: there is no checkpoint of it.
    """
    found = [point for point in _list_scores(_time_events(events), name) if point.step > 0]
    if len(found) < 2:
        return None
    return (max if greater else min)(found, key=lambda point: point.value)


def list_metric_names(events: Sequence[Event]) -> list[str]:
    """Return what the validation split was judged by, in the order of the events; the loss has a chart of its own."""
    names = dict.fromkeys(name for event in _list_validations(valid(events)) for name in event.metrics)
    return [name for name in names if name != "loss"]


def find_axis_limits(names: Sequence[str]) -> tuple[float, float] | None:
    """Return the ends of the axis for these metrics; None where the values decide."""
    return (0.0, 1.0) if names and all(name in UNIT_METRICS for name in names) else None


_Timed = list[tuple[Event, float]]


def _time_events(events: Sequence[Event]) -> _Timed:
    """Return the events that count with the seconds since training began, without those in which the run lay still."""
    counted = valid(events)
    began = next((event.time for event in counted if isinstance(event, Started)), counted[0].time if counted else 0.0)
    found, pause, before = [], 0.0, began
    for event in counted:
        if isinstance(event, Resumed):
            pause += event.time - before
        before = event.time
        found.append((event, max(0.0, event.time - began - pause)))
    return found


def _at(event: Event, seconds: float, value: float) -> Point:
    return Point(event.step, round(getattr(event, "epoch", 0.0), 3), seconds, value)


def _list_scores(timed: _Timed, name: str) -> list[Point]:
    when = {id(event): seconds for event, seconds in timed}
    return [
        _at(event, when[id(event)], event.metrics[name])
        for event in _list_validations(event for event, _ in timed)
        if event.metrics.get(name) is not None
    ]


def _sample_steps(timed: _Timed) -> list[tuple[StepLogged, float]]:
    """Return at most MOST_POINTS, evenly chosen, the last one among them; while a run goes on they stay the same, but
    that every other one is left out now and then."""
    found = [(event, seconds) for event, seconds in timed if isinstance(event, StepLogged)]
    every = 1
    while len(found) > every * (MOST_POINTS - 1):
        every *= 2
    return found[::every] + (found[-1:] if (len(found) - 1) % every else [])


def _list_validations(events: Iterable[Event]) -> list[Evaluated]:
    """Return one evaluation per step: the last one repeats the best epoch for the report, off the curve."""
    seen: dict[int, Evaluated] = {}
    for event in events:
        if isinstance(event, Evaluated) and event.split == "validation":
            seen.setdefault(event.step, event)
    return list(seen.values())


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
    done = status.step / status.total_steps if status.total_steps else 0.0
    # That of one that has ended is its result.
    error = notes([status.error]) if status.error and status.active else ""
    resumed = [_describe_resume(event) for event in events if isinstance(event, Resumed)]
    thinned = [_describe_thinning(event) for event in events if isinstance(event, Thinned)]
    stopped = [note for event in events if isinstance(event, Stopped | Finished) for note in event.notes]
    words = " · ".join(_progress_words(status))
    told = facts([*_size_facts(started, device), *_speed_facts(step), *_probe_facts(probed, whole, status)])
    told += _list_remarks(started.notes if started else ())
    if status.state == "finished":  # what counts now is what came of it
        went = f"<details class='hf-fold'><summary>How it went: {escape(words)}</summary>{told}</details>"
    else:
        went = f"{_render_phases(status)}{progress_bar(done)}{facts([('', words)])}{told}"
    return (
        f"<div class='hf-run'><b>{escape(run_id)}</b>"
        f"<span class='hf-state hf-{status.state}'>{status.state}</span></div>{headline}{went}"
        f"{notes(resumed)}{notes(thinned)}{notes(stopped)}{error}"
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
        ("padding", None if step.waste is None else f"{step.waste:.0%} of the positions"),
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
