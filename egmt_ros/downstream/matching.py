"""Which labels belong to which image. Works with messages, or any objects with their fields."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from egmt_ros.downstream.prior import EntityPrior, stamp_ns
from egmt_ros.errors import InputError


class Match(NamedTuple):
    """An image and its labels.

    Attributes:
        image: As it was given.
        prior: That of the labels nearest in time, None: there are none that can be used.
        problem: Why labels that are there cannot be used, None: no problem.
    """

    image: Any
    prior: EntityPrior | None
    problem: InputError | None


class LabelMatcher:
    """Holds one image until its labels are there; no other image waits.

    Call `take` when `ready` says so, when the image has waited long enough, and before the next
    image is given. One thread only.
    """

    def __init__(self) -> None:
        self._image: Any = None
        self._arrays: deque[Any] = deque(maxlen=10)
        self._vocabulary: Any = None

    @property
    def ready(self) -> bool:
        """Whether an image waits for which no better labels can come: labels come in order."""
        if self._image is None or not self._arrays or self._vocabulary is None:
            return False
        newest = self._arrays[-1]
        known = newest.vocabulary_hash == self._vocabulary.vocabulary_hash
        return known and _stamp(newest) >= _stamp(self._image)

    def give_image(self, image: Any) -> None:
        """A sensor_msgs/Image; one that still waits is lost."""
        self._image = image

    def give_labels(self, array: Any) -> None:
        """An egmt_msgs/EntityLabelArray. Those before are forgotten if stamps went back."""
        if self._arrays and _stamp(array) < _stamp(self._arrays[-1]):
            self._arrays.clear()
        self._arrays.append(array)

    def give_vocabulary(self, vocabulary: Any) -> None:
        """The egmt_msgs/EntityVocabulary in force; labels of another one are not used."""
        self._vocabulary = vocabulary

    def take(self) -> Match | None:
        """The image that waits, if one does, with the labels that are there by now."""
        image, self._image = self._image, None
        if image is None:
            return None
        if not self._arrays or self._vocabulary is None:
            return Match(image, None, None)
        stamp = _stamp(image)
        nearest = min(reversed(self._arrays), key=lambda array: abs(_stamp(array) - stamp))
        try:
            prior = EntityPrior.from_message(nearest, self._vocabulary)
            prior.check_size(image.width, image.height)
        except InputError as problem:
            return Match(image, None, problem)
        return Match(image, prior, None)


def _stamp(message: Any) -> int:
    return stamp_ns(message.header.stamp)
