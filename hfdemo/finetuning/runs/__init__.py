"""A run is a folder: whoever reads it knows how the run is doing, also after a restart.

store       RunStore: make, start, stop, resume, duplicate, delete
run         Run: what a folder tells
processes   which they are, how they are made to end, and whose turn it is
child_process  a training's own: ranks, process.json, the device's lock, the final event
stop_and_resume  a stop that is enforced, and going on where a run ended
comparison  several runs side by side
search      the trials of a search, and all searches
search_trials  the trials chosen by Optuna, in a process of their own
"""

from __future__ import annotations

from hfdemo.finetuning.runs.run import ACTIVE, Run, State, Status
from hfdemo.finetuning.runs.store import RunStore

__all__ = ["ACTIVE", "Run", "RunStore", "State", "Status"]
