"""HTML as the text of a post."""

from __future__ import annotations

import time

import pytest

from backlight.sources._html import plain


@pytest.mark.parametrize(
    ("html", "text", "links"),
    [
        ("a &amp; b", "a & b", []),
        (" a\n", "a", []),
        ("a < b > c <3>", "a < b > c <3>", []),
        ("<p>a</p>\n<p>b</p>", "a\n\nb", []),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb", []),
        ('<a href="https://e.example/?a=1&amp;b=2">here', "here", ["https://e.example/?a=1&b=2"]),
        ('<a href="/about">a</a><a>b</a>', "ab", []),
        ('<a href="https://e.example/v?t=12">0:12</a>', "0:12", []),
        ("<title>a<b>c</b><script>d</script>", "acd", []),
        ('<b title="open', '<b title="open', []),
        ("<![" * 9, "<![" * 9, []),
        ("a<![x[>b<b>c</b>", "a<![x[>bc", []),
    ],
)
def test_any_html_is_read(html: str, text: str, links: list[str]) -> None:
    """What is no tag is text, and no tag changes how the rest is read."""
    assert plain(html) == (text, links)


@pytest.mark.parametrize(
    "piece", ["<", "<a/", "<a x='", "<a x='>", "<!--", "<![x[>", "<p>", "&#", "<a href='https://e.example'>"]
)
def test_hostile_html_takes_no_longer_per_character(piece: str) -> None:
    """Open tags by the thousand are read in time that grows as they do."""
    start = time.process_time()
    plain(piece * (50_000 // len(piece)))
    assert time.process_time() - start < 5
