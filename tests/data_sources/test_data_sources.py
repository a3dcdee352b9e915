"""A data set by its name: every source gives tables of texts, and what can't be had is said at once."""

import gzip
import io
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hfdemo.data_sources import choose_text_columns, guess_text_columns, read_corpus, read_tables
from hfdemo.data_sources.column_roles import find_longest_column
from hfdemo.errors import DataError
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from tests.models.hub import NOWHERE, Repo, ask, serve

CSV = b'text,label\nNA,007\n"a, b",1.0\n'
# A quote that is closed a hundred rows later, where another one stands.
QUOTED = "text,label\n" + "".join(f"{chr(34) if row in (5, 105) else ''}word {row},1\n" for row in range(200))


def parquet(rows: Mapping[str, list[Any]], labels: list[str]) -> bytes:
    from datasets import ClassLabel, Dataset, Image, List

    buffer = io.BytesIO()
    made = Dataset.from_dict(dict(rows)).cast_column("label", ClassLabel(names=labels))
    if "tags" in rows:
        made = made.cast_column("tags", List(ClassLabel(names=labels))).cast_column("picture", Image())
    made.to_parquet(buffer)
    return buffer.getvalue()


def parquet_of_bytes() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"raw": [b"1", b"2"]}).to_parquet(buffer)
    return buffer.getvalue()


def described(card: dict[str, Any], files: Mapping[str, bytes]) -> Repo:
    """A data set with a card, in its README.md (JSON is YAML, too) as in what the Hub tells."""
    return Repo({"README.md": f"---\n{json.dumps(card)}\n---\n# Words\n".encode(), **files}, card=card)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    rows: dict[str, list[Any]] = {
        "sentence": ["good", None],
        "label": [1, -1],
        "when": [1.5, None],
        "words": [["a"], ["ä", None]],
        "deep": [{"n": 1}, None],
        "tags": [[1, 0], None],
        "picture": [None, None],
    }
    typed = parquet(rows, ["negative", "positive"])
    small = {split: f"small/{split}-*" for split in ("training", "dev", "unsupervised")}
    listed = [{"split": split, "path": path} for split, path in small.items()]
    configs = [{"config_name": "small", "data_files": listed}, {"config_name": "large", "data_files": "large/*.csv"}]
    yes_no = {"class_label": {"names": {"0": "no", "1": "yes"}}}
    features = [{"name": "text", "dtype": "string"}, {"name": "label", "dtype": yes_no}]
    outside = [{"config_name": "default", "data_files": ["../../../../../../../**", "/etc/passwd", "data/*.txt"]}]
    with serve(
        {
            "datasets/owner/configured": described(
                {"configs": configs},
                {f"small/{split}-0.parquet": typed for split in small} | {"large/a.csv": CSV, "large/deep/b.csv": CSV},
            ),
            "datasets/owner/plain": Repo({"train.csv": CSV, "test.csv": b"text;label\nfine;x, y\n", "notes.md": b"#"}),
            "datasets/owner/classes": described(
                {"dataset_info": {"features": features, "splits": []}},
                {"train.csv": b"text,label\na,1\nb,0\n"},
            ),
            "datasets/owner/quoted": described(
                {"dataset_info": {"features": features, "splits": []}},
                {"data/train-0.csv": QUOTED.encode(), "data/train-1.csv": "text,label\ncafé,0\n".encode("cp1252")},
            ),
            "datasets/owner/outside": described({"configs": outside}, {"data/a.txt": b"one\ntwo\n"}),
            "datasets/owner/lines": Repo(
                {"data/train.jsonl.gz": gzip.compress(b'{"text": "hi", "n": 1, "deep": {}}\n')}
            ),
            "datasets/owner/converted": Repo(
                {"big/partial-train/0000.parquet": typed, "tiny/test/0000.parquet": typed}
            ),
            "datasets/owner/odd": Repo({"data/spring-00000-of-00001.csv": CSV, "data/autumn-00000-of-00001.csv": CSV}),
            "datasets/owner/script": Repo({"script.py": b"1", "README.md": b"#"}),
            "datasets/owner/pictures": Repo({"train/a.png": b"1"}),
            "datasets/owner/broken": Repo({"train.parquet": b"no parquet"}),
            "datasets/owner/miswritten": described({"configs": [{"name": "no config_name"}]}, {"train.csv": CSV}),
            "datasets/owner/ignored": Repo({".hidden/train.csv": CSV}),
            "datasets/owner/media": Repo({"train.parquet": parquet_of_bytes()}),
            "datasets/owner/gated": Repo({"train.csv": CSV}, gated=True),
            "datasets/owner/hidden": Repo(status=403, code="GatedRepo"),
            "datasets/owner/down": Repo(status=500),
            "datasets/owner/crowded": Repo(status=429),
        }
    ) as address:
        yield address


