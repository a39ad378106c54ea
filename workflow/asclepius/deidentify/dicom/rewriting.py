"""The profile applied to a DICOM file."""

from collections import Counter
from dataclasses import dataclass, field

from asclepius.deidentify import values
from asclepius.deidentify.crosswalk import Pseudonyms
from asclepius.deidentify.dicom import encoding
from asclepius.deidentify.dicom.encoding import Encoder
from asclepius.deidentify.dicom.harvest import harvest
from asclepius.deidentify.dicom.reading import PIXELS, Element, Source, charset, decode, items, vr_of
from asclepius.deidentify.identifiers import Identifiers, foreign_uids
from asclepius.deidentify.profile import CODE, CODES, METHOD, Treatment, decide
from asclepius.errors import Rejected

# UIDs that the standard itself defines: SOP classes, transfer syntaxes, coding schemes, well-known frames.
ROOT = "1.2.840.10008."
Change = tuple[str, str, str]  # tag, keyword, action code

# Words of the standard in coded strings; a patient called Axial does not take them away.
_VOCABULARY_TEXT = """
original derived primary secondary axial localizer other mpr average reformatted projection maximum minimum mean
volume none mixed resampled monochrome1 monochrome2 rgb ybr_full ybr_full_422 ybr_ict ybr_rct palette color ct
mr cr dx mg us xa rf pt nm ot seg hfs ffs hfp ffp hfdr hfdl ffdr ffdl m f o yes no norm hu identity
"""
VOCABULARY = frozenset(_VOCABULARY_TEXT.split())


@dataclass
class Patient:
    """What is the same for all files of one patient.

    Args:
        name: the patient's pseudonym.
        days: how far all dates move back.
        pseudonyms: for UIDs.
        identifiers: grows as files are read.
    """

    name: str
    days: int
    pseudonyms: Pseudonyms
    identifiers: Identifiers = field(default_factory=Identifiers)
    issued: set[str] = field(default_factory=set)
    verified: set[tuple] = field(default_factory=set)  # values that the proof has read already
    rewritten: dict[tuple, tuple[bytes, tuple[Change, ...]]] = field(default_factory=dict)
    harvested: set[tuple] = field(default_factory=set)

    def learn(self, source: Source) -> bool:
        """Harvest a file; True if it told something new, so that earlier files must be looked at again."""
        before = len(self.identifiers)
        for tag, element in source.elements.items():
            if tag in PIXELS:
                continue
            key = _key(element, source)
            if key is None or key not in self.harvested:
                harvest(element, source.encodings, self.identifiers)
                if key is not None:
                    self.harvested.add(key)
        if len(self.identifiers) == before:
            return False
        self.rewritten.clear()
        self.verified.clear()
        return True

    def uid(self, uid: str) -> str:
        """The new UID for an old one."""
        new = self.pseudonyms.uid(uid)
        self.issued.add(new)
        return new


def _key(element: Element, source: Source) -> tuple | None:
    """Equal keys are treated alike in all files of a patient; None for what was parsed into items."""
    value = element.value
    if not isinstance(value, bytes | None):
        return None
    return (int(element.tag), element.VR, value, source.encodings, source.implicit, source.little)


def rewrite(source: Source, patient: Patient, audit: Counter[Change], fallback: str) -> bytes:
    """The file's bytes without identity; pixel data byte for byte as they were.

    Args:
        audit: counts what was changed.
        fallback: stands in for a missing SOP instance UID.

    Raises:
        Rejected: a part of the file cannot be parsed or written.
    """
    writer = _Writer(source, patient)
    parts: dict[int, bytes] = {}
    for tag, element in source.elements.items():
        if tag in PIXELS:
            continue
        key = _key(element, source)
        done = patient.rewritten.get(key) if key is not None else None
        if done is None:
            changes: list[Change] = []
            done = (writer.element(tag, element, source.encodings, changes), tuple(changes))
            if key is not None:
                patient.rewritten[key] = done
        parts[tag] = done[0]
        for change in done[1]:
            audit[change] += 1
    parts |= writer.statements(patient.name)
    pixels = source.pixels()
    encapsulated = pixels.length == encoding.UNDEFINED
    pixel_vr = vr_of(pixels) if pixels.VR in ("OB", "OW", "OF", "OD") else "OW"
    parts[int(pixels.tag)] = writer.encoder.element(int(pixels.tag), pixel_vr, pixels.value, undefined=encapsulated)
    old = source.text(0x00080018) or fallback
    instance = patient.uid(old)
    parts[0x00080018] = writer.encoder.element(0x00080018, "UI", instance.encode())
    dataset = b"".join(parts[tag] for tag in sorted(parts))
    return encoding.file(class_uid(source.text(0x00080016), patient), instance, source.syntax, dataset)


