"""On a public server everything that an endpoint takes or gives belongs to one visitor: tried over HTTP by three."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from hfdemo.api.endpoints import ENDPOINTS
from hfdemo.api.visitor_guard import COOKIE, HEADER
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.models.trained_tokenizers import train_from_file
from hfdemo.settings import Settings
from tests.conftest import Server, wait_until

pytestmark = pytest.mark.slow

# What an argument may name that is somebody's. A new argument goes here, with a case below, or to PLAIN.
NAMES_SOMETHING = {"run", "runs", "search", "model", "tokenizer", "like", "dataset", "config", "file"}
PLAIN = {
    *("after", "limit", "epoch", "epochs", "keep", "changes", "notes", "space", "trials", "count", "seed"),
    *("dataset_config", "split", "task", "dtype", "attention", "text_column", "text_pair_column", "parameters"),
    *("texts", "text_pairs", "padding", "truncation", "max_length", "stride", "pad_to_multiple_of", "padding_side"),
    *("add_special_tokens", "return_overflowing_tokens", "pad_token", "split_special_tokens", "batch_size"),
    *("algorithm", "vocabulary", "encoding", "header", "text", "text_pair", "target", "method", "layer", "head"),
    *("ids", "words", "labels", "query", "first", "label_column"),
}
# The endpoints that take, in place of a run's id, what a link of its owner calls it.
LOOKING = {"run_status", "run_events", "watch_run", "run_report", "run_epoch", "run_script", "compare_runs"}
IS_NOT_THERE = re.compile(r"^There is no (such run|such search|tokenizer:bpe-\w+ here \(any more\).*)\.?$", re.DOTALL)


@dataclass(frozen=True)
class Things:
    """What anna has on the server."""

    run: Run
    tokenizer: str
    search: str

    def cases(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (endpoint, arguments) of calls each of which needs something of anna's and does no harm."""
        run, model, words = self.run.id, f"run:{self.run.id}", ["a tug"]
        asked = {"dataset": model, "training": {"max_steps": 1}}
        of_run: dict[str, dict[str, Any]] = {
            **{name: {} for name in ("run_status", "run_events", "watch_run", "run_report", "run_script", "stop_run")},
            **{
                name: {}
                for name in ("resume_run", "download_run", "delete_run", "share_run", "unshare_run", "label_errors")
            },
            "run_epoch": {"epoch": 0},
            "duplicate_run": {"changes": {"max_length": -1}},
            "train_more": {"epochs": 0},
            "set_run_notes": {"notes": "mine"},
        }
        return [
            *((name, {"run": run, **more}) for name, more in of_run.items()),
            ("compare_runs", {"runs": [run]}),
            *((name, {"search": self.search}) for name in ("search_status", "stop_search")),
            ("text_classification", {"text": "a tug", "model": model}),
            ("explain", {"text": "a tug", "model": model}),
            ("explain", {"text": "a tug", "model": model, "task": "text-classification"}),
            ("attention", {"text": "a tug", "model": model, "task": "text-classification"}),
            ("download_tokenizer", {"tokenizer": self.tokenizer}),
            ("load_model", {"model": model}),
            ("load_model", {"model": f"untrained:{model}", "task": "text-classification"}),
            ("tokenize", {"texts": words, "tokenizer": model}),
            ("tokenize", {"texts": words, "tokenizer": self.tokenizer}),
            ("tokenize", {"texts": words, "model": model}),
            ("decode_ids", {"ids": [1], "tokenizer": self.tokenizer}),
            ("align_words", {"words": words, "tokenizer": self.tokenizer}),
            ("search_vocabulary", {"tokenizer": self.tokenizer}),
            ("padding_report", {"dataset": model}),
            ("padding_report", {"dataset": "tickets", "tokenizer": self.tokenizer}),
            ("inspect_dataset", {"dataset": model}),
            ("inspect_dataset", {"dataset": "tickets", "count": True, "config": {"dataset": "x", "model": model}}),
            ("start_run", {"config": {**asked, "dataset": "tickets", "model": model}}),
            ("start_run", {"config": asked}),
        ]


