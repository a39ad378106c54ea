"""What identifies a patient, gathered from the patient's own files, and the search for it."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick

from asclepius.deidentify.folding import fold, folded_with_places, spelt_out
from asclepius.deidentify.text.words import common

# Words of de-identified or empty headers, and titles; as identifiers they would be found everywhere.
_PLACEHOLDERS_TEXT = """
anonymous anonymized anonymised anonymize anonym anon unknown none null unnamed noname name patient test no not
available n/a removed deidentified empty default dr mr mrs ms prof professor doctor md phd jr sr herr frau von van
de la del der den di da le the and
"""
_PLACEHOLDERS = frozenset(_PLACEHOLDERS_TEXT.split())
_SPLIT_NAME = re.compile(r"[\s^=,;._/\\()\[\]\-'’`0-9\x00-\x1f\x7f]+")
SEPARATORS = re.compile(r"[\s\-_./^,()+:;]+")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
SHORTEST_ID = 4
SHORTEST_WORD = 3
CHANCE = 6  # bytes; shorter identifiers turn up in megabytes of binary values by chance
# Python's names of the character sets of PS3.3 C.12.1.1.2, besides the ASCII that all contain.
_ENCODINGS = (
    *(f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)),
    *("tis_620", "shift_jis", "euc_jp", "iso2022_jp", "iso2022_jp_2", "euc_kr", "gb18030", "utf-8"),
)


class Identifiers:
    """Names, numbers and dates of one patient.

    A short one counts only as a word of its own: "Lee" is not found in "sleep", 1234 not in 0.12345.
    """

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}  # folded
        self._needles: dict[bytes, bool] = {}  # as bytes in some character set; True: a word of its own

    def __len__(self) -> int:
        return len(self._forms)

    def add_name(self, text: str, encodings: Iterable[str] = ()) -> None:
        """A person's name in DICOM's or any other order; its parts and their usual joins."""
        for group in text.split("="):
            parts = [part for part in _SPLIT_NAME.split(group) if part]
            for part in parts:
                self._add(part, encodings, 2)
            for first, second in pairwise(parts):
                if len(first + second) >= 2 * SHORTEST_WORD or not (first + second).isascii():
                    self._add(first + second, encodings, SHORTEST_WORD)
                    self._add(second + first, encodings, SHORTEST_WORD)

    def add_number(self, text: str, encodings: Iterable[str] = ()) -> None:
        """A patient's, accession's or device's number, a telephone's, or an address: as it stands and joined."""
        for part in text.split("\\"):
            part = part.strip(" \0")
            self._add(part, encodings, SHORTEST_ID)
            joined = SEPARATORS.sub("", part)
            if len(joined) >= 2 * SHORTEST_WORD:
                self._add(joined, encodings, SHORTEST_ID)

    def add_place(self, text: str, encodings: Iterable[str] = ()) -> None:
        """An institution, department or address: as a whole, and each word that not many places share."""
        self.add_number(text, encodings)
        for word in _SPLIT_NAME.split(text):
            if len(word) > SHORTEST_WORD and fold(word) not in common():
                self._add(word, encodings, SHORTEST_ID)

    def add_date(self, year: str, month: str, day: str) -> None:
        """A day, in the ways people write it in numbers."""
        for form in (
            f"{year}{month}{day}",
            f"{year}-{month}-{day}",
            f"{year}/{month}/{day}",
            f"{year}.{month}.{day}",
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
            f"{month}/{day}/{year}",
            f"{day}-{month}-{year}",
            f"{month}-{day}-{year}",
            f"{day}{month}{year}",
        ):
            self._add(form, (), SHORTEST_ID)

    def _add(self, text: str, encodings: Iterable[str], shortest: int) -> None:
        # Two ideographs are a name; two Latin letters are one as a word of their own.
        wide = any(ord(letter) > 0x2E7F for letter in text)
        for form in {fold(text): None, spelt_out(text): None}:
            if (
                len(form) < (2 if wide else shortest)
                or form in _PLACEHOLDERS
                or form in self._forms
                or (len(set(form)) == 1 and not wide)  # 0000, xxxx
            ):
                continue
            self._forms[form] = None
            self.__dict__.pop("_words", None)
            self.__dict__.pop("_automaton", None)
            if len(form) >= SHORTEST_ID or wide:
                self._add_needles(text, form, encodings)

    def _add_needles(self, text: str, form: str, encodings: Iterable[str]) -> None:
        bounded = _is_short(form)
        composed = unicodedata.normalize("NFC", text)
        variants = {text, composed, unicodedata.normalize("NFD", text), form}
        variants |= {case(variant) for variant in (composed, form) for case in (str.lower, str.upper, str.title)}
        for variant in variants:
            for encoding in ("utf-8",) if variant.isascii() else {*_ENCODINGS, *encodings}:
                try:
                    encoded = _ESCAPE.sub(b"", variant.encode(encoding))
                except (UnicodeEncodeError, LookupError):
                    continue
                if len(encoded) >= SHORTEST_ID:
                    self._needles[encoded.lower()] = bounded
            for encoding in ("utf-16-le", "utf-16-be"):
                self._needles[variant.encode(encoding, "ignore").lower()] = False

    def within(self, text: str) -> bool:
        """Whether a text holds an identifier."""
        if not self._forms or not text:
            return False
        text = fold(text)
        return bool(self._places(text) or self._places(SEPARATORS.sub("", text)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a text holds identifiers: half-open ranges of its letters; separators inside one do not hide it."""
        if not self.within(text):
            return []
        folded, places = folded_with_places(text)
        found = self._places(folded)
        kept = [index for index, letter in enumerate(folded) if not SEPARATORS.match(letter)]
        for start, end in self._places("".join(folded[index] for index in kept)):
            found.append((kept[start], kept[end - 1] + 1))
        return [(places[start], places[end - 1] + 1) for start, end in found]

    def _places(self, folded: str) -> list[tuple[int, int]]:
        """Begin and end of every identifier in folded text."""
        automaton, short = self._words
        return [
            (start, end)
            for index, start, end in automaton.find_matches_as_indexes(folded, overlapping=True)
            if not short[index] or _is_word(folded, start, end)
        ]

    @cached_property
    def _words(self) -> tuple[AhoCorasick, list[bool]]:
        forms = list(self._forms)
        return AhoCorasick(forms), [_is_short(form) for form in forms]

    @cached_property
    def _automaton(self) -> tuple[BytesAhoCorasick, list[bytes]]:
        needles = list(self._needles)
        return BytesAhoCorasick(needles), needles

    def in_bytes(self, data: bytes | memoryview) -> dict[bytes, int]:
        """Every identifier found in raw bytes and how often, whatever the character set."""
        if not self._needles:
            return {}
        data = bytes(data).lower()
        automaton, needles = self._automaton
        found: dict[bytes, int] = {}
        for index, start, end in automaton.find_matches_as_indexes(data, overlapping=True):
            needle = needles[index]
            if not self._needles[needle] or stands_alone(data, start, end):
                found[needle] = found.get(needle, 0) + 1
        return found

    def in_bulk(self, data: bytes | memoryview) -> bool:
        """Whether compressed pixels or other bulk data hold an identifier of six bytes or more."""
        return any(len(needle) >= CHANCE for needle in self.in_bytes(data))

    def bounded(self, needle: bytes) -> bool:
        """Whether a needle counts only as a word of its own."""
        return self._needles[needle]


def stands_alone(data: bytes, start: int, end: int) -> bool:
    """Whether lower-case bytes are not beside a further letter or digit of their kind."""
    alike = bytes.isdigit if data[start:end].isdigit() else bytes.isalnum
    before = data[start - 1 : start] if start else b""
    return not (alike(before) or alike(data[end : end + 1]))


def _is_short(form: str) -> bool:
    return form.isascii() and len(form) < (6 if form.isdigit() else 5)


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether folded text is not beside a further letter or digit of its kind."""
    digits = text[start:end].isdigit()
    for letter in (text[start - 1 : start] if start else "", text[end : end + 1]):
        if letter.isascii() and (letter.isdigit() if digits else letter.isalnum()):
            return False
    return True
