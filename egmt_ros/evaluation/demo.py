"""`egmt demo`: play a bag over DDS into the real node, record what comes out, and report."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egmt_ros.errors import ConfigError, DataError

if TYPE_CHECKING:
    from egmt_ros.evaluation.live.result import SessionResult
    from egmt_ros.evaluation.replay.inputs import Inputs
    from egmt_ros.evaluation.report.summary import Summary

_MARKER = ".egmt_demo"  # in folders that a demo has made and may therefore empty
_SHEET_ROWS = 6
_PAGE_PICTURES = 36
_SYNTHETIC_SECONDS = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt demo`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR",
                        help="folder of real pairs (subfolders ir and vi, equal file names)")
    source.add_argument("--bag", type=Path, metavar="PATH", help="rosbag2 to play")
    parser.add_argument("--out", type=Path, default=Path("demo_output"), metavar="DIR",
                        help="where the results go (default: demo_output)")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of the replay")
    parser.add_argument("--loop", type=int, default=1, metavar="N", help="number of passes")
    parser.add_argument("--duration", type=float, default=_SYNTHETIC_SECONDS, metavar="S",
                        help="length of the made-up scene, seconds (default: %(default)g)")
    parser.add_argument("--thermal-rate", type=float, default=30.0, choices=(30.0, 9.0),
                        help="of the made-up thermal camera, Hz")
    parser.add_argument("--pair-rate", type=float, metavar="HZ",
                        help="pairs a second with --data (default: 4 to 10, by their number)")
    parser.add_argument("--thermal-topic", metavar="TOPIC", help="thermal images of the bag")
    parser.add_argument("--visible-topic", metavar="TOPIC", help="visible images of the bag")
    parser.add_argument("--params", type=Path, metavar="FILE", help="parameters of the node")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N (model.device)")
    parser.add_argument("--no-progress", action="store_true", help="show no progress bar")


def run(args: argparse.Namespace) -> int:
    """Runs the demo; 0 if frames were fused and every one is accounted for, 1 otherwise."""
    from egmt_ros.evaluation.live.environment import require_ros
    from egmt_ros.evaluation.live.session import SessionOptions, run_session
    from egmt_ros.evaluation.replay.inputs import find_inputs

    positive = (args.rate, args.duration, 1.0 if args.pair_rate is None else args.pair_rate)
    if min(positive) <= 0 or args.loop < 1:
        raise ConfigError("--rate, --duration and --pair-rate must be above 0, --loop at least 1.")
    if args.params is not None and not args.params.is_file():
        raise ConfigError(f"--params {args.params}: there is no such file.")
    require_ros()
    _check_sources(args)
    out = _prepared(args.out)
    bag = _source_bag(args, out)
    inputs = find_inputs(bag, args.thermal_topic, args.visible_topic)
    result = run_session(bag, out, SessionOptions(
        thermal_topic=inputs.thermal_topic, visible_topic=inputs.visible_topic, rate=args.rate,
        loops=args.loop, params_file=args.params, parameters=_node_parameters(args, inputs),
        progress=not args.no_progress))
    summary = report(result, out, progress=not args.no_progress)
    print(short_summary(summary, out))
    fused = summary.inputs["visible"].fused
    if not summary.consistent:
        print("The account does not add up: " + "; ".join(summary.problems), file=sys.stderr)
    if not fused:
        print(f"Nothing was fused. The node's log is {result.node_log}", file=sys.stderr)
    return 0 if summary.consistent and fused else 1


def report(session: SessionResult, out: Path, *, progress: bool = False) -> Summary:
    """Writes summary.json, contact_sheet.png and index.html of a session into ``out``."""
    from egmt_ros.evaluation.report.contact_sheet import save_contact_sheet
    from egmt_ros.evaluation.report.html_page import save_html_page
    from egmt_ros.evaluation.report.pictures import evenly_chosen, load_pictures
    from egmt_ros.evaluation.report.recording import load_recording
    from egmt_ros.evaluation.report.summary import summarise

    if progress:
        print("writing the report ...", file=sys.stderr)
    recording = load_recording(session)
    summary = summarise(session, recording)
    summary.save(out / "summary.json")
    pictures = load_pictures(session, recording, _PAGE_PICTURES)
    if pictures:
        title = f"{session.source_bag.name}   model {summary.model['model_id']}"
        save_contact_sheet(out / "contact_sheet.png", evenly_chosen(pictures, _SHEET_ROWS),
                           recording.vocabulary.names, title)
    save_html_page(out / "index.html", summary, recording, pictures)
    return summary


def short_summary(summary: Summary, out: Path) -> str:
    """A few lines for the terminal."""
    lines = ["", "input     sent  lost  received  fused  not fused"]
    for side, account in summary.inputs.items():
        rest = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in account.not_fused().items()
                         if name != "lost")
        lines.append(f"{side:<8}{account.sent:>6}{account.lost:>6}{account.received:>10}"
                     f"{account.fused:>7}  {rest or '-'}")
    lines.append("")
    for key, name in (("processing", "engine"), ("release_to_publish", "release to publish"),
                      ("reference_to_image", "sent to fused image received")):
        value: Any = summary.latency_ms[key]
        if value is not None:
            lines.append(f"{name:<30} median {value.p50:6.1f} ms   p95 {value.p95:6.1f} ms"
                         f"   p99 {value.p99:6.1f} ms")
    seen = [entry for entry in summary.labels if entry.frames_present][:8]
    lines.append(f"{'fused images':<30} {summary.rates_hz['fused']:.1f} Hz")
    if seen:
        lines.append(f"{'seen most often':<30} " + ", ".join(entry.name for entry in seen))
    if summary.agreement is not None and summary.agreement.f1 is not None:
        lines.append(f"{'labels against ground truth':<30} precision "
                     f"{summary.agreement.precision or 0:.2f}, recall "
                     f"{summary.agreement.recall or 0:.2f}, F1 {summary.agreement.f1:.2f}")
    lines += [*summary.notes, "", f"Look at {out / 'index.html'} and {out / 'contact_sheet.png'}; "
              f"numbers in {out / 'summary.json'}, outputs in {out / 'bag'}."]
    return "\n".join(lines)


def _check_sources(args: argparse.Namespace) -> None:
    """Looks at all that is read before ``out`` is emptied, and that it does not lie in there."""
    out = args.out.resolve()
    for option, path in (("--bag", args.bag), ("--data", args.data), ("--params", args.params)):
        if path is None:
            continue
        # As it is written and where it leads to: neither the link nor what it names may go.
        for place in (path.parent.resolve() / path.name, path.resolve()):
            if place.is_relative_to(out):
                raise DataError(
                    f"{option} {path} lies in --out {args.out}, which is emptied before the demo "
                    "runs. Give another --out, or move it out of that folder first.")
    if args.bag is not None:
        from egmt_ros.evaluation.replay.inputs import find_inputs

        find_inputs(args.bag, args.thermal_topic, args.visible_topic)
    if args.data is not None:
        from egmt_ros.evaluation.bags.pair_folder import scan_pairs

        scan_pairs(args.data)


def _prepared(out: Path) -> Path:
    """An empty folder; one that an earlier demo made is emptied, any other must be empty."""
    if out.exists() and not out.is_dir():
        raise DataError(f"--out {out} is a file; give a folder.")
    if out.is_dir() and any(out.iterdir()):
        if not (out / _MARKER).is_file():
            raise DataError(
                f"--out {out} is not empty and not the output of an earlier demo, so nothing in "
                "it is touched. Give another folder or empty it.")
        _empty(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / _MARKER).touch()
    except OSError as error:
        raise DataError(f"--out {out} cannot be written ({error}).") from error
    return out


def _empty(out: Path) -> None:
    """Removes all but the marker, so that an interrupted demo's folder can be emptied again."""
    for entry in out.iterdir():
        if entry.name == _MARKER:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _source_bag(args: argparse.Namespace, out: Path) -> Path:
    if args.bag is not None:
        return args.bag
    path = out / ("street_scene" if args.data is None else "image_pairs")
    if args.data is not None:
        from egmt_ros.evaluation.bags.pair_folder import scan_pairs
        from egmt_ros.evaluation.bags.pairs_bag import write_pairs_bag

        # About 20 s, at a pace that a slow machine can follow, so that each pair is seen.
        rate = args.pair_rate or min(10.0, max(4.0, len(scan_pairs(args.data).pairs) / 20.0))
        write_pairs_bag(args.data, path, rate=rate,
                        progress=not args.no_progress)
    else:
        from egmt_ros.evaluation.bags.synthetic_bag import write_synthetic_bag

        write_synthetic_bag(path, duration=args.duration, thermal_rate=args.thermal_rate,
                            progress=not args.no_progress)
    return path


def _node_parameters(args: argparse.Namespace, inputs: Inputs) -> dict[str, Any]:
    """What the demo sets: every score for the report, and what the images need."""
    parameters: dict[str, Any] = {
        "entities.publish_all": True, "entities.max_labels": 1024, "diagnostics.period": 0.5}
    if args.params is None:
        from egmt_ros.evaluation.replay.inputs import fitting_parameters

        parameters.update(fitting_parameters(inputs))
        if args.bag is None and args.data is None and args.thermal_rate < 30.0:
            # One thermal frame serves several visible ones; its period is 111 ms.
            parameters.update({"sync.reuse_thermal": True, "sync.max_gap": 0.06})
    if args.device:
        parameters["model.device"] = args.device
    return parameters
