"""How a training is started, and what of an Accelerate config file is refused before it is."""

from pathlib import Path
from typing import Any

import pytest

from hfdemo.devices import Device
from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.launcher import check_accelerate, command
from hfdemo.finetuning.runs import RunStore
from hfdemo.settings import Settings
from tests.finetuning.tiny_runs import CPU

GPU = Device("cuda", "a GPU")
WRITTEN: dict[str, Any] = {
    "compute_environment": "LOCAL_MACHINE",
    "distributed_type": "MULTI_GPU",
    "mixed_precision": "no",
    "num_machines": 1,
    "num_processes": 2,
    "use_cpu": False,
}


def file_of(folder: Path, **changes: Any) -> str:
    path = folder / "accelerate.yaml"
    path.write_text("".join(f"{name}: {value!r}\n" for name, value in {**WRITTEN, **changes}.items()))
    return str(path)


def test_one_process_needs_no_launcher_and_several_get_torchrun_with_a_port_of_their_own() -> None:
    assert command(RunConfig("d"), "c.json") == ["python", "-m", "hfdemo.finetuning", "c.json"]
    several = command(RunConfig("d", processes=2), "c.json", "/usr/bin/python3")
    assert several[:3] == ["/usr/bin/python3", "-m", "torch.distributed.run"]
    assert several[3:] == ["--standalone", "--nproc_per_node", "2", "-m", "hfdemo.finetuning", "c.json"]


def test_an_accelerate_config_is_handed_to_accelerate(tmp_path: Path) -> None:
    path = file_of(tmp_path)
    config = RunConfig("d", processes=2, accelerate_config=path)
    words = command(config, "c.json")
    assert words[2:5] == ["accelerate.commands.launch", "--config_file", path]
    assert words[-5:] == ["--main_process_port", "0", "-m", "hfdemo.finetuning", "c.json"]
    check_accelerate(config, GPU, public=False, environment={})


@pytest.mark.parametrize(
    ("changes", "device", "said"),
    [
        ({"num_processes": 4}, GPU, "num_processes 4, and the run processes 2"),
        ({"distributed_type": "MULTI_CPU"}, CPU, "Leave the file out: torchrun"),
        ({"distributed_type": "FSDP"}, CPU, "FSDP shares a model out between GPUs"),
        ({"distributed_type": "DEEPSPEED"}, GPU, "pip install deepspeed"),
        ({"mixed_precision": "bf16"}, GPU, "Set bf16 to true in the run's training"),
        ({"num_machines": 2}, GPU, "Run this on each of them: accelerate launch"),
        ({"distributed_type": "GUESS"}, GPU, "is no Accelerate config"),
        ({"colour": "red"}, GPU, "is no Accelerate config"),
    ],
)
def test_what_accelerate_would_do_otherwise_than_it_says_is_refused(
    changes: dict[str, Any], device: Device, said: str, tmp_path: Path
) -> None:
    config = RunConfig("d", processes=2, accelerate_config=file_of(tmp_path, **changes))
    with pytest.raises(DemoError, match=said):
        check_accelerate(config, device, public=False, environment={})


def test_several_machines_are_right_where_a_launcher_has_started_this_process(tmp_path: Path) -> None:
    config = RunConfig("d", processes=2, accelerate_config=file_of(tmp_path, num_machines=2))
    with pytest.raises(DemoError, match="Run this on each of them"):
        check_accelerate(config, GPU, public=False, environment={})
    check_accelerate(config, GPU, public=False, environment={"WORLD_SIZE": "2"})


def test_a_file_that_is_not_there_is_named_and_a_shared_server_reads_none(tmp_path: Path) -> None:
    gone = RunConfig("tickets", accelerate_config=str(tmp_path / "gone.yaml"))
    with pytest.raises(DemoError, match="no Accelerate config file"):
        check_accelerate(gone, CPU, public=False)
    with pytest.raises(DemoError, match="a shared one takes none"):
        RunStore(Settings(home=tmp_path, public=True)).create(gone)
