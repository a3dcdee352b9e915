"""What a task's panel shows of an answer, as it grows and when it is complete, and of the runs before it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from hfdemo.api import App
from hfdemo.api.error_boundary import catch_errors
from hfdemo.inference import (
    SPEECH_RATE,
    FilePrediction,
    FileRows,
    LoadProgress,
    PartialPrediction,
    Prediction,
    stream_prediction,
)
from hfdemo.inference.snippets import RecordedCall
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import Task
from hfdemo.ui.deep_links import write_run_query, write_tokens_query
from hfdemo.ui.event_handling import RunningJobs
from hfdemo.ui.html import escape, facts, notes, placeholder, progress_bar, table, with_title
from hfdemo.ui.read_options import render_reading
from hfdemo.ui.renderers import RENDERERS, generated_text, render_prediction
from hfdemo.ui.tabs.run.stages_view import NO_STAGES, render_stages


def stream_answer_parts(
    app: App,
    task: Task,
    reference: str,
    values: Mapping[str, Any],
    running: RunningJobs,
    session: str | None,
    *,
    dtype: str = "auto",
    attention: str | None = None,
    raw_prompt: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield what the panel of `task` shows while a model answers, by the names of its parts; the last has "done".

    "answer", "inside" and "odds" are HTML, "raw" is JSON, "recorded" what code is written from, "entry" what the
    history keeps, "done" the Prediction. Whatever fails is said in "answer". Once the page has begun something newer,
    nothing more comes.
    """
    stop = running.begin(session)
    steps = catch_errors(_stream_steps, _render_failure)
    for step in steps(app, task, reference, values, stop, dtype=dtype, attention=attention, raw_prompt=raw_prompt):
        if not running.is_current(session, stop):
            return
        yield step


