"""A loaded model, and the honest report of what was loaded."""

import json
from pathlib import Path

import pytest

from hfdemo.errors import ModelError
from hfdemo.models.loading import load, load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings

CLASSIFIER = "AutoModelForSequenceClassification"


def test_a_whole_checkpoint_is_reported_as_whole(settings: Settings, tiny: Path) -> None:
    loaded = load(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    card = loaded.card()
    assert card["trustworthy"]
    assert card["load_report"] == "Every weight came from the checkpoint."
    assert card["architecture"] == "BertForSequenceClassification"
    assert card["labels"] == ["red", "green", "blue"]
    assert card["parameters"] == sum(p.numel() for p in loaded.model.parameters())
    assert card["bytes"] >= 4 * card["parameters"]


def test_a_head_that_was_not_in_the_checkpoint_is_named(settings: Settings) -> None:
    loaded = load(ModelRef.parse("embedded:minilm"), CLASSIFIER, settings)
    assert not loaded.report.trustworthy
    assert str(loaded.report).startswith("2 weights were newly initialised: classifier.bias, classifier.weight.")


def test_a_head_of_another_shape_is_initialised_anew_and_named(settings: Settings, tiny: Path) -> None:
    loaded = load(ModelRef.parse(str(tiny)), CLASSIFIER, settings, num_labels=5)
    assert loaded.model.config.num_labels == 5
    assert set(loaded.report.mismatched) == {"classifier.bias", "classifier.weight"}
    assert not loaded.report.trustworthy


def test_weights_without_a_place_are_named(settings: Settings, tiny: Path) -> None:
    loaded = load(ModelRef.parse(str(tiny)), "AutoModel", settings)
    assert loaded.report.trustworthy
    assert set(loaded.report.unexpected) == {"classifier.bias", "classifier.weight"}


def test_untrained_takes_the_architecture_only_and_says_so(settings: Settings, tiny: Path) -> None:
    trained = load(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    untrained = load(ModelRef.parse(f"untrained:{tiny}"), CLASSIFIER, settings)
    assert "random" in str(untrained.report)
    name = "bert.embeddings.word_embeddings.weight"
    assert untrained.model.state_dict()[name].shape == trained.model.state_dict()[name].shape
    assert not untrained.model.state_dict()[name].equal(trained.model.state_dict()[name])


def test_a_bare_config_has_the_embedded_tokenizer(settings: Settings, tiny: Path) -> None:
    loaded = load(ModelRef.parse(f"untrained:{tiny}/config.json"), CLASSIFIER, settings)
    assert loaded.tokenizer("hello")["input_ids"] == [101, 7592, 102]


def test_an_adapter_is_merged_into_the_base_that_it_names(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    base = load(ModelRef.parse(str(tiny)), CLASSIFIER, settings, num_labels=2, id2label={0: "no", 1: "yes"})
    peft_model = get_peft_model(base.model, LoraConfig(task_type="SEQ_CLS", target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in peft_model.named_parameters():
            if "lora_B" in name or "modules_to_save" in name:
                parameter.normal_()
    peft_model.peft_config["default"].base_model_name_or_path = str(tiny)
    peft_model.save_pretrained(tmp_path / "adapter")
    peft_model.get_base_model().config.save_pretrained(tmp_path / "adapter")
    inputs = base.tokenizer("one sentence", return_tensors="pt")
    with torch.no_grad():
        expected = peft_model.eval()(**inputs).logits

    ref = ModelRef.parse(str(tmp_path / "adapter"))
    loaded = load(ref, CLASSIFIER, settings)
    with torch.no_grad():
        found = loaded.model(**inputs).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert loaded.card()["labels"] == ["no", "yes"]
    assert str(loaded.report) == "A LoRA adapter was merged into its base model. Every weight came from the checkpoint."
    assert load_tokenizer(ref, settings)("hello")["input_ids"] == [101, 7592, 102]

    other = load(ref, CLASSIFIER, settings, num_labels=4)
    assert set(other.report.mismatched) == {"classifier.bias", "classifier.weight"}


def test_the_embedded_adapter_is_small_names_no_machine_and_is_whole(settings: Settings) -> None:
    from hfdemo.models.sources import SENTIMENT

    assert sum(path.stat().st_size for path in SENTIMENT.iterdir()) < 2 * 1024**2
    assert (SENTIMENT / "adapter_model.safetensors").is_file()
    assert json.loads((SENTIMENT / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded:minilm"
    loaded = load(ModelRef.parse("embedded:sentiment"), CLASSIFIER, settings)
    assert loaded.report.trustworthy
    assert loaded.card()["labels"] == ["negative", "positive"]


def test_pickled_weights_are_refused_on_a_public_server(tiny: Path, tmp_path: Path, settings: Settings) -> None:
    import torch

    run = tmp_path / "home" / "runs" / "pickled" / "model"
    run.mkdir(parents=True)
    loaded = load(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    loaded.model.config.save_pretrained(run)
    loaded.tokenizer.save_pretrained(run)
    torch.save(loaded.model.state_dict(), run / "pytorch_model.bin")
    assert load(ModelRef.parse("run:pickled"), CLASSIFIER, settings).report.trustworthy
    with pytest.raises(ModelError, match="can't be loaded"):
        load(ModelRef.parse("run:pickled"), CLASSIFIER, Settings(home=settings.home, public=True))


@pytest.mark.parametrize("content", ["{}", "not json", '{"model_type": "no-such-type"}'])
def test_a_folder_that_is_no_model_gets_a_sentence(settings: Settings, tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match="can't be loaded as AutoModel"):
        load(ModelRef.parse(str(tmp_path)), "AutoModel", settings)
