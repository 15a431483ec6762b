"""One investigation: describe, score, link, weigh, judge by the two keys, store. What the CLI, reports and notebooks call.

Only texts that were not yet described or scored by this version are decrypted for that; outputs are opened when there are
posts to match. Everything is written in one commit: a run that dies leaves the store as it was.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from backlight import _ledger, candidates, tables
from backlight.coverage import Coverage
from backlight.errors import RequestError, StoreError
from backlight.hashing import Hasher
from backlight.links import actions, census, join, rows, watches, weigh, wild
from backlight.links import turns as turns_
from backlight.links.coaction import CROWD

if TYPE_CHECKING:
    from backlight.signals.scorer import Scorer
    from backlight.workspace import Workspace

Progress = Callable[[float, float | None, str | None], None]
Judge = Callable[[str, str], bool]

_STEPS = ("describing", "scoring", "actions", "posts", "concern", "linking", "weighing", "judging", "storing")
_DERIVED = ("signals", "actions", "links", "groups", "candidates", "flags", "watches")
_ROLES = ("prompt", "system", "output")


@dataclass(frozen=True)
class Findings:
    """What an investigation found.

    Attributes:
        run: its id.
        data_version: the commit record that it read.
        counts: candidates, flags, cohorts, groups.
        coverage: what the data holds, and what therefore cannot be found.
        timings: seconds by step.
        summary: what `runs` keeps of it: counts, coverage, tests, crowds, prior, weights, watches.
    """

    run: str
    data_version: int
    counts: Mapping[str, int]
    coverage: Mapping[str, Any]
    timings: Mapping[str, float]
    summary: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As `investigate --json` prints it, but for the files."""
        return {
            "files": [],
            "coverage": dict(self.coverage),
            "data_version": self.data_version,
            "counts": dict(self.counts),
            "run": self.run,
            "timings": {name: round(seconds, 3) for name, seconds in self.timings.items()},
        }


def investigate(
    ws: Workspace, *, progress: Progress | None = None, scorer: Scorer | None = None, judge: Judge | None = None
) -> Findings:
    """Investigate the workspace as it stands, and store what was found.

    Args:
        ws: the workspace.
        progress: called with (done, total, words).
        scorer: reads texts; None takes the default.
        judge: says of a behaviour and a language whether its single documents may count; without one papers raise flags.

    Raises:
        Locked: another process writes to the workspace.
    """
    with ws.writing():
        return _Investigation(ws, progress, scorer, judge).run()


def propose_until(ws: Workspace, until: datetime, *, scorer: Scorer | None = None) -> candidates.Proposal:
    """What would have been proposed at an earlier moment: only what happened before it is looked at; nothing is stored.

    Texts must have been described and scored by an investigation.
    """
    return _Investigation(ws, None, scorer, None, until).work().proposal


@dataclass(frozen=True)
class _Work:
    """All that one run computed."""

    tables: dict[str, pa.Table]
    joined: join.Joined
    proposal: candidates.Proposal
    prior: float


