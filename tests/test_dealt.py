"""Real conversations, dealt to invented accounts: nobody is proposed, and reuse of one prompt is a cohort."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight.ingest import ingest
from backlight.investigate import candidates_document, investigate
from backlight.workspace import Workspace

ACCOUNTS = 2_000
Chat = tuple[str, str, list[dict[str, str]]]  # file, first prompt, messages
Rule = Callable[[random.Random, list[Chat]], list[int]]
_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}


def chats(folder: Path) -> list[Chat]:
    """Every conversation of the data folder whose turns alternate, from three layouts, with the file it came from."""
    found = []
    for path in sorted((folder / "conversations").glob("*.json*")):
        text = path.read_text(encoding="utf-8")
        try:
            records = json.loads(text)
        except ValueError:
            records = [json.loads(line) for line in text.split("\n") if line.strip()]
        for record in records if isinstance(records, list) else [records]:
            messages = list(_messages(record))
            asked = next((m["content"] for m in messages if m["role"] == "user"), None)
            if asked:
                found.append((path.name, asked, messages))
    return found


def _messages(record: Any) -> Iterator[dict[str, str]]:
    listed = record.get("messages") or record.get("conversations") if isinstance(record, dict) else None
    if isinstance(record, dict) and not listed and isinstance(record.get("instruction") or record.get("prompt"), str):
        yield {"role": "user", "content": record.get("instruction") or record["prompt"]}
    for one in listed or []:
        role, content = one.get("role") or one.get("from"), one.get("content") or one.get("value")
        if isinstance(content, list):
            content = " ".join(str(part.get("value") or part.get("text") or "") for part in content)
        if role in _ROLES and isinstance(content, str):
            yield {"role": _ROLES[role], "content": content}


def at_random(dice: random.Random, given: list[Chat]) -> list[int]:
    return [dice.randrange(ACCOUNTS) for _ in given]


def one_file_each(dice: random.Random, given: list[Chat]) -> list[int]:
    return _by_key(dice, [chat[0] for chat in given])


def one_first_prompt_each(dice: random.Random, given: list[Chat]) -> list[int]:
    return _by_key(dice, [chat[1] for chat in given])


def _by_key(dice: random.Random, keys: list[str]) -> list[int]:
    """Accounts shared out over keys in proportion to their chats; each account has chats of one key only."""
    order = {key: [n for n, k in enumerate(keys) if k == key] for key in dict.fromkeys(keys)}
    owners, given, account = {}, [0] * len(keys), 0
    for key, places in order.items():
        owners[key] = range(account, account + max(1, round(ACCOUNTS * len(places) / len(keys))))
        account = owners[key].stop
        for place in places:
            given[place] = dice.choice(owners[key])
    return given


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("rule", [at_random, one_file_each, one_first_prompt_each])
def test_dealt_real_chats_yield_no_candidate(rule: Rule, shared_data: Path, tmp_path: Path) -> None:
    """However real chats are dealt to 2,000 accounts, no candidate comes of it; many accounts on one prompt are a cohort."""
    dice, given = random.Random(7), chats(shared_data)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    with (tmp_path / "dealt.jsonl").open("w", encoding="utf-8") as out:
        for n, (chat, account) in enumerate(zip(given, rule(dice, given), strict=True)):
            when = start + timedelta(seconds=dice.randrange(30 * 86_400))
            row = {"id": f"c{n}", "user_id": f"u{account}", "created_at": when.isoformat(), "messages": chat[2]}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    with Workspace.open(tmp_path / "ws", create=True) as ws:
        assert sum(row["rejected"] for row in ingest(ws, [str(tmp_path / "dealt.jsonl")]).as_dict()["files"]) == 0
        investigate(ws)
        document = candidates_document(ws)
        linked = _linked(ws)
        reuse = {n: _numbers(ws, n, rule(random.Random(7), given), given) for n in _reused(given)}
    assert len(given) > 3_000 and document["candidates"] == []
    if rule is one_first_prompt_each:
        assert len(reuse) == 13
        # All who were dealt a prompt share it; at least nine of ten of them stand together in one cohort or crowd.
        assert [n for n, users in reuse.items() if max(len(users & group) for group in linked) < 0.9 * len(users)] == []


def _linked(ws: Workspace) -> list[set[int]]:
    """The accounts of every cohort and of every crowd."""
    cohorts = ws.run("cohorts", ws.table("candidates")).to_pylist()
    crowds = ws.run("crowds", ws.table("groups")).to_pylist()
    found = [{*row["core"], *row["associated"]} for row in cohorts if row["kind"] == "cohort"]
    return found + [set(row["actors"]) for row in crowds]


def _reused(given: list[Chat]) -> list[str]:
    return list(dict.fromkeys(chat[1] for chat in given if chat[0].startswith("kura")))


def _numbers(ws: Workspace, prompt: str, accounts: list[int], given: list[Chat]) -> set[int]:
    """The pseudonyms of the accounts that were dealt chats of a prompt."""
    users = {f"u{account}" for account, chat in zip(accounts, given, strict=True) if chat[1] == prompt}
    return {ws.pseudonyms.account("user", user)[0] for user in users}
