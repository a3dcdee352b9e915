"""What differs per kind of answer that can be trained: the model, how rows become its inputs, and the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.finetuning.arguments import LEARNING_RATE, Method
from hfdemo.finetuning.evaluation import JUDGES, Judge
from hfdemo.finetuning.preprocessing import inputs
from hfdemo.finetuning.preprocessing.data_notes import chats_learned_whole, words_cut_off
from hfdemo.finetuning.training import class_weights, losses


@dataclass(frozen=True)
class Recipe:
    """How one kind of answer is trained.

    `encode(rows, tokenizer, max_length, labels)` makes the model inputs of a batch of rows, unpadded. `loss(outputs,
    labels, items, weight, smoothing)` is divided by `items`, the sum of `count(labels)` over a whole optimizer step.
    `reduce(outputs, labels)` is what evaluation keeps of a batch. With `sequence_labels` the labels are as long as the
    ids and padded with -100; `one_number` says that a model answers with a number, not with labels; `needs_words` that
    the tokenizer has to know which token is which word, and `judged(rows, tokenizer, max_length)` names the words of
    each row that have a label; `looks_back` that the model may not see what comes after a token. `balance(labels of all
    rows, how many labels)` weighs them, or is None where there is nothing to weigh. `remarks(split, rows, labels,
    tokenizer, max_length)` are sentences on what of a split is not learned or judged as one would think. `peft_task` is
    peft's name for the task. `carried` are the functions whose source a stand-alone script needs besides those.
    """

    kind: str
    task: str
    problem_type: str | None
    model_class: str
    peft_task: str
    encode: Callable[..., dict[str, Any]]
    loss: Callable[..., Any]
    count: Callable[[Any], Any]
    reduce: Callable[[Any, Any], Any] = losses.only_logits
    sequence_labels: bool = False
    one_number: bool = False
    needs_words: bool = False
    looks_back: bool = False
    balance: Callable[[Sequence[Any], int], list[float]] | None = None
    smooths_labels: bool = False
    judged: Callable[..., list[list[int]]] | None = None
    remarks: Callable[..., list[str]] | None = None
    carried: tuple[Callable[..., Any], ...] = ()
    learning_rate: Mapping[Method, float] = field(default_factory=lambda: LEARNING_RATE)

    @property
    def judge(self) -> Judge:
        return JUDGES[self.kind]


def _of_sentences(kind: str, problem_type: str, **more: Any) -> Recipe:
    return Recipe(
        kind=kind,
        task="text-classification",
        problem_type=problem_type,
        model_class="AutoModelForSequenceClassification",
        peft_task="SEQ_CLS",
        count=losses.every_label,
        carried=(inputs.sentences,),
        **more,
    )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.kind: recipe
        for recipe in (
            _of_sentences(
                "single_label",
                "single_label_classification",
                encode=inputs.single_label_inputs,
                loss=losses.classes_loss,
                balance=class_weights.by_rows,
                smooths_labels=True,
            ),
            _of_sentences(
                "multi_label",
                "multi_label_classification",
                encode=inputs.multi_label_inputs,
                loss=losses.flags_loss,
                balance=class_weights.by_flags,
            ),
            _of_sentences(
                "regression", "regression", encode=inputs.regression_inputs, loss=losses.numbers_loss, one_number=True
            ),
            Recipe(
                kind="tokens",
                task="token-classification",
                problem_type=None,
                model_class="AutoModelForTokenClassification",
                peft_task="TOKEN_CLS",
                encode=inputs.token_inputs,
                loss=losses.classes_loss,
                count=losses.every_tag,
                sequence_labels=True,
                needs_words=True,
                judged=inputs.judged_words,
                remarks=words_cut_off,
                balance=class_weights.by_rows,
                smooths_labels=True,
                carried=(inputs.words_begun,),
            ),
            Recipe(
                kind="language",
                task="text-generation",
                problem_type=None,
                model_class="AutoModelForCausalLM",
                peft_task="CAUSAL_LM",
                encode=inputs.language_inputs,
                loss=losses.language_loss,
                count=losses.every_next_token,
                reduce=losses.likelihoods,
                sequence_labels=True,
                looks_back=True,
                remarks=chats_learned_whole,
                smooths_labels=True,
                carried=(inputs.conversation,),
                learning_rate=MappingProxyType({"full": 5e-5, "lora": 5e-4, "frozen": 1e-3}),
            ),
        )
    }
)


def find_recipe(task: str, problem_type: str | None = None) -> Recipe:
    """The recipe of `task`; a text-classification without a problem_type has one label per row.

    Raises:
        DemoError: it can't be trained here; the message lists what can.
    """
    fitting = [recipe for recipe in RECIPES.values() if recipe.task == task]
    if not fitting:
        tasks = dict.fromkeys(recipe.task for recipe in RECIPES.values())
        raise DemoError(f"{task!r} can't be fine-tuned here. What can: {', '.join(tasks)}.")
    if problem_type is None:
        return fitting[0]
    found = next((recipe for recipe in fitting if recipe.problem_type == problem_type), None)
    if found is None:
        known = [str(recipe.problem_type) for recipe in fitting if recipe.problem_type]
        said = f"It has: {', '.join(known)}." if known else "Leave it out."
        raise DemoError(f"{task} has no problem_type {problem_type!r}. {said}")
    return found
