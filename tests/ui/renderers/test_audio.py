"""What is heard: each piece of a transcript knows its time, and a sound its wave."""

import base64

import numpy as np
import pytest
import torch

from hfdemo.ui.renderers import audio
from tests.ui.samples import SOUND, elements, text_of


def test_each_piece_of_a_transcript_knows_when_it_was_said() -> None:
    chunks = [{"text": " Bring a coat,", "timestamp": (0.0, 1.5)}, {"text": " please.", "timestamp": (1.5, None)}]
    output = {"text": " Bring a coat, please.", "chunks": chunks}
    made = audio.render_transcript(output, SOUND)
    buttons = elements(made, "button")
    assert [(each["data-start"], each["data-end"]) for each in buttons] == [("0.00", "1.50"), ("1.50", "Infinity")]
    assert (elements(made, "audio")[0]["src"] or "").startswith("data:audio/wav;base64,")
    names = {link["download"]: link["href"] or "" for link in elements(made, "a")}
    assert base64.b64decode(names["transcript.vtt"].split(",")[1]).startswith(b"WEBVTT")
    assert b"00:00:01,500" in base64.b64decode(names["transcript.srt"].split(",")[1])
    silent = audio.render_transcript(output, {})
    assert "<button" not in silent
    assert "Bring a coat, please." in text_of(silent)


def test_a_transcript_without_chunks_is_text_under_its_sound() -> None:
    made = audio.render_transcript({"text": "Bring a coat."}, SOUND)
    assert "Bring a coat." in made
    assert "<audio" in made
    assert "<a " not in made


@pytest.mark.parametrize("shape", [(8000,), (1, 8000), (2, 8000), (8000, 2), (1, 1, 8000)])
def test_a_sound_of_any_shape_is_heard_and_seen(shape: tuple[int, ...]) -> None:
    made = audio.render_audio({"audio": torch.rand(shape).numpy(), "sampling_rate": 8000}, {})
    points = (elements(made, "polyline")[0]["points"] or "").split()
    assert 2 <= len(points) <= 600
    places = np.array([[float(number) for number in point.split(",")] for point in points])
    assert (places >= 0).all()
    assert (places[:, 0] <= 600).all()
    assert (places[:, 1] <= 100).all()
    assert "1.00 s" in text_of(made)
    assert [link["download"] for link in elements(made, "a")] == ["sound.wav"]


def test_silence_is_called_silence() -> None:
    assert "silent" in audio.render_audio({"audio": np.zeros(100, np.float32), "sampling_rate": 100}, {})
