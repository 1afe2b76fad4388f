"""`egmt fuse`: fuse two images, or two folders of images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt fuse`."""
    parser.add_argument("thermal", type=Path, help="thermal image, or folder of images")
    parser.add_argument("visible", type=Path, help="visible image, or folder of equal file stems")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="written to")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--emphasis",
        nargs="+",
        action="extend",
        default=[],
        metavar="ENTITY=FACTOR",
        help="how much an entity guides the fusion: 0 (not at all) to 4, 1 is neutral",
    )
    parser.add_argument(
        "--entities",
        nargs="+",
        action="extend",
        default=[],
        metavar="ENTITY",
        help="look for these (default: those of the checkpoint, or of --embeddings)",
    )
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE.npz",
        help="entities that the checkpoint lacks, from egmt annotate embed",
    )
    parser.add_argument(
        "--homography",
        metavar="FILE",
        help="from thermal to visible pixels, of egmt calibrate, or nine numbers; outside of the"
        " warped thermal image the visible one is shown alone",
    )


def run(args: argparse.Namespace) -> int:
    """Write `<stem>.png` for each pair and labels.json; return the exit status.

    The thermal image is warped by the homography or, without one, resized to the visible one
    where the sizes differ.

    Raises:
        ConfigError: `--out` would overwrite the images, or cannot be made; an entity has no
            embedding; an emphasis is not a number from 0 to 4 or names an unknown entity; the
            homography cannot be used.
        InputError: A homography of other image sizes, or that parts the images.
        DataError: An image cannot be read or written.
    """
    from tqdm import tqdm

    from egmt_ros.errors import ConfigError
    from egmt_ros.pipeline.embedding_file import read_embedding_file
    from egmt_ros.pipeline.emphasis import parse_emphasis
    from egmt_ros.pipeline.engine import FusionEngine
    from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible
    from egmt_ros.pipeline.registration.homography import parse_homography
    from egmt_ros.pipeline.registration.register import Registration
    from egmt_ros.pipeline.whole_files import write_image, write_whole

    pairs = match_pairs(args.thermal, args.visible)
    used = {p.resolve() for pair in pairs for p in pair[1:]}
    used |= {p.resolve() for p in (args.thermal, args.visible)}
    targets = {stem: args.out / f"{stem}.png" for stem, _, _ in pairs}
    if args.out.resolve() in used or any(t.resolve() in used for t in targets.values()):
        raise ConfigError(
            f"--out is {args.out}, where the images that are fused lie and would be overwritten; "
            "give another folder"
        )
    if args.homography:
        registration = Registration("homography", homography=parse_homography(args.homography))
    else:
        registration = Registration("scale")
    # Of files every one may have a size of its own, and PyTorch need not prepare for each.
    engine = FusionEngine.load(args.weights, args.device, runtime="torch")
    embeddings = read_embedding_file(args.embeddings) if args.embeddings else None
    if args.entities or embeddings:
        engine = engine.with_vocabulary(args.entities or embeddings.names, encoder=embeddings)
    weights = engine.emphasis(parse_emphasis(args.emphasis))
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {args.out} cannot be made ({error}); give a folder") from error
    labels = {}
    for stem, thermal_path, visible_path in tqdm(pairs, unit="pair", disable=len(pairs) < 2):
        pair = registration.apply(read_thermal(thermal_path), read_visible(visible_path))
        result = engine.fuse(pair.thermal, pair.visible, entity_weights=weights)
        write_image(targets[stem], pair.complete(result.image))
        labels[stem] = {name: round(score, 4) for name, score in result.scores.items()}
    write_whole(args.out / "labels.json", (json.dumps(labels, indent=1) + "\n").encode())
    print(f"{len(pairs)} fused with {engine.model_id} on {engine.device}: {args.out}")
    return 0
