"""Files beside images in BIDS: JSON sidecars, tables and gradients, by an allow-list of keys and a scan of values.

bids_keys.csv says what each key and column may hold (BIDS schema 1.11; dcm2niix and common use beyond it). Everything
that it does not list is dropped, nested objects always. README, CHANGES and other prose are not for release at all.
"""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from asclepius.deidentify.values import OLDEST
from asclepius.errors import Rejected

Change = tuple[str, str, str]
Scan = Callable[[str], str]
LARGEST = 32 << 20  # bytes
_LONGEST_TEXT = 256  # characters
_DEEPEST = 3  # lists in lists: a matrix per volume
_ABSENT = "n/a"
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_CODE = re.compile(r"[A-Za-z0-9 _.+\-/*^%():;,\[\]µ°]{1,64}")
_AGE = re.compile(r"0*(\d{1,3}(?:\.\d+)?)\s*([DWMY]?)\+?", re.IGNORECASE)
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?|nan", re.IGNORECASE)
_DIGITS = re.compile(r"\d{6,}")  # as many as a date, or a short patient number, has


class _Rule(NamedTuple):
    kind: str  # number, flag, code, text, age, sex, name or drop
    patient: bool  # a characteristic of the patient


@cache
def _rules(place: str) -> dict[str, _Rule]:
    with (Path(__file__).parent / "bids_keys.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["place"] == place]
    return {row["key"]: _Rule(row["kind"], row["about"] == "patient") for row in rows}


def clean_json(data: bytes, scan: Scan, audit: Counter[Change], *, characteristics: bool = True) -> bytes:
    """A sidecar or dataset_description.json with allow-listed keys alone.

    Args:
        scan: what it returns of a text is released; empty: nothing.
        characteristics: whether age (89 at most), sex, weight and the like stay.

    Raises:
        Rejected: empty, damaged, too large or too deeply nested, or no JSON object.
    """
    twice = 0

    def gather(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal twice
        found = dict(pairs)  # as all readers do: the last one counts
        twice += len(pairs) - len(found)
        return found

    try:
        content = json.loads(_decoded(data), object_pairs_hook=gather, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        raise Rejected("unreadable", "the sidecar is no valid JSON, or too deeply nested") from None
    if not isinstance(content, dict):
        raise Rejected("unreadable", "the sidecar holds no JSON object")
    if twice:
        audit["duplicate key", "JSON key", "X"] += twice
    rules, out = _rules("json"), {}
    for key, value in content.items():
        rule = rules.get(key)
        kept = None
        if rule and rule.kind != "drop" and (characteristics or not rule.patient):
            kept = _listed(rule.kind, value, scan, _DEEPEST)
        _record(key if rule else "other", "JSON key", value, kept, audit)
        if kept is not None:
            out[key] = kept
    return (json.dumps(out, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def clean_table(
    data: bytes,
    scan: Scan,
    audit: Counter[Change],
    rename: Callable[[str], str | None],
    *,
    characteristics: bool = True,
) -> bytes:
    """A .tsv table (participants, sessions, scans, events, channels) with allow-listed columns alone.

    Args:
        scan: as for `clean_json`.
        rename: gives the new participant, session, sample or file name; none: the row is not released.
        characteristics: as for `clean_json`.

    Raises:
        Rejected: empty, damaged or too large.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(_decoded(data)), delimiter="\t", strict=True) if row]
    except csv.Error:
        raise Rejected("unreadable", "the table is damaged: quotes or cells without an end") from None
    if not rows:
        raise Rejected("empty", "the table has no header")
    head = [name.strip().lower() for name in rows[0]]
    if any(len(row) != len(head) for row in rows):
        raise Rejected("unreadable", "the table's rows differ in length; separate cells by tabs")
    rules, columns = _rules("table"), {}
    for index, name in enumerate(head):
        rule = rules.get(name)
        if rule and rule.kind != "drop" and name not in columns and (characteristics or not rule.patient):
            columns[name] = index
        else:
            audit[name if rule else "other", "table column", "X"] += 1
    out = ["\t".join(columns)]
    for row in rows[1:]:
        cells = []
        for name, index in columns.items():
            cell = row[index].strip()
            if rules[name].kind == "name":
                new = rename(cell) if cell not in ("", _ABSENT) else _ABSENT
                kept = None if new is None else _flat(new)
            else:
                kept = _cell(rules[name].kind, cell, scan)
                _record(name, "table cell", cell, kept, audit)
            cells.append(kept)
        if None in cells:
            audit["row", "table", "X"] += 1
        else:
            out.append("\t".join(cells))
    return ("\n".join(out) + "\n").encode() if columns else b"\n"


def clean_numbers(data: bytes) -> bytes:
    """Gradient tables (.bval, .bvec) and matrices: numbers below a million, separated by single spaces.

    Raises:
        Rejected: empty, or anything but such numbers.
    """
    if not data.strip():
        raise Rejected("empty", "the table of numbers holds none")
    lines = []
    for line in data.removeprefix(b"\xef\xbb\xbf").splitlines():
        words = line.replace(b",", b" ").split()
        for word in words:
            if len(word) > 32 or not _NUMBER.fullmatch(word) or abs(float(word)) >= 1e6:
                raise Rejected("unreadable", "the table of numbers holds something else; remove it")
        if words:
            lines.append(b" ".join(words))
    return b"\n".join(lines) + b"\n"


def _decoded(data: bytes) -> str:
    """Text in UTF-8 or, by its mark, UTF-16. Bytes that are neither become lone surrogates, which no value may hold."""
    if not data.strip():
        raise Rejected("empty", "the file has no text")
    if len(data) > LARGEST:
        raise Rejected("unreadable", f"the file is larger than {LARGEST >> 20} MB, too much for a sidecar")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _listed(kind: str, value: object, scan: Scan, depth: int) -> object:
    """What may stay of a value or, item by item, of a list; none if nothing."""
    if isinstance(value, list):
        if not depth or not value:
            return None
        kept = [_listed(kind, item, scan, depth - 1) for item in value]
        # A list with a gap would say something else.
        return None if any(item is None for item in kept) else kept
    if value == _ABSENT:
        return value
    if kind == "flag":
        return value if isinstance(value, bool) else None
    if kind == "number":
        return value if _is_number(value, scan) else None
    if kind == "age":
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        return _age(text) if isinstance(text, str) else None
    if isinstance(value, bool | int | float):
        return value if isinstance(value, bool) or _is_number(value, scan) else None
    return _text(kind, value, scan) if isinstance(value, str) else None


def _cell(kind: str, cell: str, scan: Scan) -> str:
    """What may stay of a table's cell; "n/a" if nothing."""
    if kind == "number":
        try:
            return cell if _is_number(float(cell), scan) and len(cell) <= 32 and _plain(cell, scan) else _ABSENT
        except ValueError:
            return _ABSENT
    if kind == "age":
        age = _age(cell)
        return _ABSENT if age is None else f"{age:g}"
    return _text(kind, cell, scan) or _ABSENT


def _is_number(value: object, scan: Scan) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) < 1e12 and _plain(f"{value:.15g}", scan)


def _plain(number: str, scan: Scan) -> bool:
    """Whether long runs of digits pass the scan: a date or patient number may stand where a number should."""
    return all(scan(digits) == digits for digits in _DIGITS.findall(number.split(".")[0]))


def _age(text: str) -> float | int | None:
    found = _AGE.fullmatch(text.strip())
    if not found:
        return None
    years = float(found[1]) * _YEARS[found[2].upper()]
    years = min(years, OLDEST)
    return int(years) if years == int(years) else round(years, 2)


def _text(kind: str, value: str, scan: Scan) -> str | None:
    if any("\ud800" <= letter <= "\udfff" for letter in value) or len(value) > _LONGEST_TEXT:
        return None
    if kind == "sex":
        return _SEXES.get(value.strip().lower())
    if kind == "code" and not _CODE.fullmatch(value):
        return None
    cleaned = scan(value)
    if kind == "code" and cleaned != value:
        return None
    return _flat(cleaned) or None


def _flat(text: str) -> str:
    """One line without tabs or quotes, which would shift a table's cells."""
    return " ".join(text.replace('"', "'").split())


def _record(name: str, kind: str, before: object, after: object, audit: Counter[Change]) -> None:
    if after is None or (kind == "table cell" and after == _ABSENT != before):
        audit[name, kind, "X"] += 1
    elif after != before:
        audit[name, kind, "C"] += 1