def _stream_steps(
    app: App,
    task: Task,
    reference: str,
    values: Mapping[str, Any],
    stop: Event,
    *,
    dtype: str,
    attention: str | None,
    raw_prompt: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the steps of `stream_answer_parts`; raises what fails."""
    began = time.perf_counter()
    ref = ModelRef.parse(reference or task.default_model)
    wanted = _add_user_turn(app, task, ref, dict(values), raw_prompt=raw_prompt)
    for item in stream_prediction(app.engine, task, ref, wanted, stop, dtype=dtype, attention=attention):
        if isinstance(item, Prediction):
            yield _render_answer(task, item, wanted, reference or task.default_model)
        elif isinstance(item, LoadProgress):
            yield {"answer": render_loading(reference, item)}
        elif isinstance(item, PartialPrediction):
            yield {
                "answer": _render_partial(task, item, wanted, time.perf_counter() - began),
                "odds": generated_text.render_token_probabilities([vars(step) for step in item.token_probabilities]),
            }
        else:
            yield {}


def _render_failure(sentence: str) -> dict[str, Any]:
    """Return what the panel shows of a failure: an old answer beside it would look like its result."""
    return {
        "answer": notes([sentence]),
        "inside": placeholder(NO_STAGES),
        "raw": "",
        "recorded": None,
    }


def _render_answer(task: Task, done: Prediction, values: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return what the panel shows of a complete answer."""
    address = write_run_query(task, model, values)
    probabilities = placeholder("No token probabilities: nothing was generated, or by several beams at once.")
    if done.token_probabilities:
        probabilities = generated_text.render_token_probabilities([vars(step) for step in done.token_probabilities])
    return {
        "answer": render_prediction(task.output, done)
        + render_provenance(done, address, _link_tokens(task, done, model)),
        "inside": render_stages(done.stages, done.seconds),
        "odds": probabilities,
        "raw": json.dumps(shorten_output(done.output), indent=2, ensure_ascii=False),
        "recorded": RecordedCall.of(task, done, values),
        "entry": _make_history_entry(task, done, values, address),
        "done": done,
    }


def _add_user_turn(app: App, task: Task, ref: ModelRef, values: dict[str, Any], *, raw_prompt: bool) -> dict[str, Any]:
    """Return `values` with the text as the next turn, where the task takes messages and the model has a template."""
    names = [field.name for field in task.inputs if field.kind == "messages"]
    if not names:
        return values
    past = values.pop(names[0], [])
    if raw_prompt or not values.get("text"):
        return values
    if not app.engine.call(ModelCache.has_chat_template, app.models, ref):
        return values
    said = {"role": "user", "content": values.pop("text")}
    return {**values, names[0]: [*past, said]}


def _render_partial(task: Task, item: PartialPrediction, values: Mapping[str, Any], seconds: float) -> str:
    drawn = RENDERERS[task.output](item.result, {**values, "sampling_rate": SPEECH_RATE})
    return drawn + facts([("", f"{seconds:.1f} s so far")])


def _make_history_entry(task: Task, done: Prediction, values: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    """Return what the browser keeps of an answer."""
    asked = next((str(values[each.name]) for each in task.inputs if not each.is_media and values.get(each.name)), "")
    chosen = ((each.name, values.get(each.name, each.default), each.default) for each in task.parameters)
    return {
        "task": task.title,
        "model": done.model,
        "link": address,
        "set": ", ".join(f"{name}={value}" for name, value, default in chosen if value not in ("", default)),
        "asked": asked[:100] or "a file, which the link does not bring back",
        "said": summarize_output(done.output)[:160],
    }


def render_provenance(prediction: Prediction, address: str | None, tokens: str | None) -> str:
    """Draw the quiet line below an answer: how long it took and where, which unfolds the rest, and links.

    `address` opens the tab in the state that gave this answer, `tokens` See the tokens with its texts.
    """
    took = f"{format_seconds(prediction.seconds['run'])} · {escape(prediction.device.partition(',')[0])}"
    return (
        f"<div class='hf-took'><details><summary>{took} · <u>details</u></summary>"
        f"{_render_prediction_facts(prediction)}</details>{render_links(address, tokens)}</div>"
    )


def format_seconds(seconds: float) -> str:
    """Write how long an answer took as a person reads it: in milliseconds below a second."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _render_prediction_facts(prediction: Prediction) -> str:
    """Show where the answer came from and what it took."""
    seconds = prediction.seconds
    parts = ("preprocess", "forward", "postprocess")
    took = " + ".join(f"{1000 * seconds[part]:.0f}" for part in parts)
    said: list[tuple[str, Any]] = [
        ("model", prediction.model),
        ("load", f"{seconds['load']:.2f} s" if seconds["load"] else "already loaded"),
        ("run", f"{1000 * seconds['run']:.0f} ms"),
        ("preprocess + forward + postprocess", f"{took} ms"),
        ("device", prediction.device),
    ]
    if prediction.tokens:
        rate = prediction.tokens / max(seconds["forward"], 1e-9)
        said.append(("generated", f"{prediction.tokens:,} tokens, {rate:.1f} a second"))
    if prediction.seed is not None:
        said.append(("seed", prediction.seed))
    if prediction.together > 1:
        said.append(("batch", f"shared with {prediction.together - 1} other calls"))
    return facts([*said, *_list_card_facts(prediction.card)])


def _list_card_facts(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("architecture", found["architecture"]),
        ("parameters", _format_count(found["parameters"])),
        ("memory", f"{_format_megabytes(found['bytes'])} {found['dtype']}"),
        ("weights", found["load_report"]),
    ]


def render_card(found: Mapping[str, Any], why: str) -> str:
    """Draw a loaded model's card: what it is, how large, where it computes, and what happened to its weights."""
    said = [
        ("task", f"{found['task']}, because {why}"),
        *_list_card_facts(found),
        ("device", found["device"]),
        ("attention", found["attention"]),
        ("context", f"{found['context']:,} tokens" if found["context"] else "no limit known"),
        ("chat template", "yes" if found["chat_template"] else "no"),
        ("labels", ", ".join(map(str, found["labels"][:12])) + (" …" if len(found["labels"]) > 12 else "")),
    ]
    rows = [(name, value) for name, value in said if value]
    return notes(found["warnings"]) + table(("", found["model"]), rows, wrap=True)


def render_linked_model(reference: str) -> str:
    """Say what stands where the answer will be while nobody here has asked for the model that an address names."""
    return placeholder(
        f"The address of this page names the model `{reference}`. Nothing of it has been read yet. "
        "If you know where the address comes from, press Run."
    )


def render_download_notice(reference: str, size: int) -> str:
    """Say what stands where the answer will be while the model is still on the Hub; `size` in bytes."""
    return placeholder(f"`{reference}` is not on this machine yet: Run downloads {_format_megabytes(size)} first.")


def render_loading(reference: str, state: LoadProgress) -> str:
    """Draw a bar while a model's files come in or its weights are read."""
    done = state.done / state.total if state.total else 0.0
    return f"<p>{escape(state.what)} <code>{escape(reference)}</code></p>{progress_bar(done)}" + facts(
        [("", f"{_format_megabytes(state.done)} of {_format_megabytes(state.total)}")]
    )


def _format_count(number: int) -> str:
    """Return a count of parameters, in thousands or millions."""
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number / 1e3:,.0f} k"


def _format_megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:,.2f} MB"


def render_unloaded(found: Mapping[str, Any]) -> str:
    return placeholder(f"`{found['model']}` was unloaded: {found['bytes'] / 2**20:.0f} MB are free again.")


def _link_tokens(task: Task, done: Prediction, model: str) -> str | None:
    """Return the query that opens See the tokens with what the model's tokenizer read; None where it read no text."""
    texts = task.tokenized_texts(done.inputs, done.parameters) if "tokenizer" in task.processors else ()
    if not texts:
        return None
    return write_tokens_query("text", {"tokenizer": model, **dict(zip(("text", "text_pair"), texts, strict=False))})


