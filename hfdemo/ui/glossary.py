"""The technical words of the page: the definitions of glossary.toml, and how they stand at the foot of the page."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from hfdemo.ui import html

GLOSSARY = Path(__file__).with_name("glossary.toml")
COURSE = "https://huggingface.co/learn/llm-course"


@dataclass(frozen=True)
class Word:
    """A word, the `forms` that it has in a text, what it means, and the section of the course that teaches it."""

    name: str
    forms: tuple[str, ...]
    means: str
    chapter: str  # "2/5"
    chapter_title: str

    @property
    def url(self) -> str:
        return f"{COURSE}/chapter{self.chapter}"

    @property
    def course(self) -> str:
        """Return how the section is named to a reader."""
        return f"Hugging Face course, chapter {self.chapter.partition('/')[0]}: {self.chapter_title}"


def read_glossary() -> list[Word]:
    """Return the words in the order of the alphabet."""
    found = tomllib.loads(GLOSSARY.read_text(encoding="utf-8"))
    words = [
        Word(name, tuple(each.get("forms", [name])), each["means"], each["chapter"], found["chapters"][each["chapter"]])
        for name, each in found["words"].items()
    ]
    return sorted(words, key=lambda word: word.name.lower())


def render_glossary() -> str:
    """Return the fold with all words; glossary.js explains them, too, where they first stand in a tab."""
    return html.fill_template("glossary.html.j2", words=read_glossary())
