"""The page as a whole: what all tabs stand on."""

import copy
from pathlib import Path
from typing import Any

from hfdemo.settings import Settings
from hfdemo.ui import ComponentsById, build


def test_components_may_be_added_while_a_page_goes_through_them(tmp_path: Path) -> None:
    components: Any = build(Settings(home=tmp_path)).blocks
    of_a_page = copy.copy(components)
    assert isinstance(of_a_page, ComponentsById)
    assert of_a_page is not components
    known = list(components)
    for view in (of_a_page.values, of_a_page.items, of_a_page.keys):
        seen = []
        for number, each in enumerate(view()):
            of_a_page[-len(of_a_page)] = number
            seen.append(each)
        assert len(seen) >= len(known)
    assert set(known) < set(of_a_page)


def test_the_browser_draws_no_argument_of_an_endpoint_and_finds_the_page_before_them(tmp_path: Path) -> None:
    config = build(Settings(home=tmp_path)).get_config_file()
    arguments = {each["id"] for each in config["components"] if each["type"] == "api"}
    *_, last = config["layout"]["children"]
    assert {each["id"] for each in last["children"]} == arguments
    assert len(arguments) > 100
    assert next(each for each in config["components"] if each["id"] == last["id"])["props"]["visible"] is False
