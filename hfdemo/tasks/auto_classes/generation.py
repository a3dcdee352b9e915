"""A text or a conversation in; its continuation, or decisions read off the next token, out."""

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


def decide(
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
