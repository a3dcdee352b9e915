"""The HTML of results that are heard: transcripts that play where they are touched, and sounds with their wave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hfdemo import media
from hfdemo.media import to_array
from hfdemo.ui.html import escape, facts, placeholder

WAVE_STEPS = 300
PLAYED_SECONDS = 600


def render_transcript(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw {"text", "chunks"?: [{"text", "timestamp": (start, end | None)}, ...]}, seconds, of inputs["audio"]."""
    if isinstance(output, list | tuple):
        output = output[0]
    player, chunks = _draw_player(inputs), output.get("chunks") or []
    if chunks:
        said = _draw_chunks(chunks, playable="<audio" in player) + _draw_subtitle_links(chunks)
    elif str(output["text"]).strip():
        said = f'<p class="hf-text hf-written">{escape(output["text"])}</p>'
    else:
        said = placeholder("The model heard no words in this sound.")
    return f'<div class="hf-transcript">{player}{said}</div>'


def _draw_chunks(chunks: Sequence[Mapping[str, Any]], playable: bool) -> str:
    """Draw the transcript; where its sound can be heard, each timed piece is a button that plays from there."""
    starts = [chunk["timestamp"][0] for chunk in chunks]
    pieces: list[str] = []
    for chunk, later in zip(chunks, [*starts[1:], None], strict=True):
        start, end = chunk["timestamp"]
        words = chunk["text"].lstrip()
        space = chunk["text"][: len(chunk["text"]) - len(words)] if pieces else ""
        if not playable or start is None:
            pieces.append(f"{space}<span>{escape(words)}</span>")
            continue
        until = later if end is None else end
        pieces.append(
            f'{space}<button type="button" data-start="{float(start):.2f}" '
            f'data-end="{"Infinity" if until is None else f"{float(until):.2f}"}" '
            f'title="{_format_clock(start)} – {_format_clock(end)}">{escape(words)}</button>'
        )
    hint = '<p class="hf-about">Press a piece to hear it.</p>' if playable else ""
    return f'{hint}<div class="hf-pieces">{"".join(pieces)}</div>'


def _draw_subtitle_links(chunks: Sequence[Mapping[str, Any]]) -> str:
    timed = [chunk for chunk in chunks if chunk["timestamp"][0] is not None]
    if not timed:
        return ""
    files = (
        ("srt", media.encode_data_url(media.format_subtitles(timed, "srt").encode(), "application/x-subrip")),
        ("vtt", media.encode_data_url(media.format_subtitles(timed, "vtt").encode(), "text/vtt")),
    )
    links = (f'<a href="{url}" download="transcript.{kind}">Download .{kind}</a>' for kind, url in files)
    return f'<p class="hf-links">{"".join(links)}</p>'


def _draw_player(inputs: Mapping[str, Any]) -> str:
    if inputs.get("audio") is None:
        return ""
    samples, rate = to_array(inputs["audio"]), int(inputs.get("sampling_rate") or 16_000)
    if samples.size > PLAYED_SECONDS * rate:
        minutes = PLAYED_SECONDS // 60
        return f'<p class="hf-about">The sound is longer than {minutes} minutes, so it cannot be played here.</p>'
    url = media.encode_data_url(media.encode_wav(samples, rate), "audio/wav")
    return f'<audio controls src="{url}"></audio>'


def _format_clock(seconds: Any) -> str:
    """Return seconds as minutes and seconds; an open end as a question mark."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(float(seconds), 60)
    return f"{minutes:.0f}:{rest:04.1f}"


def render_audio(output: Any, inputs: Mapping[str, Any]) -> str:
    """Draw {"audio": [samples] or [channels, samples], "sampling_rate"}: to hear, to see and to download."""
    if isinstance(output, list | tuple):
        return "".join(render_audio(each, inputs) for each in output) or placeholder("The model returned no sound.")
    samples, rate = np.atleast_1d(np.squeeze(to_array(output["audio"]))).astype("float32"), int(output["sampling_rate"])
    if not samples.size:
        return placeholder("The model returned a sound without a single sample.")
    if samples.ndim == 2 and samples.shape[0] > samples.shape[1]:
        samples = samples.T
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    loudest = float(np.abs(samples).max())
    silence = '<p class="hf-about">Every sample is zero: the sound is silent.</p>' if loudest == 0 else ""
    url = media.encode_data_url(media.encode_wav(samples, rate), "audio/wav")
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _sample_wave(np.atleast_2d(samples).mean(0), loudest or 1.0))
    return (
        f'<div class="hf-sound"><svg viewBox="0 0 {2 * WAVE_STEPS} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Waveform"><polyline points="{points}"/></svg><audio controls src="{url}"></audio></div>{silence}'
        + facts(
            [
                ("duration", f"{samples.shape[-1] / rate:.2f} s"),
                ("sampling rate", f"{rate:,} Hz"),
                ("samples", f"{samples.shape[-1]:,}"),
                ("loudest sample", f"{loudest:.3f}"),
            ]
        )
        + f'<p class="hf-links"><a href="{url}" download="sound.wav">Download the WAV</a></p>'
    )


def _sample_wave(samples: Any, loudest: float) -> list[tuple[float, float]]:
    """Return the sound as at most two points a step, its lowest and highest; x to 2 * WAVE_STEPS, y from 0 to 100."""
    parts = np.array_split(samples, min(WAVE_STEPS, samples.size))
    step = 2 * WAVE_STEPS / len(parts)
    extremes = ((index, level) for index, part in enumerate(parts) for level in (part.min(), part.max()))
    return [((index + 0.5) * step, 50 - 48 * float(level) / loudest) for index, level in extremes]
