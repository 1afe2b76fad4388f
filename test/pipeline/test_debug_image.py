"""The debug image shows the three images, the regions and the texts."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from egmt_ros.pipeline.debug_image import PANEL_HEIGHT, PANEL_WIDTH, colour_of, draw_debug_image
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region, Sources, ThermalReading
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, ThermalRange

LINE, GAP = 22, 4
NOBODY = ThermalReading(math.nan, math.nan, 0, 0, 0, False)


def label(index=0, score=0.93, region=None, name="person"):
    return EntityLabel(index, name, score, True, region, 0.5, math.nan)


def result(width=640, height=480, *, thermal=None, limits=FULL_SCALE_8_BIT, grey=False, **changes):
    """Every image is of one value: thermal 60, visible 120, fused 180."""
    shape = (height, width) if grey else (height, width, 3)
    if thermal is None:
        thermal = np.full((height, width), 60, np.uint8)
    values = {
        "image": np.full(shape, 180, np.uint8),
        "scores": {},
        "labels": (),
        "attention": np.zeros((0, 1, 1), np.float32),
        "attention_cell": 16,
        "timings": {},
        "thermal": NOBODY,
        "sources": Sources(thermal, limits, np.full(shape, 120, np.uint8)),
    }
    return FusionResult(**{**values, **changes})


def panels(canvas, width=640, height=480):
    """The three images in the picture."""
    lefts = [number * (width + GAP) for number in range(3)]
    return [canvas[LINE : LINE + height, left : left + width] for left in lefts]


def near(pixels, colour, distance=80):
    """Which pixels have about a colour; lines of letters are thin and smoothed."""
    return np.abs(pixels.astype(int) - np.array(colour)).sum(axis=2) < distance


def differing(a, b):
    return int((a != b).any(axis=2).sum())


@pytest.mark.parametrize("grey", [False, True])
def test_the_images_stand_side_by_side_as_they_are(grey):
    canvas = draw_debug_image(result(grey=grey), (), ())
    assert canvas.dtype == np.uint8 and canvas.shape[1:] == (3 * 640 + 2 * GAP, 3)
    thermal, visible, fused = panels(canvas)
    assert (thermal == 60).all() and (visible == 120).all() and (fused == 180).all()


@pytest.mark.parametrize(
    "thermal, limits, shown",
    [
        (np.full((480, 640), 29_000, np.uint16), ThermalRange(28_000, 30_000), 128),
        (np.full((480, 640), 31_000, np.uint16), ThermalRange(28_000, 30_000), 255),
        (np.full((480, 640), 20.0, np.float32), ThermalRange(60.0, 10.0), 204),
    ],
)
def test_thermal_values_are_shown_by_their_range(thermal, limits, shown):
    canvas = draw_debug_image(result(thermal=thermal, limits=limits), (), ())
    assert (panels(canvas)[0] == shown).all()


def test_temperatures_are_written_over_a_radiometric_image():
    without = draw_debug_image(result(), (), ())
    warm = ThermalReading(-4.25, 36.9, 0, 0, 0, False)
    canvas = draw_debug_image(dataclasses.replace(result(), thermal=warm), (), ())
    changed = (canvas != without).any(axis=2)
    assert changed[:LINE, :640].sum() > 100, "the title of the thermal image"
    assert not changed[LINE:].any() and not changed[:, 640:].any()


def test_a_region_is_framed_in_the_fused_image_with_a_tag_above_it():
    canvas = draw_debug_image(result(), [label(region=Region(100, 200, 80, 120))], ())
    thermal, visible, fused = panels(canvas)
    assert (thermal == 60).all() and (visible == 120).all()
    colour = colour_of(0)
    for y, x in ((250, 100), (250, 179), (319, 140)):
        assert tuple(fused[y, x]) == colour
    assert (fused[230:300, 110:170] == 180).all(), "what is inside stays to be seen"
    tag = fused[200 - 18 : 199, 100:200]
    assert near(tag, colour).mean() > 0.4 and near(tag, (0, 0, 0), 240).any()


def test_tags_do_not_cover_each_other_and_stay_inside():
    labels = [label(i, region=Region(0, 5, 639, 474), name=f"entity {i}") for i in range(8)]
    fused = panels(draw_debug_image(result(), labels, ()))[2]
    for one in labels:
        area = (fused == colour_of(one.index)).all(axis=2).sum()
        assert area > 900, "each has a tag that is nearly free"
    labels = [label(i, region=Region(600, 470, 40, 10), name="x" * 200) for i in range(60)]
    draw_debug_image(result(), labels, ())  # no room at all: they overlap


def test_labels_and_facts_are_written_below_and_cut_to_the_room():
    bottom = LINE + 480
    plain = draw_debug_image(result(), (), ())
    facts = draw_debug_image(result(), (), ["latency 31.4 ms"])
    assert differing(plain[bottom : bottom + LINE], facts[bottom : bottom + LINE])
    assert not differing(plain[bottom + LINE :], facts[bottom + LINE :])
    few = draw_debug_image(result(), [label(3)], ())
    assert near(few[bottom:], colour_of(3)).any()
    many = [label(i, name=f"entity {i}") for i in range(200)]
    canvas = draw_debug_image(result(), many, ["long " * 500])
    assert canvas.shape == plain.shape
    ends = [canvas[bottom + n * LINE : bottom + (n + 1) * LINE, 1700:] for n in range(3)]
    assert all((end > 60).any() for end in ends), "each line is full"
    assert (canvas[-6:] == 24).all(), "and there is no other"


def test_a_camera_that_is_missing_is_said_to_be():
    visible = np.full((480, 640, 3), 120, np.uint8)
    canvas = draw_debug_image(result(sources=Sources(None, None, visible)), (), ())
    thermal, seen, fused = panels(canvas)
    assert 0 < (thermal > 100).any(axis=2).sum() < 2000, "a few words on a dark ground"
    assert (seen == 120).all() and (fused == 180).all()
    pair = draw_debug_image(result(), (), ())
    assert differing(canvas[:LINE, 1288:], pair[:LINE, 1288:]), "the last one is not called fused"
    canvas = draw_debug_image(result(sources=None), (), ())
    assert (panels(canvas)[2] == 180).all()


@pytest.mark.parametrize(
    "width, height",
    [(7680, 4320), (3840, 2160), (1280, 1024), (160, 120), (64, 480), (32, 32), (2000, 40)],
)
def test_any_size_makes_a_picture_that_can_be_read(width, height):
    region = Region(width // 2, height // 2, width - width // 2, height - height // 2)
    canvas = draw_debug_image(result(width, height, grey=True), [label(region=region)], ["fused"])
    assert 3 * 320 + 2 * GAP <= canvas.shape[1] <= 3 * PANEL_WIDTH + 2 * GAP
    assert canvas.shape[0] <= PANEL_HEIGHT + 5 * LINE
    middle = (canvas.shape[0] - 3 * LINE - 6 + LINE) // 2
    assert tuple(canvas[middle, 5]) == (60, 60, 60), "the thermal image is there"
    fused = canvas[:, 2 * canvas.shape[1] // 3 :]
    assert (fused == colour_of(0)).all(axis=2).any(), "so is the region"


def test_neighbouring_entities_have_colours_that_differ():
    colours = np.array([colour_of(index) for index in range(60)], int)
    assert colours.min() >= 0 and colours.max() <= 255
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 100
