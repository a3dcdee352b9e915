"""The model that a run leaves is whole, also where each process held a part of it."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning import trainer as training
from hfdemo.finetuning.adapting import lora_options
from hfdemo.finetuning.events import Finished
from hfdemo.finetuning.saving import whole_model
from hfdemo.settings import Settings
from tests.finetuning.kinds import KINDS, Zoo, model_of, run_folder, trained, weights


@pytest.mark.parametrize("method", ["full", "lora"])
def test_gathered_weights_make_the_model_that_was_trained(
    method: str, settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one CPU nothing is shared out: here the way is gone that DeepSpeed's parts would take, and compared."""

    def both(trainer: Any, anew: Any) -> Any:
        kept = whole_model(trainer, anew)
        trainer.is_deepspeed_enabled = True
        try:
            gathered = whole_model(trainer, anew)
        finally:
            trainer.is_deepspeed_enabled = False
        assert gathered is not kept
        expected = kept.state_dict()
        assert gathered.state_dict().keys() == expected.keys()
        for name, weight in gathered.state_dict().items():
            assert weight.equal(expected[name]), name
        return gathered

    monkeypatch.setattr(training, "whole_model", both)
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


@pytest.mark.parametrize("method", ["lora", "frozen"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_is_learned_by_lora_and_by_the_head_alone(
    kind: str, method: str, settings: Settings, tiny: Path, zoo: Zoo
) -> None:
    if (kind, method) == ("language", "frozen"):
        return  # its head shares its weights with the embedding: refused, see test_trainer.py
    folder = run_folder(settings, kind, model_of(kind, tiny, zoo), method=method)
    events = trained(folder, settings)
    assert isinstance(events[-1], Finished)
    assert (folder / "adapter").exists() == (method == "lora")


def test_a_head_of_several_layers_is_trained_whole_under_lora() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    small = DistilBertConfig(vocab_size=64, dim=16, hidden_dim=32, n_layers=1, n_heads=2)
    model = DistilBertForSequenceClassification(small)
    made = get_peft_model(
        model, LoraConfig(task_type="SEQ_CLS", **lora_options(model, "SEQ_CLS", {"target_modules": "all-linear"}))
    )
    learned = {name for name, weight in made.named_parameters() if weight.requires_grad}
    assert {name.split(".modules_to_save")[0].split(".")[-1] for name in learned if "modules_to_save" in name} == {
        "classifier",
        "pre_classifier",
    }
    assert any("q_lin.lora_A" in name for name in learned)
    assert not any("classifier.lora" in name for name in learned)
