"""The tasks of encoders with decoders, which read a text whole and write another; transformers has no pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.generation import generate_text_from_text, summarize, translate
from hfdemo.tasks.context_limits import DECODED_TOKENS, MAX_LENGTH, narrow_decoder
from hfdemo.tasks.explanations import explain_first_token
from hfdemo.tasks.field import Field, fraction, parameter, real_number, whole_number
from hfdemo.tasks.task import Task

_TEXT = Field("text", "text", "Text", "what the model reads; what is beyond its limit is cut off")
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
    group="Text",
    subtitle="Writes a short version of a text",
    summary=(
        "Writes a short version of a text. Encoder and decoder: the one reads all of it, the other writes token by "
        "token. `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_TEXT,),
    parameters=(DECODED_TOKENS, MAX_LENGTH, MIN_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    validate=_check_lengths,
    auto_class_form=summarize,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="sshleifer/distilbart-cnn-6-6",
    untrained_model="untrained:embedded:tiny-bart",
    examples=(
        {
            "text": "The harbour of the island froze over on Tuesday for the first time in forty years. Ferries stayed "
            "at the pier, and the baker, who gets his flour from the mainland, closed at noon. On Wednesday two "
            "fishermen walked across the ice with sledges and came back with flour, post and medicine. The council "
            "has asked the coast guard for an icebreaker, which is expected on Friday morning."
        },
    ),
    explain=explain_first_token,
    truncates=True,
    narrow_parameters=narrow_decoder,
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
    languages = {"src_lang": narrowed(SRC_LANG, sources), "tgt_lang": narrowed(TGT_LANG, targets)}
    return {**narrow_decoder(loaded), **languages}


TRANSLATION = Task(
    name="translation",
    title="Translation",
    group="Text",
    subtitle="Writes a text in another language",
    summary=(
        "Writes a text in another language. A model of many languages is told which by its first token "
        "(`forced_bos_token_id`). `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_TEXT,),
    parameters=(SRC_LANG, TGT_LANG, DECODED_TOKENS, MAX_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    validate=_check_lengths,
    auto_class_form=translate,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="Helsinki-NLP/opus-mt-en-de",
    untrained_model="untrained:embedded:tiny-bart",
    examples=({"text": "The ferry leaves at seven."}, {"text": "Attention is all you need."}),
    explain=explain_first_token,
    truncates=True,
    partial_output=lambda inputs, parameters, text: [{"translation_text": text}],
    narrow_parameters=_narrow_translation,
    has_pipeline=False,
)


TEXT_TO_TEXT = Task(
    name="text2text-generation",
    title="Text to text",
    group="Text",
    subtitle="Follows an instruction with a small model such as T5",
    summary=(
        "Answers an instruction with an encoder and a decoder, as T5 does for any task that can be put into words. "
        "`AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(_TEXT,),
    parameters=(
        DECODED_TOKENS,
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
    untrained_model="untrained:embedded:tiny-bart",
    examples=(
        {"text": "Answer the question: which is heavier, a kilogram of iron or two kilograms of feathers?"},
        {"text": "Rewrite in plain words: the aforementioned vessel departs at 07:00 hours."},
    ),
    explain=explain_first_token,
    truncates=True,
    narrow_parameters=narrow_decoder,
    partial_output=lambda inputs, parameters, text: [{"generated_text": text}],
    has_pipeline=False,
)


TASKS = (SUMMARIZATION, TRANSLATION, TEXT_TO_TEXT)
