"""Several processes train as one does."""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Finished, Saved, Started, StepLogged
from hfdemo.finetuning.runs import Run
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import form_values
from tests import forked
from tests.conftest import ROOT, free_port
from tests.finetuning.tiny_runs import Zoo, calm, model_of, run_folder, trained, weights


def launched(settings: Settings, *arguments: str) -> str:
    """What python prints when it is started with these, as a fork: test_processes has a torchrun of interpreters."""
    environment = {**os.environ, "HFDEMO_HOME": str(settings.home), "HF_HUB_OFFLINE": "1"}
    done = forked.run(arguments, env=environment, forking=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["single_label", "tokens", "language"])
def test_two_processes_have_the_gradient_and_the_metrics_of_one_with_twice_the_batch(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str
) -> None:
    """By the entry point that a person starts; 11 and 9 held-out rows can't be shared out evenly. Without dropout."""
    model = calm(model_of(kind, tiny, zoo))
    more = {"max_steps": 2, "logging_steps": 1}
    one = run_folder(settings, kind, model, "one", training={"per_device_train_batch_size": 16, **more})
    alone = trained(one, settings)
    two = run_folder(settings, kind, model, "two", processes=2, training={"per_device_train_batch_size": 8, **more})
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    launched(settings, *launch, "-m", "hfdemo.finetuning", str(two))
    together = Run(two).events()
    for name in ("loss", "grad_norm"):
        expected = [getattr(event, name) for event in alone if isinstance(event, StepLogged)]
        found = [getattr(event, name) for event in together if isinstance(event, StepLogged)]
        assert found == pytest.approx(expected, rel=1e-5)
    apart, joined = weights(one), weights(two)
    assert max(float((apart[name] - joined[name]).abs().max()) for name in apart) < 1e-6
    reports = [json.loads((folder / "report.json").read_text())["metrics"] for folder in (one, two)]
    for split in ("validation", "test"):
        assert reports[1][split] == pytest.approx(reports[0][split], rel=1e-4)
    if kind == "single_label":
        said = launched(settings, *launch, str(two / "train.py"))
        for split in ("validation", "test"):
            repeated = json.loads(said.split(f"{split} ")[1].splitlines()[0])
            assert {name: repeated[f"{split}_{name}"] for name in reports[1][split]} == reports[1][split]
    # Only the first process writes.
    assert sum(isinstance(event, Started) for event in together) == 1
    assert sum(isinstance(event, Finished) for event in together) == 1
    assert sum(isinstance(event, Saved) and event.folder == "model" for event in together) == 1
    evaluated = [(event.step, event.split) for event in together if isinstance(event, Evaluated)]
    assert evaluated == [(0, "validation"), (2, "validation"), (2, "validation"), (2, "test")]


@pytest.mark.slow
def test_two_machines_train_as_two_processes_of_one_do(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    """By the very line that the page shows, started twice here: each is told of the other by the address alone."""
    training = {
        "max_steps": 3,
        "per_device_train_batch_size": 8,
        "eval_strategy": "no",
        "load_best_model_at_end": False,
    }
    config = RunConfig("tickets", model=str(tiny), max_length=16, training={**training, "save_strategy": "no"})
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    shown = form_values.write_commands(config).partition("several machines")[2].partition("\n")[2]
    words = shlex.split(shown.replace("FIRST_MACHINE:29500", f"localhost:{free_port()}").replace("\\\n", ""))
    environment = {**os.environ, "HFDEMO_HOME": str(settings.home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    with (tmp_path / "said.txt").open("wb") as said:
        files: Any = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
        machines = [forked.Forked(words[1:], cwd=tmp_path, env=environment, forking=True, **files) for _ in range(2)]
        codes = [machine.wait(300) for machine in machines]
    assert codes == [0, 0], (tmp_path / "said.txt").read_text()
    (folder,) = settings.runs.glob("[!.]*")
    assert RunConfig.read(folder / "config.json").processes == 2
    assert isinstance(Run(folder).events()[-1], Finished)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "hfdemo.finetuning"]
    launched(settings, *launch, str(tmp_path / "config.json"))
    runs = sorted(settings.runs.glob("[!.]*"))
    apart, joined = (weights(each) for each in runs)
    assert max(float((apart[name] - joined[name]).abs().max()) for name in apart) < 1e-5
    losses = [json.loads((each / "report.json").read_text())["metrics"]["validation"]["loss"] for each in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