class _Investigation:
    """One run over a pinned data version, or over what it holds from before a moment."""

    def __init__(
        self,
        ws: Workspace,
        progress: Progress | None,
        scorer: Scorer | None,
        judge: Judge | None,
        until: datetime | None = None,
    ) -> None:
        self.ws, self._progress, self._scorer, self._judge, self._until = ws, progress, scorer, judge, until
        self.version, self.seed = ws.version, int(ws.settings["seed"])
        self.weights = weigh.load_weights()
        self.timings: dict[str, float] = {}
        self._started = datetime.now(UTC)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        if self._progress is not None:
            self._progress(_STEPS.index(name), len(_STEPS), name)
        started = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - started

    def run(self) -> Findings:
        """All steps, in order, and the commit."""
        work = self.work()
        with self._step("storing"):
            return self._store(work)

    def _seen(self, name: str, column: str = "time") -> ir.Table:
        """A table as it stood at the moment that is looked at; what has no time was always there."""
        table = self.ws.table(name)
        if self._until is None:
            return table
        return table.filter(table[column].isnull() | (table[column] < ibis.literal(self._until)))

    def work(self) -> _Work:
        """All steps but the commit."""
        ws = self.ws
        with self._step("describing"):
            texts, entities, written = _described(ws)
            ws.engine.bind("texts_now", texts)
            ws.engine.bind("entities_now", entities)
        interactions = ws.run("interactions", self._seen("interactions").select(*_COLUMNS))
        with self._step("scoring"):
            signals = self._scored(texts)
        with self._step("actions"):
            acts, hours = self._actions()
        with self._step("posts"):
            posts = ws.run("posts", self._seen("posts"))
            matches = wild.match(_outputs(ws, interactions, texts), posts) if posts.num_rows else wild.MATCHES.empty_table()
            found = actions.of_matches(matches.filter(pc.is_in(matches["verdict"], pa.array(["counts", "suggests"]))))
            acts = pa.concat_tables([acts, actions.of_posts(posts, ws.hasher), found])
        with self._step("concern"):
            published = frozenset(found["actor"].to_pylist())
            said = self._concern(interactions, texts, signals, published)
        accounts = len(pc.unique(interactions["account"].drop_null()))
        with self._step("linking"):
            joined = join.join(acts, accounts, ws.run, ws.engine)
        with self._step("weighing"):
            weighed, evidence, compared = self._weighed(interactions, joined, hours, acts)
        with self._step("judging"):
            prior = weigh.pair_prior(weigh.Prior(1 / ws.settings["prior"], self.weights.prior.partners), accounts)
            turns = turns_.read_turns(interactions, texts, signals, counts=self._counts)
            facts = self._facts(interactions, turns, said, posts, matches, weighed, evidence, compared, prior)
            proposal = candidates.propose(facts)
        links = pa.concat_tables([rows.account_links(weighed, joined), rows.post_links(joined)])
        made = {**written, "signals": pa.concat_tables([signals, said.concern]), "actions": acts, "links": links}
        return _Work(made, joined, proposal, prior)

    # --- texts ---------------------------------------------------------------------------------------------------

    def _scored(self, texts: pa.Table) -> pa.Table:
        """Scores of all prompts; only those not yet scored by this scorer are opened."""
        from backlight.signals.scorer import EmbeddingScorer, score_texts

        table = self.ws.table("signals")
        known = self.ws.run("signals", table.filter(table.subject_kind == "text"))
        if not texts.num_rows:
            return known
        if self._scorer is None:
            self._scorer = EmbeddingScorer()
        known = known.filter(pc.equal(known["version"], self._scorer.version))
        done = set(known.filter(pc.equal(known["signal"], "scored"))["subject"].to_pylist())
        languages = dict(zip(texts["text"].to_pylist(), texts["language"].to_pylist(), strict=True))
        readable = _readable(self._scorer, languages)
        wanted = {
            text
            for text, role in zip(texts["text"].to_pylist(), texts["role"].to_pylist(), strict=True)
            if role == "prompt" and text not in done and text in readable
        }
        fresh = score_texts(_prompts(self.ws, wanted), self._scorer)
        return pa.concat_tables([known, fresh])

    def _counts(self, behaviour: str, language: str) -> bool:
        """Whether a behaviour counts in key 2: its scorer passes its look-alike test there; papers need a judge."""
        if behaviour in turns_.PAPERS:
            return self._judge is not None and self._judge(behaviour, language)
        return self._scorer is not None and self._scorer.passes_lookalikes(behaviour, language)

    def _concern(self, interactions: pa.Table, texts: pa.Table, signals: pa.Table, published: frozenset[int]) -> _Written:
        """For accounts whose outputs stand in posts few turns are enough."""
        from backlight.signals.concern import Settings, concern, contributions, telling

        scorer = self._scorer
        settings = Settings(counts=scorer.passes_lookalikes if scorer is not None else None, hard=published)
        return _Written(
            concern(interactions, texts, signals, settings=settings),
            contributions(interactions, texts, signals, settings=settings),
            telling(texts, signals, settings=settings),
        )

    # --- links ---------------------------------------------------------------------------------------------------

    def _actions(self) -> tuple[pa.Table, actions.Profiles]:
        """Actions of the service's accounts, and the profiles of their hours."""
        ws = self.ws
        interactions, identifiers = self._seen("interactions"), self._seen("identifiers", "first_seen")
        built = actions.build(interactions, _now("texts"), _now("entities"), identifiers)
        acts = ws.run("actions", built).cast(tables.ACTIONS.arrow)
        counts = ws.run("active hours", actions.active_hours(interactions))
        hours = self.weights.hours
        shape = actions.profiles(counts, events=hours.events, spread=hours.spread, all_days=hours.all_days)
        return pa.concat_tables([acts, actions.of_hours(shape, counts, ws.hasher)]), shape

    def _weighed(
        self, interactions: pa.Table, joined: join.Joined, hours: actions.Profiles, acts: pa.Table
    ) -> tuple[dict[weigh.Pair, weigh.Weighed], weigh.Evidence, weigh.HourBits]:
        own = joined.shared.filter(pc.equal(joined.shared["kind"], "account"))
        kinds = self.ws.run("entity kinds", _now("entities").select("object", "kind").distinct())
        speakers, languages = _languages(self.ws, self._seen("interactions"))
        evidence = weigh.Evidence.gather(
            joined.held,
            population=census.population(interactions, acts),
            pool=census.pools(interactions),
            kinds=dict(zip(kinds["object"].to_pylist(), kinds["kind"].to_pylist(), strict=True)),
            languages=languages,
            speakers=speakers,
        )
        compared = weigh.HourBits(hours, self.weights, self.seed)
        return weigh.weigh(weigh.ties(own, evidence, self.weights), evidence, compared, self.weights), evidence, compared

    # --- the rule ------------------------------------------------------------------------------------------------

    def _facts(
        self, interactions: pa.Table, turns: list[turns_.Turn], of: _Written, posts: pa.Table, matches: pa.Table,
        weighed: Mapping[weigh.Pair, weigh.Weighed], evidence: weigh.Evidence, compared: weigh.HourBits, prior: float,
    ) -> candidates.Facts:  # fmt: skip
        from backlight.signals import behaviours

        by_account = turns_.by_account(turns)
        named, holders = _named(self.ws, self._seen("interactions"))
        return candidates.Facts(
            weighed=weighed,
            evidence=evidence,
            hours=compared,
            weights=self.weights,
            prior=prior,
            turns=by_account,
            concern=turns_.read_concern(of.concern),
            telling=turns_.read_telling(of.telling),
            added=turns_.read_added(of.added),
            strata=turns_.strata(by_account, census.channels(interactions)),
            entities=named,
            holders=holders,
            posted=_posted(posts, frozenset(holders), self.ws.hasher),
            matches=matches,
            posts=posts.num_rows,
            keys=census.pool_accounts(interactions, set(evidence.pool.values())),
            behaviours=behaviours.load(),
            hasher=self.ws.hasher,
            seed=self.seed,
        )

    # --- storing -------------------------------------------------------------------------------------------------

    def _store(self, work: _Work) -> Findings:
        """Ledger, documents and the run, in one commit."""
        ws, joined, proposal = self.ws, work.joined, work.proposal
        run = _run_id(ws.hasher, self.version, self.seed)
        known = _ledger.read(ws.run("ledger", ws.table("candidates")).to_pylist())
        last = _newest(ws)
        found = [*proposal.candidates, *proposal.cohorts]
        ledger = _ledger.update(known, found, run, last["id"] if last else "", ws.hasher)
        together = rows.coordinated(joined, ws.hasher)
        counts = {
            "candidates": sum(e.run == run and e.kind == "candidate" and e.status != "dismissed" for e in ledger),
            "flags": len(proposal.flags),
            "cohorts": sum(e.run == run and e.kind == "cohort" for e in ledger),
            "groups": len({row["id"] for row in together}),
        }
        summary = self._summary(counts, work)
        made = work.tables | {
            "groups": tables.GROUPS.rows([*together, *rows.crowds(joined, ws.hasher)]),
            "candidates": candidates.table(ledger),
            "flags": candidates.flag_table(proposal.flags, ws.hasher),
            "watches": watches.table(proposal.watches),
            "runs": self._run_row(run, summary),
        }
        replace = [*_DERIVED, *(name for name in ("texts", "entities") if name in made)]
        ws.commit(made, replace=replace, source="investigate", counts=counts)
        return Findings(run, self.version, counts, summary["coverage"], self.timings, summary)

    def _summary(self, counts: Mapping[str, int], work: _Work) -> dict[str, Any]:
        joined, proposal = work.joined, work.proposal
        strong = [watch for watch in proposal.watches if not watch.weak]
        return {
            "counts": dict(counts),
            "coverage": _coverage(self.ws),
            "tests": joined.tests,
            "beyond_activity": int(pc.sum(pc.less_equal(joined.tested["q"], rows.BEYOND_Q)).as_py() or 0),
            "crowds": joined.crowds.num_rows,
            "acts_set_aside": joined.aside,
            "prior_bits": round(work.prior, 2),
            "weights": self.weights.words,
            "linked_groups": len(proposal.finds),
            "watches": {
                "set": len(strong),
                "fired": sum(bool(watch.fired) for watch in strong),
                "innocent_hits": sum(len(watch.innocent) for watch in strong),
            },
        }

    def _run_row(self, run: str, summary: Mapping[str, Any]) -> pa.Table:
        settings = json.dumps(dict(self.ws.settings), sort_keys=True, default=str)
        return tables.RUNS.rows(
            [
                {
                    "id": run, "data_version": self.version, "started": self._started, "settings": settings,
                    "seed": self.seed, "code": _code(), "summary": json.dumps(summary, sort_keys=True),
                }
            ]
        )  # fmt: skip


