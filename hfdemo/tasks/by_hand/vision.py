"""A picture or a video in; labels, vectors, depth, matches or a larger picture out."""

from __future__ import annotations

from typing import Any


def classify_image(
    model: Any, image_processor: Any, image: Any, top_k: int | None = None, function_to_apply: str | None = None
) -> list[dict[str, Any]]:
    """Classify a picture by hand: pixels, one logit per label, scores."""
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
    """Classify a video by hand: some of its first frames, one logit per label, scores."""
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
    """The hidden states of a picture by hand: one vector per patch, or one for all of it."""
    import torch

    options = image_processor_kwargs or {}
    inputs = image_processor(image, return_tensors="pt", **options).to(model.device, model.dtype)
    with torch.no_grad():
        outputs = model(**inputs)
    vectors: list[Any] = (outputs.pooler_output if pool else outputs[0]).tolist()
    return vectors


def estimate_depth(model: Any, image_processor: Any, image: Any) -> dict[str, Any]:
    """Estimate depth by hand: one number per pixel, and a grey picture of it."""
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
    """Match two pictures by hand: keypoints in both, and which belong together."""
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


def enlarge_image(model: Any, image_processor: Any, image: Any) -> Any:
    """Pixels to more pixels: the model's answer from 0 to 1, back to an image."""
    import torch
    from PIL import Image

    inputs = image_processor(images=image, return_tensors="pt").to(model.device, model.dtype)
    with torch.no_grad():
        pixels = model(**inputs).reconstruction[0].float().cpu().clamp(0, 1)
    whole = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    # The processor mirrors the border up to full windows; that part is no picture.
    return Image.fromarray(whole[: image.height * model.config.upscale, : image.width * model.config.upscale])
