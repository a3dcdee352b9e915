"""What a model wrote keeps its shape, its turns and its odds; two texts are compared word by word."""

import re

import numpy as np
import pytest

from hfdemo.inference.tracing import TokenProbability
from hfdemo.ui.renderers import generated_text
from tests.ui.samples import elements, picture, text_of


def test_white_space_of_written_text_is_kept_and_several_texts_are_counted() -> None:
    assert "one\n\n  two" in generated_text.render_text([{"translation_text": "one\n\n  two"}], {})
    assert "2 of 2" in generated_text.render_text([{"generated_text": "one"}, {"generated_text": "two"}], {})


def test_what_is_no_text_is_drawn_as_what_it_is() -> None:
    assert "<figure" in generated_text.render_text([{"input_text": "draw", "generated_image": picture()}], {})
    assert "float64 array of shape [2, 9]" in generated_text.render_text([{"generated_audio": np.zeros((2, 9))}], {})


def test_what_the_model_added_stands_out_from_what_it_was_given() -> None:
    made = generated_text.render_chat([{"generated_text": "Once upon a time"}], {"text": "Once upon"})
    assert "<span class='hf-quiet'>Once upon</span><b> a time</b>" in made
    assert "<b>a time</b>" in generated_text.render_chat([{"generated_text": "a time"}], {"text": "Once upon"})


@pytest.mark.parametrize(
    ("written", "answer"),
    [("<think>why</think>because", "because"), ("why</think>because", "because"), ("<think>why", None)],
)
def test_reasoning_is_folded_away_even_when_it_is_not_finished(written: str, answer: str | None) -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": written}]
    made = generated_text.render_chat([{"generated_text": messages}], {})
    assert re.search(r"<details><summary>Reasoning · 1 words?</summary>why</details>", made)
    assert ("because" in text_of(made)) == (answer is not None)
    assert "think" not in text_of(made)


def test_an_answer_to_messages_ends_their_conversation() -> None:
    made = generated_text.render_chat([{"generated_text": "Hello."}], {"messages": [{"role": "user", "content": "Hi"}]})
    assert re.findall(r"<small>(\w+)</small>", made) == ["user", "assistant"]


def test_odds_say_how_likely_each_token_was_and_what_else_it_might_have_been() -> None:
    step = TokenProbability(" ferry", 0.25, 1.5, ((" boat", 0.6), (" ferry", 0.25)))
    made = generated_text.render_token_probabilities([vars(step)])
    chip = next(each for each in elements(made, "span") if each.get("class") == "hf-odd")
    assert chip["tabindex"] == "0"
    assert chip["style"] == "--hf-strength:25%"
    assert "␣boat" in made
    assert re.findall(r"<i style='width:([\d.]+)%'", made) == ["60.0", "25.0"]
    assert "the likeliest was taken <b>0 times" in made
    assert "No token" in generated_text.render_token_probabilities([])


def test_a_difference_strikes_out_the_left_and_underlines_the_right() -> None:
    made = generated_text.render_text_difference("It leaves at seven.", "It leaves at eight, today.")
    assert text_of(re.sub(r"<ins>.*?</ins>", "", made)) == "It leaves at seven."
    assert text_of(re.sub(r"<del>.*?</del>", "", made)) == "It leaves at eight, today."
    assert "<del> seven</del>" in made
    assert "same" in generated_text.render_text_difference("one", "one")
