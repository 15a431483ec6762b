"""The HTML that platforms give as the text of a post: text and links, in linear time whatever it holds."""

from __future__ import annotations

from contextlib import suppress
from html import unescape
from html.parser import HTMLParser
from typing import Any

_SIGNS = ("#", "＃", "@", "＠")
_MARKED = frozenset(("mention", "hashtag", "tag"))
_LINES = {"br": 1, "li": 1, "p": 2, "div": 2, "blockquote": 2, "pre": 2, "ul": 2, "ol": 2, "h1": 2, "h2": 2, "h3": 2, "h4": 2}


def plain(html: str, *, without_quoted: bool = False) -> tuple[str, list[str]]:
    """The text of a post's HTML, and where its links lead; mentions, hashtags and jumps in a video are no links.

    Args:
        html: as servers write it: what is no tag is text.
        without_quoted: leave out what is marked as a repetition of the quoted post's address.
    """
    if "<" not in html:
        return unescape(html).strip(), []
    reader = _Reader(without_quoted)
    reader.read(html)
    return "".join(reader.text).strip(), list(dict.fromkeys(reader.links))


class _Reader(HTMLParser):
    """Reads HTML in linear time: the parser sees one tag at a time, never an open end that it would look at again."""

    def __init__(self, without_quoted: bool) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self._without_quoted, self._hidden, self._depth = without_quoted, "", 0
        self._lines, self._link, self._label = 0, "", 0

    def read(self, html: str) -> None:
        """Takes the text apart at its tags."""
        start, size = 0, len(html)
        while start < size:
            after = html.find("<", start + 1)
            after = size if after < 0 else after
            end = html.find(">", start, after) + 1
            if html[start] == "<" and end:
                with suppress(AssertionError):  # how the parser says of `<![x[>` that it cannot be
                    self.feed(html[start:end])
                if not self.rawdata:
                    start = end
                self.reset()
            self.handle_data(unescape(html[start:after]))
            start = after
        self._close()

    def set_cdata_mode(self, *_: Any, **__: Any) -> None:
        """No tag changes how the rest is read."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        given = {name: value or "" for name, value in attrs}
        marks = {*given.get("class", "").split(), *given.get("rel", "").split()}
        if self._hidden or (self._without_quoted and "quote-inline" in marks):
            self._hidden = self._hidden or tag
            self._depth += tag == self._hidden
            return
        self._break(tag)
        if tag == "a":
            self._close()
            self._link, self._label = given.get("href", "") if not marks & _MARKED else "", len(self.text)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""
        if not self._hidden:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if self._hidden:
            self._depth -= tag == self._hidden
            self._hidden = self._hidden if self._depth else ""
        elif tag == "a":
            self._close()
        elif _LINES.get(tag) == 2:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        """What stands between tags."""
        between = data.isspace() and (self._lines or not self.text)
        if data and not between and not self._hidden:
            self.text += ["\n" * self._lines, data] if self.text and self._lines else [data]
            self._lines = 0

    def _break(self, tag: str) -> None:
        lines = _LINES.get(tag, 0)
        self._lines = self._lines + 1 if tag == "br" else max(self._lines, lines)

    def _close(self) -> None:
        """Keeps the link that ends here, if it leads somewhere."""
        label = "".join(self.text[self._label :]).strip() if self._link else ""
        if "://" in self._link and not label.startswith(_SIGNS) and not (":" in label and label.replace(":", "").isdecimal()):
            self.links.append(self._link)
        self._link = ""
