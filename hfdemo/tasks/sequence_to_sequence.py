"""Encoders with decoders, which write one text after reading another, without a pipeline."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.auto_classes.generation import rewrite, summarize, translate
from hfdemo.tasks.common_fields import count, share
from hfdemo.tasks.explanations import explain_first_token
from hfdemo.tasks.field import Field
from hfdemo.tasks.pipeline_args import chosen
from hfdemo.tasks.task import Call, Task

TEXT = Field("text", "text", "Text", "what the model reads; what is beyond its limit is cut off")
MAX_NEW_TOKENS = count("max_new_tokens", "where the text ends at the latest; left out: 256")
MAX_LENGTH = count("max_length", "the same, with the decoder's start token counted")
MIN_LENGTH = count("min_length", "tokens before which the text can't end", minimum=0)
NUM_BEAMS = count("num_beams", "texts that are followed side by side; left out: as the checkpoint says", maximum=16)
LENGTH_PENALTY = Field(
    "length_penalty",
    "number",
    "length_penalty",
    "with beams: above 0 prefers long texts, below 0 short ones",
    default=None,
    minimum=-10,
    maximum=10,
    whole=False,
)
DO_SAMPLE = Field("do_sample", "flag", "do_sample", "draw tokens by their odds, instead of the likeliest", False)


def _call_to_generate(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Call:
    """What generate() is asked for; do_sample always, as a checkpoint may have another default."""
    given = {**chosen(parameters), "do_sample": parameters["do_sample"]}
    shortest, longest = given.get("min_length"), given.get("max_length")
    if shortest is not None and longest is not None and shortest > longest:
        raise DemoError(f"min_length is {shortest}, but max_length only {longest}. Lower the one or raise the other.")
    if "max_length" in given and "max_new_tokens" in given:
        raise DemoError("max_length and max_new_tokens both say where the text ends. Set one of them.")
    return Call((inputs["text"],), given)


SUMMARIZATION = Task(
    name="summarization",
    title="Summarization",
    group="Through Auto classes",
    summary=(
        "Writes a short version of a text. Encoder and decoder: the one reads all of it, the other writes token by "
        "token. `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(TEXT,),
    parameters=(MAX_NEW_TOKENS, MAX_LENGTH, MIN_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    call=_call_to_generate,
    by_hand=summarize,
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
    stream=lambda inputs, parameters, text: [{"summary_text": text}],
    retired=True,
)


def _languages(loaded: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The source and target languages that a model lets one choose, by the names that its tokenizer has for them."""
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

    sources, targets = _languages(loaded)
    return {"src_lang": narrowed(SRC_LANG, sources), "tgt_lang": narrowed(TGT_LANG, targets)}


SRC_LANG = Field(
    "src_lang", "text", "src_lang", "for a model of many languages, that of the text, by its code", default=None
)
TGT_LANG = Field(
    "tgt_lang",
    "text",
    "tgt_lang",
    "for a model of many languages, the one to translate into, by its code",
    default=None,
)

TRANSLATION = Task(
    name="translation",
    title="Translation",
    group="Through Auto classes",
    summary=(
        "Writes a text in another language. A model of many languages is told which by its first token "
        "(`forced_bos_token_id`). `AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(TEXT,),
    parameters=(SRC_LANG, TGT_LANG, MAX_NEW_TOKENS, MAX_LENGTH, NUM_BEAMS, LENGTH_PENALTY, DO_SAMPLE),
    output="text",
    call=_call_to_generate,
    by_hand=translate,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="Helsinki-NLP/opus-mt-en-de",
    examples=({"text": "The ferry leaves at seven."}, {"text": "Attention is all you need."}),
    explain=explain_first_token,
    stream=lambda inputs, parameters, text: [{"translation_text": text}],
    narrow=_narrow_translation,
    retired=True,
)


TEXT_TO_TEXT = Task(
    name="text2text-generation",
    title="Text to text",
    group="Through Auto classes",
    summary=(
        "Answers an instruction with an encoder and a decoder, as T5 does for any task that can be put into words. "
        "`AutoModelForSeq2SeqLM.from_pretrained(...).generate(**tokenizer(text))`"
    ),
    inputs=(TEXT,),
    parameters=(
        MAX_NEW_TOKENS,
        MAX_LENGTH,
        MIN_LENGTH,
        NUM_BEAMS,
        LENGTH_PENALTY,
        Field(
            "repetition_penalty",
            "number",
            "repetition_penalty",
            "above 1 makes what was said before less likely",
            default=None,
            minimum=0.1,
            maximum=10,
            whole=False,
        ),
        DO_SAMPLE,
        Field(
            "temperature",
            "number",
            "temperature",
            "with do_sample: below 1 favours the likely tokens, above 1 the others",
            default=None,
            minimum=0.01,
            maximum=10,
            whole=False,
        ),
        count("top_k", "with do_sample: tokens to draw from"),
        replace(share("top_p", "with do_sample: draw from the likeliest tokens that add up to this"), minimum=0.01),
    ),
    output="text",
    call=_call_to_generate,
    by_hand=rewrite,
    classes=("AutoModelForSeq2SeqLM",),
    processors=("tokenizer",),
    default_model="google/flan-t5-small",
    examples=(
        {"text": "Answer the question: which is heavier, a kilogram of iron or two kilograms of feathers?"},
        {"text": "Rewrite in plain words: the aforementioned vessel departs at 07:00 hours."},
    ),
    explain=explain_first_token,
    stream=lambda inputs, parameters, text: [{"generated_text": text}],
    retired=True,
)
