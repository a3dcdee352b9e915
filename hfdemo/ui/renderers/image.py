"""The HTML of results that are seen: boxes, masks, depth, matched points."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hfdemo import media
from hfdemo.media import to_array
from hfdemo.ui.appearance import VIRIDIS, distinct_colours
from hfdemo.ui.html import Html, TableRow, escape, facts, format_percent, placeholder, table

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_PIXELS = 1280
MASK_PIXELS = 640
SHOWN_BOXES = 100
NAMED_BOXES = 15
SHOWN_MASKS = 60
SHOWN_MATCHES = 200
LINKED_BYTES = 16_000_000


def render_boxes(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"score", "label", "box": {"xmin", "ymin", "xmax", "ymax"}}, ...], in pixels, on inputs["image"]."""
    found = list(output[0] if output and isinstance(output[0], list) else output)
    if not found:
        return placeholder("Nothing was found above the threshold. Lower it to see what the model is less sure of.")
    shown = sorted(found, key=lambda item: -float(item["score"]))[:SHOWN_BOXES]
    colours = distinct_colours(str(item["label"]) for item in shown)
    corners = [[float(item["box"][side]) for side in ("xmin", "ymin", "xmax", "ymax")] for item in shown]
    names = [
        f"{number}" if len(shown) > NAMED_BOXES else f"{item['label']} {format_percent(item['score'])}"
        for number, item in enumerate(shown, start=1)
    ]
    rows = []
    for number, (item, box) in enumerate(zip(shown, corners, strict=True), start=1):
        place = f"<small>{box[0]:.0f}, {box[1]:.0f} – {box[2]:.0f}, {box[3]:.0f}</small>"
        name = Html(f"{_draw_swatch(colours[str(item['label'])])}{escape(item['label'])}{place}")
        rows.append(_make_linked_row(f"n{number}", [number, name, format_percent(item["score"])]))
    image = inputs.get("image")
    figure = ""
    if image is not None:
        ground = [colours[str(item["label"])] for item in shown]
        figure = frame_image(
            image, outline_boxes(image.size, corners, names, ground), "The image with the boxes that were found"
        )
    more = _describe_cut("boxes", len(shown), len(found))
    head = ("#", Html("label<small>x, y – x, y</small>"), "score")
    return _place_beside_list(figure, table(head, rows, (0, 2)), more)


def outline_boxes(
    size: tuple[int, int], corners: Sequence[Sequence[float]], names: Sequence[str], colours: Sequence[str]
) -> str:
    """Draw boxes (xmin, ymin, xmax, ymax in pixels of an image of that size) with their names, to lie over the image.

    The lines are an SVG in image pixels; the names are laid over it in percent, so that their letters
    keep their size however far the image is shrunk.
    """
    width, height = size
    lines, labels = [], []
    places = zip(corners, names, colours, strict=True)
    for number, ((left, top, right, bottom), name, colour) in enumerate(places, start=1):
        place = f'x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0):.1f}" height="{max(bottom - top, 0):.1f}"'
        lines.append(
            f'<g class="hf-shape" data-n="n{number}" style="--hf-hue:{colour}">'
            f'<rect class="hf-halo" {place}/><rect {place}/></g>'
        )
        # Near an edge the name would be cut off: there it hangs from the box's other side, or inside it.
        across = (
            f"right:{max(0.0, 100 - 100 * right / width):.2f}%"
            if left > 0.6 * width
            else f"left:{max(0.0, 100 * left / width):.2f}%"
        )
        inside = " hf-inside" if top < 0.08 * height else ""
        labels.append(
            f'<span class="hf-shape hf-name{inside}" data-n="n{number}" '
            f'style="--hf-hue:{colour};{across};top:{max(0.0, 100 * top / height):.2f}%">{escape(name)}</span>'
        )
    return f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(lines)}</svg>{"".join(labels)}'


