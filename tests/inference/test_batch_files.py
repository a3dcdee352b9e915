"""A file at once: its order kept, its bad rows kept and named, its answers those of one call each."""

import csv
import gzip
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import DataError, DemoError
from hfdemo.inference import can_predict_file, predict, predict_file
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tables import ReadOptions
from hfdemo.tasks import TASKS

parse = ModelRef.parse
CLASSIFY = TASKS["text-classification"]
Zoo = Callable[[str], Path]


def write(folder: Path, rows: list[dict[str, str]], name: str = "in.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_row_gets_the_answer_of_a_call_of_its_own(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    """45 rows of every length, which batches sort by; the file keeps their order."""
    texts = [f"{'word ' * (number * 7 % 45 + 1)}number {number}" for number in range(45)]
    path = write(tmp_path, [{"id": str(number), "text": text} for number, text in enumerate(texts)])
    heard: list[tuple[int, int]] = []
    found = predict_file(
        models,
        CLASSIFY,
        parse(str(tiny)),
        path,
        tmp_path / "out",
        on_rows=lambda done, rows: heard.append((done, rows)),
    )
    rows = read(found.path)
    assert [row["text"] for row in rows] == texts
    assert [row["id"] for row in rows] == [str(number) for number in range(45)]
    assert (found.rows, found.predicted, found.refused, found.stopped) == (45, 45, (), False)
    for row in rows[::9]:
        best = predict(models, CLASSIFY, parse(str(tiny)), {"text": row["text"]}).output[0]
        assert row["label"] == best["label"]
        assert float(row["score"]) == pytest.approx(best["score"], abs=1e-4)
    assert heard[-1] == (45, 45)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)


def test_a_bad_row_stays_where_it_is_with_its_reason(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    texts = ["fine", "   ", "x" * 60_000, "fine, too", ""]
    path = write(tmp_path, [{"text": text, "n": "1"} for text in texts])
    found = predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out")
    rows = read(found.path)
    assert [row["text"] for row in rows] == texts
    assert [bool(row["label"]) for row in rows] == [True, False, False, True, False]
    assert [number for number, _ in found.refused] == [2, 3, 5]
    assert "only white space" in rows[1]["error"]
    assert "60,000 characters" in rows[2]["error"]
    assert "Text is empty" in rows[4]["error"]


def test_pairs_and_parameters_hold_for_every_row(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"a": "one", "b": "two"}, {"a": "three", "b": "four"}])
    found = predict_file(
        models,
        CLASSIFY,
        parse(str(tiny)),
        path,
        tmp_path / "out",
        text_column="a",
        text_pair_column="b",
        values={"function_to_apply": "none"},
    )
    for row in read(found.path):
        values = {"text": row["a"], "text_pair": row["b"], "function_to_apply": "none"}
        best = predict(models, CLASSIFY, parse(str(tiny)), values).output[0]
        assert float(row["score"]) == pytest.approx(best["score"], abs=1e-4)


def test_a_column_that_is_there_already_is_not_written_over(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "one", "label": "mine", "score": "9"}])
    row = read(predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out").path)[0]
    assert (row["label"], row["score"]) == ("mine", "9")
    assert row["label_predicted"] in ("red", "green", "blue")


def test_a_stop_keeps_what_there_is_and_says_which_rows_are_missing(
    models: ModelCache, tiny: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    path = write(tmp_path, [{"text": f"text {number}", "n": "1"} for number in range(100)])
    found = predict_file(
        models,
        CLASSIFY,
        parse(str(tiny)),
        path,
        tmp_path / "out",
        on_rows=lambda done, rows: stop.set(),
        stop=stop,
    )
    rows = read(found.path)
    assert found.stopped
    assert found.predicted == sum(bool(row["label"]) for row in rows) == 16
    assert {row["error"] for row in rows if not row["label"]} == {"stopped before this row"}


@pytest.mark.parametrize(
    ("task", "values", "columns"),
    [
        ("zero-shot-classification", {"candidate_labels": ["sport", "politics"]}, {"label", "score"}),
        ("summarization", {"max_new_tokens": 4}, {"text_out"}),
        ("token-classification", {}, {"output"}),
    ],
)
def test_other_tasks_that_take_a_text_take_a_file_too(
    models: ModelCache, zoo: Zoo, tmp_path: Path, task: str, values: dict[str, Any], columns: set[str]
) -> None:
    path = write(tmp_path, [{"text": "Ada Lovelace met Charles Babbage.", "n": "1"}])
    found = predict_file(models, TASKS[task], parse(str(zoo(task))), path, tmp_path / "out", values=values)
    assert set(read(found.path)[0]) == {"text", "n"} | columns
    assert read(found.path)[0][next(iter(columns))]


def test_what_can_not_be_done_is_said(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"a": "one", "b": "two"}])
    with pytest.raises(DataError, match="Which column holds the texts"):
        predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out")
    with pytest.raises(DataError, match="no column 'c'"):
        predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out", text_column="a", text_pair_column="c")
    with pytest.raises(DemoError, match="can't be run on a CSV"):
        predict_file(models, TASKS["question-answering"], parse(str(tiny)), path, tmp_path / "out")
    assert not can_predict_file(TASKS["image-text-to-text"])


def test_a_row_on_which_the_model_fails_is_refused_and_the_others_are_answered(
    models: ModelCache, zoo: Zoo, tmp_path: Path
) -> None:
    """A row that passes every check and is refused inside the pipeline: a text without a mask."""
    rows = [{"text": "A [MASK] stands here.", "n": "1"}, {"text": "None here.", "n": "2"}, {"text": "<mask>", "n": "3"}]
    found = predict_file(
        models, TASKS["fill-mask"], parse(str(zoo("fill-mask"))), write(tmp_path, rows), tmp_path / "out"
    )
    errors = [row["error"] for row in read(found.path)]
    assert (errors[0], errors[2]) == ("", "")
    assert "mask" in errors[1]
    assert found.refused[0][0] == 2


def test_a_batch_that_fails_is_tried_row_by_row(models: ModelCache, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    """Without a padding token no batch can be made, and every row can be answered all the same."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    folder = tmp_path / "padless"
    config = LlamaConfig(
        vocab_size=1000, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_labels=2
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(zoo("text-generation"))
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    path = write(tmp_path, [{"text": text, "n": "1"} for text in ("one", "one two three", "one two")])
    found = predict_file(models, CLASSIFY, parse(str(folder)), path, tmp_path / "out")
    assert (found.predicted, found.refused) == (3, ())


def test_settings_that_no_row_could_use_are_refused_at_once(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "one", "b": "two"}])
    with pytest.raises(DemoError, match="top_k"):
        predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out", values={"top_k": "many"})
    with pytest.raises(DemoError, match="has no text_pair"):
        predict_file(models, TASKS["fill-mask"], parse(str(tiny)), path, tmp_path / "out", text_pair_column="b")
    with pytest.raises(DemoError, match="can't be run on a CSV"):
        predict_file(
            models,
            TASKS["any-to-any"],
            parse(str(tiny)),
            path,
            tmp_path / "out",
            values={"audio": "/etc/passwd"},
        )


