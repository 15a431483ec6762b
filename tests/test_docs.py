"""The docs say what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert spec and spec.loader
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", list(generate.PAGES))
def test_generated_pages_are_current(name: str) -> None:
    """`make docs` was run after the last change of a command, setting, source, table, layer or behaviour."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == generate.PAGES[name]()


def test_every_policy_field_and_variable_is_documented() -> None:
    """The policy page names each field of the file and each variable that an expression may use."""
    from backlight.policy import FIELDS, VARIABLES

    page = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
    assert [name for name in (*FIELDS, *VARIABLES) if f"`{name}`" not in page] == []


def test_links_between_pages_lead_somewhere() -> None:
    """No page links to a file that does not exist."""
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append((page.name, target))
    assert broken == []


def test_every_page_is_reached_from_the_index() -> None:
    """docs/README.md lists every page."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - {"README.md"}
    assert [page for page in sorted(pages) if f"({page})" not in index] == []
