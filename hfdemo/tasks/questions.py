"""Questions about a text or a picture, without a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.by_hand.questions import answer_about_image, answer_question
from hfdemo.tasks.calling import chosen
from hfdemo.tasks.common_fields import QUESTION, count
from hfdemo.tasks.explaining import MOST_ROWS, explain_first_token, explain_ranking
from hfdemo.tasks.field import Field
from hfdemo.tasks.media_examples import MEDIA
from hfdemo.tasks.task import Call, Explanation, Task

# --- Question answering ---------------------------------------------------------------------------------------------


def _call_question(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    length, stride = parameters["max_seq_len"], parameters["doc_stride"]
    if length is not None and stride is not None and stride >= length:
        raise DemoError(
            f"Windows of {length} tokens can't overlap by {stride}. Make doc_stride smaller than max_seq_len."
        )
    return Call(
        (inputs["question"], inputs["context"]), {**chosen(parameters), "align_to_words": parameters["align_to_words"]}
    )


def _explain_answer(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    """The likeliest starts and ends in the window that the best answer comes from."""
    import torch

    tokenizer, windows = loaded.tokenizer, inputs["input_ids"]
    # The context begins after the question's separator; what stands between and behind is special too.
    separator = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
    special = torch.isin(windows, torch.tensor(tokenizer.all_special_ids))
    read = ((windows == separator).cumsum(-1) > 0) & ~special
    read[:, 0] = tokenizer.cls_token is not None
    logits = [outputs[name].float().masked_fill(~read, -torch.inf) for name in ("start_logits", "end_logits")]
    starts, ends = (each.softmax(-1) for each in logits)
    spans = (starts[:, :, None] * ends[:, None, :]).triu().tril((parameters["max_answer_len"] or 15) - 1)
    spans[:, 0] = 0
    window, first, last = (int(each) for each in torch.unravel_index(spans.argmax(), spans.shape))
    places = {first, last}
    for chance in torch.stack([starts[window], ends[window]]).max(0).values.argsort(descending=True).tolist():
        if len(places) < min(MOST_ROWS, int(read[window].sum())):
            places.add(chance)
    tokens = tokenizer.convert_ids_to_tokens(windows[window].tolist())
    of = f" in window {window + 1} of {len(windows)}" if len(windows) > 1 else ""
    return Explanation(
        f"Two logits for each token of the context, start and end; `softmax` over each. The best span{of} runs from "
        f"token {first} to token {last}: P(start) × P(end) = {spans[window, first, last]:.4f}. "
        f"Token 0 stands for no answer.",
        ("position", "token", "start logit", "P(start)", "end logit", "P(end)"),
        tuple(
            (
                place,
                tokens[place],
                logits[0][window, place].item(),
                starts[window, place].item(),
                logits[1][window, place].item(),
                ends[window, place].item(),
            )
            for place in sorted(places)
        ),
    )


QUESTION_ANSWERING = Task(
    name="question-answering",
    title="Question answering",
    group="Through Auto classes",
    summary=(
        "Marks the span of a text that answers a question; a long text is read in windows that overlap. "
        "`AutoModelForQuestionAnswering.from_pretrained(...)(**tokenizer(question, context))`, then the best span"
    ),
    inputs=(QUESTION, Field("context", "text", "Context", "the text that holds the answer")),
    parameters=(
        count("top_k", "answers to return; left out: the best one", maximum=100),
        count("max_answer_len", "tokens of the longest answer; left out: 15", maximum=512),
        count("max_seq_len", "tokens of a window; left out: 384"),
        count(
            "doc_stride",
            "tokens by which two windows overlap, at most half of the room for the context; left out: 128",
            minimum=0,
        ),
        Field(
            "handle_impossible_answer",
            "flag",
            "handle_impossible_answer",
            "count no answer as an answer: an empty text, with the score of the first token",
            default=False,
        ),
        Field("align_to_words", "flag", "align_to_words", "widen an answer to whole words", default=True),
    ),
    output="answers",
    call=_call_question,
    by_hand=answer_question,
    classes=("AutoModelForQuestionAnswering",),
    processors=("tokenizer",),
    default_model="distilbert/distilbert-base-uncased-distilled-squad",
    examples=(
        {
            "question": "Where was Ada Lovelace born?",
            "context": "Ada Lovelace was born in London in 1815. She wrote a program for a machine that was never "
            "built, and saw that such machines might one day compose music.",
        },
        {
            "question": "When does the ferry leave?",
            "context": "The island can be reached by ferry. It leaves at seven in the morning and takes an hour.",
            "top_k": 3,
        },
    ),
    explain=_explain_answer,
    retired=True,
)


# --- About a picture --------------------------------------------------------------------------------------------------


def _call_question_about_image(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    return Call((inputs["image"], inputs["question"]), chosen(parameters))


def _explain_answer_about_image(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    if loaded.model.can_generate():
        return explain_first_token(loaded, inputs, outputs, parameters)
    logits = outputs["logits"][0].float()
    said = (
        f"The head gives one logit for each of the {len(logits):,} answers that it was trained on. `sigmoid(logit)` "
        "scores each for itself, as several may be right: the scores don't add up to 1."
    )
    return explain_ranking(said, ("answer", "logit", "sigmoid"), loaded.model.config.id2label, logits, logits.sigmoid())


def _narrow_answers(loaded: Any) -> Mapping[str, Field | str]:
    return {"top_k": "this model writes one answer."} if loaded.model.can_generate() else {}


VISUAL_QUESTION_ANSWERING = Task(
    name="visual-question-answering",
    title="Visual question answering",
    group="Through Auto classes",
    summary=(
        "Answers a question about an image with one of the answers it was trained on (ViLT). "
        "`AutoModelForVisualQuestionAnswering.from_pretrained(...)(**tokenizer(question), **image_processor(image))`"
    ),
    inputs=(Field("image", "image", "Image", "the picture to ask about"), QUESTION),
    parameters=(count("top_k", "answers to return; left out: 5", maximum=1000),),
    output="answers",
    call=_call_question_about_image,
    by_hand=answer_about_image,
    classes=("AutoModelForVisualQuestionAnswering",),
    processors=("tokenizer", "image_processor"),
    default_model="dandelin/vilt-b32-finetuned-vqa",
    examples=(
        {"image": MEDIA / "desk.png", "question": "What is on the desk?"},
        {"image": MEDIA / "desk.png", "question": "What colour is the lamp?"},
    ),
    explain=_explain_answer_about_image,
    narrow=_narrow_answers,
    retired=True,
)
