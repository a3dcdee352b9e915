"""What of the rows is neither learned nor judged is said, and changes nothing for the others."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.data_sources import Corpus
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.events import Evaluated, Event, Finished, Started, StepLogged
from hfdemo.finetuning.preprocessing import count_tokens, inspect_as_read
from hfdemo.settings import Settings
from hfdemo.tokenization.chat_templates import PLAIN_TEMPLATE
from hfdemo.tokenization.padding import plan_batches
from tests.finetuning.tiny_runs import Zoo, run_folder, table, trained
from tests.zoo import copy_without_template


def chat(answer: str, asked: str = "hi") -> str:
    return json.dumps([{"role": "user", "content": asked}, {"role": "assistant", "content": answer}])


#: no answer of these stands within 32 tokens
LONG = [chat(f"never seen {number}", "word " * 60) for number in range(3)]
SHORT = [chat(f"yes {'indeed ' * number}", f"hi {number}") for number in range(9)]


def write(folder: Path, **splits: Sequence[str]) -> None:
    for split, texts in splits.items():
        with (folder / "data" / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts)])


def notes(events: Sequence[Event]) -> tuple[str, ...]:
    (started,) = [event for event in events if isinstance(event, Started)]
    return started.notes


@pytest.mark.slow
def test_words_that_are_cut_off_are_counted_for_every_split(settings: Settings, tiny: Path) -> None:
    folder = run_folder(settings, "tokens", tiny, max_length=8, training={"num_train_epochs": 1})
    said = notes(trained(folder, settings))
    for split, start, rows in (("train", 0, 37), ("validation", 40, 11), ("test", 60, 9)):
        words = [len(json.loads(cell)) for cell in table("tokens", rows, start)["label"]]
        within = sum(min(each, 6) for each in words)  # 8 tokens less [CLS] and [SEP]; each word here is one token
        done = "learned" if split == "train" else "evaluated"
        beginning = f"{split}: {within} of {sum(words)} words are {done}. The others stand beyond the 8 tokens"
        assert [note for note in said if note.startswith(beginning)], said
    matrix = json.loads((folder / "report.json").read_text())["confusion_matrix"]["validation"]
    assert f"validation: {sum(map(sum, matrix))} of" in " ".join(said)


@pytest.mark.slow
def test_nothing_is_said_where_every_word_counts(settings: Settings, tiny: Path) -> None:
    folder = run_folder(settings, "tokens", tiny, training={"max_steps": 1})
    assert not [note for note in notes(trained(folder, settings)) if "words" in note]


@pytest.fixture
def chats(settings: Settings, zoo: Zoo) -> Path:
    training = {"num_train_epochs": 1, "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1}
    folder = run_folder(settings, "language", zoo("text-generation"), max_length=32, training=training)
    train_rows = [SHORT[0], LONG[0], *SHORT[1:5], LONG[1], *SHORT[5:]]
    write(folder, train=train_rows, validation=[LONG[2], *SHORT[:4]], test=SHORT[4:7])
    return folder


@pytest.mark.slow
def test_rows_cut_before_their_answer_are_not_trained_on_and_their_numbers_are_said(
    settings: Settings, chats: Path
) -> None:
    events = trained(chats, settings)
    assert isinstance(events[-1], Finished)
    said = " ".join(notes(events))
    assert "train: 2 rows have nothing to learn in the 32 tokens" in said
    assert "not trained on (rows 2 and 7)" in said
    assert "validation: 1 row has nothing to evaluate" in said
    assert "without a score (row 1)" in said
    losses = [event.loss for event in events if isinstance(event, StepLogged)]
    assert len(losses) == len(SHORT), "one step for each row that is left"
    assert all(loss > 0 and math.isfinite(loss) for loss in losses)
    scores = [value for event in events if isinstance(event, Evaluated) for value in event.metrics.values()]
    assert all(map(math.isfinite, scores))


@pytest.mark.slow
def test_held_out_rows_without_an_answer_keep_their_place(settings: Settings, chats: Path) -> None:
    trained(chats, settings)
    report = json.loads((chats / "report.json").read_text())
    assert report["rows"] == {"train": len(SHORT), "validation": 5, "test": 3}
    assert report["shapes"]["validation"]["logits"] == [5, 2]
    for row in pd.read_csv(chats / "errors.csv", dtype=str).to_dict("records"):
        assert row["text"] == [LONG[2], *SHORT[:4]][int(row["row"]) - 1]
        assert row["row"] != "1"


@pytest.mark.slow
def test_the_padding_plan_is_of_the_rows_that_are_trained(settings: Settings, chats: Path, zoo: Zoo) -> None:
    from transformers import AutoTokenizer

    from hfdemo.finetuning.kinds.next_token import encode_next_tokens

    tokenizer = AutoTokenizer.from_pretrained(zoo("text-generation"))
    values = json.loads((chats / "config.json").read_text())
    values["training"] |= {"per_device_train_batch_size": 4}
    (chats / "config.json").write_text(json.dumps(values))
    lengths = [len(ids) for ids in encode_next_tokens({"text": SHORT}, tokenizer, 32, ())["input_ids"]]
    cost = plan_batches(lengths, 4, "longest_in_batch", 32, values["training"]["seed"], 0).cost()
    assert any(
        f"of the {cost.slots:,} positions of the first epoch" in note for note in notes(trained(chats, settings))
    )


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_in_which_nothing_is_left_is_refused_with_what_to_do(
    settings: Settings, chats: Path, split: str
) -> None:
    write(chats, **{split: LONG})
    with pytest.raises(DemoError, match=rf"3 rows of {split} none has anything to .* 32 tokens .* Raise max_length"):
        trained(chats, settings)


@pytest.mark.slow
@pytest.mark.parametrize("weight", ["balanced", None])
def test_a_sentence_of_words_without_tokens_is_left_out(settings: Settings, tiny: Path, weight: Any) -> None:
    folder = run_folder(settings, "tokens", tiny, class_weights=weight, training={"num_train_epochs": 1})
    rows = pd.read_csv(folder / "data" / "train.csv", dtype=str)
    rows.loc[2] = {"text": json.dumps(["\u200b"]), "label": json.dumps(["O"])}
    rows.to_csv(folder / "data" / "train.csv", index=False)
    said = " ".join(notes(trained(folder, settings)))
    assert "train: 1 row has nothing to learn" in said
    assert "(row 3)" in said


@pytest.mark.slow
def test_rows_of_messages_that_are_learned_whole_are_counted(settings: Settings, chats: Path) -> None:
    asked = json.dumps([{"role": "user", "content": "is there nobody"}])
    write(chats, train=[*SHORT, asked, "a plain text"])
    said = [note for note in notes(trained(chats, settings)) if "whole" in note]
    assert len(said) == 1
    assert said[0].startswith("train: 1 row of messages is learned whole")
    assert said[0].endswith("(row 10).")


@pytest.mark.parametrize("template", ["own", "plain"])
def test_counting_shows_a_row_as_the_model_reads_it(
    settings: Settings, zoo: Zoo, tmp_path: Path, template: str
) -> None:
    model = zoo("text-generation")
    if template == "plain":
        model = copy_without_template(model, tmp_path / "without")
    config = RunConfig("x", task="text-generation", splits={"train": "train", "validation": "validation"})
    tables = {split: pd.DataFrame({"messages": SHORT}) for split in ("train", "validation")}
    counts = count_tokens(Corpus(tables), config, str(model), settings)
    row = counts.sample
    assert row is not None
    assert (len(row.tokens), row.more) == (counts.lengths[0], 0)
    learned = "".join(token for token, own in zip(row.tokens, row.learned, strict=True) if own)
    asked, said = ("<|im_start|>user\nhi 0<|im_end|>\n", "yes <|im_end|>\n")
    if template == "plain":
        asked, said = "User: hi 0\n", " yes <|im_end|>\n"
    assert "".join(row.tokens).startswith(asked)
    assert learned == said
    assert (row.chat_template == PLAIN_TEMPLATE, row.is_plain) == (template == "plain", template == "plain")


@pytest.mark.slow
def test_only_the_first_numbers_of_many_rows_are_said(settings: Settings, chats: Path) -> None:
    write(chats, train=[*LONG, *LONG, *LONG, *SHORT])
    assert any("(rows 1, 2, 3, 4, 5 and 4 more)" in note for note in notes(trained(chats, settings)))


def test_texts_of_which_the_tokenizer_knows_nothing_are_said_with_the_first(settings: Settings, tiny: Path) -> None:
    known = [(f"the ferry {number}", "ab"[number % 2]) for number in range(20)]
    unknown = [("𓀀𓀁 𓀂", "a"), ("𓃰", "b"), ("ferry 𓃰", "b")]  # the last has a word
    corpus = Corpus({"": pd.DataFrame([*known, *unknown], columns=["text", "label"])})
    config = RunConfig("x")
    counts = count_tokens(corpus, config, str(tiny), settings)
    assert (counts.unknown, counts.unknown_text) == (2, "𓀀𓀁 𓀂")
    (problem,) = [each for each in inspect_as_read(corpus, config, counts).problems if each.code == "unknown_tokens"]
    assert problem.problem.startswith("2 rows are nothing but unknown tokens")
    assert problem.column == "text"
    few = Corpus({"": pd.DataFrame(known, columns=["text", "label"])})
    known_counts = count_tokens(few, config, str(tiny), settings)
    assert "unknown_tokens" not in {each.code for each in inspect_as_read(few, config, known_counts).problems}
