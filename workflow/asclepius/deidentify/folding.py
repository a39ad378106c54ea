"""Text without case, accents, width and invisible letters, so that Müller finds MULLER."""

import unicodedata
from functools import lru_cache

# Letters that no decomposition of Unicode takes apart.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
# The German and Scandinavian way to write a letter without its accent.
_SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


@lru_cache(maxsize=65536)
def _letter(letter: str) -> str:
    if unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Co"):
        return " " if letter in "\t\n\r\f\v" else ""
    folded = unicodedata.normalize("NFKD", letter)
    return "".join(part for part in folded if not unicodedata.combining(part)).casefold().translate(_PLAIN)


def fold(text: str) -> str:
    """Case, accents, width and invisible letters taken away."""
    if text.isascii() and text.isprintable():
        return text.lower()
    return "".join(map(_letter, text))


def folded_with_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its letters the index in the original."""
    if text.isascii() and text.isprintable():
        return text.lower(), list(range(len(text)))
    letters, places = [], []
    for place, letter in enumerate(text):
        for part in _letter(letter):
            letters.append(part)
            places.append(place)
    return "".join(letters), places


def spelt_out(text: str) -> str:
    """Umlauts written as two letters, folded: Müller as mueller."""
    return fold(unicodedata.normalize("NFC", text).casefold().translate(_SPELT))
