"""What is known before the first step: how long it will take, what it needs, and what to set where that is too much."""

from pathlib import Path
from typing import Any

import pytest
import torch

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Probed
from hfdemo.finetuning.training import memory_probe
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import run_folder, trained

pytestmark = pytest.mark.slow


def config(**training: Any) -> RunConfig:
    return RunConfig("x", training={"per_device_train_batch_size": 16, **training})


@pytest.mark.parametrize(
    ("training", "width", "said"),
    [
        ({}, 128, "per_device_train_batch_size to 8 and gradient_accumulation_steps to 2 .* max_length to 64"),
        ({"gradient_accumulation_steps": 3}, 128, "to 8 and gradient_accumulation_steps to 6"),
        ({"per_device_train_batch_size": 1}, 512, "Set max_length to 256: a batch is a single row"),
        ({"per_device_train_batch_size": 1}, 12, 'method "lora" or "frozen"'),
    ],
)
def test_a_smaller_setting_is_named_and_keeps_the_rows_of_a_step(
    training: dict[str, Any], width: int, said: str
) -> None:
    with pytest.raises(DemoError, match=said), memory_probe.explain_out_of_memory(config(**training), width):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_what_the_cpus_allocator_says_is_understood_and_other_failures_are_left_alone() -> None:
    with pytest.raises(DemoError, match="memory ran out"), memory_probe.explain_out_of_memory(config(), 64):
        torch.empty(2**60)
    with pytest.raises(RuntimeError, match="shapes"), memory_probe.explain_out_of_memory(config(), 64):
        raise RuntimeError("shapes do not fit")


def test_a_training_that_cannot_fit_is_refused_with_both_numbers_before_its_first_step(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_probe, "free_bytes", lambda kind: -(2**29))
    folder = run_folder(settings, "single_label", tiny)
    with pytest.raises(
        DemoError, match=r"needs about [\d.]+ GB of memory at its peak and [\d.]+ GB are there\. Set per"
    ):
        trained(folder, settings)
    assert not list((folder / "checkpoints").glob("checkpoint-*"))


def test_the_estimate_counts_accumulation_steps_and_evaluations(settings: Settings, tiny: Path) -> None:
    def estimate(name: str, **training: Any) -> Probed:
        folder = run_folder(settings, "single_label", tiny, name, training={"max_steps": 1, **training})
        return next(event for event in trained(folder, settings) if isinstance(event, Probed))

    one = estimate("one")
    several = estimate("several", max_steps=4, gradient_accumulation_steps=2)
    assert one.estimated_seconds > one.seconds_per_step
    assert 0 < one.saving_seconds < one.estimated_seconds
    # The machine is never equally fast twice: what is compared is a step's share of what is computed.
    shares = [(each.estimated_seconds - each.saving_seconds) / each.seconds_per_step for each in (several, one)]
    assert shares[0] > 2 * shares[1] / 1.5
