"""A question and a text, a picture, a table or a scanned page in; answers out."""

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
    """Score each answer that the model was trained on: words and patches of the image go into one encoder."""
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


def answer_from_table(
    model: Any, tokenizer: Any, table: dict[str, list[str]], question: str, sequential: bool = False
) -> Any:
    """Pick the cells of a table that answer a question; for several questions, one on each line, list the answers."""
    import pandas as pd
    import torch

    frame = pd.DataFrame(table)
    questions = [line.strip() for line in question.splitlines() if line.strip()]
    inputs = tokenizer(frame, questions, truncation="drop_rows_to_fit", padding=True, return_tensors="pt")

    rows: list[Any] = []
    chosen: set[tuple[int, int] | None] = set()
    for index in range(len(questions)):
        row = {name: values[index : index + 1] for name, values in inputs.items()}
        types = row["token_type_ids"][0]
        places = [(column, line) if part and column and line else None for part, column, line in types[:, :3].tolist()]
        if sequential and rows:
            # The fourth kind of token type marks the cells that answered the question before.
            types[:, 3] = torch.tensor([place in chosen for place in places])
        with torch.no_grad():
            rows.append(model(**{name: values.to(model.device) for name, values in row.items()}))
        cells: dict[tuple[int, int], list[float]] = {}
        for place, probability in zip(places, rows[-1].logits[0].sigmoid().tolist(), strict=True):
            if place is not None:
                cells.setdefault(place, []).append(probability)
        chosen = {place for place, found in cells.items() if sum(found) / len(found) > 0.5}

    logits, names = [torch.cat([row.logits for row in rows]).cpu()], model.config.aggregation_labels
    if names:
        logits.append(torch.cat([row.logits_aggregation for row in rows]).cpu())
    predictions = tokenizer.convert_logits_to_predictions(inputs, *logits)
    answers = []
    for index, coordinates in enumerate(predictions[0]):
        found = [frame.iat[coordinate] for coordinate in coordinates]
        answer = {"answer": ", ".join(found), "coordinates": coordinates, "cells": found}
        if names:
            aggregation = predictions[1][index]
            answer["aggregator"] = names[aggregation]
            if aggregation != model.config.no_aggregation_label_index:
                answer["answer"] = f"{names[aggregation]} > {answer['answer']}"
        answers.append(answer)
    return answers if len(answers) > 1 else answers[0]


def answer_from_document(
    model: Any,
    tokenizer: Any,
    image_processor: Any,
    image: Any,
    question: str,
    word_boxes: list[Any] | None = None,
    top_k: int | None = None,
    max_answer_len: int | None = None,
    max_seq_len: int | None = None,
    doc_stride: int | None = None,
    lang: str | None = None,
    handle_impossible_answer: bool = False,
) -> list[dict[str, Any]]:
    """Answer from a document: Donut writes the answer, LayoutLM points at its first and last word."""
    import re

    import torch

    if model.config.model_type == "vision-encoder-decoder":
        pixels = image_processor(images=image, return_tensors="pt")["pixel_values"].to(model.device, model.dtype)
        prompt = f"<s_docvqa><s_question>{question}</s_question><s_answer>"
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"].to(model.device)
        options = {"pad_token_id": tokenizer.pad_token_id, "max_new_tokens": 256}  # unless the checkpoint has its own
        known = model.generation_config.to_diff_dict()
        if "max_length" in known:
            del options["max_new_tokens"]
        written = model.generate(pixels, decoder_input_ids=ids, **{**options, **known})
        text = tokenizer.batch_decode(written)[0].replace(tokenizer.eos_token, "").replace(tokenizer.pad_token, "")
        found = re.search(r"<s_answer>(.*)</s_answer>", re.sub(r"<.*?>", "", text, count=1).strip())
        return [{"answer": found.group(1).strip() if found else None}]

    words, boxes = [], []
    if word_boxes is not None:
        words, boxes = [word for word, _ in word_boxes], [box for _, box in word_boxes]
    else:
        import pytesseract

        read = pytesseract.image_to_data(image, lang=lang, output_type="dict")
        columns = (read[name] for name in ("text", "left", "top", "width", "height"))
        for word, x, y, width, height in zip(*columns, strict=True):
            if word.strip():
                corners = (x / image.width, y / image.height, (x + width) / image.width, (y + height) / image.height)
                words.append(word)
                boxes.append([int(1000 * corner) for corner in corners])

    longest = max_seq_len or tokenizer.model_max_length
    asked: dict[str, Any] = {"text": [question], "text_pair": [words], "boxes": [boxes]}
    if model.config.model_type == "layoutlm":  # its tokenizer is BERT's, and knows of no boxes
        asked = {"text": question.split(), "text_pair": words, "is_split_into_words": True}
    windows = tokenizer(
        **asked,
        truncation="only_second",
        max_length=longest,
        stride=doc_stride or min(longest // 2, 256),
        return_overflowing_tokens=True,
        return_token_type_ids=True,
    )
    windows.pop("overflow_to_sample_mapping", None)
    answers, nothing = [], 1_000_000.0
    for window, ids in enumerate(windows["input_ids"]):
        sides, places = windows.sequence_ids(window), windows.word_ids(window)
        inputs = {name: torch.tensor([rows[window]], device=model.device) for name, rows in windows.items()}
        if "bbox" not in inputs:
            where = [
                boxes[place] if side == 1 else [1000 if token == tokenizer.sep_token_id else 0] * 4
                for token, side, place in zip(ids, sides, places, strict=True)
            ]
            inputs["bbox"] = torch.tensor([where], device=model.device)
        with torch.no_grad():
            outputs = model(**inputs)

        possible = torch.tensor([side == 1 or i == 0 for i, side in enumerate(sides)])  # 0, [CLS], means no answer
        start = outputs.start_logits[0].float().cpu().masked_fill(~possible, -10000.0).softmax(-1)
        end = outputs.end_logits[0].float().cpu().masked_fill(~possible, -10000.0).softmax(-1)
        nothing = min(nothing, (start[0] * end[0]).item())
        start[0] = end[0] = 0.0
        spans = torch.outer(start, end).triu().tril((max_answer_len or 15) - 1).flatten()
        best = spans.topk(min(top_k or 1, len(spans)))
        for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            first, last = divmod(place, len(ids))
            if sides[first] == sides[last] == 1:
                first, last = places[first], places[last]
                answer = " ".join(words[first : last + 1])
                answers.append({"score": score, "answer": answer, "start": first, "end": last})
    if handle_impossible_answer:
        answers.append({"score": nothing, "answer": "", "start": 0, "end": 0})
    return sorted(answers, key=lambda each: each["score"], reverse=True)[: top_k or 1]
