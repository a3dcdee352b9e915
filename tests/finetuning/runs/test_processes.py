"""Why a training process is gone, as far as anybody can know."""

import time
from pathlib import Path

import psutil
import pytest

from hfdemo.finetuning.runs.processes import OUT_OF_MEMORY, explain_end, read_log_tail, shorten_log, was_killed

TORCHRUN = "failed (exitcode: -9) local_rank: 1 (pid: 7) of binary: python"
TABLE = "  exitcode  : -9 (pid: 7)\n  traceback : Signal 9 (SIGKILL) received by PID 7"
ACCELERATE = "CalledProcessError: Command '[...]' died with <Signals.SIGKILL: 9>."
CRASH = "loading\nFatal Python error: Segmentation fault\n\nThread 0x1 (most recent call first):"


@pytest.mark.parametrize(
    ("code", "log", "said"),
    [
        (-9, "", f"The training process was {OUT_OF_MEMORY}"),
        (1, TORCHRUN, f"The training process was {OUT_OF_MEMORY}"),
        (1, TABLE, f"The training process was {OUT_OF_MEMORY}"),
        (None, ACCELERATE, f"The training process was {OUT_OF_MEMORY}"),
        (None, "", f"The training process is gone and left no word: it was {OUT_OF_MEMORY}"),
        (
            -11,
            CRASH,
            "The training process crashed: Fatal Python error: Segmentation fault. Its log.txt says where.",
        ),
        (-6, "abort", "The training process was ended by SIGABRT. The end of its log: abort"),
        (1, "ValueError", "The training process ended with code 1. The end of its log: ValueError"),
    ],
)
def test_the_end_of_a_process_is_explained_by_its_code_and_its_log(code: int | None, log: str, said: str) -> None:
    assert explain_end(code, log, time.time()) == said


def test_one_that_was_at_work_before_the_machine_was_started_went_with_it() -> None:
    before = psutil.boot_time() - 60
    assert "the machine was shut down while it was at work" in explain_end(None, "", before)
    assert "killed" in explain_end(-9, "", before), "the server that saw its end knows better"


def test_a_word_of_torchrun_about_another_end_is_no_kill() -> None:
    assert not was_killed("failed (exitcode: 1) local_rank: 0 (pid: 7) of binary: python")
    assert not was_killed("Signal 15 (SIGTERM) received by PID 9")
    assert not was_killed("exitcode: -91")


def test_of_a_log_the_last_attempt_counts(tmp_path: Path) -> None:
    assert read_log_tail(tmp_path, 100) == ""
    log = tmp_path / "log.txt"
    log.write_text("from a terminal")
    assert read_log_tail(tmp_path, 100) == "from a terminal"
    log.write_text(f"=== begun at 2026-01-01 10:00:00\n{TORCHRUN}\n=== begun at 2026-01-01 11:00:00\nstep 1\nstep 2\n")
    assert read_log_tail(tmp_path, 100) == "step 1\nstep 2"
    assert read_log_tail(tmp_path, 3) == "p 2"


def test_the_middle_of_a_long_log_is_left_out_as_often_as_it_grows(tmp_path: Path) -> None:
    log, most = tmp_path / "log.txt", 40_000
    assert not shorten_log(tmp_path, most), "there is none"
    log.write_text("=== begun at 2026-01-01 10:00:00\n")
    printed = log.stat().st_size
    for start in range(0, 4_000, 1_000):
        with log.open("a") as file:
            printed += file.write("".join(f"line {number:05d} {'x' * 80}\n" for number in range(start, start + 1_000)))
        assert shorten_log(tmp_path, most)
        assert not shorten_log(tmp_path, most), "it is short enough now"
        lines = log.read_text().splitlines(keepends=True)
        (said,) = (
            line for line in lines if line.endswith("bytes were left out here: HFDEMO_LOG_BYTES is 40,000 ===\n")
        )
        assert int(said.split()[1].replace(",", "")) == printed - sum(map(len, lines)) + len(said) + 1
        assert log.stat().st_size < most * 0.52
        assert lines[:2] == ["=== begun at 2026-01-01 10:00:00\n", f"line 00000 {'x' * 80}\n"]
        assert lines[-1].startswith(f"line {start + 999:05d}")
    assert read_log_tail(tmp_path, 100).endswith(f"line 03999 {'x' * 80}")


def test_an_endless_line_is_cut_too(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("a" * 100_000 + "b" * 100_000)
    assert shorten_log(tmp_path, 40_000)
    text = (tmp_path / "log.txt").read_text()
    assert len(text) < 40_000
    assert text.startswith("aaa")
    assert text.endswith("bbb")
