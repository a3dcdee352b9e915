"""Boxes, masks, depths, points, pieces and waves lie where the model put them."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from hfdemo.ui import appearance
from hfdemo.ui.renderers import image
from tests.ui.samples import BOX, MATCH, elements, opened, picture, square, text_of


def test_boxes_lie_where_the_model_put_them_and_share_a_name_with_their_row() -> None:
    other = {"score": torch.tensor(0.4), "label": "dog", "box": {"xmin": 150, "ymin": 2, "xmax": 260, "ymax": 50}}
    made = image.render_boxes([{"score": 0.98, "label": "cat", "box": BOX}, other], {"image": picture()})
    assert elements(made, "svg")[0]["viewbox"] == "0 0 200 100"
    halo, box = elements(made, "rect")[:2]
    place = {"x": "20.0", "y": "30.0", "width": "100.0", "height": "60.0"}
    assert place.items() <= halo.items()
    assert place.items() <= box.items()
    cat, dog = (each["style"] or "" for each in elements(made, "span"))
    assert "left:10.00%;top:30.00%" in cat
    assert "right:0.00%;top:2.00%" in dog, "a name at the right edge hangs from the right, inside the picture"
    assert [row["data-n"] for row in elements(made, "tr")[1:]] == [group["data-n"] for group in elements(made, "g")]
    assert re.findall(r"--hf-hue:(#\w+)", cat) != re.findall(r"--hf-hue:(#\w+)", dog)


def test_white_names_can_be_read_on_every_colour() -> None:
    for index in range(100):
        channels = np.array(list(bytes.fromhex(appearance.distinct_colour(index)[1:]))) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5, appearance.distinct_colour(index)


def test_many_boxes_are_numbered_and_far_too_many_are_cut() -> None:
    found = [{"score": 0.5, "label": "thing", "box": BOX}] * 150
    made = image.render_boxes(found, {"image": picture()})
    assert "100 boxes of 150 are shown" in made
    assert ">thing 50.0%<" not in made


def test_a_large_picture_is_shrunk_for_the_page() -> None:
    found = [{"score": 0.5, "label": "thing", "box": BOX}]
    made = image.render_boxes(found, {"image": picture(4000, 1000)})
    assert opened(elements(made, "img")[0]["src"]).size == (1280, 320)
    assert elements(made, "svg")[0]["viewbox"] == "0 0 4000 1000", "boxes stay in the pixels that the model saw"


def test_masks_are_translucent_in_their_area_and_nowhere_else() -> None:
    masks = {"masks": [square(0, 0, 100, 100), torch.from_numpy(square(150, 20, 180, 60))], "scores": torch.ones(2)}
    made = image.render_masks(masks, {"image": picture()})
    layers = [opened(each["src"]).convert("RGBA") for each in elements(made, "img")[1:]]
    assert len(layers) == len(elements(made, "input")) - 1 == 2
    for layer, mask in zip(layers, masks["masks"], strict=True):
        alpha = np.asarray(layer)[..., 3]
        assert ((alpha > 0) == np.asarray(mask)).all()
        assert 0 < alpha[mask].min() < 255
    assert "50.0%" in made
    assert "6.0%" in made


def test_a_segment_without_a_score_or_without_a_pixel_is_drawn_all_the_same() -> None:
    found = [{"score": None, "label": "sky", "mask": Image.new("L", (200, 100), 0)}]
    made = image.render_masks(found, {"image": picture()})
    assert "–" in text_of(made)
    assert "0.0%" in made


def test_of_very_many_masks_the_largest_are_shown() -> None:
    areas = [square(0, 0, 1 + number, 10) for number in range(80)]
    made = image.render_masks({"masks": areas, "scores": np.linspace(0, 1, 80)}, {"image": picture()})
    assert "60 masks (the largest) of 80 are shown" in made
    assert "mask 80<" in made
    assert "mask 20<" not in made


def test_before_and_after_lie_on_each_other_with_a_slider_between_them() -> None:
    made = image.render_image(picture(400, 200, "red"), {"image": picture(200, 100)})
    slider = elements(made, "input")[0]
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == ("range", "0", "100", "50")
    assert slider["aria-label"]
    assert "aspect-ratio:400/200" in (elements(made, "figure")[0]["style"] or "")
    before, after = (opened(each["src"]) for each in elements(made, "img"))
    assert (before.size, after.size) == ((200, 100), (400, 200))
    download = next(link for link in elements(made, "a") if link["download"] == "image.png")
    assert opened(download["href"]).getpixel((0, 0)) == (255, 0, 0)
    assert image.render_image([picture()], {}).count("<figure") == 1


def test_a_picture_too_large_for_a_page_is_not_put_into_it_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2400, 2400, 3), dtype=np.uint8)
    made = image.render_image(Image.fromarray(noise), {"image": picture()})
    assert elements(made, "a") == []
    assert "17 MB, too much for a page" in made
    assert len(made) < 4_000_000


def test_depth_is_coloured_from_its_least_to_its_greatest_number() -> None:
    depth = torch.linspace(1, 9, 200).repeat(1, 100, 1).to(torch.bfloat16)
    made = image.render_image({"predicted_depth": depth, "depth": picture().convert("L")}, {"image": picture()})
    assert "smallest 1<" in made
    assert "largest 9<" in made
    shown = opened(elements(made, "img")[1]["src"]).convert("RGB")
    for place, colour in ((2, (68, 1, 84)), (197, (253, 231, 37))):  # both ends of viridis
        found = shown.getpixel((place, 50))
        assert isinstance(found, tuple)
        assert np.abs(np.subtract(found, colour)).max() < 12


@pytest.mark.parametrize("number", [2.0, float("nan")])
def test_a_constant_depth_map_is_said_to_be_one(number: float) -> None:
    made = image.render_image({"predicted_depth": torch.full((10, 20), number)}, {"image": picture()})
    assert "constant" in made
    assert "nan" not in made


def test_matches_are_drawn_from_one_picture_into_the_other() -> None:
    # (10, 20) and (30, 40), as the pipeline says it: x by the height and y by the width of its picture.
    match = {**MATCH, "keypoint_image_0": {"x": 5.0, "y": 40.0}, "keypoint_image_1": {"x": 7.5, "y": 160.0}}
    made = image.render_keypoints([match], {"image": picture(200, 100), "image_2": picture(200, 50)})
    line = elements(made, "line")[0]
    # The second picture is as high as the first, so it is twice as large, and stands right of a gap of 2 %.
    assert [float(line[name] or 0) for name in ("x1", "y1", "x2", "y2")] == [10, 20, 204 + 60, 80]
    assert "1 matched point" in made


def test_only_the_surest_of_many_matches_are_drawn() -> None:
    found = [{**MATCH, "score": score} for score in np.linspace(0, 1, 300)]
    made = image.render_keypoints(found, {"image": picture(), "image_2": picture()})
    assert len(elements(made, "line")) == 200
    assert "300 matched points" in text_of(made)
    assert "0.0%" not in [text_of(title) for title in re.findall(r"<title>.*?</title>", made)]


def test_the_surest_box_comes_first() -> None:
    found = [{"score": score, "label": name, "box": BOX} for name, score in (("cat", 0.4), ("dog", 0.9))]
    made = text_of(image.render_boxes(found, {}))
    assert made.index("dog") < made.index("cat")


def test_segments_of_one_label_are_told_apart_by_name_and_colour() -> None:
    found = [
        {"score": 0.9, "label": label, "mask": square(20 * place, 0, 20 * place + 9, 50)}
        for place, label in enumerate(("sky", "tree", "sky"))
    ]
    made = image.render_masks(found, {"image": picture()})
    names = re.findall(r'hf-middle"[^>]*--hf-hue:(#\w+)[^>]*>([^<]+)<', made)
    assert {name for _, name in names} == {"sky 1", "tree", "sky 2"}
    assert len({colour for colour, _ in names}) == 3
