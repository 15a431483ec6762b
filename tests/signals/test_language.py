"""Language: tags, scripts, the family id, and what is too little to tell."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.signals.language import language, languages

SENTENCES = {
    "en": "The library opens an hour later on Saturday because of the autumn market.",
    "es": "La biblioteca abre una hora más tarde el sábado por el mercado de otoño.",
    "fr": "La bibliothèque ouvre une heure plus tard samedi à cause du marché d'automne.",
    "de": "Die Bücherei öffnet am Samstag wegen des Herbstmarkts eine Stunde später.",
    "pt": "A biblioteca abre uma hora mais tarde no sábado por causa da feira de outono.",
    "ru": "Библиотека откроется в субботу на час позже из-за осенней ярмарки.",
    "zh": "由于秋季集市，图书馆星期六晚开门一小时。",
    "ja": "秋の市場のため、図書館は土曜日に一時間遅く開きます。",
    "ko": "가을 장터 때문에 도서관은 토요일에 한 시간 늦게 문을 엽니다.",
    "id": "Perpustakaan buka satu jam lebih lambat pada hari Sabtu karena pasar musim gugur.",
    "ar": "تفتح المكتبة أبوابها متأخرة ساعة يوم السبت بسبب سوق الخريف.",
    "hi": "शरद मेले के कारण पुस्तकालय शनिवार को एक घंटे देर से खुलेगा।",
    "vi": "Thư viện mở cửa muộn một giờ vào thứ bảy vì phiên chợ mùa thu.",
    "th": "ห้องสมุดเปิดช้ากว่าเดิมหนึ่งชั่วโมงในวันเสาร์เพราะตลาดฤดูใบไม้ร่วง",
    "el": "Η βιβλιοθήκη ανοίγει μία ώρα αργότερα το Σάββατο λόγω της αγοράς.",
}


@pytest.mark.parametrize("tag", SENTENCES)
def test_tells_the_language_of_a_sentence(tag: str) -> None:
    """One plain sentence is enough."""
    found, score = language(SENTENCES[tag])
    assert (found, 0.5 <= score <= 1.0) == (tag, True)


@pytest.mark.parametrize(
    "text",
    [
        "Tolong jelaskan cara membuat pupuk kompos dari daun kering di rumah.",
        "Sila terangkan bagaimana membuat baja kompos daripada daun kering di rumah anda.",
        "Kulo badhe tindak peken kaliyan ibu kulo benjing enjing, mangga sareng-sareng.",
    ],
)
def test_indonesian_malay_and_javanese_are_one_family(text: str) -> None:
    """Models confuse them, so they count as one."""
    assert language(text)[0] == "id"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "12345 67 890",
        "https://site.example/a/b?c=d https://other.example/",
        "🙂🙂🙂",
        "x = [f(y) for y in z]; {a: b}",
        "字",
    ],
)
def test_too_little_is_undetermined(text: str) -> None:
    """Nothing, links, numbers, pictures and code have no language."""
    assert language(text) == ("und", 0.0)


def test_foreign_names_do_not_outvote_the_sentence() -> None:
    """A few Latin words inside Chinese leave it Chinese; one kana in a brand does not make it Japanese."""
    assert language("请用 Green Harbor Rising 这个名字写一段话，语气要友好，不要太长。")[0] == "zh"
    assert language("我们店里新到了一批优の良品零食，欢迎大家来品尝，今天还有折扣。")[0] == "zh"


def test_code_around_prose_is_left_out() -> None:
    """A fenced block says nothing of the language that asks about it."""
    assert language("```python\nfor name in names: print(name)\n```\nПочему эта программа ничего не печатает?")[0] == "ru"


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both models are in the wheels: no connection is ever opened."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert [tag for tag, _ in languages(SENTENCES.values())] == list(SENTENCES)


@settings(deadline=None)
@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """No text raises; the score is a share."""
    tag, score = language(text)
    assert tag.isalpha()
    assert 0.0 <= score <= 1.0
