"""The one Trainer, on a tiny model in this process: what it writes, and the traps it must not fall into."""

import csv
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device, find_device
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Started, StepLogged, Stopped
from hfdemo.finetuning.runs import Run, RunStore
from hfdemo.finetuning.training.training import train
from hfdemo.models.loading import load_model
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import PaddingPlan, plan_batches, trainable_names

CPU = Device("cpu", "CPU")
TRIALS = 3
FAST = {"learning_rate": 5e-3, "per_device_train_batch_size": 8}


def run_of(settings: Settings, colours: Path, model: Path | str, **config: Any) -> Run:
    training = {**FAST, **config.pop("training", {})}
    values = {"dataset": "colours", "model": str(model), "training": training, **config}
    return RunStore(settings).create(RunConfig.from_json(values), colours)


def trained(run: Run, settings: Settings, device: Device = CPU, phases: list[str] | None = None) -> list[Event]:
    events: list[Event] = []
    on_phase = None if phases is None else phases.append
    train(run.config, run.folder, settings, device, events.append, on_phase=on_phase)
    return events


@pytest.mark.slow
def test_a_run_ends_with_everything_that_its_folder_promises(settings: Settings, colours: Path, tiny: Path) -> None:
    run = run_of(settings, colours, tiny, training={"num_train_epochs": 15})
    phases: list[str] = []
    events = trained(run, settings, find_device(), phases)
    an_epoch = ["training", "evaluating", "saving"]
    begin = ["loading", "trial steps", "evaluating before training"]
    assert phases == [*begin, *an_epoch * 15, "evaluating", "saving"], "each is told once, when it begins"
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert events[0].rows == {"train": 37, "validation": 9}
    assert events[0].total_steps == 15 * 5 == events[-1].step
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    assert [round(event.epoch) for event in evaluated] == [0, *range(1, 16), 15], "before training, too"
    assert {"loss", "accuracy", "f1", "f1_weighted"} <= set(evaluated[0].metrics)
    losses = [event.loss for event in events if isinstance(event, StepLogged)]
    assert losses[-1] < losses[0] / 2

    report = json.loads((run.folder / "report.json").read_text())
    assert report["metrics"]["validation"]["accuracy"] >= 0.9
    assert report["metrics"]["validation"] == dict(events[-1].metrics)
    assert 0.3 < report["baseline"]["validation"]["accuracy"] < 0.7
    assert sum(map(sum, report["confusion_matrix"]["validation"])) == 9
    assert report["shapes"]["validation"] == {"logits": [9, 2], "labels": [9]}
    assert {path.name for path in (run.folder / "model").iterdir()} >= {"config.json", "model.safetensors", "README.md"}
    assert not (run.folder / "checkpoints").exists()
    assert not (run.folder / "arrow").exists()

    model = load_model(ModelRef.parse(f"run:{run.id}"), "AutoModelForSequenceClassification", settings)
    assert model.report.is_trustworthy
    assert model.card()["labels"] == ["down", "up"]


