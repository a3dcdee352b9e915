"""The only place that writes HTML; whatever a person, a file or a model supplied is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape
from typing import Any

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.runs import Status
from hfdemo.inference import FilePrediction, Prediction, Stages
from hfdemo.tokenization.encoding import Cell, Encoding
from hfdemo.tokenization.padding import Waste

SHOWN_SLOTS = 256
SHOWN_ROWS = 16
SHOWN_NUMBERS = 48


def escape(value: Any) -> str:
    """`value` as text that can stand in an element or in a quoted attribute."""
    return _escape(str(value), quote=True)


def _code(text: str) -> str:
    """Escaped text in which `...` becomes code."""
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(text.split("`"))
    )


def header(device: str) -> str:
    return (
        "<div class='hf-head'><h1>hfdemo</h1><p>Run a model, see its tokens, fine-tune it.</p>"
        f"<span class='hf-chip' title='The device that models run and train on'>{escape(device)}</span></div>"
    )


def about(text: str) -> str:
    """A panel's explanation; `...` becomes code."""
    return f"<div class='hf-about'>{_code(text)}</div>"


def empty(text: str) -> str:
    """What stands where a result will be."""
    return f"<div class='hf-empty'>{_code(text)}</div>"


def plain(text: str) -> str:
    """A sentence for gradio's own toasts, which draw HTML: `run:<id>` must not become a tag."""
    return _escape(text, quote=False).replace("`", "")


def notes(texts: Iterable[str]) -> str:
    return "".join(f"<div class='hf-note'>{escape(text)}</div>" for text in texts)


def label_bars(labels: Sequence[Mapping[str, Any]]) -> str:
    """[{"label", "score"}, ...] as bars in the order given; raw logits grow left and right of a zero in the middle."""
    widest = max((abs(item["score"]) for item in labels), default=1.0) or 1.0
    shares = all(0 <= item["score"] <= 1 for item in labels)

    def bar(item: Mapping[str, Any]) -> str:
        score = item["score"]
        width = 100 * score if shares else 50 * abs(score) / widest
        start = 0.0 if shares else 50 - width * (score < 0)
        shown = f"{score:.1%}" if shares else f"{score:.3f}"
        return (
            f"<div class='hf-label'><b>{escape(item['label'])}</b>"
            f"<div><i style='width:{width:.2f}%;margin-left:{start:.2f}%'></i></div><span>{shown}</span></div>"
        )

    return f"<div>{''.join(map(bar, labels))}</div>"


