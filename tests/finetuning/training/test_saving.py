"""The model that a run leaves is whole, also where each process held a part of it."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.training import training as training
from hfdemo.finetuning.training.model import gather_model
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import run_folder, trained, weights


@pytest.mark.parametrize("method", ["full", "lora"])
def test_gathered_weights_make_the_model_that_was_trained(
    method: str, settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one CPU nothing is shared out: here the way is gone that DeepSpeed's parts would take, and compared."""

    def both(trainer: Any, anew: Any) -> Any:
        kept = gather_model(trainer, anew)
        trainer.is_deepspeed_enabled = True
        try:
            gathered = gather_model(trainer, anew)
        finally:
            trainer.is_deepspeed_enabled = False
        assert gathered is not kept
        expected = kept.state_dict()
        assert gathered.state_dict().keys() == expected.keys()
        for name, weight in gathered.state_dict().items():
            assert weight.equal(expected[name]), name
        return gathered

    monkeypatch.setattr(training, "gather_model", both)
    more: dict[str, Any] = {"lora": {"target_modules": "all-linear"}} if method == "lora" else {}
    folder = run_folder(settings, "single_label", tiny, method=method, **more)
    trained(folder, settings)
    assert all(weight.numel() for weight in weights(folder).values())


def test_fsdp_is_refused_where_accelerate_would_pass_over_it(
    settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `accelerate launch` with such a config file sets it, on a CPU."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    folder = run_folder(settings, "single_label", tiny)
    with pytest.raises(DemoError, match="FSDP shares a model out"):
        trained(folder, settings)