def test_columns_of_an_earlier_prediction_are_kept(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "one", "label": "a", "label_predicted": "b"}])
    row = read(predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out").path)[0]
    assert (row["label"], row["label_predicted"]) == ("a", "b")
    assert row["label_predicted_2"] in ("red", "green", "blue")


def test_line_breaks_of_every_kind_in_cells_make_no_rows(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    texts = ["a\rb", "\r", "a\r\nb", "a\nb\r", 'a "quoted"\r', "a, b", "plain"]
    path = write(tmp_path, [{"id": str(number), "text": text} for number, text in enumerate(texts)])
    found = predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out")
    assert [row["text"] for row in read(found.path)] == texts
    assert [row["id"] for row in read(found.path)] == [str(number) for number in range(len(texts))]


def test_a_file_of_any_encoding_and_a_row_that_a_broken_quote_costs(
    models: ModelCache, tiny: Path, tmp_path: Path
) -> None:
    texts = [f"этот фильм очень понравился мне {number}" for number in range(8)]
    lines = ["text,id", *(f'"{text}",{number}' for number, text in enumerate(texts))]
    lines[4] = '"сломанная кавычка,3'
    path = tmp_path / "in.csv"
    path.write_bytes("\n".join(lines).encode("cp1251"))
    found = predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out")
    rows = read(found.path)
    assert [row["text"] for row in rows] == [*texts[:3], "", *texts[4:]]
    assert (found.rows, found.predicted, [row for row, _ in found.refused]) == (8, 7, [4])
    assert rows[3]["error"].startswith("line 5: a quote is opened")
    asked = predict_file(
        models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out", options=ReadOptions("koi8-r", header=False),
        text_column="column 1",
    )  # fmt: skip
    assert (asked.rows, read(asked.path)[0]["column 1"]) == (9, "text")


def test_a_file_need_not_be_a_csv(models: ModelCache, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "good"}\n{"text": "bad"}\n'))
    assert predict_file(models, CLASSIFY, parse(str(tiny)), path, tmp_path / "out").predicted == 2
