"""What a browser kept of a page is read with care: it may be of another version, and anybody can send anything."""

from pathlib import Path

import gradio as gr
import pytest

from hfdemo.ui.page_state import find_upload, read_kept


@pytest.mark.parametrize(
    "text", [None, "", "{", "null", "[]", '{"about": "x"}', '{"about": 1, "values": 3}', "[" * 9999]
)
def test_what_is_not_of_this_page_is_nothing(text: str | None) -> None:
    assert read_kept(text) == ("", {})


def test_what_was_kept_is_read() -> None:
    assert read_kept('{"about": "fill-mask", "values": {"text": "a"}}') == ("fill-mask", {"text": "a"})


def test_a_file_is_there_or_said_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = Path(gr.utils.get_upload_folder()) / "boats.csv"
    path.parent.mkdir(exist_ok=True)
    held = {"path": str(path), "orig_name": "boats.csv"}
    assert find_upload(held) == (None, "boats.csv is no longer on this server. Upload it again.")
    path.write_text("text,label\n")
    assert find_upload(held) == (str(path.resolve()), "")
    assert find_upload({"path": "/etc/passwd"}) == (
        None,
        "The file of this page is no longer on this server. Upload it again.",
    )
    assert find_upload(None) == (None, "")
