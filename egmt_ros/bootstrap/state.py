"""What has been set up already, kept in .venv."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FILE = "egmt_setup.json"


def digest(*parts: object) -> str:
    """A hash of texts, and of files and folders by their names and contents."""
    total = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            total.update(f"\0{part}\0".encode())
            continue
        base = part if part.is_dir() else part.parent
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(f"\0{path.relative_to(base)}\0".encode() + path.read_bytes())
    return total.hexdigest()


class State:
    """The finished steps of one .venv, each with a hash of what it was made from.

    Attributes:
        steps: Step -> hash.
        torch: The build that was asked for last, "cpu" or "any".
        ours: Whether setting up made this .venv.
    """

    def __init__(self, venv: Path) -> None:
        self.path = venv / FILE
        self.steps: dict[str, str] = {}
        self.torch = "cpu"
        self.ours = False
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.steps = {str(name): str(value) for name, value in stored["steps"].items()}
            self.torch = str(stored.get("torch", "cpu"))
            self.ours = True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass

    def forget_all(self) -> None:
        """Marks a folder as one that setting up made, with nothing finished in it."""
        self.steps = {}
        self._write()

    def finish(self, step: str, inputs: str) -> None:
        self.steps[step] = inputs
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        fresh = self.path.with_suffix(".new")
        stored = {"torch": self.torch, "steps": self.steps}
        fresh.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self.path)
        self.ours = True
