"""The tasks that write text or read their answer off the next token: causal models, and encoders with decoders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.generation import (
    generate_text,
    generate_text_from_text,
    make_decision,
    summarize,
    translate,
)
from hfdemo.tasks.explanations import NO_LIMIT, explain_first_token, explain_next_token
from hfdemo.tasks.field import Field, fraction, parameter, real_number, whole_number
from hfdemo.tasks.task import Explanation, PipelineCall, Task, drop_unset_parameters

# --- text-generation --------------------------------------------------------------------------------------------------

_MAX_NEW_TOKENS = whole_number(
    "max_new_tokens",
    "the most tokens to write; left out: what the model's generation config says, else 256",
    maximum=4096,
)


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
        return [{"generated_text": [*messages[:-1], {**last, "content": last["content"] + text}]}]
    return [{"generated_text": [*messages, {"role": "assistant", "content": text}]}]


def _narrow_generation(loaded: Any) -> Mapping[str, Field | str]:
    longest = loaded.tokenizer.model_max_length
    if longest > NO_LIMIT:
        return {"handle_long_generation": "its tokenizer states no longest text."}
    return {"max_new_tokens": replace(_MAX_NEW_TOKENS, maximum=min(4096, longest - 1))}


TEXT_GENERATION = Task(
    name="text-generation",
    title="Text generation",
    group="Text",
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
        _MAX_NEW_TOKENS,
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
    narrow_parameters=_narrow_generation,
    classes=("AutoModelForCausalLM",),
    processors=("tokenizer",),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
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
    title="Decision",
    group="Text",
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

# --- summarization, translation, text2text-generation: encoders with decoders, without a pipeline ---------------------

_SEQ2SEQ_TEXT = Field("text", "text", "Text", "what the model reads; what is beyond its limit is cut off")
_SEQ2SEQ_MAX_NEW_TOKENS = whole_number("max_new_tokens", "where the text ends at the latest; left out: 256")
MAX_LENGTH = whole_number("max_length", "the same, with the decoder's start token counted")
MIN_LENGTH = whole_number("min_length", "tokens before which the text can't end", minimum=0)
NUM_BEAMS = whole_number(
    "num_beams", "texts that are followed side by side; left out: as the checkpoint says", maximum=16
)
LENGTH_PENALTY = real_number(
    "length_penalty", "with beams: above 0 prefers long texts, below 0 short ones", minimum=-10, maximum=10
)
DO_SAMPLE = parameter("do_sample", "flag", "draw tokens by their odds, instead of the likeliest", False)


def _check_lengths(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse lengths that contradict each other; not every row has all three."""
    shortest, longest = parameters.get("min_length"), parameters.get("max_length")
    if shortest is not None and longest is not None and shortest > longest:
        raise DemoError(f"min_length is {shortest}, but max_length only {longest}. Lower the one or raise the other.")
    if longest is not None and parameters["max_new_tokens"] is not None:
        raise DemoError("max_length and max_new_tokens both say where the text ends. Set one of them.")


