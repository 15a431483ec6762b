"""The pasted document told apart from the instruction, in every script, and nothing invented where nothing was pasted."""

# ruff: noqa: E501, ISC004 (sample texts)

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.normalise import words
from backlight.signals.document import Split, split_document

REPORT = {
    "en": "Over the past month the club ran twelve stalls. Attendance grew by a tenth, and the second evening did less well than "
    "the first. The team suggests a smaller stage next year and earlier notices in the neighbouring villages.",
    "zh": "过去一个月，俱乐部办了十二个摊位。参加人数增长了十分之一，第二个晚上不如第一个晚上。团队建议明年使用更小的舞台，并提前通知邻近的村庄。",
    "ru": "За прошедший месяц клуб открыл двенадцать лавок. Посещаемость выросла на десятую часть, второй вечер прошёл хуже первого. "
    "Команда предлагает на будущий год сцену поменьше и объявления пораньше в соседних деревнях.",
    "es": "Durante el último mes el club abrió doce puestos. La asistencia creció una décima parte y la segunda noche fue peor que "
    "la primera. El equipo propone un escenario más pequeño y avisos más tempranos en los pueblos vecinos.",
    "ja": "この一か月、クラブは十二の屋台を出しました。来場者は一割増え、二日目の夜は初日ほどではありませんでした。来年は舞台を小さくし、近隣の村に早めに知らせる案が出ています。",
    "id": "Selama sebulan terakhir klub membuka dua belas kios. Jumlah pengunjung naik sepersepuluh dan malam kedua tidak seramai malam "
    "pertama. Tim mengusulkan panggung yang lebih kecil tahun depan dan pengumuman lebih awal di desa-desa sekitar.",
    "ar": "خلال الشهر الماضي افتتح النادي اثني عشر كشكا. ازداد الحضور بمقدار العشر، وكانت الأمسية الثانية أقل نجاحا من الأولى. يقترح الفريق "
    "مسرحا أصغر في العام المقبل وإعلانات مبكرة في القرى المجاورة.",
    "fr": "Au cours du mois écoulé, le club a tenu douze stands. La fréquentation a augmenté d'un dixième, et la seconde soirée a moins "
    "bien marché que la première. L'équipe propose une scène plus petite et des annonces plus précoces dans les villages voisins.",
    "hi": "पिछले महीने क्लब ने बारह दुकानें लगाईं। उपस्थिति दसवें हिस्से से बढ़ी और दूसरी शाम पहली से कमज़ोर रही। दल अगले साल छोटा मंच और पड़ोसी गाँवों में पहले सूचना "
    "देने का सुझाव देता है, ताकि लोग समय पर आ सकें।",
    "ko": "지난 한 달 동안 동호회는 열두 개의 가판대를 열었습니다. 참석자는 십 분의 일이 늘었고 둘째 날 저녁은 첫날보다 못했습니다. 팀은 내년에 더 작은 무대와 "
    "이웃 마을에 더 이른 알림을 제안합니다. 예산은 그대로 두고 자원봉사자를 늘리자는 의견도 나왔습니다.",
}
POLISH = {
    "en": "Polish this report",
    "zh": "请润色下面的报告",
    "ru": "Отредактируй этот отчёт",
    "es": "Mejora este informe",
    "ja": "次の報告を推敲してください",
    "id": "Perbaiki laporan ini",
    "ar": "حسّن هذا التقرير",
    "fr": "Améliore ce rapport",
    "hi": "इस रिपोर्ट को सुधारें",
    "ko": "다음 보고서를 다듬어 주세요",
}
FORMS = {
    "label": "{ask}: {doc}",
    "label_line": "{ask}:\n{doc}",
    "fence": "{ask}\n```\n{doc}\n```",
    "triple": '{ask} """{doc}"""',
    "tag": "{ask}\n<report>\n{doc}\n</report>",
    "block_quote": "{ask}\n\n> {doc}",
    "quotation": '{ask} "{doc}"',
    "guillemets": "{ask} «{doc}»",
    "corners": "{ask}「{doc}」",
    "block": "{ask}.\n\n{doc}",
    "block_after": "{doc}\n\n{ask}.",
}


@pytest.mark.parametrize("tag", REPORT)
@pytest.mark.parametrize("form", FORMS)
def test_finds_the_document_in_every_form_and_language(form: str, tag: str) -> None:
    """The document is all of what was pasted, the instruction all of the rest."""
    split = split_document(FORMS[form].format(ask=POLISH[tag], doc=REPORT[tag]))
    assert split.document == REPORT[tag]
    assert split.instruction.rstrip(":.：") == POLISH[tag]


