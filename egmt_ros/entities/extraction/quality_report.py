"""Quality of extracted entities as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egmt_ros.entities.extraction.quality import Agreement, Quality, total


def markdown(title: str, qualities: Mapping[str, Quality]) -> str:
    """Tables of one extractor: all entities together by split, and each entity over all splits.

    Args:
        title: Name and version of the extractor.
        qualities: Split -> quality.
    """
    lines = [
        f"### {title}",
        "",
        "| split | unit | number | precision | recall | recall where named |",
        "|---|---|---|---|---|---|",
    ]
    for split, quality in qualities.items():
        for unit, number, agreements in (
            ("image", quality.image_count, quality.images),
            ("pair", quality.pair_count, quality.pairs),
        ):
            lines.append(f"| {split} | {unit} | {number} | {_shares(total(agreements))} |")
    lines += [
        "",
        f"Per pair, {' + '.join(qualities)}:",
        "",
        "| entity | precision | recall | recall where named | listed | extracted |",
        "|---|---|---|---|---|---|",
    ]
    for entity, found in _by_entity(qualities).items():
        listed, extracted = found.both + found.listed_only, found.both + found.extracted_only
        if listed or extracted:
            lines.append(f"| {entity} | {_shares(found)} | {listed} | {extracted} |")
    return "\n".join(lines)


def as_json(qualities: Mapping[str, Quality]) -> dict[str, Any]:
    """Every count and share of one extractor: split -> unit -> all and each entity."""
    return {
        split: {
            "images": {
                "number": quality.image_count,
                "all": _figures(total(quality.images)),
                "entities": {name: _figures(a) for name, a in quality.images.items()},
            },
            "pairs": {
                "number": quality.pair_count,
                "all": _figures(total(quality.pairs)),
                "entities": {name: _figures(a) for name, a in quality.pairs.items()},
            },
        }
        for split, quality in qualities.items()
    }


def _by_entity(qualities: Mapping[str, Quality]) -> dict[str, Agreement]:
    found: dict[str, Agreement] = {}
    for quality in qualities.values():
        for entity, agreement in quality.pairs.items():
            found[entity] = found.get(entity, Agreement()) + agreement
    return found


def _shares(found: Agreement) -> str:
    shares = (found.precision, found.recall, found.recall_named)
    return " | ".join("-" if share is None else f"{share:.3f}" for share in shares)


def _figures(found: Agreement) -> dict[str, float | int | None]:
    return {
        **found._asdict(),
        "precision": found.precision,
        "recall": found.recall,
        "recall_named": found.recall_named,
    }
