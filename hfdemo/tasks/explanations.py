"""What several rows share when they open up their last stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hfdemo.tasks.task import Explanation

MOST_ROWS = 12
# transformers writes "no limit known" as 1e30.
NO_LIMIT = 1_000_000


def explain_next_token(tokenizer: Any, logits: Any, where: str, after: str = "") -> Explanation:
    """List the likeliest tokens of `logits` [vocabulary]; `where` begins the text, `after` ends it."""
    logits = logits.float()
    probabilities = logits.softmax(-1)
    entropy = float(-(probabilities * probabilities.clamp_min(1e-30).log2()).sum())
    best = logits.topk(min(MOST_ROWS, len(logits))).indices.tolist()
    return Explanation(
        f"{where} the model returned {len(logits):,} logits, one for each token it knows; `softmax(logits)` makes them "
        f"probabilities. Their entropy is {entropy:.2f} bits, that of a fair choice among {2**entropy:,.1f} tokens."
        f"{after}",
        ("token", "logit", "softmax"),
        tuple((tokenizer.decode([index]), float(logits[index]), float(probabilities[index])) for index in best),
    )


def explain_first_token(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """Explain the first token that `generate()` chooses; None for a first pass without logits, as an encoder's."""
    if "logits" not in outputs or outputs["logits"].ndim != 3:
        return None
    after = " `generate()` takes one by its own rules, puts it behind the input, and goes on token by token."
    return explain_next_token(loaded.tokenizer, outputs["logits"][0, -1], "For the first new token,", after)


def explain_ranking(
    text: str, columns: tuple[str, str, str], names: Sequence[str], logits: Any, scores: Any
) -> Explanation:
    """List the highest of `logits` with their names and scores; both tensors are [names]."""
    order = logits.argsort(descending=True).tolist()
    shown = f" The {MOST_ROWS} highest are shown." if len(order) > MOST_ROWS else ""
    best = order[:MOST_ROWS]
    rows = tuple((str(names[index]), float(logits[index]), float(scores[index])) for index in best)
    return Explanation(text + shown, columns, rows)


def explain_classification(
    loaded: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    lone_label: str = "sigmoid",
) -> Explanation:
    """List one logit per label; `lone_label` is what the pipeline applies by itself to a lone label."""
    config, logits = loaded.model.config, outputs["logits"][0].float()
    usual = {"regression": "none", "multi_label_classification": "sigmoid"}
    alone = lone_label if config.num_labels == 1 else "softmax"
    function = parameters["function_to_apply"] or usual.get(config.problem_type, alone)
    scores = {"softmax": logits.softmax(-1), "sigmoid": logits.sigmoid(), "none": logits}[function]
    does = {
        "softmax": "`softmax(logits)` makes them positive and lets them sum to 1: the labels exclude each other.",
        "sigmoid": "`sigmoid(logit)` turns each one into a score between 0 and 1 on its own.",
        "none": "Nothing is applied: the logits are the scores.",
    }[function]
    return explain_ranking(
        f"The model returned {len(logits)} logit{'s' * (len(logits) != 1)}, one per label. {does}",
        ("label", "logit", "score" if function == "none" else function),
        [config.id2label[index] for index in range(len(logits))],
        logits,
        scores,
    )


