"""Calls that no well-meaning client makes, by the thousand, and what is wrong with a server's answer to one of them.

Whatever is sent, the answer comes within `PATIENCE` seconds and is a refusal in words or a result: never a 500 without
a sentence, never a failure that nobody foresaw, and no traceback in the log.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

PATIENCE = 20
API = "/gradio_api"
JSON = {"Content-Type": "application/json"}
MCP = {**JSON, "Accept": "application/json, text/event-stream"}
FILE = {"meta": {"_type": "gradio.FileData"}}


@dataclass(frozen=True)
class Attack:
    """One request. `kind` says what is wrong with it, `follow` where its answer comes: here, `call` or `queue`."""

    kind: str
    path: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    follow: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.method} {self.path[:80]} {self.body[:300]!r}"


def nested(depth: int, key: str = "") -> Any:
    """Return a list or an object in itself, `depth` times."""
    found: Any = 0
    for _ in range(depth):
        found = {key: found} if key else [found]
    return found


NAN, INFINITY = float("nan"), float("inf")
# By kind, values where something else is meant.
VALUES: Mapping[str, Sequence[Any]] = {
    "type": (None, True, 0, 1.5, "", " ", "x", [], {}, [[]], [None], {"a": 1}, ["a", 1, None], [{}], [{"a": []}]),
    "number": (-1, -(10**9), 10**30, -(10**30), 1e308, 2**31, 2**63, "7", "1e999", "nan", 0.1, -0.0, 10**400),
    "constant": (NAN, INFINITY, -INFINITY, [NAN], {"a": INFINITY}, [[-INFINITY]]),
    "surrogate": ("\ud800", "a\udfffb", ["\ud800"], {"\ud800": 1}, {"a": "\udc80"}, "run:\ud800", "./\ud800"),
    "control": ("\0", "a\0b", ["\0"], {"\0": "\0"}, "./\0", "~\0", "/\0/x", "run:\0", "a\r\nb", "\x1b[2J\x7f"),
    "long": ("x" * 300, "x" * 60_000, "./" + "x" * 5_000, "/" + "a/" * 3_000, "run:" + "x" * 300, ["x"] * 5_000),
    "deep": (nested(60), nested(200), nested(200, "a"), nested(900), nested(900, "a")),
    "reference": (
        *("untrained:" * 2_000, "untrained:", "run:", "embedded:", "tokenizer:bpe", "tokenizer:../..", "@", "a@"),
        *("~nobody/x", "../..", "/proc/self/environ", "/dev/zero", "/dev/stdin", "C:\\x", "file:///etc/passwd", "//x"),
        *("\u202e", "é" * 200, "a@" + "b" * 5_000, "~" + "x" * 300, "http://127.0.0.1:9/x", "owner/name@../x"),
    ),
    "choice": ("softmax ", "SOFTMAX", "bfloat17", "longest_last", "up", "text-generatio", "True", "none", ["none"]),
    "file": (
        *({"path": "/etc/passwd"}, {"path": "/etc/passwd", **FILE}, {"path": "\ud800", **FILE}),
        *({"path": "a\0b", **FILE}, {"path": "x" * 5_000, **FILE}),
        *({"path": None, **FILE}, {"path": ["x"], **FILE}, {"path": {}, **FILE}, FILE),
        *({"path": "", **FILE}, {"path": "/proc/self/environ", **FILE}, {"url": "file:///etc/passwd", **FILE}),
        *({"path": "x", "url": "http://127.0.0.1:9/x", **FILE}, {"path": "http://[::1", **FILE}, {"path": 7, **FILE}),
        *({"path": "http://127.0.0.1:9/x", **FILE}, {"path": ".", "meta": {"_type": []}}, [{"path": "/", **FILE}]),
        *({"path": "x", "meta": "y"}, [{"a": {"path": "x", "meta": None}}]),
        *({"path": "data:text/plain;base64,!!", **FILE}, {"path": "/x", "orig_name": "\ud800", "size": -1, **FILE}),
    ),
}  # fmt: skip
# Tasks whose tiny models can run what gets so far.
MODELS = ("text-classification", "token-classification", "question-answering", "fill-mask", "text-generation")
# Tasks whose panels are opened: a text, a conversation, a picture, a sound, a table, labels.
PANELS = (
    *("text-classification", "text-generation", "image-classification", "automatic-speech-recognition"),
    *("table-question-answering", "zero-shot-classification"),
)
# Bodies that are no call.
BODIES: Mapping[str, Sequence[bytes]] = {
    "body type": (
        *(b"", b"null", b"0", b'""', b"[]", b"[[]]", b"{}", b'{"data": null}', b'{"data": {}}', b'{"data": "x"}'),
    ),
    "body constant": (
        *(b"NaN", b'{"data": NaN}', b'{"data": [], "fn_index": NaN}', b'{"data": [1e999], "x": -Infinity}'),
        *(b'{"data": [1e999]}', b'{"data": [-1e999, {"a": Infinity}]}'),
    ),
    "body no JSON": (b"{", b"\xff\xfe", b'{"data": [}', b"\0", b'{"data": ["\xff"]}', b"x" * 10_000, b'{"data": [01]}'),
    "body surrogate": (
        *(b'"\\ud800"', b'{"data": "\\ud800"}', b'{"data": [], "session_hash": "\\ud800"}', b'{"\\ud800": 1}'),
    ),
    "body deep": (
        *(b"[" * 100_000, b'{"data": ' + b"[" * 500 + b"]" * 500 + b"}", b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    ),
    "body huge": (b'{"data": ["' + b"x" * 40_000_000 + b'"]}', b'{"data": [' + b"0," * 1_000_000 + b"0]}"),
    "body field": (
        *(b'{"data": [], "fn_index": -1}', b'{"data": [], "fn_index": 99999}', b'{"data": [], "fn_index": "x"}'),
        *(b'{"data": [], "fn_index": 1e400}', b'{"data": [], "session_hash": 7}', b'{"data": [], "session_hash": ""}'),
        *(b'{"data": [], "trigger_id": -5, "session_hash": "a", "fn_index": 0}', b'{"data": [], "batched": true}'),
        *(b'{"data": [], "event_id": "x", "fn_index": 0, "session_hash": "\\u0000"}', b'{"data": [], "event_data": 1}'),
        *(b'{"data": [], "batched": true, "fn_index": 0, "session_hash": "b"}', b'{"data": [], "simple_format": true}'),
    ),
}  # fmt: skip
POSTS = (
    "run/tokenize",
    "call/tokenize",
    "call/v2/tokenize",
    "queue/join",
    "cancel",
    "reset",
    "component_server",
    "mcp/",
)
# Below /gradio_api where they begin with ~.
GETS = (
    *("~file=/etc/passwd", "~file=%00", "~file=%ff", "~file=" + "x" * 5_000, "~queue/data"),
    *("~queue/data?session_hash=%02", "~queue/data?session_hash=%ff", "~call/tokenize/%02", "~call/nope/x"),
    *("~upload_progress?upload_id=%00", "~info?all_endpoints=nope", "~proxy=http://127.0.0.1:9/", "/?__theme=%00"),
    *("/%ff%00", "~stream/%00/x/0/playlist.m3u8", "~stream/a/b/-1/playlist-file", "/static/%00", "/static/../x"),
    *("/svelte/%00", "/assets/%00", "/custom_component/x/y/z/%00", "~custom_component/x/client/component/%00"),
    *("/pwa_icon/-1", "~deep_link?session_hash=%00", "/?deep_link=%00", "~heartbeat/", "/config?x=%ff"),
    *("~mcp/schema?tools=%00", "~mcp/", "/theme.css?%00", "/user", "~token", "/monitoring"),
)  # fmt: skip
BASE: Mapping[str, Any] = {
    "text": "A joy.",
    "texts": ["a", "b"],
    "question": "Who?",
    "context": "I am Ann.",
    "count": False,
}
# A config that starts nothing, whatever becomes of its other keys.
CONFIG = {"dataset": "tickets", "text_column": "no such column"}
# What keeps a function of the page from computing for long.
PAGE_VALUES: Mapping[str, Any] = {"Text column": "no such column", "Text": "A joy.", "Texts": "a\nb", "Word": "joy"}
CONFIG_KEYS = (
    *("dataset", "model", "task", "problem_type", "dataset_config", "splits", "split_column", "text_pair_column"),
    *("label_column", "labels", "positive_label", "fixes", "max_length", "padding", "method", "lora", "class_weights"),
    *("early_stopping_patience", "metrics", "processes", "accelerate_config", "training", "nonsense"),
)


class Attacker:
    """Makes attacks on a served app, the same for the same seed.

    `signatures` are the arguments of each endpoint with their defaults, and `models` a model for some of them, which
    a call that gets so far can run. `handlers` are the page's own functions.
    """

    def __init__(self, seed: int, served: Served, models: Mapping[str, str]) -> None:
        self.random = random.Random(seed)
        self.functions = served.functions
        self.handlers = served.handlers
        self.models = models
        self.signatures = {
            name.removeprefix("/"): {
                each["parameter_name"]: each.get("parameter_default") for each in row["parameters"]
            }
            for name, row in served.info["named_endpoints"].items()
        }
        self.number = 0
        self.decks: dict[int, list[str]] = {}

    def _draw(self, kinds: Mapping[str, Any]) -> str:
        """Draw one of the `kinds`; none comes again before all have come."""
        deck = self.decks.setdefault(id(kinds), [])
        if not deck:
            deck += self.random.sample(list(kinds), len(kinds))
        return deck.pop()

    def attacks(self, count: int) -> Iterator[Attack]:
        """Yield `count` attacks of every kind on every route."""
        ways = {
            self._attack_arguments: 50,
            self._attack_config: 10,
            self._attack_arity: 8,
            self._attack_body: 14,
            self._attack_upload: 5,
            self._attack_get: 5,
            self._attack_mcp: 8,
            self._attack_page: 50,
        }
        for _ in range(count):
            self.number += 1
            yield self.random.choices(list(ways), list(ways.values()))[0]()

    def _attack_arguments(self) -> Attack:
        name = self.random.choice(list(self.signatures))
        arguments = self._arguments(name)
        if not arguments:
            return self._attack_arity()
        kind = self._draw(VALUES)
        for _ in range(self.random.choice((1, 1, 2))):
            argument = self._likely_argument(list(arguments), kind)
            arguments[argument] = self.random.choice(VALUES[kind])
        return self._send(kind, name, list(arguments.values()), arguments)

    def _likely_argument(self, names: list[str], kind: str) -> str:
        """Prefer the argument that a value of this kind is meant for."""
        meant = {
            "reference": ("model", "tokenizer", "dataset", "run", "runs"),
            "file": ("file", "image", "audio", "video"),
        }
        fitting = [name for name in names if name in meant.get(kind, ())]
        return self.random.choice(fitting if fitting and self.random.random() < 0.8 else names)

    def _arguments(self, name: str) -> dict[str, Any]:
        arguments = {each: BASE.get(each, default) for each, default in self.signatures[name].items()}
        if "model" in arguments and self.random.random() < 0.7:
            arguments["model"] = self.models.get(name, arguments["model"])
        if "config" in arguments:
            arguments["config"] = dict(CONFIG)
        if name == "load_model":
            arguments["model"] = self.models.get("text_classification")
        return arguments

    def _attack_config(self) -> Attack:
        name = self.random.choice(("inspect_dataset", "start_run", "start_search"))
        arguments = self._arguments(name)
        kind = self._draw(VALUES)
        key, value = self.random.choice(CONFIG_KEYS), self.random.choice(VALUES[kind])
        if self.random.random() < 0.3:
            value = {self.random.choice(("num_train_epochs", "r", "train", "seed", "optim", "x")): value}
        arguments["config"] = {**CONFIG, key: value}
        return self._send(f"config {kind}", name, list(arguments.values()), arguments)

    def _attack_arity(self) -> Attack:
        name = self.random.choice([*self.signatures, "no_such_endpoint", "%00", "load%2Fmodel", "%C3%A9"])
        arguments = self._arguments(name) if name in self.signatures else {}
        values = list(arguments.values())
        wrong = self.random.choice((values[:-1], [], [*values, 1], values * 30, [*values, *[None] * 1_000]))
        if name == "watch_run":  # what has no run has no status, but a right call is no attack
            wrong = values[:-1]
        return self._send("arity", name, wrong, {**arguments, "nonsense": 1}, wrong=True)

    def _send(self, kind: str, name: str, data: list[Any], named: dict[str, Any], wrong: bool = False) -> Attack:
        way = self.random.choices(("run", "call", "v2", "queue", "mcp"), (50, 15, 5, 20, 10))[0]
        if way == "mcp":
            return self._mcp(kind, "tools/call", {"name": name, "arguments": named})
        if way == "v2":
            return Attack(kind, f"{API}/call/v2/{name}", write(named), follow="call")
        if way == "queue":
            session = f"attack{self.number}"
            body = {"data": data, "fn_index": self.functions.get(name, 10**6), "session_hash": session}
            return Attack(kind, f"{API}/queue/join", write(body), follow=f"queue:{session}")
        return Attack(kind, f"{API}/{way}/{name}", write({"data": data}), follow="call" if way == "call" else "")

    def _attack_page(self) -> Attack:
        """Call a function of the page as no page does: values that its components can't have, or a strange event."""
        handler = self.random.choice(self.handlers)
        kind = self._draw(VALUES)
        data = [self._value_of(each) for each in handler.inputs]
        for _ in range(self.random.choice((1, 1, 2)) if data else 0):
            place, value = self.random.randrange(len(data)), self.random.choice(VALUES[kind])
            form = data[place]  # many fields in one value
            inside = isinstance(form, dict) and form and self.random.random() < 0.8
            data[place] = {**form, self.random.choice([*form]): value} if inside else value
        if self.random.random() < 0.1:
            data = self.random.choice(([None] * len(data), data[:-1], [*data, 1], []))
        body: dict[str, Any] = {"data": data, "fn_index": handler.number}
        if self.random.random() < (0.9 if handler.has_event else 0.2):
            keys = self.random.sample(("pressed", "run", "runs", "index", "value", "x"), 2)
            body["event_data"] = {key: self.random.choice(VALUES[kind]) for key in keys}
            if self.random.random() < 0.2:
                body["event_data"] = self.random.choice(VALUES[kind])
        if self.random.random() < 0.3 and not handler.session:
            return Attack(f"page {kind}", f"{API}/run/{handler.name}", write(body))
        session = handler.session or f"attack{self.number}"
        body |= {"session_hash": session, "trigger_id": self.random.choice((*handler.triggers, None, -1))}
        return Attack(f"page {kind}", f"{API}/queue/join", write(body), follow=f"queue:{session}")

    def _value_of(self, component: Mapping[str, Any]) -> Any:
        """Return what the page would send for a component, but nothing that begins a training."""
        label, value = component["props"].get("label"), component["props"].get("value")
        if label in PAGE_VALUES:
            return PAGE_VALUES[label]
        if isinstance(value, dict) and "text" in value:
            return {**value, "text": PAGE_VALUES["Text column"]}
        if label in ("Model", "Tokenizer", "Model that reads the tokens") and self.models:
            return self.random.choice([*self.models.values(), value])
        return value

    def _attack_body(self) -> Attack:
        kind = self._draw(BODIES)
        headers = {
            "Content-Type": self.random.choice(("application/json",) * 6 + ("text/plain", "", "application/x+json"))
        }
        body = self.random.choice(BODIES[kind])
        if kind == "body field":
            return Attack(kind, f"{API}/{self.random.choice(POSTS[:4])}", body)
        path = f"{API}/{self.random.choice(POSTS)}"
        return Attack(kind, path, body, headers={**MCP, **headers} if path.endswith("mcp/") else headers)

    def _attack_upload(self) -> Attack:
        name = self.random.choice(
            ("a.csv", "../../x", "a\\0b", "x" * 300, "\ud800", "", ".", "..", "con", "a/b", '"', "%00")
        )
        field_name = self.random.choice(("files", "", "file", "x" * 300))
        part = f'--edge\r\nContent-Disposition: form-data; name="{field_name}"; filename="{name}"\r\n\r\ntext\r\n'
        whole = part.encode("utf-8", "surrogatepass") + b"--edge--\r\n"
        body = self.random.choice(
            (whole, whole[:-10], whole[:40], b"", b"--edge--\r\n", b"\xff" * 99, whole * 3, b"--edge\r\n")
        )
        content = self.random.choice(
            ("multipart/form-data; boundary=edge",) * 5 + ("multipart/form-data", "text/csv", "")
        )
        return Attack("upload", f"{API}/upload", body, headers={"Content-Type": content})

    def _attack_get(self) -> Attack:
        return Attack("address", self.random.choice(GETS).replace("~", f"{API}/"), method="GET", headers={})

    def _attack_mcp(self) -> Attack:
        value = self.random.choice(VALUES[self._draw(VALUES)])
        method, params = self.random.choice(
            (
                ("tools/call", {"name": value, "arguments": {}}),
                ("tools/call", {"name": "tokenize", "arguments": value}),
                ("tools/call", value),
                (value, {}),
                ("tools/list", value),
                ("prompts/get", {"name": value}),
                ("resources/read", {"uri": value}),
                ("initialize", value),
            )
        )
        return self._mcp("mcp", method, params)

    def _mcp(self, kind: str, method: Any, params: Any) -> Attack:
        body = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        return Attack(f"{kind} (mcp)", f"{API}/mcp/", write(body), headers=MCP)


