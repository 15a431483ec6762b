"""STIX bundles."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import stix2
import stix2validator

from backlight.reports import CandidateView, bundle

LAST = datetime(2026, 3, 9, 17, 30, tzinfo=UTC)

TECHNIQUES = {"BL-08": ("Dependence script", ["T0097.109"]), "BL-09": ("Invented fees", ["T0137.002"])}


def made(view: CandidateView) -> Mapping[str, Any]:
    return json.loads(bundle(view, made=LAST, techniques=TECHNIQUES))


def test_a_bundle_is_valid_stix(view: CandidateView) -> None:
    """The reference validator finds no error, and only core types stand in it."""
    options = stix2validator.ValidationOptions(version="2.1", disabled="103,244,302,303")
    result = stix2validator.validate_string(bundle(view, made=LAST, techniques=TECHNIQUES), options)
    assert result.is_valid, result.errors
    stix2.parse(made(view), allow_custom=False)


def test_a_bundle_is_closed_and_in_order(view: CandidateView) -> None:
    """Every reference names an object that stands before it."""
    known: set[str] = set()
    for item in made(view)["objects"]:
        names = ["created_by_ref", "source_ref", "target_ref"]
        refs = [item[name] for name in names if name in item] + item.get("object_refs", [])
        assert set(refs) <= known
        known.add(item["id"])


def test_the_same_candidate_gives_the_same_bytes(view: CandidateView) -> None:
    """A second export is an update, not a copy."""
    assert bundle(view, made=LAST) == bundle(view, made=LAST)


def test_associated_members_are_never_exported(view: CandidateView) -> None:
    """Core members and platform accounts stand in it, the associated one does not."""
    users = [item["user_id"] for item in made(view)["objects"] if item["type"] == "user-account"]
    assert users == ["acc-0000000000001", "acc-0000000000002", "plt-0000000000009"]


def test_the_marking_is_tlp_2(view: CandidateView) -> None:
    """The id is the one that FIRST's TLP 2.0 has in STIX, pinned here since wrong copies circulate."""
    markings = [item for item in made(view)["objects"] if item["type"] == "marking-definition"]
    assert [(m["id"], m["name"]) for m in markings] == [
        ("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", "TLP:AMBER+STRICT")
    ]
