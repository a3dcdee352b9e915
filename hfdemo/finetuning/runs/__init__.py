"""The life of a run, which is a folder: whoever reads it, knows it, also after a restart.

store       RunStore: make, start, stop, resume, duplicate, delete
run         Run: what a folder tells
processes   which they are, and how they are made to end
stopping    a stop that is obeyed
resuming    going on where a run ended
queue       whose turn it is
ranks       several processes of one run
child_process  signs of life, the device's lock, the last word
comparison  several runs side by side
search      trials chosen by Optuna
"""

from __future__ import annotations

from hfdemo.finetuning.runs.run import ACTIVE, Run, State, Status
from hfdemo.finetuning.runs.store import RunStore

__all__ = ["ACTIVE", "Run", "RunStore", "State", "Status"]
