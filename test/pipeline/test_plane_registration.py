"""registration.mode camera_info: planes whose projections OpenCV knows are laid over each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration import register
from egmt_ros.pipeline.registration.cameras import FISHEYE, camera_model
from egmt_ros.pipeline.registration.plane import (
    CameraPair,
    Pose,
    make_pose,
    parse_pose,
    plane_points,
)
from egmt_ros.pipeline.registration.register import Registration

WIDTH, HEIGHT = 320, 240
LENSES = {
    "none": ("", []),
    "plumb_bob": ("plumb_bob", [-0.28, 0.09, 0.001, -0.0015, -0.01]),
    "rational": ("rational_polynomial", [0.4, -0.1, 0.0008, -0.0005, 0.01, 0.6, -0.06, 0.005]),
    "equidistant": ("equidistant", [-0.02, 0.01, -0.004, 0.0006]),
    "fisheye": ("fisheye", [0.0, 0.0, 0.0, 0.0]),
}
TURN = cv2.Rodrigues(np.array([0.03, -0.05, 0.02]))[0]


def camera(lens="none", focal=230.0, width=WIDTH, height=HEIGHT, **changes):
    name, d = LENSES[lens]
    k = [focal, 0, width / 2 + 3.3, 0, focal * 1.01, height / 2 - 4.7, 0, 0, 1]
    values = {"width": width, "height": height, "k": k, "distortion_model": name, "d": d}
    return camera_model(**values | changes)


def quaternion(matrix):
    w = np.sqrt(1 + np.trace(matrix)) / 2
    across = matrix - matrix.T
    return (*(np.array([across[2, 1], across[0, 2], across[1, 0]]) / (4 * w)), w)


def pose(translation=(0.12, -0.03, 0.05), turn=TURN):
    return make_pose(translation, tuple(quaternion(turn)))


def project(model, points):
    """(N, 2): what OpenCV says of (N, 3) points in the camera's frame."""
    k = np.array([[model.fx, 0, model.cx], [0, model.fy, model.cy], [0, 0, 1]])
    d, zero = np.array(model.coefficients), np.zeros(3)
    if model.formula == FISHEYE:
        return cv2.fisheye.projectPoints(points[:, None], zero, zero, k, d)[0][:, 0]
    return cv2.projectPoints(points[:, None], zero, zero, k, d)[0][:, 0]


