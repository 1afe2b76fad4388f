"""Telling problems on the command line: some by name, all by number."""

from __future__ import annotations

import sys
from collections.abc import Sequence

SHOWN = 20
"""Problems that are named."""


def tell_problems(problems: Sequence[str]) -> None:
    """Print the first problems and the number of all to stderr; nothing if there are none."""
    for problem in problems[:SHOWN]:
        print(problem, file=sys.stderr)
    if len(problems) > SHOWN:
        print(f"... and {len(problems) - SHOWN} more", file=sys.stderr)
    if problems:
        print(f"{len(problems)} problems", file=sys.stderr)
