"""Proof after writing: the released bytes are read again and searched for everything known of the patient."""

import zlib

from asclepius.deidentify.dicom.encoding import DEFLATED
from asclepius.deidentify.dicom.reading import PIXELS, Element, Source, charset, decode, items, parse, raw, vr_of
from asclepius.deidentify.dicom.rewriting import ROOT, VOCABULARY, Patient
from asclepius.deidentify.identifiers import occurrences
from asclepius.deidentify.profile import BINARY, BULK, METHOD, NUMERIC, TEXTUAL
from asclepius.errors import Rejected

_WORDS = TEXTUAL | {"AE", "UR"}
# Written by us, or numbers: an identifier's letters or digits there are a coincidence.
_COINCIDENCE = NUMERIC | {"AS", "DA", "DT", "TM", "UI"}
_CHANCE = 6  # bytes; shorter identifiers turn up in look-up tables and other binary values by chance
_STATED = frozenset({0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303})


def prove(data: bytes, source: Source, patient: Patient) -> None:
    """Check a released file against its source.

    Raises:
        Rejected: an identifier, a private element, a foreign UID or a changed pixel was found.
    """
    released = parse(data)
    elements = raw(released)
    pixels = source.pixels()
    written = elements.get(int(pixels.tag))
    if written is None or written.value[: len(pixels.value)] != pixels.value:
        raise Rejected("identity", "the released pixels differ from the source's; nothing was released")
    encodings = charset(elements, ("iso8859",))
    _walk(elements, encodings, patient)

    start = written.value_tell
    head = _inflated(data, start) if source.syntax == DEFLATED else data[:start]
    found = patient.identifiers.in_bytes(head)
    if found:
        _explain(found, elements, encodings, patient)
    bulk = written.value if written.length == 0xFFFFFFFF else _surplus(source, written.value)
    if bulk and patient.identifiers.in_bulk(bulk):
        raise Rejected("identity", "an identifier of the patient stands in the compressed pixels or behind them")


def _inflated(data: bytes, pixels: int) -> bytes:
    """Of a deflated file: what stands before the pixels, whose offset counts from the inflated data set."""
    meta = 144 + int.from_bytes(data[140:144], "little")
    return data[:meta] + zlib.decompress(data[meta:], -zlib.MAX_WBITS)[:pixels]


def _surplus(source: Source, value: bytes) -> bytes:
    """What stands behind the last pixel of uncompressed pixel data; usually nothing or a padding byte."""
    bits = max(source.number(0x00280100, 8), 1)
    pixels = source.number(0x00280010, 0) * source.number(0x00280011, 0) * max(source.number(0x00280008, 1), 1)
    return value[(pixels * source.number(0x00280002, 1) * bits + 7) // 8 :]


def _walk(elements: dict[int, Element], encodings: tuple[str, ...], patient: Patient) -> None:
    for tag, element in elements.items():
        if tag in PIXELS:
            continue
        value = element.value
        key = (tag, element.VR, value, encodings) if isinstance(value, bytes) else None
        if key is not None and key in patient.verified:
            continue
        vr = vr_of(element)
        if (tag >> 16) % 2:
            raise Rejected("identity", "a private element was left in the released file")
        if vr == "SQ":
            for item in items(element, encodings):
                _walk(item, charset(item, encodings), patient)
        elif value:
            _check(tag, vr, decode(value, encodings, vr) if vr not in BINARY | BULK else "", patient)
        if key is not None:
            patient.verified.add(key)


def _check(tag: int, vr: str, text: str, patient: Patient) -> None:
    where = f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
    if vr == "UI":
        foreign = [uid for uid in text.split("\\") if uid and uid not in patient.issued and not uid.startswith(ROOT)]
        if foreign:
            raise Rejected("identity", f"a UID of the source was left in {where}")
    elif vr == "PN":
        if text not in (patient.name, "ANONYMIZED"):
            raise Rejected("identity", f"a person's name was left in {where}")
    elif vr in _WORDS and tag not in _STATED:
        words = [word for word in text.split("\\") if not (vr == "CS" and word.strip().lower() in VOCABULARY)]
        if any(patient.identifiers.within(word) for word in words):
            raise Rejected("identity", f"an identifier of the patient was left in {where}")


def _explain(
    found: list[tuple[bytes, int]], elements: dict[int, Element], encodings: tuple[str, ...], patient: Patient
) -> None:
    """Raise unless every occurrence lies in numbers, new values or words of the standard."""
    harmless: list[bytes] = [METHOD.encode().lower()]
    binary: list[bytes] = []
    _collect(elements, harmless, binary)
    for needle, count in found:
        bounded = patient.identifiers.bounded(needle)
        places = harmless if len(needle) >= _CHANCE else harmless + binary
        if count > sum(occurrences(value, needle, bounded) for value in places):
            raise Rejected("identity", "an identifier of the patient was found in the released bytes")


def _collect(elements: dict[int, Element], harmless: list[bytes], binary: list[bytes]) -> None:
    for tag, element in elements.items():
        vr = vr_of(element)
        if vr == "SQ":
            for item in items(element, ()):
                _collect(item, harmless, binary)
        elif tag not in PIXELS and element.value:
            value = element.value.lower()
            if vr in _COINCIDENCE or tag in _STATED:
                harmless.append(value)
            elif vr in BINARY or vr in BULK:
                binary.append(value)
            elif vr == "CS":
                harmless += [term for term in value.split(b"\\") if term.strip().decode("latin-1") in VOCABULARY]
