"""Parts that the HTML pages share: the frame of a page, pictures in it, numbers, facts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from html import escape
from typing import Any

import cv2
import numpy as np

NOTHING = "–"


def document(title: str, body: str, style: str, script: str, data: Mapping[str, Any]) -> str:
    """A whole page.

    Args:
        title, style, script: Of the page; the title is escaped here.
        body: HTML inside of `main`.
        data: What the script reads from the element "data".
    """
    text = json.dumps(data).replace("<", "\\u003c")  # no name may end the script
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f'<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n'
        f"<main>{body}</main>\n"
        f'<script type="application/json" id="data">{text}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n")


def jpeg_url(picture: np.ndarray, width: int, quality: int = 82) -> str:
    """A picture (H, W, 3) uint8 BGR as a data URL, scaled down to at most ``width`` pixels."""
    scale = min(1.0, width / picture.shape[1])
    if scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return data_url("image/jpeg", encoded.tobytes())


def data_url(kind: str, content: bytes) -> str:
    """Bytes of a MIME type as a URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def number(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """A number, a dash where there is none."""
    if value is None or not np.isfinite(value):
        return NOTHING
    return f"{value:{'+' if sign else ''}.{decimals}f}"


def fact_table(values: Mapping[str, Any]) -> str:
    """Names and values that are not empty, as a table of two columns."""
    return "<table>" + "".join(
        f'<tr><td>{escape(str(k))}</td><td class="text">{escape(plain_text(v))}</td></tr>'
        for k, v in values.items() if v not in ("", None, {})) + "</table>"


def plain_text(value: Any) -> str:
    """A value of a summary for the eye."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {plain_text(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
