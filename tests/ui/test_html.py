"""Whatever a person, a file or a model supplied is text on the page, never markup."""

import re
from typing import Any

import pytest

from hfdemo.finetuning.dataset import Problem
from hfdemo.finetuning.runs import Status
from hfdemo.inference import Stages
from hfdemo.tasks import Scores
from hfdemo.tokenization.encoding import Encoding, Warning
from hfdemo.tokenization.padding import Waste
from hfdemo.ui import html

EVIL = "<img src=x onerror=alert(1)>'\"&</script>"
SAFE = "&lt;img src=x onerror=alert(1)&gt;&#x27;&quot;&amp;&lt;/script&gt;"


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
                Scores("softmax", (EVIL,), (0.1,), (1.0,)),
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