def write(value: Any) -> bytes:
    """Write JSON as no library does: with NaN, infinities and lone surrogates."""
    return json.dumps(value).encode()


def send(url: str, attack: Attack) -> tuple[int, str]:
    """Send the attack, and return the status and the text of its answer, wherever that comes.

    Raises:
        TimeoutError: it doesn't come in time.
    """
    status, said = _ask(url, attack.method, attack.path, attack.body, attack.headers)
    if status == 200 and attack.follow == "call":
        event = json.loads(said)["event_id"]
        return _ask(url, "GET", f"{attack.path.replace('/v2', '')}/{quote(event)}")
    if status == 200 and attack.follow:
        # A session's stream goes on while anything else of it is at work.
        end = '"msg":"process_completed","event_id":"{}"'.format(json.loads(said)["event_id"])
        return _ask(url, "GET", f"{API}/queue/data?session_hash={attack.follow.partition(':')[2]}", end=end)
    return status, said


def find_fault(url: str, attack: Attack) -> str:
    """Send the attack; say what is wrong with the answer, "" where nothing is."""
    try:
        status, said = send(url, attack)
    except TimeoutError:
        return f"no answer in {PATIENCE} s"
    except (OSError, HTTPException) as error:
        return f"the connection ended: {error!r}"
    if "nobody foresaw" in said:
        return said[-600:]
    if status >= 500 and '"error":' not in said:
        return f"{status} without a sentence: {said[:300]}"
    return ""


