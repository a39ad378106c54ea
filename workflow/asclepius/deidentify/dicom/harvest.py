"""Gathering a patient's identifiers from the headers of the patient's own files."""

import re

from asclepius.deidentify.dicom.reading import Element, charset, decode, items, vr_of
from asclepius.deidentify.identifiers import Identifiers
from asclepius.deidentify.profile import standard_vr
from asclepius.errors import Rejected

# Numbers, addresses and places that point to one person or visit; names (PN) and dates count wherever they stand.
IDENTIFYING = frozenset(
    {
        0x00080050,  # Accession Number
        0x00080080,  # Institution Name
        0x00080081,  # Institution Address
        0x00080092,  # Referring Physician's Address
        0x00080094,  # Referring Physician's Telephone Numbers
        0x00081010,  # Station Name
        0x00081040,  # Institutional Department Name
        0x00100020,  # Patient ID
        0x00100021,  # Issuer of Patient ID
        0x00101000,  # Other Patient IDs
        0x00101040,  # Patient's Address
        0x00101090,  # Medical Record Locator
        0x00102154,  # Patient's Telephone Numbers
        0x00102155,  # Patient's Telecom Information
        0x00181000,  # Device Serial Number
        0x00200010,  # Study ID
        0x00321020,  # Scheduled Study Location
        0x00380010,  # Admission ID
        0x00380060,  # Service Episode ID
        0x00380300,  # Current Patient Location
        0x00400253,  # Performed Procedure Step ID
        0x00401001,  # Requested Procedure ID
        0x00402016,  # Placer Order Number
        0x00402017,  # Filler Order Number
        0x00402009,  # Issue of order, entered by
        0x00402010,  # Order Callback Phone Number
        0x00400009,  # Scheduled Procedure Step ID
        0x0020000D,  # Study Instance UID
        0x0020000E,  # Series Instance UID
        0x00200052,  # Frame of Reference UID
    }
)
_NAMES_OF_PERSONS = frozenset({0x00101001, 0x00101005, 0x00101060, 0x00100010})
_DAY = re.compile(r"\s*(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
# Days that stand for "no date".
_NO_DAYS = frozenset({("1900", "01", "01"), ("1970", "01", "01"), ("0000", "00", "00")})


def harvest(element: Element, encodings: tuple[str, ...], found: Identifiers) -> None:
    """Add what one element, and every item below it, tells of the patient."""
    tag, vr = int(element.tag), vr_of(element)
    if vr == "SQ":
        try:
            inside = items(element, encodings)
        except Rejected:
            return  # met again, and reported, when the element is rewritten
        for item in inside:
            own = charset(item, encodings)
            for inner in item.values():
                harvest(inner, own, found)
        return
    value = element.value
    if not value or not isinstance(value, bytes):
        return
    known = standard_vr(tag)
    if "PN" in (vr, known) or tag in _NAMES_OF_PERSONS:
        for name in decode(value, encodings, "PN").split("\\"):
            found.add_name(name, encodings)
    elif vr in ("DA", "DT") or known in ("DA", "DT"):
        for part in value.decode("latin-1").split("\\"):
            day = _DAY.match(part)
            if day and day.groups() not in _NO_DAYS:
                found.add_date(*day.groups())
    elif tag in IDENTIFYING:
        found.add_number(decode(value, encodings), encodings)
