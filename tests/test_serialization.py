"""Nothing is corrupted on its way to a client."""

import io
import json
import wave
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hfdemo.serialization import MOST_NUMBERS, FileValue, spell_out, to_json


@dataclass
class Point:
    x: float
    y: tuple[int, ...]


class Side(StrEnum):
    LEFT = "left"


@pytest.mark.parametrize("with_folder", [False, True], ids=["inline", "folder"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float32(0.1), 0.10000000149011612),
        (np.int64(3), 3),
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (torch.tensor([1, 2]), [1, 2]),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([0.5], dtype=torch.bfloat16), [0.5]),
        (np.bool_(True), True),
        (float("nan"), None),
        (np.array([np.inf, 1.0]), [None, 1.0]),
        ({"a": (1, None)}, {"a": [1, None]}),
        ({1: "key"}, {"1": "key"}),
        (Point(0.5, (1, 2)), {"x": 0.5, "y": [1, 2]}),
        (Side.LEFT, "left"),
        (Path("a/b"), "a/b"),
        ({"audio": [0.5], "sampling_rate": 8}, {"audio": [0.5], "sampling_rate": 8}),
    ],
    ids=str,
)
def test_every_value_has_its_plain_form(value: object, expected: object, with_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path if with_folder else None
    assert to_json(value, folder) == expected
    assert json.loads(json.dumps(to_json(value, folder), allow_nan=False)) == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [object(), 1j, np.complex64(1j), np.array([1j]), np.zeros((100, 100), complex)])
def test_what_has_no_plain_form_is_loud(value: object, tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(TypeError, match="has no JSON form"):
            to_json(value, folder)


def content(file: dict[str, Any], folder: Path, mime: str) -> io.BytesIO:
    """The bytes of a file value, once it has been checked to be one."""
    path = Path(file["path"])
    payload = path.read_bytes()
    assert path.parent == folder
    assert file == {
        "path": str(path),
        "meta": {"_type": "gradio.FileData"},
        "orig_name": path.name,
        "mime_type": mime,
        "size": len(payload),
    }
    return io.BytesIO(payload)


def test_a_picture_becomes_a_png_that_holds_the_same_pixels(tmp_path: Path) -> None:
    picture = Image.new("RGB", (5, 3), "teal")
    found = to_json([{"mask": picture, "label": "sea"}], tmp_path)
    assert found[0]["label"] == "sea"
    stored = Image.open(content(found[0]["mask"], tmp_path, "image/png"))
    assert stored.tobytes() == picture.tobytes()
    inline = to_json(picture)
    assert inline.startswith("data:image/png;base64,")
    assert Image.open(io.BytesIO(b64decode(inline.split(",")[1]))).tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    "samples", [np.zeros(80, np.float32), torch.zeros(1, 80), torch.zeros(80).bfloat16()], ids=type
)
def test_sound_becomes_a_wav_beside_its_sampling_rate(samples: Any, tmp_path: Path) -> None:
    found = to_json({"audio": samples, "sampling_rate": np.int64(8000), "text": "hush"}, tmp_path)
    assert (found["sampling_rate"], found["text"]) == (8000, "hush")
    with wave.open(content(found["audio"], tmp_path, "audio/wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 80)
    inline = to_json({"audio": samples, "sampling_rate": 8000})
    assert inline["audio"].startswith("data:audio/wav;base64,UklGR")
    assert inline["sampling_rate"] == 8000


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.random.default_rng(0).random((80, 60), dtype=np.float32), "float32"),
        (torch.rand(80, 60, requires_grad=True), "float32"),
        (torch.rand(80, 60).bfloat16(), "float32"),
        (np.ones((80, 60), bool), "bool"),
        (np.full((80, 60), np.nan), "float64"),
    ],
    ids=["numpy", "tensor", "bfloat16", "mask", "nan"],
)
def test_a_large_map_becomes_exact_numbers_and_a_picture_of_them(array: Any, dtype: str, tmp_path: Path) -> None:
    found = to_json({"predicted_depth": array}, tmp_path)["predicted_depth"]
    assert (found["shape"], found["dtype"]) == ([80, 60], dtype)
    numbers = np.load(content(found["npy"], tmp_path, "application/octet-stream"), allow_pickle=False)
    assert np.array_equal(numbers, np.array(array.tolist(), numbers.dtype), equal_nan=dtype == "float64")
    assert Image.open(content(found["png"], tmp_path, "image/png")).size == (60, 80)


def test_an_array_of_three_dimensions_has_numbers_but_no_picture(tmp_path: Path) -> None:
    found = to_json(torch.zeros(2, 80, 60), tmp_path)
    assert (found["png"], found["shape"]) == (None, [2, 80, 60])
    assert np.load(content(found["npy"], tmp_path, "application/octet-stream")).shape == (2, 80, 60)


def test_lists_small_arrays_and_vectors_stay_numbers(tmp_path: Path) -> None:
    features = [[0.5] * MOST_NUMBERS] * 2
    assert to_json(features, tmp_path) == features
    assert to_json(np.zeros((64, MOST_NUMBERS // 64)), tmp_path) == [[0.0] * 64] * 64
    assert to_json(np.zeros(MOST_NUMBERS + 1), tmp_path) == [0.0] * (MOST_NUMBERS + 1)
    assert to_json(np.zeros((80, 60))) == [[0.0] * 60] * 80
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    teal, red = Image.new("RGB", (4, 4), "teal"), Image.new("RGB", (4, 4), "red")
    paths = [file["path"] for file in to_json([teal, red, teal], tmp_path)]
    assert paths[0] == paths[2] != paths[1]
    assert sorted(map(str, tmp_path.iterdir())) == sorted({*paths})


def test_a_client_of_gradio_downloads_the_files_by_itself(tmp_path: Path) -> None:
    import gradio as gr
    from gradio_client import Client

    def depth() -> dict:  # type: ignore[type-arg]
        return dict(to_json({"depth": np.eye(80, dtype=np.float32)}, tmp_path))

    with gr.Blocks() as demo:
        gr.api(depth)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, allowed_paths=[str(tmp_path)])
    try:
        client = Client(url, verbose=False, download_files=str(tmp_path / "downloads"))
        found = client.predict(api_name="/depth")["depth"]
    finally:
        demo.close()
    assert Path(found["npy"]).is_relative_to(tmp_path / "downloads")
    assert np.array_equal(np.load(found["npy"]), np.eye(80))
    assert Image.open(found["png"]).size == (80, 80)


def test_nothing_but_a_file_of_ours_looks_like_one_to_a_client(tmp_path: Path) -> None:
    from gradio_client.utils import is_file_obj, traverse

    forged = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}, "url": "http://elsewhere.example"}
    row = {"path": "a.wav", "meta": "loud", "more": {"path": 3}}
    picture = to_json(Image.new("RGB", (2, 2)), tmp_path)
    answer = spell_out({"rows": [row, {"text": "a"}], "picture": picture, "labels": (forged, {"deep": forged})})
    found: list[Any] = []
    traverse(answer, found.append, is_file_obj)
    assert found == [picture]
    assert isinstance(picture, FileValue)
    pairs = [["path", "/etc/hostname"], ["meta", {"_type": "gradio.FileData"}], ["url", "http://elsewhere.example"]]
    assert answer == {
        "rows": [[["path", "a.wav"], ["meta", "loud"], ["more", {"path": 3}]], {"text": "a"}],
        "picture": picture,
        "labels": [pairs, {"deep": pairs}],
    }
