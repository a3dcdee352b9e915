"""Every kind of output is drawn from what the pipeline really returns, and supplied text never becomes markup."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from hfdemo.ui.appearance import STYLE_SHEETS, build_head
from hfdemo.ui.renderers import RENDERERS, audio, generated_text, image, labels
from tests.browser.find import launch_options
from tests.ui.samples import BOX, EVIL, MATCH, SOUND, Tags, entity, picture, square, text_of

KINDS = (
    *("labels", "spans", "answers", "candidates", "boxes", "masks", "image", "keypoints", "transcript", "audio"),
    *("cells", "text", "chat", "vectors", "json"),
)


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
    "odds": generated_text.render_token_probabilities([STEP]),
    "comparison": labels.render_score_differences([{"label": EVIL, "score": 0.5}], [{"label": EVIL, "score": 0.25}]),
    "difference": generated_text.render_text_difference(EVIL, f"{EVIL} {EVIL}"),
}


def drawn(kind: str, evil: str = EVIL) -> str:
    output, inputs = supplied(evil)[kind]
    return RENDERERS["labels" if kind == "zero-shot" else kind](output, inputs)


def test_every_kind_of_output_has_its_drawing() -> None:
    assert tuple(RENDERERS) == KINDS


@pytest.mark.parametrize("kind", [*supplied(""), *EXTRA])
def test_supplied_text_never_becomes_a_tag_or_a_handler(kind: str) -> None:
    made = EXTRA[kind] if kind in EXTRA else drawn(kind)
    if kind not in ("image", "keypoints", "audio"):  # nobody can put a text into those
        assert "alert(1)" in text_of(made).replace("␣", " ")
    for tag, attributes in Tags(made).found:
        assert tag != "script"
        assert (attributes.get("src") or "data:").startswith("data:")
        assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_output_is_said_in_words(kind: str) -> None:
    empties: dict[str, Any] = {
        "transcript": {"text": ""},
        "audio": {"audio": np.zeros((0,), np.float32), "sampling_rate": 8000},
        "cells": {"answer": "", "coordinates": []},
        "answers": {"answer": "", "score": 0.5, "start": 0, "end": 0},
    }
    made = RENDERERS[kind](empties.get(kind, []), {"image": picture(), "context": "A text.", "text": "A text."})
    assert re.search(r"no |nothing|without|empty", text_of(made), re.IGNORECASE)
    assert text_of(made).strip().endswith(".")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


def page_of(browser: Browser, width: int, *parts: str) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800})
    css = "".join(path.read_text(encoding="utf-8") for path in STYLE_SHEETS)
    page.set_content(f"<style>{css}body{{margin:12px}}</style>{build_head()}{''.join(parts)}")
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
        image.render_image(picture(colour="red"), {"image": picture()}),
        image.render_masks([{"score": 1.0, "label": "sky", "mask": square(0, 0, 9, 9)}], {"image": picture()}),
        image.render_boxes([{"score": 1.0, "label": "cat", "box": BOX}] * 2, {"image": picture()}),
        audio.render_transcript({"text": "one two", "chunks": chunks}, SOUND),
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


@pytest.mark.browser
def test_the_list_of_boxes_breaks_no_number_and_no_short_label_and_goes_below_where_it_is_narrow(
    browser: Browser,
) -> None:
    found = [{"score": 0.957, "label": "dining table", "box": BOX}] * 12
    for width in (390, 700, 1000):
        page = page_of(browser, width, image.render_boxes(found, {"image": picture(800, 500)}))
        heights = page.locator(".hf-found td.hf-number").evaluate_all(
            "all => all.map(e => { const r = document.createRange(); r.selectNodeContents(e);"
            " return r.getClientRects().length })"
        )
        assert set(heights) == {1}, width
        label = "e => { const r = document.createRange(); r.selectNode(e.childNodes[1]); return r.getClientRects() }"
        assert page.locator(".hf-found td:nth-child(2)").first.evaluate(f"e => ({label})(e).length") == 1, width
        tops = [page.locator(each).bounding_box() for each in (".hf-figure", ".hf-found")]
        assert tops[0]
        assert tops[1]
        assert (tops[1]["y"] >= tops[0]["y"] + tops[0]["height"]) == (width < 720), width
        page.close()
