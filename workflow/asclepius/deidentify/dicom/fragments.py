"""Compressed pixels: comments overwritten in place, so that offsets and the coded picture stay as they are.

JPEG (ITU-T T.81 B.2.4), JPEG-LS (T.87) and JPEG 2000 (T.800 A.9) allow free text before the picture.
"""

from collections import Counter
from collections.abc import Iterator

from asclepius.errors import Rejected

_JPEG = "1.2.840.10008.1.2.4."
_SOI, _SOC, _SOS, _SOT, _COM, _COM_2000 = b"\xff\xd8", b"\xff\x4f", 0xDA, 0x90, 0xFE, 0x64
# Application data that decoders need, and how much of it: JFIF's density, Adobe's colour transform, JPEG-LS's colours,
# SPIFF's numbers.
_NEEDED = (
    (0xE0, b"JFIF\0", 12),
    (0xEE, b"Adobe", 12),
    (0xE8, b"mrfx", 6),
    (0xE8, b"SPIFF\0", 30),
)
_LARGEST = 512 << 20  # bytes that may be held in memory for a change


def without_comments(value: memoryview, syntax: str, audit: Counter[tuple[str, str, str]]) -> memoryview:
    """Encapsulated pixels (items without the closing delimiter) with blank comments; the same bytes if there are none.

    Raises:
        Rejected: comments in pixels too large to be changed.
    """
    if not syntax.startswith(_JPEG):
        return value
    places = [place for begin, end in items(value) for place in _comments(value, begin, end)]
    if not places:
        return value
    if len(value) > _LARGEST:
        raise Rejected("undecodable", "compressed pixels of more than 512 MB hold comments; split the file by frames")
    changed = bytearray(value)
    for begin, end in places:
        changed[begin:end] = bytes(end - begin)
    audit["7fe0,0010", "comments in compressed pixels", "X"] += 1
    return memoryview(bytes(changed))


def items(value: memoryview) -> Iterator[tuple[int, int]]:
    """Begin and end of each item's value, the offset table's included (PS3.5 A.4)."""
    at = 0
    while at + 8 <= len(value):
        end = at + 8 + int.from_bytes(value[at + 4 : at + 8], "little")
        yield at + 8, end
        at = end


def _comments(value: memoryview, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Begin and end of free bytes in the segments before the picture that are not blank yet."""
    start = bytes(value[at : at + 2])
    if start not in (_SOI, _SOC):
        return
    at += 2
    while at + 4 <= end and value[at] == 0xFF:
        marker, length = value[at + 1], int.from_bytes(value[at + 2 : at + 4], "big")
        begin, stop = at + 4, min(at + 2 + length, end)
        if marker in (_SOS, _SOT) or length < 2:
            return
        if start == _SOC:
            begin += 2  # the registration value that says what the comment is
            free = marker == _COM_2000
        else:
            free = marker == _COM or 0xE0 <= marker <= 0xEF
            begin += next(
                (kept for code, name, kept in _NEEDED if code == marker and value[begin : begin + len(name)] == name), 0
            )
        if free and begin < stop and any(value[begin:stop]):
            yield begin, stop
        at = stop