class _Written(NamedTuple):
    """Concern by account, what each text adds to it, and what each text says by itself."""

    concern: pa.Table
    added: pa.Table
    telling: pa.Table


_COLUMNS = (
    "id", "account", "level", "key", "tenant", "conversation", "time", "channel", "prompt", "system", "output", "outcome",
)  # fmt: skip


def _code() -> str:
    try:
        return version("backlight")
    except PackageNotFoundError:
        return "0"


def _run_id(hasher: Hasher, data_version: int, seed: int) -> str:
    return f"run-{hasher.id('run', f'{data_version}:{seed}:{_code()}'):016x}"[:14]


def _now(name: str) -> ir.Table:
    """A table as it will be once this run is stored; `_Investigation.run` binds it."""
    columns = tables.TABLES[name].unbound().schema()
    return ibis.table(columns, name=f"{name}_now")


# --- texts -------------------------------------------------------------------------------------------------------


def _described(ws: Workspace) -> tuple[pa.Table, pa.Table, dict[str, pa.Table]]:
    """All texts and entities, those new to this version of the code described now; and the tables to write, if any."""
    from backlight.signals import VERSION, describe

    texts, entities = ws.run("texts", ws.table("texts")), ws.run("entities", ws.table("entities"))
    current = pc.equal(texts["version"], VERSION)
    kept = texts.filter(current)
    wanted = _undescribed(ws, kept)
    if not wanted and kept.num_rows == texts.num_rows:
        return texts, entities, {}
    new_texts, new_entities = describe(_open(ws, wanted), ws.hasher)
    named = entities.filter(pc.is_in(entities["text"], kept["text"]))
    texts, entities = pa.concat_tables([kept, new_texts]), pa.concat_tables([named, new_entities])
    return texts, entities, {"texts": texts, "entities": entities}


