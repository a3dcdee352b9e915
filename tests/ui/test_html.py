"""Whatever a person, a file or a model supplied is text on the page, never markup."""

import re
from pathlib import Path
from typing import Any

import pytest

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.runs import Status
from hfdemo.inference import FilePrediction, Stages
from hfdemo.tasks import Explanation
from hfdemo.tokenization.encoding import Encoding, Warning
from hfdemo.tokenization.padding import Waste
from hfdemo.ui import html

EVIL = "<img src=x onerror=alert(1)>'\"&</script>"
SAFE = "&lt;img src=x onerror=alert(1)&gt;&#x27;&quot;&amp;&lt;/script&gt;"


CARD = {
    **dict.fromkeys(("model", "task", "architecture", "dtype", "device", "attention", "load_report"), EVIL),
    **{"labels": [EVIL], "warnings": [EVIL], "parameters": 1, "bytes": 1, "context": 8, "chat_template": True},
}


def encoding(tokens: list[list[str]], attention: list[list[int]]) -> Encoding:
    ids = [[index for index, _ in enumerate(row)] for row in tokens]
    zeros = [[0] * len(row) for row in tokens]
    columns: dict[str, list[Any]] = {
        "input_ids": ids,
        "attention_mask": attention,
        "special_tokens_mask": zeros,
        "tokens": tokens,
        "word_ids": zeros,
        "sequence_ids": zeros,
    }
    return Encoding(columns, (Warning("code", EVIL, EVIL),))


@pytest.mark.parametrize(
    "drawn",
    [
        html.label_bars([{"label": EVIL, "score": 0.5}]),
        html.stages(
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
        html.token_rows(encoding([[EVIL]], [[1]]), Waste(1, 1)),
        html.progress("run", Status("failed", error=EVIL), EVIL),
        html.data_summary(1, {EVIL: 1}, {EVIL: 1}, [Problem(1, EVIL, EVIL, EVIL)]),
        html.confusion({"labels": [EVIL], "confusion_matrix": {"validation": [[1]]}}),
        html.notes([EVIL]),
        html.empty(EVIL),
        html.about(f"`{EVIL}` {EVIL}"),
        html.header(EVIL),
        html.card(CARD, EVIL),
        html.unloaded({"model": EVIL, "bytes": 1}),
        html.link_to(f"?task={EVIL}"),
        html.history([{"task": EVIL, "model": EVIL, "said": EVIL, "link": f"?{EVIL}"}]),
        html.two_sides((EVIL, ""), (EVIL, ""), ""),
        html.file_facts(FilePrediction(Path("x"), 1, 0, ((1, EVIL),), (EVIL,), (), 1.0, False)),
    ],
)
def test_supplied_text_is_escaped(drawn: str) -> None:
    assert SAFE in drawn
    assert "<img" not in drawn
    assert "</script" not in drawn


def test_bars_are_as_long_as_their_scores_and_logits_are_shown_as_numbers() -> None:
    drawn = html.label_bars([{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}])
    assert re.findall(r"width:([\d.]+)%", drawn) == ["75.00", "25.00"]
    assert "75.0%" in drawn
    logits = html.label_bars([{"label": "a", "score": 5.0}, {"label": "b", "score": -2.5}])
    assert re.findall(r"width:([\d.]+)%;margin-left:([\d.]+)%", logits) == [("50.00", "50.00"), ("25.00", "25.00")]
    assert "-2.500" in logits


def test_a_long_batch_is_cut_and_says_so() -> None:
    wide = encoding([["t"] * 1000], [[1] * 1000])
    assert f"the first {html.SHOWN_SLOTS} of 1,000 slots" in html.token_rows(wide, Waste(1000, 1000))
    tall = encoding([["t"]] * 40, [[1]] * 40)
    assert f"and {40 - html.SHOWN_ROWS} more rows" in html.token_rows(tall, Waste(40, 40))


def test_ragged_rows_are_called_so() -> None:
    assert "ragged" in html.token_rows(encoding([["t"], ["t", "t"]], [[1], [1, 1]]), Waste(3, 3))


def test_progress_tells_the_share_and_the_time_left() -> None:
    drawn = html.progress("run-1", Status("running", 5, 20, 1.5, eta_seconds=75), "CPU, 2 cores")
    assert "width:25.0%" in drawn
    assert "step 5 of 20 · epoch 1.5 · about 1 min 15 s left" in drawn
    assert "CPU, 2 cores" in drawn


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.com", None])
def test_a_kept_run_links_to_this_page_only(link: str | None) -> None:
    """The browser's storage can be written by anybody who sits at it."""
    assert "<a " not in html.history([{"task": "t", "model": "m", "said": "s", "link": link}])


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
    assert html.gist(output) == gist


def test_long_numbers_and_data_urls_are_cut_in_the_json_view() -> None:
    shown = html.shortened([[1.0] * 384, "data:image/png;base64," + "x" * 1000])
    assert shown[0][-1] == "… 376 more"
    assert len(shown[1]) < 100
