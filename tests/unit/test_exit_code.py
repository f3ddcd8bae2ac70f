"""What a command ends with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from build.errors import BuildError
from build.exit_code import exit_code
from build.interrupts import INTERRUPTED
from models.damage import DamagedError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        (BuildError("no folder."), 1, "error: no folder.\n"),
        (DamagedError("index.faiss is damaged."), 1, "error: index.faiss is damaged.\n"),
        (KeyboardInterrupt(), INTERRUPTED, "\nstopped; the same command goes on from here\n"),
    ],
)
def test_what_went_wrong_is_told_in_a_line(
    wrong: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise wrong

    assert exit_code(run) == code
    assert capsys.readouterr().err == told


def test_a_command_that_ends_well_has_its_own_code_and_a_fault_of_ours_is_not_hidden() -> None:
    assert exit_code(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)


@pytest.mark.parametrize("program", ["build", "sightline"])
def test_who_reads_no_further_is_no_fault(program: str) -> None:
    """As in ``python -m build info demo/model | head -1``."""
    command = [sys.executable, "-m", program, "info", "demo/model"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
