"""Labels that a person has looked at, row by row: fixes that name a row by its texts, and say what becomes of it.

"relabel:<key>:<label>" gives the rows with these texts the label, "drop:<key>" removes them, and "keep:<key>" says that
their label is right, so that nobody is asked again. The key is the same in a file, in a run's data and on another day.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hfdemo.finetuning.dataset.columns import Splits, join_texts
from hfdemo.finetuning.kinds import Kind

RELABEL, DROP, KEEP = "relabel", "drop", "keep"
_SAID = {RELABEL: "relabelled", DROP: "dropped", KEEP: "kept as they are"}
_FORM = re.compile(r"(?:(relabel):([0-9a-f]{16}):(.+)|(drop|keep):([0-9a-f]{16}))", re.DOTALL)


@dataclass(frozen=True)
class Correction:
    """What becomes of the rows with certain texts: `does` is relabel, drop or keep, and `label` the new one."""

    does: str
    key: str
    label: str = ""

    @property
    def name(self) -> str:
        """What a RunConfig's `fixes` call it."""
        return ":".join([self.does, self.key, *([self.label] if self.does == RELABEL else [])])

    def fits(self, kind: Kind) -> bool:
        """Return whether rows of a kind can be corrected so: a new label is for rows that have one each."""
        return self.does != RELABEL or kind.rows.is_single_label


def parse_correction(name: str) -> Correction | None:
    """Return the correction that a fix of this name is; None where it is none."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    return Correction(RELABEL, found[2], found[3]) if found[1] else Correction(found[4], found[5])


def list_corrections(names: Sequence[str]) -> list[Correction]:
    """List the corrections among the fixes in `names`; of several for one row the last counts."""
    found = {each.key: each for name in names if (each := parse_correction(name))}
    return list(found.values())


def describe_corrections(names: Sequence[str]) -> str:
    """Return how many rows are relabelled, dropped and kept by the corrections among the fixes in `names`."""
    counts = Counter(each.does for each in list_corrections(names))
    return ", ".join(f"{counts[does]:,} {said}" for does, said in _SAID.items() if counts[does])


def make_row_keys(part: pd.DataFrame) -> pd.Series:
    """Return the key of each row: the first 16 hexadecimal digits of the SHA-256 of its text, and of its second text
    after a unit separator."""
    return join_texts(part).map(lambda texts: hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:16])


def apply_corrections(names: Sequence[str], splits: Splits) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the splits after the corrections among the fixes in `names`, and notes of what was done to how many
    rows."""
    corrections = list_corrections(names)
    labels = {each.key: each.label for each in corrections if each.does == RELABEL}
    dropped = {each.key for each in corrections if each.does == DROP}
    if not labels and not dropped:
        return dict(splits), []
    corrected, relabelled, gone = {}, 0, 0
    for split, part in splits.items():
        keys = make_row_keys(part)
        new = keys.map(labels)
        is_new, is_gone = new.notna(), keys.isin(dropped)
        if is_new.any():
            part = part.assign(label=part["label"].mask(is_new, new), unlabelled=part["unlabelled"].mask(is_new, ""))
        corrected[split] = part[~is_gone]
        relabelled, gone = relabelled + int(is_new.sum()), gone + int(is_gone.sum())
    return corrected, [
        f"{does} {did} {rows:,} {'row' if rows == 1 else 'rows'} one by one"
        for does, did, rows in ((RELABEL, "mended", relabelled), (DROP, "removed", gone))
        if rows
    ]
