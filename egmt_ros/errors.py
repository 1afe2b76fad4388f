"""Errors that egmt_ros raises on purpose.

Each message names the thing, the value found, what was expected, and the remedy, so that the
command line and the node can show it as it is.
"""

from __future__ import annotations


class EgmtError(Exception):
    """Base of every error that egmt_ros raises on purpose."""


class InputError(EgmtError, ValueError):
    """An image, message or argument that cannot be used.

    Attributes:
        reason: Short slug of the cause, for counters ("size_mismatch", "not_finite", ...).
    """

    def __init__(self, message: str, reason: str = "invalid") -> None:
        super().__init__(message)
        self.reason = reason


class ConfigError(EgmtError, ValueError):
    """A configuration file or parameter that cannot be used."""


class CheckpointError(EgmtError):
    """Weights that are missing, damaged, foreign, or do not match their configuration."""


class DeviceError(EgmtError):
    """A compute device that was asked for and is not there."""


class BagError(EgmtError):
    """A rosbag that is missing, damaged, or lacks what is needed."""


class DataError(EgmtError):
    """A data set folder or annotation file that is missing, damaged, or inconsistent."""


class MissingDependencyError(EgmtError, ImportError):
    """An optional package that the requested function needs is not installed."""
