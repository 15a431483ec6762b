"""From the workspace to a report: the only part of reports that reads tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backlight import tables
from backlight.reports.model import CandidateView, Edge, Mark, Node, PublicObject, Report, Turn
from backlight.signals.outcome import REFUSALS, settled_outcome

if TYPE_CHECKING:
    from backlight.workspace import Workspace


def collect(
    ws: Workspace, document: Mapping[str, Any], *, members: bool = False, behaviours: Mapping[str, str] | None = None
) -> Report:
    """Gather a report from the newest investigation.

    Args:
        ws: the workspace.
        document: what `candidates_document` gave for it.
        members: list members by pseudonym; otherwise they are counted.
        behaviours: names by behaviour id.
    """
    runs = ws.run("report_runs", ws.table("runs")).to_pylist()
    run = dict(max(runs, key=lambda row: row["started"])) if runs else {}
    for name in ("settings", "summary"):
        run[name] = json.loads(run.get(name) or "{}")
    views = tuple(_view(ws, candidate) for candidate in document["candidates"])
    return Report(run, views, document["flags"], document["cohorts"], document["groups"], members, behaviours or {})


def _view(ws: Workspace, candidate: Mapping[str, Any]) -> CandidateView:
    nodes = _nodes(candidate)
    service = [node.actor for node in nodes if node.role != "platform"]
    platform = [node.actor for node in nodes if node.role == "platform"]
    posts = _where(ws, "posts", "author", platform, "author", "time", "domains", "hashtags")
    turns = _with_outcome(
        ws, _where(ws, "interactions", "account", service, "id", "account", "time", "prompt", "output", "outcome")
    )
    telling = {tables.parse_id(shown)[1] for shown in candidate["turns_to_read"]}
    return CandidateView(
        candidate,
        nodes,
        (*_ties(ws, service), *_reach(ws, service, platform)),
        _marks(turns, telling, posts),
        _turns(ws, candidate, turns, {node.actor: node.label for node in nodes}),
        _objects(posts),
    )


def _nodes(candidate: Mapping[str, Any]) -> tuple[Node, ...]:
    members = [
        Node(tables.parse_id(member["account"])[1], f"A{n}", member["member"])
        for n, member in enumerate(candidate["members"], 1)
    ]
    reached = [
        Node(tables.parse_id(shown)[1], f"P{n}", "platform") for n, shown in enumerate(candidate["platform_accounts"], 1)
    ]
    return (*members, *reached)


def _where(ws: Workspace, name: str, column: str, values: Sequence[int], *columns: str) -> list[dict[str, Any]]:
    if not values:
        return []
    table = ws.table(name)
    rows: list[dict[str, Any]] = ws.run(f"report_{name}", table.filter(table[column].isin(values)).select(*columns)).to_pylist()
    return rows


def _with_outcome(ws: Workspace, turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns with the outcome that the investigation saw: the provider's fields or, where they say nothing, the answer's."""
    outputs = sorted({row["output"] for row in turns if row["output"] is not None})
    said = {row["text"]: row["outcome"] for row in _where(ws, "texts", "text", outputs, "text", "outcome") if row["outcome"]}
    return [row | {"outcome": settled_outcome(row["outcome"], said.get(row["output"]))} for row in turns]


def _ties(ws: Workspace, actors: Sequence[int]) -> list[Edge]:
    """The strongest tie of each family between each pair."""
    if len(actors) < 2:
        return []
    links = ws.table("links")
    inside = links.filter(links.a.isin(actors) & links.b.isin(actors))
    best = inside.group_by("a", "b", "family").agg(bits=inside.tie_bits.max()).order_by("a", "b", "family")
    return [Edge(row["a"], row["b"], row["family"], row["bits"]) for row in ws.run("report_links", best).to_pylist()]


def _reach(ws: Workspace, actors: Sequence[int], platform: Sequence[int]) -> list[Edge]:
    """Which account's outputs or entities stand in posts of which platform account."""
    if not actors or not platform:
        return []
    actions = ws.table("actions")
    wild = actions.filter((actions.layer == "wild_output") & actions.actor.isin(actors) & actions.object.isin(platform))
    rows = ws.run("report_reach", wild.select("actor", "object").distinct().order_by("actor", "object")).to_pylist()
    return [Edge(row["actor"], row["object"], "wild", 1.0) for row in rows]


def _marks(turns: Sequence[Mapping[str, Any]], telling: set[int], posts: Sequence[Mapping[str, Any]]) -> tuple[Mark, ...]:
    def kind(row: Mapping[str, Any]) -> str:
        if row["outcome"] in REFUSALS:
            return "refused"
        return "telling" if row["id"] in telling else "turn"

    marks = [Mark(row["time"], row["account"], kind(row)) for row in turns if row["time"]]
    marks += [Mark(row["time"], row["author"], "post") for row in posts if row["time"]]
    return tuple(sorted(marks, key=lambda mark: (mark.time, mark.actor, mark.kind)))


def _turns(
    ws: Workspace, candidate: Mapping[str, Any], turns: Sequence[Mapping[str, Any]], labels: Mapping[int, str]
) -> tuple[Turn, ...]:
    by_id: Mapping[int, Mapping[str, Any]] = {row["id"]: row for row in turns}
    wanted = [tables.parse_id(shown)[1] for shown in candidate["turns_to_read"]]
    prompts = [by_id[row]["prompt"] for row in wanted if row in by_id and by_id[row]["prompt"] is not None]
    texts: Mapping[int, Mapping[str, Any]] = {row["text"]: row for row in _where(ws, "texts", "text", prompts, *_TEXT_COLUMNS)}
    scores: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for row in _where(ws, "signals", "subject", prompts, "subject", "signal", "value"):
        if row["signal"].startswith("BL-") and row["value"] > 0:
            scores[row["subject"]].append((-row["value"], row["signal"]))
    listed = []
    for row_id in wanted:
        if row_id not in by_id:
            continue
        turn = by_id[row_id]
        text = texts.get(turn["prompt"]) or {}
        names = tuple(dict.fromkeys(name for _, name in sorted(scores[turn["prompt"]])))[:3]
        listed.append(
            Turn(
                tables.show_id("interaction", row_id),
                labels[turn["account"]],
                turn["time"],
                text.get("language") or "und",
                text.get("instruction_words") or 0,
                text.get("document_words") or 0,
                turn["outcome"],
                names,
            )
        )
    return tuple(listed)


_TEXT_COLUMNS = ("text", "language", "instruction_words", "document_words")


def _objects(posts: Sequence[Mapping[str, Any]], most: int = 12) -> tuple[PublicObject, ...]:
    """Domains and hashtags that at least two of the candidate's platform accounts posted, the most used first."""
    seen: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    for post in posts:
        for kind, values in (("domain", post["domains"]), ("hashtag", post["hashtags"])):
            for value in set(values or ()):
                if post["time"]:
                    seen[kind, value].append((post["time"], post["author"]))
    shared = [
        PublicObject(kind, value, len(acts), min(acts)[0], max(acts)[0])
        for (kind, value), acts in seen.items()
        if len({author for _, author in acts}) >= 2
    ]
    return tuple(sorted(shared, key=lambda item: (-item.posts, item.kind, item.value))[:most])
