"""A question in; cells of a table out."""

from __future__ import annotations

from typing import Any


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
