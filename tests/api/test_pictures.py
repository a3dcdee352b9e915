"""One picture, one answer: on the page, over the API, from a file, and by the code that is copied."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.data_classes import ImageData
from gradio_client import Client, handle_file
from PIL import Image

from hfdemo.inference import predict
from hfdemo.inference.snippets import RecordedCall, write_snippets
from hfdemo.models.cache import ModelCache
from hfdemo.models.reference import ModelRef
from hfdemo.serialization import to_json
from hfdemo.tasks import TASKS
from hfdemo.ui.tabs.run.widgets import build_widget, read_component
from tests.conftest import Server
from tests.tasks.test_tasks import assert_same

RAMP = np.linspace(0, 1, 48 * 32, dtype=np.float32).reshape(32, 48)
COLOURS = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 0.3)], axis=-1)
RGB = Image.fromarray((COLOURS * 255).astype(np.uint8))
GLASS = RGB.copy()
GLASS.putalpha(Image.fromarray((RAMP[:, ::-1] * 255).astype(np.uint8)))
TURNED = Image.Exif()
TURNED[0x0112] = 6

#: by what is special about it: a picture, and how it is saved
PICTURES: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
    "PNG": (RGB, "png", {}),
    "JPEG": (RGB, "jpg", {}),
    "WebP": (RGB, "webp", {}),
    "AVIF": (RGB, "avif", {}),
    "BMP": (RGB, "bmp", {}),
    "JPEG 2000": (RGB, "jp2", {}),
    "PPM": (RGB, "ppm", {}),
    "ICO": (RGB.resize((32, 32)), "ico", {}),
    "grey": (RGB.convert("L"), "png", {}),
    "black and white": (RGB.convert("1"), "png", {}),
    "palette": (RGB.convert("P"), "gif", {}),
    "turned camera": (RGB, "jpg", {"exif": TURNED}),
    "transparent PNG": (GLASS, "png", {}),
    "transparent WebP": (GLASS, "webp", {"lossless": True}),
    "transparent grey": (GLASS.convert("LA"), "png", {}),
    "transparent colour of a palette": (RGB.convert("P"), "png", {"transparency": 40}),
    "16-bit PNG": (Image.fromarray((RAMP * 65535).astype(np.uint16)), "png", {}),
    "16-bit TIFF": (Image.fromarray((RAMP * 65535).astype(np.uint16)), "tiff", {}),
    "32-bit TIFF": (Image.fromarray((RAMP * 65535).astype(np.int32)), "tiff", {}),
    "TIFF of fractions": (Image.fromarray(RAMP), "tiff", {}),
    "TIFF of measurements": (Image.fromarray(RAMP * 900 - 273), "tiff", {}),
    "CMYK": (RGB.convert("CMYK"), "jpg", {}),
    "animation": (RGB, "gif", {"save_all": True, "append_images": [RGB.rotate(180)]}),
    "pages": (RGB, "tiff", {"save_all": True, "append_images": [RGB.rotate(180)]}),
}

#: the pictures that `convert("RGB")` alone reads otherwise
NEED_DECODING = [name for name in PICTURES if name.startswith(("transparent", "16-bit", "32-bit", "TIFF"))]


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_one_answer_whichever_way_it_comes(
    name: str,
    client: Client,
    models: ModelCache,
    zoo: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture, ending, options = PICTURES[name]
    path = tmp_path / f"picture.{ending}"
    picture.save(path, **options)
    task, folder = TASKS["image-classification"], str(zoo("image-classification"))
    prediction = predict(models, task, ModelRef.parse(folder), {"image": path})
    expected = to_json(prediction.result)

    field = task.inputs[0]
    component: Any = build_widget(field)
    on_page = read_component(field, component.preprocess(ImageData(path=str(path), orig_name=path.name)))
    assert on_page.read_bytes() == path.read_bytes(), "the page changes the file before anybody reads it"

    over_api = client.predict(handle_file(str(path)), model=folder, api_name="/image_classification")
    assert_same(expected, over_api["output"])
    assert over_api["warnings"] == list(prediction.warnings)
    assert any("The first one was read." in each for each in prediction.warnings) is (name in ("animation", "pages"))

    code = write_snippets(RecordedCall.of(task, prediction, {"image": path}), models.settings, "http://127.0.0.1")
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code.pipeline, space)
    assert_same(expected, to_json(space["output"]))
    assert ("def decode_image" in code.pipeline) is (name in NEED_DECODING)


def test_greys_of_every_depth_are_the_same_picture(tmp_path: Path) -> None:
    """What is white in one is white in the other, whichever numbers stand for it."""
    from hfdemo.media import read_image

    shades = []
    for white, dtype in ((255, np.uint8), (65535, np.uint16), (65535, np.int32), (1, np.float32), (255, np.float32)):
        path = tmp_path / f"{white}-{np.dtype(dtype)}.tiff"
        Image.fromarray((RAMP * white).astype(dtype)).save(path)
        shades.append(np.asarray(read_image(path), dtype=int))
    for shade in shades[1:]:
        assert np.abs(shade - shades[0]).max() <= 1
