"""Which logit of a row is to be explained: of a label, of a token's label, of the next token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hfdemo.errors import DemoError
from hfdemo.tasks.task import Target


def find_label(loaded: Any, logits: Any, ids: Sequence[int], target: str | None) -> Target:
    """Find the label that `target` names, else the likeliest; `logits` are [labels].

    Raises:
        DemoError: there is no such label.
    """
    place = int(logits.argmax()) if target is None else _label_place(loaded.model.config, target)
    return Target((place,), str(loaded.model.config.id2label[place]))


def find_tag(loaded: Any, logits: Any, ids: Sequence[int], target: str | None) -> Target:
    """Find the label of the token that `target` names as "place" or "place:label"; `logits` are [tokens, labels].

    Left out it is the token that the model is surest of to be something else than O.

    Raises:
        DemoError: there is no such token or label.
    """
    config, special = loaded.model.config, set(loaded.tokenizer.all_special_ids)
    where, _, label = (target or "").partition(":")
    if target is None:
        odds = logits.softmax(-1)
        odds = odds * odds.new_tensor([str(config.id2label[each]) != "O" for each in range(odds.shape[-1])])
        odds = odds * odds.new_tensor([each not in special for each in ids])[:, None]
        place = int(odds.max(-1).values.argmax())
    elif not where.isdigit() or int(where) >= len(ids):
        raise DemoError(
            f"target is {target!r}, but names a token by its place, 0 to {len(ids) - 1}, and a label if you like: "
            f'"3" or "3:{config.id2label[0]}".'
        )
    else:
        place = int(where)
    tag = _label_place(config, label) if label else int(logits[place].argmax())
    token = loaded.tokenizer.convert_ids_to_tokens(ids[place])
    return Target((place, tag), f"{config.id2label[tag]} for {token}")


def find_next_token(loaded: Any, logits: Any, ids: Sequence[int], target: str | None) -> Target:
    """Find the next token that `target` writes, else the likeliest; `logits` are [tokens, vocabulary].

    Raises:
        DemoError: `target` is not one token.
    """
    last, tokenizer = len(ids) - 1, loaded.tokenizer
    if target is None:
        chosen = int(logits[last].argmax())
    else:
        written = tokenizer(target, add_special_tokens=False)["input_ids"]
        if len(written) != 1:
            tokens = ", ".join(map(repr, tokenizer.convert_ids_to_tokens(written)[:6])) or "none"
            raise DemoError(
                f"target {target!r} is {len(written)} tokens here ({tokens}), but one next token is explained. Write "
                "one; in many models a word begins with a space."
            )
        chosen = written[0]
    return Target((last, chosen), f"next token {tokenizer.decode([chosen])!r}")


def _label_place(config: Any, label: str) -> int:
    names = {str(name): int(place) for place, name in config.id2label.items()}
    if label in names:
        return names[label]
    if label.isdigit() and int(label) < len(names):
        return int(label)
    shown = ", ".join(list(names)[:20]) + (", …" if len(names) > 20 else "")
    raise DemoError(f"This model has no label {label!r}. It has: {shown}.")