def plane(depth, pose, count=300):
    """Points of a plane across the visible camera's axis, in both cameras' frames."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(-0.45, 0.45, (count, 2)) * depth
    points = np.column_stack([sides, np.full(count, float(depth))])
    return points, (points - pose.translation) @ pose.matrix


@pytest.mark.parametrize("lens", LENSES)
def test_a_lens_projects_as_in_opencv_and_its_rays_are_the_way_back(lens):
    model = camera(lens)
    points = plane(3.0, Pose())[0]
    u, v, seen = model.project(*points.T)
    assert seen.all()
    np.testing.assert_allclose(np.column_stack([u, v]), project(model, points), atol=1e-6)
    x, y, seen = model.rays()
    assert seen.all()
    rays = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    expected = np.column_stack([columns.ravel(), rows.ravel()])
    np.testing.assert_allclose(project(model, rays), expected, atol=2e-3)


@pytest.mark.parametrize("depth", [1.5, 20.0])
@pytest.mark.parametrize(
    ("thermal", "visible"),
    [("none", "plumb_bob"), ("plumb_bob", "rational"), ("rational", "equidistant"),
     ("equidistant", "none"), ("fisheye", "plumb_bob")],
)
def test_a_plane_is_found_within_a_fiftieth_of_a_pixel(thermal, visible, depth):
    pair = CameraPair(camera(thermal, 200.0), camera(visible), pose())
    x, y, seen = plane_points(pair, depth)
    in_visible, in_thermal = plane(depth, pair.pose)
    at, expected = project(pair.visible, in_visible), project(pair.thermal, in_thermal)
    inside = ((at > 1) & (at < [WIDTH - 2, HEIGHT - 2])).all(1)
    assert inside.sum() > 80 and seen.mean() > 0.9
    at = at[inside].astype(np.float32)[None]
    found = np.column_stack([
        cv2.remap(axis, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[0] for axis in (x, y)
    ])
    assert np.abs(found - expected[inside]).max() < 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_spots_of_a_plane_come_to_lie_where_the_visible_camera_sees_them(dtype):
    pair = CameraPair(camera("plumb_bob", 200.0, 160, 120), camera("equidistant"), pose())
    in_visible, in_thermal = plane(4.0, pair.pose, 400)
    at, there = project(pair.visible, in_visible), project(pair.thermal, in_thermal)
    rows, columns = np.mgrid[:120, :160]
    checked = 0
    for spot, expected in zip(there, at, strict=True):
        inside = (spot > 12).all() and (spot < [148, 108]).all()
        if not inside or (expected < 20).any() or (expected > [300, 220]).any():
            continue
        square = (columns - spot[0]) ** 2 + (rows - spot[1]) ** 2
        thermal = (200 * np.exp(-square / (2 * 2.0**2))).astype(dtype)
        registered = Registration("camera_info", cameras=lambda: pair, depth=4.0)
        out = registered.apply(thermal, np.zeros((HEIGHT, WIDTH), np.uint8)).thermal
        assert out.dtype == dtype and out.shape == (HEIGHT, WIDTH)
        weights = out.astype(float)
        grid = np.mgrid[:HEIGHT, :WIDTH]
        centre = [(weights * axis).sum() / weights.sum() for axis in grid[::-1]]
        assert np.hypot(*(centre - expected)) < 0.3
        checked += 1
        if checked == 3:
            return
    raise AssertionError("too few spots in both views")


def test_without_distortion_it_is_the_homography_of_the_plane():
    pair = CameraPair(camera(focal=180.0), camera(), pose())
    x, y, _ = plane_points(pair, 5.0)
    k = [np.array([[m.fx, 0, m.cx], [0, m.fy, m.cy], [0, 0, 1]])
         for m in (pair.thermal, pair.visible)]
    turn = pair.pose.matrix.T
    shift = -turn @ pair.pose.translation
    homography = k[0] @ (turn + np.outer(shift, [0, 0, 1]) / 5.0) @ np.linalg.inv(k[1])
    corners = np.array([[[0, 0], [WIDTH - 1, 0], [0, HEIGHT - 1], [100, 50]]], float)
    expected = cv2.perspectiveTransform(corners, homography)[0]
    for (column, row), point in zip(corners[0].astype(int), expected, strict=True):
        assert (x[row, column], y[row, column]) == pytest.approx(tuple(point), abs=1e-6)


def test_outside_of_the_thermal_view_the_visible_image_is_shown_alone():
    wide, narrow = camera("plumb_bob", 150.0), camera(focal=400.0)
    visible = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    registration = Registration("camera_info", cameras=lambda: CameraPair(narrow, wide, Pose()))
    pair = registration.apply(np.full((HEIGHT, WIDTH), 100, np.uint8), visible)
    # 400 to 150 pixels: a little more than a third each way is seen by both.
    assert 0.10 < 1 - pair.outside.mean() < 0.20
    fused = pair.complete(np.full_like(visible, 50))
    assert (fused[5, 5] == 7).all() and (fused[HEIGHT // 2, WIDTH // 2] == 50).all()
    assert (pair.thermal == 100).all(), "no edge where the thermal image ends"


def test_what_the_polynomial_would_fold_back_into_the_view_is_outside():
    # k1 of -0.4 bends back at a tangent of 0.91; the visible camera sees up to 1.6.
    folding = camera(
        focal=100.0, distortion_model="plumb_bob", d=[-0.4, 0, 0, 0, 0], width=400, height=400
    )
    wide = camera(focal=100.0)
    x, y, seen = plane_points(CameraPair(folding, wide, Pose()), 1.0)
    rays = wide.rays()
    radius = np.hypot(rays[0], rays[1])
    assert not seen[radius > 0.92].any() and seen[radius < 0.9].all()


def test_tables_are_made_again_only_when_the_geometry_changes(monkeypatch):
    made = []
    whole = register.plane_points
    monkeypatch.setattr(register, "plane_points", lambda *a: made.append(a) or whole(*a))
    newest = [CameraPair(camera(), camera(), Pose())]
    registration = Registration("camera_info", cameras=lambda: newest[0])
    images = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    registration.apply(*images)
    newest[0] = CameraPair(camera(), camera(), Pose())  # said again, the same
    registration.apply(*images)
    assert len(made) == 1
    newest[0] = CameraPair(camera(focal=231.0), camera(), Pose())
    registration.apply(*images)
    assert len(made) == 2


def test_images_of_another_size_than_their_camera_info_are_refused():
    pair = CameraPair(camera(), camera(), Pose())
    registration = Registration("camera_info", cameras=lambda: pair)
    right, wrong = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((120, 160), np.uint8)
    for images, name in (((wrong, right), "thermal"), ((right, wrong), "visible")):
        with pytest.raises(InputError, match=f"{name} image is 160x120.*320x240") as caught:
            registration.apply(*images)
        assert caught.value.reason == "size_mismatch"


def test_views_that_do_not_meet_are_refused():
    back = np.diag([-1.0, 1.0, -1.0])
    pair = CameraPair(camera(), camera(), make_pose((0, 0, 0), (0, 1, 0, 0)))
    assert np.allclose(pair.pose.matrix, back)
    with pytest.raises(InputError, match="do not overlap at a depth of 10 m.*z ahead") as caught:
        Registration("camera_info", cameras=lambda: pair).apply(
            np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        )
    assert caught.value.reason == "no_overlap"
    with pytest.raises(ConfigError, match="'camera_info' and output.reference is 'thermal'"):
        Registration("camera_info", Side.THERMAL, cameras=lambda: pair)


def test_region_and_binning_are_those_of_the_image():
    """A picture of the whole sensor, cut and joined to super-pixels, has the cut camera's rays."""
    whole = camera("plumb_bob", 500.0, 640, 480)
    part = camera(
        "plumb_bob", 500.0, 640, 480, binning=(2, 4), roi=(100, 60, 400, 200), frame_id="f"
    )
    assert part.size == (200, 50) and part.frame_id == "f"
    points = plane(3.0, Pose())[0]
    u, v, _ = whole.project(*points.T)
    small = part.project(*points.T)
    np.testing.assert_allclose(small[0], (u - 100 + 0.5) / 2 - 0.5)
    np.testing.assert_allclose(small[1], (v - 60 + 0.5) / 4 - 0.5)
    assert camera(binning=(1, 1), roi=(0, 0, WIDTH, HEIGHT)) == camera()


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"k": [0.0] * 9}, "uncalibrated", "/ir: the camera is not calibrated.*camera_calibration"),
        ({"k": [-1, 0, 1, 0, 1, 1, 0, 0, 1]}, "bad_camera_info", "focal lengths above 0"),
        ({"k": [9, 1, 1, 0, 9, 1, 0, 0, 1]}, "bad_camera_info", "fx 0 cx"),
        ({"k": [np.nan, 0, 1, 0, 1, 1, 0, 0, 1]}, "bad_camera_info", "finite"),
        ({"distortion_model": "prism", "d": [0.1] * 4}, "bad_camera_info", "'prism'.*plumb_bob"),
        ({"distortion_model": "equidistant", "d": [0.1] * 5}, "bad_camera_info", "D has 5"),
        ({"distortion_model": "plumb_bob", "d": [0.1] * 3}, "bad_camera_info", "D has 3"),
        ({"distortion_model": "plumb_bob", "d": [0.1] * 14}, "bad_camera_info", "D has 14"),
        ({"distortion_model": "plumb_bob", "d": [np.inf] * 5}, "bad_camera_info", "finite"),
        ({"roi": (200, 0, 200, 100)}, "bad_camera_info", "roi is"),
        ({"width": 0}, "bad_camera_info", "0x240"),
        ({"binning": (400, 1)}, "bad_camera_info", "binning is"),
    ],
)
def test_a_camera_info_that_cannot_be_used_says_why(changes, reason, words):
    with pytest.raises(InputError, match=words) as caught:
        camera(topic="/ir", **changes)
    assert caught.value.reason == reason


def test_a_pose_is_read_from_numbers():
    assert parse_pose(" ", "") is None
    assert parse_pose("0.1, 0 -0.2", "") == Pose((0.1, 0.0, -0.2))
    half = parse_pose("", "0 0 0.7071 0.7071")
    np.testing.assert_allclose(half.matrix @ [1, 0, 0], [0, 1, 0], atol=1e-4)
    assert half.differs(Pose(), 1e-4) and not half.differs(half, 1e-4)
    for translation, rotation, words in (
        ("1 2", "", "translation is.*x y z, metres"),
        ("a b c", "", "translation is 'a b c'"),
        ("", "0 0 0 2", "length 1"),
        ("", "0 0 0", "quaternion"),
        ("nan 0 0", "", "translation"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_pose(translation, rotation)
