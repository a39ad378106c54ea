"""Free text without identity: Clean Descriptors of PS3.15 E.3.6 and the scan of everything else.

Two strengths. A scan takes out what is known of the patient and what names a person by its form. Cleaning keeps,
besides, only words of a list: a relative's name that stands in no header is not on it.
"""

import re
from collections.abc import Iterable

from asclepius.deidentify.folding import fold
from asclepius.deidentify.identifiers import Identifiers
from asclepius.deidentify.text.patterns import AGES, DATES, LONG_NUMBER, OTHERS, TITLES
from asclepius.deidentify.text.words import vocabulary

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_PIECES = re.compile(r"[^\W\d_]+|\d+")
_LONGEST_NUMBER = 4  # digits that a number in cleaned text may have before its point
_SPACES = re.compile(r"[ \t]{2,}")
_LOOSE = ",;:^-_/ "  # punctuation that is left hanging where a name stood
_EMPTIED = re.compile(r"^[\s\W_]*$")


class Text:
    """Takes identity out of free text.

    Args:
        identifiers: what is known of the patient; may grow.
        dates: whether written days leave the text.
        words: further words that may stay in cleaned text.
    """

    def __init__(self, identifiers: Identifiers, *, dates: bool = True, words: Iterable[str] = ()):
        self._identifiers = identifiers
        self._patterns = (OTHERS, TITLES, LONG_NUMBER, AGES, *((DATES,) if dates else ()))
        self._words = frozenset(map(fold, words))

    def scanned(self, text: str) -> str:
        """The text without identifiers; the same object if there is none."""
        spans = self._identifiers.spans(text)
        for pattern in self._patterns:
            spans += [match.span() for match in pattern.finditer(text)]
        return _without(text, spans) if spans else text

    def cleaned(self, text: str) -> str:
        """As `scanned`, and only words of the list stay; the same object if nothing had to go."""
        rest = self.scanned(text)
        spans = [match.span() for match in _TOKEN.finditer(rest) if not self._known(match.group())]
        return _without(rest, spans) if spans else rest

    def _known(self, token: str) -> bool:
        word = fold(token)
        if word in vocabulary() or word in self._words:
            return True
        pieces = _PIECES.findall(word)
        return all(
            len(piece) <= _LONGEST_NUMBER if piece.isdigit() else len(piece) == 1 or piece in vocabulary()
            for piece in pieces
        )

    def identifies(self, text: str) -> bool:
        """Whether a scan would take something out."""
        return self.scanned(text) is not text


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text without half-open ranges; separators left alone at the ends go with them."""
    out, at = [], 0
    for start, end in sorted(spans):
        if start > at:
            out.append(text[at:start])
        at = max(at, end)
    out.append(text[at:])
    rest = _SPACES.sub(" ", "".join(part.rstrip(_LOOSE) + " " for part in out if part)).strip(" " + _LOOSE)
    return "" if _EMPTIED.match(rest) else rest
