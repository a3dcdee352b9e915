"""Files reach a model as it expects them, and a broken one gets a sentence. The files are real, made on the spot."""

import inspect
import io
import random
import struct
import wave
import zlib
from base64 import b64decode
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pytest
from PIL import Image

from hfdemo import media
from hfdemo.errors import DemoError
from hfdemo.media import (
    check_video,
    decode_audio,
    encode_data_url,
    encode_png,
    encode_wav,
    format_subtitles,
    read_audio,
    read_image,
)

# Always the same: by chance noise can look like a film without a picture.
NOISE = random.Random(1).randbytes(500)


def sine(hertz: float, sampling_rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(sampling_rate * seconds)) / sampling_rate)


def loudest_hertz(samples: np.ndarray, sampling_rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * sampling_rate / len(samples))


def write_audio(path: Path, codec: Any, samples: np.ndarray, sampling_rate: int) -> Path:
    """`samples` of shape (channels, samples), encoded as the file's ending and `codec` say."""
    layout = "stereo" if len(samples) == 2 else "mono"
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=sampling_rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout=layout)
        frame.sample_rate = sampling_rate
        resampler = av.AudioResampler(stream.format, layout, sampling_rate, frame_size=stream.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def write_video(path: Path, frames: int, codec: Any = "mpeg4", size: int = 64, with_sound: bool = False) -> Path:
    """`frames` frames at 24 a second, which turn from black to white; with a second of a 440 Hz sine if asked."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = size, size, "yuv420p", Fraction(1, 24)
        track = container.add_stream("aac", rate=16000, layout="mono") if with_sound else None
        for number in range(frames):
            picture: np.ndarray = np.full((size, size, 3), 255 * number // max(frames - 1, 1), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if track is not None:
            tone: np.ndarray = sine(440, 16000).astype(np.float32)[None]
            for start in range(0, 15 * 1024, 1024):
                frame = av.AudioFrame.from_ndarray(tone[:, start : start + 1024].copy(), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16000, start
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path


# Images


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "avif", "gif", "bmp", "tiff", "jp2", "ppm", "ico"])
def test_every_common_kind_of_picture_is_read_as_rgb(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"teal.{ending}"
    Image.new("RGB", (32, 32), (0, 128, 128)).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (32, 32))
    assert np.abs(np.asarray(image, dtype=int) - [0, 128, 128]).max() <= 4


def test_a_photo_stands_as_the_camera_was_held(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    image.save(tmp_path / "photo.png", exif=exif)
    upright = read_image(tmp_path / "photo.png")
    assert upright.size == (20, 40)
    assert upright.getpixel((18, 1)) == (255, 0, 0)
    assert upright.getpixel((1, 1)) == (255, 255, 255)


def transparent(mode: str) -> Image.Image:
    """Four black pixels, the first of them invisible."""
    black = Image.new("RGBA", (4, 1), "black")
    black.putpixel((0, 0), (0, 0, 0, 0))
    return black.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str, tmp_path: Path) -> None:
    transparent(mode).save(tmp_path / "glass.png")
    image = read_image(tmp_path / "glass.png")
    assert [image.getpixel((x, 0)) for x in range(4)] == [(255, 255, 255), *[(0, 0, 0)] * 3]


def test_a_half_transparent_pixel_is_half_white(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (0, 0, 0, 128)).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").getpixel((0, 0)) == (127, 127, 127)


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    red.save(tmp_path / "blink.gif", save_all=True, append_images=[blue])
    assert read_image(tmp_path / "blink.gif").getpixel((4, 4)) == (255, 0, 0)


def test_greys_of_16_bits_keep_their_shades(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32768, 65535]], np.uint16)).save(tmp_path / "scan.png")
    assert [read_image(tmp_path / "scan.png").getpixel((x, 0)) for x in range(3)] == [(g,) * 3 for g in (0, 128, 255)]


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for side in (8_000, 30_000):
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        checksum = struct.pack(">I", zlib.crc32(header))
        bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(DemoError, match=r"^bomb\.png has more than 50 million pixels\. Send a smaller copy\.$"):
            read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("damage", ["empty", "noise", "cut", "text", "postscript", "missing"])
def test_a_broken_picture_gets_a_sentence_without_its_folder(damage: str, tmp_path: Path) -> None:
    whole = encode_png(np.random.default_rng(0).random((50, 50)))
    path = tmp_path / "holiday.png"
    contents = {"empty": b"", "noise": NOISE, "cut": whole[: len(whole) // 2], "text": b"<html>"}
    contents["postscript"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    if damage in contents:
        path.write_bytes(contents[damage])
    with pytest.raises(DemoError, match=r"^holiday\.png can't be read as a picture") as caught:
        read_image(path)
    assert str(tmp_path) not in str(caught.value)


# Sound


@pytest.mark.parametrize(
    ("ending", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 8000),
        ("wav", "pcm_f32le", 44100),
        ("mp3", "libmp3lame", 44100),
        ("ogg", "libopus", 48000),
        ("flac", "flac", 22050),
        ("m4a", "aac", 44100),
        ("webm", "libopus", 48000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_tone_keeps_its_pitch_and_length_through_any_codec(
    ending: str, codec: str, rate: int, channels: int, tmp_path: Path
) -> None:
    path = write_audio(tmp_path / f"tone.{ending}", codec, np.stack([sine(440, rate, 2.0)] * channels), rate)
    samples = read_audio(path, 16000)
    assert (str(samples.dtype), samples.ndim) == ("float32", 1)
    assert len(samples) == pytest.approx(32000, abs=1600)
    assert loudest_hertz(samples, 16000) == pytest.approx(440, abs=1)
    assert np.abs(samples[4000:-4000]).max() == pytest.approx(0.5, abs=0.05)


def test_both_channels_are_heard_and_neither_makes_it_too_loud(tmp_path: Path) -> None:
    left, right = sine(440, 16000), sine(1000, 16000)
    samples = read_audio(write_audio(tmp_path / "two.wav", "pcm_s16le", np.stack([left, right]), 16000), 16000)
    assert np.abs(samples - (left + right) / 2).max() < 1e-3


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    samples = read_audio(write_video(tmp_path / "clip.mp4", 24, with_sound=True), 16000)
    assert loudest_hertz(samples, 16000) == pytest.approx(440, abs=1)


def test_samples_stay_between_minus_one_and_one_and_finite(tmp_path: Path) -> None:
    loud: np.ndarray = 4 * sine(440, 16000)
    loud[100], loud[200] = np.nan, np.inf
    samples = read_audio(write_audio(tmp_path / "loud.wav", "pcm_f32le", loud[None], 16000), 16000)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == 1.0


def test_a_recording_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "talk.wav", "pcm_s16le", sine(440, 8000, 3.0)[None], 8000)
    assert len(read_audio(path, 16000, max_seconds=3)) == pytest.approx(48000, abs=100)
    with pytest.raises(DemoError, match=r"^talk\.wav can't be used as sound: it is longer than 2 seconds\."):
        read_audio(path, 16000, max_seconds=2)


def test_a_header_that_lies_about_its_rate_does_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "slow.wav").write_bytes(encode_wav(np.zeros(100_000), 1))
    with pytest.raises(DemoError, match="longer than 600 seconds"):
        read_audio(tmp_path / "slow.wav", 16000)


def test_a_recording_that_was_cut_off_gives_what_is_left(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "cut.mp3", "libmp3lame", sine(440, 44100, 2.0)[None], 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + NOISE[:300])
    samples = read_audio(path, 16000)
    assert len(samples) == pytest.approx(16000, abs=3200)
    assert loudest_hertz(samples, 16000) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("damage", ["empty", "noise", "header", "missing"])
def test_a_broken_recording_gets_a_sentence_without_its_folder(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    contents = {"empty": b"", "noise": NOISE, "header": encode_wav(np.zeros(0), 16000)}
    if damage in contents:
        path.write_bytes(contents[damage])
    with pytest.raises(DemoError, match=r"^voice\.wav can't be (read|used) as sound: .+ Send ") as caught:
        read_audio(path, 16000)
    assert str(tmp_path) not in str(caught.value)


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"^mute\.mp4 can't be used as sound: it has no audio track\."):
        read_audio(write_video(tmp_path / "mute.mp4", 4), 16000)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_audio(tmp_path / "secret.mp3", "libmp3lame", sine(440, 44100)[None], 44100)
    write_video(tmp_path / "secret.mp4", 24)
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile secret.mp3\n")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(DemoError, match=r"^list\.wav can't be read as sound"):
        read_audio(tmp_path / "list.wav", 16000)
    with pytest.raises(DemoError, match=r"^list\.mp4 can't be read as a video"):
        check_video(tmp_path / "list.mp4")


def test_the_source_of_decode_audio_runs_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "tone.wav").write_bytes(encode_wav(sine(440, 44100), 44100))
    script: dict[str, Any] = {}
    exec(inspect.getsource(decode_audio), script)
    found = script["decode_audio"](str(tmp_path / "tone.wav"), 16000)
    assert np.array_equal(found, read_audio(tmp_path / "tone.wav", 16000))


# Video


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("mp4", "libx264"), ("mp4", "mpeg4"), ("avi", "mpeg4"), ("webm", "libvpx-vp9"), ("mkv", "libx264")],
)
def test_frames_and_seconds_of_a_video_are_counted(ending: str, codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"clip.{ending}", 36, codec)
    frames, seconds = check_video(path, frames_needed=36)
    assert frames == 36
    assert seconds == pytest.approx(1.5, abs=0.05)
    with av.open(path) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames


def test_a_video_with_too_few_frames_says_how_many_it_has(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"^clip\.mp4 has 5 frames, but the model looks at the first 16\."):
        check_video(write_video(tmp_path / "clip.mp4", 5), frames_needed=16)


def test_what_is_no_video_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "tone.wav").write_bytes(encode_wav(sine(440, 16000), 16000))
    (tmp_path / "notes.txt").write_text("hello\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(NOISE)
    for name in ("tone.wav", "notes.txt"):
        with pytest.raises(DemoError, match=f"^{name} has no video track"):
            check_video(tmp_path / name)
    for name in ("noise.mp4", "missing.mp4"):
        with pytest.raises(DemoError, match=f"^{name} can't be read as a video: .+ Send ") as caught:
            check_video(tmp_path / name)
        assert str(tmp_path) not in str(caught.value)


def test_a_video_with_enormous_frames_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", 1, size=3200)
    with pytest.raises(DemoError, match=r"^wide\.mp4 has frames of 3200 × 3200 pixels"):
        check_video(path)


# Back to files


@pytest.mark.parametrize(
    ("shape", "channels"), [((800,), 1), ((1, 800), 1), ((2, 800), 2), ((1, 1, 800), 1), ((0,), 1)]
)
def test_a_wav_has_the_channels_and_the_rate_of_its_samples(shape: tuple[int, ...], channels: int) -> None:
    with wave.open(io.BytesIO(encode_wav(np.zeros(shape, np.float32), 8000))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, 8000, 2)
        assert file.getnframes() == shape[-1]


def test_a_wav_holds_the_samples_clipped_and_finite() -> None:
    stereo = np.array([[0.5, 2.0, np.nan], [-0.5, -2.0, np.inf]])
    with wave.open(io.BytesIO(encode_wav(stereo, 8000))) as file:
        levels = np.frombuffer(file.readframes(3), "<i2").reshape(3, 2)
    assert levels.tolist() == [[16384, -16384], [32767, -32767], [0, 0]]


def test_samples_first_arrays_are_refused_loudly() -> None:
    with pytest.raises(ValueError, match="channels come first"):
        encode_wav(np.zeros((800, 2)), 8000)


@pytest.mark.parametrize(
    ("array", "greys"),
    [
        (np.array([[True, False]]), [255, 0]),
        (np.array([[7, 200]], np.uint8), [7, 200]),
        (np.array([[-1.0, 0.0, 1.0]]), [0, 128, 255]),
        (np.array([[3.0, 3.0]], np.float32), [0, 0]),
        (np.array([[np.nan, 0.0, 2.0, np.inf]]), [0, 0, 255, 0]),
        (np.array([[np.nan, np.nan]]), [0, 0]),
        (np.array([[0, 1, 2]]), [0, 128, 255]),
        (np.array([[0.0, 65504.0]], np.float16), [0, 255]),
    ],
    ids=["bool", "uint8", "float", "constant", "not finite", "all nan", "classes", "half"],
)
def test_a_map_becomes_greys(array: np.ndarray, greys: list[int]) -> None:
    image = Image.open(io.BytesIO(encode_png(array)))
    assert image.mode == "L"
    assert np.asarray(image)[0].tolist() == greys


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I", "I;16"])
def test_a_picture_of_any_mode_becomes_a_png(mode: str) -> None:
    assert Image.open(io.BytesIO(encode_png(Image.new(mode, (3, 2))))).size == (3, 2)


def test_an_array_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        encode_png(np.zeros((2, 2, 3)))


def test_a_data_url_holds_every_byte() -> None:
    url = encode_data_url(bytes(range(256)), "image/png")
    assert url.startswith("data:image/png;base64,")
    assert b64decode(url.split(",")[1]) == bytes(range(256))


# Subtitles

SAID: list[dict[str, Any]] = [
    {"text": " Hello\n\nthere.", "timestamp": (0.0, 1.5)},
    {"text": "  ", "timestamp": (1.5, 2.0)},
    {"text": " a <b> & c --> d", "timestamp": (2.0, None)},
    {"text": " Later", "timestamp": (3.25, 3.25)},
    {"text": " The end", "timestamp": (3599.9996, None)},
]


def test_subtitles_are_srt_to_the_letter() -> None:
    assert format_subtitles(SAID, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"
        "2\n00:00:02,000 --> 00:00:03,250\na <b> & c -- > d\n\n"
        "3\n00:00:03,250 --> 00:00:05,250\nLater\n\n"
        "4\n01:00:00,000 --> 01:00:02,000\nThe end\n"
    )


def test_subtitles_are_webvtt_to_the_letter() -> None:
    assert format_subtitles(SAID, "vtt") == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\nHello there.\n\n"
        "00:00:02.000 --> 00:00:03.250\na &lt;b&gt; &amp; c --&gt; d\n\n"
        "00:00:03.250 --> 00:00:05.250\nLater\n\n"
        "01:00:00.000 --> 01:00:02.000\nThe end\n"
    )


@pytest.mark.parametrize(("form", "text"), [("srt", ""), ("vtt", "WEBVTT\n")])
def test_silence_has_no_subtitles(form: Literal["srt", "vtt"], text: str) -> None:
    assert format_subtitles([{"text": "", "timestamp": (None, None)}], form) == text


def test_importing_media_imports_no_decoder() -> None:
    heavy = {"av", "numpy", "PIL"}
    assert not heavy & {name for name, value in vars(media).items() if inspect.ismodule(value)}
