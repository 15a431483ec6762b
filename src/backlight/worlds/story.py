"""The story world: 30 days of an invented service with four planted operations and ten innocent groups that look odd.

Operations have the shape of published cases, decoys the shape of those who are accused by mistake. What it stands for
and what it does not is on the page `docs/method/worlds.md`.
"""

from __future__ import annotations

from pathlib import Path

from backlight.worlds import _write
from backlight.worlds._declare import Group, Stage, Summary, Task, Wiring, World

ALL = ("en", "zh", "ru", "es", "ja", "id", "ar", "fr")
_ABROAD = (9, 8, 8, 7, 4, 3, 1, -5, -6)
_EDITS = ("none", "lower", "dashes", "hashtag", "mention", "truncate")


def _members(*tongues: str, role: str = "member") -> tuple[dict[str, str], ...]:
    return tuple({role: tongue} for tongue in tongues)


OPERATIONS = (
    Group(
        name="plan",
        kind="operation",
        about="One account is refused a plan against an invented head of government and returns with its results.",
        roles={"planner": 1},
        tongues=tuple({"planner": own, "target": target} for own in ("zh", "ru") for target in ("es", "ja")),
        zones=_ABROAD,
        turns=20,
        spread=0.3,
        tasks=(
            Task("plan.ask", days=(4,), turns=(1, 1), refused=1.0),
            Task("plan.report", days=(18, 20, 23, 26), turns=(1, 2), texts=(2, 5)),
        ),
        stages=(Stage("square", 7, (14.5, 17), tongue="target", own=(3, 6), days=(15, 29), cover=(1, 4), followers=12),),
        facts=(("country", "place"), ("leader", "person"), ("slogan", "phrase:plan.slogan"), ("tag", "hashtag:slogan")),
    ),
    Group(
        name="romance",
        kind="operation",
        about="Supervisors and workers of an invented dating agency, in two languages, court targets in a third.",
        roles={"supervisor": 3, "worker": 9},
        tongues=tuple(
            {"supervisor": lead, "worker": staff, "target": target}
            for lead in ("zh", "ru")
            for staff in ("en", "es")
            for target in ("ja", "fr")
        ),
        zones=_ABROAD,
        turns=23,
        telling=0.24,
        tasks=(
            Task("rom.orders", 1.0, ("supervisor",), turns=(2, 4), lines="shift", other="worker"),
            Task("rom.coach", 1.6, ("supervisor",), turns=(1, 2), refused=0.15, texts=(3, 6)),
            Task("rom.tally", 1.6, ("supervisor",), turns=(1, 2), sheet=0.35, texts=(1, 4)),
            Task("rom.relay", 1.0, ("worker",), turns=(2, 5), lines="love", other="target"),
            Task("rom.script", 1.6, ("worker",), turns=(1, 2), refused=0.15, texts=(2, 4)),
            Task("rom.tally", 1.6, ("worker",), turns=(1, 2), sheet=0.35, texts=(1, 4)),
            Task("rom.page", 0.5, ("worker",), turns=(1, 2), texts=(2, 4)),
        ),
        wiring=Wiring(
            addresses=2, away=0.25, own=(2, 5), devices=5, device_share=0.7,
            payments=3, payment_share=0.75, rotate=16, mail=0.2,
        ),
        stages=(Stage("ads", 3, (-6, 3), tongue="target", own=(3, 5), days=(3, 29), cover=(1, 3), followers=60),),
        facts=(("firm", "brand"), ("link", "domain:firm+club"), ("mask", "person"), ("him", "person")),
    ),
    Group(
        name="farm",
        kind="operation",
        about="Five accounts whose single prompts give seven posts, which six platform accounts publish after edits.",
        roles={"writer": 5},
        tongues=tuple({"writer": own, "target": target} for own in ("en", "ru") for target in ("es", "fr")),
        zones=_ABROAD,
        turns=23,
        telling=0.25,
        tasks=(
            Task("farm.batch", 2.4, turns=(1, 2), sheet=0.4, other="target", stage="feeds"),
            Task("farm.slant", 1.0, turns=(1, 2), other="target", texts=(2, 5)),
            Task("farm.care", 1.0, turns=(1, 2), refused=0.2, texts=(2, 5)),
        ),
        wiring=Wiring(addresses=2, away=0.6, own=(2, 5), payments=2, payment_share=0.6),
        stages=(
            Stage(
                "feeds", 6, (-12, -4), tongue="target", cover=(2, 6), published=0.75, spread=0.08,
                delay=(0.2, 6), edits=_EDITS, followers=70,
            ),
        ),
        facts=(("spot", "place"), ("outlet", "brand")),
    ),
    Group(
        name="approach",
        kind="operation",
        about="Four accounts write to invented officials as a consultancy that does not exist.",
        roles={"writer": 4},
        tongues=_members("zh", "fr", "en", role="writer"),
        zones=_ABROAD,
        turns=23,
        telling=0.25,
        tasks=(
            Task("app.persona", 1.0, turns=(1, 2), other="en", texts=(1, 4)),
            Task("app.dossier", 1.0, turns=(1, 2), texts=(2, 5)),
            Task("app.letter", 1.6, turns=(1, 2), sheet=0.3, refused=0.12, other="en", texts=(1, 4)),
            Task("app.channel", 1.2, turns=(1, 2), refused=0.1, other="en", texts=(1, 4)),
        ),
        wiring=Wiring(addresses=2, away=0.7, own=(2, 5), devices=2, device_share=0.6, payments=2, payment_share=0.75),
        facts=(
            ("firm", "brand"), ("site", "domain:firm+advisory"), ("mask", "person"), ("land", "place"),
            ("official", "person"), ("official2", "person"), ("official3", "person"),
        ),
    ),
)  # fmt: skip

