"""JSON files that people edit: what stands twice is noticed, not silently merged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egmt_ros.errors import DataError


class JsonObject(dict[str, Any]):
    """A JSON object.

    Attributes:
        repeated: Keys that stand in it more than once, in the order of their first repetition; of
            these the last value is kept.
    """

    def __init__(self, items: Sequence[tuple[str, Any]] = ()) -> None:
        super().__init__(items)
        seen: set[str] = set()
        again = {key: None for key, _ in items if key in seen or seen.add(key)}
        self.repeated = tuple(again)


def read_json(path: Path) -> Any:
    """Read a JSON file; its objects are JsonObject.

    Raises:
        DataError: It is missing, cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=JsonObject)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the path of a JSON file") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); expected a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); repair or remove it") from error
