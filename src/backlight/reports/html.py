"""One self-contained HTML file: no script, no network, everything escaped, readable in print."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jinja2
from markupsafe import Markup

from backlight.reports import svg
from backlight.reports.model import UNREVIEWED, CandidateView, Report
from backlight.tables import FAMILIES

# Nothing may be fetched or run, whatever a post's text holds; the style is our own and inline.
CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(report: Report) -> str:
    """The report as one HTML document.

    Args:
        report: from `collect`.

    Returns:
        A document that needs no network; the same report gives the same bytes.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("backlight.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": _day, "minute": _minute, "visible": visible, "bits": "{:.1f}".format, "share": _share}
    return environment.get_template("report.html.j2").render(
        report=report,
        csp=CSP,
        unreviewed=UNREVIEWED,
        pictures=[_pictures(view) for view in report.candidates],
        families=FAMILIES,
        colours=svg.FAMILY_COLOURS,
        legend=_LEGEND,
    )


def _pictures(view: CandidateView) -> Mapping[str, Markup]:
    return {
        "network": svg.network(view.nodes, view.edges),
        "timeline": svg.timeline(view.nodes, view.marks),
        "bits": svg.bits(view.document["family_bits"], view.document["prior_bits"]),
    }


def visible(text: str) -> str:
    """Text with everything that could mislead the eye written out: controls, bidi marks, zero-width characters."""
    return "".join(f"\N{SYMBOL FOR SUBSTITUTE FORM TWO}{ord(c):04X}" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") and character not in "\n\t"


def _day(time: datetime | str | None) -> str:
    return "not collected" if time is None else f"{_time(time):%d %b %Y}"


def _minute(time: datetime | str | None) -> str:
    return "not collected" if time is None else f"{_time(time):%d %b %Y %H:%M} UTC"


def _time(time: datetime | str) -> datetime:
    return datetime.fromisoformat(time) if isinstance(time, str) else time


def _share(value: Any) -> str:
    return "not collected" if value is None else f"{float(value):.0%}"


_LEGEND = (
    ("turn", "a turn"),
    ("telling", "a turn to read"),
    ("refused", "refused"),
    ("post", "a post of a platform account"),
)
