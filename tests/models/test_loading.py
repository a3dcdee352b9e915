"""A loaded model, and the honest report of what was loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device
from hfdemo.errors import ModelError
from hfdemo.models.loading import Need, load_model
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.models.weights import NotEnoughMemory
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from tests.zoo import MAKERS

CLASSIFIER = "AutoModelForSequenceClassification"
Zoo = Callable[[str], Path]


def test_a_whole_checkpoint_is_reported_as_whole(settings: Settings, tiny: Path) -> None:
    loaded = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    card = loaded.card()
    assert card["trustworthy"]
    assert card["load_report"] == "Every weight came from the checkpoint."
    assert card["architecture"] == "BertForSequenceClassification"
    assert card["labels"] == ["red", "green", "blue"]
    assert card["parameters"] == sum(p.numel() for p in loaded.model.parameters())
    assert card["bytes"] >= 4 * card["parameters"]


def test_a_head_that_was_not_in_the_checkpoint_is_named(settings: Settings) -> None:
    loaded = load_model(ModelRef.parse("embedded:minilm"), CLASSIFIER, settings)
    assert not loaded.report.is_trustworthy
    assert str(loaded.report).startswith("2 weights were newly initialised: classifier.bias, classifier.weight.")


def test_a_head_of_another_shape_is_initialised_anew_and_named(settings: Settings, tiny: Path) -> None:
    loaded = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings, num_labels=5)
    assert loaded.model.config.num_labels == 5
    assert set(loaded.report.mismatched) == {"classifier.bias", "classifier.weight"}
    assert not loaded.report.is_trustworthy


def test_weights_without_a_place_are_named(settings: Settings, tiny: Path) -> None:
    loaded = load_model(ModelRef.parse(str(tiny)), "AutoModel", settings)
    assert loaded.report.is_trustworthy
    assert set(loaded.report.unexpected) == {"classifier.bias", "classifier.weight"}


def test_untrained_takes_the_architecture_only_and_says_so(settings: Settings, tiny: Path) -> None:
    import torch

    trained = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    torch.manual_seed(1)  # the weights of the other were drawn after another seed, which a test may have set again
    untrained = load_model(ModelRef.parse(f"untrained:{tiny}"), CLASSIFIER, settings)
    assert "random" in str(untrained.report)
    name = "bert.embeddings.word_embeddings.weight"
    assert untrained.model.state_dict()[name].shape == trained.model.state_dict()[name].shape
    assert not untrained.model.state_dict()[name].equal(trained.model.state_dict()[name])


def test_a_bare_config_has_the_embedded_tokenizer(settings: Settings, tiny: Path) -> None:
    loaded = load_model(ModelRef.parse(f"untrained:{tiny}/config.json"), CLASSIFIER, settings)
    assert loaded.tokenizer("hello")["input_ids"] == [101, 7592, 102]


def test_an_adapter_is_merged_into_the_base_that_it_names(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    base = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings, num_labels=2, id2label={0: "no", 1: "yes"})
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
    loaded = load_model(ref, CLASSIFIER, settings)
    with torch.no_grad():
        found = loaded.model(**inputs).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert loaded.card()["labels"] == ["no", "yes"]
    assert str(loaded.report) == "A LoRA adapter was merged into its base model. Every weight came from the checkpoint."
    assert load_tokenizer(ref, settings)("hello")["input_ids"] == [101, 7592, 102]

    other = load_model(ref, CLASSIFIER, settings, num_labels=4)
    assert set(other.report.mismatched) == {"classifier.bias", "classifier.weight"}


def test_the_embedded_adapter_is_small_names_no_machine_and_is_whole(settings: Settings) -> None:
    from hfdemo.models.folders import SENTIMENT

    assert sum(path.stat().st_size for path in SENTIMENT.iterdir()) < 2 * 1024**2
    assert (SENTIMENT / "adapter_model.safetensors").is_file()
    assert json.loads((SENTIMENT / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded:minilm"
    loaded = load_model(ModelRef.parse("embedded:sentiment"), CLASSIFIER, settings)
    assert loaded.report.is_trustworthy
    assert loaded.card()["labels"] == ["negative", "positive"]


def copy(folder: Path, to: Path, *, without: str = "") -> Path:
    """A copy of a saved model, for one thing in it to be broken."""
    return Path(shutil.copytree(folder, to, ignore=shutil.ignore_patterns(without)))


def said(settings: Settings, reference: object, need: Need | str = CLASSIFIER) -> str:
    """The sentence with which loading fails."""
    with pytest.raises(ModelError) as caught:
        load_model(ModelRef.parse(str(reference)), need, settings)
    return str(caught.value)


# --- What a task asks for -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speech(zoo: Zoo) -> Path:
    return zoo("automatic-speech-recognition/ctc")


@pytest.fixture(scope="module")
def picture(zoo: Zoo) -> Path:
    return zoo("image-classification")


@pytest.mark.parametrize("task", sorted(MAKERS))
def test_a_model_of_every_task_loads_with_what_its_task_needs(task: str, settings: Settings, zoo: Zoo) -> None:
    row = TASKS[task.split("/")[0]]
    folder = zoo(task)
    for reference in (f"{folder}", f"untrained:{folder}"):
        loaded = load_model(ModelRef.parse(reference), Need(row.classes, row.processors), settings)
        assert set(loaded.processors) >= {name for name in row.processors if not name.endswith("?")}
        assert loaded.report.untrained == reference.startswith("untrained:")
        assert loaded.report.untrained or loaded.report.is_trustworthy
        assert loaded.warnings == ()
        assert json.loads(json.dumps(loaded.card()))["bytes"] == loaded.bytes > 0


def test_the_first_class_that_knows_the_architecture_is_taken(settings: Settings, speech: Path) -> None:
    need = Need(("AutoModelForSpeechSeq2Seq", "AutoModelForCTC", "AutoModel"), ("feature_extractor", "tokenizer"))
    loaded = load_model(ModelRef.parse(str(speech)), need, settings)
    assert type(loaded.model).__name__ == "Wav2Vec2ForCTC"
    assert loaded.sampling_rate == 16_000
    assert loaded.image_processor is None


def test_a_model_of_another_kind_is_refused_with_the_task_that_fits_it(settings: Settings, speech: Path) -> None:
    sentence = said(settings, speech, Need(("AutoModelForCausalLM",)))
    assert "This is a Wav2Vec2ForCTC (wav2vec2), which can't be loaded as AutoModelForCausalLM." in sentence
    assert "It fits the task automatic-speech-recognition." in sentence


def test_a_processor_lends_its_parts_and_no_part_is_there_twice(settings: Settings, zoo: Zoo) -> None:
    folder = zoo("zero-shot-image-classification")
    need = Need(("AutoModel",), ("tokenizer", "image_processor", "processor?"))
    loaded = load_model(ModelRef.parse(str(folder)), need, settings)
    if "processor" in loaded.processors:
        assert loaded.tokenizer is loaded.processors["processor"].tokenizer
        assert loaded.image_processor is loaded.processors["processor"].image_processor
    only = load_model(ModelRef.parse(str(folder)), Need(("AutoModel",), ("processor",)), settings)
    assert only.tokenizer("hello")["input_ids"]
    assert only.tokenizer.model_max_length == only.context == loaded.context


def test_an_optional_processor_is_left_out_where_there_is_none_and_a_needed_one_is_missed(
    settings: Settings, speech: Path, picture: Path
) -> None:
    every = ("tokenizer?", "image_processor?", "feature_extractor?", "processor?")
    seen = load_model(ModelRef.parse(str(picture)), Need(("AutoModel",), every), settings)
    assert set(seen.processors) == {"image_processor"}
    assert (seen.tokenizer, seen.sampling_rate, seen.card()["context"]) == (None, None, None)
    heard = load_model(ModelRef.parse(str(speech)), Need(("AutoModel",), every[:3]), settings)
    assert set(heard.processors) == {"tokenizer", "feature_extractor"}
    assert "no tokenizer here" in said(settings, picture, Need(("AutoModel",)))
    assert "no image processor here" in said(settings, speech, Need(("AutoModel",), ("image_processor",)))


def test_a_bare_config_of_a_model_for_pictures_asks_for_the_rest(settings: Settings, picture: Path) -> None:
    reference = f"untrained:{picture}/config.json"
    need = Need(("AutoModelForImageClassification",), ("image_processor",))
    assert "preprocessor_config.json" in said(settings, reference, need)
    optional = Need(("AutoModelForImageClassification",), ("image_processor?", "tokenizer?"))
    assert load_model(ModelRef.parse(reference), optional, settings).processors == {}


def test_image_processors_work_with_pillow_alone(settings: Settings, picture: Path) -> None:
    """torchvision is not among the requirements; where it is installed the library takes its faster variant."""
    from PIL import Image

    need = Need(("AutoModelForImageClassification",), ("image_processor",))
    loaded = load_model(ModelRef.parse(str(picture)), need, settings)
    pixels = loaded.image_processor(Image.new("RGB", (40, 30)), return_tensors="pt")["pixel_values"]
    assert loaded.model(pixels).logits.shape == (1, loaded.model.config.num_labels)


# --- Precision and attention ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_dtype_that_was_asked_for_is_what_the_weights_have(settings: Settings, tiny: Path, dtype: str) -> None:
    for reference in (f"{tiny}", f"untrained:{tiny}", "embedded:sentiment"):
        card = load_model(ModelRef.parse(reference), Need((CLASSIFIER,), dtype=dtype), settings).card()
        assert card["dtype"] == dtype
        slow = [warning for warning in card["warnings"] if "float16 is slow on a CPU" in warning]
        assert bool(slow) == (dtype == "float16" and card["device"].startswith("CPU"))


def test_without_a_wish_a_half_precision_checkpoint_computes_in_float32_on_a_cpu(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    half = load_model(ModelRef.parse(str(tiny)), Need((CLASSIFIER,), dtype="bfloat16"), settings)
    half.model.save_pretrained(tmp_path / "half")
    half.tokenizer.save_pretrained(tmp_path / "half")
    cpu = Device("cpu", "CPU")
    assert load_model(ModelRef.parse(f"{tmp_path}/half"), CLASSIFIER, settings, device=cpu).card()["dtype"] == "float32"


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_an_attention_that_was_asked_for_is_what_the_model_uses(settings: Settings, tiny: Path, attention: str) -> None:
    for reference in (f"{tiny}", f"untrained:{tiny}"):
        card = load_model(ModelRef.parse(reference), Need((CLASSIFIER,), attention=attention), settings).card()
        assert card["attention"] == attention


def test_an_attention_that_a_model_has_not_is_refused_with_those_it_has(settings: Settings, zoo: Zoo) -> None:
    folder = zoo("table-question-answering")
    need = Need(("AutoModelForTableQuestionAnswering",), attention="sdpa")
    assert "no 'sdpa' attention. It has: eager." in said(settings, folder, need)


def test_an_attention_or_dtype_that_does_not_exist_is_refused(settings: Settings, tiny: Path) -> None:
    assert "It has: eager, sdpa" in said(settings, tiny, Need((CLASSIFIER,), attention="flashy"))
    assert "Pick one of: auto, float32" in said(settings, tiny, Need((CLASSIFIER,), dtype="float12"))


def test_flash_attention_is_used_where_it_can_be_and_refused_where_not(settings: Settings, tiny: Path) -> None:
    from transformers.utils import is_flash_attn_2_available

    need = Need((CLASSIFIER,), dtype="bfloat16", attention="flash_attention_2")
    if is_flash_attn_2_available():
        assert load_model(ModelRef.parse(str(tiny)), need, settings).card()["attention"] == "flash_attention_2"
    else:
        assert "flash-attn" in said(settings, tiny, need)


# --- What the card says ---------------------------------------------------------------------------------------------


def test_the_card_knows_context_and_chat_template(settings: Settings, tiny: Path, zoo: Zoo) -> None:
    card = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings).card()
    assert (card["context"], card["chat_template"], card["attention"]) == (128, False, "sdpa")
    card = load_model(ModelRef.parse(str(zoo("text-generation"))), "AutoModelForCausalLM", settings).card()
    assert (card["context"], card["chat_template"]) == (1024, True)


def test_a_tokenizer_with_more_tokens_than_the_model_knows_is_warned_of(settings: Settings, tmp_path: Path) -> None:
    from transformers import BertConfig

    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertConfig(vocab_size=1000, **small).save_pretrained(tmp_path)
    warnings = load_model(ModelRef.parse(f"untrained:{tmp_path}/config.json"), CLASSIFIER, settings).card()["warnings"]
    assert warnings[0] == "A bare config.json has no tokenizer of its own, so this is embedded:minilm's."
    assert "30,522 tokens and the model knows 1,000" in warnings[1]


def test_a_tokenizer_of_another_checkpoint_is_warned_of_where_the_files_tell(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    folder = copy(tiny, tmp_path / "mixed")

    def change(name: str, **values: Any) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(content | values), encoding="utf-8")

    change("config.json", _name_or_path="owner/one", vocab_size=30_600)
    change("tokenizer_config.json", name_or_path="owner/other")
    warnings = load_model(ModelRef.parse(f"untrained:{folder}"), CLASSIFIER, settings).warnings
    assert warnings == (
        "The model was made from owner/one and its tokenizer from owner/other. Check that they belong together.",
    )
    change("tokenizer_config.json", name_or_path="/somewhere/checkpoint-50")
    assert load_model(ModelRef.parse(f"untrained:{folder}"), CLASSIFIER, settings).warnings == ()


def test_loading_reports_every_byte_of_the_weights(settings: Settings, tiny: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings, progress=lambda *step: seen.append(step))
    done = [step[1] for step in seen]
    header = int.from_bytes((tiny / "model.safetensors").read_bytes()[:8], "little")
    assert {step[0] for step in seen} == {"Loading weights"}
    assert len(seen) > 10
    assert done == sorted(done)
    assert seen[-1][1] == seen[-1][2] == (tiny / "model.safetensors").stat().st_size - 8 - header
    # Not one jump at the end: the largest tensor is the embedding, the rest comes in between.
    assert len(set(done)) > 10


# --- What can be wrong with a checkpoint ----------------------------------------------------------------------------


def pickled(tiny: Path, folder: Path, content: Any = None) -> Path:
    import torch
    from safetensors.torch import load_file

    copy(tiny, folder, without="*.safetensors")
    torch.save(content or load_file(tiny / "model.safetensors"), folder / "pytorch_model.bin")
    return folder


def test_pickled_weights_are_loaded_locally_and_refused_on_a_public_server(settings: Settings, tiny: Path) -> None:
    pickled(tiny, settings.runs / "old" / "model")
    assert load_model(ModelRef.parse("run:old"), CLASSIFIER, settings).report.is_trustworthy
    assert "a shared server loads safetensors only" in said(Settings(home=settings.home, public=True), "run:old")


def test_pickled_weights_that_would_run_code_are_refused_everywhere(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    folder = pickled(tiny, tmp_path / "evil", {"weight": Touch(tmp_path / "touched")})
    assert "hold more than tensors" in said(settings, folder)
    assert not (tmp_path / "touched").exists()


class Touch:
    """Unpickled without care, this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_damaged_weights_are_named(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    folder = copy(tiny, tmp_path / "cut")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1000])
    assert f"damaged: it has {len(whole) - 1000:,} bytes, and its header speaks of {len(whole):,}." in said(
        settings, folder
    )
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    assert "model.safetensors is damaged" in said(settings, folder)


