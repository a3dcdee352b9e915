"""A run goes on from a checkpoint that is whole in every byte, or says why it does not: never from damaged state."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device
from hfdemo.errors import RunError
from hfdemo.finetuning import events as what
from hfdemo.finetuning.__main__ import _checkpoint_of
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Event, Finished, Resumed, Saved, Stopped
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.finetuning.training.checkpoints import list_checkpoints
from hfdemo.finetuning.training.training import train
from hfdemo.settings import Settings
from tests.conftest import wait_until
from tests.finetuning.tiny_runs import run_folder, trained

DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "flipped": lambda path: path.write_bytes(flip(path.read_bytes())),
    "deleted": lambda path: path.unlink(),
}
EXPECTED = {
    "full": {"model.safetensors", "config.json"},
    "lora": {"adapter_model.safetensors", "adapter_config.json"},
}
ALWAYS = {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "training_args.bin", "manifest.json"}
ALWAYS |= {"tokenizer.json", "tokenizer_config.json"}


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def stopped_run(settings: Settings, tiny: Path, method: str, **training: Any) -> Run:
    """A run that was stopped after its third checkpoint, with two of them left."""
    lora: dict[str, Any] = {"lora": {"target_modules": "all-linear"}} if method == "lora" else {}
    training = {"num_train_epochs": 5, "save_total_limit": 2, **training}
    folder = run_folder(settings, "single_label", tiny, method=method, training=training, **lora)
    said: list[Event] = []

    def emit(event: Event) -> None:
        said.append(event)
        what.append(folder / "events.jsonl", event)
        if sum(isinstance(each, Saved) for each in said) == 3:
            (folder / "stop").write_text(json.dumps({"keep": True}))

    train(RunConfig.read(folder / "config.json"), folder, settings, Device("cpu", "CPU"), emit)
    assert isinstance(said[-1], Stopped)
    return Run(folder)


def copy_of(run: Run, name: str) -> Run:
    """A copy that shares all files with `run` until one is written anew."""
    return Run(Path(shutil.copytree(run.folder, run.folder.parent / name, copy_function=os.link)))


def damage(path: Path, how: str) -> None:
    own = path.read_bytes()
    path.unlink()
    path.write_bytes(own)
    DAMAGES[how](path)


@pytest.mark.slow
@pytest.mark.parametrize("method", EXPECTED)
def test_each_file_of_a_checkpoint_that_is_damaged_in_any_way_is_noticed_by_name_and_the_one_before_is_taken(
    settings: Settings, tiny: Path, method: str
) -> None:
    run = stopped_run(settings, tiny, method)
    newest, before = list_checkpoints(run.checkpoints)[:2]
    names = {path.relative_to(newest).as_posix() for path in newest.rglob("*") if path.is_file()}
    assert names >= ALWAYS | EXPECTED[method]
    store = RunStore(settings)
    for name in sorted(names):
        for how in DAMAGES:
            copy = copy_of(run, f"run-{how}")
            damage(copy.checkpoints / newest.name / name, how)
            found, notes = _checkpoint_of(copy)
            assert found == copy.checkpoints / before.name, f"{name} {how}"
            assert len(notes) == 1
            assert "is damaged" in notes[0]
            assert name in notes[0] or name == "manifest.json", notes
            assert list_checkpoints(copy.checkpoints)[0] == found, "nothing takes the damaged one for its own later"

            shutil.rmtree(copy.folder)
            alone = copy_of(run, copy.id)
            for other in list_checkpoints(alone.checkpoints)[1:]:
                shutil.rmtree(other)
            damage(alone.checkpoints / newest.name / name, how)
            with pytest.raises(RunError, match=r"no checkpoint to resume from\. .* is damaged .*Duplicate it to begin"):
                store.resume(alone.id)
            assert alone.status().state == "stopped", "a refusal changes nothing"
            shutil.rmtree(alone.folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["optimizer.pt", *(pytest.param(each, marks=pytest.mark.soak) for each in ("rng_state.pth", "scheduler.pt"))],
)
def test_a_training_that_goes_on_from_the_one_before_says_so(
    settings: Settings, tiny: Path, forked_runs: None, name: str
) -> None:
    """For real, with what the library itself would pass over without a word."""
    run, store = stopped_run(settings, tiny, "full"), RunStore(settings)
    newest, before = list_checkpoints(run.checkpoints)[:2]
    damage(newest / name, "deleted" if name == "optimizer.pt" else "flipped")
    again = store.resume(run.id)
    wait_until(lambda: not again.status().active, 240, "the end")
    assert isinstance(again.events()[-1], Finished), again.log_tail(2000)
    (resumed,) = (event for event in again.events() if isinstance(event, Resumed))
    assert f"checkpoint-{resumed.step}" == before.name
    assert f"{newest.name.removeprefix('checkpoint-')} is damaged ({name} " in resumed.notes[0]


@pytest.mark.slow
def test_a_best_checkpoint_that_is_damaged_at_the_end_is_not_kept_and_the_report_says_what_is(
    settings: Settings, tiny: Path
) -> None:
    run = stopped_run(settings, tiny, "full", learning_rate=0.0)  # nothing is better than the first
    newest, first = list_checkpoints(run.checkpoints)[0], list_checkpoints(run.checkpoints)[-1]
    state = json.loads((newest / "trainer_state.json").read_text())
    assert Path(state["best_model_checkpoint"]).name == first.name != newest.name
    damage(first / "model.safetensors", "flipped")
    (run.folder / "stop").unlink()
    assert isinstance(trained(run.folder, settings, resume=True)[-1], Finished)
    report = json.loads((run.folder / "report.json").read_text())
    assert report["best_step"] is None
    assert "is damaged (model.safetensors was changed): the model of the last step is kept" in report["notes"][0]
