"""Across the documents: what they list is what there is."""

import re

from hfdemo.settings import describe_settings
from tests.conftest import ROOT


def test_the_table_of_settings_in_the_readme_is_that_of_the_settings() -> None:
    assert describe_settings() in (ROOT / "README.md").read_text(encoding="utf-8"), "python -m hfdemo.settings"


def test_every_picture_of_the_readme_is_there_and_none_is_left_over() -> None:
    shown = set(re.findall(r"docs/pictures/[\w.-]+", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert shown == {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "pictures").iterdir()}
