"""Labels for the tokens of a text, and the entities that they make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.text import classify_tokens
from hfdemo.tasks.common_fields import TEXT, count
from hfdemo.tasks.explanations import MOST_ROWS, NO_LIMIT
from hfdemo.tasks.field import Field
from hfdemo.tasks.pipeline_args import chosen
from hfdemo.tasks.task import Call, Explanation, Task

_STRATEGIES = ("none", "simple", "first", "average", "max")
_AGGREGATION = Field(
    "aggregation_strategy",
    "choice",
    "aggregation_strategy",
    "how tokens become entities: none keeps every token, simple joins neighbours of one label, the others first make "
    "the tokens of a word agree",
    default=None,
    choices=_STRATEGIES,
)
_STRIDE = count(
    "stride",
    "reads a long text in pieces that share this many tokens; left out: what is too long is cut off",
    minimum=0,
)


def _call_tokens(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    # This pipeline always truncates, and has no argument that says so.
    if parameters["stride"] is not None and parameters["aggregation_strategy"] == "none":
        raise DemoError(
            "stride was set, but the tokens of pieces that overlap can only be joined as entities. "
            "Choose another aggregation_strategy than none."
        )
    return Call((inputs["text"],), chosen(parameters))


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


TASKS = (
    Task(
        name="token-classification",
        title="Token classification",
        group="Text",
        summary=(
            "Gives every token a label: names of people and places, parts of speech. Neighbours can be joined to "
            'entities. `pipeline("token-classification", model=...)(text, aggregation_strategy="simple")`'
        ),
        inputs=(TEXT,),
        parameters=(
            _AGGREGATION,
            Field(
                "ignore_labels",
                "labels",
                "ignore_labels",
                "labels to leave out, as they stand in the output; left out: O, which means no entity",
                default=None,
            ),
            _STRIDE,
        ),
        output="spans",
        call=_call_tokens,
        by_hand=classify_tokens,
        explain=_explain_tokens,
        narrow=_narrow_tokens,
        classes=("AutoModelForTokenClassification",),
        processors=("tokenizer",),
        default_model="dslim/distilbert-NER",
        examples=(
            {
                "text": "Ada Lovelace met Charles Babbage in London in 1833.",
                "aggregation_strategy": "simple",
            },
            {"text": "The Rhine flows from Switzerland through Basel and Rotterdam to the North Sea."},
        ),
    ),
)
