"""What each collate function really returns, and which models keep packed texts apart: measured, not believed."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.tokenization.collating import (
    CollatedBatch,
    build_features,
    find_tensor_error,
    isolates_packed_texts,
    run_collators,
)
from hfdemo.tokenization.encoding import Encoding, encode
from hfdemo.tokenization.options import Options
from tests.tokenization.kinds import kind

MINILM = ModelRef.parse("embedded:minilm")
RAGGED = ("hello world, how are you?", "hello")
EQUAL = ("hello world", "good morning")
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
RANDOM = {"vocab_size": 50, "initializer_range": 0.3}
NO_SPECIAL = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}


def encoded(tokenizer: Any, texts: tuple[str, ...], **options: Any) -> Encoding:
    return encode(tokenizer, texts, None, Options(**options), 10_000)


def collated(models: ModelCache, texts: tuple[str, ...], architecture: str | None = None) -> dict[str, CollatedBatch]:
    with models.hold_tokenizer(MINILM) as tokenizer:
        return {each.name: each for each in run_collators(tokenizer, encoded(tokenizer, texts), architecture)}


def test_features_are_the_rows_without_their_padding_whichever_side_it_is_on(models: ModelCache) -> None:
    with models.hold_tokenizer(MINILM) as tokenizer:
        plain = build_features(tokenizer, encoded(tokenizer, RAGGED))
        for side in ("left", "right"):
            padded = encoded(tokenizer, RAGGED, padding="max_length", max_length=12, truncation=True, padding_side=side)
            assert build_features(tokenizer, padded) == plain
        assert [row["input_ids"] for row in plain] == tokenizer(list(RAGGED))["input_ids"]
    assert set(plain[0]) == {"input_ids", "token_type_ids", "attention_mask"}


def test_neither_default_pads_and_each_says_so_in_its_own_words(models: ModelCache) -> None:
    found = collated(models, RAGGED)
    assert found["default_collate"].error == "each element in list of batch should be of equal size."
    assert "expected sequence of length 9 at dim 1 (got 3)" in found["default_data_collator"].error
    assert not found["default_collate"].tensors
    assert not found["default_data_collator"].tensors


def test_torchs_default_transposes_rows_of_equal_length_without_an_error(models: ModelCache) -> None:
    found = collated(models, EQUAL)
    torchs, librarys = found["default_collate"], found["default_data_collator"]
    assert not torchs.error
    assert torchs.tensors["input_ids[0]"].rows == ((101, 101),)
    assert torchs.tensors["input_ids[1]"].shape == (2,)
    assert "a list of 4 tensors" in torchs.notes[0]
    assert librarys.tensors["input_ids"].shape == (2, 4)
    assert librarys.tensors["input_ids"].rows[0][0] == 101


def test_padding_makes_one_tensor_and_a_mask(models: ModelCache) -> None:
    padded = collated(models, RAGGED)["DataCollatorWithPadding"]
    assert padded.error == ""
    assert {name: (each.shape, each.dtype) for name, each in padded.tensors.items()} == {
        "input_ids": ((2, 9), "int64"),
        "token_type_ids": ((2, 9), "int64"),
        "attention_mask": ((2, 9), "int64"),
    }
    assert padded.tensors["input_ids"].rows[1] == (101, 7592, 102, 0, 0, 0, 0, 0, 0)
    assert padded.tensors["attention_mask"].rows[1] == (1, 1, 1, 0, 0, 0, 0, 0, 0)


def test_a_tokenizer_without_a_pad_token_is_told_how_to_get_one() -> None:
    tokenizer = kind("bpe")
    found = {each.name: each for each in run_collators(tokenizer, encoded(tokenizer, RAGGED))}
    assert "does not have a padding token" in found["DataCollatorWithPadding"].error
    assert "tokenizer.pad_token = tokenizer.eos_token" in found["DataCollatorWithPadding"].notes[0]


def test_packing_makes_one_row_whose_positions_restart_and_labels_that_nobody_gave(models: ModelCache) -> None:
    packed = collated(models, EQUAL)["DataCollatorWithFlattening"]
    assert {name: each.shape for name, each in packed.tensors.items()} == dict.fromkeys(
        ("input_ids", "labels", "position_ids"), (1, 8)
    )
    assert packed.tensors["position_ids"].rows == ((0, 1, 2, 3, 0, 1, 2, 3),)
    ids, labels = packed.tensors["input_ids"].rows[0], packed.tensors["labels"].rows[0]
    assert labels == (-100, *ids[1:4], -100, *ids[5:])


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("BertForSequenceClassification", "Don't pack for BertForSequenceClassification"),
        ("LlamaForCausalLM", "pass use_cache=False"),
        ("ArchitectureOfMyOwn", "depends on the model"),
        (None, "depends on the model"),
    ],
)
def test_the_note_on_packing_is_about_the_model_at_hand(
    models: ModelCache, architecture: str | None, said: str
) -> None:
    packed = collated(models, RAGGED, architecture)["DataCollatorWithFlattening"]
    assert said in " ".join(packed.notes)
    assert packed.call == "DataCollatorWithFlattening()(features)"


def test_positions_begin_where_the_model_begins_to_count(models: ModelCache) -> None:
    packed = collated(models, EQUAL, "RobertaModel")["DataCollatorWithFlattening"]
    assert packed.call == "DataCollatorWithFlattening(position_ids_start=1)(features)"  # [PAD] is 0 here
    assert packed.tensors["position_ids"].rows == ((1, 2, 3, 4, 1, 2, 3, 4),)
    assert "RobertaModel counts its positions from 1 on" in packed.notes[-1]


MODELS: dict[str, dict[str, Any]] = {
    "BertModel": {**SMALL, **RANDOM},
    "RobertaModel": {**SMALL, **RANDOM, **NO_SPECIAL},
    "ElectraModel": {**SMALL, **RANDOM, "embedding_size": 32},
    "DistilBertModel": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, **RANDOM},
    "ModernBertModel": {**SMALL, **RANDOM, **NO_SPECIAL, "cls_token_id": None, "sep_token_id": None},
    "LlamaModel": {**SMALL, **RANDOM},
    "MistralModel": {**SMALL, **RANDOM, "num_key_value_heads": 2},
    "Qwen2Model": {**SMALL, **RANDOM, "num_key_value_heads": 2},
    "Gemma2Model": {**SMALL, **RANDOM, "num_key_value_heads": 2, "head_dim": 16},
    "GPT2Model": {"n_embd": 32, "n_layer": 2, "n_head": 2, **RANDOM, **NO_SPECIAL},
    "OPTModel": {
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 64},
        **{"vocab_size": 50, "word_embed_proj_dim": 32, "init_std": 0.3},
    },
    "FalconModel": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, **RANDOM, **NO_SPECIAL},
    "GptOssModel": {
        **{**SMALL, **RANDOM, "num_key_value_heads": 2, "head_dim": 16},
        **{"num_local_experts": 2, "num_experts_per_tok": 1},
    },
    "BambaModel": {
        **{**SMALL, **RANDOM, "num_key_value_heads": 2, "attn_layer_indices": [1], "mamba_n_heads": 4},
        **{"mamba_d_head": 16, "mamba_d_state": 8, "mamba_n_groups": 1},
    },
}
APART = {"LlamaModel", "MistralModel", "Qwen2Model", "Gemma2Model", "GPT2Model"}


def drift(architecture: str, attention: str | None, **arguments: Any) -> float:
    """Largest difference between the hidden states of packed texts and those of the texts alone.

    `attention` None is the library's choice: sdpa, but eager for Gemma 2 and gpt-oss, which have no sdpa.
    """
    import torch
    import transformers

    torch.manual_seed(0)
    model_class = getattr(transformers, architecture)
    config = model_class.config_class(**MODELS[architecture], attn_implementation=attention)
    model = model_class(config).eval()
    texts = [{"input_ids": ids} for ids in ([5, 6, 7, 8], [9, 10, 11], [12, 13])]
    start = config.pad_token_id + 1 if architecture == "RobertaModel" else 0
    packed = transformers.DataCollatorWithFlattening(position_ids_start=start)(texts)
    with torch.inference_mode():
        alone = [model(torch.tensor([text["input_ids"]])).last_hidden_state for text in texts]
        together = model(packed["input_ids"], position_ids=packed["position_ids"], **arguments).last_hidden_state
    return float((together - torch.cat(alone, 1)).abs().max())


@pytest.mark.parametrize("architecture", MODELS)
def test_what_is_said_of_packing_is_what_the_model_does(architecture: str) -> None:
    found = drift(architecture, None, use_cache=False)
    assert isolates_packed_texts(architecture) == (architecture in APART)
    assert (found < 1e-4) == (architecture in APART)
    assert found < 1e-4 or found > 0.1


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ["LlamaModel", "GPT2Model"])
def test_a_cache_or_a_mask_mixes_packed_texts_even_in_a_model_that_keeps_them_apart(
    architecture: str, attention: str
) -> None:
    import torch

    assert drift(architecture, attention, use_cache=False) < 1e-4
    assert drift(architecture, attention) > 0.1
    assert drift(architecture, attention, use_cache=False, attention_mask=torch.ones(1, 9)) > 0.1


def test_the_trainer_turns_the_cache_off(tmp_path: Path) -> None:
    from transformers import TrainingArguments

    assert TrainingArguments(output_dir=str(tmp_path), use_cpu=True).use_cache is False


def test_rows_of_different_lengths_make_no_tensor_and_the_library_says_so(models: ModelCache) -> None:
    with models.hold_tokenizer(ModelRef.parse("embedded:minilm")) as tokenizer:
        ragged = encode(tokenizer, ["one", "one two"], None, Options(), 100)
        even = encode(tokenizer, ["one", "two"], None, Options(), 100)
        assert "padding" in find_tensor_error(tokenizer, ragged)
        assert find_tensor_error(tokenizer, even) == ""


# Collate functions that make labels


def test_the_masked_model_collator_hides_tokens_and_labels_them_alone(models: ModelCache) -> None:
    texts = ("the harbour froze over on tuesday for the first time in forty years",) * 4
    made = collated(models, texts)["DataCollatorForLanguageModeling"]
    assert made.call == "DataCollatorForLanguageModeling(tokenizer, seed=0)(features)"
    with models.hold_tokenizer(MINILM) as tokenizer:
        ids, mask = tokenizer(texts[0])["input_ids"], tokenizer.mask_token_id
    hidden = 0
    for shown, labels in zip(made.tensors["input_ids"].rows, made.tensors["labels"].rows, strict=True):
        for original, token, label in zip(ids, shown, labels, strict=True):
            assert label in (-100, original)
            assert token == original or label == original, "what is not to be found stays"
            hidden += token == mask
    assert hidden
    assert "15%" in made.notes[0]


def test_a_model_without_a_mask_learns_what_comes_next() -> None:
    tokenizer = kind("bpe")
    tokenizer.pad_token = "<s>"
    try:
        found = {each.name: each for each in run_collators(tokenizer, encoded(tokenizer, ("a b c", "a")))}
    finally:
        tokenizer.pad_token = None
    made = found["DataCollatorForLanguageModeling"]
    assert made.call == "DataCollatorForLanguageModeling(tokenizer, mlm=False)(features)"
    ids, labels = made.tensors["input_ids"].rows, made.tensors["labels"].rows
    assert labels[0] == ids[0]
    assert set(labels[1][1:]) == {-100}
    assert "no end is learned" in made.notes[0]


def test_labels_that_are_texts_are_padded_with_what_the_loss_leaves_out(models: ModelCache) -> None:
    made = collated(models, RAGGED)["DataCollatorForSeq2Seq"]
    rows, labels = made.tensors["input_ids"].rows, made.tensors["labels"].rows
    assert labels[0] == rows[0]
    assert set(labels[1][3:]) == {-100}
    assert set(rows[1][3:]) == {0}
