"""A training that is asked to stop is broken off at its next batch, wherever it is, and keeps what it has."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import Trainer

from hfdemo.errors import RunError
from hfdemo.errors import Stopped as StoppedError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Probed, Saved, Started, StepLogged, Stopped, Stopping
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.preprocessing import encode_splits
from hfdemo.finetuning.runs import Run
from hfdemo.finetuning.training import checkpoints
from hfdemo.finetuning.training.model import load_base
from hfdemo.finetuning.training.run_trainer import Evaluation
from hfdemo.finetuning.training.training import train
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import report_view, run_comparison
from tests.finetuning.tiny_runs import CPU, run_folder, trained, weights

pytestmark = pytest.mark.slow

# 5 steps in an epoch, and 3 batches in an evaluation.
TRAINING = {"num_train_epochs": 2, "per_device_eval_batch_size": 4, "logging_steps": 1}


@dataclass
class Seen:
    """What a training did, in order: its events, and ("train" or "eval", optimizer steps done) of each batch."""

    events: list[Event] = field(default_factory=list)
    batches: list[tuple[str, int]] = field(default_factory=list)
    after_click: list[tuple[str, int]] = field(default_factory=list)

    @property
    def last(self) -> Any:
        return self.events[-1]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


Click = Callable[[Seen], bool]


def after_event(kind: type[Event], step: int = 0) -> Click:
    return lambda seen: any(isinstance(event, kind) and event.step >= step for event in seen.events)


def in_batch(what: str, step: int, number: int = 1) -> Click:
    """At the batch of that number, of those that are computed after so many steps."""
    return lambda seen: seen.batches.count((what, step)) >= number


@pytest.fixture
def stop_when(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., Seen]:
    """Train on a run folder, and click on Stop as soon as something is seen."""

    def start(folder: Path, click: Click, keep: bool = True) -> Seen:
        seen = Seen()

        def look() -> None:
            if click(seen) and not (folder / "stop").exists():
                (folder / "stop").write_text(json.dumps({"keep": keep}))

        def emit(event: Event) -> None:
            seen.events.append(event)
            look()

        def counting(what: str, method: Any) -> Any:
            def count(self: Any, *args: Any, **options: Any) -> Any:
                if (folder / "stop").exists():
                    seen.after_click.append((what, self.state.global_step))
                seen.batches.append((what, self.state.global_step))
                look()
                return method(self, *args, **options)

            return count

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "training_step", counting("train", Trainer.training_step))
            patch.setattr(Trainer, "prediction_step", counting("eval", Trainer.prediction_step))
            look()
            train(RunConfig.read(folder / "config.json"), folder, settings, CPU, emit)
        return seen

    return start


def folder_of(settings: Settings, tiny: Path, name: str = "run", **training: Any) -> Path:
    return run_folder(settings, "single_label", tiny, name, training={**TRAINING, **training})


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("click", "batches"),
    [
        (lambda seen: True, 0),
        (after_event(Started), 0),
        (after_event(Probed), 0),
        (in_batch("eval", 0), 1),
    ],
    ids=["loading", "trial steps", "before the first evaluation", "evaluation before training"],
)
def test_before_the_first_step_there_is_nothing_to_keep_and_nothing_more_is_computed(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen], click: Click, batches: int, keep: bool
) -> None:
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, click, keep)
    assert isinstance(seen.last, Stopped)
    assert not seen.last.kept
    assert seen.last.step == 0
    assert len(seen.batches) == batches
    assert seen.after_click == []
    assert bool(seen.last.notes) is keep, "who wanted to keep something is told"
    assert not (folder / "model").exists()


def test_rows_are_not_encoded_to_the_end_once_a_stop_is_found(settings: Settings, tiny: Path) -> None:
    folder, kind = folder_of(settings, tiny), KINDS["single_label"]
    config = RunConfig.read(folder / "config.json")

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        encode_splits(config, kind, load_base(config, kind, settings, CPU), None, folder, stop)


def test_a_stop_before_the_first_evaluation_keeps_the_model_and_says_that_it_is_not_evaluated(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, after_event(StepLogged, 3))
    assert (seen.last.step, seen.last.kept, dict(seen.last.metrics)) == (3, True, {})
    assert seen.after_click == []
    report = json.loads((folder / "report.json").read_text())
    assert (report["metrics"], report["steps"], report["best_step"]) == ({}, 3, None)
    assert any("Not evaluated" in note for note in report["notes"])
    assert any("test split was left out" in note for note in seen.last.notes)
    assert not (folder / "errors.csv").exists()
    assert "Not evaluated" in (folder / "model" / "README.md").read_text()
    assert "Not evaluated" in report_view.render_report(report)
    (line,) = run_comparison.list_run_rows([Run(folder)])
    assert line.value is None
    assert [event.folder for event in seen.of(Saved)] == ["checkpoints/checkpoint-3", "model"]


def test_a_stop_keeps_the_best_checkpoint_with_the_evaluation_that_it_has(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, after_event(StepLogged, 7))
    evaluated = [event for event in seen.of(Evaluated) if event.step == 5]
    assert len(evaluated) == 1
    assert (seen.last.step, seen.last.kept, seen.last.metrics) == (7, True, evaluated[0].metrics)
    assert seen.after_click == [], "neither trained nor evaluated after the click"
    assert [event.step for event in seen.of(Stopping)] == [7]
    report = json.loads((folder / "report.json").read_text())
    assert report["metrics"] == {"validation": dict(evaluated[0].metrics)}
    assert (report["steps"], report["best_step"]) == (7, 5)
    assert sum(map(sum, report["confusion_matrix"]["validation"])) == 11
    assert (folder / "errors.csv").exists()
    assert "the model after step 5, the best that was saved" in seen.last.notes[0]
    assert Run(folder).status([*seen.events]).metrics == evaluated[0].metrics
    found = weights(folder)
    from safetensors.torch import load_file

    best = load_file(folder / "checkpoints" / "checkpoint-5" / "model.safetensors")
    assert all(found[name].equal(best[name]) for name in best)
    assert report_view.render_report(report)


def test_a_stop_keeps_the_model_where_its_checkpoint_does_not_fit_on_the_disk(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, needed_bytes: int, what: str) -> None:
        raise RunError(f"{what} does not fit.")

    monkeypatch.setattr(checkpoints, "check_space", refuse)
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, after_event(StepLogged, 3))
    assert (seen.last.step, seen.last.kept) == (3, True)
    assert "the checkpoint of step 3 does not fit." in seen.last.notes[-1]
    assert (folder / "model" / "model.safetensors").is_file()


def test_a_stop_keeps_the_last_step_where_the_best_checkpoint_is_damaged(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    folder = folder_of(settings, tiny)

    def damage(seen: Seen) -> bool:
        if not after_event(StepLogged, 7)(seen):
            return False
        (folder / "checkpoints" / "checkpoint-5" / "model.safetensors").write_bytes(b"torn")
        return True

    seen = stop_when(folder, damage)
    assert (seen.last.step, seen.last.kept, dict(seen.last.metrics)) == (7, True, {})
    assert "The best checkpoint, of step 5, is damaged" in seen.last.notes[-1]
    assert json.loads((folder / "report.json").read_text())["best_step"] is None


def test_only_a_newest_checkpoint_that_is_there_is_offered_to_go_on_from(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    """The first of equally good ones is the best, and with a limit of 1 the newest goes at the end of the training."""
    click = in_batch("eval", 10, 5)  # in the last prediction
    for limit, is_offered in ((1, False), (2, True)):
        folder = folder_of(settings, tiny, f"limit-{limit}", learning_rate=1e-12, save_total_limit=limit)
        seen = stop_when(folder, click)
        assert "the model after step 5, the best that was saved" in seen.last.notes[0]
        assert any("in the newest checkpoint" in note for note in seen.last.notes) is is_offered
        assert (folder / "checkpoints" / "checkpoint-10").is_dir() is is_offered


def test_a_best_checkpoint_without_its_evaluation_is_said_to_have_none(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    """As checkpoints were written before they held it."""
    folder = folder_of(settings, tiny)

    def forget(seen: Seen) -> bool:
        if not after_event(StepLogged, 7)(seen):
            return False
        checkpoint = folder / "checkpoints" / "checkpoint-5"
        (checkpoint / "evaluation.npz").unlink(missing_ok=True)
        checkpoints.write_manifest(checkpoint)
        return True

    seen = stop_when(folder, forget)
    assert (seen.last.kept, dict(seen.last.metrics)) == (True, {})
    assert "the model after step 5" in seen.last.notes[0]
    assert any("saved without the evaluation" in note for note in seen.last.notes)


def test_an_evaluation_that_is_torn_or_not_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-3"
    folder.mkdir()
    assert Evaluation.read(folder) is None
    Evaluation(3, np.zeros((2, 2)), np.zeros(2), {"f1": 0.5}).write(folder)
    assert [path.name for path in folder.iterdir()] == ["evaluation.npz"]
    found = Evaluation.read(folder)
    assert found is not None
    assert (found.step, found.metrics) == (3, {"f1": 0.5})
    whole = (folder / "evaluation.npz").read_bytes()
    for torn in (b"", whole[: len(whole) // 2], whole[:-1]):
        (folder / "evaluation.npz").write_bytes(torn)
        assert Evaluation.read(folder) is None


INTERRUPTED: Sequence[tuple[str, Click, dict[str, Any], int]] = [
    ("in a step of several batches", in_batch("train", 4, 1), {"gradient_accumulation_steps": 2}, 4),
    ("at the end of an epoch", in_batch("train", 4, 1), {}, 5),
    ("in the evaluation after an epoch", in_batch("eval", 5, 2), {}, 5),
    ("in the evaluation after the last step", in_batch("eval", 10, 2), {}, 10),
    ("in an evaluation within an epoch", in_batch("eval", 4, 1), {"eval_strategy": "steps", "eval_steps": 2}, 4),
    ("in the last prediction", in_batch("eval", 10, 5), {}, 10),
]


@pytest.fixture(scope="module")
def train_whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, list[Event]]]:
    """Train without a stop, once for each `training`: the folder of the run, and its events."""
    settings = Settings(home=tmp_path_factory.mktemp("whole"))
    found: dict[str, tuple[Path, list[Event]]] = {}

    def train_once(**training: Any) -> tuple[Path, list[Event]]:
        key = json.dumps(training)
        if key not in found:
            folder = folder_of(settings, tiny, f"whole-{len(found)}", **training)
            found[key] = folder, trained(folder, settings)
        return found[key]

    return train_once


@pytest.mark.slow
@pytest.mark.parametrize(
    ("click", "training", "step"), [each[1:] for each in INTERRUPTED], ids=[each[0] for each in INTERRUPTED]
)
def test_wherever_it_is_broken_off_it_goes_on_as_if_it_had_never_stopped(
    settings: Settings,
    tiny: Path,
    stop_when: Callable[..., Seen],
    train_whole: Callable[..., tuple[Path, list[Event]]],
    click: Click,
    training: dict[str, Any],
    step: int,
) -> None:
    """With dropout, so that one random number more or less would show."""
    whole, uninterrupted = train_whole(**training)
    halves = folder_of(settings, tiny, "halves", **training)
    first = stop_when(halves, click)
    assert isinstance(first.last, Stopped)
    assert (first.last.step, first.last.kept) == (step, True)
    assert first.after_click == []
    (halves / "stop").unlink()
    second = trained(halves, settings, resume=True)
    assert isinstance(second[-1], Finished)
    expected, got = weights(whole), weights(halves)
    assert all(expected[name].equal(got[name]) for name in expected)

    def evaluations(events: Sequence[Event]) -> dict[int, Any]:
        found = [event for event in events if isinstance(event, Evaluated) and event.split == "validation"]
        return {event.step: event.metrics for event in found}

    assert evaluations([*first.events, *second]) == evaluations(uninterrupted)
    reports = [json.loads((folder / "report.json").read_text()) for folder in (whole, halves)]
    assert reports[0]["best_step"] == reports[1]["best_step"]
    assert reports[0]["metrics"] == reports[1]["metrics"]


@pytest.mark.slow
def test_an_evaluation_that_is_made_up_for_ends_the_training_where_it_would_have_ended(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    training = {**TRAINING, "num_train_epochs": 3, "learning_rate": 1e-12}
    make = partial(run_folder, settings, "single_label", tiny, early_stopping_patience=1)
    whole = trained(make("whole", training=training), settings)
    assert whole[-1].step == 10, "it learns nothing, so the second evaluation is no better"
    folder = make("halves", training=training)
    assert stop_when(folder, in_batch("eval", 10, 2)).last.step == 10
    (folder / "stop").unlink()
    resumed = trained(folder, settings, resume=True)
    assert isinstance(resumed[-1], Finished)
    assert {event.step for event in resumed} == {10}


def test_a_cancel_in_the_last_evaluation_is_a_stop_and_no_failure(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, in_batch("eval", 10, 5), keep=False)
    assert isinstance(seen.last, Stopped)
    assert not seen.last.kept
    assert seen.after_click == []
    assert not (folder / "model").exists()


def test_a_stop_in_the_evaluation_on_the_test_split_keeps_that_on_the_validation_split(
    settings: Settings, tiny: Path, stop_when: Callable[..., Seen]
) -> None:
    folder = folder_of(settings, tiny)
    seen = stop_when(folder, in_batch("eval", 10, 7))  # 3 of the epoch, 3 of the validation split
    assert isinstance(seen.last, Stopped)
    assert seen.after_click == []
    report = json.loads((folder / "report.json").read_text())
    assert list(report["metrics"]) == ["validation"]
    assert seen.last.metrics == report["metrics"]["validation"]


def test_best_checkpoints_are_those_that_were_saved(settings: Settings, tiny: Path) -> None:
    """Evaluated twice as often as saved: of the evaluations in between there is nothing to go back to."""
    folder = folder_of(settings, tiny, eval_strategy="steps", eval_steps=1, save_steps=2, num_train_epochs=3)
    assert isinstance(trained(folder, settings)[-1], Finished)
    best = json.loads((folder / "report.json").read_text())["best_step"]
    assert best is None or best % 2 == 0 or best == 15
