"""What a run is asked before it is cancelled depends on whether it has begun; an address opens a run."""

import pytest

from hfdemo.api import App
from hfdemo.errors import RunError
from hfdemo.finetuning.kinds import KINDS
from hfdemo.finetuning.runs.run import Status
from hfdemo.ownership import OWNER_FILE
from hfdemo.settings import Settings
from hfdemo.tasks import find_task
from hfdemo.ui.tabs.finetune import run_actions, run_view
from tests.ui.tabs.finetune.reports import a_run


def test_a_run_that_waits_leaves_the_queue_and_one_that_has_begun_is_cancelled() -> None:
    def words(status: Status) -> str:
        return str(run_actions.update_run_buttons(status, has_model=False)[2]["value"])

    assert words(Status("queued")) == run_actions.LEAVE
    for state in ("starting", "running", "stopping"):
        assert words(Status(state)) == run_actions.CANCEL


def test_an_address_chooses_its_run_before_the_newest(settings: Settings) -> None:
    app = App.create(settings)
    old, new = a_run(settings, name="20260101-120000-x").id, a_run(settings, name="20260102-120000-x").id
    for asked, chosen in ((old, old), (None, new), ("20260103-120000-never", new), ("<b>../x", new)):
        update, opened = run_actions.choose_run(app, None, asked)
        assert update["value"] == opened == chosen
    assert run_actions.choose_run(app, old, None)[0]["value"] == old


def test_a_run_of_somebody_else_is_chosen_by_its_link_while_it_is_shared_and_one_s_own_as_ever(
    settings: Settings,
) -> None:
    run = a_run(settings)
    (run.folder / OWNER_FILE).write_text("anna")
    anna, bob = (App.create(settings.of_owner(owner)) for owner in ("anna", "bob"))
    link = anna.runs.share(run.id)
    update, opened = run_actions.choose_run(bob, None, link)
    assert update["value"] == opened == link
    assert update["choices"] == [(f"{run.id} · finished · by a link", link)]
    assert run_actions.find_linked(bob, link)[link].id == run.id
    for file in run_actions.FILES.values():
        with pytest.raises(RunError, match=r"^There is no such run\.$"):
            run_actions.copy_run_file(bob, file, link)
    run_view.save_note(bob, "mine", {"run": run.id})
    assert run.notes == ""
    update, opened = run_actions.choose_run(anna, None, link)
    assert update["value"] == opened == run.id
    assert run_actions.find_linked(anna, opened) == {}
    anna.runs.unshare(run.id)
    assert run_actions.find_linked(bob, link) == {}
    update, opened = run_actions.choose_run(bob, None, link)
    assert (update["value"], opened) == (None, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_used_first_on_a_row_that_it_has_not_learned_from(settings: Settings, kind: str) -> None:
    run = a_run(settings, kind)
    opening = run_actions.ask_held_out_row(run)
    task = find_task(run.config.task)
    if KINDS[kind].page.ask({"text": "[]"}) is None:
        assert opening == {"values": None, "notes": ()}
        return
    known = {field.name for field in task.fields}
    assert set(opening["values"]) <= known
    assert isinstance(opening["values"]["text"], str)
    assert opening["values"]["text"]
    (note,) = opening["notes"]
    assert note.startswith("Row 1 of the run's test split, which it has not learned from. Its label is: ")
    (run.folder / "data" / "test.csv").unlink()
    assert "validation split" in run_actions.ask_held_out_row(run)["notes"][0]
    (run.folder / "data" / "validation.csv").unlink()
    assert run_actions.ask_held_out_row(run) == {"values": None, "notes": ()}


def test_a_row_whose_label_is_kept_back_is_no_example(settings: Settings) -> None:
    run = a_run(settings)
    (run.folder / "data" / "test.csv").write_text("text,label\nunknown,\nknown,no\n")
    opening = run_actions.ask_held_out_row(run)
    assert opening["values"]["text"] == "known"
    assert opening["notes"][0].startswith("Row 2 of")
    assert opening["notes"][0].endswith("Its label is: no.")