def render_masks(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"score", "label", "mask": PIL "L"}, ...], or {"masks": [[height, width], ...], "scores"}, on the image."""
    if isinstance(output, Mapping):
        scored = enumerate(zip(output["masks"], output["scores"], strict=True), start=1)
        found = [
            {"label": f"mask {number}", "name": number, "score": score, "mask": mask}
            for number, (mask, score) in scored
        ]
    else:
        found = list(output)
    if not found:
        return placeholder("No mask was found above the threshold. Lower it to see what the model is less sure of.")
    names = _number_labels([str(item["label"]) for item in found])
    areas = [to_array(item["mask"]) > 0 for item in found]
    areas_covered = [np.count_nonzero(area) / area.size for area in areas]
    order = sorted(range(len(found)), key=lambda index: -areas_covered[index])[:SHOWN_MASKS]
    colours = distinct_colours(names[index] for index in sorted(order))
    rows = [
        _make_linked_row(
            f"n{index}",
            [
                _draw_checkbox(f"n{index}", f"{_draw_swatch(colours[names[index]])}{escape(names[index])}"),
                format_percent(found[index]["score"]),
                format_percent(areas_covered[index]),
            ],
        )
        for index in sorted(order)
    ]
    image = inputs.get("image")
    # The largest lie lowest: a small mask stays in sight on a large one.
    layers = "".join(
        f'<img class="hf-shape hf-layer" data-n="n{index}" alt="" '
        f'src="{_mask_url(areas[index], colours[names[index]])}">'
        for index in order
    )
    if len(order) <= NAMED_BOXES:
        layers += "".join(
            _draw_mask_name(index, areas[index], str(found[index].get("name", names[index])), colours[names[index]])
            for index in order
            if areas_covered[index]
        )
    figure = frame_image(image, layers, "The image under the masks that were found") if image is not None else ""
    more = _describe_cut("masks (the largest)", len(order), len(found))
    return _place_beside_list(figure, table((_draw_checkbox("all", "all"), "score", "share"), rows, (1, 2)), more)


def _number_labels(labels: Sequence[str]) -> list[str]:
    """Return labels that tell things apart: one that stands there twice gets a number behind it."""
    often, seen, names = Counter(labels), Counter[str](), []
    for label in labels:
        seen[label] += 1
        names.append(f"{label} {seen[label]}" if often[label] > 1 else label)
    return names


def _draw_mask_name(index: int, area: Any, name: str, colour: str) -> str:
    """Draw the mask's name at the middle of what it covers."""
    down, across = (100 * np.mean(places) / length for places, length in zip(area.nonzero(), area.shape, strict=True))
    return (
        f'<span class="hf-shape hf-name hf-middle" data-n="n{index}" style="--hf-hue:{colour};'
        f'left:{across:.2f}%;top:{down:.2f}%">{escape(name)}</span>'
    )


def _mask_url(area: Any, colour: str) -> str:
    """Return a [height, width] of booleans as a PNG: translucent inside, solid along its edge, nothing elsewhere."""
    from PIL import Image

    scale = min(1.0, MASK_PIXELS / max(area.shape))
    rows, columns = (np.linspace(0, side - 1, max(1, round(side * scale))).round().astype(int) for side in area.shape)
    inside = area[np.ix_(rows, columns)]
    around = np.pad(inside, 2, mode="edge")
    core = inside & around[:-4, 2:-2] & around[4:, 2:-2] & around[2:-2, :-4] & around[2:-2, 4:]
    painted = np.zeros((*inside.shape, 4), "uint8")
    painted[inside] = (*bytes.fromhex(colour[1:]), 115)
    painted[inside & ~core, 3] = 255
    return media.encode_data_url(media.encode_png(Image.fromarray(painted)), "image/png")


