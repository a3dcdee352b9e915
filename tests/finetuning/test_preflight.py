"""Preflight: what it calls ready is accepted by Start and trains; what it refuses is refused before anything starts."""

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hfdemo.data_sources import read_corpus
from hfdemo.devices import Device
from hfdemo.errors import DemoError, Unreachable
from hfdemo.finetuning.argument_checks import check
from hfdemo.finetuning.arguments import Method
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import inspect
from hfdemo.finetuning.evaluation import compute_metrics
from hfdemo.finetuning.events import Event, StepLogged
from hfdemo.finetuning.launcher import check_processes
from hfdemo.finetuning.preflight import RunData, SlowChecks, preflight, slow_checks
from hfdemo.finetuning.runs import RunStore
from hfdemo.finetuning.training.training import train
from hfdemo.models import weights
from hfdemo.models.folders import SENTIMENT
from hfdemo.settings import Settings
from tests.finetuning.evaluation.test_compute_metrics import write
from tests.finetuning.tiny_runs import CPU, Zoo
from tests.models import hub

DATA = RunData((("train", 100), ("validation", 25)), ("a", "b"), "b", "single_label_classification", None, 1_000)


def ready(store: RunStore, **config: Any) -> str:
    """Return the first refusal; "" where there is none."""
    checked = store.preflight(RunConfig("x", **config), DATA)
    assert (checked.error is None) == (not any(each.refuses for each in checked.findings))
    return str(checked.error or "")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, ""),
        ({"method": "lora"}, ""),
        ({"method": "lora", "lora": {"target_modules": ["query"]}}, ""),
        ({"method": "lora", "lora": {"target_modules": ["quarry"]}}, "has no layer that"),
        ({"method": "lora", "lora": {"target_modules": "quarry"}}, "does not fit embedded:minilm: No modules"),
        ({"method": "lora", "lora": {"target_modules": [], "layers_to_transform": [99]}}, "does not fit"),
        ({"model": "embedded:sentiment", "method": "lora", "lora": {"target_modules": ["quarry"]}}, "call 'quarry'"),
        ({"method": "lora", "lora": {"r": 10**9}}, "at most 8,192"),
        ({"method": "lora", "lora": {"init_lora_weights": "pissa_niter_4"}}, ""),
        ({"method": "lora", "lora": {"init_lora_weights": "olora"}}, ""),
        ({"method": "lora", "lora": {"init_lora_weights": "pissa_niter_x"}}, "does not fit"),
        ({"method": "lora", "lora": {"init_lora_weights": "nope"}}, "does not fit"),
        ({"method": "lora", "lora": {"init_lora_weights": "loftq"}}, "must be specified"),
        ({"method": "lora", "lora": {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}}, "does not fit"),
        ({"training": {"use_liger_kernel": True}}, "needs the package liger-kernel"),
        ({"training": {"accelerator_config": {"nope": 1}}}, "unexpected keyword argument 'nope'"),
        ({"training": {"dataloader_persistent_workers": True}}, "needs dataloader_num_workers above 0"),
        ({"training": {"fsdp": True}}, "FSDP shares a model out between GPUs"),
        ({"training": {"num_train_epochs": 1e9}}, "num_train_epochs is 1000000000.0, but must be at most"),
        ({"training": {"num_train_epochs": 1e6, "per_device_train_batch_size": 1}}, "100,000,000 steps"),
        ({"training": {"max_steps": 10**9}}, "1,000,000,000 steps"),
        ({"training": {"learning_rate": 1e9}}, "at most 100"),
        ({"training": {"per_device_train_batch_size": 10**12}}, "at most 1000000"),
        ({"training": {"dataloader_num_workers": 10_000}}, "at most 256"),
        ({"training": {"metric_for_best_model": "bleu"}}, "metric_for_best_model is 'bleu'"),
        ({"processes": 10_000}, "processes is 10,000, and this machine has"),
        ({"model": "owner/name"}, "the Hub can't be reached"),
        ({"model": "run:none"}, "There is no run 'none'"),
        ({"metrics": ("/no/where.py",)}, "There is no metric at"),
        ({"class_weights": {"a": 1.0}}, "wrong or missing: b"),
    ],
    ids=str,
)  # fmt: skip
def test_what_would_only_fail_in_the_child_is_refused_before_there_is_one(
    settings: Settings, config: Any, said: str
) -> None:
    found = ready(RunStore(settings), **config)
    assert said in found
    assert bool(said) == bool(found)


