"""The pairs that the node would make of a bag, with their images as the cameras gave them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from egmt_ros.errors import BagError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.offline.output_bag import reference_frame
from egmt_ros.evaluation.offline.pairing import BagPairing
from egmt_ros.evaluation.offline.reading import MessageStream
from egmt_ros.evaluation.offline.setting import Setting
from egmt_ros.node_core.parameters import make_registration
from egmt_ros.pipeline.accounting import Outcome
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.intake import settle_pair
from egmt_ros.pipeline.missing_camera import Single


class BagPair(NamedTuple):
    """A registered pair.

    Attributes:
        stamp: Of the reference camera's frame, ns.
        thermal_stamp, visible_stamp: Of the frames, ns.
        thermal: (H, W) uint8, uint16 or float32, in the camera's units.
        visible: (H, W, 3) uint8 BGR or (H, W) uint8.
    """

    stamp: int
    thermal_stamp: int
    visible_stamp: int
    thermal: np.ndarray
    visible: np.ndarray


class BagPairs:
    """Iterates over the pairs of a bag, once.

    Args:
        bag: Opened.
        setting: Topics and parameters.
        every: Of the pairs, each so many-th; the images of the others are not converted.

    Attributes:
        paired: Pairs so far, those that were left out too.
        refused: Why images of pairs could not be used, -> how many.
        damage: Why the bag could not be read to its end; None if it could.
    """

    def __init__(self, bag: BagSource, setting: Setting, every: int = 1) -> None:
        self._bag = bag
        self._setting = setting
        self._every = every
        self._registration = make_registration(setting.parameters, setting.cameras.pair)
        self._reference = Side(setting.parameters.output.reference)
        self.paired = 0
        self.refused: dict[str, int] = {}
        self.damage: BagError | None = None

    def __iter__(self) -> Iterator[BagPair]:
        """The pairs in the order in which the node would fuse them."""
        setting = self._setting
        roles = {topic: side.value for side, topic in setting.topics.items()}
        roles |= {topic: f"{side.value}_info" for side, topic in setting.info_topics.items()}
        pairing = BagPairing(setting.parameters)
        with closing(MessageStream(self._bag, roles)) as stream:
            for message in stream:
                yield from self._images(pairing.advance(message.arrival))
                side = Side(message.role.removesuffix("_info"))
                if message.role == side.value:
                    yield from self._images(pairing.receive(side, message))
                elif message.content is not None:
                    setting.cameras.take(side, message.content)
            yield from self._images(pairing.finish())
            self.damage = stream.error

    def _images(self, items: Iterable[Pair | Single]) -> Iterator[BagPair]:
        for item in items:
            pair = None
            if isinstance(item, Pair):
                if self.paired % self._every == 0:
                    pair = self._read(item)
                self.paired += 1
            settle_pair(item, Outcome.FUSED)
            if pair is not None:
                yield pair

    def _read(self, pair: Pair) -> BagPair | None:
        try:
            thermal = thermal_array(pair.thermal.payload.view)
            visible = visible_array(pair.visible.payload.view)
            registered = self._registration.apply(thermal, visible)
        except InputError as error:
            self.refused[str(error)] = self.refused.get(str(error), 0) + 1
            return None
        return BagPair(
            reference_frame(pair, self._reference).stamp,
            pair.thermal.stamp,
            pair.visible.stamp,
            registered.thermal,
            registered.visible,
        )
