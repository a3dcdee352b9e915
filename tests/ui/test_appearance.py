"""Style sheets and scripts are files: markup holds no code, and no rule is left for a class that nothing draws."""

import re

from hfdemo.ui.appearance import ICON, SCRIPTS, STATIC, STYLE_SHEETS, build_head
from tests.conftest import ROOT

SOURCES = {
    path: path.read_text(encoding="utf-8")
    for kind in ("*.py", "*.j2")
    for path in sorted((ROOT / "hfdemo" / "ui").rglob(kind))
}


def test_every_file_of_the_folder_is_loaded() -> None:
    assert {path.name for path in STATIC.iterdir()} == {path.name for path in (*STYLE_SHEETS, *SCRIPTS, ICON)}


def test_no_markup_carries_a_handler_a_script_or_a_style_sheet() -> None:
    found = {
        path.name: hits
        for path, source in SOURCES.items()
        if path.name not in ("appearance.py", "sign_in.html.j2")
        and (hits := re.findall(r"""\bon[a-z]{4,}=["'{]|<script|<style""", source))
    }
    assert found == {}


def test_every_class_of_the_style_sheets_is_drawn() -> None:
    drawn = "".join(SOURCES.values()) + "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    words = set(re.findall(r"[a-z][\w-]*", drawn))
    sheets = "".join(path.read_text(encoding="utf-8") for path in STYLE_SHEETS)
    # Some are put together of "hf-" and a word from a closed list: a state, a kind of slot, a role; hues have numbers.
    styled = {name.rstrip("0123456789") for name in re.findall(r"\.hf-([a-z][\w-]*)", sheets)}
    assert sorted(name for name in styled if not {name, f"hf-{name}"} & words) == []


def test_a_script_can_not_end_its_own_element() -> None:
    assert build_head().count("</script>") == len(SCRIPTS)
