"""What a candidate says about itself: evidence in plain words, what speaks against it, and what would change the judgement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backlight import tables
from backlight.links.turns import PAPERS, Turn
from backlight.signals.concern import REFUSED

if TYPE_CHECKING:
    from backlight.candidates import Facts, Find

_ROWS = 8
_KIND_SHARE = 0.2
_NOTHING_ELSE = "No innocent explanation was found that covers what they share; that is not the same as none."


def document(find: Find, facts: Facts, read: Sequence[Turn]) -> dict[str, Any]:
    """The document of a candidate, as `candidates --json` prints it, but for its id and status.

    Args:
        find: the group or account.
        facts: what the rule looked at.
        read: the few turns a person must read, strongest first.
    """
    evidence = [*_tie_evidence(find, facts), *_wild_evidence(find, facts), *_item_evidence(find), *_text_evidence(find, facts)]
    rows = [row for one in evidence for row in one["rows"]]
    times = _times([*rows, *(turn.id for turn in read)], facts)
    platform = sorted({match["author"] for member in find.core for match in facts.counting.get(member, ())})
    families = sorted(name for name, bits in find.ties.families.items() if bits >= 1.0)
    if platform and "wild" not in families:
        families = sorted({*families, "wild"})
    if not find.ties.families and "what" not in families:
        families = sorted({*families, "what"})
    return {
        "kind": kinds(find, facts),
        "members": [*_members(find, facts, "core"), *_members(find, facts, "associated")],
        "platform_accounts": [tables.show_id("platform", author) for author in platform],
        "families": families,
        "family_bits": {name: round(bits, 2) for name, bits in sorted(find.ties.families.items())},
        "prior_bits": round(facts.prior, 2),
        "tie_bits": round(find.ties.bits, 2),
        "contrast_bits": round(sum(find.ties.contrast.values()), 2),
        "concern": round(find.concern, 2),
        "work": find.work.figures,
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
        "turns_to_read": [tables.show_id("interaction", turn.id) for turn in read],
        "evidence": [one | {"rows": [_shown(row, facts) for row in one["rows"]]} for one in evidence],
        "against": list(_against(find, facts)),
        "innocent_explanation": _innocent(find, facts),
        "would_change": _would_change(find, facts, read),
    }


def kinds(find: Find, facts: Facts) -> list[str]:
    """Typology: what the core members' behaviours belong to, each that carries a fifth of their bits, strongest first."""
    weight: dict[str, float] = defaultdict(float)
    for member in find.core:
        for name, bits in facts.concern[member].behaviours.items() if member in facts.concern else ():
            for kind in getattr(facts.behaviours.get(name), "typology", ()):
                weight[kind] += max(bits, 0.0)
    total = sum(weight.values())
    return [
        kind for kind in sorted(weight, key=lambda kind: (-weight[kind], kind)) if total and weight[kind] >= _KIND_SHARE * total
    ]


def _members(find: Find, facts: Facts, part: str) -> Iterator[dict[str, Any]]:
    for member in find.core if part == "core" else find.associated:
        concern = facts.concern.get(member)
        named = concern.behaviours if concern else {}
        ties = find.ties.of(member) if member in find.ties.best else _outside_ties(member, find, facts)
        yield {
            "account": tables.show_id("account", member),
            "member": part,
            "tie_bits": round(ties, 2),
            "concern": round(concern.bits if concern else 0.0, 2),
            "behaviours": [name for name in sorted(named, key=lambda name: (-named[name], name)) if named[name] > 0],
        }


def _outside_ties(member: int, find: Find, facts: Facts) -> float:
    """Tie bits of an associated member from outside the ring: its best tie to a core member in each family, summed."""
    best: dict[str, float] = {}
    for other in find.core:
        pair = facts.weighed.get((min(member, other), max(member, other)))
        for family, bits in pair.families.items() if pair else ():
            best[family] = max(best.get(family, 0.0), bits)
    return sum(best.values())


def _shown(row: int, facts: Facts) -> str:
    return tables.show_id("interaction" if row in facts.turn else "post", row)


def _times(rows: Iterable[int], facts: Facts) -> list[str]:
    times = {turn.time for row in rows if (turn := facts.turn.get(row)) is not None and turn.time is not None}
    return [time.isoformat() for time in sorted(times)]


# --- evidence ----------------------------------------------------------------------------------------------------


def _tie_evidence(find: Find, facts: Facts) -> Iterator[dict[str, Any]]:
    """For each layer: bits it gives to the mean member's best ties, who shares how many objects, who else holds them."""
    bits: dict[str, float] = defaultdict(float)
    objects: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for member, best in find.ties.best.items():
        for family, (partner, _) in best.items():
            pair = facts.weighed[min(member, partner), max(member, partner)]
            for layer, part in pair.layers.items():
                if tables.LAYERS[layer].family == family:
                    bits[layer] += part / len(find.members)
            for tie in pair.shared:
                if tables.LAYERS[tie.layer].family == family:
                    objects[tie.layer][tie.object] |= {member, partner}
    for layer in sorted(bits, key=lambda layer: (-bits[layer], layer)):
        family = tables.LAYERS[layer].family
        rows = _rows_of(objects[layer], layer, facts)
        yield _evidence(family, layer, bits[layer], _tie_words(find, layer, objects[layer], facts), rows)


