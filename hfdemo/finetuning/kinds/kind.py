"""Kind: everything that differs between the kinds of answers that can be trained, as one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from hfdemo.finetuning.arguments import LEARNING_RATE, Method
from hfdemo.finetuning.kinds.losses import keep_logits

MOST_LABELS = 200  # more different ones look like texts, not like classes

# How sure a guess of columns is: what the cells hold can be nothing else; one looks like labels; any text will do.
CERTAIN, LIKELY, POSSIBLE = 3, 2, 1

# The cells of each column that are looked at: not blank, and from all over it.
Samples = Mapping[str, Sequence[str]]
ReadCell = Callable[[str], str]
# What transformers knows as `config.problem_type`. A model with another word answers, but called with labels it has no
# loss (BERT), or fails (others).
ModelProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]


@dataclass(frozen=True)
class ColumnGuess:
    """Columns that look right for a kind, and how sure that is; several labels may be columns of flags, one each."""

    certainty: int
    text: str
    label: str | tuple[str, ...] | None = None
    text_pair: str | None = None


def default_readers(columns: Mapping[str, Sequence[str]]) -> dict[str, ReadCell]:
    """Return the readers of cells that are plain texts."""
    return {"text": str.strip, "label": str.strip}


@dataclass(frozen=True)
class RowFormat:
    """How the rows of a kind are recognised in a table, read from it, and counted.

    find_columns     (table without its split column, samples, whether no other kind is asked for) -> the columns that
                     look right, or None
    matches          (sampled label cells, or None without a label column; sampled text cells) -> whether they can be
                     nothing else than this kind: the rows are asked from the last to the first, the first that
                     matches is suggested, and a person can still choose any other
    readers          all cells of "text" and "label" -> what writes a cell of each as a run's data has it, or raises
                     ValueError with the reason why it can't be read
    find_mismatch    (text cell, label cell), both read -> why they don't fit together, "" if they do
    parse_labels     the labels in a cell as it was read; None where there are no classes. A run numbers them in the
                     order of `cells.sort_labels`, or as the person moved them
    count_values     label cells -> rows by range, for labels that are no classes
    describe_labels  label cells -> how they are written, in a sentence; "" where that goes without saying
    find_refusal     label cells of the training rows -> why nothing can be learned from them, "" if something can
    stratify         label cells -> a name of the stratum of each, for splits that are made; None: rows are drawn
    has_labels       whether there is a label column
    takes_pairs      whether a row may have two texts
    is_single_label  whether each row has exactly one class; of two classes a person may then pick the positive one
    is_label_set     whether a row has any number of classes, in no order, none among them
    needed           what a table has to have, in the words of a refusal
    """

    find_columns: Callable[[pd.DataFrame, Samples, bool], ColumnGuess | None]
    matches: Callable[[Sequence[str] | None, Sequence[str]], bool]
    readers: Callable[[Mapping[str, Sequence[str]]], dict[str, ReadCell]] = default_readers
    find_mismatch: Callable[[str, str], str] | None = None
    parse_labels: Callable[[str], list[str]] | None = None
    count_values: Callable[[pd.Series], dict[str, int]] | None = None
    describe_labels: Callable[[pd.Series], str] | None = None
    find_refusal: Callable[[pd.Series], str] | None = None
    stratify: Callable[[pd.Series], pd.Series] | None = None
    has_labels: bool = True
    takes_pairs: bool = False
    is_single_label: bool = False
    is_label_set: bool = False
    needed: str = "a label"

    @property
    def has_classes(self) -> bool:
        return self.parse_labels is not None


def name_of_class(name: str, positive: str | None) -> str:
    """Return the name of a metric with the class that it is of, where it is of one alone."""
    return f"{name} of “{positive}”" if positive and name == "f1" else name


@dataclass(frozen=True)
class Evaluator:
    """How the answers of a kind are evaluated.

    selection         the metric that picks the best checkpoint
    scores            the headline numbers, a plain function: (logits, references, labels, positive label) -> by name
    names             what those numbers are called
    lower_is_better   metrics of which a lower value is better, besides the loss; also those that only other modules
                      compute for this kind
    unit_metrics      metrics that lie between 0 and 1, and are drawn so
    charted           those that a chart opens with
    features          what the evaluate metric of this kind reads: its inputs by name, as types of datasets, a list of
                      one for a sequence
    inputs_help       the same in words
    to_inputs         (logits, references, labels) -> (predictions, references) as that metric reads them
    to_module_inputs  the same as other evaluate modules read them; None: none fits
    perfect_inputs    labels -> a handful of perfect answers, on which other modules are tried; None: none fits
    baseline          (labels of the training rows as they were encoded, evaluated references, labels, positive label)
                      -> {"answer": "always 'x'", "metrics": {...}}: what an answer scores that does not look at the
                      text
    describe          (logits, references, labels, positive label) -> a dict for report.json
    find_errors       (rows, logits, references, labels) -> what went wrong, the worst first; `row` counts from 1. A
                      row of words may say in `labelled` which of them have a reference (a JSON list of numbers from 0)
    error_numbers     the columns of `find_errors` that are measured: numbers, besides row, label and predicted
    meaning           what the headline numbers are, in a sentence for a stranger
    why_no_modules    why no other evaluate module fits, as the end of a sentence
    answers           (logits, labels) -> what a row is answered with, by row, as columns of a table; None: rows
                      without a label are not answered
    find_constant     (logits, labels) -> the answer that all rows get, in words, "" where they differ
    share_right       the metric that is the share of the rows with a right answer; "": rows are not right or wrong
    titles            what a metric is called on the page where its name alone does not say it
    carried           the functions whose source `scores` needs besides its own
    """

    selection: str
    scores: Callable[..., dict[str, float]]
    names: tuple[str, ...]
    unit_metrics: tuple[str, ...]
    charted: tuple[str, ...]
    features: Mapping[str, str | list[str]]
    inputs_help: str
    to_inputs: Callable[[Any, Any, Sequence[str]], tuple[Any, Any]]
    baseline: Callable[[Any, Any, Sequence[str], str | None], dict[str, Any]]
    describe: Callable[[np.ndarray, Any, Sequence[str], str | None], dict[str, Any]]
    find_errors: Callable[[Sequence[Mapping[str, str]], np.ndarray, Any, Sequence[str]], list[dict[str, Any]]]
    error_numbers: tuple[str, ...]
    meaning: str
    to_module_inputs: Callable[[Any, Any, Sequence[str]], tuple[Any, Any]] | None = None
    perfect_inputs: Callable[[Sequence[str]], Any] | None = None
    lower_is_better: tuple[str, ...] = ()
    answers: Callable[[np.ndarray, Sequence[str]], list[dict[str, Any]]] | None = None
    find_constant: Callable[[np.ndarray, Sequence[str]], str] | None = None
    why_no_modules: str = ""
    share_right: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    carried: tuple[Callable[..., Any], ...] = ()

    @property
    def greater_is_better(self) -> bool:
        return self.selection not in ("loss", *self.lower_is_better)

    def title(self, name: str, positive: str | None = None) -> str:
        """Return what a metric is called: with the class or the mean that its name alone does not say."""
        return name_of_class(name, positive) if positive else self.titles.get(name, name)

    @property
    def offered(self) -> tuple[str, ...]:
        """What the best checkpoint can be picked by, the usual metric first."""
        return tuple(dict.fromkeys((self.selection, *self.names, "loss")))


def ask_text(row: Mapping[str, str]) -> dict[str, Any] | None:
    """Return a row's texts as the inputs of its task."""
    return {"text": row["text"], "text_pair": row.get("text_pair") or None}


