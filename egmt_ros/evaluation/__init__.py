"""Measuring and showing.

* ``fusion``, ``labels``, ``robustness``, ``bench``: the figures, see ``egmt evaluate`` and
  ``egmt bench``;
* ``bags``, ``scene``: rosbags, and a street that is rendered into them;
* ``live``, ``report``, ``demo``: replay through the real node, and what is shown of it.
"""