def explain_boxes(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """List the surest queries of a detector; None for one that returns other tensors."""
    if not {"logits", "pred_boxes"} <= outputs.keys():
        return None
    names, logits, corners = loaded.model.config.id2label, outputs["logits"][0].float(), outputs["pred_boxes"][0]
    if logits.shape[-1] > len(names):
        odds, does = logits.softmax(-1)[:, :-1], "`softmax` over the labels and one class for no object, then dropped,"
    else:
        odds, does = logits.sigmoid(), "`sigmoid` of each label's logit"
    scores, labels = odds.max(-1)
    best = scores.argsort(descending=True)[:MOST_ROWS].tolist()
    return Explanation(
        f"Each of {len(logits)} queries stands for one possible thing. {does} gives its score; its box, middle, width "
        "and height as shares of what the model saw, is scaled to pixels. The surest queries:",
        ("query", "label", "score", "middle x", "middle y", "width", "height"),
        tuple((str(each), names[int(labels[each])], float(scores[each]), *corners[each].tolist()) for each in best),
    )


def explain_asked_boxes(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """List the places that fit the first label best; None for a model without logits and boxes per place."""
    if not {"logits", "pred_boxes"} <= outputs.keys():
        return None
    logits, corners = outputs["logits"][0].float().max(-1).values, outputs["pred_boxes"][0]
    asked = loaded.tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True)
    best = logits.argsort(descending=True)[:MOST_ROWS].tolist()
    return Explanation(
        f"The first of one pass for each label, here `{asked}`: {len(logits)} places of the picture have a box each, "
        "and `sigmoid(logit)` says how well it fits the words. The best of them:",
        ("place", "logit", "sigmoid", "middle x", "middle y", "width", "height"),
        tuple(
            (str(each), float(logits[each]), float(logits[each].sigmoid()), *corners[each].tolist()) for each in best
        ),
    )


def explain_segments(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """Count labels per pixel, or list the surest queries of a model with a mask for each; None for other tensors."""
    names = loaded.model.config.id2label
    if "class_queries_logits" in outputs:
        odds, labels = outputs["class_queries_logits"][0].float().softmax(-1)[:, :-1].max(-1)
        masks = outputs["masks_queries_logits"][0].float().sigmoid()
        best = odds.argsort(descending=True)[:MOST_ROWS].tolist()
        return Explanation(
            f"Each of {len(odds)} queries stands for one possible segment: `softmax` over the labels and one class "
            f"for no object, then dropped, says what it is, `sigmoid` of its {masks.shape[-2]} × {masks.shape[-1]} "
            "mask logits where it lies. The surest queries:",
            ("query", "label", "probability", "share of the picture above 0.5"),
            tuple(
                (str(each), names[int(labels[each])], float(odds[each]), float((masks[each] > 0.5).float().mean()))
                for each in best
            ),
        )
    if "logits" not in outputs or outputs["logits"].ndim != 4:
        return None
    logits = outputs["logits"][0].float()
    shares = logits.argmax(0).flatten().bincount(minlength=len(logits)) / logits[0].numel()
    best = shares.argsort(descending=True)[:MOST_ROWS].tolist()
    return Explanation(
        f"The model returned {len(logits)} logits for each of {logits.shape[1]} × {logits.shape[2]} places. They are "
        "interpolated to the picture's pixels, and `argmax` over the labels names each pixel.",
        ("label", "share of the places", "mean logit"),
        tuple((names[each], float(shares[each]), float(logits[each].mean())) for each in best if shares[each] > 0),
    )


def explain_depth(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """State the range of the depth map; None for a model that returns none."""
    if "predicted_depth" not in outputs:
        return None
    depth = outputs["predicted_depth"][0].float().squeeze()
    return Explanation(
        f"`predicted_depth` has {depth.shape[-2]} × {depth.shape[-1]} numbers, which are interpolated to the picture's "
        "pixels. The grey picture is `(depth - smallest) / (largest - smallest) * 255`.",
        ("of the model's numbers", "depth"),
        (("smallest", float(depth.min())), ("mean", float(depth.mean())), ("largest", float(depth.max()))),
    )


def explain_matches(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """List the surest pairs of keypoints; None for a model that returns no scores of matches."""
    if not {"matches", "matching_scores"} <= outputs.keys():
        return None
    partners, scores = outputs["matches"][0, 0], outputs["matching_scores"][0, 0].float()
    threshold = parameters["threshold"] or 0.0
    kept = (partners > -1) & (scores > threshold)
    best = [each for each in scores.argsort(descending=True).tolist() if kept[each]][:MOST_ROWS]
    return Explanation(
        f"`matches` names for each of {len(partners)} keypoints of the first picture its partner in the second, or -1. "
        f"{int(kept.sum())} have one with a score above {threshold:g}; the surest:",
        ("keypoint", "its partner", "score"),
        tuple((str(each), str(int(partners[each])), float(scores[each])) for each in best),
    )


def explain_vectors(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """List the first hidden states and their lengths; None for a model that returns none."""
    name = "pooler_output" if parameters.get("pool") else "last_hidden_state"
    if name not in outputs:
        return None
    states = outputs[name][0].float().flatten(0, -2) if outputs[name].ndim > 2 else outputs[name].float()
    return Explanation(
        f"Nothing is computed any more: `{name}`, {list(outputs[name].shape)}, is the answer. The length of a vector "
        "is the root of the sum of its squares.",
        ("vector", "length", "first number"),
        tuple((str(place), float(each.norm()), float(each[0])) for place, each in enumerate(states[:MOST_ROWS], 1)),
    )


def explain_waveform(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """State samples, rate and seconds; None for a model that generates codes first, or names no sampling rate."""
    rate = getattr(loaded.model.config, "sampling_rate", None)
    if "waveform" not in outputs or not rate:
        return None
    waveform = outputs["waveform"].float()
    samples = waveform.shape[-1]
    return Explanation(
        f"`waveform` is the sound itself: {samples:,} samples / {rate:,} samples a second = {samples / rate:.2f} s.",
        ("of the waveform", "value"),
        (
            ("seconds", samples / rate),
            ("smallest sample", float(waveform.min())),
            ("largest sample", float(waveform.max())),
        ),
    )


def explain_reconstruction(
    loaded: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Explanation | None:
    """State the range of each colour of the new picture; None for a model that returns none."""
    if "reconstruction" not in outputs:
        return None
    pixels = outputs["reconstruction"][0].float()
    outside = ((pixels < 0) | (pixels > 1)).float()
    names = ("red", "green", "blue") if len(pixels) == 3 else tuple(f"channel {n + 1}" for n in range(len(pixels)))
    return Explanation(
        f"`reconstruction` holds {pixels.shape[1]} × {pixels.shape[2]} pixels. They are clamped to 0 … 1, multiplied "
        "by 255 and rounded; the border that the processor added is cut off.",
        ("colour", "smallest", "mean", "largest", "share outside 0 … 1"),
        tuple(
            (name, float(each.min()), float(each.mean()), float(each.max()), float(out.mean()))
            for name, each, out in zip(names, pixels, outside, strict=True)
        ),
    )
