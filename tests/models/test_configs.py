"""What a config says of a model's size, whatever its architecture calls it."""

import pytest

from hfdemo.models.configs import model_size


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
