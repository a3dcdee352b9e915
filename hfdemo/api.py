"""The public endpoints: what gradio_client, MCP and curl can call, all in one file."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import contextlib
import functools
import inspect
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.corpora import EXAMPLE_NAMES, likely_columns, read_corpus, read_tables
from hfdemo.errors import DemoError, ModelError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect as inspect_tables
from hfdemo.finetuning.runs import RunStore
from hfdemo.inference import Partial, Prediction, need_of, predict, predict_file, stream
from hfdemo.models.configs import infer_task
from hfdemo.models.facts import model_facts
from hfdemo.models.memory import ModelCache
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.sources import offline_choices
from hfdemo.models.trained import train_reference
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS, Field, Task, find_task
from hfdemo.tokenization.encoding import Options, encode
from hfdemo.tokenization.report import padding_report, token_lengths

HEAVY: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}
LIGHT: dict[str, Any] = {"concurrency_limit": 16}
WATCH_SECONDS = 0.5


def sentence(error: BaseException, where: str) -> str:
    """What a person is told of `error`: a DemoError's own words; anything else is a bug, and is logged as one."""
    if isinstance(error, DemoError):
        return str(error)
    logging.getLogger(__name__).error("A failure that nobody foresaw, in %s", where, exc_info=error)
    return f"This failed in a way that nobody foresaw: {type(error).__name__}: {error} (the log has more)"


def at_the_edge(function: Callable[..., Any], words: Callable[[str], str] = str) -> Callable[..., Any]:
    """Turn whatever `function` (a function or a generator function) raises into the gr.Error that a person sees.

    A DemoError is shown as it is. Anything else is a bug: it is logged, and said to be one. That holds for what is no
    Exception, too, such as a panic in Rust or SystemExit, which gradio would let through: the client would wait for
    ever, or the server end. `words` prepares the sentence: a client gets it as it is, but the page draws it as HTML.
    """

    @contextlib.contextmanager
    def edge() -> Iterator[None]:
        try:
            yield
        except (gr.Error, GeneratorExit):
            raise
        except BaseException as error:
            raise gr.Error(words(sentence(error, function.__name__)), print_exception=False) from error

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with edge():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with edge():
            yield from function(*args, **kwargs)

    if not inspect.isgeneratorfunction(function):
        return call
    # gradio drops what a generator yields unless the annotation names the type of one item.
    stream.__signature__ = inspect.signature(function).replace(return_annotation=dict)  # type: ignore[attr-defined]
    return stream


def uploaded_path(value: Any) -> Path | None:
    """The file behind a file argument, which a caller can forge: only what lies in the upload folder is accepted.

    Raises:
        DemoError: not a file argument, a path outside the upload folder, or a file that is not there.
    """
    if value is None:
        return None
    named = value.get("path") if isinstance(value, dict) else getattr(value, "path", value)
    if not isinstance(named, str):
        raise DemoError("A file argument must be an uploaded file. Send it with `gradio_client.handle_file`.")
    path = Path(named).resolve()
    if not path.is_relative_to(Path(gr.utils.get_upload_folder()).resolve()) or not path.is_file():
        raise DemoError("This file was not uploaded here. Send it with `gradio_client.handle_file`.")
    return path