def render_links(address: str | None, tokens: str | None) -> str:
    """Return a link that opens the tab in the state that gave this answer, and one to its tokens, where there are."""
    links = {
        "Link to this": (address, "opens with the same task, model and values"),
        "See its tokens": (tokens, "the same text and tokenizer in the next tab"),
    }
    drawn = [
        f"<a href='{escape(query)}' title='{says}'>{words}</a>"
        for words, (query, says) in links.items()
        if query is not None
    ]
    return f"<p class='hf-links'>{''.join(drawn)}</p>" if drawn else ""


def summarize_output(output: Any, most: int = 400) -> str:
    """Return the first words of an answer, whatever its form: its texts, its labels, or its JSON."""
    found = output
    while isinstance(found, list) and found and isinstance(found[-1], list | dict):
        found = found[-1] if isinstance(found[-1], dict) and "role" in found[-1] else found[0]
    if isinstance(found, dict):
        for key, value in found.items():
            if key.endswith("_text") or key in ("text", "answer", "content", "word"):
                return value[:most] if isinstance(value, str) else summarize_output(value, most)
        if "label" in found:
            return f"{found['label']} {found['score']:.3f}" if found.get("score") is not None else str(found["label"])
        if "labels" in found:
            return f"{found['labels'][0]} {found['scores'][0]:.3f}"
    return json.dumps(shorten_output(output), ensure_ascii=False)[:most]


def shorten_output(output: Any, most: int = 8) -> Any:
    """Cut long lists of numbers and long data URLs to their beginning: 384 numbers a token are no reading matter."""
    if isinstance(output, str) and output.startswith("data:") and len(output) > 80:
        return f"{output[:60]}… {len(output):,} characters"
    if isinstance(output, list) and len(output) > most and isinstance(output[0], int | float):
        return [*output[:most], f"… {len(output) - most} more"]
    if isinstance(output, list):
        return [shorten_output(item, most) for item in output]
    if isinstance(output, dict):
        return {key: shorten_output(item, most) for key, item in output.items()}
    return output


def render_history(entries: Sequence[Mapping[str, Any]]) -> str:
    """Draw earlier runs as links that open them again, the newest first."""
    if not entries:
        return placeholder("Nothing yet. Each run is kept here, in this browser only, with its parameters.")

    def row(entry: Mapping[str, Any]) -> str:
        named = f"{escape(entry['task'])} · {escape(entry['model'])}"
        target = str(entry.get("link") or "")
        # Only what this page wrote itself may be followed: the browser's storage is anybody's.
        opens = f"<a href='{escape(target)}'>{named}</a>" if target.startswith("?") else named
        chosen = f"<code>{escape(entry['set'])}</code>" if entry.get("set") else ""
        asked = f"<span>{escape(entry.get('asked', ''))}</span>"
        return f"<li>{opens}{chosen}{asked}<span>→ {escape(str(entry.get('said', ''))[:160])}</span></li>"

    whole = [each for each in entries if isinstance(each, dict) and {"task", "model"} <= set(each)]
    return f"<ul class='hf-history'>{''.join(map(row, whole))}</ul>"


def render_two_sides(left: tuple[str, str], right: tuple[str, str], differs: str) -> str:
    """Draw two titled answers beside each other, and their difference below."""
    sides = "".join(
        f"<div>{with_title(f'{letter}: {title}', drawn)}</div>"
        for letter, (title, drawn) in zip("AB", (left, right), strict=True)
    )
    below = with_title("B against A", differs) if differs else ""
    return f"<div class='hf-sides'>{sides}</div>{below}"


def render_row_progress(done: int, rows: int) -> str:
    """Draw a bar for work that is counted in rows."""
    return progress_bar(done / rows if rows else 0.0) + facts(
        [("", f"{done:,} of {rows:,} rows" if rows else "reading …")]
    )


def render_file_reading(read: FileRows) -> str:
    """Say how a file was read, and which of its rows can't be."""
    lost = [f"Row {row + 1}: {reason}" for row, reason in [*read.lost.items()][:20]]
    if len(read.lost) > 20:
        lost.append(f"… and {len(read.lost) - 20} more.")
    return render_reading(len(read.table), list(read.table.columns), read.reading, [*read.doubts, *lost])


def render_file_facts(found: FilePrediction) -> str:
    """Say what became of a file, and which of its rows were refused."""
    rate = found.predicted / max(found.seconds, 1e-9)
    said = [("rows", f"{found.rows:,}"), ("predicted", f"{found.predicted:,}"), ("refused", f"{len(found.refused):,}")]
    refused = [f"Row {row}: {reason}" for row, reason in found.refused[:20]]
    if len(found.refused) > 20:
        refused.append(f"… and {len(found.refused) - 20} more; the column `error` of the file has them all.")
    stopped = ["Stopped: the rows that were not reached say so in the column `error`."] if found.stopped else []
    return facts([*said, ("took", f"{found.seconds:.1f} s, {rate:.0f} rows a second")]) + notes(
        [*stopped, *found.warnings, *refused]
    )