@pytest.fixture
def patient_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial of further metrics has all the time that a busy machine takes for an interpreter to begin."""
    monkeypatch.setattr(compute_metrics, "TRIAL_SECONDS", 600.0)


@pytest.mark.slow
@pytest.mark.usefixtures("patient_trial")
def test_further_metrics_are_tried_before_a_run_starts(settings: Settings, tmp_path: Path) -> None:
    store = RunStore(settings)
    mine = write(tmp_path, "wrong", '{"wrong": 1.0, "f1": 0.0, "text": "no"}')

    def best(name: str) -> str:
        return ready(store, metrics=(mine,), training={"metric_for_best_model": name})

    assert [best(name) for name in ("loss", "f1", "wrong", "eval_wrong", "extra_f1")] == [""] * 5
    for name in ("rong", "text"):
        assert best(name).startswith(f"metric_for_best_model is {name!r}, but the metrics are loss, accuracy, f1, ")
        assert "f1_weighted, wrong, extra_f1. Pick one." in best(name)
    Path(mine, "wrong.py").write_text(Path(mine, "wrong.py").read_text().replace('"wrong": 1.0', '"rong": 1.0'))
    assert [best(name)[:35] for name in ("rong", "wrong")] == ["", "metric_for_best_model is 'wrong', b"]


@pytest.mark.slow
@pytest.mark.usefixtures("patient_trial")
@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('print("loud") or {"broken": 1 / 0}', "can't be computed on these predictions: division by zero"),
        ("__import__('os')._exit(0)", "ended the process that tried it (exit code 0)"),
    ],
)
def test_a_further_metric_that_fails_is_refused_before_there_is_a_child(
    settings: Settings, tmp_path: Path, result: str, said: str
) -> None:
    assert said in ready(RunStore(settings), metrics=(write(tmp_path, "odd", result),))


def test_a_metric_that_is_not_tried_in_time_is_left_to_the_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute_metrics, "TRIAL_SECONDS", 0.01)
    slow, store = write(tmp_path, "slow", '{"slow": 1.0}'), RunStore(settings)
    config: dict[str, Any] = {"metrics": (slow,), "training": {"metric_for_best_model": "who knows"}}
    assert ready(store, **config) == ""
    monkeypatch.setattr(compute_metrics, "TRIAL_SECONDS", 600.0)
    assert ready(store, **config) == "", "nobody waits for the same files a second time"


def test_a_checkpoint_that_cannot_be_loaded_is_refused(
    settings: Settings, tiny: Path, zoo: Zoo, tmp_path: Path
) -> None:
    store = RunStore(settings)

    def copied(name: str, *, without: str = "", **config: Any) -> str:
        folder = tmp_path / name
        folder.mkdir()
        for path in tiny.iterdir():
            if not without or not path.name.startswith(without):
                (folder / path.name).write_bytes(path.read_bytes())
        written = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**written, **config}))
        return str(folder)

    assert ready(store, model=copied("whole")) == ""
    assert "no weights" in ready(store, model=copied("hollow", without="model"))
    assert ready(store, model="untrained:" + copied("random", without="model")) == ""
    assert "tokenizer" in ready(store, model=copied("wordless", without="tokenizer"))
    assert "no architecture 'nope'" in ready(store, model=copied("unknown", model_type="nope"))
    cut = Path(copied("cut")) / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-8])
    assert "is damaged" in ready(store, model=str(cut.parent))
    assert "which can't be loaded as AutoModelForSequenceClassification" in ready(
        store, model=str(zoo("image-to-image"))
    )


def test_an_answer_about_a_model_is_found_once_and_anew_when_its_files_change(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    models = SlowChecks(settings)
    assert models.check_is_there(str(folder)) == (folder / "model.safetensors").stat().st_size
    started = time.process_time()
    for _ in range(20):
        models.check_is_there("embedded:minilm")  # whose 90 MB are hashed
    assert time.process_time() - started < 2
    (folder / "model.safetensors").unlink()
    with pytest.raises(DemoError, match="no weights"):
        models.check_is_there(str(folder))
    with pytest.raises(Unreachable):
        models.check_is_there("owner/name")


def copy_adapter(folder: Path, base: str = "embedded:minilm") -> Path:
    """Copy embedded:sentiment to `folder`, as an adapter on `base`."""
    shutil.copytree(SENTIMENT, folder)
    written = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**written, "base_model_name_or_path": base}))
    return folder


def test_an_adapter_is_checked_with_everything_that_it_stands_on(settings: Settings, tmp_path: Path) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(DemoError) as refused:
            SlowChecks(settings).check_is_there(str(folder))
        return str(refused.value)

    assert SlowChecks(settings).check_is_there(str(copy_adapter(tmp_path / "whole"))) > 10**7
    cut = copy_adapter(tmp_path / "cut") / "adapter_model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-8])
    assert "is damaged" in said(cut.parent)
    (copy_adapter(tmp_path / "none") / "adapter_model.safetensors").unlink()
    assert "no adapter_model.safetensors" in said(tmp_path / "none")
    assert "no folder" in said(copy_adapter(tmp_path / "lost", str(tmp_path / "nowhere")))
    assert "can't be reached" in said(copy_adapter(tmp_path / "silent", "owner/name"))
    assert "stands on itself" in said(copy_adapter(tmp_path / "self", str(tmp_path / "self")))
    copy_adapter(tmp_path / "one", str(tmp_path / "two"))
    assert "stands on itself" in said(copy_adapter(tmp_path / "two", str(tmp_path / "one")))


def test_the_silence_of_the_hub_is_not_kept_for_an_adapter_whose_files_stay_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, adapter = SlowChecks(settings), copy_adapter(tmp_path / "adapter", "owner/name")
    with pytest.raises(Unreachable):
        models.check_is_there(str(adapter))
    monkeypatch.setattr(slow_checks, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(SlowChecks, "_check_base", lambda self, base: None)
    models.check_is_there(str(adapter))


@pytest.mark.slow
def test_a_model_of_the_hub_of_which_only_the_tokenizer_is_here_is_no_broken_one(tiny: Path, tmp_path: Path) -> None:
    with hub.serve({"o/model": hub.of_folder(tiny)}) as endpoint:
        words, ready = hub.ask(endpoint, tmp_path, ("words", "o/model"), ("ready", "o/model"))
    assert not (Path(words["answer"]) / "model.safetensors").exists()
    assert ready["answer"] > (tiny / "model.safetensors").stat().st_size, "and the rest of the download"


def test_nobody_waits_for_a_model_that_is_being_loaded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(settings)
    monkeypatch.setattr(weights, "_BUSY_SECONDS", 0.01)
    lora = {"method": "lora", "lora": {"target_modules": ["quarry"]}}
    with weights._BUILDING:
        assert ready(store, **lora) == ""
    assert "has no layer that" in ready(store, **lora), "what nobody looked at is not taken for known"


def test_a_file_that_goes_while_the_files_are_listed_is_no_crash(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanish(folder: Path) -> None:
        raise FileNotFoundError(folder)

    monkeypatch.setattr(slow_checks, "_stat_files", vanish)
    assert SlowChecks(settings).check_is_there(str(tiny)) > 0


def test_runs_at_work_are_said_once_everything_else_is_right_and_on_a_public_server_alone(settings: Settings) -> None:
    public = Settings(home=settings.home, public=True)
    for where, data, refused in ((settings, DATA, False), (public, None, False), (public, DATA, True)):
        checked = preflight(RunConfig("x"), data, where, SlowChecks(where), 99)
        assert ("99 runs" in str(checked.error)) is refused


def test_a_check_leaves_the_environment_as_it_was() -> None:
    before = dict(os.environ)
    check({"fsdp": "full_shard", "fsdp_config": {"cpu_ram_efficient_loading": True}}, Device("cuda", "a GPU"))
    assert dict(os.environ) == before


def test_each_process_needs_a_gpu_and_a_launcher_says_how_many_are_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    gpu = Device("cuda", "a GPU")
    check_processes(RunConfig("x", processes=2), gpu, {})
    with pytest.raises(DemoError, match="has 2 GPUs"):
        check_processes(RunConfig("x", processes=3), gpu, {})
    check_processes(RunConfig("x", processes=4), gpu, {"LOCAL_WORLD_SIZE": "2"})


@pytest.mark.parametrize(("method", "fine", "high"), [("full", 0.01, 0.02), ("lora", 0.1, 0.2), ("frozen", 0.1, 5)])
def test_a_learning_rate_that_is_most_likely_a_slip_is_doubted_but_not_refused(
    settings: Settings, method: Method, fine: float, high: float
) -> None:
    def said(**training: float) -> list[str]:
        checked = RunStore(settings).preflight(RunConfig("x", method=method, training=training), DATA)
        assert checked.error is None
        return checked.warnings

    assert said(learning_rate=fine) == said() == []
    (doubt,) = said(learning_rate=high)
    assert f"A learning rate of {high:g} is far above" in doubt


def test_a_search_is_refused_for_what_one_of_its_trials_would_be(settings: Settings, colours: Path) -> None:
    from hfdemo.finetuning.runs.search import SearchStore

    searches = SearchStore(settings, RunStore(settings))
    for space in ({"epochs": [1, 10**9]}, {"batch_sizes": [8, 10**12]}, {"learning_rate": [1e-5, 1e9]}):
        with pytest.raises(DemoError, match="must be at most"):
            searches.start(RunConfig("colours"), space, 2, colours)
    long = RunConfig("colours", training={"max_steps": 1})  # which no later trial has
    with pytest.raises(DemoError, match="steps, which no machine"):
        searches.start(long, {"epochs": [1, 10**6], "batch_sizes": [1, 64]}, 2, colours)
    assert searches.runs.list() == []
    assert searches.list() == []


TABLES = {
    "good": [(f"the {n} is {'warm' if n % 2 else 'cold'}", "ab"[n % 2]) for n in range(24)],
    "numbers": [(f"the {n} is {'warm' if n % 2 else 'cold'}", f"{n / 3:.2f}") for n in range(24)],
    "sets": [(f"the {n} is {'warm' if n % 2 else 'cold'}", "a|b" if n % 3 else "a") for n in range(24)],
    "one class": [(f"the {n} is warm", "a") for n in range(24)],
    "few": [("one", "a"), ("two", "b"), ("three", "a")],
    "blank": [*((f"the {n} is warm", "ab"[n % 2]) for n in range(24)), ("", "a")],
}
TRAINING: Mapping[str, list[Any]] = {
    "learning_rate": [1e-4, 5e-3, 0, 1e9],
    "num_train_epochs": [1, 0.5, 3, 1e9],
    "max_steps": [-1, 2, 10**9],
    "per_device_train_batch_size": [1, 8, 64, 0, 10**12],
    "gradient_accumulation_steps": [1, 3, 1_000],
    "warmup_steps": [0, 0.5, 3, -1],
    "label_smoothing_factor": [0, 0.1, 1],
    "optim": ["adamw_torch", "adafactor", "sgd", "adamw_bnb_8bit", "galore_adamw"],
    "lr_scheduler_type": ["linear", "cosine", "reduce_lr_on_plateau", "greedy", "warmup_stable_decay"],
    "eval_strategy": ["epoch", "no", "steps"],
    "metric_for_best_model": ["accuracy", "loss", "mae", "bleu"],
    "gradient_checkpointing": [True, False],
    "use_liger_kernel": [True, False],
    "bf16": [True, False],
    "dataloader_persistent_workers": [True, False],
    "neftune_noise_alpha": [5, "x"],
    "max_grad_norm": [0, 1.0],
}
TRAININGS = st.lists(st.sampled_from(sorted(TRAINING)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(TRAINING[name]) for name in names})
)
LORAS = st.sampled_from([{}, {"target_modules": ["query"]}, {"target_modules": ["quarry"]}, {"r": 2}, {"r": 10**9}])


@st.composite
def configs(draw: Any) -> dict[str, Any]:
    method = draw(st.sampled_from(["full", "full", "lora", "frozen"]))
    return {
        "text_column": "text",
        "label_column": "label",
        "method": method,
        **({"lora": draw(LORAS)} if method == "lora" else {}),
        "fixes": draw(st.sampled_from([(), (), ("drop_blank_rows",)])),
        "padding": draw(st.sampled_from(["longest_in_batch", "multiple_of_64", "max_length"])),
        "max_length": draw(st.sampled_from([16, 64, 128, 10**9])),
        "class_weights": draw(st.sampled_from([None, None, "balanced", {"a": 1.0, "b": 2.0}])),
        "early_stopping_patience": draw(st.sampled_from([None, None, 2])),
        "problem_type": draw(st.sampled_from([None, None, None, "regression"])),
        "training": draw(TRAININGS),
    }


def check_on_page(store: RunStore, config: RunConfig, file: Path) -> str:
    """Return the refusal in the line before Start, "" where it says that it is ready."""
    corpus = read_corpus(config.dataset, store.settings, file)
    seen = inspect(corpus.tables, None, config, corpus.refused)
    data = RunData.of(seen.prepared) if seen.prepared else RunData(refusal=seen.refusal)
    return str(store.preflight(config, data).error or "")


def make_config(values: Mapping[str, Any], model: str) -> RunConfig | None:
    try:
        return RunConfig("data", model=model, **values)
    except DemoError:  # refused where it is made, on the page as anywhere
        return None


def write_table(folder: Path, name: str) -> Path:
    path = folder / f"{name}.csv"
    if not path.exists():
        pd.DataFrame(TABLES[name], columns=["text", "label"]).to_csv(path, index=False)
    return path


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["good", "good", *TABLES]), values=configs(), where=st.sampled_from(["", "", "untrained:"]))
def test_ready_is_what_start_accepts(tiny: Path, tmp_path: Path, name: str, values: dict[str, Any], where: str) -> None:
    store = RunStore(Settings(home=tmp_path / "home"))
    file, config = write_table(tmp_path, name), make_config(values, f"{where}{tiny}")
    if config is None:
        return
    if said := check_on_page(store, config, file):
        with pytest.raises(DemoError) as refused:
            store.create(config, file)
        assert str(refused.value)[:20] == said[:20] or "Row" in str(refused.value)
    else:
        assert store.create(config, file).folder.is_dir()


class FirstStep(BaseException):
    """The first optimizer step was made: nothing more is to be seen."""


@pytest.mark.slow
@settings(max_examples=14, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["good", "good", "numbers", "sets", "blank"]), values=configs())
def test_what_is_ready_reaches_its_first_optimizer_step(
    tiny: Path, tmp_path: Path, name: str, values: dict[str, Any]
) -> None:
    store = RunStore(Settings(home=tmp_path / "home"))
    config = make_config({**values, "max_length": min(values["max_length"], 64)}, str(tiny))
    if config is None or check_on_page(store, config, write_table(tmp_path, name)):
        return
    run = store.create(dataclasses.replace(config, dataset=name), write_table(tmp_path, name))

    def emit(event: Event) -> None:
        if isinstance(event, StepLogged):
            raise FirstStep

    with pytest.raises(FirstStep):
        train(run.config, run.folder, store.settings, CPU, emit)


def test_an_upload_is_never_run_as_code_by_whatever_path_it_is_named(settings: Settings, tmp_path: Path) -> None:
    store = RunStore(settings)
    upload = settings.upload_folder / "0123" / "score.py"
    upload.parent.mkdir(parents=True)
    upload.write_text("raise SystemExit")
    (tmp_path / "link").symlink_to(upload.parent)
    for path in (upload, upload.parent, tmp_path / "link" / "score.py", upload.parent / ".." / "0123" / "score.py"):
        assert "an upload is never run as code" in ready(store, metrics=(str(path),))
        assert "an upload is never run as code" in ready(store, accelerate_config=str(path))
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    for name in (str(tmp_path / "loop.py"), "./\0.py", "~nobody-has-this-name/score.py"):
        assert "is no path on this machine" in ready(store, metrics=(name,))


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"target_modules": r"(\w+)+!"}, "takes names of layers"),
        ({"target_modules": r".*\.(query|value)"}, "takes names of layers"),
        ({"modules_to_save": [r"classifier|x*"]}, "takes names of layers"),
        ({"rank_pattern": {".*": 4}}, "takes names of layers"),
        ({"init_lora_weights": "pissa_niter_1000000000"}, 'true, false or "gaussian"'),
        ({"loftq_config": {"loftq_iter": 10**9}}, "lora may not set loftq_config"),
        ({"layer_replication": [[0, 10**9]]}, "lora may not set layer_replication"),
        ({"r": 10**9}, "must be at most 8,192"),
        ({"rank_pattern": {"query": 10**9}}, "must be from 1 to 8,192"),
        ({"alpha_pattern": {"query": 1e300}}, "must be from 1 to 1,000,000"),
        ({"layers_to_transform": [10**9]}, "must be numbers of layers"),
        ({"r": 8_000}, "no layer of embedded:minilm has a rank above 384"),
    ],
)
def test_a_visitors_adapter_is_names_and_numbers_that_layers_have(
    settings: Settings, lora: dict[str, Any], said: str
) -> None:
    public = Settings(home=settings.home, public=True)
    began = time.thread_time()
    checked = preflight(RunConfig("x", method="lora", lora=lora), DATA, public, SlowChecks(public))
    assert said in str(checked.error)
    assert time.thread_time() - began < 5


def test_ones_own_adapter_may_be_an_expression_that_ends(settings: Settings) -> None:
    for lora, said in (
        ({"target_modules": r".*\.(query|value)"}, "None"),
        ({"target_modules": r"(\w+)+!"}, "for ever"),
    ):
        checked = preflight(RunConfig("x", method="lora", lora=lora), DATA, settings, SlowChecks(settings))
        assert said in str(checked.error)


def test_plain_settings_of_an_adapter_are_everybodys(settings: Settings) -> None:
    public = Settings(home=settings.home, public=True)
    lora = {"r": 4, "target_modules": ["query", "value"], "layers_to_transform": [0, 1], "alpha_pattern": {"query": 8}}
    checked = preflight(RunConfig("x", method="lora", lora=lora), DATA, public, SlowChecks(public))
    assert checked.error is None
