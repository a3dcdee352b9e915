"""The tasks whose input is text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.tasks.task import Call, Field, Scores, Task


def _classify(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    text: Any = inputs["text"]
    if inputs["text_pair"] is not None:
        text = {"text": inputs["text"], "text_pair": inputs["text_pair"]}
    # top_k is passed even when it is None: left out, the pipeline would answer with one label only.
    kwargs: dict[str, Any] = {"top_k": parameters["top_k"], "truncation": True}
    if parameters["function_to_apply"] is not None:
        kwargs["function_to_apply"] = parameters["function_to_apply"]
    return Call((text,), kwargs)


def _explain_classification(config: Any, outputs: Any, parameters: Mapping[str, Any]) -> Scores:
    logits = outputs["logits"][0].float()
    function = parameters["function_to_apply"] or _default_function(config)
    scores = {"softmax": lambda: logits.softmax(-1), "sigmoid": logits.sigmoid, "none": lambda: logits}[function]()
    labels = tuple(str(config.id2label[index]) for index in range(len(logits)))
    return Scores(function, labels, tuple(logits.tolist()), tuple(scores.tolist()))


def _default_function(config: Any) -> str:
    """What TextClassificationPipeline.postprocess applies when it is not told."""
    if config.problem_type == "regression":
        return "none"
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return "sigmoid"
    return "softmax"


def _extract_features(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    return Call((inputs["text"],), {"truncation": True})


TEXT = Field("text", "text", str, "Text", "one text, in the language that the model was trained on")
TEXT_PAIR = Field(
    "text_pair",
    "text",
    str | None,
    "Second text",
    "for models trained on pairs: a paraphrase, a hypothesis, an answer",
    default=None,
)

TASKS = (
    Task(
        name="text-classification",
        title="Text classification",
        summary=(
            "Puts a text, or a pair of texts, into one of the model's labels. The model returns one logit per label; "
            'softmax or sigmoid turns them into scores. `pipeline("text-classification", model=...)(text, top_k=None)`'
        ),
        inputs=(TEXT, TEXT_PAIR),
        parameters=(
            Field(
                "top_k", "number", int | None, "top_k", "labels to return; 0 or left out: all", default=None, minimum=1
            ),
            Field(
                "function_to_apply",
                "choice",
                str | None,
                "function_to_apply",
                "what turns logits into scores; left out: what the model's config asks for",
                default=None,
                choices=("softmax", "sigmoid", "none"),
            ),
        ),
        output="labels",
        call=_classify,
        explain=_explain_classification,
        model_class="AutoModelForSequenceClassification",
        default_model="embedded:sentiment",
        examples=(
            {"text": "It starts slowly, but the last half hour is as good as anything on screen this year."},
            {"text": "Two hours of beautiful pictures in search of a story."},
            {"text": "I wanted to like it. The actors certainly tried."},
        ),
    ),
    Task(
        name="feature-extraction",
        title="Feature extraction",
        summary=(
            "The hidden states of the last layer: one vector per token, [1, tokens, hidden size]. Averaged over the "
            'tokens they make a sentence embedding. `pipeline("feature-extraction", model=...)(text)`'
        ),
        inputs=(TEXT,),
        parameters=(),
        output="vectors",
        call=_extract_features,
        model_class="AutoModel",
        default_model="embedded:minilm",
        examples=(
            {"text": "The ferry leaves at seven."},
            {"text": "A tokenizer, a model and some arithmetic."},
        ),
    ),
)
