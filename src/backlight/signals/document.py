"""The pasted document told apart from the instruction: "polish this" is harmless, the document is the evidence.

Explicit marks come first (fences, tags, triple quotes, mail headers, transcripts, tables, block quotes, long quotations), then
form: a label and a long block, or a short instruction beside long prose. No mark and no contrast of form: no document.
Every step is one pass over lines or a bounded number of passes over characters, so time is linear in length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import re2

from backlight.normalise import words
from backlight.signals._chars import QUOTES, bounded, clean, pattern, plain

MARKED_WORDS, BARE_WORDS = 12, 24
"""Least length of a document, in words: where a mark sets it off, and where only its form does."""

_INSTRUCTION_WORDS = 60
_BRIEF_WORDS = 120
_TIMES = 2.0
_LABEL_BEFORE = 1_000


@dataclass(frozen=True, slots=True)
class Split:
    """A prompt in two.

    Attributes:
        instruction: what is asked; the whole prompt where nothing was pasted, empty where all of it is a document.
        document: what was pasted, or None.
        kind: how it was told: fence, tag, triple, mail, chat, table, block_quote, quotation, label, block, or none.
    """

    instruction: str
    document: str | None
    kind: str


def _word_list(latin: str, stems: str, runs: str) -> re2._Regexp:
    return pattern(rf"\b(?:{latin})\b|(?:^|[^\p{{L}}\p{{M}}])(?:{stems})|{runs}")


_Finder = Callable[[str, list[str]], tuple[str, str] | None]


def split_document(prompt: str) -> Split:
    """Tell the pasted document from the instruction.

    Of prompts over 100,000 characters the first 90,000 and the last 10,000 are looked at.
    """
    text = clean(bounded(prompt)).replace("\r\n", "\n").strip()
    if len(text) >= 40:
        lines = text.split("\n")
        for kind, find in _FINDERS:
            parts = find(text, lines)
            if parts is not None:
                return Split(parts[0].strip(), parts[1].strip(), kind)
    return Split(text, None, "none")


def _long(text: str, least: int = MARKED_WORDS) -> bool:
    return len(text) >= least and words(text) >= least


def _cut(text: str, start: int, end: int, inner_start: int, inner_end: int) -> tuple[str, str] | None:
    """The instruction around text[start:end], and the document inside it, where that is long enough."""
    document = text[inner_start:inner_end]
    return (f"{text[:start].rstrip()}\n{text[end:].lstrip()}", document) if _long(document) else None


# ---------------------------------------------------------------- marks


def _fence(text: str, lines: list[str]) -> tuple[str, str] | None:
    for mark in ("```", "~~~"):
        pieces = text.split(mark) if mark in text else []
        if len(pieces) < 2:
            continue
        inside = [_without_info(piece) for piece in pieces[1::2]]
        document = "\n".join(inside)
        if _long(document):
            return "\n".join(pieces[::2]), document
    return None


def _without_info(piece: str) -> str:
    """The inside of a fence without the language name after its opening."""
    first, newline, rest = piece.partition("\n")
    return rest if newline and len(first) <= 20 and " " not in first.strip() else piece


_TAG = pattern(r"(?:^|\n|\s)<(\p{L}[\p{L}\p{N}_\-]*)(?:\s[^<>\n]*)?>|\[([\p{Lu}_ ]+)\]\s*\n")
_TAGS_TRIED = 8


def _tag(text: str, lines: list[str]) -> tuple[str, str] | None:
    """`<report> ... </report>` or `[REPORT] ... [/REPORT]`; of the first few tags, the first that holds a document."""
    if "</" not in text and "[/" not in text:
        return None
    for _, match in zip(range(_TAGS_TRIED), _TAG.finditer(text), strict=False):
        name = match.group(1)
        closing = f"</{name}>" if name else f"[/{match.group(2)}]"
        end = text.rfind(closing, match.end())
        if end >= 0:
            parts = _cut(text, match.start(), end + len(closing), match.end(), end)
            if parts:
                return parts
    return None


def _triple(text: str, lines: list[str]) -> tuple[str, str] | None:
    for mark in ('"""', "'''", "“““", "<<<"):
        start = text.find(mark)
        if start < 0:
            continue
        closing = {"“““": "”””", "<<<": ">>>"}.get(mark, mark)
        end = text.rfind(closing, start + 3)
        end, after = (end, end + 3) if end >= 0 else (len(text), len(text))
        parts = _cut(text, start, after, start + 3, end)
        if parts:
            return parts
    return None


