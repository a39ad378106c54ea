"""New values for old ones: dates, times, ages, dummies (PS3.5 section 6.2)."""

import datetime
import re
import struct

OLDEST = 89  # years; older patients are few enough to be found
_DATE = re.compile(r"\s*(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
_REST = re.compile(r"\d{0,6}(?:\.\d{1,6})?(?:[+-]\d{4})?")
_TIME = re.compile(r"(?:\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?)?")
_MOMENT = re.compile(r"[\d.:+\- /]{0,26}")
_AGE = re.compile(r"\s*(\d{1,3})\s*([DWMY]?)\s*")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
_NUMBER = re.compile(r"[ 0-9+\-.eE\\\0]*")

_DUMMIES = {
    "AE": b"ANONYMIZED",
    "AS": b"000Y",
    "CS": b"ANONYMIZED",
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101",
    "IS": b"0",
    "LO": b"ANONYMIZED",
    "LT": b"ANONYMIZED",
    "PN": b"ANONYMIZED",
    "SH": b"ANONYMIZED",
    "ST": b"ANONYMIZED",
    "TM": b"000000",
    "UC": b"ANONYMIZED",
    "UI": b"2.25.0",
    "UR": b"urn:anonymized",
    "UT": b"ANONYMIZED",
}
_WIDTHS = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8, "OD": 8, "OV": 8}


def date(year: int, month: int, day: int, offset: int) -> str:
    """A day moved back by `offset` days, as YYYYMMDD; empty if either is no day of the calendar."""
    try:
        moved = datetime.date(year, month, day) - datetime.timedelta(days=offset)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def shifted(text: str, offset: int) -> str:
    """A DA or DT value (several joined by a backslash) moved back by whole days; the time of day stays.

    A part that is no full date (year or month alone, a range, text) becomes empty.
    """
    parts = []
    for part in text.split("\\"):
        found = _DATE.match(part)
        rest = part[found.end() :].strip() if found else ""
        whole = found is not None and _REST.fullmatch(rest)
        moved = date(*(int(number) for number in found.groups()), offset) if whole else ""
        parts.append(moved and moved + rest)
    return "\\".join(parts) if any(parts) else ""


def is_time(text: str) -> bool:
    """Whether a TM value holds nothing but times of day."""
    return all(_TIME.fullmatch(part.strip(" \0")) for part in text.split("\\"))


def is_moment(text: str) -> bool:
    """Whether a DA or DT value holds nothing but digits and their usual separators."""
    return all(_MOMENT.fullmatch(part.strip(" \0")) for part in text.split("\\"))


def capped(text: str) -> str:
    """An AS value with at most 89 years; empty if it is no age."""
    found = _AGE.fullmatch(text.split("\\")[0].rstrip("\0"))
    if not found:
        return ""
    number, unit = int(found[1]), found[2] or "Y"
    return f"{OLDEST:03d}Y" if number * _YEARS[unit] > OLDEST else f"{number:03d}{unit}"


def is_number(text: str) -> bool:
    """Whether a DS or IS value holds nothing but numbers."""
    return _NUMBER.fullmatch(text) is not None


def dummy(vr: str) -> bytes:
    """A value that is legal for the value representation and says nothing."""
    return _DUMMIES.get(vr) or struct.pack(f"{_WIDTHS.get(vr, 2)}x")
