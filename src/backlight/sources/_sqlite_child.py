"""Reads one SQLite file on standard input and writes the rows of some of its tables as lines of JSON; runs as a process of its
own.

    python _sqlite_child.py ROWS MEMORY TABLE...

A database of a stranger is code as much as data: views, triggers and generated columns run what they like. So it is opened
read-only and immutable, its schema is not trusted, functions are refused, only plain tables are read, and the process gets a
measure of memory and no more. `#table NAME` goes before the rows of a table, `#end` after the last row.
"""

from __future__ import annotations

import base64
import json
import math
import resource
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

_LONGEST = 64 << 20
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


def main(rows: int, tables: list[str]) -> None:
    """Writes the rows, at most `rows` of each table (0: all)."""
    out = sys.stdout.buffer
    base = sqlite3.connect("file:/proc/self/fd/0?mode=ro&immutable=1", uri=True)
    base.text_factory = lambda data: data.decode("utf-8", "replace")
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "query_only=ON"):
        base.execute(f"PRAGMA {pragma}").fetchall()
    plain = _plain_tables(base)
    base.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
    for table in tables:
        if table in plain:
            out.write(b"#table " + table.encode() + b"\n")
            for row in _rows(base, table, rows):
                out.write(json.dumps(row, default=_text, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    out.write(b"#end\n")
    out.flush()


def _plain_tables(base: sqlite3.Connection) -> set[str]:
    """Names of what is really a table: no view, and no virtual table, whose module would run."""
    found = base.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {name for name, sql in found if isinstance(sql, str) and not sql.upper().startswith("CREATE VIRTUAL")}


def _rows(base: sqlite3.Connection, table: str, rows: int) -> Iterator[dict[str, Any]]:
    quoted = table.replace('"', '""')
    found = base.execute(f'SELECT * FROM "{quoted}"')
    names = [column[0] for column in found.description]
    for count, row in enumerate(found):
        if rows and count >= rows:
            return
        yield dict(zip(names, map(_finite, row), strict=True))


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        main(int(sys.argv[1]), sys.argv[3:])
    except MemoryError:
        sys.exit(3)
    except Exception:  # whatever a hostile file does, the parent learns that it cannot be read
        sys.exit(2)
