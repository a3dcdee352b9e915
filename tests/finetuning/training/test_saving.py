"""The model that a run leaves is whole, also where each process held a part of it."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.kinds.kind import ModelProblemType
from hfdemo.finetuning.training import training as training
from hfdemo.finetuning.training.model import gather_model, load_base
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import CPU, LABELS, Zoo, model_of, run_folder, table, trained, weights

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_that_is_called_with_labels_has_a_loss(
    kind: str, settings: Settings, tiny: Path, zoo: Zoo, tmp_path: Path
) -> None:
    """Transformers reads any problem_type from config.json, and with one that it doesn't know there is no loss."""
    import torch
    import transformers

    row = KINDS[kind]
    config = RunConfig.read(run_folder(settings, kind, model_of(kind, tiny, zoo)) / "config.json")
    loaded = load_base(config, row, settings, CPU)
    loaded.model.save_pretrained(tmp_path / "model")
    model = getattr(transformers, row.model_class).from_pretrained(tmp_path / "model")
    assert getattr(model.config, "problem_type", None) in (None, *get_args(ModelProblemType))
    inputs = row.encode(table(kind, 1).to_dict("list"), loaded.tokenizer, 16, LABELS[kind])
    loss = model(**{name: torch.tensor(value) for name, value in inputs.items()}).loss
    assert loss is not None
    assert loss.isfinite()


def test_the_problem_types_of_saved_models_are_those_that_transformers_knows() -> None:
    from transformers import PreTrainedConfig

    known = re.findall(r"['\"](\w+)['\"]", str(PreTrainedConfig.__annotations__["problem_type"]))
    assert set(known) == set(get_args(ModelProblemType))


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
