"""Files of images, sound and video on their way to a model, and what comes back on its way to a file.

Annotations stay strings here, so that the source of `decode_image` and `decode_audio` runs as it is when it is pasted
into a script.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfdemo.errors import DemoError

if TYPE_CHECKING:
    import numpy
    from PIL import Image

MOST_PIXELS = 50_000_000
# The pipeline holds every sampled frame of a video at once, so one frame must be smaller than a lone picture.
MOST_FRAME_PIXELS = 4096 * 2304
# Below this models have not one frame of sound to hear.
LEAST_SECONDS = 0.03
# What cameras, browsers and scanners write. Pillow reads more, but EPS would start another program.
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "ICO")


def to_array(value: Any) -> "numpy.ndarray[Any, Any]":
    """Return a numpy array of a list, a PIL image, or a tensor of any type on any device."""
    import numpy as np

    return value.detach().float().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def decode_image(path: str, formats: "Sequence[str] | None" = None) -> "Image.Image":
    """Decode the first frame of a picture as RGB: turned as the camera was held, on white where it is transparent.

    Greys of 16 bits keep their upper 8. Of greys with more bits, those within 0..1 (fractions), 0..255 or 0..65535
    are taken to have that range; others are scaled so that the least is black and the greatest white.

    Raises:
        OSError, ValueError, SyntaxError, EOFError: not a picture of `formats`, or a damaged one.
    """
    import numpy as np
    from PIL import Image, ImageOps

    with Image.open(path, formats=formats) as opened:
        image = ImageOps.exif_transpose(opened)
    if image.mode.startswith(("I", "F")):
        numbers = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        least, greatest = numbers.min(), numbers.max()
        if image.mode == "F" and least >= 0 and greatest <= 1:
            numbers = np.rint(numbers * 255)
        elif image.mode.startswith("I;16") or (least >= 0 and 255 < greatest <= 65535):
            numbers = numbers / 256
        elif least < 0 or greatest > 65535:
            numbers = np.rint((numbers - least) / max(greatest - least, 1e-9) * 255)
        return Image.fromarray(numbers.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        # Alpha that is multiplied in already converts to its own plain mode alone.
        plain = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
        image = image.convert(plain).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def is_plain_image(path: Path) -> bool:
    """Return whether `convert("RGB")` alone reads the picture as `decode_image` does, once it is turned."""
    from PIL import Image

    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            return not image.mode.startswith(("I", "F")) and not image.has_transparency_data
    except Exception:  # it is gone, or damaged since
        return False


def read_image(path: Path, most_pixels: float = MOST_PIXELS) -> "Image.Image":
    """Read the picture as a person sees it: see `decode_image`.

    Raises:
        DemoError: not a picture, a damaged one, or one of more than `most_pixels`.
    """
    from PIL import Image

    too_large = f"{path.name} has more than {most_pixels / 1e6:g} million pixels. Send a smaller copy."
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as opened:
            if opened.width * opened.height > most_pixels:
                raise DemoError(too_large)
        return decode_image(str(path), IMAGE_FORMATS)
    except Image.DecompressionBombError as error:
        raise DemoError(too_large) from error
    except DemoError:
        raise
    except Exception as error:  # a damaged file makes a decoder raise nearly anything
        raise DemoError(
            f"{path.name} can't be read as a picture: it is damaged or of another kind. Send PNG, JPEG or WebP."
        ) from error


def note_frames(path: Path) -> str | None:
    """Say that of a file with several pictures one is read; None of a file with one."""
    from PIL import Image

    with Image.open(path, formats=IMAGE_FORMATS) as image:
        # A camera's JPEG may hold a small copy of the same picture.
        if image.format == "MPO" or not getattr(image, "is_animated", False):
            return None
        return f"{path.name} holds {image.n_frames:,} pictures. The first one was read."


def decode_audio(path: str, sampling_rate: int, max_seconds: float = float("inf")) -> "numpy.ndarray":
    """Decode the first audio track of any audio or video file as float32 mono in [-1, 1], of shape (samples,).

    Raises:
        av.FFmpegError: not an audio or video file, or a damaged one.
        ValueError: no audio track, nothing in it, or more than `max_seconds` of it.
    """
    import av
    import numpy as np

    pieces, heard = [], 0
    # An open file and no protocol: a playlist can't make the decoder open other files or addresses.
    with open(path, "rb") as file, av.open(file, options={"protocol_whitelist": "none"}) as container:  # noqa: PTH123
        if not container.streams.audio:
            raise ValueError("it has no audio track")
        resampler = av.AudioResampler(format="fltp", rate=sampling_rate)
        for packet in container.demux(audio=0):
            try:
                frames = packet.decode()
            except (av.InvalidDataError, av.EOFError):
                continue  # a tag or a cut at the end of a file must not cost the rest of it
            for frame in frames:
                heard += frame.samples
                if heard > max_seconds * frame.sample_rate:
                    raise ValueError(f"it is longer than {max_seconds:g} seconds")
                pieces += [part.to_ndarray().mean(axis=0) for part in resampler.resample(frame)]
        if pieces:
            pieces += [part.to_ndarray().mean(axis=0) for part in resampler.resample(None)]
    if not pieces:
        raise ValueError("nothing in its audio track can be decoded")
    samples = np.nan_to_num(np.concatenate(pieces), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def read_audio(path: Path, sampling_rate: int, max_seconds: float = 600) -> "numpy.ndarray":
    """Read the sound of `path` as float32 mono in [-1, 1], of shape (samples,), `sampling_rate` samples a second.

    Raises:
        DemoError: no audio track, damaged, of an unknown kind, longer than `max_seconds`, or shorter than any
            model hears.
    """
    import av

    try:
        samples = decode_audio(str(path), sampling_rate, max_seconds)
        if len(samples) < LEAST_SECONDS * sampling_rate:
            raise ValueError(f"it lasts only {1000 * len(samples) / sampling_rate:.1f} milliseconds")
        return samples
    except (av.FFmpegError, OSError) as error:
        raise DemoError(
            f"{path.name} can't be read as sound: {error.strerror}. Send WAV, MP3, FLAC, OGG or a video with sound."
        ) from error
    except ValueError as error:
        raise DemoError(f"{path.name} can't be used as sound: {error}. Send another file, or a part of it.") from error


def check_video(path: Path, frames_needed: int = 1) -> tuple[int, float]:
    """Count the frames of a video, and the seconds that they last.

    The pipeline for video-classification opens the path itself and reads the first `num_frames *
    frame_sampling_rate` frames; a shorter video would fail inside the model.

    Raises:
        DemoError: no video track, damaged, of an unknown kind, frames that are too large, or too few of them.
    """
    import av

    try:
        with path.open("rb") as file, av.open(file, options={"protocol_whitelist": "none"}) as container:
            # FFmpeg draws text files as a terminal would: a video to it, and to nobody else.
            if not container.streams.video or container.format.name == "tty":
                raise DemoError(f"{path.name} has no video track. Send a video, such as MP4 or WebM.")
            first = next(container.decode(video=0), None)
            container.seek(0)
            # Not decoded, so a film is counted in no time.
            packets = (packet for packet in container.demux(video=0) if packet.size)
            spans = [(packet.dts if packet.pts is None else packet.pts, packet.duration) for packet in packets]
            unit = container.streams.video[0].time_base or 0
    except (av.FFmpegError, OSError) as error:
        raise DemoError(f"{path.name} can't be read as a video: {error.strerror}. Send MP4 or WebM.") from error
    if first is not None and first.width * first.height > MOST_FRAME_PIXELS:
        raise DemoError(
            f"{path.name} has frames of {first.width} × {first.height} pixels, more than 4096 × 2304. "
            "Send a smaller copy; models look at a few hundred pixels."
        )
    frames = len(spans) if first is not None else 0
    if frames < frames_needed:
        raise DemoError(
            f"{path.name} has {frames} frames, but the model looks at the first {frames_needed}. "
            "Send a longer video, or lower the number of frames or the step between them."
        )
    starts = [start or 0 for start, _ in spans]
    end = max(start + (lasts or 0) for start, (_, lasts) in zip(starts, spans, strict=True))
    return frames, float((end - min(starts)) * unit)


def encode_wav(samples: "numpy.ndarray", sampling_rate: int) -> bytes:
    """Encode a 16-bit PCM WAV file of float samples in [-1, 1], of shape (samples,) or (channels, samples).

    Louder samples are clipped; what is not finite is silence. Leading axes of length 1 are ignored.

    Raises:
        ValueError: more than 16 channels, which is what samples-first arrays look like.
    """
    import io
    import math
    import wave

    import numpy as np

    channels, length = math.prod(samples.shape[:-1]), samples.shape[-1]
    if channels > 16:
        raise ValueError(f"audio of shape {samples.shape} has {channels} channels; channels come first")
    finite = np.nan_to_num(np.asarray(samples, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    levels = np.rint(np.clip(finite, -1.0, 1.0) * 32767).astype("<i2").reshape(channels, length)
    payload = io.BytesIO()
    with wave.open(payload, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sampling_rate)
        file.writeframes(levels.T.tobytes())
    return payload.getvalue()


def encode_png(image: "Image.Image | numpy.ndarray") -> bytes:
    """Encode a PNG file of a picture, or of a 2-D array of shape (height, width).

    uint8 is grey as it is, bool is black and white; other numbers are scaled so that the least is black and the
    greatest white. A constant map and what is not finite are black.

    Raises:
        ValueError: an array that is not 2-D.
    """
    import io

    import numpy as np
    from PIL import Image

    if not isinstance(image, Image.Image):
        image = Image.fromarray(_to_grey(image))
    elif image.mode in ("F", "I"):
        image = Image.fromarray(_to_grey(np.asarray(image)))
    elif image.mode not in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    payload = io.BytesIO()
    image.save(payload, "PNG")
    return payload.getvalue()


def _to_grey(array: "numpy.ndarray") -> "numpy.ndarray":
    """Scale a 2-D array to uint8 greys; the rules are `encode_png`'s."""
    import numpy as np

    if array.ndim != 2:
        raise ValueError(f"an array of shape {array.shape} is no picture; it must be (height, width)")
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    numbers: numpy.ndarray = array.astype(np.float64)
    finite = np.isfinite(numbers)
    least, greatest = (numbers[finite].min(), numbers[finite].max()) if finite.any() else (0.0, 0.0)
    span = greatest - least if greatest > least else 1.0
    return np.rint((np.where(finite, numbers, least) - least) / span * 255).astype(np.uint8)


