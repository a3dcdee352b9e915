"""Data sets that name files of the machine, each in another place, and what of those is heard when they are read.

`REPOS` are data sets on a Hub, `UPLOADS` are files that somebody sends: each maps a name to what makes its files, given
the folder of the canaries. `tests.models.canaries` says when a canary fires.
"""

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.models.canaries import SECRET, Watch

Files = Mapping[str, bytes]
# The files of a data set, given the folder of the canaries.
Make = Callable[[str], Files]

ROWS = b"text,label\nfine,0\nbad,1\n"
MEDIA = ("Audio", "Image", "Mesh", "Video", "Pdf", "Nifti", "BioSequence", "BioStructure")
NESTED = ("List", "LargeList", "struct", "objects")
HONEST = "honest"


def _features(media: str, nested: str) -> Any:
    """The features of a column of media beside a text, as they are, in lists or in objects."""
    import datasets

    each = getattr(datasets, media, None) or getattr(datasets.features, media)
    wrapped = {
        "": each,
        "List": lambda: datasets.List(each()),
        "LargeList": lambda: datasets.LargeList(each()),
        "struct": lambda: {"inner": each()},
        "objects": lambda: datasets.List({"inner": each()}),
    }
    return datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.Value("int64"), "m": wrapped[nested]()}
    )


def _wrap(value: Any, nested: str) -> Any:
    return {
        "": value,
        "List": [value],
        "LargeList": [value],
        "struct": {"inner": value},
        "objects": [{"inner": value}],
    }[nested]


def _card(**said: Any) -> bytes:
    return f"---\n{json.dumps(said)}\n---\n".encode()  # JSON is YAML, too


def _files_named(patterns: Callable[[str], Any], **more: Any) -> Make:
    """A data set whose card says that its files are these."""
    return lambda folder: {
        "README.md": _card(configs=[{"config_name": "default", "data_files": patterns(folder), **more}]),
        "train.csv": ROWS,
    }


def _config(**said: Any) -> Make:
    """A data set whose card tells the reader of its files so; CANARIES in it is the folder."""

    def make(folder: str) -> Files:
        written = json.loads(json.dumps(said).replace("CANARIES", folder))
        return {
            "README.md": _card(configs=[{"config_name": "default", "data_files": "train.*", **written}]),
            "train.csv": ROWS,
        }

    return make


def _described(info: Any, name: str = "train.csv", content: bytes = ROWS) -> Make:
    """A data set whose card describes its columns so."""
    return lambda folder: {
        "README.md": _card(dataset_info=json.loads(json.dumps(info).replace("CANARIES", folder))),
        name: content,
    }


def _media_in_lines(media: str, nested: str) -> Make:
    def make(folder: str) -> Files:
        row = {"text": "fine", "label": 0, "m": _wrap(f"{folder}/words.txt", nested)}
        return {
            "README.md": _card(dataset_info={"features": _features(media, nested)._to_yaml_list()}),
            "train.jsonl": f"{json.dumps(row)}\n".encode() * 2,
        }

    return make


