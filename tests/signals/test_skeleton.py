"""The workflow fingerprint: one template with other fill-ins agrees, two tasks do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.signals.skeleton import MASK, skeleton

NAMES = st.sampled_from(
    ["Anna Example", "Boris Vane", "Carla de la Marsh", "Dov Quillfeather", "Ewa O'Tarn", "Green Harbor Rising"]
)
NUMBERS = st.one_of(st.integers(2, 9_999).map(str), st.sampled_from(["1,200", "3.5", "2027-04-01"]))
LINKS = st.sampled_from(
    ["https://site.example/a", "www.other.example/b?c=1", "@harbor_club", "#AutumnMarket", "ana@site.example"]
)
QUOTES = st.sampled_from(['"lights by the river"', "“a warm evening for all”", "«огни у реки»", "'lanterns'"])

TEMPLATES = [
    "Write {n} short comments that praise {who} in the voice of a neighbour and end each one with {link}.",
    "Turn {q} into a cheerful notice for {who}, mention {n} stalls and add {link} at the end.",
    "Напиши {n} коротких комментариев, где сосед хвалит работу {who}, и добавь ссылку {link}.",
    "Escribe {n} comentarios breves donde un vecino elogia a {who} y termina con {link}.",
    "Rédige {n} commentaires brefs dans lesquels un voisin félicite {who} et termine par {link}.",
    "Tulis {n} komentar singkat di mana seorang tetangga memuji {who} dan akhiri dengan {link}.",
    "请以邻居的口吻写{n}条简短的评论，称赞{q}的工作，并在末尾加上 {link} 。",
    "近所の人の口調で{q}をほめる短いコメントを{n}件書き、最後に {link} を付けてください。",
    "اكتب {n} تعليقات قصيرة بصوت أحد الجيران يمدح فيها {q} واختم بالرابط {link} .",
]


@settings(deadline=None)
@given(
    st.sampled_from(TEMPLATES),
    st.tuples(NAMES, NAMES),
    st.tuples(NUMBERS, NUMBERS),
    st.tuples(LINKS, LINKS),
    st.tuples(QUOTES, QUOTES),
)
def test_one_template_with_other_fill_ins_agrees(
    template: str, who: tuple[str, str], n: tuple[str, str], link: tuple[str, str], q: tuple[str, str]
) -> None:
    """Names, numbers, links and quotations leave no trace."""
    one, other = (skeleton(template.format(who=who[k], n=n[k], link=link[k], q=q[k])) for k in (0, 1))
    assert one == other
    assert one is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("write seven warm notes about the market stalls", "write 12 warm notes about the market stalls"),
        ("напиши пять тёплых заметок про лавки на ярмарке к 3 мая", "напиши 12 тёплых заметок про лавки на ярмарке к 9 июня"),
        ("escribe siete notas breves sobre los puestos del lunes", "escribe 3 notas breves sobre los puestos del jueves"),
        ("tulis lima catatan singkat tentang kios pasar malam", "tulis 9 catatan singkat tentang kios pasar malam"),
    ],
)
def test_number_words_days_and_months_are_masked(one: str, other: str) -> None:
    """Written out or in digits."""
    assert skeleton(one) == skeleton(other) is not None


def test_two_templates_never_agree() -> None:
    """Nine templates give nine skeletons."""
    filled = [t.format(who="Anna Example", n="7", link="https://site.example/a", q='"lights"') for t in TEMPLATES]
    assert len({skeleton(text) for text in filled}) == len(TEMPLATES)


def test_reads_as_the_masked_instruction() -> None:
    """The form itself, worked out by hand."""
    found = skeleton('Write 5 warm comments about "Green Harbor" for Anna Example, see https://site.example/a')
    assert found == f"write {MASK} warm comments about {MASK} for {MASK} see {MASK}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("请为王明先生写五条支持的评论，语气像当地居民。", "请为欧阳锋先生写十二条支持的评论，语气像当地居民。"),
        ("田中さんを支えるコメントを5件書いてください。", "佐々木様を支えるコメントを十件書いてください。"),
        (
            "김민수 님을 지지하는 댓글을 5개 써 주세요. 주민의 말투로.",
            "박서연 님을 지지하는 댓글을 12개 써 주세요. 주민의 말투로.",
        ),
        ("Write a notice for Anna.\nKeep it warm and short.", "write a NOTICE for Boris,  keep it warm and short!"),
    ],
)
def test_names_before_an_honorific_and_case_and_space_are_folded(one: str, other: str) -> None:
    """East Asian names have no capitals; an honorific tells them."""
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "Write 5 posts",
        "Thanks, Anna!",
        "12 34 56 78 90",
        "请写五条",
        "and for the with that",
        '"all of it is quoted here"',
    ],
)
def test_too_little_has_no_skeleton(text: str) -> None:
    """Fewer than four words that say something about a task."""
    assert skeleton(text) is None


def test_german_nouns_are_not_names() -> None:
    """In German only two capitals in a row are a name, so other nouns make another skeleton."""
    one = skeleton("Schreibe einen kurzen Bericht über den Hafen und die Feuerwehr für Anna Muster.")
    other = skeleton("Schreibe einen kurzen Bericht über den Wald und die Bäckerei für Bert Beispiel.")
    assert one != other
    assert one == skeleton("Schreibe einen kurzen Bericht über den Hafen und die Feuerwehr für Bert Beispiel.")


def test_capitals_everywhere_tell_nothing() -> None:
    """A headline or shouting keeps its words."""
    assert skeleton("WRITE A SHORT STORY ABOUT FOXES") == "write a short story about foxes"
    assert skeleton("WRITE A SHORT STORY ABOUT FOXES") != skeleton("WRITE A SHORT STORY ABOUT OWLS")


@settings(deadline=None)
@given(st.text())
def test_any_text_is_masked_or_none(text: str) -> None:
    """No text raises, and a skeleton is folded: masking it again finds nothing in capitals."""
    found = skeleton(text)
    assert found is None or found == found.casefold()


@pytest.mark.parametrize("unit", ["a", "A ", "字", '"', "'", "1", "#", "{", "田中さん", "\u202e", "@a.b "])
def test_time_is_bounded(unit: str) -> None:
    """Only the first characters are read."""
    start = time.process_time()
    skeleton(unit * 1_000_000)
    assert time.process_time() - start < 2.0
