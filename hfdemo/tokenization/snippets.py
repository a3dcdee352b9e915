"""The Python that repeats what See the tokens shows, with nothing but the public libraries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hfdemo.models.reference import ModelRef
from hfdemo.models.snippets import format_literal, write_tokenizer
from hfdemo.settings import Settings
from hfdemo.tokenization.padding import find_strategy, plannable_names


def write_tokenization_script(
    tokenizer: str, texts: list[str], pairs: list[str] | None, options: Mapping[str, Any], settings: Settings
) -> str:
    """Write the tokenizer call whose columns the panel shows; `pad_token` among the `options` is set before it."""
    arguments = [format_literal(texts), *([format_literal(pairs)] if pairs else [])]
    arguments += [f"{name}={format_literal(value)}" for name, value in options.items() if name != "pad_token"]
    joined = ",\n    ".join(arguments)
    lines = write_tokenizer(ModelRef.parse(tokenizer), settings)
    auto = "from transformers import AutoTokenizer\n" if "AutoTokenizer" in lines else ""
    return (
        f"{auto}{lines}{_write_pad_token(options.get('pad_token'))}"
        f"batch = tokenizer(\n    {joined},\n)\n"
        "for ids in batch['input_ids']:\n"
        "    print(tokenizer.convert_ids_to_tokens(ids))\n"
    )


def write_padding_script(
    tokenizer: str,
    texts: list[str],
    pairs: list[str] | None,
    batch_size: int,
    max_length: int | None,
    pad_token: str | None,
    settings: Settings,
) -> str:
    """Write every strategy that pads on the same rows: the script prints the shapes that each of them gives."""
    given = format_literal(texts) + (f",\n    {format_literal(pairs)}" if pairs else "")
    cut = f", truncation=True, max_length={max_length}" if max_length else ""
    lines = write_tokenizer(ModelRef.parse(tokenizer), settings)
    auto = "AutoTokenizer, " if "AutoTokenizer" in lines else ""
    strategies = "".join(_write_strategy(name, max_length) for name in plannable_names(max_length))
    return (
        f"from transformers import {auto}DataCollatorWithPadding\n{lines}{_write_pad_token(pad_token)}"
        f"batch = tokenizer(\n    {given}{cut}\n)\n"
        "rows = [{name: column[row] for name, column in batch.items()} for row in range(len(batch['input_ids']))]\n"
        "by_length = sorted(rows, key=lambda row: -len(row['input_ids']))\n"
        "longest = len(by_length[0]['input_ids'])\n"
        f"strategies = {{\n{strategies}}}\n"
        "for name, (ordered, arguments) in strategies.items():\n"
        "    collate = DataCollatorWithPadding(tokenizer, **arguments)\n"
        f"    batches = [collate(ordered[at : at + {batch_size}]) for at in range(0, len(rows), {batch_size})]\n"
        "    print(name, [tuple(each['input_ids'].shape) for each in batches])\n"
    )


def _write_strategy(name: str, max_length: int | None) -> str:
    """Write the entry of a strategy: its rows in their order, and the arguments of the collator."""
    strategy = find_strategy(name)
    if not strategy.pads:
        return ""
    width = max_length if strategy.needs_max_length else "longest"
    rows = "by_length" if strategy.groups_by_length else "rows"
    return f"    {name!r}: ({rows}, dict({strategy.arguments.format(width=width)})),\n"


def _write_pad_token(pad_token: str | None) -> str:
    return f"tokenizer.pad_token = {pad_token!r}  # it has none of its own\n" if pad_token else ""