DECOYS = (
    Group(
        name="class",
        kind="decoy",
        about="A class with one assignment about rumours, pasted word for word, at one school address.",
        roles={"pupil": 30},
        tongues=_members("en", "fr", "ja", role="pupil"),
        hours=("school", "leisure"),
        turns=22,
        telling=0.2,
        tasks=(Task("class.essay", 1.0, turns=(1, 2), sheet=0.75, texts=(1, 2)), Task("class.help", 1.0)),
        wiring=Wiring(addresses=1, away=0.6, own=(2, 7), mail=0.8),
    ),
    Group(
        name="newsroom",
        kind="decoy",
        about="Reporters paste one leaked progress report of an influence operation to summarise, check and translate it.",
        roles={"reporter": 9},
        tongues=_members("en", "fr", "es", role="reporter"),
        turns=24,
        telling=0.27,
        tasks=(
            Task("news.check", 1.2, turns=(1, 2), sheet=0.3, refused=0.15, texts=(2, 5)),
            Task("news.work", 1.0),
        ),
        wiring=Wiring(addresses=1, away=0.35, payments=1, rotate=15, mail=0.9),
        stages=(Stage("seen", 4, (-9, -4), own=(2, 4), days=(0, 20), cover=(1, 3), followers=25),),
        facts=(
            ("tip_country", "place"), ("tip_leader", "person"), ("tip_slogan", "phrase:news.slogan"),
            ("tip_tag", "hashtag:tip_slogan"), ("leak", "phrase:news.leak"), ("firm", "brand"),
        ),
    ),
    Group(
        name="agency",
        kind="decoy",
        about="A translation agency: chains of segments back and forth for one confidential customer.",
        roles={"translator": 14},
        tongues=_members("en", "zh", "ru", role="translator"),
        hours=("office", "late"),
        turns=24,
        telling=0.38,
        tasks=(
            Task("agency.trade", 2.0, turns=(2, 5), lines="trade", sheet=0.3),
            Task("agency.sheet", 0.6, turns=(1, 1), lines="trade", texts=(1, 3)),
        ),
        wiring=Wiring(addresses=1, away=0.35, devices=6, device_share=0.5, payments=1, rotate=12, mail=0.8),
        facts=(("firm", "brand"), ("client", "brand")),
    ),
    Group(
        name="brand",
        kind="decoy",
        about="The team of a disclosed brand: many variants of one post, for its own and its partners' accounts.",
        roles={"marketer": 6},
        tongues=_members("es", "id", "en", role="marketer"),
        turns=24,
        telling=0.33,
        tasks=(
            Task("brand.posts", 1.6, turns=(1, 2), sheet=0.4, stage="shelf"),
            Task("brand.report", 1.0, turns=(1, 2)),
            Task("brand.reply", 1.0, turns=(1, 2)),
        ),
        wiring=Wiring(addresses=1, away=0.5, payments=1, rotate=12, mail=0.9),
        stages=(
            Stage(
                "shelf", 5, (-900, -60), cover=(1, 5), published=0.5, spread=0.35, delay=(0.5, 30),
                edits=("none", "none", "mention", "dashes", "truncate"), followers=900,
            ),
        ),
        facts=(("firm", "brand"), ("tagline", "phrase:brand.tagline"), ("tag", "hashtag:tagline")),
    ),
    Group(
        name="novelists",
        kind="decoy",
        about="Writers of novels with swindlers, spies and false profiles; strangers to each other.",
        roles={"writer": 8},
        tongues=_members("en", "fr", "ja", "ru", "es", "zh", role="writer"),
        mixed=True,
        turns=24,
        telling=0.35,
        tasks=(
            Task("novel.mask", 1.0, refused=0.06, answers="tale.answer", texts=(2, 5)),
            Task("novel.scene", 1.4, turns=(1, 3), refused=0.1, answers="tale.answer", texts=(3, 8)),
            Task("novel.work", 0.8),
        ),
        wiring=Wiring(own=(3, 7)),
        facts=(("mask", "person"), ("him", "person")),
    ),
    Group(
        name="researchers",
        kind="decoy",
        about="A university team codes collected public posts as evidence of covert campaigns.",
        roles={"researcher": 6},
        tongues=_members("en", "fr", role="researcher"),
        turns=24,
        telling=0.34,
        tasks=(Task("res.code", 1.4, turns=(1, 2), sheet=0.3, refused=0.06, texts=(2, 6)), Task("res.work", 1.0)),
        wiring=Wiring(addresses=1, away=0.5, rotate=14, mail=0.9),
        facts=(("firm", "brand"), ("study", "place"), ("studied", "phrase:res.slogan"), ("study_tag", "hashtag:studied")),
    ),
    Group(
        name="office",
        kind="decoy",
        about="An office behind one address, with diverse work and one bill.",
        roles={"clerk": 25},
        tongues=_members("en", "zh", "ar", "id", role="clerk"),
        hours=("office", "late"),
        zones=_ABROAD,
        turns=22,
        telling=0.3,
        tasks=(Task("office.work", 1.0, answers="email.answer", texts=(2, 5)),),
        wiring=Wiring(addresses=1, away=0.3, rotate=15, payments=1, mail=0.9),
        facts=(("firm", "brand"),),
    ),
    Group(
        name="support",
        kind="decoy",
        about="The support desk of a brand on one key: its customers are the end users, it replies as the brand.",
        roles={"customer": 40},
        tongues=_members("en", "es", "ja", "ar", role="customer"),
        hours=("leisure", "late", "office"),
        turns=20,
        telling=1.0,
        tasks=(Task("sup.ask", 1.0, turns=(1, 2), texts=(1, 3)),),
        wiring=Wiring(own=(3, 7)),
        pool=True,
        system="sup.system",
        facts=(("firm", "brand"),),
    ),
    Group(
        name="fans",
        kind="decoy",
        about="Fans of an idol push one hashtag and ask for cheerful posts, which they publish.",
        roles={"fan": 20},
        tongues=_members("id", "ja", "es", role="fan"),
        hours=("leisure", "late"),
        turns=22,
        telling=0.25,
        tasks=(Task("fans.cheer", 1.0, turns=(1, 2), sheet=0.2, stage="fans"),),
        wiring=Wiring(own=(3, 7)),
        stages=(
            Stage(
                "fans", 60, (-500, 12), own=(3, 7), days=(0, 30), cover=(1, 4), published=0.55, spread=0.3,
                delay=(0.1, 12), edits=("none", "none", "mention", "lower"), followers=90,
            ),
        ),
        facts=(("idol", "person"), ("fan_name", "phrase:fans.name"), ("idol_tag", "hashtag:fan_name")),
    ),
    Group(
        name="victims",
        kind="decoy",
        about="People who were approached by swindlers paste the messages and ask for help.",
        roles={"victim": 10},
        tongues=_members(*ALL, role="victim"),
        mixed=True,
        hours=("leisure", "late"),
        turns=22,
        telling=0.3,
        tasks=(Task("vic.ask", 1.0, turns=(1, 2), refused=0.05),),
        wiring=Wiring(own=(3, 7)),
    ),
)  # fmt: skip

