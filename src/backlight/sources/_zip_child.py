"""Lists a zip file on standard input, or writes out one of its members; runs as a process of its own.

    list ENDING..   one line of JSON a member with one of the endings that can be read: [name, bytes it becomes]
    member NAME     its bytes

A zip of a stranger can name any size and any path: nothing is ever written to disk, members are found by their exact name,
and the process has a measure of memory and no more.
"""

from __future__ import annotations

import resource
import stat
import sys
import zipfile

MEMBERS = 1_000
"""Most members that are listed."""

LONGEST = 1_000
"""Bytes of the longest name that is listed: it becomes a path and an argument."""

_READ = 1 << 16  # what is lost where a member's last bytes do not fit its check sum
_DAMAGED, _MEMORY, _ENCRYPTED = 2, 3, 4


def main(words: list[str]) -> None:
    """Does what the words say."""
    import json

    out = sys.stdout.buffer
    with zipfile.ZipFile(sys.stdin.buffer) as archive:
        if words[0] == "list":
            for info in [info for info in archive.infolist() if _is_file(info, tuple(words[1:]))][: MEMBERS + 1]:
                out.write(json.dumps([info.filename, info.file_size]).encode() + b"\n")
        else:
            with archive.open(words[1]) as member:
                while part := member.read(_READ):
                    out.write(part)
    out.flush()


def _is_file(info: zipfile.ZipInfo, endings: tuple[str, ...]) -> bool:
    """A regular file with one of the endings: no folder, and no link that another system wrote."""
    kind, name = stat.S_IFMT(info.external_attr >> 16), info.filename
    return (
        not info.is_dir()
        and kind in (0, stat.S_IFREG)
        and name.lower().endswith(endings)
        and len(name.encode("utf-8", "replace")) <= LONGEST
        and info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    )


if __name__ == "__main__":
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        main(sys.argv[2:])
    except MemoryError:
        sys.exit(_MEMORY)
    except RuntimeError as error:  # what zipfile says of a member that needs a password
        sys.exit(_ENCRYPTED if "password" in str(error) else _DAMAGED)
    except Exception:  # whatever a hostile file does, the parent learns that it cannot be read
        sys.exit(_DAMAGED)
