"""The page as a whole: what all tabs stand on."""

import copy
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from hfdemo.finetuning.dataset.corrections import DROP, Correction
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


def test_browsers_get_no_argument_of_an_endpoint_and_clients_get_all(tmp_path: Path) -> None:
    demo = build(Settings(home=tmp_path))
    config = demo.get_config_file()
    arguments = {each["id"] for each in config["components"] if each["type"] == "api"}
    assert len(arguments) > 100
    page = config["page"][""]
    assert not arguments & set(page["components"])

    def ids(layout: Any) -> set[int]:
        return {layout["id"]}.union(*map(ids, layout.get("children", [])))

    assert ids(page["layout"]) - {page["layout"]["id"]} <= set(page["components"])
    assert ids(config["layout"]) >= arguments
    assert len(page["dependencies"]) == len(config["dependencies"]), "the page's list of endpoints names them all"


def test_what_every_message_costs_the_browser_stays_small(tmp_path: Path) -> None:
    """With each, it goes through its page for every component that was ever an input of an event or showed progress."""
    demo = build(Settings(home=tmp_path))
    config = demo.get_config_file()
    types = {each["id"]: each["type"] for each in config["components"]}
    handlers = [each for each in config["dependencies"] if each["backend_fn"] and each["api_visibility"] != "public"]
    assert len(handlers) > 100
    assert max(len(each["inputs"]) for each in handlers) <= 25, "a form is one input: FieldGroup"
    drawn = [each for each in handlers if each["api_visibility"] == "undocumented"]
    assert [each["show_progress_on"] for each in drawn] == [[]], "else all of a task's panel, each time"
    first = [types[each["id"]] for each in config["page"][""]["layout"]["children"]]
    shown = first.index("row")
    assert {"state", "json"} == set(first[:shown]), "what nobody sees is found at once"
    assert "state" not in first[shown:]


def test_past_events_are_not_summed_up_after_each_one(tmp_path: Path) -> None:
    queue: Any = build(Settings(home=tmp_path))._queue
    queue.events_recorded = 10_000
    records = [{"function": "tokenize", "status": "success", "process_time": 0.1}]
    assert queue.compute_analytics_summary(records) == {"functions": {}}


def test_what_fails_leaves_no_answer_to_something_else_on_the_page(settings: Settings) -> None:
    """The sentence stands where the answer did, and what stood beside that answer goes."""
    wired = build(settings).fns.values()
    page = SimpleNamespace(session_hash="page")

    def last_of(name: str, *values: Any) -> Any:
        handler: Any = next(each.fn for each in wired if each.name == name)
        answers = handler(page, *values)
        return [*answers][-1] if inspect.isgenerator(answers) else answers

    count = last_of("count", None, "", "", "no/such-data", "", "", "", "(none)", "embedded:minilm", "", 8, 0)
    assert "hf-note" in count[0]
    assert (count[1], count[5], count[6]) == ("", None, "")
    assert count[2]["visible"] is False

    state, table, bottom, counted, decided = last_of("review", "no-such-run")
    assert "hf-note" in state
    assert (table, bottom["visible"], decided) == ("", False, [])
    assert "Nothing is decided yet." in counted

    copied = last_of("write", "CSV", "🎉" * 10, "", "no/such-tokenizer", True, False)
    assert "no/such-tokenizer" in str(copied.value)


def test_of_decisions_that_come_in_another_order_the_newest_stays(settings: Settings) -> None:
    handler: Any = next(each.fn for each in build(settings).fns.values() if each.name == "read_decisions")
    both = [Correction(DROP, key * 16).name for key in "ab"]
    newest, decided, said = handler(0, gr.EventData(None, {"number": 2, "fixes": both}))
    assert (newest, decided) == (2, both)
    assert "2 dropped" in said
    assert handler(newest, gr.EventData(None, {"number": 1, "fixes": both[:1]})) == (gr.skip(),) * 3
    assert handler(newest, gr.EventData(None, {"fixes": both[:1]})) == (gr.skip(),) * 3, "as anybody may send it"
    assert "Nothing is decided yet." in handler(newest, gr.EventData(None, {"number": 3, "fixes": []}))[2]
