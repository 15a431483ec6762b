"""Reports and exports: one file per output, all from one model."""

from __future__ import annotations

from backlight.reports.collect import collect
from backlight.reports.html import render
from backlight.reports.indicators import indicators
from backlight.reports.model import UNREVIEWED, CandidateView, Report
from backlight.reports.stix import bundle

__all__ = ["UNREVIEWED", "CandidateView", "Report", "bundle", "collect", "indicators", "render"]
