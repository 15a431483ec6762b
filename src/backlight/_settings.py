"""The settings of a workspace: `backlight.yaml`, read strictly."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import re2
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from backlight.errors import RequestError
from backlight.tables import LEVELS, parse_id

_LARGEST = 1 << 20
_EXCLUDABLE = ("account", "tenant")
VOUCHABLE = tuple(level for level in LEVELS if level != "none")


@dataclass(frozen=True)
class Settings(Mapping[str, Any]):
    """What a workspace's `backlight.yaml` may set; `settings["seed"]` and `settings.seed` are the same.

    Attributes:
        memory: memory that queries may use, with its unit; more spills to the workspace's own temporary folder.
        threads: threads that queries use; 0 for one a core.
        time_zone: IANA name of the zone of times that are written without one.
        vouched: levels of identity that the host vouches for in logs it imports; others never become an account.
        vouched_by_source: the same for one format, by its name; takes the place of `vouched` there.
        exclude: pseudonyms of accounts (acc-...) and tenants (ten-...) that are counted and never stored.
        prior: share of accounts that are an operator's, before any evidence; also written as "1 in 10000".
        seed: seed of every random choice.
        retain_text_days: days after which conversation text and rejected bytes go, by whole months; null keeps them.
    """

    memory: str = "4GB"
    threads: int = 0
    time_zone: str = "UTC"
    vouched: tuple[str, ...] = VOUCHABLE
    vouched_by_source: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    prior: float = 1e-4
    seed: int = 0
    retain_text_days: int | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in _NAMES:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)

    def vouched_for(self, source: str) -> tuple[str, ...]:
        """The levels of identity that the host vouches for in a format."""
        return self.vouched_by_source.get(source, self.vouched)

    def excluded(self, kind: str) -> frozenset[int]:
        """The numbers of the excluded pseudonyms of a kind: account or tenant."""
        return frozenset(number for shown, number in map(parse_id, self.exclude) if shown == kind)


@dataclass(frozen=True)
class LeftOut:
    """What ingest counts and does not store.

    Attributes:
        accounts: numbers of accounts that the settings exclude.
        tenants: the same of tenants.
        erased: when an account was erased: what it did before, or at no stated time, is not taken in again.
    """

    accounts: frozenset[int] = frozenset()
    tenants: frozenset[int] = frozenset()
    erased: Mapping[int, datetime] = field(default_factory=dict)

    def covers(self, account: int | None, time: datetime | None) -> bool:
        """Whether what this account did at this time is left out."""
        return account in self.accounts or (account is not None and before(time, self.erased.get(account)))


def before(time: datetime | None, erased: datetime | None) -> bool:
    """Whether something falls under an erasure: a time that is not known may be any."""
    return erased is not None and (time is None or time <= erased)


_NAMES = tuple(f.name for f in fields(Settings))


def load_settings(file: Path) -> Settings:
    """Read the settings; a file that is absent or empty gives the defaults.

    Raises:
        RequestError: it is no YAML, names a setting that does not exist, or a value is not of its kind.
    """
    if not file.exists():
        return Settings()
    if file.stat().st_size > _LARGEST:
        raise RequestError(f"{file} has more than a megabyte", "a short YAML file")
    try:
        given = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{file} is not YAML 1.2 ({type(error).__name__})", "one `name: value` a line") from error
    if given is None:
        return Settings()
    if not isinstance(given, dict):
        raise RequestError(f"{file} holds a {type(given).__name__}", "one `name: value` a line")
    return Settings(**{_known(str(name), file): _checked(str(name), value, file) for name, value in given.items()})


def _known(name: str, file: Path) -> str:
    if name not in _NAMES:
        near = difflib.get_close_matches(name, _NAMES, n=1)
        meant = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(_NAMES)}"
        raise RequestError(f"{file} sets {name!r}, which does not exist", todo=meant)
    return name


def _checked(name: str, value: object, file: Path) -> Any:
    if name not in _NAMES:
        return None
    expected, check = _KINDS[name]
    checked = check(value)
    if checked is None and not (value is None and name.startswith("retain_")):
        raise RequestError(f"{name} in {file} is {value!r}"[:300], expected)
    return checked


def _memory(value: object) -> str | None:
    good = isinstance(value, str) and re2.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,3})? ?(MB|GB|TB|MiB|GiB|TiB)", value)
    return value if isinstance(value, str) and good else None


def _between(least: int, most: int) -> Callable[[object], int | None]:
    return lambda value: value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None


def _zone(value: object) -> str | None:
    try:
        return ZoneInfo(value).key if isinstance(value, str) and value else None
    except (LookupError, ValueError, OSError):
        return None


def _levels(value: object) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and all(level in VOUCHABLE for level in value) else None


def _levels_by_source(value: object) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(value, dict):
        return None
    checked = {str(source): _levels(levels) for source, levels in value.items()}
    known = {source: levels for source, levels in checked.items() if levels is not None}
    return known if len(known) == len(checked) else None


def _pseudonyms(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(shown, str) for shown in value):
        return None
    try:
        return tuple(value) if all(parse_id(shown)[0] in _EXCLUDABLE for shown in value) else None
    except ValueError:
        return None


def _prior(value: object) -> float | None:
    if isinstance(value, str):
        odds = re2.fullmatch(r"1 in ([0-9]{1,12})", value.strip())
        value = 1 / int(odds[1]) if odds and int(odds[1]) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 0.5 else None


_KINDS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "memory": ("a size such as 4GB", _memory),
    "threads": ("a whole number from 0 to 1024", _between(0, 1024)),
    "time_zone": ("an IANA name such as Europe/Vienna", _zone),
    "vouched": (f"a list among {', '.join(VOUCHABLE)}", _levels),
    "vouched_by_source": ("a list of levels by format name", _levels_by_source),
    "exclude": ("a list of pseudonyms, acc-... or ten-...", _pseudonyms),
    "prior": ('a share up to 0.5, such as 0.0001 or "1 in 10000"', _prior),
    "seed": ("a whole number from 0", _between(0, (1 << 63) - 1)),
    "retain_text_days": ("a whole number of days from 1, or null", _between(1, 36_500)),
}
