"""Right by construction: what must hold of every training, for every kind of answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Probed, Resumed, Started, StepLogged, Stopped
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.kinds.next_token import encode_next_tokens
from hfdemo.finetuning.training import training as training
from hfdemo.finetuning.training.training import train
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import CPU, STEPS_ALONE, Zoo, calm, model_of, run_folder, trained, weights


def of(kind: type[Event], events: Sequence[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_leaves_a_model_and_a_report(settings: Settings, tiny: Path, zoo: Zoo, kind: str) -> None:
    training = {"num_train_epochs": 12, "learning_rate": 3e-3}
    folder = run_folder(settings, kind, model_of(kind, tiny, zoo), training=training)
    events = trained(folder, settings)
    assert isinstance(events[-1], Finished)
    evaluated = [event for event in of(Evaluated, events) if event.split == "validation"]
    evaluator = KINDS[kind].evaluator
    before, after = evaluated[0], evaluated[-1]
    assert before.step == 0, "evaluated before anything is learned"
    asked = "are the labels of tiny_runs.table learnable from the text?"
    assert after.metrics["loss"] < before.metrics["loss"], asked
    report = json.loads((folder / "report.json").read_text())
    assert report["metrics"]["validation"][evaluator.selection] == after.metrics[evaluator.selection]
    assert set(report["metrics"]) == {"validation", "test"} == set(report["baseline"])
    # Nothing guesses the next token without the text: there the model before training is what to be better than.
    baseline = report["baseline"]["test"]["metrics"] or before.metrics
    ours, theirs = report["metrics"]["test"][evaluator.selection], baseline[evaluator.selection]
    is_better = ours > theirs if evaluator.greater_is_better else ours < theirs
    assert is_better, f"{evaluator.selection} {ours} is no better than {theirs}: {asked}"
    assert (folder / "model" / "model.safetensors").is_file()
    assert not (folder / "checkpoints").exists()


ACCUMULATED: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in KINDS),
    *((kind, {"class_weights": "balanced"}) for kind in KINDS if KINDS[kind].balance),
    *((kind, {"training": {"label_smoothing_factor": 0.1}}) for kind in KINDS if KINDS[kind].smooths_labels),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "more"), ACCUMULATED)
def test_accumulated_batches_have_the_loss_the_gradient_and_the_weights_of_the_larger_batch(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str, more: dict[str, Any]
) -> None:
    """Left alone, transformers 5 multiplies a classifier's loss and gradient by the accumulation steps.

    Their rows have very different lengths, so a mean of means would be off, too; without dropout, to 1e-5.
    """
    model = calm(model_of(kind, tiny, zoo))

    def step(name: str, batch_size: int, accumulation: int) -> tuple[StepLogged, Path]:
        training = {
            **STEPS_ALONE,
            **more.get("training", {}),
            "per_device_train_batch_size": batch_size,
            "gradient_accumulation_steps": accumulation,
            "max_steps": 1,
        }
        folder = run_folder(settings, kind, model, name, **{**more, "training": training})
        return of(StepLogged, trained(folder, settings))[0], folder

    (whole, one), (parts, other) = step("whole", 32, 1), step("parts", 8, 4)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
    assert parts.grad_norm == pytest.approx(whole.grad_norm, rel=1e-4)
    expected, found = weights(one), weights(other)
    assert max(float((expected[name] - found[name]).abs().max()) for name in expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_config_gives_one_model_to_the_last_bit(settings: Settings, tiny: Path, zoo: Zoo, kind: str) -> None:
    made = []
    for name in ("one", "two"):
        folder = run_folder(settings, kind, model_of(kind, tiny, zoo), name, training={"max_steps": 6})
        trained(folder, settings)
        made.append(weights(folder))
    assert all(made[0][name].equal(made[1][name]) for name in made[0])


@pytest.mark.slow
def test_the_trial_steps_change_nothing(settings: Settings, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, so that one random number more or less would show."""
    probed = run_folder(settings, "single_label", tiny, "probed", training={"max_steps": 5})
    events = trained(probed, settings)
    found = of(Probed, events)[0]
    assert found.seconds_per_step > 0
    assert found.estimated_seconds > found.seconds_per_step * 5
    assert 0 < found.peak_bytes < found.available_bytes
    monkeypatch.setattr(training, "probe", lambda *_: events[0])
    unprobed = run_folder(settings, "single_label", tiny, "unprobed", training={"max_steps": 5})
    trained(unprobed, settings)
    expected, got = weights(unprobed), weights(probed)
    assert all(expected[name].equal(got[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("kind", ["single_label", "language"])
def test_a_training_that_was_interrupted_in_mid_epoch_ends_as_one_that_was_not(
    settings: Settings, tiny: Path, zoo: Zoo, kind: str, method: str
) -> None:
    more = {"method": method, "padding": "grouped", "training": {"num_train_epochs": 3, "logging_steps": 1}}
    model = model_of(kind, tiny, zoo)
    whole = run_folder(settings, kind, model, "whole", **more)
    uninterrupted = trained(whole, settings)

    halves = run_folder(settings, kind, model, "halves", **more)
    first: list[Event] = []

    def emit(event: Event) -> None:
        first.append(event)
        if isinstance(event, StepLogged) and event.step == 7:  # of 5 in an epoch
            (halves / "stop").write_text(json.dumps({"keep": True}))

    train(RunConfig.read(halves / "config.json"), halves, settings, CPU, emit)
    assert isinstance(first[-1], Stopped)
    assert first[-1].step < 10
    assert (halves / "model" / "model.safetensors").is_file(), "what was learned so far can be used"
    (halves / "stop").unlink()
    second = trained(halves, settings, resume=True)
    assert of(Resumed, second)[0].step == first[-1].step
    assert isinstance(second[-1], Finished)
    expected, got = weights(whole), weights(halves)
    assert all(expected[name].equal(got[name]) for name in expected)
    both = {event.step: event.loss for event in of(StepLogged, [*first, *second])}
    assert both == {event.step: event.loss for event in of(StepLogged, uninterrupted)}


@pytest.mark.slow
def test_a_model_that_reads_both_ways_is_not_trained_to_write(settings: Settings, tiny: Path) -> None:
    """It would see the very token that it is to predict, and look perfect."""
    folder = run_folder(settings, "language", tiny)
    with pytest.raises(DemoError, match="reads a text in both directions"):
        trained(folder, settings)


@pytest.mark.slow
def test_what_was_left_out_of_the_data_stands_in_the_notes_of_the_run(settings: Settings, tiny: Path) -> None:
    folder = run_folder(settings, "single_label", tiny, training={"max_steps": 1})
    (folder / "data.json").write_text(json.dumps({"notes": ["drop_duplicates removed 12 rows."]}))
    assert "drop_duplicates removed 12 rows." in of(Started, trained(folder, settings))[0].notes


@pytest.mark.slow
def test_the_answers_of_a_conversation_are_learned_and_nothing_else(zoo: Zoo) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(zoo("text-generation"))
    messages = [
        {"role": "user", "content": "who are you"},
        {"role": "assistant", "content": "a harbour"},
        {"role": "user", "content": "where"},
        {"role": "assistant", "content": "by the sea"},
    ]
    made = encode_next_tokens({"text": [json.dumps(messages), "plain text"]}, tokenizer, None, ())
    learned = [token for token in made["labels"][0] if token != -100]
    said = tokenizer.decode(learned)
    assert "a harbour" in said
    assert "by the sea" in said
    assert "who are you" not in said
    assert "where" not in said
    assert made["labels"][1] == made["input_ids"][1]
    assert made["labels"][1][-1] == tokenizer.eos_token_id
