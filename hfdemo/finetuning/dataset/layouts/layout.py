"""Layout: one way in which files lay out chats or tagged words, and how their tables become rows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from hfdemo.finetuning.kinds.kind import Samples
from hfdemo.tables import RefusedRow


@dataclass(frozen=True)
class Arranged:
    """A table after a layout: one row for each chat or sentence, under the number of its first row in the file.

    `refused` are the rows that it lacks (their split is "" here), and `notes` say what of the data it passed over.
    """

    table: pd.DataFrame
    refused: tuple[RefusedRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One way in which files lay out their rows.

    name     what a RunConfig calls it
    title    the same in words, as the end of "read as"
    makes    the columns that it makes of others
    matches  (table, samples of its columns) -> whether the table can be nothing else
    arrange  table -> the same with the columns in `makes`, and the columns that it doesn't read as they were
    can_be   as `matches`, where a person asks for it: whether the table can be arranged so at all; None: as `matches`
    """

    name: str
    title: str
    makes: tuple[str, ...]
    matches: Callable[[pd.DataFrame, Samples], bool]
    arrange: Callable[[pd.DataFrame], Arranged]
    can_be: Callable[[pd.DataFrame, Samples], bool] | None = None
