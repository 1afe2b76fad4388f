"""Captioning pairs: each image is looked up in the cache, and captioned if it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from egmt_ros.entities.captions.caption_cache import CaptionCache, image_digest
from egmt_ros.entities.captions.caption_file import IMAGES
from egmt_ros.entities.captions.pair_folders import ImagePair
from egmt_ros.errors import DataError, InputError


class CaptionsImages(Protocol):
    """What captions: `Captioner`, or another with its prompts and its method."""

    prompts: Mapping[str, str]

    def caption(self, images: Sequence[np.ndarray], prompt: str) -> list[str]:
        """Caption (H, W, 3) uint8 RGB images with one prompt."""


class PairTask(NamedTuple):
    """A pair of a data set, and which of its images want a caption ("infrared", "visible")."""

    dataset: str
    pair: ImagePair
    images: tuple[str, ...] = IMAGES


@dataclass
class CaptioningResult:
    """What has been captioned so far.

    Attributes:
        captions: (data set, pair) -> image -> caption; only what was asked for, pairs that are
            not complete yet among them.
        problems: Pairs that cannot be captioned, and why; a line each.
        generated: Images that the model captioned.
        cached: Images whose caption was in the cache.
    """

    captions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    generated: int = 0
    cached: int = 0


class _Waiting(NamedTuple):
    """A new image, and the places where it stands."""

    pixels: np.ndarray
    places: list[tuple[tuple[str, str], str]]


def caption_pairs(
    tasks: Iterable[PairTask],
    captioner: CaptionsImages,
    cache: CaptionCache,
    batch_size: int,
    result: CaptioningResult,
    done: Callable[[int], object] = lambda count: None,
) -> None:
    """Caption the images of pairs.

    A batch is in the cache before the next one begins, so an interrupt costs one batch at most.
    An image that occurs several times is captioned once.

    Args:
        tasks: Pairs.
        captioner: Makes the captions that the cache lacks.
        cache: Of this captioner's model and settings.
        batch_size: Images at once.
        result: Filled as captions come, and so also usable after an interrupt or an error.
        done: Told how many images are finished with, each time some are.

    Raises:
        EgmtError: What the captioner raises.
        OSError: The cache cannot be written.
    """
    waiting: dict[str, dict[str, _Waiting]] = {prompt: {} for prompt in captioner.prompts.values()}

    def finish(prompt: str) -> None:
        batch = dict(waiting[prompt])
        if not batch:
            return
        texts = captioner.caption([entry.pixels for entry in batch.values()], prompt)
        captions = dict(zip(batch, texts, strict=True))
        cache.add(prompt, captions)
        waiting[prompt].clear()
        result.generated += len(batch)
        places = [(place, d) for d, entry in batch.items() for place in entry.places]
        for (pair, image), digest in places:
            result.captions[pair][image] = captions[digest]
        result.cached += len(places) - len(batch)
        done(len(places))

    for task in tasks:
        key = (task.dataset, task.pair.name)
        try:
            pixels = {image: task.pair.read(image) for image in task.images}
        except (DataError, InputError) as error:
            name = f"{task.dataset}/{task.pair.split}/{task.pair.name}"
            result.problems.append(f"{name}: {error}")
            done(len(task.images))
            continue
        result.captions[key] = {}
        for image, shown in pixels.items():
            prompt, digest = captioner.prompts[image], image_digest(shown)
            found = cache.get(digest, prompt)
            if found is not None:
                result.captions[key][image] = found
                result.cached += 1
                done(1)
                continue
            entry = waiting[prompt].setdefault(digest, _Waiting(shown, []))
            entry.places.append((key, image))
            if len(waiting[prompt]) >= batch_size:
                finish(prompt)
    for prompt in waiting:
        finish(prompt)
