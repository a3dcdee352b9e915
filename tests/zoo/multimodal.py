"""Models that see or hear, and read."""

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.zoo.parts import SMALL, SPREAD, SQUARE, VIT, labels, save
from tests.zoo.text import llama_config
from tests.zoo.tokenizers import CHAT_TEMPLATE, chat_tokenizer, clip_tokenizer, speak, wordpiece


def image_and_text(tokenizer: Any) -> dict[str, Any]:
    """The configs of two encoders into one space."""
    text = SMALL | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return {"text_config": text, "vision_config": VIT | {"initializer_range": 0.02}, "projection_dim": 32}


def clip(folder: Path) -> None:
    tokenizer = clip_tokenizer()
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE)
    model = transformers.CLIPModel(transformers.CLIPConfig(**image_and_text(tokenizer)))
    save(folder, model, transformers.CLIPProcessor(processor, tokenizer))


def owlvit(folder: Path) -> None:
    tokenizer = clip_tokenizer()
    processor = transformers.OwlViTImageProcessorPil(size=SQUARE, crop_size=SQUARE)
    model = transformers.OwlViTForObjectDetection(transformers.OwlViTConfig(**image_and_text(tokenizer)))
    for weight in (*model.box_head.parameters(), *model.class_head.parameters()):
        torch.nn.init.normal_(weight, std=0.1)  # larger ones give boxes without an area and scores of 0 and 1
    save(folder, model, transformers.OwlViTProcessor(processor, tokenizer))


def vilt(folder: Path) -> None:
    config = transformers.ViltConfig(**VIT, max_position_embeddings=40, **labels("yes", "no", "red", "two"))
    processor = transformers.ViltImageProcessorPil(size={"shortest_edge": 64}, size_divisor=16)
    save(folder, transformers.ViltForQuestionAnswering(config), transformers.ViltProcessor(processor, wordpiece()))


def donut(folder: Path) -> None:
    tags = ["<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>"]
    tokenizer = chat_tokenizer(*tags)
    encoder = transformers.DonutSwinConfig(
        image_size=[64, 64], embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4
    )
    decoder = transformers.MBartConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        decoder_layers=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        max_position_embeddings=128,
        is_decoder=True,
        add_cross_attention=True,
        init_std=SPREAD,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = transformers.VisionEncoderDecoderModel(config)
    # The pipeline reads what stands before the closing tag, so that tag ends every answer.
    end = tokenizer.convert_tokens_to_ids("</s_answer>")
    speak(
        model,
        tokenizer,
        max_new_tokens=12,
        no_repeat_ngram_size=2,
        forced_eos_token_id=end,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    processor = transformers.DonutImageProcessorPil(size=SQUARE)
    save(folder, model, transformers.DonutProcessor(processor, tokenizer))


def llava(folder: Path) -> None:
    tokenizer = chat_tokenizer("<image>")
    vision = transformers.CLIPVisionConfig(**VIT | {"initializer_range": 0.02})
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=llama_config(tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    speak(model, tokenizer)
    processor = transformers.LlavaProcessor(
        transformers.CLIPImageProcessorPil(size={"shortest_edge": 64}, crop_size=SQUARE),
        tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    save(folder, model, processor)


def qwen2_audio(folder: Path) -> None:
    tokenizer = chat_tokenizer("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    audio = {
        "d_model": 16,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "num_mel_bins": 16,
    }
    config = transformers.Qwen2AudioConfig(
        audio_config=audio,
        text_config=llama_config(tokenizer).to_dict(),
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    model = transformers.Qwen2AudioForConditionalGeneration(config)
    speak(model, tokenizer)
    extractor = transformers.WhisperFeatureExtractor(feature_size=16)
    save(folder, model, transformers.Qwen2AudioProcessor(extractor, tokenizer))