_HEADERS = (
    "From|Sent|Date|To|Cc|Subject|Reply-To|От|Отправлено|Дата|Кому|Копия|Тема|De|Enviado|Fecha|Para|Asunto|Envoyé|À|Objet"
    "|Von|Gesendet|Datum|An|Betreff|Assunto|Data|Da|Inviato|A|Oggetto|Dari|Dikirim|Tanggal|Kepada|Subjek|Perihal"
    "|发件人|发送时间|日期|收件人|抄送|主题|寄件者|收件者|主旨"
    "|差出人|送信者|送信日時|日時|宛先|件名|보낸 사람|보낸사람|받는 사람|받는사람|날짜|제목"
    "|من|إلى|التاريخ|الموضوع|भेजने वाला|प्रति|विषय|दिनांक|Từ|Đến|Gửi|Ngày|Chủ đề"
)
_HEADER = pattern(rf"(?i)^[\s>*_]{{0,8}}(?:{_HEADERS})[\s*_]{{0,4}}[:：]")
_FORWARDED = pattern(
    r"(?i)^\s*-{2,}\s*(?:original message|forwarded message|begin forwarded|пересланное сообщение|исходное сообщение"
    r"|mensaje (?:original|reenviado)|message (?:d.origine|transféré)|转发|原始邮件|转发的邮件|転送|元のメッセージ"
    r"|ursprüngliche nachricht|weitergeleitet|pesan (?:asli|terusan)|رسالة)"
)


def _mail(text: str, lines: list[str]) -> tuple[str, str] | None:
    """From the first of two header lines that stand together (or a 'forwarded message' line) to the end."""
    if ":" not in text and "：" not in text and "--" not in text:
        return None
    run = 0
    for number, line in enumerate(lines):
        if (":" in line[:24] or "：" in line[:12]) and _HEADER.search(line[:80]):
            run += 1
        elif "--" in line[:8] and _FORWARDED.search(line[:80]):
            run = 2
        elif line.strip():
            run = 0
        if run == 2:
            first = number if "--" in line[:8] else _run_start(lines, number)
            return _from_line(lines, first)
    return None


def _run_start(lines: list[str], second: int) -> int:
    return next(n for n in range(second - 1, -1, -1) if lines[n].strip())


def _from_line(lines: list[str], first: int) -> tuple[str, str] | None:
    """Lines before `first`, and the rest; a rest that is preceded by nothing gives up its last paragraph if it asks."""
    before, rest = "\n".join(lines[:first]), "\n".join(lines[first:])
    if not before.strip():
        head, _, last = rest.rpartition("\n\n")
        if head and _asks(last):
            before, rest = last, head
    return (before, rest) if _long(rest) else None


_CLOCK = pattern(r"^[\[(]?\d[\d:.,/\- ]*(?:[AaPp][Mm])?[\])]?[\s,\-–—]*")
_NAME_SIGNS = 30
_CODE = frozenset('/\\(){}=;"`<>|$')
_LEAST_TURNS = 4


def _chat(text: str, lines: list[str]) -> tuple[str, str] | None:
    """A run of lines of the form `name: words`, two to eight names, most of which speak more than once."""
    if text.count(":") + text.count("：") < _LEAST_TURNS:
        return None
    turns = [(n, name) for n, line in enumerate(lines) if (name := _speaker(line))]
    if len(turns) < _LEAST_TURNS:
        return None
    spoken: dict[str, int] = {}
    for _, name in turns:
        spoken[name] = spoken.get(name, 0) + 1
    speakers = {name for name, n in spoken.items() if n >= 2}
    own = [n for n, name in turns if name in speakers]
    if not 2 <= len(speakers) <= 8 or len(own) < _LEAST_TURNS or len(own) < 0.6 * len(turns):
        return None
    first, last = own[0], own[-1] + 1
    while last < len(lines) and lines[last].strip():
        last += 1
    return _by_lines(lines, first, last)


def _speaker(line: str) -> str | None:
    """The name before the colon of a line, a time before it left out."""
    head = line[:80].lstrip()
    if ":" not in head and "：" not in head:
        return None
    if head[:1] in "[(0123456789":
        head = head[match.end() :] if (match := _CLOCK.search(head)) else head
    ends = [place for sign in ":：" if (place := head.find(sign)) > 0]
    name = head[: min(ends, default=0)].strip("*_<>[] ")
    return (
        name
        if 0 < len(name) <= _NAME_SIGNS and name.count(" ") <= 3 and name[0].isalnum() and not _CODE.intersection(name)
        else None
    )


