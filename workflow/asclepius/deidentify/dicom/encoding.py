"""Elements as bytes (PS3.5 section 7)."""

import struct
import zlib
from functools import cache

from asclepius.deidentify.dicom.syntax import LONG, Coding

DEFLATED = "1.2.840.10008.1.2.1.99"
_AMBIGUOUS = {"US or SS": "US", "US or SS or OW": "OW", "US or OW": "OW", "OB or OW": "OW"}
_ZERO_PADDED = frozenset({"UI", "OB", "UN"})


class Encoder:
    """Writes elements the way the source wrote its own."""

    def __init__(self, coding: Coding):
        self.coding = coding
        self._order = "<" if coding.little else ">"

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """One element, its value padded to even length."""
        vr = _AMBIGUOUS.get(vr, vr)
        if len(value) % 2:
            value += b"\0" if vr in _ZERO_PADDED else b" "
        return self.head(tag, vr, len(value)) + value

    def head(self, tag: int, vr: str, length: int) -> bytes:
        """What stands before a value; `UNDEFINED` for encapsulated pixels."""
        group, number, code = tag >> 16, tag & 0xFFFF, vr.encode()
        if self.coding.implicit:
            return struct.pack(f"{self._order}HHL", group, number, length)
        if code in LONG or length > 0xFFFF:
            code = code if code in LONG else b"UN"  # PS3.5 6.2.2, note on values over 64 KB
            return struct.pack(f"{self._order}HH2s2xL", group, number, code, length)
        return struct.pack(f"{self._order}HH2sH", group, number, code, length)

    def sequence(self, tag: int, items: list[bytes]) -> bytes:
        """A sequence of items that are encoded already."""
        marker = f"{self._order}HHL"
        return self.element(
            tag, "SQ", b"".join(struct.pack(marker, 0xFFFE, 0xE000, len(item)) + item for item in items)
        )

    def code(self, value: str, scheme: str, meaning: str) -> bytes:
        """An item with one code (PS3.3 section 8)."""
        return (
            self.element(0x00080100, "SH", value.encode())
            + self.element(0x00080102, "SH", scheme.encode())
            + self.element(0x00080104, "LO", meaning.encode())
        )

    def sequence_end(self) -> bytes:
        return struct.pack(f"{self._order}HHL", 0xFFFE, 0xE0DD, 0)


# A fixed UUID-derived UID (PS3.5 annex B.2) that names this implementation.
IMPLEMENTATION = "2.25.271539408162310574924317803655186502911"
VERSION = "ASCLEPIUS_1"
_META = Encoder(Coding(implicit=False, little=True))


@cache
def _meta_start(sop_class: str) -> bytes:
    return _META.element(0x00020001, "OB", b"\0\1") + _META.element(0x00020002, "UI", sop_class.encode())


@cache
def _meta_end(syntax: str) -> bytes:
    return (
        _META.element(0x00020010, "UI", syntax.encode())
        + _META.element(0x00020012, "UI", IMPLEMENTATION.encode())
        + _META.element(0x00020013, "SH", VERSION.encode())
    )


def preface(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """What stands before a data set (PS3.10 section 7.1): an empty preamble and new file meta information."""
    body = _meta_start(sop_class) + _META.element(0x00020003, "UI", sop_instance.encode()) + _meta_end(syntax)
    return b"\0" * 128 + b"DICM" + _META.element(0x00020000, "UL", struct.pack("<L", len(body))) + body


def deflated(*parts: bytes | memoryview) -> bytes:
    """A data set compressed as PS3.5 A.5 asks, padded to even length."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = b"".join(stream.compress(part) for part in parts) + stream.flush()
    return data + b"\0" * (len(data) % 2)
