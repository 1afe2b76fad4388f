"""`egmt annotate captions`: caption both images of every pair with an image-to-text model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from egmt_ros.entities.captions.caption_config import CaptionConfig
    from egmt_ros.entities.captions.caption_target import CaptionTarget
    from egmt_ros.entities.captions.captioning import CaptioningResult

DESCRIPTION = """\
Caption the infrared and the visible image of every pair DIR/<dataset>/<split>/{ir,vi}/<name>.png
(or DIR/<split>/..., one data set; other extensions too) with a model of transformers (BLIP, BLIP-2,
LLaVA, ... : what AutoModelForImageTextToText and AutoProcessor load), and write captions.json of
each data set: name -> {"split", "infrared", "visible", "captioned_by"}.

Captions that captions.json has already are kept, with everything else that stands in it; only what
is missing is captioned. Every caption is also stored in a cache by image, model, prompt and
settings, as soon as it is made: an interrupted run goes on where it was, and no image is captioned
twice by one model.
"""

EPILOG = """\
Pairs that cannot be captioned (no partner, damaged, a colour palette) are named on stderr and
counted, and the rest is captioned. Exit status: 0 if any pair has captions.

examples:
  egmt annotate captions --data data --model Salesforce/blip-image-captioning-base
  egmt annotate captions --data data/M3FD --model ./blip2-opt-2.7b --device cuda:0 --batch-size 16
  egmt annotate captions --data data/TNO --split train --model ./blip --out tno_by_blip.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate captions`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument(
        "--split",
        default="",
        metavar="NAMES",
        help="folders of each data set, with commas (default: all that hold ir or vi)",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="PATH_OR_ID",
        help="folder of the model, or its id on the Hugging Face hub, or id@commit",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="images at once, in place of the YAML's"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="prompts and settings (default: captions.yaml)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="in place of captions.json in the data set's folder; for one data set",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="captions by image and model (default: ~/.cache/egmt_ros/captions)",
    )


def run(args: argparse.Namespace) -> int:
    """Caption what is missing, write and print; return the exit status.

    Raises:
        ConfigError: An argument or the settings cannot be used, or the model is not there.
        DataError: There are no pairs, none could be captioned, or a caption file that is there
            cannot be read without loss.
        CheckpointError: The model cannot be loaded, or does not caption.
        DeviceError: The device is not there, or its memory runs out.
        MissingDependencyError: transformers is not installed.
    """
    from egmt_ros.entities.captions.caption_config import load_caption_config, whole_number
    from egmt_ros.entities.captions.caption_target import open_targets
    from egmt_ros.entities.captions.captioning import CaptioningResult
    from egmt_ros.entities.captions.pair_folders import find_data_sets
    from egmt_ros.errors import DataError
    from egmt_ros.resources import config_path

    config = load_caption_config(args.config or config_path("captions.yaml"))
    given = config.batch_size if args.batch_size is None else args.batch_size
    batch_size = whole_number("--batch-size", given)
    splits = [name.strip() for name in args.split.split(",") if name.strip()]
    targets = open_targets(find_data_sets(args.data, splits), args.out)
    result = CaptioningResult()
    if any(target.tasks for target in targets):
        _caption(args, config, batch_size, targets, result)
    problems = [p for target in targets for p in target.problems] + result.problems
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{len(problems)} problems", file=sys.stderr)
    for target in targets:
        print(target.summary())
    if not any(target.has_captions() for target in targets):
        raise DataError(
            f"no pair in {args.data} has captions; the {len(problems)} problems are above"
        )
    return 0


def _caption(
    args: argparse.Namespace,
    config: CaptionConfig,
    batch_size: int,
    targets: Sequence[CaptionTarget],
    result: CaptioningResult,
) -> None:
    from tqdm import tqdm

    from egmt_ros.entities.captions.caption_cache import CaptionCache, default_cache_folder
    from egmt_ros.entities.captions.captioner import Captioner
    from egmt_ros.entities.captions.captioning import caption_pairs
    from egmt_ros.entities.captions.model_source import find_model

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when it is first imported
    source = find_model(args.model)
    captioner = Captioner(source, config, args.device)
    tasks = [task for target in targets for task in target.tasks]
    folder = args.cache or default_cache_folder()
    with CaptionCache(folder, source.identity, source.label, config.generation) as cache:
        if cache.damaged:
            print(f"{cache.damaged} lines of {cache.path} are damaged: left out", file=sys.stderr)
        try:
            with tqdm(total=sum(len(task.images) for task in tasks), unit="image") as bar:
                caption_pairs(tasks, captioner, cache, batch_size, result, bar.update)
        except KeyboardInterrupt:
            print(f"interrupted; the same command goes on from {cache.path}", file=sys.stderr)
            raise
        finally:  # also what is complete after an interrupt or an error
            for target in targets:
                target.write(result.captions, source.label)
    print(
        f"{result.generated} images captioned by {source.label} on {captioner.device}, "
        f"{result.cached} captions from {cache.path}"
    )
