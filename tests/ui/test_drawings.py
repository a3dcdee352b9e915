"""Every kind of output is drawn from what the pipeline really returns, and supplied text never becomes markup."""

import base64
import html as stdlib_html
import io
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from hfdemo.inference.watch import Odds
from hfdemo.ui import drawings, pictures
from hfdemo.ui.drawings import DRAWINGS
from hfdemo.ui.theme import CSS
from tests.browser.find import launch_options

EVIL = "<img src=x onerror=alert(1)>'\"&</script>"
KINDS = (
    *("labels", "spans", "answers", "candidates", "boxes", "masks", "image", "keypoints", "transcript", "audio"),
    *("cells", "text", "chat", "vectors", "json"),
)
VOID = {"img", "input", "br"}


class Tags(HTMLParser):
    """The elements of a drawing; an unbalanced one is an error."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(drawn)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements(drawn: str, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in Tags(drawn).found if name == tag]


def text_of(drawn: str) -> str:
    return stdlib_html.unescape(re.sub(r"<[^>]+>", "", drawn))


def picture(width: int = 200, height: int = 100, colour: str = "navy") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def opened(url: str | None) -> Image.Image:
    assert url is not None
    return Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def square(left: int, top: int, right: int, bottom: int, width: int = 200, height: int = 100) -> Any:
    mask: Any = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def entity(text: str, part: str, kind: str, start: int | None = None) -> dict[str, Any]:
    begin = text.index(part) if start is None else start
    return {
        "entity_group": kind,
        "score": np.float32(0.9),
        "word": part,
        "start": np.int64(begin),
        "end": begin + len(part),
    }


BOX = {"xmin": 20, "ymin": 30, "xmax": 120, "ymax": 90}
SOUND = {"audio": np.sin(np.linspace(0, 440, 8000)).astype(np.float32), "sampling_rate": 8000}
MATCH = {"keypoint_image_0": {"x": 10.0, "y": 20.0}, "keypoint_image_1": {"x": 30.0, "y": 40.0}, "score": 0.5}


def supplied(evil: str) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    """An output and its inputs per kind, with the given text wherever a person or a model can put one."""
    return {
        "labels": ([{"label": evil, "score": 0.5}], {}),
        "zero-shot": ([{"sequence": evil, "labels": [evil], "scores": [0.5]}], {}),
        "spans": ([entity(evil, evil, evil), entity(evil, evil[2:5], evil)], {"text": evil}),
        "answers": ([{"score": 0.5, "start": 0, "end": 4, "answer": evil}] * 2, {"context": evil}),
        "candidates": (
            [{"score": 0.5, "token": 1, "token_str": evil, "sequence": evil}],
            {"text": f"{evil} [MASK] {evil}"},
        ),
        "boxes": ([{"score": 0.5, "label": evil, "box": BOX}], {"image": picture()}),
        "masks": ([{"score": 0.5, "label": evil, "mask": Image.new("L", (200, 100), 255)}], {"image": picture()}),
        "transcript": ({"text": evil, "chunks": [{"text": evil, "timestamp": (0.0, None)}]}, SOUND),
        "cells": (
            {"answer": evil, "coordinates": [(0, 0)], "cells": [evil], "aggregator": evil},
            {"table": {evil: [evil]}},
        ),
        "text": ([{"summary_text": evil}, {"summary_text": f"{evil}2"}], {}),
        "chat": (
            [
                {
                    "generated_text": [
                        {"role": evil, "content": f"<think>{evil}</think>{evil}", "tool_calls": [{"name": evil}]},
                        {"role": "user", "content": [{"type": evil}, {"type": "text", "text": evil}]},
                    ]
                }
            ],
            {},
        ),
        "vectors": ([[[[1.0, 2.0]]], [[[2.0, 1.0]]]], {"text": [evil, evil]}),
        "json": ({evil: evil}, {}),
        "image": (picture(colour="red"), {"image": picture()}),
        "keypoints": ([MATCH], {"image": picture(), "image_2": picture()}),
        "audio": (SOUND, {}),
    }


STEP = {"token": EVIL, "probability": 0.5, "entropy": 1.0, "top": [{"token": EVIL, "probability": 0.5}]}
EXTRA = {
    "odds": drawings.odds([STEP]),
    "comparison": drawings.comparison([{"label": EVIL, "score": 0.5}], [{"label": EVIL, "score": 0.25}]),
    "difference": drawings.difference(EVIL, f"{EVIL} {EVIL}"),
}


def drawn(kind: str, evil: str = EVIL) -> str:
    output, inputs = supplied(evil)[kind]
    return DRAWINGS["labels" if kind == "zero-shot" else kind](output, inputs)


def test_every_kind_of_output_has_its_drawing() -> None:
    assert tuple(DRAWINGS) == KINDS


@pytest.mark.parametrize("kind", [*supplied(""), *EXTRA])
def test_supplied_text_never_becomes_a_tag_or_a_handler(kind: str) -> None:
    made = EXTRA[kind] if kind in EXTRA else drawn(kind)
    if kind not in ("image", "keypoints", "audio"):  # nobody can put a text into those
        assert "alert(1)" in text_of(made).replace("␣", " ")
    for tag, attributes in Tags(made).found:
        assert tag != "script"
        assert (attributes.get("src") or "data:").startswith("data:")
        for name, value in attributes.items():
            assert not (name.startswith("on") and "alert" in (value or ""))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_output_is_said_in_words(kind: str) -> None:
    empties: dict[str, Any] = {
        "transcript": {"text": ""},
        "audio": {"audio": np.zeros((0,), np.float32), "sampling_rate": 8000},
        "cells": {"answer": "", "coordinates": []},
        "answers": {"answer": "", "score": 0.5, "start": 0, "end": 0},
    }
    made = DRAWINGS[kind](empties.get(kind, []), {"image": picture(), "context": "A text.", "text": "A text."})
    assert re.search(r"no |nothing|without|empty", text_of(made), re.IGNORECASE)
    assert text_of(made).strip().endswith(".")


def test_labels_take_every_form_that_classifiers_return() -> None:
    rows = [{"label": "a", "score": np.float32(0.75)}, {"label": "b", "score": torch.tensor(0.25)}]
    plain = drawings.labels(rows, {})
    assert re.findall(r"width:([\d.]+)%", plain) == ["75.00", "25.00"]
    assert drawings.labels([rows], {}) == plain
    assert drawings.labels({"sequence": "s", "labels": ["a", "b"], "scores": [0.75, 0.25]}, {}) == plain
    many = drawings.labels([{"label": str(number), "score": 0.001} for number in range(1000)], {})
    assert f"and {1000 - drawings.SHOWN_LABELS} more labels" in many


def marks(made: str) -> dict[str, str]:
    """What each mark covers, its pieces joined; a mark inside another belongs to both."""
    covered: dict[str, str] = {}
    numbers: list[str] = []
    for piece in re.split(r"(<mark[^>]*>|</mark>|<sup>.*?</sup>)", made):
        if piece.startswith("<mark"):
            numbers.append(re.findall(r"data-n='(\d+)'", piece)[0])
        elif piece == "</mark>":
            numbers.pop()
        elif not piece.startswith("<sup>"):
            for number in numbers:
                covered[number] = covered.get(number, "") + stdlib_html.unescape(piece)
    return covered


@pytest.mark.parametrize(
    "parts",
    [
        [("Ada & Bo", 0), ("Rome", 17)],
        [("Ada", 0), (" & ", 3), ("Bo", 6)],  # they touch
        [("Ada & Bo", 0), ("Bo", 6)],  # one lies in the other
        [("Ada & Bo", 0), ("Bo went", 6)],  # they cross
        [("Bo", 6), ("Bo", 6)],
    ],
    ids=["apart", "touching", "nested", "crossing", "equal"],
)
def test_a_span_marks_exactly_its_characters(parts: list[tuple[str, int]]) -> None:
    text = "Ada & Bo went to Rome <3"
    found = [entity(text, part, "PER", start) for part, start in parts]
    made = drawings.spans(found, {"text": text})
    assert [marks(made)[str(number)] for number in range(len(parts))] == [part for part, _ in parts]
    paragraph = made.split("</p>")[0]
    assert text_of(re.sub(r"<sup>.*?</sup>", "", paragraph)) == text
    assert len(re.findall("<sup>PER</sup>", paragraph)) == len(parts)


def test_types_differ_by_colour_and_the_place_in_an_entity_does_not() -> None:
    text = "Ada Lovelace in Rome"
    found = [
        {"entity": kind, "score": 0.9, "word": word, "start": text.index(word), "end": text.index(word) + len(word)}
        for kind, word in (("B-PER", "Ada"), ("I-PER", "Lovelace"), ("B-LOC", "Rome"))
    ]
    first, second, third = re.findall(r"<mark[^>]*--hf-hue:(#\w+)", drawings.spans(found, {"text": text}))
    assert first == second != third


def test_a_tokenizer_without_offsets_gets_the_table_only() -> None:
    made = drawings.spans(
        [{"entity": "PER", "score": 0.9, "word": "Ada", "start": None, "end": None}], {"text": "Ada went"}
    )
    assert "<mark" not in made
    assert "Ada" in made
    assert "does not say where" in made


def test_the_best_answer_is_marked_in_its_context() -> None:
    context = "Built in 1897 & still there."
    start = context.index("1897")
    best = {"score": 0.9, "start": start, "end": start + 4, "answer": "1897"}
    made = drawings.answers([best, {"score": 0.05, "start": 0, "end": 5, "answer": "Built"}], {"context": context})
    assert marks(made) == {"0": "1897"}
    assert "Other answers" in made
    assert "Other answers" not in drawings.answers(best, {"context": context})


def test_an_answer_from_a_page_outlines_its_words() -> None:
    words = [["Total", [0, 0, 100, 50]], ["5.50", [500, 100, 600, 150]], ["EUR", [610, 100, 700, 150]]]
    made = drawings.answers(
        [{"score": 0.9, "answer": "5.50 EUR", "start": 1, "end": 2}],
        {"image": picture(2000, 1000), "word_boxes": words},
    )
    assert elements(made, "svg")[0]["viewbox"] == "0 0 2000 1000"
    outlined = {(box["x"], box["y"], box["width"], box["height"]) for box in elements(made, "rect")}
    assert outlined == {("1000.0", "100.0", "200.0", "50.0"), ("1220.0", "100.0", "180.0", "50.0")}
    assert "5.50 EUR" in drawings.answers({"answer": "5.50 EUR"}, {"image": picture()})


def test_masks_in_a_sentence_are_filled_one_by_one() -> None:
    def list_of(word: str) -> list[dict[str, Any]]:
        return [{"score": 0.5, "token": 1, "token_str": word, "sequence": f"[CLS] {word}"}]

    made = drawings.candidates([list_of("cat"), list_of(" mat\n")], {"text": "The [MASK] sat on the [MASK]."})
    assert text_of(made.split("</p>")[0]) == "The cat sat on the mat."
    assert "Mask 2 of 2" in made
    assert "␣mat⏎" in made
    assert "[CLS] cat" in drawings.candidates(list_of("cat"), {"text": "no mask that is known here"})


def test_boxes_lie_where_the_model_put_them_and_share_a_name_with_their_row() -> None:
    other = {"score": torch.tensor(0.4), "label": "dog", "box": {"xmin": 150, "ymin": 2, "xmax": 260, "ymax": 50}}
    made = pictures.boxes([{"score": 0.98, "label": "cat", "box": BOX}, other], {"image": picture()})
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
        channels = np.array(list(bytes.fromhex(pictures.hue(index)[1:]))) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.5, pictures.hue(index)


def test_many_boxes_are_numbered_and_far_too_many_are_cut() -> None:
    found = [{"score": 0.5, "label": "thing", "box": BOX}] * 150
    made = pictures.boxes(found, {"image": picture()})
    assert "100 boxes of 150 are shown" in made
    assert ">thing 50.0%<" not in made


def test_a_large_picture_is_shrunk_for_the_page() -> None:
    found = [{"score": 0.5, "label": "thing", "box": BOX}]
    made = pictures.boxes(found, {"image": picture(4000, 1000)})
    assert opened(elements(made, "img")[0]["src"]).size == (1280, 320)
    assert elements(made, "svg")[0]["viewbox"] == "0 0 4000 1000", "boxes stay in the pixels that the model saw"


def test_masks_are_translucent_in_their_area_and_nowhere_else() -> None:
    masks = {"masks": [square(0, 0, 100, 100), torch.from_numpy(square(150, 20, 180, 60))], "scores": torch.ones(2)}
    made = pictures.masks(masks, {"image": picture()})
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
    made = pictures.masks(found, {"image": picture()})
    assert "–" in text_of(made)
    assert "0.0%" in made


def test_of_very_many_masks_the_largest_are_shown() -> None:
    areas = [square(0, 0, 1 + number, 10) for number in range(80)]
    made = pictures.masks({"masks": areas, "scores": np.linspace(0, 1, 80)}, {"image": picture()})
    assert "60 masks (the largest) of 80 are shown" in made
    assert "mask 80<" in made
    assert "mask 20<" not in made


def test_before_and_after_lie_on_each_other_with_a_slider_between_them() -> None:
    made = pictures.image(picture(400, 200, "red"), {"image": picture(200, 100)})
    slider = elements(made, "input")[0]
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == ("range", "0", "100", "50")
    assert "--hf-cut" in (slider["oninput"] or "")
    assert slider["aria-label"]
    assert "aspect-ratio:400/200" in (elements(made, "figure")[0]["style"] or "")
    before, after = (opened(each["src"]) for each in elements(made, "img"))
    assert (before.size, after.size) == ((200, 100), (400, 200))
    download = next(link for link in elements(made, "a") if link["download"] == "image.png")
    assert opened(download["href"]).getpixel((0, 0)) == (255, 0, 0)
    assert pictures.image([picture()], {}).count("<figure") == 1


def test_a_picture_too_large_for_a_page_is_not_put_into_it_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2400, 2400, 3), dtype=np.uint8)
    made = pictures.image(Image.fromarray(noise), {"image": picture()})
    assert elements(made, "a") == []
    assert "17 MB, too much for a page" in made
    assert len(made) < 4_000_000


def test_depth_is_coloured_from_its_least_to_its_greatest_number() -> None:
    depth = torch.linspace(1, 9, 200).repeat(1, 100, 1).to(torch.bfloat16)
    made = pictures.image({"predicted_depth": depth, "depth": picture().convert("L")}, {"image": picture()})
    assert "smallest 1<" in made
    assert "largest 9<" in made
    shown = opened(elements(made, "img")[1]["src"]).convert("RGB")
    for place, colour in ((2, (68, 1, 84)), (197, (253, 231, 37))):  # both ends of viridis
        found = shown.getpixel((place, 50))
        assert isinstance(found, tuple)
        assert np.abs(np.subtract(found, colour)).max() < 12


@pytest.mark.parametrize("number", [2.0, float("nan")])
def test_a_constant_depth_map_is_said_to_be_one(number: float) -> None:
    made = pictures.image({"predicted_depth": torch.full((10, 20), number)}, {"image": picture()})
    assert "constant" in made
    assert "nan" not in made


def test_matches_are_drawn_from_one_picture_into_the_other() -> None:
    made = pictures.keypoints([MATCH], {"image": picture(200, 100), "image_2": picture(200, 50)})
    line = elements(made, "line")[0]
    # The second picture is as high as the first, so it is twice as large, and stands right of a gap of 2 %.
    assert [float(line[name] or 0) for name in ("x1", "y1", "x2", "y2")] == [10, 20, 204 + 60, 80]
    assert "1 matched point" in made


def test_only_the_surest_of_many_matches_are_drawn() -> None:
    found = [{**MATCH, "score": score} for score in np.linspace(0, 1, 300)]
    made = pictures.keypoints(found, {"image": picture(), "image_2": picture()})
    assert len(elements(made, "line")) == 200
    assert "300 matched points" in text_of(made)
    assert "0.0%" not in [text_of(title) for title in re.findall(r"<title>.*?</title>", made)]


def test_each_piece_of_a_transcript_knows_when_it_was_said() -> None:
    chunks = [{"text": " Bring a coat,", "timestamp": (0.0, 1.5)}, {"text": " please.", "timestamp": (1.5, None)}]
    output = {"text": " Bring a coat, please.", "chunks": chunks}
    made = pictures.transcript(output, SOUND)
    buttons = elements(made, "button")
    assert [(each["data-start"], each["data-end"]) for each in buttons] == [("0.00", "1.50"), ("1.50", "Infinity")]
    assert (elements(made, "audio")[0]["src"] or "").startswith("data:audio/wav;base64,")
    names = {link["download"]: link["href"] or "" for link in elements(made, "a")}
    assert base64.b64decode(names["transcript.vtt"].split(",")[1]).startswith(b"WEBVTT")
    assert b"00:00:01,500" in base64.b64decode(names["transcript.srt"].split(",")[1])
    silent = pictures.transcript(output, {})
    assert "<button" not in silent
    assert "Bring a coat, please." in text_of(silent)


def test_a_transcript_without_chunks_is_text_under_its_sound() -> None:
    made = pictures.transcript({"text": "Bring a coat."}, SOUND)
    assert "Bring a coat." in made
    assert "<audio" in made
    assert "<a " not in made


@pytest.mark.parametrize("shape", [(8000,), (1, 8000), (2, 8000), (8000, 2), (1, 1, 8000)])
def test_a_sound_of_any_shape_is_heard_and_seen(shape: tuple[int, ...]) -> None:
    made = pictures.audio({"audio": torch.rand(shape).numpy(), "sampling_rate": 8000}, {})
    points = (elements(made, "polyline")[0]["points"] or "").split()
    assert 2 <= len(points) <= 600
    places = np.array([[float(number) for number in point.split(",")] for point in points])
    assert (places >= 0).all()
    assert (places[:, 0] <= 600).all()
    assert (places[:, 1] <= 100).all()
    assert "1.00 s" in text_of(made)
    assert [link["download"] for link in elements(made, "a")] == ["sound.wav"]


def test_silence_is_called_silence() -> None:
    assert "silent" in pictures.audio({"audio": np.zeros(100, np.float32), "sampling_rate": 100}, {})


def test_the_chosen_cells_are_marked_and_reckoned_with() -> None:
    table = {"city": ["Oslo", "Rome"], "people": ["700", "1,300"]}
    output = {
        "answer": "SUM > 700, 1,300",
        "coordinates": [(0, 1), (1, 1)],
        "cells": ["700", "1,300"],
        "aggregator": "SUM",
    }
    made = drawings.cells(output, {"table": table})
    assert re.findall(r"<td><mark>(.*?)</mark>", made) == ["700", "1,300"]
    assert "2,000" in made
    assert "no answer" in drawings.cells({"answer": "", "coordinates": [], "aggregator": "NONE"}, {"table": table})
    assert "Oslo" in drawings.cells([{"answer": "Oslo"}], {"table": table})


def test_white_space_of_written_text_is_kept_and_several_texts_are_counted() -> None:
    assert "one\n\n  two" in drawings.text([{"translation_text": "one\n\n  two"}], {})
    assert "2 of 2" in drawings.text([{"generated_text": "one"}, {"generated_text": "two"}], {})


def test_what_is_no_text_is_drawn_as_what_it_is() -> None:
    assert "<figure" in drawings.text([{"input_text": "draw", "generated_image": picture()}], {})
    assert "float64 array of shape [2, 9]" in drawings.text([{"generated_audio": np.zeros((2, 9))}], {})


def test_what_the_model_added_stands_out_from_what_it_was_given() -> None:
    made = drawings.chat([{"generated_text": "Once upon a time"}], {"text": "Once upon"})
    assert "<span class='hf-quiet'>Once upon</span><b> a time</b>" in made
    assert "<b>a time</b>" in drawings.chat([{"generated_text": "a time"}], {"text": "Once upon"})


@pytest.mark.parametrize(
    ("written", "answer"),
    [("<think>why</think>because", "because"), ("why</think>because", "because"), ("<think>why", None)],
)
def test_reasoning_is_folded_away_even_when_it_is_not_finished(written: str, answer: str | None) -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": written}]
    made = drawings.chat([{"generated_text": messages}], {})
    assert re.search(r"<details><summary>Reasoning · 1 words?</summary>why</details>", made)
    assert ("because" in text_of(made)) == (answer is not None)
    assert "think" not in text_of(made)


def test_an_answer_to_messages_ends_their_conversation() -> None:
    made = drawings.chat([{"generated_text": "Hello."}], {"messages": [{"role": "user", "content": "Hi"}]})
    assert re.findall(r"<small>(\w+)</small>", made) == ["user", "assistant"]


def test_texts_of_one_direction_are_alike_and_of_opposite_ones_are_not() -> None:
    made = drawings.vectors(
        [[[[1.0, 0.0], [1.0, 0.0]]], torch.tensor([[[2.0, 0.0]]]), np.array([[[-1.0, 0.0]]]), [[[0.0, 0.0]]]],
        {"text": "a\nb\nc\nd"},
    )
    assert re.findall(r"<td[^>]*>(-?\d\.\d\d)</td>", made)[:4] == ["1.00", "1.00", "-1.00", "0.00"]
    assert "2 · b" in made


@pytest.mark.parametrize(
    ("output", "shape"),
    [(torch.zeros(1, 5, 64), "[1, 5, 64]"), (np.zeros((1, 64)), "[1, 64]"), ([[[0.5] * 64] * 3], "[1, 3, 64]")],
)
def test_vectors_of_an_image_say_their_shape(output: Any, shape: str) -> None:
    assert shape in drawings.vectors(output, {"image": picture()})


def test_json_is_shortened_and_names_what_has_no_json_form() -> None:
    made = text_of(
        drawings.json({"n": list(range(100)), "i": picture(), "a": np.zeros((3, 4)), "t": "x" * 5000, "s": {1}}, {})
    )
    assert "… 88 more" in made
    assert "200 × 100 pixels" in made
    assert "[3, 4]" in made
    assert "5,000 characters" in made


def test_odds_say_how_likely_each_token_was_and_what_else_it_might_have_been() -> None:
    step = Odds(" ferry", 0.25, 1.5, ((" boat", 0.6), (" ferry", 0.25)))
    made = drawings.odds([vars(step)])
    chip = next(each for each in elements(made, "span") if each.get("class") == "hf-odd")
    assert chip["tabindex"] == "0"
    assert chip["style"] == "--hf-share:25%"
    assert "␣boat" in made
    assert re.findall(r"<i style='width:([\d.]+)%'", made) == ["60.0", "25.0"]
    assert "the likeliest was taken <b>0 times" in made
    assert "No token" in drawings.odds([])


def test_two_classifiers_are_compared_label_by_label() -> None:
    left = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
    right = [[{"label": "b", "score": 0.5}, {"label": "c", "score": 0.5}]]
    made = drawings.comparison(left, right)
    assert re.findall(r"<tr><td>(\w)</td>", made) == ["a", "b", "c"]
    assert "+25.0%" in made
    assert "left:50.00%;width:12.50%" in made
    less = drawings.comparison([{"label": "a", "score": 4.0}], [{"label": "a", "score": -4.0}])
    assert "left:0.00%;width:50.00%" in less, "logits go as far as the largest of them"
    assert "-8.000" in less


@pytest.mark.parametrize(
    "other", [[], [{"label": "z", "score": 1.0}], [{"label": "a", "score": 1.0, "box": BOX}], {"text": "a"}, "a"]
)
def test_what_has_no_label_in_common_is_not_compared(other: Any) -> None:
    assert drawings.comparison([{"label": "a", "score": 1.0}], other) == ""


def test_a_difference_strikes_out_the_left_and_underlines_the_right() -> None:
    made = drawings.difference("It leaves at seven.", "It leaves at eight, today.")
    assert text_of(re.sub(r"<ins>.*?</ins>", "", made)) == "It leaves at seven."
    assert text_of(re.sub(r"<del>.*?</del>", "", made)) == "It leaves at eight, today."
    assert "<del> seven</del>" in made
    assert "same" in drawings.difference("one", "one")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


def page_of(browser: Browser, width: int, *parts: str) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_content(f"<style>{CSS}{drawings.CSS}body{{margin:12px}}</style>{''.join(parts)}")
    return page


@pytest.mark.browser
def test_no_drawing_is_wider_than_a_phone(browser: Browser) -> None:
    long = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung" * 2
    for kind in supplied(""):
        page = page_of(browser, 390, drawn(kind, long))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, kind
        page.close()


@pytest.mark.browser
def test_slider_checkbox_row_and_piece_do_what_they_say(browser: Browser) -> None:
    chunks = [{"text": " one", "timestamp": (0.0, 0.5)}, {"text": " two", "timestamp": (0.5, 1.0)}]
    page = page_of(
        browser,
        1000,
        pictures.image(picture(colour="red"), {"image": picture()}),
        pictures.masks([{"score": 1.0, "label": "sky", "mask": square(0, 0, 9, 9)}], {"image": picture()}),
        pictures.boxes([{"score": 1.0, "label": "cat", "box": BOX}] * 2, {"image": picture()}),
        pictures.transcript({"text": "one two", "chunks": chunks}, SOUND),
    )
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".hf-over").evaluate("e => getComputedStyle(e).clipPath") == "inset(0px 0px 0px 51%)"
    page.get_by_label("sky").uncheck()
    assert not page.locator(".hf-layer").is_visible()
    page.get_by_label("all").uncheck()
    page.get_by_label("all").check()
    assert page.locator(".hf-layer").is_visible()
    page.locator("tr[data-n=n2]").focus()
    assert page.locator("g.hf-lit").evaluate_all("all => all.map(e => e.dataset.n)") == ["n2"]
    page.get_by_role("button", name="two").click()
    page.wait_for_function("document.querySelector('audio').currentTime >= 0.5")
    page.close()
