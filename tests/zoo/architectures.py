"""The architectures in examples/models/untrained, without weights: `python -m tests.zoo.architectures` writes them."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from hfdemo.models.folders import ARCHITECTURES
from tests.zoo.multimodal import clip, llava, owlvit, qwen2_audio
from tests.zoo.parts import BERT, ENCODER_DECODER, SPREAD, VIT, labels, save
from tests.zoo.sound import audio_classification, clap, vits, wav2vec2_ctc
from tests.zoo.text import bart, llama
from tests.zoo.tokenizers import PRINTABLE
from tests.zoo.vision import glpn, sam, segformer, superglue, swin2sr, videomae, vit

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = sorted({character.lower() for character in PRINTABLE})
KEPT = (".json", ".txt", ".jinja")  # no weights


def letters() -> Any:
    """A tokenizer of BERT's kind with letters for words: a few hundred lines instead of thirty thousand."""
    vocab = [*SPECIALS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokens = Tokenizer(models.WordPiece({token: number for number, token in enumerate(vocab)}, unk_token="[UNK]"))
    tokens.normalizer = normalizers.BertNormalizer()
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.decoder = decoders.WordPiece()
    tokens.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIALS, strict=True))
    return transformers.BertTokenizerFast(tokenizer_object=tokens, model_max_length=512, **named)


def layoutlm(folder: Path) -> None:
    tokenizer = letters()
    config = transformers.LayoutLMConfig(**BERT, vocab_size=len(tokenizer))
    save(folder, transformers.LayoutLMForQuestionAnswering(config), tokenizer)


def tapas(folder: Path) -> None:
    vocab = folder.parent / "vocab.txt"
    vocab.write_text("\n".join([*SPECIALS, "[EMPTY]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]) + "\n")
    tokenizer = transformers.TapasTokenizer(str(vocab), model_max_length=512)
    named = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}
    config = transformers.TapasConfig(
        **BERT,
        vocab_size=len(tokenizer),
        num_aggregation_labels=4,
        aggregation_labels=named,
        no_aggregation_label_index=0,
    )
    save(folder, transformers.TapasForQuestionAnswering(config), tokenizer)


def vilt(folder: Path) -> None:
    tokenizer = letters()
    config = transformers.ViltConfig(
        **VIT, max_position_embeddings=512, vocab_size=len(tokenizer), **labels("yes", "no", "red", "two")
    )
    processor = transformers.ViltImageProcessorPil(size={"shortest_edge": 64}, size_divisor=16)
    save(folder, transformers.ViltForQuestionAnswering(config), transformers.ViltProcessor(processor, tokenizer))


def detr(folder: Path) -> None:
    backbone = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8] * 4, depths=[1] * 4, layer_type="basic", out_features=["stage4"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        **ENCODER_DECODER,
        num_queries=12,
        init_std=SPREAD,
        **labels("cat", "dog", "car"),
    )
    processor = transformers.DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    save(folder, transformers.DetrForObjectDetection(config), processor)


def wav2vec2(folder: Path) -> None:
    """One config for both heads: letters to write with, and three labels."""
    wav2vec2_ctc(folder)
    audio_classification(folder.parent / "classifier")
    path, classifier = folder / "config.json", folder.parent / "classifier" / "config.json"
    written, other = json.loads(path.read_text()), json.loads(classifier.read_text())
    named = {name: other[name] for name in ("id2label", "label2id", "classifier_proj_size")}
    path.write_text(json.dumps({**written, **named}, indent=2) + "\n")


MAKERS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "tiny-llama": llama,
        "tiny-bart": bart,
        "tiny-tapas": tapas,
        "tiny-layoutlm": layoutlm,
        "tiny-vit": vit,
        "tiny-detr": detr,
        "tiny-segformer": segformer,
        "tiny-sam": sam,
        "tiny-glpn": glpn,
        "tiny-superglue": superglue,
        "tiny-swin2sr": swin2sr,
        "tiny-videomae": videomae,
        "tiny-clip": clip,
        "tiny-owlvit": owlvit,
        "tiny-vilt": vilt,
        "tiny-llava": llava,
        "tiny-qwen2-audio": qwen2_audio,
        "tiny-wav2vec2": wav2vec2,
        "tiny-clap": clap,
        "tiny-vits": vits,
    }
)


# With random weights: cells that are picked, boxes with an area and not the same one again and again, and no long wait.
OTHERWISE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny-tapas": {"initializer_range": 1.0},
        "tiny-owlvit": {"initializer_factor": 2.0},
        "tiny-swin2sr": {"depths": [1], "num_heads": [1], "embed_dim": 8, "upsampler": "pixelshuffledirect"},
    }
)


def write_architecture(name: str, folder: Path) -> None:
    """Write what belongs to a checkpoint but for its weights into `folder`."""
    with TemporaryDirectory() as made:
        MAKERS[name](Path(made) / "model")
        folder.mkdir(parents=True, exist_ok=True)
        for path in (Path(made) / "model").iterdir():
            if path.suffix in KEPT and path.name != "generation_config.json":
                shutil.copy(path, folder)
    if changes := OTHERWISE.get(name):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=2) + "\n")


if __name__ == "__main__":
    for each in MAKERS:
        write_architecture(each, ARCHITECTURES / each)