@pytest.mark.slow
def test_errors_are_the_rows_that_the_saved_model_gets_wrong_even_under_length_grouping(
    settings: Settings, tmp_path: Path, tiny: Path
) -> None:
    """group_by_length reorders what it samples; predictions must still stand beside their own rows."""
    path = tmp_path / "lengths.csv"
    rows = [f"{'word ' * (1 + 7 * i % 40)}{i},{'ab'[i % 3 == 0]}" for i in range(60)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    training = {"max_steps": 4, "train_sampling_strategy": "group_by_length"}
    run = run_of(settings, path, tiny, training=training)
    trained(run, settings)
    loaded = load_model(ModelRef.parse(f"run:{run.id}"), "AutoModelForSequenceClassification", settings)
    wrong = []
    with (run.folder / "data" / "validation.csv").open() as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            logits = loaded.model(**loaded.tokenizer(row["text"], return_tensors="pt")).logits[0]
            if loaded.model.config.id2label[int(logits.argmax())] != row["label"]:
                wrong.append((str(number), row["text"]))
    with (run.folder / "errors.csv").open() as file:
        said = [(row["row"], row["text"]) for row in csv.DictReader(file)]
    assert sorted(said) == sorted(wrong)
    assert said


Batches = list[tuple[tuple[int, ...], int]]


def batches_of(*plans: PaddingPlan) -> Batches:
    return [(batch.rows, batch.width) for made in plans for batch in made.batches]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """67 rows of 3 to 42 tokens, each different from its first word on; 50 of them are for training."""
    path = tmp_path / "mixed.csv"
    rows = [f"{i}{' word' * (7 * i % 40)},{'ab'[i % 2]},{'train' if i < 50 else 'validation'}" for i in range(67)]
    path.write_text("text,label,split\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reaches the model: (training?, input_ids, attention_mask) of every forward pass, as it is computed."""
    from transformers import BertForSequenceClassification

    found: list[Any] = []
    forward: Callable[..., Any] = BertForSequenceClassification.forward

    @functools.wraps(forward)  # the Trainer reads its signature
    def recording(self: Any, *args: Any, **inputs: Any) -> Any:
        found.append((self.training, inputs["input_ids"].tolist(), inputs["attention_mask"].tolist()))
        return forward(self, *args, **inputs)

    monkeypatch.setattr(BertForSequenceClassification, "forward", recording)
    return found


def actual(run: Run, tiny: Path, seen: list[Any], split: str = "train") -> tuple[list[int], Batches]:
    """The lengths of the rows in a split, and which of them the model was given together, at which width."""
    from transformers import AutoTokenizer

    with (run.folder / "data" / f"{split}.csv").open() as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    limit = run.config.max_length or 128
    encoded = AutoTokenizer.from_pretrained(tiny)(texts, truncation=True, max_length=limit)["input_ids"]
    row_of = {tuple(ids): row for row, ids in enumerate(encoded)}
    assert len(row_of) == len(texts), "every row can be told from its ids"
    batches = []
    of_split = [each for each in seen if each[0] is (split == "train")]
    # Three trial steps come before the first step of training, and an evaluation.
    for _, input_ids, masks in of_split[TRIALS:] if split == "train" else of_split:
        real = [
            tuple(token for token, kept in zip(ids, mask, strict=True) if kept)
            for ids, mask in zip(input_ids, masks, strict=True)
        ]
        batches.append((tuple(row_of[ids] for ids in real), len(input_ids[0])))
    return [len(ids) for ids in encoded], batches


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("padding", trainable_names())
def test_the_model_is_trained_on_exactly_the_batches_that_the_plan_predicts(
    settings: Settings, mixed: Path, tiny: Path, seen: list[Any], padding: str, accumulation: int
) -> None:
    """50 rows in batches of 8: seven batches an epoch, the last one of 2 rows; rows and widths, batch for batch."""
    training = {"num_train_epochs": 3, "gradient_accumulation_steps": accumulation, "seed": 11}
    run = run_of(settings, mixed, tiny, padding=padding, max_length=30, training=training)
    events = trained(run, settings)
    lengths, batches = actual(run, tiny, seen)
    predicted = [plan_batches(lengths, 8, padding, 30, seed=11, epoch=epoch) for epoch in range(3)]
    assert len(batches) == 3 * 7
    assert batches == batches_of(*predicted)

    assert isinstance(events[0], Started)
    cost = predicted[0].cost()
    slots = sum(len(rows) * width for rows, width in batches[:7])
    assert f"{padding}: {1 - sum(lengths) / slots:.0%} of the {cost.slots:,} positions" in events[0].notes[0]
    assert cost.slots == slots


@pytest.mark.slow
@pytest.mark.parametrize(
    ("training", "seed"),
    [({"seed": 5, "data_seed": 9}, 9), ({"seed": 5, "data_seed": 0}, 0), ({"seed": 5, "data_seed": None}, 5)],
)
def test_data_seed_orders_the_rows_where_it_is_given(
    settings: Settings, mixed: Path, tiny: Path, seen: list[Any], training: dict[str, Any], seed: int
) -> None:
    run = run_of(settings, mixed, tiny, padding="grouped", training={**training, "max_steps": 3})
    trained(run, settings)
    lengths, batches = actual(run, tiny, seen)
    assert batches == batches_of(plan_batches(lengths, 8, "grouped", 128, seed=seed))[:3]


@pytest.mark.slow
def test_the_order_that_training_names_wins_and_the_event_log_says_so(
    settings: Settings, mixed: Path, tiny: Path, seen: list[Any]
) -> None:
    training = {"train_sampling_strategy": "sequential", "num_train_epochs": 1}
    run = run_of(settings, mixed, tiny, padding="grouped", training=training)
    events = trained(run, settings)
    lengths, batches = actual(run, tiny, seen)
    assert batches == batches_of(plan_batches(lengths, 8, "longest_in_batch"))
    assert isinstance(events[0], Started)
    assert "train_sampling_strategy, sequential, and that wins" in events[0].notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("padding", trainable_names())
def test_held_out_rows_are_computed_in_their_own_order_even_if_longer_than_any_of_training(
    settings: Settings, tmp_path: Path, tiny: Path, seen: list[Any], padding: str
) -> None:
    path = tmp_path / "longer.csv"
    rows = [
        f"{i}{' word' * (i % 5 if i < 20 else i)},{'ab'[i % 2]},{'validation' if i > 19 else 'train'}"
        for i in range(40)
    ]
    path.write_text("text,label,split\n" + "\n".join(rows) + "\n")
    training = {"max_steps": 1, "per_device_eval_batch_size": 8}
    run = run_of(settings, path, tiny, padding=padding, max_length=64, training=training)
    trained(run, settings)
    lengths, batches = actual(run, tiny, seen, "validation")
    assert [row for rows, _ in batches[:3] for row in rows] == list(range(20))
    assert max(width for _, width in batches) >= max(lengths) == 42
    assert run.report()["shapes"]["validation"] == {"logits": [20, 2], "labels": [20]}


@pytest.mark.slow
def test_a_lora_run_writes_an_adapter_and_a_merged_model_that_agree(
    settings: Settings, colours: Path, tiny: Path
) -> None:
    import torch

    run = run_of(settings, colours, tiny, method="lora", lora={"r": 4}, training={"num_train_epochs": 3})
    events = trained(run, settings)
    assert isinstance(events[0], Started)
    assert 0 < events[0].trainable_parameters < events[0].parameters / 10
    adapter = json.loads((run.folder / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(tiny)
    assert adapter["r"] == 4
    config = json.loads((run.folder / "adapter" / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    kind = "AutoModelForSequenceClassification"
    merged = load_model(ModelRef.parse(f"run:{run.id}"), kind, settings)
    separate = load_model(ModelRef.parse(str(run.folder / "adapter")), kind, settings)
    inputs = merged.tokenizer("the apple is warm today", return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(merged.model(**inputs).logits, separate.model(**inputs).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_frozen_trains_the_head_and_nothing_else(settings: Settings, colours: Path, tiny: Path) -> None:
    run = run_of(settings, colours, tiny, method="frozen", training={"max_steps": 5})
    trained(run, settings)
    kind = "AutoModelForSequenceClassification"
    before = load_model(ModelRef.parse(str(tiny)), kind, settings).model.state_dict()
    after = load_model(ModelRef.parse(f"run:{run.id}"), kind, settings).model.state_dict()
    changed = {name for name in after if before[name].shape != after[name].shape or not before[name].equal(after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


@pytest.mark.slow
def test_of_equally_good_epochs_the_surest_is_kept(settings: Settings, colours: Path, tiny: Path) -> None:
    """F1 stays at 1.0 once the task is learned while the loss goes on falling: the last epoch is the one to keep."""
    run = run_of(settings, colours, tiny, training={"num_train_epochs": 20})
    evaluated = [event for event in trained(run, settings) if isinstance(event, Evaluated)][:-1]
    best = max(event.metrics["f1"] for event in evaluated)
    surest = min((event for event in evaluated if event.metrics["f1"] == best), key=lambda e: e.metrics["loss"])
    assert sum(event.metrics["f1"] == best for event in evaluated) > 1
    report = run.report()
    assert report["best_step"] == surest.step
    assert report["metrics"]["validation"]["loss"] == pytest.approx(surest.metrics["loss"], abs=1e-5)


@pytest.mark.slow
def test_without_the_best_checkpoint_loaded_report_and_card_name_the_last_step(
    settings: Settings, colours: Path, tiny: Path
) -> None:
    """Far too fast to end at its best; what is scored, saved and named is the model of the last step all the same."""
    training = {"num_train_epochs": 8, "learning_rate": 0.05, "load_best_model_at_end": False}
    run = run_of(settings, colours, tiny, training=training)
    *_, last = evaluated = [event for event in trained(run, settings) if isinstance(event, Evaluated)][:-1]
    assert max(event.metrics["f1"] for event in evaluated) > last.metrics["f1"]
    report = run.report()
    assert (report["best_step"], report["steps"]) == (None, last.step)
    assert report["metrics"]["validation"]["loss"] == pytest.approx(last.metrics["loss"], abs=1e-5)
    card = (run.folder / "model" / "README.md").read_text()
    assert f"kept: the model after step {last.step};" in card


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_and_says_at_which_step(
    settings: Settings, colours: Path, tiny: Path
) -> None:
    diverging = {"learning_rate": 100.0, "weight_decay": 100.0, "max_grad_norm": 0.0, "max_steps": 30}
    run = run_of(settings, colours, tiny, training=diverging)
    with pytest.raises(DemoError, match=r"no longer a number .* at step \d+\. Lower the learning rate"):
        trained(run, settings)


@pytest.mark.parametrize("keep", [True, False])
def test_a_stop_file_ends_the_run_after_the_step_and_keeps_the_model_if_asked(
    settings: Settings, colours: Path, tiny: Path, keep: bool
) -> None:
    run = run_of(settings, colours, tiny, training={"num_train_epochs": 50})
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepLogged) and event.step >= 3:
            (run.folder / "stop").write_text(json.dumps({"keep": keep}))

    train(run.config, run.folder, settings, CPU, emit)
    last = events[-1]
    assert isinstance(last, Stopped)
    assert last.kept is keep
    assert 3 <= last.step <= 6
    assert (run.folder / "model" / "model.safetensors").is_file() is keep


@pytest.mark.slow
def test_rows_longer_than_the_model_can_read_are_cut_to_what_it_can(
    settings: Settings, tmp_path: Path, tiny: Path
) -> None:
    """The tokenizer allows 512 tokens, this model has 128 positions: without a limit it would fail inside."""
    path = tmp_path / "long.csv"
    path.write_text("text,label\n" + "".join(f"{'word ' * 300}{i},{'ab'[i % 2]}\n" for i in range(20)))
    events = trained(run_of(settings, path, tiny, training={"max_steps": 1}), settings)
    assert isinstance(events[-1], Finished)


@pytest.mark.slow
def test_texts_and_labels_that_look_like_numbers_or_missing_values_stay_texts(
    settings: Settings, tmp_path: Path, tiny: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(
        "text,label\n" + "".join(f"{['NA', 'null', '007', '1.50'][i % 4]} {i},{i % 2}\n" for i in range(24))
    )
    run = run_of(settings, path, tiny, training={"max_steps": 2})
    trained(run, settings)
    assert run.report()["labels"] == ["0", "1"]


@pytest.mark.slow
def test_sentence_pairs_are_trained_as_pairs(settings: Settings, tmp_path: Path, tiny: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("sentence1,sentence2,label\n" + "".join(f"a {i},b {i},{i % 2}\n" for i in range(20)))
    run = run_of(settings, path, tiny, training={"max_steps": 2})
    assert run.config.text_pair_column == "sentence2"
    assert isinstance(trained(run, settings)[-1], Finished)


@pytest.mark.slow
def test_the_card_names_the_data_the_scores_and_how_to_repeat_it(settings: Settings, colours: Path, tiny: Path) -> None:
    run = run_of(settings, colours, tiny, training={"max_steps": 3})
    trained(run, settings)
    card = (run.folder / "model" / "README.md").read_text()
    accuracy = run.report()["metrics"]["validation"]["accuracy"]
    line = next(line for line in card.splitlines() if line.startswith("| validation | 9 | this model |"))
    assert f"| {accuracy:.4f} |" in line
    again = RunConfig.from_json(json.loads(card.split("```json\n")[1].split("```")[0]))
    assert again == run.config


@pytest.mark.slow
def test_padding_never_goes_beyond_what_the_model_reads(settings: Settings, tmp_path: Path, tiny: Path) -> None:
    config = json.loads((tiny / "config.json").read_text()) | {"max_position_embeddings": 100}
    (tmp_path / "short.json").write_text(json.dumps(config))
    path = tmp_path / "long.csv"
    rows = [f"{'word ' * 80}{row},{'up' if row % 2 else 'down'}" for row in range(12)]
    path.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run = run_of(settings, path, f"untrained:{tmp_path / 'short.json'}", padding="multiple_of_64")
    with pytest.raises(DemoError, match=r"rows of 128 positions, but .* reads 100 tokens. Set max_length to 64"):
        trained(run, settings)


@pytest.mark.slow
def test_tensorboard_gets_every_loss_and_metric_and_keeps_them(settings: Settings, colours: Path, tiny: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = run_of(settings, colours, tiny, training={"num_train_epochs": 2, "report_to": "tensorboard"})
    events = trained(run, settings)
    written = EventAccumulator(str(run.folder / "tensorboard"))
    written.Reload()
    losses = {event.step: event.loss for event in events if isinstance(event, StepLogged)}
    assert {each.step: each.value for each in written.Scalars("train/loss")} == pytest.approx(losses)
    judged = {event.step: event.metrics["f1"] for event in events if isinstance(event, Evaluated)}
    assert {each.step: each.value for each in written.Scalars("eval/f1")} == pytest.approx(judged)
