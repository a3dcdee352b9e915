"""What a worker is asked to do in the tests of its end: what a file or a model can make of a harmless call."""

import os
import signal
import time
from pathlib import Path
from threading import Event
from typing import Any

from hfdemo.errors import DataError
from hfdemo.models.cache import ModelCache


def spin(told: Any, stop: Event) -> None:
    """Compute for ever, whatever `stop` says."""
    told(os.getpid())
    while True:
        pass


def stop_when_asked(told: Any, stop: Event) -> str:
    """Wait for `stop`, and answer all the same."""
    told("begun")
    assert stop.wait(60)
    return "stopped by itself"


def answer_after(told: Any, seconds: float) -> int:
    """Return this process's number after some seconds."""
    told("begun")
    time.sleep(seconds)
    return os.getpid()


def end_the_first_time(models: ModelCache) -> str:
    """Kill this process the first time that this is called for this home."""
    mark = models.settings.home / "called"
    if mark.exists():
        return "the second time"
    models.settings.home.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def end() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(reason: str) -> None:
    """Raise a sentence of ours."""
    raise DataError(reason)


def fail() -> None:
    """Raise what nobody foresaw."""
    raise KeyError("surprise")


def answer_with_code() -> Any:
    """Return what would run code where it is read."""
    return Bomb()


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/hfdemo-bomb",)


def read_file(path: str) -> str:
    """Return what stands in a file."""
    return Path(path).read_text(errors="replace")


def allocate(size: int) -> int:
    """Take so many bytes of memory."""
    return len(bytearray(size))


def make_endless_tokenizer(folder: Path) -> str:
    """Save a tokenizer whose normalizers take many minutes for a thousand letters; its chat template takes days."""
    from tokenizers import Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"[UNK]": 0, "b": 1}, unk_token="[UNK]"))
    longer = [normalizers.Replace("a", "aa")] * 6
    again = [normalizers.Replace("a", "b"), normalizers.Replace("b", "a")] * 5_000
    core.normalizer = normalizers.Sequence([*longer, *again])
    made = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[UNK]")
    made.chat_template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    made.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "bert", "vocab_size": 2}')
    return str(folder)
