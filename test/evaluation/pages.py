"""HTML pages taken apart, to be checked by tests."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "input", "br", "hr"}
_LOADING = ("src", "href", "action", "data", "poster", "srcset", "xlink:href")


class ParsedPage(HTMLParser):
    """Elements, nesting errors, texts, and everything that a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.loads: list[str] = []
        self.titles: list[str] = []
        self.scripts: dict[str, str] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self._script = ""
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    @property
    def text(self) -> str:
        """What a reader sees, in order."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self.loads += [attributes[name] or "" for name in _LOADING if name in attributes]
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "script":
            self._script = attributes.get("id") or "code"

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open and self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ""
        if inside == "title":
            self.titles.append(data)
        elif inside == "script":
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        elif inside != "style":
            self.texts.append(data)
