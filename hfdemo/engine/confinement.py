"""What a child of a shared server may not do: read secrets and the rest of the disk, or use up the machine.

It is the second wall. The first is that no foreign code is run, and no foreign file names another: see `models`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hfdemo.settings import Settings

# Of prctl(2), and of landlock(7); the numbers of its system calls are the same on every processor.
_SET_DUMPABLE, _SET_NO_NEW_PRIVILEGES = 4, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
# What the kernel's versions 1 to 3 know: all above, and to remove, make, rename and truncate.
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14


def hide_process() -> None:
    """Let no other process of this user read this one's memory and environment, and no crash write them to the disk."""
    if sys.platform == "linux":
        import resource

        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confine_process(settings: Settings) -> None:
    """Confine this child of a shared server for good: its memory, and on Linux the files that it sees.

    A local server's child may do what its owner may.
    """
    if not settings.public or sys.platform == "win32":
        return
    import resource

    hide_process()
    if settings.child_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (settings.child_bytes, settings.child_bytes))
    if sys.platform == "linux":
        _restrict_files(_readable_paths(settings), _writable_paths(settings, Path(tempfile.gettempdir())))


def explain_exposed(path: Path, settings: Settings) -> str | None:
    """Return why a file with secrets lies wrong: the children of a shared server see it; None where they do not."""
    if not settings.public:
        return None
    seen = [*_readable_paths(settings), *_writable_paths(settings, settings.temporary_folder)]
    folder = next((each for each in seen if path.resolve().is_relative_to(each.resolve())), None)
    if folder is None:
        return None
    return (
        f"{path} could be read by the processes that hold models: they need {folder}. Move it, to {settings.home} say."
    )


def _writable_paths(settings: Settings, temporary: Path) -> list[Path]:
    variables = ("HF_HUB_CACHE", "HF_XET_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "HF_EVALUATE_CACHE")
    caches = [Path(os.environ[name]) for name in (*variables, "TORCHINDUCTOR_CACHE_DIR") if os.environ.get(name)]
    shared = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    # Not the folder itself: the owner's token lies in it.
    caches += [shared / name for name in ("hub", "xet", "datasets", "modules", "evaluate", "metrics")]
    # Of the home what children write: the server keeps secrets of its own there.
    own = [settings.home / name for name in ("runs", "searches", "cache", "tokenizers", "locks")]
    for path in own:
        path.mkdir(parents=True, exist_ok=True)
    # Not all of /dev: the disks are there, too.
    named = ("null", "zero", "full", "random", "urandom", "tty", "shm", "dri", "kfd")
    devices = [*(Path("/dev") / name for name in named), *Path("/dev").glob("nvidia*")]
    return [*own, settings.upload_folder, *caches, temporary, *devices]


def _readable_paths(settings: Settings) -> list[Path]:
    package = Path(__file__).resolve().parents[2]
    named = [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    installed = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
    system = (
        "/usr",
        "/lib",
        "/lib64",
        "/lib32",
        "/bin",
        "/sbin",
        "/opt",
        "/etc",
        "/nix",
        "/sys",
        "/run/systemd/resolve",
    )
    of_machine = (
        "cpuinfo",
        "meminfo",
        "stat",
        "filesystems",
        "version",
        "sys",
        "mounts",
        "driver",
        "uptime",
        "loadavg",
    )
    return [
        *map(Path, installed),
        *(path for path in named if path != package),  # beside the package its owner may keep anything
        *(package / name for name in ("hfdemo", "examples")),
        *map(Path, system),
        *(Path("/proc") / name for name in of_machine),
        Path("/proc/self").resolve(),
    ]


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Let this process, and all that it starts, see no other files than these and what lies below them.

    A kernel without Landlock restricts nothing.
    """
    system = ctypes.CDLL(None, use_errno=True)
    version = system.syscall(_CREATE_RULESET, None, 0, _VERSION)
    if version < 1:
        return
    every = _RIGHTS[min(version, 3)]
    ruleset = system.syscall(_CREATE_RULESET, ctypes.byref(_Ruleset(every)), ctypes.sizeof(_Ruleset), 0)
    rules = [(path, _EXECUTE | _READ_FILE | _READ_DIR) for path in readable] + [(path, every) for path in writable]
    try:
        for path, rights in rules:
            with contextlib.suppress(OSError):  # it is not there
                found = os.open(path, os.O_PATH | os.O_CLOEXEC)
                allowed = rights if path.is_dir() else rights & _OF_FILES
                rule = _PathBeneath(allowed & every, found)
                system.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
                os.close(found)
        system.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if system.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            raise OSError(ctypes.get_errno(), "this process could not be confined")
    finally:
        os.close(ruleset)
