"""The contact sheet: rows of three pictures, with labels and regions drawn."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from egmt_ros.errors import EgmtError, InputError
from egmt_ros.evaluation.bags.bag_types import image_message
from egmt_ros.evaluation.report.contact_sheet import (
    contact_sheet,
    drawn_labels,
    save_contact_sheet,
)
from egmt_ros.evaluation.report.pictures import display_image, evenly_chosen, fitted
from egmt_ros.evaluation.report.recording import Label


def test_sheet_shows_every_picture(replay_recording, replay_pictures, tmp_path):
    recording = replay_recording()
    frames = replay_pictures(recording, 4)
    path = tmp_path / "sheet.png"
    save_contact_sheet(path, frames, recording.vocabulary.names, "a title")
    sheet = cv2.imread(str(path))
    np.testing.assert_array_equal(sheet, contact_sheet(frames, recording.vocabulary.names,
                                                       "a title"))
    # The three tones of the pictures, each in a column of its own and in every row.
    columns = np.array_split(sheet[:, 16:-16].mean(axis=2), 3, axis=1)
    for column, tone in zip(columns, (60, 120, 180), strict=True):
        middle = column[:, column.shape[1] // 2 - 40 : column.shape[1] // 2 + 40].mean(axis=1)
        assert ((np.abs(middle - tone) < 15).mean()) > 0.6
    assert len(frames) == 4
    one = contact_sheet(frames[:1], recording.vocabulary.names)
    assert (sheet.shape[0] - one.shape[0]) % 3 == 0 and sheet.shape[0] > 2 * one.shape[0]


def test_labels_change_the_picture(replay_recording, replay_pictures):
    recording = replay_recording()
    frame = replay_pictures(recording, 1)[0]
    bare = replace(frame, array=replace(frame.array, labels=()))
    names = recording.vocabulary.names
    with_labels, without = contact_sheet([frame], names), contact_sheet([bare], names)
    difference = (with_labels != without).any(axis=2)
    third = with_labels.shape[1] // 3
    rows = slice(60, -50)  # the pictures, without the caption below
    assert not difference[rows, : 2 * third - 8].any()  # thermal and visible stay as they are
    assert difference[rows, 2 * third :].any()  # regions in the fused one
    assert difference[-50:].any()  # names below


def test_no_frame_is_an_error():
    with pytest.raises(EgmtError, match="none was fused"):
        contact_sheet([], ())


def test_regions_that_say_nothing_are_not_drawn():
    labels = [Label("sky", 0.99, True, (0, 0, 100, 90)), Label("person", 0.9, True, (5, 5, 9, 9)),
              Label("night", 0.8, True, None)]
    assert [label.name for label in drawn_labels(labels, 100, 100)] == ["person"]


def test_frames_are_evenly_chosen():
    assert evenly_chosen(range(100), 4) == [12, 37, 62, 87]
    assert evenly_chosen([1, 2], 4) == [1, 2]
    assert evenly_chosen([], 4) == []


@pytest.mark.parametrize("encoding", ["bgr8", "rgb8"])
def test_colour_order(encoding):
    blue = np.zeros((2, 3, 3), np.uint8)
    blue[..., 0 if encoding == "bgr8" else 2] = 200
    shown = display_image(image_message(blue, 0, "camera", encoding))
    assert shown.shape == (2, 3, 3) and tuple(shown[0, 0]) == (200, 0, 0)


def test_sixteen_bit_images_are_stretched():
    raw = np.linspace(29000, 31000, 64, dtype=np.uint16).reshape(8, 8)
    shown = display_image(image_message(raw, 0, "camera"))
    assert shown.min() == 0 and shown.max() == 255


def test_unknown_encoding_is_an_error():
    message = image_message(np.zeros((2, 2), np.uint8), 0, "camera", "weird")
    with pytest.raises(InputError, match="weird"):
        display_image(message)


def test_fitting_keeps_the_aspect():
    picture = np.full((50, 100, 3), 255, np.uint8)
    cell = fitted(picture, 80, 80)
    assert cell.shape == (80, 80, 3)
    assert (cell[:19] == 0).all() and (cell[21:59] == 255).all() and (cell[61:] == 0).all()
