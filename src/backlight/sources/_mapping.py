"""A mapping file: which column of somebody's own table is which field. YAML 1.2, checked whole before anything is read.

kind: interactions          # or posts, identifiers, platform_accounts
fields:
  time: created             # our field: their column, or a dotted path such as usage.user.id or messages.0.content
  end_user: customer.id
  prompt: question
  output: answer
constants:
  channel: web
time_format: "%d.%m.%Y %H:%M"   # only where it is neither ISO 8601 nor a Unix time
time_zone: Europe/Oslo          # of times without an offset; UTC if left out
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from backlight.errors import RecordError, RequestError
from backlight.sources._format import Kind
from backlight.sources._times import time_of

_WHO = ("end_user", "user", "key", "organisation", "address", "user_agent")
FIELDS: dict[Kind, tuple[str, ...]] = {
    "interactions": (
        *("record_id", "time", "prompt", "output", "system", "messages", "conversation", *_WHO),
        *("channel", "model", "outcome", "tokens_in", "tokens_out"),
    ),
    "posts": ("platform", "post_id", "author", "time", "kind", "parent", "text", "language", "urls", "hashtags"),
    "identifiers": ("account", "key", "kind", "value", "first_seen", "last_seen"),
    "platform_accounts": ("platform", "author", "created", "followers", "as_of"),
}
NEEDED: dict[Kind, tuple[str, ...]] = {
    "interactions": (),
    "posts": ("platform", "post_id"),
    "identifiers": ("account", "kind", "value"),
    "platform_accounts": ("platform", "author"),
}
_KEYS = ("kind", "fields", "constants", "time_format", "time_zone")
_MOST = 1 << 16


class Mapping(msgspec.Struct, frozen=True):
    """A checked mapping.

    Attributes:
        kind: what a record becomes.
        fields: our field -> their column or dotted path.
        constants: our field -> a value for all records.
        time_format: as `strptime` takes it; empty for ISO 8601 and Unix times.
        time_zone: of times without an offset.
    """

    kind: Kind
    fields: dict[str, str]
    constants: dict[str, str] = {}
    time_format: str = ""
    time_zone: str = "UTC"

    def values(self, record: dict[str, Any]) -> dict[str, Any]:
        """Our fields of a record; those it does not have are left out.

        Raises:
            RecordError: it has none of the columns that the mapping names.
        """
        found = {field: value for field, path in self.fields.items() if (value := at(record, path)) is not None}
        if not found:
            raise RecordError("none of the columns that the mapping names", ", ".join(list(self.fields.values())[:5]))
        return {**self.constants, **found}

    def time(self, value: Any, field: str) -> datetime | None:
        """A time as this mapping's files write it.

        Raises:
            RecordError: it is no time.
        """
        if self.time_format and isinstance(value, str) and value.strip():
            try:
                value = datetime.strptime(value.strip(), self.time_format)
            except ValueError:
                raise RecordError(f"{field} is not written as time_format says") from None
        if self.time_zone == "UTC":
            return time_of(value, field)
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value.strip())
            except ValueError:
                return time_of(value, field)
        if isinstance(value, datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo(self.time_zone))
        return time_of(value.astimezone(UTC) if isinstance(value, datetime) else value, field)


def at(record: Any, path: str) -> Any:
    """The value under a column's name or a dotted path; None where there is none, or an empty text."""
    if isinstance(record, dict) and path in record:
        value = record[path]
        return None if value == "" else value
    value = record
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return None if value == "" else value


def load_mapping(path: Path | str) -> Mapping:
    """Reads and checks a mapping file.

    Raises:
        RequestError: it cannot be read, is no YAML, or does not hold what it should; unknown keys are refused.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name = Path(path).name
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        raise RequestError(f"the mapping {name} cannot be read: {error.strerror}", "a YAML file") from error
    if len(data) > _MOST:
        raise RequestError(f"the mapping {name} is longer than {_MOST} bytes", "a mapping of some lines")
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        content = yaml.load(data)
    except (YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise RequestError(
            f"the mapping {name} is no YAML{'' if line is None else f' (line {line + 1})'}", "YAML 1.2"
        ) from error
    return checked(content, name)


def checked(content: Any, name: str = "the mapping") -> Mapping:
    """A mapping from its decoded content.

    Raises:
        RequestError: something in it is unknown, missing or of another type.
    """
    if not isinstance(content, dict):
        raise RequestError(f"{name} is no mapping", f"the keys {', '.join(_KEYS)}")
    kind: Any = content.get("kind")
    fields: Any = content.get("fields")
    constants: Any = content.get("constants") or {}
    _refuse_unknown(content, _KEYS, name)
    if not isinstance(kind, str) or kind not in FIELDS:
        raise RequestError(f"{name} names no kind that can be mapped", ", ".join(FIELDS))
    for part, what in ((fields, "fields"), (constants, "constants")):
        if not isinstance(part, dict) or not all(isinstance(value, (str, int)) for value in part.values()):
            raise RequestError(f"{what} of {name} is no table of names", "lines such as `time: created_at`")
        _refuse_unknown(part, FIELDS[kind], f"{what} of {name}")
    missing = [field for field in NEEDED[kind] if field not in fields and field not in constants]
    if not fields or missing:
        raise RequestError(f"{name} lacks {', '.join(missing) or 'fields'}", f"fields among {', '.join(FIELDS[kind])}")
    mapping = Mapping(
        kind,
        {field: str(path) for field, path in fields.items()},
        {field: str(value) for field, value in constants.items()},
        str(content.get("time_format") or ""),
        str(content.get("time_zone") or "UTC"),
    )
    _check_times(mapping, name)
    return mapping


def _check_times(mapping: Mapping, name: str) -> None:
    try:
        ZoneInfo(mapping.time_zone)
    except (ValueError, OSError, KeyError) as error:
        raise RequestError(f"time_zone of {name} is not known", "a name such as Europe/Oslo") from error
    try:
        datetime.strptime(datetime(2024, 5, 17, 13, 45).strftime(mapping.time_format), mapping.time_format)
    except ValueError as error:
        raise RequestError(f"time_format of {name} cannot be read back", "a format such as %d.%m.%Y %H:%M") from error


def _refuse_unknown(given: dict[Any, Any], known: tuple[str, ...], name: str) -> None:
    unknown = [str(key)[:40] for key in given if key not in known]
    if unknown:
        raise RequestError(f"{name} has unknown keys: {', '.join(unknown[:5])}", f"only {', '.join(known)}")
