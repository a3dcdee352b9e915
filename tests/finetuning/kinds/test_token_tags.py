"""How tags mark entities is told from the tags alone."""

from __future__ import annotations

import pytest

from hfdemo.finetuning.kinds.token_tags import name_tag_scheme


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["B-PER", "I-PER", "O"], ["B-LOC", "B-LOC"]], "The tags are BIO: B- begins an entity"),
        ([["B-PER", "O"]], "The tags are BIO: B- begins an entity"),
        ([["I-PER", "I-PER", "B-PER", "O"], ["I-LOC"]], "The tags are IOB1: I- for each word of an entity, B- only"),
        ([["I-PER", "I-PER", "O"], ["I-LOC"]], "The tags are IO: I- for each word of an entity"),
        ([["PER", "PER", "O"], ["LOC"]], "The tags are IO: a name for each word of an entity"),
        (
            [["B-PER", "L-PER", "O", "U-LOC"]],
            "The tags are BILOU: B- begins an entity, L- ends it, U- is one of one word.",
        ),
        (
            [["B-PER", "E-PER", "O", "S-LOC"]],
            "The tags are BIOES: B- begins an entity, E- ends it, S- is one of one word.",
        ),
        ([["B-PER", "O", "I-PER"], ["B-LOC", "I-LOC"]], "The tags are BIO, but 1 of 3 entities begin with an I-."),
        ([["NOUN", "VERB"], ["DET"]], ""),
        ([["0", "1"], ["2"]], ""),
        ([], ""),
    ],
)
def test_how_tags_mark_entities_is_said(rows: list[list[str]], said: str) -> None:
    assert name_tag_scheme(rows).startswith(said)
    assert bool(name_tag_scheme(rows)) == bool(said)