def _undescribed(ws: Workspace, described: pa.Table) -> dict[int, dict[int, str]]:
    """Interaction -> text -> role of texts that have no facts yet; each text once, as a prompt if it ever was one."""
    known = ws.engine.bind("described", described.select(["text"]))
    interactions = ws.table("interactions")
    best: dict[int, tuple[int, int]] = {}
    for rank, role in enumerate(_ROLES):
        held = interactions.filter(interactions[role].notnull())
        first = held.group_by(text=held[role]).agg(id=held.id.min())
        fresh = ws.run("undescribed", first.anti_join(known, "text"))
        for text, row in zip(fresh["text"].to_pylist(), fresh["id"].to_pylist(), strict=True):
            best.setdefault(text, (rank, row))
    wanted: dict[int, dict[int, str]] = defaultdict(dict)
    for text, (rank, row) in best.items():
        wanted[row][text] = _ROLES[rank]
    return dict(wanted)


def _open(ws: Workspace, wanted: Mapping[int, Mapping[int, str]]) -> Iterator[tuple[int, bytes, str, str]]:
    """(text id, digest, role, text), in memory only."""
    if not wanted:
        return
    for turn in ws.turns(pa.array(sorted(wanted), pa.int64())):
        roles = {role: text for text, role in wanted[turn.id].items()}
        for role, body in (("prompt", turn.prompt), ("system", turn.system), ("output", turn.output)):
            if role in roles and body is not None:
                yield roles[role], ws.hasher.digest("text", body), role, body


