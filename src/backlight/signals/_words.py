"""Word lists of the text features, by what they are for."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


DATES = _set(
    """
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря январе феврале марте апреле мае
    июне июле августе сентябре октябре ноябре декабре понедельник вторник среду четверг пятницу субботу воскресенье
    понедельника вторника среды четверга пятницы субботы воскресенья enero febrero marzo abril mayo junio julio agosto
    septiembre octubre noviembre diciembre lunes martes miércoles jueves viernes sábado domingo janvier février mars
    avril mai juin juillet août septembre octobre novembre décembre lundi mardi mercredi jeudi vendredi samedi dimanche
    janeiro fevereiro março maio junho julho setembro outubro novembro dezembro segunda-feira terça-feira quarta-feira
    quinta-feira sexta-feira gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre januar februar märz
    april juni juli august september oktober november dezember montag dienstag mittwoch donnerstag freitag samstag
    sonntag january february june october december monday tuesday wednesday thursday friday saturday sunday januari
    februari maret mei agustus desember senin selasa rabu kamis jumat sabtu minggu يناير فبراير مارس أبريل مايو يونيو
    يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد two three four five six
    seven eight nine ten eleven twelve fifteen twenty thirty forty fifty hundred thousand dos tres cuatro cinco seis
    siete ocho nueve diez doce quince veinte treinta cien mil deux trois quatre cinq sept huit neuf dix douze quinze
    vingt trente cent mille zwei drei vier fünf sechs sieben acht neun zehn zwölf zwanzig dreißig hundert tausend dois
    duas três quatro sete oito nove dez doze vinte trinta два две три четыре пять шесть семь восемь девять десять
    двенадцать двадцать тридцать пятьдесят сто двух трёх трех четырёх четырех пяти шести семи восьми девяти десяти dua
    tiga empat lima enam tujuh delapan sembilan sepuluh اثنين ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة ثلاث أربع خمس
    ست سبع ثمان تسع عشر
    """
)
"""Months and days that are written small, and number words; 'may', 'march', 'un', 'uno', 'one' are left alone."""

EMPTY = _set(
    """
    do no be must never always or if in on at to of by as is it the and for with that this from about into your you are
    was were has have had will would can could should not but its our their his her she him them they who what when
    where which how all any some more most than then also just only very please make made give get let los las una unos
    unas del que con por para sus este esta como más pero sin sobre entre son ser hay muy favor les des une dans pour
    avec sur par est sont qui pas plus mais leur leurs ses mes vos nos aux cette ces der die das und ein eine einen
    einem einer für von mit über ist nicht auf den dem sich als auch aus bei wie bitte dos uma umas uns com seu sua mas
    sem não что как для это или его она они мне мой при без над под про все так уже если чтобы пожалуйста yang dan untuk
    dengan dari ini itu pada dalam adalah akan saya anda ada tidak juga atau oleh من في على إلى عن مع هذا هذه التي الذي
    أن كان
    """
)
"""Words that tell nothing about a task, in the languages that use spaces."""

PLAIN = _set(
    """
    i ok am pm mr mrs ms dr prof sir madam monday tuesday wednesday thursday friday saturday sunday january february
    march april may june july august september october november december english french german spanish russian chinese
    japanese arabic indonesian italian portuguese korean hindi vietnamese turkish mandarin european american json html
    xml csv pdf yaml sql api url seo ceo faq usa uk eu un python javascript java markdown excel word powerpoint google
    facebook twitter instagram youtube tiktok telegram whatsapp reddit linkedin chatgpt gpt ai llm christmas internet
    god covid sms pr hr kpi roi cta tv id css php linux windows mac iphone android the a an and or of in on at to for
    with by from as is are was be it this that these those my your our his her their we you he she they note please
    write make use do not no yes if when what why how who where example question answer task title subject step hello hi
    dear el la los las una der die das ein eine le les une и в на с по для не что как это il lo
    """
)
"""Capitalised in running text and no name: pronouns, days, months, languages, formats, platforms everyone names."""

JOINS = _set(
    """
    de la las los del di da das dos do von van der den of bin ibn al el du des le zu
    """
)
"""Small words inside a name."""

GERMAN = _set(
    """
    der die das und ein eine einen einem einer für von mit über ist nicht zu auf bitte wir ich im
    """
)
"""Two of these say that a text is German, which writes every noun with a capital."""
