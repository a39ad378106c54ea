"""Words that may stay in free text."""

from functools import cache
from pathlib import Path

WORDS = Path(__file__).with_name("words.txt")
# Words of names of places that many places share.
_PLACES_TEXT = """
hospital hospitals clinic clinics klinik kliniken klinikum clinique clinica hopital ospedale krankenhaus universitat
universitaet university universite universita institut institute center centre zentrum department dept abteilung
radiology radiologie saint sankt santa city town street road avenue ward room building floor north south east west
general memorial regional national royal college school praxis practice group health healthcare imaging diagnostic
"""


@cache
def vocabulary() -> frozenset[str]:
    """The words that may stay in cleaned text, lower case."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def common() -> frozenset[str]:
    """Words that name no place by themselves."""
    return vocabulary() | frozenset(_PLACES_TEXT.split())


def is_term(text: str) -> bool:
    """Whether a coded string is made of words that everybody uses: a patient called Axial does not take them away."""
    words = text.lower().replace("_", " ").split()
    return bool(words) and all(word in vocabulary() or len(word) == 1 for word in words)
