"""What is installed, what it weighs, and what is missing: the first thing to ask for when something does not work."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What optional work needs, and which command or program gives it.
PARTS = {
    "chromium": "to look at reports in tests (`apt-get install chromium`)",
    "java": "Spark, the second engine (`apt-get install default-jre-headless`)",
}


def examine() -> Mapping[str, Any]:
    """Versions, weights in megabytes, machine, keys folder and optional parts, as plain data."""
    packages = {name: _weigh(name) for name in sorted(_requirements())}
    found = {name: entry for name, entry in packages.items() if entry is not None}
    return {
        "backlight": importlib.metadata.version("backlight"),
        "python": platform.python_version(),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "free_disk_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        },
        "keys": str(Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "backlight" / "keys"),
        "packages": [{"name": n, "version": v, "mb": mb} for n, (v, mb) in sorted(found.items(), key=lambda e: -e[1][1])],
        "missing": sorted(set(packages) - set(found)),
        "parts": {name: (shutil.which(name) or f"not found; needed for {what}") for name, what in PARTS.items()},
        "leaves_this_machine": "nothing, unless a judge, an upstream or an export is set",
    }


def _requirements() -> set[str]:
    """Names of the packages of the default install, their own requirements included."""
    wanted, queue = set(), ["backlight"]
    while queue:
        try:
            requires = importlib.metadata.requires(queue.pop()) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in requires:
            name = _name(line)
            if "extra ==" not in line and _applies(line) and name not in wanted:
                wanted.add(name)
                queue.append(name)
    return wanted


def _name(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name.lower()


def _applies(requirement: str) -> bool:
    from packaging.requirements import Requirement

    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate()


def _weigh(name: str) -> tuple[str, float] | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    size = sum(
        path.stat().st_size
        for file in distribution.files or ()
        if (path := Path(str(distribution.locate_file(file)))).is_file()
    )
    return distribution.version, round(size / 1e6, 1)
