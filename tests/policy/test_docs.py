"""The reference page names every field and variable, as the code has them."""

from __future__ import annotations

from pathlib import Path

from backlight.policy import ACTIONS, FAILS, MODES, POLICY_KEYS, RULE_KEYS, TYPOLOGIES, VARIABLES, check

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "policy.md"


def test_every_field_stands_on_the_page() -> None:
    """Fields, modes, actions and kinds of operation."""
    page = PAGE.read_text(encoding="utf-8")
    words = {*POLICY_KEYS, *RULE_KEYS, *MODES, *ACTIONS, *FAILS, *TYPOLOGIES}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []


def test_every_variable_stands_on_the_page_with_type_and_meaning() -> None:
    """The table of variables is the one in the code."""
    kinds = {"scores": "map(string, double)"}
    rows = [
        f"| `{v.name}` | {kinds.get(v.kind, v.kind)} | {'yes' if v.evidence else ''} | {v.about} |".replace("|  |", "| |")
        for v in VARIABLES.values()
    ]
    page = PAGE.read_text(encoding="utf-8")
    assert [row for row in rows if row not in page] == []


def test_the_policy_on_the_page_loads(tmp_path: Path) -> None:
    """What a reader copies works."""
    text = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "ours.yaml").write_text(text, encoding="utf-8")
    assert check(tmp_path / "ours.yaml").errors == ()
