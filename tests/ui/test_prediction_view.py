"""What stands around an answer says where it came from, and escapes what it was given."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.inference import FilePrediction, Stages
from hfdemo.tasks import Explanation
from hfdemo.ui.tabs.run import prediction_view
from tests.ui.samples import EVIL, escaped

CARD = {
    **dict.fromkeys(("model", "task", "architecture", "dtype", "device", "attention", "load_report"), EVIL),
    **{"labels": [EVIL], "warnings": [EVIL], "parameters": 1, "bytes": 1, "context": 8, "chat_template": True},
}


@pytest.mark.parametrize(
    "drawn",
    [
        prediction_view.render_stages(
            Stages(
                (EVIL,),
                (1,),
                (False,),
                (0,),
                ((EVIL, (1,)),),
                ((EVIL, (1,)),),
                Explanation(EVIL, (EVIL,), ((EVIL, 1.0),)),
            ),
            {"preprocess": 0.0, "forward": 0.0, "postprocess": 0.0},
        ),
        prediction_view.render_card(CARD, EVIL),
        prediction_view.render_unloaded({"model": EVIL, "bytes": 1}),
        prediction_view.render_link(f"?task={EVIL}"),
        prediction_view.render_history([{"task": EVIL, "model": EVIL, "said": EVIL, "set": EVIL, "link": f"?{EVIL}"}]),
        prediction_view.render_two_sides((EVIL, ""), (EVIL, ""), ""),
        prediction_view.render_file_facts(FilePrediction(Path("x"), 1, 0, ((1, EVIL),), (EVIL,), (), 1.0, False)),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert escaped(drawn)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.com", None])
def test_a_kept_run_links_to_this_page_only(link: str | None) -> None:
    """The browser's storage can be written by anybody who sits at it."""
    assert "<a " not in prediction_view.render_history([{"task": "t", "model": "m", "said": "s", "link": link}])


@pytest.mark.parametrize(
    ("output", "gist"),
    [
        ([{"label": "joy", "score": 0.5}], "joy 0.500"),
        ({"labels": ["sport"], "scores": [0.25]}, "sport 0.250"),
        ([{"summary_text": "short"}], "short"),
        ([{"generated_text": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}], "a"),
        ({"text": "spoken"}, "spoken"),
        ([], "[]"),
        ([{"score": None, "label": "wall", "mask": "data:image/png;base64,xxx"}], "wall"),
    ],
)
def test_the_gist_of_an_answer_is_its_first_words(output: Any, gist: str) -> None:
    assert prediction_view.summarize_output(output) == gist


def test_long_numbers_and_data_urls_are_cut_in_the_json_view() -> None:
    shown = prediction_view.shorten_output([[1.0] * 384, "data:image/png;base64," + "x" * 1000])
    assert shown[0][-1] == "… 376 more"
    assert len(shown[1]) < 100