def _table(text: str, lines: list[str]) -> tuple[str, str] | None:
    """The longest run of three or more lines cut by the same number of tabs, bars, or (three or more) commas, semicolons."""
    best, cut = (0, 0), ""
    for sign, least in (("\t", 1), ("|", 2), (";", 3), (",", 3)):
        if text.count(sign) < 3 * least:
            continue
        start, previous = 0, -1
        for number, line in enumerate([*lines, ""]):
            count = line.count(sign)
            if count < least or count != previous:
                if previous >= least and number - start > best[1] - best[0]:
                    best, cut = (start, number), sign
                start, previous = number, count
    document = "\n".join(lines[best[0] : best[1]])
    if best[1] - best[0] < 3 or not _long(document.replace(cut, " ")):
        return None
    return "\n".join([*lines[: best[0]], *lines[best[1] :]]), document


def _block_quote(text: str, lines: list[str]) -> tuple[str, str] | None:
    if not any(line.lstrip()[:1] in (">", "＞") for line in lines):
        return None
    quoted = [n for n, line in enumerate(lines) if line.lstrip()[:1] in (">", "＞")]
    inside = "\n".join(lines[n].lstrip().lstrip(">＞ ") for n in quoted)
    chosen = set(quoted)
    outside = "\n".join(line for n, line in enumerate(lines) if n not in chosen)
    return (outside, inside) if _long(inside) else None


def _by_lines(lines: list[str], first: int, last: int) -> tuple[str, str] | None:
    document = "\n".join(lines[first:last])
    outside = "\n".join([*lines[:first], *lines[last:]])
    return (outside, document) if _long(document) else None


_QUOTED_LEAST = 20
_OPENING = pattern(f"[{''.join(QUOTES)}]")
_QUOTES_TRIED = 64


def _quotation(text: str, lines: list[str]) -> tuple[str, str] | None:
    """The longest span in quotation marks, where it has 20 words or is most of the text."""
    best, at, tried = (0, 0), 0, 0
    while tried < _QUOTES_TRIED:
        found = _next_opening(text, at)
        if found < 0:
            break
        ends = [end for close in QUOTES[text[found]] if (end := text.find(close, found + 1)) >= 0]
        end = min(ends, default=-1)
        tried += 1
        at = end + 1 if end > 0 else found + 1
        if end - found > best[1] - best[0]:
            best = (found, end)
    start, end = best
    if end - start < MARKED_WORDS:
        return None
    inside = text[start + 1 : end]
    long_enough = _QUOTED_LEAST if len(inside) < 0.6 * len(text) else MARKED_WORDS
    if not text[:start].strip() and not text[end + 1 :].strip():
        return None  # a prompt that is all in quotation marks pastes nothing
    return _cut(text, start, end + 1, start + 1, end) if _long(inside, long_enough) else None


def _next_opening(text: str, at: int) -> int:
    places = [place for mark in QUOTES if (place := text.find(mark, at)) >= 0]
    return min(places, default=-1)


# ---------------------------------------------------------------- form

# Words by which an instruction points at a text that it has before it, and words by which it tells somebody to do something:
# words of the Latin script without their marks, stems of words of other spaced scripts, and runs of scripts without spaces.
_THIS = _word_list(
    "this|these|est[eao]s?|ce|cet|cette|ces|dies[a-z]*|ini|nay", "эт(?:от|у|о|и|ого|их)|इस|यह|이 |هذ[اه]", "这个"
)
"""May stand for anything: "nobody may see who is behind this" points at no text."""

