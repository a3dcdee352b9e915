"""The whole page costs each of its messages little: events that show no progress keep no state of it."""

from hfdemo.settings import Settings
from hfdemo.ui import build


def test_an_event_that_shows_no_progress_gives_no_component_a_state_of_it(settings: Settings) -> None:
    """Gradio would keep one for each output, and search the page for all of them with every message."""
    wired = build(settings).config["dependencies"]
    hidden = [each for each in wired if (each["api_visibility"], each["show_progress"]) == ("private", "hidden")]
    assert len(hidden) > 40
    assert [each["api_name"] for each in hidden if each["outputs"] and each["show_progress_on"] != []] == []
