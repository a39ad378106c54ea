"""A second reader of DICOM files, written from PS3.5 and PS3.10 alone.

It shares no code with the writer, so that a mistake in the one is not forgiven by the other, and it forgives nothing:
the writer's files must follow the standard.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, groupby
from mmap import mmap

from pydicom.datadict import dictionary_VR

# PS3.5 table 7.1-1: value representations whose length takes four bytes, and the others.
_WIDE_TEXT = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_NARROW_TEXT = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_HEAD = {**{vr.encode(): 12 for vr in _WIDE_TEXT.split()}, **{vr.encode(): 8 for vr in _NARROW_TEXT.split()}}
_NO_LENGTH = b"\xff\xff\xff\xff"
_SYNTAXES = {"1.2.840.10008.1.2": (True, "little"), "1.2.840.10008.1.2.2": (False, "big")}
_DEFLATED = "1.2.840.10008.1.2.1.99"
_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
_MOST = 48  # stretches of a file that are quicker to compare than its elements
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)

Buffer = bytes | mmap


class Unlawful(ValueError):
    """The file does not follow the standard."""


@dataclass(frozen=True)
class Leaf:
    """A value as it stands in the file.

    Args:
        vr: value representation; the dictionary's in implicit syntaxes, "UN" if it has none.
        place: of the item that holds it; equal for all elements of one item.
    """

    tag: int
    vr: str
    value: bytes
    place: int


@dataclass(frozen=True, eq=False)
class Stretch:
    """Neighbouring elements of the outermost level, all private or none.

    Args:
        raw: their bytes.
        tags: of each, ascending.
        ends: where each ends in `raw`.
    """

    raw: bytes
    tags: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def private(self) -> bool:
        return bool(self.tags[0] >> 16 & 1)

    def elements(self) -> Iterator[tuple[int, bytes]]:
        """Tag and bytes of each."""
        begin = 0
        for tag, end in zip(self.tags, self.ends, strict=True):
            yield tag, self.raw[begin:end]
            begin = end


@dataclass(frozen=True)
class Found:
    """A file's parts.

    Args:
        body: holds the data set, inflated if need be.
        begin, end: of the data set in it, up to the element with the pixels.
        stretches: what lies between them.
        pixels: begin and end of their value in `body`, without the closing delimiter; None without pixels.
    """

    body: Buffer
    begin: int
    end: int
    implicit: bool
    order: str
    stretches: list[Stretch]
    pixels: tuple[int, int] | None


def open_file(data: Buffer, other: Found | None = None) -> Found:
    """Read a file's outermost level.

    Args:
        other: a file read before; elements with the same bytes need not be taken apart again.

    Raises:
        Unlawful: anything is out of place, the preamble holds something, or bytes are left over.
    """
    if data[:132] != bytes(128) + b"DICM":
        raise Unlawful("the preamble is not empty")
    at, syntax, before = 132, "", 0
    while data[at : at + 2] == b"\x02\x00":
        tag = 0x00020000 | int.from_bytes(data[at + 2 : at + 4], "little")
        head = _HEAD.get(data[at + 4 : at + 6])
        if tag not in _META or tag < before or head is None:
            raise Unlawful("the file meta information holds more than it needs")
        size = int.from_bytes(data[at + head - (4 if head == 12 else 2) : at + head], "little")
        if tag == 0x00020010:
            syntax = data[at + head : at + head + size].decode("ascii").rstrip("\0")
        at, before = at + head + size, tag
    implicit, order = _SYNTAXES.get(syntax, (False, "little"))
    body = data
    if syntax == _DEFLATED:
        stream = zlib.decompressobj(-15)
        body, at = stream.decompress(data[at:]), 0
        if not stream.eof or stream.unused_data.strip(b"\0"):
            raise Unlawful("bytes behind the deflated data set")
    same = other.stretches if other is not None and (other.implicit, other.order) == (implicit, order) else []
    stretches, end, pixels = _outermost(body, at, implicit, order, same)
    return Found(body, at, end, implicit, order, stretches, pixels)


def _outermost(
    body: Buffer, at: int, implicit: bool, order: str, same: list[Stretch]
) -> tuple[list[Stretch], int, tuple[int, int] | None]:
    """The elements before the pixels, where they end, and begin and end of the pixels' value."""
    found: list[Stretch] = []
    before = -1
    for known in _few(same):
        after = at + len(known.raw)
        if body[at:after] != known.raw:
            elements, after, pixels = _elements(body, at, implicit, order, known.tags[-1], before)
            if elements:
                known_elements = dict(known.elements())
                found += _divided(elements, lambda tag, raw, known=known_elements: known.get(tag) == raw)
                before = elements[-1][0]
            if pixels is not None:
                return found, after, pixels
        elif known.tags[0] <= before:
            raise Unlawful("elements are out of order")
        else:
            found.append(known)
            before = known.tags[-1]
        at = after
    elements, after, pixels = _elements(body, at, implicit, order, 0xFFFFFFFF, before)
    return [*found, *_divided(elements, lambda *_: True)], after, pixels