def _write_parquet(folder: str, features: Mapping[str, Any], cell: Any) -> bytes:
    """A Parquet file whose own description of its columns, for the library alone, is `features`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"text": ["fine", "bad"], "label": [0, 1], "m": [cell, cell]})
    about = json.dumps({"info": {"features": features}}).replace("CANARIES", folder)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({b"huggingface": about.encode()}), buffer)
    return buffer.getvalue()


def _media_in_parquet(media: str, nested: str) -> Make:
    def make(folder: str) -> Files:
        cell = _wrap({"bytes": None, "path": f"{folder}/words.txt"}, nested)
        return {"train.parquet": _write_parquet(folder, _features(media, nested).to_dict(), cell)}

    return make


_TEXT = {"dtype": "string", "_type": "Value"}
_NUMBER = {"dtype": "int64", "_type": "Value"}
_NAMES_FILE = {"names_file": "CANARIES/words.txt", "_type": "ClassLabel"}


def _names_in_parquet(label: Mapping[str, Any]) -> Make:
    return lambda folder: {"train.parquet": _write_parquet(folder, {"text": _TEXT, "label": label, "m": _NUMBER}, 1)}


def _archive(folder: str) -> bytes:
    """A ZIP file that holds a link to a canary, and names one that lies outside of it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("train.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, f"{folder}/rows.csv")
        archive.writestr(f"../../../../../../..{folder}/rows.csv", ROWS)
    return buffer.getvalue()


def _arrow(folder: str) -> bytes:
    import pyarrow as pa

    about = {"info": {"features": {"text": _TEXT, "m": {"_type": "Image"}}}}
    cell = {"bytes": None, "path": f"{folder}/words.txt"}
    table = pa.table({"text": ["fine"], "m": [cell]}).replace_schema_metadata(
        {b"huggingface": json.dumps(about).encode()}
    )
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


_IN_LISTS = [(media, nested) for media in ("Audio", "Image") for nested in NESTED]
_MEDIA = [*((media, "") for media in MEDIA), *_IN_LISTS]
_CLIMB = "../" * 40

REPOS: Mapping[str, Make] = {
    HONEST: lambda _: {"train.csv": ROWS},
    **{f"lines-{'-'.join(each)}".rstrip("-"): _media_in_lines(*each) for each in _MEDIA},
    **{f"parquet-{'-'.join(each)}".rstrip("-"): _media_in_parquet(*each) for each in _MEDIA},
    "arrow-Image": lambda folder: {"train.arrow": _arrow(folder)},
    "files-absolute": _files_named(lambda folder: f"{folder}/rows.csv"),
    "files-climb": _files_named(lambda folder: f"{_CLIMB}{folder}/rows.csv"),
    "files-climb-inside": _files_named(lambda folder: f"data/../{_CLIMB}{folder}/*.csv"),
    "files-any": _files_named(lambda folder: [f"{folder}/**", "/**", f"{_CLIMB}**"]),
    "files-address": _files_named(lambda _: "http://127.0.0.1:9/rows.csv"),
    "files-file": _files_named(lambda folder: f"file://{folder}/rows.csv"),
    "files-zip": _files_named(lambda folder: f"zip://rows.csv::{folder}/rows.csv"),
    "files-chained": _files_named(lambda folder: f"simplecache::file://{folder}/rows.csv"),
    "files-hub": _files_named(lambda folder: f"hf://datasets/owner/x@{_CLIMB}{folder}/rows.csv"),
    "files-by-split": _files_named(lambda folder: {"train": [f"{folder}/rows.csv"], "test": f"{folder}/words.txt"}),
    "files-listed": _files_named(lambda folder: [{"split": "train", "path": f"{folder}/rows.csv"}]),
    "folder-absolute": lambda folder: {
        "README.md": _card(configs=[{"config_name": "default", "data_dir": folder}]), "rows.csv": ROWS,
    },
    "folder-climb": lambda folder: {
        "README.md": _card(configs=[{"config_name": "default", "data_dir": f"{_CLIMB}{folder}"}]), "rows.csv": ROWS,
    },
    "folder-and-files": _files_named(lambda _: "rows.csv", data_dir="/proc/self/root/.."),
    "option-encoding": _config(encoding="CANARIES/words.txt"),
    "option-names": _config(names="CANARIES/words.txt"),
    "option-columns": _config(columns="CANARIES/words.txt", column_names="CANARIES/words.txt"),
    "option-field": _config(field="CANARIES/words.txt"),
    "option-sep": _config(sep="CANARIES/words.txt", quotechar="CANARIES"),
    "option-filesystem": _config(storage_options={"fo": "CANARIES/rows.csv"}, filesystem="file"),
    "option-builder": _config(builder_name="CANARIES/words", path="CANARIES", script_version="CANARIES"),
    "option-features": _config(features={"label": _NAMES_FILE}, dialect="CANARIES/words.txt"),
    "described-names_file": _described(
        {"features": [
            {"name": "text", "dtype": "string"},
            {"name": "label", "dtype": {"class_label": {"names_file": "CANARIES/words.txt"}}},
        ]}
    ),
    "described-names-as-text": _described(
        {"features": [
            {"name": "text", "dtype": "string"},
            {"name": "label", "dtype": {"class_label": {"names": "CANARIES/words.txt"}}},
        ]}
    ),
    "described-checksums": _described(
        {"download_checksums": {"CANARIES/rows.csv": {"num_bytes": 1}}, "license": "CANARIES/words.txt",
         "builder_name": "CANARIES", "splits": [{"name": "CANARIES/rows.csv", "num_examples": 1}]}
    ),
    "described-yaml": lambda folder: {
        "README.md": f"---\nconfigs: !!python/object/apply:open ['{folder}/words.txt']\n---\n".encode(),
        "train.csv": ROWS,
    },
    "parquet-names_file": _names_in_parquet(_NAMES_FILE),
    "parquet-names_file-in-list": _names_in_parquet({"feature": _NAMES_FILE, "_type": "List"}),
    "parquet-names-as-text": _names_in_parquet({"names": "CANARIES/words.txt", "_type": "ClassLabel"}),
    "script": lambda folder: {"script.py": f"open({folder + '/words.txt'!r})".encode(), "train.csv": ROWS},
    "infos": lambda folder: {
        "dataset_infos.json": json.dumps(
            {"default": {"features": {"label": {"names_file": f"{folder}/words.txt", "_type": "ClassLabel"}},
                         "download_checksums": {f"{folder}/rows.csv": {}}}}
        ).encode(),
        "train.csv": ROWS,
    },
    "metadata": lambda folder: {
        "train/metadata.csv": f"file_name,text\n{_CLIMB}{folder}/words.txt,a\n{folder}/words.txt,b\n".encode(),
        "train/metadata.jsonl": json.dumps({"file_name": f"{folder}/words.txt", "text": "a"}).encode(),
    },
    "name-chained": lambda folder: {f"train::file:{folder}/rows.csv": ROWS, "train.csv": ROWS},
    "name-pattern": lambda _: {"data/train-[0-9]*-{a,b}-?.csv": ROWS},
    "name-address": lambda _: {"train/file:/x::zip:/rows.csv": ROWS},
    "content-zip": lambda folder: {"train.csv": _archive(folder)},
    "content-zip-compressed": lambda folder: {"train.csv.gz": _archive(folder), "test.jsonl.zst": _archive(folder)},
}  # fmt: skip

# Of those that name files elsewhere, one that names few: for "files-any" the library lists the whole disk.
BY_LIBRARY = (HONEST, "lines-Image", "lines-Image-List", "folder-absolute")

UPLOADS: Mapping[str, Make] = {
    **{name: make for name, make in REPOS.items() if name.startswith("parquet-")},
    "rows": lambda folder: {"a.csv": f"text,label\n{folder}/words.txt,0\nfile://{folder}/words.txt,1\n".encode()},
    "objects": lambda folder: {
        "a.jsonl": json.dumps({"text": {"path": f"{folder}/words.txt", "bytes": None}, "label": 1}).encode()
    },
    "described": lambda folder: {
        "a.json": json.dumps({"data": [{"text": "a", "label": 0}], "names_file": f"{folder}/words.txt"}).encode()
    },
    "zip": lambda folder: {"a.csv": _archive(folder)},
    "arrow": lambda folder: {"a.arrow": _arrow(folder)},
    "latex": lambda folder: {
        "a.txt": f"\\input{{{folder}/words.txt}}\n<!ENTITY x SYSTEM '{folder}/words.txt'>".encode()
    },
}


def ways(source: tuple[str, Path | None], settings: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The ways by which a visitor has a data set read: what it looks like, its rows, its texts, and their lengths."""
    from hfdemo.data_sources import DatasetSource, outline_dataset, read_corpus, read_text_rows
    from hfdemo.finetuning.config import RunConfig
    from hfdemo.finetuning.dataset import inspect, read_data

    name, file = source

    def examine() -> Any:
        config = RunConfig(name or "upload")
        corpus = read_data(config, settings, file)
        return inspect(corpus.tables, None, config, corpus.refused).to_json()

    yield (
        "read",
        lambda: {key: table.to_dict("list") for key, table in read_corpus(name, settings, file).tables.items()},
    )
    yield "outline", lambda: outline_dataset(DatasetSource(name, file), settings)
    yield "texts", lambda: read_text_rows(DatasetSource(name, file), settings)
    yield "examine", examine


def hear(source: tuple[str, Path | None], settings: Any, watch: Watch) -> tuple[list[str], list[str]]:
    """Return what of the canaries is heard in any way, and which ways led to an answer."""
    fired, answered = [], []
    for name, read in ways(source, settings):
        watch.opened()
        said: Any = ""
        try:
            said = read()
            answered.append(name)
        except BaseException as error:  # whatever the library raises may hold the secret
            said = [repr(error), repr(error.__cause__), repr(error.__context__)]
        fired += [f"{name}: opened {each}" for each in watch.opened()[:1]]
        if SECRET in repr(said):
            fired.append(f"{name}: told")
    return fired, answered


def hear_library(name: str, watch: Watch, canaries: Path) -> tuple[list[str], list[str]]:
    """Return what is heard when the library reads the same data set by itself, decoding all that it can."""
    from datasets import load_dataset

    fired: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for path, content in REPOS[name](str(canaries)).items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        watch.opened()
        try:
            said: Any = [list(rows) for rows in load_dataset(folder).values()]
        except BaseException as error:  # most are broken: what was opened before is what counts
            said = error
        fired += [f"library: opened {each}" for each in watch.opened()[:1]]
        if SECRET in repr(said):
            fired.append("library: told")
    return fired, []


def main() -> None:
    """Print, as JSON, what fires and which ways lead to an answer, by data set.

    The argument is JSON, too: the home, the folder of the canaries, and whether the library is to read by itself.
    """
    import logging

    from hfdemo.models import hub
    from hfdemo.settings import Settings

    home, canaries, by_library = json.loads(sys.argv[1])
    logging.disable()
    hub.HUB_SECONDS = 60.0  # as for the models' canaries
    settings, watch = Settings(home=Path(home), public=True), Watch(Path(canaries))
    if by_library:
        print(json.dumps({name: hear_library(name, watch, Path(canaries)) for name in BY_LIBRARY}))
        return
    found = {name: hear((f"owner/{name}", None), settings, watch) for name in REPOS}
    for name, make in UPLOADS.items():
        ((file, content),) = make(canaries).items()
        path = Path(home) / f"{name}{Path(file).suffix}"
        path.write_bytes(content)
        found[f"upload {name}"] = hear(("", path), settings, watch)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
