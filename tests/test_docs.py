"""Across the documents: what they list is what there is."""

from hfdemo.settings import describe_settings
from tests.conftest import ROOT


def test_the_table_of_settings_in_the_readme_is_that_of_the_settings() -> None:
    assert describe_settings() in (ROOT / "README.md").read_text(encoding="utf-8"), "python -m hfdemo.settings"