@pytest.mark.parametrize("tag", REPORT)
def test_the_same_document_in_two_forms_is_the_same(tag: str) -> None:
    """How it was pasted does not change what was pasted."""
    found = {split_document(form.format(ask=POLISH[tag], doc=REPORT[tag])).document for form in FORMS.values()}
    assert found == {REPORT[tag]}


def test_a_closing_request_belongs_to_the_instruction() -> None:
    """Document in the middle, wishes at both ends."""
    split = split_document(f"Polish this report:\n\n{REPORT['en']}\n\nPlease keep it under eighty words.")
    assert split.instruction == "Polish this report:\nPlease keep it under eighty words."
    assert split.document == REPORT["en"]


@pytest.mark.parametrize(
    ("ask", "tag"),
    [
        (
            "Act as an editor. Name the two weakest sentences, rewrite each twice, say which you would print and why. Text:",
            "en",
        ),
        ("Agis en rédacteur. Nomme les deux phrases les plus faibles, refais chacune deux fois et choisis. Texte :", "fr"),
        ("你来当编辑。指出最弱的两句，各改写两遍，说明你会用哪一种，并解释原因。原文：", "zh"),
    ],
)
def test_a_label_that_names_a_text_may_follow_a_long_brief(ask: str, tag: str) -> None:
    """The brief may be longer than the text."""
    text = REPORT[tag].split(". ")[0].split("。")[0] + ", and so it went until the last lamp was lit."
    split = split_document(f"{ask} {text}")
    assert (split.instruction, split.document) == (ask, text)


def test_a_report_in_numbered_sections_is_a_document() -> None:
    """Long numbered lines are sections; short ones would be requirements."""
    report = "\n".join(f"{n}. Point {n}. {REPORT['en']}" for n in (1, 2, 3))
    assert split_document(f"Make it sound official:\n\n{report}").document == report


def test_a_document_may_say_what_must_be_done() -> None:
    """Duties are not orders where the instruction points at a text."""
    notice = "The lamps must be replaced in May. The fee must rise by nine coins. Each house should lend its ladder. The lane must be swept."
    assert split_document(f"What does this text say?\n\n{notice}").document == notice


def test_a_forwarded_mail_is_a_document() -> None:
    """Two header lines in a row begin it."""
    mail = "From: Ana Example\nTo: Bo Example\nSubject: stalls\n\nThe stalls went well and the second evening was a little quieter."
    split = split_document(f"Write a friendly answer to this.\n\n{mail}")
    assert (split.kind, split.instruction, split.document) == ("mail", "Write a friendly answer to this.", mail)


@pytest.mark.parametrize(
    "headers",
    [
        "От: Анна\nКому: Борис\nТема: ярмарка",
        "发件人：小王\n收件人：小李\n主题：集市",
        "من: آنا\nإلى: بوريس\nالموضوع: السوق",
        "差出人: 花\n宛先: 太郎\n件名: 市場",
    ],
)
def test_mail_headers_of_other_languages(headers: str) -> None:
    """Headers are known in the languages of the common mail programs."""
    body = REPORT["en"]
    assert split_document(f"?\n\n{headers}\n\n{body}").document == f"{headers}\n\n{body}"


def test_a_transcript_is_a_document() -> None:
    """Lines that begin with two names in turn."""
    chat = "Ana: are the stalls ready?\nBo: two are missing\nAna: which ones do we lack?\nBo: the tea and the books"
    split = split_document(f"Summarise this chat.\n\n{chat}")
    assert (split.kind, split.instruction, split.document) == ("chat", "Summarise this chat.", chat)


def test_a_transcript_with_times_is_a_document() -> None:
    """Exports of messengers put a time before the name."""
    lines = [
        f"[12:0{n}] {name}: {said}"
        for n, (name, said) in enumerate(
            [("Ана", "готово?"), ("Бо", "почти уже всё"), ("Ана", "а чай где?"), ("Бо", "несут прямо сейчас сюда")]
        )
    ]
    assert split_document("О чём они говорят?\n" + "\n".join(lines)).document == "\n".join(lines)