def _tie_words(find: Find, layer: str, objects: Mapping[int, set[int]], facts: Facts) -> str:
    about = tables.LAYERS[layer].about
    if layer == "hours":
        with_hours = sum("when" in best for best in find.ties.best.values())
        return f"{with_hours} of {len(find.members)} accounts were {about}, compared with random pairs of accounts (UTC)"
    sharing = set().union(*objects.values()) if objects else set()
    holders = [facts.evidence.holders.get((layer, thing), frozenset()) for thing in objects]
    outside = len(frozenset().union(*holders) - set(find.members)) if holders else 0
    count = "one object" if len(objects) == 1 else f"{len(objects)} objects"
    known = facts.evidence.population.get(layer, 0)
    return f"{len(sharing)} of {len(find.members)} accounts {about} ({count}); so did {outside} of {known} other accounts"


def _rows_of(objects: Mapping[int, set[int]], layer: str, facts: Facts) -> list[int]:
    """A few rows that show a layer, spread over accounts."""
    by_member: dict[int, list[int]] = defaultdict(list)
    for thing in sorted(objects, key=lambda thing: (-len(objects[thing]), thing)):
        for member in sorted(objects[thing]):
            rows = facts.evidence.rows.get((member, layer, thing), frozenset())
            by_member[member] += sorted(rows)[:1]
    chosen: list[int] = []
    for depth in range(3):
        for member in sorted(by_member):
            if len(by_member[member]) > depth and by_member[member][depth] not in chosen and len(chosen) < _ROWS:
                chosen.append(by_member[member][depth])
    return chosen


