"""The tasks whose input is text and whose answer comes straight out of a forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.text import classify_text, classify_zero_shot, extract_features, fill_mask
from hfdemo.tasks.common_fields import ALL_LABELS, FUNCTION_TO_APPLY, TEXT, count, hypothesis_template
from hfdemo.tasks.explanations import MOST_ROWS, explain_classification, explain_next_token, explain_vectors
from hfdemo.tasks.field import Field
from hfdemo.tasks.generation import TASKS as GENERATING
from hfdemo.tasks.pipeline_args import LARGEST, check_template, chosen
from hfdemo.tasks.question_answering import TASKS as TABLES
from hfdemo.tasks.task import Call, Explanation, Task
from hfdemo.tasks.token_classification import TASKS as TAGGING

# --- text-classification ----------------------------------------------------------------------------------------------


def _call_classification(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    text: Any = inputs["text"]
    if inputs["text_pair"] is not None:
        text = {"text": inputs["text"], "text_pair": inputs["text_pair"]}
    # top_k is passed even when it is None: left out, the pipeline would answer with one label only.
    function = chosen(parameters, "function_to_apply")
    return Call((text,), {"top_k": parameters["top_k"], "truncation": True, **function})


# --- feature-extraction -----------------------------------------------------------------------------------------------

_TOKENIZE_KWARGS = ("max_length", "add_special_tokens", "truncation")


def _call_features(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    given = parameters["tokenize_kwargs"]
    if given is None:
        return Call((inputs["text"],), {"truncation": True})
    # What the tokenizer is asked to pad to or return would let one call take all memory, or leave no tensor.
    unknown = sorted(set(given) - set(_TOKENIZE_KWARGS))
    if unknown:
        raise DemoError(
            f"tokenize_kwargs can't hold {', '.join(unknown)} here. It takes: {', '.join(_TOKENIZE_KWARGS)}."
        )
    return Call((inputs["text"],), {"tokenize_kwargs": {"truncation": True, **given}})


# --- fill-mask --------------------------------------------------------------------------------------------------------

_MASKS = ("[MASK]", "<mask>")
_TOP_TOKENS = count("top_k", "tokens to return for each mask; left out: 5")


def _call_mask(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    return Call((inputs["text"],), {**chosen(parameters), "tokenizer_kwargs": {"truncation": True}})


def _adapt_mask(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Whichever mask a person wrote becomes the model's own."""
    own, text = loaded.tokenizer.mask_token, inputs["text"]
    if own is None:
        raise DemoError(f"The tokenizer of {loaded.ref} has no mask token. Choose a model trained to fill in masks.")
    for mask in _MASKS:
        text = text.replace(mask, own)
    return {**inputs, "text": text}


