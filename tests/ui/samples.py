"""Pictures, sounds and hostile texts to draw, and how to read what was drawn."""

import base64
import html as stdlib_html
import io
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
from PIL import Image

EVIL = "<img src=x onerror=alert(1)>'\"&</script>"
SAFE = "&lt;img src=x onerror=alert(1)&gt;&#x27;&quot;&amp;&lt;/script&gt;"
BOX = {"xmin": 20, "ymin": 30, "xmax": 120, "ymax": 90}
SOUND = {"audio": np.sin(np.linspace(0, 440, 8000)).astype(np.float32), "sampling_rate": 8000}
MATCH = {"keypoint_image_0": {"x": 10.0, "y": 20.0}, "keypoint_image_1": {"x": 30.0, "y": 40.0}, "score": 0.5}
VOID = {"img", "input", "br"}


def escaped(drawn: str) -> bool:
    """Whether EVIL stands there as text, and nowhere as markup."""
    return SAFE in drawn and "<img" not in drawn and "</script" not in drawn


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
