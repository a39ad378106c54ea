"""The tables of PS3.15 Annex E and the attribute types of PS3.3, ready for look-up.

Every table is read once per process from the CSV files in `data`.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import get_args

from asclepius.deidentify.profile import data
from asclepius.deidentify.profile.options import OF_PIXELS, Option

DATA = Path(data.__file__).parent
# Columns of E.1-1, one for each option of PS3.15 E.3 that the table knows.
OPTIONS = tuple(option for option in get_args(Option) if option not in OF_PIXELS)
TYPES = ("1", "1C", "2", "2C", "3")  # PS3.5 section 7.4, the strictest first
# SNOMED-RT codes are found under three designators (PS3.16 table 8-1).
_SNOMED_RT = ("srt", "snm3", "99sdm")
ODD_GROUP = "oddxxxxx"  # the table's "gggg,eeee where gggg is odd"
_ODD = 0x00010000


@dataclass(frozen=True)
class Attribute:
    """A row of table E.1-1.

    Args:
        tag: group and element as one number; the first of its kind for repeating groups.
        keyword: name in the data dictionary; blank for repeating groups and private attributes.
        basic: action of the basic profile: X, Z, D, U or a compound such as X/Z/D.
        options: column of OPTIONS to K (keep) or C (clean); columns that say nothing are left out.
    """

    tag: int
    keyword: str
    name: str
    basic: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Concept:
    """A row of table E.3.4-1: what happens to content items with this concept name.

    Args:
        value_type: value type that the row is for, e.g. TEXT, PNAME, UIDREF.
        basic, options: as of Attribute; the compound is X/D.
    """

    code: str
    scheme: str
    meaning: str
    value_type: str
    basic: str
    options: Mapping[str, str]


def attribute(tag: int) -> Attribute | None:
    """The row of table E.1-1 that holds for a tag; None where the table is silent.

    Curves (50xx) and overlays (60xx) are found by their pattern, any odd group as a private attribute.
    """
    return attributes().get(tag) or next((row for mask, row in _patterns() if tag & mask == row.tag), None)


@cache
def attributes() -> dict[int, Attribute]:
    """Rows of table E.1-1 for one tag each."""
    return {int(row["tag"], 16): _attribute(row) for row in _rows("attributes") if "x" not in row["tag"]}


@cache
def _patterns() -> tuple[tuple[int, Attribute], ...]:
    """Mask and row: a tag is of the row if its masked bits are those of the row. Odd groups come first."""
    rows = sorted((row for row in _rows("attributes") if "x" in row["tag"]), key=lambda row: row["tag"], reverse=True)
    return tuple((_mask(row["tag"]), _attribute(row)) for row in rows)


def concept(code: str, scheme: str, value_type: str = "") -> Concept | None:
    """The row of table E.3.4-1 for a concept name; None where the table is silent.

    Args:
        code: code value; those of SNOMED-RT are known by their SNOMED CT successors.
        scheme: coding scheme designator, without a version.
        value_type: rows are for one value type. Where none fits, the one that removes most counts, without options.
    """
    found = _concepts().get((scheme.strip(" \0").casefold(), code.strip(" \0")))
    if found is None:
        return None
    return next((row for row in found if row.value_type == value_type), replace(found[0], options={}))


def safe_private(creator: str, group: int, element: int) -> bool:
    """Whether table E.3.10-1 lists a private attribute as safe.

    Args:
        creator: value of the private creator element, padding does not count.
        group: odd group number.
        element: low byte of the element number; the block that the creator reserved is dropped.
    """
    return private_vr(creator, group, element) is not None


def private_vr(creator: str, group: int, element: int) -> str | None:
    """The value representation of a safe private attribute (E.3.10-1); None for any other. Arguments: safe_private."""
    return _private().get((creator.strip(" \0"), group, element & 0xFF))


def attribute_type(sop_class: str, tag: int, *, nested: bool) -> str:
    """The type of an attribute in the IOD of a SOP class: 1, 1C, 2, 2C or 3 (PS3.3, PS3.5 section 7.4).

    Where modules, macros or sequences differ, the strictest type counts; 3 where the IOD lacks the attribute.

    Args:
        sop_class: SOP Class UID. One that the table lacks gets the strictest type of all IODs.
        tag: an attribute that E.1-1 empties or replaces, always or by its type; any other counts as type 3.
        nested: inside a sequence, functional groups included.
    """
    types = _types().get((tag, nested))
    if types is None:
        return "3"
    column = _sop_classes().get(sop_class.strip(" \0"))
    return min(types.values(), key=TYPES.index) if column is None else types[column]


@cache
def sop_classes() -> dict[str, str]:
    """Storage SOP Class UIDs whose attribute types are known, with their names."""
    return {row["uid"]: row["name"] for row in _rows("sop_classes")}


@cache
def plain_text() -> frozenset[str]:
    """Keywords of text attributes outside table E.1-1 that say how a picture was made, not of whom."""
    lines = (DATA / "text.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def _sop_classes() -> dict[str, str]:
    return {row["uid"]: row["types"] for row in _rows("sop_classes")}


@cache
def _types() -> dict[tuple[int, bool], dict[str, str]]:
    columns = ("tag", "keyword", "nested")
    return {
        (int(row["tag"], 16), row["nested"] == "Y"): {
            name: value or "3" for name, value in row.items() if name not in columns
        }
        for row in _rows("types")
    }


@cache
def _concepts() -> dict[tuple[str, str], list[Concept]]:
    """By scheme and code; of several rows that of the harshest action first."""
    found: dict[tuple[str, str], list[Concept]] = {}
    for row in sorted(_rows("concepts"), key=lambda row: ("X", "X/D", "D").index(row["basic"])):
        options = {name: row[name] for name in OPTIONS if row.get(name)}
        one = Concept(row["code"], row["scheme"], row["meaning"], row["value_type"], row["basic"], options)
        # "NCDR [2.0b]" is designator and version (PS3.16 section 8).
        found.setdefault((row["scheme"].split(" [")[0].casefold(), row["code"]), []).append(one)
        for scheme in _SNOMED_RT if row["srt"] else ():
            found.setdefault((scheme, row["srt"]), []).append(one)
    return found


@cache
def _private() -> dict[tuple[str, int, int], str]:
    return {(row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"] for row in _rows("private")}


def _attribute(row: Mapping[str, str]) -> Attribute:
    tag = _ODD if row["tag"] == ODD_GROUP else int(row["tag"].replace("x", "0"), 16)
    return Attribute(tag, row["keyword"], row["name"], row["basic"], {name: row[name] for name in OPTIONS if row[name]})


def _mask(pattern: str) -> int:
    return _ODD if pattern == ODD_GROUP else int("".join("0" if digit == "x" else "f" for digit in pattern), 16)


def _rows(table: str) -> Iterator[dict[str, str]]:
    with open(DATA / f"{table}.csv", encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)


RELEASE: Mapping[str, str] = {row["table"]: row["release"] for row in _rows("releases")}