_POINTS = _word_list(
    "following|below|above|attached|text|article|report|draft|document|message|e-?mail|letter|post|paragraph|notes"
    "|transcript|siguientes?|abajo|texto|informe|articulo|correo|carta|mensaje|seguinte|relatorio|abaixo"
    "|suivante?s?|ci-dessous|ci-joint|texte|rapport|courriel|lettre|folgend[a-z]*|unten|bericht|brief"
    "|nachricht|berikut|teks|laporan|surat|pesan|artikel|naskah|sau|duoi day|van ban|bao cao"
    "|translat[a-z]*|summar[a-z]*|polish|proof-?read|re-?write|rephrase|paraphrase|improve|correct|edit|fix|shorten|traduc[a-z]*"
    "|tradui[a-z]*|resum[a-z]*|corrig[a-z]*|mejora|reescrib[a-z]*|reformul[a-z]*|amelior[a-z]*|ubersetz[a-z]*|verbesser[a-z]*"
    "|korrigier[a-z]*|terjemah[a-z]*|perbaiki|ringkas[a-z]*|sunting|dich|tom tat|chinh sua",
    "следующ|ниже|выше|текст|отч[её]т|стать|письм|сообщени|перев[её]д|отредактир|исправ|улучш|перепиш|сократи"
    "|निम्नलिखित|नीचे|पाठ|रिपोर्ट|다음|아래"
    "|글을|보고서|التالي|أدناه|النص|التقرير|الرسالة|المقال"
    "|ترجم|لخص|صحح|حسّن|حسن|अनुवाद|सुधार|सारांश|번역|요약|다듬|교정",
    "以下|下面|这[篇段份封]|此[文段]|下文|上文|文章|报告|報告|文本|次の|この(?:文|報告|記事|メール|文章)|下記|原稿|文書|メール"
    "|翻译|翻譯|润色|潤色|改写|改寫|总结|總結|概括|校对|修改|翻訳|推敲|要約|添削|校正|書き直",
)
_TELLS = _word_list(
    "please|make sure|ensure|you are|your (?:task|answer|response|output|goal|job|role)|do not|don't|write|act as"
    "|i want you|i need|would you|could you|can you|keep it|por favor|escrib[a-z]+|asegurate|incluye|usa"
    "|quiero que|escreva|certifique|veuillez|s'il (?:te|vous) plait|ecri[a-z]+|assure[zs]?|bitte"
    "|schreib[a-z]*|achte|verwende|tolong|mohon|buat(?:lah|kan)?|tulis[a-z]*|pastikan|jangan|gunakan|hay"
    "|vui long|viet",
    "пожалуйста|напиши|сделай|ты |используй|कृपया|लिखें|يرجى|اكتب|تأكد",
    "请|請|不要|写一|你是|你的|确保|してください|して下さい|ください|なさい|書いて|こと。|주세요|하세요|해줘|십시오|써줘",
)
_DUTIES = _word_list(  # in a report, too, things must be done; these tell an instruction only where nothing points at a text
    "should|must|debes?|debera|deve|dois|doit|devez|soll[a-z]*|harus|phai",
    "должен|должна|должны|нужно|चाहिए|يجب",
    "必须|需要|要求|应该",
)
_NAMED = pattern(
    r"\b(?:text|texto|texte|article|articulo|artigo|report|informe|rapport|relatorio|bericht|document|documento|e-?mail|message"
    r"|mensaje|letter|carta|lettre|draft|transcript|content|input|teks|artikel|laporan|naskah|van ban)\s?[:：]"
    r"|(?:^|[^\p{L}\p{M}])(?:текст|отч[её]т|статья|письмо|النص|المقال|التقرير|पाठ|텍스트|본문|원문)\s?[:：]"
    r"|(?:文本|原文|文章|正文|报告|報告|本文|原稿|記事|内容)[:：]"
)
_BULLET = pattern(r"^\s*(?:[-*•·–▪◦]|\d{1,3}[.)、．:]|[①-⑳]|[a-zA-Zа-яА-Я][.)])\s*\S")
_RULE = pattern(r"^\s*(?:[-=*_~#—─]\s?){3,}\s*$")


def _label(text: str, lines: list[str]) -> tuple[str, str] | None:
    """A part that ends with a colon, then a long block; a label that names a text ("text:") may follow a longer part."""
    named = _NAMED.search(plain(text[:_LABEL_BEFORE]))
    at = named.end() - 1 if named else _colon(text)
    if at < 0:
        return None
    before, rest = text[: at + 1], text[at + 1 :]
    asked, length = words(before), words(rest)
    set_off = rest.lstrip(" \t").startswith("\n")
    pointed = named is not None or (_points(before) if set_off else _names_text(before))
    if length < MARKED_WORDS or asked > (_BRIEF_WORDS if pointed else _INSTRUCTION_WORDS):
        return None
    if not named and length < (1.0 if pointed else _TIMES) * asked:
        return None
    if not pointed and not set_off and (length < BARE_WORDS or len(_sentences(rest)) < 2):
        return None  # "write a story: a fox meets an owl": what follows the colon is the task
    sure = named is not None or (pointed and set_off)
    return None if _is_instruction(rest, sure) else _closing_request(before, rest)


