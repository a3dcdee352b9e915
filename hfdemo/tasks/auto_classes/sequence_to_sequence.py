"""A text in; another one, written by a decoder that reads an encoder's states, out."""

from __future__ import annotations

from typing import Any


def summarize(
    model: Any,
    tokenizer: Any,
    text: str,
    max_new_tokens: int | None = None,
    max_length: int | None = None,
    min_length: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    do_sample: bool = False,
) -> list[dict[str, str]]:
    """Summarise a text: text to tokens, tokens to the tokens of a summary, those to text."""
    import torch

    # A T5 says in its config what to write before the text, and how it was tuned to generate.
    settings = dict((getattr(model.config, "task_specific_params", None) or {}).get("summarization", {}))
    prefix = settings.pop("prefix", "")
    asked: dict[str, Any] = {"max_new_tokens": max_new_tokens, "max_length": max_length, "min_length": min_length}
    asked |= {"num_beams": num_beams, "length_penalty": length_penalty, "do_sample": do_sample}
    settings |= {name: value for name, value in asked.items() if value is not None}
    if max_new_tokens:
        settings.pop("max_length", None)
    elif "max_length" not in settings and not model.generation_config.max_length:
        settings.setdefault("max_new_tokens", model.generation_config.max_new_tokens or 256)
    inputs = tokenizer(prefix + text, truncation=True, return_token_type_ids=False, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**inputs.to(model.device), **settings)
    return [{"summary_text": tokenizer.decode(tokens[0], skip_special_tokens=True)}]


def translate(
    model: Any,
    tokenizer: Any,
    text: str,
    src_lang: str | None = None,
    tgt_lang: str | None = None,
    max_new_tokens: int | None = None,
    max_length: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    do_sample: bool = False,
) -> list[dict[str, str]]:
    """Translate a text: text to tokens, tokens to tokens of the other language, those to text."""
    import torch

    settings: dict[str, Any] = {}
    prefix, source = "", None
    known = getattr(model.config, "task_specific_params", None) or {}
    pairs = [name for name in known if name.startswith(f"translation_{src_lang or ''}")]
    pairs = [name for name in pairs if name.endswith(tgt_lang or "")]
    if pairs:  # T5: an instruction before the text, such as "translate English to German: "
        settings = dict(known[pairs[0]])
        prefix = settings.pop("prefix", "")
    elif hasattr(tokenizer, "src_lang"):  # NLLB, mBART, M2M100: a token for each language
        source, target = src_lang or tokenizer.src_lang, tgt_lang or tokenizer.init_kwargs.get("tgt_lang")
        if target:
            settings["forced_bos_token_id"] = getattr(tokenizer, "get_lang_id", tokenizer.convert_tokens_to_ids)(target)
        elif model.generation_config.forced_bos_token_id is None:
            raise ValueError("This model translates into many languages. Choose one with tgt_lang.")
    elif tgt_lang:  # Marian with several target languages
        prefix = f">>{tgt_lang}<< "
    asked: dict[str, Any] = {"max_new_tokens": max_new_tokens, "max_length": max_length, "num_beams": num_beams}
    asked |= {"length_penalty": length_penalty, "do_sample": do_sample}
    settings |= {name: value for name, value in asked.items() if value is not None}
    if max_new_tokens:
        settings.pop("max_length", None)
    elif "max_length" not in settings and not model.generation_config.max_length:
        settings.setdefault("max_new_tokens", model.generation_config.max_new_tokens or 256)
    usual = getattr(tokenizer, "src_lang", None)
    if source:
        tokenizer.src_lang = source
    inputs = tokenizer(prefix + text, truncation=True, return_token_type_ids=False, return_tensors="pt")
    if source:
        tokenizer.src_lang = usual  # the next text may be in another language
    with torch.no_grad():
        tokens = model.generate(**inputs.to(model.device), **settings)
    return [{"translation_text": tokenizer.decode(tokens[0], skip_special_tokens=True)}]


def rewrite(
    model: Any,
    tokenizer: Any,
    text: str,
    max_new_tokens: int | None = None,
    max_length: int | None = None,
    min_length: int | None = None,
    num_beams: int | None = None,
    length_penalty: float | None = None,
    repetition_penalty: float | None = None,
    do_sample: bool = False,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
) -> list[dict[str, str]]:
    """Generate a text from another one: text to tokens, tokens to tokens, those to text."""
    import torch

    asked: dict[str, Any] = {"max_new_tokens": max_new_tokens, "max_length": max_length, "min_length": min_length}
    asked |= {"num_beams": num_beams, "length_penalty": length_penalty, "repetition_penalty": repetition_penalty}
    asked |= {"do_sample": do_sample, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    settings = {name: value for name, value in asked.items() if value is not None}
    if "max_length" not in settings and not model.generation_config.max_length:
        settings.setdefault("max_new_tokens", model.generation_config.max_new_tokens or 256)
    inputs = tokenizer(text, truncation=True, return_token_type_ids=False, return_tensors="pt")
    with torch.no_grad():
        tokens = model.generate(**inputs.to(model.device), **settings)
    return [{"generated_text": tokenizer.decode(tokens[0], skip_special_tokens=True)}]