class Visitor:
    """Somebody who calls endpoints; without `remembers` as a program that keeps no cookies."""

    def __init__(self, url: str, *, remembers: bool = True, headers: Mapping[str, str] | None = None) -> None:
        self.http = httpx.Client(base_url=url, timeout=120, headers=dict(headers or {}))
        self.remembers = remembers
        self.http.get("/config")

    def upload(self, name: str, content: bytes) -> str:
        """Send a file and return its path on the server."""
        answer = self.http.post("/gradio_api/upload", files=[("files", (name, content))])
        return str(answer.raise_for_status().json()[0])

    def read(self, path: str, route: str = "/gradio_api/file=") -> bytes | int:
        """Return the content of a file on the server, or the status of the refusal."""
        answer = self.http.get(f"{route}{path}")
        return answer.content if answer.is_success else answer.status_code

    @property
    def token(self) -> str:
        return str(self.http.cookies[COOKIE])

    def call(self, name: str, **arguments: Any) -> Any:
        """Return the endpoint's answer, or {"error": sentence}."""
        if not self.remembers:
            self.http.cookies.clear()
        answer = self.http.post(f"/gradio_api/run/{name}", json={"data": in_order(name, arguments)})
        found = answer.json()
        return found["data"][0] if answer.is_success else {"error": found["error"]}


def in_order(name: str, arguments: Mapping[str, Any]) -> list[Any]:
    """Return the values of all arguments of an endpoint, those that are left out as they are by default."""
    (endpoint,) = (each for each in ENDPOINTS if each.name == name)
    _, *parameters = inspect.signature(endpoint.function).parameters.values()
    assert set(arguments) <= {each.name for each in parameters}
    return [arguments.get(each.name, None if each.default is each.empty else each.default) for each in parameters]


@pytest.fixture(scope="module")
def anna(public: Server) -> Visitor:
    return Visitor(public.url)


@pytest.fixture(scope="module")
def bob(public: Server) -> Visitor:
    return Visitor(public.url)


@pytest.fixture(scope="module")
def nobody(public: Server) -> Visitor:
    return Visitor(public.url, remembers=False)


