"""What starts a training: plain Python, torchrun, or accelerate with a config file."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hfdemo.devices import available_cores
from hfdemo.errors import DemoError

if TYPE_CHECKING:
    from hfdemo.devices import Device
    from hfdemo.finetuning.config import RunConfig

MOST_PROCESSES_PER_CORE = 4  # each holds the model once


def command(config: RunConfig, target: str, python: str = "python") -> list[str]:
    """Return the command that trains `target`, a config.json or a run folder, on this machine."""
    count = str(config.processes)
    several: list[str] = []
    if config.accelerate_config:
        # Port 0 is any free one: a run that waits for its turn has its launcher running already.
        several = ["accelerate.commands.launch", "--config_file", config.accelerate_config]
        several += ["--num_processes", count, "--main_process_port", "0", "-m"]
    elif config.processes > 1:
        several = ["torch.distributed.run", "--standalone", "--nproc_per_node", count, "-m"]
    return [python, "-m", *several, "hfdemo.finetuning", target]


def check_processes(config: RunConfig, device: Device, environment: Mapping[str, str] = os.environ) -> None:
    """Check that this machine can hold the processes that `config` asks for.

    Raises:
        DemoError: there are more than GPUs, or far more than cores.
    """
    if config.training.get("fsdp") and device.kind == "cpu":
        raise DemoError(no_fsdp(str(device)))
    if config.training.get("fsdp") and config.processes == 1:
        raise DemoError("fsdp shares a model out between processes, and processes is 1. Use more, or leave it out.")
    # Of several machines a launcher says how many are on this one.
    count = int(environment.get("LOCAL_WORLD_SIZE", config.processes))
    if device.kind == "cuda":
        import torch

        gpus = torch.cuda.device_count()
        if count > gpus and not config.training.get("use_cpu"):
            raise DemoError(
                f"processes is {count}, and this machine has {gpus} GPU{'' if gpus == 1 else 's'}: each "
                f"process needs one of its own. Use at most {gpus}."
            )
    most = MOST_PROCESSES_PER_CORE * available_cores()
    if count > most:
        raise DemoError(f"processes is {count:,}, and this machine has {available_cores()} cores. Use at most {most}.")


def check_accelerate(
    config: RunConfig, device: Device, *, public: bool, environment: Mapping[str, str] = os.environ
) -> None:
    """Check the Accelerate config file that `config` names, if it does, against `config` and this machine.

    Raises:
        DemoError: the server is a `public` one, there is no such file, it is no such config, or accelerate would do
            something else than it says.
    """
    if not config.accelerate_config:
        return
    if public:
        raise DemoError("accelerate_config is a path on the server, and a shared one takes none. Leave it out.")
    asked = _read(config.accelerate_config)
    kind, count = str(asked.distributed_type.value), asked.num_processes
    if count != config.processes:
        raise DemoError(
            f"{config.accelerate_config} has num_processes {count}, and the run processes {config.processes}. Make "
            "them the same."
        )
    if kind == "MULTI_CPU" and config.processes > 1:
        raise DemoError(
            f"{config.accelerate_config} asks for MULTI_CPU, which accelerate starts as a single process unless under "
            "mpirun. Leave the file out: torchrun starts several processes on a CPU."
        )
    if kind == "FSDP" and device.kind == "cpu":
        raise DemoError(no_fsdp(str(device)))
    if kind == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        raise DemoError(
            f"{config.accelerate_config} asks for DeepSpeed, which is not installed. Install it (pip install "
            "deepspeed), or pick another file."
        )
    precision = str(asked.mixed_precision or "no")
    if precision != "no" and not config.training.get(precision):
        raise DemoError(
            f"{config.accelerate_config} has mixed_precision {precision}, and the run does not. Set {precision} to "
            "true in the run's training, or mixed_precision to no in the file."
        )
    if (asked.num_machines or 1) > 1 and "WORLD_SIZE" not in environment:
        raise DemoError(
            f"{config.accelerate_config} is for {asked.num_machines} machines, and a page starts a run on its own "
            f"one. Run this on each of them: accelerate launch --config_file {config.accelerate_config} -m "
            "hfdemo.finetuning config.json"
        )


def no_fsdp(device: str) -> str:
    """Explain why FSDP is refused there."""
    return (
        f"FSDP shares a model out between GPUs or the like, and here is {device}: accelerate would pass over it "
        "without a word. Leave it out."
    )


def _read(path: str) -> Any:
    """Read the config as accelerate itself does."""
    from accelerate.commands.config.config_args import load_config_from_file

    try:
        return load_config_from_file(path)
    except OSError as error:
        raise DemoError(
            f"There is no Accelerate config file {path!r} on this machine. Give the path of one."
        ) from error
    except Exception as error:  # whatever stands in somebody's file
        raise DemoError(
            f"{path} is no Accelerate config: {' '.join(str(error).split())[:200]}. `accelerate config` writes one."
        ) from error
