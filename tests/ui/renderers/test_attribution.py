"""Why, drawn: every token with its sign in more than a colour, and nothing of a text runs."""

from dataclasses import replace

from hfdemo.inference import AttentionMap, Attribution
from hfdemo.ui.renderers.attribution import NO_CAUSE, render_attention, render_attribution

FOUND = Attribution(
    task="text-classification",
    model="embedded:sentiment",
    method="integrated_gradients",
    target="positive",
    tokens=("[CLS]", "good", "<b>", "bad", "[SEP]"),
    special=(True, False, False, False, True),
    spans=(None, (0, 0, 4), (0, 5, 8), (0, 9, 12), None),
    scores=(0.0, 2.0, 0.01, -1.0, 0.0),
    logit=1.5,
    baseline=0.49,
    error=0.001,
    steps=32,
    seconds=0.4,
    warnings=(),
)


def test_what_speaks_for_and_against_is_told_apart_without_colour() -> None:
    drawn = render_attribution(FOUND)
    assert "<ins class='hf-why-for' style='--hf-share:1.00' title='good: +2.000'><bdi>good</bdi></ins>" in drawn
    assert "<del class='hf-why-against' style='--hf-share:0.50' title='bad: -1.000'><bdi>bad</bdi></del>" in drawn
    assert "<span title='&lt;b&gt;: +0.010'><bdi>&lt;b&gt;</bdi></span>" in drawn, "next to nothing has no colour"
    assert "<span class='hf-why-special'" in drawn
    assert "0.10% of the difference" in drawn


def test_scores_that_need_not_add_up_are_not_said_to() -> None:
    drawn = render_attribution(replace(FOUND, method="leave_one_out", baseline=None, error=None))
    assert "add up" not in drawn
    assert "without the words" not in drawn


def test_an_attention_map_has_a_cell_for_each_pair_and_says_what_it_is_not() -> None:
    found = AttentionMap(("[CLS]", "<i>"), 6, 12, 5, None, ((0.25, 0.75), (0.5, 0.5)), ())
    drawn = render_attention(found)
    assert drawn.count("<td style=") == 4
    assert "--hf-share:1.00' title='[CLS] looks at &lt;i&gt;: 0.750'" in drawn
    assert NO_CAUSE in drawn
    assert "<i>" not in drawn
