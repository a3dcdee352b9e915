"""A question and a text or a picture in; answers out."""

from __future__ import annotations

from typing import Any


def answer_question(
    model: Any,
    tokenizer: Any,
    question: str,
    context: str,
    top_k: int | None = None,
    max_answer_len: int | None = None,
    max_seq_len: int | None = None,
    doc_stride: int | None = None,
    handle_impossible_answer: bool = False,
    align_to_words: bool = True,
) -> dict[str, Any] | list[dict[str, Any]]:
    """Read the context in overlapping windows; the likeliest spans P(start) x P(end) as characters of the context."""
    import torch

    wanted, length = top_k or 1, min(max_seq_len or 384, tokenizer.model_max_length)
    around = len(tokenizer(question, add_special_tokens=False)["input_ids"]) + tokenizer.num_special_tokens_to_add(True)
    if length - around < 2:
        raise ValueError(f"The question takes {around} of {length} tokens and leaves no room to read. Shorten it.")
    windows = tokenizer(
        question,
        context,
        max_length=length,
        truncation="only_second",
        stride=min(128 if doc_stride is None else doc_stride, (length - around) // 2),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=tokenizer.pad_token is not None,
        return_tensors="pt",
    )
    windows.pop("overflow_to_sample_mapping")
    offsets = windows.pop("offset_mapping").tolist()
    with torch.no_grad():
        outputs = model(**windows.to(model.device))
    # An answer lies in the context; the first token, [CLS], stands for "there is none".
    read = torch.tensor([[part == 1 for part in windows.sequence_ids(window)] for window in range(len(offsets))])
    read[:, 0] = tokenizer.cls_token is not None
    logits = (outputs.start_logits, outputs.end_logits)
    starts, ends = (each.cpu().double().masked_fill(~read, -torch.inf).softmax(-1) for each in logits)

    found: dict[tuple[int, int], float] = {}
    for window, (start, end) in enumerate(zip(starts, ends, strict=True)):
        spans = torch.outer(start, end).triu().tril((max_answer_len or 15) - 1)  # start <= end, and not too long
        spans[0] = 0
        scores, cells = spans.flatten().topk(min(2 * wanted + 10, spans.numel()))
        for score, cell in zip(scores.tolist(), cells.tolist(), strict=True):
            first, last = divmod(cell, len(end))
            begin, stop = offsets[window][first][0], offsets[window][last][1]
            if align_to_words and score:
                begin = windows.word_to_chars(window, windows.token_to_word(window, first), 1).start
                stop = windows.word_to_chars(window, windows.token_to_word(window, last), 1).end
            if score:
                found[begin, stop] = max(score, found.get((begin, stop), 0.0))
    answers: list[dict[str, Any]] = [
        {"score": s, "start": b, "end": e, "answer": context[b:e]} for (b, e), s in found.items()
    ]
    if handle_impossible_answer:
        none = (starts[:, 0] * ends[:, 0]).min().item()
        answers.append({"score": none, "start": 0, "end": 0, "answer": ""})
    answers = sorted(answers, key=lambda each: -each["score"])[:wanted]
    return answers if wanted > 1 else answers[0]


def answer_about_image(
    model: Any, tokenizer: Any, image_processor: Any, image: Any, question: str, top_k: int | None = None
) -> list[dict[str, Any]]:
    """Words and patches of the image into one encoder; one score for each answer that it was trained on."""
    import torch

    inputs = tokenizer(question, truncation=True, return_tensors="pt").to(model.device)
    pixels = image_processor(images=image, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        if model.can_generate():  # BLIP writes its answer
            tokens = model.generate(**inputs, **pixels)
            return [{"answer": tokenizer.decode(tokens[0], skip_special_tokens=True).strip()}]
        logits = model(**inputs, **pixels).logits[0]
    scores, answers = logits.float().sigmoid().topk(min(top_k or 5, len(logits)))  # several answers may be right
    return [
        {"score": score, "answer": model.config.id2label[answer]}
        for score, answer in zip(scores.tolist(), answers.tolist(), strict=True)
    ]
