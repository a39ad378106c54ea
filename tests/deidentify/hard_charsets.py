"""Hard cases of Specific Character Set (PS3.5 6.1): the patient's name in every repertoire, declared or not."""

from hard_bytes import element, joined, sequence, text
from hard_cases import Draft, case
from pydicom.uid import ImplicitVRLittleEndian

PN, COMMENTS, MASK = 0x00100010, 0x00204000, 0x00286190
# Declared terms, codec of the free text, family name, given name. Names are written as PN components.
_SINGLE = {
    "latin_2": ("ISO_IR 101", "iso8859-2", "Wałęsowski", "Żelisława"),
    "latin_3": ("ISO_IR 109", "iso8859-3", "Ċikkurelli", "Ġużeppina"),
    "latin_4": ("ISO_IR 110", "iso8859-4", "Kalniņšvili", "Žemaitė"),
    "cyrillic": ("ISO_IR 144", "iso8859-5", "Черновецкий", "Людмила"),
    "arabic": ("ISO_IR 127", "iso8859-6", "القباني", "لنزار"),
    "greek": ("ISO_IR 126", "iso8859-7", "Παπαδιονυσίου", "Ευανθία"),
    "hebrew": ("ISO_IR 138", "iso8859-8", "אברהמוביץ", "דבורהלה"),
    "latin_5": ("ISO_IR 148", "iso8859-9", "Çavuşoğlu", "Şükriye"),
    "latin_9": ("ISO_IR 203", "iso8859-15", "Œuvrardž", "Noëlleka"),
    "thai": ("ISO_IR 166", "iso8859-11", "นามสกุลไทย", "สมศรีดี"),
    "japanese_katakana": ("ISO_IR 13", "shift_jis", "ﾔﾏﾀﾞﾉﾘｺ", "ﾀﾛｳﾏﾙ"),
    "utf_8": ("ISO_IR 192", "utf-8", "Þorvaldsdóttir", "Guðbjörg"),
    "utf_8_chinese": ("ISO_IR 192", "utf-8", "欧阳", "修远"),
    "gb18030": ("GB18030", "gb18030", "司马懿", "春华"),
    "gbk": ("GBK", "gbk", "诸葛亮", "孔明"),
}


def _spread(d: Draft, charset: str | None, codec: str, family: str, given: str, path: str | None = None, **options):
    """The name in a header, in free text, in an unlisted attribute and in an item with a character set of its own."""
    d.plant(family, "name", f"PatientName in {charset}")
    d.plant(given, "name", f"PatientName in {charset}")
    item = joined(
        [
            text(0x00080005, "CS", "ISO_IR 192"),
            text(0x0040A123, "PN", f"{family}^{given}", "utf-8"),
            text(0x00081084, "LO", f"{given} {family}", "utf-8"),
        ]
    )
    extra = [
        text(PN, "PN", f"{family}^{given}", codec),
        text(COMMENTS, "LT", f"{given} {family} 1", codec),
        text(MASK, "ST", f"of {family} {given}", codec),
        text(0x00181030, "LO", f"Thorax {family}"[:60], codec),
        sequence(0x00400275, [item]),
    ]
    d.file(d.ct(plant=False, charset=charset), extra, without=[PN], path=path, **options)


def _single(name: str):
    charset, codec, family, given = _SINGLE[name]

    def write(d: Draft) -> None:
        _spread(d, charset, codec, family, given)

    write.__name__ = f"charset_{name}"
    case()(write)


for _name in _SINGLE:
    _single(_name)


@case()
def charset_japanese(d):
    _spread(d, "\\ISO 2022 IR 87", "iso2022_jp", "山田橋本", "太郎丸")


@case()
def charset_japanese_supplementary(d):
    _spread(d, "\\ISO 2022 IR 87\\ISO 2022 IR 159", "iso2022_jp_2", "丂乂齋藤", "丅花子")


