"""Questions about a text, a picture, a table or a scanned page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.question_answering import (
    answer_about_image,
    answer_from_document,
    answer_from_table,
    answer_question,
)
from hfdemo.tasks.explanations import MOST_ROWS, explain_first_token, explain_ranking
from hfdemo.tasks.field import EXAMPLE_MEDIA, IMAGE, QUESTION, Field, parameter, whole_number
from hfdemo.tasks.task import TESSERACT, Explanation, PipelineCall, Task, TextPair, drop_unset_parameters

# --- Question answering ---------------------------------------------------------------------------------------------


def _check_windows(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    length, stride = parameters["max_seq_len"], parameters["doc_stride"]
    if length is not None and stride is not None and stride >= length:
        raise DemoError(
            f"Windows of {length} tokens can't overlap by {stride}. Make doc_stride smaller than max_seq_len."
        )


def _explain_answer(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    """List the likeliest starts and ends in the window that the best answer comes from."""
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
    group="Text",
    subtitle="Marks the answer to a question in a text",
    summary=(
        "Marks the span of a text that answers a question; a long text is read in windows that overlap. "
        "`AutoModelForQuestionAnswering.from_pretrained(...)(**tokenizer(question, context))`, then the best span"
    ),
    inputs=(QUESTION, Field("context", "text", "Context", "the text that holds the answer")),
    parameters=(
        whole_number("top_k", "answers to return; left out: the best one", maximum=100),
        whole_number("max_answer_len", "tokens of the longest answer; left out: 15", maximum=512),
        whole_number("max_seq_len", "tokens of a window; left out: 384"),
        whole_number(
            "doc_stride",
            "tokens by which two windows overlap, at most half of the room for the context; left out: 128",
            minimum=0,
        ),
        parameter(
            "handle_impossible_answer",
            "flag",
            "count no answer as an answer: an empty text, with the score of the first token",
            False,
        ),
        parameter("align_to_words", "flag", "widen an answer to whole words", True),
    ),
    pair=TextPair(("question", "context"), in_windows=True),
    output="answers",
    validate=_check_windows,
    auto_class_form=answer_question,
    classes=("AutoModelForQuestionAnswering",),
    processors=("tokenizer",),
    default_model="distilbert/distilbert-base-uncased-distilled-squad",
    untrained_model="untrained:embedded:minilm",
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
    has_pipeline=False,
)


# --- About a picture --------------------------------------------------------------------------------------------------


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
    group="Several kinds",
    subtitle="Answers a question about a picture in a word or two",
    summary=(
        "Answers a question about an image with one of the answers it was trained on (ViLT). "
        "`AutoModelForVisualQuestionAnswering.from_pretrained(...)(**tokenizer(question), **image_processor(image))`"
    ),
    inputs=(Field("image", "image", "Image", "the picture to ask about"), QUESTION),
    parameters=(whole_number("top_k", "answers to return; left out: 5", maximum=1000),),
    output="answers",
    auto_class_form=answer_about_image,
    classes=("AutoModelForVisualQuestionAnswering",),
    processors=("tokenizer", "image_processor"),
    default_model="dandelin/vilt-b32-finetuned-vqa",
    untrained_model="untrained:embedded:tiny-vilt",
    examples=(
        {"image": EXAMPLE_MEDIA / "desk.png", "question": "What is on the desk?"},
        {"image": EXAMPLE_MEDIA / "desk.png", "question": "What colour is the lamp?"},
    ),
    explain=_explain_answer_about_image,
    narrow_parameters=_narrow_answers,
    has_pipeline=False,
)


def _call_table(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    # A table that is too long loses its last rows without this pipeline being told.
    questions = [line.strip() for line in inputs["question"].splitlines() if line.strip()]
    return PipelineCall(
        (inputs["table"], questions if len(questions) > 1 else questions[0]), drop_unset_parameters(parameters)
    )


def _explain_table(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation:
    names = loaded.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    probabilities = outputs["logits"][0].float().sigmoid().tolist()
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (segment, column, row) in enumerate(inputs["token_type_ids"][0, :, :3].tolist()):
        if segment == 1 and column > 0 and row > 0:
            cells[row, column].append(index)
    means = {place: sum(probabilities[index] for index in found) / len(found) for place, found in cells.items()}
    best = sorted(means, key=lambda place: means[place], reverse=True)[:MOST_ROWS]
    aggregated = ""
    if "logits_aggregation" in outputs:
        index = int(outputs["logits_aggregation"][0].argmax())
        aggregated = f" A second head chose `{loaded.model.config.aggregation_labels[index]}` as what to do with them."
    return Explanation(
        "The model returned one logit per token. `sigmoid(logit)`, averaged over the tokens of a cell, is the cell's "
        f"probability: those above 0.5 are the answer. The surest are shown.{aggregated}",
        ("tokens of the cell", "row", "column", "probability"),
        tuple(
            (" ".join(names[index] for index in cells[place]), str(place[0]), str(place[1]), means[place])
            for place in best
        ),
    )


TABLE_QUESTION_ANSWERING = Task(
    name="table-question-answering",
    title="Table question answering",
    group="Table and document",
    subtitle="Answers a question with cells of a table",
    summary=(
        "Answers a question by picking cells of a table, and says whether to sum, average or count them. "
        '`pipeline("table-question-answering", model=...)(table, question)`'
    ),
    inputs=(
        Field("table", "table", "Table", "columns with a name each; every cell is read as text"),
        Field("question", "text", "Question", "one question, or several, each on its own line"),
    ),
    parameters=(
        parameter(
            "sequential",
            "flag",
            "ask one question after the other, each knowing the answer before; for models trained on conversations",
            False,
        ),
    ),
    pair=TextPair(("question", "table"), tokenizer_call="tokenizer(table, question)"),
    output="cells",
    auto_class_form=answer_from_table,
    pipeline_call=_call_table,
    explain=_explain_table,
    classes=("AutoModelForTableQuestionAnswering",),
    processors=("tokenizer",),
    default_model="google/tapas-small-finetuned-wtq",
    untrained_model="untrained:embedded:tiny-tapas",
    examples=(
        {
            "table": {
                "River": ["Rhine", "Danube", "Elbe", "Loire"],
                "Length in km": ["1233", "2850", "1094", "1006"],
                "Flows into": ["North Sea", "Black Sea", "North Sea", "Atlantic Ocean"],
            },
            "question": "Which river is the longest?",
        },
        {
            "table": {
                "City": ["Oslo", "Rome", "Lisbon"],
                "Inhabitants": ["709037", "2748109", "567131"],
            },
            "question": "How many inhabitants does Rome have?\nHow many cities are there?",
        },
    ),
)


_DOCUMENT_PARAMETERS = (
    whole_number("top_k", "answers to return; left out: 1", maximum=100),
    whole_number("max_answer_len", "tokens in an answer at most; left out: 15"),
    whole_number(
        "max_seq_len", "tokens in a window of the document; left out: as many as the model can read", minimum=16
    ),
    whole_number("doc_stride", "tokens that two windows share; left out: half a window, 256 at most"),
    parameter("lang", "text", "the document's language for Tesseract, such as eng or deu"),
    parameter("handle_impossible_answer", "flag", "an empty answer counts too, where the model finds none", False),
)

_RECEIPT = {
    "image": EXAMPLE_MEDIA / "receipt.png",
    "word_boxes": json.loads(
        (EXAMPLE_MEDIA / "receipt.json").read_text(encoding="utf-8")
    ),  # so that it needs no Tesseract
}


def _adapt_document(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs as they are, for a model that the pipeline knows how to ask."""
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
    group="Table and document",
    subtitle="Answers a question about a scanned page",
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
    pair=TextPair(("question", "words"), tokenizer_call="tokenizer(question, words, boxes=boxes)", in_windows=True),
    output="answers",
    auto_class_form=answer_from_document,
    classes=("AutoModelForDocumentQuestionAnswering", "AutoModelForImageTextToText"),  # the second knows Donut
    processors=("tokenizer", "image_processor?"),
    default_model="impira/layoutlm-document-qa",
    untrained_model="untrained:embedded:tiny-layoutlm",
    examples=(
        {**_RECEIPT, "question": "What is the total?"},
        {**_RECEIPT, "question": "Who served?", "top_k": 3},
    ),
    explain=_explain_document,
    narrow_parameters=_narrow_document,
    adapt_inputs=_adapt_document,
    requires=(TESSERACT,),
)

TASKS = (QUESTION_ANSWERING, TABLE_QUESTION_ANSWERING, DOCUMENT_QUESTION_ANSWERING, VISUAL_QUESTION_ANSWERING)