def render_image(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw what was made of inputs["image"], or {"predicted_depth", "depth"}, or a list of either, before and after."""
    if isinstance(output, list | tuple):
        return "".join(render_image(each, inputs) for each in output) or placeholder("The model returned no picture.")
    before = inputs.get("image")
    if isinstance(output, Mapping):
        picture, legend = _draw_depth_map(output)
        return compare_images(before, picture, "image", "depth") + legend
    sizes = [("before", f"{before.width:,} × {before.height:,} pixels")] if before is not None else []
    sizes.append(("after", f"{output.width:,} × {output.height:,} pixels"))
    return compare_images(before, output, "before", "after") + facts(sizes) + _download_link(media.encode_png(output))


def _download_link(png: bytes) -> str:
    if len(png) > LINKED_BYTES:
        said = f"The whole picture is {len(png) / 1e6:.0f} MB, too much for a page. The endpoint returns it as a file."
        return f'<p class="hf-about">{said}</p>'
    url = media.encode_data_url(png, "image/png")
    return f'<p class="hf-links"><a href="{url}" download="image.png">Download the PNG</a></p>'


def compare_images(before: Image | None, after: Image, before_name: str, after_name: str) -> str:
    """Draw two pictures on top of each other; a slider, reachable by keyboard, moves the line between them."""
    if before is None:
        return frame_image(after, "", after_name)
    slider = (
        f'<img class="hf-over" src="{_image_url(after)}" alt="{escape(after_name)}">'
        f'<input type="range" min="0" max="100" value="50" '
        f'aria-label="How much of the picture is {escape(before_name)}, and how much {escape(after_name)}">'
        f'<i class="hf-line"></i><span class="hf-side">{escape(before_name)}</span>'
        f'<span class="hf-side hf-right">{escape(after_name)}</span>'
    )
    return frame_image(before, slider, before_name, "hf-compare", max(before, after, key=lambda each: each.width))


def _draw_depth_map(output: Mapping[str, Any]) -> tuple[Image, str]:
    """Return the depth map in colour, and its legend with the model's own numbers."""
    from PIL import Image

    values = np.squeeze(to_array(output["predicted_depth"] if "predicted_depth" in output else output["depth"]))
    values = np.atleast_2d(values).astype("float64")
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    spread = high - low
    level = np.where(known, (values - low) / spread, 0.0) if spread > 0 else np.zeros(values.shape)
    picture = Image.fromarray(_apply_viridis(level))
    if not spread > 0:
        said = f"The map is constant: every pixel has the depth {low:.4g}, so there is nothing to tell apart."
        return picture, f'<p class="hf-about">{said}</p>'
    legend = (
        f'<div class="hf-ramp"><span>smallest {low:.4g}</span>'
        f'<i style="background:linear-gradient(to right,{",".join(VIRIDIS)})"></i><span>largest {high:.4g}</span></div>'
        '<p class="hf-about">Models of relative depth give near things the larger number; models that measure in '
        "metres give it to far things.</p>"
    )
    return picture, legend


def _apply_viridis(level: Any) -> Any:
    """Return numbers from 0 to 1 as colours, [..., 3] of uint8."""
    stops = np.array([list(bytes.fromhex(colour[1:])) for colour in VIRIDIS], "float64")
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(level, at, stops[:, channel]) for channel in range(3)], -1).round().astype("uint8")


