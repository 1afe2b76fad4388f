"""`egmt evaluate pairs`: fusion metrics and label quality on splits of registered pairs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

DESCRIPTION = """\
Score fused images against their sources, and labels against annotation files, on registered pairs
DIR/<dataset>/<split>/{ir,vi}/<name>.png (or DIR/<split>/..., one data set; other extensions too).

Per image, then averaged over the pairs of a data set: VIF, Qabf, SCD and SSIM (sums over both
sources), VIFmin, Qmin, SSIMmin and CCmin (of the source that is represented worse), MI (nats), EN
(bits), SD, SF, AG, SCDn (SCD at the contrast of the sources' average) and the share of pixels that
the fusion clipped. Images are scored as they are, in luminance, without a stretch. The labels of
"ours" are scored with captions.json and labels.json beside the splits.
"""

EPILOG = """\
Pairs that cannot be scored (unequal sizes, no partner, not of 8 bits, a colour palette, damaged, no
fused image) are named on stderr and in the summary, and the rest is scored. Exit status: 0 if any
pair was scored.

examples:
  egmt evaluate pairs --data data --out summary.json --csv pairs.csv
  egmt evaluate pairs --data data/TNO --split val,test
  egmt evaluate pairs --data data --fused results/SeAFusion --fused results/DATFuse
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate pairs`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    what = parser.add_argument_group("what is scored")
    what.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    what.add_argument(
        "--split",
        default="test",
        metavar="NAMES",
        help="folders of each data set, with commas: val,test pools both (default: test)",
    )
    what.add_argument(
        "--methods",
        default="ours,max,mean,laplacian,gff",
        metavar="NAMES",
        help="of ours, max, mean, laplacian, gff (guided filter), thermal and visible (copies of a "
        "source); '' for none (default: ours,max,mean,laplacian,gff)",
    )
    what.add_argument(
        "--fused",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="fused images of another program, DIR/<dataset>/<name>.<extension>, or "
        "DIR/<name>.<extension> for one data set; grey or colour; the folder's name is the "
        "method's; may be given several times",
    )
    what.add_argument(
        "--stretch",
        action="store_true",
        help="score each image a second time after spreading its own minimum and maximum over "
        "0..255, as several published methods do",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    how.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    how.add_argument(
        "--runtime",
        default="torch",
        help="of ours: torch, openvino, cuda-graphs or auto (default: torch; openvino prepares "
        "each new image size for about a second)",
    )
    how.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes, one thread each; the values do not depend on it (default: the CPUs that "
        "this process may use)",
    )
    how.add_argument(
        "--resamples",
        type=int,
        default=2000,
        metavar="N",
        help="bootstrap samples of the 95 %% confidence intervals (default: 2000)",
    )
    how.add_argument("--seed", type=int, default=0, help="of these samples (default: 0)")
    out = parser.add_argument_group("output, beside the Markdown tables on stdout")
    out.add_argument("--out", type=Path, metavar="FILE", help="summary as JSON, with intervals")
    out.add_argument("--csv", type=Path, metavar="FILE", help="every pair's scores")
    out.add_argument("--markdown", type=Path, metavar="FILE", help="the tables")


def run(args: argparse.Namespace) -> int:
    """Score, print and write; return the exit status.

    Raises:
        ConfigError: An argument cannot be used.
        DataError: Nothing could be scored.
    """
    from egmt_ros.errors import ConfigError, DataError
    from egmt_ros.evaluation.fusion.pairs import evaluate_pairs
    from egmt_ros.evaluation.fusion.pairs_report import markdown, summarize, write_csv

    for option, least in (("resamples", 1), ("seed", 0)):
        if getattr(args, option) < least:
            value = getattr(args, option)
            raise ConfigError(f"--{option} is {value}; expected at least {least}")
    for option in ("out", "csv", "markdown"):  # before the work, not after it
        path = getattr(args, option)
        if path and (path.is_dir() or not path.parent.is_dir()):
            raise ConfigError(
                f"--{option} is {path}; expected a file in a folder that exists: make the folder"
            )
    evaluation = evaluate_pairs(
        args.data,
        args.split,
        [name.strip() for name in args.methods.split(",")] if args.methods.strip() else [],
        args.weights,
        args.device,
        runtime=args.runtime,
        fused=args.fused,
        stretch=args.stretch,
        jobs=len(os.sched_getaffinity(0)) if args.jobs is None else args.jobs,
    )
    for rejection in evaluation.rejected:
        place = f"{rejection.dataset}/{rejection.split}/{rejection.name}"
        of = f" ({rejection.method})" if rejection.method else ""
        print(f"rejected {place}{of}: {rejection.reason}", file=sys.stderr)
    if evaluation.rejected:
        counts = f"{len(evaluation.rejected)} rejected, {len(evaluation.rows)} pairs scored"
        print(counts, file=sys.stderr)
    summary = summarize(evaluation, args.resamples, args.seed)
    if args.out:
        args.out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if args.csv:
        write_csv(evaluation, args.csv)
    text = markdown(evaluation, summary) + "\n"
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if not evaluation.rows:
        raise DataError(
            f"none of the pairs in {args.data} could be scored; the {len(evaluation.rejected)} "
            "reasons are above"
        )
    print(text, end="")
    return 0
