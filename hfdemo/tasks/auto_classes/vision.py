"""A picture or a video in; labels, vectors, depth, boxes, masks, matches or a larger picture out."""

from __future__ import annotations

from typing import Any


def classify_image(
    model: Any, image_processor: Any, image: Any, top_k: int | None = None, function_to_apply: str | None = None
) -> list[dict[str, Any]]:
    """Classify a picture: pixels, one logit per label, scores."""
    import torch

    inputs = image_processor(images=image, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        logits = model(**inputs).logits[0].float()

    config = model.config
    if function_to_apply is None:
        if config.problem_type == "regression":
            function_to_apply = "none"
        elif config.problem_type == "multi_label_classification" or config.num_labels == 1:
            function_to_apply = "sigmoid"
        else:
            function_to_apply = "softmax"
    scores = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}[function_to_apply]
    best = scores.sort(descending=True, stable=True)
    ranked = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [{"label": config.id2label[index], "score": score} for index, score in ranked][: top_k or 5]


def classify_video(
    model: Any,
    image_processor: Any,
    video: str,
    top_k: int | None = None,
    num_frames: int | None = None,
    frame_sampling_rate: int | None = None,
    function_to_apply: str | None = None,
) -> list[dict[str, Any]]:
    """Classify a video: some of its first frames, one logit per label, scores."""
    from itertools import islice

    import av
    import numpy as np
    import torch

    frames = num_frames or model.config.num_frames
    end = frames * (frame_sampling_rate or 1)
    wanted = np.linspace(0, end - 1, num=frames, dtype=np.int64)
    with av.open(video) as container:
        decoded = enumerate(islice(container.decode(video=0), end))
        pictures = [frame.to_ndarray(format="rgb24") for index, frame in decoded if index in wanted]

    inputs = image_processor(pictures, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        logits = model(**inputs).logits[0]

    defaults = {"regression": "none", "multi_label_classification": "sigmoid"}
    function = function_to_apply or defaults.get(model.config.problem_type, "softmax")
    scores = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}[function]
    best = scores.topk(min(top_k or 5, model.config.num_labels))
    ranked = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [{"score": score, "label": model.config.id2label[index]} for score, index in ranked]


def extract_image_features(
    model: Any, image_processor: Any, image: Any, pool: bool = False, image_processor_kwargs: Any = None
) -> list[Any]:
    """Return the hidden states of a picture: one vector per patch, or one for all of it."""
    import torch

    options = image_processor_kwargs or {}
    inputs = image_processor(image, return_tensors="pt", **options).to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)
    vectors: list[Any] = (outputs.pooler_output if pool else outputs[0]).tolist()
    return vectors


def estimate_depth(model: Any, image_processor: Any, image: Any) -> dict[str, Any]:
    """Estimate depth: one number per pixel, and a grey picture of it."""
    import torch
    from PIL import Image

    inputs = image_processor(images=image, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)

    [found] = image_processor.post_process_depth_estimation(outputs, [(image.height, image.width)])
    depth = found["predicted_depth"].cpu()
    grey = ((depth - depth.min()) / (depth.max() - depth.min())).numpy()
    return {"predicted_depth": depth, "depth": Image.fromarray((grey * 255).astype("uint8"))}


def match_keypoints(
    model: Any, image_processor: Any, image: Any, image_2: Any, threshold: float | None = None
) -> list[dict[str, Any]]:
    """Match two pictures: keypoints in both, and which belong together."""
    import torch

    inputs = image_processor(images=[image, image_2], return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)

    sizes = [[image.size, image_2.size]]  # as the pipeline does; (height, width) is meant, and right for all pictures
    [found] = image_processor.post_process_keypoint_matching(outputs, target_sizes=sizes, threshold=threshold or 0.0)
    matches = []
    for first, second, score in zip(found["keypoints0"], found["keypoints1"], found["matching_scores"], strict=True):
        points = [{"x": point[0].item(), "y": point[1].item()} for point in (first, second)]
        matches.append({"keypoint_image_0": points[0], "keypoint_image_1": points[1], "score": score.item()})
    return sorted(matches, key=lambda match: match["score"], reverse=True)


def upscale_image(model: Any, image_processor: Any, image: Any) -> Any:
    """Enlarge a picture: pixels to more pixels, the model's answer from 0 to 1, back to an image."""
    import torch
    from PIL import Image

    inputs = image_processor(images=image, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        pixels = model(**inputs).reconstruction[0].float().cpu().clamp(0, 1)
    whole = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    # The processor mirrors the border up to full windows; that part is no picture.
    return Image.fromarray(whole[: image.height * model.config.upscale, : image.width * model.config.upscale])


def detect_objects(
    model: Any, image_processor: Any, image: Any, threshold: float | None = None
) -> list[dict[str, Any]]:
    """Find objects: boxes and logits, turned into pixels of the picture and scores."""
    import torch

    inputs = image_processor(images=[image], return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)

    sizes = torch.tensor([[image.height, image.width]])
    threshold = 0.5 if threshold is None else threshold
    [found] = image_processor.post_process_object_detection(outputs, threshold, sizes)
    answers = []
    for score, label, box in zip(found["scores"], found["labels"], found["boxes"], strict=True):
        corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box.int().tolist(), strict=True))
        answers.append({"score": score.item(), "label": model.config.id2label[label.item()], "box": corners})
    return answers