def _readable(scorer: Scorer, languages: Mapping[int, str]) -> set[int]:
    """Texts in a language that the scorer knows; others stay without a score, and coverage of the run says how many."""
    from backlight.signals.embed import LANGUAGES

    if scorer.name != "embedding":
        return set(languages)
    return {text for text, language in languages.items() if language in LANGUAGES or language == "und"}


def _prompts(ws: Workspace, wanted: set[int]) -> Iterator[tuple[int, str, str, str | None]]:
    """(text id, role, instruction, document) of prompts, in memory only."""
    from backlight.signals import split_document

    if not wanted:
        return
    interactions = ws.table("interactions")
    texts = ws.engine.bind("unscored", pa.table({"text": pa.array(sorted(wanted), pa.int64())}))
    held = interactions.inner_join(texts, interactions.prompt == texts.text)
    first = ws.run("unscored", held.group_by("text").agg(id=held.id.min()))
    of = dict(zip(first["id"].to_pylist(), first["text"].to_pylist(), strict=True))
    for turn in ws.turns(first["id"].combine_chunks()):
        if turn.prompt is not None:
            split = split_document(turn.prompt)
            yield of[turn.id], "prompt", split.instruction, split.document


def _outputs(ws: Workspace, interactions: pa.Table, texts: pa.Table) -> Iterator[wild.Output]:
    """Answers that were given to accounts, decrypted one batch at a time."""
    languages = dict(zip(texts["text"].to_pylist(), texts["language"].to_pylist(), strict=True))
    given = interactions.filter(pc.and_(pc.is_valid(interactions["output"]), pc.is_valid(interactions["account"])))
    if not given.num_rows:
        return
    rows = given.select(["id", "account", "conversation", "time", "output"]).to_pylist()
    of = {row["id"]: row for row in rows}
    for turn in ws.turns(given["id"].combine_chunks()):
        row = of.get(turn.id)
        if row is None or turn.output is None:
            continue
        day = row["time"].toordinal() if row["time"] is not None else 0
        language = languages.get(row["output"]) or "und"
        yield wild.Output(turn.id, row["account"], row["time"], row["conversation"] or day, turn.output, language)


# --- facts -------------------------------------------------------------------------------------------------------


def _languages(ws: Workspace, interactions: ir.Table) -> tuple[dict[str, int], dict[int, str]]:
    """Accounts that wrote in each language; and the language of what prompts show, where it is one."""
    texts, entities = _now("texts"), _now("entities")
    prompts = texts.filter((texts.role == "prompt") & (texts.language != "und"))
    asked = interactions.filter(interactions.account.notnull()).select("account", text=interactions.prompt).distinct()
    wrote = asked.inner_join(prompts.select("text", "language"), "text")
    count = ws.run("speakers", wrote.group_by("language").agg(n=wrote.account.nunique()))
    shown = [prompts.select("language", object=prompts[name]) for name in ("exact", "skeleton", "document")]
    shown.append(entities.inner_join(prompts.select("text", "language"), "text").select("language", "object"))
    everything = ibis.union(*shown).filter(lambda t: t.object.notnull())
    told = everything.group_by("object").agg(language=everything.language.max(), n=everything.language.nunique())
    found = ws.run("languages", told.filter(told.n == 1)).to_pydict()
    return (
        dict(zip(count["language"].to_pylist(), count["n"].to_pylist(), strict=True)),
        dict(zip(found["object"], found["language"], strict=True)),
    )


