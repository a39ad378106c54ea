"""New values for old ones: dates, ages, dummies (PS3.5 section 6.2)."""

import datetime
import re
import struct

OLDEST = 89  # years; older patients are few enough to be found
_DATE = re.compile(r"\s*(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
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
    """A DA or DT value (several joined by a backslash) moved back by whole days; the time of day is dropped.

    A part that is no full date (year or month alone, a range, text) becomes empty.
    """
    parts = []
    for part in text.split("\\"):
        found = _DATE.match(part)
        parts.append(date(*(int(number) for number in found.groups()), offset) if found else "")
    return "\\".join(parts) if any(parts) else ""


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
