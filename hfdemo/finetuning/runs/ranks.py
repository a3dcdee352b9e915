"""The processes of one run under torchrun: the first one makes the folder and writes, the others are told where."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfdemo.errors import RunError
from hfdemo.finetuning.runs.processes import process_identity

_POLL_SECONDS = 0.2
_KEY = "begin"


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run: number `rank` of `size`; `store` is what they all can read."""

    rank: int
    size: int
    store: Any

    def announce(self, folder: Path, checkpoint: Path | None) -> None:
        """Tell the others to train on the run in `folder`, from `checkpoint` on if there is one."""
        self.store.set(_KEY, json.dumps({"folder": str(folder), "checkpoint": checkpoint and str(checkpoint)}))

    def dismiss(self) -> None:
        """Tell the others that there is nothing to do."""
        self.store.set(_KEY, "null")

    def receive(self) -> tuple[Path, Path | None] | None:
        """Wait for the first one's word: the run's folder and the checkpoint to go on from, or None to leave.

        Raises:
            RunError: the folder is not on this machine.
        """
        # Not its own wait: that one blocks every signal, and the first process may wait for the device for hours.
        while not self.store.check([_KEY]):
            time.sleep(_POLL_SECONDS)
        said = json.loads(self.store.get(_KEY))
        if said is None:
            return None
        folder = Path(said["folder"])
        if not (folder / "config.json").is_file():
            raise RunError(
                f"The run's folder {folder} is not on this machine. Machines that train together need a HFDEMO_HOME "
                "that they share."
            )
        return folder, Path(said["checkpoint"]) if said["checkpoint"] else None


def find_ranks(environment: Mapping[str, str] = os.environ) -> Ranks | None:
    """Find who this process is to torchrun or accelerate launch; None without one, or where it started no other."""
    size = int(environment.get("WORLD_SIZE", "1"))
    if size == 1:
        return None
    from torch.distributed import PrefixStore, rendezvous

    # What torch.distributed itself meets at; a prefix keeps our keys from its own.
    store, rank, size = next(rendezvous("env://"))
    return Ranks(rank, size, PrefixStore("hfdemo", store))


def find_launcher(environment: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """Find the pid and creation time of the torchrun that started this process."""
    return process_identity(os.getppid()) if "TORCHELASTIC_RUN_ID" in environment else None
