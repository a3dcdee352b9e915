"""The tasks of causal models, which write text token by token or read their answer off the next token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.generation import (
    generate_text,
    make_decision,
)
from hfdemo.tasks.context_limits import MAX_NEW_TOKENS, fit_context, narrow_generation
from hfdemo.tasks.explanations import explain_first_token, explain_next_token
from hfdemo.tasks.field import Field, fraction, parameter, real_number, whole_number
from hfdemo.tasks.messages import find_control_tokens, flatten_parts, join_text, reads_parts
from hfdemo.tasks.targets import find_next_token
from hfdemo.tasks.task import Explanation, PipelineCall, Task, drop_unset_parameters

# --- text-generation --------------------------------------------------------------------------------------------------


def _call_generation(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    text, messages = inputs["text"], inputs["messages"]
    if (text is None) == (messages is None):
        found = "neither was sent" if text is None else "both were sent"
        raise DemoError(
            f"Text generation takes either a text or messages, but {found}. "
            "Send a text to be continued, or the messages of a conversation to be answered."
        )
    kwargs = drop_unset_parameters(parameters)
    if "do_sample" in kwargs:
        kwargs["do_sample"] = kwargs["do_sample"] == "true"
    if not kwargs.pop("return_full_text", False):  # left out, the pipeline returns it
        kwargs["return_full_text"] = False
    return PipelineCall((text if messages is None else messages,), kwargs)


def _stream_generation(inputs: Mapping[str, Any], parameters: Mapping[str, Any], text: str) -> Any:
    messages = inputs["messages"]
    if not parameters["return_full_text"]:
        return [{"generated_text": text}]
    if messages is None:
        return [{"generated_text": inputs["text"] + text}]
    last = messages[-1]
    if last["role"] == "assistant":
        return [{"generated_text": [*messages[:-1], {**last, "content": join_text(last) + text}]}]
    return [{"generated_text": [*messages, {"role": "assistant", "content": text}]}]


def _adapt_messages(loaded: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Join the parts of messages for a template that takes content as one text."""
    messages, template = inputs.get("messages"), getattr(loaded.tokenizer, "chat_template", None)
    if messages is None or not isinstance(template, str) or reads_parts(template):
        return {**inputs}
    return {**inputs, "messages": flatten_parts(messages)}


