"""The package: a wheel that brings all it needs but its dependencies, and a command that does what the API does."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

import hfdemo
from tests.conftest import ROOT, free_port, wait_until

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_package_asks_for_what_a_space_installs() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert PROJECT["dependencies"] == [line for line in lines if line and not line.startswith("#")]
    assert PROJECT["version"] == hfdemo.__version__


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    shutil.unpack_archive(next(folder.glob("*.tar.gz")), folder)
    source = next(each for each in folder.iterdir() if each.is_dir())
    subprocess.run([*build, "-t", "wheel"], cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `hfdemo` of an environment that has the wheel and, of another, the libraries."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    wheel = str(next(built.glob("*.whl")))
    install = ["-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    Path(site.stdout.strip(), "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin" / "hfdemo"


def run(command: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HFDEMO_HOME": str(home), "GRADIO_TEMP_DIR": str(home / "uploads")}
    return subprocess.run([command, *arguments], cwd=home, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_the_examples(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", "hfdemo", "examples"], cwd=ROOT, capture_output=True, text=True)
    wanted = {name.replace("examples/", "hfdemo/_examples/", 1) if name.startswith("examples/") else name
              for name in tracked.stdout.split()}  # fmt: skip
    assert wanted <= found
    assert {name.split("/")[0] for name in found} == {"hfdemo"}, "nothing else comes to lie among the libraries"


@pytest.mark.slow
def test_the_installed_command_predicts_tokenizes_and_reads_the_examples(installed: Path, tmp_path: Path) -> None:
    said = run(installed, "predict", "text-classification", "What a wonderful day!", "--json", home=tmp_path)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["output"][0]["label"] == "positive"
    rows = run(installed, "call", "inspect_dataset", "--config", '{"dataset": "tickets"}', "--json", home=tmp_path)
    assert rows.returncode == 0, rows.stderr
    assert json.loads(rows.stdout)["kind"] == "single_label"


@pytest.mark.slow
def test_the_installed_command_opens_the_page(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "HFDEMO_HOME": str(tmp_path), "GRADIO_SERVER_PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([installed], cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert server.poll() is None, (tmp_path / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=5) as page:
                    return bool(json.load(page)["title"] == "hfdemo")
            except OSError:
                return False

        wait_until(answers, 240, "the page")
    finally:
        server.terminate()
        server.wait(60)
