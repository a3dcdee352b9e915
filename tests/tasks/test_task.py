"""Requirements: found out by trying, asked for only when needed, and said in a sentence."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfdemo.tasks.task import AV, TESSERACT, TORCHVISION, TORCHVISION_FOR_PICTURES, Requirement


@pytest.mark.parametrize("requirement", [TORCHVISION, TORCHVISION_FOR_PICTURES, TESSERACT, AV])
def test_a_requirement_says_what_needs_it_and_how_to_get_it(requirement: Requirement) -> None:
    assert f"needs {requirement.name}, which is not installed here" in str(requirement)
    assert f"Install it with: {requirement.install}" in str(requirement)
    assert "install " in requirement.install


@pytest.mark.parametrize(
    ("first_line", "missing"),
    [
        ("raise RuntimeError('operator torchvision::nms does not exist')", True),
        ("raise ImportError('undefined symbol')", True),
        ("raise OSError('libcudart.so.12: cannot open shared object file')", True),
        ("'A build that loads.'", False),
    ],
)
def test_a_torchvision_that_is_there_but_does_not_load_is_missing(
    tmp_path: Path, first_line: str, missing: bool
) -> None:
    (tmp_path / "torchvision.py").write_text(first_line)
    # In a process of its own: libraries remember which torchvision they once saw.
    question = "from hfdemo.tasks.task import TORCHVISION; print(TORCHVISION.missing())"
    path = os.pathsep.join([str(tmp_path), *sys.path])
    answer = subprocess.run(
        [sys.executable, "-c", question], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert answer.stdout.strip() == str(missing), answer.stderr


def test_the_torchvision_to_install_fits_the_torch_that_is_here() -> None:
    import torch

    minor = int(torch.__version__.split(".")[1])
    assert f'pip install "torchvision==0.{minor + 15}.*"' in TORCHVISION.install


def test_av_is_here_because_the_app_installs_it() -> None:
    assert importlib.util.find_spec("av") is not None
    assert not AV.missing()


def test_tesseract_needs_the_program_and_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert TESSERACT.missing()
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "pytesseract.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not TESSERACT.missing()


def test_words_are_read_only_when_none_are_given_and_the_model_wants_any() -> None:
    from transformers import LayoutLMConfig, VisionEncoderDecoderConfig

    layoutlm, donut = LayoutLMConfig(), VisionEncoderDecoderConfig.__new__(VisionEncoderDecoderConfig)
    assert TESSERACT.when(layoutlm, {"word_boxes": None})
    assert not TESSERACT.when(layoutlm, {"word_boxes": [["Total", [0, 0, 10, 10]]]})
    assert not TESSERACT.when(donut, {"word_boxes": None})


def test_any_to_any_needs_torchvision_for_models_with_eyes_only() -> None:
    import transformers

    when = TORCHVISION_FOR_PICTURES.when
    for seeing in (transformers.SmolVLMConfig(), transformers.LlavaConfig(), transformers.Qwen2_5OmniConfig()):
        assert when(seeing, {})
    for hearing in (transformers.Qwen2AudioConfig(), transformers.VoxtralConfig()):
        assert not when(hearing, {})
    assert not when(transformers.BertConfig(), {})  # no model of this task at all: loading says so