ASKED = (
    *("owner/configured|small|dev", "owner/configured|small", "owner/configured|large", "owner/configured"),
    *("owner/configured|huge", "owner/plain", "owner/plain||test", "owner/plain||spring", "owner/plain@v9"),
    *("owner/classes", "owner/quoted", "owner/lines", "owner/outside", "owner/odd", "owner/odd||spring"),
    *("owner/converted@refs/convert/parquet", "owner/converted@refs/convert/parquet|big"),
    *(f"owner/{name}" for name in ("gated", "hidden", "none", "down", "crowded", "script", "pictures", "broken")),
    *(f"owner/{name}" for name in ("miswritten", "ignored", "media")),
)


@pytest.fixture(scope="module")
def answers(hub: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process, whose cache is empty at first, answers to every reference in ASKED."""
    found = ask(hub, tmp_path_factory.mktemp("hub"), *[("data", reference) for reference in ASKED])
    return {reference: each["answer"] for reference, each in zip(ASKED, found, strict=True)}


AS_IT_STANDS = {"text": ["NA", "a, b"], "label": ["007", "1.0"]}


@pytest.mark.slow
def test_values_of_every_kind_become_texts_and_what_is_left_out_is_said(answers: dict[str, Any]) -> None:
    typed = answers["owner/configured|small"]
    rows = {
        "sentence": ["good", ""],
        "label": ["positive", ""],
        "when": ["1.5", ""],
        "words": ['["a"]', '["ä", null]'],
        "deep": ['{"n": 1}', ""],
        "tags": ['["positive", "negative"]', ""],
    }
    assert typed["tables"] == {"train": rows, "validation": rows}
    assert "unsupervised" in typed["notes"][0]
    assert "media were left out: picture" in typed["notes"][1]
    assert answers["owner/plain"] == {
        "tables": {"train": AS_IT_STANDS, "test": {"text": ["fine"], "label": ["x, y"]}},
        "notes": [],
    }
    assert answers["owner/classes"]["tables"]["train"]["label"] == ["yes", "no"]
    assert answers["owner/lines"]["tables"] == {"train": {"text": ["hi"], "n": ["1"], "deep": ["{}"]}}


@pytest.mark.slow
def test_a_broken_quote_in_a_csv_file_of_the_hub_swallows_no_line_and_each_file_has_its_encoding(
    answers: dict[str, Any],
) -> None:
    train = answers["owner/quoted"]["tables"]["train"]
    assert [text.strip('"') for text in train["text"]] == [*(f"word {row}" for row in range(200)), "café"]
    assert train["label"] == [*["yes"] * 200, "no"]


@pytest.mark.slow
def test_a_config_and_a_split_can_be_asked_for(answers: dict[str, Any]) -> None:
    assert list(answers["owner/configured|small|dev"]["tables"]) == ["validation"]
    assert answers["owner/configured|large"]["tables"] == {"train": AS_IT_STANDS}
    assert list(answers["owner/plain||test"]["tables"]) == ["test"]
    asked = "DataError: owner/configured has several configs: small, large. Choose one of them."
    assert answers["owner/configured"] == asked
    assert "no config 'huge'. It has: small, large" in answers["owner/configured|huge"]
    assert "no split 'spring'. It has: train, test" in answers["owner/plain||spring"]


@pytest.mark.slow
def test_splits_with_names_of_their_own_are_listed(answers: dict[str, Any]) -> None:
    assert answers["owner/odd"].startswith("DataError: owner/odd has the splits ")
    assert {"spring", "autumn"} <= set(answers["owner/odd"].replace(",", "").replace(".", "").split())
    assert list(answers["owner/odd||spring"]["tables"]) == ["spring"]


@pytest.mark.slow
def test_the_hubs_copies_in_parquet_have_configs_without_a_card(answers: dict[str, Any]) -> None:
    assert "several configs: big, tiny" in answers["owner/converted@refs/convert/parquet"]
    assert list(answers["owner/converted@refs/convert/parquet|big"]["tables"]) == ["train"]


@pytest.mark.slow
def test_a_card_that_names_files_outside_its_repository_gets_none_of_them(answers: dict[str, Any]) -> None:
    assert answers["owner/outside"]["tables"] == {"train": {"text": ["one", "two"]}}


@pytest.mark.slow
def test_each_refusal_of_the_hub_says_what_to_do(hub: str, answers: dict[str, Any]) -> None:
    for name in ("gated", "hidden"):
        assert f"Accept them at {hub}/datasets/owner/{name}" in answers[f"owner/{name}"]
    assert "no data set 'owner/none'" in answers["owner/none"]
    assert "does not answer for owner/down now: it has trouble of its own (status 500)" in answers["owner/down"]
    assert "too many questions from here (status 429). Try again in a minute." in answers["owner/crowded"]
    assert "loading script (script.py)" in answers["owner/script"]
    assert "no file that texts are read from" in answers["owner/pictures"]
    assert "The split train of owner/broken can't be read" in answers["owner/broken"]
    assert "The description of owner/miswritten can't be read" in answers["owner/miswritten"]
    assert "The folder of owner/ignored can't be read" in answers["owner/ignored"]
    assert "no rows of texts, numbers or lists" in answers["owner/media"]
    assert "no revision 'v9'" in answers["owner/plain@v9"]


@pytest.mark.slow
def test_a_data_set_works_without_a_network_once_its_files_were_downloaded_and_is_refused_at_once_before(
    hub: str, tmp_path: Path
) -> None:
    never, *_ = ask(NOWHERE, tmp_path, ("data", "owner/never"))
    assert never["answer"].startswith("DataError: 'owner/never' is no example")
    assert "tickets, paraphrases" in never["answer"]
    assert never["seconds"] < 1.5  # the import of huggingface_hub included
    questions = [("data", "owner/configured|small|dev"), ("data", "owner/plain")]
    first = ask(hub, tmp_path, *questions)
    assert {path.name for path in tmp_path.rglob("*-0.parquet")} == {"dev-0.parquet"}
    *again, more = ask(NOWHERE, tmp_path, *questions, ("data", "owner/configured|small"))
    assert [each["answer"] for each in again] == [each["answer"] for each in first]
    assert isinstance(first[0]["answer"], dict)
    with serve({"datasets/owner/plain": Repo(status=429), "datasets/owner/configured": Repo(status=503)}) as busy:
        kept = ask(busy, tmp_path, *questions)
    assert [each["answer"] for each in kept] == [each["answer"] for each in first], "a copy will do where it is busy"
    assert "Only a part of owner/configured" in more["answer"]


@pytest.mark.slow
def test_a_public_server_lends_its_token_to_nobody(hub: str, tmp_path: Path) -> None:
    gated, none = ask(hub, tmp_path, ("data", "owner/gated", True), ("data", "owner/none", True))
    assert "uses nobody's token" in gated["answer"]
    assert "HF_TOKEN" not in none["answer"]


def test_only_so_many_rows_and_bytes_are_read(tmp_path: Path) -> None:
    from hfdemo.data_sources import hub as corpora

    few = Settings(home=tmp_path, public=True, max_rows=2_500, max_data_bytes=30_000)
    many = tmp_path / "many.csv"
    many.write_text("text\n" + "word\n" * 6_000, encoding="utf-8")
    for options in ({"features": None}, {"features": None, "sep": ","}):  # our own reader, and the library's
        sheet = corpora._read_split("train", [many], options, few)
        assert len(sheet.table) == 2_500
        assert sheet.notes == ("Of the split train, the first 2,500 rows were read.",)
    as_told = tmp_path / "as_told.csv"
    as_told.write_text("text;label\nNA;007\n", encoding="utf-8")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(as_told.read_bytes()))
    for path, more in ((as_told, {"sep": ";"}), (tmp_path / "packed.csv.gz", {})):
        told = corpora._read_split("train", [path], {"features": None, **more}, few)
        assert told.table.to_dict("list") == {"text": ["NA"], "label": ["007"]}, "a cell is the text that it is"
    with pytest.raises(DataError, match="Choose a smaller config or one split"):
        corpora._check_files(ModelRef("hub", "owner/many"), {"a.csv": 30_001}, ["a.csv"], few.max_data_bytes)


def said(settings: Settings, path: Path) -> str:
    """The sentence with which reading an upload fails, within two seconds of a core."""
    began = time.thread_time()
    with pytest.raises(DataError) as caught:
        read_tables("", settings, path)
    assert time.thread_time() - began < 2
    assert len(str(caught.value)) < 1_000
    return str(caught.value)


def test_a_table_of_more_columns_than_anybody_reads_is_refused_at_once(settings: Settings, tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    wide.write_text(",".join(f"c{i}" for i in range(200_000)) + "\n" + ",".join(["x"] * 200_000) + "\n")
    assert said(settings, wide).startswith("wide.csv has 200,000 columns, and a table may have 1,000 here.")
    keys = tmp_path / "keys.jsonl"  # each row has a key of its own: 10,000 columns of as many rows
    keys.write_text("\n".join(json.dumps({f"k{row}": "v"}) for row in range(10_000)))
    assert "keys.jsonl has 1,001 columns" in said(settings, keys)
    (tmp_path / "keys.json").write_text("[" + keys.read_text().replace("\n", ",") + "]")
    assert "keys.json has 1,001 columns" in said(settings, tmp_path / "keys.json")


def test_rows_are_bounded_by_a_setting(settings: Settings, tmp_path: Path) -> None:
    many = tmp_path / "many.csv"
    many.write_text("text\n" + "word\n" * 6_000, encoding="utf-8")
    few = Settings(home=tmp_path, max_rows=5_999)
    assert said(few, many) == "The data set has 6,000 rows; at most 5,999 are read here. Keep fewer."
    assert len(read_tables("", settings, many)[""]) == 6_000
    assert Settings(public=True).max_rows < Settings().max_rows


@pytest.mark.parametrize("said_to_be_texts", [False, True])
def test_parquet_that_unpacks_to_gigabytes_is_refused_before_it_does(
    settings: Settings, tmp_path: Path, said_to_be_texts: bool
) -> None:
    """Ten thousand times one megabyte, stored once in each group of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    cell, rows = "x" * 2**20, 10_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([cell]))
    table = pa.table({"text": texts})
    pq.write_table(
        table, tmp_path / "bomb.parquet", compression="zstd", row_group_size=5_000, store_schema=not said_to_be_texts
    )
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    assert "small as a file, but holds more than 1,024 MB of text" in said(settings, tmp_path / "bomb.parquet")
    wide = pa.table({f"c{column}": ["x"] for column in range(5_000)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    assert "wide.parquet has 5,000 columns" in said(settings, tmp_path / "wide.parquet")


def test_json_that_is_deeper_than_python_goes_is_a_sentence(settings: Settings, tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000 + "]" * 100_000)
    assert "deep.json is not JSON" in said(settings, deep)
    lines = tmp_path / "deep.jsonl"
    lines.write_text(('{"a":' * 50_000 + "1" + "}" * 50_000 + "\n") * 3)
    assert "no rows that can be read" in said(settings, lines)


@pytest.mark.parametrize("name", ["a b", "embedded:minilm", "owner/name/more", ""])
def test_what_names_no_data_set_is_told_what_does(settings: Settings, name: str) -> None:
    with pytest.raises(DataError, match=r"names no data set.*tickets, paraphrases.*Hub id"):
        read_tables(name, settings)


def test_a_public_server_reads_no_path(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(CSV)
    with pytest.raises(DataError, match="shared server"):
        read_tables(str(path), Settings(home=tmp_path, public=True))
    assert len(read_tables("any", Settings(home=tmp_path, public=True), path)[""]) == 2


def test_splits_with_different_columns_are_one_table_of_texts(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "train.csv").write_bytes(CSV)
    (tmp_path / "test.csv").write_bytes(b"text,source\nx,y\n")
    whole = read_corpus(str(tmp_path), settings).join_splits()
    assert whole.to_dict("list") == {
        "text": ["NA", "a, b", "x"], "label": ["007", "1.0", ""], "source": ["", "", "y"]
    }  # fmt: skip


def test_one_split_of_files_is_read_by_any_of_its_names(tmp_path: Path, settings: Settings) -> None:
    whole = read_tables("tickets", settings)[""]
    dev = read_tables("tickets", settings, split="dev")
    assert list(dev) == ["validation"]
    assert len(dev["validation"]) == (whole["split"] == "validation").sum()
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).write_bytes(CSV)
    assert list(read_tables(str(tmp_path), settings, split="validation")) == ["validation"]
    with pytest.raises(DataError, match=r"no split 'test'\. It has: train, validation"):
        read_tables(str(tmp_path), settings, split="test")
    with pytest.raises(DataError, match="is not split"):
        read_tables(str(tmp_path / "train.csv"), settings, split="train")
    with pytest.raises(DataError, match="no 'large'"):
        read_corpus("tickets", settings, config="large")


@pytest.mark.parametrize(
    ("columns", "asked", "expected"),
    [
        (["id", "Text", "label"], (None, None), ("Text", None)),
        (["whatever"], (None, None), ("whatever", None)),
        (["label", "sentence2", "sentence1"], (None, None), ("sentence1", "sentence2")),
        (["label", "sentence2", "sentence1"], (None, ""), ("sentence1", None)),
        (["premise", "hypothesis"], (None, None), ("premise", "hypothesis")),
        (["a", "b"], ("b", "a"), ("b", "a")),
        (["a", "text", "text_pair"], ("a", None), ("a", None)),
    ],
)
def test_text_columns_are_those_asked_for_else_those_with_likely_names(
    columns: list[str], asked: tuple[str | None, str | None], expected: tuple[str, str | None]
) -> None:
    assert choose_text_columns(columns, *asked) == expected


@pytest.mark.parametrize(
    ("asked", "said"),
    [(("c", None), "no column 'c'"), (("a", "c"), "no column 'c'"), ((None, None), "Name one"), (("a", "a"), "both")],
)
def test_text_columns_that_cannot_be_get_a_sentence(asked: tuple[str | None, str | None], said: str) -> None:
    with pytest.raises(DataError, match=said):
        choose_text_columns(["a", "b"], *asked)


def test_where_no_name_tells_the_longest_cells_are_the_texts() -> None:
    table = pd.DataFrame({"mood": ["up", "down"], "note": ["the tide is in", "all boats are out"]})
    assert find_longest_column(table, list(table.columns)) == "note"
    assert guess_text_columns(table) == ("note", None)
    assert guess_text_columns(table, "mood") == ("mood", None)
