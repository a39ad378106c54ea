"""Gathering a patient's identifiers from the headers of the patient's own files."""

import re

from asclepius.deidentify.dicom.characters import encodings_of, readings
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.syntax import Broken, Coding, Element, coding_within, element_of, items, walk
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import standard_vr

# Numbers, addresses and places that point to one person or visit, by the option that keeps them, if any; names (PN)
# and dates count wherever they stand.
_BY_OPTION: dict[str, frozenset[int]] = {
    "": frozenset(
        {
            0x00080050,  # Accession Number
            0x00080092,  # Referring Physician's Address
            0x00080094,  # Referring Physician's Telephone Numbers
            0x00100020,  # Patient ID
            0x00100021,  # Issuer of Patient ID
            0x00101000,  # Other Patient IDs
            0x00101040,  # Patient's Address
            0x00101050,  # Insurance Plan Identification
            0x00101080,  # Military Rank
            0x00101090,  # Medical Record Locator
            0x00102154,  # Patient's Telephone Numbers
            0x00102155,  # Patient's Telecom Information
            0x00102297,  # Responsible Person
            0x00102299,  # Responsible Organization
            0x00200010,  # Study ID
            0x00321020,  # Scheduled Study Location
            0x00380010,  # Admission ID
            0x00380060,  # Service Episode ID
            0x00380300,  # Current Patient Location
            0x00380400,  # Patient's Institution Residence
            0x00400009,  # Scheduled Procedure Step ID
            0x00400253,  # Performed Procedure Step ID
            0x00401001,  # Requested Procedure ID
            0x00401103,  # Person's Telephone Numbers
            0x00401102,  # Person's Address
            0x00402009,  # Order Enterer's Location
            0x00402010,  # Order Callback Phone Number
            0x00402016,  # Placer Order Number
            0x00402017,  # Filler Order Number
        }
    ),
    "institution": frozenset(
        {
            0x00080080,  # Institution Name
            0x00080081,  # Institution Address
            0x00081040,  # Institutional Department Name
        }
    ),
    "device": frozenset(
        {
            0x00081010,  # Station Name
            0x00181000,  # Device Serial Number
        }
    ),
    "uids": frozenset(
        {
            0x0020000D,  # Study Instance UID
            0x0020000E,  # Series Instance UID
            0x00200052,  # Frame of Reference UID
        }
    ),
}
_NAMES_OF_PERSONS = frozenset({0x00101001, 0x00101005, 0x00101060, 0x00100010, 0x00102297})
# Institutions, departments, wards and addresses: their words name them too.
_PLACES = frozenset(
    {
        0x00080080,
        0x00080081,
        0x00080092,
        0x00081040,
        0x00101040,
        0x00102299,
        0x00321020,
        0x00380300,
        0x00380400,
        0x00401102,
        0x00402009,
    }
)
_BIRTH = 0x00100030
_DAY = re.compile(r"\s*(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
# Days that stand for "no date".
_NO_DAYS = frozenset({("1900", "01", "01"), ("1970", "01", "01"), ("0000", "00", "00")})


def learn(source: Source, patient: Patient) -> bool:
    """Harvest a file; True if it told something new, so that earlier files must be looked at again."""
    identifiers = patient.identifiers
    before = len(identifiers)
    seen = patient.harvested.setdefault((source.coding, source.encodings), set())
    numbers = numbers_of(patient.policy.options)
    for run in source.runs:
        if run.raw in seen:
            continue
        for raw in run.raws:
            if raw not in seen:
                _harvest(element_of(raw, source.coding), source.coding, source.encodings, patient, numbers)
        seen.update((run.raw, *run.raws))
    if len(identifiers) == before:
        return False
    patient.forget()
    return True


def numbers_of(options: frozenset[str]) -> frozenset[int]:
    """Tags of the numbers and places that must not survive under these options."""
    return frozenset().union(*(tags for option, tags in _BY_OPTION.items() if option not in options))


def _harvest(
    element: Element, coding: Coding, encodings: tuple[str, ...], patient: Patient, numbers: frozenset[int]
) -> None:
    tag, vr = element.tag, element.vr
    known = standard_vr(tag)
    found = patient.identifiers
    if vr == "SQ":
        _harvest_items(element, coding, encodings, patient, numbers)
        return
    value = element.value
    if not value or element.undefined:
        return
    if "PN" in (vr, known) or tag in _NAMES_OF_PERSONS:
        for text in readings(value, encodings, "PN"):
            for name in text.split("\\"):
                found.add_name(name, encodings)
    elif vr in ("DA", "DT") or known in ("DA", "DT"):
        if "full_dates" in patient.policy.options and tag != _BIRTH:
            return
        for part in value.decode("latin-1").split("\\"):
            day = _DAY.match(part)
            if day and day.groups() not in _NO_DAYS:
                found.add_date(*day.groups())
    elif tag in numbers:
        for text in readings(value, encodings):
            (found.add_place if tag in _PLACES else found.add_number)(text, encodings)


def _harvest_items(
    element: Element, coding: Coding, encodings: tuple[str, ...], patient: Patient, numbers: frozenset[int]
) -> None:
    inner = coding_within(element, coding)
    try:
        for item in items(element, coding):
            places = walk(item, 0, len(item), inner)
            own = encodings
            for tag, begin, end in places:
                if tag == 0x00080005:
                    stated = element_of(item[begin:end], inner).value.decode("ascii", "replace").strip(" \0")
                    own = encodings_of(stated, encodings)
            for _tag, begin, end in places:
                _harvest(element_of(item[begin:end], inner), inner, own, patient, numbers)
    except Broken:
        return  # met again, and removed or reported, when the element is rewritten
