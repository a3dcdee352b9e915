"""The tasks whose input is text and whose answer comes straight out of a forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.text import (
    classify_text,
    classify_tokens,
    classify_zero_shot,
    extract_features,
)
from hfdemo.tasks.explanations import MOST_ROWS, NO_LIMIT, explain_classification, explain_vectors
from hfdemo.tasks.field import (
    ALL_LABELS,
    FUNCTION_TO_APPLY,
    TEXT,
    Field,
    check_hypothesis_template,
    hypothesis_template,
    parameter,
    whole_number,
)
from hfdemo.tasks.targets import find_label, find_tag
from hfdemo.tasks.task import Explanation, PipelineCall, Task, TextPair, drop_unset_parameters

# --- text-classification ----------------------------------------------------------------------------------------------


def _call_classification(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    text: Any = inputs["text"]
    if inputs["text_pair"] is not None:
        text = {"text": inputs["text"], "text_pair": inputs["text_pair"]}
    # top_k is passed even when it is None: left out, the pipeline would answer with one label only.
    function = drop_unset_parameters(parameters, "function_to_apply")
    return PipelineCall((text,), {"top_k": parameters["top_k"], "truncation": True, **function})


def _scores_each_label(loaded: Any, parameters: Mapping[str, Any]) -> bool:
    asked = parameters["function_to_apply"]
    multi_label = loaded.model.config.problem_type == "multi_label_classification"
    return parameters["top_k"] not in (None, 1) or asked == "sigmoid" or (asked is None and multi_label)


# --- feature-extraction -----------------------------------------------------------------------------------------------

_TOKENIZE_KWARGS = ("max_length", "add_special_tokens", "truncation")


def _call_features(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    given = parameters["tokenize_kwargs"]
    if given is None:
        return PipelineCall((inputs["text"],), {"truncation": True})
    # What the tokenizer is asked to pad to or return would let one call take all memory, or leave no tensor.
    unknown = sorted(set(given) - set(_TOKENIZE_KWARGS))
    if unknown:
        raise DemoError(
            f"tokenize_kwargs can't hold {', '.join(unknown)} here. It takes: {', '.join(_TOKENIZE_KWARGS)}."
        )
    return PipelineCall((inputs["text"],), {"tokenize_kwargs": {"truncation": True, **given}})


# --- token-classification ---------------------------------------------------------------------------------------------

_STRATEGIES = ("none", "simple", "first", "average", "max")
_AGGREGATION = parameter(
    "aggregation_strategy",
    "choice",
    "how tokens become entities: none keeps every token, simple joins neighbours of one label, the others first make "
    "the tokens of a word agree",
    choices=_STRATEGIES,
)
_STRIDE = whole_number(
    "stride",
    "reads a long text in pieces that share this many tokens; left out: what is too long is cut off",
    minimum=0,
)


def _check_stride(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    # This pipeline always truncates, and has no argument that says so.
    if parameters["stride"] is not None and parameters["aggregation_strategy"] == "none":
        raise DemoError(
            "stride was set, but the tokens of pieces that overlap can only be joined as entities. "
            "Choose another aggregation_strategy than none."
        )


def _reads_windows(parameters: Mapping[str, Any]) -> bool:
    return parameters["stride"] is not None


def _explain_tokens(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    logits, ids = outputs["logits"][0].float(), inputs["input_ids"][0].tolist()
    best = logits.max(-1)
    probabilities = logits.softmax(-1).max(-1).values
    labels = [str(loaded.model.config.id2label[index]) for index in best.indices.tolist()]
    shown = [index for index, token_id in enumerate(ids) if token_id not in loaded.tokenizer.all_special_ids]
    said = f"The model returned {logits.shape[-1]} logits for each of the {len(ids)} tokens; the largest is the label."
    if len(shown) > MOST_ROWS:
        shown = [index for index in shown if labels[index] != "O"][:MOST_ROWS] or shown[:MOST_ROWS]
        said += f" Up to {MOST_ROWS} tokens are shown, those labelled `O` last."
    names = loaded.tokenizer.convert_ids_to_tokens(ids)
    return Explanation(
        f"{said} `softmax(logits)` is its probability.",
        ("token", "label", "logit", "probability"),
        tuple((names[index], labels[index], float(best.values[index]), float(probabilities[index])) for index in shown),
    )


def _narrow_tokens(loaded: Any) -> Mapping[str, Field | str]:
    tokenizer = loaded.tokenizer
    if not tokenizer.is_fast:
        return {
            "aggregation_strategy": replace(_AGGREGATION, choices=_STRATEGIES[:2]),
            "stride": "its tokenizer is written in Python and does not know where in the text a token stood.",
        }
    if tokenizer.model_max_length > NO_LIMIT:
        return {"stride": "its tokenizer states no longest text, so that no text is ever cut into pieces."}
    most = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add() - 1
    return {"stride": replace(_STRIDE, maximum=most)}


# --- zero-shot-classification -----------------------------------------------------------------------------------------

_TEMPLATE = "This example is {}."


def _write_hypothesis(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Put the first label into the template: that is what the first forward pass reads."""
    template: str = parameters["hypothesis_template"] or _TEMPLATE
    return template.format(inputs["candidate_labels"][0])