SUMMARIZATION = Task(
    name="summarization",
    title="Summarization",
    group="Other text and image tasks",
    summary=(
        "Writes a short version of a text. Encoder and decoder: the one reads all of it, the other writes token by "
        "token. `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_SEQ2SEQ_TEXT,),
    parameters=(_SEQ2SEQ_MAX_NEW_TOKENS, MAX_LENGTH, MIN_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    validate=_check_lengths,
    auto_class_form=summarize,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="sshleifer/distilbart-cnn-6-6",
    examples=(
        {
            "text": "The harbour of the island froze over on Tuesday for the first time in forty years. Ferries stayed "
            "at the pier, and the baker, who gets his flour from the mainland, closed at noon. On Wednesday two "
            "fishermen walked across the ice with sledges and came back with flour, post and medicine. The council "
            "has asked the coast guard for an icebreaker, which is expected on Friday morning."
        },
    ),
    explain=explain_first_token,
    partial_output=lambda inputs, parameters, text: [{"summary_text": text}],
    has_pipeline=False,
)


SRC_LANG = parameter("src_lang", "text", "for a model of many languages, that of the text, by its code")
TGT_LANG = parameter("tgt_lang", "text", "for a model of many languages, the one to translate into, by its code")


def _language_choices(loaded: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the source and target languages that a model lets one choose, by its tokenizer's names for them."""
    tokenizer = loaded.tokenizer
    if codes := getattr(tokenizer, "supported_language_codes", None):
        return (), tuple(sorted(code.strip("<>") for code in codes))
    if hasattr(tokenizer, "src_lang"):
        by_code = getattr(tokenizer, "lang_code_to_token", None) or getattr(tokenizer, "lang_code_to_id", None)
        # NLLB keeps its languages, eng_Latn and the like, among the special tokens.
        named = by_code or [
            code for code in tokenizer.all_special_tokens if re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", code)
        ]
        return tuple(sorted(named)), tuple(sorted(named))
    pairs = re.findall(
        r"translation_(\w+?)_to_(\w+)", " ".join(getattr(loaded.model.config, "task_specific_params", None) or {})
    )
    return tuple(sorted({source for source, _ in pairs})), tuple(sorted({target for _, target in pairs}))


def _narrow_translation(loaded: Any) -> Mapping[str, Field | str]:
    def narrowed(field: Field, languages: tuple[str, ...]) -> Field | str:
        if not languages:
            return "this model leaves no choice of it."
        return replace(field, kind="choice", choices=languages)

    sources, targets = _language_choices(loaded)
    return {"src_lang": narrowed(SRC_LANG, sources), "tgt_lang": narrowed(TGT_LANG, targets)}


TRANSLATION = Task(
    name="translation",
    title="Translation",
    group="Other text and image tasks",
    summary=(
        "Writes a text in another language. A model of many languages is told which by its first token "
        "(`forced_bos_token_id`). `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_SEQ2SEQ_TEXT,),
    parameters=(SRC_LANG, TGT_LANG, _SEQ2SEQ_MAX_NEW_TOKENS, MAX_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    validate=_check_lengths,
    auto_class_form=translate,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="Helsinki-NLP/opus-mt-en-de",
    examples=({"text": "The ferry leaves at seven."}, {"text": "Attention is all you need."}),
    explain=explain_first_token,
    partial_output=lambda inputs, parameters, text: [{"translation_text": text}],
    narrow_parameters=_narrow_translation,
    has_pipeline=False,
)


TEXT_TO_TEXT = Task(
    name="text2text-generation",
    title="Text to text",
    group="Other text and image tasks",
    summary=(
        "Answers an instruction with an encoder and a decoder, as T5 does for any task that can be put into words. "
        "`AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_SEQ2SEQ_TEXT,),
    parameters=(
        _SEQ2SEQ_MAX_NEW_TOKENS,
        MAX_LENGTH,
        MIN_LENGTH,
        NUM_BEAMS,
        LENGTH_PENALTY,
        real_number("repetition_penalty", "above 1 makes what was said before less likely", minimum=0.1, maximum=10),
        DO_SAMPLE,
        real_number(
            "temperature",
            "with do_sample: below 1 favours the likely tokens, above 1 the others",
            minimum=0.01,
            maximum=10,
        ),
        whole_number("top_k", "with do_sample: tokens to draw from"),
        replace(fraction("top_p", "with do_sample: draw from the likeliest tokens that add up to this"), minimum=0.01),
    ),
    output="text",
    validate=_check_lengths,
    auto_class_form=generate_text_from_text,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="google/flan-t5-small",
    examples=(
        {"text": "Answer the question: which is heavier, a kilogram of iron or two kilograms of feathers?"},
        {"text": "Rewrite in plain words: the aforementioned vessel departs at 07:00 hours."},
    ),
    explain=explain_first_token,
    partial_output=lambda inputs, parameters, text: [{"generated_text": text}],
    has_pipeline=False,
)


TASKS = (TEXT_GENERATION, DECISION, SUMMARIZATION, TRANSLATION, TEXT_TO_TEXT)
