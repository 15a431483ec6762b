"""The house rules that a machine can hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def functions(folder: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node


def test_every_test_says_what_it_holds() -> None:
    """Each test states a behaviour in its docstring."""
    assert [name for name, node in functions("tests") if node.name.startswith("test_") and not ast.get_docstring(node)] == []


def test_public_functions_are_typed() -> None:
    """Each public function has a return type."""
    public = [(name, node) for name, node in functions("src") if not node.name.startswith("_")]
    assert [name for name, node in public if node.returns is None] == []


def test_no_file_is_over_800_lines() -> None:
    """A file that long is two modules."""
    files = [path for folder in ("src", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 800] == []


def test_functions_stay_short() -> None:
    """95 of 100 functions have 60 lines or fewer, and half have 10 or fewer."""
    lengths = sorted(node.end_lineno - node.lineno + 1 for _, node in functions("src") if node.end_lineno)
    assert lengths[int(len(lengths) * 0.95)] <= 60 and lengths[len(lengths) // 2] <= 10
