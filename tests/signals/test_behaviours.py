"""The behaviour files: complete, in seven languages beside English, mapped to DISARM, and refused when they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backlight.errors import RequestError
from backlight.signals.behaviours import fingerprint, load
from backlight.signals.train import benign

LANGUAGES = {"en", "zh", "ru", "es", "ja", "id", "ar", "fr"}
GOOD = """
id: BL-31
version: 1
name: Asks for nothing
definition: A behaviour for this test.
typology: [influence]
what_would_change: Anything.
violating:
  - {lang: en, text: one}
allowed:
  - {lang: en, kind: ordinary, text: two}
"""


def test_thirty_behaviours_ship() -> None:
    """BL-01 to BL-30, each once."""
    assert list(load()) == [f"BL-{i:02}" for i in range(1, 31)]


@pytest.mark.parametrize("name", [f"BL-{i:02}" for i in range(1, 31)])
def test_each_behaviour_has_examples_in_every_language(name: str) -> None:
    """At least 12 violating and 16 allowed texts; each of eight languages on both sides; both innocent kinds."""
    behaviour = load()[name]
    assert len(behaviour.violating) >= 12 and len(behaviour.allowed) >= 16
    assert {e.lang for e in behaviour.violating} == {e.lang for e in behaviour.allowed} == LANGUAGES
    assert {e.kind for e in behaviour.violating} == {"said", "unsaid"}
    assert {e.kind for e in behaviour.allowed} == {"inverted", "ordinary"}


def test_no_text_stands_twice() -> None:
    """An example is violating or allowed or benign, never two of them."""
    texts = [e.text for b in load().values() for e in (*b.violating, *b.allowed)] + [row["text"] for row in benign()]
    assert len(texts) == len(set(texts))


def test_benign_prompts_are_many_and_varied() -> None:
    """At least 600 prompts in at least 8 languages and 20 subjects."""
    rows = benign()
    assert len(rows) >= 600
    assert len({row["lang"] for row in rows}) >= 8 and len({row["subject"] for row in rows}) >= 20


@pytest.mark.shared
def test_disarm_ids_exist(shared_data: Path) -> None:
    """Every DISARM id that a file names is a technique of the framework."""
    bundle = json.loads((shared_data.parent / "taxonomies" / "disarm" / "DISARM.json").read_text(encoding="utf-8"))
    known = {r.get("external_id") for o in bundle["objects"] for r in o.get("external_references", [])}
    assert {i for b in load().values() for i in b.disarm} <= known


def test_a_user_adds_a_behaviour_by_a_file(tmp_path: Path) -> None:
    """A folder with one file adds one behaviour and changes the fingerprint."""
    (tmp_path / "BL-31.yaml").write_text(GOOD)
    found = load(tmp_path)
    assert list(found)[-1] == "BL-31" and len(found) == 31
    assert fingerprint(found) != fingerprint(load())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version: 1", "version: 1\ncolour: red", "colour"),
        ("version: 1", "version: one", "version"),
        ("[influence]", "[gossip]", "gossip"),
        ("[influence]", "[]", "nothing"),
        ("BL-31", "31", "id"),
        ("kind: ordinary", "kind: strange", "strange"),
        ("lang: en, text: one", "lang: english!, text: one", "english"),
        ("{lang: en, text: one}", "{lang: en, text: '  '}", "example"),
        ("violating:\n  - {lang: en, text: one}", "violating: []", "no examples"),
        ("id: BL-31", "id: [", "YAML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str) -> None:
    """The message names the file and what is wrong."""
    (tmp_path / "mine.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(RequestError, match=r"mine\.yaml") as caught:
        load(tmp_path)
    assert says in str(caught.value)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    """An empty folder is an error, not an empty set."""
    with pytest.raises(RequestError, match="no behaviour file"):
        load(tmp_path)


def test_yaml_tags_run_nothing(tmp_path: Path) -> None:
    """A Python tag is refused."""
    (tmp_path / "mine.yaml").write_text(GOOD.replace("Anything.", "!!python/object/apply:os.getcwd []"))
    with pytest.raises(RequestError, match=r"mine\.yaml"):
        load(tmp_path)
