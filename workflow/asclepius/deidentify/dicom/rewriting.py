"""The profile applied to a DICOM file: elements that need no change keep their bytes."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from asclepius.deidentify.dicom import documents, fragments, private, structured
from asclepius.deidentify.dicom.characters import encodings_of
from asclepius.deidentify.dicom.encoding import DEFLATED, Encoder, deflated, preface
from asclepius.deidentify.dicom.reading import Pixels, Source
from asclepius.deidentify.dicom.replacing import NewPixels
from asclepius.deidentify.dicom.runs import Run
from asclepius.deidentify.dicom.syntax import (
    UNDEFINED,
    Broken,
    Coding,
    Element,
    coding_within,
    element_of,
    items,
    walk,
)
from asclepius.deidentify.dicom.treating import Values
from asclepius.deidentify.patient import Change, Patient
from asclepius.deidentify.profile.decide import CODE, Decision, Treatment
from asclepius.deidentify.profile.options import METHOD, codes, longitudinal
from asclepius.errors import Rejected

INSTANCE, CLASS, CHARSET = 0x00080018, 0x00080016, 0x00080005
# Written by `rewrite` itself, whatever the source holds.
_STATED = sorted(
    {CLASS, INSTANCE} | {0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280301, 0x00280302, 0x00280303}
)
_LAST = 1 << 32  # beyond all tags
Odd = tuple[tuple[int, bytes], ...]  # private elements: tag and bytes


class _Part(NamedTuple):
    """What becomes of a run of elements.

    Args:
        pieces: first tag and new bytes of neighbours that nothing is put between.
        changes: what was done.
        odd: the private elements, as they were: they need their creators, which may stand elsewhere.
    """

    pieces: dict[int, bytes]
    changes: tuple[Change, ...]
    odd: Odd


@dataclass
class Written:
    """A file's new bytes.

    Args:
        parts: in the order they are written; pixels may be the source's own.
        pixels: the value that the file holds as pixels; empty for an object without.
        syntax: transfer syntax UID.
        instance, sop_class: new SOP Instance UID and the SOP Class UID.
    """

    parts: tuple[bytes | memoryview, ...]
    pixels: memoryview
    syntax: str
    instance: str
    sop_class: str
    audit: Counter[Change] = field(default_factory=Counter)


def rewrite(source: Source, patient: Patient, fallback: str, new: NewPixels | None = None) -> Written:
    """The file without identity; pixels byte for byte as they were unless new ones are given.

    Args:
        fallback: stands in for a missing SOP instance UID.

    Raises:
        Rejected: a part of the file cannot be parsed or written.
    """
    writer = _Writer(source, patient)
    audit: Counter[Change] = Counter()
    if new is None and source.ordered:
        parts = [writer.part(run) for run in source.runs]
        out = {tag: piece for part in parts for tag, piece in part.pieces.items()}
        odd: Odd = tuple(one for part in parts for one in part.odd)
        audit.update(change for part in parts for change in part.changes)
    else:
        out, odd = writer.apart(source.runs, audit)
    if odd:
        out |= writer.odd(odd, audit)
    instance = patient.uid(source.text(INSTANCE) or fallback)
    sop_class = patient.uid(source.sop_class)
    encoder = writer.encoder
    out |= _statements(encoder, patient, new.done if new else frozenset())
    out[CLASS] = encoder.element(CLASS, "UI", sop_class.encode())
    out[INSTANCE] = encoder.element(INSTANCE, "UI", instance.encode())
    syntax = source.syntax
    if new is not None:
        syntax = new.syntax
        for tag, (vr, value) in new.attributes.items():
            out[tag] = encoder.element(tag, vr, value)
        for tag in new.dropped:
            out.pop(tag, None)
    head, pixels, tail = _pixels(source, encoder, new, audit)
    dataset = b"".join([*(out[tag] for tag in sorted(out)), head])
    begin = preface(sop_class, instance, syntax)
    parts = (begin + deflated(dataset, pixels, tail),) if syntax == DEFLATED else (begin + dataset, pixels, tail)
    return Written(parts, pixels, syntax, instance, sop_class, audit)


def _pixels(
    source: Source, encoder: Encoder, new: NewPixels | None, audit: Counter[Change]
) -> tuple[bytes, memoryview, bytes]:
    """Head, value and delimiter of the element that holds the pixels."""
    for remark in new.remarks if new is not None else ():
        audit["7fe0,0010", remark, "C"] += 1
    old = source.pixels
    if old is None:
        return b"", memoryview(b""), b""
    if source.surplus:
        audit["fffc,fffc", "bytes behind the pixels", "X"] += 1
    if new is not None:
        value, encapsulated = memoryview(new.value), new.encapsulated
    else:
        value, encapsulated = _kept(source, old, audit), old.encapsulated
    vr = old.vr if old.vr in ("OB", "OW", "OF", "OD") else "OW"
    if new is not None and encapsulated:
        vr = "OB"
    pad = b"\0" * (len(value) % 2)
    length = UNDEFINED if encapsulated else len(value) + len(pad)
    return encoder.head(old.tag, vr, length), value, pad + (encoder.sequence_end() if encapsulated else b"")


def _kept(source: Source, old: Pixels, audit: Counter[Change]) -> memoryview:
    """The source's own pixels; bytes beyond the last of native ones are cut off, they may hold anything."""
    value = memoryview(source.body)[old.begin : old.end]
    if old.encapsulated:
        return fragments.without_comments(value, source.syntax, audit)
    if len(value) <= source.promised + source.promised % 2:
        return value
    full = source.promised * 3 // 2  # half-chroma photometry over full samples: a frequent mistake of writers
    if source.number(0x00280002, 1) == 3 and len(value) == full + full % 2:
        return value
    audit["7fe0,0010", "bytes behind the last pixel", "X"] += 1
    return value[: source.promised]


