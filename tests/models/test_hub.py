"""What is fetched from the Hub, what is said when it refuses, and what is left of it without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hfdemo.models import hub as door
from hfdemo.models.hub import select_needed_files
from hfdemo.models.reference import ModelRef
from tests.models.hub import NOWHERE, Repo, ask, drop_packets, keep_silent, of_folder, serve


@pytest.fixture(scope="module")
def hub(tiny: Path) -> Iterator[str]:
    whole = of_folder(tiny).files
    words = {name: content for name, content in whole.items() if not name.endswith(".safetensors")}
    repos = {
        "owner/tiny": Repo({**whole, "README.md": b"#", "onnx/model.onnx": b"0", "model.fp16.safetensors": b"0"}),
        "owner/listed": Repo(whole, pipeline_tag="zero-shot-classification"),
        "owner/oddly-listed": Repo(whole, pipeline_tag="no-such-task"),
        "owner/gated": Repo(whole, gated=True),
        "owner/hidden": Repo(status=403, code="GatedRepo"),
        "owner/bad-token": Repo(status=401),
        "owner/broken": Repo(status=500),
        "owner/crowded": Repo(status=429),
        "owner/waking": Repo(words, status=503, refusals=2),
        "owner/pickled": Repo({**words, "pytorch_model.bin": b"0"}),
        "owner/words": Repo({name: content for name, content in words.items() if name.startswith("tokenizer")}),
    }
    with serve(repos) as address:
        yield address


def test_of_a_repository_every_config_and_vocabulary_is_needed_and_one_copy_of_the_weights() -> None:
    words = [
        *(
            "config.json",
            "generation_config.json",
            "preprocessor_config.json",
            "processor_config.json",
            "decision.json",
        ),
        *("video_preprocessor_config.json", "chat_template.jinja", "chat_template.json", "tokenizer.json", "vocab.txt"),
        *("vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"),
        *("spiece.model", "source.spm", "target.spm", "bpe.codes", "qwen.tiktoken", "model.safetensors.index.json"),
        *("additional_chat_templates/tools.jinja", "qformer_tokenizer/tokenizer.json"),
    ]
    weights = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "head.safetensors"]
    others = [
        *("README.md", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx", "onnx/config.json"),
        *("model.fp16-00001-of-00002.safetensors", "consolidated.safetensors", "original/model.safetensors", "run.py"),
        *("optimizer.bin", "picture.png"),
    ]
    assert select_needed_files([*words, *weights, *others], weights=True) == sorted(words + weights)
    assert select_needed_files([*words, *weights, *others], weights=False) == sorted(words)


def test_pickled_weights_are_needed_only_where_there_are_no_others() -> None:
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    assert select_needed_files(["config.json", *shards, "training_args.bin"], weights=True) == ["config.json", *shards]
    assert select_needed_files(["model.fp16.safetensors"], weights=True) == ["model.fp16.safetensors"]


@pytest.mark.slow
def test_a_model_is_downloaded_once_with_its_bytes_counted_and_works_without_a_network(
    hub: str, tiny: Path, tmp_path: Path
) -> None:
    size = (tiny / "model.safetensors").stat().st_size
    first, again, loaded = ask(
        hub, tmp_path, ("folder", "owner/tiny"), ("folder", "owner/tiny"), ("load", "owner/tiny")
    )
    names = {path.name for path in Path(first["answer"]).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not names & {"README.md", "onnx", "model.fp16.safetensors"}
    whats, done, totals = zip(*first["seen"], strict=True)
    assert set(whats) == {"Downloading"}
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1] >= size
    assert again["seen"] == []
    assert loaded["answer"]["load_report"] == "Every weight came from the checkpoint."
    assert {what for what, _, _ in loaded["seen"]} == {"Loading weights"}

    offline, offered = ask(NOWHERE, tmp_path, ("load", "owner/tiny"), ("offered", ""))
    assert offline["answer"]["load_report"] == "Every weight came from the checkpoint."
    assert "owner/tiny" in offered["answer"]


@pytest.mark.slow
def test_the_size_of_a_download_is_known_before_it_begins(hub: str, tmp_path: Path) -> None:
    known, downloaded = ask(hub, tmp_path, ("bytes", "owner/tiny"), ("folder", "owner/tiny"))
    assert known["answer"] == sum(path.stat().st_size for path in Path(downloaded["answer"]).iterdir())
    (unknown,) = ask(NOWHERE, tmp_path, ("bytes", "owner/tiny"))
    assert unknown["answer"] is None


@pytest.mark.slow
def test_a_revision_is_pinned_cached_under_its_name_and_offered_with_it(hub: str, tmp_path: Path) -> None:
    pinned, wrong = ask(hub, tmp_path, ("folder", "owner/tiny@v1"), ("folder", "owner/tiny@v9"))
    assert Path(pinned["answer"], "model.safetensors").is_file()
    assert "no revision 'v9'" in wrong["answer"]
    offline, main, offered = ask(
        NOWHERE, tmp_path, ("folder", "owner/tiny@v1"), ("folder", "owner/tiny"), ("offered", "")
    )
    assert offline["answer"] == pinned["answer"]
    assert main["answer"].startswith("Unreachable")
    assert "owner/tiny@v1" in offered["answer"]
    assert "owner/tiny" not in offered["answer"]


@pytest.mark.slow
def test_a_tokenizer_alone_in_the_cache_is_not_taken_for_a_model(hub: str, tmp_path: Path) -> None:
    (words,) = ask(hub, tmp_path, ("words", "owner/tiny"))
    assert not Path(words["answer"], "model.safetensors").exists()
    again, whole = ask(NOWHERE, tmp_path, ("words", "owner/tiny"), ("folder", "owner/tiny"))
    assert again["answer"] == words["answer"]
    assert whole["answer"].startswith("Unreachable")


@pytest.mark.slow
def test_a_repository_that_is_a_tokenizer_alone_is_one_with_a_network_and_without(hub: str, tmp_path: Path) -> None:
    asked = (("tokenizer", "owner/words"), ("tokenizer", "owner/tiny"), ("load", "owner/words"))
    alone, of_model, no_model = ask(hub, tmp_path, *asked)
    assert alone["answer"] == of_model["answer"]
    assert no_model["answer"].startswith("ModelError")
    again, offered, models = ask(NOWHERE, tmp_path, asked[0], ("tokenizers", ""), ("offered", ""))
    assert again["answer"] == alone["answer"]
    assert "owner/words" in offered["answer"]
    assert "owner/words" not in models["answer"]


@pytest.mark.slow
def test_each_refusal_of_the_hub_says_what_to_do(hub: str, tmp_path: Path) -> None:
    names = ("gated", "hidden", "none", "bad-token", "broken")
    gated, hidden, none, bad_token, broken = ask(hub, tmp_path, *[("folder", f"owner/{name}") for name in names])
    for answer in (gated, hidden):
        assert f"Accept them at {hub}/owner/" in answer["answer"]
        assert "HF_TOKEN" in answer["answer"]
    assert "no model 'owner/none'" in none["answer"]
    assert "HF_TOKEN" in none["answer"]
    assert "(status 401)" in bad_token["answer"]
    assert broken["answer"].startswith("Unreachable")
    assert "embedded:minilm" in broken["answer"]


@pytest.mark.slow
def test_a_hub_with_too_much_to_do_is_asked_again_and_then_called_what_it_is(hub: str, tmp_path: Path) -> None:
    crowded, broken, waking = ask(
        hub, tmp_path, *(("words", f"owner/{name}") for name in ("crowded", "broken", "waking"))
    )
    assert "too many questions from here (status 429). Try again in a minute. What works" in crowded["answer"]
    assert "trouble of its own (status 500)" in broken["answer"]
    assert Path(waking["answer"], "config.json").is_file(), "the third time it answered"
    assert crowded["seconds"] < 5


@pytest.mark.slow
def test_a_public_server_lends_its_token_to_nobody(hub: str, tmp_path: Path) -> None:
    gated, hidden, none = ask(hub, tmp_path, *[("folder", f"owner/{n}", True) for n in ("gated", "hidden", "none")])
    for answer in (gated, hidden):
        assert "uses nobody's token" in answer["answer"]
    assert not any("HF_TOKEN" in answer["answer"] for answer in (gated, hidden, none))


@pytest.mark.slow
def test_a_public_server_downloads_no_pickles(hub: str, tmp_path: Path) -> None:
    public, local = ask(hub, tmp_path, ("folder", "owner/pickled", True), ("folder", "owner/pickled"))
    assert "only pickled weights" in public["answer"]
    assert Path(local["answer"], "pytorch_model.bin").is_file()


@pytest.mark.slow
def test_the_task_is_what_the_hub_lists_else_what_the_architecture_says(hub: str, tmp_path: Path) -> None:
    listed, odd, unlisted, untrained, gone = ask(
        hub,
        tmp_path,
        ("task", "owner/listed"),
        ("task", "owner/oddly-listed"),
        ("task", "owner/tiny"),
        ("task", "untrained:owner/listed"),
        ("task", "owner/none"),
    )
    assert listed["answer"] == ["zero-shot-classification", "the Hub lists it under zero-shot-classification"]
    assert untrained["answer"] == listed["answer"]
    for found in (odd, unlisted):
        assert found["answer"][0] == "text-classification"
        assert "BertForSequenceClassification" in found["answer"][1]
    assert "no model" in gone["answer"]

    cached, unknown = ask(NOWHERE, tmp_path, ("task", "owner/tiny"), ("task", "owner/none"))
    assert cached["answer"] == unlisted["answer"]
    assert unknown["answer"].startswith("Unreachable")
    assert unknown["seconds"] < 3


@pytest.mark.slow
def test_a_hub_that_keeps_silent_is_waited_for_once_and_what_was_downloaded_works(hub: str, tmp_path: Path) -> None:
    ask(hub, tmp_path, ("folder", "owner/tiny"))
    with keep_silent() as silent:
        load, task, words = ask(silent.address, tmp_path, *((what, "owner/tiny") for what in ("load", "task", "words")))
        assert silent.count_waits() == 1
    assert load["answer"]["load_report"] == "Every weight came from the checkpoint."
    assert task["answer"][0] == "text-classification"
    assert Path(words["answer"], "tokenizer.json").is_file()


@pytest.mark.slow
def test_a_repository_that_the_hub_is_long_about_costs_no_other_one(hub: str, tmp_path: Path) -> None:
    """A visitor could name a huge one again and again."""
    with keep_silent() as silent:
        ask(silent.address, tmp_path, ("folder", "owner/none"), ("data", "owner/none"))
        assert silent.count_waits() == 2, "each was asked for"


@pytest.mark.slow
def test_a_network_that_loses_packets_is_waited_for_once_whatever_is_asked_for(tmp_path: Path) -> None:
    questions = (("folder", "a/b"), ("task", "c/d"), ("data", "e/f"), ("ready", "g/h"))
    with drop_packets() as address:
        _, first, *others = ask(address, tmp_path, ("offered", ""), *questions)
    for each in (first, *others):
        assert "can't be reached from here" in each["answer"]
    assert 1.0 < first["seconds"] - others[0]["seconds"] < 3.0


def test_a_call_waits_for_a_silent_hub_once_whatever_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def keep_waiting(ref: ModelRef, token: bool | None, repo_type: str) -> None:
        asked.append(ref.name)
        raise TimeoutError

    monkeypatch.setattr(door, "_fetch_info", keep_waiting)
    monkeypatch.setattr(door, "_WAITED_SECONDS", 0.0)
    with door.wait_once():
        assert [door.hub_info(ModelRef.parse(each), public=False) for each in ("once/one", "once/two")] == [None, None]
    assert asked == ["once/one"]
    with door.wait_once():
        door.hub_info(ModelRef.parse("once/two"), public=False)
        door.hub_info(ModelRef.parse("once/one"), public=False)
    assert asked == ["once/one", "once/two"], "and not for the same again a moment later"
