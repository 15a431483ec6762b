"""Invented names, drawn by seed from syllables and shown in the script of whoever writes them.

No list of real names is used. One name has one form per script (Latin, Cyrillic, Arabic, katakana, Chinese characters
used for their sound), so that an account that writes Chinese and a post in Spanish can mean the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

from backlight.worlds._dice import Dice

_CONSONANTS = "kstnmrldbvzpgh"
_VOWELS = "aiueo"
_CYRILLIC = dict(zip(_CONSONANTS + _VOWELS, "кстнмрлдбвзпгхаиуэо", strict=True))
_ARABIC = dict(zip(_CONSONANTS + _VOWELS, "كستنمرلدبفزبغهايويو", strict=True))
_KANA = dict(
    zip(
        _CONSONANTS,
        (
            "カキクケコ", "サシスセソ", "タチツテト", "ナニヌネノ", "マミムメモ", "ラリルレロ", "ラリルレロ",
            "ダヂドデド", "バビブベボ", "バビブベボ", "ザジズゼゾ", "パピプペポ", "ガギグゲゴ", "ハヒフヘホ",
        ),
        strict=True,
    )
)  # fmt: skip
_HANZI = dict(
    zip(
        _CONSONANTS,
        (
            "卡基库克科", "萨西苏塞索", "塔蒂图特托", "纳尼努内诺", "玛米穆梅莫", "拉里鲁雷罗", "兰丽卢莱洛",
            "达迪杜德多", "巴比布贝博", "瓦维武韦沃", "扎齐祖泽佐", "帕皮普佩波", "加吉古格戈", "哈希胡赫霍",
        ),
        strict=True,
    )
)  # fmt: skip
_FINAL = {"latin": "n", "ru": "н", "ar": "ن", "ja": "ン", "zh": "恩"}
_JOINT = {"zh": "·", "ja": "・"}


@dataclass(frozen=True)
class Name:
    """A name of one or more words, each a tuple of two-letter syllables; a word may end in n."""

    words: tuple[tuple[str, ...], ...]

    def show(self, tongue: str) -> str:
        """The name as one writes it in this language."""
        return _JOINT.get(tongue, " ").join(_word(word, tongue) for word in self.words)

    @property
    def slug(self) -> str:
        """The name in small Latin letters without spaces, as in a domain."""
        return "".join("".join(word) for word in self.words)


def _word(word: tuple[str, ...], tongue: str) -> str:
    shown = "".join(_syllable(part, tongue) for part in word)
    return shown if tongue in ("zh", "ja", "ar") else shown[:1].upper() + shown[1:]


def _syllable(part: str, tongue: str) -> str:
    if part == "n":
        return _FINAL.get(tongue, "n")
    consonant, vowel = part[0], part[1]
    if tongue == "zh":
        return _HANZI[consonant][_VOWELS.index(vowel)]
    if tongue == "ja":
        return _KANA[consonant][_VOWELS.index(vowel)]
    if tongue in ("ru", "ar"):
        letters = _CYRILLIC if tongue == "ru" else _ARABIC
        return letters[consonant] + letters[vowel]
    return part


def word(dice: Dice, syllables: int) -> tuple[str, ...]:
    """One invented word; no consonant stands twice running, and one in four ends in n."""
    parts: list[str] = []
    while len(parts) < syllables:
        part = dice.pick(_CONSONANTS) + dice.pick(_VOWELS)
        if not parts or parts[-1][0] != part[0]:
            parts.append(part)
    return (*parts, "n") if dice.chance(0.25) else tuple(parts)


def person(dice: Dice) -> Name:
    """A person: given name and family name."""
    return Name((word(dice, 2), word(dice, 3)))


def place(dice: Dice) -> Name:
    """A town, a country."""
    return Name((word(dice, 3),))


def brand(dice: Dice) -> Name:
    """A firm or product."""
    return Name((word(dice, 3),))


def domain(name: Name, ending: str = "") -> str:
    """A domain under the reserved .example."""
    return f"{name.slug}{ending}.example"


def handle(dice: Dice) -> str:
    """A platform account's name, such as `veloka_81`."""
    return f"{Name((word(dice, 2 + int(dice.chance(0.5))),)).slug}{dice.pick(('_', '', '.'))}{dice.between(2, 999)}"


def hashtag(phrase: str) -> str:
    """A phrase as a hashtag: words joined, each with a capital where the script has them."""
    words = "".join(c if c.isalnum() else " " for c in phrase).split()
    return "#" + "".join(w[:1].upper() + w[1:] for w in words)


def phone(dice: Dice) -> str:
    """A number from the range that North America keeps free for fiction (555-0100 to 555-0199)."""
    return f"+1{dice.between(2, 9)}{dice.between(10, 99):02d}55501{dice.between(0, 99):02d}"
