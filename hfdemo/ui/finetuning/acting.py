"""What a press on the doctor's report changes in the form: a fix, its undo, another order of the labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.dataset.columns import KINDS
from hfdemo.ui.finetuning.examining import Examined
from hfdemo.ui.finetuning.filling import KIND_WORDS, Values

# A change that was taken: the field of the form, its value, the one before it, and what that does, in words.
Taken = Mapping[str, Any]


def act(what: str, values: Values, taken: Sequence[Taken], examined: Examined) -> tuple[dict[str, Any], list[Taken]]:
    """(the fields that change, the changes that are in force then) after a press on the button that does `what`.

    A button of a report that has been drawn anew since, or of nobody's, does nothing.
    """
    does, _, of = what.partition(":")
    kept = list(taken)
    order = list(examined.labels or examined.inspection.label_order)
    if does == "fix":
        problem = next((each for each in examined.inspection.problems if each.code == of and each.change), None)
        return _mend(problem, values, kept) if problem else ({}, kept)
    if does == "usual":
        return {"labels": None}, [each for each in kept if each["name"] != "labels"]
    if not of.isdecimal():
        return {}, kept
    number = int(of)
    if does == "undo" and number < len(kept):
        return _undo(kept.pop(number), values), kept
    other = number + {"up": -1, "down": 1}.get(does, 0)
    if other != number and 0 <= other < len(order) and number < len(order):
        order[number], order[other] = order[other], order[number]
        return {"labels": order}, [each for each in kept if each["name"] != "labels"]
    return {}, kept


def in_force(values: Values, taken: Sequence[Taken]) -> list[Taken]:
    """The changes that nobody has changed again by hand."""
    return [each for each in taken if each["name"] == "fixes" or values[each["name"]] == each["value"]]


def of_fixes(names: Sequence[str]) -> list[Taken]:
    """Fixes that a config brings along, as if they had been taken here."""
    return [{"name": "fixes", "value": name, "before": None, "said": ""} for name in names]


def _mend(problem: Problem, values: Values, taken: list[Taken]) -> tuple[dict[str, Any], list[Taken]]:
    fixes = list(values["fixes"] or ())
    new = [name for name in problem.change.get("fixes", ()) if name not in fixes]
    changed: dict[str, Any] = {"fixes": fixes + new} if new else {}
    taken += of_fixes(new)
    for name, value in _fields(problem).items():
        changed[name] = value
        taken.append({"name": name, "value": value, "before": values[name], "said": problem.fix})
    return changed, taken


def _fields(problem: Problem) -> dict[str, Any]:
    """The changes of a problem besides its fixes, by the names of the form."""
    change = {name: value for name, value in problem.change.items() if name != "fixes"}
    task = change.pop("task", None)
    change.pop("problem_type", None)
    if task is not None:
        change["kind"] = next(kind for kind in KIND_WORDS if KINDS[kind][0] == task)
    if isinstance(change.get("class_weights"), Mapping):
        change["class_weights"] = json.dumps(change["class_weights"])
    return change


def _undo(entry: Taken, values: Values) -> dict[str, Any]:
    if entry["name"] == "fixes":
        return {"fixes": [name for name in values["fixes"] or () if name != entry["value"]]}
    return {entry["name"]: entry["before"]}
