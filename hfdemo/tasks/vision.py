"""The tasks whose input is a picture or a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hfdemo.tasks.auto_classes.vision import (
    classify_image,
    classify_video,
    detect_objects,
    estimate_depth,
    extract_image_features,
    generate_masks,
    match_keypoints,
    segment_image,
    upscale_image,
)
from hfdemo.tasks.explanations import (
    explain_boxes,
    explain_classification,
    explain_depth,
    explain_matches,
    explain_reconstruction,
    explain_segments,
    explain_vectors,
)
from hfdemo.tasks.field import (
    EXAMPLE_MEDIA,
    FIVE_LABELS,
    FUNCTION_TO_APPLY,
    IMAGE,
    Field,
    check_numbers,
    fraction,
    parameter,
    whole_number,
)
from hfdemo.tasks.task import AV, TORCHVISION, PipelineCall, Task, drop_unset_parameters

SUBTASK = parameter(
    "subtask",
    "choice",
    "label every pixel, every thing, or both; left out: the richest that the model can do",
    choices=("semantic", "instance", "panoptic"),
)

LARGEST_SIDE = 1024  # pixels: the time and memory of attention grow with its fourth power

DESK = {"image": EXAMPLE_MEDIA / "desk.png"}


def _check_processor_kwargs(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    check_numbers("image_processor_kwargs", parameters["image_processor_kwargs"] or {}, LARGEST_SIDE)


def _call_with_pair(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> PipelineCall:
    return PipelineCall(((inputs["image"], inputs["image_2"]),), drop_unset_parameters(parameters))


def _narrow_frames(loaded: Any) -> Mapping[str, Field | str]:
    config = loaded.model.config
    if config.model_type not in ("videomae", "vivit"):
        return {}
    return {"num_frames": f"this model has position embeddings for exactly {config.num_frames} frames."}


def _narrow_segmentation(loaded: Any) -> Mapping[str, Field | str]:
    processor = loaded.processors["image_processor"]
    able = tuple(kind for kind in SUBTASK.choices if hasattr(processor, f"post_process_{kind}_segmentation"))
    narrowed: dict[str, Field | str] = {"subtask": replace(SUBTASK, choices=able)}
    if able == ("semantic",):
        reason = "this model gives every pixel one label, there is no probability of a segment to compare."
        narrowed |= dict.fromkeys(("threshold", "mask_threshold", "overlap_mask_area_threshold"), reason)
    return narrowed


TASKS = (
    Task(
        name="image-classification",
        title="Image classification",
        group="Image and video",
        subtitle="Says which label fits a picture",
        summary=(
            "Puts a picture into one of the model's labels: the image processor makes pixel values of it, the model "
            'one logit per label. `pipeline("image-classification", model=...)(image, top_k=5)`'
        ),
        inputs=(IMAGE,),
        parameters=(FIVE_LABELS, FUNCTION_TO_APPLY),
        output="labels",
        auto_class_form=classify_image,
        classes=("AutoModelForImageClassification",),
        processors=("image_processor",),
        default_model="google/vit-base-patch16-224",
        untrained_model="untrained:embedded:tiny-vit",
        examples=(DESK, {"image": EXAMPLE_MEDIA / "desk_moved.png", "top_k": 3}),
        explain=explain_classification,
        is_batchable=True,
    ),
    Task(
        name="object-detection",
        title="Object detection",
        group="Image and video",
        subtitle="Draws boxes around the things in a picture",
        summary=(
            "Finds the things it was trained on and draws a box around each, with a label and a score. "
            '`pipeline("object-detection", model=...)(image, threshold=0.5)`'
        ),
        inputs=(IMAGE,),
        parameters=(fraction("threshold", "the lowest score of a box that is returned; left out: 0.5"),),
        output="boxes",
        auto_class_form=detect_objects,
        classes=("AutoModelForObjectDetection",),
        processors=("image_processor",),
        default_model="hustvl/yolos-tiny",
        untrained_model="untrained:embedded:tiny-detr",
        examples=(DESK, {"image": EXAMPLE_MEDIA / "desk_moved.png", "threshold": 0.8}),
        explain=explain_boxes,
    ),
    Task(
        name="image-segmentation",
        title="Image segmentation",
        group="Image and video",
        subtitle="Says what every pixel shows",
        summary=(
            "Says what every pixel belongs to: one mask per label (semantic), per thing (instance) or both (panoptic). "
            '`pipeline("image-segmentation", model=...)(image)`'
        ),
        inputs=(IMAGE,),
        parameters=(
            SUBTASK,
            fraction("threshold", "the lowest probability of a mask that is returned; left out: 0.9"),
            fraction("mask_threshold", "from what probability on a pixel belongs to a mask; left out: 0.5"),
            fraction("overlap_mask_area_threshold", "drops what is left of masks that others cover; left out: 0.5"),
        ),
        output="masks",
        auto_class_form=segment_image,
        classes=(
            "AutoModelForImageSegmentation",
            "AutoModelForSemanticSegmentation",
            "AutoModelForUniversalSegmentation",
        ),
        processors=("image_processor",),
        default_model="nvidia/segformer-b0-finetuned-ade-512-512",
        untrained_model="untrained:embedded:tiny-segformer",
        examples=(DESK,),
        explain=explain_segments,
        narrow_parameters=_narrow_segmentation,
    ),
    Task(
        name="mask-generation",
        title="Mask generation",
        group="Image and video",
        subtitle="Outlines everything in a picture, without names",
        summary=(
            "Finds the outline of everything in a picture, without labels: the model is asked what lies at each point "
            'of a grid. `pipeline("mask-generation", model=...)(image, points_per_batch=64)`'
        ),
        inputs=(IMAGE,),
        parameters=(
            whole_number("points_per_crop", "points along each side of the grid; left out: 32", maximum=64),
            whole_number("points_per_batch", "points in one forward pass; left out: 64", maximum=128),
            fraction("pred_iou_thresh", "how sure the model must be of a mask; left out: 0.88"),
            fraction("stability_score_thresh", "how little a mask may change with its threshold; left out: 0.95"),
            replace(
                fraction("stability_score_offset", "by how much the threshold is shifted; left out: 1"), maximum=100
            ),
            replace(
                fraction("mask_threshold", "from what logit on a pixel belongs to a mask; left out: 0"),
                minimum=-100,
                maximum=100,
            ),
            whole_number("crops_n_layers", "layers of crops that are looked at again; left out: 0", 0, 3),
            fraction("crop_overlap_ratio", "how far crops overlap; left out: 0.34"),
            fraction("crops_nms_thresh", "from what overlap on two masks are the same; left out: 0.7"),
            parameter("output_bboxes_mask", "flag", "return the boxes of the masks too", False),
            parameter("output_rle_mask", "flag", "return run lengths of the masks too", False),
        ),
        output="masks",
        auto_class_form=generate_masks,
        classes=("AutoModelForMaskGeneration",),
        processors=("image_processor",),
        default_model="facebook/sam-vit-base",
        untrained_model="untrained:embedded:tiny-sam",
        examples=({**DESK, "points_per_crop": 8},),
        requires=(TORCHVISION,),
    ),
    Task(
        name="depth-estimation",
        title="Depth estimation",
        group="Image and video",
        subtitle="Says how far away each part of a picture is",
        summary=(
            "How far away every pixel is: `predicted_depth` holds the model's numbers, `depth` a grey picture of them. "
            '`pipeline("depth-estimation", model=...)(image)`'
        ),
        inputs=(replace(IMAGE, maximum=2_000_000),),
        parameters=(),
        output="image",
        auto_class_form=estimate_depth,
        classes=("AutoModelForDepthEstimation",),
        processors=("image_processor",),
        default_model="depth-anything/Depth-Anything-V2-Small-hf",
        untrained_model="untrained:embedded:tiny-glpn",
        examples=(DESK,),
        explain=explain_depth,
    ),
    Task(
        name="image-feature-extraction",
        title="Image feature extraction",
        group="Image and video",
        subtitle="Turns a picture into numbers, to compare it with others",
        summary=(
            "The hidden states of the last layer: one vector per patch, [1, patches, hidden size]; with `pool` one for "
            'the whole picture. `pipeline("image-feature-extraction", model=...)(image)`'
        ),
        inputs=(IMAGE,),
        parameters=(
            parameter("pool", "flag", "one vector for the picture; only for models with a pooler", False),
            parameter(
                "image_processor_kwargs",
                "json",
                'options of the image processor, like {"size": {"height": 224, "width": 224}}',
            ),
        ),
        output="vectors",
        auto_class_form=extract_image_features,
        validate=_check_processor_kwargs,
        classes=("AutoModel",),
        processors=("image_processor",),
        default_model="google/vit-base-patch16-224",
        untrained_model="untrained:embedded:tiny-vit",
        examples=(DESK,),
        explain=explain_vectors,
        is_batchable=True,
    ),
    Task(
        name="keypoint-matching",
        title="Keypoint matching",
        group="Image and video",
        subtitle="Finds the same points in two pictures of one scene",
        summary=(
            "Finds the same points in two pictures of one scene, as if seen from two places. "
            '`pipeline("keypoint-matching", model=...)((image, image_2), threshold=0.0)`'
        ),
        inputs=(
            replace(IMAGE, help="a square one is best: of others the pipeline takes width for height"),
            Field("image_2", "image", "Second picture", "the same scene, moved or seen from elsewhere"),
        ),
        parameters=(fraction("threshold", "the lowest score of a match that is returned; left out: 0"),),
        output="keypoints",
        auto_class_form=match_keypoints,
        pipeline_call=_call_with_pair,
        classes=("AutoModelForKeypointMatching",),
        processors=("image_processor",),
        default_model="ETH-CVG/lightglue_superpoint",
        untrained_model="untrained:embedded:tiny-superglue",
        examples=({"image": EXAMPLE_MEDIA / "desk.png", "image_2": EXAMPLE_MEDIA / "desk_moved.png"},),
        explain=explain_matches,
    ),
    Task(
        name="video-classification",
        title="Video classification",
        group="Image and video",
        subtitle="Says what happens in a video",
        summary=(
            "Puts a video into one of the model's labels, by its first frames: num_frames of them, "
            'every frame_sampling_rate-th. `pipeline("video-classification", model=...)(path)`'
        ),
        inputs=(Field("video", "video", "Video", "an MP4, WebM or MOV file with frames enough for the model"),),
        parameters=(
            FIVE_LABELS,
            whole_number("frame_sampling_rate", "look at every how manieth frame; left out: 1", maximum=64),
            whole_number("num_frames", "frames that the model sees; left out: as many as its config says", maximum=128),
            FUNCTION_TO_APPLY,
        ),
        output="labels",
        auto_class_form=classify_video,
        classes=("AutoModelForVideoClassification",),
        processors=("image_processor",),
        default_model="MCG-NJU/videomae-base-finetuned-kinetics",
        untrained_model="untrained:embedded:tiny-videomae",
        examples=({"video": EXAMPLE_MEDIA / "ball.mp4"},),
        explain=partial(explain_classification, lone_label="softmax"),
        narrow_parameters=_narrow_frames,
        requires=(AV,),
    ),
    Task(
        name="image-to-image",
        title="Image to image",
        group="Image and video",
        subtitle="Makes a picture larger and fills in the detail",
        summary=(
            "Makes an image larger and fills in the detail (Swin2SR). On a CPU begin with a small one: time grows with "
            "the pixels. `AutoModelForImageToImage.from_pretrained(...)(**image_processor(image)).reconstruction`"
        ),
        inputs=(
            Field("image", "image", "Image", "the picture to enlarge, best below 300 × 300 pixels", maximum=500_000),
        ),
        parameters=(),
        output="image",
        auto_class_form=upscale_image,
        classes=("AutoModelForImageToImage",),
        processors=("image_processor",),
        default_model="caidas/swin2SR-classical-sr-x2-64",
        untrained_model="untrained:embedded:tiny-swin2sr",
        examples=({"image": EXAMPLE_MEDIA / "desk.png"},),
        explain=explain_reconstruction,
        has_pipeline=False,
    ),
)
