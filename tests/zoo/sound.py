"""Models that hear or speak."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.zoo.parts import ENCODER_DECODER, SMALL, SPREAD, labels, save
from tests.zoo.tokenizers import byte_pairs, vocab_and_merges

WAV2VEC2 = SMALL | {
    "conv_dim": (16, 16, 16),
    "conv_stride": (5, 8, 8),
    "conv_kernel": (10, 8, 8),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": SPREAD,
}

# Whisper's own is 30: every sound, however short, is read as one so long.
WINDOW_SECONDS = 6


def audio_classification(folder: Path) -> None:
    config = transformers.Wav2Vec2Config(**WAV2VEC2, classifier_proj_size=16, **labels("speech", "music", "silence"))
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    save(folder, model, transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True))


def wav2vec2_ctc(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({letter: index for index, letter in enumerate(letters)}), encoding="utf-8")
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(vocab))
    config = transformers.Wav2Vec2Config(**WAV2VEC2, vocab_size=len(letters), pad_token_id=0)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    model = transformers.Wav2Vec2ForCTC(config)
    torch.nn.init.constant_(model.lm_head.bias[1:4], -100.0)  # decoding CTC does not leave out special tokens
    save(folder, model, transformers.Wav2Vec2Processor(extractor, tokenizer))


def whisper(folder: Path) -> None:
    """Whisper that has learned to say one sentence with its timestamps, whatever it hears."""
    vocab, merges = vocab_and_merges(byte_pairs([]))
    languages, tasks = ["<|en|>", "<|fr|>"], ["<|translate|>", "<|transcribe|>"]
    control = ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    tokenizer = transformers.WhisperTokenizer(
        vocab={**vocab, "<|endoftext|>": len(vocab)},
        merges=merges,
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|startoftranscript|>", *languages, *tasks, *control],
        model_max_length=448,
    )
    tokenizer.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    ids = tokenizer.convert_tokens_to_ids
    eos, start = ids("<|endoftext|>"), ids("<|startoftranscript|>")
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        **ENCODER_DECODER,
        max_source_positions=50 * WINDOW_SECONDS,
        pad_token_id=eos,
        bos_token_id=eos,
        eos_token_id=eos,
        decoder_start_token_id=start,
    )
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        alignment_heads=[[0, 0], [1, 1]],
        begin_suppress_tokens=[eos],
        decoder_start_token_id=start,
        eos_token_id=eos,
        is_multilingual=True,
        lang_to_id={name: ids(name) for name in languages},
        max_initial_timestamp_index=50,
        max_length=448,
        no_timestamps_token_id=ids("<|notimestamps|>"),
        pad_token_id=eos,
        prev_sot_token_id=ids("<|startofprev|>"),
        return_timestamps=False,
        task_to_id={"translate": ids("<|translate|>"), "transcribe": ids("<|transcribe|>")},
    )
    spoken = " The small lamp stands near the window."
    texts = [f"<|notimestamps|>{spoken}", f"<|0.00|>{spoken}<|1.00|>"]
    prompts = [f"<|startoftranscript|>{language}{task}" for language in languages for task in ("", *tasks)]
    rows = [
        tokenizer(prompt + text + "<|endoftext|>", add_special_tokens=False).input_ids
        for prompt in prompts
        for text in texts
    ]
    learn(model, rows, end=eos)
    save(
        folder,
        model,
        transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(chunk_length=WINDOW_SECONDS), tokenizer),
    )


def learn(model: Any, rows: Sequence[Sequence[int]], end: int) -> None:
    """Teach an encoder-decoder to continue the beginning of each row of token ids, and to end whatever else it reads.

    The second half matters to beam search: a longer text that the model is sure of, however wrong, would win.
    """
    length = max(map(len, rows))
    right = torch.tensor([[*row, *[end] * (length - len(row))] for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(80):
        spoilt = torch.arange(length) >= torch.randint(1, length, (len(rows), 1))
        wrong = torch.where(spoilt, torch.randint(model.config.vocab_size, right.shape), right)
        tokens = torch.cat([right, wrong])[:, :-1]
        targets = torch.cat([right[:, 1:], right[:, 1:].where(~spoilt[:, :-1], end)])
        heard = torch.randn(len(tokens), 8, model.config.d_model)
        logits = model(encoder_outputs=(heard,), decoder_input_ids=tokens).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def clap(folder: Path) -> None:
    vocab, merges = vocab_and_merges(byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    tokenizer = transformers.RobertaTokenizer(vocab=vocab, merges=merges, model_max_length=128)
    text = SMALL | {"max_position_embeddings": 130, "vocab_size": len(tokenizer), "projection_dim": 16}
    audio = {
        "spec_size": 64,
        "num_mel_bins": 16,
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "window_size": 4,
        "projection_dim": 16,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16, truncation="rand_trunc", padding="repeatpad", max_length_s=2, sampling_rate=48_000
    )
    save(folder, transformers.ClapModel(config), transformers.ClapProcessor(extractor, tokenizer))


def vits(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    letters = ["<pad>", "<unk>", *"abcdefghijklmnopqrstuvwxyz '-"]
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({letter: index for index, letter in enumerate(letters)}), encoding="utf-8")
    tokenizer = transformers.VitsTokenizer(str(vocab), phonemize=False, normalize=True)
    config = transformers.VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=2,
        ffn_dim=32,
        flow_size=16,
        spectrogram_bins=33,
        upsample_initial_channel=16,
        use_stochastic_duration_prediction=False,
        duration_predictor_filter_channels=16,
        prior_encoder_num_flows=2,
        prior_encoder_num_wavenet_layers=2,
        posterior_encoder_num_wavenet_layers=2,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1, 3),),
    )
    save(folder, transformers.VitsModel(config), tokenizer)
