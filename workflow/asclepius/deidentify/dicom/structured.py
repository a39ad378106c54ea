"""Content items of structured reports by their concept (PS3.15 E.3.4, table E.3.4-1)."""

from dataclasses import dataclass

from asclepius.deidentify.dicom.characters import decode
from asclepius.deidentify.dicom.encoding import Encoder
from asclepius.deidentify.dicom.syntax import Coding, Element, element_of, items, walk
from asclepius.deidentify.patient import Change, Patient
from asclepius.deidentify.profile.tables import Concept, concept

_RELATIONSHIP, _VALUE_TYPE, _CONCEPT, _TEXT = 0x0040A010, 0x0040A040, 0x0040A043, 0x0040A160


@dataclass(frozen=True)
class Replaced:
    """A content item that gave way to a dummy."""

    item: bytes
    change: Change


def treat(elements: list[Element], coding: Coding, encoder: Encoder, patient: Patient) -> Replaced | None:
    """What takes the place of a content item; None if its elements are to be treated one by one.

    The items of a report keep their number and order, so that references by position stay true: what the table
    removes is written as a dummy text.
    """
    found = {element.tag: element for element in elements}
    name = _code(found.get(_CONCEPT), coding)
    if name is None:
        return None
    value_type = _text(found.get(_VALUE_TYPE))
    row = concept(*name, value_type)
    if row is None:
        return None
    action = _action(row, patient.policy.options)
    if action in ("K", "C", "U"):
        return None
    relationship = _text(found.get(_RELATIONSHIP)) or "CONTAINS"
    item = dummy(encoder, relationship)
    return Replaced(item, ("0040,a730", row.meaning, action))


def dummy(encoder: Encoder, relationship: str = "CONTAINS") -> bytes:
    """A content item that says nothing (PS3.3 C.17.3): a comment, anonymised."""
    return (
        encoder.element(_RELATIONSHIP, "CS", relationship.encode())
        + encoder.element(_VALUE_TYPE, "CS", b"TEXT")
        + encoder.sequence(_CONCEPT, [encoder.code("121106", "DCM", "Comment")])
        + encoder.element(_TEXT, "UT", b"ANONYMIZED")
    )


def _action(row: Concept, options: frozenset[str]) -> str:
    said = {row.options[option] for option in options if option in row.options}
    if said:
        return "C" if "C" in said else "K"
    return row.basic.split("/")[0]


def _code(element: Element | None, coding: Coding) -> tuple[str, str] | None:
    """Value and scheme of the first code of a code sequence."""
    if element is None or element.vr != "SQ":
        return None
    contents = items(element, coding)
    if not contents:
        return None
    inside = {
        tag: element_of(contents[0][begin:end], coding)
        for tag, begin, end in walk(contents[0], 0, len(contents[0]), coding)
    }
    value, scheme = _text(inside.get(0x00080100)), _text(inside.get(0x00080102))
    return (value, scheme) if value else None


def _text(element: Element | None) -> str:
    return "" if element is None else decode(element.value, ())
