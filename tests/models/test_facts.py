"""What is known of a model without loading it comes from its config, and a tokenizer does without."""

from pathlib import Path

import pytest

from hfdemo.errors import ModelError
from hfdemo.models.facts import model_facts
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
