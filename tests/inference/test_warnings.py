"""No wrong answer without a word: what an answer does not show is said on every route."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfdemo.errors import DemoError, first_sentence
from hfdemo.inference import FilePrediction, predict, predict_file
from hfdemo.media import encode_wav
from hfdemo.models.cache import ModelCache
from hfdemo.models.library_warnings import collect_library_warnings
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tasks import TASKS
from tests.inference.test_batch_files import read, write

parse = ModelRef.parse
CLASSIFY = TASKS["text-classification"]
GENERATE = TASKS["text-generation"]
Zoo = Callable[[str], Path]


def warnings_of(models: ModelCache, task: str, model: Path | str, **values: Any) -> str:
    return " ".join(predict(models, TASKS[task], parse(str(model)), values).warnings)


def test_a_model_without_an_entailment_label_can_not_judge_made_up_labels(models: ModelCache, tiny: Path) -> None:
    said = warnings_of(
        models, "zero-shot-classification", tiny, text="the car", candidate_labels=["a vehicle", "a fruit"]
    )
    assert "no label called entailment (it has red, green, blue). Its last one, blue, was taken for it" in said


def test_a_text_that_the_tokenizer_does_not_know_is_said_to_be_unknown(models: ModelCache, tiny: Path) -> None:
    assert "Every token of the text is [UNK]" in warnings_of(models, "text-classification", tiny, text="🎉🎊 🥳")
    said = warnings_of(models, "text-classification", tiny, text="🎉 🎊 🥳 hello")
    assert "3 of the text's 4 tokens are [UNK]" in said
    assert warnings_of(models, "text-classification", tiny, text="hello 🎉 there it is") == ""


@pytest.mark.parametrize("position", ["learned", "rotary"])
def test_a_prompt_and_its_answer_fit_into_the_context_or_it_is_said(
    models: ModelCache, tmp_path: Path, position: str, zoo: Zoo
) -> None:
    folder = _save_writer(tmp_path, position, zoo)
    words = " ".join(["word"] * 27)
    short = predict(models, GENERATE, parse(str(folder)), {"text": words, "max_new_tokens": 20, "do_sample": "false"})
    assert short.output[0]["generated_text"].startswith(words)
    said = " ".join(short.warnings)
    if position == "learned":
        assert short.tokens == 32 - 27
        assert "The prompt has 27 tokens and the model reads 32 in all, so it writes at most 5 more." in said
        with pytest.raises(DemoError, match=r"The prompt has 40 tokens, and this model reads 32"):
            predict(models, GENERATE, parse(str(folder)), {"text": " ".join(["word"] * 40), "max_new_tokens": 5})
    else:
        assert short.tokens == 20
        assert "What lies beyond that it was never trained for." in said
    room = predict(models, GENERATE, parse(str(folder)), {"text": "word word", "max_new_tokens": 20})
    assert not any("The prompt" in each for each in room.warnings)


def _save_writer(folder: Path, position: str, zoo: Zoo) -> Path:
    """Save a model that writes, of a context of 32 tokens, with a tokenizer of whole words."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(zoo("fill-mask"))
    size = len(tokenizer)
    if position == "learned":
        gpt2 = GPT2Config(vocab_size=size, n_positions=32, n_embd=16, n_layer=1, n_head=2, eos_token_id=None)
        GPT2LMHeadModel(gpt2).save_pretrained(folder)
    else:
        shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        llama = LlamaConfig(vocab_size=size, max_position_embeddings=32, eos_token_id=None, **shape)
        LlamaForCausalLM(llama).save_pretrained(folder)
    words = _word_tokenizer()
    words.save_pretrained(folder)
    return folder


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"[UNK]": 0, "word": 1, "other": 2}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[UNK]", model_max_length=32)


def test_an_adapters_own_head_is_used_though_no_config_names_its_labels(
    settings: Settings, tiny: Path, tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    base = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=5, ignore_mismatched_sizes=True)
    get_peft_model(base, LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])).save_pretrained(tmp_path)
    loaded = load_model(parse(str(tmp_path)), "AutoModelForSequenceClassification", settings)
    assert loaded.model.classifier.weight.tolist() == base.classifier.weight.tolist()
    assert loaded.card()["labels"] == [f"LABEL_{index}" for index in range(5)]
    assert "a head for 5 labels and no config.json that names them" in loaded.warnings[0]


def test_a_head_of_another_size_than_the_config_says_is_named(settings: Settings, tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "five")
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {str(index): f"l{index}" for index in range(5)}
    config["label2id"] = {name: int(index) for index, name in config["id2label"].items()}
    (folder / "config.json").write_text(json.dumps(config))
    loaded = load_model(parse(str(folder)), "AutoModelForSequenceClassification", settings)
    assert "2 weights have another shape in the checkpoint than its config asks for" in str(loaded.report)


