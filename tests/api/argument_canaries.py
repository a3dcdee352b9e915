"""Calls whose arguments name files of the machine, for every argument, component and route that a stranger can reach.

Each canary is a file that nothing may open: its content is the secret, and `tests.models.canaries.Watch` hears who
opens it. What an address of the network would fetch, a server on this machine counts.
"""

import dataclasses
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.api.attacks import API, BASE, FILE, MCP, Attack, Handler, Served, write
from tests.models.canaries import SECRET, put_canaries

ROUTES = ("run", "call", "v2", "queue", "mcp")
# Seen by whoever reads a field of a config: of one that would start, the last limit says no.
CONFIG: Mapping[str, Any] = {"dataset": "tickets", "training": {"max_steps": 100_000}}
TEMPLATES = (
    "{% include 'CANARY' %}",
    "{% extends 'CANARY' %}",
    "{% import 'CANARY' as m %}{{ m }}",
    "{% from 'CANARY' import x %}{{ x }}",
    "{{ cycler.__init__.__globals__.os.popen('cat CANARY').read() }}",
    "{{ lipsum.__globals__['__builtins__'].open('CANARY').read() }}",
    "{{ self._TemplateReference__context.environment.loader.get_source('', 'CANARY') }}",
    "{{ messages.__class__.__mro__[-1].__subclasses__() }}{{ (messages|attr('__class__')).__base__ }}",
    "{{ raise_exception.__globals__.open('CANARY').read() }}{{ tojson.__globals__ }}",
)