@pytest.mark.parametrize("sign", ["\t", " | ", ", ", ";"])
def test_a_table_is_a_document(sign: str) -> None:
    """Three or more lines cut alike."""
    rows = [
        ["stall", "day", "people", "note"],
        ["tea", "first", "120", "good"],
        ["books", "first", "80", "fair"],
        ["toys", "second", "60", "poor"],
    ]
    table = "\n".join(sign.join(row) for row in rows)
    split = split_document(f"What stands out here?\n\n{table}")
    assert (split.instruction, split.document) == ("What stands out here?", table)


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a poem about the sea.",
        'What does "once upon a time" mean?',
        "Translate to French: good morning",
        "写一首关于海的诗。",
        "```x = 1```",
        "Write a story: a fox meets an owl in the forest and they argue about the moon until the first light of dawn comes",
        "From: here\nTo: there\nhow far is it?",
        "",
    ],
)
def test_short_prompts_have_no_document(prompt: str) -> None:
    """Nothing was pasted, and a colon alone makes no document."""
    assert split_document(prompt).document is None


@pytest.mark.parametrize(
    "prompt",
    [
        "You are a careful editor of a village newsletter. Write an article about the autumn market.\n\nThe article should have a "
        "title and three sections. Please make sure that each section has a short heading. You should mention the tea stall first."
        "\n\nDo not use lists. Please write in a warm tone and make sure that the last section invites readers to help.",
        "Write a story about a lighthouse.\n\nRequirements:\n- at least five hundred words\n- told by the keeper\n- no dialogue\n"
        "- the storm comes in the middle\n- a calm ending\n- do not name the place\n- use the past tense throughout the story",
        "请写一篇关于秋天集市的文章。\n\n要求：\n1. 不少于八百字\n2. 语言要生动\n3. 请写出三个摊位\n4. 不要使用对话\n5. 结尾要点题\n6. 需要有标题\n7. 必须使用第一人称",
        "Напиши рассказ о маяке.\n\nРассказ должен быть не короче пятисот слов. Пожалуйста, пиши от лица смотрителя. Не используй диалоги, "
        "используй прошедшее время. Буря должна прийти в середине рассказа.\n\nВ конце нужно описать тихое утро. Пожалуйста, сделай это коротко.",
        "Plan a week of simple dinners for two people who cook on weekdays after work, like vegetables, have one pan and a small oven, "
        "and want to spend little; say what to buy on Sunday and what can be kept for the next day, and add one dish for guests.",
        "Design a garden in five zones for the school yard so that nobody sees this corner from the road: berries, a pond, tall "
        "grass, benches, a shed. One colour throughout, yellow, and a name for each zone, ready before spring.",
        "Продумай праздник двора в пяти частях, чтобы никто из соседей до этого дня ничего не узнал: музыка, чай, игры для детей, "
        "выставка рисунков, общий торт. Общий цвет жёлтый, срок месяц.",
    ],
)
def test_a_long_instruction_has_no_document(prompt: str) -> None:
    """What tells somebody what to do is instruction, however long."""
    assert split_document(prompt) == Split(prompt, None, "none")


def test_unbalanced_marks_do_not_lose_text() -> None:
    """An opening without its closing takes the rest, or nothing."""
    assert split_document(f"Polish this\n```\n{REPORT['en']}").document == REPORT["en"]
    assert split_document(f'Polish this "{"a " * 10}').document is None


@settings(deadline=None)
@given(st.text(), st.sampled_from(["```", '"""', "“", "「", "<x>", "From: a\nTo: b\n", "\n\n", ": ", "> ", "\t"]), st.text())
def test_any_text_is_split_without_inventing_words(before: str, mark: str, after: str) -> None:
    """Both parts together are never longer than the prompt by more than the line break that joins them."""
    prompt = before + mark + after
    split = split_document(prompt)
    assert len(split.instruction) + len(split.document or "") <= len(prompt) + 2
    assert split.document is None or words(split.document) >= 12


@pytest.mark.parametrize(
    "unit",
    ["a", "字", '"', "“", "`", "<", "<a>", "> ", "\n", ": ", "\u202e", "\u200b", "a: b\n", "x\t", "«", "’", "[A]\n", "- "],
)
def test_time_is_linear(unit: str) -> None:
    """Megabytes of one sign take about as long as their size says, never its square."""
    prompt = "polish this: " + unit * (1_000_000 // len(unit))
    start = time.process_time()
    split_document(prompt)
    assert time.process_time() - start < 3.0