@dataclass(frozen=True)
class Endpoints:
    """Everything that can be called; each public method below is one endpoint and one MCP tool."""

    settings: Settings
    models: ModelCache
    runs: RunStore

    def register(self) -> None:
        """Add every endpoint to the Blocks that is being built."""
        for task in TASKS.values():
            gr.api(at_the_edge(self.task_endpoint(task)), api_name=task.endpoint, **HEAVY)
        for heavy in (self.load_model, self.predict_file, self.tokenize, self.padding_report, self.train_tokenizer):
            gr.api(at_the_edge(heavy), api_name=heavy.__name__, **HEAVY)
        for light in (
            *(self.list_tasks, self.list_models, self.unload_model, self.inspect_dataset, self.start_run),
            *(self.run_status, self.run_events, self.watch_run, self.run_report, self.run_script),
            *(self.stop_run, self.list_runs, self.delete_run, self.download_run),
        ):
            gr.api(at_the_edge(light), api_name=light.__name__, **LIGHT)

    def task_endpoint(self, task: Task) -> Callable[..., Any]:
        """The endpoint of `task`, with a signature and a docstring made from its row; a generator where it streams."""
        model = inspect.Parameter("model", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=str | None)

        def parameter(field: Field) -> inspect.Parameter:
            default = inspect.Parameter.empty if field.required else field.default
            annotation = (gr.FileData if field.required else gr.FileData | None) if field.media else field.annotation
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            return inspect.Parameter(field.name, kind, default=default, annotation=annotation)

        # Python wants what has no default first.
        fields = sorted(task.inputs, key=lambda field: not field.required)
        parameters = [*map(parameter, fields), model, *map(parameter, task.parameters)]
        names = [each.name for each in parameters]
        media = {field.name for field in task.inputs if field.media}

        def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
            values = {**dict(zip(names, args, strict=False)), **kwargs}
            values |= {name: uploaded_path(values[name]) for name in media & set(values)}
            return values.pop("model", None), values

        def endpoint(*args: Any, **kwargs: Any) -> dict:
            reference, values = given(args, kwargs)
            return predict(self.models, task, reference, values, odds=False).to_json(self.results())

        def streaming(*args: Any, **kwargs: Any) -> Iterator[dict]:
            reference, values = given(args, kwargs)
            for item in stream(self.models, task, reference, values, threading.Event(), odds=False):
                if isinstance(item, Partial | Prediction):
                    yield item.to_json(self.results())

        function: Any = endpoint if task.stream is None else streaming
        described = [f"    {field.name}: {field.help}" for field in (*fields, *task.parameters)]
        described.insert(len(fields), f"    model: a model reference; left out, {task.default_model}")
        function.__name__ = task.endpoint
        function.__doc__ = (
            f"{task.summary}\n\nArgs:\n" + "\n".join(described) + "\n\nReturns:\n"
            '    {"task", "model", "device", "output", "seconds": {"load", "run"}, "warnings"}; '
            f"output is what {task.source} returns"
            + ('; before it come {"output", "text"}: what there is so far' if task.stream else "")
        )
        function.__signature__ = inspect.Signature(parameters, return_annotation=dict)
        function.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": dict}
        return function

    def load(
        self, model: str, task: Task, dtype: str = "auto", attention: str | None = None, progress: Any = None
    ) -> dict:
        """The card of `model`, loaded for `task`."""
        return self.models.get(ModelRef.parse(model), need_of(task, dtype, attention), progress).card()

    def results(self) -> Path:
        """The folder for images, audio and tables that an answer is made of; gradio serves it and clears it."""
        folder = Path(gr.utils.get_upload_folder()) / "results"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def list_tasks(self) -> list[dict]:
        """Every task that can be run here, with its endpoint, default model, inputs and parameters."""
        return [
            {
                "task": task.name,
                "endpoint": f"/{task.endpoint}",
                "group": task.group,
                "summary": task.summary,
                "default_model": task.default_model,
                "inputs": [field.name for field in task.inputs],
                "parameters": [field.name for field in task.parameters],
                "output": task.output,
                "streams": task.stream is not None,
                "requires": [requirement.name for requirement in task.requires],
            }
            for task in TASKS.values()
        ]

    def list_models(self) -> dict:
        """Models that are loaded now (their cards), and references that work here without a network."""
        return {"loaded": self.models.cards(), "available": offline_choices(self.settings)}

    def load_model(
        self, model: str, task: str | None = None, dtype: str = "auto", attention: str | None = None
    ) -> dict:
        """Load a model and tell what it is: task and why, architecture, parameters, dtype, device, bytes, load report.

        Args:
            model: a model reference: Hub id, folder, run:<id>, embedded:<name> or untrained:<reference>
            task: the task to load it for; left out, the one that the Hub or its config names
            dtype: auto, float32, bfloat16 or float16
            attention: eager, sdpa or flash_attention_2; left out, the library's choice
        """
        row, why = (find_task(task), "it was asked for") if task else infer_task(ModelRef.parse(model), self.settings)
        return {"task": row.name, "why": why, **self.load(model, row, dtype, attention)}

    def predict_file(
        self,
        file: gr.FileData,
        task: str,
        model: str | None = None,
        text_column: str | None = None,
        text_pair_column: str | None = None,
        parameters: dict | None = None,
    ) -> gr.FileData:
        """Run a task on every row of a CSV and return the CSV with the predictions added, its order kept.

        Args:
            file: an uploaded CSV file with a header
            task: a task that takes a text
            model: a model reference; left out, the task's default
            text_column: the column of the texts; left out, the one called text or the like
            text_pair_column: the column of the second texts, for models trained on pairs
            parameters: the task's other inputs and parameters, the same for every row
        """
        path = uploaded_path(file)
        if path is None:
            raise DemoError("There is no file. Send a CSV with `gradio_client.handle_file`.")
        found = predict_file(
            self.models,
            find_task(task),
            model,
            path,
            self.results() / secrets.token_hex(8),
            text_column=text_column,
            text_pair_column=text_pair_column,
            values=parameters,
        )
        return gr.FileData(path=str(found.path))

    def unload_model(self, model: str) -> dict:
        """Drop a loaded model from memory and tell how many bytes that freed.

        Args:
            model: the reference that it was loaded by
        """
        return {"model": model, "bytes": self.models.unload(ModelRef.parse(model))}

    def tokenize(
        self,
        texts: str | list[str],
        text_pairs: str | list[str] | None = None,
        tokenizer: str | None = None,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        add_special_tokens: bool = True,
        return_overflowing_tokens: bool = False,
        pad_token: str | None = None,
        split_special_tokens: bool | None = None,
        model: str | None = None,
    ) -> dict:
        """What the tokenizer returns for a batch of texts, with its tokens, words, sequences, offsets and warnings.

        Args:
            texts: one text or several; a lone text is a batch of one
            text_pairs: the second text of each pair
            tokenizer: a model reference; left out, embedded:minilm
            padding: false, true ("longest") or "max_length"
            truncation: false, true ("longest_first"), "only_first" or "only_second"
            max_length: the length to pad and truncate to; left out, the tokenizer's own limit
            stride: tokens that overflowing windows share
            pad_to_multiple_of: round the padded width up to a multiple of this
            padding_side: "left" or "right"; left out, the tokenizer's own side
            add_special_tokens: whether [CLS], [SEP] and the like are added
            return_overflowing_tokens: whether what was cut off comes back as rows of its own
            pad_token: what to pad with where the tokenizer has no pad token of its own
            split_special_tokens: whether special tokens that stand in a text are read as ordinary text
            model: the model that will read the ids, for the warnings; left out, the one that the tokenizer belongs to
        """
        options = Options(
            _switch(padding),
            _switch(truncation),
            max_length,
            stride,
            pad_to_multiple_of,
            padding_side,
            add_special_tokens,
            return_overflowing_tokens,
            pad_token,
            split_special_tokens,
        )
        ref = ModelRef.parse(tokenizer or "embedded:minilm")
        facts = model_facts(ModelRef.parse(model) if model else ref, self.settings)
        pairs = None if text_pairs is None else _batch(text_pairs) or None
        with self.models.tokenizer(ref) as loaded:
            return encode(loaded, _batch(texts), pairs, options, self.settings.max_tokenized, facts).to_json()

    def padding_report(
        self,
        file: gr.FileData | None = None,
        dataset: str | None = None,
        dataset_config: str | None = None,
        split: str | None = None,
        tokenizer: str | None = None,
        text_column: str | None = None,
        text_pair_column: str | None = None,
        batch_size: int = 8,
        max_length: int | None = None,
        seed: int = 42,
        model: str | None = None,
    ) -> dict:
        """How long the rows of a data set are, what truncation cuts, what each padding strategy costs, what to take.

        Args:
            file: an uploaded CSV file; it wins over dataset
            dataset: an example name (tickets, paraphrases), a Hub id, or a path on a local server
            dataset_config: the configuration of a Hub data set that has several
            split: the split to count; left out, all of them
            tokenizer: a model reference; left out, embedded:minilm
            text_column: the column of the texts; left out, the one called text or the like, else the one of the longest
            text_pair_column: the column of the second texts; left out, the one called so, if any; "" for none
            batch_size: rows per batch
            max_length: the length that rows are cut to; left out, what the model can read
            seed: of the shuffle that makes batches as training does
            model: the model whose size decides the FLOPs; left out, the one that the tokenizer belongs to
        """
        path = uploaded_path(file)
        if path is None and not dataset:
            raise DemoError(f"There is no data set. Upload a file, or name an example: {', '.join(EXAMPLE_NAMES)}.")
        ref = ModelRef.parse(tokenizer or "embedded:minilm")
        table = read_corpus(dataset or "", self.settings, path, dataset_config, split).whole()
        text, pair = likely_columns(table, text_column, text_pair_column)
        reader = model_facts(ModelRef.parse(model) if model else ref, self.settings)
        # A copy of its own: nobody who types has to wait until a whole data set is counted.
        own = load_tokenizer(ref, self.settings)
        lengths = token_lengths(own, list(table[text]), list(table[pair]) if pair else None)
        limit, size = (reader.positions, reader.size) if reader else (None, None)
        report = padding_report(lengths, batch_size, max_length, limit, size, seed)
        return {**report.to_json(), "text_column": text, "text_pair_column": pair}

    def train_tokenizer(self, file: gr.FileData, algorithm: str = "bpe", vocabulary: int = 1000) -> dict:
        """Train a small tokenizer on a text file and keep it under a reference that every tokenizer argument takes.

        Args:
            file: an uploaded text file
            algorithm: wordpiece, bpe or unigram
            vocabulary: how many tokens it may have at most
        """
        path = uploaded_path(file)
        if path is None:
            raise DemoError("There is no file. Send a text with `gradio_client.handle_file`.")
        ref = train_reference(path, algorithm, vocabulary, self.settings)
        with self.models.tokenizer(ref) as loaded:
            return {"tokenizer": str(ref), "algorithm": algorithm, "vocabulary": len(loaded)}

    def inspect_dataset(self, file: gr.FileData | None = None, dataset: str | None = None) -> dict:
        """Columns, rows, splits, labels, problems and a suggested mapping of a data set, before training on it.

        Args:
            file: an uploaded CSV file; it wins over dataset
            dataset: an example name (tickets, paraphrases), or a path on a local server
        """
        path = uploaded_path(file)
        if path is None and dataset is None:
            raise DemoError(f"There is no data set. Upload a file, or name an example: {', '.join(EXAMPLE_NAMES)}.")
        return inspect_tables(read_tables(dataset or "", self.settings, path)).to_json()

    def start_run(self, config: dict | None = None, file: gr.FileData | None = None) -> dict:
        """Check a RunConfig and its data and start training in a process of its own; answers at once with the run's id.

        Args:
            config: a RunConfig as JSON; only dataset is required, and not even that when a file is sent
            file: an uploaded CSV file; it wins over config's dataset
        """
        path = uploaded_path(file)
        values: Any = {} if config is None else config
        if path is not None and isinstance(values, dict):
            values = {**values, "dataset": path.stem}
        run = self.runs.start(self.runs.create(RunConfig.from_json(values), path))
        return {"run": run.id}

    def run_status(self, run: str) -> dict:
        """State, step, total steps, epoch, seconds left, latest metrics and error of a run.

        Args:
            run: the run's id
        """
        return self.runs.get(run).status().to_json()

    def run_events(self, run: str, after: int = 0, limit: int = 1000) -> list[dict]:
        """What a run has said so far: started, step_logged, evaluated, saved, finished, stopped, failed.

        Args:
            run: the run's id
            after: how many events to leave out at the start
            limit: how many to return at most
        """
        if after < 0 or limit < 1:
            raise DemoError(f"after must be 0 or more and limit 1 or more, but they are {after} and {limit}.")
        return [event.to_json() for event in self.runs.get(run).events(after, limit)]

    def watch_run(self, run: str) -> Iterator[dict]:
        """The status of a run again and again, whenever it changes, until it has ended.

        Args:
            run: the run's id
        """
        found, said = self.runs.get(run), None
        while True:
            status = found.status()
            if status != said:
                yield status.to_json()
                said = status
            if not status.active:
                return
            time.sleep(WATCH_SECONDS)

    def run_report(self, run: str) -> dict:
        """The report of a run that has a model: metrics, baseline, per class, confusion matrix.

        Args:
            run: the run's id
        """
        return self.runs.get(run).report()

    def run_script(self, run: str) -> str:
        """A stand-alone Python script that repeats a run.

        Args:
            run: the run's id
        """
        return self.runs.get(run).script()

    def stop_run(self, run: str, keep: bool = True) -> dict:
        """Ask a run to end after its current step.

        Args:
            run: the run's id
            keep: whether to keep the best model so far, so that run:<id> can be used
        """
        found = self.runs.get(run)
        found.stop(keep)
        return found.status().to_json()

    def list_runs(self) -> list[dict]:
        """Every run, the newest first, with its status."""
        return [{"run": run.id, **run.status().to_json()} for run in self.runs.list()]

    def delete_run(self, run: str) -> dict:
        """Remove a run and its model for good.

        Args:
            run: the run's id
        """
        self.runs.delete(run)
        with contextlib.suppress(ModelError):
            self.models.unload(ModelRef("run", run))
        return {"deleted": run}

    def download_run(self, run: str) -> gr.FileData:
        """A zip of a run's model, report, config, data and script.

        Args:
            run: the run's id
        """
        folder = Path(gr.utils.get_upload_folder()) / "archives"
        folder.mkdir(parents=True, exist_ok=True)
        # A shared server gives nobody another one's texts.
        return gr.FileData(path=str(self.runs.get(run).archive(folder, with_data=not self.settings.public)))


def _switch(value: bool | str) -> bool | str:
    """Clients that can only send text send "true" and "false"."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _batch(texts: Any) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts or [])