def _warn_of_control_tokens(loaded: Any, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Iterator[str]:
    yield from find_control_tokens(inputs.get("messages") or (), loaded.tokenizer)


TEXT_GENERATION = Task(
    name="text-generation",
    title="Text generation",
    group="Text",
    subtitle="Continues a text, or answers in a chat",
    summary=(
        "Continues a text token by token, or writes the next turn of a conversation with a model that has a chat "
        'template. `pipeline("text-generation", model=...)(text_or_messages, max_new_tokens=60)`'
    ),
    inputs=(
        Field("text", "text", "Text", "a text to be continued", default=None),
        Field(
            "messages",
            "messages",
            "Messages",
            "a conversation to be answered: all turns so far, yours last",
            default=None,
        ),
    ),
    parameters=(
        MAX_NEW_TOKENS,
        parameter(
            "do_sample",
            "choice",
            "true draws each token, false takes the likeliest; left out: what the model's config says, else true",
            choices=("true", "false"),
        ),
        real_number(
            "temperature",
            "divides the logits before a token is drawn: below 1 is safer, above 1 wilder; left out: 0.7",
            minimum=0.01,
            maximum=10,
        ),
        fraction("top_p", "draw among the likeliest tokens that together have this probability"),
        whole_number("top_k", "draw among this many of the likeliest tokens"),
        real_number(
            "repetition_penalty",
            "above 1 makes tokens that were there before less likely",
            minimum=0.01,
            maximum=10,
        ),
        whole_number("num_beams", "follow this many continuations side by side and keep the likeliest", maximum=16),
        parameter("return_full_text", "flag", "the prompt comes back before the new text", True),
        parameter("stop_sequence", "text", "stop once these characters were written"),
        parameter(
            "handle_long_generation",
            "choice",
            "hole cuts off the beginning of a prompt that leaves no room for the new tokens",
            choices=("hole",),
        ),
    ),
    output="chat",
    auto_class_form=generate_text,
    pipeline_call=_call_generation,
    explain=explain_first_token,
    partial_output=_stream_generation,
    narrow_parameters=narrow_generation,
    adapt_inputs=_adapt_messages,
    fit_length=fit_context,
    warn=_warn_of_control_tokens,
    find_target=find_next_token,
    classes=("AutoModelForCausalLM",),
    processors=("tokenizer",),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    untrained_model="untrained:embedded:tiny-llama",
    examples=(
        {"messages": [{"role": "user", "content": "What does a tokenizer do? Answer in one sentence."}]},
        {"text": "A tokenizer, a model and some arithmetic are all it takes to", "max_new_tokens": 40},
    ),
)

# --- decision ---------------------------------------------------------------------------------------------------------


def _call_decision(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    from transformers.decision import DecisionConfig, parse_questions

    question, labels, questions = inputs["question"], inputs["candidate_labels"], inputs["questions"]
    if (question is None) == (questions is None):
        found = "neither was sent" if question is None else "both were sent"
        raise DemoError(f"A decision takes either one question or questions as JSON, but {found}. Fill one of them in.")
    if questions is None:
        criteria = {"type": "choice", "criteria": dict.fromkeys(labels)} if labels else {"type": "noul"}
        questions = {"answer": {**criteria, "instructions": question}}
    try:
        parse_questions(questions, DecisionConfig())
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DemoError(
            f"The questions can't be asked: {str(error).rstrip('.')}. Mend them and send them again."
        ) from error
    return PipelineCall(({"state": inputs["text"], "questions": questions},), {})


def _explain_decision(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    if "logits" not in outputs:
        return None
    where = "Where the first answer's label would be written"
    after = (
        " The answer takes the logits of the options' labels alone, `Yes` and `No` or `A`, `B`, `C`, to a new softmax."
    )
    return explain_next_token(loaded.tokenizer, outputs["logits"][0, 0], where, after)


DECISION = Task(
    name="decision",
    title="Decision: questions with options",
    group="Text",
    subtitle="Says how likely each option is, for questions about a text",
    summary=(
        "Answers questions about a text with a probability for every option, read off the next token's logits: "
        'nothing is generated. `pipeline("decision", model=...)({"state": text, "questions": {...}})`'
    ),
    inputs=(
        Field("text", "text", "Text", "what the questions are about"),
        Field(
            "question",
            "text",
            "Question",
            "one question; without labels it is answered with the probability of yes",
            default=None,
        ),
        Field("candidate_labels", "labels", "Labels", "the options to choose from", default=None),
        Field(
            "questions",
            "json",
            "Questions as JSON",
            'several at once, instead: {"urgency": {"type": "score", "instructions": "How urgent is it?", '
            '"criteria": ["can wait", "today"]}}; the types are choice, score and noul (yes or no)',
            default=None,
        ),
    ),
    parameters=(),
    output="labels",
    auto_class_form=make_decision,
    pipeline_call=_call_decision,
    explain=_explain_decision,
    classes=("AutoModelForDecision", "AutoModelForImageTextToText", "AutoModelForCausalLM"),
    processors=("tokenizer", "processor?"),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    untrained_model="untrained:embedded:tiny-llama",
    examples=(
        {"text": "I was charged twice for my order and want a refund.", "question": "Is a refund requested?"},
        {
            "text": "I was charged twice for my order and want a refund.",
            "question": "Which team should answer?",
            "candidate_labels": ["billing", "delivery", "technical support"],
        },
        {
            "text": "I was charged twice for my order and want a refund.",
            "questions": {
                "refund": {"type": "noul", "instructions": "Is a refund requested?"},
                "urgency": {
                    "type": "score",
                    "instructions": "How urgent is it?",
                    "criteria": ["It can wait", "This week", "Today"],
                },
            },
        },
    ),
)


TASKS = (TEXT_GENERATION, DECISION)
