"""A tag per word: logits [rows, width, labels] against tag indices [rows, width], -100 where not counted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.finetuning.kinds.cells import (
    NEARLY_ALL,
    are_nearly_all,
    entity_tags,
    parse_words,
    parse_words_or_none,
    write_list,
)
from hfdemo.finetuning.kinds.descriptions import (
    array_shapes,
    class_scores,
    count_confusion,
    row_texts,
    score_classes,
    softmax,
)
from hfdemo.finetuning.kinds.kind import CERTAIN, ColumnGuess, Evaluator, Kind, PageWords, ReadCell, RowFormat, Samples
from hfdemo.finetuning.kinds.losses import balance_by_rows, class_cross_entropy
from hfdemo.tokenization.word_labels import mark_word_starts

NOT_COUNTED = -100
_WORD_NAMES = ("tokens", "words", "text", "sentence")
_TAG_NAMES = ("ner_tags", "tags", "labels", "label", "ner", "tag")


def _find_columns(table: pd.DataFrame, samples: Samples, alone: bool) -> ColumnGuess | None:
    """Guess two columns of lists of the same lengths, by their names where several could be."""
    lists = [column for column, some in samples.items() if are_nearly_all(some, parse_words)]
    lower = {column.lower(): column for column in lists}
    words = next((lower[name] for name in _WORD_NAMES if name in lower), lists[0] if lists else None)
    if words is None:
        return None
    lengths = [len(each) for each in map(parse_words_or_none, samples[words]) if each]
    others = [column for column in lists if column != words]
    fitting = [column for column in others if _share_of_equal(lengths, samples[column]) >= NEARLY_ALL]
    named = next((lower[name] for name in _TAG_NAMES if lower.get(name) in fitting), None)
    tags = named or (fitting[-1] if fitting else None)
    return ColumnGuess(CERTAIN, words, tags) if tags else None


def _share_of_equal(lengths: Sequence[int], tags: Sequence[str]) -> float:
    others = [len(each) for each in map(parse_words_or_none, tags) if each]
    # Without as many rows, something can't be read: compared by place, every length would be off.
    same = sum(a == b for a, b in zip(lengths, others, strict=False))
    return same / max(len(lengths), len(others), 1)


def _matches(labels: Sequence[str] | None, texts: Sequence[str]) -> bool:
    """Return whether both columns hold lists."""
    return labels is not None and are_nearly_all(labels, parse_words) and are_nearly_all(texts, parse_words)


def _readers(columns: Mapping[str, Sequence[str]]) -> dict[str, ReadCell]:
    return {"text": _read_words, "label": _read_tags}


def _read_words(cell: str) -> str:
    words = parse_words(cell)
    if not words:
        raise ValueError("the list has no word")
    return write_list(words)


def _read_tags(cell: str) -> str:
    tags = parse_words(cell)
    if not tags:
        raise ValueError("the list has no tag")
    if "" in tags:
        raise ValueError("a tag has no name")
    return write_list(tags)


def _find_mismatch(text: str, label: str) -> str:
    words, tags = len(parse_words(text)), len(parse_words(label))
    return f"{words} words have {tags} tags" if words != tags else ""


def _parse_labels(cell: str) -> list[str]:
    tags: list[str] = json.loads(cell)
    return tags


def name_tag_scheme(rows: Sequence[Sequence[str]]) -> str:
    """Say how the tags of sentences mark entities, in a sentence; "" where they mark none, as parts of speech do.

    IOB1 has a B- only where an entity follows another of its name; IO, with or without an I-, can't tell those apart.
    """
    tags = {tag for row in rows for tag in row}
    if entity_tags(tags) is None:
        named = "O" in tags and len(tags) > 1
        return "The tags are IO: a name for each word of an entity, O for none." if named else ""
    prefixes = {tag[0] for tag in tags} - {"O"}
    if prefixes & set("LUES"):
        name, ends, single = ("BILOU", "L", "U") if prefixes & set("LU") else ("BIOES", "E", "S")
        return f"The tags are {name}: B- begins an entity, {ends}- ends it, {single}- is one of one word."
    if "B" not in prefixes:
        return "The tags are IO: I- for each word of an entity, O for none."
    begun = [pair for row in rows for pair in itertools.pairwise(("O", *row)) if _begins_entity(*pair)]
    by_inside = sum(tag.startswith("I-") for _, tag in begun)
    if not by_inside:
        return "The tags are BIO: B- begins an entity, I- goes on, O is none."
    if all(before[2:] == tag[2:] for before, tag in begun if tag.startswith("B-")):
        return "The tags are IOB1: I- for each word of an entity, B- only where another of its name comes before."
    return f"The tags are BIO, but {by_inside:,} of {len(begun):,} entities begin with an I-."


def _begins_entity(before: str, tag: str) -> bool:
    return tag.startswith("B-") or (tag.startswith("I-") and before[2:] != tag[2:])


def _describe_tags(cells: pd.Series) -> str:
    return name_tag_scheme([row for cell in cells if (row := parse_words_or_none(cell))])


def encode_tags(
    rows: Mapping[str, list[str]], tokenizer: Any, max_length: int | None, labels: Sequence[str]
) -> dict[str, Any]:
    """Tokenize the words; `labels` of a row are a tag's number at the first token of each word.

    Elsewhere they are -100, which counts for nothing.
    """
    words = [json.loads(cell) for cell in rows["text"]]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
    numbers = {label: number for number, label in enumerate(labels)}
    aligned = []
    for row, cell in enumerate(rows["label"]):
        tags, begun = json.loads(cell), mark_word_starts(encoded.word_ids(row))
        aligned.append([-100 if word is None else numbers[tags[word]] for word in begun])
    return {**encoded, "labels": aligned}


def find_labelled_words(rows: Sequence[Mapping[str, str]], tokenizer: Any, max_length: int | None) -> list[list[int]]:
    """Return which words of each row `encode_tags` gives a label: all but those that are cut off or have no token."""
    words = [json.loads(row["text"]) for row in rows]
    encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
    return [[word for word in mark_word_starts(encoded.word_ids(row)) if word is not None] for row in range(len(rows))]


def find_cut_words(
    split: str, rows: Mapping[str, Sequence[str]], labels: Sequence[Sequence[int]], tokenizer: Any, cut: int | None
) -> list[str]:
    """Say how many words of tagged rows have a label, where not all have; `cut` is the most tokens of a row."""
    words = sum(len(json.loads(cell)) for cell in rows["label"])
    scored = sum(tag != -100 for own in labels for tag in own)
    if scored == words:
        return []
    done = "learned" if split == "train" else "evaluated"
    beyond = "" if cut is None else f"stand beyond the {cut} tokens that max_length or the model leaves a row, or "
    return [f"{split}: {scored:,} of {words:,} words are {done}. The others {beyond}have no token of their own."]


def count_tags(labels: Any) -> Any:
    """Count what is predicted: the tags of first tokens, not the -100 of the others."""
    return (labels != -100).sum()


def score_tags(logits: object, references: object, labels: list[str], positive: str | None = None) -> dict[str, float]:
    """Compute precision, recall, f1 and accuracy of logits [rows, width, labels] against tag indices [rows, width].

    Tag indices [rows, width] may be given in place of the logits; where a reference is -100, nothing is counted. With
    tags like B-PER, I-PER and O the first three count whole entities (seqeval, as conlleval does); with others they are
    the plain mean over the tags that occur (macro). Accuracy counts tokens.
    """
    import numpy as np
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores
    from sklearn.metrics import precision_recall_fscore_support

    answers, truth = np.asarray(logits), np.asarray(references)
    answers = answers.argmax(-1) if answers.ndim == 3 else answers
    counted = truth != -100
    if not counted.any():
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.0}
    entities = entity_tags(labels)
    if entities:
        named = [
            [[entities[tag] for tag in row[keep]] for row, keep in zip(tags, counted, strict=True)]
            for tags in (truth, answers)
        ]
        scores = entity_scores(*named, average="micro", zero_division=0)
    else:
        scores = precision_recall_fscore_support(truth[counted], answers[counted], average="macro", zero_division=0.0)
    return {
        **{name: float(score) for name, score in zip(("precision", "recall", "f1"), scores, strict=False)},
        "accuracy": float((answers == truth)[counted].mean()),
    }


def to_tag_indices(logits: Any, references: Any, labels: Sequence[str]) -> tuple[Any, Any]:
    """Return tag indices [rows, width] of logits [rows, width, labels], and the references."""
    return logits.argmax(-1), references


def to_tag_names(logits: Any, references: Any, labels: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Return the names of the counted tags by row, of logits [rows, width, labels] or tag indices [rows, width]."""
    answers, counted = logits.argmax(-1) if logits.ndim == 3 else logits, references != -100
    predictions, truth = (
        [[labels[tag] for tag in row[keep]] for row, keep in zip(tags, counted, strict=True)]
        for tags in (answers, references)
    )
    return predictions, truth


