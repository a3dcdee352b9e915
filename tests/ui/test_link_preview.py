"""A link to the page is shown elsewhere by the page's own title, sentence and picture."""

import re
import urllib.request

import pytest

from hfdemo.ui.appearance import ABOUT
from hfdemo.ui.link_preview import PICTURE, PICTURE_PATH, write_preview
from tests.conftest import Server

FORWARDED = {"X-Forwarded-Host": "demo.example", "X-Forwarded-Proto": "https"}


def read_preview(document: str) -> dict[str, list[str]]:
    """Return what the elements of the head say, by name."""
    found: dict[str, list[str]] = {}
    for name, content in re.findall(r'<meta\s+(?:property|name)="([\w:]+)"\s+content="([^"]*)"', document):
        found.setdefault(name, []).append(content)
    return found


@pytest.mark.parametrize("headers", [{}, FORWARDED], ids=["asked directly", "behind a proxy"])
def test_the_document_has_one_title_and_one_picture_at_its_own_address(server: Server, headers: dict[str, str]) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/?__theme=dark", headers=headers)) as answer:
        found = read_preview(answer.read().decode())
    root = "https://demo.example" if headers else server.url
    assert found["og:title"] == ["hfdemo"]
    assert found["og:description"] == found["description"] == [ABOUT]
    assert found["og:url"] == [f"{root}/"]
    assert found["og:image"] == [f"{root}{PICTURE_PATH}"]
    assert found["twitter:card"] == ["summary_large_image"]
    assert not any("radio" in content for name, each in found.items() if ":" in name for content in each)


def test_the_picture_is_there(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}{PICTURE_PATH}") as answer:
        assert answer.headers["content-type"] == "image/png"
        assert answer.read() == PICTURE.read_bytes()


def test_an_address_stays_text() -> None:
    drawn = write_preview(b"<html><head><title>a</title></head></html>", 'http://a/"><script>').decode()
    assert "<script>" not in drawn
    assert drawn.startswith('<html><head><meta name="description"')
    assert drawn.endswith("<title>a</title></head></html>")
