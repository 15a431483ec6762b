"""The report as HTML."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from backlight.reports import CandidateView, Report, render
from backlight.reports.html import visible

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}\u202e"


class _Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_report_needs_no_network_and_runs_nothing(report: Report) -> None:
    """No script, no frame, no form, and no attribute that fetches or runs."""
    tags = _Seen(render(report)).tags
    assert not {tag for tag, _ in tags} & {"script", "iframe", "form", "link", "object", "embed", "img", "base"}
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on") or name == "src"]
    assert all(str(attrs["href"]).startswith("#") for _, attrs in tags if "href" in attrs)


def test_hostile_text_stays_text(report: Report, view: CandidateView) -> None:
    """Markup in a statement is shown as it was written, with what hides from the eye written out."""
    view.document["evidence"][0]["statement"] = HOSTILE  # type: ignore[index]
    page = render(replace(report, candidates=(view,)))
    assert "<script>" not in page and "<img" not in page and "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "{{7*7}}" in page


def test_hidden_characters_are_written_out() -> None:
    """Bidi overrides, zero-width characters and controls are named, line ends stay."""
    assert visible("a\u202eb\u200bc\x07\n") == "a␦202Eb␦200Bc␦0007\n"


def test_every_page_says_that_it_is_unreviewed(report: Report) -> None:
    """The marking stands at the head and at the foot."""
    assert len(re.findall("Unreviewed machine output: not for publication", render(report))) == 2


def test_members_are_counted_unless_asked_for(report: Report) -> None:
    """Pseudonyms of members appear only with `members`."""
    assert "acc-0000000000001" not in render(report)
    assert "acc-0000000000001" in render(replace(report, members=True))


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    """A report can be compared by its hash."""
    assert render(report) == render(report)


def test_no_candidate_is_an_answer(report: Report) -> None:
    """An empty report says so and still shows what the data cannot show."""
    page = render(replace(report, candidates=()))
    assert "Nothing in this data met both keys" in page and "offices" in page