def _ask(
    url: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, end: str = ""
) -> tuple[int, str]:
    """Ask for something and read the answer to its end, or to the message that begins with `end`."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.connect()
        with suppress(ConnectionError):  # it answered before all was sent
            connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        said, deadline = b"", time.monotonic() + PATIENCE
        while part := answer.read1(65_536):  # a stream that only says that it is alive is no answer
            said = (said + part)[-200_000:]
            if end and end.encode() in said and said.endswith(b"\n\n"):
                break
            if time.monotonic() > deadline:
                raise TimeoutError
        return answer.status, said.decode(errors="replace")
    finally:
        connection.close()


@dataclass(frozen=True)
class Handler:
    """A function of the page: `inputs` are the components that it reads, `triggers` those that call it.

    One of a task's panel is there in the `session` that opened it, and in no other.
    """

    number: int
    name: str
    inputs: Sequence[Mapping[str, Any]]
    triggers: Sequence[int]
    has_event: bool
    session: str = ""


@dataclass(frozen=True)
class Served:
    """What an app serves: what it says of its endpoints, the number of each, and the functions of its page."""

    info: Mapping[str, Any]
    functions: Mapping[str, int]
    handlers: Sequence[Handler]


def read_functions(url: str, tasks: Sequence[str] = ()) -> Served:
    """Read what the app says of its endpoints and of its page, and open the panels of `tasks` for theirs."""
    config = json.loads(_get(url, "/config"))
    components = {each["id"]: each for each in config["components"]}
    handlers = _list_handlers(config["dependencies"], components)
    for task in tasks:
        handlers += _open_panel(url, config, components, task)
    functions = {each["api_name"]: each["id"] for each in config["dependencies"] if each["api_name"]}
    return Served(json.loads(_get(url, f"{API}/info")), functions, handlers)


def _list_handlers(
    functions: Sequence[Mapping[str, Any]], components: Mapping[int, Mapping[str, Any]], session: str = ""
) -> list[Handler]:
    return [
        Handler(
            each["id"],
            each["api_name"],
            [components[number] for number in each["inputs"]],
            [number for number, _ in each["targets"] if number is not None],
            each["collects_event_data"],
            session,
        )
        for each in functions
        if each["api_visibility"] == "private" and each["backend_fn"]
    ]


def _open_panel(
    url: str, config: Mapping[str, Any], components: Mapping[int, Mapping[str, Any]], task: str
) -> list[Handler]:
    """Choose `task` in a session of its own, as a page does, and return the functions of the panel that is drawn."""
    session = f"panel-{task}"

    def call(function: Mapping[str, Any], data: list[Any], event: Any = None) -> list[dict[str, Any]]:
        body = write({"data": data, "event_data": event, "fn_index": function["id"], "session_hash": session})
        _, said = send(url, Attack("panel", f"{API}/queue/join", body, follow=f"queue:{session}"))
        return [json.loads(line[5:]) for line in said.splitlines() if line.startswith("data:")]

    call(next(each for each in config["dependencies"] if each["api_name"] == "on_pick"), [{}], {"task": task})
    said = call(next(each for each in config["dependencies"] if each["render_id"] is not None), [None])
    drawn = next(each["output"]["render_config"] for each in said if each["msg"] == "process_completed")
    own = {each["id"]: each for each in drawn["components"]}
    return _list_handlers(drawn["dependencies"], {**components, **own}, session)


def _get(url: str, path: str) -> str:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    said = connection.getresponse().read().decode()
    connection.close()
    return said


def attack(url: str, log: Path, seed: int, count: int, models: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """Make `count` attacks; return how many of each kind there were, and what is wrong with answers or in the log."""
    begin = log.stat().st_size
    kinds: dict[str, int] = {}
    faults = []
    for each in Attacker(seed, read_functions(url, PANELS), models).attacks(count):
        kinds[each.kind] = kinds.get(each.kind, 0) + 1
        fault = find_fault(url, each)
        with log.open("rb") as file:
            file.seek(begin)
            written = file.read().decode(errors="replace")
            begin = file.tell()
        if not fault and ("Traceback" in written or "nobody foresaw" in written):
            fault = f"the log: {written[-1500:]}"
        if fault:
            faults.append(f"{each}\n    {fault}")
            print(faults[-1][:3_000], flush=True)
    return kinds, faults
