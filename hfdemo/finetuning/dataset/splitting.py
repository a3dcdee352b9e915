"""Train, validation and test: as the data gives them, and what it doesn't give held out of the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hfdemo.data_sources.splits import SPLITS, find_split, normalize_split_name
from hfdemo.errors import DataError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.dataset.columns import Columns, join_texts
from hfdemo.finetuning.dataset.labels import FEWEST_ROWS, list_labels
from hfdemo.finetuning.dataset.near_copies import simplify_text
from hfdemo.finetuning.kinds import Kind
from hfdemo.tables import RefusedRow

VALIDATION_SHARE = 0.2
_DRAWS = 20  # the few rows of a tiny set that are drawn may all be the only ones with their label


def find_given_splits(
    config: RunConfig, tables: Mapping[str, pd.DataFrame], mapped: Columns
) -> dict[str, pd.DataFrame]:
    """Return the tables of train, and of validation and test where the data has them, by its files or split column.

    `find_rows_of_no_split` says which rows of a split column are in none of them.

    Raises:
        DataError: there is no train, a name that is no split's, or a table without a column that is needed.
    """
    strange = sorted(set(config.splits) - set(SPLITS))
    if strange:
        raise DataError(f"splits has {strange[0]!r}, but the splits are train, validation and test. Leave it out.")
    named = {split: name for split, name in config.splits.items() if isinstance(name, str)}
    if "" not in tables:
        return _pick_tables(named, tables, mapped)
    table = tables[""]
    if mapped.split_column is None:
        if named:
            split, name = next(iter(named.items()))
            raise DataError(
                f"splits.{split} is {name!r}, but the data is not split. Pick a split column, or give a fraction."
            )
        return {"train": table}
    marked = _map_split_column(config, table[mapped.split_column])
    parts = {split: table[marked.eq(split)] for split in SPLITS}
    if parts["train"].empty:
        holds = ", ".join(map(repr, sorted(set(table[mapped.split_column]))[:5]))
        raise DataError(
            f"The column {mapped.split_column!r} marks no row as train: it holds {holds}. Name the splits in `splits`, "
            "or pick no split column."
        )
    return {split: part for split, part in parts.items() if not part.empty}


def find_rows_of_no_split(
    config: RunConfig, tables: Mapping[str, pd.DataFrame], mapped: Columns
) -> tuple[RefusedRow, ...]:
    """Return the rows whose cell in the split column names no split."""
    if mapped.split_column is None or "" not in tables:
        return ()
    column = tables[""][mapped.split_column]
    return tuple(
        RefusedRow(
            "",
            int(index) + 1,
            f"{mapped.split_column!r} is {cell!r}, which is no split"
            if cell.strip()
            else f"{mapped.split_column!r} is blank, and names no split",
        )
        for index, cell in column[_map_split_column(config, column).isna()].items()
    )


def _map_split_column(config: RunConfig, column: pd.Series) -> pd.Series:
    """Return the split of each row by its cell in the split column; NaN where that names none."""
    named = {name: split for split, name in config.splits.items() if isinstance(name, str)}
    return column.map(named or {name: usual for name in set(column) if (usual := normalize_split_name(name))})


def _pick_tables(
    named: Mapping[str, str], tables: Mapping[str, pd.DataFrame], mapped: Columns
) -> dict[str, pd.DataFrame]:
    usual = {split: name for name in tables if (split := normalize_split_name(name))}
    chosen = {split: find_split(name, list(tables)) for split, name in named.items()} or usual
    if "train" not in chosen:
        raise DataError(
            f"No split is train. The data has: {', '.join(tables)}. Say in `splits` which of them is, such as "
            f'{{"train": "{next(iter(tables))}"}}.'
        )
    parts = {split: tables[chosen[split]] for split in SPLITS if split in chosen}
    for split, part in parts.items():
        unknown = set(part.columns) - set(parts["train"].columns)
        if split == "test" and not unknown and not set(mapped.label_columns) & set(part.columns):
            # A test file whose answers somebody else keeps; with a column of its own it may be called otherwise.
            parts[split] = part = part.assign(**dict.fromkeys(mapped.label_columns, ""))
        missing = [column for column in mapped.needed() if column not in part.columns]
        if missing:
            raise DataError(f"The {split} file has no column {missing[0]!r}. It has: {', '.join(part.columns)}.")
    return parts


def make_splits(
    config: RunConfig, parts: Mapping[str, pd.DataFrame], kind: Kind
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return (the splits, notes): what `parts` lacks is held out of train.

    A validation split always is made, a test split where a fraction is given. Stratified as the kind says, shuffled by
    the training's seed.
    Fractions count all rows that train had. Rows whose texts are equal, or but for case, white space and punctuation,
    stay together, so that nothing is known beforehand,
    and every label stays in train: one that stands in a single row is in train alone.

    Raises:
        DataError: a fraction that is none, or too few rows.
    """
    shares = {split: share for split, share in config.splits.items() if not isinstance(share, str)}
    notes = [
        f"The data has its own {split}, so the fraction {shares[split]!r} is not used."
        for split in SPLITS
        if split in shares and split in parts
    ]
    made = {"test": shares.get("test"), "validation": shares.get("validation", VALIDATION_SHARE)}
    whole, found = len(parts["train"]), dict(parts)
    seed = config.training.get("seed", 42)
    for split, share in made.items():
        if split in parts or share is None:
            continue
        if not isinstance(share, float) or not 0 < share < 1:
            raise DataError(f"splits.{split} is {share!r}: what the data doesn't give is a fraction, such as 0.2.")
        found["train"], found[split] = _hold_out(found["train"], share * whole, kind, split, seed)
        how = f", stratified by {kind.page.stratified}," if kind.page.stratified else ""
        notes.append(
            f"{len(found[split]):,} of the {whole:,} training rows were held out for {split}{how} with seed {seed}."
        )
    return {split: found[split] for split in SPLITS if split in found}, notes


