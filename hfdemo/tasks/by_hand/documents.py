"""A scanned page and a question in; answers out."""

from __future__ import annotations

from typing import Any


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
    """Ask a document by hand: Donut writes the answer, LayoutLM points at its first and last word."""
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
