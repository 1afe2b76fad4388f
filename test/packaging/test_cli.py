"""The command line: what a subcommand fails with is one line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from egmt_ros import cli
from egmt_ros.errors import DataError

COMMAND = """
from pathlib import Path

def add_arguments(parser):
    parser.add_argument("--out", type=Path)

def run(args):
    (args.out / "results").mkdir(parents=True)
    return 0
"""


@pytest.fixture
def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subcommand `fuse` that writes into --out."""
    (tmp_path / "writing_command.py").write_text(COMMAND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.COMMANDS, "fuse", ("writing_command", "write"))


def test_an_out_that_is_a_file_is_one_line(writing: None, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["fuse", "--out", str(tmp_path / "file")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"egmt fuse: {tmp_path / 'file' / 'results'}: Not a directory"
    assert cli.main(["fuse", "--out", str(tmp_path / "new")]) == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: Permission denied"),
        (DataError("no pair in /data"), "no pair in /data"),
    ],
)
def test_failures_are_one_line(writing: None, monkeypatch, capsys, error, said: str) -> None:
    import writing_command

    def run(args: object) -> int:
        raise error

    monkeypatch.setattr(writing_command, "run", run)
    assert cli.main(["fuse"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("egmt fuse: ") and said in line