def _elements(
    body: Buffer, at: int, implicit: bool, order: str, last: int, before: int
) -> tuple[list[tuple[int, bytes]], int, tuple[int, int] | None]:
    """Tag and bytes of elements up to a tag or the pixels, where they end, and where the pixels' value lies."""
    elements, size = [], len(body)
    while at < size:
        if size - at < 8:
            raise Unlawful("bytes behind the last element")
        if int.from_bytes(body[at : at + 2], order) << 16 | int.from_bytes(body[at + 2 : at + 4], order) > last:
            break
        tag, _, first, end, after = _element(body, at, size, implicit, order)
        if tag in _PIXELS:
            if after != size or tag <= before:
                raise Unlawful("bytes behind the pixels")
            return elements, at, (first, end)
        if tag <= before:
            raise Unlawful("elements are out of order")
        elements.append((tag, bytes(body[at:after])))
        at, before = after, tag
    return elements, at, None


def _divided(elements: list[tuple[int, bytes]], same: Callable[[int, bytes], bool]) -> Iterator[Stretch]:
    """Stretches of elements that are alike: private or not, the same as in another file or not."""
    for _, group in groupby(elements, key=lambda one: (one[0] >> 16 & 1, same(*one))):
        tags, raws = zip(*group, strict=True)
        yield Stretch(b"".join(raws), tags, tuple(accumulate(map(len, raws))))


def _few(stretches: list[Stretch]) -> list[Stretch]:
    """The same elements in stretches as long as can be, if there are too many to be quick."""
    if len(stretches) <= _MOST:
        return stretches
    return list(_divided([one for stretch in stretches for one in stretch.elements()], lambda *_: True))


def leaves(found: Found, raw: bytes | None = None) -> Iterator[Leaf]:
    """The values of all elements before the pixels, or of those in `raw`, and of all items below them."""
    if raw is None:
        return _leaves(found.body, found.begin, found.end, found.implicit, found.order, 0)
    return _leaves(raw, 0, len(raw), found.implicit, found.order, 0)


def _leaves(body: Buffer, at: int, end: int, implicit: bool, order: str, place: int) -> Iterator[Leaf]:
    before = -1
    while at < end:
        tag, vr, begin, stop, after = _element(body, at, end, implicit, order)
        if tag <= before:
            raise Unlawful("elements are out of order")
        if vr == "SQ":
            for first, last in _items(body, begin, stop, implicit, order):
                yield from _leaves(body, first, last, implicit, order, first)
        else:
            yield Leaf(tag, vr, body[begin:stop], place)
        at, before = after, tag


def _element(body: Buffer, at: int, end: int, implicit: bool, order: str) -> tuple[int, str, int, int, int]:
    """Tag, value representation, begin and end of the value, begin of the next element."""
    tag = int.from_bytes(body[at : at + 2], order) << 16 | int.from_bytes(body[at + 2 : at + 4], order)
    if implicit:
        begin, vr = at + 8, _vr(tag)
        length = body[at + 4 : begin]
    else:
        code = body[at + 4 : at + 6]
        head = _HEAD.get(code)
        if head is None:
            raise Unlawful("no such value representation")
        begin, vr = at + head, code.decode("ascii")
        length = body[at + 8 : begin] if head == 12 else body[at + 6 : begin]
    if length == _NO_LENGTH:
        stop = _closing(body, begin, end, implicit, order)
        return tag, "SQ" if tag not in _PIXELS else vr, begin, stop, stop + 8
    size = int.from_bytes(length, order)
    if size % 2 or begin + size > end:
        raise Unlawful("an odd length, or one that does not fit")
    return tag, vr, begin, begin + size, begin + size


@cache
def _vr(tag: int) -> str:
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def _items(body: Buffer, at: int, end: int, implicit: bool, order: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the content of each item."""
    while at < end:
        mark, size = _mark(body, at, order)
        if mark != 0xFFFEE000:
            raise Unlawful("an item is missing")
        at += 8
        stop = at + size if size != 0xFFFFFFFF else _item_end(body, at, end, implicit, order)
        if stop > end:
            raise Unlawful("an item does not fit")
        yield at, stop
        at = stop + (8 if size == 0xFFFFFFFF else 0)


def _closing(body: Buffer, at: int, end: int, implicit: bool, order: str) -> int:
    """Where the delimiter of a sequence of undefined length begins."""
    while at + 8 <= end:
        mark, size = _mark(body, at, order)
        if mark == 0xFFFEE0DD:
            return at
        if mark != 0xFFFEE000:
            break
        at = at + 8 + size if size != 0xFFFFFFFF else _item_end(body, at + 8, end, implicit, order) + 8
    raise Unlawful("a sequence without an end")


def _item_end(body: Buffer, at: int, end: int, implicit: bool, order: str) -> int:
    while at + 8 <= end:
        if _mark(body, at, order)[0] == 0xFFFEE00D:
            return at
        at = _element(body, at, end, implicit, order)[4]
    raise Unlawful("an item without an end")


def _mark(body: Buffer, at: int, order: str) -> tuple[int, int]:
    tag = int.from_bytes(body[at : at + 2], order) << 16 | int.from_bytes(body[at + 2 : at + 4], order)
    return tag, int.from_bytes(body[at + 4 : at + 8], order)
