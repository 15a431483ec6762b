"""Pictures as SVG text: the network, the timeline and the bits of a candidate. Everything that is not ours is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from markupsafe import Markup, escape

from backlight.reports.model import Edge, Mark, Node

FAMILY_COLOURS = {
    "what": "#2f6690",
    "wild": "#c1531b",
    "when": "#8a8a8a",
    "where": "#3f8557",
    "pays": "#7d4f9e",
    "known": "#333333",
}
_ROLE_COLOURS = {"core": "#1d2733", "associated": "#ffffff", "platform": "#c1531b"}


def _svg(width: float, height: float, title: str, body: Sequence[str]) -> Markup:
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
    return Markup(f"{head}<title>{escape(title)}</title>{''.join(body)}</svg>")


def network(nodes: Sequence[Node], edges: Sequence[Edge], *, width: float = 520, height: float = 300) -> Markup:
    """Accounts on a ring at the left, the platform accounts they reach in a column at the right; one line a family.

    Args:
        nodes: core members are filled, associated ones hollow, platform accounts square.
        edges: drawn in the colour of their family, thicker with more bits.
        width: in user units.
        height: in user units.
    """
    places = _places(nodes, width, height)
    lanes: dict[tuple[int, int], int] = {}
    body = []
    for edge in sorted(edges, key=lambda e: (e.a, e.b, e.family)):
        if edge.a in places and edge.b in places:
            lane = lanes[edge.a, edge.b] = lanes.get((edge.a, edge.b), -1) + 1
            body.append(_line(places[edge.a], places[edge.b], edge, lane))
    body += [_dot(node, *places[node.actor], labelled=len(nodes) <= 40) for node in nodes]
    counts = {role: sum(node.role == role for node in nodes) for role in _ROLE_COLOURS}
    title = f"{counts['core']} core and {counts['associated']} associated accounts, {counts['platform']} platform accounts"
    return _svg(width, height, title, body)


def _places(nodes: Sequence[Node], width: float, height: float) -> dict[int, tuple[float, float]]:
    """A layout that is the same every time: it carries no meaning but the columns."""
    service = [node for node in nodes if node.role != "platform"]
    platform = [node for node in nodes if node.role == "platform"]
    middle = width * (0.36 if platform else 0.5)
    across, down = (middle - 40, height / 2 - 26) if len(service) > 1 else (0.0, 0.0)
    places = {}
    for n, node in enumerate(service):
        angle = 2 * math.pi * n / len(service) - math.pi / 2
        places[node.actor] = (middle + across * math.cos(angle), height / 2 + down * math.sin(angle))
    for n, node in enumerate(platform):
        places[node.actor] = (width - 46, 22 + (height - 44) * (n + 0.5) / len(platform))
    return places


def _line(a: tuple[float, float], b: tuple[float, float], edge: Edge, lane: int) -> str:
    """A quadratic curve; each further family between the same two is bent a little more, so that none hides another."""
    bend = ((lane + 1) // 2) * (9 if lane % 2 else -9)
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    x = (a[0] + b[0]) / 2 - bend * (b[1] - a[1]) / length * 2
    y = (a[1] + b[1]) / 2 + bend * (b[0] - a[0]) / length * 2
    thick = 0.7 + min(max(edge.bits, 0.0), 16.0) / 10
    colour = FAMILY_COLOURS.get(edge.family, "#333333")
    return (
        f'<path d="M{a[0]:.1f} {a[1]:.1f}Q{x:.1f} {y:.1f} {b[0]:.1f} {b[1]:.1f}" fill="none" '
        f'stroke="{colour}" stroke-width="{thick:.2f}" stroke-opacity="0.55"/>'
    )


def _dot(node: Node, x: float, y: float, *, labelled: bool) -> str:
    if node.role == "platform":
        shape = f'<rect x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12" rx="2" fill="{_ROLE_COLOURS["platform"]}"/>'
        label = f'<text x="{x + 11:.1f}" y="{y + 4:.1f}" font-size="10">{escape(node.label)}</text>'
    else:
        shape = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{_ROLE_COLOURS[node.role]}" stroke="#1d2733" stroke-width="1.4"/>'
        )
        label = f'<text x="{x:.1f}" y="{y - 12:.1f}" font-size="10" text-anchor="middle">{escape(node.label)}</text>'
    return shape + (label if labelled else "")


def timeline(nodes: Sequence[Node], marks: Sequence[Mark], *, width: float = 860) -> Markup:
    """One lane an actor, one mark a turn or post; days in UTC along the bottom.

    Turns are pale, telling turns dark, refused ones crossed, posts square.
    """
    lanes = [node for node in nodes if any(mark.actor == node.actor for mark in marks)][:40]
    if not lanes:
        return Markup("")
    left, row = 44.0, 16.0
    start = min(mark.time for mark in marks).replace(hour=0, minute=0, second=0, microsecond=0)
    days = max(1, (max(mark.time for mark in marks) - start).days + 1)
    height = 12 + row * len(lanes) + 26

    def x(time: datetime) -> float:
        return left + (width - left - 14) * ((time - start) / timedelta(days=days))

    body = []
    for n, node in enumerate(lanes):
        y = 12 + row * n + row / 2
        body.append(f'<text x="{left - 8}" y="{y + 3.5:.1f}" font-size="10" text-anchor="end">{escape(node.label)}</text>')
        body.append(f'<line x1="{left}" y1="{y:.1f}" x2="{width - 14}" y2="{y:.1f}" stroke="#e3e6ea"/>')
        own = sorted((mark for mark in marks if mark.actor == node.actor), key=lambda mark: mark.kind != "turn")
        body += [_mark(mark.kind, x(mark.time), y) for mark in own]  # pale turns below what must be seen
    step = max(1, round(days / 10))
    for day in range(0, days + 1, step):
        when = start + timedelta(days=day)
        anchor = "end" if day == days else "middle"
        body.append(f'<text x="{x(when):.1f}" y="{height - 8:.1f}" font-size="9.5" text-anchor="{anchor}">{when:%d %b}</text>')
    return _svg(width, height, f"{len(marks)} turns and posts of {len(lanes)} actors over {days} days", body)


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "post":
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="#c1531b" fill-opacity="0.75"/>'
    if kind == "refused":
        return f'<path d="M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0 -7l-7 7" stroke="#a3142a" stroke-width="1.8"/>'
    radius, colour = (4.2, "#1d2733") if kind == "telling" else (2.6, "#9fb2c6")
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" fill-opacity="0.85"/>'


def bits(families: Mapping[str, float], needed: float | None, *, width: float = 320) -> Markup:
    """A waterfall of tie bits by family, each bar where the last one ended; a line marks what the prior asks for."""
    left, row, right = 56.0, 22.0, 46.0
    total = sum(max(value, 0.0) for value in families.values())
    top = max(total, needed or 0.0, 1.0)
    scale = (width - left - right) / top
    body, at = [], 0.0
    for n, (family, value) in enumerate(families.items()):
        y, length = 8 + row * n, max(value, 0.0) * scale
        body.append(f'<text x="{left - 8}" y="{y + 12}" font-size="11" text-anchor="end">{escape(family)}</text>')
        colour = FAMILY_COLOURS.get(family, "#333333")
        body.append(f'<rect x="{left + at:.1f}" y="{y}" width="{max(length, 1):.1f}" height="16" fill="{colour}"/>')
        body.append(f'<text x="{left + at + length + 4:.1f}" y="{y + 12}" font-size="10.5">{value:.1f}</text>')
        at += length
    height = 8 + row * len(families) + 22
    if needed:
        x = left + needed * scale
        body.append(f'<line x1="{x:.1f}" y1="2" x2="{x:.1f}" y2="{height - 18:.0f}" stroke="#a3142a" stroke-dasharray="3 3"/>')
        body.append(
            f'<text x="{x:.1f}" y="{height - 5:.0f}" font-size="9.5" text-anchor="middle">prior asks {needed:.1f}</text>'
        )
    return _svg(width, height, f"{total:.1f} tie bits", body)
