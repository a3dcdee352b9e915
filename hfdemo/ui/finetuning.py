"""The tab Fine-tune: data -> settings -> a run that is watched live, and used at once when it has finished."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from hfdemo.api import LIGHT, Endpoints, at_the_edge, uploaded_path
from hfdemo.corpora import EXAMPLE_NAMES, read_tables
from hfdemo.devices import find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import METHODS, RunConfig
from hfdemo.finetuning.dataset import Mapped, inspect, prepare, suggest
from hfdemo.finetuning.events import Event, Started
from hfdemo.finetuning.runs import Run
from hfdemo.models.sources import offline_choices
from hfdemo.tokenization.padding import TRAINABLE
from hfdemo.ui import charts, html, training
from hfdemo.ui.panel import RUN_BUTTON
from hfdemo.ui.tokens.dataset import Chosen
from hfdemo.ui.tokens.reading import reader_of

ABOUT = (
    "A checkpoint and labelled rows in, a classifier out: `Dataset.map(tokenize, batched=True)`, "
    "`DataCollatorWithPadding` for dynamic padding, `Trainer(model, args, ...).train()`, evaluated with `evaluate`. "
    "Training runs in a process of its own: close the tab, come back, it is still there."
)
NO_COLUMN = "(none)"
RUN_PANEL = "the-run"
NO_RUN = "No run yet. Pick data on the left and press Start: loss and metrics will appear here as it learns."
WATCH_SECONDS = 1.0


def build(
    endpoints: Endpoints, demo: gr.Blocks, task: gr.Dropdown, model: gr.Dropdown, tabs: gr.Tabs, chosen: Chosen
) -> None:
    """Lay the tab out; `task` and `model` are the first tab's, which a finished run can be sent to, and `chosen` is
    what the second tab sends here."""
    gr.HTML(html.about(ABOUT))
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            start, chosen_run_inputs = _form(endpoints, tabs, chosen)
        with gr.Column(scale=7, min_width=320):
            run = _watch(endpoints, demo, task, model, tabs)

    def begin(*values: Any) -> Any:
        file, dataset, text, pair, label, split, base, method, epochs, batch, rate, padding, length, more = values
        path = uploaded_path(file)
        config = RunConfig.from_json(
            {
                "dataset": path.stem if path else dataset,
                "model": base,
                "text_column": text,
                "text_pair_column": _column(pair),
                "label_column": label,
                "split_column": _column(split),
                "method": method,
                "padding": padding,
                "max_length": int(length) if length else None,
                "training": _training(epochs, batch, rate, more),
            }
        )
        begun = endpoints.runs.start(endpoints.runs.create(config, path))
        return gr.update(choices=_run_choices(endpoints), value=begun.id)

    start.click(at_the_edge(begin, html.plain), chosen_run_inputs, run, api_visibility="private", **LIGHT).success(
        fn=None, js=f"() => document.getElementById('{RUN_PANEL}')?.scrollIntoView({{behavior: 'smooth'}})"
    )


def _form(endpoints: Endpoints, tabs: gr.Tabs, chosen: Chosen) -> tuple[gr.Button, list[Any]]:
    """Data, columns, model and training values; returns the Start button and what it sends."""
    first = EXAMPLE_NAMES[0]
    table = _whole(endpoints, None, first)
    mapped = suggest(table)
    assert mapped is not None
    columns = list(table.columns)
    gr.Markdown("### 1 · Data")
    dataset = gr.Dropdown(list(EXAMPLE_NAMES), value=first, label="Example data", info="or upload your own below")
    file = gr.File(label="Your own CSV, with a header line", file_types=[".csv", ".tsv", ".txt"], height=150)
    summary = gr.HTML(_summary(endpoints, None, first))
    with gr.Row():
        text = gr.Dropdown(columns, value=mapped.text_column, label="Text column", min_width=140)
        pair = gr.Dropdown([NO_COLUMN, *columns], value=NO_COLUMN, label="Second text column", min_width=140)
    with gr.Row():
        label = gr.Dropdown(columns, value=mapped.label_column, label="Label column", min_width=140)
        split = gr.Dropdown(
            [NO_COLUMN, *columns], value=mapped.split_column or NO_COLUMN, label="Split column", min_width=140
        )
    with gr.Accordion("The first rows", open=False):
        preview = gr.Dataframe(table.head(8), interactive=False, wrap=True, show_label=False)
    gr.Markdown("### 2 · Model and training")
    base = gr.Dropdown(
        _base_choices(endpoints),
        value="embedded:minilm",
        label="Base model",
        info="any reference that Run a model takes",
        allow_custom_value=True,
    )
    method = gr.Radio(
        [("all weights", "full"), ("LoRA: a small adapter", "lora"), ("head only", "frozen")],
        value=METHODS[0],
        label="What is trained",
    )
    given = _defaults(METHODS[0], inspect({"": table}).train_rows)
    with gr.Row():
        epochs = gr.Number(given["num_train_epochs"], label="Epochs", precision=2, minimum=0, min_width=90)
        batch = gr.Number(
            given["per_device_train_batch_size"], label="Batch size", precision=0, minimum=1, min_width=90
        )
        rate = gr.Number(given["learning_rate"], label="Learning rate", minimum=0, min_width=90)
    with gr.Accordion("More", open=False) as fold:
        padding = gr.Dropdown(list(TRAINABLE), value=TRAINABLE[0], label="Padding")
        length = gr.Number(0, label="max_length", info="tokens kept per row; 0: the model's limit", precision=0)
        more = gr.Textbox(
            label="TrainingArguments",
            info='any other field, as JSON: {"seed": 7, "gradient_accumulation_steps": 2}',
            lines=2,
        )
    start = gr.Button("Start", variant="primary")

    def look(file: Any, dataset: str, method: Any) -> tuple[Any, ...]:
        """A data set has been chosen: guess its columns, or say what is wrong with it and leave nothing of the last."""
        try:
            table = _whole(endpoints, file, dataset)
        except DemoError as error:
            nothing = gr.update(choices=[], value=None)
            return html.notes([str(error)]), nothing, nothing, nothing, nothing, None, gr.skip()
        guess = suggest(table) or Mapped("", "")
        names = list(table.columns)
        optional = [NO_COLUMN, *names]
        return (
            _summary(endpoints, file, dataset, guess),
            gr.update(choices=names, value=guess.text_column or None),
            gr.update(choices=optional, value=guess.text_pair_column or NO_COLUMN),
            gr.update(choices=names, value=guess.label_column or None),
            gr.update(choices=optional, value=guess.split_column or NO_COLUMN),
            table.head(8),
            _defaults(method, inspect({"": table}).train_rows)["num_train_epochs"],
        )

    def look_again(file: Any, dataset: str, text: str, pair: str, label: str, split: str) -> str:
        """Another column has been picked: count its labels, and say now what Start would refuse."""
        return _summary(
            endpoints, file, dataset, Mapped(text or "", label or "", _column(pair) or None, _column(split) or None)
        )

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **LIGHT}
    looked = [summary, text, pair, label, split, preview, epochs]
    # An example that is picked takes the place of an uploaded file, and an uploaded file that of the example.
    dataset.input(lambda: None, outputs=file, **quiet).then(look, [file, dataset, method], looked, **quiet)
    gr.on([file.upload, file.clear], look, [file, dataset, method], looked, **quiet)

    def take(
        file: Any, dataset: str, tokenizer: str, read_by: str, padding: str, length: int | None, batch: int
    ) -> tuple[Any, ...]:
        """What the tab See the tokens sends: its data, its model where it has one, and the setting that it found."""
        reader = reader_of(tokenizer, read_by)
        return (
            file,
            dataset if dataset in EXAMPLE_NAMES else gr.skip(),
            gr.skip() if reader.source == "tokenizer" else str(reader),
            padding,
            length or 0,
            batch,
            gr.Accordion(open=True),
            gr.Tabs(selected="finetune"),
        )

    sent = [chosen.file, chosen.dataset, chosen.tokenizer, chosen.model]
    sent += [chosen.padding, chosen.max_length, chosen.batch_size]
    taken = [file, dataset, base, padding, length, batch, fold, tabs]
    chosen.button.click(at_the_edge(take, html.plain), sent, taken, **quiet).then(
        look, [file, dataset, method], looked, **quiet
    ).then(lambda *columns: columns, [chosen.text, chosen.pair], [text, pair], **quiet)
    columns_of_data = [text, pair, label, split]
    gr.on([each.input for each in columns_of_data], look_again, [file, dataset, *columns_of_data], summary, **quiet)
    base.focus(
        lambda: gr.update(choices=_base_choices(endpoints)),
        outputs=base,
        show_progress="hidden",
        api_visibility="private",
        **LIGHT,
    )
    method.change(lambda method: _defaults(method, 1)["learning_rate"], method, rate, api_visibility="private")
    return start, [file, dataset, text, pair, label, split, base, method, epochs, batch, rate, padding, length, more]


def _watch(endpoints: Endpoints, demo: gr.Blocks, task: gr.Dropdown, model: gr.Dropdown, tabs: gr.Tabs) -> gr.Dropdown:
    """The chosen run: progress, charts, results; returns the dropdown that chooses it."""
    run = gr.Dropdown(
        [], label="Run", info="every run is kept until you delete it", interactive=True, elem_id=RUN_PANEL
    )
    state = gr.HTML(html.empty(NO_RUN))
    with gr.Row():
        use = gr.Button("Use it in Run a model", interactive=False, size="md", min_width=170)
        stop = gr.Button("Stop, keep model", interactive=False, size="md", min_width=130)
        delete = gr.Button("Delete", interactive=False, variant="stop", size="md", min_width=80)
    # Mounted with their first rows: a chart that was drawn empty once stays without lines.
    with gr.Row():
        loss = gr.LinePlot(
            charts.loss_table([]),
            x="step",
            y="loss",
            color="split",
            color_map={"train": "#a1a1aa", "validation": "#f59e0b"},
            title="Loss",
            height=230,
            min_width=280,
            visible=False,
        )
        curve = gr.LinePlot(
            charts.metrics_table([]),
            x="epoch",
            y="value",
            y_title=" ",
            color="metric",
            color_map={"accuracy": "#f59e0b", "f1": "#0ea5e9"},
            title="Accuracy and F1 on validation",
            y_lim=[0, 1],
            height=230,
            min_width=280,
            visible=False,
        )
    result = gr.HTML()
    with gr.Accordion("Where it is wrong", open=False):
        wrong = gr.Dataframe(interactive=False, wrap=True, label="Validation rows, the most confident mistakes first")
    with gr.Accordion("Code, config and log", open=False):
        code = gr.Code(language="python", label="train.py: the same run without this app", lines=1, max_lines=24)
        config = gr.Code(language="json", label="config.json", lines=1, max_lines=24)
        log = gr.Textbox(label="The end of log.txt", lines=4, max_lines=12, interactive=False)
    shown = gr.State("")
    timer = gr.Timer(WATCH_SECONDS)

    def refresh(run_id: str | None, shown: str) -> tuple[Any, ...]:
        """Everything that shows the run; components whose content did not change are left alone."""
        runs = endpoints.runs.list()
        found = next((run for run in runs if run.id == run_id), None)
        if found is None:  # nothing chosen yet, or deleted from another page: turn to the newest there is
            newest_one = runs[0].id if runs else None
            changed = run_id is not None or newest_one is not None
            none_left = gr.update(choices=_run_choices(endpoints), value=newest_one) if changed else gr.skip()
            buttons = [gr.update(interactive=False)] * 3
            hidden = gr.update(visible=False)
            return (none_left, html.empty(NO_RUN), *buttons, hidden, hidden, "", None, "", "", "", "")
        events = found.events()
        status = found.status(events)
        stamp = f"{found.id} {status.state} {len(events)} {len(runs)}"
        if stamp == shown:
            return tuple([gr.skip()] * 13)
        has_model = (found.folder / "model" / "config.json").is_file() and not status.active
        report = found.report() if has_model and (found.folder / "report.json").is_file() else None
        same_list = shown.endswith(f" {len(runs)}") and f" {status.state} " in shown
        same_state = f"{found.id} {status.state}" == " ".join(shown.split()[:2])
        return (
            gr.skip() if same_list else gr.update(choices=_run_choices(endpoints)),
            training.progress(found.id, status, *_beginning(events)),
            gr.update(interactive=status.active),
            gr.update(interactive=has_model, variant="primary" if has_model else "secondary"),
            gr.update(interactive=not status.active),
            _chart(charts.loss_table(events)),
            _chart(charts.metrics_table(events)),
            "" if report is None else training.scores(report) + training.confusion(report),
            gr.skip() if same_state else _errors(found) if report else None,
            found.script(),
            json.dumps(found.config.to_json(), indent=2, ensure_ascii=False),
            found.log_tail(2000),
            stamp,
        )

    outputs = [run, state, stop, use, delete, loss, curve, result, wrong, code, config, log, shown]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **LIGHT}
    gr.on([timer.tick, run.change], at_the_edge(refresh, html.plain), [run, shown], outputs, **quiet)

    def newest(run_id: str | None) -> Any:
        choices = _run_choices(endpoints)
        return gr.update(choices=choices, value=run_id or (choices[0][1] if choices else None))

    demo.load(newest, run, run, **quiet)

    def ask_to_stop(run_id: str) -> str:
        endpoints.runs.get(run_id).stop(keep=True)
        return ""

    stop.click(at_the_edge(ask_to_stop, html.plain), run, shown, api_visibility="private", **LIGHT)

    def remove(run_id: str | None) -> Any:
        if run_id is None:  # they changed their mind
            return gr.skip()
        endpoints.delete_run(run_id)
        choices = _run_choices(endpoints)
        return gr.update(choices=choices, value=choices[0][1] if choices else None)

    delete.click(
        at_the_edge(remove, html.plain),
        run,
        run,
        js="(run) => confirm(`Delete ${run} and its model for good?`) ? run : null",
        api_visibility="private",
        **LIGHT,
    )

    def send(run_id: str) -> tuple[Any, ...]:
        reference = f"run:{run_id}"
        chosen = endpoints.runs.get(run_id).config.task
        choices = list(dict.fromkeys([reference, *offline_choices(endpoints.settings)]))
        return chosen, gr.update(choices=choices, value=reference), gr.Tabs(selected="run")

    use.click(at_the_edge(send, html.plain), run, [task, model, tabs], api_visibility="private", **LIGHT).success(
        fn=None, js=f"() => setTimeout(() => document.getElementById('{RUN_BUTTON}')?.click(), 500)"
    )
    return run


def _whole(endpoints: Endpoints, file: Any, dataset: str) -> pd.DataFrame:
    return pd.concat(read_tables(dataset, endpoints.settings, uploaded_path(file)).values(), ignore_index=True)


def _summary(endpoints: Endpoints, file: Any, dataset: str, mapped: Mapped | None = None) -> str:
    """What is in the data, by the columns that were picked, and the sentence with which Start would refuse it."""
    try:
        tables = read_tables(dataset, endpoints.settings, uploaded_path(file))
        found = inspect(tables, mapped)
        drawn = training.data_summary(found.rows, found.splits, found.labels, found.problems)
        if mapped is None or not (mapped.text_column and mapped.label_column):
            return drawn
        columns: dict[str, Any] = {name: column or "" for name, column in asdict(mapped).items()}
        try:
            prepare(RunConfig(dataset or "upload", **columns), tables)
        except DemoError as error:
            return drawn + html.notes([str(error)])
        return drawn
    except DemoError as error:
        return html.notes([str(error)])


def _defaults(method: Any, train_rows: int) -> dict[str, Any]:
    """The training values that a config without any would get, so that the form shows what will happen."""
    return dict(RunConfig("", method=method).with_training_defaults(train_rows).training)


def _column(name: str | None) -> str:
    """The form always says what it means: "" is "no such column", never "suggest one"."""
    return "" if name in (None, NO_COLUMN) else str(name)


def _training(epochs: float | None, batch: float | None, rate: float | None, more: str) -> dict[str, Any]:
    try:
        values = json.loads(more) if more and more.strip() else {}
    except ValueError as error:
        raise DemoError(f"TrainingArguments is not JSON: {error}. Mend it, or empty the box.") from error
    if not isinstance(values, dict):
        raise DemoError('TrainingArguments must be a JSON object, such as {"seed": 7}.')
    form = {"num_train_epochs": epochs, "per_device_train_batch_size": batch, "learning_rate": rate}
    return {**{name: value for name, value in form.items() if value is not None}, **values}


def _chart(table: pd.DataFrame) -> Any:
    """A line needs two points; until then there is no chart."""
    return gr.update(value=table, visible=table.iloc[:, 0].nunique() > 1)


def _base_choices(endpoints: Endpoints) -> list[str]:
    """What makes sense to start from, the embedded backbone first."""
    return list(dict.fromkeys(["embedded:minilm", *offline_choices(endpoints.settings)]))


def _run_choices(endpoints: Endpoints) -> list[tuple[str, str]]:
    return [(f"{run.id} · {run.status().state}", run.id) for run in endpoints.runs.list()]


def _beginning(events: list[Event]) -> tuple[str, tuple[str, ...]]:
    """The device and the remarks of a run, once it has begun; before that, the device that it is going to have."""
    started = next((event for event in events if isinstance(event, Started)), None)
    return (started.device, started.notes) if started else (str(find_device()), ())


def _errors(run: Run) -> pd.DataFrame | None:
    path: Path = run.folder / "errors.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else None
