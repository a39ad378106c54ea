"""Proof of a DICOM file: lawful, nothing of the patient in its values or bytes, pixels as they were."""

from io import BytesIO

import numpy as np
import pydicom

from asclepius.deidentify import values
from asclepius.deidentify.buffers import chunks
from asclepius.deidentify.dicom import odd
from asclepius.deidentify.dicom.characters import encodings_of, readings
from asclepius.deidentify.identifiers import CHANCE, Identifiers, stands_alone
from asclepius.deidentify.patient import ROOT, Patient
from asclepius.deidentify.profile.options import METHOD
from asclepius.deidentify.profile.tables import safe_private
from asclepius.deidentify.proof.walker import Buffer, Found, Leaf, Unlawful, leaves, open_file
from asclepius.deidentify.text.words import is_term
from asclepius.errors import Rejected

_TEXT = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
_BINARY = frozenset(
    {"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "US or SS"}
)
# Written by us, or numbers: an identifier's letters or digits there are a coincidence.
_COINCIDENCE = frozenset({"AS", "DA", "DS", "DT", "IS", "TM", "UI"})
_STATED = frozenset({0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303})
_MAKERS = frozenset({0x00080070, 0x00081090})
_CHARSET = 0x00080005
_ITEM = b"\xfe\xff\x00\xe0"
_PIECE = 1 << 16  # bytes that stay in the processor's cache
_OVERLAP = 256  # bytes; longer than any identifier


def prove(data: Buffer, patient: Patient, pixels: memoryview) -> None:
    """Check a written file.

    Args:
        data: its bytes, as they stand on disk.
        pixels: the value that it must hold as pixels, of the source or cleaned.

    Raises:
        Rejected: the file is unlawful, or an identifier, a private element, a foreign UID or a changed pixel was found.
    """
    try:
        found = patient.proven = open_file(data, patient.proven)
        _values(found, patient)
    except Unlawful as error:
        raise Rejected("identity", f"the written file did not stand its check ({error}); not released") from None
    _search(found.body[found.begin : found.end], found, patient)
    begin, end = found.pixels or (0, 0)
    with memoryview(found.body) as body, body[begin:end] as written:
        if not (isinstance(found.body, bytes) and end - begin == len(pixels) and found.body.startswith(pixels, begin)):
            _same(written, pixels)
        if written[:4] == _ITEM or _may_hold_text(written):  # compressed bytes may be anything
            _search_bulk(written, patient.identifiers)


def prove_and_reread(data: Buffer, patient: Patient, pixels: memoryview, series: str) -> None:
    """As `prove`; of the first file of each series pydicom must read every value too.

    Args:
        series: Series Instance UID of the source.
    """
    prove(data, patient, pixels)
    if series in patient.reread:
        return
    try:
        with odd.quiet():
            dataset = pydicom.dcmread(BytesIO(data) if isinstance(data, bytes) else data, stop_before_pixels=True)
            for element in dataset.iterall():
                _ = element.value
    except Exception as error:  # pydicom raises nearly anything
        kind = type(error).__name__
        raise Rejected("identity", f"pydicom cannot read the written file ({kind}); not released") from None
    patient.reread.add(series)


def _same(written: memoryview, pixels: memoryview) -> None:
    length = len(pixels)
    if len(written) - length not in (0, 1) or bytes(written[length:]).strip(b"\0"):
        raise Rejected("identity", "the written pixels have another length than those meant; not released")
    for one, other in zip(chunks(written[:length]), chunks(pixels), strict=True):
        for at in range(0, len(one), _PIECE):
            if bytes(one[at : at + _PIECE]) != bytes(other[at : at + _PIECE]):
                raise Rejected("identity", "the written pixels differ from those meant; not released")


def _values(found: Found, patient: Patient) -> None:
    encodings = encodings_of(_charset(found))
    verified = patient.verified.setdefault((found.implicit, found.order, encodings), set())
    creators: dict[tuple[int, int, int], str] = {}
    for stretch in found.stretches:
        if stretch.private:  # private ones hang on their creator
            _check_all(found, stretch.raw, encodings, patient, creators)
            creators = {key: name for key, name in creators.items() if key[0] == 0}  # places count from the stretch
        elif stretch.raw not in verified:  # equal bytes were found clean in another file of this patient
            for _, raw in stretch.elements():
                if raw not in verified:
                    _check_all(found, raw, encodings, patient, {})
                    verified.add(raw)
            verified.add(stretch.raw)


def _check_all(
    found: Found,
    raw: bytes,
    encodings: tuple[str, ...],
    patient: Patient,
    creators: dict[tuple[int, int, int], str],
) -> None:
    own = encodings
    for leaf in leaves(found, raw):
        if leaf.tag == _CHARSET:
            own = encodings_of(leaf.value.decode("ascii", "replace").strip(" \0"), encodings)
        _check(leaf, own, patient, creators)


def _charset(found: Found) -> str:
    """Specific Character Set of the outermost level."""
    for leaf in leaves(found):
        if leaf.place == 0 and leaf.tag >= _CHARSET:
            return leaf.value.decode("ascii", "replace").strip(" \0") if leaf.tag == _CHARSET else ""
    return ""


def _check(leaf: Leaf, encodings: tuple[str, ...], patient: Patient, creators: dict[tuple[int, int, int], str]) -> None:
    tag, vr = leaf.tag, leaf.vr
    if tag >> 16 & 1:
        _check_private(leaf, patient, creators)
    if not leaf.value or vr in _BINARY:
        return
    texts = readings(leaf.value, encodings, vr)
    text = texts[0]
    if vr == "UI":
        for uid in filter(None, text.split("\\")):
            uid = uid.strip(" \0")
            if uid not in patient.issued and uid != "2.25.0" and not uid.startswith(ROOT):
                raise _left("a UID of the source", tag)
    elif vr == "PN":
        if text not in (patient.name, "ANONYMIZED"):
            raise _left("a person's name", tag)
    elif vr in ("DS", "IS"):
        if not values.is_number(text):
            raise _left("text in the place of a number", tag)
    elif vr == "AS":
        if text != "000Y" and values.capped(text) != text:
            raise _left("an age over 89 years", tag)
    elif vr == "TM":
        if not values.is_time(text):
            raise _left("text in the place of a time", tag)
    elif vr in ("DA", "DT"):
        if not values.is_moment(text):
            raise _left("text in the place of a date", tag)
    elif vr in _TEXT and tag not in _STATED:
        words = [word for one in texts for word in one.split("\\") if not _is_of_standard(tag, vr, word)]
        if any(patient.identifiers.within(word) for word in words):
            raise _left("an identifier of the patient", tag)


def _is_of_standard(tag: int, vr: str, word: str) -> bool:
    """A term or a firm that everybody names: no trace of a patient who is called so."""
    return (vr == "CS" or tag in _MAKERS) and is_term(word)


def _check_private(leaf: Leaf, patient: Patient, creators: dict[tuple[int, int, int], str]) -> None:
    group, number = leaf.tag >> 16, leaf.tag & 0xFFFF
    if "safe_private" in patient.policy.options:
        if 0x10 <= number <= 0xFF:
            creators[leaf.place, group, number] = leaf.value.decode("latin-1").strip(" \0")
            return
        creator = creators.get((leaf.place, group, number >> 8), "")
        if safe_private(creator, group, number & 0xFF):
            return
    raise Rejected("identity", "a private element was left in the written file; not released")


def _left(what: str, tag: int) -> Rejected:
    return Rejected("identity", f"{what} was left in ({tag >> 16:04x},{tag & 0xFFFF:04x}); not released")


def _search(head: bytes, found: Found, patient: Patient) -> None:
    """Raise unless every occurrence in the bytes lies in numbers, new values or words of the standard."""
    hits = patient.identifiers.in_bytes(head)
    if not hits:
        return
    harmless: list[bytes] = [METHOD.encode().lower()]
    binary: list[bytes] = []
    for leaf in leaves(found):
        value = leaf.value.lower()
        if leaf.vr in _COINCIDENCE or leaf.tag in _STATED:
            harmless.append(value)
        elif leaf.vr in _BINARY:
            binary.append(value)
        else:
            terms = ((term, term.strip(b" \0").decode("latin-1")) for term in value.split(b"\\"))
            harmless += [term for term, text in terms if _is_of_standard(leaf.tag, leaf.vr, text)]
    for needle, count in hits.items():
        bounded = patient.identifiers.bounded(needle)
        places = harmless if len(needle) >= CHANCE else harmless + binary
        if count > sum(_occurrences(value, needle, bounded) for value in places):
            raise Rejected("identity", "an identifier of the patient was found in the written bytes; not released")


def _occurrences(data: bytes, needle: bytes, bounded: bool) -> int:
    count, at = 0, data.find(needle)
    while at >= 0:
        count += not bounded or stands_alone(data, at, at + len(needle))
        at = data.find(needle, at + 1)
    return count


def _may_hold_text(pixels: memoryview) -> bool:
    """Whether six letters or digits in a row can stand in the bytes: a quick look before a search."""
    for chunk in chunks(pixels, _OVERLAP):
        for at in range(0, len(chunk), _PIECE):
            piece = chunk[at : at + _PIECE + _OVERLAP]
            if _has_pairs(np.frombuffer(piece, "<u2", len(piece) // 2)):
                return True
    return False


def _has_pairs(pairs: np.ndarray) -> bool:
    """Whether two aligned pairs of letters or digits stand side by side: six in a row hold them."""
    if not len(pairs) or pairs.max() < 0x3030 or not ((pairs - np.uint16(0x3000)) < 0x5000).any():
        return False
    plain = ((pairs & 0x8080) == 0) & (pairs >= 0x3030) & ((pairs & 0xFF) >= 0x30)
    return bool((plain[1:] & plain[:-1]).any())


def _search_bulk(pixels: memoryview, identifiers: Identifiers) -> None:
    if any(identifiers.in_bulk(chunk) for chunk in chunks(pixels, _OVERLAP)):
        raise Rejected("identity", "an identifier of the patient stands in the bytes of the pixels; not released")
