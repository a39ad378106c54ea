"""What happens to a DICOM attribute: table E.1-1 of PS3.15 (release 2024b), then rules by value representation.

The profile is the Basic Application Level Confidentiality Profile with two options: Retain Longitudinal Temporal
Information with Modified Dates (days shifted, times of day not kept) and, of Retain Patient Characteristics, sex
and age. The table says of itself that it is not sufficient (E.1), so every attribute that it does not list is
treated by its value representation.
"""

import csv
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from pathlib import Path

from pydicom.datadict import dictionary_VR, keyword_for_tag

TABLE = Path(__file__).with_name("profile.csv")
METHOD = "Asclepius: PS3.15 2024b basic profile; dates shifted; sex and age up to 89 kept"
# CID 7050; the second and third say that dates are modified and that patient characteristics are kept.
CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)


class Treatment(Enum):
    """What is done to one attribute."""

    KEEP = auto()
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    PSEUDONYM = auto()
    UID = auto()
    DATE = auto()
    AGE = auto()
    TEXT = auto()  # emptied if it holds an identifier of the patient
    NUMBER = auto()  # emptied if it is no number
    SEQUENCE = auto()  # its items are treated one by one


# The standard's action codes, as the audit shows them.
CODE = {
    Treatment.REMOVE: "X",
    Treatment.EMPTY: "Z",
    Treatment.DUMMY: "D",
    Treatment.PSEUDONYM: "D",
    Treatment.UID: "U",
    Treatment.DATE: "C",
    Treatment.AGE: "C",
    Treatment.TEXT: "C",
    Treatment.NUMBER: "C",
}


@dataclass(frozen=True)
class Decision:
    """Args:
    treatment: what is done.
    keyword: the attribute's name for the audit, e.g. PatientBirthDate; "private" for private elements.
    """

    treatment: Treatment
    keyword: str


# Compound codes are decided by the attribute's type in the image IODs (PS3.3). Z is legal for types 2 and 3; the
# attributes coded X/D are type 3 in all of them. Two groups differ:
_COMPOUND = {"X/Z": "Z", "X/D": "X", "X/Z/D": "Z", "Z/D": "Z", "X/Z/U*": "U"}
_DECIDED = {
    "DeviceSerialNumber": "D",  # type 1 in Enhanced General Equipment
    "InstitutionCodeSequence": "X",  # type 3, but never without an item
    "ReferencedStudySequence": "X",
    "ReferencedPerformedProcedureStepSequence": "X",
}
_OURS = {
    "PatientID": Treatment.PSEUDONYM,
    "PatientName": Treatment.PSEUDONYM,
    "PatientSex": Treatment.KEEP,
    "PatientAge": Treatment.AGE,
    "SpecificCharacterSet": Treatment.KEEP,
}

TEXTUAL = frozenset({"CS", "LO", "LT", "SH", "ST", "UC", "UT"})
NUMERIC = frozenset({"DS", "IS"})
BINARY = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "US or SS", "US or SS or OW", "US or OW"})
BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "UN"})
_BY_VR = {
    "AE": Treatment.EMPTY,
    "AS": Treatment.AGE,
    "DA": Treatment.DATE,
    "DT": Treatment.DATE,
    "PN": Treatment.EMPTY,
    "SQ": Treatment.SEQUENCE,
    "TM": Treatment.EMPTY,
    "UI": Treatment.UID,
    "UR": Treatment.EMPTY,
}
# Bulk data that is part of how an image looks: pixel data and look-up tables. Any other is removed.
_BULK_GROUPS = (0x0028, 0x7FE0)


@cache
def _listed() -> dict[int, tuple[str, str, bool]]:
    """Tag to keyword, basic action, and whether the option of modified dates cleans it."""
    with open(TABLE, encoding="utf-8", newline="") as handle:
        return {
            int(row["tag"], 16): (row["keyword"] or row["name"], row["basic"], row["modified_dates"] == "C")
            for row in csv.DictReader(handle)
            if "x" not in row["tag"]
        }


@cache
def standard_vr(tag: int) -> str | None:
    """The value representation of the data dictionary (PS3.6); None for a tag that it does not hold."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return None


@cache
def decide(tag: int, vr: str) -> Decision:
    """What happens to an attribute.

    Args:
        tag: group and element as one number.
        vr: value representation found in the file, or that of the dictionary where the file has none.
    """
    group = tag >> 16
    if group % 2:
        return Decision(Treatment.REMOVE, "private")
    if tag & 0xFFFF == 0:
        return Decision(Treatment.REMOVE, "group length")
    # Command set, file meta (rebuilt), directory, curves, overlays: PS3.15 table E.1-1 and PS3.5.
    if group < 0x0008 or 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
        return Decision(Treatment.REMOVE, keyword_for_tag(tag) or f"group {group:04x}")
    known = standard_vr(tag)
    if tag in _listed():
        keyword, action, dated = _listed()[tag]
        return Decision(_OURS.get(keyword) or _by_table(keyword, action, dated, known or vr, vr), keyword)
    if known is None:
        return Decision(Treatment.REMOVE, "not in the dictionary")
    keyword = keyword_for_tag(tag)
    return Decision(_OURS.get(keyword) or _by_vr(group, known, vr), keyword)


def _by_table(keyword: str, action: str, dated: bool, known: str, vr: str) -> Treatment:
    if dated and known in ("DA", "DT"):
        return Treatment.DATE
    action = _DECIDED.get(keyword) or _COMPOUND.get(action, action)
    if action == "U":
        return Treatment.SEQUENCE if "SQ" in (known, vr) else Treatment.UID
    if action == "D" and "SQ" in (known, vr):
        # A dummy code where codes are asked for; the others are required in objects that are no images only.
        return Treatment.DUMMY if keyword.endswith("CodeSequence") else Treatment.REMOVE
    return {"X": Treatment.REMOVE, "Z": Treatment.EMPTY, "D": Treatment.DUMMY}[action]


def _by_vr(group: int, known: str, vr: str) -> Treatment:
    """A file may claim another VR than the dictionary's: the more careful of the two counts."""
    for name in (vr, known):
        if name in _BY_VR:
            # What only one of both calls a sequence cannot be walked, or hides one.
            return Treatment.REMOVE if (known == "SQ") != (vr == "SQ") else _BY_VR[name]
    if known in BULK or vr in BULK:
        fits = group in _BULK_GROUPS and (vr in BULK or known in BULK | BINARY)
        return Treatment.KEEP if fits else Treatment.REMOVE
    if (known in TEXTUAL) and vr in BINARY:
        return Treatment.REMOVE
    if vr in TEXTUAL or known in TEXTUAL:
        return Treatment.TEXT
    return Treatment.NUMBER if vr in NUMERIC or known in NUMERIC else Treatment.KEEP
