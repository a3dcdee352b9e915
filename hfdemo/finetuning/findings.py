"""A reason to refuse a run, or to warn of it, with the change of the config that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Finding:
    """Something about a config or its data that a person should know before a run.

    A run is refused while a finding of severity "refuse" is left. `row`, the first of `rows` that it is about, counts
    from 1 under the header; 0 means the whole. `code` names the kind of finding, and `change` has the keys of a
    RunConfig that mend it: {} where only a person can. Its `fixes` are to be added to those that the config has; other
    keys are new values.
    """

    row: int
    column: str
    problem: str
    fix: str
    code: str = ""
    rows: int = 0
    change: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "warn"

    @property
    def refuses(self) -> bool:
        return self.severity == "refuse"


def refuse(code: str, sentence: str, fix: str = "", column: str = "") -> Finding:
    """Return the finding that refuses a run with `sentence`."""
    return Finding(0, column, sentence, fix, code, severity="refuse")


def warn(code: str, sentence: str) -> Finding:
    """Return the finding that warns with `sentence`."""
    return Finding(0, "", sentence, "", code)
