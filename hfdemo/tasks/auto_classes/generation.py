"""Text written token by token, by a causal model or by a decoder that reads an encoder, and next-token decisions."""

from __future__ import annotations

from typing import Any


def generate_text(
    model: Any,
    tokenizer: Any,
    text: str | None = None,
    messages: list[dict[str, Any]] | None = None,
    max_new_tokens: int | None = None,
    do_sample: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    repetition_penalty: float | None = None,
    num_beams: int | None = None,
    return_full_text: bool = True,
    stop_sequence: str | None = None,
    handle_long_generation: str | None = None,
) -> list[dict[str, Any]]:
    """Continue a text, or write the next turn of a conversation."""
    import torch

    # A conversation that ends with the assistant's turn is continued; any other is answered.
    continues = messages is None or messages[-1]["role"] == "assistant"
    if messages is None:
        inputs = tokenizer(text, return_tensors="pt")
    else:
        inputs = tokenizer.apply_chat_template(
            messages,
            add_generation_prompt=not continues,
            continue_final_message=continues,
            return_dict=True,
            return_tensors="pt",
        )

    asked = {
        "max_new_tokens": max_new_tokens,
        "do_sample": None if do_sample is None else do_sample == "true",
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "repetition_penalty": repetition_penalty,
        "num_beams": num_beams,
    }
    settings: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    # What neither the call nor the checkpoint decides: the pipeline samples 256 tokens at temperature 0.7.
    decided = {**model.generation_config.to_diff_dict(), **settings}
    defaults = {"do_sample": True, "pad_token_id": tokenizer.pad_token_id}
    if decided.get("do_sample", True):
        defaults["temperature"] = 0.7
    if "max_length" not in decided:
        defaults["max_new_tokens"] = 256
    settings.update({name: value for name, value in defaults.items() if name not in decided})
    if stop_sequence is not None:
        settings.update(stop_strings=[stop_sequence], tokenizer=tokenizer)

    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    new = {**decided, **settings}.get("max_new_tokens") or decided["max_length"] - ids.shape[1]
    if handle_long_generation == "hole" and ids.shape[1] + new > tokenizer.model_max_length:
        keep = tokenizer.model_max_length - new
        ids, mask = ids[:, -keep:], mask[:, -keep:]
    with torch.no_grad():
        output = model.generate(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), **settings)

    answer: Any = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    if return_full_text and messages is None:
        answer = f"{text}{answer}"
    elif return_full_text and messages is not None and continues:
        answer = [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + answer}]
    elif return_full_text and messages is not None:
        answer = [*messages, {"role": "assistant", "content": answer}]
    return [{"generated_text": answer}]


def make_decision(
    model: Any,
    tokenizer: Any,
    text: str,
    question: str | None = None,
    candidate_labels: list[str] | None = None,
    questions: dict[str, Any] | None = None,
    processor: Any = None,
) -> dict[str, Any]:
    """Answer questions about a text with a probability for every option, from one forward pass for each prompt."""
    import torch
    from transformers.decision import DecisionConfig, label_token_ids

    if questions is None:
        criteria = {"type": "choice", "criteria": dict.fromkeys(candidate_labels)} if candidate_labels else {}
        questions = {"answer": {"type": "noul", **criteria, "instructions": question}}
    config = getattr(model, "decision_config", None) or DecisionConfig.from_pretrained(model.name_or_path)
    request = {"state": text, "questions": questions}

    answers: dict[str, Any] = {}
    for inputs, asked in config.prepare_inputs(request, processor or tokenizer):
        if hasattr(model, "decide"):  # a head trained for decisions
            scores = model.decide(**inputs, decision_questions=asked, decision_config=config)
        else:  # any chat model: the logits of the options' labels, Yes and No or A, B, C, for the next token
            marks = inputs.pop("marks")
            inputs = {name: values.to(model.device) for name, values in inputs.items()}
            with torch.no_grad():
                logits = model(**inputs, use_cache=False, logits_to_keep=marks - 1).logits[0].float().cpu()
            labels = [label_token_ids(tokenizer, tuple(each.labels)) for each in asked]
            temperatures = [config.temperature.get(each.type, 1.0) for each in asked]
            scores = [logits[index, labels[index]] / temperatures[index] for index in range(len(asked))]
        answers |= {each.name: each.answer(row.softmax(-1).tolist()) for each, row in zip(asked, scores, strict=True)}
    return answers


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


def generate_text_from_text(
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