def vectors(output: Sequence[Sequence[Sequence[float]]]) -> str:
    """[1, tokens, hidden] as its shape and the first numbers of the first token."""
    rows = output[0]
    first = " ".join(f"{number:+.3f}" for number in rows[0][:SHOWN_NUMBERS])
    more = f" … {len(rows[0]) - SHOWN_NUMBERS} more" if len(rows[0]) > SHOWN_NUMBERS else ""
    return (
        f"<p><b>[{len(output)}, {len(rows)}, {len(rows[0])}]</b> texts × tokens × hidden size. "
        f"The vector of the first token:</p><pre style='white-space:pre-wrap'>{first}{more}</pre>"
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Small print: name and value, side by side."""
    return (
        "<div class='hf-facts'>" + "".join(f"<span>{escape(n)} <b>{escape(v)}</b></span>" for n, v in pairs) + "</div>"
    )


def prediction_facts(prediction: Prediction) -> str:
    """Where the answer came from and what it took."""
    seconds = prediction.seconds
    parts = ("preprocess", "forward", "postprocess")
    took = " + ".join(f"{1000 * seconds[part]:.0f}" for part in parts)
    said = [
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
    return facts([*said, *_card_facts(prediction.card)])


def _card_facts(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("architecture", found["architecture"]),
        ("parameters", f"{found['parameters'] / 1e6:.1f} M"),
        ("memory", f"{found['bytes'] / 2**20:.0f} MB {found['dtype']}"),
        ("weights", found["load_report"]),
    ]


def card(found: Mapping[str, Any], why: str) -> str:
    """A loaded model's card: what it is, how large, where it computes, and what happened to its weights."""
    said = [
        ("task", f"{found['task']}, because {why}"),
        *_card_facts(found),
        ("device", found["device"]),
        ("attention", found["attention"]),
        ("context", f"{found['context']:,} tokens" if found["context"] else "no limit known"),
        ("chat template", "yes" if found["chat_template"] else "no"),
        ("labels", ", ".join(map(str, found["labels"][:12])) + (" …" if len(found["labels"]) > 12 else "")),
    ]
    rows = [(name, value) for name, value in said if value]
    return notes(found["warnings"]) + table(("", found["model"]), rows, wrap=True)


def download(reference: str, size: int | None) -> str:
    """What stands where the answer will be while the model is still on the Hub; `size` in bytes if it is known."""
    if size is None:
        return empty(f"`{reference}` is not on this machine, and the Hub does not answer. Pick another model.")
    return empty(f"`{reference}` is not on this machine yet: Run downloads {size / 1e6:,.0f} MB first.")


def unloaded(found: Mapping[str, Any]) -> str:
    return empty(f"`{found['model']}` was unloaded: {found['bytes'] / 2**20:.0f} MB are free again.")


def link_to(address: str | None) -> str:
    """A link that opens the tab in the state that gave this answer."""
    if address is None:
        return ""
    words = "opens with the same task, model and values."
    return f"<p class='hf-about'><a href='{escape(address)}'>Link to this</a>: {words}</p>"


def gist(output: Any, most: int = 400) -> str:
    """The first words of an answer, whatever its form: its texts, its labels, or its JSON."""
    found = output
    while isinstance(found, list) and found and isinstance(found[-1], list | dict):
        found = found[-1] if isinstance(found[-1], dict) and "role" in found[-1] else found[0]
    if isinstance(found, dict):
        for key, value in found.items():
            if key.endswith("_text") or key in ("text", "answer", "content", "word"):
                return value[:most] if isinstance(value, str) else gist(value, most)
        if "label" in found:
            return f"{found['label']} {found['score']:.3f}" if found.get("score") is not None else str(found["label"])
        if "labels" in found:
            return f"{found['labels'][0]} {found['scores'][0]:.3f}"
    return json.dumps(shortened(output), ensure_ascii=False)[:most]


def shortened(output: Any, most: int = 8) -> Any:
    """Long lists of numbers and long data URLs cut to their beginning: 384 numbers a token are no reading matter."""
    if isinstance(output, str) and output.startswith("data:") and len(output) > 80:
        return f"{output[:60]}… {len(output):,} characters"
    if isinstance(output, list) and len(output) > most and isinstance(output[0], int | float):
        return [*output[:most], f"… {len(output) - most} more"]
    if isinstance(output, list):
        return [shortened(item, most) for item in output]
    if isinstance(output, dict):
        return {key: shortened(item, most) for key, item in output.items()}
    return output


def history(entries: Sequence[Mapping[str, Any]]) -> str:
    """Earlier runs as links that open them again, the newest first."""
    if not entries:
        return empty("Nothing yet. Each run is kept here, in this browser only, with its parameters.")

    def row(entry: Mapping[str, Any]) -> str:
        named = f"{escape(entry['task'])} · {escape(entry['model'])}"
        target = str(entry["link"] or "")
        # Only what this page wrote itself may be followed: the browser's storage is anybody's.
        opens = f"<a href='{escape(target)}'>{named}</a>" if target.startswith("?") else named
        return f"<li>{opens}<span>{escape(str(entry['said'])[:160])}</span></li>"

    return f"<ul class='hf-history'>{''.join(map(row, entries))}</ul>"


def two_sides(left: tuple[str, str], right: tuple[str, str], differs: str) -> str:
    """Two titled answers beside each other, and their difference below."""
    sides = "".join(
        f"<div><div class='hf-row-title'>{letter}: {escape(title)}</div>{drawn}</div>"
        for letter, (title, drawn) in zip("AB", (left, right), strict=True)
    )
    below = f"<div class='hf-row-title'>B against A</div>{differs}" if differs else ""
    return f"<div class='hf-sides'>{sides}</div>{below}"


def counting(done: int, rows: int) -> str:
    """A bar for work that is counted in rows."""
    share = done / rows if rows else 1.0
    return _bar(share) + facts([("", f"{done:,} of {rows:,} rows")])


def file_facts(found: FilePrediction) -> str:
    """What became of a file, and which of its rows were refused."""
    rate = found.predicted / max(found.seconds, 1e-9)
    said = [("rows", f"{found.rows:,}"), ("predicted", f"{found.predicted:,}"), ("refused", f"{len(found.refused):,}")]
    refused = [f"Row {row}: {reason}" for row, reason in found.refused[:20]]
    if len(found.refused) > 20:
        refused.append(f"… and {len(found.refused) - 20} more; the column `error` of the file has them all.")
    stopped = ["Stopped: the rows that were not reached say so in the column `error`."] if found.stopped else []
    return facts([*said, ("took", f"{found.seconds:.1f} s, {rate:.0f} rows a second")]) + notes([*stopped, *refused])


def stages(inside: Stages, seconds: Mapping[str, float]) -> str:
    """The pipeline's three stages: what goes in as tokens or tensors, what comes out, and what becomes of it."""
    cells = [
        Cell(token, number, "special" if special else "token", sequence, None, None, 1)
        for token, number, special, sequence in zip(
            inside.tokens, inside.token_ids, inside.special, inside.sequences, strict=True
        )
    ][:SHOWN_SLOTS]
    if cells:
        arguments = "text, text_pair" if 1 in inside.sequences else "text"
        more = f" The first {SHOWN_SLOTS} are shown." if len(inside.tokens) > SHOWN_SLOTS else ""
        said = f"`tokenizer({arguments})` cuts the text into {len(inside.tokens)} tokens and looks up their ids.{more}"
        strip = _strip(
            [("token", [_token(cell) for cell in cells]), ("input_ids", [_plain(cell.id) for cell in cells])]
        )
        first = _stage("1 · Tokenizer", seconds["preprocess"], said, strip)
    else:
        names = ", ".join(name for name, _ in inside.inputs)
        said = f"The processor turns the file into numbers of the shape that the model was trained on: `{names}`."
        first = _stage("1 · Processor", seconds["preprocess"], said, "")
    second = _stage(
        "2 · Model",
        seconds["forward"],
        "`model(**inputs)` turns tensors into tensors. It knows no labels, only numbers.",
        table(
            ("", "tensor", "shape"),
            [("in", name, list(shape)) for name, shape in inside.inputs]
            + [("out", name, list(shape)) for name, shape in inside.outputs],
        ),
    )
    return first + second + _third_stage(inside, seconds)


def _third_stage(inside: Stages, seconds: Mapping[str, float]) -> str:
    found = inside.explanation
    if found is None:
        said = "The pipeline turns the outputs into the answer: boxes, masks, text or nested lists."
        return _stage("3 · Postprocessing", seconds["postprocess"], said, "")
    columns = list(zip(*found.rows, strict=True))
    numbers = [index for index, cells in enumerate(columns) if all(isinstance(cell, float) for cell in cells)]
    # Logits have a sign, probabilities have none.
    forms = ["+.4f" if index in numbers and min(cells) < 0 else ".4f" for index, cells in enumerate(columns)]
    rows = [
        tuple(f"{cell:{form}}" if isinstance(cell, float) else cell for cell, form in zip(row, forms, strict=True))
        for row in found.rows
    ]
    return _stage("3 · Postprocessing", seconds["postprocess"], found.text, table(found.columns, rows, numbers=numbers))


def _stage(title: str, seconds: float, text: str, body: str) -> str:
    return f"<div class='hf-stage'><h4>{title} · {1000 * seconds:.1f} ms</h4><p>{_code(text)}</p>{body}</div>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = (), *, wrap: bool = False
) -> str:
    def row(cells: Sequence[Any], tag: str) -> str:
        kinds = (" class='hf-number'" if index in numbers else "" for index in range(len(cells)))
        drawn = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    kind = "hf-table hf-wrap" if wrap else "hf-table"
    return f"<div class='hf-scroll'><table class='{kind}'>{row(head, 'th')}{body}</table></div>"


