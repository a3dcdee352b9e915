"""What a run is asked before it is cancelled depends on whether it has begun."""

from hfdemo.finetuning.runs.run import Status
from hfdemo.ui.tabs.finetune import run_actions


def test_a_run_that_waits_leaves_the_queue_and_one_that_has_begun_is_cancelled() -> None:
    def words(status: Status) -> str:
        return str(run_actions.update_run_buttons(status, has_model=False)[2]["value"])

    assert words(Status("queued")) == run_actions.LEAVE
    for state in ("starting", "running", "stopping"):
        assert words(Status(state)) == run_actions.CANCEL