def encode_data_url(payload: bytes, mime: str) -> str:
    """Encode `payload` inside a URL, which a page shows without asking a server."""
    from base64 import b64encode

    return f"data:{mime};base64,{b64encode(payload).decode('ascii')}"


def format_subtitles(chunks: Sequence[Mapping[str, Any]], form: Literal["srt", "vtt"]) -> str:
    """Write what automatic-speech-recognition returns as `chunks` as a file of subtitles.

    A chunk is {"text": str, "timestamp": (start, end)} in seconds. A chunk without a usable end lasts two seconds, or
    until the next one starts; a chunk without text is left out.
    """
    said = [(" ".join(chunk["text"].split()), *chunk["timestamp"]) for chunk in chunks]
    said = [(text, start or 0.0, end) for text, start, end in said if text]
    starts = [start for _, start, _ in said]
    cues = []
    for number, (text, start, end) in enumerate(said, start=1):
        if end is None or end <= start:
            end = min([start + 2, *(later for later in starts[number : number + 1] if later > start)])
        if form == "vtt":
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        else:
            text = text.replace("-->", "-- >")  # SRT has no escapes, and an arrow makes a line a time
        name = f"{number}\n" if form == "srt" else ""
        cues.append(f"{name}{_format_clock(start, form)} --> {_format_clock(end, form)}\n{text}\n")
    return "\n".join(["WEBVTT\n", *cues] if form == "vtt" else cues)


def _format_clock(seconds: float, form: Literal["srt", "vtt"]) -> str:
    """Write seconds as 00:00:00,000 (SRT) or 00:00:00.000 (WebVTT)."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}{',' if form == 'srt' else '.'}{milliseconds:03}"
