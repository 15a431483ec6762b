"""Indicators of one candidate as CSV: public objects and pseudonyms only, defanged, safe in a spreadsheet."""

from __future__ import annotations

import csv
import io

from backlight import tables
from backlight.reports.model import UNREVIEWED, CandidateView

COLUMNS = ("candidate", "status", "type", "value", "posts", "first_seen", "last_seen", "source", "note")


def indicators(view: CandidateView) -> str:
    """Domains and hashtags that two or more of its platform accounts posted, those accounts, and the core members.

    Associated members are never exported. Values of posts are written by strangers: they are defanged, and a cell that
    a spreadsheet would run as a formula is quoted with an apostrophe (OWASP, CSV injection).

    Returns:
        CSV with a header line and CRLF line ends (RFC 4180), columns `COLUMNS`.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    head = (view.document["id"], view.document["status"])
    note = UNREVIEWED if view.document["status"] != "confirmed" else ""
    rows: list[tuple[object, ...]] = [
        (item.kind, defang(item.value), item.posts, item.first.isoformat(), item.last.isoformat(), "posts")
        for item in view.objects
    ]
    for node in view.nodes:
        if node.role == "platform":
            rows.append(("platform-account", tables.show_id("platform", node.actor), "", "", "", "posts"))
        elif node.role == "core":
            rows.append(("account", tables.show_id("account", node.actor), "", "", "", "service"))
    for row in rows:
        writer.writerow([safe_cell(str(cell)) for cell in (*head, *row, note)])
    return out.getvalue()


def defang(value: str) -> str:
    """A domain, link or address that nothing turns into a live link."""
    return value.replace("http", "hxxp").replace(".", "[.]") if "." in value or "://" in value else value


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula, without control characters."""
    cleaned = "".join(" " if c in "\r\n\t" else c for c in value if c >= " " or c in "\r\n\t")
    return f"'{cleaned}" if cleaned.lstrip()[:1] in ("=", "+", "-", "@", "|", "%") else cleaned
