"""`egmt evaluate bag`: is the fused image better than either camera, are the labels right?"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from egmt_ros.evaluation.live.options import add_live_arguments, live_options
from egmt_ros.evaluation.replay.request import ReplayRequest

DEFAULT_METHODS = "thermal,visible,max,mean,laplacian,gff"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate bag`."""
    parser.add_argument(
        "bag", type=Path, metavar="BAG",
        help="rosbag2 folder, .mcap or .db3 file, or ROS 1 .bag file",
    )  # fmt: skip
    what = parser.add_argument_group("what")
    what.add_argument("--thermal-topic", metavar="T", help="default: found by type and name")
    what.add_argument("--visible-topic", metavar="V", help="default: found by type and name")
    what.add_argument(
        "--params", type=Path, metavar="FILE",
        help="parameters of the node, YAML; default: config/fusion.yaml, and what the images need",
    )  # fmt: skip
    what.add_argument(
        "--param", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter over those of the file; may be given several times",
    )  # fmt: skip
    what.add_argument(
        "--methods", default=DEFAULT_METHODS, metavar="NAMES",
        help=f"scored beside ours; '' for none (default: {DEFAULT_METHODS})",
    )  # fmt: skip
    what.add_argument(
        "--metrics-every", type=int, default=1, metavar="N",
        help="score each so many-th fused frame (default: 1)",
    )  # fmt: skip
    what.add_argument("--no-metrics", action="store_true", help="fuse and record only")
    truth = what.add_mutually_exclusive_group()
    truth.add_argument(
        "--truth-topic", metavar="T",
        help="topic of what is really there; '' for none (default: found by type and name)",
    )  # fmt: skip
    truth.add_argument(
        "--truth", type=Path, metavar="FILE",
        help="what is really there, an annotation file keyed by stamp or frame number",
    )  # fmt: skip
    how = parser.add_argument_group("how")
    how.add_argument(
        "--jobs", type=int, metavar="N",
        help="processes for the metrics; the values do not depend on it (default: the CPUs that "
        "this process may use)",
    )  # fmt: skip
    how.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the results (default: <bag>_evaluation)"
    )
    how.add_argument(
        "--overwrite", action="store_true", help="replace what an earlier evaluation left there"
    )
    how.add_argument(
        "--resume", action="store_true", help="go on with what an interrupted run left there"
    )
    how.add_argument("--no-progress", action="store_true", help="no progress bar")
    how.add_argument(
        "--no-report", action="store_true", help="no report.html and no montage, only the numbers"
    )
    add_live_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate and say what was found; return the exit status.

    Returns:
        0; 1 where the bag broke off; 130 after an interruption.

    Raises:
        EgmtError: As `run_offline` and `run_live`.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.offline.evaluate import run_offline
    from egmt_ros.evaluation.replay.console import print_result
    from egmt_ros.evaluation.replay.result import load_result
    from egmt_ros.evaluation.replay.summary import summarise
    from egmt_ros.evaluation.replay.truth_of_replay import add_truth, check_truth
    from egmt_ros.evaluation.report.replay_page import save_replay_report

    asked, live = _request(args), live_options(args)
    if asked.resume and asked.overwrite:
        raise ConfigError("--resume goes on with a run, --overwrite replaces it; give one of them")
    check_truth(asked)
    if live is None:
        done = run_offline(asked)
    else:
        from egmt_ros.evaluation.live.evaluate import run_live

        done = run_live(asked, live)
    add_truth(asked)
    result = load_result(asked.out)
    summary = summarise(result)
    summary.save(asked.out)
    print_result(result, summary)
    if not args.no_report:
        print(f"report: {save_replay_report(asked.out, result, summary)}")
    if done.complete:
        return 0
    return 130 if any(p.startswith("interrupted") for p in done.problems) else 1


def _request(args: argparse.Namespace) -> ReplayRequest:
    from egmt_ros.node_core.parameter_file import parse_assignments

    bag = args.bag
    return ReplayRequest(
        bag=bag,
        out=args.out or Path(f"{bag.stem if bag.is_file() else bag.resolve().name}_evaluation"),
        thermal_topic=args.thermal_topic,
        visible_topic=args.visible_topic,
        params_file=args.params,
        parameters=parse_assignments(args.param),
        methods=tuple(name.strip() for name in args.methods.split(",") if name.strip()),
        metrics=not args.no_metrics,
        metrics_every=args.metrics_every,
        truth_topic=args.truth_topic,
        truth_file=args.truth,
        jobs=len(os.sched_getaffinity(0)) if args.jobs is None else args.jobs,
        resume=args.resume,
        overwrite=args.overwrite,
        progress=not args.no_progress,
    )
