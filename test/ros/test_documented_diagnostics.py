"""docs/topics.md names every status and every value that the running node publishes."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "topics.md"


def test_every_status_and_value_is_explained(rig) -> None:
    rig.start()
    rig.send_pair(1_000_000_000)
    rig.settled(thermal=1, visible=1)
    rig.wait(lambda: rig.reported("visible")["fused"] == 1, "diagnostics tell of the pair")
    section = DOCUMENT.read_text(encoding="utf-8").partition("## What became of every frame")[2]
    words = set(re.findall(r"`([\w ]+)`", section))
    missing = []
    for status in rig.messages["diagnostics"][-1].status:
        name = status.name.removeprefix("egmt_fusion: ")
        keys = (re.sub(r"_p\d+$", "", item.key) for item in status.values)
        missing += [f"{name}: {key}" for key in keys if key not in words]
        missing += [] if name in words else [name]
    assert not missing, ", ".join(missing)
