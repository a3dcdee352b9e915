"""Settings are read once, and a wrong one is refused by name."""

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


@pytest.mark.parametrize(("variable", "value"), [("HFDEMO_PUBLIC", "maybe"), ("HFDEMO_MODEL_BYTES", "2GB")])
def test_a_value_that_cannot_be_read_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(ValueError, match=variable):
        Settings.from_env({variable: value})