def _named(ws: Workspace, interactions: ir.Table) -> tuple[dict[int, dict[int, str]], dict[int, frozenset[int]]]:
    """What prompts name that no crowd names, pasted documents included: prompt -> object -> kind; object -> accounts."""
    texts = _now("texts")
    documents = texts.filter(texts.document.notnull()).select("text", object=texts.document, kind=ibis.literal("document"))
    mentions = _now("entities").select("text", "object", "kind").union(documents).distinct()
    held = interactions.filter(interactions.account.notnull() & interactions.prompt.notnull())
    joined = held.select("account", text=held.prompt).distinct().inner_join(mentions, "text")
    count = joined.group_by("object").agg(n=joined.account.nunique())
    rare = joined.inner_join(count.filter(count.n <= CROWD), "object").select("text", "object", "kind", "account")
    named: dict[int, dict[int, str]] = defaultdict(dict)
    holders: dict[int, set[int]] = defaultdict(set)
    columns = ws.run("rare things", rare.order_by("text", "object", "kind", "account")).to_pydict()
    for text, thing, kind, account in zip(*(columns[name] for name in ("text", "object", "kind", "account")), strict=True):
        named[text].setdefault(thing, kind)
        holders[thing].add(account)
    return dict(named), {thing: frozenset(accounts) for thing, accounts in holders.items()}


def _posted(posts: pa.Table, sought: frozenset[int], hasher: Hasher) -> dict[int, dict[int, datetime]]:
    """Of the things that prompts name: which platform accounts posted each, with the time of their first."""
    from backlight.signals import entities_of_post, slogan_candidates

    found: dict[int, dict[int, datetime]] = defaultdict(dict)
    columns = ("author", "time", "text", "hashtags", "urls")
    for post in posts.select(columns).to_pylist() if sought else ():
        if post["time"] is None:
            continue
        text = post["text"] or ""
        named = {hasher.id(one.kind, one.value) for one in entities_of_post(text, post["hashtags"], post["urls"] or ())}
        named |= {hasher.id("slogan", joined) for joined in slogan_candidates(text)}
        for thing in named & sought:
            first = found[thing].get(post["author"])
            if first is None or post["time"] < first:
                found[thing][post["author"]] = post["time"]
    return {thing: dict(sorted(authors.items())) for thing, authors in sorted(found.items())}


def _coverage(ws: Workspace) -> dict[str, Any]:
    """Coverage of the whole workspace."""
    from backlight.sources import FORMATS

    interactions, identifiers = ws.table("interactions"), ws.table("identifiers")
    held = {
        name: interactions[name].count() for name in ("account", "prompt", "output", "time", "key", "tenant", "conversation")
    }
    row = ws.run("coverage", interactions.aggregate(rows=interactions.count(), **held)).to_pylist()[0]
    coverage = Coverage()
    coverage.add({name: int(value) for name, value in row.items()})
    coverage.add({"posts": int(ws.run("posts", ws.table("posts").aggregate(n=ws.table("posts").count()))["n"][0].as_py())})
    for level in ws.run("levels", interactions.group_by("level").agg(n=interactions.count())).to_pylist():
        coverage.add(
            {f"level:{level['level']}": level["n"]} | ({"end_user": level["n"]} if level["level"] == "end_user" else {})
        )
    for kind in ("address", "user_agent"):
        own = identifiers.filter(identifiers.kind == kind).select("account").distinct()
        some = interactions.semi_join(own, "account")
        coverage.add({kind: int(ws.run("coverage", some.aggregate(n=some.count()))["n"][0].as_py())})
    for source in ws.run("sources", interactions.select("source").distinct())["source"].to_pylist():
        if source in FORMATS:
            coverage.expect(FORMATS[source].gives)
    return coverage.as_dict()


# --- reading back ------------------------------------------------------------------------------------------------


