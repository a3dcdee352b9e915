"""A run that failed says what happened and what to do, and the page does it where it can."""

import json
import shutil
from typing import Any

import pytest

from hfdemo.api import App
from hfdemo.errors import DemoError
from hfdemo.finetuning.runs.run import Run, Status
from hfdemo.settings import Settings
from hfdemo.ui.tabs.finetune import failure_card
from tests.ui.samples import EVIL, Tags, elements, escaped, text_of
from tests.ui.tabs.finetune.reports import a_run

MEMORY = "The memory ran out at batches of 16 rows of up to 512 positions. Set max_length to 256."


@pytest.fixture
def run(settings: Settings) -> Run:
    return a_run(settings, training={"per_device_train_batch_size": 12, "gradient_accumulation_steps": 3})


def remedies(drawn: str) -> list[str | None]:
    return [each["data-remedy"] for each in elements(drawn, "button") if "data-remedy" in each]


def test_it_says_where_it_failed_why_and_what_comes_next(run: Run) -> None:
    drawn = failure_card.render_failure(run, Status("failed", 47, 200, error=EVIL, resumable=True))
    Tags(drawn)
    assert escaped(drawn)
    told = text_of(drawn)
    assert "Training failed at step 47 of 200" in told
    assert "Resume" in told
    assert "Show the log" in told
    assert "Resume" not in text_of(failure_card.render_failure(run, Status("failed", error=EVIL)))
    assert "before its first step" in text_of(failure_card.render_failure(run, Status("failed", error=EVIL)))


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (MEMORY, ["batch"]),
        ("The training process was killed, most likely out of memory.", ["batch"]),
        ("The loss is no longer a number (loss nan, gradient norm 3) at step 3.", ["rate"]),
        ("ValueError: no. The whole traceback is in the log.", []),
        (None, []),
    ],
)
def test_what_may_help_is_offered(run: Run, error: str | None, found: list[str]) -> None:
    assert remedies(failure_card.render_failure(run, Status("lost", error=error))) == found


def test_others_only_read_it_and_one_that_did_not_fail_has_none(run: Run) -> None:
    told = failure_card.render_failure(run, Status("failed", error=MEMORY), is_own=False)
    assert MEMORY in text_of(told)
    assert "<button" not in told
    for state in ("running", "finished", "stopped", "queued"):
        assert failure_card.render_failure(run, Status(state, error=MEMORY)) == ""


def test_a_remedy_is_the_same_run_with_one_change(run: Run, settings: Settings) -> None:
    app = App.create(settings)
    half = failure_card.prepare_remedy(app, run.id, "batch")
    # As many rows per step as before.
    assert half.training == {"per_device_train_batch_size": 6, "gradient_accumulation_steps": 6}
    assert half.dataset == f"run:{run.id}"
    third = failure_card.prepare_remedy(app, run.id, "rate")
    assert third.training == {**run.config.training, "learning_rate": 3.3e-05}


@pytest.mark.parametrize("name", ["lora", None, [], EVIL])
def test_no_other_remedy_is_known(run: Run, settings: Settings, name: Any) -> None:
    with pytest.raises(DemoError):
        failure_card.prepare_remedy(App.create(settings), run.id, name)


def test_a_batch_of_one_row_can_not_be_halved(run: Run, settings: Settings) -> None:
    config = {**run.config.to_json(), "training": {"per_device_train_batch_size": 1}}
    (run.folder / "config.json").write_text(json.dumps(config))
    assert remedies(failure_card.render_failure(run, Status("failed", error=MEMORY))) == []
    with pytest.raises(DemoError):
        failure_card.prepare_remedy(App.create(settings), run.id, "batch")
    shutil.rmtree(run.folder)