def put_files(folder: Path) -> None:
    """Write what a metric, a template, settings of Accelerate, a table, a picture or a data set would be."""
    put_canaries(folder)
    for name, text in {
        "rows.csv": f"text,label\n{SECRET},a\n{SECRET},b\n" * 20,
        "metric.py": f"SECRET = {SECRET!r}\n",
        "template.jinja": "{{ messages }}" + SECRET,
        "accelerate.yaml": f"compute_environment: {SECRET}\nnum_processes: 1\n",
        "tokenizer.json": json.dumps({"model": {"type": "WordLevel", "vocab": {SECRET: 0}}}),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def count_requests() -> Iterator[tuple[str, list[str]]]:
    """Serve the secret under every path; give the address, and the list of the paths that were asked for."""
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def name_file(folder: Path, web: str, file: str = "rows.csv") -> list[str]:
    """Return the names by which a library may find a file in `folder`, the plainest first; `web` is an address."""
    path, up = f"{folder}/{file}", "../" * 40
    return [
        path,
        f"{web}/{file}",
        up + path.lstrip("/"),
        f"file://{path}",
        str(folder),
        f"./{up}{path}",
        f"~/{up}{path}",
        f"simplecache::file://{path}",
        f"{folder}/*",
        f"untrained:{folder}/config.json",
        f"run:../..{path}",
        f"owner/name@{up}{path}",
        "/proc/self/environ",
    ]


class Caller:
    """Makes calls of a served app, by each route in turn."""

    def __init__(self, served: Served, names: list[str]) -> None:
        self.served, self.names = served, names
        self._routes = itertools.cycle(ROUTES)
        self._numbers = itertools.count()
        self.signatures = {
            name.removeprefix("/"): {
                each["parameter_name"]: each.get("parameter_default") for each in row["parameters"]
            }
            for name, row in served.info["named_endpoints"].items()
        }

    def call(self, endpoint: str, **named: Any) -> Attack:
        """Return a call of an endpoint, whose other arguments are those by default."""
        route = next(self._routes)
        arguments = {name: BASE.get(name, default) for name, default in self.signatures[endpoint].items()} | named
        kind, data = f"{endpoint} {next(iter(named))}", list(arguments.values())
        if route == "mcp":
            params = {"name": endpoint, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            return Attack(kind, f"{API}/mcp/", write(body), headers=MCP)
        if route == "v2":
            return Attack(kind, f"{API}/call/v2/{endpoint}", write(arguments), follow="call")
        if route == "queue":
            return self._join(kind, self.served.functions[endpoint], data)
        return Attack(
            kind, f"{API}/{route}/{endpoint}", write({"data": data}), follow="call" if route == "call" else ""
        )

    def press(self, handler: Handler, data: list[Any], event: Any = None) -> Attack:
        """Return a call of a function of the page."""
        more = {"trigger_id": next(iter(handler.triggers), None), "event_data": event}
        return self._join(f"page {handler.name}", handler.number, data, handler.session, **more)

    def _join(self, kind: str, function: int, data: list[Any], session: str = "", **more: Any) -> Attack:
        session = session or f"canary{next(self._numbers)}"
        body = {"data": data, "fn_index": function, "session_hash": session, **more}
        return Attack(kind, f"{API}/queue/join", write(body), follow=f"queue:{session}")

    def arguments(self) -> Iterator[Attack]:
        """Yield calls with each argument of each endpoint naming a file: by two names, or all if it is no task's."""
        turn = itertools.cycle(self.names[1:])
        of_tasks = {"text_classification": "model", "chat": "", "fill_mask": ""}
        for endpoint, signature in self.signatures.items():
            is_task = "dtype" not in signature and "model" in signature and "tokenizer" not in signature
            for argument, default in signature.items():
                if argument == "config" or isinstance(default, int | float):
                    continue
                whole = not is_task or of_tasks.get(endpoint) == argument
                for name in self.names if whole else (self.names[0], next(turn)):
                    yield self.call(endpoint, **{argument: [name] if isinstance(default, list) else name})
                for path in self.names[:2] if "file" in argument or argument in ("image", "audio", "video") else ():
                    yield self.call(endpoint, **{argument: {"path": path, **FILE}})
                    yield self.call(endpoint, **{argument: {"path": path, "url": path}})

    def configs(self) -> Iterator[Attack]:
        """Yield calls with each field of a RunConfig, of TrainingArguments and of LoraConfig naming a file."""
        from peft import LoraConfig
        from transformers import TrainingArguments

        from hfdemo.finetuning.config import RunConfig

        plain = self.names[0]
        lists, objects = {"labels", "fixes", "metrics"}, {"splits", "class_weights"}
        configs: list[dict[str, Any]] = []
        for spec in dataclasses.fields(RunConfig):
            for name in self.names if spec.name not in ("training", "lora") else ():
                value: Any = [name] if spec.name in lists else {"train": name} if spec.name in objects else name
                configs.append({**CONFIG, spec.name: value})
        for spec in dataclasses.fields(TrainingArguments):
            values: list[Any] = [plain, [plain], {"path": plain, "cache_file": plain}]
            values = values if "dict" in str(spec.type) else values[:1]
            configs += [{**CONFIG, "training": {"max_steps": 100_000, spec.name: value}} for value in values]
        for spec in dataclasses.fields(LoraConfig):
            values = [plain, {"cache_file": plain, "covariance_file": plain}]
            configs += [{**CONFIG, "method": "lora", "lora": {spec.name: value}} for value in values]
        for config in configs:
            yield self.call("start_run", config=config)
        # The same fields, wherever else a config is read.
        ways = itertools.cycle(("inspect_dataset", "start_search"))
        yield from (self.call(next(ways), config=config) for config in configs[:: len(ROUTES) - 1])

    def handlers(self) -> Iterator[Attack]:
        """Yield calls of every function of the page, with each of its components that can hold a text naming a file."""
        turn = itertools.cycle(self.names)
        for handler in self.served.handlers:
            values = [each["props"].get("value") for each in handler.inputs]
            for number in (number for number, each in enumerate(handler.inputs) if each["type"] in TEXTS):
                label = handler.inputs[number]["props"].get("label")
                wanted = self.names if label in NAMING else (self.names[0], next(turn))
                if label == "Chat template":
                    wanted = [template.replace("CANARY", self.names[0]) for template in TEMPLATES]
                if label == "TrainingArguments":
                    wanted = [json.dumps({field: self.names[0]}) for field in PATH_FIELDS]
                for name in wanted:
                    yield self.press(handler, [*values[:number], name, *values[number + 1 :]])
            for number, form in ((number, value) for number, value in enumerate(values) if isinstance(value, dict)):
                texts = [field for field, value in form.items() if value is None or isinstance(value, str)]
                if handler.name not in ("start_training", "on_change"):
                    texts = [field for field in texts if field in FORM]
                for field in texts:
                    names = [self.names[0], next(turn)]
                    if field == "more":
                        names = [json.dumps({each: self.names[0]}) for each in PATH_FIELDS]
                    for name in names:
                        yield self.press(handler, [*values[:number], {**form, field: name}, *values[number + 1 :]])
            for number, each in enumerate(handler.inputs):
                if each["type"] in ("file", "uploadbutton"):
                    for path in self.names[:2]:
                        yield self.press(handler, [*values[:number], {"path": path, **FILE}, *values[number + 1 :]])
            if handler.has_event:
                for name in self.names[:3]:
                    event = {"run": name, "runs": [name], "pressed": name, "path": name, **FILE}
                    yield self.press(handler, values, event)


TEXTS = ("textbox", "dropdown", "code", "radio")
NAMING = ("Model", "Tokenizer", "Data set", "Configuration", "Model that reads the tokens", "Run", "Searches")
# Of the form for training, which is one value, what may name something; its other fields are tried with two functions.
FORM = ("dataset", "dataset_config", "model", "more")
PATH_FIELDS = (
    *("output_dir", "deepspeed", "fsdp_config", "accelerator_config", "resume_from_checkpoint", "logging_dir"),
    *(
        "optim_args",
        "hub_model_id",
        "hub_token",
        "report_to",
        "project",
        "metric_for_best_model",
        "lr_scheduler_kwargs",
    ),
)
