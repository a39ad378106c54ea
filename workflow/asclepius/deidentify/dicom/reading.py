"""A DICOM file as places of elements in its bytes, and the reasons why it cannot be used."""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from asclepius.deidentify.dicom import odd
from asclepius.deidentify.dicom.characters import DEFAULT, decode, encodings_of
from asclepius.deidentify.dicom.encoding import DEFLATED
from asclepius.deidentify.dicom.runs import Run, runs_of
from asclepius.deidentify.dicom.syntax import (
    KNOWN,
    LONG,
    Broken,
    Buffer,
    Coding,
    element_of,
    walk,
)
from asclepius.deidentify.profile.decide import standard_vr
from asclepius.errors import Rejected

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
NATIVE = frozenset({IMPLICIT, EXPLICIT, BIG, DEFLATED})
DIRECTORY = "1.2.840.10008.1.3.10"
LARGEST_INFLATED = 2 << 30  # bytes; more is a bomb
_PATIENT = 0x00100020
_FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
_META_HEAD, _META_LENGTH = struct.Struct("<HH2sH").unpack_from, struct.Struct("<L").unpack_from
_GUESSES = {Coding(True, True): IMPLICIT, Coding(False, True): EXPLICIT, Coding(False, False): BIG}


@dataclass(frozen=True)
class Pixels:
    """Where the pixels lie in the data set.

    Args:
        begin, end: of the value; of encapsulated ones without the closing delimiter.
    """

    tag: int
    vr: str
    begin: int
    end: int
    encapsulated: bool


