"""The watch on the registration: shifts are measured, believed or not, and checked in time."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from egmt_ros.pipeline.registration.shift import Shift, estimate_shift, reduce_pair
from egmt_ros.pipeline.registration.watch import (
    ALIGNED,
    KEPT,
    LEAST_CHECKS,
    OFF,
    SHIFTED,
    UNKNOWN,
    RegistrationWatch,
    judge,
)
from egmt_ros.pipeline.results import Sources

WIDTH, HEIGHT = 640, 480


def scene(seed=0):
    """(thermal, visible): the same blobs, hot ones dark, and noise of their own."""
    rng = np.random.default_rng(seed)
    levels = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(40):
        x, y = rng.integers(0, WIDTH), rng.integers(0, HEIGHT)
        size, turn = rng.integers(10, 60, 2).tolist(), float(rng.uniform(0, 180))
        cv2.ellipse(levels, (int(x), int(y)), size, turn, 0, 360, float(rng.uniform(40, 200)), -1)
    noise = rng.normal(0, 4, (2, HEIGHT, WIDTH))
    thermal, visible = 220 - levels + noise[0], levels + 20 + noise[1]
    return thermal.clip(0, 255).astype(np.uint8), visible.clip(0, 255).astype(np.uint8)


def moved(image, right, below):
    matrix = np.float32([[1, 0, right], [0, 1, below]])
    return cv2.warpAffine(
        image, matrix, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


@pytest.mark.parametrize("shift", [(0, 0), (9, 0), (-3.5, 7), (20, -30)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "colour"])
def test_a_shift_is_measured_with_its_direction(shift, kind):
    thermal, visible = scene()
    if kind == "colour":
        visible = np.dstack([visible] * 3)
    else:
        thermal = (30000 + thermal * 10.0).astype(kind) if kind != "uint8" else thermal
    found = estimate_shift(reduce_pair(moved(thermal, *shift), visible))
    assert (found.right, found.below) == pytest.approx(shift, abs=0.6)
    assert found.correlation > 0.3


def test_small_and_wide_images_are_measured_in_their_own_pixels():
    thermal, visible = scene()
    for width, height in ((160, 120), (1280, 960)):
        size, scale = (width, height), width / WIDTH
        pair = [cv2.resize(image, size) for image in (moved(thermal, 12, -8), visible)]
        found = estimate_shift(reduce_pair(*pair))
        assert (found.right, found.below) == pytest.approx((12 * scale, -8 * scale), abs=scale)
    assert reduce_pair(thermal[:40, :40], visible[:40, :40]) is None


def test_where_the_thermal_image_ends_is_no_edge_to_go_by():
    thermal, visible = scene()
    outside = np.zeros(thermal.shape, np.uint8)
    outside[:, :200] = outside[:90] = 1
    cut = moved(thermal, 8, 5)
    cut[outside > 0] = 255
    marked = visible.copy()
    marked[:, 195:205] = marked[85:95] = 255  # just there the visible image has a line
    found = estimate_shift(reduce_pair(cut, marked, outside))
    assert (found.right, found.below) == pytest.approx((8, 5), abs=0.8)
    outside[:] = 1
    assert estimate_shift(reduce_pair(cut, marked, outside)) is None


def test_images_with_nothing_in_common_tell_nothing():
    (thermal, _), (_, visible) = scene(1), scene(2)
    assert estimate_shift(reduce_pair(thermal, visible)) is None
    flat = np.full_like(visible, 80)
    assert estimate_shift(reduce_pair(thermal, flat)) is None
    assert estimate_shift(reduce_pair(moved(scene()[0], 90, 0), scene()[1])) is None, "too far"


def shifts(*values):
    return [None if value is None else Shift(*value, 0.3) for value in values]


def test_the_median_stands_against_four_of_nine_that_are_wrong():
    right = [(9 + 0.1 * i, -4.0) for i in range(5)]
    wrong = [(-30, 5), (0, 30), (1, 1), (-8, -9)]
    found = judge(shifts(*right, *wrong), 5.0, WIDTH)
    assert found.state == SHIFTED and found.confidence == pytest.approx(5 / 9)
    assert abs(found.right - 9) < 1 and found.below == pytest.approx(-4, abs=0.1)
    assert found.residual == pytest.approx(math.hypot(found.right, found.below))
    assert judge(shifts(*[(1.0, -2.0)] * 5, *wrong), 5.0, WIDTH).state == ALIGNED


def test_what_does_not_agree_is_unknown():
    scattered = [(30, 0), (-30, 9), (0, 33), (12, -25), (-9, -9), (25, 25)]
    assert judge(shifts(*scattered), 5.0, WIDTH).state == UNKNOWN
    few = judge(shifts(*[(9, 9)] * (LEAST_CHECKS - 1)), 5.0, WIDTH)
    assert few.state == UNKNOWN and math.isnan(few.residual)
    dark = judge(shifts(*[(9, 9)] * 4, *[None] * 5), 5.0, WIDTH)
    assert dark.state == UNKNOWN and dark.confidence == pytest.approx(4 / 9)
    assert judge([None] * KEPT, 5.0, WIDTH).state == UNKNOWN


def test_the_limit_is_for_640_pixels_and_grows_with_the_image():
    pair = shifts(*[(6.0, 0.0)] * KEPT)
    assert judge(pair, 5.0, 640).state == SHIFTED and judge(pair, 5.0, 640).limit == 5.0
    assert judge(pair, 5.0, 1280).state == ALIGNED and judge(pair, 5.0, 1280).limit == 10.0


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_checks_come_once_a_period_and_their_median_is_told():
    clock = Clock()
    watch = RegistrationWatch(clock)
    thermal, visible = scene()
    pair = Sources(moved(thermal, 10, 0), None, visible)
    assert watch.finding.state == OFF and not watch.offer(pair)
    watch.restart(2.0, 5.0)
    assert watch.finding.state == UNKNOWN
    began = []
    for _ in range(2 * KEPT):
        began.append(watch.offer(pair))
        watch.wait()
        clock.now += 1.0
    assert began == [True, False] * KEPT
    found = watch.finding
    assert (found.state, found.checks, found.confidence) == (SHIFTED, KEPT, 1.0)
    assert found.right == pytest.approx(10, abs=0.6)
    # The mount is put right: the median follows after half of the checks kept.
    for _ in range(KEPT // 2 + 1):
        clock.now += 2.0
        assert watch.offer(Sources(thermal, None, visible))
        watch.wait()
    assert watch.finding.state == ALIGNED
    watch.restart(2.0, 5.0)
    assert watch.finding.state == UNKNOWN and watch.finding.checks == 0
    watch.stop()
    assert watch.finding.state == OFF and not watch.offer(pair)


def test_a_camera_that_is_missing_is_not_looked_at():
    watch = RegistrationWatch(Clock())
    watch.restart(1.0, 5.0)
    thermal, visible = scene()
    for sources in (None, Sources(None, None, visible), Sources(thermal, None, None)):
        assert not watch.offer(sources)
    assert watch.offer(Sources(thermal, None, visible)), "that used up no period"
    watch.stop()


def test_images_may_be_reused_at_once_and_another_size_starts_anew():
    clock = Clock()
    watch = RegistrationWatch(clock)
    watch.restart(1.0, 5.0)
    for count in range(LEAST_CHECKS):
        thermal, visible = scene(count)
        thermal, visible = (cv2.resize(image, (200, 150)) for image in (thermal, visible))
        assert watch.offer(Sources(thermal, None, visible))
        thermal[:] = visible[:] = 0
        watch.wait()
        clock.now += 1.0
    assert watch.finding.state == ALIGNED
    assert watch.offer(Sources(*[scene()[0]], None, scene()[1]))
    watch.wait()
    assert watch.finding.checks == 1


def test_what_was_under_way_at_a_restart_does_not_count():
    watch = RegistrationWatch(Clock())
    watch.restart(1.0, 5.0)
    thermal, visible = scene()
    watch._check(reduce_pair(thermal, visible), WIDTH, watch._round - 1)
    assert watch.finding.checks == 0
    watch._check(reduce_pair(thermal, visible), WIDTH, watch._round)
    assert watch.finding.checks == 1
