"""The one door to the Hub, the runs, the package and the disk; what it says when a door is closed."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hfdemo.errors import ModelError, Unreachable
from hfdemo.models import folders
from hfdemo.models.folders import (
    check_available,
    find_base_model,
    folder_with_tokenizer,
    is_local,
    list_offline_models,
    list_offline_tokenizers,
    local_folder,
)
from hfdemo.models.loading import load_model
from hfdemo.models.model_facts import architectures, infer_task
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.trained_tokenizers import train_from_file
from hfdemo.settings import Settings
from tests.clock import quiet_time
from tests.conftest import ROOT


def test_without_a_network_a_hub_reference_says_so_within_three_seconds_and_lists_what_works(
    settings: Settings,
) -> None:
    import huggingface_hub.hf_api  # noqa: F401  what it takes to import is not meant

    for ask in (local_folder, check_available):
        started = quiet_time()
        with pytest.raises(Unreachable, match=r"can't be reached.*embedded:sentiment, embedded:minilm"):
            ask(ModelRef.parse("owner/name@v2"), settings)
        assert quiet_time() - started < 3


@pytest.mark.slow
def test_a_hub_that_accepts_and_never_answers_is_given_up_within_three_seconds(settings: Settings) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hfdemo.errors import Unreachable\n"
        "from hfdemo.models.reference import ModelRef\n"
        "from hfdemo.models.folders import local_folder\n"
        "from hfdemo.settings import Settings\n"
        "from tests.clock import quiet_time\n"
        "import huggingface_hub.hf_api\n"
        "started = quiet_time()\n"
        "try:\n    local_folder(ModelRef.parse('bert-base-uncased'), Settings(home=Path(sys.argv[1])))\n"
        "except Unreachable as error:\n    print(quiet_time() - started, error)\n"
    )
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = subprocess.run(
            [sys.executable, "-c", code, str(settings.home)],
            cwd=ROOT,
            env={**os.environ, "HF_ENDPOINT": endpoint},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
    seconds, _, sentence = said.partition(" ")
    assert float(seconds) < 3
    assert "can't be reached" in sentence


def test_finished_runs_are_offered_newest_first(settings: Settings) -> None:
    for name in ("20260101-000000-a", "20260102-000000-b", "20260103-000000-unfinished"):
        (settings.runs / name / "model").mkdir(parents=True)
        if "unfinished" not in name:
            (settings.runs / name / "model" / "config.json").write_text("{}")
    assert list_offline_models(settings)[:4] == [
        "embedded:sentiment",
        "embedded:minilm",
        "run:20260102-000000-b",
        "run:20260101-000000-a",
    ]


def test_tokenizers_are_offered_beside_models_and_on_a_public_server_only_those_of_all(
    settings: Settings, tmp_path: Path
) -> None:
    run = settings.runs / "20260101-000000-a" / "model"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    text = tmp_path / "a.txt"
    text.write_text("A tug tows, and towed ships follow. " * 20)
    trained = str(train_from_file(text, "bpe", 300, settings))
    built_in = ["tokenizer:wordpiece", "tokenizer:bpe", "tokenizer:unigram", "tokenizer:bytes"]
    assert list_offline_tokenizers(settings) == ["embedded:minilm", *built_in, trained, "run:20260101-000000-a"]
    assert list_offline_tokenizers(settings.of_owner("somebody")) == ["embedded:minilm", *built_in]
    assert not [choice for choice in list_offline_models(settings) if choice.startswith("tokenizer:")]
    for choice in list_offline_tokenizers(settings)[:-1]:
        assert load_tokenizer(ModelRef.parse(choice), settings)("tug")["input_ids"]


@pytest.mark.parametrize(
    "ask",
    [
        local_folder,
        lambda ref, settings: local_folder(ref, settings, weights=False),
        check_available,
        architectures,
        infer_task,
        find_base_model,
        lambda ref, settings: load_model(ref, "AutoModel", settings),
    ],
    ids=["weights", "config", "check", "architectures", "infer_task", "base_of", "load"],
)
def test_whoever_needs_a_model_is_told_that_a_tokenizer_is_none(
    settings: Settings, ask: Callable[[ModelRef, Settings], object]
) -> None:
    ref = ModelRef.parse("tokenizer:bpe")
    with pytest.raises(ModelError, match=r"tokenizer:bpe is a tokenizer, not a model: .*Pick a model here"):
        ask(ref, settings)
    assert not is_local(ref, settings)


def test_whatever_has_a_tokenizer_says_where_it_lies(settings: Settings, tiny: Path) -> None:
    assert (folder_with_tokenizer(ModelRef.parse("tokenizer:bpe"), settings) / "tokenizer.json").is_file()
    assert folder_with_tokenizer(ModelRef.parse(str(tiny)), settings) == tiny


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("run:never", "no run 'never'"),
        ("./nowhere", "no folder './nowhere'"),
        ("./app.py", "is a file"),
        ("/dev/zero", "is a file"),
        ("./tests", "no config.json"),
    ],
)
def test_what_is_not_there_is_named(
    settings: Settings, reference: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ModelError, match=said):
        local_folder(ModelRef.parse(reference), settings)


def test_a_public_server_reads_no_folder(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(ModelError, match="shared server"):
        local_folder(ModelRef.parse(str(tiny)), Settings(home=tmp_path, public=True))


def test_embedded_weights_that_are_not_the_tested_ones_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ModelError, match="sha256"):
        local_folder(ModelRef.parse("embedded:minilm"), settings)