def _wild_evidence(find: Find, facts: Facts) -> Iterator[dict[str, Any]]:
    matches = [match for member in find.core for match in facts.counting.get(member, ())]
    if not matches:
        return
    authors = {match["author"] for match in matches}
    posts = {match["post"] for match in matches}
    edits: dict[str, int] = defaultdict(int)
    for match in matches:
        edits[match["edit"]] += 1
    said = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in sorted(edits.items(), key=lambda one: (-one[1], one[0])))
    gaps = sorted(match["time"] - match["asked"] for match in matches if match["time"] and match["asked"])
    after = f", {_span(gaps[len(gaps) // 2])} later at the median" if gaps else ""
    worst = max(match["p"] for match in matches)
    words = (
        f"Outputs of {len({match['account'] for match in matches})} accounts stand in {len(posts)} posts of {len(authors)} "
        f"platform accounts{after} ({said}); chance of such a set among other accounts' outputs: at most {worst:.2g}"
    )
    rows = list(dict.fromkeys(match["interaction"] for match in matches))[: _ROWS // 2]
    yield _evidence("wild", "wild_output", 0.0, words, [*rows, *sorted(posts)[: _ROWS // 2]])


def _span(gap: Any) -> str:
    hours = gap.total_seconds() / 3600
    return f"{hours * 60:.0f} minutes" if hours < 2 else (f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days")


def _item_evidence(find: Find) -> Iterator[dict[str, Any]]:
    for item in find.items:
        family, layer = (
            ("wild", "wild_output") if item.kind == "wild" else ("what", "document" if item.kind == "paper" else "entity")
        )
        when = f" ({item.turn.time:%Y-%m-%d})" if item.turn.time else ""
        yield _evidence(family, layer, 0.0, f"Hard item: the account {item.statement}{when}", [item.turn.id])


def _text_evidence(find: Find, facts: Facts) -> Iterator[dict[str, Any]]:
    names: dict[str, int] = defaultdict(int)
    for member in find.core:
        for name, bits in facts.concern[member].behaviours.items() if member in facts.concern else ():
            names[name] += bits > 0
    top = sorted((name for name, n in names.items() if n), key=lambda name: (-names[name], name))[:4]
    said = "; ".join(f"{names[name]} of {len(find.core)}: {_name(name, facts)}" for name in top)
    rows = [row for member in find.core for row in (facts.concern[member].rows[:1] if member in facts.concern else ())][:_ROWS]
    tested = f", beyond chance (q = {find.q:.2g})" if len(find.members) > 1 else ""
    own = f"{len(find.own)} of {len(find.members)} accounts have own concern"
    if find.items:
        yield from _matter_evidence(find)
        own = "the account has own concern" + ("" if facts.own(find.core[0]) else ", by what it says of this matter")
    words = f"{own}; together {find.concern:.1f} bits{tested}" + (f". {said}" if said else "")
    if find.work.tells:
        yield _evidence("what", "behaviours", 0.0, _work_words(find, facts), [turn.id for turn in find.work.turns[:_ROWS]])
    yield _evidence("what", "behaviours", 0.0, words, rows)


def _matter_evidence(find: Find) -> Iterator[dict[str, Any]]:
    if find.work.bits:
        words = (
            f"Of {find.work.said} distinct things that the account said of what its hard items name, {len(find.work.bits)} "
            f"tell of an operator: {find.work.acts:.1f} bits"
        )
        refused = f"; the model refused such a request too, which counts {REFUSED:.0f} bits more" * find.work.refused
        yield _evidence("what", "behaviours", 0.0, words + refused, [turn.id for turn in find.work.turns[:_ROWS]])


def _work_words(find: Find, facts: Facts) -> str:
    return (
        f"Of {find.work.said} distinct things that members said around what ties them, {len(find.work.bits)} tell of an "
        f"operator and no innocent role explains them; of all texts of the workspace {facts.ordinary:.0%} do "
        f"(p = {find.work.p:.2g}). All of it says {find.work.net:.2f} bits a thing more for an operator than for any one role"
    )


def _name(behaviour: str, facts: Facts) -> str:
    known = facts.behaviours.get(behaviour)
    return f"{behaviour} {known.name}" if known is not None else behaviour


def _evidence(family: str, layer: str, bits: float, statement: str, rows: Sequence[int]) -> dict[str, Any]:
    return {"family": family, "layer": layer, "bits": round(bits, 2), "statement": statement, "rows": list(rows)}


# --- against -----------------------------------------------------------------------------------------------------


def _against(find: Find, facts: Facts) -> Iterator[str]:
    quiet = len(find.members) - len(find.own)
    if quiet and len(find.members) > 1:
        yield f"{quiet} of {len(find.members)} linked accounts have no concern of their own."
    turns = [turn for member in find.core for turn in facts.turns.get(member, ())]
    told = sum(turn.mass > 0 for turn in turns)
    if turns:
        yield f"{len(turns) - told} of {len(turns)} turns of the core accounts show no behaviour at all."
    if find.work.tells:
        yield (
            f"Of what they say around what ties them, {find.work.works:.1f} bits fit one innocent role, "
            f"{find.work.acts:.1f} an operator."
        )
    if find.items and find.work.works:
        fit = f"{find.work.works:.1f} bits fit one innocent role, {find.work.acts:.1f} an operator"
        yield f"Of what it says of the matter, {fit}."
    if find.items and not facts.own(find.core[0]):
        yield "All that the account wrote, taken together, gives it no own concern; only what it says of this matter does."
    strong = {name for name, bits in find.ties.families.items() if bits >= facts.weights.strong_bits}
    if "where" in strong:
        yield "They share a place, as an office or a household does."
    if "when" in strong:
        yield "They keep the same hours, as colleagues do."
    if "pays" in strong:
        yield "They share a means of payment or sign-up, as a team on one contract does."
    if find.rank[1] > 1:
        yield f"Among {find.rank[1]} linked groups, its concern per member ranks {find.rank[0]}."
    if not any(facts.counting.get(member) for member in find.core):
        yield (
            "Nothing they were given was found in the posts that were read."
            if facts.posts
            else "No posts were read, so nothing shows that anything was published."
        )
    innocent = sum(len(watch.innocent) for watch in find.watches)
    if innocent:
        yield f"{innocent} later turn{'s' * (innocent > 1)} met a watch without the operator's voice."
    papers = [turn for turn in turns if turn.paper > 0]
    if papers:
        yield f"Papers ({', '.join(PAPERS)}) were not counted as concern: a leaked paper reads like an operator's."
    yield f"Concern is a machine's score of texts, not a reading of them; {facts.weights.words}."


def _innocent(find: Find, facts: Facts) -> str:
    if len(find.members) == 1:
        return (
            "One person who studies, reports or is the target of such an operation, or writes fiction about it, and came "
            "back to the subject after a refusal; nothing in the account's ties was weighed."
        )
    if not find.ties.explanation:
        return _NOTHING_ELSE
    left = sum(find.ties.contrast.values())
    words = find.ties.explanation[0].upper() + find.ties.explanation[1:]
    return f"{words}. Against it {left:.1f} of {find.ties.bits:.1f} bits are left."


def _would_change(find: Find, facts: Facts, read: Sequence[Turn]) -> str:
    count = f"the {len(read)} turns to read" if len(read) != 1 else "the one turn to read"
    words = [f"A person who reads {count} and finds that nobody is deceived."]
    if len(find.members) > 1:
        words.append("An owner who declares the accounts and the work as theirs.")
    names: dict[str, float] = defaultdict(float)
    for member in find.core:
        for name, bits in facts.concern[member].behaviours.items() if member in facts.concern else ():
            names[name] += bits
    top = min(names, key=lambda name: (-names[name], name)) if names else ""
    known = getattr(facts.behaviours.get(top), "what_would_change", "")
    if known:
        words.append(f"For {top}: {known}")
    return " ".join(words)


def when(value: datetime | None) -> str | None:
    """A time as documents print it."""
    return value.isoformat() if value is not None else None
