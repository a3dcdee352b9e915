"""What several makers share: small sizes, label maps, and the saving of a folder."""

from pathlib import Path
from typing import Any

# Weights of this spread make random answers differ between inputs; the libraries' 0.02 makes them all alike.
SPREAD = 0.3
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
BERT = SMALL | {"max_position_embeddings": 512, "initializer_range": SPREAD}
VIT = SMALL | {"image_size": 64, "patch_size": 16, "initializer_range": SPREAD}
SQUARE = {"height": 64, "width": 64}
ENCODER_DECODER = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}


def labels(*names: str) -> dict[str, Any]:
    """The two label maps of a config."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def save(folder: Path, *parts: Any) -> None:
    """Save a model and the tokenizer, image processor or feature extractor that belong to it."""
    for part in parts:
        part.save_pretrained(folder)
