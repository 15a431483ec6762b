from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import pytest

from backlight._settings import Settings, load_settings
from backlight.errors import RequestError


def settings(folder: Path, body: str) -> Settings:
    (folder / "backlight.yaml").write_text(body, encoding="utf-8")
    return load_settings(folder / "backlight.yaml")


@pytest.mark.parametrize("body", ["", "# nothing\n", "{}\n"])
def test_an_empty_file_gives_the_defaults(tmp_path: Path, body: str) -> None:
    """As does an absent one."""
    assert settings(tmp_path, body) == Settings() == load_settings(tmp_path / "absent.yaml")


def test_settings_read_like_a_mapping_or_by_name() -> None:
    """Both ways give the same."""
    given = Settings(seed=7)
    assert given["seed"] == given.seed == dict(given)["seed"] == 7 and given.get("no such") is None


def test_values_are_read(tmp_path: Path) -> None:
    """Each setting in its form; a prior also as odds."""
    body = """\
memory: 512MB
threads: 2
time_zone: Europe/Vienna
vouched: [key]
vouched_by_source: {litellm: [end_user, key]}
exclude: [acc-0000000000007, ten-0000000000008]
prior: 1 in 20000
seed: 3
retain_text_days: 90
"""
    read = settings(tmp_path, body)
    assert (read.memory, read.threads, read.time_zone, read.seed, read.retain_text_days) == ("512MB", 2, "Europe/Vienna", 3, 90)
    assert read.prior == 1 / 20000
    assert (read.vouched_for("litellm"), read.vouched_for("other")) == (("end_user", "key"), ("key",))
    assert (read.excluded("account"), read.excluded("tenant")) == ({7}, {8})


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    """Rather than being passed over."""
    with pytest.raises(RequestError, match="did you mean threads"):
        settings(tmp_path, "thread: 2\n")
    with pytest.raises(RequestError, match="the settings are memory"):
        settings(tmp_path, "qqq: 2\n")


@pytest.mark.parametrize(
    "line",
    [
        "memory: 4", "memory: lots", "memory: '4GB; DROP'", "threads: -1", "threads: true", "threads: 2.5",
        "time_zone: Mars/Olympus", "time_zone: ../../etc/passwd", "vouched: key", "vouched: [none]", "vouched: [boss]",
        "vouched_by_source: [key]", "exclude: [someone]",
        "exclude: [int-0000000000007]", "exclude: [7]", "prior: 0", "prior: 0.9",
        "prior: 1 in 0", "prior: yes",
        "seed: -1", "seed: no", "retain_text_days: 0", "memory:", "prior: null",
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, line: str) -> None:
    """With the setting's name and what was expected."""
    with pytest.raises(RequestError, match=f"{line.partition(':')[0]} in .* expected"):
        settings(tmp_path, line + "\n")


@pytest.mark.parametrize(
    "body",
    ["- a\n", "a: [\n", "just text\n", "a: 1\na: 2\n", "\x00", "a: !!python/object:os.system x\n", "seed: " + "[" * 3000],
)
def test_what_is_no_settings_file_is_refused(tmp_path: Path, body: str) -> None:
    """Lists, broken or doubled YAML, tags that build objects, deep nesting: an error, no traceback."""
    with pytest.raises(RequestError):
        settings(tmp_path, body)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """Before it is parsed."""
    with pytest.raises(RequestError, match="megabyte"):
        settings(tmp_path, "#" * (1 << 20) + "#")


def test_yaml_is_1_2(tmp_path: Path) -> None:
    """`no` is a word, not a truth value."""
    with pytest.raises(RequestError, match="'no'"):
        settings(tmp_path, "time_zone: no\n")


def test_every_setting_is_told_in_the_docstring() -> None:
    """One line a setting."""
    told = inspect.getdoc(Settings) or ""
    assert [field.name for field in dataclasses.fields(Settings) if f"\n    {field.name}: " not in told] == []