def _newest(ws: Workspace) -> dict[str, Any] | None:
    rows = ws.run("runs", ws.table("runs")).to_pylist()
    return max(rows, key=lambda row: (row["started"], row["id"])) if rows else None


def _last(ws: Workspace) -> dict[str, Any]:
    newest = _newest(ws)
    if newest is None:
        raise StoreError("there is no investigation yet", "a run of `backlight investigate`", "Run it, then ask again")
    return newest


def newest_run(ws: Workspace) -> str:
    """Id of the newest investigation.

    Raises:
        StoreError: there is none yet.
    """
    return str(_last(ws)["id"])


def candidates_document(ws: Workspace, *, dismissed: bool = False) -> dict[str, Any]:
    """The newest investigation as `candidates --json` prints it, schema backlight/candidates@1.

    Args:
        ws: the workspace.
        dismissed: list dismissed candidates too.

    Raises:
        StoreError: there is no investigation yet.
    """
    run = _last(ws)
    entries = [entry for entry in _ledger.read(ws.run("ledger", ws.table("candidates")).to_pylist()) if entry.run == run["id"]]
    shown = [
        {"id": entry.id, "status": entry.status, **entry.body} | ({"lineage": dict(entry.lineage)} if entry.lineage else {})
        for entry in entries
        if entry.kind == "candidate" and (dismissed or entry.status != "dismissed")
    ]
    shown.sort(key=lambda one: (-(one["tie_bits"] + one["concern"]), one["id"]))
    cohorts = [{"id": entry.id, **entry.body} for entry in entries if entry.kind == "cohort"]
    flags = [_flag(row) for row in ws.run("flags", ws.table("flags")).to_pylist()]
    found = _groups(ws)
    return {
        "schema": "backlight/candidates@1",
        "data_version": run["data_version"],
        "candidates": shown,
        "flags": sorted(flags, key=lambda flag: str(flag["id"])),
        "cohorts": sorted(cohorts, key=lambda one: (-one["size"], one["id"])),
        "groups": found,
        "counts": {"candidates": len(shown), "flags": len(flags), "cohorts": len(cohorts), "groups": len(found)},
    }


def _flag(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "account": tables.show_id("key" if row["reason"] == "pool" else "account", row["account"]),
        "reason": row["reason"],
        "behaviours": row["behaviours"] or [],
        "first": row["first"].isoformat() if row["first"] else None,
        "last": row["last"].isoformat() if row["last"] else None,
        "rows": [tables.show_id("interaction", one) for one in row["rows"] or ()],
    }


def _groups(ws: Workspace) -> list[dict[str, Any]]:
    table = ws.table("groups")
    found: dict[str, dict[str, Any]] = {}
    for row in ws.run("groups", table.filter(table.kind == "coordinated")).to_pylist():
        actors = [tables.show_id("platform", actor) for actor in sorted(row["actors"])]
        one = found.setdefault(row["id"], {"id": row["id"], "actors": actors, "layers": [], "beyond": row["beyond"]})
        one["layers"] = sorted({*one["layers"], row["layer"]})
    return sorted(found.values(), key=lambda one: (-len(one["actors"]), one["id"]))


def show(ws: Workspace, which: str) -> dict[str, Any]:
    """One candidate, cohort, flag, group or account.

    Raises:
        RequestError: there is nothing of that id.
        StoreError: there is no investigation yet.
    """
    document = candidates_document(ws, dismissed=True)
    for kind in ("candidates", "flags", "cohorts", "groups"):
        for one in document[kind]:
            if one["id"] == which:
                return dict(one)
    account = _account(which, "account", "platform")
    links = ws.table("links")
    rows = ws.run("links", links.filter((links.a == account) | (links.b == account))).to_pylist()
    inside = [one["id"] for one in document["candidates"] if any(m["account"] == which for m in one["members"])]
    flags = [one for one in document["flags"] if one["account"] == which]
    best = sorted(rows, key=lambda row: (-row["tie_bits"], row["layer"], row["a"], row["b"]))[:20]
    kind = "platform" if which.startswith("plt-") else "account"
    linked = [
        {
            "other": tables.show_id(kind, row["b"] if row["a"] == account else row["a"]),
            "layer": row["layer"],
            "tie_bits": round(row["tie_bits"], 2),
            "q": row["q"],
        }
        for row in best
    ]
    return {"account": which, "candidates": inside, "flags": flags, "links": linked, "signals": _signals_of(ws, account)}