@dataclass
class Source:
    """One file as read.

    Args:
        file: its bytes, or those that pydicom made of them.
        body: holds the data set, inflated if it was deflated.
        begin: of the data set in it.
        syntax: transfer syntax UID, of native ones the one that the bytes follow.
        runs: all elements before the pixels; equal bytes are treated alike, so each run is looked up.
        pixels: None for an object without.
        surplus: bytes stand behind the pixels.
        stated_class: Media Storage SOP Class UID.
    """

    file: Buffer
    body: Buffer
    begin: int
    coding: Coding
    syntax: str
    runs: list[Run]
    pixels: Pixels | None
    surplus: bool
    stated_class: str

    @cached_property
    def ordered(self) -> bool:
        """Whether each tag is higher than the one before."""
        runs = self.runs
        return all(run.ascending for run in runs) and all(one.tags[-1] < other.tags[0] for one, other in pairwise(runs))

    def has(self, tag: int) -> bool:
        """Whether the outermost level has the element."""
        return tag in self._elements

    @cached_property
    def _elements(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for run in self.runs:
            found.update(run.by_tag)
        return found

    def text(self, tag: int) -> str:
        """A value as text without padding; empty if the element is absent."""
        return self._value(tag).decode("ascii", "replace").strip(" \0")

    def _value(self, tag: int) -> bytes:
        raw = self._elements.get(tag, b"")
        return raw[12 if not self.coding.implicit and raw[4:6] in LONG else 8 :]

    def number(self, tag: int, default: int) -> int:
        """An unsigned short or an integer string."""
        value = self._value(tag)
        if not value:
            return default
        if standard_vr(tag) == "IS":
            try:
                return int(self.text(tag).split("\\")[0])
            except ValueError:
                return default
        return int.from_bytes(value[:2], "little" if self.coding.little else "big")

    @cached_property
    def sop_class(self) -> str:
        return self.text(0x00080016) or self.stated_class

    @cached_property
    def encodings(self) -> tuple[str, ...]:
        """Python's names of the file's character sets."""
        return encodings_of(self.text(0x00080005))

    @cached_property
    def promised(self) -> int:
        """Bytes of native pixels by the header; 0 if it does not say."""
        if self.text(0x00280008) and not self.text(0x00280008).split("\\")[0].strip().isdigit():
            return 0
        rows, columns, samples = self.number(0x00280010, 0), self.number(0x00280011, 0), self.number(0x00280002, 1)
        bits = _FLOAT_BITS.get(self.pixels.tag if self.pixels else 0) or self.number(0x00280100, 8)
        if samples == 3 and self.text(0x00280004) in _HALF_CHROMA:
            samples = 2
        return (rows * columns * samples * max(self.number(0x00280008, 1), 1) * bits + 7) // 8


def read(data: Buffer, like: Source | None = None) -> Source:
    """Parse a file's bytes up to the end of its pixels; what comes after them is padding, signatures or private.

    What this parser cannot read goes through pydicom first, which forgives more.

    Args:
        like: a file read before, for speed alone: those of a series share most of their elements.

    Raises:
        Rejected: empty, unreadable, cut short, or a directory.
    """
    if not len(data):
        raise Rejected("empty", "the file has no bytes")
    try:
        source = _parse(data, like)
    except (Broken, RecursionError):
        try:
            source = _parse(odd.normalised(bytes(data)), None)
        except (Broken, RecursionError):
            raise Rejected("unreadable", "the DICOM header cannot be parsed; is it a DICOM file?") from None
    _check(source)
    return source


def is_dicom(head: bytes) -> bool:
    """Whether a file's first bytes begin a DICOM file, with or without the preamble of PS3.10."""
    if head[128:132] == b"DICM":
        return True
    little, big = (
        head[:2] in (b"\x02\0", b"\x08\0") and head[3:4] == b"\0",
        head[:2] == b"\0\x08" and head[2:3] == b"\0",
    )
    implicit = little and 0 < int.from_bytes(head[4:8], "little") <= 256
    return len(head) > 8 and (((little or big) and head[4:6] in KNOWN) or implicit)


def patient_of(head: bytes) -> str | None:
    """Patient ID (0010,0020) as far as a file's first bytes hold it; None if they do not, or it is empty."""
    try:
        begin, syntax, _ = _meta(head)
        body, begin = (
            (zlib.decompressobj(-zlib.MAX_WBITS).decompress(head[begin:]), 0)
            if syntax == DEFLATED
            else (
                head,
                begin,
            )
        )
        coding = _coding(body, begin, syntax)
        places = walk(body, begin, len(body), coding, last=_PATIENT)
    except (Broken, RecursionError, zlib.error):
        return None
    encodings = DEFAULT
    for tag, at, end in places:
        if tag == 0x00080005:
            encodings = encodings_of(element_of(body[at:end], coding).value.decode("ascii", "replace").strip(" \0"))
        if tag == _PATIENT:
            return decode(element_of(body[at:end], coding).value, encodings) or None
    return None


def _parse(data: Buffer, like: Source | None) -> Source:
    begin, syntax, stated_class = _meta(data)
    body, offset = data, begin
    if syntax == DEFLATED:
        body, offset = _inflated(data, begin), 0
    coding = _coding(body, offset, syntax)
    if coding != Coding(False, True) and syntax and syntax not in (IMPLICIT, EXPLICIT, BIG):
        raise Broken("compressed pixels ask for explicit value representations (PS3.5 A.4)")
    if syntax in NATIVE - {DEFLATED} or not syntax:
        syntax = _GUESSES[coding]
    known = like.runs if like is not None and like.coding == coding else []
    runs, place = runs_of(body, offset, len(body), coding, known)
    if not runs and place is None:
        raise Broken("no element")
    pixels, surplus = None, False
    if place is not None:
        tag, at, stop = place
        element = element_of(bytes(body[at : at + 12]), coding)
        end = stop - 8 * element.undefined
        pixels = Pixels(tag, element.vr, at + element.begin, end, element.undefined)
        surplus = stop < len(body)
    return Source(data, body, offset, coding, syntax, runs, pixels, surplus, stated_class)


def _meta(data: Buffer) -> tuple[int, str, str]:
    """Where the data set begins, its transfer syntax and the kind of object, as far as the file says."""
    if data[128:132] == b"DICM":
        at = 132
    elif data[:4] == b"\x02\0\0\0":
        at = 0
    else:
        return 0, "", ""
    found = {}
    while data[at : at + 2] == b"\x02\0" and at + 8 <= len(data):
        _, number, vr, length = _META_HEAD(data, at)
        begin = at + 8
        if vr in LONG and begin + 4 <= len(data):
            (length,) = _META_LENGTH(data, begin)
            begin += 4
        if vr not in KNOWN or begin + length > len(data):
            raise Broken("the file meta information is damaged")
        at = begin + length
        if number in (0x02, 0x10):
            found[number] = bytes(data[begin:at])
    syntax, stated = (found.get(element, b"").decode("ascii", "replace").strip(" \0") for element in (0x10, 0x02))
    return at, syntax, stated


def _coding(body: Buffer, at: int, syntax: str) -> Coding:
    """As the syntax says, unless the first element contradicts it."""
    if len(body) - at < 8:
        raise Broken("no element")
    explicit = body[at + 4 : at + 6] in KNOWN
    if not explicit:
        return Coding(True, True)
    swapped = body[at] == 0 and body[at + 1] != 0
    return Coding(False, not swapped if syntax in ("", IMPLICIT, EXPLICIT, BIG) else True)


def _inflated(data: Buffer, begin: int) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = stream.decompress(bytes(data[begin:]), LARGEST_INFLATED)
    except zlib.error:
        raise Rejected("unreadable", "the deflated data set is damaged") from None
    if stream.unconsumed_tail:
        raise Rejected("unreadable", "the deflated data set holds more than 2 GB; write it uncompressed")
    if not stream.eof:
        raise Rejected("truncated", "the deflated data set ends too early")
    return body


def _check(source: Source) -> None:
    if source.sop_class == DIRECTORY or source.has(0x00041220):
        raise Rejected("not-an-image", "a DICOM directory, not an image")
    if not source.sop_class:
        raise Rejected("unreadable", "the file does not say what kind of DICOM object it is (no SOP class)")
    pixels = source.pixels
    if pixels is None:
        if source.number(0x00280010, 0):
            raise Rejected("truncated", "the header promises pixels, the file ends before them")
        return
    frames = max(source.number(0x00280008, 1), 1)
    if pixels.encapsulated:
        fragments = _fragments(source.body, pixels)
        if fragments < frames:
            raise Rejected("truncated", f"{frames} frames promised, {max(fragments, 0)} compressed fragments found")
        if source.syntax in NATIVE:
            raise Rejected("undecodable", "the transfer syntax does not fit the pixel data")
        return
    if source.syntax not in NATIVE:
        raise Rejected("undecodable", "the transfer syntax does not fit the pixel data")
    if not source.promised:
        raise Rejected("undecodable", "rows, columns, frames or bits per pixel are missing or no numbers")
    found = pixels.end - pixels.begin
    if found < source.promised:
        raise Rejected("truncated", f"{source.promised} bytes of pixels promised, {found} found")


def _fragments(body: Buffer, pixels: Pixels) -> int:
    """Items after the offset table (PS3.5 A.4)."""
    at, count = pixels.begin, -1
    while at + 8 <= pixels.end:
        at += 8 + int.from_bytes(body[at + 4 : at + 8], "little")
        count += 1
    return count
