"""A vocabulary for `egmt train`, of the entities that captions name often enough."""

from __future__ import annotations

from pathlib import Path

import yaml

from egmt_ros.entities.extraction.counting import Counts
from egmt_ros.entities.extraction.table import EntityTable
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path

_HEADER = """\
# Entities to train on, named by {support} or more of {pairs} captioned pairs. The order is that of
# the network's outputs. annotated_as: other names of the same kind in label files.
"""


def write_training_vocabulary(path: Path, counts: Counts, table: EntityTable, support: int) -> None:
    """Write the entities with enough support, in the order of the table.

    Text encoder and template are those of config/vocabulary.yaml, and so are its other names.

    Args:
        path: File to write; it is not there.
        counts: Of captions.
        table: Groups of the entities.
        support: Pairs that an entity needs.

    Raises:
        ConfigError: No entity has enough support.
    """
    names = [name for name in table.names if counts.entities[name] >= support]
    if not names:
        raise ConfigError(
            f"no entity is named by {support} or more of {counts.pairs} pairs; lower "
            "--minimum-support"
        )
    known = load_vocabulary(config_path("vocabulary.yaml"))
    lines = [
        _HEADER.format(support=support, pairs=counts.pairs)
        + yaml.safe_dump({"text_encoder": known.text_encoder})
        + yaml.safe_dump({"template": known.template})
        + "entities:"
    ]
    for name in names:
        entry: dict[str, object] = {"name": name, "group": table.group_of(name)}
        aliases = [alias for alias, meant in (known.aliases or {}).items() if meant == name]
        if aliases:
            entry["annotated_as"] = aliases
        text = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=200)
        lines.append(f"  - {text.strip()}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