BACKGROUND = (
    Group(
        name="single",
        kind="background",
        about="People with nothing in common.",
        roles={"member": 1},
        tongues=_members(*ALL, "en", "zh", "ru", "es"),
        many=212,
        turns=11,
        spread=0.6,
        telling=0,
    ),
    Group(
        name="household",
        kind="background",
        about="Families on one address, often with one card and a shared tablet.",
        roles={"member": 3},
        tongues=_members(*ALL),
        hours=("leisure",),
        many=25,
        turns=11,
        spread=0.6,
        telling=0,
        wiring=Wiring(addresses=1, away=0.3, devices=1, device_share=0.4, payments=1, payment_share=0.7),
    ),
    Group(
        name="workplace",
        kind="background",
        about="Small firms on one address.",
        roles={"member": 6},
        tongues=_members(*ALL),
        hours=("office",),
        many=8,
        turns=16,
        spread=0.5,
        telling=0.1,
        tasks=(Task("email", 1.0, sheet=0.2), Task("summary", 1.0, sheet=0.2)),
        wiring=Wiring(addresses=1, away=0.25, payments=1, payment_share=0.8, mail=0.7),
        facts=(("firm", "brand"),),
    ),
    Group(
        name="shopkeeper",
        kind="background",
        about="People with a market stall who publish captions that they asked for.",
        roles={"member": 1},
        tongues=_members(*ALL),
        many=20,
        turns=16,
        telling=0.2,
        tasks=(Task("caption", 1.0, stage="stall"),),
        stages=(
            Stage("stall", 1, (-800, -20), cover=(1, 4), published=0.8, delay=(0.1, 20), edits=("none", "none", "hashtag")),
        ),
    ),
    Group(
        name="couple",
        kind="background",
        about="Lovers who write to each other through translation.",
        roles={"member": 1},
        tongues=_members("en", "zh", "ru", "es", "ja", "fr"),
        hours=("leisure", "late"),
        many=14,
        turns=18,
        telling=0.4,
        tasks=(Task("couple.relay", 1.0, turns=(2, 5), lines="love"),),
    ),
    Group(
        name="app",
        kind="background",
        about="End users of a learner's app that runs on one key.",
        roles={"member": 22},
        tongues=_members("en", "es", "ru", "fr"),
        hours=("leisure",),
        many=2,
        turns=10,
        telling=0.4,
        tasks=(Task("grammar", 1.0, sheet=0.3), Task("translate", 1.0, lines="small")),
        pool=True,
    ),
)

STORY = World(
    name="story",
    about="600 accounts, 10,000 interactions, 4,000 posts, eight languages, 30 days: four operations and ten decoys.",
    groups=OPERATIONS + DECOYS + BACKGROUND,
    crowd=900,
    chatter=2900,
    trends=24,
)


def write(out: Path, *, seed: int = 0, size: float = 1.0) -> Summary:
    """Writes the story world into a folder; see `backlight.worlds.simulate`."""
    return _write.write(STORY, out, seed=seed, size=size)
