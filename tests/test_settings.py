"""Settings are read once, and a wrong one is refused by name."""

from dataclasses import fields
from pathlib import Path

import pytest

from hfdemo.settings import Settings


def test_an_empty_environment_gives_a_local_server_below_the_home_folder() -> None:
    settings = Settings.from_env({})
    assert settings.home == Path("~/.cache/hfdemo").expanduser()
    assert settings.runs == settings.home / "runs"
    assert not settings.public


def test_a_space_is_public_whatever_else_is_set() -> None:
    assert Settings.from_env({"SPACE_ID": "someone/space", "HFDEMO_PUBLIC": "0"}).public


def test_what_is_left_out_has_the_default_of_its_mode() -> None:
    by_mode = {public: Settings.from_env({"HFDEMO_PUBLIC": public}) for public in ("0", "1")}
    for spec in fields(Settings):
        if spec.name not in ("home", "public"):
            assert getattr(by_mode["0"], spec.name) == spec.metadata["local"]
            assert getattr(by_mode["1"], spec.name) == spec.metadata["public"]
    assert Settings(public=True).max_upload_bytes == by_mode["1"].max_upload_bytes
    assert Settings.from_env({"HFDEMO_PUBLIC": "1", "HFDEMO_MAX_UPLOAD_BYTES": "5"}).max_upload_bytes == 5


@pytest.mark.parametrize(("variable", "value"), [("HFDEMO_PUBLIC", "maybe"), ("HFDEMO_MODEL_BYTES", "2GB")])
def test_a_value_that_cannot_be_read_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        Settings.from_env({variable: value})


def test_the_names_of_a_server_are_a_list() -> None:
    assert Settings.from_env({"HFDEMO_ALLOWED_HOSTS": " Box.lan, ,proxy.example"}).allowed_hosts == (
        "box.lan",
        "proxy.example",
    )


def test_the_folder_of_uploads_is_the_one_that_gradio_takes_a_variable_for(tmp_path: Path) -> None:
    assert Settings.from_env({"HFDEMO_HOME": str(tmp_path)}).upload_folder == tmp_path / "cache" / "gradio"
    for given in ("sent", str(tmp_path / "sent")):
        found = Settings.from_env({"HFDEMO_HOME": str(tmp_path), "GRADIO_TEMP_DIR": given}).upload_folder
        assert found == Path(given).absolute()


def test_a_home_that_can_not_be_written_to_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"Nothing can be written to .* Set HFDEMO_HOME to a folder"):
        Settings(home=tmp_path / "file" / "home").make_home()
    Settings(home=tmp_path / "new" / "home").make_home()
    assert list((tmp_path / "new" / "home").iterdir()) == []


def test_what_libraries_cache_lies_below_the_home_and_downloads_where_others_find_them(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    folders = settings.cache_folders({"XDG_CACHE_HOME": str(tmp_path / "xdg")})
    assert folders.pop("HF_HOME") == str(tmp_path / "xdg" / "huggingface")
    assert {Path(folder).parent for folder in folders.values()} == {tmp_path / "home" / "cache"}
    assert {"GRADIO_TEMP_DIR", "HF_DATASETS_CACHE", "HF_MODULES_CACHE"} <= set(folders)
    # What its user has set stays; without a place of their own, downloads lie below the home, too.
    assert set(settings.cache_folders({"HF_HOME": "x", "GRADIO_TEMP_DIR": "y"})) == {"TORCHINDUCTOR_CACHE_DIR"}
    (tmp_path / "file").write_text("")
    nowhere = settings.cache_folders({"XDG_CACHE_HOME": str(tmp_path / "file")})
    assert nowhere["HF_HOME"] == str(tmp_path / "home" / "cache" / "huggingface")
