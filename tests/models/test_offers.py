"""Which models a task is offered, in which order, and what is said against the rest."""

import json
from pathlib import Path

import pytest

from hfdemo.models.offers import name_fitting_models, offer_models
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS, can_load


def make_run(settings: Settings, name: str, architecture: str, model_type: str) -> str:
    folder = settings.runs / name / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, "architectures": [architecture]}))
    (folder / "model.safetensors").write_bytes(bytes(12_000_000))
    return f"run:{name}"


def test_what_is_here_and_can_do_the_task_comes_first_and_the_rest_says_what_speaks_against_it(
    settings: Settings,
) -> None:
    tags = make_run(settings, "20260102-000000-tags", "BertForTokenClassification", "bert")
    chat = make_run(settings, "20260101-000000-chat", "LlamaForCausalLM", "llama")
    found = {each.reference: each.against for each in offer_models(TASKS["token-classification"], settings)}
    assert next(iter(found)) == tags
    assert [each for each, against in found.items() if not against] == [tags]
    assert found[chat] == "made for text generation, 12 MB"
    assert found["embedded:sentiment"].startswith("made for text classification")
    assert found["dslim/distilbert-NER"] == "on the Hub, not on this machine"
    assert "noise" in found["untrained:embedded:minilm"]


def test_an_embedded_default_is_the_first_of_them(settings: Settings) -> None:
    make_run(settings, "20260101-000000-labels", "BertForSequenceClassification", "bert")
    found = [each.reference for each in offer_models(TASKS["text-classification"], settings) if not each.against]
    assert found == ["embedded:sentiment", "run:20260101-000000-labels"]


def test_a_model_that_can_not_be_read_is_offered_with_the_reason(settings: Settings) -> None:
    run = make_run(settings, "20260101-000000-new", "NewForAll", "no-such-type")
    [against] = [each.against for each in offer_models(TASKS["fill-mask"], settings) if each.reference == run]
    assert against.startswith("can't be read")


@pytest.mark.parametrize(
    ("task", "model_type", "architecture", "fits"),
    [
        ("feature-extraction", "bert", "BertForMaskedLM", True),
        ("feature-extraction", "vit", "ViTModel", False),
        ("image-feature-extraction", "vit", "ViTForImageClassification", True),
        ("image-feature-extraction", "bert", "BertModel", False),
        ("zero-shot-audio-classification", "clap", "ClapModel", True),
        ("translation", "t5", "T5ForConditionalGeneration", True),
        ("fill-mask", "bert", "BertModel", False),
    ],
)
def test_a_checkpoint_fits_a_task_that_loads_what_it_was_saved_as(
    task: str, model_type: str, architecture: str, fits: bool
) -> None:
    assert can_load(TASKS[task], model_type, [architecture]) is fits


def test_what_works_without_a_network_is_named_for_the_task(settings: Settings, tmp_path: Path) -> None:
    assert name_fitting_models(TASKS["text-classification"], settings).endswith(": embedded:sentiment.")
    said = name_fitting_models(TASKS["image-classification"], settings)
    assert said.endswith("untrained:embedded:tiny-vit (random weights: its answer is noise).")