def _colon(text: str) -> int:
    """The place of the first colon of the opening that ends a line, or else that ends a clause."""
    head = text[:600]
    line_end = min((p for sign in (":\n", "：\n", ": \n") if (p := head.find(sign)) >= 0), default=-1)
    if line_end >= 0:
        return line_end
    return min((p for sign in (": ", "：") if (p := head.find(sign)) >= 0 and "\n" not in head[:p]), default=-1)


def _block(text: str, lines: list[str]) -> tuple[str, str] | None:
    """Short instruction, blank line or rule, long prose; or the other way round."""
    blocks = _paragraphs(lines) if len(lines) > 1 else []
    if len(blocks) < 2:
        return None
    first, last = blocks[0], blocks[-1]
    rest, front = "\n\n".join(blocks[1:]), "\n\n".join(blocks[:-1])
    if _contrast(first, rest) and (_points(first) or _asks(first)) and not _is_instruction(rest, _points(first)):
        return _closing_request(first, rest)
    if _contrast(last, front) and _asks(last) and not _is_instruction(front, _points(last)):
        return last, front
    return None


def _paragraphs(lines: list[str]) -> list[str]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if not line.strip() or _RULE.search(line[:40]):
            blocks.append([])
        else:
            blocks[-1].append(line)
    found = ["\n".join(block) for block in blocks if block]
    if len(found) == 1 and len(lines) > 1 and words(lines[0]) * _TIMES <= words("\n".join(lines[1:])):
        return [lines[0], "\n".join(lines[1:])]
    return found


def _contrast(short: str, long: str) -> bool:
    asked = words(short)
    return 1 <= asked <= _INSTRUCTION_WORDS and words(long) >= max(BARE_WORDS, (1.0 if _points(short) else _TIMES) * asked)


def _closing_request(before: str, rest: str) -> tuple[str, str] | None:
    """Give the instruction a short last paragraph that asks for something."""
    head, gap, last = rest.rstrip().rpartition("\n\n")
    if gap and words(last) <= 40 and _tells(last) and _long(head):
        return f"{before}\n{last}", head
    return (before, rest) if _long(rest) else None


def _points(text: str) -> bool:
    return _names_text(text) or _THIS.search(plain(text[:1_000])) is not None


def _names_text(text: str) -> bool:
    """Whether it says "text", "below", "translate": more than that it says "this"."""
    return _POINTS.search(plain(text[:1_000])) is not None


def _tells(text: str) -> bool:
    return _TELLS.search(plain(text[:1_000])) is not None


def _asks(text: str) -> bool:
    return text.rstrip().endswith(("?", "？", "؟")) or _tells(text) or _points(text)


_JUDGED = 6_000
_BULLET_WORDS = 15


def _is_instruction(rest: str, pointed: bool) -> bool:
    """Whether a long block goes on telling what to do: a list of requirements, or commands in every other sentence."""
    rest = rest[:_JUDGED]
    lines = [line for line in rest.split("\n") if line.strip()]
    bullets = sum(1 for line in lines if _BULLET.search(line[:16]) and words(line) < _BULLET_WORDS)
    sentences = _sentences(plain(rest))
    share = sum(1 for sentence in sentences if _TELLS.search(sentence)) / max(1, len(sentences))
    duties = sum(1 for sentence in sentences if _DUTIES.search(sentence)) / max(1, len(sentences))
    if pointed:
        return share > 0.5 or (bullets > 0.6 * len(lines) and share + duties > 0.3)
    return share + duties > 0.15 or bullets > 0.4 * len(lines)


_END = pattern(r"[.!?。！？؟।\n]+")


def _sentences(text: str) -> list[str]:
    return [part for part in _END.split(text) if len(part) > 3][:200]


_FINDERS: tuple[tuple[str, _Finder], ...] = (
    ("fence", _fence),
    ("triple", _triple),
    ("tag", _tag),
    ("mail", _mail),
    ("chat", _chat),
    ("table", _table),
    ("block_quote", _block_quote),
    ("quotation", _quotation),
    ("label", _label),
    ("block", _block),
)
