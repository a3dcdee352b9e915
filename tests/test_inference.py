"""A prediction: the pipeline's output, its three stages, and sentences about what the output does not show."""

import math
from pathlib import Path

import pytest

from hfdemo.errors import DemoError
from hfdemo.inference import predict
from hfdemo.models.memory import ModelCache
from hfdemo.tasks import TASKS

CLASSIFY = TASKS["text-classification"]


def test_the_stages_lead_from_the_text_to_the_answer(models: ModelCache, tiny: Path) -> None:
    prediction = predict(models, CLASSIFY, str(tiny), {"text": "hello there"})
    stages, scores = prediction.stages, prediction.stages.scores
    assert stages.tokens == ("[CLS]", "hello", "there", "[SEP]")
    assert stages.token_ids == (101, 7592, 2045, 102)
    assert stages.special == (True, False, False, True)
    assert ("input_ids", (1, 4)) in stages.inputs
    assert stages.outputs == (("logits", (1, 3)),)
    assert scores is not None
    assert scores.function == "softmax"
    total = sum(math.exp(logit) for logit in scores.logits)
    assert scores.scores == pytest.approx([math.exp(logit) / total for logit in scores.logits], abs=1e-6)
    by_label = {item["label"]: item["score"] for item in prediction.output}
    assert by_label == pytest.approx(dict(zip(scores.labels, scores.scores, strict=True)), abs=1e-6)


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
def test_the_function_that_is_shown_is_the_one_that_was_applied(models: ModelCache, tiny: Path, function: str) -> None:
    prediction = predict(models, CLASSIFY, str(tiny), {"text": "hello", "function_to_apply": function})
    scores = prediction.stages.scores
    assert scores is not None
    assert scores.function == function
    shown = sorted(scores.scores, reverse=True)
    assert [item["score"] for item in prediction.output] == pytest.approx(shown, abs=1e-6)


def test_top_k_cuts_the_list_and_left_out_gives_all_labels(models: ModelCache, tiny: Path) -> None:
    assert len(predict(models, CLASSIFY, str(tiny), {"text": "hello"}).output) == 3
    assert len(predict(models, CLASSIFY, str(tiny), {"text": "hello", "top_k": 1}).output) == 1


def test_a_pair_reaches_the_model_as_two_sequences(models: ModelCache, tiny: Path) -> None:
    stages = predict(models, CLASSIFY, str(tiny), {"text": "one", "text_pair": "two"}).stages
    assert stages.tokens == ("[CLS]", "one", "[SEP]", "two", "[SEP]")
    assert stages.sequences == (None, 0, None, 1, None)


def test_the_first_call_loads_and_the_second_does_not(settings: object, tiny: Path) -> None:
    cache = ModelCache(settings)  # type: ignore[arg-type]
    first, second = (predict(cache, CLASSIFY, str(tiny), {"text": "hello"}) for _ in range(2))
    assert first.seconds["load"] > 0
    assert second.seconds["load"] == 0
    steps = [second.seconds[name] for name in ("preprocess", "forward", "postprocess")]
    assert second.seconds["run"] == pytest.approx(sum(steps))


def test_text_that_was_cut_off_is_reported_with_both_lengths(models: ModelCache) -> None:
    prediction = predict(models, TASKS["feature-extraction"], None, {"text": "word " * 700})
    assert prediction.warnings == ("The text has 702 tokens; the model reads 512. The rest was cut off.",)
    assert len(prediction.output[0]) == 512


def test_random_weights_are_said_on_every_result(models: ModelCache, tiny: Path) -> None:
    prediction = predict(models, CLASSIFY, f"untrained:{tiny}", {"text": "hello"})
    assert "noise" in prediction.to_json()["warnings"][0]


def test_the_default_model_tells_praise_from_blame(models: ModelCache) -> None:
    for text, label in (("A joy from beginning to end.", "positive"), ("Dull, loud and far too long.", "negative")):
        prediction = predict(models, CLASSIFY, None, {"text": text})
        assert prediction.model == "embedded:sentiment"
        assert prediction.output[0]["label"] == label
        assert prediction.output[0]["score"] > 0.8


def test_wrong_input_is_refused_before_a_model_is_touched(settings: object) -> None:
    cache = ModelCache(settings)  # type: ignore[arg-type]
    with pytest.raises(DemoError):
        predict(cache, CLASSIFY, None, {"text": "   "})
    assert cache.cards() == []


def test_calls_that_meet_on_one_model_do_not_disturb_each_other(models: ModelCache, tiny: Path) -> None:
    """Too long a text is measured without truncation: on a shared tokenizer that must never meet another call."""
    from concurrent.futures import ThreadPoolExecutor

    def work(number: int) -> int:
        return predict(models, CLASSIFY, str(tiny), {"text": "word " * 400}).stages.inputs[0][1][1]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(200))) == {128}


def test_a_text_is_cut_to_what_the_model_can_read_whatever_its_tokenizer_says(
    models: ModelCache, tmp_path: Path, tiny: Path
) -> None:
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "boundless"
    shutil.copytree(tiny, folder)
    AutoTokenizer.from_pretrained(tiny, model_max_length=int(1e30)).save_pretrained(folder)
    prediction = predict(models, CLASSIFY, str(folder), {"text": "word " * 400})
    assert prediction.warnings == ("The text has 402 tokens; the model reads 128. The rest was cut off.",)


def test_an_adapter_gives_its_own_hidden_states_and_not_its_bases(models: ModelCache) -> None:
    features = TASKS["feature-extraction"]
    adapted, base = (
        predict(models, features, f"embedded:{name}", {"text": "dull"}) for name in ("sentiment", "minilm")
    )
    assert adapted.warnings == ()
    assert abs(adapted.output[0][0][0] - base.output[0][0][0]) > 1e-3
