"""Running pip and small probes with the Python of .venv."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from egmt_ros.bootstrap.failure import SetupError, explain_pip


class VenvTools:
    """The programs of one virtual environment, their output kept in a log file.

    Args:
        venv: The environment's folder.
        log: File that all output is appended to.
        environ: Environment variables for the programs.
    """

    def __init__(self, venv: Path, log: Path, environ: dict[str, str]) -> None:
        self.venv = venv
        self.python = venv / "bin" / "python"
        self.log = log
        self.environ = environ

    def run(self, command: list[str], environ: dict[str, str] | None = None) -> tuple[int, str]:
        """Runs a command into the log, with `environ` in place of the usual variables if given.

        Returns:
            Its exit status and what it printed.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a+b") as log:
            log.write(("\n$ " + " ".join(map(str, command)) + "\n").encode())
            log.flush()
            start = log.tell()
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ or self.environ,
            ).returncode
            log.seek(start)
            return status, log.read().decode("utf-8", "replace")

    def pip(self, *arguments: str) -> None:
        """Runs ``pip install`` with the arguments.

        Raises:
            SetupError: pip failed; the line says why, what to do, and where the log is.
        """
        kind, line = self.try_pip(*arguments)
        if kind:
            raise self.pip_error(line)

    def try_pip(self, *arguments: str) -> tuple[str, str]:
        """Runs ``pip install``; returns ("", "") or what explain_pip says of the failure."""
        status, output = self.run([str(self.python), "-m", "pip", "install", *arguments])
        return explain_pip(output) if status else ("", "")

    def pip_error(self, line: str) -> SetupError:
        return SetupError(f"{line} (pip's output: {self.log})")

    def ask(self, code: str) -> Any:
        """Runs a line of Python that prints JSON and returns that; an empty dict if it fails."""
        try:
            result = subprocess.run(
                [str(self.python), "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environ,
            )
            return json.loads(result.stdout) if result.returncode == 0 else {}
        except (OSError, ValueError):
            return {}
