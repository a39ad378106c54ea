"""Ages, sexes and dates as people and scanners write them."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.2425}
AGE = re.compile(r"(-?\d+(?:[.,]\d+)?)\s*([YMWD]?)", re.IGNORECASE)
OLDEST = 120
MALE = frozenset(("m", "male", "man", "boy", "1", "1.0"))
FEMALE = frozenset(("f", "female", "w", "woman", "girl", "2", "2.0"))
OTHER = frozenset(("o", "other", "x", "d", "divers", "diverse", "intersex", "non-binary", "nonbinary"))
DATES = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y")
MONTHS = ("%Y-%m", "%B %Y", "%b %Y")


def age(text: str | None) -> float:
    """Years from "060Y", "45", "013M" (DICOM AS: D, W, M, Y); NaN if absent, below 0 or above 120."""
    found = AGE.fullmatch(text.strip()) if text else None
    if not found:
        return math.nan
    years = float(found[1].replace(",", ".")) / PER_YEAR[found[2].upper() or "Y"]
    return years if 0 <= years <= OLDEST else math.nan


def age_between(birth: str | None, day: str | None) -> float:
    """Whole years from birth to a day, both ISO 8601 dates; NaN if unknown, or equal as anonymisers leave them."""
    try:
        born, now = date.fromisoformat(birth or ""), date.fromisoformat(day or "")
    except ValueError:
        return math.nan
    years = now.year - born.year - ((now.month, now.day) < (born.month, born.day))
    return float(years) if 0 <= years <= OLDEST and born != now else math.nan


def sex(text: str | None) -> str | None:
    """F, M or O; numbers by ISO/IEC 5218 (1 male, 2 female); None for anything else."""
    word = (text or "").strip().lower()
    return "M" if word in MALE else "F" if word in FEMALE else "O" if word in OTHER else None


def iso_date(text: str | None) -> str | None:
    """ISO 8601, as precise as what was written: day, month ("2020-01") or year ("2020").

    None for what is no date or may be read in two ways (03/04/20).
    """
    words = (text or "").strip()
    if re.fullmatch(r"(19|20)\d\d", words):
        return words
    words = re.split(r"[T ]\d\d:", words)[0]
    for forms, size in ((DATES, 10), (MONTHS, 7)):
        for form in forms:
            try:
                return datetime.strptime(words, form).date().isoformat()[:size]
            except ValueError:
                continue
    return None


def each(function: Callable[[str | None], Any], column: pd.Series) -> np.ndarray:
    """The function applied to a column, once per different value; nulls are passed as None."""
    codes, values = pd.factorize(column)
    results = [function(value) for value in values] + [function(None)]
    kind = float if all(isinstance(result, float) for result in results) else object
    return np.array(results, dtype=kind)[codes]