def _perfect_inputs(labels: Sequence[str]) -> Any:
    return [list(labels)]


def _compute_baseline(
    train: Any, evaluated: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Score the answer that is always the tag that is most frequent in training, whose rows may differ in length."""
    flat = np.concatenate([np.asarray(row, np.int64) for row in train])
    most = int(np.bincount(flat[flat != NOT_COUNTED], minlength=len(labels)).argmax())
    found = score_tags(np.full(np.shape(evaluated), most), evaluated, list(labels))
    return {"answer": f"always '{labels[most]}'", "metrics": found}


def _describe(
    logits: np.ndarray, references: np.ndarray, labels: Sequence[str], positive: str | None = None
) -> dict[str, Any]:
    """Describe predictions: per_class, confusion_matrix of tags, shapes and example.

    The classes are entity types, or tags that mark no entities.
    """
    answers, counted = logits.argmax(-1), references != NOT_COUNTED
    truth, given = references[counted], answers[counted]
    entities = entity_tags(labels)
    return {
        "per_class": _score_types(answers, references, entities) if entities else score_classes(truth, given, labels),
        "confusion_matrix": count_confusion(truth, given, labels),
        "shapes": array_shapes(logits, references),
        "example": _first_example(logits, references, labels),
    }


def _score_types(answers: np.ndarray, references: np.ndarray, entities: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Compute precision, recall, f1 and support of whole entities of each type; all 0 for a type that nowhere occurs.

    `entities` are the labels as `entity_tags` gives them.
    """
    from seqeval.metrics.sequence_labeling import get_entities
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores

    given, truth = to_tag_names(answers, references, entities)
    found = sorted({kind for kind, _, _ in (*get_entities(truth), *get_entities(given))})  # the order of seqeval
    columns = entity_scores(truth, given, average=None, zero_division=0)
    per_type = {kind: class_scores(*row) for kind, row in zip(found, zip(*columns, strict=True), strict=True)}
    every = dict.fromkeys(tag[2:] for tag in entities if tag != "O")
    return {kind: per_type.get(kind, class_scores(0.0, 0.0, 0.0, 0)) for kind in every}


def _first_example(logits: np.ndarray, references: np.ndarray, labels: Sequence[str]) -> dict[str, Any] | None:
    """Return the first token that counts: `position` is its column in the row."""
    rows, positions = np.nonzero(references != NOT_COUNTED)
    if not len(rows):
        return None
    first = logits[rows[0], positions[0]]
    return {
        "row": int(rows[0]) + 1,
        "position": int(positions[0]),
        "logits": first.tolist(),
        "softmax": softmax(first).tolist(),
        "argmax": int(first.argmax()),
        "name": labels[first.argmax()],
        "label": labels[references[rows[0], positions[0]]],
    }


def _find_errors(
    rows: Sequence[Mapping[str, str]], logits: np.ndarray, references: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the sentences with a wrong tag, those with most first.

    `text` (words), `label` and `predicted` (tags) are JSON lists in step, with null for a word that has no label: it
    stands beyond the model's limit, or has no token. `mistakes` says the same in words.
    """
    given, true = to_tag_names(logits, references, labels)
    counts = np.array([sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(true, given, strict=True)])
    found = []
    for index in np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]:
        words = json.loads(rows[index]["text"])
        labelled = json.loads(rows[index].get("labelled") or json.dumps([*range(len(true[index]))]))
        true_tags, predicted = (_place_tags(words, labelled, each[index]) for each in (true, given))
        named = zip(words, true_tags, predicted, strict=True)
        found.append(
            {
                "row": int(index) + 1,
                "wrong_tags": int(counts[index]),
                "tags": len(true[index]),
                "mistakes": "; ".join(f"{word}: {a} predicted as {b}" for word, a, b in named if a != b),
                "label": json.dumps(true_tags, ensure_ascii=False),
                "predicted": json.dumps(predicted, ensure_ascii=False),
                **row_texts(rows[index]),
            }
        )
    return found


def _place_tags(words: Sequence[str], labelled: Sequence[int], tags: Sequence[str]) -> list[str | None]:
    """Return the tags of the `labelled` words, each at the place of its word; None for the others."""
    placed = dict(zip(labelled, tags, strict=True))
    return [placed.get(place) for place in range(len(words))]


def _class_title(labels: Sequence[str]) -> str:
    return "Per entity type" if entity_tags(labels) else "Per tag"


TOKEN_TAGS = Kind(
    name="tokens",
    task="token-classification",
    problem_type=None,
    model_problem_type=None,
    model_class="AutoModelForTokenClassification",
    peft_task="TOKEN_CLS",
    rows=RowFormat(
        find_columns=_find_columns,
        matches=_matches,
        readers=_readers,
        describe_labels=_describe_tags,
        find_mismatch=_find_mismatch,
        parse_labels=_parse_labels,
        needed="lists of words and of their tags",
    ),
    encode=encode_tags,
    loss=class_cross_entropy,
    count=count_tags,
    sequence_labels=True,
    needs_word_ids=True,
    balance=balance_by_rows,
    smooths_labels=True,
    find_labelled_words=find_labelled_words,
    find_notes=find_cut_words,
    carried=(mark_word_starts,),
    evaluator=Evaluator(
        selection="f1",
        scores=score_tags,
        names=("precision", "recall", "f1", "accuracy"),
        unit_metrics=("precision", "recall", "f1", "accuracy"),
        charted=("f1", "accuracy"),
        features={"predictions": ["int64"], "references": ["int64"]},
        inputs_help="predictions and references: tag indices, -100 where not counted",
        to_inputs=to_tag_indices,
        to_module_inputs=to_tag_names,
        perfect_inputs=_perfect_inputs,
        baseline=_compute_baseline,
        describe=_describe,
        find_errors=_find_errors,
        error_numbers=("wrong_tags", "tags"),
        meaning="Where tags mark entities, precision, recall and f1 count whole entities (seqeval); accuracy, tokens.",
        carried=(entity_tags,),
    ),
    page=PageWords(
        choice="a tag per word",
        counted="Tags, words of each",
        arrays="per text, a row of logits for each token; label ids of -100 (special tokens, padding, the inside of "
        "words) are not counted",
        example="softmax",
        sections=("per_class", "confusion_matrix"),
        class_title=_class_title,
        ask=lambda row: {"text": " ".join(json.loads(row["text"]))},
    ),
    usage='print(pipe("some text", aggregation_strategy="simple"))',
)
