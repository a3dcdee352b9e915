"""A checkpoint is whole or it is not there; a damaged one is noticed and passed over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hfdemo.errors import RunError
from hfdemo.finetuning.training import checkpoints
from hfdemo.finetuning.training.checkpoints import (
    check_space,
    find_damage,
    find_newest_whole,
    partial_folder,
    prune,
    rewind_to,
    seal,
)


def made(folder: Path, step: int, text: str = "weights") -> Path:
    half = partial_folder(folder) / f"checkpoint-{step}"
    (half / "rng").mkdir(parents=True)
    (half / "model.safetensors").write_text(f"{text} of {step}")
    (half / "rng" / "state.pth").write_text("random")
    seal(half, folder / half.name)
    return folder / half.name


def test_a_sealed_checkpoint_names_every_file_with_its_size_and_hash(tmp_path: Path) -> None:
    folder = made(tmp_path, 5)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {"model.safetensors", "rng/state.pth"}
    assert manifest["rng/state.pth"]["bytes"] == 6
    assert len(manifest["rng/state.pth"]["sha256"]) == 64
    assert find_damage(folder) is None


def test_every_file_is_on_the_disk_before_the_checkpoint_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{handle}").readlink()).removeprefix(str(tmp_path)))
        sync(handle)

    def renamed(self: Path, target: Path) -> Path:
        done.append(f"rename to {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)
    made(tmp_path, 5)
    half = "/.partial/checkpoint-5"
    before, after = done[: done.index("rename to checkpoint-5")], done[done.index("rename to checkpoint-5") + 1 :]
    assert set(before) == {
        *(f"{half}/{name}" for name in ("model.safetensors", "rng/state.pth", "manifest.json", "rng")),
        half,
    }
    assert after == [""], "and the name itself"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "model.safetensors").write_text("weights of 11"), "model.safetensors was changed"),
        (lambda folder: (folder / "rng" / "state.pth").write_text("ran"), "3 bytes instead of 6"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest can't be read"),
        (lambda folder: (folder / "manifest.json").write_text('{"model.saf'), "manifest can't be read"),
        (lambda folder: (folder / "manifest.json").write_text("[1, 2]"), "manifest can't be read"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "nothing was written"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_for_the_good_one_before_with_the_reason(
    tmp_path: Path, damage: object, said: str
) -> None:
    good, newest = made(tmp_path, 9), made(tmp_path, 10)
    assert find_newest_whole(tmp_path) == (newest, ())
    damage(newest)  # type: ignore[operator]
    found, notes = find_newest_whole(tmp_path)
    assert found == good
    assert len(notes) == 1
    assert "checkpoint of step 10 is damaged" in notes[0]
    assert said in notes[0]


def test_a_bit_that_flips_anywhere_in_a_checkpoint_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    """In the manifest, too: of a line break that became a space the manifest says what it said before."""
    folder = made(tmp_path, 5)
    said = json.loads((folder / "manifest.json").read_text())
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        whole = path.read_bytes()
        for number in range(len(whole)):
            for bit in (1, 2, 8, 32, 128):
                flipped = bytearray(whole)
                flipped[number] ^= bit
                path.write_bytes(flipped)
                assert find_damage(folder) is not None or json.loads((folder / "manifest.json").read_text()) == said
        path.write_bytes(whole)
    assert find_damage(folder) is None


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert find_newest_whole(tmp_path / "never") == (None, ())
    (tmp_path / "checkpoint-x").mkdir()
    assert find_newest_whole(tmp_path) == (None, ())


def test_a_quick_look_sees_a_cut_file_but_not_a_changed_bit(tmp_path: Path) -> None:
    folder = made(tmp_path, 1)
    (folder / "model.safetensors").write_text("weights of 2")
    assert find_damage(folder, hashes=False) is None
    assert find_damage(folder) == "model.safetensors was changed"
    (folder / "model.safetensors").write_text("w")
    assert find_damage(folder, hashes=False) is not None


def test_a_checkpoint_of_the_same_step_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    made(tmp_path, 5, "old")
    folder = made(tmp_path, 5, "new")
    assert (folder / "model.safetensors").read_text() == "new of 5"
    assert find_damage(folder) is None
    assert [path.name for path in tmp_path.iterdir() if path.name != ".partial"] == ["checkpoint-5"]


def test_going_back_removes_what_is_newer_and_what_was_half_written(tmp_path: Path) -> None:
    made(tmp_path, 5)
    good = made(tmp_path, 10)
    (made(tmp_path, 15) / "manifest.json").unlink()
    (partial_folder(tmp_path) / "checkpoint-20").mkdir(parents=True)
    rewind_to(good)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-5"]


def test_only_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    kept = [made(tmp_path, step) for step in (5, 9, 10, 100)]
    prune(tmp_path, [kept[0]], newest=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-100", "checkpoint-5"]
    prune(tmp_path, [], newest=None)
    assert len(checkpoints.list_checkpoints(tmp_path)) == 3


def test_a_full_disk_is_said_before_anything_is_written_with_both_numbers(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there" / "yet", 1, "a checkpoint")
    with pytest.raises(RunError, match=r"^The checkpoint of step 5 needs about 1,048,576,000 MB .* [\d,]+ MB are free"):
        check_space(tmp_path, 1_048_576_000 * 1024**2, "the checkpoint of step 5")


WRITER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from hfdemo.finetuning.training.checkpoints import partial_folder, prune, seal
folder = Path(sys.argv[1])
for step in range(1, 1_000_000):
    half = partial_folder(folder) / f"checkpoint-{step}"
    half.mkdir(parents=True)
    for part in range(4):
        (half / f"{part}.bin").write_bytes(bytes([step % 256]) * 200_000)
    seal(half, folder / half.name)
    prune(folder, [], 2)
"""


@pytest.mark.slow
def test_whenever_the_writer_is_killed_the_newest_named_checkpoint_is_whole(tmp_path: Path) -> None:
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)])
        while not checkpoints.list_checkpoints(folder):
            time.sleep(0.005)
        time.sleep(0.05 + 0.03 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        found, notes = find_newest_whole(folder)
        assert found is not None
        # Pruning may have been under way, but never of the newest.
        assert found == checkpoints.list_checkpoints(folder)[0]
        assert notes == ()


def test_what_a_stream_alone_reports_is_a_full_disk_where_nothing_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("basic_ios::clear: iostream error")
    assert checkpoints.explain_full_disk(error, tmp_path) is None, "there is room"
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    assert "The disk is full" in str(checkpoints.explain_full_disk(error, tmp_path))
    assert checkpoints.explain_full_disk(ValueError("another"), tmp_path) is None
