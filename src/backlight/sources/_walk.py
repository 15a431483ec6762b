"""Finds the files behind what a person named: files, folders, zip files, globs, `-` for standard input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from backlight.errors import RequestError
from backlight.sources._zip import is_zip, members

STDIN = Path("-")
"""How standard input stands among the files."""

_MAGIC = "*?["


class Found(msgspec.Struct, frozen=True):
    """One file to read, or one that is not read.

    Attributes:
        path: the file; `-` is standard input.
        named: named by hand: if its format is not known, nothing is read. Others are skipped and listed.
        refused: why it is not read: no regular file, gone, a link that leads out of the folder; empty if it is.
    """

    path: Path
    named: bool
    refused: str = ""


def walk(paths: Iterable[Path | str]) -> Iterator[Found]:
    """The files, each real file once, folders in order of name.

    Hidden files and folders inside a folder are left out. Links are followed only where they stay inside the folder that
    was named.

    Raises:
        RequestError: a file named by hand is not there or is no regular file, or there is nothing to read. What is named
            is checked before the first file is given out.
    """
    given = [os.fspath(path) for path in paths]
    roots = [_checked(path) for path in given]
    seen: set[tuple[int, int]] = set()
    for path, kind in zip(given, roots, strict=True):
        if kind == "stdin":
            yield Found(STDIN, True)
        elif kind == "file":
            if _first_sight(Path(path), seen):
                yield from _unzipped(Path(path), named=True)
        else:
            found = _tree(Path(path), seen) if kind == "folder" else _glob(path, seen)
            yield from _not_empty(found, path, seen)


def _checked(path: str) -> str:
    """What a name stands for: stdin, file, folder or glob."""
    if path == "-":
        return "stdin"
    if not Path(path).exists() and any(c in path for c in _MAGIC):
        return "glob"
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}", "a file, a folder, a glob or -") from error
    except ValueError as error:
        raise RequestError("a path with a NUL in it", "a file, a folder, a glob or -") from error
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise RequestError(
            f"{path} is no regular file", "a file, a folder, a glob or -", "send a pipe through standard input, as `-`"
        )
    return "file"


def _not_empty(found: Iterator[Found], path: str, seen: set[tuple[int, int]]) -> Iterator[Found]:
    empty = True
    for one in found:
        empty = False
        yield one
    if empty and not seen:
        raise RequestError(f"{path} holds no file", "at least one file")


def _glob(pattern: str, seen: set[tuple[int, int]]) -> Iterator[Found]:
    """The matches of a glob; a folder among them is walked."""
    first = next((i for i, part in enumerate(Path(pattern).parts) if any(c in part for c in _MAGIC)), 0)
    base, rest = Path(*Path(pattern).parts[:first]), str(Path(*Path(pattern).parts[first:]))
    root = base.resolve()
    try:
        matches = sorted(match for match in base.glob(rest) if "/." in rest or rest[0] == "." or not _hidden(match, base))
    except (ValueError, NotImplementedError, OSError) as error:
        raise RequestError(f"{pattern} is no glob: {error}", "a pattern such as logs/*.jsonl") from error
    for match in matches:
        if match.is_dir() and not match.is_symlink():
            if "**" not in rest:  # with **, the files below come as matches of their own
                yield from _tree(match, seen, root)
        else:
            yield from _one(match, root, seen)


def _hidden(path: Path, base: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(base).parts)


def _tree(folder: Path, seen: set[tuple[int, int]], root: Path | None = None) -> Iterator[Found]:
    """The files of a folder and below, depth first; a loop of links ends where it comes back."""
    root, stack = root or folder.resolve(), [folder]
    while stack:
        here = stack.pop()
        try:
            entries = sorted(entry for entry in here.iterdir() if not entry.name.startswith("."))
        except OSError as error:
            yield Found(here, False, f"cannot be read: {error.strerror}")
            continue
        below = [entry for entry in entries if _is_folder(entry)]
        for entry in entries:
            if not _is_folder(entry):
                yield from _one(entry, root, seen)
        stack += [entry for entry in reversed(below) if _inside(entry, root) and _first_sight(entry, seen)]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _inside(path: Path, root: Path) -> bool:
    if not path.is_symlink():
        return True
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _one(path: Path, root: Path, seen: set[tuple[int, int]]) -> Iterator[Found]:
    """A file below a folder, or why it is not read; silent about one that was seen."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield Found(path, False, f"cannot be read: {error.strerror or error}")
        return
    if not stat.S_ISREG(mode):
        yield Found(path, False, "is no regular file")
    elif _first_sight(path, seen, keep=_inside(path, root)):
        if _inside(path, root):
            yield from _unzipped(path, named=False)
        else:
            yield Found(path, False, "is a link that leads out of the folder")


def _unzipped(path: Path, *, named: bool) -> Iterator[Found]:
    """The file, or the members of a zip file, which is read like a folder."""
    if not is_zip(path):
        yield Found(path, named)
        return
    try:
        inside = members(path)
    except RequestError as error:
        if named:
            raise
        yield Found(path, False, str(error))
        return
    yield from (Found(member, False) for member in inside)


def _first_sight(path: Path, seen: set[tuple[int, int]], *, keep: bool = True) -> bool:
    """Whether this real file or folder was not seen yet; a file that vanished meanwhile is left to its reader."""
    try:
        status = path.stat()
    except OSError:
        return True
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    if keep:
        seen.add(identity)
    return True