@pytest.fixture(scope="module")
def things(
    public: Server, anna: Visitor, colours: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Things:
    """A run with a model, a search and a tokenizer in the home of the server, as it makes them for anna."""
    owned = Settings(home=public.home, public=True).of_owner(f"visitor-{anna.token.partition('.')[0]}")
    run = RunStore(owned).create(RunConfig("colours"), colours)
    (run.folder / "model").mkdir()
    for path in tiny.iterdir():
        (run.folder / "model" / path.name).write_bytes(path.read_bytes())
    search = public.home / "searches" / "20260101-000000-x"
    search.mkdir(parents=True)
    described = '{"metric": "accuracy", "greater_is_better": true, "trials": 1}'
    (search / "search.json").write_text(described)
    (search / "end.json").write_text('{"state": "finished"}')
    (search / "owner").write_text(owned.owner)
    text = tmp_path_factory.mktemp("text") / "a.txt"
    text.write_text("A tug tows, and towed ships follow. " * 20)
    return Things(run, str(train_from_file(text, "bpe", 300, owned)), search.name)


def test_each_argument_is_known_to_name_something_or_nothing_of_a_visitor(things: Things) -> None:
    tried = {(name, argument) for name, arguments in things.cases() for argument in arguments}
    for endpoint in ENDPOINTS:
        _, *names = inspect.signature(endpoint.function).parameters
        if not endpoint.is_task:  # what those take besides a model are the fields of a row
            assert set(names) <= NAMES_SOMETHING | PLAIN, f"whose is what {endpoint.name} takes?"
            asking = NAMES_SOMETHING & set(names) - {"file"}
            assert not asking or any((endpoint.name, name) in tried for name in asking) or _takes_no_run(endpoint.name)


def _takes_no_run(name: str) -> bool:
    """Return whether an endpoint is there for models and searches that are tried by themselves below."""
    return name in {"unload_model", "predict_file", "start_search", "train_tokenizer", "embedding_map"}


@pytest.mark.parametrize("asking", ["bob", "nobody"])
def test_what_is_another_s_is_not_there(asking: str, things: Things, request: pytest.FixtureRequest) -> None:
    visitor = request.getfixturevalue(asking)
    for name, arguments in things.cases():
        found = visitor.call(name, **arguments)
        assert IS_NOT_THERE.match(str(found.get("error"))), f"{name} {arguments} gave {found}"
        if "run" in arguments:
            never = visitor.call(name, **{**arguments, "run": "20260101-000000-never"})
            assert never["error"] == found["error"], "nobody learns that there is one"
    assert visitor.call("list_runs") == []
    assert visitor.call("list_searches") == []
    models = visitor.call("list_models")
    assert "run:" not in str(models)


def test_what_is_one_s_own_can_be_used(anna: Visitor, things: Things) -> None:
    assert [run["run"] for run in anna.call("list_runs")] == [things.run.id]
    assert [search["search"] for search in anna.call("list_searches")] == [things.search]
    assert f"run:{things.run.id}" in anna.call("list_models")["available"]
    for name, arguments in things.cases():
        if name not in ("start_run", "delete_run", "stop_run"):
            found = anna.call(name, **arguments)
            said = found.get("error") if isinstance(found, dict) else None
            assert not IS_NOT_THERE.match(str(said)), f"{name} {arguments} gave {found}"
    assert anna.call("set_run_notes", run=things.run.id, notes="mine")["notes"] == "mine"


def in_words(found: Any) -> str:
    return str(found["error"]) if isinstance(found, dict) and "error" in found else ""


def test_by_a_link_of_its_owner_everybody_looks_at_a_run_and_does_nothing_else(
    public: Server, anna: Visitor, bob: Visitor, nobody: Visitor, things: Things
) -> None:
    shared = anna.call("share_run", run=things.run.id)
    link, before = shared["run"], read_files(things.run.folder)
    assert shared == {"run": link, "link": f"?run={link}"} == anna.call("share_run", run=things.run.id)
    assert re.fullmatch(rf"{things.run.id}\.[0-9a-f]{{32}}", link)
    named = [(name, json.dumps(arguments)) for name, arguments in things.cases() if things.run.id in str(arguments)]
    assert {name for name, _ in named} >= LOOKING
    for name, arguments in named:
        for visitor in (bob, nobody):
            said = in_words(visitor.call(name, **json.loads(arguments.replace(things.run.id, link))))
            is_refused = bool(IS_NOT_THERE.match(said) or "is not a run id" in said)
            assert is_refused != (name in LOOKING), f"{name} {arguments} said {said}"
    assert bob.call("run_status", run=link) == anna.call("run_status", run=things.run.id)
    assert list(bob.call("compare_runs", runs=[link])["runs"]) == [things.run.id]
    assert bob.call("list_runs") == []
    assert read_files(things.run.folder) == before

    secret = link.partition(".")[2]
    wrong = [f"{things.run.id}.{each}" for each in ("", secret[:-1], secret.upper(), f"{secret}0", "é", "None")]
    wrong += [things.run.id, f".{secret}", f"../{link}", f"{link}/model", "20260101-000000-never." + secret]
    for name in LOOKING:
        for each in wrong:
            found = call_looking(bob, name, each)
            assert found == {"error": "There is no such run."}, f"{name} {each}"

    assert anna.call("unshare_run", run=things.run.id) == {"run": things.run.id, "link": None}
    for name in LOOKING:
        assert call_looking(bob, name, link) == {"error": "There is no such run."}
    again = anna.call("share_run", run=things.run.id)["run"]
    assert again != link
    assert bob.call("run_status", run=link) == {"error": "There is no such run."}
    assert bob.call("run_status", run=again)["state"]
    anna.call("unshare_run", run=things.run.id)


def test_nobody_maps_texts_by_another_s_model(anna: Visitor, bob: Visitor, things: Things) -> None:
    rows, found = b"text,label\na tug,x\na ferry,y\na barge,x\n", {}
    for name, visitor in (("anna", anna), ("bob", bob)):
        file = {"path": visitor.upload("texts.csv", rows), "meta": {"_type": "gradio.FileData"}}
        found[name] = visitor.call("embedding_map", file=file, model=f"run:{things.run.id}", label_column="label")
    assert [point["label"] for point in found["anna"]["points"]] == ["x", "y", "x"]
    assert IS_NOT_THERE.match(found["bob"]["error"])


def test_nobody_trains_a_tokenizer_like_another_s(anna: Visitor, bob: Visitor, things: Things) -> None:
    harbour = (Path(__file__).parents[2] / "examples" / "harbour.txt").read_bytes()
    made = {}
    for name, visitor in (("anna", anna), ("bob", bob)):
        file = {"path": visitor.upload("harbour.txt", harbour), "meta": {"_type": "gradio.FileData"}}
        made[name] = visitor.call("train_tokenizer", file=file, vocabulary=600, like=things.tokenizer)
    assert made["anna"]["tokenizer"].startswith("tokenizer:like-")
    assert IS_NOT_THERE.match(made["bob"]["error"])


def call_looking(visitor: Visitor, name: str, run: str) -> Any:
    arguments: dict[str, Any] = {"runs": [run]} if name == "compare_runs" else {"run": run}
    return visitor.call(name, **arguments, **({"epoch": 0} if name == "run_epoch" else {}))


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_that_its_owner_has_loaded_is_nobody_else_s(anna: Visitor, bob: Visitor, things: Things) -> None:
    model = f"run:{things.run.id}"
    answer = anna.call("text_classification", text="a tug", model=model)
    assert {each["label"] for each in answer["output"]} <= {"red", "green", "blue"}
    assert model in str(anna.call("list_models")["loaded"])
    assert bob.call("text_classification", text="a tug", model=model) == {"error": "There is no such run."}
    assert model not in bob.call("unload_model", model=model)["error"].partition("Loaded models")[2]


def test_a_run_that_is_begun_is_its_visitor_s_by_cookie_and_by_header(public: Server, anna: Visitor) -> None:
    config = {"dataset": "tickets", "method": "frozen", "training": {"max_steps": 1}}
    begun = anna.call("start_run", config=config)["run"]
    program = Visitor(public.url, remembers=False, headers={HEADER: anna.token})
    assert program.call("run_status", run=begun)["state"] in ("queued", "starting", "running", "finished")
    assert Visitor(public.url).call("run_status", run=begun) == {"error": "There is no such run."}
    forged = f"{anna.token[:-1]}{'0' if anna.token[-1] != '0' else '1'}"
    for headers in ({HEADER: forged}, {HEADER: anna.token.partition(".")[0]}, {"Cookie": f"{COOKIE}={forged}"}):
        stranger = Visitor(public.url, remembers=False, headers=headers)
        assert stranger.call("run_status", run=begun) == {"error": "There is no such run."}
    program.call("stop_run", run=begun, keep=False)
    wait_until(lambda: anna.call("run_status", run=begun)["state"] in ("stopped", "finished"), 60, "the end of the run")
    assert anna.call("delete_run", run=begun) == {"deleted": begun}
    assert not (public.home / "runs" / begun).exists()


FILES = b"text,label\na tug,x\na bus,y\n"


def test_an_upload_is_read_by_who_sent_it_alone_whatever_others_name(
    public: Server, anna: Visitor, bob: Visitor, nobody: Visitor
) -> None:
    path = anna.upload("hers.csv", FILES)
    assert anna.read(path) == FILES
    around = str(Path(path).parent / ".." / Path(path).parent.name / Path(path).name)
    for stranger in (bob, nobody):
        for route in ("/gradio_api/file=", "/gradio_api/file/", "/gradio_api//file=", "/file="):
            for named in (path, around, str(Path(path).parent), f"./{path}"):
                assert stranger.read(named, route) in (403, 404), f"{route}{named}"
    for endpoint in ENDPOINTS:
        _, *parameters = inspect.signature(endpoint.function).parameters.values()
        for each in parameters:
            if "FileData" in str(each.annotation):
                for meta in ({"meta": {"_type": "gradio.FileData"}}, {}):
                    said = bob.call(endpoint.name, **{each.name: {"path": path, **meta}})
                    assert "was not uploaded here" in str(said.get("error")), f"{endpoint.name} {each.name}"
    # Who sends the same content has sent it, and learns nothing of others.
    assert Visitor(public.url).upload("hers.csv", FILES) == path
    assert bob.read(path) == 403


def test_a_result_is_read_by_who_asked_for_it_alone(anna: Visitor, bob: Visitor, things: Things) -> None:
    path = anna.upload("hers.csv", FILES)
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    written = anna.call("predict_file", file=file, task="text-classification", model=f"run:{things.run.id}")
    packed = anna.call("download_run", run=things.run.id)
    for given in (written["path"], packed["path"]):
        assert isinstance(anna.read(given), bytes)
        assert bob.read(given) == 403
        assert bob.read(str(Path(given).parent)) == 403


def test_rows_that_look_like_files_give_nobody_a_file(anna: Visitor, bob: Visitor) -> None:
    path = anna.upload("hers.csv", FILES)
    rows = f"path,label\n{path},x\n{path},y\n"
    sent = {"path": bob.upload("his.csv", rows.encode()), "meta": {"_type": "gradio.FileData"}}
    assert path in str(bob.call("inspect_dataset", file=sent))
    assert "was not uploaded here" in bob.call("start_run", config={"path": path})["error"]
    assert bob.read(path) == 403


def test_what_gradio_would_keep_on_the_disk_beside_uploads_is_refused(public: Server, anna: Visitor) -> None:
    """A page's state as a link, and a recording of the screen, are bytes that nothing counts."""

    def files() -> set[Path]:
        return set((public.home / "cache" / "gradio").rglob("*"))

    opened = {"data": [], "fn_index": 0, "session_hash": "page"}
    anna.http.post("/gradio_api/queue/join", json=opened)
    before = files()
    answers = [anna.http.get(f"/gradio_api/deep_link{end}", params={"session_hash": "page"}) for end in ("", "/")]
    recording = {"video": ("a.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n")}
    answers.append(anna.http.post("/gradio_api/process_recording", files=recording))
    assert [answer.status_code for answer in answers] == [404] * 3
    assert "keeps neither pages nor recordings" in answers[0].json()["error"]
    assert files() == before


def test_a_cookie_does_not_speak_for_its_visitor_where_another_page_sends_it(public: Server, anna: Visitor) -> None:
    def list_runs(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Cookie": f"{COOKIE}={anna.token}", **named}
        answer = httpx.post(f"{public.url}/gradio_api/run/list_runs", json={"data": []}, headers=sent)
        return answer.json()["data"][0], "set-cookie" in answer.headers

    own, is_given_another = list_runs(Sec_Fetch_Site="same-origin")
    assert own
    assert not is_given_another
    assert list_runs(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors") == ([], False)
    assert list_runs(X_Gradio_User="mcp") == ([], False), "which calls with one cookie for all"


def test_a_cookie_is_kept_from_scripts_other_sites_and_caches(public: Server) -> None:
    def cookie(path: str = "/", **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(f"{public.url}{path}", headers=named).headers.get("set-cookie", "")

    token = rf"{COOKIE}=[0-9a-f]{{32}}\.[0-9a-f]{{64}}; Path=/; Max-Age=2592000; HttpOnly"
    assert re.fullmatch(rf"{token}; SameSite=Lax", cookie())
    assert re.fullmatch(rf"{token}; SameSite=Lax; Secure", cookie(X_Forwarded_Proto="https"))
    framed = cookie(X_Forwarded_Proto="https", Sec_Fetch_Dest="iframe")
    assert re.fullmatch(rf"{token}; Secure; SameSite=None; Partitioned", framed)
    page = httpx.get(public.url).text
    script = re.search(r"[\"'](?:\./|/)?(assets/[\w.-]+\.js)", page)
    assert script is not None
    assert cookie(f"/{script[1]}") == ""
    key = public.home / "visitors.key"
    assert key.stat().st_mode & 0o777 == 0o600