def test_missing_weights_are_named(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    folder = copy(tiny, tmp_path / "bare", without="*.safetensors")
    assert "no weights" in said(settings, folder)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"")
    assert "1 of 2 weight files are missing: model-00002-of-00002.safetensors" in said(settings, folder)
    assert "Write untrained:" in said(settings, folder / "config.json")


def test_weights_in_several_files_are_loaded_and_counted_whole(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    loaded = load_model(ModelRef.parse(str(tiny)), CLASSIFIER, settings)
    loaded.model.save_pretrained(tmp_path, max_shard_size="100KB")
    loaded.tokenizer.save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    seen: list[tuple[str, int, int]] = []
    again = load_model(ModelRef.parse(str(tmp_path)), CLASSIFIER, settings, progress=lambda *step: seen.append(step))
    assert again.report.is_trustworthy
    assert seen[-1][2] == sum(p.numel() * p.element_size() for p in loaded.model.parameters())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", "config.json names no model_type"),
        ("[]", "config.json names no model_type"),
        ("not json", "config.json can't be read as JSON"),
        ('{"model_type": "no-such-type"}', "has no architecture 'no-such-type'"),
        ('{"model_type": "x", "auto_map": {"AutoModel": "run.Me"}}', "its own code (auto_map), which is never run"),
        ('{"model_type": "bert", "hidden_size": "wide"}', "config.json can't be read"),
        (
            '{"model_type": "bert", "hidden_size": 7}',
            "can't be loaded as AutoModelForSequenceClassification: The hidden",
        ),
    ],
)
def test_a_config_that_makes_no_model_gets_a_sentence(
    settings: Settings, tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    sentence = said(settings, f"untrained:{tmp_path}/config.json")
    assert sentence.startswith(f"untrained:{tmp_path}/config.json: ")
    assert problem in sentence
    assert sentence.endswith(".")


def test_a_panic_of_a_rust_core_is_a_sentence(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    folder = copy(tiny, tmp_path / "panics")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "YQ=="}
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert "The tokenizer can't be loaded: Precompiled" in said(settings, folder)
    with pytest.raises(ModelError, match="Precompiled"):
        load_tokenizer(ModelRef.parse(str(folder)), settings)


def test_an_adapter_without_a_base_or_weights_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "names no base_model_name_or_path" in said(settings, tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "embedded:minilm"}')
    assert "no adapter_model.safetensors" in said(settings, tmp_path)


# --- Memory ---------------------------------------------------------------------------------------------------------


def test_a_model_larger_than_the_memory_is_refused_before_it_is_read(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    folder = copy(tiny, tmp_path / "large", without="*.safetensors")
    numbers = 200 * 10**9
    header = json.dumps({"a": {"dtype": "BF16", "shape": [numbers], "data_offsets": [0, 2 * numbers]}}).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2 * numbers)  # a hole: it takes no room on the disk
    for dtype, needed in (("float32", 4 * numbers), ("bfloat16", 2 * numbers)):
        with pytest.raises(NotEnoughMemory) as caught:
            load_model(ModelRef.parse(str(folder)), Need((CLASSIFIER,), dtype=dtype), settings)
        assert caught.value.needed == needed
        assert 0 < caught.value.free < needed
        assert f"need {needed / 1e9:.2f} GB of memory and {caught.value.free / 1e9:.2f} GB are free" in str(
            caught.value
        )


def test_a_config_of_a_model_larger_than_the_memory_is_refused(settings: Settings, tmp_path: Path) -> None:
    config = {"model_type": "bert", "vocab_size": 10**7, "hidden_size": 49_152, "num_hidden_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"Its config describes a model of more than .* GB, and at most .* GB have"):
        load_model(ModelRef.parse(f"untrained:{tmp_path}/config.json"), "AutoModel", settings)


def test_a_model_can_be_given_a_head_for_other_labels_and_the_report_says_so(settings: Settings, tiny: Path) -> None:
    six = tuple("abcdef")
    loaded = load_model(ModelRef.parse(str(tiny)), Need((CLASSIFIER,), labels=six), settings)
    assert tuple(loaded.card()["labels"]) == six
    assert "classifier.weight" in str(loaded.report)
    renamed = load_model(ModelRef.parse(str(tiny)), Need((CLASSIFIER,), labels=("x", "y", "z")), settings)
    assert renamed.report.is_trustworthy
