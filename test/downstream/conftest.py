"""Messages as plain objects: the downstream room takes any object with their fields."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

SECOND = 1_000_000_000


def header(stamp):
    sec, nanosec = divmod(stamp, SECOND)
    return SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec))


class Messages:
    """Makes them; names are person, car and traffic light."""

    names = ["person", "car", "traffic light"]

    def vocabulary(self, vocabulary_hash="v1", names=None):
        names = self.names if names is None else names
        return SimpleNamespace(
            vocabulary_hash=vocabulary_hash, names=names, thresholds=[0.5] * len(names)
        )

    def label(self, name, score, region=None, mass=0.8, present=True, index=None):
        x, y, width, height = region or (0, 0, 0, 0)
        return SimpleNamespace(
            index=self.names.index(name) if index is None else index,
            name=name,
            score=score,
            present=present,
            REGION_NONE=0,
            REGION_ATTENTION=1,
            region_source=1 if region else 0,
            region=SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height),
            region_mass=mass if region else 0.0,
        )

    def array(self, *labels, stamp=0, vocabulary_hash="v1", size=(640, 480)):
        return SimpleNamespace(
            header=header(stamp),
            width=size[0],
            height=size[1],
            vocabulary_hash=vocabulary_hash,
            labels=list(labels),
        )

    def image(self, stamp=0, size=(640, 480)):
        return SimpleNamespace(header=header(stamp), width=size[0], height=size[1])


@pytest.fixture
def messages():
    return Messages()
