"""What identifies a patient, gathered from the patient's own files, and the search for it."""

import re
import unicodedata
from collections.abc import Iterable

# Words of de-identified or empty headers; as identifiers they would be found everywhere.
_PLACEHOLDERS_TEXT = """
anonymous anonymized anonymised anonymize anonym anon unknown none null unnamed noname name patient test no not
available n/a removed deidentified empty default
"""
_PLACEHOLDERS = frozenset(_PLACEHOLDERS_TEXT.split())
_SPLIT_NAME = re.compile(r"[\s^=,;._/\\()\[\]\-'’`0-9]+")
_SEPARATORS = re.compile(r"[\s\-_./^,]+")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_UID = re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}")
SHORTEST_UID = 16
SHORTEST_ID = 4
SHORTEST_WORD = 3


def normal(text: str) -> str:
    """Case, accents and width taken away, so that Müller finds MULLER."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).casefold()


def foreign_uids(text: str) -> list[str]:
    """UIDs standing in free text."""
    return [uid for uid in _UID.findall(text) if len(uid) >= SHORTEST_UID]


class Identifiers:
    """Names, numbers and dates of one patient.

    A short one counts only as a word of its own: "Lee" is not found in "sleep", 1234 not in 0.12345.
    """

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}  # normalised
        self._needles: dict[bytes, bool] = {}  # as bytes in some character set; True: a word of its own
        self._pattern: re.Pattern[str] | None = None

    def __len__(self) -> int:
        return len(self._forms)

    def add_name(self, text: str, encodings: Iterable[str] = ()) -> None:
        """A person's name in DICOM's or any other order; its parts and their usual joins."""
        for group in text.split("="):
            parts = [part for part in _SPLIT_NAME.split(group) if part]
            for part in parts:
                self._add(part, encodings, SHORTEST_WORD)
            if len(parts) > 1:
                for first, second in ((parts[0], parts[1]), (parts[1], parts[0])):
                    if len(first + second) >= 2 * SHORTEST_WORD or not (first + second).isascii():
                        self._add(first + second, encodings, SHORTEST_WORD)

    def add_number(self, text: str, encodings: Iterable[str] = ()) -> None:
        """A patient's, accession's or device's number, or an address: as it stands and without separators."""
        for part in text.split("\\"):
            part = part.strip(" \0")
            self._add(part, encodings, SHORTEST_ID)
            joined = _SEPARATORS.sub("", part)
            if len(joined) >= 2 * SHORTEST_WORD:
                self._add(joined, encodings, SHORTEST_ID)

    def add_date(self, year: str, month: str, day: str) -> None:
        """A day, in the ways people write it."""
        for form in (
            f"{year}{month}{day}",
            f"{year}-{month}-{day}",
            f"{year}/{month}/{day}",
            f"{year}.{month}.{day}",
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
            f"{month}/{day}/{year}",
            f"{day}-{month}-{year}",
            f"{day}{month}{year}",
        ):
            self._add(form, (), SHORTEST_ID)

    def _add(self, text: str, encodings: Iterable[str], shortest: int) -> None:
        form = normal(text)
        # Two ideographs are a name; two Latin letters are not.
        wide = any(ord(letter) > 0x2E7F for letter in text)
        if (
            len(unicodedata.normalize("NFC", text)) < (2 if wide else shortest)
            or form in _PLACEHOLDERS
            or form in self._forms
        ):
            return
        if len(set(form)) == 1 and not wide:  # 0000, xxxx
            return
        self._forms[form] = None
        self._pattern = None
        if len(form) < SHORTEST_ID and not wide:
            return
        bounded = _is_short(form)
        for variant in {text, form, text.lower(), text.upper(), text.title()}:
            for encoding in {"utf-8", "latin-1", *encodings}:
                try:
                    encoded = _ESCAPE.sub(b"", variant.encode(encoding))
                except (UnicodeEncodeError, LookupError):
                    continue
                if len(encoded) >= SHORTEST_ID:
                    self._needles[encoded.lower()] = bounded
            for encoding in ("utf-16-le", "utf-16-be"):
                self._needles[variant.encode(encoding).lower()] = False

    def within(self, text: str) -> bool:
        """Whether a text holds an identifier."""
        if not self._forms:
            return False
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(_as_pattern, self._forms)))
        text = normal(text)
        return self._pattern.search(text) is not None or self._pattern.search(_SEPARATORS.sub("", text)) is not None

    def in_bytes(self, data: bytes) -> list[tuple[bytes, int]]:
        """Every identifier found in raw bytes and how often, whatever the character set."""
        data = data.lower()
        found = []
        for needle, bounded in self._needles.items():
            if needle in data:
                count = occurrences(data, needle, bounded)
                if count:
                    found.append((needle, count))
        return found

    def in_bulk(self, data: bytes) -> bool:
        """Whether compressed pixels or other bulk data hold an identifier of six bytes or more.

        Shorter ones turn up in megabytes by chance.
        """
        return any(len(needle) >= 6 and needle in data for needle in self._needles)

    def bounded(self, needle: bytes) -> bool:
        return self._needles[needle]


def occurrences(data: bytes, needle: bytes, bounded: bool) -> int:
    """How often lower-case bytes hold a needle; bounded: not beside a further letter or digit of its kind."""
    if not bounded:
        return data.count(needle)
    count, at = 0, data.find(needle)
    alike = bytes.isdigit if needle.isdigit() else bytes.isalnum
    while at >= 0:
        before, after = data[at - 1 : at] if at else b"", data[at + len(needle) : at + len(needle) + 1]
        count += not (alike(before) or alike(after))
        at = data.find(needle, at + 1)
    return count


def _is_short(form: str) -> bool:
    return form.isascii() and len(form) < (6 if form.isdigit() else 5)


def _as_pattern(form: str) -> str:
    if not _is_short(form):
        return re.escape(form)
    kind = r"\d" if form.isdigit() else r"[a-z0-9]"
    return f"(?<!{kind}){re.escape(form)}(?!{kind})"
