"""A candidate as a STIX 2.1 bundle of core types only (OASIS STIX 2.1), the same bytes each time.

Ids are UUIDv5 of what they name, so a second export updates instead of adding. The bundle is closed: every reference is
inside it, and an object stands after those it refers to.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import stix2

from backlight import tables
from backlight.reports.model import UNREVIEWED, CandidateView

_NAMESPACE = uuid.UUID("6f1b1d6e-5e0a-5f52-9d5f-6c1f2a7b9c33")
# TLP 2.0 (FIRST); stix2 ships only TLP 1.0 constants.
_TLP = {
    "clear": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


def bundle(
    view: CandidateView,
    *,
    made: datetime,
    provider: str = "Backlight user",
    tlp: str = "amber+strict",
    techniques: Mapping[str, tuple[str, list[str]]] | None = None,
) -> str:
    """One candidate as JSON.

    Args:
        view: the candidate; its core members and platform accounts are exported by pseudonym, associated ones never.
        made: when the investigation ran; the time stamp of every object.
        provider: name of the identity that states it.
        tlp: clear, green, amber, amber+strict or red.
        techniques: behaviour id to (name, DISARM ids).
    """
    objects = _Objects(made, provider, tlp)
    accounts = [objects.account(node.actor, node.role) for node in view.nodes if node.role != "associated"]
    domains = [objects.domain(item.value) for item in view.objects if item.kind == "domain"]
    campaign = objects.campaign(view.document)
    for behaviour in sorted({b for member in view.document["members"] for b in member["behaviours"]}):
        name, disarm = (techniques or {}).get(behaviour, (behaviour, []))
        objects.relate(campaign, "uses", objects.technique(behaviour, name, disarm))
    seen = objects.observed(view, [*accounts, *domains])
    objects.note(view.document, [campaign, *([seen] if seen else [])])
    objects.report(view.document)
    return json.dumps({"type": "bundle", "id": _id("bundle", view.document["id"]), "objects": objects.plain()}, indent=1)


class _Objects:
    """Objects in the order they were made, each referring only to earlier ones."""

    def __init__(self, made: datetime, provider: str, tlp: str) -> None:
        self._made = made
        self._all: list[Mapping[str, Any]] = []
        marking = f"marking-definition--{_TLP[tlp]}"
        self._all.append(_marking(marking, tlp))
        self._common: dict[str, Any] = {}
        who = self._sdo(stix2.Identity, provider, name=provider, identity_class="organization")
        self._common = {"created_by_ref": who, "object_marking_refs": [marking]}

    def _sdo(self, kind: Any, key: str, /, **values: Any) -> str:
        made = kind(id=_id(kind._type, key), created=self._made, modified=self._made, **self._common, **values)
        self._all.append(json.loads(made.serialize()))
        return str(made["id"])

    def account(self, actor: int, role: str) -> str:
        kind = "platform" if role == "platform" else "account"
        made = stix2.UserAccount(user_id=tables.show_id(kind, actor), display_name=tables.show_id(kind, actor))
        self._all.append(json.loads(made.serialize()))
        return str(made["id"])

    def domain(self, value: str) -> str:
        made = stix2.DomainName(value=value)
        self._all.append(json.loads(made.serialize()))
        return str(made["id"])

    def campaign(self, document: Mapping[str, Any]) -> str:
        description = f"{UNREVIEWED} Candidate of Backlight, status {document['status']}. {document['innocent_explanation']}"
        return self._sdo(
            stix2.Campaign,
            document["id"],
            name=f"Candidate {document['id']}",
            description=description,
            first_seen=_time(document["first"]),
            last_seen=_time(document["last"]),
            labels=[*document["kind"], f"status:{document['status']}"],
        )

    def technique(self, behaviour: str, name: str, disarm: list[str]) -> str:
        # The framework goes into source_name: DISARM's and ATLAS's ids look alike and mean different things.
        references = [{"source_name": "Backlight", "external_id": behaviour}]
        references += [{"source_name": "DISARM", "external_id": number} for number in disarm]
        return self._sdo(stix2.AttackPattern, behaviour, name=name, external_references=references)

    def relate(self, source: str, verb: str, target: str) -> None:
        self._sdo(
            stix2.Relationship,
            f"{source} {verb} {target}",
            source_ref=source,
            relationship_type=verb,
            target_ref=target,
        )

    def observed(self, view: CandidateView, refs: list[str]) -> str | None:
        if not refs:
            return None
        return self._sdo(
            stix2.ObservedData,
            view.document["id"],
            first_observed=_time(view.document["first"]),
            last_observed=_time(view.document["last"]),
            number_observed=max(1, len(view.marks)),
            object_refs=refs,
        )

    def note(self, document: Mapping[str, Any], refs: list[str]) -> None:
        lines = [UNREVIEWED, "Evidence:"]
        lines += [f"- {e['family']} / {e['layer']}: {e['statement']} ({e['bits']:.1f} bits)" for e in document["evidence"]]
        lines += ["Against:", *(f"- {line}" for line in document["against"])]
        lines += [f"Best innocent explanation: {document['innocent_explanation']}"]
        lines += [f"What would change this: {document['would_change']}"]
        self._sdo(stix2.Note, document["id"], content="\n".join(lines), object_refs=refs)

    def report(self, document: Mapping[str, Any]) -> None:
        refs = [item["id"] for item in self._all if item["type"] != "marking-definition"]
        self._sdo(
            stix2.Report,
            document["id"],
            name=f"Candidate {document['id']}: {', '.join(document['kind']) or 'shape unclear'}",
            description=UNREVIEWED,
            published=self._made,
            report_types=["campaign", "observed-data"],
            object_refs=refs,
        )

    def plain(self) -> list[Mapping[str, Any]]:
        unique = {item["id"]: item for item in self._all}
        return list(unique.values())


def _marking(marking: str, tlp: str) -> Mapping[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking,
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{tlp.upper()}",
        "extensions": {_TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp}},
    }


def _id(kind: str, key: str) -> str:
    return f"{kind}--{uuid.uuid5(_NAMESPACE, f'{kind} {key}')}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