LEGEND = (
    "<div class='hf-legend'><span style='--hf-swatch:var(--hf-first)'>first text</span>"
    "<span style='--hf-swatch:var(--hf-second)'>second text</span>"
    "<span style='--hf-swatch:var(--hf-special)'>special token</span>"
    "<span class='hf-hatched'>padding</span>"
    "<span style='--hf-swatch:transparent'>┃ goes on with the same word</span></div>"
)


def token_rows(encoding: Encoding, waste: Waste) -> str:
    """A batch as the tensors that the model gets: one strip per text, one column per slot."""
    rows = encoding.rows()
    strips = "".join(_text_strip(number, row) for number, row in enumerate(rows[:SHOWN_ROWS], start=1))
    more = f"<p class='hf-about'>… and {len(rows) - SHOWN_ROWS} more rows.</p>" if len(rows) > SHOWN_ROWS else ""
    warnings = notes(f"{warning.message} {warning.fix}" for warning in encoding.warnings)
    widths = sorted({len(row) for row in rows})
    shape = f"[{len(rows)}, {widths[0]}]" if len(widths) == 1 else f"{len(rows)} rows of {widths[0]} to {widths[-1]}"
    ragged = "" if len(widths) == 1 else " These rows are ragged: no tensor can be made of them as they are."
    summary = (
        f"<p>Shape <b>{shape}</b>: {waste.slots:,} slots for {waste.tokens:,} tokens, "
        f"<b>{waste.fraction:.0%}</b> padding.{ragged}</p>"
    )
    return summary + warnings + LEGEND + strips + more


