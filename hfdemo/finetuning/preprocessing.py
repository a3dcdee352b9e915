"""The rows of a run's data as model inputs, what of them is not learned or evaluated, and how many tokens they have."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from hfdemo.data_sources import Corpus
from hfdemo.errors import DemoError, Stopped
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset import Inspection, inspect, prepare, read_data
from hfdemo.finetuning.dataset.findings import Finding
from hfdemo.finetuning.kinds import Kind, find_kind
from hfdemo.models.folders import local_folder
from hfdemo.models.loading import LoadedModel
from hfdemo.models.model_facts import load_config, readable_length
from hfdemo.models.processors import load_tokenizer
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings
from hfdemo.tables import format_row_numbers
from hfdemo.tokenization.chat_templates import PLAIN_NAME, PLAIN_TEMPLATE

MOST_COUNTED = 20_000  # rows whose tokens are counted, of larger data sets evenly spread ones
_CHUNK = 1_000
_MOST_SHOWN = 600  # tokens of the row that is shown as the model reads it
_UNCUT = 1_000_000
_QUOTED = 80  # characters of a text that is told


if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def encode_splits(
    config: RunConfig,
    kind: Kind,
    loaded: LoadedModel,
    max_length: int | None,
    folder: Path,
    check_stop: Callable[[], None] = lambda: None,
) -> tuple[DatasetDict, list[str]]:
    """Encode data/*.csv as Arrow data sets of model inputs, unpadded, and notes on what is left out of them.

    Training rows in which nothing is learned are left out. Held-out rows are all there, in the order of their file.
    `check_stop` is called before each batch of rows, and may raise.

    Raises:
        DemoError: a split has no row in which anything is learned or evaluated, or the tokenizer can't do this task.
    """
    from datasets import DatasetDict, disable_progress_bars

    if kind.needs_word_ids and not loaded.tokenizer.is_fast:
        raise DemoError(
            f"{config.model} has a tokenizer written in Python, which can't tell which token is which word."
        )
    disable_progress_bars()
    rows = _load_rows(folder)
    cells = [cell for table in rows.values() for cell in table["text"]]
    notes = _note_template(find_chat_template(kind, cells, loaded.tokenizer))

    def encode_batch(batch: Any) -> dict[str, Any]:
        check_stop()
        return kind.encode(batch, tokenizer=loaded.tokenizer, max_length=max_length, labels=config.labels or ())

    # The folder of the cache is the run's own, so a name will do for what is computed.
    encoded = DatasetDict(
        {
            split: table.map(
                encode_batch, batched=True, remove_columns=table.column_names, new_fingerprint=f"encoded-{split}"
            )
            for split, table in keep_labelled(rows).items()
        }
    )
    if not kind.sequence_labels:
        return encoded, []
    for split in encoded:
        labels = encoded[split]["labels"]
        said = kind.find_notes(split, rows[split], labels, loaded.tokenizer, max_length) if kind.find_notes else []
        notes += said
        kept = find_rows_with_targets(labels, kind.count)
        if not kept:
            raise DemoError(" ".join((describe_nothing_left(split, len(labels), max_length), *said)))
        if len(kept) < len(labels):
            notes.append(describe_left_out(split, sorted(set(range(len(labels))) - set(kept)), max_length))
        if split == "train":
            encoded[split] = encoded[split].select(kept)
    return encoded, notes


def _load_rows(folder: Path) -> DatasetDict:
    """Load data/*.csv of a run as Arrow data sets of texts, kept in the run's own folder."""
    import pandas as pd
    from datasets import Features, Value, load_dataset

    files = {split.stem: str(split) for split in sorted((folder / "data").glob("*.csv"))}
    # Said outright, or "007" would become 7 and a label "1" a number.
    features = Features({column: Value("string") for column in pd.read_csv(files["train"], nrows=0).columns})
    return load_dataset(
        "csv", data_files=files, features=features, cache_dir=str(folder / "arrow"), keep_default_na=False
    )


def find_chat_template(kind: Kind, cells: Sequence[str], tokenizer: Any) -> str | None:
    """Return the chat template by which the messages in `cells` are written; None where there are none.

    A tokenizer that has none is given a plain one.
    """
    return None if kind.choose_chat_template is None else kind.choose_chat_template(cells, tokenizer, PLAIN_TEMPLATE)


def _note_template(template: str | None) -> list[str]:
    """Say that messages are written by the plain template, where they are."""
    if template != PLAIN_TEMPLATE:
        return []
    return [
        f"The tokenizer has no chat template of its own: the {PLAIN_NAME} one of hfdemo is used, and saved with the "
        f"model. It is {json.dumps(PLAIN_TEMPLATE)}"
    ]


def keep_labelled(splits: Any) -> Any:
    """Return a DatasetDict without the rows that have no label, and without splits that have no others."""
    kept = {}
    for name, rows in splits.items():
        if "label" in rows.column_names and "" in rows.unique("label"):
            rows = rows.select([place for place, label in enumerate(rows["label"]) if label])
        if len(rows):
            kept[name] = rows
    return type(splits)(kept)


def encode_unlabelled(
    config: RunConfig, kind: Kind, loaded: LoadedModel, max_length: int | None, rows: Sequence[Mapping[str, str]]
) -> Dataset:
    """Encode rows without a label: their model inputs alone, unpadded."""
    from datasets import Dataset

    batch = {name: [row[name] for row in rows] for name in rows[0] if name != "label"}
    encoded = kind.encode(batch, tokenizer=loaded.tokenizer, max_length=max_length, labels=config.labels or ())
    return Dataset.from_dict(dict(encoded))


def find_rows_with_targets(labels: Sequence[Sequence[int]], count: Any) -> list[int]:
    """Return the rows in which anything is learned or evaluated: where `count` finds something in their labels."""
    import torch

    return [row for row, own in enumerate(labels) if int(count(torch.tensor([own])))]


def describe_left_out(split: str, rows: Sequence[int], cut: int | None) -> str:
    """Say that nothing is learned or evaluated in `rows` of a split."""
    many, train = len(rows) > 1, split == "train"
    return (
        f"{split}: {len(rows):,} row{'s have' if many else ' has'} nothing to {'learn' if train else 'evaluate'}"
        f"{_within_limit(cut)}, so {'they are' if many else 'it is'} "
        f"{'not trained on' if train else 'without a score'} "
        f"({format_row_numbers([row + 1 for row in rows])})."
    )


def describe_nothing_left(split: str, rows: int, cut: int | None) -> str:
    """Say that nothing is learned or evaluated in a whole split, and what to do."""
    what = "learn" if split == "train" else "evaluate"
    advice = "Give longer texts." if cut is None else "Raise max_length, or pick a model that reads longer texts."
    return f"Of the {rows:,} rows of {split} none has anything to {what}{_within_limit(cut)}. {advice}"


def _within_limit(cut: int | None) -> str:
    return "" if cut is None else f" in the {cut} tokens that max_length or the model leaves it"


@dataclass(frozen=True)
class RowAsRead:
    """The first training row as the model reads it: its `tokens` as they are written, uncut, and which are `learned`.

    `learned` is empty where an answer to the whole row is learned. `more` tokens are not listed. `chat_template` is
    what messages were written by, `is_plain` where the tokenizer had none of its own; "" of other rows.
    """

    tokens: tuple[str, ...]
    learned: tuple[bool, ...]
    more: int = 0
    chat_template: str = ""
    is_plain: bool = False


@dataclass(frozen=True)
class Lengths:
    """Tokens per row, uncut; `limit` is the most that the model reads, `rows` how many rows the data has in all.

    `sample` shows one of them. `unknown` are the counted rows of which the tokenizer knows no word, `unknown_text` the
    beginning of the first.
    """

    lengths: tuple[int, ...]
    limit: int | None
    rows: int
    sample: RowAsRead | None = None
    unknown: int = 0
    unknown_text: str = ""


def count_tokens(
    corpus: Corpus,
    config: RunConfig,
    model: str,
    settings: Settings,
    stop: Event | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Lengths:
    """Count the tokens of the rows as a training of `model` by `config` would read them, but uncut, and show one row.

    `on_progress` is called with how many rows are done, of how many.

    Raises:
        DemoError: the data can't be trained on as it is, or the model can't be found.
        Stopped: `stop` was set.
    """
    ready = prepare(config, corpus.tables, corpus.refused)
    kind = find_kind(config.task, ready.problem_type)
    ref = ModelRef.parse(model)
    # A copy of its own: nobody who types has to wait until a whole data set is counted.
    tokenizer = load_tokenizer(ref, settings)
    limit = readable_length(load_config(local_folder(ref, settings, weights=False), settings), tokenizer)
    rows = [row for part in ready.splits.values() for row in part.to_dict("records")]
    template = find_chat_template(kind, [row["text"] for row in rows], tokenizer)
    counted = rows if len(rows) <= MOST_COUNTED else [rows[i * len(rows) // MOST_COUNTED] for i in range(MOST_COUNTED)]
    lengths: list[int] = []
    unknown: list[str] = []
    for start in range(0, len(counted), _CHUNK):
        if stop is not None and stop.is_set():
            raise Stopped
        chunk = counted[start : start + _CHUNK]
        # Some rows of test have no label; tags are needed, for they say which words count.
        names = [name for name in chunk[0] if name != "label" or kind.sequence_labels]
        batch = {name: [str(row[name]) for row in chunk] for name in names}
        encoded = kind.encode(batch, tokenizer, _UNCUT, ready.labels)["input_ids"]
        lengths += map(len, encoded)
        unknown += [row["text"] for row, ids in zip(chunk, encoded, strict=True) if _is_unknown(ids, tokenizer)]
        on_progress(len(lengths), len(counted))
    first = {name: [str(cell)] for name, cell in ready.splits["train"].iloc[0].items()}
    shown = _show_row(kind, first, tokenizer, ready.labels, template)
    return Lengths(tuple(lengths), limit, len(rows), shown, len(unknown), "".join(unknown[:1])[:_QUOTED])


def _is_unknown(ids: Sequence[int], tokenizer: Any) -> bool:
    """Return whether a row's tokens are nothing but the one for what a tokenizer does not know."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in ids:
        return False
    return set(ids) <= {unknown, *tokenizer.all_special_ids}


def inspect_as_read(corpus: Corpus, config: RunConfig | None, counted: Lengths | None = None) -> Inspection:
    """Inspect the data as `config` asks for it, or as it looks, with what a tokenizer made of its rows."""
    lengths, limit = (counted.lengths, counted.limit) if counted else (None, None)
    found = inspect(corpus.tables, None, config, corpus.refused, lengths, limit, corpus.doubts)
    if counted is None or not counted.unknown:
        return found
    rows = f"{counted.unknown:,} {'row is' if counted.unknown == 1 else 'rows are'}"
    problem = Finding(
        0, found.suggested.text_column if found.suggested else "",
        f"{rows} nothing but unknown tokens to the model's tokenizer, so it can't tell them apart. The first: "
        f"{counted.unknown_text!r}.",
        "Pick a model that was trained on this language or script.", "unknown_tokens", counted.unknown,
    )  # fmt: skip
    return dataclasses.replace(found, problems=(*found.problems, problem))


def _show_row(
    kind: Kind, row: dict[str, list[str]], tokenizer: Any, labels: Sequence[str], template: str | None
) -> RowAsRead:
    encoded = kind.encode(row, tokenizer, _UNCUT, labels)
    ids = encoded["input_ids"][0]
    learned = [each != -100 for each in encoded["labels"][0]] if kind.sequence_labels else []
    return RowAsRead(
        tuple(_write_token(tokenizer, each) for each in ids[:_MOST_SHOWN]),
        tuple(learned[:_MOST_SHOWN]),
        max(0, len(ids) - _MOST_SHOWN),
        template or "",
        template == PLAIN_TEMPLATE,
    )


def _write_token(tokenizer: Any, number: int) -> str:
    """Return a token as it stands in the text; a part of a character by its name in the vocabulary."""
    text, name = str(tokenizer.decode([number])), str(tokenizer.convert_ids_to_tokens(number))
    if not text or "\ufffd" in text:
        return name
    return f" {text}" if name.startswith("▁") and not text.startswith(" ") else text


def describe_data(
    config: RunConfig,
    settings: Settings,
    file: Path | None = None,
    *,
    is_chosen: bool = True,
    count: bool = False,
    stop: Event | None = None,
) -> dict[str, Any]:
    """Return the Inspection of the data that `config` is about as JSON, with how it was read.

    Unless `is_chosen`, columns and kind are those that look right. With `count`, the tokens of the rows are counted.

    Raises:
        DemoError: see `read_data` and `count_tokens`.
        Stopped: `stop` was set.
    """
    corpus = read_data(config, settings, file, stop=stop)
    counted = count_tokens(corpus, config, config.model, settings, stop) if count else None
    if stop is not None and stop.is_set():
        raise Stopped
    found = inspect_as_read(corpus, config if is_chosen else None, counted)
    read_as = {"reading": corpus.reading, "encoding": corpus.encoding, "header": corpus.header, "layout": corpus.layout}
    shown = {"row_as_read": dataclasses.asdict(counted.sample)} if counted and counted.sample else {}
    return {**found.to_json(), **read_as, **shown, "notes": [*corpus.notes, *found.notes]}
