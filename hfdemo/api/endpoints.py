"""The public endpoints: what gradio_client, MCP and curl can call; those of runs are in api/runs.py."""

# No `from __future__ import annotations` here: gradio reads the annotations as they stand.
import inspect
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from hfdemo.api.error_boundary import at_the_edge, sentence, uploaded_path
from hfdemo.api.runs import RunEndpoints
from hfdemo.data_sources import EXAMPLE_NAMES, likely_columns, read_corpus
from hfdemo.errors import DemoError
from hfdemo.inference import Partial, Prediction, need_of, predict, predict_file, stream
from hfdemo.models.folders import offline_choices
from hfdemo.models.model_facts import infer_task, model_facts
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.trained_tokenizers import train_reference
from hfdemo.tasks import TASKS, Field, Task, find_task
from hfdemo.tokenization.encoding import Options, encode
from hfdemo.tokenization.length_report import report_on

__all__ = ["HEAVY", "LIGHT", "TRAINING", "Endpoints", "at_the_edge", "sentence", "uploaded_path"]

HEAVY: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}
LIGHT: dict[str, Any] = {"concurrency_limit": 16}
# Training a tokenizer uses every core for seconds, and nothing can stop it.
TRAINING: dict[str, Any] = {"concurrency_id": "train_tokenizer", "concurrency_limit": 1}


@dataclass(frozen=True)
class Endpoints(RunEndpoints):
    """Everything that can be called; each public method here and in RunEndpoints is one endpoint and one MCP tool."""

    def register(self) -> None:
        """Add every endpoint to the Blocks that is being built."""
        for task in TASKS.values():
            gr.api(at_the_edge(self.task_endpoint(task)), api_name=task.endpoint, **HEAVY)
        heavy: tuple[Callable[..., Any], ...] = (self.load_model, self.predict_file, self.tokenize, self.padding_report)
        light: tuple[Callable[..., Any], ...] = (self.list_tasks, self.list_models, self.unload_model, *self._of_runs())
        for calls, limits in ((heavy, HEAVY), (light, LIGHT), ((self.train_tokenizer,), TRAINING)):
            for call in calls:
                gr.api(at_the_edge(call), api_name=call.__name__, **limits)

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

        def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[ModelRef, dict[str, Any]]:
            values = {**dict(zip(names, args, strict=False)), **kwargs}
            values |= {name: uploaded_path(values[name]) for name in media & set(values)}
            return ModelRef.parse(values.pop("model", None) or task.default_model), values

        def endpoint(*args: Any, **kwargs: Any) -> dict:
            ref, values = given(args, kwargs)
            return predict(self.models, task, ref, values, keep_probabilities=False).to_json(self.results())

        def streaming(*args: Any, **kwargs: Any) -> Iterator[dict]:
            ref, values = given(args, kwargs)
            for item in stream(self.models, task, ref, values, threading.Event(), keep_probabilities=False):
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
        row = find_task(task)
        found = predict_file(
            self.models,
            row,
            ModelRef.parse(model or row.default_model),
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
            _switch(add_special_tokens),
            _switch(return_overflowing_tokens),
            pad_token,
            _switch(split_special_tokens),
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
            max_length: the length that rows are cut to; left out, what the model and the tokenizer can read
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
        texts, pairs = list(table[text]), list(table[pair]) if pair else None
        report = report_on(own, texts, pairs, reader, batch_size, max_length, seed=seed, public=self.settings.public)
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


def _switch(value: Any) -> Any:
    """Clients that can only send text send "true" and "false"."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _batch(texts: Any) -> list[str]:
    if not isinstance(texts, str | list | None):
        raise DemoError(f"The texts must be one text or a list of them, but are a {type(texts).__name__}.")
    return [texts] if isinstance(texts, str) else list(texts or [])