def detect_objects_zero_shot(
    model: Any,
    tokenizer: Any,
    image_processor: Any,
    image: Any,
    candidate_labels: list[str],
    threshold: float | None = None,
    top_k: int | None = None,
) -> list[dict[str, Any]]:
    """Find what is asked for: one pass for each label, boxes with a score."""
    import torch

    pixels = image_processor(image, return_tensors="pt").to(model.device, model.dtype)
    sizes = torch.tensor([[image.height, image.width]])
    threshold = 0.1 if threshold is None else threshold
    answers = []
    for label in candidate_labels:
        words = tokenizer(label, return_tensors="pt").to(model.device)
        with torch.no_grad():
            outputs = model(**words, **pixels)
        [found] = image_processor.post_process_object_detection(outputs, threshold=threshold, target_sizes=sizes)
        for score, box in zip(found["scores"].tolist(), found["boxes"], strict=True):
            corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), box.int().tolist(), strict=True))
            answers.append({"score": score, "label": label, "box": corners})
    return sorted(answers, key=lambda answer: answer["score"], reverse=True)[:top_k]


def segment_image(
    model: Any,
    image_processor: Any,
    image: Any,
    subtask: str | None = None,
    threshold: float | None = None,
    mask_threshold: float | None = None,
    overlap_mask_area_threshold: float | None = None,
) -> list[dict[str, Any]]:
    """Segment a picture: a label for every pixel, one mask per label or per thing."""
    import torch
    from PIL import Image

    inputs = image_processor(images=[image], return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)

    def mask(pixels: Any) -> Any:
        return Image.fromarray((pixels * 255).byte().cpu().numpy())

    names, sizes = model.config.id2label, [(image.height, image.width)]
    for kind in ("panoptic", "instance"):
        find = getattr(image_processor, f"post_process_{kind}_segmentation", None)
        if find is not None and subtask in (kind, None):
            [found] = find(
                outputs,
                threshold=0.9 if threshold is None else threshold,
                mask_threshold=0.5 if mask_threshold is None else mask_threshold,
                overlap_mask_area_threshold=0.5 if overlap_mask_area_threshold is None else overlap_mask_area_threshold,
                target_sizes=sizes,
            )
            return [
                {
                    "score": each["score"],
                    "label": names[each["label_id"]],
                    "mask": mask(found["segmentation"] == each["id"]),
                }
                for each in found["segments_info"]
            ]
    [regions] = image_processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)
    labels = regions.unique().tolist()
    return [{"score": None, "label": names[label], "mask": mask(regions == label)} for label in labels]


def generate_masks(
    model: Any,
    image_processor: Any,
    image: Any,
    points_per_crop: int | None = None,
    points_per_batch: int | None = None,
    pred_iou_thresh: float | None = None,
    stability_score_thresh: float | None = None,
    stability_score_offset: float | None = None,
    mask_threshold: float | None = None,
    crops_n_layers: int | None = None,
    crop_overlap_ratio: float | None = None,
    crops_nms_thresh: float | None = None,
    output_bboxes_mask: bool = False,
    output_rle_mask: bool = False,
) -> dict[str, Any]:
    """Find everything: ask the model at a grid of points, keep the sure and steady masks, drop doubles."""
    import torch

    def or_else(value: Any, default: Any) -> Any:
        return default if value is None else value

    size = image_processor.size.get("longest_edge", image_processor.size.get("height"))
    boxes, points, crops, labels = image_processor.generate_crop_boxes(
        image, size, or_else(crops_n_layers, 0), or_else(crop_overlap_ratio, 512 / 1500), or_else(points_per_crop, 32)
    )
    inputs = image_processor(images=crops, return_tensors="pt").to(model.device, model.dtype)
    sizes, step = inputs["original_sizes"].tolist(), or_else(points_per_batch, 64)
    resized = inputs["reshaped_input_sizes"].tolist() if "reshaped_input_sizes" in inputs else None
    threshold = or_else(mask_threshold, 0)
    limits = (or_else(pred_iou_thresh, 0.88), or_else(stability_score_thresh, 0.95))
    offset = or_else(stability_score_offset, 1)

    masks, scores, places = [], [], []
    for crop in range(len(crops)):
        here = slice(crop, crop + 1)
        with torch.no_grad():
            features = model.get_image_embeddings(inputs["pixel_values"][here])
        known = (
            dict(zip(("image_embeddings", "intermediate_embeddings"), features, strict=True))
            if isinstance(features, tuple)
            else {"image_embeddings": features}
        )
        for start in range(0, points.shape[1], step):
            some = slice(start, start + step)
            asked = {"input_points": points[:, some, here], "input_labels": labels[:, some, here]}
            with torch.no_grad():
                outputs = model(**known, **{name: tensor.to(model.device) for name, tensor in asked.items()})
            drawn = image_processor.post_process_masks(
                outputs.pred_masks,
                sizes[here],
                mask_threshold=threshold,
                reshaped_input_sizes=resized and resized[here],
                binarize=False,
            )
            kept = image_processor.filter_masks(
                drawn[0], outputs.iou_scores[0], sizes[0], boxes[crop].to(model.device), *limits, threshold, offset
            )
            masks.extend(kept[0])
            scores.append(kept[1])
            places.append(kept[2])
    found, confidence, runs, corners = image_processor.post_process_for_mask_generation(
        masks, torch.cat(scores).cpu(), torch.cat(places).cpu(), or_else(crops_nms_thresh, 0.7)
    )
    more = {"rle_mask": runs} if output_rle_mask else {}
    return {"masks": found, "scores": confidence} | more | ({"bounding_boxes": corners} if output_bboxes_mask else {})
