"""Questions about a scanned page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.by_hand.documents import answer_from_document
from hfdemo.tasks.calling import chosen
from hfdemo.tasks.common_fields import IMAGE, count
from hfdemo.tasks.explaining import MOST_ROWS, explain_first_token
from hfdemo.tasks.field import Field
from hfdemo.tasks.media_examples import MEDIA
from hfdemo.tasks.requirements import TESSERACT
from hfdemo.tasks.task import Call, Explanation, Task

_DOCUMENT_PARAMETERS = (
    count("top_k", "answers to return; left out: 1", maximum=100),
    count("max_answer_len", "tokens in an answer at most; left out: 15"),
    count("max_seq_len", "tokens in a window of the document; left out: as many as the model can read", minimum=16),
    count("doc_stride", "tokens that two windows share; left out: half a window, 256 at most"),
    Field("lang", "text", "lang", "the document's language for Tesseract, such as eng or deu", default=None),
    Field(
        "handle_impossible_answer",
        "flag",
        "handle_impossible_answer",
        "an empty answer counts too, where the model finds none",
        False,
    ),
)

_RECEIPT = {
    "image": MEDIA / "receipt.png",
    "word_boxes": json.loads((MEDIA / "receipt.json").read_text(encoding="utf-8")),  # so that it needs no Tesseract
}


def _call_with_document(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    words = {} if inputs["word_boxes"] is None else {"word_boxes": inputs["word_boxes"]}
    return Call((), {"image": inputs["image"], "question": inputs["question"], **words, **chosen(parameters)})


def _adapt_document(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as they are, for a model that the pipeline knows how to ask."""
    model = loaded.model
    # Donut's Auto class knows chat models too, which take a prompt that is not this one.
    if model.config.model_type != "vision-encoder-decoder" and not type(model).__name__.endswith(
        "ForQuestionAnswering"
    ):
        raise DemoError(
            f"{loaded.ref} is a {type(model).__name__}, which neither points at words nor reads pages as Donut does. "
            "Choose another model, or ask this one in image-text-to-text."
        )
    return dict(inputs)


def _explain_document(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    if "start_logits" not in outputs:
        return explain_first_token(loaded, inputs, outputs, parameters)
    start, end = outputs["start_logits"][0].float(), outputs["end_logits"][0].float()
    tokens = loaded.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    best = (start.softmax(-1) + end.softmax(-1)).argsort(descending=True)[:MOST_ROWS].tolist()
    return Explanation(
        "Each token of the first window has one `start_logits` and one `end_logits`: the answer goes from the "
        "likeliest first word of the document to the likeliest last.",
        ("token", "start logit", "end logit"),
        tuple((tokens[index], start[index].item(), end[index].item()) for index in best),
    )


def _narrow_document(loaded: Any) -> Mapping[str, Field | str]:
    if loaded.model.config.model_type != "vision-encoder-decoder":
        return {}
    reason = "this model writes its answer instead of pointing at words."
    return dict.fromkeys((field.name for field in _DOCUMENT_PARAMETERS), reason)


DOCUMENT_QUESTION_ANSWERING = Task(
    name="document-question-answering",
    title="Document question answering",
    group="Several kinds together",
    summary=(
        "Answers a question from a scanned page: LayoutLM reads the words and where they stand (from Tesseract, or "
        'your word boxes), Donut the pixels. `pipeline("document-question-answering", model=...)(image, question)`'
    ),
    inputs=(
        replace(IMAGE, help="a scanned or photographed page"),
        Field("question", "text", "Question", "what you want to know from the document"),
        Field(
            "word_boxes",
            "boxes",
            "Word boxes",
            'the words and where they stand, from 0 to 1000: [["Total", [80, 510, 160, 530]], ...]',
            default=None,
        ),
    ),
    parameters=_DOCUMENT_PARAMETERS,
    output="answers",
    call=_call_with_document,
    by_hand=answer_from_document,
    classes=("AutoModelForDocumentQuestionAnswering", "AutoModelForImageTextToText"),  # the second knows Donut
    processors=("tokenizer", "image_processor?"),
    default_model="impira/layoutlm-document-qa",
    examples=(
        {**_RECEIPT, "question": "What is the total?"},
        {**_RECEIPT, "question": "Who served?", "top_k": 3},
    ),
    explain=_explain_document,
    narrow=_narrow_document,
    adapt=_adapt_document,
    requires=(TESSERACT,),
)
