"""`egmt evaluate compare`: which of two evaluations of a bag is better."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from egmt_ros.errors import ConfigError

GATE_FAILED = 3
"""Exit status where a condition of --fail-if holds."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate compare`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        'A condition names a quantity of B minus A: "qabf<-0.01" fails if Qabf falls by more than\n'
        '0.01, "fuse_ms>10%" if the median time grows by more than 10 %. A quantity that could\n'
        "not be measured fails its condition; one that does not exist prints those that do.\n\n"
        "exit status: 0 done, 1 failed, 2 wrong arguments, 3 a condition of --fail-if holds"
    )
    parser.add_argument("a", type=Path, metavar="A", help="folder of `egmt evaluate bag`")
    parser.add_argument("b", type=Path, metavar="B", help="another one, held against A")
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="EXPR",
        help='condition such as "qabf<-0.01" or "fuse_ms>10%%"; may be given several times',
    )
    parser.add_argument(
        "--surely",
        action="store_true",
        help="--fail-if holds only if the whole interval is beyond the limit",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="every figure as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the table as a file, too")
    parser.add_argument(
        "--resamples", type=_positive, default=2000, help="of the bootstrap (default: 2000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Print the comparison as Markdown; return the exit status."""
    from egmt_ros.evaluation.compare.comparison import compare, figures_of, write
    from egmt_ros.evaluation.compare.figures import Draws
    from egmt_ros.evaluation.compare.gates import parse_gate, resolve
    from egmt_ros.evaluation.compare.markdown import markdown
    from egmt_ros.evaluation.compare.matching import match
    from egmt_ros.evaluation.replay.result import load_result

    try:
        gates = [parse_gate(text) for text in args.fail_if]
    except ConfigError as error:
        return _wrong(error)
    pair = match(load_result(args.a), load_result(args.b))
    figures, notes = figures_of(pair)
    try:
        gates = resolve(gates, figures)
    except ConfigError as error:
        return _wrong(error)
    draws = Draws(args.resamples, args.seed)
    found = compare(pair, figures, notes, gates, args.surely, draws)
    text = markdown(found)
    if args.out:
        found.save(args.out)
    if args.markdown:
        write(args.markdown, text)
    print(text, end="")
    for outcome in found.outcomes:
        if outcome.failed:
            print(f"failed: {outcome.gate}: {outcome.reason}", file=sys.stderr)
    return GATE_FAILED if found.failed else 0


def _wrong(error: ConfigError) -> int:
    print(f"egmt evaluate compare: {error}", file=sys.stderr)
    return 2


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too few; expected at least 1")
    return value