@case()
def charset_korean(d):
    _escaped(d, "\\ISO 2022 IR 149", b"\x1b$)C", "euc_kr", "남궁민수", "길동이")


@case()
def charset_chinese(d):
    _escaped(d, "\\ISO 2022 IR 58", b"\x1b$)A", "gb2312", "上官婉儿", "小东西")


def _escaped(d: Draft, charset: str, escape: bytes, codec: str, family: str, given: str) -> None:
    """Code extensions whose escape Python's codecs do not write."""

    def long(words: str) -> bytes:
        data = escape + words.encode(codec)
        return data + b" " * (len(data) % 2)

    d.plant(family, "name", charset)
    d.plant(given, "name", charset)
    extra = [
        element(PN, "PN", b"Roe^Jo=" + escape + family.encode(codec) + b"^" + long(given)),
        element(COMMENTS, "LT", long(f"{given}{family} 1")),
        element(MASK, "ST", long(f"{family}{given}")),
    ]
    d.file(d.ct(plant=False, charset=charset), extra, without=[PN])


@case()
def three_component_groups(d):
    """Alphabetic, ideographic and phonetic name of one person."""
    groups = ("Hasegawara^Shinobuko", "長谷川原^信夫子", "はせがわら^しのぶこ")
    for group in groups:
        for part in group.split("^"):
            d.plant(part, "name", "component group")
    extra = [
        text(PN, "PN", "=".join(groups), "utf-8"),
        text(COMMENTS, "LT", "長谷川原さん、再撮影", "utf-8"),
        text(MASK, "ST", "しのぶこ はせがわら", "utf-8"),
        text(0x00081030, "LO", "CT SHINOBUKO", "utf-8"),
    ]
    d.file(d.ct(plant=False, charset="ISO_IR 192"), extra, without=[PN, 0x00081030])


@case()
def charset_not_declared(d):
    """Latin-1 bytes without Specific Character Set."""
    _spread(d, None, "latin-1", "Grünwaldsson", "Zoëlina")


@case()
def charset_declared_wrongly(d):
    """UTF-8 bytes declared as Latin-1, and the other way round."""
    _spread(d, "ISO_IR 100", "utf-8", "Bäckströmer", "Åselinda")
    one = d.ct(2, plant=False, charset="ISO_IR 192")
    extra = [text(PN, "PN", "Bäckströmer^Åselinda"), text(COMMENTS, "LT", "for Bäckströmer")]
    d.file(one, extra, without=[PN])


@case(may_quarantine=True)
def charset_unknown(d):
    _spread(d, "ISO_IR 999", "latin-1", "Lindströmer", "Märtaluise")


@case()
def charset_implicit_syntax(d):
    family, given = d.plant("Сидоренкова", "name", "Cyrillic"), d.plant("Анастасия", "name", "Cyrillic")
    extra = [
        text(PN, "PN", f"{family}^{given}", "iso8859-5", implicit=True),
        text(0x00324000, "LT", f"{given} {family}", "iso8859-5", implicit=True),
    ]
    one = d.ct(plant=False, charset="ISO_IR 144")
    d.file(one, extra, without=[PN], syntax=ImplicitVRLittleEndian)


@case()
def name_in_utf_16(d):
    """A vendor's wide strings in a text attribute, and in an unlisted binary one."""
    wide = d.family.encode("utf-16-le")
    one = d.ct()
    d.file(one, [element(0x00289520, "OB", wide), element(COMMENTS, "LT", wide), element(0x0040A20A, "OB", wide)])


@case()
def name_in_escapes(d):
    """Escape sequences between the letters of a Latin name."""
    half = len(d.family) // 2
    said = d.family[:half].encode() + b"\x1b(B" + d.family[half:].encode()
    extra = [
        element(COMMENTS, "LT", said + b" " * (len(said) % 2)),
        element(MASK, "ST", said + b" " * (len(said) % 2)),
    ]
    d.file(d.ct(charset="\\ISO 2022 IR 100"), extra)