def render_keypoints(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw [{"keypoint_image_0": {"x", "y"}, "keypoint_image_1", "score"}, ...] from inputs["image"] to ["image_2"]."""
    found = sorted(output, key=lambda match: -float(match["score"]))
    if not found:
        return placeholder(
            "No point of one image was found in the other. Lower the threshold, or try images of one thing."
        )
    first, second = inputs["image"], inputs["image_2"]
    height = first.height
    scale = height / second.height
    gap = 0.02 * first.width
    start = first.width + gap
    width = start + second.width * scale
    ramp = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in _apply_viridis(np.linspace(0.25, 1, 16))]
    lines = []
    for match in reversed(found[:SHOWN_MATCHES]):  # the surest are drawn last, on top
        score = min(1.0, max(0.0, float(match["score"])))
        left, right = match["keypoint_image_0"], match["keypoint_image_1"]
        (x_0, y_0), (x_1, y_1) = _keypoint_pixels(left, first), _keypoint_pixels(right, second)
        ends = (x_0, y_0, start + x_1 * scale, y_1 * scale)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{width / 320:.2f}"/>' for x, y in (ends[:2], ends[2:]))
        lines.append(
            f'<g style="--hf-hue:{ramp[round(15 * score)]};opacity:{0.35 + 0.65 * score:.2f}">'
            f'<title>{format_percent(score)}</title><line x1="{ends[0]:.1f}" y1="{ends[1]:.1f}" x2="{ends[2]:.1f}" '
            f'y2="{ends[3]:.1f}"/>{dots}</g>'
        )
    said = f"{len(found):,} matched points" if len(found) > 1 else "1 matched point"
    drawn = f"; the {SHOWN_MATCHES} surest are drawn" if len(found) > SHOWN_MATCHES else ""
    scores = [float(match["score"]) for match in found]
    return (
        f'<svg class="hf-matches" viewBox="0 0 {width:.1f} {height}" role="img" aria-label="{said} between two images">'
        f'<image href="{_image_url(first)}" width="{first.width}" height="{height}"/>'
        f'<image href="{_image_url(second)}" x="{start:.1f}" width="{second.width * scale:.1f}" height="{height}" '
        f'preserveAspectRatio="none"/>{"".join(lines)}</svg>'
        f'<div class="hf-ramp"><span>score 0%</span><i style="background:linear-gradient('
        f'to right,{",".join(ramp)})"></i><span>100%</span></div>'
        f"<p><b>{said}</b>{drawn}. Scores from {format_percent(min(scores))} to {format_percent(max(scores))}.</p>"
    )


def _keypoint_pixels(found: Mapping[str, Any], picture: Image) -> tuple[float, float]:
    """Return where a keypoint lies, in pixels.

    The pipeline scales x by the picture's height and y by its width (transformers 5.23 hands width and height over in
    the wrong order): on a picture that isn't square its points have to be moved back.
    """
    return float(found["x"]) * picture.width / picture.height, float(found["y"]) * picture.height / picture.width


def frame_image(picture: Image, over: str, alt: str, kind: str = "", shape: Image | None = None) -> str:
    """Draw a picture with something laid over it; never wider than the page nor much higher than the window.

    `shape`: a picture whose proportions the frame takes instead.
    """
    width, height = (shape or picture).size
    return (
        f'<figure class="hf-figure {kind}" style="aspect-ratio:{width}/{height};'
        f'max-width:min(100%,{max(width, 360)}px,{70 * width / height:.0f}vh)">'
        f'<img src="{_image_url(picture)}" alt="{escape(alt)}">{over}</figure>'
    )


def _image_url(picture: Image) -> str:
    """Return a picture as a data URL: small enough for a page, PNG only where something shines through."""
    shown = picture
    if max(picture.size) > SHOWN_PIXELS:
        shown = picture.copy()
        shown.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    if shown.mode in ("RGBA", "LA", "P", "PA"):
        return media.encode_data_url(media.encode_png(shown.convert("RGBA")), "image/png")
    held = io.BytesIO()
    shown.convert("RGB").save(held, "JPEG", quality=90)
    return media.encode_data_url(held.getvalue(), "image/jpeg")


def _draw_swatch(colour: str) -> str:
    return f'<i class="hf-swatch" style="--hf-hue:{colour}"></i>'


def _describe_cut(things: str, shown: int, found: int) -> str:
    return f'<p class="hf-about">{shown} {things} of {found:,} are shown.</p>' if found > shown else ""


def _make_linked_row(number: str, cells: Sequence[Any]) -> TableRow:
    """Return a row that lights the shape with the same data-n where it is pointed at."""
    return TableRow(cells, {"data-n": number, "tabindex": "0"})


def _draw_checkbox(value: str, words: str) -> Html:
    return Html(f'<label><input type="checkbox" value="{value}" checked>{words}</label>')


def _place_beside_list(figure: str, listed: str, more: str) -> str:
    """Draw a figure beside the table of what is on it."""
    return f'<div class="hf-look">{figure}<div class="hf-found">{listed}{more}</div></div>'
