"""What a text says once it names nobody; and the forms by which names, quotations, links and tags are known.

Whom a text is about, where and under which slogan is no sign of who asks. A scorer that sees names learns where they come
from, and is at a loss with those that its examples do not hold. So it reads masked texts (entity masking, as against spurious
cues in text classification), and skeletons mask more of the same.
"""

from __future__ import annotations

import numpy as np

from backlight.signals._chars import MOST, UNSPACED, UNSPACED_CLASS, clean, pattern
from backlight.signals._names import tokens

MARKED = pattern(
    r"```(?:[^`]|`[^`]|``[^`])*(?:```|$)"
    r"|(?i:https?://|www\.)[^\s<>\"“”«»「」]+"
    r"|[\p{L}\p{N}._%+\-]+@[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)+|@[\p{L}\p{N}_.]+|[#＃][\p{L}\p{M}\p{N}_]+"
    r"|\b(?:[\p{L}\p{N}\-]+\.)+(?:com|net|org|info|example|test|io|news|site|online)\b(?:/[^\s]*)?"
    r"|\"[^\"\n]+\"|“[^”\n]+”|„[^“”\n]+[“”]|«[^»\n]+»|‹[^›\n]+›|「[^」\n]+」|『[^』\n]+』|《[^》\n]+》|〈[^〉\n]+〉"
    r"|【[^】\n]+】|\{[^{}\n]+\}|\[[^\[\]\n]+\]|<[^<>\n]+>"
)
"""Code, links, addresses, handles, tags, quotations, and fill-ins between brackets."""

SINGLE_QUOTED = pattern(rf"(^|[\s(:，：{UNSPACED_CLASS}])['‘][^'’\n]+['’]([\s).,!?;:，。；：！？{UNSPACED_CLASS}]|$)")

_SURNAMES = (
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林罗羅郑鄭梁谢謝宋唐许許韩韓邓鄧冯馮曹彭曾肖田董潘袁蔡蒋蔣余于杜叶葉程魏苏蘇吕呂丁任卢盧姚沈"
    "钟鍾姜崔谭譚陆陸范汪廖石金贾賈韦韋夏付方邹鄒熊白孟秦邱侯江尹薛闫雷段龙龍史陶贺賀毛郝顾顧龚龔邵万萬覃武钱錢戴严嚴莫孔向汤湯"
)
EAST_NAME = pattern(
    rf"(?:欧阳|歐陽|司马|司馬|上官|诸葛|諸葛|[{_SURNAMES}])\p{{Han}}{{0,2}}"
    r"(?:先生|女士|小姐|太太|总理|總理|总统|總統|主席|市长|市長|部长|部長|教授|老师|老師|医生|醫生|经理|經理|议员|議員|书记|記者|记者)"
    r"|(?:\p{Katakana}[\p{Katakana}ー・]{1,15}|\p{Han}{1,5})(?:さん|さま|様|氏|君|くん|ちゃん|先生|社長|首相|議員|大統領|知事|教授)"
    r"|\p{Hangul}{2,4} ?(?:씨|님|선생님|교수님|의원|대통령|총리|시장|사장님?|대표)"
)
"""Chinese, Japanese and Korean names, told by the honorific behind them."""

LATIN_IN_EAST = pattern(r"[A-Z][\p{Latin}\p{N}'’&.\-]*(?: [A-Z][\p{Latin}\p{N}'’&.\-]*)*")

_HOLE = "\x01"
_ELLIPSIS = "…"
_OPENING = frozenset('"“„«‹「『《〈【{[<')
_SIGNS = frozenset("#＃@")
_MOST_WORDS, _MOST_DENSE = 6, 24
_MOST_HIDDEN = 0.25


def mask_entities(text: str) -> str:
    """The text with an ellipsis for what it names: for scorers.

    Masked are links, addresses, handles and hashtags; what stands in quotation marks or brackets up to six words (24 characters
    without spaces), which is mostly a name, a title or a slogan; runs of two or more capitalised words; and names before an
    honorific in Chinese, Japanese and Korean. Longer quotations stay, and so do single capitalised words, which may be
    platforms and tools. Numbers stay. Where quotations, brackets and capitals would take more than a quarter of a text (in
    UTF-8), only links, addresses, handles and tags are masked: marks and capitals are free, and may not hide what is asked.

    Args:
        text: the first 20,000 characters are looked at; the rest is dropped.
    """
    text = clean(text[:MOST])
    text = text.replace(_HOLE, " ") if _HOLE in text else text
    marked = MARKED.search(text) is not None
    plain = MARKED.sub(lambda match: _sign(match.group(0)), text) if marked else text
    masked = _names(MARKED.sub(lambda match: _short(match.group(0)), text) if marked else text)
    hidden = len(plain.encode()) - len(masked.encode())
    return (plain if hidden > _MOST_HIDDEN * len(plain.encode()) else masked).replace(_HOLE, _ELLIPSIS)


def _names(text: str) -> str:
    """Names masked: before an honorific, in Latin letters among characters, and in runs of capitals."""
    if not text.isascii():
        text = EAST_NAME.sub(_HOLE, text)
        if UNSPACED.search(text) and text.lower() != text and mostly_unspaced(text):
            text = LATIN_IN_EAST.sub(lambda match: _HOLE if " " in match.group(0) else match.group(0), text)
    return _runs(text)


def _sign(marked: str) -> str:
    """What stands for one match of `MARKED`, where only links, addresses, handles and tags are masked."""
    if marked[0] in _SIGNS:
        return marked[0] + _HOLE
    return marked if marked[0] in _OPENING or marked.startswith("```") else _HOLE


def _short(marked: str) -> str:
    """The same, where short quotations are masked too."""
    if marked[0] not in _OPENING:
        return _sign(marked)
    inner = marked[1:-1]
    dense = not inner.isascii() and UNSPACED.search(inner) is not None
    long = len(inner) > _MOST_DENSE if dense else len(inner.split(None, _MOST_WORDS + 1)) > _MOST_WORDS
    return marked if long else marked[0] + _HOLE + marked[-1]


def _runs(text: str) -> str:
    """Runs of capitalised words masked, with the punctuation around them left; a first word of a sentence is not of its run."""
    cut = tokens(text)
    out: list[str] = list(cut.raw)
    found = False
    for run in cut.runs:
        first = run.start + 1 if run.opens else run.start
        if run.end - first < 2:
            continue
        before, _, _ = out[first].partition(cut.bare[first])
        _, _, behind = out[run.end - 1].rpartition(cut.bare[run.end - 1])
        out[first : run.end] = [before + _HOLE + behind, *[""] * (run.end - first - 1)]
        found = True
    return " ".join(word for word in out if word) if found else text


def mostly_unspaced(text: str) -> bool:
    """Whether more than a fifth of the first 400 characters are of scripts that write without spaces."""
    codes = np.frombuffer(text[:400].encode("utf-32-le"), np.uint32)
    inside = ((codes >= 0x2E80) & (codes <= 0x9FFF)) | ((codes >= 0x0E00) & (codes <= 0x0EFF))
    return int(inside.sum()) > 0.2 * len(codes)
