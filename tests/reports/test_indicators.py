"""Indicators as CSV."""

from backlight.reports import CandidateView, indicators
from backlight.reports.indicators import defang, safe_cell


def test_rows_are_public_objects_and_core_members(view: CandidateView) -> None:
    """Associated members are never exported, domains are defanged and formulas are quoted."""
    rows = [line.split(",")[2:5] for line in indicators(view).splitlines()[1:]]
    assert rows == [
        ["domain", "link[.]example", "3"],
        ["hashtag", "'=sum", "2"],
        ["account", "acc-0000000000001", ""],
        ["account", "acc-0000000000002", ""],
        ["platform-account", "plt-0000000000009", ""],
    ]


def test_every_line_of_an_unreviewed_candidate_says_so(view: CandidateView) -> None:
    """Nobody can cut a line out without its warning."""
    assert all(line.endswith("Unreviewed machine output: not for publication.") for line in indicators(view).splitlines()[1:])


def test_cells_that_a_spreadsheet_would_run_are_quoted() -> None:
    """Each character that starts a formula is preceded by an apostrophe, also behind blanks."""
    assert [safe_cell(c) for c in ("=1", "+1", "-1", "@a", "|x", " =1", "a\r\nb", "plain")] == [
        "'=1", "'+1", "'-1", "'@a", "'|x", "' =1", "a  b", "plain",
    ]  # fmt: skip


def test_links_are_defanged() -> None:
    """No reader turns an indicator into a live link."""
    assert [defang(v) for v in ("https://a.example/x", "a.example", "tag")] == ["hxxps://a[.]example/x", "a[.]example", "tag"]
