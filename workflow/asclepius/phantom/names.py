"""Invented people, and the character sets a hospital writes their names in (DICOM PS3.5, 6.2.1 and annexes H, J, K)."""

import unicodedata
from dataclasses import dataclass

import numpy as np

# Syllables of invented family names: distinctive, so that a search for a leaked name finds no ordinary word.
STEMS = (
    "Ostrav", "Brönn", "Castell", "Dürkh", "Evensk", "Fjærl", "Grévill", "Hallgr", "Ibáñ", "Jorsk", "Kvitn", "Lindvarn",
    "Mørkv", "Nordhöv", "Ollivan", "Péruz", "Quistorf", "Rådmark", "Sörensk", "Thürval", "Ulvesk", "Vásquel",
    "Wexlund", "Ystadh",
)  # fmt: skip
ENDINGS = (
    "arello", "bruegge", "cevik", "dahlin", "enheim", "ferrier", "goitia", "hovland", "igarre", "kjaer", "lindez",
    "mancourt", "nowska", "oberry", "polska", "quaroni",
)  # fmt: skip
WOMEN = (
    "Zoë",
    "Agnès",
    "Märta",
    "Ingrid",
    "Lucía",
    "Ottilie",
    "Françoise",
    "Runa",
    "Beatriz",
    "Solveig",
    "Hedwig",
    "Inês",
)
MEN = (
    "Jürgen",
    "René",
    "Håkon",
    "Matías",
    "Björn",
    "Anselm",
    "Gaëtan",
    "Thadäus",
    "Rodrigo",
    "Søren",
    "Leopold",
    "Íñigo",
)
PLANTS = ("Haselwurz", "Seidelbast", "Hainbuchen", "Silberdistel", "Goldregen", "Eisenhut")
WAYS = ("weg", "gasse", "allee", "ufer")
DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae", "å": "aa", "ß": "ss"})


@dataclass(frozen=True)
class Name:
    """Args:
    charset: value of Specific Character Set.
    person: value of Patient's Name, component groups joined by "=".
    family, given: as used in running text, in `charset`.
    plain: "FAMILY, GIVEN" in ASCII, as a scanner draws it into pixels.
    folder: "FAMILY_Given", as an export names a folder.
    """

    charset: str | tuple[str, ...]
    person: str
    family: str
    given: str
    plain: str
    folder: str

    def forms(self) -> list[str]:
        """Every spelling of the name that the cohort's files hold."""
        groups = self.person.split("=")
        spelled = [part for group in groups for part in (group, group.split("^")[0])]
        return sorted({*spelled, f"{self.given} {self.family}", self.folder})


# One patient each whose name needs another character set. Free text stays within the set.
ELSEWHERE = {
    "M": (
        Name("GB18030", "Ouyang^Xiaodong=欧阳^晓东", "欧阳", "晓东", "OUYANG, XIAODONG", "欧阳晓东_OUYANG"),
        Name("ISO_IR 144", "Ковалевцов^Дмитрий", "Ковалевцов", "Дмитрий", "KOVALEVTSOV, DMITRI", "Ковалевцов_Дмитрий"),
    ),
    "F": (
        Name(
            ("", "ISO 2022 IR 87"),
            "Higashiyama^Sakurako=東山^桜子=ひがしやま^さくらこ",
            "Higashiyama",
            "Sakurako",
            "HIGASHIYAMA, SAKURAKO",
            "東山桜子_HIGASHIYAMA",
        ),
        Name(
            "ISO_IR 126",
            "Καραμπελοπούλου^Ευδοκία",
            "Καραμπελοπούλου",
            "Ευδοκία",
            "KARAMPELOPOULOU, EVDOKIA",
            "Καραμπελοπούλου_Ευδοκία",
        ),
        Name("GB18030", "Shangguan^Wanqing=上官^婉清", "上官", "婉清", "SHANGGUAN, WANQING", "上官婉清_SHANGGUAN"),
    ),
}


def latin(number: int, sex: str, rng: np.random.Generator) -> Name:
    """The name of that number in Latin-1; another number gives another family name."""
    family = _family(number)
    given = str(rng.choice(WOMEN if sex == "F" else MEN))
    shown = unicodedata.normalize("NFC", f"{family.upper()}_{given}")
    return Name("ISO_IR 100", f"{family}^{given}", family, given, _ascii(f"{family}, {given}").upper(), shown)


def _family(number: int) -> str:
    stem, rest = STEMS[number % len(STEMS)], number // len(STEMS)
    single = stem + ENDINGS[(rest + 5 * number) % len(ENDINGS)]
    turn = rest // len(ENDINGS)
    return single if turn == 0 else f"{single}-{_family(turn - 1)}"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower().translate(DIGRAPHS))
    return "".join(letter for letter in plain if letter.isascii())


def street(rng: np.random.Generator) -> str:
    """A street that does not exist."""
    return str(rng.choice(PLANTS)) + str(rng.choice(WAYS))