def _find_entailment(config: Any) -> int | None:
    """Return the label that says that the hypothesis follows, found as the pipeline finds it; None without one."""
    return next((index for label, index in config.label2id.items() if label.lower().startswith("entail")), None)


def _warn_without_entailment(loaded: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[str]:
    config = loaded.model.config
    if _find_entailment(config) is None:
        labels = [str(config.id2label[index]) for index in sorted(config.id2label)]
        shown = ", ".join(labels[:4]) + (" and others" if len(labels) > 4 else "")
        yield (
            f"This model has no label called entailment (it has {shown}). Its last one, {labels[-1]}, was taken for "
            "it, so these scores say nothing of your labels. Pick a model trained on natural language inference."
        )


def _explain_zero_shot(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    config, logits = loaded.model.config, outputs["logits"][0].float()
    found = _find_entailment(config)
    entailment = len(logits) - 1 if found is None else found
    contradiction = len(logits) - 1 if entailment == 0 else 0
    against = float(logits[[contradiction, entailment]].softmax(-1)[1])
    uses = (
        f"With `multi_label`, `softmax` of `{config.id2label[contradiction]}` and `{config.id2label[entailment]}` "
        f"alone is the label's score: {against:.3f}."
        if parameters["multi_label"]
        else f"The logit of `{config.id2label[entailment]}` goes on, into one `softmax` over all labels' hypotheses; "
        f"a lone label is weighed against `{config.id2label[contradiction]}` instead."
    )
    probabilities = logits.softmax(-1).tolist()
    return Explanation(
        f"The first of one pass for each label: the text as premise, the first label's sentence as hypothesis. {uses}",
        ("the model says", "logit", "softmax"),
        tuple(
            (str(config.id2label[index]), float(logit), probabilities[index])
            for index, logit in enumerate(logits.tolist()[:MOST_ROWS])
        ),
    )


TASKS = (
    Task(
        name="text-classification",
        title="Text classification",
        group="Text",
        subtitle="Says which label fits a text, such as positive or negative",
        summary=(
            "Classifies a text, or a pair of texts. The model gives each label a raw score, its logit; "
            'softmax or sigmoid turns them into scores. `pipeline("text-classification", model=...)(text, top_k=None)`'
        ),
        inputs=(
            TEXT,
            Field(
                "text_pair",
                "text",
                "Second text",
                "only for models trained on pairs",
                default=None,
            ),
        ),
        parameters=(ALL_LABELS, FUNCTION_TO_APPLY),
        pair=TextPair(("text", "text_pair")),
        output="labels",
        auto_class_form=classify_text,
        pipeline_call=_call_classification,
        explain=explain_classification,
        truncates=True,
        scores_each=_scores_each_label,
        find_target=find_label,
        classes=("AutoModelForSequenceClassification",),
        processors=("tokenizer",),
        default_model="embedded:sentiment",
        examples=(
            {"text": "It starts slowly, but the last half hour is as good as anything on screen this year."},
            {"text": "Two hours of beautiful pictures in search of a story."},
            {"text": "I wanted to like it. The actors certainly tried."},
        ),
        is_batchable=True,
        maps_texts=True,
    ),
    Task(
        name="feature-extraction",
        title="Feature extraction",
        group="Text",
        subtitle="Turns a text into numbers, to compare it with others",
        summary=(
            "The hidden states of the last layer: one vector per token, [1, tokens, hidden size]. Averaged over the "
            "tokens they make a sentence embedding, and several texts can be compared by theirs. "
            '`pipeline("feature-extraction", model=...)(text)`'
        ),
        inputs=(replace(TEXT, kind="texts", help="one text, or several to compare"),),
        parameters=(
            parameter(
                "tokenize_kwargs",
                "json",
                'what to tell the tokenizer, for example {"max_length": 32} or {"add_special_tokens": false}',
            ),
        ),
        output="vectors",
        auto_class_form=extract_features,
        pipeline_call=_call_features,
        explain=explain_vectors,
        truncates=True,
        classes=("AutoModel",),
        processors=("tokenizer",),
        default_model="embedded:minilm",
        examples=(
            {"text": ["The ferry leaves at seven.", "When does the boat go?", "He bakes bread every Sunday."]},
            {"text": "A tokenizer, a model and some arithmetic."},
        ),
        maps_texts=True,
    ),
    Task(
        name="token-classification",
        title="Token classification",
        group="Text",
        subtitle="Finds names, places and other kinds of words",
        summary=(
            "Gives every token a label: names of people and places, parts of speech. Neighbours can be joined to "
            'entities. `pipeline("token-classification", model=...)(text, aggregation_strategy="simple")`'
        ),
        inputs=(TEXT,),
        parameters=(
            _AGGREGATION,
            parameter(
                "ignore_labels",
                "labels",
                "labels to leave out, as they stand in the output; left out: O, which means no entity",
            ),
            _STRIDE,
        ),
        output="spans",
        auto_class_form=classify_tokens,
        validate=_check_stride,
        in_windows=_reads_windows,
        explain=_explain_tokens,
        find_target=find_tag,
        truncates=True,
        narrow_parameters=_narrow_tokens,
        classes=("AutoModelForTokenClassification",),
        processors=("tokenizer",),
        default_model="dslim/distilbert-NER",
        untrained_model="untrained:embedded:minilm",
        examples=(
            {
                "text": "Ada Lovelace met Charles Babbage in London in 1833.",
                "aggregation_strategy": "simple",
            },
            {"text": "The Rhine flows from Switzerland through Basel and Rotterdam to the North Sea."},
        ),
    ),
    Task(
        name="zero-shot-classification",
        title="Zero-shot classification",
        group="Text",
        subtitle="Sorts a text by labels that you make up",
        summary=(
            "Classifies a text by labels that you make up. A model trained on natural language inference says for each "
            "label whether it follows from the text. "
            '`pipeline("zero-shot-classification", model=...)(text, candidate_labels=[...])`'
        ),
        inputs=(TEXT, Field("candidate_labels", "labels", "Labels", "two or more")),
        parameters=(
            hypothesis_template(_TEMPLATE),
            parameter("multi_label", "flag", "several labels may be true: each gets a score of its own", False),
        ),
        pair=TextPair(("text", "hypothesis"), _write_hypothesis),
        output="labels",
        auto_class_form=classify_zero_shot,
        validate=partial(
            check_hypothesis_template, "This text is about {}."
        ),  # the pipeline itself cuts the text, never the hypothesis
        explain=_explain_zero_shot,
        truncates=True,
        warn=_warn_without_entailment,
        scores_each=lambda loaded, parameters: bool(parameters["multi_label"]),
        classes=("AutoModelForSequenceClassification",),
        processors=("tokenizer",),
        default_model="MoritzLaurer/DeBERTa-v3-xsmall-mnli-fever-anli-ling-binary",
        untrained_model="untrained:embedded:minilm",
        examples=(
            {
                "text": "The new battery lasts two days, but the screen scratches easily.",
                "candidate_labels": ["electronics", "sports", "cooking"],
            },
            {
                "text": "The new battery lasts two days, but the screen scratches easily.",
                "candidate_labels": ["praise", "complaint"],
                "multi_label": True,
            },
        ),
    ),
)
