"""What both benches share: sizes in words, where the figures go, a line on the way."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

SIZE = "WIDTHxHEIGHT"


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which network runs on what."""
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda:N (default: cpu)")


def check_out(path: Path | None) -> None:
    """Notice before the figures are taken that they could not be written.

    Raises:
        ConfigError: It is a folder, or lies in none.
    """
    from egmt_ros.errors import ConfigError

    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ConfigError(f"--out is {path}; expected a file in a folder that exists")


def parse_size(text: str, option: str = "--sizes") -> tuple[int, int]:
    """Width and height of "WIDTHxHEIGHT".

    Raises:
        ConfigError: It is something else, or a side is too small for the network.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.model.network import MINIMUM_SIDE

    width, _, height = text.partition("x")
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in (width, height)]
    if min(numbers) < MINIMUM_SIDE:
        raise ConfigError(
            f"{option} has {text!r}; expected {SIZE}, each at least {MINIMUM_SIDE} pixels"
        )
    return numbers[0], numbers[1]


def tell(line: str) -> None:
    """Say on standard error what is measured next."""
    print(f"{line} ...", file=sys.stderr)