def class_uid(uid: str, patient: Patient) -> str:
    """A UID of the standard stays, any other gets a new one."""
    rest = uid.removeprefix(ROOT)
    known = uid.startswith(ROOT) and rest.replace(".", "").isdigit() and len(rest) <= 30
    return uid if known else patient.uid(uid)


class _Writer:
    def __init__(self, source: Source, patient: Patient):
        self.encoder = Encoder(source.implicit, source.little)
        self.patient = patient
        self._pseudonym = patient.name.encode()

    def element(self, tag: int, element: Element, encodings: tuple[str, ...], changes: list[Change]) -> bytes:
        """An element as it is released; nothing if it is removed."""
        vr = vr_of(element)
        decision = decide(tag, vr)
        treatment = decision.treatment
        name = f"{tag >> 16:04x},{tag & 0xFFFF:04x}"
        if treatment is Treatment.REMOVE:
            changes.append((name, decision.keyword, CODE[treatment]))
            return b""
        if treatment is Treatment.SEQUENCE and vr == "SQ":
            return self.encoder.sequence(
                tag, [self._item(item, encodings, changes) for item in items(element, encodings)]
            )
        if vr == "SQ":
            if treatment is Treatment.DUMMY:
                changes.append((name, decision.keyword, "D"))
                return self.encoder.sequence(tag, [self.code("ANONYMIZED", "99ANON", "Anonymized")])
            if element.value:
                changes.append((name, decision.keyword, "Z"))
            return self.encoder.sequence(tag, [])
        if not isinstance(element.value, bytes | None):
            raise Rejected("unreadable", f"{name} {decision.keyword}: of undefined length without being a sequence")
        old = element.value or b""
        new = self._value(treatment, vr, old, encodings)
        if new is not old:
            changes.append((name, decision.keyword, CODE.get(treatment, "C")))
        return self.encoder.element(tag, vr, new)

    def _item(self, item: dict[int, Element], encodings: tuple[str, ...], changes: list[Change]) -> bytes:
        own = charset(item, encodings)
        return b"".join(self.element(tag, item[tag], own, changes) for tag in sorted(item))

    def _value(self, treatment: Treatment, vr: str, old: bytes, encodings: tuple[str, ...]) -> bytes:
        """The new value; the old one itself where nothing needs to change."""
        if treatment is Treatment.KEEP or (not old and treatment is not Treatment.PSEUDONYM):
            return old
        if treatment is Treatment.EMPTY:
            return b""
        if treatment is Treatment.DUMMY:
            return values.dummy(vr)
        if treatment is Treatment.PSEUDONYM:
            return self._pseudonym
        text = decode(old, encodings, vr)
        if treatment is Treatment.UID:
            uids = [uid.strip(" \0") for uid in text.split("\\")]
            new = "\\".join(class_uid(uid, self.patient) if uid else "" for uid in uids)
            return old if new == text else new.encode("ascii", "ignore")
        if treatment is Treatment.DATE:
            return values.shifted(text, self.patient.days).encode()
        if treatment is Treatment.AGE:
            new = values.capped(text)
            return old if new == text else new.encode()
        if treatment is Treatment.NUMBER:
            return old if values.is_number(text) else b""
        return self._text(vr, text, old)

    def _text(self, vr: str, text: str, old: bytes) -> bytes:
        if not self._identifies(text):
            return old
        if vr != "CS":
            return b""
        terms = [term for term in text.split("\\") if term.strip().lower() in VOCABULARY or not self._identifies(term)]
        return "\\".join(terms).encode("ascii", "ignore")

    def _identifies(self, text: str) -> bool:
        uids = foreign_uids(text)
        return self.patient.identifiers.within(text) or any(not uid.startswith(ROOT) for uid in uids)

    def code(self, value: str, scheme: str, meaning: str) -> bytes:
        """An item with one code (PS3.3 section 8)."""
        write = self.encoder.element
        return (
            write(0x00080100, "SH", value.encode())
            + write(0x00080102, "SH", scheme.encode())
            + write(0x00080104, "LO", meaning.encode())
        )

    def statements(self, pseudonym: str) -> dict[int, bytes]:
        """What the file says about its own de-identification (PS3.15 E.1.1), and who the patient is now."""
        write = self.encoder.element
        return {
            0x00100010: write(0x00100010, "PN", pseudonym.encode()),
            0x00100020: write(0x00100020, "LO", pseudonym.encode()),
            0x00120062: write(0x00120062, "CS", b"YES"),
            0x00120063: write(0x00120063, "LO", METHOD.encode()[:64]),
            0x00120064: self.encoder.sequence(
                0x00120064, [self.code(value, "DCM", meaning) for value, meaning in CODES]
            ),
            0x00280303: write(0x00280303, "CS", b"MODIFIED"),
        }