def _signals_of(ws: Workspace, account: int) -> dict[str, float]:
    signals = ws.table("signals")
    rows = ws.run("signals", signals.filter((signals.subject_kind == "account") & (signals.subject == account))).to_pylist()
    return {row["signal"]: round(row["value"], 3) for row in sorted(rows, key=lambda row: row["signal"])}


def _account(shown: str, *kinds: str) -> int:
    try:
        kind, number = tables.parse_id(shown)
    except ValueError as error:
        raise RequestError(f"there is nothing with the id {shown!r}", "an id of `backlight candidates`, or acc-...") from error
    if kind not in kinds:
        raise RequestError(f"{shown} is an id of kind {kind}", f"one of kind {' or '.join(kinds)}")
    return number


def why(ws: Workspace, a: str, b: str) -> dict[str, Any]:
    """Why two accounts are linked: each layer with its bits, p, q, evidence and other holders; the best innocent explanation.

    Raises:
        RequestError: one of them is no account.
    """
    kinds = {shown.partition("-")[0] for shown in (a, b)}
    if len(kinds) > 1:
        raise RequestError(f"{a} and {b} are of two kinds", "two accounts, or two platform accounts")
    one, other = sorted(_account(shown, "account", "platform") for shown in (a, b))
    links, acts = ws.table("links"), ws.table("actions")
    rows = ws.run("links", links.filter((links.a == one) & (links.b == other))).to_pylist()
    objects = sorted({thing for row in rows for thing in row["evidence"]})
    held = acts.filter(acts.object.isin(objects)) if objects else acts.limit(0)
    counted = held.group_by(["layer", "object"]).agg(actors=held.actor.nunique())
    others = {(row["layer"], row["object"]): row["actors"] - 2 for row in ws.run("holders", counted).to_pylist()}
    own = held.filter(held.actor.isin([one, other]) & held.row.notnull())
    shows: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in ws.run("rows", own.select("layer", "object", "row").distinct().order_by("row")).to_pylist():
        shows[row["layer"], row["object"]].append(row["row"])
    rows.sort(key=lambda row: (-row["tie_bits"], row["layer"]))
    row_kind = "interaction" if kinds == {"acc"} else "post"
    return {
        "a": a,
        "b": b,
        "tie_bits": round(sum(row["tie_bits"] for row in rows), 2),
        "contrast_bits": round(sum(row["contrast_bits"] for row in rows), 2),
        "prior_bits": _prior_of(ws),
        "links": [_why_layer(row, others, shows, row_kind) for row in rows],
        "innocent_explanation": rows[0]["explanation"] if rows else "They share nothing that was kept.",
        "weights": weigh.load_weights().words,
    }


def _prior_of(ws: Workspace) -> float | None:
    newest = _newest(ws)
    prior: float | None = json.loads(newest["summary"]).get("prior_bits") if newest else None
    return prior


def _why_layer(
    row: Mapping[str, Any],
    others: Mapping[tuple[str, int], int],
    shows: Mapping[tuple[str, int], Iterable[int]],
    row_kind: str,
) -> dict[str, Any]:
    layer = row["layer"]
    return {
        "family": row["family"],
        "layer": layer,
        "about": tables.LAYERS[layer].about,
        "tie_bits": round(row["tie_bits"], 2),
        "contrast_bits": round(row["contrast_bits"], 2),
        "objects": row["objects"],
        "p": row["p"],
        "q": row["q"],
        "null": row["null_model"],
        "evidence": [
            {
                "object": tables.show_id("object", thing),
                "others_who_hold_it": others.get((layer, thing), 0),
                "rows": [tables.show_id(row_kind, one) for one in list(shows.get((layer, thing), ()))[:6]],
            }
            for thing in row["evidence"][:10]
        ],
    }