def _explain_mask(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    places = (inputs["input_ids"][0] == loaded.tokenizer.mask_token_id).nonzero().squeeze(-1)
    if not len(places):
        return None
    which = "the mask" if len(places) == 1 else f"the first of {len(places)} masks"
    return explain_next_token(loaded.tokenizer, outputs["logits"][0, int(places[0])], f"At the place of {which}")


def _narrow_mask(loaded: Any) -> Mapping[str, Field | str]:
    return {"top_k": replace(_TOP_TOKENS, maximum=min(LARGEST, loaded.model.config.vocab_size))}


# --- zero-shot-classification -----------------------------------------------------------------------------------------


def _call_zero_shot(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    check_template(parameters["hypothesis_template"], "This text is about {}.")
    # This pipeline cuts the text, never the hypothesis, without being told.
    return Call((inputs["text"],), {"candidate_labels": inputs["candidate_labels"], **chosen(parameters)})


def _explain_zero_shot(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    config, logits = loaded.model.config, outputs["logits"][0].float()
    found = (index for label, index in config.label2id.items() if label.lower().startswith("entail"))
    entailment = next(found, len(logits) - 1)
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
        summary=(
            "Puts a text, or a pair of texts, into one of the model's labels. The model returns one logit per label; "
            'softmax or sigmoid turns them into scores. `pipeline("text-classification", model=...)(text, top_k=None)`'
        ),
        inputs=(
            TEXT,
            Field(
                "text_pair",
                "text",
                "Second text",
                "for models trained on pairs: a paraphrase, a hypothesis, an answer",
                default=None,
            ),
        ),
        parameters=(ALL_LABELS, FUNCTION_TO_APPLY),
        output="labels",
        call=_call_classification,
        by_hand=classify_text,
        explain=explain_classification,
        classes=("AutoModelForSequenceClassification",),
        processors=("tokenizer",),
        default_model="embedded:sentiment",
        examples=(
            {"text": "It starts slowly, but the last half hour is as good as anything on screen this year."},
            {"text": "Two hours of beautiful pictures in search of a story."},
            {"text": "I wanted to like it. The actors certainly tried."},
        ),
        batches=True,
    ),
    Task(
        name="feature-extraction",
        title="Feature extraction",
        group="Text",
        summary=(
            "The hidden states of the last layer: one vector per token, [1, tokens, hidden size]. Averaged over the "
            "tokens they make a sentence embedding, and several texts can be compared by theirs. "
            '`pipeline("feature-extraction", model=...)(text)`'
        ),
        inputs=(replace(TEXT, kind="texts", help="one text, or several to compare"),),
        parameters=(
            Field(
                "tokenize_kwargs",
                "json",
                "tokenize_kwargs",
                'what to tell the tokenizer, for example {"max_length": 32} or {"add_special_tokens": false}',
                default=None,
            ),
        ),
        output="vectors",
        call=_call_features,
        by_hand=extract_features,
        explain=explain_vectors,
        classes=("AutoModel",),
        processors=("tokenizer",),
        default_model="embedded:minilm",
        examples=(
            {"text": ["The ferry leaves at seven.", "When does the boat go?", "He bakes bread every Sunday."]},
            {"text": "A tokenizer, a model and some arithmetic."},
        ),
    ),
    *TAGGING,
    Task(
        name="fill-mask",
        title="Fill in the mask",
        group="Text",
        summary=(
            "Finds the tokens that fit best where a word is hidden, what models like BERT were first trained on. Write "
            '[MASK] or <mask>: it becomes the model\'s own. `pipeline("fill-mask", model=...)(text, top_k=5)`'
        ),
        inputs=(
            Field("text", "text", "Text with a mask", "one text that holds [MASK] or <mask>, whichever the model has"),
        ),
        parameters=(
            _TOP_TOKENS,
            Field(
                "targets",
                "labels",
                "targets",
                "choose among these words only; a word of several tokens stands for its first",
                default=None,
            ),
        ),
        output="candidates",
        call=_call_mask,
        by_hand=fill_mask,
        explain=_explain_mask,
        narrow=_narrow_mask,
        adapt=_adapt_mask,
        classes=("AutoModelForMaskedLM",),
        processors=("tokenizer",),
        default_model="distilbert/distilroberta-base",
        examples=(
            {"text": "This course will teach you all about <mask> models."},
            {"text": "The train to Paris leaves from <mask> five.", "top_k": 3},
        ),
    ),
    Task(
        name="zero-shot-classification",
        title="Zero-shot classification",
        group="Text",
        summary=(
            "Puts a text into labels that you make up. A model trained on inference says for each label whether it "
            'follows from the text. `pipeline("zero-shot-classification", model=...)(text, candidate_labels=[...])`'
        ),
        inputs=(TEXT, Field("candidate_labels", "labels", "Labels", "two or more")),
        parameters=(
            hypothesis_template("the sentence that each label is put into, at {}; left out: This example is {}."),
            Field(
                "multi_label", "flag", "multi_label", "several labels may be true: each gets a score of its own", False
            ),
        ),
        output="labels",
        call=_call_zero_shot,
        by_hand=classify_zero_shot,
        explain=_explain_zero_shot,
        classes=("AutoModelForSequenceClassification",),
        processors=("tokenizer",),
        default_model="MoritzLaurer/DeBERTa-v3-xsmall-mnli-fever-anli-ling-binary",
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
    *GENERATING,
    *TABLES,
)
