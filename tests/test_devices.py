"""The device is named, and the CPU comes with its reason."""

import torch

from hfdemo.devices import available_cores, find_device


def test_the_device_is_torchs_own_and_the_cpu_says_why() -> None:
    device = find_device()
    if torch.accelerator.is_available():
        assert device.kind == torch.accelerator.current_accelerator().type
        assert device.reason == ""
    else:
        assert device.kind == "cpu"
        assert torch.__version__ in device.reason
        assert str(available_cores()) in device.name
    assert torch.zeros(1).to(device.kind).device.type == device.kind
