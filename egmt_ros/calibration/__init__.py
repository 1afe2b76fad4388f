"""The homography between the two cameras, from images or points: `egmt calibrate`."""
