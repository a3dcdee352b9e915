"""Models that see pictures or videos."""

from pathlib import Path

import torch
import transformers

from tests.zoo.parts import SPREAD, SQUARE, VIT, labels, save


def vit(folder: Path) -> None:
    config = transformers.ViTConfig(**VIT, **labels("cat", "dog", "car"))
    save(folder, transformers.ViTForImageClassification(config), transformers.ViTImageProcessorPil(size=SQUARE))


def image_feature_extraction(folder: Path) -> None:
    save(folder, transformers.ViTModel(transformers.ViTConfig(**VIT)), transformers.ViTImageProcessorPil(size=SQUARE))


def segformer(folder: Path) -> None:
    config = transformers.SegformerConfig(
        hidden_sizes=[16, 16, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        initializer_range=SPREAD,
        **labels("background", "cat", "dog"),
    )
    model = transformers.SegformerForSemanticSegmentation(config)
    save(folder, model, transformers.SegformerImageProcessorPil(size=SQUARE))


def mask2former(folder: Path) -> None:
    backbone = transformers.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        dim_feedforward=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        num_queries=3,
        **labels("cat", "dog", "sky"),
    )
    model = transformers.Mask2FormerForUniversalSegmentation(config)
    torch.nn.init.normal_(model.class_predictor.weight)  # sure enough of itself for the pipeline's threshold of 0.9
    save(folder, model, transformers.Mask2FormerImageProcessorPil(size=SQUARE))


def yolos(folder: Path) -> None:
    config = transformers.YolosConfig(
        **VIT | {"image_size": [64, 64]}, num_detection_tokens=8, **labels("cat", "dog", "car")
    )
    model = transformers.YolosForObjectDetection(config)
    torch.nn.init.normal_(model.vit.embeddings.detection_tokens)  # they start as zeros: one box, found eight times
    save(folder, model, transformers.YolosImageProcessorPil(size=SQUARE))


def glpn(folder: Path) -> None:
    config = transformers.GLPNConfig(
        hidden_sizes=(16, 16, 16, 16),
        depths=(1, 1, 1, 1),
        num_attention_heads=(1, 1, 2, 2),
        decoder_hidden_size=16,
        initializer_range=SPREAD,
    )
    save(folder, transformers.GLPNForDepthEstimation(config), transformers.GLPNImageProcessorPil())


def sam(folder: Path) -> None:
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "window_size": 4,
            "global_attn_indexes": [1],
            "output_channels": 16,
            "num_pos_feats": 8,
            "mlp_dim": 64,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    )
    processor = transformers.SamImageProcessorPil(
        size={"longest_edge": 64},
        pad_size=SQUARE,
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    save(folder, transformers.SamModel(config), transformers.SamProcessor(processor))


def superglue(folder: Path) -> None:
    detector = transformers.SuperPointConfig(
        encoder_hidden_sizes=[16, 16, 16, 16], decoder_hidden_size=16, descriptor_decoder_dim=16, max_keypoints=32
    )
    config = transformers.SuperGlueConfig(
        keypoint_detector_config=detector,
        hidden_size=16,
        keypoint_encoder_sizes=[16],
        gnn_layers_types=["self", "cross"],
        num_attention_heads=2,
        sinkhorn_iterations=10,
        initializer_range=SPREAD,
    )
    processor = transformers.SuperGlueImageProcessorPil(size=SQUARE)
    save(folder, transformers.SuperGlueForKeypointMatching(config), processor)


def swin2sr(folder: Path) -> None:
    config = transformers.Swin2SRConfig(image_size=32, embed_dim=16, depths=[2, 2], num_heads=[2, 2], window_size=4)
    save(
        folder,
        transformers.Swin2SRForImageSuperResolution(config),
        transformers.Swin2SRImageProcessorPil(size_divisor=4),
    )


def videomae(folder: Path) -> None:
    config = transformers.VideoMAEConfig(
        **VIT | {"image_size": 32, "patch_size": 8}, num_frames=4, **labels("running", "swimming")
    )
    processor = transformers.VideoMAEImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    save(folder, transformers.VideoMAEForVideoClassification(config), processor)