def _hold_out(
    train: pd.DataFrame, wanted: float, kind: Kind, split: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (rest, held out), where about `wanted` rows are held out."""
    # A unit is all rows with one text, however it is written; what is drawn are units.
    unit_of_row, texts = pd.factorize(
        np.array([simplify_text(text) for text in join_texts(train).tolist()], dtype=object)
    )
    firsts = train[~pd.Series(unit_of_row, index=train.index).duplicated()]
    held_out_units = round(wanted * len(texts) / len(train))
    labels = list_labels(train, kind)
    strata: Any = np.zeros(len(firsts), dtype=int)
    if kind.rows.stratify is not None:
        strata = pd.factorize(kind.rows.stratify(firsts["label"]))[0]
    counts = np.bincount(strata)
    most = len(texts) - len(counts)
    of = f" with {len(counts)} labels" if kind.rows.is_single_label else ""
    different = f", of which {len(texts)} are different," if len(texts) < len(train) else ""
    every = ", every label among them" if any(labels) else ""
    too_few = DataError(
        f"{len(train)} rows{of}{different} are too few to hold out {held_out_units} of them for {split} and leave "
        f"{FEWEST_ROWS} for training{every}. Add rows, or a split of your own."
    )
    if not 1 <= held_out_units <= most or len(texts) - held_out_units < FEWEST_ROWS:
        raise too_few
    random = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        taken: Any = np.zeros(len(texts), dtype=bool)
        for stratum, count in enumerate(_allot(counts, held_out_units, random)):
            members = np.flatnonzero(strata == stratum)
            taken[random.permutation(members)[:count]] = True
        held_out = taken[unit_of_row]
        _return_unseen_labels(held_out, unit_of_row, labels)
        if held_out.any():
            return train[~held_out], train[held_out]
    raise too_few


def _allot(counts: Any, wanted: int, random: Any) -> Any:
    """Return how many of each stratum are held out: in proportion, one of each always left."""
    exact = wanted * counts / counts.sum()
    alloted = np.minimum(np.floor(exact).astype(int), counts - 1)
    while (missing := wanted - int(alloted.sum())) > 0:
        open_ = np.flatnonzero(alloted < counts - 1)
        # By the largest remainder, and by chance among equal ones.
        order = open_[np.lexsort((random.random(len(open_)), alloted[open_] - exact[open_]))]
        alloted[order[:missing]] += 1
    return alloted


def _return_unseen_labels(held_out: Any, unit_of_row: Any, labels: list[list[str]]) -> None:
    """Return to train the first unit of each label that would be held out with every row it has."""
    trained = {label for row, out in zip(labels, held_out, strict=True) if not out for label in row}
    for row in np.flatnonzero(held_out):
        if not trained.issuperset(labels[row]) and held_out[row]:
            unit = unit_of_row == unit_of_row[row]
            held_out[unit] = False
            trained.update(label for index in np.flatnonzero(unit) for label in labels[index])
