"""A prediction: the pipeline's output, its three stages, its seconds, and what the output does not show."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hfdemo.engine import InlineEngine
from hfdemo.errors import DemoError, Stopped
from hfdemo.inference import PartialPrediction, Prediction, build_need, predict, stream_prediction
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tasks import TASKS
from tests.conftest import wait_until
from tests.test_scheduler import held

parse = ModelRef.parse
CLASSIFY = TASKS["text-classification"]


def test_the_stages_lead_from_the_text_to_the_answer(models: ModelCache, tiny: Path) -> None:
    prediction = predict(models, CLASSIFY, parse(str(tiny)), {"text": "hello there"})
    stages, found = prediction.stages, prediction.stages.explanation
    assert stages.tokens == ("[CLS]", "hello", "there", "[SEP]")
    assert stages.token_ids == (101, 7592, 2045, 102)
    assert stages.special == (True, False, False, True)
    assert ("input_ids", (1, 4)) in stages.inputs
    assert stages.outputs == (("logits", (1, 3)),)
    assert found is not None
    assert found.columns == ("label", "logit", "softmax")
    logits, scores = ([float(row[column]) for row in found.rows] for column in (1, 2))
    total = sum(math.exp(logit) for logit in logits)
    assert scores == pytest.approx([math.exp(logit) / total for logit in logits], abs=1e-6)
    by_label = {item["label"]: item["score"] for item in prediction.output}
    assert by_label == pytest.approx({row[0]: row[2] for row in found.rows}, abs=1e-6)


def test_top_k_cuts_the_list_and_left_out_gives_all_labels(models: ModelCache, tiny: Path) -> None:
    assert len(predict(models, CLASSIFY, parse(str(tiny)), {"text": "hello"}).output) == 3
    assert len(predict(models, CLASSIFY, parse(str(tiny)), {"text": "hello", "top_k": 1}).output) == 1


def test_a_pair_reaches_the_model_as_two_sequences(models: ModelCache, tiny: Path) -> None:
    stages = predict(models, CLASSIFY, parse(str(tiny)), {"text": "one", "text_pair": "two"}).stages
    assert stages.tokens == ("[CLS]", "one", "[SEP]", "two", "[SEP]")
    assert stages.sequences == (None, 0, None, 1, None)


def test_the_first_call_loads_and_the_second_does_not(settings: object, tiny: Path) -> None:
    cache = ModelCache(settings)  # type: ignore[arg-type]
    first, second = (predict(cache, CLASSIFY, parse(str(tiny)), {"text": "hello"}) for _ in range(2))
    assert first.seconds["load"] > 0
    assert second.seconds["load"] == 0
    steps = [second.seconds[name] for name in ("preprocess", "forward", "postprocess")]
    assert second.seconds["run"] == pytest.approx(sum(steps))


def test_text_that_was_cut_off_is_reported_with_both_lengths(models: ModelCache) -> None:
    prediction = predict(
        models,
        TASKS["feature-extraction"],
        parse("embedded:minilm"),
        {"text": "word " * 700},
    )
    assert prediction.warnings == ("The text has 702 tokens; the model reads 512. The rest was cut off.",)
    assert len(prediction.output[0]) == 512


def test_a_text_that_is_read_in_pieces_is_not_said_to_be_cut(models: ModelCache, zoo: Callable[[str], Path]) -> None:
    task, model = TASKS["token-classification"], parse(str(zoo("token-classification")))
    given = {"text": "Ada met Babbage. " * 400, "aggregation_strategy": "simple"}
    cut, whole = (predict(models, task, model, {**given, "stride": stride}) for stride in (None, 8))
    assert [each for each in cut.warnings if "was cut off" in each]
    assert [each for each in whole.warnings if "was cut off" in each] == []
    assert whole.output[-1]["end"] > cut.output[-1]["end"]


def test_random_weights_are_said_on_every_result(models: ModelCache, tiny: Path) -> None:
    prediction = predict(models, CLASSIFY, parse(f"untrained:{tiny}"), {"text": "hello"})
    assert "noise" in prediction.to_json()["warnings"][0]


def test_the_default_model_tells_praise_from_blame(models: ModelCache) -> None:
    for text, label in (("A joy from beginning to end.", "positive"), ("Dull, loud and far too long.", "negative")):
        prediction = predict(models, CLASSIFY, parse(CLASSIFY.default_model), {"text": text})
        assert prediction.model == "embedded:sentiment"
        assert prediction.output[0]["label"] == label
        assert prediction.output[0]["score"] > 0.8


def test_wrong_input_is_refused_before_a_model_is_touched(settings: object) -> None:
    cache = ModelCache(settings)  # type: ignore[arg-type]
    with pytest.raises(DemoError):
        predict(cache, CLASSIFY, parse(CLASSIFY.default_model), {"text": "   "})
    assert cache.list_cards() == []


def test_calls_that_meet_on_one_model_do_not_disturb_each_other(models: ModelCache, tiny: Path) -> None:
    """Too long a text is measured without truncation: on a shared tokenizer that must never meet another call."""

    def work(number: int) -> int:
        return len(predict(models, CLASSIFY, parse(str(tiny)), {"text": "word " * 400}).stages.tokens)

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
    prediction = predict(models, CLASSIFY, parse(str(folder)), {"text": "word " * 400})
    assert prediction.warnings == ("The text has 402 tokens; the model reads 128. The rest was cut off.",)


def test_an_adapter_gives_its_own_hidden_states_and_not_its_bases(models: ModelCache) -> None:
    features = TASKS["feature-extraction"]
    adapted, base = (
        predict(models, features, parse(f"embedded:{name}"), {"text": "dull"}) for name in ("sentiment", "minilm")
    )
    assert adapted.warnings == ()
    assert abs(adapted.output[0][0][0] - base.output[0][0][0]) > 1e-3


def test_calls_that_wait_together_share_a_forward_pass_and_each_gets_its_own_row(
    models: ModelCache, tiny: Path
) -> None:
    texts = ["word " * (1 + number) for number in range(8)]
    alone = [predict(models, CLASSIFY, parse(str(tiny)), {"text": text}) for text in texts]
    _, free = held(models.scheduler)
    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(predict, models, CLASSIFY, parse(str(tiny)), {"text": text}) for text in texts]
        other = pool.submit(predict, models, CLASSIFY, parse(str(tiny)), {"text": texts[0], "top_k": 1})
        wait_until(lambda: len(models.scheduler._queue) == 9, 30, "all in line")
        free.set()
        together = [future.result(30) for future in futures]
        assert (other.result(30).together, len(other.result().output)) == (1, 1)
    assert {found.together for found in together} == {8}
    for one, found in zip(alone, together, strict=True):
        assert found.stages.tokens == one.stages.tokens
        assert dict(found.stages.inputs)["input_ids"] == (1, 10)
        wanted = {item["label"]: item["score"] for item in one.output}
        assert {item["label"]: item["score"] for item in found.output} == pytest.approx(wanted, abs=1e-5)


def test_two_models_at_once_do_not_disturb_each_other(models: ModelCache, tiny: Path) -> None:
    alone = {
        ref: predict(models, CLASSIFY, parse(ref), {"text": "hello"}).output
        for ref in (str(tiny), "embedded:sentiment")
    }
    with ThreadPoolExecutor(8) as pool:
        refs = list(alone) * 20
        for ref, found in zip(
            refs, pool.map(lambda r: predict(models, CLASSIFY, parse(r), {"text": "hello"}), refs), strict=True
        ):
            assert [item["label"] for item in found.output] == [item["label"] for item in alone[ref]]
            assert [item["score"] for item in found.output] == pytest.approx(
                [item["score"] for item in alone[ref]], abs=1e-5
            )


GENERATE = TASKS["text-generation"]


def test_generated_text_streams_and_the_last_item_is_the_whole_prediction(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    values = {"text": "A lamp", "max_new_tokens": 200, "do_sample": False}
    items = list(
        stream_prediction(
            InlineEngine(models.settings, models),
            GENERATE,
            parse(str(zoo("text-generation"))),
            values,
            threading.Event(),
        )
    )
    done = items[-1]
    assert isinstance(done, Prediction)
    parts = [item for item in items if isinstance(item, PartialPrediction)]
    assert parts
    whole = done.output[0]["generated_text"]
    for part in parts:
        assert whole.startswith(part.result[0]["generated_text"][:-1].rstrip("\ufffd"))
    assert done.tokens == 200
    assert done.seconds["forward"] > 0.8 * done.seconds["run"]


def test_the_odds_name_each_token_with_its_probability_among_the_likeliest(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    values = {"text": "A lamp", "max_new_tokens": 12, "do_sample": False}
    done = predict(models, GENERATE, parse(str(zoo("text-generation"))), values)
    assert len(done.token_probabilities) == 12
    for step in done.token_probabilities:
        _, chances = zip(*step.top, strict=True)
        assert list(chances) == sorted(chances, reverse=True)
        assert 0 <= step.probability <= max(chances) + 1e-6
        assert 0 < step.entropy < 12
        assert step.probability == pytest.approx(dict(step.top).get(step.token, step.probability))


def test_a_stop_ends_the_computation_within_one_token_and_keeps_what_there_is(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    stop, seen = threading.Event(), []

    def hear(part: PartialPrediction) -> None:
        seen.append(part.text)
        if len(seen) == 5:
            stop.set()

    values = {"text": "A lamp", "max_new_tokens": 1000}
    done = predict(models, GENERATE, parse(str(zoo("text-generation"))), values, stop=stop, on_partial=hear)
    assert (done.tokens, done.stopped) == (5, True)


def test_whoever_goes_away_ends_the_computation_within_one_token(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    """The worker itself is watched: once the listener has left, its model makes no pass and its thread is gone."""
    folder = str(zoo("text-generation"))
    model = models.get(parse(folder), build_need(GENERATE)).model
    stop, threads = threading.Event(), set(threading.enumerate())
    stopped_at: list[bool] = []

    def watch(*_: Any) -> None:
        stopped_at.append(stop.is_set())
        if len(stopped_at) == 100:  # however slow the listener is, it leaves before the text is written
            stop.wait(30)

    hook = model.register_forward_pre_hook(watch)
    try:
        listening = stream_prediction(
            InlineEngine(models.settings, models), GENERATE, parse(folder), {"text": "A", "max_new_tokens": 1000}, stop
        )
        while not isinstance(next(listening), PartialPrediction):
            pass
        listening.close()  # type: ignore[attr-defined]
    finally:
        hook.remove()
    assert 0 < len(stopped_at) <= 101
    assert sum(stopped_at) <= 1  # the one that was about to begin
    assert set(threading.enumerate()) <= threads


def test_who_is_stopped_before_the_first_pass_gets_a_sentence(models: ModelCache, tiny: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        predict(models, TASKS["feature-extraction"], parse(str(tiny)), {"text": "hello"}, stop=stop)


def test_a_seed_is_named_where_chance_had_a_part_and_gives_the_same_text_again(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    import torch

    folder, values = str(zoo("text-generation")), {"text": "A lamp", "max_new_tokens": 20}
    assert predict(models, GENERATE, parse(folder), {**values, "do_sample": False}).seed is None
    drawn = predict(models, GENERATE, parse(folder), {**values, "do_sample": True})
    assert drawn.seed is not None
    torch.manual_seed(drawn.seed)
    loaded = models.get(parse(folder), build_need(GENERATE))
    from hfdemo.inference import build_pipeline

    assert build_pipeline(GENERATE, loaded)(*drawn.call.args, **drawn.call.kwargs) == drawn.result


def test_the_models_own_generate_is_back_after_a_run(models: ModelCache, zoo: Callable[[str], Path]) -> None:
    folder = str(zoo("text-generation"))
    predict(models, GENERATE, parse(folder), {"text": "A", "max_new_tokens": 2})
    model = models.get(parse(folder), build_need(GENERATE)).model
    assert "generate" not in vars(model)
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


@pytest.mark.slow
def test_loading_one_model_does_not_change_what_another_one_computes(
    models: ModelCache, zoo: Callable[[str], Path]
) -> None:
    """The library switches torch's default dtype for the whole process while it builds a model."""
    folder, values = str(zoo("text-generation")), {"text": "A lamp", "max_new_tokens": 8, "do_sample": "false"}
    alone = predict(models, GENERATE, parse(folder), values).output
    done = threading.Event()

    def load_again_and_again() -> None:
        cache = ModelCache(models.settings)
        cache.scheduler = models.scheduler
        while not done.is_set():
            cache.get(parse("untrained:embedded:minilm"), build_need(CLASSIFY, "bfloat16"))
            cache.unload(parse("untrained:embedded:minilm"))

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_again_and_again)
        try:
            for _ in range(25):
                assert predict(models, GENERATE, parse(folder), values).output == alone
        finally:
            done.set()
        loading.result(30)


def test_a_stop_ends_a_loading_too(settings: object, tiny: Path) -> None:
    cache, stop = ModelCache(settings), threading.Event()  # type: ignore[arg-type]
    stop.set()
    with pytest.raises(Stopped):
        predict(cache, CLASSIFY, parse(str(tiny)), {"text": "hello"}, stop=stop)
    assert cache.list_cards() == []
