"""The whole chain on a small log: what is found, what is stored, what is only opened when it must be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight import candidates
from backlight.errors import RequestError, StoreError
from backlight.evaluate import evaluate
from backlight.ingest import ingest
from backlight.investigate import candidates_document, investigate, propose_until, show, why
from backlight.signals.scorer import FakeScorer
from backlight.workspace import Workspace

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
SCORER = FakeScorer({"BL-04": ["disguise"], "BL-09": ["deposit"]}, performer=("our",), bits=4.0)
ORDERS = (
    "Please write our disguise note number {} for the lamp seller who waits by the old bridge until evening comes again",
    "Now ask our customers for the deposit of {} coins before the second boat leaves the eastern landing stage tonight",
    "Give our people a short disguise greeting number {} that suits a shy keeper of bees from the upper valley village",
)


def exchange(n: int, user: str, text: str, day: float, address: str, answer: str = "Here it is.") -> dict[str, Any]:
    """One LiteLLM payload."""
    return {
        "id": f"r{n}", "call_type": "acompletion", "status": "success", "model": "small", "end_user": user,
        "startTime": (START + timedelta(days=day)).timestamp(), "messages": [{"role": "user", "content": text}],
        "metadata": {"user_api_key_hash": f"key-{user}", "requester_ip_address": address},
        "response": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": answer}}]},
    }  # fmt: skip


def log(people: int = 300) -> Iterator[dict[str, Any]]:
    """Four who work from one address with shared orders, an office of five at another, and everybody else."""
    n = 0
    for member in range(4):
        for order, text in enumerate(ORDERS):
            n += 1
            yield exchange(n, f"crew-{member}", text.format(10 * member + order), order + member / 10, "198.51.100.9")
    for clerk in range(5):
        for week in range(3):
            n += 1
            text = f"Turn the minutes of meeting {week} into a table with the columns topic and owner and date, and be brief"
            yield exchange(n, f"clerk-{clerk}", text, week + clerk / 10, "203.0.113.5")
    for person in range(people):
        for day in range(3):
            n += 1
            text = f"What rhymes with word {person * 7 + day}, and how did a poet of {1500 + person} spell it in letters home?"
            yield exchange(n, f"person-{person}", text, day + person / 400, f"192.0.{person // 250}.{person % 250}")


def cards() -> str:
    """Crew and office each pay with one card, everybody else with their own."""
    payers = [(f"crew-{n}", "card-1") for n in range(4)] + [(f"clerk-{n}", "card-2") for n in range(5)]
    payers += [(f"person-{n}", f"card-of-{n}") for n in range(300)]
    rows = [f"{account},payment,{card},2026-03-01T00:00:00Z,2026-03-20T00:00:00Z" for account, card in payers]
    return "account,kind,value,first_seen,last_seen\n" + "\n".join(rows) + "\n"


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log, its truth and an investigated workspace."""
    folder = tmp_path_factory.mktemp("investigate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        with Workspace.open(folder / "ws", create=True) as ws:
            (folder / "identifiers.csv").write_text(cards(), encoding="utf-8")
            ingest(ws, [str(write(folder / "log.jsonl", log())), str(folder / "identifiers.csv")])
            investigate(ws, scorer=SCORER)
    lines = [f"crew-{n},crew," for n in range(4)] + [f"clerk-{n},,office" for n in range(5)]
    (folder / "truth.csv").write_text("account,operation,group\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def ws(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The investigated workspace."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    with Workspace.open(folder / "ws") as workspace:
        yield workspace


def test_the_crew_is_found_and_the_office_is_not(ws: Workspace) -> None:
    """One candidate of four core members; the office is a cohort."""
    document = candidates_document(ws)
    assert [[member["member"] for member in one["members"]] for one in document["candidates"]] == [["core"] * 4]
    assert 5 in [cohort["size"] for cohort in document["cohorts"]]
    assert document["counts"] == {"candidates": 1, "flags": 0, "cohorts": len(document["cohorts"]), "groups": 0}


def test_the_document_has_its_schema(ws: Workspace) -> None:
    """Every field of backlight/candidates@1 stands in it, and it is JSON."""
    document = json.loads(json.dumps(candidates_document(ws)))
    assert document["schema"] == "backlight/candidates@1"
    fields = (
        "id status kind members platform_accounts families tie_bits contrast_bits concern first last turns_to_read evidence"
    )
    fields += " against innocent_explanation would_change"
    assert set(fields.split()) <= set(document["candidates"][0])
    assert set(document["candidates"][0]["evidence"][0]) == {"family", "layer", "bits", "statement", "rows"}


def test_evaluate_agrees(ws: Workspace, folder: Path) -> None:
    """The planted crew is found whole, the office is not accused, raw ids are resolved."""
    found = evaluate(ws, folder / "truth.csv")
    assert (found["operations"]["found"], found["decoys"]["accused"], found["unknown_ids"]) == (1, 0, 0)
    assert found["accounts"]["core"] == {"precision": 1.0, "recall": 1.0, "found": 4, "right": 4, "planted": 4}


def test_why_shows_both_families_with_evidence(ws: Workspace) -> None:
    """Two members: orders and address, each with its objects, rows, p and q, and the innocent explanation."""
    a, b = (member["account"] for member in candidates_document(ws)["candidates"][0]["members"][:2])
    found = why(ws, a, b)
    assert {"what", "where"} <= {link["family"] for link in found["links"]}
    first = found["links"][0]
    assert first["evidence"][0]["others_who_hold_it"] == 2 and 0 < first["q"] <= 1
    assert found["innocent_explanation"].startswith("one ")


def test_show_takes_what_the_document_names(ws: Workspace) -> None:
    """A candidate by its id, an account by its pseudonym; anything else is refused."""
    one = candidates_document(ws)["candidates"][0]
    assert show(ws, one["id"])["id"] == one["id"]
    assert show(ws, one["members"][0]["account"])["candidates"] == [one["id"]]
    with pytest.raises(RequestError, match="nothing with the id"):
        show(ws, "cand-unknown")


def test_an_earlier_day_shows_less(ws: Workspace) -> None:
    """On the first morning nobody has done anything yet; after three days the crew stands out."""
    assert propose_until(ws, START, scorer=SCORER).candidates == ()
    assert len(propose_until(ws, START + timedelta(days=4), scorer=SCORER).candidates) == 1


def test_a_second_run_opens_no_text_and_says_the_same(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids stay, the document is the same but for the data version, and nothing is decrypted again."""
    before = candidates_document(ws)
    monkeypatch.setattr(Workspace, "turns", lambda *_: pytest.fail("a text was opened"))
    investigate(ws, scorer=SCORER)
    after = candidates_document(ws)
    assert {**after, "data_version": 0} == {**before, "data_version": 0}


def test_a_dismissed_candidate_stays_away(ws: Workspace) -> None:
    """It leaves the list, and another run on the same evidence does not bring it back."""
    which = candidates_document(ws)["candidates"][0]["id"]
    with ws.writing():
        candidates.dismiss(ws, which, "one firm that declares its people")
    assert candidates_document(ws)["candidates"] == []
    assert investigate(ws, scorer=SCORER).counts["candidates"] == 0
    assert [one["status"] for one in candidates_document(ws, dismissed=True)["candidates"]] == ["dismissed"]


def test_an_empty_workspace_gives_an_empty_answer(tmp_path: Path) -> None:
    """Nothing to look at is no error; asking before any run is."""
    with Workspace.open(tmp_path / "ws", create=True) as ws:
        with pytest.raises(StoreError, match="no investigation yet"):
            candidates_document(ws)
        found = investigate(ws, scorer=SCORER)
    assert found.counts == {"candidates": 0, "flags": 0, "cohorts": 0, "groups": 0}


def test_posts_alone_give_groups_and_never_candidates(tmp_path: Path) -> None:
    """Three platform accounts that post the same four links within seconds, among two hundred that post their own."""
    lines = ["platform,post_id,author,created_at,text,url,hashtags"]
    for n in range(4):
        for m in range(3):
            when = (START + timedelta(hours=n, seconds=5 * m)).isoformat()
            lines.append(f"x,c{n}-{m},ring-{m},{when},look at this,https://site{n}.example/a,")
    for n in range(200):
        lines.append(f"x,o{n},other-{n},{(START + timedelta(minutes=n)).isoformat()},my day,https://own{n}.example/a,")
    (tmp_path / "posts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Workspace.open(tmp_path / "ws", create=True) as ws:
        ingest(ws, [str(tmp_path / "posts.csv")])
        investigate(ws, scorer=SCORER)
        document = candidates_document(ws)
        first, second = document["groups"][0]["actors"][:2]
        assert {link["layer"] for link in why(ws, first, second)["links"]} == {"domain", "url"}
    assert document["candidates"] == []
    assert [(len(group["actors"]), group["layers"], group["beyond"]) for group in document["groups"]] == [
        (3, ["domain", "url"], ["activity"])
    ]


def test_a_log_without_text_still_gives_links_and_coverage(tmp_path: Path) -> None:
    """Addresses tie the office; without prompts there is no candidate, and coverage says what cannot be found."""
    bare = ({**record, "messages": [], "response": None} for record in log(60))
    with Workspace.open(tmp_path / "ws", create=True) as ws:
        ingest(ws, [str(write(tmp_path / "log.jsonl", bare))])
        found = investigate(ws, scorer=SCORER)
        layers = set(ws.run("test", ws.table("links"))["layer"].to_pylist())
    assert found.counts["candidates"] == 0 and layers == {"address"}
    assert "prompt" in [lack["field"] for lack in found.coverage["cannot_find"]]