def test_what_the_library_warns_of_reaches_whoever_asked(models: ModelCache, zoo: Zoo) -> None:
    from tests.tasks.test_tasks import values_for

    key = "image-segmentation/panoptic"
    for _ in range(2):  # the library says it once to a process
        said = predict(models, TASKS["image-segmentation"], parse(str(zoo(key))), values_for(key)).warnings
        assert "transformers: `label_ids_to_fuse` unset. No instance will be fused." in said


def test_only_this_threads_warnings_are_collected_and_what_a_report_says_is_left_out() -> None:
    import logging
    import threading

    logger = logging.getLogger("transformers.modeling_utils")
    with collect_library_warnings() as said:
        logger.warning("The weights are\nodd.")
        logger.warning("The weights are odd.")
        logger.warning("`old` is deprecated and will be removed.")
        other = threading.Thread(target=logger.warning, args=("Somebody else's.",))
        other.start()
        other.join()
    assert said == ["transformers: The weights are odd."]


@pytest.fixture
def bytes_model(tmp_path: Path) -> Path:
    """A byte-level masked model that knows " pizza", with its space, as one token, and "pizza" as several."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForMaskedLM, RobertaTokenizerFast

    core = ByteLevelBPETokenizer()
    core.train_from_iterator(
        ["I like pizza, you like pizza"] * 50,
        vocab_size=600,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    core.save(str(tmp_path / "tokenizer.json"))
    tokenizer = RobertaTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    tokenizer.save_pretrained(tmp_path)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    RobertaForMaskedLM(RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=40, **shape)).save_pretrained(
        tmp_path
    )
    return tmp_path


@pytest.mark.parametrize("targets", [[" pizza", "pizza"], " pizza,pizza"])
def test_a_target_keeps_its_leading_space(models: ModelCache, bytes_model: Path, targets: Any) -> None:
    values = {"text": "I like <mask>", "targets": targets}
    found = predict(models, TASKS["fill-mask"], parse(str(bytes_model)), values)
    assert " pizza" in {each["token_str"] for each in found.output}
    said = " ".join(found.warnings)
    assert "'pizza' is " in said
    assert "' pizza', with a space, is one." in said


# What can't be done, and what to do instead


def picture(folder: Path, width: int, height: int) -> Path:
    path = folder / "picture.png"
    Image.new("RGB", (width, height), "teal").save(path)
    return path


@pytest.mark.parametrize(("width", "height"), [(1, 5000), (5000, 1), (3, 4000)])
def test_a_picture_of_a_hopeless_shape_is_called_that(
    models: ModelCache, zoo: Zoo, tmp_path: Path, width: int, height: int
) -> None:
    path = picture(tmp_path, width, height)
    with pytest.raises(DemoError, match=rf"The picture is {width:,} × {height:,} pixels, a shape that models can't"):
        predict(models, TASKS["depth-estimation"], parse(str(zoo("depth-estimation"))), {"image": path})


@pytest.mark.parametrize("task", ["zero-shot-image-classification", "zero-shot-object-detection"])
def test_a_label_longer_than_the_model_reads_is_named(models: ModelCache, zoo: Zoo, tmp_path: Path, task: str) -> None:
    values = {"image": picture(tmp_path, 64, 64), "candidate_labels": ["word " * 300, "a boat"]}
    with pytest.raises(DemoError, match=r"in candidate_labels has 1,499 characters, and the model reads 64 tokens"):
        predict(models, TASKS[task], parse(str(zoo(task))), values)


@pytest.mark.parametrize("samples", [1, 10, 300])
def test_a_sound_of_next_to_nothing_gets_a_sentence(models: ModelCache, zoo: Zoo, tmp_path: Path, samples: int) -> None:
    path = tmp_path / "click.wav"
    path.write_bytes(encode_wav(np.zeros((1, samples), np.float32), 16_000))
    with pytest.raises(DemoError, match="milliseconds"):
        predict(models, TASKS["audio-classification"], parse(str(zoo("audio-classification"))), {"audio": path})


def test_a_text_to_be_spoken_is_bounded(models: ModelCache, zoo: Zoo) -> None:
    with pytest.raises(DemoError, match="one call takes at most 2,000"):
        predict(models, TASKS["text-to-audio"], parse(str(zoo("text-to-audio"))), {"text": "word " * 500})


def test_a_mask_that_is_not_there_or_is_cut_off_is_said(models: ModelCache, zoo: Zoo) -> None:
    model = parse(str(zoo("fill-mask")))
    with pytest.raises(DemoError, match="There is no mask in the text"):
        predict(models, TASKS["fill-mask"], model, {"text": "Nothing is hidden here."})
    with pytest.raises(DemoError, match="The mask stands beyond the 512 tokens"):
        predict(models, TASKS["fill-mask"], model, {"text": "word " * 600 + "<mask>"})


def test_a_long_error_of_a_library_ends_with_a_sentence() -> None:
    said = first_sentence(ValueError("One two. " * 60))
    assert said.endswith("One two.")
    assert len(said) <= 300
    assert first_sentence(ValueError("Padded size: (1). Kernel size: (2)")) == "Padded size: (1). Kernel size: (2)."
    assert first_sentence(ValueError("word " * 100)).endswith("word…")
    assert first_sentence(KeyError()) == "KeyError."


ADAPTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "LoRA": ("LoraConfig", {"r": 2, "target_modules": ["query"]}),
    "IA3": ("IA3Config", {"target_modules": ["query", "output.dense"], "feedforward_modules": ["output.dense"]}),
    "LoHa": ("LoHaConfig", {"r": 2, "target_modules": ["query"], "modules_to_save": ["classifier"]}),
    "VeRA": ("VeraConfig", {"r": 4, "target_modules": ["query"]}),
    "PROMPT_TUNING": ("PromptTuningConfig", {"num_virtual_tokens": 4}),
    "PREFIX_TUNING": ("PrefixTuningConfig", {"num_virtual_tokens": 4}),
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_is_called_what_it_is_and_is_loaded_whole_or_refused(
    settings: Settings, tiny: Path, tmp_path: Path, kind: str
) -> None:
    import peft
    from transformers import AutoModelForSequenceClassification

    name, options = ADAPTERS[kind]
    model = AutoModelForSequenceClassification.from_pretrained(tiny)
    peft.get_peft_model(model, getattr(peft, name)(task_type="SEQ_CLS", **options)).save_pretrained(tmp_path)
    shutil.copy(tiny / "config.json", tmp_path)
    ref = parse(str(tmp_path))
    if kind.isupper() and "_" in kind:
        with pytest.raises(DemoError, match=f"an adapter of the kind {kind}: it puts vectors"):
            load_model(ref, "AutoModelForSequenceClassification", settings)
        return
    report = load_model(ref, "AutoModelForSequenceClassification", settings).report
    assert report.is_trustworthy
    assert f"{kind} adapter was merged into its base model. Every weight" in str(report)


# A whole file


def predict_all(models: ModelCache, model: Path, folder: Path, texts: list[str], **values: Any) -> FilePrediction:
    path = write(folder, [{"text": text} for text in texts])
    return predict_file(models, CLASSIFY, parse(str(model)), path, folder / "out", values=values)


def test_a_file_says_which_rows_were_cut_and_which_are_unknown(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    found = predict_all(models, tiny, tmp_path, ["fine", "word " * 300, "🎉", "also fine"])
    rows = read(found.path)
    assert [bool(row["warning"]) for row in rows] == [False, True, True, False]
    assert "302 tokens; the model reads 128. The rest was cut off." in rows[1]["warning"]
    assert "[UNK]" in rows[2]["warning"]
    assert found.warnings[0].startswith("2 rows have a note in the column `warning`. Row 2: The text has 302 tokens")


def test_a_file_from_an_untrained_head_says_so(models: ModelCache, tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "fine"}])
    found = predict_file(models, CLASSIFY, parse("untrained:embedded:minilm"), path, tmp_path / "out")
    assert found.warnings[0].startswith("Every weight is random")
    assert "warning" not in read(found.path)[0], "it holds for every row, and is said once"


@pytest.mark.parametrize("values", [{"top_k": 3}, {"function_to_apply": "sigmoid"}])
def test_every_label_that_was_asked_for_has_a_column(
    models: ModelCache, tiny: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    found = predict_all(models, tiny, tmp_path, ["fine", "the car"], **values)
    for text, row in zip(["fine", "the car"], read(found.path), strict=True):
        alone = predict(models, CLASSIFY, parse(str(tiny)), {"text": text, **values})
        scores = {each["label"]: each["score"] for each in alone.output}
        assert {name: float(row[f"score_{name}"]) for name in scores} == pytest.approx(scores, abs=1e-4)
        assert row["label"] == max(scores, key=lambda name: scores[name])


def test_several_labels_at_once_are_columns_for_zero_shot_too(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "the car"}])
    values = {"candidate_labels": ["a", "b"], "multi_label": True}
    found = predict_file(
        models, TASKS["zero-shot-classification"], parse(str(tiny)), path, tmp_path / "out", values=values
    )
    assert {"label", "score", "score_a", "score_b"} <= set(read(found.path)[0])
    assert "no label called entailment" in read(found.path)[0]["warning"]
