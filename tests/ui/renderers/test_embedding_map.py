"""A map names what its colours are, keeps distances, crosses out what is wrong, and never holds markup."""

import re
from collections.abc import Sequence

from hfdemo.inference import EmbeddingMap, MapPoint
from hfdemo.ui.renderers.embedding_map import COLOURINGS, COLOURS, list_colourings, render_embedding_map
from tests.ui.samples import EVIL, escaped, text_of


def made(points: Sequence[MapPoint], method: str = "pca") -> EmbeddingMap:
    variance = (0.5, 0.25) if method == "pca" else None
    labels = ("pos", "neg") if any(each.answer for each in points) else ()
    return EmbeddingMap("a/model", method, tuple(points), len(points), 384, variance, 0.5, labels, ("A note.",))


def point(row: int, label: str | None = None, answer: str | None = None, text: str = "a text") -> MapPoint:
    return MapPoint(row, float(row), float(row * row), text, label, answer)


def test_points_are_coloured_by_what_they_all_have() -> None:
    assert list_colourings(made([point(1), point(2)])) == ["nothing"]
    assert list_colourings(made([point(1, "x"), point(2)])) == ["label in the file", "nothing"]
    assert list_colourings(made([point(1, "x", "pos"), point(2, "y", "neg")])) == [
        *("label in the file", "answer of the model", "nothing")
    ], "none of the file's labels is the model's, so nothing is wrong"
    assert list_colourings(made([point(1, "Pos", "neg"), point(2, "neg", "pos")])) == list(COLOURINGS), "all wrong"


def test_what_is_wrong_is_crossed_and_listed() -> None:
    wrong = point(2, "neg", "pos", "I liked it not")
    found = made([point(1, "Pos", "pos"), wrong, point(3, "neg", "neg"), point(4, None, "neg")])
    drawn = render_embedding_map(found, "right or wrong")
    assert (drawn.count("<circle"), drawn.count("<path")) == (3, 1)
    assert "(no label) <b>1</b>" in drawn
    assert "the model is wrong (crosses) 1" in text_of(drawn)
    assert "I liked it not" in drawn.partition("Where the model is wrong")[2]
    assert "50% of all differences across, 25% up" in drawn
    assert "t-SNE keeps near texts near" in render_embedding_map(made(found.points, "tsne"), "nothing")


def test_rare_labels_share_a_colour_and_distances_one_scale() -> None:
    drawn = render_embedding_map(made([point(row, f"label {row}") for row in range(1, 13)]), "label in the file")
    assert f"others <b>{12 - (COLOURS - 1)}</b>" in drawn
    places = re.findall(r"cx='([\d.]+)' cy='([\d.]+)'", drawn)
    (left, top), (right, bottom) = ([float(each) for each in places[at]] for at in (0, 11))
    assert abs((right - left) / (12 - 1) - (top - bottom) / (144 - 1)) < 0.02
    assert render_embedding_map(made([MapPoint(row, 1.0, 1.0, "same") for row in range(3)]), "nothing")


def test_nothing_that_stands_in_a_file_is_markup() -> None:
    points = [point(1, EVIL, EVIL, EVIL), point(2, "pos", EVIL, EVIL)]
    for colouring in COLOURINGS:
        assert escaped(render_embedding_map(made(points), colouring))