def _text_strip(number: int, row: Sequence[Cell]) -> str:
    shown = row[:SHOWN_SLOTS]
    lines = [
        ("token", [_token(cell, before) for cell, before in zip(shown, [None, *shown], strict=False)]),
        ("input_ids", [_plain(cell.id) for cell in shown]),
    ]
    if any(cell.type_id is not None for cell in shown):
        lines.append(("token_type_ids", [_plain(cell.type_id) for cell in shown]))
    lines.append(("attention_mask", [_plain(cell.attention) for cell in shown]))
    more = f" · the first {SHOWN_SLOTS} of {len(row):,} slots" if len(row) > SHOWN_SLOTS else ""
    real = sum(cell.attention for cell in row)
    return (
        f"<div class='hf-row-title'>Text {number} · {real:,} token{'' if real == 1 else 's'}{more}</div>{_strip(lines)}"
    )


def _strip(lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    rows = "".join(f"<tr><th scope='row'>{name}</th>{''.join(cells)}</tr>" for name, cells in lines)
    return f"<div class='hf-scroll' tabindex='0'><table class='hf-tokens'>{rows}</table></div>"


def _token(cell: Cell, before: Cell | None = None) -> str:
    kinds = ["hf-token"]
    if cell.kind in ("special", "pad"):
        kinds.append(f"hf-{cell.kind}")
    elif cell.sequence == 1:
        kinds.append("hf-second")
    same_word = before is not None and cell.word is not None and cell.word == before.word
    if same_word and before is not None and cell.sequence == before.sequence:
        kinds.append("hf-continued")
    return f"<td class='{' '.join(kinds)}'>{escape(cell.token)}</td>"


def _plain(value: Any) -> str:
    return f"<td>{escape(value)}</td>"


def progress(run_id: str, status: Status, device: str, remarks: Sequence[str] = ()) -> str:
    """One run's state, bar, steps, time left, and what it had to say when it began."""
    share = 1.0 if status.state == "finished" else status.step / status.total_steps if status.total_steps else 0.0
    words = []
    if status.total_steps:
        words.append(f"step {status.step:,} of {status.total_steps:,} · epoch {status.epoch:.1f}")
    if status.eta_seconds is not None:
        words.append(f"about {_duration(status.eta_seconds)} left")
    words.append(_STATE_WORDS[status.state])
    error = notes([status.error]) if status.error else ""
    return (
        f"<div class='hf-run'><b>{escape(run_id)}</b>"
        f"<span class='hf-state hf-{status.state}'>{status.state}</span></div>"
        f"{_bar(share)}"
        f"{facts((('', ' · '.join(filter(None, words))), ('device', device), *(('', each) for each in remarks)))}"
        f"{error}"
    )


def _bar(share: float) -> str:
    return (
        f"<div class='hf-progress' role='progressbar' aria-valuenow='{100 * share:.0f}' aria-valuemin='0' "
        f"aria-valuemax='100'><i style='width:{100 * share:.1f}%'></i></div>"
    )


_STATE_WORDS = {
    "queued": "waiting for the device: another run is training",
    "starting": "loading the libraries, the model and the data",
    "running": "",
    "stopping": "ending after this step",
    "finished": "",
    "stopped": "stopped by hand",
    "failed": "",
    "lost": "",
}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def scores(report: Mapping[str, Any]) -> str:
    """The metrics of a finished run beside what always guessing the most frequent label would get."""
    parts = []
    for split, found in report["metrics"].items():
        baseline = report["baseline"][split]
        f1 = f"f1 of “{report['positive_label']}”" if report["positive_label"] else "f1 (macro)"
        boxes = [("accuracy", found["accuracy"]), (f1, found["f1"]), ("f1 weighted", found["f1_weighted"])]
        boxes.append((f"baseline: always “{baseline['label']}”", baseline["accuracy"]))
        drawn = "".join(f"<div class='hf-score'><span>{escape(n)}</span><b>{v:.3f}</b></div>" for n, v in boxes)
        rows = report["rows"][split]
        parts.append(
            f"<div class='hf-row-title'>{escape(split)} · {rows:,} rows</div><div class='hf-scores'>{drawn}</div>"
        )
    parts.append(facts((("the model that was kept: after step", f"{report['best_step'] or report['steps']}"),)))
    return "".join(parts)


def confusion(report: Mapping[str, Any], split: str = "validation") -> str:
    """The confusion matrix: rows are the true labels, columns the predicted ones; each row's share as its shade."""
    labels, matrix = report["labels"], report["confusion_matrix"][split]
    head = "".join(f"<th class='hf-number'>{escape(label)}</th>" for label in labels)
    rows = []
    for label, counts in zip(labels, matrix, strict=True):
        total = sum(counts) or 1
        cells = "".join(
            f"<td style='background:color-mix(in srgb, var(--hf-bar) {90 * count / total:.0f}%, transparent)"
            f"{';color:#18181b' if count > total / 2 else ''}'>{count}</td>"
            for count in counts
        )
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return (
        "<div class='hf-scroll'><table class='hf-table hf-confusion'>"
        f"<tr><th>true ↓ · predicted →</th>{head}</tr>{''.join(rows)}</table></div>"
    )


def data_summary(rows: int, splits: Mapping[str, int], labels: Mapping[str, int], found: Sequence[Problem]) -> str:
    """What was found in a data set, and what is wrong with it."""
    counted = [("rows", f"{rows:,}"), *((name, f"{count:,}") for name, count in splits.items())]
    if not splits:
        counted.append(("validation", "a fifth of the rows will be held out"))
    classes = ", ".join(f"{name or '(blank)'} × {count:,}" for name, count in list(labels.items())[:12])
    rows_of: dict[tuple[str, str, str], list[str]] = {}
    for problem in found:
        rows_of.setdefault((problem.column, problem.problem, problem.fix), []).append(str(problem.row))
    said = []
    for (column, what, fix), numbers in rows_of.items():
        where = f" (rows {', '.join(numbers[:6])}{' …' if len(numbers) > 6 else ''})" if numbers != ["0"] else ""
        said.append(f"{column + ': ' if column else ''}{what}{where} {fix}")
    return facts([*counted, ("labels", classes or "none found")]) + notes(said)
