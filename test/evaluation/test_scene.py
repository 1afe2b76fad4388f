"""The generated scene: deterministic, consistent with its own truth, at any size."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.errors import InputError
from egmt_ros.evaluation.scene import CameraTiming, SceneSequence, StreetScene


@pytest.fixture(scope="module")
def night() -> StreetScene:
    return StreetScene(seed=0, time_of_day="night")


def box_pixels(image: np.ndarray, box) -> np.ndarray:
    """The middle of a box, where the actor itself is."""
    x0, x1 = box.x + box.width // 3, box.x + box.width - box.width // 3
    y0, y1 = box.y + box.height // 4, box.y + box.height * 6 // 10
    return image[y0:y1, x0:x1].astype(float)


def beside(image: np.ndarray, box) -> np.ndarray:
    """Strips left and right of a box."""
    rows = slice(box.y, box.y + box.height)
    left = image[rows, max(0, box.x - box.width) : max(0, box.x - 2)]
    right = image[rows, box.x + box.width + 2 : box.x + 2 * box.width]
    channels = image.shape[2:] or (1,)
    return np.concatenate([left.reshape(-1, *channels), right.reshape(-1, *channels)]).astype(float)


def test_same_seed_gives_same_pixels_and_truth():
    one, two = (StreetScene(seed=5, width=160, height=120) for _ in range(2))
    for time in (0.0, 3.7, 11.2):
        assert np.array_equal(one.render_visible(time), two.render_visible(time))
        assert np.array_equal(one.render_thermal(time), two.render_thermal(time))
        assert one.annotations(time) == two.annotations(time)


def test_order_of_calls_does_not_matter():
    scene = StreetScene(seed=1, width=160, height=120)
    first = scene.render_visible(2.0)
    scene.render_thermal(9.0)
    scene.render_visible(4.0)
    assert np.array_equal(first, scene.render_visible(2.0))


def test_other_seed_gives_another_scene():
    one, two = (StreetScene(seed=s, width=160, height=120).render_visible(1.0) for s in (1, 2))
    assert np.abs(one.astype(int) - two).mean() > 3


def test_unlit_people_stand_out_in_thermal_only(night):
    checked = 0
    for time in np.arange(0.0, 12.0, 0.5):
        truth = night.annotations(time)
        thermal, visible = night.render_thermal(time), night.render_visible(time)
        others = [b for b in truth.boxes if b.name in ("person", "car", "van", "bicycle")]
        for box in truth.boxes:
            alone = all(
                b is box or b.x >= box.x + box.width or b.x + b.width <= box.x
                for b in others
            )
            if box.name != "person" or not box.in_thermal or box.in_visible or not alone:
                continue
            if box.height < 50:
                continue
            around = beside(thermal, box)
            assert box_pixels(thermal, box).mean() > np.median(around) + 50
            seen = box_pixels(visible, box).mean()
            assert abs(seen - beside(visible, box).mean()) < 40
            checked += 1
    assert checked >= 5


def test_lit_people_are_visible(night):
    boxes = [b for t in np.arange(0, 12, 1.0) for b in night.annotations(t).boxes]
    assert any(b.name == "person" and b.in_visible for b in boxes)
    assert any(b.name == "person" and not b.in_visible for b in boxes)


def test_entities_change_and_cover_the_street(night):
    truths = [night.annotations(t) for t in np.arange(0.0, 14.0, 0.25)]
    seen = set().union(*(t.entities for t in truths))
    assert {
        "person", "car", "van", "bicycle", "cyclist", "building", "window", "tree", "road", "sky",
        "street light", "traffic light", "traffic sign", "sidewalk", "curb", "crosswalk", "pole",
    } <= seen  # fmt: skip
    assert len({t.entities for t in truths}) >= 3
    assert any("cyclist" in t.entities for t in truths)
    assert any("cyclist" not in t.entities for t in truths)
    for truth in truths:
        assert set(truth.entities) == set(truth.thermal_entities) | set(truth.visible_entities)
        assert "crosswalk" not in truth.thermal_entities


def test_boxes_lie_inside_the_image(night):
    for time in np.arange(0.0, 16.0, 0.5):
        for box in night.annotations(time).boxes:
            assert 0 <= box.x < box.x + box.width <= 640
            assert 0 <= box.y < box.y + box.height <= 480


def test_motion_is_smooth(night):
    before = {b.actor: b for b in night.annotations(2.0).boxes if b.name == "person"}
    after = {b.actor: b for b in night.annotations(2.0 + 1 / 30).boxes if b.name == "person"}
    assert before.keys() & after.keys()
    for name in before.keys() & after.keys():
        assert abs(before[name].x - after[name].x) <= 8


@pytest.mark.parametrize("size", [(64, 64), (33, 47), (321, 241), (200, 301), (127, 90)])
def test_any_size_renders(size):
    width, height = size
    scene = StreetScene(seed=2, width=width, height=height)
    for time in (0.0, 7.0, 11.0):
        assert scene.render_visible(time).shape == (height, width, 3)
        assert scene.render_thermal(time).shape == (height, width)
        for box in scene.annotations(time).boxes:
            assert box.x + box.width <= width and box.y + box.height <= height


def test_raw_thermal_is_centikelvin():
    scene = StreetScene(seed=0, width=160, height=120)
    raw, grey = scene.render_thermal(2.0, raw=True), scene.render_thermal(2.0)
    assert raw.dtype == np.uint16
    celsius = raw / 100.0 - 273.15
    assert -15 < celsius.min() < 0 < celsius.max() < 45
    assert np.corrcoef(raw.ravel().astype(float), grey.ravel())[0, 1] > 0.95


def test_dusk_becomes_night():
    scene = StreetScene(seed=0, width=160, height=120, time_of_day="dusk_to_night", fade=(2, 5))
    levels = [scene.render_visible(t)[:40].mean() for t in (1.0, 3.5, 6.0)]
    assert levels[0] > levels[1] + 10 > levels[2] + 20
    assert scene.night(1.9) == 0.0 and scene.night(5.0) == 1.0


def test_bad_arguments_are_named():
    with pytest.raises(InputError, match="noon.*dusk"):
        StreetScene(time_of_day="noon")
    with pytest.raises(InputError, match="16x16"):
        StreetScene(width=16, height=16)
    with pytest.raises(InputError, match="jitter"):
        CameraTiming(rate=30, jitter=0.02)


def test_sequence_follows_its_timing():
    timing = CameraTiming(rate=9.0, jitter=0.003, offset=0.01)
    sequence = SceneSequence(seed=3, width=64, height=64, duration=2.0, thermal=timing)
    frames = list(sequence)
    thermal = [f for f in frames if f.side == "thermal"]
    visible = [f for f in frames if f.side == "visible"]
    assert (len(thermal), len(visible)) == (18, 60) and len(frames) == len(sequence)
    assert all(f.truth is not None for f in visible) and all(f.truth is None for f in thermal)
    arrivals = [f.bag_time for f in frames]
    assert arrivals == sorted(arrivals)
    assert all(f.bag_time >= f.stamp for f in frames)
    gaps = np.diff([f.stamp for f in thermal]) / 1e9
    assert gaps.min() > 0 and abs(gaps.mean() - 1 / 9) < 0.003 and gaps.std() > 0
    assert sequence.stamps("visible") == [f.stamp for f in visible]


def test_sequence_drops_frames():
    timing = CameraTiming(drops=0.3)
    sequence = SceneSequence(seed=3, width=64, height=64, duration=4.0, visible=timing)
    assert 60 < len(sequence.stamps("visible")) < 108
    assert len(sequence.stamps("thermal")) == 120
