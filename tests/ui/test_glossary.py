"""The glossary: each word is short, is said on the page, and names the section of the course that teaches it."""

import ast
import re
import tomllib

import pytest

from hfdemo.ui.glossary import COURSE, GLOSSARY, Word, read_glossary, render_glossary
from tests.conftest import ROOT
from tests.ui.samples import elements

WORDS = read_glossary()
LONGEST = 140  # characters: two lines of the card or three
# What the page says stands in these rooms: the sentences, the tasks, the kinds of answer, the tokenizers' stages.
ROOMS = ("ui", "tasks", "finetuning", "tokenization", "inference")


def said_on_the_page() -> str:
    """Return all texts of the code that may come to the page; documents of the code are none of them."""
    said = []
    for path in (path for room in ROOMS for path in sorted((ROOT / "hfdemo" / room).rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documents]
        said += [str(each.value) for each in texts if isinstance(each.value, str)]
    return "\n".join(said)


SAID = said_on_the_page()


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_a_word_is_explained_in_a_sentence_or_two_that_do_not_need_it(word: Word) -> None:
    assert len(word.means) <= LONGEST
    assert re.match(r"[A-Z].*\.$", word.means)
    assert word.means.count(". ") <= 1
    assert not re.match(rf"(A|The|An) {re.escape(word.name)}\b", word.means, re.IGNORECASE)
    assert word.name.lower() in {form.lower() for form in word.forms}


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_a_word_is_one_that_the_page_says(word: Word) -> None:
    forms = "|".join(map(re.escape, word.forms))
    assert re.search(rf"(?<![\w`=])(?:{forms})(?![\w`=(])", SAID, re.IGNORECASE)


def test_no_form_is_that_of_two_words_and_no_section_is_left_over() -> None:
    forms = [form.lower() for word in WORDS for form in word.forms]
    assert len(forms) == len(set(forms))
    assert not [form for form in forms if re.search(r"[\\^$.*+?()\[\]{}|]", form)], "they are part of a pattern"
    assert {word.chapter for word in WORDS} == set(tomllib.loads(GLOSSARY.read_text(encoding="utf-8"))["chapters"])


def test_the_foot_of_the_page_has_every_word_with_its_meaning_and_its_section() -> None:
    drawn = render_glossary()
    assert [str(each["data-forms"]).split("|") for each in elements(drawn, "dt")] == [
        [form.lower() for form in word.forms] for word in WORDS
    ]
    assert len({each["id"] for each in elements(drawn, "dd")}) == len(WORDS)
    assert [each["href"] for each in elements(drawn, "a")] == [f"{COURSE}/chapter{word.chapter}" for word in WORDS]
    for word in WORDS:
        assert word.chapter_title.replace("'", "&#39;") in drawn
