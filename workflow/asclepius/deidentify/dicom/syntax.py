"""Where the elements of a data set lie in its bytes (PS3.5 section 7); nothing is converted or copied."""

import struct
from mmap import mmap
from typing import NamedTuple

from asclepius.deidentify.profile.decide import standard_vr

Buffer = bytes | mmap | memoryview
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONG_TEXT = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_SHORT_TEXT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
LONG = frozenset(map(str.encode, _LONG_TEXT.split()))
KNOWN = LONG | frozenset(map(str.encode, _SHORT_TEXT.split()))
DEEPEST = 64  # sequences in sequences; deeper ones are an attack, not a header


class Broken(ValueError):
    """The bytes do not follow PS3.5 as far as this parser reads it."""


class Coding(NamedTuple):
    """How elements are written."""

    implicit: bool
    little: bool


class Element(NamedTuple):
    """One element: its bytes and what its head says.

    Args:
        vr: value representation as it stands in the file, or the dictionary's; "UN" if neither knows.
        raw: head, value and, of undefined length, the delimiter.
        begin: where the value begins in `raw`.
        undefined: of undefined length.
    """

    tag: int
    vr: str
    raw: bytes
    begin: int
    undefined: bool

    @property
    def value(self) -> bytes:
        return self.raw[self.begin : len(self.raw) - 8 * self.undefined]


Place = tuple[int, int, int]  # tag, begin of its head, end of its value

_HEADS = {True: struct.Struct("<HH2sH").unpack_from, False: struct.Struct(">HH2sH").unpack_from}
_IMPLICIT_HEADS = {True: struct.Struct("<HHL").unpack_from, False: struct.Struct(">HHL").unpack_from}
_LENGTHS = {True: struct.Struct("<L").unpack_from, False: struct.Struct(">L").unpack_from}


def walk(
    data: Buffer,
    at: int,
    end: int,
    coding: Coding,
    *,
    pixels: bool = False,
    last: int = 0xFFFFFFFF,
    first: bool = False,
    depth: int = 0,
) -> list[Place]:
    """The elements between two offsets, in the order of the file.

    Args:
        pixels: stop behind the element that holds the pixels; what follows it is not looked at.
        last: stop before the first element with a higher tag.
        first: stop behind the first element.

    Raises:
        Broken: an element does not fit, or a value representation does not exist.
    """
    places: list[Place] = []
    append = places.append
    if coding.implicit:
        head = _IMPLICIT_HEADS[coding.little]
        while at + 8 <= end:
            group, element, length = head(data, at)
            tag = group << 16 | element
            if tag == ITEM_END or tag > last:
                return places
            stop = at + 8 + length if length != UNDEFINED else _behind(data, at + 8, end, coding, tag, b"", depth)
            if stop > end:
                raise Broken("an element is longer than what is left")
            append((tag, at, stop))
            at = stop
            if first or (pixels and tag in PIXELS):
                return places
    else:
        head, long = _HEADS[coding.little], _LENGTHS[coding.little]
        while at + 8 <= end:
            group, element, vr, length = head(data, at)
            tag = group << 16 | element
            if tag > last:
                return places
            begin = at + 8
            if vr in LONG:
                if begin + 4 > end:
                    raise Broken("the file ends in the head of an element")
                (length,) = long(data, begin)
                begin += 4
            elif vr not in KNOWN:
                if tag == ITEM_END or (tag == 0 and not any(data[at:end])):  # or padding behind the last element
                    return places
                raise Broken("not a value representation")
            stop = begin + length if length != UNDEFINED else _behind(data, begin, end, coding, tag, vr, depth)
            if stop > end:
                raise Broken("an element is longer than what is left")
            append((tag, at, stop))
            at = stop
            if first or (pixels and tag in PIXELS):
                return places
    if any(data[at:end]):
        raise Broken("the file ends in the head of an element")
    return places


def _behind(data: Buffer, at: int, end: int, coding: Coding, tag: int, vr: bytes, depth: int) -> int:
    """Where an element of undefined length ends, its delimiter included."""
    if depth > DEEPEST:
        raise Broken("sequences are nested too deep")
    inner = Coding(True, True) if vr == b"UN" else coding  # PS3.5 6.2.2
    fragments = tag in PIXELS and vr != b"SQ"
    head = _IMPLICIT_HEADS[inner.little]
    while at + 8 <= end:
        group, element, length = head(data, at)
        mark = group << 16 | element
        at += 8
        if mark == SEQUENCE_END:
            return at
        if mark != ITEM:
            raise Broken("an item is missing")
        if length != UNDEFINED:
            at += length
        elif fragments:
            raise Broken("a fragment without length")
        else:
            at = _behind_item(data, at, end, inner, depth + 1)
    raise Broken("a sequence without an end")


def _behind_item(data: Buffer, at: int, end: int, coding: Coding, depth: int) -> int:
    places = walk(data, at, end, coding, depth=depth)
    at = places[-1][2] if places else at
    group, element, _ = _IMPLICIT_HEADS[coding.little](data, at) if at + 8 <= end else (0, 0, 0)
    if group << 16 | element != ITEM_END:
        raise Broken("an item without an end")
    return at + 8


def element_of(raw: bytes, coding: Coding) -> Element:
    """What the head of an element's bytes says."""
    if coding.implicit:
        group, number, length = _IMPLICIT_HEADS[coding.little](raw, 0)
        tag = group << 16 | number
        return Element(tag, standard_vr(tag) or "UN", raw, 8, length == UNDEFINED)
    group, number, code, length = _HEADS[coding.little](raw, 0)
    tag, vr, begin = group << 16 | number, code.decode("ascii"), 8
    if code in LONG:
        (length,) = _LENGTHS[coding.little](raw, 8)
        begin = 12
    undefined = length == UNDEFINED and begin == 12
    if vr == "UN":
        vr = standard_vr(tag) or "UN"
    return Element(tag, vr, raw, begin, undefined)


def coding_within(element: Element, coding: Coding) -> Coding:
    """How the items of a sequence are written: implicitly if it claims to be unknown (PS3.5 6.2.2)."""
    return Coding(True, True) if not coding.implicit and element.raw[4:6] == b"UN" else coding


def items(element: Element, coding: Coding) -> list[bytes]:
    """The bytes of each item of a sequence, without heads and delimiters.

    Raises:
        Broken: the value is no sequence.
    """
    inner = coding_within(element, coding)
    value, head, at, found = element.value, _IMPLICIT_HEADS[inner.little], 0, []
    while at + 8 <= len(value):
        group, number, length = head(value, at)
        if group << 16 | number == SEQUENCE_END:
            break
        if group << 16 | number != ITEM:
            raise Broken("an item is missing")
        at += 8
        if length == UNDEFINED:
            stop = _behind_item(value, at, len(value), inner, 0)
            found.append(value[at : stop - 8])
        else:
            stop = at + length
            if stop > len(value):
                raise Broken("an item is longer than its sequence")
            found.append(value[at:stop])
        at = stop
    return found