def _statements(encoder: Encoder, patient: Patient, done: frozenset[str]) -> dict[int, bytes]:
    """What the file says about its own de-identification (PS3.15 E.1.1), and who the patient is now."""
    key = (encoder.coding, done)
    cache = patient.rewritten.setdefault(("statements",), {})
    if key not in cache:
        options, write = patient.policy.options, encoder.element
        sequence = [encoder.code(value, "DCM", meaning) for value, meaning in codes(options, done)]
        cache[key] = {
            0x00100010: write(0x00100010, "PN", patient.name.encode()),
            0x00100020: write(0x00100020, "LO", patient.name.encode()),
            0x00120062: write(0x00120062, "CS", b"YES"),
            0x00120063: write(0x00120063, "LO", METHOD.encode()),
            0x00120064: encoder.sequence(0x00120064, sequence),
            0x00280303: write(0x00280303, "CS", longitudinal(options).encode()),
        }
        if "pixels" in done:
            cache[key][0x00280301] = write(0x00280301, "CS", b"NO")
        if "faces" in done:
            cache[key][0x00280302] = write(0x00280302, "CS", b"NO")
    return cache[key]


class _Writer:
    """Rewrites elements of one file; what is equal in other files of the patient is done once."""

    def __init__(self, source: Source, patient: Patient):
        self.encoder = Encoder(source.coding)
        self.patient = patient
        self.source = source
        kind = (source.coding, source.encodings, source.sop_class)
        self.memo = patient.rewritten.setdefault(kind, {})
        self.parts = patient.rewritten.setdefault(("runs", *kind), {})
        self.values = Values(patient)

    def part(self, run: Run) -> _Part:
        """What becomes of a run."""
        found = self.parts.get(run.raw)
        if found is None:
            found = self.parts[run.raw] = self._part(run)
        return found

    def _part(self, run: Run) -> _Part:
        pieces: dict[int, bytes] = {}
        changes: list[Change] = []
        odd: list[tuple[int, bytes]] = []
        first = end = 0  # tags: of the piece at hand, and where it must end because another element may come between
        for tag, raw in zip(run.tags, run.raws, strict=True):
            if tag & 0x10000:
                odd.append((tag, raw))
                end = tag
                continue
            if tag >= end:
                first, end = tag, next((stated for stated in _STATED if stated > tag), _LAST)
                if tag in _STATED:
                    end = tag + 1
            _, new, done = self.memo.get(raw) or self.fresh(raw)
            pieces[first] = pieces.get(first, b"") + new
            changes += done
        return _Part(pieces, tuple(changes), tuple(odd))

    def apart(self, runs: Iterable[Run], audit: Counter[Change]) -> tuple[dict[int, bytes], Odd]:
        """New bytes of each public element, and the private ones; of two with one tag the last is kept."""
        out: dict[int, bytes] = {}
        odd: list[tuple[int, bytes]] = []
        for run in runs:
            for tag, raw in zip(run.tags, run.raws, strict=True):
                if tag & 0x10000:
                    odd.append((tag, raw))
                    continue
                if tag in out:
                    audit["fffe,0000", "duplicates", "X"] += 1
                _, out[tag], changes = self.memo.get(raw) or self.fresh(raw)
                audit.update(changes)
        return out, tuple(odd)

    def odd(self, odd: Odd, audit: Counter[Change]) -> dict[int, bytes]:
        """The private elements of the outermost level that stay."""
        found = self.parts.get(odd)
        if found is None:
            changes: Counter[Change] = Counter()
            kept = self.private(odd, self.source.coding, self.source.encodings, changes)
            found = self.parts[odd] = kept, changes
        audit.update(found[1])
        return found[0]

    def fresh(self, raw: bytes) -> tuple[int, bytes, tuple[Change, ...]]:
        """Tag and new bytes of an element of the outermost level, and what was done to it."""
        changes: list[Change] = []
        element = element_of(raw, self.source.coding)
        new = self.element(element, self.source.coding, self.source.encodings, changes)
        self.memo[raw] = element.tag, new, tuple(changes)
        return self.memo[raw]

    def element(
        self,
        element: Element,
        coding: Coding,
        encodings: tuple[str, ...],
        changes: list[Change],
        *,
        nested: bool = False,
        hollow: bool = False,
    ) -> bytes:
        """An element as it is released; nothing if it is removed.

        Args:
            hollow: inside a sequence that needs a dummy: text says nothing there.
        """
        decision = self.patient.policy.decide(element.tag, element.vr, self.source.sop_class, nested=nested)
        treatment = decision.treatment
        if treatment is Treatment.REMOVE:
            changes.append(_change(element.tag, decision))
            return b""
        if element.vr == "SQ":
            return self._sequence(element, decision, coding, encodings, changes, hollow)
        if element.undefined:
            raise Rejected("unreadable", f"{decision.keyword}: of undefined length without being a sequence")
        if decision.keyword == "EncapsulatedDocument" and treatment is Treatment.DUMMY:
            changes.append(_change(element.tag, decision))
            return self.encoder.element(element.tag, "OB", documents.dummy(self.source.text(0x00420012)))
        new = self.values.new(element, decision, encodings, hollow)
        if new is None:
            return self._moved(element, coding)
        changes.append(_change(element.tag, decision))
        return self.encoder.element(element.tag, element.vr, new)

    def _moved(self, element: Element, coding: Coding) -> bytes:
        """An unchanged element; written anew if its sequence had another coding than the file."""
        if coding == self.encoder.coding:
            return element.raw
        return self.encoder.element(element.tag, element.vr, element.value)

    def _sequence(
        self,
        element: Element,
        decision: Decision,
        coding: Coding,
        encodings: tuple[str, ...],
        changes: list[Change],
        hollow: bool,
    ) -> bytes:
        tag, treatment = element.tag, decision.treatment
        if treatment is Treatment.EMPTY and not decision.needed:
            changes.append(_change(tag, decision))
            return self.encoder.sequence(tag, [])
        if treatment in (Treatment.DUMMY, Treatment.EMPTY):
            changes.append(_change(tag, decision))
            if decision.keyword.endswith("CodeSequence"):
                return self.encoder.sequence(tag, [self.encoder.code("ANONYMIZED", "99ANON", "Anonymized")])
            if decision.keyword == "ContentSequence":
                return self.encoder.sequence(tag, [structured.dummy(self.encoder)])
            hollow = True
        try:
            contents = items(element, coding)
            inner = coding_within(element, coding)
            concept = structured.treat if treatment is Treatment.CONTENT else None
            new = [self._item(item, inner, encodings, changes, hollow, concept) for item in contents]
        except Broken:
            raise Rejected("unreadable", f"sequence {decision.keyword} cannot be parsed") from None
        if inner == self.encoder.coding and new == contents:
            return element.raw
        return self.encoder.sequence(tag, new)

    def _item(
        self,
        item: bytes,
        coding: Coding,
        encodings: tuple[str, ...],
        changes: list[Change],
        hollow: bool,
        concept: Callable[..., structured.Replaced | None] | None,
    ) -> bytes:
        places = walk(item, 0, len(item), coding)
        elements = [element_of(item[begin:end], coding) for _, begin, end in places]
        for element in elements:
            if element.tag == CHARSET:
                encodings = encodings_of(element.value.decode("ascii", "replace").strip(" \0"), encodings)
        if concept is not None:
            replaced = concept(elements, coding, self.encoder, self.patient)
            if replaced is not None:
                changes.append(replaced.change)
                return replaced.item
        out: dict[int, bytes] = {}
        for element in elements:
            if not element.tag & 0x10000:
                out[element.tag] = self.element(element, coding, encodings, changes, nested=True, hollow=hollow)
        odd = tuple((tag, item[begin:end]) for tag, begin, end in places if tag & 0x10000)
        if odd:
            removed: Counter[Change] = Counter()
            out |= self.private(odd, coding, encodings, removed)
            changes.extend(removed.elements())
        return b"".join(out[tag] for tag in sorted(out))

    def private(self, odd: Odd, coding: Coding, encodings: tuple[str, ...], audit: Counter[Change]) -> dict[int, bytes]:
        """Private elements that the safe list knows, with their creators; the others are removed."""
        kept: dict[int, bytes] = {}
        if "safe_private" in self.patient.policy.options:
            for tag, raw, vr in private.safe(odd, coding, encodings):
                new = self._safe(element_of(raw, coding), vr, coding, encodings)
                if new:
                    kept[tag] = new
            for tag, raw in private.creators_of(kept, odd):
                kept[tag] = self._moved(element_of(raw, coding), coding)
        for tag, _ in odd:
            if tag not in kept:
                audit[f"{tag >> 16:04x},gggg", "private", "X"] += 1
        return kept

    def _safe(self, element: Element, vr: str, coding: Coding, encodings: tuple[str, ...]) -> bytes:
        if element.undefined or element.vr == "SQ":
            return b""
        element = element._replace(vr=vr) if element.vr == "UN" else element
        new = self.values.private(element, encodings)
        if new is None:
            return self._moved(element, coding)
        return self.encoder.element(element.tag, element.vr, new) if new else b""


def _change(tag: int, decision: Decision) -> Change:
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}", decision.keyword, CODE.get(decision.treatment, "C")
