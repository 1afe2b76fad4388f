"""Crops hold the regions, lie in the image and do not overlap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.downstream.crops import bounding, plan_crops
from egmt_ros.downstream.settings import CropSettings
from egmt_ros.errors import InputError
from egmt_ros.pipeline.results import Region


def overlap(a, b):
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(wide, 0) * max(high, 0)


@st.composite
def planned(draw):
    width, height = draw(st.integers(1, 800)), draw(st.integers(1, 600))
    regions = []
    for _ in range(draw(st.integers(0, 8))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        regions.append(
            Region(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
        )
    settings = CropSettings(
        margin=draw(st.floats(0.0, 2.0)),
        min_size=draw(st.integers(1, 300)),
        whole_above=draw(st.floats(0.0, 1.0)),
    )
    return regions, width, height, settings


@given(planned())
def test_crops_hold_every_region_inside_the_image_without_overlap(case):
    regions, width, height, settings = case
    crops = plan_crops(regions, width, height, settings)
    assert bool(crops) == bool(regions) and len(crops) <= len(regions)
    for crop in crops:
        assert crop.x >= 0 and crop.y >= 0
        assert crop.x + crop.width <= width and crop.y + crop.height <= height
        assert crop.width >= min(settings.min_size, width)
        assert crop.height >= min(settings.min_size, height)
    for a, b in itertools.combinations(crops, 2):
        assert overlap(a, b) == 0
    for region in regions:
        assert any(overlap(region, crop) == region.width * region.height for crop in crops)
    covered = sum(crop.width * crop.height for crop in crops)
    assert covered < settings.whole_above * width * height or crops in (
        (), (Region(0, 0, width, height),),
    )  # fmt: skip
    assert set(plan_crops(crops, width, height, CropSettings(0.0, 1, 0.5, 1.0))) == set(crops)


def test_margin_and_least_size_grow_about_the_middle():
    settings = CropSettings(margin=0.5, min_size=100, whole_above=1.0)
    assert plan_crops([Region(200, 200, 40, 100)], 640, 480, settings) == (
        Region(170, 150, 100, 200),
    )
    assert plan_crops([Region(0, 440, 40, 40)], 640, 480, settings) == (Region(0, 380, 100, 100),)


def test_crops_that_meet_become_one_and_that_one_meets_others():
    settings = CropSettings(margin=0.0, min_size=1, whole_above=1.0)
    left, right, bridge = Region(0, 0, 50, 50), Region(100, 0, 50, 50), Region(40, 40, 70, 20)
    assert plan_crops([left, right], 640, 480, settings) == (left, right)
    assert plan_crops([left, right, bridge], 640, 480, settings) == (Region(0, 0, 150, 60),)
    assert bounding([left, right]) == Region(0, 0, 150, 50)


def test_much_of_the_image_is_the_image():
    settings = CropSettings(margin=0.0, min_size=1, whole_above=0.6)
    whole = (Region(0, 0, 100, 100),)
    assert plan_crops([Region(0, 0, 100, 60)], 100, 100, settings) == whole
    assert plan_crops([Region(0, 0, 100, 59)], 100, 100, settings) != whole


def test_a_region_outside_the_image_is_refused():
    with pytest.raises(InputError, match="640x480") as caught:
        plan_crops([Region(640, 0, 10, 10)], 640, 480, CropSettings())
    assert caught.value.reason == "region_outside"