@dataclass(frozen=True)
class PageWords:
    """What the page says and draws of a kind; the page knows a renderer for each name in `example` and `sections`.

    choice       what is learned, in the form
    counted      the title of the counts of labels
    stratified   how splits are stratified, such as "label"; "" where rows are drawn
    arrays       what predictions and label_ids of a Trainer are
    example      the renderer of the first row of a report
    sections     the renderers of a report's details, in their order
    class_title  labels -> the title of the scores of each class
    ask          a row of a run's data -> the inputs with which its task asks a model about it; None: it can't be asked
    """

    choice: str
    counted: str
    arrays: str
    example: str
    sections: tuple[str, ...]
    stratified: str = ""
    class_title: Callable[[Sequence[str]], str] = lambda labels: "Per label"
    ask: Callable[[Mapping[str, str]], dict[str, Any] | None] = ask_text


@dataclass(frozen=True)
class Kind:
    """One kind of answer: how it is recognised, preprocessed, trained, evaluated and shown.

    `name` is what run folders call it. `problem_type` is the word for it in a RunConfig, where its task has several
    kinds, else None; `model_problem_type` is what its saved models have as `config.problem_type`, None for models that
    don't ask for it. `encode(rows, tokenizer, max_length, labels)` makes the model inputs of a batch of rows, unpadded;
    rows without a label column have inputs alone. `loss(outputs, labels, items, weight, smoothing)` is divided by
    `items`, the sum of `count(labels)` over a whole optimizer step. `reduce(outputs, labels)` is what evaluation keeps
    of a batch. With `sequence_labels` the labels are as long as the ids and padded with -100; `one_number` says that a
    model answers with a number, not with labels; `needs_word_ids` that the tokenizer has to know which token is which
    word, and
    `find_labelled_words(rows, tokenizer, max_length)` names the words of each row that have a label; `is_causal` that
    the model may not see what comes after a token. `balance(labels of all rows, how many labels)` weighs them, or is
    None where there is nothing to weigh. `find_notes(split, rows, labels, tokenizer, max_length)` are sentences on what
    of a split is not learned or evaluated as one would think. `usage` is a line of Python that gives `pipe` (a
    transformers pipeline) something to do, `chat_usage` the same of a model that was trained on messages.
    `choose_chat_template(cells, tokenizer, template)` returns the chat template by which messages in text cells are
    written: `template` where the tokenizer has none, which it is given then. `carried` are the functions whose source a
    stand-alone script needs besides those.
    """

    name: str
    task: str
    problem_type: str | None
    model_problem_type: ModelProblemType | None
    model_class: str
    peft_task: str
    rows: RowFormat
    evaluator: Evaluator
    page: PageWords
    encode: Callable[..., dict[str, Any]]
    loss: Callable[..., Any]
    count: Callable[[Any], Any]
    usage: str
    reduce: Callable[[Any, Any], Any] = keep_logits
    sequence_labels: bool = False
    one_number: bool = False
    needs_word_ids: bool = False
    is_causal: bool = False
    smooths_labels: bool = False
    balance: Callable[[Sequence[Any], int], list[float]] | None = None
    find_labelled_words: Callable[..., list[list[int]]] | None = None
    find_notes: Callable[..., list[str]] | None = None
    choose_chat_template: Callable[..., str | None] | None = None
    chat_usage: str = ""
    carried: tuple[Callable[..., Any], ...] = ()
    learning_rate: Mapping[Method, float] = field(default_factory=lambda: LEARNING_RATE)
